"""The ground of a picture, paper or screen, light or dark, even or not, and how far everything stands out from it."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from zoo.around import closed, medians_around
from zoo.types import Image, Mask, Plane, Polarity

# Chosen with the defaults of `InkSettings`, on the pictures that `zoo.ink` was tuned on.
_LONG = 8  # pixels to one, from which NumPy averages them sooner than Pillow has copied them
COARSE = 24  # pixels on the long side of what an uneven ground is judged by
_SIGMA = 1.5  # coarse pixels over which paper is averaged into the ground
_BARE = 0.01  # of the weights of such a mean; with less paper near it is none
_EVEN = 3.0  # grey levels by which a drawing's ground may vary and still be of one colour
_CHROMA = 8.0  # levels between the channels of a picture, above which colour tells something
_PLAIN = 0.8  # share of a picture that has its ground's colour, above which there is no shadow on it
_STEP = 0.08  # of the strongest contrast; by so much a ground that is smooth is off beside an edge in it
_STEPS = 3  # coarse pixels that are off so, and as many to the other side, where there is an edge
_NARROW = 0.28  # of the long side; what is narrower is no shadow but ink
_DARK = 0.25  # of the way from black to white; a picture whose median is less is mostly dark
_LARGE = 64  # pixels on the long side of what may show a shadow; strokes of the smallest pictures are as wide as one
_BRIGHT = 80  # the mean grey of the rim of paper, at the least, with a shadow or a table on a part of it
_SOME = 1500  # pixels that stand for all where a share or a median is asked for, at the least
_KEPT = 10_000  # cells of a matrix, up to which it is kept for the next picture
_TWO_LEVELS = 0.05  # share of a picture's variance within two levels, under which it has no others
_SHOWN = 16  # of 255; what is less opaque shows no colour
_FADES = 0.15  # of the range of a picture's colours, by which its rim is off at the least, if its ground was cut away
SEEN = 4.0  # grey levels; below, nothing is there for an eye either
_FITS = 5  # times that a table is fitted to a picture's rim; it hardly changes then
_ONE: Plane = np.ones((1, 1), np.float32)
BOTH: tuple[Polarity, ...] = ("light-on-dark", "dark-on-light")

Part = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of a picture, in shares of its sides."""

WHOLE: Part = (0, 0, 1, 1)


@dataclass(frozen=True, slots=True)
class Ground:
    """What a picture may be without ink, seen along one direction of its colours.

    `axis`, float32 (c,), makes one plane of c channels: the direction in which the picture differs most from its
    ground, so that red ink on blue paper of the same brightness is seen. `levels` is the ground along it, and `gain`
    what its contrast is multiplied by, since in a shadow ink loses as much as its paper: float32 (rows, columns),
    coarse, and (1, 1) if the ground is of one colour.
    """

    axis: NDArray[np.float32]
    levels: Plane
    gain: Plane
    is_smooth: bool = False  # and of several cells: it was averaged, and has no edges


def reduce(picture: Image, step: int) -> Plane:
    """Average step x step pixels, and lay what is transparent on a ground: float32 (h, w, 3), or (h, w, 1) if grey."""
    if picture.ndim == 2:
        return _reduced(PIL.Image.fromarray(np.ascontiguousarray(picture)), step)
    height, width, channels = picture.shape
    picture = np.ascontiguousarray(picture)
    # Read as one number per pixel, alpha is its highest byte.
    if channels == 4 and picture.view("<u4").min() < 255 << 24:
        if (level := _black_or_white(picture, step)) is not None:
            return level
        small = _opaque(_reduced(PIL.Image.fromarray(picture).convert("RGBa"), step))
        return small if _colour(small) > _CHROMA else grey_of(small)[:, :, None]
    some = picture[::step, ::step]
    if (some[:, :, 0] == some[:, :, 1]).all() and (some[:, :, 1] == some[:, :, 2]).all():
        # Cut to a byte, such a number is its red.
        plane = picture.view("<u4")[:, :, 0].astype(np.uint8) if channels == 4 else picture[:, :, 0]
        return _reduced(PIL.Image.fromarray(np.ascontiguousarray(plane)), step)
    colour = _colour(some)
    if colour > _CHROMA and step >= _LONG:
        return _averaged(picture, step)
    if colour <= _CHROMA and channels == 3:
        # Bytes side by side are as good as pixels side by side, and need not be copied.
        image = PIL.Image.fromarray(picture.reshape(height, 3 * width))
        return np.asarray(image.reduce((3 * step, step)), np.float32)[:, :, None]
    mode = "RGB" if channels == 3 else "RGBX"
    image = PIL.Image.frombuffer(mode, (width, height), picture, "raw", mode, 0, 1)
    return _reduced(image, step)[:, :, :3] if colour > _CHROMA else _reduced(image.convert("L"), step)


