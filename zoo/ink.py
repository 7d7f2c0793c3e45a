"""A picture of one digit to what a digit model expects: MNIST's form, with the trace of what was done.

MNIST's form is light ink on black, the ink's box fitted into 20x20 with its aspect kept, and the centre of mass in the
middle of 28x28 (LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, Proc. IEEE
86 (11), 1998, section III-A). The rest is what it takes to find the ink in photographs, scans and drawings:

    reduce -> ground -> contrast -> marks of both polarities -> the digit's, or the paper's: then anew on that alone
    -> look nearer if it is small -> fit

Pillow and NumPy do all of it. OpenCV would spare the labelling of marks, 25 lines here, but costs each serving process
17 MB, where Pillow takes 5 and is needed to decode. Ground and marks have rooms of their own beside this one;
what is left is one way from end to end, and longer than most.
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
from zoo.types import Batch, Box, Image, Mask, Plane, Polarity, Trace

SIDE = 28
"""Pixels on each side of MNIST's form."""

# What follows was chosen with the defaults of `InkSettings`, on the same pictures and on drawn scenes of MNIST's
# training digits: shadows, ruled paper, frames, dirt, a table around the paper.
_FIT = 20  # MNIST's box
_MIDDLE = 14  # MNIST's centre of mass: 13.48 to 14.50 in all 70,000 digits, counting pixels from 0
_FAINT = 32  # of 255: what is fainter is no ink that the size of a digit is told by; so told, all of MNIST is 18 to 20
_SOLID = 80  # of 255: what is fainter at the rim of known ink is its soft edge
_FINE = 4  # strokes are made thicker or thinner, and centred, on a canvas this many times finer than the model's pixels
_WORK = 80  # ink is searched for at this many to twice as many pixels on the long side, if the picture has them
_ENOUGH = 30  # pixels on the long side of the ink's box; with fewer, it is looked at again from nearer
_RIM = 2  # cells along the edges of a sheet that are left out
_BEYOND = 6  # cells beside a sheet that tell what lies around it
_NO_SPOT = 25  # grey levels between a sheet and that, at the least
_ALIKE = 0.5  # of how far a sheet's rim is from what lies around it, that it may be from what is within it
_TOP = 0.96  # share of a sheet that stands out less than the ink on it, if that is a row
_STRIP = 1.5  # times a strip's contrast to its paper, beyond which that of what is written on it is
_DIRT = 4  # cells; a mark that is no digit's, and no larger, is nothing at all
_PLAIN = 12  # pixels on that side; with fewer, what was seen from afar is searched for anew, and on its own ground


DEFAULT = InkSettings()


@dataclass(frozen=True, slots=True)
class _Found:
    """Ink in a view of a picture.

    `level` is what lies in `box`, float32 (h, w), 0-1, and 0 outside the digit's own marks; `high` its contrast in grey
    levels; `weight` says how much like one digit it is; `several` that there is another mark as much like a digit.
    `ink`, in grey levels over its `ground`, its `marks` and those of the `digit` are over the view: float32, bool and
    bool (h, w). So is `sheet`, if the digit looks like a sheet of paper.
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
    """Paper in a picture: its box in the picture's pixels, and which cells of that are paper, bool (rows, columns)."""

    box: Box
    page: Mask

    def cut(self, picture: Image) -> Image:
        """The part of the picture in the box."""
        left, top, right, bottom = self.box
        return picture[top:bottom, left:right]

    def spread(self, small: Plane) -> tuple[Plane, Mask]:
        """That part, reduced to float32 (h, w, c), with the paper's border drawn out over what is none; and what is."""
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


