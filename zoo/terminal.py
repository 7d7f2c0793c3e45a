"""Output of the command line: tables and bars on a terminal, plain lines elsewhere. Progress goes to stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from zoo.errors import counted

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}


def escaped(text: str) -> str:
    """Return a text with its control characters, except tabs and line ends, as `\\x1b`.

    A file name or a plugin's error may have some, and a terminal would obey them.
    """
    return text.translate(_CONTROLS)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table to standard output; when that is not a terminal, one line per row with tabs between the cells."""
    rows = [[escaped(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in (*([columns] if any(columns) else []), *rows):
            print("\t".join(" ".join(cell.split()) for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for column in columns:
        drawn.add_column(column)
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)


def track(steps: Sequence[int], what: str) -> Iterable[int]:
    """Return the steps, with a progress bar on stderr if there are several and stderr is a terminal."""
    if len(steps) < 2 or not sys.stderr.isatty():
        return steps
    from rich.console import Console
    from rich.progress import track as bar

    return bar(steps, what, console=Console(stderr=True), transient=True)


def percent(share: float | None) -> str:
    """Format a share in 0-1 as `99.31 %`, or as a dash when it is None."""
    return "-" if share is None else f"{100 * share:.2f} %"


def duration(seconds: float) -> str:
    """Format seconds as `1:02:03`, or as `2:03` below an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Bar:
    """Training progress as one live line: epoch, loss, accuracy, validation accuracy and time left."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._last: Mapping[str, float] = {}
        self._epochs = 0

    def begin(self, model: str, epochs: int, done: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._epochs = epochs
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=8),
            TextColumn("{task.fields[facts]}"),
            TextColumn("{task.fields[left]}"),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
            speed_estimate_period=120,
        )
        facts = "all epochs done" if done and done >= epochs else ""
        self._task = self._progress.add_task(model, total=float(epochs), completed=done, facts=facts, left="left")
        self._progress.start()

    def step(self, epoch: int, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        self._show(epoch - 1 + step / steps, epoch, {**self._last, **metrics})

    def epoch(self, row: Mapping[str, float]) -> None:
        self._last = row
        self._show(row["epoch"], int(row["epoch"]), row)

    def stage(self, text: str) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.tasks[self._task].total = None  # how long it takes is not known
            self._progress.update(self._task, facts=text, left="")

    def note(self, text: str) -> None:
        if self._progress is not None:
            self._progress.console.print(escaped(text))
        else:
            print(escaped(text), file=sys.stderr)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()

    def _show(self, done: float, epoch: int, facts: Mapping[str, float]) -> None:
        """Update the line, once it has begun; `done` is in epochs, with a fraction."""
        if self._progress is not None and self._task is not None:
            self._progress.update(
                self._task, completed=done, facts=f"epoch {epoch}/{self._epochs} {_figures(facts, short=True)}"
            )


class Lines:
    """Training progress as one plain line per epoch, for logs and pipes."""

    def __init__(self) -> None:
        self._epochs = 0

    def begin(self, model: str, epochs: int, done: int) -> None:
        self._epochs = epochs
        if done and done >= epochs:
            print(f"training {model}: {counted(epochs, 'epoch')}, all done", file=sys.stderr, flush=True)
            return
        start = f", from epoch {done + 1}" if done else ""
        print(f"training {model} for {counted(epochs, 'epoch')}{start}", file=sys.stderr, flush=True)

    def step(self, epoch: int, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        pass

    def epoch(self, row: Mapping[str, float]) -> None:
        left = row.get("seconds", 0.0) * (self._epochs - row["epoch"])
        print(
            f"epoch {int(row['epoch'])}/{self._epochs}  {_figures(row)}  {row.get('seconds', 0.0):.1f} s"
            f"  left {duration(left)}",
            file=sys.stderr,
            flush=True,
        )

    def stage(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        print(escaped(text), file=sys.stderr, flush=True)

    def close(self) -> None:
        pass


def _figures(facts: Mapping[str, float], short: bool = False) -> str:
    """Format the loss, accuracy and validation accuracy that `facts` has; `short` fits a live line of 80 columns."""
    decimals, accuracy, validation, gap = (3, "acc", "val", " ") if short else (4, "accuracy", "validation", "  ")
    shown = [f"loss {facts['loss']:.{decimals}f}"] if "loss" in facts else []
    shown += [f"{accuracy} {percent(facts['accuracy'])}"] if "accuracy" in facts else []
    shown += [f"{validation} {percent(facts['val_accuracy'])}"] if "val_accuracy" in facts else []
    return gap.join(shown)
