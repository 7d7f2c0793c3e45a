"""A picture of one digit to what a digit model expects: MNIST's form, with the trace of what was done.

MNIST's form is light ink on black, the ink's box fitted into 20x20 with its aspect kept, and the centre of mass in the
middle of 28x28 (LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, Proc. IEEE
86 (11), 1998, section III-A). The rest is what it takes to find the ink in photographs, scans and drawings:

    reduce -> ground -> contrast -> marks of both polarities -> the digit's -> look nearer if it is small -> fit

Pillow and NumPy do all of it. OpenCV would spare the labelling of marks, 25 lines here, but costs each serving process
17 MB, where Pillow takes 5 and is needed to decode. The file is long because these steps share their few types and are
tuned as one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageFilter

from zoo.errors import NoInk
from zoo.settings import InkSettings
from zoo.types import Batch, Image, Polarity, Trace

SIDE = 28
"""Pixels on each side of MNIST's form."""

# What follows was chosen with the defaults of `InkSettings`, on the same pictures and on drawn scenes of MNIST's
# training digits: shadows, ruled paper, frames, dirt, a table around the paper.
_FIT = 20  # MNIST's box
_MIDDLE = 14  # MNIST's centre of mass: 13.48 to 14.50 in all 70,000 digits, counting pixels from 0
_FINE = 4  # strokes are made thicker or thinner, and centred, on a canvas this many times finer than the model's pixels
_WORK = 80  # ink is searched for at this many to twice as many pixels on the long side, if the picture has them
_ENOUGH = 36  # pixels on the long side of the ink's box; with fewer, it is looked at again from nearer
_COARSE = 24  # pixels on the long side of what an uneven ground is judged by
_WINDOW = 11  # coarse pixels of the median that is the first guess of the ground: over twice the widest stroke
_SIGMA = 1.5  # coarse pixels over which paper is averaged into the ground
_EVEN = 3.0  # grey levels by which a drawing's ground may vary and still be of one colour
_CHROMA = 8.0  # levels between the channels of a picture, above which colour tells something
_TWO_LEVELS = 0.05  # share of a picture's variance within two levels, under which it has no others
_SEEN = 4.0  # grey levels; below, nothing is there for an eye either

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]


DEFAULT = InkSettings()


@dataclass(frozen=True, slots=True)
class _Found:
    """Ink in a view of a picture.

    `level` is what lies in `box`, float32 (h, w), 0-1, and 0 outside the digit's own marks; `high` its contrast in grey
    levels; `weight` says how much like one digit it is. `sheet`, bool over the view, is there if it is none but paper.
    """

    level: Plane
    box: Box
    polarity: Polarity
    high: float
    weight: float
    sheet: Mask | None


def normalise(picture: Image, settings: InkSettings = DEFAULT) -> tuple[Batch, Trace]:
    """Bring `picture`, uint8 grey (h, w), RGB (h, w, 3) or RGBA (h, w, 4), to MNIST's form: float32 (28, 28, 1), 0-1.

    A picture in that form already, or its negative, passes unchanged but for the division by 255. Raises `NoInk` with
    `reason` "blank" when the picture is of one colour, "no_contrast" when what varies is too faint or is noise.
    """
    ready = _ready(picture)
    if ready is not None:
        return ready
    height, width = picture.shape[:2]
    view: Box = (0, 0, width, height)
    found, step = _find(picture, settings)
    # A second look finds a digit of at least a third of its view; a third one settles what the first saw as a few dots.
    for _ in range(2):
        left, top, right, bottom = _outward(found.box, view, step)
        long = max(right - left, bottom - top)
        margin = long // 3 + 2 * step
        nearer = (max(0, left - margin), max(0, top - margin), min(width, right + margin), min(height, bottom + margin))
        if step == 1 or long >= _ENOUGH * step or nearer == view:
            break
        try:
            found, step = _find(picture[nearer[1] : nearer[3], nearer[0] : nearer[2]], settings)
        except NoInk:
            break
        view = nearer
    seen, scale, shift = _fit(found.level, settings)
    return _batch(seen), Trace(seen, found.polarity, _outward(found.box, view, step), scale / step, shift)


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