def normalise(picture: Image, settings: InkSettings = DEFAULT) -> tuple[Batch, Trace]:
    """Bring `picture`, uint8 grey (h, w), RGB (h, w, 3) or RGBA (h, w, 4), to MNIST's form: float32 (28, 28, 1), 0-1.

    A picture in that form already, or its negative, passes unchanged but for the division by 255. Raises `NoInk` with
    `reason` "blank" when the picture is of one colour or shows lines alone, "no_contrast" when what varies is too faint
    or is noise.
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
    # A second look finds a digit of at least a third of its view; a third one settles what the first saw as a few dots.
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
    """Papers with ink on them, that lie in `picture` on a ground of their own, as notes on a table; [] without such.

    What is found first on any ground may be the ink on the paper, and not the paper: then more grounds are looked at.
    The table is in any case, as of several papers some may have been taken for ground.
    """
    step = max(1, max(picture.shape[:2]) // _WORK)
    small = reduce(picture, step)
    table = table_of(small)
    from_table = contrast_to(small, table)[0]

    def written(bodies: list[Mask], contrast: Plane, polarity: Polarity, high: float) -> list[Sheet]:
        """Those with ink on them. What is between its surroundings and its ink, as the strip of a highlighter, is none:
        its rim would cut digits."""
        papers = [body for body in bodies if _stands_out(body, contrast, high) and not _is_strip(body, from_table)]
        found = (_on_sheet(picture, body, high, step, settings) for body in papers)
        return [one[2] for one in found if one is not None and one[0].polarity != polarity]

    def lying_on(ground: Ground, polarities: Sequence[Polarity]) -> list[Sheet]:
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
    """Whether what is on a body differs from the table as that does, and by more: as ink that a highlighter went over.

    `from_table` is the contrast to the table, float32 (h, w).
    """
    own = float(np.median(from_table[body]))
    return float(np.quantile(from_table[hull_of(body)] * math.copysign(1, own), _TOP)) > _STRIP * abs(own)


def _stands_out(body: Mask, contrast: Plane, high: float) -> bool:
    """Whether what may be paper is lighter or darker than what lies around it, float32 (h, w).

    The cells of a table and the hole of a 0 have only lines around them, and beyond those the same paper; a spot of
    light has hardly darker paper.
    """
    hull = hull_of(body)
    around = spread_out(hull, _BEYOND) & ~spread_out(hull, _RIM)
    if not around.any():
        return True
    step = float(np.median(contrast[body])) - float(np.median(contrast[around]))
    return step > max(_NO_SPOT, 0.5 * high)


def fit(level: Image, settings: InkSettings = DEFAULT) -> Image:
    """Known ink, uint8 (h, w), light on black, to MNIST's form, uint8 (28, 28), which `normalise` passes unchanged.

    A search would take a bold digit that fills its picture for paper. Raises `NoInk`, "blank", when there is no ink.
    """
    solid = level > _SOLID
    if not solid.any():
        raise NoInk(f"The piece is blank: no ink in it is stronger than {_SOLID} of 255.", "blank")
    left, top, right, bottom = box_of(solid)
    return _fit(level[top:bottom, left:right].astype(np.float32) / np.float32(255), settings, whole=True)[0]


def resize(picture: Image) -> tuple[Batch, Trace]:
    """Only make `picture` grey and squeeze it to 28x28, whatever its shape and polarity; alpha is ignored.

    Returns float32 (28, 28, 1), 0-1. The trace's `scale` is that of the picture's long side.
    """
    image = PIL.Image.fromarray(picture).convert("L")
    seen = np.asarray(image.resize((SIDE, SIDE), PIL.Image.Resampling.BICUBIC))
    return _batch(seen), Trace(seen, box=(0, 0, *image.size), scale=SIDE / max(image.size))


def _batch(seen: Image) -> Batch:
    return (seen.astype(np.float32) / np.float32(255))[:, :, None]  # (28, 28) -> (28, 28, 1)


def _outward(box: Box, view: Box, step: int) -> Box:
    """A box in the pixels of a view reduced by `step`, in those of the picture."""
    left, top, right, bottom = (edge * step for edge in box)
    return view[0] + left, view[1] + top, min(view[2], view[0] + right), min(view[3], view[1] + bottom)


_WEIGHTS = np.stack(  # of a sum, and of its centre across and down: (28 28, 3)
    [np.ones(SIDE * SIDE), np.tile(np.arange(SIDE), SIDE), np.repeat(np.arange(SIDE), SIDE)], axis=1
).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Ready:
    """Grey pictures, uint8 (n, 28, 28), ink light, and the boxes of those that are in MNIST's form, else None."""

    pictures: Image
    dark: Sequence[bool]  # those that were negatives
    boxes: Sequence[Box | None]

    def trace(self, place: int) -> Trace:
        """That of a picture in MNIST's form."""
        return Trace(self.pictures[place], "dark-on-light" if self.dark[place] else "light-on-dark", self.boxes[place])


