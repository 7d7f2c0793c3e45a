"""Label the connected components of a mask, called marks here, and decide which of them are the digit."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from zoo.compiled.cells import hull_of
from zoo.compiled.components import Components
from zoo.masks import is_boxed, rectangle_around
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

# For table edges, shadows, frames and the rim of a scan.
_COMPACT = 0.45  # of its box: area of a mark at two sides of the picture that is no stroke, at least
_LARGE = 0.03  # of the picture: area of such a mark, at least
_CORNERED = 0.01  # of the picture: area of a mark in two of its corners, or of a wedge, at least
_AT_RIM = 0.04  # of the picture's long side: width of the rim in which nothing is a digit
_FRAME = 0.5  # of the picture's width and height: those of a frame, at least
_OPEN = 0.6  # of its box: area of a frame, at most
_FRAMES = 12  # frames of at least half a picture that are examined; more are a pattern

# For the other marks beside the best.
_RIVAL = 0.25  # of the best mark's ink: that of another digit, at least
_AS_TALL = 0.5  # of the best mark's height: that of another digit, at least
_AS_LONG = 0.5  # of the best mark's longer side: that of another digit, at least
_BESIDE = 0.2  # of the smaller width: how much two digits side by side overlap, at most
_NEAR = 0.35  # of the best mark's longer side: distance of another part of the digit, at most
_HEAVY = 0.5  # of the best mark's ink: that of a part farther away, at least
_FAINT = 0.5  # of the digit's usual ink: mean ink of a part, at least
_FLAT = 0.25  # height to width of an underline, at most
_BROAD = 0.6  # of the best mark's width: that of an underline, at least
_CLEAR = 0.5  # of an underline's height: the gap above it, at least


class Marks:
    """The 8-connected components of a mask, n marks: their ink and boxes, and which is most likely the digit's body.

    They are labelled and measured by `zoo.compiled.components`.

    Per mark, arrays (n,): `mass` is the sum of its ink, `area` its cells, `left`, `top`, `right` and `bottom` its box,
    `sides` the number of the picture's sides that it touches, and `foreign` whether it looks like no part of a digit.
    """

    def __init__(self, mask: Mask, ink: Plane, speck: float) -> None:
        """Label `mask`, bool (h, w), which is not empty; `ink` is float32 (h, w), in grey levels.

        A mark with less than the share `speck` of the best mark's ink is no part of the digit.
        """
        self.mask, self.speck = mask, speck
        self.height, self.width = mask.shape
        self._components = found = Components(mask, ink)
        self.mass, self.area, self.sides, self.foreign = found.mass, found.area, found.sides, found.foreign
        self.left, self.top, self.right, self.bottom = found.left, found.top, found.right, found.bottom
        self._set_foreign()
        # A foreign mark is the digit only if all others are specks beside it.
        best = found.heaviest(speck)
        self.weight = float(self.mass[best]) * (speck if self.foreign[best] else 1)
        inner = found.heaviest_within(best, _ROUND, _HOLLOW, _FREE, _WITHIN)
        self.is_ringed = inner >= 0
        self.best = inner if self.is_ringed else best

    @cached_property
    def numbers(self) -> NDArray[np.intp]:
        """Return the numbers of the marks, (n,)."""
        return np.arange(len(self.mass))

    def _set_foreign(self) -> None:
        """Set which marks look like no part of a digit: a table's edge, shadows, frames, a scan's rim."""
        long, short = max(self.height, self.width), min(self.height, self.width)
        rim = round(_AT_RIM * min(long, 2 * short))  # for a long row, by its height
        some = _CORNERED if long >= SHOWS_SHEETS else 1
        self._components.set_foreign(
            rim if rim > 1 else 0, _COMPACT, _LARGE, some, slight=_SLIGHT, wedge=_WEDGE, along=_ALONG
        )
        for mark in self._components.spanning(_FRAME, _OPEN, _FRAMES):
            if not self.foreign[mark]:
                self.foreign[mark] = is_boxed(self._components.body(mark))

    def paint(self, marks: Mask) -> Mask:
        """Return the cells of some of the marks: bool (n,) to bool (h, w)."""
        return self._components.paint(marks)

    @cached_property
    def labels(self) -> NDArray[np.intp]:
        """Return the mark of each cell, intp (h, w); -1 where there is none."""
        return self._components.label()

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
        left, top, right, bottom = self.box(mark)
        cells, short = (right - left) * (bottom - top), min(right - left, bottom - top)
        if short < _SHEET or max(self.mask.shape) < SHOWS_SHEETS or self.area[mark] < _SOME * cells:
            return None
        hull = hull_of(self._components.body(mark))
        covered = np.count_nonzero(hull)
        # Paper within a closed stroke is another mark, but counts.
        filled = np.count_nonzero(self.mask[top:bottom, left:right] & hull)
        # An ellipse covers 0.79 of its rectangle; paper seen at an angle covers nine tenths.
        if filled <= 0.7 * covered or covered <= 0.86 * math.prod(rectangle_around(hull)):
            return None
        return self.paint(self.numbers == mark)

    def rim(self) -> tuple[Mask, Mask] | None:
        """Return the heaviest mark and its inside, bool (h, w) each, if they form a rectangle clear of the borders.

        That is what is left of a sheet when a smooth background takes its inside for background. It may be a frame or a
        bold 0 too.
        """
        mark, long = int(self.mass.argmax()), max(self.mask.shape)
        left, top, right, bottom = self.box(mark)
        cells, short = (right - left) * (bottom - top), min(right - left, bottom - top)
        if short < _SHEET or long < SHOWS_SHEETS or cells < _TAKEN * long**2:
            return None
        if self.sides[mark] or self.area[mark] < _SOME * cells:
            return None
        hull = hull_of(self._components.body(mark))
        within = hull & ~self.mask[top:bottom, left:right]
        if not within.any() or np.count_nonzero(hull) <= _RIGHT_ANGLED * math.prod(rectangle_around(hull)):
            return None
        inside = np.zeros_like(self.mask)
        inside[top:bottom, left:right] = within
        return self.paint(self.numbers == mark), inside

    def several(self) -> bool:
        """Whether another mark looks as much like a digit as the best: beside it, or above or below it."""
        if len(self.mass) == 1:
            return False
        left, top, right, bottom = self.box(self.best)
        if self.is_ringed and right - left < SLIM * (bottom - top):
            return True  # either a 1 in a circle, or a 0 with a stroke through it
        return self._components.rivals(self.best, mass=_RIVAL, tall=_AS_TALL, long=_AS_LONG, overlap=_BESIDE)

    def hollow(self) -> Mask:
        """Return which marks cover little of their boxes, bool (n,)."""
        return np.asarray(self.area < _HOLLOW * (self.right - self.left) * (self.bottom - self.top))

    def held(self, outer: int, aside: float, apart: float) -> list[int]:
        """Return the marks of some size in the box of another.

        They are more than `aside` cells from the left and right of the box, and `apart` from its top and bottom.
        """
        return self._components.held(outer, _WITHIN, aside, apart)

    def box(self, mark: int) -> Box:
        """Return the bounding box of a mark."""
        return int(self.left[mark]), int(self.top[mark]), int(self.right[mark]), int(self.bottom[mark])

    def digit(self, strong: float) -> Mask:
        """Return the digit's cells, bool (h, w): its body, and other marks that are near it or half as heavy.

        Specks, underlines, rings and marks whose mean ink is less than half of `strong`, in grey levels, are left out.
        """
        if len(self.mass) == 1:
            return self.mask
        found = self._components
        kept = found.parts(self.best, near=_NEAR, heavy=_HEAVY, speck=self.speck, faint=_FAINT * strong)
        for mark in found.underlines(self.best, _FLAT, wide=_BROAD, clear=_CLEAR):
            kept[mark] = False
        for mark in found.rings(self.best, _ROUND, _HOLLOW, _FREE, _WITHIN):
            kept[mark] = False
        return self.paint(kept)