_ONES = np.ones(SIDE, np.float32)
_PLACES = np.arange(SIDE, dtype=np.float32)


def _ready(picture: Image) -> tuple[Batch, Trace] | None:
    """The picture itself, if it has MNIST's form: all 70,000 digits do, and pass in about 10 µs."""
    if picture.shape[:2] != (SIDE, SIDE):
        return None
    if picture.ndim == 3:
        if picture.shape[2] == 4 and picture[:, :, 3].min() < 255:
            return None
        if (picture[:, :, :1] != picture[:, :, 1:3]).any():
            return None
        picture = picture[:, :, 0]
    polarity: Polarity = "light-on-dark"
    if picture[0, 0] > 127:
        polarity, picture = "dark-on-light", 255 - picture
    values = picture.astype(np.float32)
    rows, columns = values @ _ONES, _ONES @ values
    total = float(rows @ _ONES)
    # MNIST's ink covers 4 to 45 % of a picture; its centre of mass is off the middle by rounding only.
    if not (
        0 < total < 0.5 * 255 * SIDE * SIDE
        and abs(float(rows @ _PLACES) - _MIDDLE * total) <= 0.53 * total
        and abs(float(columns @ _PLACES) - _MIDDLE * total) <= 0.53 * total
    ):
        return None
    down, across = rows.nonzero()[0], columns.nonzero()[0]
    box = (int(across[0]), int(down[0]), int(across[-1]) + 1, int(down[-1]) + 1)
    if not _FIT - 2 <= max(box[2] - box[0], box[3] - box[1]) <= _FIT or picture.max() < 224:
        return None
    values /= np.float32(255)
    return values[:, :, None], Trace(picture, polarity, box)


