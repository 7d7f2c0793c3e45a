"""Estimate the background of a picture, called its ground here, and the contrast of every pixel to it.

The background may be paper or a screen, light or dark, even or uneven.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from zoo.filters import closed, medians_around
from zoo.types import Image, Mask, Plane, Polarity

# Chosen with the defaults of `InkSettings`, on the pictures that `zoo.ink` was tuned on.
_LONG = 8  # reduction step from which NumPy's averaging is faster than Pillow's, which copies the picture first
COARSE = 24  # pixels on the long side of the coarse picture in which an uneven background is estimated
_SIGMA = 1.5  # coarse pixels: sigma of the Gaussian that averages paper into the background
_BARE = 0.01  # total weight of the paper near a cell, below which there is no background to estimate
_EVEN = 3.0  # grey levels by which a drawing's background may vary and still count as one colour
_CHROMA = 8.0  # levels between a picture's channels, above which its colour is used
_PLAIN = 0.8  # share of a picture in its background's colour, above which there is no shadow on it
_STEP = 0.08  # of the strongest contrast: error of a smooth background beside an edge of the real one
_STEPS = 3  # coarse pixels with that error, on each side of such an edge, at least
_NARROW = 0.28  # of the long side; what is narrower is ink and no shadow
_DARK = 0.25  # of the range from darkest to lightest; a picture whose median is lower is mostly dark
_LARGE = 64  # pixels on the long side of a picture that may show a shadow; in smaller ones a stroke is as wide as one
_BRIGHT = 80  # grey level: mean of the border of paper with a shadow or a table on a part of it, at least
_SOME = 1500  # pixels that are sampled for a share or a median, at least
_KEPT = 10_000  # elements of a resampling matrix, up to which it is cached
_TWO_LEVELS = 0.05  # of a picture's variance: what two levels leave unexplained in a picture that has no others
_SHOWN = 16  # alpha, of 255; a less opaque pixel shows no colour
_FADES = 0.15  # of a picture's range of colours: how much its rim differs, at least, if its background was cut away
SEEN = 4.0  # grey levels; a smaller contrast is invisible to the eye too
_FITS = 5  # iterations of fitting a table to a picture's border; more hardly change it
_ONE: Plane = np.ones((1, 1), np.float32)  # gain of a background of one colour; its row is the axis of one channel
BOTH: tuple[Polarity, ...] = ("light-on-dark", "dark-on-light")

Part = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of a picture, as fractions of its sides."""

WHOLE: Part = (0, 0, 1, 1)


@dataclass(frozen=True, slots=True)
class Ground:
    """A guess at a picture without its ink, projected on one direction of its colours.

    `axis`, float32 (c,), turns c channels into one plane. It is the direction in which the picture differs most from
    its background, so that red ink on blue paper of the same brightness is found. `levels` is the background along
    that axis. Contrasts are multiplied by `gain`, since ink in a shadow darkens as much as its paper. Both are coarse,
    float32 (rows, columns), and (1, 1) if the background has one colour.
    """

    axis: NDArray[np.float32]
    levels: Plane
    gain: Plane
    is_smooth: bool = False  # whether it was averaged, and so has several cells and no edges


