"""Label the connected components of a mask, called marks here, and decide which of them are the digit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from zoo.types import Box, Mask, Plane

# "Box" is short for bounding box. A cell is a pixel of the mask, except where it is one of a printed table.

# For ruled lines in a picture of many digits; chosen on composed rows of MNIST's validation digits.
_FAINT = 0.65  # of the usual ink; a printed line is fainter
_LONG = 0.1  # of the picture's long side: length of a line, its gaps closed, at least
_MEETS = 0.6  # of the length of a line down the page: distance between the outermost lines across that it meets
RISE = 0.06  # of a line's length: how far it may rise or fall

# For sheets of paper.
_SHEET = 10  # cells on the short side of a sheet, at least, so that there is room for ink
_SHOWS_SHEETS = 64  # cells on the long side of a picture that may show a sheet, at least
_SOME = 0.38  # of its box: area of a sheet's mark or rim, which may be turned, at least
_TAKEN = 0.08  # of the long side squared: box of a sheet so large that a smooth background reaches its level inside
_RIGHT_ANGLED = 0.9  # of the smallest rectangle around it: area of a sheet of which only the rim is a mark, at least
_AS_HEAVY = 0.2  # of the best mark's ink: another sheet's, at least

# For rings, frames and boxes around digits.
_ROUND = 0.75  # of the longer side: shorter side of a ring around a digit, at least; a 0 is narrower
_HOLLOW = 0.35  # of its box: area of a ring, at most
_SLIM = 0.45  # width to height of a single stroke, at most
_FREE = 0.08  # of a ring's width or height: distance on each side between its box and the digit in it, at least
_WITHIN = 0.35  # of a ring's height: height of the digit in it, at least; a lower mark is the dot of a 0
_AROUND = 0.7  # of each side of a mark in a frame: how much of it has the frame's ink beside it, at least
_STRAIGHT = 0.8  # of an edge of the box: how much of it has ink nearby if the mark is straight there, at least
_RIM = 0.06  # of the box's width or height: what counts as nearby

# For the combs of forms: a line with short strokes.
_SPINE = 0.2  # of a comb's height: the part, at the top or bottom, in which its line is
_STRAIGHT_ON = 0.95  # of a comb's width: how much of it the line covers, at least
_TEETH = 0.25  # of a comb's width: how much of it the strokes cover, at most

_EDGE = 0.03  # of the height of a frame: distance between it and the marks in it, at least

# For the filled cells of printed tables.
_FILLED = 0.6  # of its box: area of a cell, at least
_SQUAT = 2.5  # longer to shorter side of a cell, at most

# For the wedge that straightening a picture leaves in its corner.
_WEDGE = 0.4  # of its box: area of the wedge, at least
_ALONG = 0.6  # of a side of the picture: length of the wedge, at least
_SLIGHT = 0.3  # shorter to longer side of the wedge, at most: the tangent of the angle

_FLAT = 0.25  # height to width of an underline, at most
_FRAMES = 12  # frames of at least half a picture that are examined; more are a pattern
_JAGS = 0.1  # of the ink of straight lines: what is left beside them where they rise or fall a little, at most
_ANGLES = np.deg2rad(np.arange(0, 90, 3, dtype=np.float32))  # directions of rectangles that are tried, in radians
_TURNS = np.stack([[*np.cos(_ANGLES), *-np.sin(_ANGLES)], [*np.sin(_ANGLES), *np.cos(_ANGLES)]], axis=1)


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
    on_lines: Mask = mask & ~_thicker_than(mask, limit) & rows[:, None]
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
    thin = mask & ~_thicker_than(mask, thickest) & (ink < _FAINT * high)
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


def _thicker_than(mask: Mask, limit: int) -> Mask:
    """Return the part of a mask that lies in runs of more than `limit` cells down a column."""
    thick = mask
    for _ in range(limit):
        thick = thick[1:] & thick[:-1]
    opened = np.zeros_like(mask)
    for start in range(limit + 1):
        opened[start : start + len(thick)] |= thick
    return opened


def spread_out(mask: Mask, times: int, across: bool = True) -> Mask:
    """Grow a mask by one cell up and down, and with `across` also left and right, `times` times."""
    for _ in range(times):
        grown = mask.copy()
        grown[1:] |= mask[:-1]
        grown[:-1] |= mask[1:]
        if across:
            grown[:, 1:] |= mask[:, :-1]
            grown[:, :-1] |= mask[:, 1:]
        mask = grown
    return mask


def stretched(mask: Mask, height: int, width: int) -> Mask:
    """Resize a mask to (height, width) by nearest neighbour."""
    rows, columns = mask.shape
    cells: Mask = mask[np.arange(height)[:, None] * rows // height, np.arange(width) * columns // width]
    return cells


def hull_of(mask: Mask) -> Mask:
    """Return a mask with every cell added that lies between cells of it both in its row and in its column."""
    rows = np.logical_or.accumulate(mask, 1) & np.logical_or.accumulate(mask[:, ::-1], 1)[:, ::-1]
    columns = np.logical_or.accumulate(mask, 0) & np.logical_or.accumulate(mask[::-1], 0)[::-1]
    hull: Mask = rows & columns
    return hull


def _rectangle(hull: Mask) -> float:
    """Return the area in cells of the smallest rectangle around a mask without gaps in its rows.

    Rectangles in every direction are tried, 3 degrees apart.
    """
    down = np.flatnonzero(hull.any(axis=1))
    rows = hull[down]
    first, last = rows.argmax(axis=1), rows.shape[1] - rows[:, ::-1].argmax(axis=1)
    # The corners of the outermost cells of each row.
    corners = np.array([[*first, *first, *last, *last], [*down, *(down + 1), *down, *(down + 1)]], np.float32)
    turned = _TURNS @ corners  # corners along and across each direction: (2 directions, corners)
    along, across = (turned.max(axis=1) - turned.min(axis=1)).reshape(2, -1)
    return float((along * across).min())


def box_of(mask: Mask) -> Box:
    """Return the bounding box of a mask, bool (h, w), which is not empty."""
    down, across = np.logical_or.reduce(mask, 1).tobytes(), np.logical_or.reduce(mask, 0).tobytes()
    return across.find(1), down.find(1), across.rfind(1) + 1, down.rfind(1) + 1


def _followed(to: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the root of each of n places, each of which points to itself or to an earlier one."""
    for _ in range(len(to).bit_length()):  # pointer jumping: each pass goes twice as far
        to = to[to]
    return to


