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
import math
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from zoo import datasets, extras, files, graph, shapes, stopping, unfinished
from zoo.answers import checked_scores
from zoo.calibration import calibrate
from zoo.checkpoints import HISTORY, Card, Catalogue
from zoo.errors import PluginError, TrainingError, ZooError, ended
from zoo.plugins import Family, Hooks, NoAnswer
from zoo.settings import ModelSettings
from zoo.types import Data
from zoo.unfinished import NOWHERE, Row, Stand

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
    """The Report that a train hook gets: passes on to the Progress, and owns the run's folder.

    An epoch whose row tells no `seconds` is timed.
    """

    folder: Path
    resume: bool
    progress: Progress
    since: float = field(default_factory=time.monotonic)  # when the epoch in hand began

    def step(self, epoch: int, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        stopping.check()
        self.progress.step(epoch, step, steps, metrics)

    def epoch(self, row: Mapping[str, float]) -> None:
        stopping.check()
        now = time.monotonic()
        self.progress.epoch({"seconds": now - self.since, **row})
        self.since = now


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
    command: str  # that begins it; with --resume it goes on

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


class Stopped(KeyboardInterrupt):
    """Ctrl-C in a run; as text what is left of the run, and how to go on."""


def train(run: Run, resume: bool, progress: Progress) -> Card:
    """Train and publish the next version. Raises TrainingError, and OSError's message as one when the disk is full.

    With the zoo's own `train` a stop at any moment, Ctrl-C and SIGKILL included, loses at most the epoch in hand; with
    a plugin's what that does not keep itself. `resume` goes on after it, and what is trained is not trained again.
    Ctrl-C raises Stopped.
    """
    with stopping.minded():
        try:
            return _begun(run, resume, progress)
        except (KeyboardInterrupt, Exception) as stop:
            if not (stopping.came() or isinstance(stop, KeyboardInterrupt)):
                raise
            with stopping.held():
                left, command = _left(run)
            further = "To begin again" if command == run.command else "To go on"
            raise Stopped(f"{left}. {further}: {command}") from stop


def _begun(run: Run, resume: bool, progress: Progress) -> Card:
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
        if (full := _no_room(error)) is not None:
            raise _unwritable(run, full) from error
        raise


def _no_room(error: ZooError) -> OSError | None:
    """What a hook could not write for want of room, if that is what an error tells."""
    cause = error.__cause__
    return cause if isinstance(cause, OSError) and cause.errno in NO_ROOM else None


def _unwritable(run: Run, error: OSError) -> TrainingError:
    left, command = _left(run)
    return TrainingError(
        f"{error.filename or run.folder}: cannot be written: {error.strerror or error}. Of this run {left}. "
        f"Make room, then: {command}"
    )


def _left(run: Run) -> tuple[str, str]:
    """What is left on disk of a run that has ended before its time, and the command that goes on with it."""
    stand = _furthest(run)
    resume = f"{run.command} --resume"
    if stand.trained:
        return "what was trained is kept", resume
    if not run.hooks.is_own("train"):
        return ("every whole epoch is kept", resume) if stand.epochs else ("no epoch is kept yet", run.command)
    if unfinished.has_own_files(run.folder):
        return f"what the plugin's train hook keeps is in {run.folder}", resume
    return "nothing is kept: the plugin's train hook has left no files, and no network that is trained", run.command


def _furthest(run: Run) -> Stand:
    return max(unfinished.stand(run.folder), unfinished.stand(run.earlier))


def _train(run: Run, resume: bool, progress: Progress) -> Card:
    import keras

    done = _settle_unfinished(run, resume, progress)
    progress.begin(run.model, run.settings.epochs, done)
    data = datasets.training_data(run.settings.dataset, run.settings.validation)
    keras.utils.set_random_seed(run.settings.seed)
    model = run.hooks.call("build", settings=run.settings)
    if not isinstance(model, keras.Model):
        whose = f"build{run.hooks.wrapped('build')}"
        raise TrainingError(f'Model "{run.model}": {whose} should return a keras.Model, not {type(model).__name__}.')
    seen = shapes.network_inputs(run.model, run.hooks, run.settings, model, data)
    rows = unfinished.take_up(run.folder, model) if resume else None
    if rows is None:
        rows = _trained(run, model, data, resume, progress)
    stopping.check()
    folder = run.folder / unfinished.WHOLE
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    facts = _facts(run, model, rows, data.labels)
    try:
        run.hooks.call("save", model=model, folder=folder, settings=run.settings, seen=seen)
        files.write(folder / HISTORY, _csv(rows))
        handle = _tried(run, folder, facts, seen, data, progress)
        found = calibrate(run.hooks, run.settings, tuple(facts["input_shape"]), handle, data)
    except ZooError as error:
        if _no_room(error) is not None:
            raise
        left, command = _left(run)
        raise TrainingError(
            f"{ended(str(error))} It is trained, and cannot answer yet; {left}. Put that right, then: {command}"
        ) from error
    stopping.check()
    with stopping.held():  # once it is published, the run has ended, and there is nothing left to go on with
        card = run.catalogue.publish(folder, facts | {"calibration": found})
        shutil.rmtree(run.folder, ignore_errors=True)
        shutil.rmtree(run.earlier, ignore_errors=True)
    return card


def _trained(run: Run, model: Any, data: Data, resume: bool, progress: Progress) -> list[Row]:
    """Let the `train` hook train the network, keep that, and return its rows; without `seconds`, they share its time.

    Raises PluginError when they are not such; what was trained is kept all the same.
    """
    if run.settings.start is not None:
        _begin_with(model, run.settings.start, run)
    data = extras.added(data, run.settings)
    before = model.get_weights()
    began = time.monotonic()
    report = RunReport(run.folder, resume, progress)
    try:
        history = run.hooks.call("train", model=model, data=data, settings=run.settings, report=report)
    except NoAnswer:
        history = None
    rows, wrong = _rows(history)
    if not any("seconds" in row for row in rows):
        took = time.monotonic() - began
        rows = [{**row, "seconds": took / len(rows)} for row in rows]
    after = model.get_weights()
    # Where they are the same, what was trained is not in the network, and to keep that would not be to keep it.
    if len(before) != len(after) or not all(map(np.array_equal, before, after)):
        unfinished.keep(run.folder, model, rows or [{"epoch": run.settings.epochs}])
    if wrong:
        left, command = _left(run)
        kept = f"To make a version without that: {command}" if _furthest(run).trained else f"Then: {command}"
        whose = f"train hook{run.hooks.wrapped('train')}"
        raise PluginError(f'Model "{run.model}": its {whose} {wrong} Put it right; {left}. {kept}')
    return rows


def _begin_with(model: Any, start: str, run: Run) -> None:
    """Give a new network the weights of a checkpoint. Raises TrainingError when they do not fit, else as `member`."""
    weights = run.settings.member(start).get_weights()
    if [one.shape for one in weights] != [tuple(variable.shape) for variable in model.weights]:
        raise TrainingError(
            f'Model "{run.model}": start = "{start}" is a network of other layers than build now makes. '
            "Start from a checkpoint of the same plugin and the same sizes, or from none."
        )
    model.set_weights(weights)


def _tried(run: Run, folder: Path, facts: Mapping[str, Any], seen: NDArray[Any], data: Data, progress: Progress) -> Any:
    """What the `load` hook makes of what was saved, once it has answered the validation pictures `seen`, (n, ...).

    So no version is published that cannot answer. Raises a ZooError when a hook will not.
    """
    handle = run.hooks.call("load", folder=folder, settings=run.settings)
    scores = checked_scores(run.model, run.hooks, run.settings, handle, seen, len(facts["labels"]))
    classes = data.validation_classes[: len(seen)]
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
    here, earlier = unfinished.stand(run.folder), unfinished.stand(run.earlier)
    furthest = max(here, earlier)
    if resume:
        if earlier > here:
            shutil.rmtree(run.folder, ignore_errors=True)
            run.earlier.rename(run.folder)
        return run.settings.epochs if furthest.trained else furthest.epochs
    if here == furthest > NOWHERE:
        shutil.rmtree(run.earlier, ignore_errors=True)
        run.folder.rename(run.earlier)
        run.folder.mkdir()
    (run.folder / unfinished.TRAINED).unlink(missing_ok=True)  # or it would pass for this run's
    if furthest > NOWHERE:
        what = "A run that is trained" if furthest.trained else f"An unfinished run at epoch {furthest.epochs}"
        progress.note(f"Starting over. {what} is kept: --resume goes on with it.")
    return 0


def _rows(history: Any) -> tuple[list[Row], str]:
    """A train hook's answer as rows of int and float, and what is wrong with it, if anything is.

    What Keras' `fit` returns will do too; what that has not measured in each epoch is left out.
    """
    if isinstance(columns := getattr(history, "history", None), dict):
        epochs = max(map(len, columns.values()), default=0)
        whole = {name: values for name, values in columns.items() if len(values) == epochs}
        history = [{"epoch": i + 1, **{name: values[i] for name, values in whole.items()}} for i in range(epochs)]
    found = list(history) if isinstance(history, Sequence) else []
    if not found or not all(isinstance(row, Mapping) for row in found):
        return [], (
            "should return one row per epoch, such as [{'epoch': 1, 'loss': 0.1}], or what Keras' fit returns, "
            f"not {type(history).__name__}."
        )
    wrong = ""
    rows: list[Row] = []
    for place, row in enumerate(found, 1):
        numbers = {str(name): _number(value) for name, value in row.items()}
        rows.append({name: value for name, value in numbers.items() if value is not None})
        for name, value in row.items():
            if numbers[str(name)] is None and not wrong:
                what = f"{str(value)[:80]!r}, {type(value).__name__}"
                wrong = f'gave in row {place} "{name}" = {what}; it should be a number.'
    return rows, wrong


def _number(value: Any) -> int | float | None:
    """A number of Python's, NumPy's or TensorFlow's as Python's; None when it is none."""
    if getattr(value, "shape", None) == () and not isinstance(value, np.generic):
        value = np.asarray(value)[()]
    if isinstance(value, Integral | np.bool_):
        return int(value)
    return float(value) if isinstance(value, Real) else None


def _facts(run: Run, model: Any, rows: list[Row], labels: tuple[str, ...]) -> dict[str, Any]:
    last = {name: value for name, value in rows[-1].items() if math.isfinite(value)}
    seconds = sum(value for row in rows if math.isfinite(value := row.get("seconds", 0.0)))
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


def _csv(rows: list[Row]) -> bytes:
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
    stands = [unfinished.stand(path) for path in sorted(run.folder.parent.glob(f"{run.model}-*"))]
    others = ["one that is trained" if trained else f"one at epoch {epochs}" for trained, epochs in stands if epochs]
    rest = f" There is {', '.join(others)} with other settings; give the same options as then." if others else ""
    return f'Model "{run.model}" has no unfinished run with these settings.{rest}'
