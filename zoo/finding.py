"""Find the ink of one digit in a view of a picture, at the scale at which it is searched.

reduce -> background -> contrast -> connected components of both polarities -> those of the digit
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zoo import steps
from zoo.compiled.canvas import cut_out
from zoo.compiled.cells import box_of, spread_out
from zoo.compiled.levels import level_of, median_of
from zoo.errors import NoInk
from zoo.ground import SEEN, Ground, contrast_to, grounds_of, reduce
from zoo.marks import Marks
from zoo.ruling import without_lines
from zoo.settings import InkSettings
from zoo.steps import tell
from zoo.types import Box, Image, Mask, Plane, Polarity

# Chosen together with the defaults of `InkSettings`; see `zoo.ink`. A cell is one pixel of the reduced picture.
_WORK = 80  # pixels on the long side at which ink is searched for: this many to twice as many, if the picture has them
RIM = 2  # cells along the edges of a sheet that are left out
BEYOND = 6  # cells beside a sheet that are taken for its surroundings
_ALIKE = 0.5  # a sheet's inside differs from its rim by less than this share of what its surroundings do
_FULL = 0.8  # of the usual contrast; ink of it is 1, so that uneven ink and soft focus give even strokes as in MNIST
_DIRT = 4  # cells; a mark that looks like no part of a digit, and is no larger, is ignored as a speck


class FoundInk(NamedTuple):
    """Ink found in a view of a picture.

    `level` is the ink within `box`, float32 (h, w), 0-1, and 0 outside the digit's own marks. `high` is its usual
    contrast in grey levels, `weight` how much it looks like one digit, and `several` whether another mark looks as
    much like a digit. The other arrays cover the whole view, (h, w): `ink` is the contrast to `ground` in grey levels,
    float32; `marks` is all ink and `digit` the digit's, bool; `sheet` is bool if the digit looks like a sheet of paper,
    else None.
    """

    level: Plane
    box: Box
    polarity: Polarity
    high: float
    weight: float
    sheet: Mask | None
    several: bool

    ground: Ground
    ink: Plane
    marks: Mask
    digit: Mask


def find_ink(picture: Image, settings: InkSettings) -> tuple[FoundInk, int]:
    """Return the digit's ink in a view, and the step by which the view was reduced for it. Raises `NoInk`."""
    step = step_for(picture)
    return search(reduce(picture, step), settings), step


