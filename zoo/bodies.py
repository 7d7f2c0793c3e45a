"""Group the marks in a picture of many digits into bodies, about one per digit.

    marks of a digit's size -> joined with those above and below them -> joined with smaller parts near them

Whether a body is one digit, several that touch, or none is decided in `zoo.dividing` and `zoo.oddities`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.errors import NoInk
from zoo.forms import combs_of, frames_of, hanging_on
from zoo.marks import Marks
from zoo.ruling import RISE
from zoo.types import Box, Mask

# Chosen on composed scenes of MNIST's training digits (`zoo.scenes`) and on photographs of rows of digits.
# The usual height is the median height of the marks that may be ink of digits, weighted by their ink; pixels are those
# of the reduced picture.
MOST = 400  # digits in one picture, at most
_PARTS = 4 * MOST  # marks in a picture that digits may be made of, at most: dirt, bars and dots are among them
_SMALL = 0.45  # of the usual height; a lower mark is a part of a digit, or dirt
_LEAST = 0.14  # of the usual height; above it a low mark may still be a digit, in a line of equally low ones
_FEW = 3  # marks from which a line has a usual height of its own
_DIRT = 0.12  # of the usual height; a smaller mark is dirt even beside a digit
_NEAR = 0.2  # of the usual height; a part farther than this from every digit belongs to none
_SOME = 1000  # pixels sampled from a mark for its distance from another, about
_LARGE = 3.5  # of the usual height; a higher mark is no digit
_SAME_LINE = 0.35  # of the smaller height: vertical overlap of two pieces of a line, at least
_ONE_DIGIT = 0.5  # of the smaller width: horizontal overlap of two marks that are parts of one digit, at least
_STACK = 1.35  # of a digit's height: height of the stacked parts of one digit together, at most
_WHOLE = 0.8  # of the usual height; a higher body is a digit alone, and joins another only as `_RINGED` allows
_HIGHER = 1.3  # of the usual height; a longer straight line is no stroke
_RINGED = 1.8  # times a whole digit's height: height of another body that it still joins, less than this
_GAP = 0.5  # of the higher body: vertical gap between two parts of one digit, at most
_WIDE = 1.5  # of the usual height; a mark that is wider than this, and lower than `_FLAT`, is a line
_FLAT = 0.25  # of the usual height: see `_WIDE`
_TRACE = 3  # pixels: width of a printed line, at most; or `_FINE`, whichever is more
_FINE = 0.06  # of the usual height: see `_TRACE`
_UPRIGHT = 4  # height to width of a piece of a printed line down the page, at least
_PALE = 0.55  # of the usual ink: strength of a printed line, at most; a stronger one may be a 1 of a fine pen
_DOTS = 20  # bodies from which they may be the dots of dot-matrix digits
_DISC = 0.65  # of its box: area of a dot, at least; a disc covers 0.79
_ROUND = 0.75  # of its longer side: shorter side of a dot, at least
_MOSTLY = 0.8  # of all bodies: dots in a picture of dots, at least; hardly any digit is as round and filled


@dataclass(eq=False)
class Body:
    """Marks taken for one digit: their numbers, and their bounding box in the pixels of the search."""

    marks: list[int]
    left: int
    top: int
    right: int
    bottom: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    def join(self, other: Body) -> None:
        """Add the marks of another body to this one."""
        self.marks += other.marks
        self.left, self.top = min(self.left, other.left), min(self.top, other.top)
        self.right, self.bottom = max(self.right, other.right), max(self.bottom, other.bottom)


def bodies_of(marks: Marks, high: float) -> list[Body]:
    """Return what may be digits: marks of a digit's size, joined with the smaller ones that belong to them.

    `high` is the usual contrast of ink, in grey levels. Raises NoInk with `reason` "too_many_objects".
    """
    good, usual = _good(marks, high)
    if not usual:
        return []
    heights, widths = marks.bottom - marks.top, marks.right - marks.left
    sizes = np.maximum(heights, widths)
    good &= (heights < _LARGE * usual) & (sizes > _DIRT * usual)
    good &= (widths < _WIDE * usual) | (heights > _FLAT * usual)  # others are underlines, or the bar of a sum
    good &= ~_uprights(marks, usual, high)
    check_number(int(np.count_nonzero(good)), _PARTS)
    all_marks = [
        Body([int(number)], *(int(side[number]) for side in (marks.left, marks.top, marks.right, marks.bottom)))
        for number in np.flatnonzero(good)
    ]
    joined = _joined(all_marks, usual)
    bodies = [body for body in joined if body.height > _SMALL * usual]
    parts = [body for body in joined if body.height <= _SMALL * usual]
    small = _small_ones(bodies, parts, usual)
    bodies += small
    parts = [part for part in parts if part not in small]
    while parts:  # join each part to a digit near it, or to another part
        part = parts.pop()
        others = bodies + parts
        beside = [others[place] for place in np.flatnonzero(_distances(part, others) < _NEAR * usual).tolist()]
        if not beside:
            continue
        near = beside[0] if len(beside) == 1 else min(beside, key=lambda body: _between(body, part, marks.labels))
        near.join(part)
        if near in parts and near.height > _SMALL * usual:
            parts.remove(near)
            bodies.append(near)
    return _joined(bodies, usual)


def _good(marks: Marks, high: float) -> tuple[Mask, float]:
    """Return which marks may be ink of digits, bool (n,), and their usual height, 0 if there are none."""
    good = (
        ~marks.foreign
        & ~frames_of(marks)
        & ~combs_of(marks)
        & (marks.mass > 0.35 * high * marks.area)
        & (marks.area > 6)
    )
    if not good.any():
        return good, 0.0
    # The usual height is the median weighted by each mark's ink, so that dirt has no say.
    free = good & (marks.sides == 0)  # excludes the bars of a screen and shadows
    voting = free if free.any() else good
    heights = (marks.bottom - marks.top)[voting].astype(np.float64)
    return good, _weighted_median(heights, marks.mass[voting].astype(np.float64))


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the weighted median of values, (n,) each."""
    order = np.argsort(values)
    running = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(running, running[-1] / 2)])


