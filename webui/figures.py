"""The figures of a card as a page shows them: plots, shaded counts, pictures, and words."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ParamSpec

from flask_babel import format_decimal, format_timedelta, get_locale, gettext, lazy_gettext, ngettext

from webui import plots
from webui.inline import data_url
from webui.plots import Line, Plot
from zoo import datasets
from zoo.cards import Bin, Evaluation, Reliability, Robustness
from zoo.evaluation import wilson

History = Sequence[Mapping[str, float]]
P = ParamSpec("P")

COLUMNS = {
    "epoch": lazy_gettext("Epoch"),
    "loss": lazy_gettext("Training loss"),
    "accuracy": lazy_gettext("Training accuracy"),
    "val_loss": lazy_gettext("Validation loss"),
    "val_accuracy": lazy_gettext("Validation accuracy"),
    "learning_rate": lazy_gettext("Learning rate"),
    "seconds": lazy_gettext("Seconds"),
}
"""The columns of a training history. A plugin's own columns keep their names."""

KINDS = {
    "shift": lazy_gettext("Shift"),
    "rotation": lazy_gettext("Rotation"),
    "smaller": lazy_gettext("Smaller"),
    "larger": lazy_gettext("Larger"),
    "inversion": lazy_gettext("Inversion"),
    "thick": lazy_gettext("Thick strokes"),
    "thin": lazy_gettext("Thin strokes"),
    "blur": lazy_gettext("Blur"),
    "noise": lazy_gettext("Noise"),
    "occlusion": lazy_gettext("Occlusion"),
    "contrast": lazy_gettext("Contrast"),
}
UNITS = {
    "pixels": lazy_gettext("pixels"),
    "degrees": lazy_gettext("degrees"),
    "of the size": lazy_gettext("share of the size"),
    "contrast left": lazy_gettext("share of the contrast"),
    "pixels a side": lazy_gettext("pixels per side"),
    "sigma in pixels": lazy_gettext("sigma in pixels"),
    "sigma, of 0-1": lazy_gettext("sigma, 0-1 scale"),
    "pixels square": lazy_gettext("side in pixels"),
}
REASONS = {
    "blank": lazy_gettext("blank"),
    "no_contrast": lazy_gettext("too little contrast"),
    "several_objects": lazy_gettext("several objects"),
    "not_a_digit": lazy_gettext("not like a digit"),
}
REJECTED = {
    "validation": lazy_gettext("validation pictures"),
    "photographed": lazy_gettext("the same, as photographs"),
    "no digits": lazy_gettext("pictures without digits"),
}
"""KINDS, UNITS, REASONS and REJECTED translate the names that a card uses; a missing name is shown as it is."""

PLACES = 15  # decimals of a figure, at most
SHADES = 5  # of wrong answers in a confusion matrix


@dataclass(frozen=True, slots=True)
class Cell:
    """A count of a confusion matrix, and its shade: 0 to SHADES."""

    count: int
    shade: int


@dataclass(frozen=True, slots=True)
class Panel:
    """One kind of harder pictures: its name, the unit of its strengths, and its plot."""

    kind: str
    unit: str
    plot: Plot


def or_dash(write: Callable[P, str]) -> Callable[P, str]:
    """Let a function that formats a figure return a dash where it raises: a card may have any number, or none."""

    @functools.wraps(write)
    def written(*args: P.args, **options: P.kwargs) -> str:
        try:
            return write(*args, **options)
        except (ArithmeticError, TypeError, ValueError):  # decimal's errors are arithmetic ones
            return "\N{EN DASH}"

    return written


def word(words: Mapping[str, Any], key: str) -> str:
    """Return the translation of a name that a card uses, or the name itself."""
    return str(words.get(key, key))


@or_dash
def number(value: float) -> str:
    """Return a number in the reader's language: four significant digits in up to PLACES, whole numbers in full.

    Babel's own formatting takes several times as long, which shows in tables of hundreds of epochs.
    """
    places = 0 if value == int(value) else min(max(0, 3 - math.floor(math.log10(abs(value)))), PLACES)
    text = f"{value:,.{places}f}"
    symbols = get_locale().number_symbols["latn"]
    return text.translate({ord(","): symbols["group"], ord("."): symbols["decimal"]})