def _find(picture: Image, settings: InkSettings) -> tuple[_Found, int]:
    """The digit's ink in a view, and how many of the picture's pixels make one of the answer's. Raises `NoInk`."""
    step = max(1, max(picture.shape[:2]) // _WORK)
    small = _reduce(picture, step)
    found = _search(small, settings)
    if found.sheet is not None:
        sheet, paper = _hull(found.sheet), np.median(small[found.sheet], axis=0)
        rim = max(2, round(0.04 * max(sheet.shape)))
        inner = np.where(_spread(~sheet, rim)[:, :, None], paper, small)
        try:
            on_sheet = _search(inner.astype(np.float32), settings)
        except NoInk:
            return found, step
        if on_sheet.high > 0.2 * found.high:
            return on_sheet, step
    return found, step


def _reduce(picture: Image, step: int) -> Plane:
    """Average step x step pixels, and lay what is transparent on a ground: float32 (h, w, 3), or (h, w, 1) if grey."""
    image = PIL.Image.fromarray(np.ascontiguousarray(picture))
    if image.mode == "RGBA" and picture[:, :, 3].min() < 255:
        return _without_colour(_opaque(np.asarray(image.convert("RGBa").reduce(step), np.float32)))
    if picture.ndim == 3 and _coloured(picture[::step, ::step].astype(np.float32)):
        return np.asarray(image.reduce(step), np.float32)[:, :, :3]
    return np.asarray(image.convert("L").reduce(step), np.float32)[:, :, None]


def _coloured(small: Plane) -> bool:
    """Whether (h, w, 3 or 4) has more colour than a JPEG gives to grey."""
    red, green, blue = small[:, :, 0], small[:, :, 1], small[:, :, 2]
    return bool(max(np.abs(red - green).max(), np.abs(green - blue).max()) > _CHROMA)


def _without_colour(small: Plane) -> Plane:
    return small if _coloured(small) else small.mean(axis=2, keepdims=True)


def _opaque(small: Plane) -> Plane:
    """Premultiplied RGBa (h, w, 4) to RGB (h, w, 3).

    Where all that can be seen is of about one colour, its form is in the alpha: it is laid on white or black, whichever
    is farther. Else the transparent part is only what surrounds a picture, and takes that picture's usual colour.
    """
    colour, alpha = small[:, :, :3], small[:, :, 3]
    solid = alpha >= min(200.0, float(alpha.max()))
    low, usual, high = np.percentile(colour[solid] * (255 / np.maximum(alpha[solid], 1))[:, None], (5, 50, 95), axis=0)
    if float((high - low).max()) <= 64:
        usual = np.full(3, 255.0 if float(usual.mean()) < 128 else 0.0)
    return np.asarray(colour + (1 - alpha / 255)[:, :, None] * usual, np.float32)


def _search(small: Plane, settings: InkSettings) -> _Found:
    """The digit's marks in float32 (h, w, 1 or 3), light or dark, whichever are more like a digit. Raises `NoInk`."""
    found = None
    strongest = noise = 0.0
    for ground, polarities in _grounds(small):
        contrast, noise = _contrast(small, ground)
        for polarity in polarities:
            ink = contrast if polarity == "light-on-dark" else -contrast
            high = _level(ink)
            strongest = max(strongest, high)
            if high < max(settings.min_contrast, settings.min_signal * noise):
                continue
            low = min(max(0.3 * high, 2.5 * noise), 0.6 * high)
            marks = _Marks(_unruled(ink > low), ink, settings.speck)
            if found is not None and marks.weight <= found.weight:
                continue
            digit = marks.digit(0.5 * high)
            left, top, right, bottom = box = _box(digit)
            within = np.s_[top:bottom, left:right]
            # Full from about the usual strength on, so that uneven ink and soft focus give strokes as even as MNIST's.
            level = np.clip((ink[within] - 0.8 * low) / (0.8 * (high - low)), 0, 1) * digit[within]
            found = _Found(level, box, polarity, high, marks.weight, marks.sheet())
    if strongest < _SEEN:
        raise NoInk(
            f"The picture is blank: nothing in it differs from its ground by {_SEEN:g} of 255 grey levels. Send one in "
            "which a digit can be seen.",
            "blank",
        )
    if found is None:
        raise NoInk(
            f"The picture has no ink that can be told from its ground: what stands out does so by {strongest:.0f} of "
            f"255 grey levels, the ground's noise is {noise:.0f}, and {settings.min_contrast:g} levels and "
            f"{settings.min_signal:g} times the noise are needed. Send one with more contrast.",
            "no_contrast",
        )
    return found


def _contrast(small: Plane, ground: Plane) -> tuple[Plane, float]:
    """By how many grey levels each pixel is lighter than its ground, float32 (h, w); and the ground's noise.

    Colours are measured along the direction in which the picture differs most from its ground, so that red ink on blue
    paper of the same brightness is seen.
    """
    away = small - ground
    if small.shape[2] == 1:
        contrast = away[:, :, 0]
    else:
        axis = np.linalg.eigh(np.einsum("ijk,ijl->kl", away, away))[1][:, -1]
        axis = (axis / np.abs(axis).sum() * (1 if axis.sum() >= 0 else -1)).astype(np.float32)
        contrast = away[:, :, 0] * axis[0] + away[:, :, 1] * axis[1] + away[:, :, 2] * axis[2]
    if ground.ndim == 3:
        light = ground.mean(axis=2)
        contrast = contrast * (light.mean() / np.maximum(light, 16))  # in a shadow, ink loses as much as its paper
    if small.shape[1] < 3:
        return contrast, 0.0
    # The median difference of two normal values is 0.954 sigma.
    return contrast, float(np.median(np.abs(contrast[::3, 2:] - contrast[::3, :-2]))) / 0.954


_BOTH: tuple[Polarity, ...] = ("light-on-dark", "dark-on-light")


def _grounds(small: Plane) -> Iterator[tuple[Plane, tuple[Polarity, ...]]]:
    """What a picture may be without ink, float32 (c,) if of one colour, else (h, w, c); and what to look for on it."""
    ring = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])  # (n, c)
    around = np.median(ring, axis=0)
    framed = (np.abs(ring - around).max(axis=1) <= _EVEN).mean() > 0.6
    if framed and (np.abs(small - around).max(axis=2) <= _EVEN).mean() > 0.3:
        yield around, _BOTH
        return
    usual = np.median(small, axis=(0, 1))
    if (np.abs(small - usual).max(axis=2) <= _EVEN).mean() > 0.5:
        yield usual, _BOTH
        return
    yield _uneven(small), _BOTH
    # Two clear levels: a digit that fills its picture leaves too little paper around it for the above.
    grey = small.mean(axis=2)
    if float(np.ptp(grey)) < _SEEN:
        return
    cut = float(grey.min() + grey.max()) / 2
    for _ in range(4):
        light = grey > cut
        cut = float(grey[light].mean() + grey[~light].mean()) / 2
    within = np.where(light, grey - grey[light].mean(), grey - grey[~light].mean())
    if float(within.var()) < _TWO_LEVELS * float(grey.var()):
        yield np.median(small[light], axis=0), ("dark-on-light",)
        yield np.median(small[~light], axis=0), ("light-on-dark",)