def _uprights(marks: Marks, usual: float, high: float) -> Mask:
    """Return which marks, bool (n,), are pieces of printed lines down the page, as of a margin or a table, and no 1s.

    They are thin, straight and much fainter than the usual ink, `high`.
    """
    heights, widths = marks.bottom - marks.top, marks.right - marks.left
    fine = max(_TRACE, _FINE * usual)
    straight = widths < np.minimum(fine + RISE * heights, heights / _UPRIGHT)
    return np.asarray(straight & (marks.area < fine * heights) & (marks.mass < _PALE * high * marks.area))


def _small_ones(bodies: list[Body], parts: list[Body], usual: float) -> list[Body]:
    """Return parts that are low for the picture but not for their line: small digits beside large ones, or under a bar.

    `parts` are lower than a digit of the usual height; they count only where no body is near.
    """
    apart = [
        part for part in parts if part.height > _LEAST * usual and (_distances(part, bodies) >= _NEAR * usual).all()
    ]
    found = []
    both = bodies + apart
    for line in lines_of([(body.left, body.top, body.right, body.bottom) for body in both]):
        if len(line) >= _FEW:
            own = float(np.median([both[i].height for i in line]))
            found += [both[i] for i in line if i >= len(bodies) and both[i].height > _SMALL * own]
    return found


def _joined(bodies: list[Body], usual: float) -> list[Body]:
    """Join bodies that lie one above the other within a digit's height: a 5 and its bar, broken strokes."""
    bodies = sorted(bodies, key=lambda body: -body.height)
    done: list[Body] = []
    sides = np.empty((4, len(bodies)), np.intp)  # of the bodies in `done`
    for body in bodies:
        left, top, right, bottom = sides[:, : len(done)]
        height = bottom - top
        over = np.minimum(body.right, right) - np.maximum(body.left, left)
        within = np.maximum(body.bottom, bottom) - np.minimum(body.top, top)
        apart = np.maximum(body.top, top) - np.minimum(body.bottom, bottom)
        joins = over > _ONE_DIGIT * np.minimum(body.width, right - left)
        joins &= within < _STACK * np.maximum(height, usual)
        joins &= apart < _GAP * np.maximum(body.height, height)  # otherwise small digits in lines beside large ones
        if body.height > _WHOLE * usual:  # a digit alone, perhaps with a ring around or through it
            joins &= height < _RINGED * body.height
        place = int(joins.argmax()) if joins.any() else len(done)
        if place < len(done):
            done[place].join(body)
        else:
            done.append(body)
        sides[:, place] = done[place].left, done[place].top, done[place].right, done[place].bottom
    return done