def is_boxed(body: Mask, sides: int = 3) -> bool:
    """Whether a mark, bool (h, w) cut to its box, has straight edges along at least `sides` sides of the box."""
    down, across = (max(1, round(_RIM * side)) for side in body.shape)
    edges = (body[:down].any(0), body[-down:].any(0), body[:, :across].any(1), body[:, -across:].any(1))
    return sum(float(edge.mean()) > _STRAIGHT for edge in edges) >= sides


class Marks:
    """The 8-connected components of a mask, n marks: their ink and boxes, and which is most likely the digit's body.

    Labelled by runs along the rows (He, Chao, Suzuki: A run-based two-scan labeling algorithm, IEEE Trans. Image
    Process. 17 (5), 2008); instead of the second scan, all runs are resolved at once.

    Per mark, arrays (n,): `mass` is the sum of its ink, `area` its cells, `left`, `top`, `right` and `bottom` its box,
    `sides` the number of the picture's sides that it touches, and `foreign` whether it looks like no part of a digit.
    """

    def __init__(self, mask: Mask, ink: Plane, speck: float) -> None:
        """Label `mask`, bool (h, w), which is not empty; `ink` is float32 (h, w), in grey levels.

        A mark with less than the share `speck` of the best mark's ink is no part of the digit.
        """
        self.mask, self.speck = mask, speck
        self.height, self.width = mask.shape
        self.pitch = self.width + 1  # an empty column keeps the runs of two rows apart
        cells = np.zeros(1 + self.height * self.pitch, np.bool_)
        cells[1:].reshape(self.height, self.pitch)[:, :-1] = mask
        bounds = (cells[1:] != cells[:-1]).nonzero()[0]  # starts and ends of runs, alternating
        self.starts, self.ends = bounds.reshape(-1, 2).T.copy()
        self.mark, heads = self._connect()
        count = len(heads)
        row = self.starts // self.pitch
        places = bounds - np.repeat(row, 2)  # as bounds, but without the empty column
        sums = np.add.reduceat(ink.ravel()[: places[-1]], places[:-1])[::2]
        self.mass = np.bincount(self.mark, sums, count)
        self.area = np.bincount(self.mark, self.ends - self.starts, count)
        self.top, self.bottom = row[heads], np.zeros(count, np.intp)
        self.bottom[self.mark] = row + 1  # runs are sorted by row, and the last assignment wins
        self.left, self.right = np.full(count, self.width), np.zeros(count, np.intp)
        np.minimum.at(self.left, self.mark, self.starts - row * self.pitch)
        np.maximum.at(self.right, self.mark, self.ends - row * self.pitch)
        self.numbers = np.arange(count)
        self.sides = (self.top == 0).astype(int) + (self.left == 0)
        self.sides += (self.bottom == self.height).astype(int) + (self.right == self.width)
        self.foreign = self._foreign()
        # A foreign mark is the digit only if all others are specks beside it.
        weights = np.where(self.foreign, self.mass * speck, self.mass)
        best = int(weights.argmax())
        self.weight = float(weights[best])
        self.best = self._within(best) if count > 1 else best
        self.is_ringed = self.best != best

    def _connect(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the mark of each run, from 0, and the first run of each mark."""
        runs = np.arange(len(self.starts))
        # A run touches runs `first` to `last` - 1 in the row above, and joins the first of them. A run that touches
        # several ties their components together.
        first = np.searchsorted(self.ends, self.starts - self.pitch)
        last = np.searchsorted(self.starts, self.ends - self.pitch, "right")
        joined = _followed(np.where(first < last, first, runs))
        ties = (last - first > 1).nonzero()[0]
        more = last[ties] - first[ties] - 1
        lower = np.repeat(ties, more)
        upper = np.arange(len(lower)) + np.repeat(first[ties] + 1 - np.cumsum(more) + more, more)
        while ((one := joined[lower]) != (other := joined[upper])).any():
            least = np.minimum(one, other)
            np.minimum.at(joined, one, least)
            np.minimum.at(joined, other, least)
            joined = _followed(joined)
        heads = joined == runs
        return (heads.cumsum() - 1)[joined], heads.nonzero()[0]

    def _foreign(self) -> Mask:
        """Return which marks look like no part of a digit, bool (n,): a table's edge, shadows, frames, a scan's rim."""
        height, width, area = self.height, self.width, self.area
        tall, wide = self.bottom - self.top, self.right - self.left
        foreign = (self.sides >= 2) & (area > 0.45 * tall * wide) & (area > 0.03 * height * width)
        if max(self.mask.shape) >= _SHOWS_SHEETS and (self.sides >= 2).any():
            corners = self._corners()
            slim = np.minimum(tall, wide) < _SLIGHT * np.maximum(tall, wide)
            wedge = (corners == 1) & (self.sides == 2) & slim & (area > _WEDGE * tall * wide)
            wedge &= np.maximum(tall / height, wide / width) > _ALONG
            foreign |= (area > 0.01 * height * width) & ((corners >= 2) | wedge)
        rim = round(0.04 * min(max(height, width), 2 * min(height, width)))  # for a long row, by its height
        if rim > 1:
            foreign |= (self.bottom <= rim) | (self.top >= height - rim)
            foreign |= (self.right <= rim) | (self.left >= width - rim)
        frames = (tall > 0.5 * height) & (wide > 0.5 * width) & (area < 0.6 * tall * wide)
        for mark in frames.nonzero()[0][:_FRAMES]:
            body = self.paint(self.numbers == mark)[
                self.top[mark] : self.bottom[mark], self.left[mark] : self.right[mark]
            ]
            foreign[mark] |= is_boxed(body)
        return np.asarray(foreign)

    def _corners(self) -> NDArray[np.intp]:
        """Return how many of the picture's corners each mark covers, (n,)."""
        row = self.starts // self.pitch
        ends = [row == 0, row == self.height - 1]
        sides = [self.starts == row * self.pitch, self.ends == row * self.pitch + self.width]
        held = [self.mark[end & side] for end in ends for side in sides]
        return np.bincount(np.concatenate(held), minlength=len(self.mass))

    def paint(self, marks: Mask) -> Mask:
        """Return the cells of some of the marks: bool (n,) to bool (h, w)."""
        kept = marks[self.mark]
        edges = np.zeros(self.height * self.pitch + 1, np.int8)
        edges[self.starts[kept]] = 1
        edges[self.ends[kept]] = -1
        cells = np.cumsum(edges[:-1], dtype=np.int8).reshape(self.height, self.pitch)
        return cells[:, :-1].astype(bool)

    @cached_property
    def labels(self) -> NDArray[np.intp]:
        """Return the mark of each cell, int (h, w); -1 where there is none."""
        plane = np.full(self.height * self.pitch, -1)
        lengths = self.ends - self.starts
        cells = np.arange(lengths.sum()) + np.repeat(self.starts - np.cumsum(lengths) + lengths, lengths)
        plane[cells] = np.repeat(self.mark, lengths)
        return plane.reshape(self.height, self.pitch)[:, :-1]

    def sheet(self) -> Mask | None:
        """Return the best mark, bool (h, w), if it is nearly filled and has straight sides: paper, a card or a screen.

        It may be a bold digit too: only ink on it shows that it is a sheet.
        """
        return self._sheet(self.best)

    def sheets(self, sides: int = 4) -> list[Mask]:
        """Return all such marks that are heavy enough and touch at most `sides` of the picture's sides, heaviest first.

        Each is bool (h, w).
        """
        if max(self.mask.shape) < _SHOWS_SHEETS:
            return []
        heavy = self.numbers[(self.mass > _AS_HEAVY * self.mass[self.best]) & (self.sides <= sides)]
        found = (self._sheet(mark) for mark in heavy[np.argsort(-self.mass[heavy])].tolist())
        return [sheet for sheet in found if sheet is not None]

    def _sheet(self, mark: int) -> Mask | None:
        """Return a mark's cells, bool (h, w), if it may be a sheet; else None."""
        area = int(self.area[mark])
        width, height = int(self.right[mark] - self.left[mark]), int(self.bottom[mark] - self.top[mark])
        if min(width, height) < _SHEET or max(self.mask.shape) < _SHOWS_SHEETS or area < _SOME * width * height:
            return None
        body = self.paint(self.numbers == mark)
        hull = hull_of(body)
        covered = np.count_nonzero(hull)
        filled = np.count_nonzero(self.mask & hull)  # paper within a closed stroke is another mark, but counts
        # An ellipse covers 0.79 of its rectangle; paper seen at an angle covers nine tenths.
        return body if filled > 0.7 * covered and covered > 0.86 * _rectangle(hull) else None

    def rim(self) -> tuple[Mask, Mask] | None:
        """Return the heaviest mark and its inside, bool (h, w) each, if they form a rectangle clear of the borders.

        That is what is left of a sheet when a smooth background takes its inside for background. It may be a frame or a
        bold 0 too.
        """
        mark, long = int(self.mass.argmax()), max(self.mask.shape)
        width, height = int(self.right[mark] - self.left[mark]), int(self.bottom[mark] - self.top[mark])
        if min(width, height) < _SHEET or long < _SHOWS_SHEETS or width * height < _TAKEN * long**2:
            return None
        if self.sides[mark] or self.area[mark] < _SOME * width * height:
            return None
        body = self.paint(self.numbers == mark)
        hull = hull_of(body)
        inside = hull & ~self.mask
        is_rim = inside.any() and np.count_nonzero(hull) > _RIGHT_ANGLED * _rectangle(hull)
        return (body, inside) if is_rim else None

    def several(self) -> bool:
        """Whether another mark looks as much like a digit as the best: beside it, or above or below it."""
        if len(self.mass) == 1:
            return False
        best, tall = self.best, self.bottom - self.top
        if self.is_ringed and self.right[best] - self.left[best] < _SLIM * tall[best]:
            return True  # either a 1 in a circle, or a 0 with a stroke through it
        long = max(self.right[best] - self.left[best], tall[best])
        rival = ~self.foreign & (self.mass > 0.25 * self.mass[best]) & (tall > 0.5 * tall[best])
        rival &= np.maximum(tall, self.right - self.left) > 0.5 * long
        rival[best] = False
        width = np.minimum(self.right - self.left, self.right[best] - self.left[best])
        beside = np.minimum(self.right, self.right[best]) - np.maximum(self.left, self.left[best]) < 0.2 * width
        apart = np.maximum(self.top - self.bottom[best], self.top[best] - self.bottom) > 0
        return bool((rival & (beside | apart)).any())

    def hollow(self) -> Mask:
        """Return which marks cover little of their boxes, bool (n,)."""
        return np.asarray(self.area < _HOLLOW * (self.right - self.left) * (self.bottom - self.top))

    def _hold(
        self, outer: NDArray[np.intp], inner: NDArray[np.intp], aside: NDArray[np.float64], apart: NDArray[np.float64]
    ) -> Mask:
        """Return which pairs of marks are one and another of some size in its box, bool (n,).

        The inner mark is more than `aside` from the left and right of the box, and `apart` from its top and bottom.
        Either array of marks may be (1,).
        """
        left, top, right, bottom = (side[outer] for side in (self.left, self.top, self.right, self.bottom))
        held = self.bottom[inner] - self.top[inner] > _WITHIN * (bottom - top)
        held = held & (self.left[inner] > left + aside) & (self.right[inner] < right - aside)
        held &= (self.top[inner] > top + apart) & (self.bottom[inner] < bottom - apart)
        return np.asarray(held)

    def _rings(self, outer: NDArray[np.intp], digits: NDArray[np.intp]) -> Mask:
        """Return which pairs are a ring or box and a digit in it: nearly as wide as high, and clear of the digit."""
        wide, tall = self.right[outer] - self.left[outer], self.bottom[outer] - self.top[outer]
        ring = np.minimum(wide, tall) >= _ROUND * np.maximum(wide, tall)
        ring &= self.hollow()[outer]
        return np.asarray(ring & self._hold(outer, digits, _FREE * wide, _FREE * tall))

    def frames(self) -> Mask:
        """Return which marks are drawn around others, bool (n,): circles and boxes, single or joined side by side."""
        tall = self.bottom - self.top
        found = self.hollow() & (tall > 8)
        for mark in found.nonzero()[0].tolist():
            away = _EDGE * tall[[mark]]
            held = self._hold(np.array([mark]), self.numbers, away, away).nonzero()[0]
            found[mark] = len(held) and self._is_drawn_around(mark, held.tolist())
        return np.asarray(found)

    def hanging(self, frames: Mask, least: float, sizes: tuple[float, float]) -> Mask:
        """Return what hangs on the straight lines of some marks, bool (n,) to bool (h, w): digits that touch a frame.

        Lines longer than `least` are removed. Of the rest, parts are kept whose height is between the two `sizes` and
        which are no lines themselves. Nothing is kept of a frame drawn by hand, whose bent lines fall into pieces.
        """
        body = self.paint(frames)
        rest = body & ~_thicker_than(body, round(least)) & ~_thicker_than(body.T, round(least)).T
        if not rest.any():
            return rest
        parts = Marks(rest, rest.astype(np.float32), 0)
        tall, wide = parts.bottom - parts.top, parts.right - parts.left
        fits = (tall > sizes[0]) & (tall < sizes[1]) & (wide > _SLIM * tall) & (wide < 2 * tall)
        if parts.area[~fits].sum() > _JAGS * (np.count_nonzero(body) - np.count_nonzero(rest)):
            return np.zeros_like(rest)
        return parts.paint(fits)

    def cells(self) -> Mask:
        """Return which marks are filled boxes, bool (n,), such as the cells of a table; a bold 1 is slimmer."""
        wide, tall = self.right - self.left, self.bottom - self.top
        found = (self.area > _FILLED * wide * tall) & (np.maximum(wide, tall) < _SQUAT * np.minimum(wide, tall))
        found &= np.minimum(wide, tall) > 8
        for mark in found.nonzero()[0].tolist():
            left, top, right, bottom = self._box(mark)
            found[mark] = is_boxed(self.labels[top:bottom, left:right] == mark, sides=4)
        return np.asarray(found)

    def combs(self) -> Mask:
        """Return which marks are combs, bool (n,): a straight line with short strokes up or down, as on forms."""
        wide, tall = self.right - self.left, self.bottom - self.top
        found = self.hollow() & (wide > 2 * tall) & (tall > 3)
        for mark in found.nonzero()[0].tolist():
            left, top, right, bottom = self._box(mark)
            ink = self.labels[top:bottom, left:right] == mark
            rim = max(1, round(_SPINE * len(ink)))
            spine = max(ink[:rim].any(axis=0).mean(), ink[-rim:].any(axis=0).mean())
            teeth = ink[len(ink) // 2]
            count = np.count_nonzero(teeth[1:] & ~teeth[:-1]) + teeth[0]
            found[mark] = spine > _STRAIGHT_ON and count >= 3 and teeth.mean() < _TEETH
        return np.asarray(found)

    def _is_drawn_around(self, frame: int, held: Sequence[int]) -> bool:
        """Whether a mark has ink on all four sides of another in its box, or straight edges along three of its own.

        Circles and boxes have the first, combs and boxes with a gap the second; digits that touch have neither.
        """
        left, top, right, bottom = self._box(frame)
        ink = self.labels[top:bottom, left:right] == frame
        if is_boxed(ink):
            return True
        for mark in held:
            a, b, c, d = (edge - begin for edge, begin in zip(self._box(mark), (left, top, left, top), strict=True))
            sides = ink[:b, a:c], ink[d:, a:c], ink[b:d, :a].T, ink[b:d, c:].T
            if min(side.any(axis=0).mean() for side in sides) > _AROUND:
                return True
        return False

    def _box(self, mark: int) -> Box:
        """Return the bounding box of a mark."""
        return int(self.left[mark]), int(self.top[mark]), int(self.right[mark]), int(self.bottom[mark])

    def _within(self, ring: int) -> int:
        """Return the heaviest mark that `ring` is a ring around; `ring` itself if there is none."""
        wide, tall = int(self.right[ring] - self.left[ring]), int(self.bottom[ring] - self.top[ring])
        if min(wide, tall) < _ROUND * max(wide, tall) or self.area[ring] >= _HOLLOW * wide * tall:
            return ring  # the usual case
        inner = self._rings(np.array([ring]), self.numbers)
        return int(np.where(inner, self.mass, 0).argmax()) if inner.any() else ring

    def _underlines(self) -> Mask:
        """Return which marks are flat bars below the best mark and clear of it."""
        best, tall, wide = self.best, self.bottom - self.top, self.right - self.left
        flat = (tall < _FLAT * wide) & (wide > 0.6 * (self.right[best] - self.left[best]))
        return np.asarray(flat & (self.top >= self.bottom[best] + np.maximum(1, 0.5 * tall)))

    def digit(self, strong: float) -> Mask:
        """Return the digit's cells, bool (h, w): its body, and other marks that are near it or half as heavy.

        Specks, underlines, rings and marks whose mean ink is less than half of `strong`, in grey levels, are left out.
        """
        if len(self.mass) == 1:
            return self.mask
        best = self.best
        aside = np.maximum(self.left - self.right[best], self.left[best] - self.right)
        apart = np.maximum(self.top - self.bottom[best], self.top[best] - self.bottom)
        long = max(self.right[best] - self.left[best], self.bottom[best] - self.top[best])
        keep = (np.maximum(aside, apart) < 0.35 * long) | (self.mass > 0.5 * self.mass[best])
        keep &= (self.mass >= self.speck * self.mass[best]) & (self.mass > 0.5 * strong * self.area)
        if self.sides[best] < 2:  # else the digit fills its picture, and its other parts touch the borders too
            keep &= ~self.foreign
        keep &= ~self._underlines() & ~self._rings(self.numbers, np.array([best]))
        keep[best] = True
        return self.paint(keep)