def _uneven(small: Plane) -> Plane:
    """The ground of a photograph, with its shadows and gradients: float32 (h, w, c)."""
    height, width, channels = small.shape
    scale = _COARSE / max(height, width)
    rows, columns = max(3, round(height * scale)), max(3, round(width * scale))
    coarse = np.stack([_scaled(small[:, :, channel], columns, rows) for channel in range(channels)], axis=2)
    grey = coarse.mean(axis=2)
    guess = np.asarray(_grey(grey).filter(ImageFilter.MedianFilter(_WINDOW)), np.float32)
    # The second guess is the mean of what the first takes for paper (normalised convolution: Knutsson, Westin, 1993).
    away = np.abs(grey - guess)
    paper = (away <= max(_SEEN, 0.3 * float(np.percentile(away, 98)))).astype(np.float32)
    down, across = _gauss(rows), _gauss(columns)
    weight = np.maximum(down @ paper @ across, np.float32(1e-6))
    ground = np.empty_like(small)
    for channel in range(channels):
        # A mean is pulled aside at the borders, where paper is on one side only: not so once its slope is taken off.
        slope = _slope(coarse[:, :, channel], paper)
        mean = (down @ (paper * (coarse[:, :, channel] - slope)) @ across) / weight + slope
        ground[:, :, channel] = _scaled(mean, width, height)
    return ground


def _slope(values: Plane, weight: Plane) -> Plane:
    """The plane through 0 that rises as `values` do where `weight` is: all float32 (h, w)."""
    plane = np.zeros_like(values)
    for axis in (0, 1):
        places = np.arange(values.shape[axis], dtype=np.float32) - np.float32((values.shape[axis] - 1) / 2)
        places = places[:, None] if axis == 0 else places[None, :]
        spread = float((weight * places**2).sum())
        plane = plane + places * np.float32(
            float((weight * places * (values - values.mean())).sum()) / max(spread, 1.0)
        )
    return plane


def _scaled(values: Plane, columns: int, rows: int) -> Plane:
    """Levels, float32 (h, w), to (rows, columns): averaged if that is smaller, else between the nearest."""
    method = PIL.Image.Resampling.BOX if columns * rows < values.size else PIL.Image.Resampling.BILINEAR
    return np.asarray(PIL.Image.fromarray(values).resize((columns, rows), method), np.float32)


def _grey(values: Plane) -> PIL.Image.Image:
    """Float levels 0-255 as Pillow's 8-bit grey."""
    return PIL.Image.fromarray(np.rint(values).astype(np.uint8))


