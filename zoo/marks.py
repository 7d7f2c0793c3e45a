"""Label the connected components of a mask, called marks here, and decide which of them are the digit."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from zoo.masks import hull_of, is_boxed, rectangle_around
from zoo.types import Box, Mask, Plane

# "Box" is short for bounding box. A cell is a pixel of the mask.

# For sheets of paper.
_SHEET = 10  # cells on the short side of a sheet, at least, so that there is room for ink
SHOWS_SHEETS = 64  # cells on the long side of a picture that may show a sheet or another filled shape, at least
_SOME = 0.38  # of its box: area of a sheet's mark or rim, which may be turned, at least
_TAKEN = 0.08  # of the long side squared: box of a sheet so large that a smooth background reaches its level inside
_RIGHT_ANGLED = 0.9  # of the smallest rectangle around it: area of a sheet of which only the rim is a mark, at least
_AS_HEAVY = 0.2  # of the best mark's ink: another sheet's, at least

# For rings and boxes around a digit.
_ROUND = 0.75  # of the longer side: shorter side of a ring around a digit, at least; a 0 is narrower
_HOLLOW = 0.35  # of its box: area of a ring, at most
SLIM = 0.45  # width to height of a single stroke, at most
_FREE = 0.08  # of a ring's width or height: distance on each side between its box and the digit in it, at least
_WITHIN = 0.35  # of a ring's height: height of the digit in it, at least; a lower mark is the dot of a 0

# For the wedge that straightening a picture leaves in its corner.
_WEDGE = 0.4  # of its box: area of the wedge, at least
_ALONG = 0.6  # of a side of the picture: length of the wedge, at least
_SLIGHT = 0.3  # shorter to longer side of the wedge, at most: the tangent of the angle

_FLAT = 0.25  # height to width of an underline, at most
_FRAMES = 12  # frames of at least half a picture that are examined; more are a pattern


def _followed(to: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the root of each of n places, each of which points to itself or to an earlier one."""
    for _ in range(len(to).bit_length()):  # pointer jumping: each pass goes twice as far
        to = to[to]
    return to


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
        if max(self.mask.shape) >= SHOWS_SHEETS and (self.sides >= 2).any():
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
        if max(self.mask.shape) < SHOWS_SHEETS:
            return []
        heavy = self.numbers[(self.mass > _AS_HEAVY * self.mass[self.best]) & (self.sides <= sides)]
        found = (self._sheet(mark) for mark in heavy[np.argsort(-self.mass[heavy])].tolist())
        return [sheet for sheet in found if sheet is not None]

    def _sheet(self, mark: int) -> Mask | None:
        """Return a mark's cells, bool (h, w), if it may be a sheet; else None."""
        area = int(self.area[mark])
        width, height = int(self.right[mark] - self.left[mark]), int(self.bottom[mark] - self.top[mark])
        if min(width, height) < _SHEET or max(self.mask.shape) < SHOWS_SHEETS or area < _SOME * width * height:
            return None
        body = self.paint(self.numbers == mark)
        hull = hull_of(body)
        covered = np.count_nonzero(hull)
        filled = np.count_nonzero(self.mask & hull)  # paper within a closed stroke is another mark, but counts
        # An ellipse covers 0.79 of its rectangle; paper seen at an angle covers nine tenths.
        return body if filled > 0.7 * covered and covered > 0.86 * math.prod(rectangle_around(hull)) else None

    def rim(self) -> tuple[Mask, Mask] | None:
        """Return the heaviest mark and its inside, bool (h, w) each, if they form a rectangle clear of the borders.

        That is what is left of a sheet when a smooth background takes its inside for background. It may be a frame or a
        bold 0 too.
        """
        mark, long = int(self.mass.argmax()), max(self.mask.shape)
        width, height = int(self.right[mark] - self.left[mark]), int(self.bottom[mark] - self.top[mark])
        if min(width, height) < _SHEET or long < SHOWS_SHEETS or width * height < _TAKEN * long**2:
            return None
        if self.sides[mark] or self.area[mark] < _SOME * width * height:
            return None
        body = self.paint(self.numbers == mark)
        hull = hull_of(body)
        inside = hull & ~self.mask
        is_rim = inside.any() and np.count_nonzero(hull) > _RIGHT_ANGLED * math.prod(rectangle_around(hull))
        return (body, inside) if is_rim else None

    def several(self) -> bool:
        """Whether another mark looks as much like a digit as the best: beside it, or above or below it."""
        if len(self.mass) == 1:
            return False
        best, tall = self.best, self.bottom - self.top
        if self.is_ringed and self.right[best] - self.left[best] < SLIM * tall[best]:
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

    def hold(
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
        return np.asarray(ring & self.hold(outer, digits, _FREE * wide, _FREE * tall))

    def box(self, mark: int) -> Box:
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