def _reduced(image: PIL.Image.Image, step: int) -> Plane:
    """Step x step pixels averaged by Pillow: float32 (h, w, c), whole numbers."""
    small = np.asarray(image.reduce(step), np.float32)
    return small if small.ndim == 3 else small[:, :, None]


def _averaged(picture: Image, step: int) -> Plane:
    """As `_reduced`, of (h, w, 3 or 4) to float32 (h, w, 3), without Pillow's copy of a large picture."""
    height, width, channels = picture.shape
    whole = height - height % step
    wide = np.uint16 if step <= 256 else np.uint32
    sums = picture[:whole].reshape(-1, step, width * channels).sum(axis=1, dtype=wide)  # (h, w c), reduced in h
    if whole < height:
        rest = picture[whole:].reshape(-1, width * channels).sum(axis=0, dtype=wide)
        sums = np.concatenate([sums, rest[None]])
    planes = np.ascontiguousarray(sums.reshape(-1, width, channels)[:, :, :3].transpose(2, 0, 1))
    down, across = np.arange(0, height, step), np.arange(0, width, step)
    sums = np.add.reduceat(planes, across, axis=2, dtype=np.uint32)
    cells = np.diff(down, append=height)[:, None] * np.diff(across, append=width)
    means: Plane = np.rint((sums / cells).transpose(1, 2, 0)).astype(np.float32)
    return means


def _colour(small: Plane | Image) -> float:
    """By how much the channels of (h, w, 3 or 4) differ at the most; a JPEG gives up to `_CHROMA` to grey."""
    planes = np.array(small[:, :, :3].transpose(2, 0, 1), np.result_type(small, np.int16), order="C")
    return float(np.abs(planes[1:] - planes[:-1]).max())


def grey_of(small: Plane) -> Plane:
    """The mean of 1 or 3 channels: float32 (h, w, c) to (h, w)."""
    if small.shape[2] == 1:
        return small[:, :, 0]
    return (small[:, :, 0] + small[:, :, 1] + small[:, :, 2]) / np.float32(3)


def median_of(values: Plane) -> NDArray[np.float32]:
    """The median of each column of float32 (n, c), as (c,); n is at least 1. `np.median` takes five times as long."""
    low, high = (len(values) - 1) // 2, len(values) // 2
    ordered = np.partition(values, (low, high), axis=0)
    middle: NDArray[np.float32] = (ordered[low] + ordered[high]) / 2
    return middle


def _share(values: Plane, colour: Plane) -> float:
    """Of float32 (n, c), how much has a colour (c,) in each channel, 0-1."""
    near = np.abs(values - colour) <= _EVEN
    alike = near[:, 0]
    for channel in range(1, near.shape[1]):
        alike = alike & near[:, channel]
    return np.count_nonzero(alike) / len(values)


def _black_or_white(picture: Image, step: int) -> Plane | None:
    """What `_opaque` makes of black or white ink on transparent ground, (h, w, 4), from its alpha alone: (h, w, 1).

    None if there is another colour.
    """
    pixels = picture.view("<u4")[:, :, 0]
    black = not np.bitwise_or.reduce(pixels, axis=None) & 0xFFFFFF
    if not black and (np.where(pixels > 0xFFFFFF, pixels, 0xFFFFFF) & 0xFFFFFF).min() < 0xFFFFFF:
        return None
    alpha = _reduced(PIL.Image.fromarray((pixels >> 24).astype(np.uint8)), step)
    return 255 - alpha if black else alpha


