"""Remove ruled lines from the ink of a picture: thin lines from border to border, and those printed on paper."""

from __future__ import annotations

import numpy as np

from zoo.marks import Marks
from zoo.masks import spread_out, thicker_than
from zoo.types import Mask, Plane

# For lines in a picture of many digits; chosen on composed rows of MNIST's validation digits.
_FAINT = 0.65  # of the usual ink; a printed line is fainter
_LONG = 0.1  # of the picture's long side: length of a line, its gaps closed, at least
_MEETS = 0.6  # of the length of a line down the page: distance between the outermost lines across that it meets
RISE = 0.06  # of a line's length: how far it may rise or fall


def without_lines(mask: Mask) -> Mask:
    """Remove thin lines from border to border, if the rest is clear of the borders, as a digit on ruled paper is."""
    height, width = mask.shape
    rest = mask
    if np.count_nonzero(mask.any(axis=0)) > 0.9 * width:
        rest = rest & ~_lines(mask)
    if np.count_nonzero(mask.any(axis=1)) > 0.9 * height:
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
    as margins and the sides of tables and boxes do: otherwise a 1 would be removed.
    """
    across, lines = _ruling(mask, ink, high)
    if not across.any():
        return mask
    down, _ = _ruling(mask.T, ink.T, high, lines.T)
    rest = mask & ~(across | down.T)
    return rest if rest.any() else mask


def _ruling(mask: Mask, ink: Plane, high: float, others: Mask | None = None) -> tuple[Mask, Mask]:
    """Return the faint lines across a mask; with `others`, only the lines that go from one of these to another.

    Returns them without the strokes that they cross, and with their gaps closed, bool (h, w) each.
    """
    long = max(mask.shape)
    thickest, gap = max(2, round(0.005 * long)), max(3, round(0.01 * long))
    thin = mask & ~thicker_than(mask, thickest) & (ink < _FAINT * high)
    if not thin.any():
        return thin, thin
    joined = thin
    for _ in range(gap):
        grown = joined.copy()
        grown[:, 1:] |= joined[:, :-1]
        grown[:, :-1] |= joined[:, 1:]
        joined = grown
    dashes = Marks(joined, ink, 0)
    wide, tall = dashes.right - dashes.left - 2 * gap, dashes.bottom - dashes.top
    lines = (wide > _LONG * long) & (tall <= thickest + RISE * wide)
    if others is not None:
        met = others & joined
        places, marks = met.nonzero()[1], dashes.labels[met]
        first, last = np.full(len(wide), mask.shape[1]), np.zeros(len(wide), np.intp)
        np.minimum.at(first, marks, places)
        np.maximum.at(last, marks, places)
        lines &= last - first > _MEETS * wide
    whole = dashes.paint(lines)
    return thin & whole, whole
