"""Keras on TensorFlow: whether it is installed, how to install it, and its quiet start. Answering mostly needs none."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from zoo.errors import ModelUnavailable, TrainingError
from zoo.quiet import quiet

PACKAGES = ("tensorflow", "keras")
EXTRA = "flask-model-zoo[train]"  # what pip installs them by


def check_for_training() -> None:
    """Raise TrainingError, with the command to install it, when what training needs is not installed."""
    if _lacks(*PACKAGES, "filelock"):
        own = Path(__file__).parents[1]
        what = f"--editable '{own}[train]'" if (own / "pyproject.toml").exists() else f"'{EXTRA}'"
        raise TrainingError(f"Training needs TensorFlow. Install it: {sys.executable} -m pip install {what}")


def check_for_answers(what: str) -> None:
    """Raise ModelUnavailable when TensorFlow, in which `what` runs, is not installed.

    A server's clients see the message too, so it has no path of this machine.
    """
    if _lacks(*PACKAGES):
        raise ModelUnavailable(f"{what}, which is not installed. Install it: pip install '{EXTRA}'.")


def start() -> None:
    """Import Keras on TensorFlow without its start-up messages."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with quiet():
        import keras  # noqa: F401


def _lacks(*packages: str) -> bool:
    """Whether a package is not installed. Imports none of them."""
    return any(importlib.util.find_spec(name) is None for name in packages)
