"""A training run from settings to a published checkpoint: build, train, save, see that it is right, give it a version.

What an unfinished run needs to go on lies in `.zoo/training/<model>-<fingerprint>/`, one folder for each set of
settings. Nothing reaches the checkpoints until it is whole.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.metadata
import importlib.util
import io
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from zoo import datasets, files, fitting
from zoo.checkpoints import Card, Catalogue
from zoo.errors import TrainingError
from zoo.plugins import Family, Hooks
from zoo.quiet import quiet
from zoo.settings import ModelSettings

HISTORY = "history.csv"


class Progress(Protocol):
    """Where a run is shown: a bar on a terminal, lines elsewhere, nothing in a program."""

    def begin(self, model: str, epochs: int, done: int) -> None: ...
    def step(self, epoch: int, step: int, steps: int, metrics: Mapping[str, float]) -> None: ...
    def epoch(self, row: Mapping[str, float]) -> None: ...
    def note(self, text: str) -> None: ...


class Silent:
    """No progress shown."""

    def begin(self, model: str, epochs: int, done: int) -> None:
        pass

    def step(self, epoch: int, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        pass

    def epoch(self, row: Mapping[str, float]) -> None:
        pass

    def note(self, text: str) -> None:
        pass


@dataclass
class RunReport:
    """The Report that a train hook gets: passes on to the Progress, and owns the run's folder."""

    folder: Path
    resume: bool
    progress: Progress

    def step(self, epoch: int, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        self.progress.step(epoch, step, steps, metrics)

    def epoch(self, row: Mapping[str, float]) -> None:
        self.progress.epoch(row)


@dataclass(frozen=True)
class Run:
    """One model to train: its settings, those of them that this run alone has (`overrides`), and where things go."""

    model: str
    family: Family
    hooks: Hooks
    settings: ModelSettings
    overrides: Mapping[str, Any]
    catalogue: Catalogue
    work: Path

    @property
    def folder(self) -> Path:
        facts = [self.family.name, self.settings.model_dump(mode="json"), datasets.fingerprint(self.settings.dataset)]
        mark = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
        return self.work / "training" / f"{self.model}-{mark}"


def train(run: Run, resume: bool, progress: Progress) -> Card:
    """Train and publish the next version. Raises TrainingError, and OSError's message as one when the disk is full.

    A stop at any moment, Ctrl-C and SIGKILL included, loses at most the epoch in hand; `resume` goes on after it.
    """
    start_tensorflow()
    if resume and not run.folder.is_dir():
        raise TrainingError(_nothing_to_resume(run))
    try:
        with _alone(run):
            return _train(run, resume, progress)
    except OSError as error:
        raise TrainingError(
            f"{error.filename or run.folder}: cannot be written: {error.strerror or error}. "
            f"What was saved before is whole; make room, then: zoo train {run.model} --resume."
        ) from error


def _train(run: Run, resume: bool, progress: Progress) -> Card:
    import keras

    done = fitting.epochs_done(run.folder)
    if done and not resume:
        progress.note(
            f"An unfinished run stands at epoch {done}; starting over. To go on with it: Ctrl-C, then --resume."
        )
    progress.begin(run.model, run.settings.epochs, done if resume else 0)
    data = datasets.training_data(run.settings.dataset, run.settings.validation)
    keras.utils.set_random_seed(run.settings.seed)
    model = run.hooks.call("build", settings=run.settings)
    if not isinstance(model, keras.Model):
        raise TrainingError(f'Model "{run.model}": build should return a keras.Model, not {type(model).__name__}.')
    report = RunReport(run.folder, resume and done > 0, progress)
    rows = run.hooks.call("train", model=model, data=data, settings=run.settings, report=report)
    folder = run.folder / "whole"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    run.hooks.call("save", model=model, folder=folder, settings=run.settings)
    files.write(folder / HISTORY, _csv(rows))
    card = run.catalogue.publish(folder, _facts(run, model, rows, data.labels))
    shutil.rmtree(run.folder, ignore_errors=True)
    return card


def _facts(run: Run, model: Any, rows: list[Mapping[str, float]], labels: tuple[str, ...]) -> dict[str, Any]:
    last = dict(rows[-1])
    seconds = sum(row.get("seconds", 0.0) for row in rows)
    return {
        "model": run.model,
        "plugin": run.family.name,
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
        "input_shape": list(model.input_shape[1:]),
        "parameters": model.count_params(),
        "training": {
            "epochs": len(rows),
            "seconds": round(seconds, 1),
            **{name: last[name] for name in ("loss", "accuracy", "val_loss", "val_accuracy") if name in last},
        },
        "software": {
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            **{name: _version(name) for name in ("flask-model-zoo", "tensorflow", "keras", "numpy", "ai-edge-litert")},
        },
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _csv(rows: list[Mapping[str, float]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: v if isinstance(v, int) else f"{v:.6g}" for k, v in row.items()} for row in rows)
    return text.getvalue().encode()


@contextmanager
def _alone(run: Run) -> Iterator[None]:
    """Hold the run's folder, so that two processes never train the same settings at once."""
    from filelock import FileLock, Timeout

    lock = run.folder.parent / f"{run.folder.name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    run.folder.mkdir(exist_ok=True)
    try:
        with FileLock(lock, timeout=0):
            yield
    except Timeout as error:
        raise TrainingError(f'Model "{run.model}" is being trained with these settings by another process.') from error


def start_tensorflow() -> None:
    """Import Keras on TensorFlow without its greetings. Raises TrainingError when it is not installed."""
    if importlib.util.find_spec("tensorflow") is None:
        raise TrainingError("Training needs TensorFlow: pip install 'flask-model-zoo[train]'.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with quiet():
        import keras  # noqa: F401


def _nothing_to_resume(run: Run) -> str:
    others = [path for path in run.folder.parent.glob(f"{run.model}-*") if path.is_dir()]
    stand = ", ".join(f"one at epoch {fitting.epochs_done(path)}" for path in others)
    rest = f" There is {stand} with other settings; give the same options as then." if others else ""
    return f'Model "{run.model}" has no unfinished run with these settings.{rest}'
