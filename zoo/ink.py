"""Bring a picture of one digit to MNIST's form, which digit models expect, and trace what was done.

MNIST's form is light ink on black, the ink's bounding box fitted into 20x20 with its aspect kept, and the centre of
mass in the middle of 28x28 (LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition,
Proc. IEEE 86 (11), 1998, section III-A). The other steps find the ink in photographs, scans and drawings:

    reduce -> background -> contrast -> connected components of both polarities
    -> the digit; or a sheet of paper, which is then searched alone
    -> a closer look if the digit is small -> fit

In the code the background is `ground` (`zoo.ground`) and the connected components are `marks` (`zoo.marks`).

Pillow and NumPy do all of it. OpenCV would save the 25 lines that label components, but it costs each serving process
17 MB; Pillow takes 5 MB and is needed for decoding anyway.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from zoo import steps
from zoo.errors import NoInk
from zoo.ground import BOTH, SEEN, Ground, as_grey, contrast_to, grounds_of, median_of, reduce, table_of
from zoo.marks import Marks, box_of, hull_of, spread_out, stretched, without_lines
from zoo.settings import InkSettings
from zoo.steps import tell
from zoo.types import Batch, Box, Image, Input, Mask, Plane, Polarity, Trace

SIDE = 28
"""Pixels on each side of MNIST's form."""

# The constants below were chosen together with the defaults of `InkSettings`, on the same pictures and on scenes
# composed from MNIST's training digits: shadows, ruled paper, frames, dirt, a table around the paper.
# A cell is one pixel of the reduced picture.
_FIT = 20  # pixels on the long side of a digit's bounding box in MNIST
_MIDDLE = 14  # pixels, from 0: MNIST's centre of mass, which is 13.48 to 14.50 in all 70,000 digits
_FAINT = 32  # of 255; fainter pixels do not count for a digit's size; measured so, MNIST's digits are 18 to 20 long
_SOLID = 80  # of 255; fainter pixels at the rim of known ink are its soft edge
_FINE = 4  # canvas pixels per model pixel: strokes are thickened, thinned and centred on this finer canvas
_WORK = 80  # pixels on the long side at which ink is searched for: this many to twice as many, if the picture has them
_ENOUGH = 30  # pixels on the long side of the ink's bounding box; a smaller digit gets a closer look
_RIM = 2  # cells along the edges of a sheet that are left out
_BEYOND = 6  # cells beside a sheet that are taken for its surroundings
_NO_SPOT = 25  # grey levels by which a sheet differs from its surroundings, at least
_ALIKE = 0.5  # a sheet's inside differs from its rim by less than this share of what its surroundings do
_TOP = 0.96  # quantile of the contrast over a sheet with a row of digits on it, above which lies the digits' ink
_STRIP = 1.5  # times the contrast of a highlighter's strip to its paper; the ink on the strip has more
_DIRT = 4  # cells; a mark that looks like no part of a digit, and is no larger, is ignored as a speck
_PLAIN = 12  # pixels on the same side as `_ENOUGH`; a digit smaller than this is searched for anew, background included


DEFAULT = InkSettings()


@dataclass(frozen=True, slots=True)
class _Found:
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


def normalise(picture: Image, settings: InkSettings = DEFAULT) -> tuple[Input, Trace]:
    """Bring `picture`, uint8 grey (h, w), RGB (h, w, 3) or RGBA (h, w, 4), to MNIST's form: float32 (28, 28, 1), 0-1.

    A picture already in that form is only divided by 255, and its negative is inverted first. Raises `NoInk` with
    `reason` "blank" when the picture has one colour or shows only lines, and with "no_contrast" when what varies is too
    faint or is noise.
    """
    grey = _grey(picture) if picture.shape[:2] == (SIDE, SIDE) else None
    if grey is not None:
        batch, known = ready(grey[None])
        if known.boxes[0] is not None:
            return batch[0], known.trace(0)
    tell("picture", lambda: steps.on_ground(picture))
    height, width = picture.shape[:2]
    view: Box = (0, 0, width, height)
    found, step = _find(picture, settings)
    on_sheet = None if found.sheet is None else _on_sheet(picture, found.sheet, found.high, step, settings)
    if on_sheet is not None:
        found, step, view = on_sheet[0], on_sheet[1], on_sheet[2].box
    within = view
    reason = "several_objects" if found.several else None
    # After a second look the digit takes at least a third of its view. A third look is for a digit that was only a few
    # pixels in the first.
    for _ in range(2):
        left, top, right, bottom = _outward(found.box, view, step)
        long = max(right - left, bottom - top)
        margin = long // 3 + 2 * step
        nearer = (
            max(within[0], left - margin),
            max(within[1], top - margin),
            min(within[2], right + margin),
            min(within[3], bottom + margin),
        )
        if step == 1 or long >= _ENOUGH * step or nearer == view:
            break
        part = picture[nearer[1] : nearer[3], nearer[0] : nearer[2]]
        try:
            if long >= _PLAIN * step and part.shape[2:] != (4,):
                found, step = _closer(found, step, part, (nearer[0] - view[0], nearer[1] - view[1]), settings)
            else:
                found, step = _find(part, settings)
        except NoInk:
            break
        view = nearer
    box = _outward(found.box, view, step)
    tell("contrast", lambda: steps.lighter_or_darker(found.ink if found.polarity == "light-on-dark" else -found.ink))
    tell("ink", lambda: steps.light(found.ink, found.high))
    tell("marks", lambda: steps.coloured(found.marks, found.digit))
    tell("box", lambda: steps.boxed(picture, box))
    seen, scale, shift = _fit(found.level, settings)
    return _batch(seen), Trace(seen, found.polarity, box, scale / step, shift, reason)