def step_for(picture: Image) -> int:
    """Return the step by which a picture, or a part of one, is reduced for the search."""
    step: int = max(1, max(picture.shape[:2]) // _WORK)
    return step


def look_closer(
    found: FoundInk, far: int, part: Image, corner: tuple[int, int], settings: InkSettings
) -> tuple[FoundInk, int]:
    """Look at `found` again at a higher resolution, on the same background.

    `part` is a part of the view, with `corner` as its (x, y) there; `far` is the step by which the view was reduced for
    `found`. Returns the ink and the new step. Raises `NoInk`.
    """
    step = step_for(part)
    small = reduce(part, step)
    (height, width), (rows, columns) = small.shape[:2], found.digit.shape
    left, top = corner[0] / far, corner[1] / far
    right, bottom = left + width * step / far, top + height * step / far
    share = (left / columns, top / rows, right / columns, bottom / rows)
    contrast, noise = contrast_to(small, found.ground, share)
    ink = contrast if found.polarity == "light-on-dark" else -contrast
    high = level_of(ink)
    low = threshold_for(high, noise)
    mask = without_lines(ink > low)
    if (others := found.marks & ~found.digit).any():
        down = (top + (np.arange(height) + 0.5) * (step / far)).astype(np.intp).clip(0, rows - 1)
        across = (left + (np.arange(width) + 0.5) * (step / far)).astype(np.intp).clip(0, columns - 1)
        mask = mask & ~others[down[:, None], across]
    if high < settings.min_contrast or not mask.any():
        raise NoInk("What looked like ink in the reduced picture does not at a finer scale.", "no_contrast")
    marks = Marks(mask, ink, settings.speck)
    digit = marks.digit(0.5 * high)
    level, box = _cut_out(ink, digit, low, high)
    return found._replace(level=level, box=box, high=high, ink=ink, marks=mask, digit=digit), step


def outward(box: Box, view: Box, step: int) -> Box:
    """Convert a box from the pixels of a view that was reduced by `step` to those of the picture."""
    left, top, right, bottom = (edge * step for edge in box)
    return view[0] + left, view[1] + top, min(view[2], view[0] + right), min(view[3], view[1] + bottom)


def search(small: Plane, settings: InkSettings, page: Mask | None = None) -> FoundInk:
    """Find the digit in `small`, float32 (h, w, 1 or 3): light or dark marks, whichever look more like a digit.

    Nothing outside `page`, bool (h, w), is a mark. Raises `NoInk`.
    """
    found = eaten = None
    strongest = noise = 0.0
    has_dirt = False
    for ground, polarities in grounds_of(small):
        contrast, noise = contrast_to(small, ground)
        for polarity in polarities:
            ink = contrast if polarity == "light-on-dark" else -contrast
            high = level_of(ink)
            strongest = max(strongest, high)
            if high < max(settings.min_contrast, settings.min_signal * noise):
                continue
            low = threshold_for(high, noise)
            mask = without_lines(ink > low)
            if page is not None:
                mask = mask & page
                if not mask.any():
                    continue
            marks = Marks(mask, ink, settings.speck)
            if marks.foreign[marks.best] and marks.area[marks.best] <= _DIRT:
                has_dirt = True
                continue
            if eaten is None and ground.is_smooth:
                eaten = _with_inside(small, marks)
            if found is not None and marks.weight <= found.weight:
                continue
            digit = marks.digit(0.5 * high)
            level, box = _cut_out(ink, digit, low, high)
            found = FoundInk(
                level, box, polarity, high, marks.weight, marks.sheet(), marks.several(), ground, ink, marks.mask, digit
            )
    if found is None:
        tell("contrast", lambda: steps.lighter_or_darker(contrast))
    if strongest < SEEN:
        raise NoInk(
            f"The picture is blank: nothing in it differs from its background by {SEEN:g} of 255 grey levels. Send one "
            "with a visible digit.",
            "blank",
        )
    if found is None and has_dirt:
        raise NoInk(
            "The picture has no ink except lines from border to border and specks at the border. Send one with a "
            "visible digit.",
            "blank",
        )
    if found is None:
        raise NoInk(
            f"The picture has no ink that stands out from its background: the contrast is {strongest:.0f} of 255 grey "
            f"levels and the noise {noise:.0f}; {settings.min_contrast:g} levels and {settings.min_signal:g} times the "
            "noise are needed. Send one with more contrast.",
            "no_contrast",
        )
    return found if eaten is None or found.sheet is not None else found._replace(sheet=eaten)


def _cut_out(ink: Plane, digit: Mask, low: float, high: float) -> tuple[Plane, Box]:
    """Return the ink of a digit's marks in their bounding box, float32 (h, w), 0-1, and the box."""
    box = box_of(digit)
    return cut_out(ink, digit, box, _FULL * low, _FULL * (high - low)), box


def _with_inside(small: Plane, marks: Marks) -> Mask | None:
    """Return the paper of which only the rim stands out from a smooth background: rim and inside, bool (h, w).

    None if the inside's colour in `small`, float32 (h, w, c), is not near the rim's but that of the surroundings, as in
    a bold 0.
    """
    if (found := marks.rim()) is None:
        return None
    rim, inside = found
    sheet = rim | inside
    around = spread_out(sheet, BEYOND) & ~spread_out(sheet, RIM)
    if not around.any():
        return None
    edge, within, beyond = (median_of(small[where]) for where in (rim, inside, around))
    return sheet if np.abs(within - edge).sum() < _ALIKE * np.abs(beyond - edge).sum() else None


def threshold_for(high: float, noise: float) -> float:
    """Return the threshold for ink, in grey levels, by the ink's usual strength and the background's noise."""
    return min(max(0.3 * high, 2.5 * noise), 0.6 * high)
