"""Remove ruled lines from the ink of a picture: thin lines from border to border, and those printed on paper."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoo.compiled.cells import count_inked, spread_out, thicker_than, widened
from zoo.marks import Marks
from zoo.types import Mask, Plane

# For lines in a picture of many digits; chosen on composed rows of MNIST's validation digits.
_FAINT = 0.65  # of the usual ink; a printed line is fainter
_LONG = 0.1  # of the picture's long side: length of a line, its gaps closed, at least
_DASH = 0.012  # of the picture's long side: length of what is left of a line between two strokes, at least
_REACH = 0.03  # of the picture's long side: half the gap that a digit leaves in a line, at most
_ROW = 0.3  # of the picture's long side: length of a line of which only dashes are left, at least
_ACROSS = 0.8  # of the picture's side along the line: the same in a picture that is too short for `_ROW`
_COVERED = 0.4  # of that length: the dashes together, at least
_THROUGH = 0.95  # of the picture's side along a line down the page: length from which it need not meet others
_MEETS = 0.6  # of the length of a line down the page: distance between the outermost lines across that it meets
RISE = 0.06  # of a line's length: how far it may rise or fall


def without_lines(mask: Mask) -> Mask:
    """Remove thin lines from border to border, if the rest is clear of the borders, as a digit on ruled paper is."""
    height, width = mask.shape
    rest, (across, down) = mask, count_inked(mask)
    if across > 0.9 * width:
        rest = rest & ~_lines(mask)
    if down > 0.9 * height:
        rest = rest & ~_lines(mask.T).T
    if rest is mask:
        return mask
    ring = np.concatenate([rest[0], rest[-1], rest[:, 0], rest[:, -1]])
    return rest if rest.any() and ring.mean() < 0.02 else mask


def _lines(mask: Mask) -> Mask:
    """Return the part of a mask on thin horizontal lines that rise or fall by up to 2 pixels."""
    rows = spread_out(mask, 2, across=False).mean(axis=1) > 0.9
    if not rows.any():
        return np.zeros_like(mask)
    limit = max(2, round(0.04 * max(mask.shape)))
    on_lines: Mask = mask & ~thicker_than(mask, limit) & rows[:, None]
    return on_lines


def without_ruling(mask: Mask, ink: Plane, high: float) -> Mask:
    """Remove ruled lines, broken or not, that are too faint to be strokes; `high` is the usual strength of ink.

    `ink` is float32 (h, w). Lines are thin and long, and slope no more than in a picture held askew. Where a line
    crosses a stroke, the stroke stays. A line down the page is removed only if it goes from one line across to another,
    as margins and the sides of tables and boxes do, or through the whole picture: otherwise a 1 would be removed.
    """
    thickest = _thickest(mask)
    strokes = thicker_than(mask, thickest) & thicker_than(mask.T, thickest).T
    if strokes.any():  # dark lines, which are ink too, lower its usual strength
        high = max(high, float(np.median(ink[strokes])))
    across, lines = _ruling(mask, ink, high)
    if not across.any():
        return mask
    down = _ruling(mask.T, ink.T, high, lines.T)[0].T
    rest = mask & ~(across | down)
    # A line along a stroke, such as a 1, must not divide it.
    rest |= (across & _closed_across(rest.T, thickest).T) | (down & _closed_across(rest, thickest))
    return rest if rest.any() else mask


def _thickest(mask: Mask) -> int:
    """Return how many cells thick a ruled line is, at most."""
    long: int = max(mask.shape)
    return max(2, round(0.005 * long))


def _ruling(mask: Mask, ink: Plane, high: float, others: Mask | None = None) -> tuple[Mask, Mask]:
    """Return the faint lines across a mask; with `others`, only the lines that go from one of these to another.

    Returns them without the strokes that they cross, and with their gaps closed, bool (h, w) each.
    """
    long = max(mask.shape)
    gap = max(3, round(0.01 * long))
    thin = mask & ~thicker_than(mask, _thickest(mask)) & (ink < _FAINT * high)
    if not thin.any():
        return thin, thin
    dashes = Marks(widened(thin, gap), ink, 0)
    lines = _are_lines(dashes, gap, _LONG * long, others)
    whole = dashes.paint(lines)
    # Of a line that goes through a row of digits, only short dashes between the strokes may be left.
    short = _are_lines(dashes, gap, _DASH * long) & ~lines
    if short.any():
        pieces, reach = dashes.paint(short) | whole, round(_REACH * long)
        rows = Marks(widened(pieces, reach), ink, 0)
        found = _are_lines(rows, reach, min(_ROW * long, _ACROSS * mask.shape[1]), others)
        columns = np.unique(rows.labels[pieces] * mask.shape[1] + pieces.nonzero()[1])  # of each row that have a dash
        covered = np.bincount(columns // mask.shape[1], minlength=len(found))
        whole |= rows.paint(found & (covered > _COVERED * _lengths(rows, reach)))
    return thin & whole, whole


def _are_lines(marks: Marks, grown: int, least: float, others: Mask | None = None) -> Mask:
    """Return which marks are thin straight lines across, longer than `least`, bool (n,).

    The marks were widened by `grown` on either side. With `others`, a line goes from one of these to another, or
    through the whole picture.
    """
    wide, tall = _lengths(marks, grown), marks.bottom - marks.top
    lines = (wide > least) & (tall <= _thickest(marks.mask) + RISE * wide)
    if others is not None:
        met = others & marks.mask
        places, held = met.nonzero()[1], marks.labels[met]
        first, last = np.full(len(wide), marks.width), np.zeros(len(wide), np.intp)
        np.minimum.at(first, held, places)
        np.maximum.at(last, held, places)
        lines &= (last - first > _MEETS * wide) | (wide > _THROUGH * marks.width)
    return np.asarray(lines)


def _lengths(marks: Marks, grown: int) -> NDArray[np.intp]:
    """Return the width of each mark, (n,), before it was widened by `grown` on either side within the picture."""
    left, right = marks.left + grown * (marks.left > 0), marks.right - grown * (marks.right < marks.width)
    return np.asarray(right - left)


def _closed_across(mask: Mask, gap: int) -> Mask:
    """Fill the gaps of up to about that many cells between two cells of a row."""
    by = -(-gap // 2)
    return ~widened(~widened(mask, by), by)
