"""Plots, laid out as SVG in the page and as data for the script that makes them interactive.

The scale of an axis decides where values lie: as they are, by their logarithm or, for accuracies, by the logarithm of
the error, where 99 % and 99.9 % are as far apart as 90 % and 99 %.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from flask_babel import format_decimal, format_percent

Scale = Literal["plain", "share", "log", "errors"]

LEAST_ERROR = 1e-5  # error at which an accuracy of 1 is drawn, since 0 has no logarithm
LEAST, GREATEST = 1e-6, 1e6  # bounds of the losses on an axis
ACCURACIES = (
    (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999, 0.99999),
    (0.0, 0.5, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999),
    (0.0, 0.9, 0.99, 0.999, 0.9999, 0.99999),
)
"""The possible ticks of an axis of accuracies, from dense to sparse."""

MOST_TICKS = 7  # on one axis

SHAPES = (
    "M1 0A1 1 0 0 1-1 0A1 1 0 0 1 1 0Z",
    "M-.9-.9H.9V.9H-.9Z",
    "M0-1.2 1.1.8H-1.1Z",
    "M0-1.3 1.1 0 0 1.3-1.1 0Z",
    "M-.4-1.1H.4V-.4H1.1V.4H.4V1.1H-.4V.4H-1.1V-.4H-.4Z",
    "M0 1.2 1.1-.8H-1.1Z",
)
"""The SVG paths of dots that no line joins, by colour: centred on 0, with a radius of about 1.

