"""Which marks are the boxes, frames, combs and filled cells of a printed form, and which ink hangs on its lines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zoo.compiled.cells import thicker_than
from zoo.marks import SLIM, Marks
from zoo.masks import is_boxed
from zoo.types import Mask

# For frames around digits; the other limits of rings are in `zoo.marks`.
_AROUND = 0.7  # of each side of a mark in a frame: how much of it has the frame's ink beside it, at least
_EDGE = 0.03  # of the height of a frame: distance between it and the marks in it, at least
_JAGS = 0.1  # of the ink of straight lines: what is left beside them where they rise or fall a little, at most

# For combs: a line with short strokes.
_SPINE = 0.2  # of a comb's height: the part, at the top or bottom, in which its line is
_STRAIGHT_ON = 0.95  # of a comb's width: how much of it the line covers, at least
_TEETH = 0.25  # of a comb's width: how much of it the strokes cover, at most
_WAVY = 0.015  # of a comb's height: mean distance of its line from a straight one, at most, or half a pixel

# For the filled cells of printed tables.
_FILLED = 0.6  # of its box: area of a cell, at least
_SQUAT = 2.5  # longer to shorter side of a cell, at most


def frames_of(marks: Marks) -> Mask:
    """Return which marks are drawn around others, bool (n,): circles and boxes, single or joined side by side."""
    tall = marks.bottom - marks.top
    found = marks.hollow() & (tall > 8)
    for frame in found.nonzero()[0].tolist():
        away = _EDGE * float(tall[frame])
        held = marks.held(frame, away, away)
        found[frame] = bool(held) and _is_drawn_around(marks, frame, held)
    return np.asarray(found)


def _is_drawn_around(marks: Marks, frame: int, held: Sequence[int]) -> bool:
    """Whether a mark has ink on all four sides of another in its box, or straight edges along three of its own.

    Circles and boxes have the first, combs and boxes with a gap the second; digits that touch have neither.
    """
    left, top, right, bottom = marks.box(frame)
    ink = marks.labels[top:bottom, left:right] == frame
    if is_boxed(ink):
        return True
    for mark in held:
        a, b, c, d = (edge - begin for edge, begin in zip(marks.box(mark), (left, top, left, top), strict=True))
        sides = ink[:b, a:c], ink[d:, a:c], ink[b:d, :a].T, ink[b:d, c:].T
        if min(side.any(axis=0).mean() for side in sides) > _AROUND:
            return True
    return False


def hanging_on(marks: Marks, frames: Mask, least: float, sizes: tuple[float, float]) -> Mask:
    """Return what hangs on the straight lines of some marks, bool (n,) to bool (h, w): digits that touch a frame.

    Lines longer than `least` are removed. Of the rest, parts are kept whose height is between the two `sizes` and
    which are no lines themselves. Nothing is kept of a frame drawn by hand, whose bent lines fall into pieces.
    """
    body = marks.paint(frames)
    rest = body & ~thicker_than(body, round(least)) & ~thicker_than(body.T, round(least)).T
    if not rest.any():
        return rest
    parts = Marks(rest, rest.astype(np.float32), 0)
    tall, wide = parts.bottom - parts.top, parts.right - parts.left
    fits = (tall > sizes[0]) & (tall < sizes[1]) & (wide > SLIM * tall) & (wide < 2 * tall)
    if parts.area[~fits].sum() > _JAGS * (np.count_nonzero(body) - np.count_nonzero(rest)):
        return np.zeros_like(rest)
    return parts.paint(fits)


def cells_of(marks: Marks) -> Mask:
    """Return which marks are filled boxes, bool (n,), such as the cells of a table; a bold 1 is slimmer."""
    wide, tall = marks.right - marks.left, marks.bottom - marks.top
    found = (marks.area > _FILLED * wide * tall) & (np.maximum(wide, tall) < _SQUAT * np.minimum(wide, tall))
    found &= np.minimum(wide, tall) > 8
    for mark in found.nonzero()[0].tolist():
        left, top, right, bottom = marks.box(mark)
        found[mark] = is_boxed(marks.labels[top:bottom, left:right] == mark, sides=4)
    return np.asarray(found)


def combs_of(marks: Marks) -> Mask:
    """Return which marks are combs, bool (n,): a straight line with short strokes up or down, as on forms.

    Sevens that touch at their bars look like that too, but their line is wavy.
    """
    wide, tall = marks.right - marks.left, marks.bottom - marks.top
    found = marks.hollow() & (wide > 2 * tall) & (tall > 3)
    for mark in found.nonzero()[0].tolist():
        left, top, right, bottom = marks.box(mark)
        ink = marks.labels[top:bottom, left:right] == mark
        rim = max(1, round(_SPINE * len(ink)))
        spine = max(ink[:rim], ink[: -rim - 1 : -1], key=lambda part: np.count_nonzero(part.any(axis=0)))
        teeth = ink[len(ink) // 2]
        count = np.count_nonzero(teeth[1:] & ~teeth[:-1]) + teeth[0]
        is_line = spine.any(axis=0).mean() > _STRAIGHT_ON and _waviness(spine) < max(0.5, _WAVY * len(ink))
        found[mark] = is_line and count >= 3 and teeth.mean() < _TEETH
    return np.asarray(found)


def _waviness(line: Mask) -> float:
    """Return the mean distance of the upper edge of a line across, bool (h, w), from a straight one, in pixels."""
    columns = np.flatnonzero(line.any(axis=0))
    edge = line[:, columns].argmax(axis=0)
    straight = np.polyval(np.polyfit(columns, edge, 1), columns)
    return float(np.abs(edge - straight).mean())