def reduce(picture: Image, step: int) -> Plane:
    """Average blocks of step x step pixels, and put transparent pixels on a background.

    Returns float32 (h, w, 3), or (h, w, 1) if the picture is grey or nearly so.
    """
    if picture.ndim == 2:
        return _reduced(PIL.Image.fromarray(np.ascontiguousarray(picture)), step)
    height, width, channels = picture.shape
    picture = np.ascontiguousarray(picture)
    # With each pixel read as one little-endian number, alpha is the highest byte.
    if channels == 4 and picture.view("<u4").min() < 255 << 24:
        if (level := _black_or_white(picture, step)) is not None:
            return level
        small = _opaque(_reduced(PIL.Image.fromarray(picture).convert("RGBa"), step))
        return small if _colour(small) > _CHROMA else grey_of(small)[:, :, None]
    some = picture[::step, ::step]
    if (some[:, :, 0] == some[:, :, 1]).all() and (some[:, :, 1] == some[:, :, 2]).all():
        # The lowest byte of such a number is red.
        plane = picture.view("<u4")[:, :, 0].astype(np.uint8) if channels == 4 else picture[:, :, 0]
        return _reduced(PIL.Image.fromarray(np.ascontiguousarray(plane)), step)
    colour = _colour(some)
    if colour > _CHROMA and step >= _LONG:
        return _averaged(picture, step)
    if colour <= _CHROMA and channels == 3:
        # The mean over all channels: a row of bytes is reduced as if each were a pixel, which saves a copy.
        image = PIL.Image.fromarray(picture.reshape(height, 3 * width))
        return np.asarray(image.reduce((3 * step, step)), np.float32)[:, :, None]
    mode = "RGB" if channels == 3 else "RGBX"
    image = PIL.Image.frombuffer(mode, (width, height), picture, "raw", mode, 0, 1)
    return _reduced(image, step)[:, :, :3] if colour > _CHROMA else _reduced(image.convert("L"), step)


def _reduced(image: PIL.Image.Image, step: int) -> Plane:
    """Average blocks of step x step pixels with Pillow: float32 (h, w, c), whole numbers."""
    small = np.asarray(image.reduce(step), np.float32)
    return small if small.ndim == 3 else small[:, :, None]


def _averaged(picture: Image, step: int) -> Plane:
    """Average (h, w, 3 or 4) to float32 (h, w, 3) as `_reduced` does, without Pillow's copy of a large picture."""
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
    """Return the largest difference between channels of (h, w, 3 or 4); in a grey JPEG it may reach `_CHROMA`."""
    planes = np.array(small[:, :, :3].transpose(2, 0, 1), np.result_type(small, np.int16), order="C")
    return float(np.abs(planes[1:] - planes[:-1]).max())


def grey_of(small: Plane) -> Plane:
    """Return the mean of 1 or 3 channels: float32 (h, w, c) to (h, w)."""
    if small.shape[2] == 1:
        return small[:, :, 0]
    return (small[:, :, 0] + small[:, :, 1] + small[:, :, 2]) / np.float32(3)


def median_of(values: Plane) -> NDArray[np.float32]:
    """Return the median of each column of float32 (n, c), n > 0, as (c,). `np.median` takes five times as long."""
    low, high = (len(values) - 1) // 2, len(values) // 2
    ordered = np.partition(values, (low, high), axis=0)
    middle: NDArray[np.float32] = (ordered[low] + ordered[high]) / 2
    return middle


def _share(values: Plane, colour: Plane) -> float:
    """Return the share, 0-1, of float32 (n, c) that has a colour (c,), within `_EVEN` in each channel."""
    near = np.abs(values - colour) <= _EVEN
    alike = near[:, 0]
    for channel in range(1, near.shape[1]):
        alike = alike & near[:, channel]
    return np.count_nonzero(alike) / len(values)


def _black_or_white(picture: Image, step: int) -> Plane | None:
    """Return what `_opaque` makes of black or white ink on a transparent background, from alpha alone.

    (h, w, 4) to (h, w, 1). None if the picture has another colour.
    """
    pixels = picture.view("<u4")[:, :, 0]
    black = not np.bitwise_or.reduce(pixels, axis=None) & 0xFFFFFF
    if not black and (np.where(pixels > 0xFFFFFF, pixels, 0xFFFFFF) & 0xFFFFFF).min() < 0xFFFFFF:
        return None
    alpha = _reduced(PIL.Image.fromarray((pixels >> 24).astype(np.uint8)), step)
    return 255 - alpha if black else alpha