def _gauss(size: int) -> Plane:
    """A blur along one axis as a matrix, float32 (size, size); what it weighs is for the caller to divide by."""
    places = np.arange(size, dtype=np.float32)
    square = (places[:, None] - places) ** 2
    near, wide = np.float32(-2 * _SIGMA**2), np.float32(-2 * (4 * _SIGMA) ** 2)
    # The wide, low second term reaches paper from inside the widest stroke.
    weights: Plane = np.exp(square / near) + np.float32(0.01) * np.exp(square / wide)
    return weights


def _level(ink: Plane) -> float:
    """The usual strength of ink, in grey levels: what is above the midpoint of the means above and below (isodata)."""
    if float(ink.max()) < 1:
        return 0.0
    counts = np.bincount(np.maximum(ink, 0).astype(np.intp).ravel())
    below, sums = np.cumsum(counts), np.cumsum(counts * np.arange(len(counts)))
    cut, high = (len(counts) - 1) // 2, 0.0
    for _ in range(8):
        high = float(sums[-1] - sums[cut]) / float(below[-1] - below[cut])
        midpoint = min(int(0.5 * (high + float(sums[cut]) / max(1.0, float(below[cut])))), len(counts) - 2)
        if midpoint == cut:
            break
        cut = midpoint
    return high + 0.5


def _unruled(mask: Mask) -> Mask:
    """Without thin lines from border to border, if the rest stands free of the borders, as a digit on lines does."""
    columns, rows = mask.any(axis=0), mask.any(axis=1)
    rest = mask
    if columns.mean() > 0.9:
        rest = rest & ~_lines(mask)
    if rows.mean() > 0.9:
        rest = rest & ~_lines(mask.T).T
    if rest is mask:
        return mask
    ring = np.concatenate([rest[0], rest[-1], rest[:, 0], rest[:, -1]])
    return rest if rest.any() and ring.mean() < 0.02 else mask


def _lines(mask: Mask) -> Mask:
    """The part of a mask that lies on horizontal lines, to 2 pixels of slope, and is no thicker than a line."""
    rows = _spread(mask, 2, across=False).mean(axis=1) > 0.9
    if not rows.any():
        return np.zeros_like(mask)
    limit = max(2, round(0.04 * max(mask.shape)))
    thick = mask
    for _ in range(limit):
        thick = thick[1:] & thick[:-1]
    opened = np.zeros_like(mask)
    for start in range(limit + 1):
        opened[start : start + len(thick)] |= thick
    on_lines: Mask = mask & ~opened & rows[:, None]
    return on_lines


def _spread(mask: Mask, times: int, across: bool = True) -> Mask:
    """Grow a mask by one cell up and down, and left and right if `across`, as many times."""
    for _ in range(times):
        grown = mask.copy()
        grown[1:] |= mask[:-1]
        grown[:-1] |= mask[1:]
        if across:
            grown[:, 1:] |= mask[:, :-1]
            grown[:, :-1] |= mask[:, 1:]
        mask = grown
    return mask


def _hull(mask: Mask) -> Mask:
    """A mask with all that lies between its cells both in its row and in its column."""
    rows = np.logical_or.accumulate(mask, 1) & np.logical_or.accumulate(mask[:, ::-1], 1)[:, ::-1]
    columns = np.logical_or.accumulate(mask, 0) & np.logical_or.accumulate(mask[::-1], 0)[::-1]
    hull: Mask = rows & columns
    return hull


def _box(mask: Mask) -> Box:
    down, across = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(across[0]), int(down[0]), int(across[-1]) + 1, int(down[-1]) + 1