@or_dash
def strength(value: float) -> str:
    """Return a strength in the reader's language, with up to three decimals."""
    return str(format_decimal(value, "0.###"))


@or_dash
def duration(seconds: float) -> str:
    """Return a time in words, such as 27 minutes."""
    return str(format_timedelta(timedelta(seconds=seconds), threshold=1.5))


def machine(text: str) -> str:
    """Return the machine of a card, such as "Linux x86_64, 2 cores", with the cores in the reader's language."""
    kind, comma, cores = text.rpartition(", ")
    count = cores.removesuffix(" cores").removesuffix(" core")
    if not comma or count == cores or not count.isdecimal():
        return text
    return f"{kind}, " + str(ngettext("%(num)s core", "%(num)s cores", int(count)))


def size(count: int) -> str:
    """Return a number of bytes in B, kB or MB, in steps of 1,000."""
    if count < 1000:
        return f"{count}\N{NO-BREAK SPACE}B"
    unit, share = ("kB", count / 1e3) if count < 1e6 else ("MB", count / 1e6)
    return f"{format_decimal(share, '0.#' if share < 100 else '0')}\N{NO-BREAK SPACE}{unit}"


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return settings by their dotted keys, each value as settings.toml would have it."""
    found: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = json.dumps(value, ensure_ascii=False)
    return found


def guessed(measured: Evaluation) -> int:
    """Return of how many rejected pictures the best guess is right; 0 for a card without figures that tell it."""
    if measured.accepted_accuracy is None:
        return 0
    rejected = sum(measured.rejected.values())
    try:
        right = measured.correct - round((measured.pictures - rejected) * measured.accepted_accuracy)
    except (ArithmeticError, ValueError):  # a card may have any number
        return 0
    return right if 0 <= right <= rejected else 0


def confusion(counts: Sequence[Sequence[int]]) -> list[list[Cell]]:
    """Return the counts with their shades: none for right answers, by the logarithm for wrong ones."""
    most = max((count for at, row in enumerate(counts) for to, count in enumerate(row) if at != to), default=0)

    def shade(count: int) -> int:
        return math.ceil(SHADES * math.log(1 + count) / math.log(1 + most)) if count > 0 else 0

    return [
        [Cell(count, 0 if at == to else shade(count)) for to, count in enumerate(row)] for at, row in enumerate(counts)
    ]


def curves(history: History) -> list[Plot]:
    """Return the plots of accuracy and loss in one training, as far as its history has them."""
    found = []
    for key, about in (
        ("accuracy", gettext("Accuracy by epoch, on training and validation pictures")),
        ("loss", gettext("Loss by epoch, on training and validation pictures")),
    ):
        names = ((f"val_{key}", gettext("Validation")), (key, gettext("Training")))
        lines = [
            Line(name, *_column(history, column), colour=at, dashed=at == 2)
            for at, (column, name) in enumerate(names, 1)
            if any(column in row for row in history)
        ]
        if plot := _over_epochs(about, key, lines):
            found.append(plot)
    return found


def curves_together(histories: Sequence[tuple[str, int, History]]) -> list[Plot]:
    """Return the plots of validation accuracy and loss in several trainings, each with its name and colour."""
    found = []
    for key, about in (
        ("accuracy", gettext("Validation accuracy by epoch")),
        ("loss", gettext("Validation loss by epoch")),
    ):
        lines = [
            Line(name, *_column(history, f"val_{key}"), colour=colour)
            for name, colour, history in histories
            if any(f"val_{key}" in row for row in history)
        ]
        if plot := _over_epochs(about, key, lines):
            found.append(plot)
    return found


def _column(history: History, name: str) -> tuple[list[float], list[float | None]]:
    """Return the epochs of a history and the values of a column, None where it has none."""
    return [row.get("epoch", at) for at, row in enumerate(history, 1)], [row.get(name) for row in history]


def _over_epochs(about: str, key: str, lines: Sequence[Line]) -> Plot | None:
    """Return the plot of these lines over epochs, or None if they have no values."""
    values = [value for line in lines for value in line.ys if value is not None]
    if not values:
        return None
    last = max(x for line in lines for x in line.xs)
    y = (
        plots.accuracy_axis(gettext("Accuracy"), values)
        if key == "accuracy"
        else plots.loss_axis(gettext("Loss"), values)
    )
    return Plot(about, plots.epoch_axis(gettext("Epoch"), last), y, lines)


def reliability(several: Sequence[tuple[str, int, Reliability]]) -> Plot:
    """Return a plot of how often answers of each confidence are right.

    Each checkpoint comes with its name and colour; a single one is drawn with 95 % Wilson intervals.
    """
    lines = []
    for name, colour, one in several:
        bins = [part for part in one.bins if part.confidence is not None and part.accuracy is not None]
        ends = [_interval(part) for part in bins] if len(several) == 1 else []
        lines.append(
            Line(
                name,
                [part.confidence or 0.0 for part in bins],
                [part.accuracy for part in bins],
                colour,
                dots=True,
                lows=[low for low, _ in ends],
                highs=[high for _, high in ends],
            )
        )
    return Plot(
        gettext("How often answers at each confidence are right; on the diagonal, confidence equals accuracy"),
        plots.share_axis(gettext("Confidence")),
        plots.share_axis(gettext("Accuracy")),
        lines,
        diagonal=True,
        height=300,
    )


def _interval(part: Bin) -> tuple[float, float]:
    return wilson(round((part.accuracy or 0) * part.count), part.count)


def robustness(several: Sequence[tuple[str, int, Robustness]]) -> list[Panel]:
    """Return a panel for each kind of harder pictures, from the unchanged pictures to the strongest change."""
    accuracies = [
        value for *_, one in several for value in (one.plain, *(at for kind in one.kinds for at in kind.accuracy))
    ]
    y = plots.accuracy_axis(gettext("Accuracy"), accuracies, most=5)  # the same for all, so that they can be compared
    panels = []
    for first in several[0][2].kinds:
        lines = []
        for name, colour, one in several:
            same = next((kind for kind in one.kinds if kind.kind == first.kind and kind.unit == first.unit), None)
            if same is not None and same.strengths == first.strengths:
                values = [one.plain, *same.accuracy]
                lines.append(Line(name, list(range(len(values))), values, colour, dots=True))
        title, unit = word(KINDS, first.kind), word(UNITS, first.unit)
        strengths = (gettext("as is"), *map(strength, first.strengths))
        marks = tuple((float(at), text) for at, text in enumerate(strengths))
        plot = Plot(
            gettext("%(kind)s: accuracy by strength (%(unit)s)", kind=title, unit=unit),
            plots.Axis(unit, "plain", -0.25, len(first.strengths) + 0.25, marks),
            y,
            lines,
            width=220,
            height=140,
            margins=(8, 8, 22, 50),
        )
        panels.append(Panel(title, unit, plot))
    return panels


class Pictures:
    """The test pictures that pages show, as data: URLs of PNGs. Only those asked for stay in memory."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, int, int], str] = {}  # by dataset, evaluated data, its size, and index

    def of(self, evaluation: Evaluation, dataset: str, indices: Iterable[int]) -> dict[int, str]:
        """Return pictures by their indices; none if the evaluation was not made on the dataset's test pictures.

        Raises DatasetError when the dataset cannot be read.
        """
        wanted = [(dataset, evaluation.data, evaluation.pictures, index) for index in indices]
        missing = [key for key in wanted if key not in self._kept]
        if missing:
            data = datasets.test_data(dataset)
            if (evaluation.data, evaluation.pictures) != (data.name, len(data.images)):
                return {}
            for key in missing:
                self._kept[key] = data_url(data.images[key[-1]].squeeze())
        return {key[-1]: self._kept[key] for key in wanted}
