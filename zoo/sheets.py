"""Find sheets of paper with ink on them in a picture, such as notes on a table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from zoo.compiled.cells import box_of, hull_of, spread_out
from zoo.compiled.levels import level_of
from zoo.errors import NoInk
from zoo.finding import BEYOND, RIM, FoundInk, outward, search, step_for, threshold_for
from zoo.ground import BOTH, Ground, contrast_to, grounds_of, reduce, table_of
from zoo.marks import Marks
from zoo.masks import stretched
from zoo.ruling import without_lines
from zoo.settings import InkSettings
from zoo.types import Box, Image, Mask, Plane, Polarity

# Chosen together with the defaults of `InkSettings`; see `zoo.ink`.
_NO_SPOT = 25  # grey levels by which a sheet differs from its surroundings, at threshold_for
_TOP = 0.96  # quantile of the contrast over a sheet with a row of digits on it, above which lies the digits' ink
_STRIP = 1.5  # times the contrast of a highlighter's strip to its paper; the ink on the strip has more


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of paper in a picture.

    `box` is in the picture's pixels; `page` marks the cells of the box that are paper, bool (rows, columns).
    """

    box: Box
    page: Mask

    def cut(self, picture: Image) -> Image:
        """Return the part of the picture in the box."""
        left, top, right, bottom = self.box
        return picture[top:bottom, left:right]

    def spread(self, small: Plane) -> tuple[Plane, Mask]:
        """Fill what is not paper in `small`, the cut reduced to float32 (h, w, c), with the paper's border.

        Returns the filled picture, and which of its pixels are paper, bool (h, w).
        """
        height, width = small.shape[:2]
        cell = -(-height // self.page.shape[0])
        page = ~spread_out(~stretched(self.page, height, width), cell + 1)
        rows = np.flatnonzero(page.any(axis=1))
        if not len(rows):
            return small, ~page
        row = np.arange(height).clip(rows[0], rows[-1])
        first, last = page.argmax(axis=1)[row], width - 1 - page[:, ::-1].argmax(axis=1)[row]
        column = np.arange(width).clip(first[:, None], last[:, None])
        spread: Plane = small[row[:, None], column]
        return spread, page


def sheets_of(picture: Image, settings: InkSettings) -> list[Sheet]:
    """Return the sheets of paper with ink on them in `picture`, such as notes on a table; [] without any.

    The first search may find the ink on the paper rather than the paper; then more backgrounds are tried. The table is
    always tried as one, since with several sheets some may have been taken for background.
    """
    step = step_for(picture)
    small = reduce(picture, step)
    table = table_of(small)
    from_table = contrast_to(small, table)[0]

    def written(bodies: list[Mask], contrast: Plane, polarity: Polarity, high: float) -> list[Sheet]:
        """Return the bodies that are sheets: they have ink of the other polarity on them.

        A highlighter's strip, whose level is between that of its surroundings and that of its ink, is left out: its rim
        would cut digits.
        """
        papers = [body for body in bodies if _stands_out(body, contrast, high) and not _is_strip(body, from_table)]
        found = (search_sheet(picture, body, high, step, settings) for body in papers)
        return [sheet for ink, _, sheet in filter(None, found) if ink.polarity != polarity]

    def lying_on(ground: Ground, polarities: Sequence[Polarity]) -> list[Sheet]:
        """Return the sheets with ink on them that lie on `ground`; [] without any."""
        contrast, noise = contrast_to(small, ground)
        for polarity in polarities:
            ink = contrast if polarity == "light-on-dark" else -contrast
            high = level_of(ink)
            if high < max(settings.min_contrast, settings.min_signal * noise):
                continue
            marks = Marks(without_lines(ink > threshold_for(high, noise)), ink, settings.speck)
            if sheets := written(marks.sheets(sides=1), ink, polarity, high):
                return sheets
        return []

    first = None
    with suppress(NoInk):
        found = search(small, settings)
        if found.sheet is not None:
            marks = Marks(found.marks, found.ink, settings.speck)
            first = written(marks.sheets(), found.ink, found.polarity, found.high)
    on_table = lying_on(table, BOTH)
    if first is None and not on_table:
        return next(filter(None, itertools.starmap(lying_on, grounds_of(small, more=True))), [])
    return max(first or [], on_table, key=len)


def search_sheet(
    picture: Image, body: Mask, high: float, step: int, settings: InkSettings
) -> tuple[FoundInk, int, Sheet] | None:
    """Search what may be a sheet of paper for ink.

    `body` is the sheet's mark, in a view of the picture that was reduced by `step`; `high` is its contrast to the
    table. Returns the ink, the step by which the sheet was reduced for it, and the sheet; None if it is no sheet or
    has no ink.
    """
    page = ~spread_out(~hull_of(body), RIM)
    if not page.any():
        return None
    left, top, right, bottom = cells = box_of(page)
    height, width = picture.shape[:2]
    sheet = Sheet(outward(cells, (0, 0, width, height), step), page[top:bottom, left:right])
    part = sheet.cut(picture)
    near = step_for(part)
    with suppress(NoInk):
        small, page = sheet.spread(reduce(part, near))
        written = search(small, settings, page)
        if written.high > 0.2 * high:
            return written._replace(marks=written.marks | ~page), near, sheet
    return None


def _is_strip(body: Mask, from_table: Plane) -> bool:
    """Whether the marks on a sheet differ from the table in the same direction as the sheet does, only more.

    Text under a highlighter does. `from_table` is the contrast to the table, float32 (h, w).
    """
    own = float(np.median(from_table[body]))
    return float(np.quantile(from_table[hull_of(body)] * math.copysign(1, own), _TOP)) > _STRIP * abs(own)


def _stands_out(body: Mask, contrast: Plane, high: float) -> bool:
    """Whether `body`, which may be paper, differs enough from its surroundings; `contrast` is float32 (h, w).

    The cells of a printed table and the hole of a 0 do not: beyond the lines around them is the same paper. Nor does a
    spot of light, which is hardly lighter than the paper around it.
    """
    hull = hull_of(body)
    around = spread_out(hull, BEYOND) & ~spread_out(hull, RIM)
    if not around.any():
        return True
    step = float(np.median(contrast[body])) - float(np.median(contrast[around]))
    return step > max(_NO_SPOT, 0.5 * high)
