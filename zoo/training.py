"""A training run from settings to a published checkpoint: build, train, save, see that it is right, give it a version.

What an unfinished run needs to go on lies in `.zoo/training/<model>-<fingerprint>/`, one folder for each set of
settings. Nothing reaches the checkpoints until it is whole.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import importlib.metadata
import importlib.util
import io
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from zoo import datasets, extras, files, fitting, graph
from zoo.answers import prepared, told
from zoo.calibration import calibrate
from zoo.checkpoints import HISTORY, Card, Catalogue
from zoo.errors import PluginError, TrainingError, ZooError
from zoo.plugins import Family, Hooks
from zoo.settings import ModelSettings
from zoo.types import Data

TRIED = 256  # validation pictures that a new version has to answer before it is published
STRAY = 0.1  # of them, by which its answers may be worse than what training told
ANSWERING = {"runtime", "weights", "views", "why"}  # settings that change nothing of what is trained

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Of an OSError in a hook: nothing can be written. Any other is the plugin's own, as of what is not there."""


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
        ruling = self.settings.model_dump(mode="json", exclude=ANSWERING)
        facts = [self.family.name, ruling, datasets.fingerprint(self.settings.dataset)]
        mark = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
        return self.work / "training" / f"{self.model}-{mark}"

    @property
    def earlier(self) -> Path:
        """Where an unfinished run of the same settings is kept when another one is begun."""
        return self.folder.with_suffix(".earlier")


def train(run: Run, resume: bool, progress: Progress) -> Card:
    """Train and publish the next version. Raises TrainingError, and OSError's message as one when the disk is full.

    A stop at any moment, Ctrl-C and SIGKILL included, loses at most the epoch in hand; `resume` goes on after it.
    """
    start_tensorflow()
    if resume and not (run.folder.is_dir() or run.earlier.is_dir()):
        raise TrainingError(_nothing_to_resume(run))
    try:
        run.catalogue.make_ready(run.model)
    except OSError as error:
        raise TrainingError(f"{error.filename}: no checkpoint can be put there: {error.strerror}.") from error
    try:
        with _alone(run):
            return _train(run, resume, progress)
    except OSError as error:
        raise _unwritable(run, error) from error
    except PluginError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in NO_ROOM:
            raise _unwritable(run, error.__cause__) from error
        raise


def _unwritable(run: Run, error: OSError) -> TrainingError:
    return TrainingError(
        f"{error.filename or run.folder}: cannot be written: {error.strerror or error}. "
        f"What was saved before is whole; make room, then: zoo train {run.model} --resume."
    )


def _train(run: Run, resume: bool, progress: Progress) -> Card:
    import keras

    done = _settle_unfinished(run, resume, progress)
    progress.begin(run.model, run.settings.epochs, done)
    data = extras.added(datasets.training_data(run.settings.dataset, run.settings.validation), run.settings)
    keras.utils.set_random_seed(run.settings.seed)
    model = run.hooks.call("build", settings=run.settings)
    if not isinstance(model, keras.Model):
        raise TrainingError(f'Model "{run.model}": build should return a keras.Model, not {type(model).__name__}.')
    if run.settings.start is not None:
        _begin_with(model, run.settings.start, run)
    report = RunReport(run.folder, resume, progress)
    rows = _rows(run, run.hooks.call("train", model=model, data=data, settings=run.settings, report=report))
    folder = run.folder / "whole"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    run.hooks.call("save", model=model, folder=folder, settings=run.settings)
    files.write(folder / HISTORY, _csv(rows))
    facts = _facts(run, model, rows, data.labels)
    handle = _tried(run, folder, facts, data, progress)
    found = calibrate(run.hooks, run.settings, tuple(facts["input_shape"]), handle, data)
    card = run.catalogue.publish(folder, facts | {"calibration": found})
    shutil.rmtree(run.folder, ignore_errors=True)
    shutil.rmtree(run.earlier, ignore_errors=True)
    return card


def _begin_with(model: Any, start: str, run: Run) -> None:
    """Give a new network the weights of a checkpoint. Raises TrainingError when they do not fit, else as `member`."""
    weights = run.settings.member(start).get_weights()
    if [one.shape for one in weights] != [tuple(variable.shape) for variable in model.weights]:
        raise TrainingError(
            f'Model "{run.model}": start = "{start}" is a network of other layers than build now makes. '
            "Start from a checkpoint of the same plugin and the same sizes, or from none."
        )
    model.set_weights(weights)