def _opaque(small: Plane) -> Plane:
    """Premultiplied RGBa (h, w, 4) to RGB (h, w, 3).

    Where all that can be seen is of about one colour, its form is in the alpha: it is laid on white or black, whichever
    is farther. What fades towards its rim had a ground that was made transparent, and gets that again. Else the
    transparent part is only what surrounds a picture, and takes that picture's usual colour.
    """
    colour, alpha = small[:, :, :3], small[:, :, 3]
    solid = alpha >= min(200.0, float(alpha.max()))
    ordered = np.sort(colour[solid] * (255 / np.maximum(alpha[solid], 1))[:, None], axis=0)
    low, usual, high = ordered[[round(share * (len(ordered) - 1)) for share in (0.05, 0.5, 0.95)]]
    if float((high - low).max()) <= 64:
        usual = np.full(3, 255 if float(usual.mean()) < 128 else 0, np.float32)
    elif abs(fading := _fading(colour, alpha)) > _FADES * float((high - low).mean()):
        usual = high if fading > 0 else low
    opaque, through = np.empty_like(colour), 1 - alpha / 255
    for channel in range(3):
        opaque[:, :, channel] = colour[:, :, channel] + through * usual[channel]
    return opaque


def _fading(colour: Plane, alpha: Plane) -> float:
    """By how many grey levels cells get lighter, from those amid others to those that are half surrounded by nothing.

    `colour`, (h, w, 3), is premultiplied by `alpha`, (h, w), 0-255.
    """
    shown = alpha >= _SHOWN
    if not shown.any():
        return 0.0
    empty = np.pad(~shown, 1, constant_values=False)
    height, width = alpha.shape
    shifts = [(down, across) for down in range(3) for across in range(3)]
    beside = np.sum([empty[y : y + height, x : x + width] for y, x in shifts], axis=0)[shown].astype(np.float32)
    grey = grey_of(colour)[shown] * (255 / alpha[shown])
    beside -= beside.mean()
    return 4 * float(beside @ grey) / max(1.0, float(beside @ beside))


def contrast_to(small: Plane, ground: Ground, part: Part = WHOLE) -> tuple[Plane, float]:
    """By how many grey levels each pixel is lighter than its ground, float32 (h, w); and the ground's noise.

    `part` says where `small`, float32 (h, w, c), lies in the picture that the ground was found in.
    """
    if small.shape[2] == len(ground.axis):
        plane = small[:, :, 0] if small.shape[2] == 1 else small @ ground.axis
    else:  # of a coloured picture, a part may be grey, and the other way round
        plane = grey_of(small) * ground.axis.sum()
    height, width = plane.shape
    if ground.levels.size == 1:
        contrast = plane - ground.levels
    else:
        left, top, right, bottom = part
        rows, columns = ground.levels.shape
        down, across = _matrix(rows, height, top, bottom), _matrix(columns, width, left, right).T
        contrast = (plane - down @ ground.levels @ across) * (down @ ground.gain @ across)
    if width < 3:
        return contrast, 0.0
    # The median difference of two normal values is 0.954 sigma.
    differences = np.abs(contrast[::3, 2:] - contrast[::3, :-2])
    return contrast, float(median_of(differences.reshape(-1, 1))[0]) / 0.954