def _opaque(small: Plane) -> Plane:
    """Put premultiplied RGBa, (h, w, 4), on an opaque background: RGB (h, w, 3).

    - If the visible part has about one colour, the shape is in the alpha: it goes on white or black, whichever is
      farther from that colour.
    - If it fades towards its rim, its background was made transparent: it goes on that background again.
    - Otherwise the transparent part surrounds a picture, and takes the picture's median colour.
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
    """Return how much lighter, in grey levels, the rim of the visible part is than its inside, by linear regression.

    At the rim, half of a cell's neighbours are transparent. `colour`, (h, w, 3), is premultiplied by `alpha`, (h, w),
    0-255.
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
    """Return by how many grey levels each pixel is lighter than its background, float32 (h, w), and the noise's sigma.

    `part` is where `small`, float32 (h, w, c), lies in the picture for which the background was estimated.
    """
    if small.shape[2] == len(ground.axis):
        plane = small[:, :, 0] if small.shape[2] == 1 else small @ ground.axis
    else:  # a part of a coloured picture may be grey, and the other way round
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
    # The median absolute difference of two normal values is 0.954 sigma.
    differences = np.abs(contrast[::3, 2:] - contrast[::3, :-2])
    return contrast, float(median_of(differences.reshape(-1, 1))[0]) / 0.954