def ready(pictures: NDArray[np.uint8]) -> tuple[Batch, Ready]:
    """What `normalise` makes of grey pictures, uint8 (n, 28, 28), that have MNIST's form, and which of them have it.

    All 70,000 digits of MNIST have it. Many at once take much less time than one by one.
    """
    pictures = np.array(pictures, order="C")  # of its own, for traces to show however the given one changes
    dark = pictures[:, 0, 0] > 127
    if dark.any():
        pictures = np.where(dark[:, None, None], 255 - pictures, pictures)
    values = pictures.reshape(-1, SIDE * SIDE).astype(np.float32)
    sums = (values @ _WEIGHTS).tolist()  # whole numbers, and exact
    most = np.maximum.reduce(pictures.reshape(-1, SIDE * SIDE), 1).tolist()
    rows, columns = (solid.tobytes() for solid in _solid(pictures > _FAINT))
    values /= np.float32(255)
    boxes: list[Box | None] = [None] * len(pictures)
    for place, (total, across, down) in enumerate(sums):
        # MNIST's ink covers 4 to 45 % of a picture; its centre of mass is off the middle by rounding only.
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
    """Which rows and which columns of pictures (n, 28, 28) have ink, each (n, 28)."""
    if len(inks) < 8:
        return np.logical_or.reduce(inks, 2), np.logical_or.reduce(inks, 1)
    # NumPy goes through short rows one by one; four pixels at a time, and all pictures at once, it is quicker.
    fours = inks.view(np.uint32)
    across = fours[:, :, 0].copy()
    for place in range(1, SIDE // 4):
        across |= fours[:, :, place]
    down = fours[:, : SIDE // 2] | fours[:, SIDE // 2 :]
    down = down[:, :7] | down[:, 7:]
    return across != 0, np.bitwise_or.reduce(down, 1).view(np.bool_)


def _grey(picture: Image) -> Image | None:
    """A picture of 28x28 without the channels that tell nothing new, uint8 (28, 28); None if they do."""
    if picture.ndim == 2:
        return picture
    if picture.shape[2] == 4 and picture[:, :, 3].min() < 255:
        return None
    if (picture[:, :, :1] != picture[:, :, 1:3]).any():
        return None
    return picture[:, :, 0]


def _find(picture: Image, settings: InkSettings) -> tuple[_Found, int]:
    """The digit's ink in a view, and how many of the picture's pixels make one of the answer's. Raises `NoInk`."""
    step = max(1, max(picture.shape[:2]) // _WORK)
    return _search(reduce(picture, step), settings), step


def _on_sheet(
    picture: Image, body: Mask, high: float, step: int, settings: InkSettings
) -> tuple[_Found, int, Sheet] | None:
    """The ink on what may be a sheet of paper, of which `body` is the mark, `high` the contrast to the table.

    `step` is how many of the picture's pixels make one of the mark's. With the ink, how many make one of it, and the
    sheet. None if it is none, or empty.
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
    """The same ink on the same ground in a part of the view, with more pixels to it; `corner` is the part's (x, y).

    `far` is how many of the picture's pixels made one of the view's. Raises `NoInk`.
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
        raise NoInk("What was ink from afar is none from nearer.", "no_contrast")
    marks = Marks(mask, ink, settings.speck)
    digit = marks.digit(0.5 * high)
    level, box = _cut_out(ink, digit, low, high)
    return replace(found, level=level, box=box, high=high, ink=ink, marks=mask, digit=digit), step


def _least(high: float, noise: float) -> float:
    """The faintest ink, in grey levels, of ink of that usual strength on a ground of that noise."""
    return min(max(0.3 * high, 2.5 * noise), 0.6 * high)


def _cut_out(ink: Plane, digit: Mask, low: float, high: float) -> tuple[Plane, Box]:
    """How full the ink of a digit's marks is, 0-1, in their box, float32 (h, w), and the box."""
    left, top, right, bottom = box = box_of(digit)
    within = np.s_[top:bottom, left:right]
    # Full from about the usual strength on, so that uneven ink and soft focus give strokes as even as MNIST's.
    return ((ink[within] - 0.8 * low) / (0.8 * (high - low))).clip(0, 1) * digit[within], box


def _search(small: Plane, settings: InkSettings, page: Mask | None = None) -> _Found:
    """The digit's marks in float32 (h, w, 1 or 3), light or dark, whichever are more like a digit. Raises `NoInk`.

    Nothing is a mark outside of `page`, bool (h, w).
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
            f"The picture is blank: nothing in it differs from its ground by {SEEN:g} of 255 grey levels. Send one in "
            "which a digit can be seen.",
            "blank",
        )
    if found is None and has_dirt:
        raise NoInk(
            "The picture has no ink but lines from border to border, and specks at the border. Send one in which a "
            "digit can be seen.",
            "blank",
        )
    if found is None:
        raise NoInk(
            f"The picture has no ink that can be told from its ground: what stands out does so by {strongest:.0f} of "
            f"255 grey levels, the ground's noise is {noise:.0f}, and {settings.min_contrast:g} levels and "
            f"{settings.min_signal:g} times the noise are needed. Send one with more contrast.",
            "no_contrast",
        )
    return found if eaten is None or found.sheet is not None else replace(found, sheet=eaten)


def _with_inside(small: Plane, marks: Marks) -> Mask | None:
    """Paper of which a ground that is smooth leaves the rim alone, bool (h, w), with what that is around.

    Its inside has its rim's colour in `small`, float32 (h, w, c), and not that of what lies around, as in a bold 0.
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
    """The usual strength of ink, in grey levels: what is above the midpoint of the means above and below (isodata)."""
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
    """Mean width of the strokes in pixels: twice their area over their outline, whose length is pi/4 of the cell edges
    that it crosses (Crofton)."""
    solid = level > 0.5 * level.max()
    edges = np.count_nonzero(solid[1:] != solid[:-1]) + np.count_nonzero(solid[:, 1:] != solid[:, :-1])
    edges += np.count_nonzero(solid[[0, -1]]) + np.count_nonzero(solid[:, [0, -1]])
    return 2 * float(level.sum()) / max(1.0, math.pi / 4 * edges)


# Averages _FINE x _FINE pixels to one, from both sides: (28, 112).
_MEANS = np.repeat(np.eye(SIDE, dtype=np.float32) / np.float32(_FINE), _FINE, axis=1)


def _fit(level: Plane, settings: InkSettings, whole: bool = False) -> tuple[Image, float, tuple[float, float]]:
    """Ink, float32 (h, w), 0-1, cut to its box, to MNIST's form: uint8 (28, 28); with the scale and the shift.

    Strokes are brought between `thin` and `thick`: thinner ones would fade when they are made small, thicker ones clog.
    `whole` centres by whole pixels of the model, as MNIST was made, so that its box keeps within 20x20.
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
    """Each pixel the greatest of itself and its four neighbours."""
    grown = canvas.copy()
    np.maximum(grown[1:], canvas[:-1], out=grown[1:])
    np.maximum(grown[:-1], canvas[1:], out=grown[:-1])
    np.maximum(grown[:, 1:], canvas[:, :-1], out=grown[:, 1:])
    np.maximum(grown[:, :-1], canvas[:, 1:], out=grown[:, :-1])
    return grown