def grounds_of(small: Plane, cells: int = COARSE, more: bool = False) -> Iterator[tuple[Ground, tuple[Polarity, ...]]]:
    """What a picture, float32 (h, w, c), may be without ink, and what to look for on it.

    The search ends with a colour that most of the picture has, unless `more` is asked for: a part of a large picture
    may lie in a shadow.
    """
    height, width, channels = small.shape
    ring = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])  # (n, c)
    every = max(1, math.isqrt(height * width // _SOME))
    some = small[::every, ::every].reshape(-1, channels)
    colour, share = _usual(ring, some)
    if share > _PLAIN:
        yield _of_colour(some, colour), BOTH
        if not more:
            return
    uneven, has_edges = _uneven(small, cells)
    if has_edges and max(height, width) >= _LARGE and float(ring.mean()) > _BRIGHT:
        yield _with_edges(small), ("dark-on-light",)
        if not more:
            return
    if 0 < share <= _PLAIN:
        yield _of_colour(some, colour), BOTH
        if not more:
            return
    yield uneven, BOTH
    # A digit that fills its picture leaves too little paper around it for the above.
    light = _of_two_levels(some)
    if light is not None:
        yield _of_colour(some, median_of(some[light])), ("dark-on-light",)
        yield _of_colour(some, median_of(some[~light])), ("light-on-dark",)


def table_of(small: Plane) -> Ground:
    """What lies around all papers in a picture, float32 (h, w, c), as its rim tells: its light rises or falls evenly.

    A table with a grain has no colour of its own, and a smooth ground goes up to the paper inside of each sheet.
    """
    coarse = _coarse(small, COARSE)
    rows, columns, channels = coarse.shape
    down, across = (grid.ravel() for grid in np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j])
    places = np.stack([np.ones_like(down), down, across, down * across], axis=1).astype(np.float32)  # (cells, 4)
    on_rim = np.maximum(np.abs(down), np.abs(across)) > 1 - 1 / max(rows, columns)
    rim, levels = places[on_rim], coarse.reshape(-1, channels)[on_rim]
    weights = np.ones((len(rim), 1), np.float32)
    # The farther a cell is off, the less it counts next: paper at the border is no table.
    for _ in range(_FITS):
        pull = (rim * weights).T
        slopes = np.linalg.solve(pull @ rim, pull @ levels)  # (4, c)
        weights = np.maximum(SEEN, np.abs(levels - rim @ slopes).max(axis=1, keepdims=True)) ** -2
    table = (places @ slopes).reshape(coarse.shape)
    axis = _axis((coarse - table).reshape(-1, channels))
    return Ground(axis, table @ axis, np.ones((rows, columns), np.float32))


def _of_two_levels(some: Plane) -> Mask | None:
    """Which of some pixels, float32 (n, c), are light, bool (n,), if they are of two clear levels; else None."""
    grey = grey_of(some[None])[0]
    least, most = float(grey.min()), float(grey.max())
    if most - least < SEEN:
        return None
    total, cut = float(grey.sum()), (least + most) / 2
    for _ in range(4):
        light = grey > cut
        count, lights = np.count_nonzero(light), float(grey @ light)
        lighter, darker = lights / count, (total - lights) / (len(grey) - count)
        cut = (lighter + darker) / 2
    # The variance of all is that between the two levels and that within them.
    variance = float(grey.var())
    between = count * (len(grey) - count) / len(grey) ** 2 * (lighter - darker) ** 2
    return light if variance - between < _TWO_LEVELS * variance else None


def _usual(ring: Plane, some: Plane) -> tuple[NDArray[np.float32], float]:
    """The colour (c,) that most of a picture has, as far as its rim and some of its pixels tell, float32 (n, c).

    With it the share of those pixels that have it, 0-1, which is 0 when there is no such colour.
    """
    around = median_of(ring)
    share = _share(some, around)
    if share > 0.3 and _share(ring, around) > 0.6:
        return around, share
    middle = median_of(some)
    share = _share(some, middle)
    return middle, share if share > 0.5 else 0.0


def _axis(away: Plane) -> NDArray[np.float32]:
    """The direction of colours, float32 (n, c), that are farthest from 0, as (c,)."""
    if away.shape[1] == 1:
        return np.asarray(_ONE[0], np.float32)
    axis = np.linalg.eigh(away.T @ away)[1][:, -1]
    axis = axis / np.abs(axis).sum() * (1 if axis.sum() >= 0 else -1)
    return np.asarray(axis, np.float32)


def _of_colour(some: Plane, colour: NDArray[np.float32]) -> Ground:
    """A ground of one colour, (c,), of a picture of which some pixels are float32 (n, c)."""
    if len(colour) == 1:
        return Ground(_ONE[0], colour[None], _ONE)
    axis = _axis(some - colour)
    return Ground(axis, (colour @ axis).reshape(1, 1), _ONE)


def _uneven(small: Plane, cells: int) -> tuple[Ground, bool]:
    """The ground of a photograph, float32 (h, w, c), with its shadows and gradients; and whether it has edges, too."""
    coarse = _coarse(small, cells)
    grey = grey_of(coarse)
    paper, most = _paper(np.abs(grey - medians_around(np.rint(grey).astype(np.int32))))
    # The second guess is the mean of what the first takes for paper.
    ground = _mean_of(coarse, paper)
    return _along_axis(coarse, ground), _has_edges(grey, grey_of(ground), _STEP * most)


def beneath(small: Plane, cells: int, covered: Mask) -> Ground | None:
    """The uneven ground of `small`, float32 (h, w, c), as it goes on where it is `covered` by ink, bool (h, w).

    A median takes the inside of a bold digit, or of two that touch, for paper. Here paper is what differs little from
    the ground beside all that may be ink; None where too little of that is near.
    """
    coarse = _coarse(small, cells)
    free = (_coarse(covered[:, :, None].astype(np.float32), cells)[:, :, 0] == 0).astype(np.float32)
    if (_gauss(len(free)) @ free @ _gauss(free.shape[1])).min() < _BARE:
        return None
    paper, _ = _paper(np.abs(grey_of(coarse) - grey_of(_mean_of(coarse, free))))
    return _along_axis(coarse, _mean_of(coarse, paper))


def _coarse(small: Plane, cells: int) -> Plane:
    """A picture, float32 (h, w, c), as the means of its cells, so many on its long side: float32 (rows, columns, c)."""
    height, width, channels = small.shape
    scale = cells / max(height, width)
    rows, columns = max(3, round(height * scale)), max(3, round(width * scale))
    coarse = _matrix(height, rows) @ small.reshape(height, -1)  # (h, w c) -> (rows, w c)
    means: Plane = _matrix(width, columns) @ coarse.reshape(rows, width, channels)  # -> (rows, columns, c)
    return means


def _paper(away: Plane) -> tuple[Plane, float]:
    """Which cells are paper, 1 or 0, by how far they are from a guess at it, float32 (rows, columns), in grey levels.

    With it how far the farthest are, but for a few.
    """
    strong = round(0.98 * (away.size - 1))
    most = float(np.partition(away.ravel(), strong)[strong])
    return (away <= max(SEEN, 0.3 * most)).astype(np.float32), most


def _mean_of(coarse: Plane, paper: Plane) -> Plane:
    """The mean around each cell, float32 (rows, columns, c), of those that are paper, float32 (rows, columns), 0 or 1.

    A normalised convolution (Knutsson, Westin, 1993).
    """
    rows, columns = paper.shape
    down, across = _gauss(rows), _gauss(columns)
    weight = np.maximum(down @ paper @ across, np.float32(1e-6))
    # A mean is pulled aside at the borders, where paper is on one side only: not so once its slope is taken off.
    slopes = _slopes(coarse, paper)
    level = paper[:, :, None] * (coarse - slopes)
    mean = across @ (down @ level.reshape(rows, -1)).reshape(coarse.shape)
    return np.asarray(mean / weight[:, :, None] + slopes, np.float32)


def _along_axis(coarse: Plane, ground: Plane) -> Ground:
    """A ground, float32 (rows, columns, c), in the direction in which the picture differs from it most."""
    axis = _axis((coarse - ground).reshape(-1, coarse.shape[2]))
    light = grey_of(ground)
    return Ground(axis, ground @ axis, light.mean() / np.maximum(light, 16), is_smooth=True)


def _has_edges(grey: Plane, ground: Plane, step: float) -> bool:
    """Whether a smooth ground is off beside an edge, too light on its dark side and too dark on the other.

    `grey` and `ground` are float32 (rows, columns), `step` is what is off in grey levels.
    """
    step = max(2 * SEEN, step)
    size = round(_NARROW * max(grey.shape))
    if np.count_nonzero(ground - closed(grey, size) > step) < _STEPS:
        return False
    # Of a picture that is mostly dark, light strokes that go over its border are no paper.
    low, middle, high = np.sort(grey.ravel())[[grey.size // 50, grey.size // 2, -1 - grey.size // 50]]
    opened = -closed(-grey, size, beyond=bool(middle - low > _DARK * (high - low)))
    return bool(np.count_nonzero(opened - ground > step) >= _STEPS)


def _with_edges(small: Plane) -> Ground:
    """The ground of paper, float32 (h, w, c), with edges in it, as of a shadow or of what it lies on.

    What is darker than its surroundings and narrower than `_NARROW` is taken away, and all else keeps its edges.
    """
    height, width, channels = small.shape
    paper = closed(small, round(_NARROW * max(height, width)))
    paper -= median_of((paper - small).reshape(-1, channels))  # by so much noise lifts it
    axis = _axis((small - paper).reshape(-1, channels))
    light = grey_of(paper)
    return Ground(axis, paper @ axis, light.mean() / np.maximum(light, 16))


def _slopes(values: Plane, weight: Plane) -> Plane:
    """For each channel the plane through 0 that rises as it does where `weight` is: (h, w, c), of (h, w, c) and (h, w).

    All are float32.
    """
    rows, columns = weight.shape
    down = np.arange(rows, dtype=np.float32) - np.float32((rows - 1) / 2)
    across = np.arange(columns, dtype=np.float32) - np.float32((columns - 1) / 2)
    flat, weights = values.reshape(weight.size, -1), (weight * down[:, None], weight * across)
    even = flat - np.full(weight.size, 1 / weight.size, np.float32) @ flat
    fall, rise = (
        (pull.ravel() @ even) / max(float((pull * places).sum()), 1.0)  # (c,)
        for pull, places in zip(weights, (down[:, None], across), strict=True)
    )
    return np.asarray(down[:, None, None] * fall + across[:, None] * rise, np.float32)


def _matrix(size: int, to: int, start: float = 0, end: float = 1) -> Plane:
    """Brings the part from `start` to `end` of a line of pixels to others: float32 (to, size)."""
    return (_kept_weights if size * to <= _KEPT else _weights)(size, to, start, end)


def _weights(size: int, to: int, start: float, end: float) -> Plane:
    """Each of a line of pixels the mean of those it covers, or if they are more, of the two that it lies between."""
    edges = size * (start + (end - start) / to * np.arange(to + 1, dtype=np.float32))
    places = np.arange(size, dtype=np.float32)
    if (end - start) * size > to:
        own = (edges[:-1, None] < places + 0.5) & (places + 0.5 <= edges[1:, None])
        return np.asarray(own / own.sum(axis=1, keepdims=True).clip(1), np.float32)
    middles = ((edges[1:] + edges[:-1] - 1) / 2).clip(0, size - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(middles[:, None] - places)), np.float32)


_kept_weights = functools.lru_cache(maxsize=64)(_weights)


def as_grey(values: Plane) -> PIL.Image.Image:
    """Float levels 0-255 as Pillow's 8-bit grey."""
    return PIL.Image.fromarray(np.rint(values).astype(np.uint8))


@functools.cache
def _gauss(size: int) -> Plane:
    """A blur along one axis as a matrix, float32 (size, size); what it weighs is for the caller to divide by."""
    places = np.arange(size, dtype=np.float32)
    square = (places[:, None] - places) ** 2
    near, wide = np.float32(-2 * _SIGMA**2), np.float32(-2 * (4 * _SIGMA) ** 2)
    # The wide, low second term reaches paper from inside the widest stroke.
    weights: Plane = np.exp(square / near) + np.float32(0.01) * np.exp(square / wide)
    return weights