def sheets_of(picture: Image, settings: InkSettings = DEFAULT) -> list[Sheet]:
    """Return the sheets of paper with ink on them in `picture`, such as notes on a table; [] without any.

    The first search may find the ink on the paper rather than the paper; then more backgrounds are tried. The table is
    always tried as one, since with several sheets some may have been taken for background.
    """
    step = max(1, max(picture.shape[:2]) // _WORK)
    small = reduce(picture, step)
    table = table_of(small)
    from_table = contrast_to(small, table)[0]

    def written(bodies: list[Mask], contrast: Plane, polarity: Polarity, high: float) -> list[Sheet]:
        """Return the bodies that are sheets: they have ink of the other polarity on them.

        A highlighter's strip, whose level is between that of its surroundings and that of its ink, is left out: its rim
        would cut digits.
        """
        papers = [body for body in bodies if _stands_out(body, contrast, high) and not _is_strip(body, from_table)]
        found = (_on_sheet(picture, body, high, step, settings) for body in papers)
        return [one[2] for one in found if one is not None and one[0].polarity != polarity]

    def lying_on(ground: Ground, polarities: Sequence[Polarity]) -> list[Sheet]:
        """Return the sheets with ink on them that lie on `ground`; [] without any."""
        contrast, noise = contrast_to(small, ground)
        for polarity in polarities:
            ink = contrast if polarity == "light-on-dark" else -contrast
            high = level_of(ink)
            if high < max(settings.min_contrast, settings.min_signal * noise):
                continue
            marks = Marks(without_lines(ink > _least(high, noise)), ink, settings.speck)
            if sheets := written(marks.sheets(sides=1), ink, polarity, high):
                return sheets
        return []

    first = None
    with suppress(NoInk):
        found = _search(small, settings)
        if found.sheet is not None:
            marks = Marks(found.marks, found.ink, settings.speck)
            first = written(marks.sheets(), found.ink, found.polarity, found.high)
    on_table = lying_on(table, BOTH)
    if first is None and not on_table:
        return next(filter(None, itertools.starmap(lying_on, grounds_of(small, more=True))), [])
    return max(first or [], on_table, key=len)


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
    around = spread_out(hull, _BEYOND) & ~spread_out(hull, _RIM)
    if not around.any():
        return True
    step = float(np.median(contrast[body])) - float(np.median(contrast[around]))
    return step > max(_NO_SPOT, 0.5 * high)


def fit(level: Image, settings: InkSettings = DEFAULT) -> Image:
    """Bring known ink, uint8 (h, w), light on black, to MNIST's form, uint8 (28, 28), which `normalise` only scales.

    There is no search, which would take a bold digit that fills its picture for paper. Raises `NoInk` with `reason`
    "blank" when there is no ink.
    """
    solid = level > _SOLID
    if not solid.any():
        raise NoInk(f"The piece is blank: no ink in it is stronger than {_SOLID} of 255.", "blank")
    left, top, right, bottom = box_of(solid)
    return _fit(level[top:bottom, left:right].astype(np.float32) / np.float32(255), settings, whole=True)[0]


def resize(picture: Image) -> tuple[Input, Trace]:
    """Convert `picture` to grey and resize it to 28x28, whatever its aspect and polarity; alpha is ignored.

    Returns float32 (28, 28, 1), 0-1, and a trace whose `scale` is that of the picture's long side.
    """
    image = PIL.Image.fromarray(picture).convert("L")
    seen = np.asarray(image.resize((SIDE, SIDE), PIL.Image.Resampling.BICUBIC))
    return _batch(seen), Trace(seen, box=(0, 0, *image.size), scale=SIDE / max(image.size))


def _batch(seen: Image) -> Input:
    """Convert what the model sees, uint8 (28, 28), to its input, float32 (28, 28, 1), 0-1."""
    return (seen.astype(np.float32) / np.float32(255))[:, :, None]  # (28, 28) -> (28, 28, 1)


def _outward(box: Box, view: Box, step: int) -> Box:
    """Convert a box from the pixels of a view that was reduced by `step` to those of the picture."""
    left, top, right, bottom = (edge * step for edge in box)
    return view[0] + left, view[1] + top, min(view[2], view[0] + right), min(view[3], view[1] + bottom)


_WEIGHTS = np.stack(  # columns: weights of the sum, and of the first moments across and down; (28 28, 3)
    [np.ones(SIDE * SIDE), np.tile(np.arange(SIDE), SIDE), np.repeat(np.arange(SIDE), SIDE)], axis=1
).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Ready:
    """Grey pictures, uint8 (n, 28, 28), ink light, with the ink's box of each in MNIST's form, and None for others."""

    pictures: Image
    dark: Sequence[bool]  # which pictures were negatives
    boxes: Sequence[Box | None]

    def trace(self, place: int) -> Trace:
        """Return the trace of picture `place`, which is in MNIST's form."""
        return Trace(self.pictures[place], "dark-on-light" if self.dark[place] else "light-on-dark", self.boxes[place])


def ready(pictures: NDArray[np.uint8]) -> tuple[Batch, Ready]:
    """Find which grey pictures, uint8 (n, 28, 28), are in MNIST's form already, and scale them as `normalise` does.

    Returns float32 (n, 28, 28, 1), which is meant only for those, and a `Ready` that tells which they are. All 70,000
    digits of MNIST are in that form. Many pictures in one call take much less time than one call each.
    """
    pictures = np.array(pictures, order="C")  # a copy: traces show it even if the caller changes the array
    dark = pictures[:, 0, 0] > 127
    if dark.any():
        pictures = np.where(dark[:, None, None], 255 - pictures, pictures)
    values = pictures.reshape(-1, SIDE * SIDE).astype(np.float32)
    sums = (values @ _WEIGHTS).tolist()  # whole numbers, so float32 is exact
    most = np.maximum.reduce(pictures.reshape(-1, SIDE * SIDE), 1).tolist()
    rows, columns = (solid.tobytes() for solid in _solid(pictures > _FAINT))
    values /= np.float32(255)
    boxes: list[Box | None] = [None] * len(pictures)
    for place, (total, across, down) in enumerate(sums):
        # In MNIST, ink covers 4 to 45 % of a picture, and only rounding takes the centre of mass off the middle.
        if (
            0 < total < 0.5 * 255 * SIDE * SIDE
            and most[place] >= 224
            and abs(down - _MIDDLE * total) <= 0.53 * total
            and abs(across - _MIDDLE * total) <= 0.53 * total
        ):
            here, end = place * SIDE, place * SIDE + SIDE
            left, top = columns.find(1, here, end) - here, rows.find(1, here, end) - here
            right, bottom = columns.rfind(1, here, end) + 1 - here, rows.rfind(1, here, end) + 1 - here
            if _FIT - 2 <= max(right - left, bottom - top) <= _FIT:
                boxes[place] = (left, top, right, bottom)
    return values.reshape(-1, SIDE, SIDE, 1), Ready(pictures, dark.tolist(), boxes)


def _solid(inks: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which rows and which columns of pictures, bool (n, 28, 28), have ink: bool (n, 28) each."""
    if len(inks) < 8:
        return np.logical_or.reduce(inks, 2), np.logical_or.reduce(inks, 1)
    # NumPy reduces short rows one by one. Reading four pixels as one integer, for all pictures at once, is faster.
    fours = inks.view(np.uint32)
    across = fours[:, :, 0].copy()
    for place in range(1, SIDE // 4):
        across |= fours[:, :, place]
    down = fours[:, : SIDE // 2] | fours[:, SIDE // 2 :]
    down = down[:, :7] | down[:, 7:]
    return across != 0, np.bitwise_or.reduce(down, 1).view(np.bool_)


def _grey(picture: Image) -> Image | None:
    """Return a 28x28 picture as uint8 (28, 28) if its alpha is opaque and its colours are equal; else None."""
    if picture.ndim == 2:
        return picture
    if picture.shape[2] == 4 and picture[:, :, 3].min() < 255:
        return None
    if (picture[:, :, :1] != picture[:, :, 1:3]).any():
        return None
    return picture[:, :, 0]


def _find(picture: Image, settings: InkSettings) -> tuple[_Found, int]:
    """Return the digit's ink in a view, and the step by which the view was reduced for it. Raises `NoInk`."""
    step = max(1, max(picture.shape[:2]) // _WORK)
    return _search(reduce(picture, step), settings), step


def _on_sheet(
    picture: Image, body: Mask, high: float, step: int, settings: InkSettings
) -> tuple[_Found, int, Sheet] | None:
    """Search what may be a sheet of paper for ink.

    `body` is the sheet's mark, in a view of the picture that was reduced by `step`; `high` is its contrast to the
    table. Returns the ink, the step by which the sheet was reduced for it, and the sheet; None if it is no sheet or
    has no ink.
    """
    page = ~spread_out(~hull_of(body), _RIM)
    if not page.any():
        return None
    left, top, right, bottom = cells = box_of(page)
    height, width = picture.shape[:2]
    sheet = Sheet(_outward(cells, (0, 0, width, height), step), page[top:bottom, left:right])
    part = sheet.cut(picture)
    near = max(1, max(part.shape[:2]) // _WORK)
    with suppress(NoInk):
        small, page = sheet.spread(reduce(part, near))
        written = _search(small, settings, page)
        if written.high > 0.2 * high:
            return replace(written, marks=written.marks | ~page), near, sheet
    return None


def _closer(found: _Found, far: int, part: Image, corner: tuple[int, int], settings: InkSettings) -> tuple[_Found, int]:
    """Look at `found` again at a higher resolution, on the same background.

    `part` is a part of the view, with `corner` as its (x, y) there; `far` is the step by which the view was reduced for
    `found`. Returns the ink and the new step. Raises `NoInk`.
    """
    step = max(1, max(part.shape[:2]) // _WORK)
    small = reduce(part, step)
    (height, width), (rows, columns) = small.shape[:2], found.digit.shape
    left, top = corner[0] / far, corner[1] / far
    right, bottom = left + width * step / far, top + height * step / far
    share = (left / columns, top / rows, right / columns, bottom / rows)
    contrast, noise = contrast_to(small, found.ground, share)
    ink = contrast if found.polarity == "light-on-dark" else -contrast
    high = level_of(ink)
    low = _least(high, noise)
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
    return replace(found, level=level, box=box, high=high, ink=ink, marks=mask, digit=digit), step


def _least(high: float, noise: float) -> float:
    """Return the threshold for ink, in grey levels, by the ink's usual strength and the background's noise."""
    return min(max(0.3 * high, 2.5 * noise), 0.6 * high)


def _cut_out(ink: Plane, digit: Mask, low: float, high: float) -> tuple[Plane, Box]:
    """Return the ink of a digit's marks in their bounding box, float32 (h, w), 0-1, and the box."""
    left, top, right, bottom = box = box_of(digit)
    within = np.s_[top:bottom, left:right]
    # Ink of about the usual strength and more is 1, so that uneven ink and soft focus give strokes as even as MNIST's.
    return ((ink[within] - 0.8 * low) / (0.8 * (high - low))).clip(0, 1) * digit[within], box


def _search(small: Plane, settings: InkSettings, page: Mask | None = None) -> _Found:
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
            low = _least(high, noise)
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
            found = _Found(
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
    return found if eaten is None or found.sheet is not None else replace(found, sheet=eaten)


def _with_inside(small: Plane, marks: Marks) -> Mask | None:
    """Return the paper of which only the rim stands out from a smooth background: rim and inside, bool (h, w).

    None if the inside's colour in `small`, float32 (h, w, c), is not near the rim's but that of the surroundings, as in
    a bold 0.
    """
    if (found := marks.rim()) is None:
        return None
    rim, inside = found
    sheet = rim | inside
    around = spread_out(sheet, _BEYOND) & ~spread_out(sheet, _RIM)
    if not around.any():
        return None
    edge, within, beyond = (median_of(small[where]) for where in (rim, inside, around))
    return sheet if np.abs(within - edge).sum() < _ALIKE * np.abs(beyond - edge).sum() else None


def level_of(ink: Plane) -> float:
    """Return the usual strength of ink, in grey levels: the mean of what is above the isodata threshold.

    That threshold is the midpoint between the means of what is above and below it.
    """
    if float(ink.max()) < 1:
        return 0.0
    some = ink[ink >= 1].astype(np.intp)
    counts = np.bincount(some)
    counts[0] = ink.size - len(some)
    below, sums = counts.cumsum().tolist(), (counts * np.arange(len(counts))).cumsum().tolist()
    cut, high = (len(counts) - 1) // 2, 0.0
    for _ in range(8):
        high = (sums[-1] - sums[cut]) / (below[-1] - below[cut])
        midpoint = min(int(0.5 * (high + sums[cut] / max(1, below[cut]))), len(counts) - 2)
        if midpoint == cut:
            break
        cut = midpoint
    return high + 0.5


def _stroke(level: Plane) -> float:
    """Return the mean stroke width in pixels: twice the area of the ink over the length of its outline.

    By Crofton's formula that length is pi/4 of the number of pixel edges between ink and background.
    """
    solid = level > 0.5 * level.max()
    edges = np.count_nonzero(solid[1:] != solid[:-1]) + np.count_nonzero(solid[:, 1:] != solid[:, :-1])
    edges += np.count_nonzero(solid[[0, -1]]) + np.count_nonzero(solid[:, [0, -1]])
    return 2 * float(level.sum()) / max(1.0, math.pi / 4 * edges)


# (28, 112): multiplied from both sides, averages blocks of _FINE x _FINE canvas pixels.
_MEANS = np.repeat(np.eye(SIDE, dtype=np.float32) / np.float32(_FINE), _FINE, axis=1)


def _fit(level: Plane, settings: InkSettings, whole: bool = False) -> tuple[Image, float, tuple[float, float]]:
    """Bring ink, float32 (h, w), 0-1, cut to its box, to MNIST's form, uint8 (28, 28); also return scale and shift.

    Stroke widths are brought between the settings' `thin` and `thick`: thinner strokes would fade when the digit is
    reduced, and thicker ones clog. `whole` centres by whole model pixels, as MNIST was made, so that the bounding box
    stays within 20x20.
    """
    height, width = level.shape
    stroke = _stroke(level) * _FIT / max(height, width)
    wanted = min(max(stroke, settings.thin), settings.thick)
    grow = round((wanted - stroke) * _FINE / 2)
    scale = (_FIT * _FINE - 2 * max(grow, 0)) / max(height, width)
    columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
    method = PIL.Image.Resampling.BILINEAR if scale > 1 else PIL.Image.Resampling.BOX
    rim = abs(grow)
    canvas = np.zeros((rows + 2 * rim, columns + 2 * rim), np.uint8)
    canvas[rim : rim + rows, rim : rim + columns] = np.asarray(as_grey(level * 255).resize((columns, rows), method))
    for _ in range(rim):
        canvas = _thicker(canvas) if grow > 0 else 255 - _thicker(255 - canvas)
    tell("fitted", lambda: canvas)
    weights = canvas.astype(np.float32)
    across, down = np.ones(len(weights), np.float32) @ weights, weights @ np.ones(weights.shape[1], np.float32)
    total = max(1.0, float(across.sum()))
    middle = (_MIDDLE + 0.5) * _FINE - 0.5
    unit = _FINE if whole else 1
    x = unit * round((middle - float(across @ np.arange(len(across))) / total) / unit)
    y = unit * round((middle - float(down @ np.arange(len(down))) / total) / unit)
    page = np.zeros((SIDE * _FINE, SIDE * _FINE), np.float32)
    right, bottom = min(len(page), x + canvas.shape[1]), min(len(page), y + canvas.shape[0])
    page[max(0, y) : bottom, max(0, x) : right] = weights[max(0, -y) : bottom - y, max(0, -x) : right - x]
    seen = (_MEANS @ page @ _MEANS.T + np.float32(0.5)).astype(np.uint8)
    greatest = int(seen.max())
    if 0 < greatest < 255:
        seen = np.rint(seen * np.float32(255 / greatest)).astype(np.uint8)
    centred = ((SIDE * _FINE - canvas.shape[1]) / 2, (SIDE * _FINE - canvas.shape[0]) / 2)
    return seen, scale / _FINE, ((x - centred[0]) / _FINE, (y - centred[1]) / _FINE)


def _thicker(canvas: Image) -> Image:
    """Replace each pixel by the greatest of itself and its four neighbours: a grey dilation."""
    grown = canvas.copy()
    np.maximum(grown[1:], canvas[:-1], out=grown[1:])
    np.maximum(grown[:-1], canvas[1:], out=grown[:-1])
    np.maximum(grown[:, 1:], canvas[:, :-1], out=grown[:, 1:])
    np.maximum(grown[:, :-1], canvas[:, 1:], out=grown[:, :-1])
    return grown
