"""A training run, from settings to a published checkpoint: build, train, save, test, calibrate, publish.

An unfinished run keeps what it needs to resume in `.zoo/training/<model>-<fingerprint>/`, one folder for each set of
settings. The checkpoints folder only ever receives complete checkpoints.
"""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zoo import backend, datasets, extras, files, history, runs, shapes, stopping, unfinished
from zoo.answers import checked_scores
from zoo.calibration import calibrate
from zoo.cards import Card
from zoo.checkpoints import HISTORY
from zoo.errors import PluginError, TrainingError, ZooError, ended
from zoo.facts import facts_of
from zoo.history import Row
from zoo.hooks import NoAnswer
from zoo.progress import Progress, RunReport
from zoo.runs import Run
from zoo.types import Data

if TYPE_CHECKING:
    import keras

STRAY = 0.1  # accuracy, in 0-1, by which a saved model may fall short of its training's before the user is warned

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Error numbers that mean that nothing can be written. Any other OSError in a hook is the plugin's own mistake."""


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
                left, command = runs.left_of(run)
            further = "To start again" if command == run.command else "To continue"
            raise Stopped(f"{left}. {further}: {command}") from stop


def _begun(run: Run, resume: bool, progress: Progress) -> Card:
    """Check that the run can start, lock its folder and train; turn errors of writing into TrainingError."""
    backend.check_for_training()
    backend.start()
    if resume:
        runs.check_resumable(run)
    try:
        run.catalogue.make_ready(run.model)
    except OSError as error:
        raise TrainingError(f"{error.filename}: no checkpoint can be saved there: {error.strerror}.") from error
    try:
        with run.locked():
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
    left, command = runs.left_of(run)
    return TrainingError(
        f"{error.filename or run.folder}: cannot be written: {error.strerror or error}. Of this run, {left}. "
        f"Free some space, then run: {command}"
    )


def _train(run: Run, resume: bool, progress: Progress) -> Card:
    """Take a run from `build` to the published card, inside its locked folder."""
    import keras

    if not resume:
        runs.set_aside(run, progress)
    progress.begin(run.model, run.settings.epochs, runs.bring_back(run) if resume else 0)
    data = datasets.training_data(run.settings.dataset, run.settings.validation)
    keras.utils.set_random_seed(run.settings.seed)
    model = _built(run)
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
    facts = facts_of(run, model, rows, data.labels)
    try:
        run.hooks.call("save", model=model, folder=folder, settings=run.settings, seen=seen)
        files.write(folder / HISTORY, history.to_csv(rows))
        handle = _tried(run, folder, facts, seen, data, progress)
        progress.stage("calibrating")
        shape = tuple(facts["input_shape"])
        found = calibrate(run.hooks, run.settings, shape, handle, data, quick=run.quick)
    except ZooError as error:
        if _no_room(error) is not None:
            raise
        left, command = runs.left_of(run)
        raise TrainingError(
            f"{ended(str(error))} The network is trained but cannot answer yet; {left}. Fix this, then run: {command}"
        ) from error
    stopping.check()
    with stopping.held():  # a stop between publishing and clearing up would leave a finished run to be resumed
        card = run.catalogue.publish(folder, facts | {"calibration": found})
        run.remove()
    return card


def _built(run: Run) -> keras.Model:
    """Return the untrained network that the `build` hook makes. Raises TrainingError when it is no keras.Model."""
    import keras

    model = run.hooks.call("build", settings=run.settings)
    if not isinstance(model, keras.Model):
        whose = f"build{run.hooks.wrapped('build')}"
        raise TrainingError(
            f'Model "{run.model}": {whose} should return a keras.Model, not {type(model).__name__}. '
            "A model without Keras needs a small keras.Model as a shell: see docs/plugins.md."
        )
    return model


def _trained(run: Run, model: keras.Model, data: Data, resume: bool, progress: Progress) -> list[Row]:
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
        answer = run.hooks.call("train", model=model, data=data, settings=run.settings, report=report)
    except NoAnswer:
        answer = None
    rows, wrong = history.rows_of(answer)
    if not any("seconds" in row for row in rows):
        took = time.monotonic() - began
        rows = [{**row, "seconds": took / len(rows)} for row in rows]
    after = model.get_weights()
    # Unchanged weights mean that the hook trained nothing, or not this network: there is nothing to keep.
    if len(before) != len(after) or not all(map(np.array_equal, before, after)):
        unfinished.keep(run.folder, model, rows or [{"epoch": run.settings.epochs}])
    if wrong:
        left, command = runs.left_of(run)
        kept = f"To publish it without that: {command}" if run.furthest.trained else f"Then run: {command}"
        whose = f"train hook{run.hooks.wrapped('train')}"
        raise PluginError(f'Model "{run.model}": its {whose} {wrong} Fix it; {left}. {kept}')
    return rows


def _begin_with(model: keras.Model, start: str, run: Run) -> None:
    """Load the weights of checkpoint `start` into a new network.

    Raises TrainingError when they do not fit, and what `ModelSettings.member` raises.
    """
    weights = run.settings.member(start).get_weights()
    if [array.shape for array in weights] != [tuple(variable.shape) for variable in model.weights]:
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