class _Marks:
    """The marks of a mask, 8-connected: their ink, boxes, and which of them is most likely the digit's body.

    Labelled by their runs along the rows (He, Chao, Suzuki: A run-based two-scan labeling algorithm, IEEE Trans. Image
    Process. 17 (5), 2008), all runs at once in place of the second scan.
    """

    def __init__(self, mask: Mask, ink: Plane, speck: float) -> None:
        """Label `mask`, bool (h, w), which is not empty; `ink` is float32 (h, w), in grey levels."""
        self.mask, self.speck = mask, speck
        self.height, self.width = mask.shape
        self.pitch = self.width + 1  # a column of nothing keeps the runs of two rows apart
        padded = np.zeros((self.height, self.pitch), np.int8)
        padded[:, :-1] = mask
        edges = np.diff(padded.ravel(), prepend=np.int8(0), append=np.int8(0))
        self.starts, self.ends = (edges == 1).nonzero()[0], (edges == -1).nonzero()[0]
        self.mark = self._connect()
        count = int(self.mark.max()) + 1
        plane = np.zeros((self.height, self.pitch), np.float32)
        plane[:, :-1] = ink
        sums = np.add.reduceat(plane.ravel(), np.column_stack([self.starts, self.ends]).ravel())[::2]
        self.mass = np.bincount(self.mark, sums, count)
        self.area = np.bincount(self.mark, self.ends - self.starts, count)
        self.top, self.left = np.full(count, self.height), np.full(count, self.width)
        self.bottom, self.right = np.zeros((2, count), np.intp)
        np.minimum.at(self.top, self.mark, self.starts // self.pitch)
        np.maximum.at(self.bottom, self.mark, self.starts // self.pitch + 1)
        np.minimum.at(self.left, self.mark, self.starts % self.pitch)
        np.maximum.at(self.right, self.mark, self.ends % self.pitch)
        self.numbers = np.arange(count)
        self.sides = (self.top == 0).astype(int) + (self.left == 0)
        self.sides += (self.bottom == self.height).astype(int) + (self.right == self.width)
        self.foreign = self._foreign()
        # A foreign mark is the digit only if all the others are dirt beside it.
        weights = np.where(self.foreign, self.mass * speck, self.mass)
        self.best = int(weights.argmax())
        self.weight = float(weights[self.best])

    def _connect(self) -> NDArray[np.intp]:
        """The mark of each run, 0, 1, …"""
        first = np.searchsorted(self.ends, self.starts + self.pitch)
        last = np.searchsorted(self.starts, self.ends + self.pitch, "right")
        counts = np.maximum(last - first, 0)
        upper = np.repeat(np.arange(len(self.starts)), counts)
        lower = np.arange(len(upper)) + np.repeat(first - np.cumsum(counts) + counts, counts)
        mark = np.arange(len(self.starts))
        while True:
            before = mark.copy()
            least = np.minimum(before[upper], before[lower])
            np.minimum.at(mark, before[upper], least)
            np.minimum.at(mark, before[lower], least)
            mark = mark[mark]
            if (mark == before).all():
                return (np.cumsum(mark == np.arange(len(mark))) - 1)[mark]

    def _foreign(self) -> Mask:
        """Which marks look like no part of a digit, bool (n,): the table's edge, shadows, frames, a scanner's rim."""
        height, width, area = self.height, self.width, self.area
        tall, wide = self.bottom - self.top, self.right - self.left
        foreign = (self.sides >= 2) & (area > 0.45 * tall * wide) & (area > 0.03 * height * width)
        rim = round(0.04 * max(height, width))
        if rim > 1:
            foreign |= (self.bottom <= rim) | (self.top >= height - rim)
            foreign |= (self.right <= rim) | (self.left >= width - rim)
        for mark in ((tall > 0.5 * height) & (wide > 0.5 * width) & (area < 0.6 * tall * wide)).nonzero()[0]:
            body = self.paint(self.numbers == mark)[
                self.top[mark] : self.bottom[mark], self.left[mark] : self.right[mark]
            ]
            down, across = max(1, round(0.06 * tall[mark])), max(1, round(0.06 * wide[mark]))
            edges = (body[:down].any(0), body[-down:].any(0), body[:, :across].any(1), body[:, -across:].any(1))
            foreign[mark] |= sum(float(edge.mean()) > 0.8 for edge in edges) >= 3
        return np.asarray(foreign)

    def paint(self, marks: Mask) -> Mask:
        """Some of the marks, bool (n,), as bool (h, w)."""
        kept = marks[self.mark]
        edges = np.zeros(self.height * self.pitch + 1, np.int8)
        edges[self.starts[kept]] = 1
        edges[self.ends[kept]] = -1
        cells = np.cumsum(edges[:-1], dtype=np.int8).reshape(self.height, self.pitch)
        return cells[:, :-1].astype(bool)

    def sheet(self) -> Mask | None:
        """The heaviest mark, bool (h, w), if it is large and as good as filled: a sheet of paper, a card or a screen.

        The bounds lie between a square turned by 15 degrees with a bold digit on it, and the boldest digits, 8 and 1.
        """
        best, area = self.best, int(self.area[self.best])
        if max(self.mask.shape) < 64 or area < 0.16 * self.mask.size:
            return None
        width, height = int(self.right[best] - self.left[best]), int(self.bottom[best] - self.top[best])
        body = self.paint(self.numbers == best)
        covered = np.count_nonzero(_hull(body))
        filled = area > 0.8 * covered and covered > 0.68 * width * height
        return body if filled and max(width, height) < 1.6 * min(width, height) else None

    def digit(self, strong: float) -> Mask:
        """The marks of the digit, bool (h, w): its body and, near it, what is no dirt and no fainter than `strong`."""
        if len(self.mass) == 1:
            return self.mask
        best = self.best
        aside = np.maximum(self.left - self.right[best], self.left[best] - self.right)
        apart = np.maximum(self.top - self.bottom[best], self.top[best] - self.bottom)
        long = max(self.right[best] - self.left[best], self.bottom[best] - self.top[best])
        keep = (np.maximum(aside, apart) < 0.35 * long) | (self.mass > 0.5 * self.mass[best])
        keep &= (self.mass >= self.speck * self.mass[best]) & (self.mass > 0.5 * strong * self.area)
        if self.sides[best] < 2:  # else the digit fills its picture, and its other parts are at the borders too
            keep &= ~self.foreign
        keep[best] = True
        return self.paint(keep)


def _stroke(level: Plane) -> float:
    """Mean width of the strokes in pixels: twice their area over their outline, whose length is pi/4 of the cell edges
    that it crosses (Crofton)."""
    solid = level > 0.5
    edges = np.count_nonzero(solid[1:] != solid[:-1]) + np.count_nonzero(solid[:, 1:] != solid[:, :-1])
    edges += sum(np.count_nonzero(rim) for rim in (solid[0], solid[-1], solid[:, 0], solid[:, -1]))
    return 2 * float(level.sum()) / max(1.0, math.pi / 4 * edges)


def _fit(level: Plane, settings: InkSettings) -> tuple[Image, float, tuple[float, float]]:
    """Ink, float32 (h, w), 0-1, cut to its box, to MNIST's form: uint8 (28, 28); with the scale and the shift.

    Strokes are brought between `thin` and `thick`: thinner ones would fade when they are made small, thicker ones clog.
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
    canvas[rim : rim + rows, rim : rim + columns] = _grey(level * 255).resize((columns, rows), method)
    for _ in range(rim):
        canvas = _thicker(canvas) if grow > 0 else 255 - _thicker(255 - canvas)
    weights = canvas.astype(np.float32)
    across, down = weights.sum(axis=0), weights.sum(axis=1)
    total = max(1.0, float(across.sum()))
    middle = (_MIDDLE + 0.5) * _FINE - 0.5
    x = round(middle - float(across @ np.arange(len(across))) / total)
    y = round(middle - float(down @ np.arange(len(down))) / total)
    page = PIL.Image.new("L", (SIDE * _FINE, SIDE * _FINE))
    page.paste(PIL.Image.fromarray(canvas), (x, y))
    seen = np.asarray(page.reduce(_FINE))
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
