"""How a training run reports: a RunReport takes it from a `train` hook, and a Progress shows it to the user."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from zoo import stopping


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