They can be told apart without their colours.
"""


def laid(value: float, scale: Scale) -> float:
    """Return the position of a value on an axis of this scale."""
    if scale == "errors":
        return -math.log10(max(1 - value, LEAST_ERROR))
    if scale == "log":
        return math.log10(max(value, LEAST))
    return value


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis: title, scale, ends and ticks. Ends and ticks are positions (see `laid`); each tick has its text."""

    title: str
    scale: Scale
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A line or a row of dots: values and, where there are any, the ends of their intervals.

    `colour` counts from 1. A value of None leaves a gap.
    """

    name: str
    xs: Sequence[float]
    ys: Sequence[float | None]
    colour: int = 1
    dashed: bool = False
    dots: bool = False
    lows: Sequence[float | None] = ()
    highs: Sequence[float | None] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """A dot in units of the drawing, and the ends of its interval, if it has one."""

    x: float
    y: float
    top: float | None = None
    bottom: float | None = None


@dataclass(frozen=True)
class Plot:
    """A plot: a description in words, its axes and lines, and the size of its drawing."""

    about: str
    x: Axis
    y: Axis
    lines: Sequence[Line]
    diagonal: bool = False
    width: int = 400
    height: int = 250
    margins: tuple[int, int, int, int] = field(default=(10, 10, 34, 58))
    """Top, right, bottom and left, in units of the drawing."""

    @property
    def left(self) -> int:
        return self.margins[3]

    @property
    def right(self) -> int:
        return self.width - self.margins[1]

    @property
    def top(self) -> int:
        return self.margins[0]

    @property
    def bottom(self) -> int:
        return self.height - self.margins[2]

    def across(self, place: float) -> float:
        """Return the x coordinate of a position on the x axis, in units of the drawing, clipped to the axis."""
        share = min(1.0, max(0.0, (place - self.x.low) / (self.x.high - self.x.low)))
        return round(self.left + share * (self.right - self.left), 1)

    def down(self, place: float) -> float:
        """Return the y coordinate of a position on the y axis, in units of the drawing, clipped to the axis."""
        share = min(1.0, max(0.0, (place - self.y.low) / (self.y.high - self.y.low)))
        return round(self.bottom - share * (self.bottom - self.top), 1)

    def path(self, line: Line) -> str:
        """Return a line as the `d` of an SVG path."""
        steps, pen = [], "M"
        for x, y in zip(line.xs, line.ys, strict=True):
            if y is None:
                pen = "M"
                continue
            steps.append(f"{pen}{self.across(laid(x, self.x.scale)):g} {self.down(laid(y, self.y.scale)):g}")
            pen = "L"
        return "".join(steps)

    def shape(self, line: Line) -> str:
        """Return a dot that stands alone as the `d` of an SVG path; empty where a line joins the dots."""
        return SHAPES[(line.colour - 1) % len(SHAPES)] if line.dots and self.diagonal else ""

    def marks(self, line: Line) -> list[Mark]:
        """Return the dots of a line, leaving out its gaps."""
        ends = zip(line.lows or [None] * len(line.xs), line.highs or [None] * len(line.xs), strict=True)
        return [
            Mark(
                self.across(laid(x, self.x.scale)),
                self.down(laid(y, self.y.scale)),
                None if high is None else self.down(laid(high, self.y.scale)),
                None if low is None else self.down(laid(low, self.y.scale)),
            )
            for x, y, (low, high) in zip(line.xs, line.ys, ends, strict=True)
            if y is not None
        ]

    @property
    def data(self) -> str:
        """The plot as JSON, in positions on the axes. All lines share the same x, with null where one has no value."""
        xs = sorted({laid(x, self.x.scale) for line in self.lines for x in line.xs})

        def over(line: Line, values: Sequence[float | None]) -> list[float | None]:
            there = {
                laid(x, self.x.scale): None if value is None else round(laid(value, self.y.scale), 5)
                for x, value in zip(line.xs, values, strict=True)
            }
            return [there.get(x) for x in xs]

        axes = {
            name: {"scale": axis.scale, "low": axis.low, "high": axis.high, "ticks": axis.ticks, "title": axis.title}
            for name, axis in (("x", self.x), ("y", self.y))
        }
        lines = [
            {"name": line.name, "colour": line.colour, "dashed": line.dashed, "dots": line.dots}
            | {"ys": over(line, line.ys), "shape": self.shape(line)}
            | ({"lows": over(line, line.lows), "highs": over(line, line.highs)} if line.lows else {})
            for line in self.lines
        ]
        whole = axes | {"diagonal": self.diagonal, "xs": xs, "lines": lines}
        return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))


def share_axis(title: str) -> Axis:
    """Return an axis from 0 to 100 %, with a tick at each quarter."""
    marks = [at / 4 for at in range(5)]
    return Axis(title, "share", 0.0, 1.0, tuple((mark, percent(mark)) for mark in marks))


def epoch_axis(title: str, last: float) -> Axis:
    """Return an axis from 0 to the last epoch, with ticks at round numbers."""
    step = next(step for step in _steps() if last / step <= MOST_TICKS - 1)
    marks = [float(at) for at in range(0, int(last) + 1, step)]
    return Axis(title, "plain", 0.0, max(last, 1.0), tuple((at, str(format_decimal(at))) for at in marks))


def accuracy_axis(title: str, values: Iterable[float], most: int = MOST_TICKS) -> Axis:
    """Return an axis that fits these accuracies, by the logarithm of the error, with up to `most` ticks.

    Values outside 0-1 are clipped, and NaN is left out.
    """
    shown = sorted(min(max(value, 0.0), 1.0) for value in values if not math.isnan(value)) or [0.0, 1.0]
    low = max(mark for mark in ACCURACIES[0][:-1] if mark <= shown[0])
    high = min((mark for mark in ACCURACIES[0] if mark > shown[-1]), default=ACCURACIES[0][-1])
    for marks in ACCURACIES:
        kept = [mark for mark in marks if low <= mark <= high]
        if len(kept) <= most:
            break
    ticks = tuple((laid(mark, "errors"), percent(mark)) for mark in kept)
    return Axis(title, "errors", laid(low, "errors"), laid(high, "errors"), ticks)


def loss_axis(title: str, values: Iterable[float]) -> Axis:
    """Return an axis that fits these losses, by their logarithm. Values outside LEAST-GREATEST are clipped."""
    shown = sorted(min(max(value, LEAST), GREATEST) for value in values)
    first, last = math.floor(math.log10(shown[0])), math.ceil(math.log10(shown[-1]))
    fine = [round(digit * 10.0**power, 10) for power in range(first, last + 1) for digit in (1, 2, 5)]
    low = max(mark for mark in fine if mark <= shown[0] * 1.000001)
    high = min((mark for mark in fine if mark > max(low, shown[-1])), default=fine[-1])
    kept = [mark for mark in fine if low <= mark <= high]
    if len(kept) > MOST_TICKS:
        kept = [mark for mark in kept if round(math.log10(mark), 6).is_integer()]
    ticks = tuple((laid(mark, "log"), str(format_decimal(mark, "#,##0.######"))) for mark in kept)
    return Axis(title, "log", laid(low, "log"), laid(high, "log"), ticks)


def percent(share: float) -> str:
    """Return a round share as an axis shows it: 99 %, 99.9 %."""
    return str(format_percent(share, "0.###\N{NO-BREAK SPACE}%"))


def _steps() -> Iterable[int]:
    """Yield 1, 2, 5, 10, 20, 50, and so on without end."""
    power = 1
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10