def _tried(run: Run, folder: Path, facts: Mapping[str, Any], data: Data, progress: Progress) -> Any:
    """What the `load` hook makes of what was saved, once it has answered some validation pictures.

    So no version is published that cannot answer. Raises TrainingError when a hook will not; nothing is lost then.
    """
    pictures, classes = data.validation_images[:TRIED, ..., 0], data.validation_classes[:TRIED]
    shape = tuple(facts["input_shape"])
    try:
        handle = run.hooks.call("load", folder=folder, settings=run.settings)
        batch = np.stack([prepared(run.model, run.hooks, run.settings, shape, one)[0] for one in pictures])
        scores = told(run.model, run.hooks, run.settings, handle, batch, len(facts["labels"]))
    except ZooError as error:
        raise TrainingError(
            f"{error} It is trained, and cannot answer yet. What was trained is kept: put the plugin right, then: zoo "
            f"train {run.model} --resume."
        ) from error
    right, meant = float((scores.argmax(axis=1) == classes).mean()), facts["training"].get("val_accuracy", 0.0)
    if right < meant - STRAY:
        progress.note(
            f"Of {len(classes)} validation pictures it reads {100 * right:.0f} % by its preprocess and predict hooks, "
            f"where training told {100 * meant:.0f} %. See that they give the network what it was trained on: light "
            "ink on black, as floats in 0-1."
        )
    return handle


def _settle_unfinished(run: Run, resume: bool, progress: Progress) -> int:
    """Take up the unfinished run that went furthest, or put it aside; returns the epochs that are behind it."""
    done, earlier = fitting.epochs_done(run.folder), fitting.epochs_done(run.earlier)
    if resume:
        if earlier > done:
            shutil.rmtree(run.folder, ignore_errors=True)
            run.earlier.rename(run.folder)
        return max(done, earlier)
    if done > earlier:
        shutil.rmtree(run.earlier, ignore_errors=True)
        run.folder.rename(run.earlier)
        run.folder.mkdir()
    if done or earlier:
        progress.note(
            f"Starting over. An unfinished run at epoch {max(done, earlier)} is kept: --resume goes on with it."
        )
    return 0


def _rows(run: Run, history: Any) -> list[Mapping[str, float]]:
    """A train hook's answer as rows; what Keras' `fit` returns will do too. Raises PluginError when it is neither."""
    if isinstance(getattr(history, "history", None), dict):
        columns = history.history
        history = [
            {"epoch": epoch, **dict(zip(columns, values, strict=True))}
            for epoch, values in enumerate(zip(*columns.values(), strict=True), 1)
        ]
    rows = list(history) if isinstance(history, Sequence) else []
    if not rows or not all(isinstance(row, Mapping) for row in rows):
        raise PluginError(
            f'Model "{run.model}": its train hook should return one row per epoch, such as '
            f"[{{'epoch': 1, 'loss': 0.1}}], or what Keras' fit returns, not {type(history).__name__}."
        )
    return rows


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
            "epochs": int(last.get("epoch", len(rows))),
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
    names = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(text, fieldnames=list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: v if isinstance(v, int) else f"{v:.6g}" for k, v in row.items()} for row in rows)
    return text.getvalue().encode()


@contextmanager
def _alone(run: Run) -> Iterator[None]:
    """Hold the run's folder, so that two processes never train the same settings at once."""
    from filelock import FileLock, Timeout

    lock = run.folder.parent / f"{run.folder.name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock, timeout=0):
            run.folder.mkdir(exist_ok=True)
            yield
    except Timeout as error:
        raise TrainingError(f'Model "{run.model}" is being trained with these settings by another process.') from error


def start_tensorflow() -> None:
    """Import Keras on TensorFlow without its greetings. Raises TrainingError when it is not installed."""
    if any(importlib.util.find_spec(name) is None for name in ("tensorflow", "keras", "filelock")):
        own = Path(__file__).parents[1]
        what = f"--editable '{own}[train]'" if (own / "pyproject.toml").exists() else "'flask-model-zoo[train]'"
        raise TrainingError(f"Training needs TensorFlow: {sys.executable} -m pip install {what}")
    graph.start()


def _nothing_to_resume(run: Run) -> str:
    others = [path for path in run.folder.parent.glob(f"{run.model}-*") if fitting.epochs_done(path)]
    stand = ", ".join(f"one at epoch {fitting.epochs_done(path)}" for path in others)
    rest = f" There is {stand} with other settings; give the same options as then." if others else ""
    return f'Model "{run.model}" has no unfinished run with these settings.{rest}'
