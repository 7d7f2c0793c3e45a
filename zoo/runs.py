"""A run that trains one model: what it is made of, its folders and lock, and what is kept of it if it ends early."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo import datasets, unfinished
from zoo.checkpoints import Catalogue
from zoo.contract import Family
from zoo.errors import TrainingError
from zoo.hooks import Hooks
from zoo.progress import Progress
from zoo.settings import ModelSettings
from zoo.unfinished import NOT_BEGUN, RunState, state_of

ANSWERING = {"runtime", "weights", "views", "why"}  # settings that change how a model answers, not what is trained


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

    @property
    def furthest(self) -> RunState:
        """How far this run or the earlier one with the same settings came, whichever came further."""
        return max(state_of(self.folder), state_of(self.earlier))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock and create the folder, so that two processes never train the same settings at once.

        Raises TrainingError when another process holds it.
        """
        from filelock import FileLock, Timeout

        lock = self.folder.parent / f"{self.folder.name}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(lock, timeout=0):
                self.folder.mkdir(exist_ok=True)
                yield
        except Timeout as error:
            raise TrainingError(
                f'Model "{self.model}" is being trained with these settings by another process.'
            ) from error

    def remove(self) -> None:
        """Remove everything that is kept of this run and of the earlier one with the same settings."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.earlier, ignore_errors=True)


def check_resumable(run: Run) -> None:
    """Raise TrainingError when there is no run to resume, naming the unfinished runs with other settings."""
    if run.folder.is_dir() or run.earlier.is_dir():
        return
    unfinished_runs = []
    for folder in sorted(run.folder.parent.glob(f"{run.model}-*")):
        trained, epochs = state_of(folder)
        if epochs:
            command = unfinished.command(folder) or "use the options it was started with"
            unfinished_runs.append(f"{'a trained one' if trained else f'one at epoch {epochs}'} ({command})")
    rest = f" With other settings there is {', '.join(unfinished_runs)}." if unfinished_runs else ""
    raise TrainingError(f'Model "{run.model}" has no unfinished run with these settings.{rest}')


def bring_back(run: Run) -> int:
    """Move the unfinished run that went furthest into the run's folder, and return how many epochs it has done."""
    here, earlier = state_of(run.folder), state_of(run.earlier)
    if earlier > here:
        shutil.rmtree(run.folder, ignore_errors=True)
        run.earlier.rename(run.folder)
    furthest = max(here, earlier)
    return run.settings.epochs if furthest.trained else furthest.epochs


def set_aside(run: Run, progress: Progress) -> None:
    """Move an unfinished run out of the way of a new one, unless the earlier one went further, and tell the user."""
    here, earlier = state_of(run.folder), state_of(run.earlier)
    furthest = max(here, earlier)
    if here == furthest > NOT_BEGUN:
        shutil.rmtree(run.earlier, ignore_errors=True)
        run.folder.rename(run.earlier)
        run.folder.mkdir()
    (run.folder / unfinished.TRAINED).unlink(missing_ok=True)  # else it would be taken for the new run's
    if furthest > NOT_BEGUN:
        what = "A trained run" if furthest.trained else f"An unfinished run at epoch {furthest.epochs}"
        progress.note(f"Starting over. {what} is kept: --resume continues it.")


def left_of(run: Run) -> tuple[str, str]:
    """Return what is kept of a run that ended early, and the command that continues it or starts it again."""
    state = run.furthest
    resume = f"{run.command} --resume"
    if state.trained:
        return "the trained network is kept", resume
    if not run.hooks.is_own("train"):
        return ("every completed epoch is kept", resume) if state.epochs else ("no epoch was completed", run.command)
    if unfinished.has_own_files(run.folder):
        return f"the files that the plugin's train hook saved are in {run.folder}", resume
    return "nothing is kept: there is no trained network, and the plugin's train hook saved no files", run.command
