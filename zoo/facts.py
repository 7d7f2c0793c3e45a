"""The facts of a training run for the card of its checkpoint: how the network was made, and with which software."""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from zoo import datasets
from zoo.history import Row
from zoo.runs import Run

if TYPE_CHECKING:
    import keras

MEASURED = ("loss", "accuracy", "val_loss", "val_accuracy")  # columns of the history whose last values the card has
PACKAGES = ("flask-model-zoo", "tensorflow", "keras", "numpy", "ai-edge-litert")


def facts_of(run: Run, network: keras.Model, rows: Sequence[Row], labels: Sequence[str]) -> dict[str, Any]:
    """Return the fields of the card that are known once the network is trained, by the card's names."""
    return {
        "model": run.model,
        "plugin": run.family.name,
        "plugin_sha256": run.family.sha256,
        "summary": run.family.summary,
        "created": datetime.now(UTC).replace(microsecond=0),
        "settings": run.settings.model_dump(mode="json"),
        "overrides": dict(run.overrides),
        "data": {
            "name": run.settings.dataset,
            "validation": f"the last {run.settings.validation} training pictures",
            "sha256": datasets.fingerprint(run.settings.dataset),
        },
        "labels": list(labels),
        "input_shape": list(network.input_shape[1:]),
        "parameters": network.count_params(),
        "training": _training(rows),
        "software": {
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            **{name: _version(name) for name in PACKAGES},
        },
    }


def _training(rows: Sequence[Row]) -> dict[str, float]:
    """Return the number of epochs, their time in seconds, and what was measured in the last of them."""
    last = {name: value for name, value in rows[-1].items() if math.isfinite(value)}
    seconds = sum(value for row in rows if math.isfinite(value := row.get("seconds", 0.0)))
    return {
        "epochs": int(last.get("epoch", len(rows))),
        "seconds": round(seconds, 1),
        **{name: last[name] for name in MEASURED if name in last},
    }


def _version(package: str) -> str:
    """Return an installed package's version, or "unknown"."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
