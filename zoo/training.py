"""A training run, from settings to a published checkpoint: build, train, save, test, calibrate, publish.

An unfinished run keeps what it needs to resume in `.zoo/training/<model>-<fingerprint>/`, one folder for each set of
settings. The checkpoints folder only ever receives complete checkpoints.
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
from zoo.contract import Family
from zoo.errors import PluginError, TrainingError, ZooError, ended
from zoo.hooks import Hooks, NoAnswer
from zoo.settings import ModelSettings
from zoo.types import Data
from zoo.unfinished import NOWHERE, Row, Stand

STRAY = 0.1  # accuracy, in 0-1, by which a saved model may fall short of its training's before the user is warned
ANSWERING = {"runtime", "weights", "views", "why"}  # settings that change how a model answers, not what is trained

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Error numbers that mean that nothing can be written. Any other OSError in a hook is the plugin's own mistake."""


class Progress(Protocol):
    """Where a run reports to: a bar on a terminal, lines elsewhere, or nothing (`Silent`).

    `begin` is called once, with the number of epochs and of those `done` already; `step` after some steps of an epoch,
    both counted from 1; `epoch` after each epoch with its row of the history; `stage` with what is done after the last;
    and `note` with lines for the user.
    """

    def begin(self, model: str, epochs: int, done: int) -> None: ...
    def step(self, epoch: int, step: int, steps: int, metrics: Mapping[str, float]) -> None: ...
    def epoch(self, row: Mapping[str, float]) -> None: ...
    def stage(self, text: str) -> None: ...
    def note(self, text: str) -> None: ...