def grounds_of(small: Plane, cells: int = COARSE, more: bool = False) -> Iterator[tuple[Ground, tuple[Polarity, ...]]]:
    """Yield backgrounds to try for a picture, float32 (h, w, c), each with the polarities of ink to look for on it.

    It stops at one that is nearly certain, such as a colour that most of the picture has, unless `more` is set: a part
    of a large picture may lie in a shadow. `cells` is the long side of the coarse picture for an uneven background.
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
    # A digit that fills its picture leaves too little paper around it for the backgrounds above.
    light = _of_two_levels(some)
    if light is not None:
        yield _of_colour(some, median_of(some[light])), ("dark-on-light",)
        yield _of_colour(some, median_of(some[~light])), ("light-on-dark",)


def table_of(small: Plane) -> Ground:
    """Estimate the table around all sheets in a picture, float32 (h, w, c), by its border, as a bilinear surface.

    The other backgrounds fail here: a table with a grain has no single colour, and within a sheet a smooth background
    rises to the paper's level.
    """
    coarse = _coarse(small, COARSE)
    rows, columns, channels = coarse.shape
    down, across = (grid.ravel() for grid in np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j])
    places = np.stack([np.ones_like(down), down, across, down * across], axis=1).astype(np.float32)  # (cells, 4)
    on_rim = np.maximum(np.abs(down), np.abs(across)) > 1 - 1 / max(rows, columns)
    rim, levels = places[on_rim], coarse.reshape(-1, channels)[on_rim]
    weights = np.ones((len(rim), 1), np.float32)
    # Iteratively reweighted least squares: a cell counts less the worse it fits, as paper at the border is no table.
    for _ in range(_FITS):
        pull = (rim * weights).T
        slopes = np.linalg.solve(pull @ rim, pull @ levels)  # (4, c)
        weights = np.maximum(SEEN, np.abs(levels - rim @ slopes).max(axis=1, keepdims=True)) ** -2
    table = (places @ slopes).reshape(coarse.shape)
    axis = _axis((coarse - table).reshape(-1, channels))
    return Ground(axis, table @ axis, np.ones((rows, columns), np.float32))


def _of_two_levels(some: Plane) -> Mask | None:
    """Return which of some pixels, float32 (n, c), are light, bool (n,), if they have two clear levels; else None."""
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
    # The total variance is the variance between the two levels plus that within them.
    variance = float(grey.var())
    between = count * (len(grey) - count) / len(grey) ** 2 * (lighter - darker) ** 2
    return light if variance - between < _TWO_LEVELS * variance else None


def _usual(ring: Plane, some: Plane) -> tuple[NDArray[np.float32], float]:
    """Return the colour (c,) of most of a picture, by its border and a sample of its pixels, float32 (n, c) each.

    Also return the share of the sample that has it, 0-1, which is 0 when there is no such colour.
    """
    around = median_of(ring)
    share = _share(some, around)
    if share > 0.3 and _share(ring, around) > 0.6:
        return around, share
    middle = median_of(some)
    share = _share(some, middle)
    return middle, share if share > 0.5 else 0.0


def _axis(away: Plane) -> NDArray[np.float32]:
    """Return the direction (c,) along which colour differences, float32 (n, c), are largest: their first component.

    Its absolute values sum to 1, so that contrasts along it stay in grey levels.
    """
    if away.shape[1] == 1:
        return np.asarray(_ONE[0], np.float32)
    axis = np.linalg.eigh(away.T @ away)[1][:, -1]
    axis = axis / np.abs(axis).sum() * (1 if axis.sum() >= 0 else -1)
    return np.asarray(axis, np.float32)


def _of_colour(some: Plane, colour: NDArray[np.float32]) -> Ground:
    """Return a background of one colour, (c,), for a picture with the sampled pixels `some`, float32 (n, c)."""
    if len(colour) == 1:
        return Ground(_ONE[0], colour[None], _ONE)
    axis = _axis(some - colour)
    return Ground(axis, (colour @ axis).reshape(1, 1), _ONE)


def _uneven(small: Plane, cells: int) -> tuple[Ground, bool]:
    """Estimate a photograph's smooth background, shadows and gradients included; also return whether it has edges.

    `small` is float32 (h, w, c); `cells` is the long side of the coarse picture.
    """
    coarse = _coarse(small, cells)
    grey = grey_of(coarse)
    paper, most = _paper(np.abs(grey - medians_around(np.rint(grey).astype(np.int32))))
    # The first guess is a local median; the second is the mean of what the first takes for paper.
    ground = _mean_of(coarse, paper)
    return _along_axis(coarse, ground), _has_edges(grey, grey_of(ground), _STEP * most)


def beneath(small: Plane, cells: int, covered: Mask) -> Ground | None:
    """Continue the uneven background of `small`, float32 (h, w, c), beneath what ink has `covered`, bool (h, w).

    A local median takes the inside of a bold digit, or of two that touch, for paper. Here paper is what differs little
    from the background beside all ink. None if a place has too little of that near it.
    """
    coarse = _coarse(small, cells)
    free = (_coarse(covered[:, :, None].astype(np.float32), cells)[:, :, 0] == 0).astype(np.float32)
    if (_gauss(len(free)) @ free @ _gauss(free.shape[1])).min() < _BARE:
        return None
    paper, _ = _paper(np.abs(grey_of(coarse) - grey_of(_mean_of(coarse, free))))
    return _along_axis(coarse, _mean_of(coarse, paper))


def _coarse(small: Plane, cells: int) -> Plane:
    """Reduce a picture, float32 (h, w, c), to `cells` means on its long side: float32 (rows, columns, c)."""
    height, width, channels = small.shape
    scale = cells / max(height, width)
    rows, columns = max(3, round(height * scale)), max(3, round(width * scale))
    coarse = _matrix(height, rows) @ small.reshape(height, -1)  # (h, w c) -> (rows, w c)
    means: Plane = _matrix(width, columns) @ coarse.reshape(rows, width, channels)  # -> (rows, columns, c)
    return means


def _paper(away: Plane) -> tuple[Plane, float]:
    """Return which cells are paper, float32 1 or 0, by their distance from a guess at it, in grey levels.

    Both are float32 (rows, columns). Also return the 98th percentile of the distances.
    """
    strong = round(0.98 * (away.size - 1))
    most = float(np.partition(away.ravel(), strong)[strong])
    return (away <= max(SEEN, 0.3 * most)).astype(np.float32), most


def _mean_of(coarse: Plane, paper: Plane) -> Plane:
    """Return the weighted mean of the paper around each cell, float32 (rows, columns, c).

    `paper` is float32 (rows, columns), 0 or 1. A normalised convolution (Knutsson, Westin, 1993).
    """
    rows, columns = paper.shape
    down, across = _gauss(rows), _gauss(columns)
    weight = np.maximum(down @ paper @ across, np.float32(1e-6))
    # At the borders paper lies on one side only, which biases a mean on a slope: so the slope is taken off first.
    slopes = _slopes(coarse, paper)
    level = paper[:, :, None] * (coarse - slopes)
    mean = across @ (down @ level.reshape(rows, -1)).reshape(coarse.shape)
    return np.asarray(mean / weight[:, :, None] + slopes, np.float32)


def _along_axis(coarse: Plane, ground: Plane) -> Ground:
    """Return a background, float32 (rows, columns, c), along the axis on which the picture differs from it most."""
    axis = _axis((coarse - ground).reshape(-1, coarse.shape[2]))
    light = grey_of(ground)
    return Ground(axis, ground @ axis, light.mean() / np.maximum(light, 16), is_smooth=True)


def _has_edges(grey: Plane, ground: Plane, step: float) -> bool:
    """Whether the picture's background has an edge, which a smooth estimate misses on both sides.

    The estimate is too light on the dark side and too dark on the other. `grey` and `ground` are float32
    (rows, columns); `step` is the least such error, in grey levels.
    """
    step = max(2 * SEEN, step)
    size = round(_NARROW * max(grey.shape))
    if np.count_nonzero(ground - closed(grey, size) > step) < _STEPS:
        return False
    # In a picture that is mostly dark, light strokes that go over its border are no paper.
    low, middle, high = np.sort(grey.ravel())[[grey.size // 50, grey.size // 2, -1 - grey.size // 50]]
    opened = -closed(-grey, size, beyond=bool(middle - low > _DARK * (high - low)))
    return bool(np.count_nonzero(opened - ground > step) >= _STEPS)


def _with_edges(small: Plane) -> Ground:
    """Estimate a light background with edges, such as those of a shadow or of the sheet; `small` is float32 (h, w, c).

    A closing removes what is darker than its surroundings and narrower than `_NARROW`, and keeps all other edges.
    """
    height, width, channels = small.shape
    paper = closed(small, round(_NARROW * max(height, width)))
    paper -= median_of((paper - small).reshape(-1, channels))  # the bias: a closing of noise is too light
    axis = _axis((small - paper).reshape(-1, channels))
    light = grey_of(paper)
    return Ground(axis, paper @ axis, light.mean() / np.maximum(light, 16))


def _slopes(values: Plane, weight: Plane) -> Plane:
    """Return for each channel the plane through 0 with the mean slope of `values` where `weight` is.

    `values` and the planes are float32 (h, w, c), `weight` is float32 (h, w).
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
    """Return the matrix, float32 (to, size), that resamples a line of `size` pixels, from `start` to `end`, to `to`.

    `start` and `end` are fractions of the line. Small matrices are cached.
    """
    return (_kept_weights if size * to <= _KEPT else _weights)(size, to, start, end)