def _distances(body: Body, others: Sequence[Body]) -> NDArray[np.float64]:
    """Return the distances from the box of one body to those of others, (n,)."""
    left, top, right, bottom = _sides(others)
    aside = np.maximum(body.left - right, left - body.right).clip(0)
    apart = np.maximum(body.top - bottom, top - body.bottom).clip(0)
    return np.asarray(np.hypot(aside, apart))


def _sides(bodies: Sequence[Body]) -> NDArray[np.intp]:
    """Return left, top, right and bottom of bodies as (4, n)."""
    boxes = [(body.left, body.top, body.right, body.bottom) for body in bodies]
    return np.array(boxes, np.intp).reshape(-1, 4).T


def _between(one: Body, other: Body, labels: NDArray[np.intp]) -> float:
    """Return the distance between the ink of two bodies.

    Boxes are not enough: the bar of a 5 may lie in the box of a slanting 1, and away from its ink.
    """
    mine, others = (_places(body, labels) for body in (one, other))
    return float(np.hypot(*(mine[:, None] - others).transpose(2, 0, 1)).min())


def _places(body: Body, labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return up to about a thousand of a body's pixels, as (row, column) of the search: (n, 2)."""
    own = np.argwhere(np.isin(labels[body.top : body.bottom, body.left : body.right], body.marks))
    return np.asarray(own[:: -(-len(own) // _SOME)] + (body.top, body.left))  # noqa: RUF005 - arrays are added


def hanging(marks: Marks, high: float) -> tuple[Mask, Mask] | None:
    """Return the ink that is attached to frames or tables, and all ink of these, bool (h, w) each; None without any.

    `high` is the usual contrast of ink, in grey levels.
    """
    good, usual = _good(marks, high)
    tall, wide = marks.bottom - marks.top, marks.right - marks.left
    frames = ~good & marks.hollow() & (np.minimum(tall, wide) > _HIGHER * usual)
    if not usual or not frames.any():
        return None
    cut = hanging_on(marks, frames, _HIGHER * usual, (_WHOLE * usual, _HIGHER * usual))
    return (cut, marks.paint(frames)) if cut.any() else None


def check_number(count: int, most: int = MOST) -> None:
    """Raise NoInk with `reason` "too_many_objects" when `count` is over `most`."""
    if count > most:
        raise NoInk(
            f"The picture shows {count} things that might be digits, but at most {MOST} are read. "
            "Send a part of it, or a picture without a pattern.",
            "too_many_objects",
        )


def check_dots(bodies: list[Body], marks: Marks) -> None:
    """Raise NoInk when nearly all bodies are dots, as in dot-matrix digits, which are no strokes."""
    if len(bodies) < _DOTS:
        return
    shapes = [(body.width, body.height, int(marks.area[body.marks].sum())) for body in bodies]
    wide, tall, area = np.array(shapes).T
    dots = (area > _DISC * wide * tall) & (np.minimum(wide, tall) > _ROUND * np.maximum(wide, tall))
    if dots.mean() > _MOSTLY:
        raise NoInk(
            f"The picture shows {np.count_nonzero(dots)} dots. Send one whose digits are drawn in strokes.",
            "too_many_objects",
        )


def lines_of(boxes: Sequence[Box]) -> list[list[int]]:
    """Sort boxes into lines: their indices, lines from the top, each from the left.

    A box continues a line if it overlaps the line's last box vertically.
    """
    lines: list[list[int]] = []
    last = np.empty((2, len(boxes)))  # top and bottom of each line's last box
    for place in sorted(range(len(boxes)), key=lambda place: boxes[place][0]):
        _, top, _, bottom = boxes[place]
        above, below = last[:, : len(lines)]
        overlap = (np.minimum(bottom, below) - np.maximum(top, above)) / np.minimum(bottom - top, below - above)
        best = int(overlap.argmax()) if lines and overlap.max() > _SAME_LINE else len(lines)
        if best < len(lines):
            lines[best].append(place)
        else:
            lines.append([place])
        last[:, best] = top, bottom
    return sorted(lines, key=lambda line: float(np.mean([boxes[i][1] + boxes[i][3] for i in line])))