class Silent:
    """A Progress that shows nothing."""

    def begin(self, model: str, epochs: int, done: int) -> None:
        pass

    def step(self, epoch: int, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        pass

    def epoch(self, row: Mapping[str, float]) -> None:
        pass

    def stage(self, text: str) -> None:
        pass

    def note(self, text: str) -> None:
        pass


@dataclass
class RunReport:
    """The Report that a train hook gets. It passes reports on to the Progress and owns the run's folder.

    An epoch whose row has no `seconds` is timed here. Both methods raise KeyboardInterrupt when a stop was asked for.
    """

    folder: Path
    resume: bool
    progress: Progress
    since: float = field(default_factory=time.monotonic)  # when the current epoch began, by time.monotonic

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
    """One model to train: its plugin and settings, the settings of this run alone (`overrides`), and the folders.

    `work` holds unfinished runs, and `catalogue` receives the checkpoint. `quick` calibrates on fewer pictures.
    """

    model: str
    family: Family
    hooks: Hooks
    settings: ModelSettings
    overrides: Mapping[str, Any]
    catalogue: Catalogue
    work: Path
    command: str  # starts the same run from a shell; with --resume it continues it
    quick: bool

    @property
    def folder(self) -> Path:
        """Where this run keeps its state, named by a hash of the plugin, the dataset and the settings it depends on."""
        ruling = self.settings.model_dump(mode="json", exclude=ANSWERING)
        facts = [self.family.name, ruling, datasets.fingerprint(self.settings.dataset)]
        mark = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
        return self.work / "training" / f"{self.model}-{mark}"

    @property
    def earlier(self) -> Path:
        """Where the previous unfinished run with the same settings is kept when a new one starts."""
        return self.folder.with_suffix(".earlier")


class Stopped(KeyboardInterrupt):
    """A run was stopped by Ctrl-C. Its text says what is kept of the run and how to continue."""


def train(run: Run, resume: bool, progress: Progress) -> Card:
    """Train a model, publish it as the next version and return its card.

    `resume` continues the unfinished run with the same settings; a network that is fully trained is not trained again.
    With the default `train` hook a stop at any moment, even by SIGKILL, loses at most the current epoch; with a
    plugin's own, whatever the plugin has not saved.

    Raises TrainingError, also for a full disk, PluginError, and Stopped upon Ctrl-C.
    """
    with stopping.minded():
        try:
            return _begun(run, resume, progress)
        except (KeyboardInterrupt, Exception) as stop:
            if not (stopping.came() or isinstance(stop, KeyboardInterrupt)):
                raise
            with stopping.held():
                left, command = _left(run)
            further = "To start again" if command == run.command else "To continue"
            raise Stopped(f"{left}. {further}: {command}") from stop


def _begun(run: Run, resume: bool, progress: Progress) -> Card:
    """Check that the run can start, lock its folder and train; turn errors of writing into TrainingError."""
    start_tensorflow()
    if resume and not (run.folder.is_dir() or run.earlier.is_dir()):
        raise TrainingError(_nothing_to_resume(run))
    try:
        run.catalogue.make_ready(run.model)
    except OSError as error:
        raise TrainingError(f"{error.filename}: no checkpoint can be saved there: {error.strerror}.") from error
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
    """Return the OSError behind an error if a hook could not write for lack of space, or None."""
    cause = error.__cause__
    return cause if isinstance(cause, OSError) and cause.errno in NO_ROOM else None


def _unwritable(run: Run, error: OSError) -> TrainingError:
    """Return the error for a file that cannot be written, with what is kept of the run and how to continue."""
    left, command = _left(run)
    return TrainingError(
        f"{error.filename or run.folder}: cannot be written: {error.strerror or error}. Of this run, {left}. "
        f"Free some space, then run: {command}"
    )


def _left(run: Run) -> tuple[str, str]:
    """Return what is kept of a run that ended early, and the command that continues it or starts it again."""
    stand = _furthest(run)
    resume = f"{run.command} --resume"
    if stand.trained:
        return "the trained network is kept", resume
    if not run.hooks.is_own("train"):
        return ("every completed epoch is kept", resume) if stand.epochs else ("no epoch was completed", run.command)
    if unfinished.has_own_files(run.folder):
        return f"the files that the plugin's train hook saved are in {run.folder}", resume
    return "nothing is kept: there is no trained network, and the plugin's train hook saved no files", run.command


def _furthest(run: Run) -> Stand:
    """Return how far the run or the earlier one with the same settings came, whichever came further."""
    return max(unfinished.stand(run.folder), unfinished.stand(run.earlier))


def _train(run: Run, resume: bool, progress: Progress) -> Card:
    """Take a run from `build` to the published card, inside its locked folder."""
    import keras

    done = _settle_unfinished(run, resume, progress)
    progress.begin(run.model, run.settings.epochs, done)
    data = datasets.training_data(run.settings.dataset, run.settings.validation)
    keras.utils.set_random_seed(run.settings.seed)
    model = run.hooks.call("build", settings=run.settings)
    if not isinstance(model, keras.Model):
        whose = f"build{run.hooks.wrapped('build')}"
        raise TrainingError(
            f'Model "{run.model}": {whose} should return a keras.Model, not {type(model).__name__}. '
            "A model without Keras needs a small keras.Model as a shell: see docs/plugins.md."
        )
    seen = shapes.network_inputs(run.model, run.hooks, run.settings, model, data)
    if resume:
        unfinished.check_network(run.folder, model)
    else:
        unfinished.note(run.folder, run.command, model)
    rows = unfinished.take_up(run.folder, model) if resume else None
    if rows is None:
        rows = _trained(run, model, data, resume, progress)
    stopping.check()
    progress.stage("saving and checking")
    folder = run.folder / unfinished.WHOLE
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    facts = _facts(run, model, rows, data.labels)
    try:
        run.hooks.call("save", model=model, folder=folder, settings=run.settings, seen=seen)
        files.write(folder / HISTORY, _csv(rows))
        handle = _tried(run, folder, facts, seen, data, progress)
        progress.stage("calibrating")
        shape = tuple(facts["input_shape"])
        found = calibrate(run.hooks, run.settings, shape, handle, data, quick=run.quick)
    except ZooError as error:
        if _no_room(error) is not None:
            raise
        left, command = _left(run)
        raise TrainingError(
            f"{ended(str(error))} The network is trained but cannot answer yet; {left}. Fix this, then run: {command}"
        ) from error
    stopping.check()
    with stopping.held():  # a stop between publishing and clearing up would leave a finished run to be resumed
        card = run.catalogue.publish(folder, facts | {"calibration": found})
        shutil.rmtree(run.folder, ignore_errors=True)
        shutil.rmtree(run.earlier, ignore_errors=True)
    return card


def _trained(run: Run, model: Any, data: Data, resume: bool, progress: Progress) -> list[Row]:
    """Call the `train` hook, keep the trained network and return the rows of its history.

    If no row has `seconds`, the hook's time is divided equally among them. Raises PluginError when the hook returned no
    valid rows; the trained network is kept all the same.
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
    # Unchanged weights mean that the hook trained nothing, or not this network: there is nothing to keep.
    if len(before) != len(after) or not all(map(np.array_equal, before, after)):
        unfinished.keep(run.folder, model, rows or [{"epoch": run.settings.epochs}])
    if wrong:
        left, command = _left(run)
        kept = f"To publish it without that: {command}" if _furthest(run).trained else f"Then run: {command}"
        whose = f"train hook{run.hooks.wrapped('train')}"
        raise PluginError(f'Model "{run.model}": its {whose} {wrong} Fix it; {left}. {kept}')
    return rows


def _begin_with(model: Any, start: str, run: Run) -> None:
    """Load the weights of checkpoint `start` into a new network.

    Raises TrainingError when they do not fit, and what `ModelSettings.member` raises.
    """
    weights = run.settings.member(start).get_weights()
    if [one.shape for one in weights] != [tuple(variable.shape) for variable in model.weights]:
        raise TrainingError(
            f'Model "{run.model}": start = "{start}" has other layers than the network that build now makes. '
            "Start from a checkpoint of the same plugin and the same sizes, or from none."
        )
    model.set_weights(weights)


def _tried(run: Run, folder: Path, facts: Mapping[str, Any], seen: NDArray[Any], data: Data, progress: Progress) -> Any:
    """Load the saved model, have it answer the validation pictures `seen`, (n, ...), and return what `load` returned.

    So no version is published that cannot answer. Warns when its accuracy is more than `STRAY` below that of training.
    Raises ZooError when a hook fails.
    """
    handle = run.hooks.call("load", folder=folder, settings=run.settings)
    scores = checked_scores(run.hooks, run.settings, handle, seen, len(facts["labels"]))
    classes = data.validation_classes[: len(seen)]
    right, meant = float((scores.argmax(axis=1) == classes).mean()), facts["training"].get("val_accuracy", 0.0)
    if right < meant - STRAY:
        progress.note(
            f"With its preprocess and predict hooks it reads {100 * right:.0f} % of {len(classes)} validation pictures "
            f"correctly, but training reported {100 * meant:.0f} %. Check that the hooks give the network what it was "
            "trained on: light ink on black, as floats in 0-1."
        )
    return handle


def _settle_unfinished(run: Run, resume: bool, progress: Progress) -> int:
    """Move the unfinished run that went furthest into place to resume it, or out of the way; return its epochs."""
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
    (run.folder / unfinished.TRAINED).unlink(missing_ok=True)  # else it would be taken for the new run's
    if furthest > NOWHERE:
        what = "A trained run" if furthest.trained else f"An unfinished run at epoch {furthest.epochs}"
        progress.note(f"Starting over. {what} is kept: --resume continues it.")
    return 0


def _rows(history: Any) -> tuple[list[Row], str]:
    """Return a train hook's history as rows of int and float, and what is wrong with it, or "".

    The History that Keras' `fit` returns is accepted too, without the metrics that it did not measure in every epoch.
    No rows become one of epoch 0: nothing was trained.
    """
    if isinstance(columns := getattr(history, "history", None), dict):
        epochs = max(map(len, columns.values()), default=0)
        whole = {name: values for name, values in columns.items() if len(values) == epochs}
        history = [{"epoch": i + 1, **{name: values[i] for name, values in whole.items()}} for i in range(epochs)]
    if not isinstance(history, Sequence) or not all(isinstance(row, Mapping) for row in history):
        items = "" if isinstance(history, str) or not isinstance(history, Sequence) else " of other things"
        return [], (
            "should return one row per epoch, such as [{'epoch': 1, 'loss': 0.1}], [] if it trains nothing, or what "
            f"Keras' fit returns, not {type(history).__name__}{items}."
        )
    found = list(history) or [{"epoch": 0}]
    wrong = ""
    rows: list[Row] = []
    for place, row in enumerate(found, 1):
        numbers = {str(name): _number(value) for name, value in row.items()}
        rows.append({name: value for name, value in numbers.items() if value is not None})
        for name, value in row.items():
            if numbers[str(name)] is None and not wrong:
                what = f"{str(value)[:80]!r} ({type(value).__name__})"
                wrong = f'returned "{name}" = {what} in row {place}; it should be a number.'
    return rows, wrong


def _number(value: Any) -> int | float | None:
    """Convert a number of Python, NumPy or TensorFlow to int or float; None when it is not a number."""
    if getattr(value, "shape", None) == () and not isinstance(value, np.generic):
        value = np.asarray(value)[()]
    if isinstance(value, Integral | np.bool_):
        return int(value)
    return float(value) if isinstance(value, Real) else None


def _facts(run: Run, model: Any, rows: list[Row], labels: tuple[str, ...]) -> dict[str, Any]:
    """Return the fields of the card that are known once the network is trained."""
    last = {name: value for name, value in rows[-1].items() if math.isfinite(value)}
    seconds = sum(value for row in rows if math.isfinite(value := row.get("seconds", 0.0)))
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
    """Return an installed package's version, or "unknown"."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _csv(rows: list[Row]) -> bytes:
    """Return the history as a CSV file with a column for every name in any row."""
    text = io.StringIO()
    names = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(text, fieldnames=list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: v if isinstance(v, int) else f"{v:.6g}" for k, v in row.items()} for row in rows)
    return text.getvalue().encode()


@contextmanager
def _alone(run: Run) -> Iterator[None]:
    """Lock and create the run's folder, so that two processes never train the same settings at once.

    Raises TrainingError when another process holds it.
    """
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
    """Import Keras on TensorFlow without its start-up messages. Raises TrainingError when it is not installed."""
    if any(importlib.util.find_spec(name) is None for name in ("tensorflow", "keras", "filelock")):
        own = Path(__file__).parents[1]
        what = f"--editable '{own}[train]'" if (own / "pyproject.toml").exists() else "'flask-model-zoo[train]'"
        raise TrainingError(f"Training needs TensorFlow. Install it: {sys.executable} -m pip install {what}")
    graph.start()


def _nothing_to_resume(run: Run) -> str:
    """Return the message that there is no run to resume, naming unfinished runs with other settings."""
    others = []
    for folder in sorted(run.folder.parent.glob(f"{run.model}-*")):
        trained, epochs = unfinished.stand(folder)
        if epochs:
            command = unfinished.command(folder) or "use the options it was started with"
            others.append(f"{'a trained one' if trained else f'one at epoch {epochs}'} ({command})")
    rest = f" With other settings there is {', '.join(others)}." if others else ""
    return f'Model "{run.model}" has no unfinished run with these settings.{rest}'