def _weights(size: int, to: int, start: float, end: float) -> Plane:
    """Return the matrix of `_matrix`: reducing takes the mean of the pixels covered, enlarging is linear."""
    edges = size * (start + (end - start) / to * np.arange(to + 1, dtype=np.float32))
    places = np.arange(size, dtype=np.float32)
    if (end - start) * size > to:
        own = (edges[:-1, None] < places + 0.5) & (places + 0.5 <= edges[1:, None])
        return np.asarray(own / own.sum(axis=1, keepdims=True).clip(1), np.float32)
    middles = ((edges[1:] + edges[:-1] - 1) / 2).clip(0, size - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(middles[:, None] - places)), np.float32)


_kept_weights = functools.lru_cache(maxsize=64)(_weights)


def as_grey(values: Plane) -> PIL.Image.Image:
    """Convert float levels, 0-255, to an 8-bit grey Pillow image."""
    return PIL.Image.fromarray(np.rint(values).astype(np.uint8))


@functools.cache
def _gauss(size: int) -> Plane:
    """Return a blur along one axis as a matrix, float32 (size, size); the caller divides by the sum of its weights."""
    places = np.arange(size, dtype=np.float32)
    square = (places[:, None] - places) ** 2
    near, wide = np.float32(-2 * _SIGMA**2), np.float32(-2 * (4 * _SIGMA) ** 2)
    # The second term, wide and low, reaches paper from inside the widest stroke.
    weights: Plane = np.exp(square / near) + np.float32(0.01) * np.exp(square / wide)
    return weights
