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

from zoo.compiled.filters import (
    closed,
    colour_of,
    contrast_of,
    grey_of,
    means_of_blocks,
    means_of_paper,
    medians_around,
    resampled,
)
from zoo.compiled.levels import (
    along_main_direction,
    lighter_of_two,
    main_direction,
    median_of,
    noise_of,
    quantile_of,
    share_of,
)
from zoo.types import Image, Mask, Plane, Polarity

# Chosen with the defaults of `InkSettings`, on the pictures that `zoo.ink` was tuned on.
COARSE = 24  # pixels on the long side of the coarse picture in which an uneven background is estimated
_SIGMA = 1.5  # coarse pixels: sigma of the Gaussian that averages paper into the background
_BARE = 0.01  # total weight of the paper near a cell, below which there is no background to estimate
_EVEN = 3.0  # grey levels by which a drawing's background may vary and still count as one colour
_CHROMA = 8.0  # levels between a picture's channels, above which its colour is used
_PLAIN = 0.8  # share of a picture in its background's colour, above which there is no shadow on it
_STEP = 0.08  # of the strongest contrast: error of a smooth background beside an edge of the real one
_STEPS = 3  # coarse pixels with that error, on each side of such an edge, at least
_WINDOW = 11  # coarse pixels on each side of the median's window: over twice the widest stroke
_NARROW = 0.28  # of the long side; what is narrower is ink and no shadow
_DARK = 0.25  # of the range from darkest to lightest; a picture whose median is lower is mostly dark
_LARGE = 64  # pixels on the long side of a picture that may show a shadow; in smaller ones a stroke is as wide as one
_BRIGHT = 80  # grey level: mean of the border of paper with a shadow or a table on a part of it, at least
_SOME = 1500  # pixels that are sampled for a share or a median, at least
_DARKEST = 16.0  # grey levels of a background, at least, for the gain of the contrast to it
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
        return means_of_blocks(picture[:, :, None], step, 1, False)
    # With each pixel read as one little-endian number, alpha is the highest byte.
    if picture.shape[2] == 4 and (picture := np.ascontiguousarray(picture)).view("<u4").min() < 255 << 24:
        if (level := _black_or_white(picture, step)) is not None:
            return level
        small = _opaque(np.asarray(PIL.Image.fromarray(picture).convert("RGBa").reduce(step), np.float32))
        return small if _colour_of_means(small) > _CHROMA else grey_of(small)[:, :, None]
    colour = colour_of(picture, step)
    return means_of_blocks(picture, step, 3 if colour else 1, joined=colour <= _CHROMA)


def _colour_of_means(small: Plane) -> float:
    """Return the largest difference between neighbouring channels of means, float32 (h, w, 3)."""
    return float(np.abs(small[:, :, 1:] - small[:, :, :-1]).max())


def _black_or_white(picture: Image, step: int) -> Plane | None:
    """Return what `_opaque` makes of black or white ink on a transparent background, from alpha alone.

    (h, w, 4) to (h, w, 1). None if the picture has another colour.
    """
    pixels = picture.view("<u4")[:, :, 0]
    black = not np.bitwise_or.reduce(pixels, axis=None) & 0xFFFFFF
    if not black and (np.where(pixels > 0xFFFFFF, pixels, 0xFFFFFF) & 0xFFFFFF).min() < 0xFFFFFF:
        return None
    alpha = means_of_blocks((pixels >> 24).astype(np.uint8)[:, :, None], step, 1, False)
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
    grey = grey_of(np.ascontiguousarray(colour))[shown] * (255 / alpha[shown])
    beside -= beside.mean()
    return 4 * float(beside @ grey) / max(1.0, float(beside @ beside))


def contrast_to(small: Plane, ground: Ground, part: Part = WHOLE) -> tuple[Plane, float]:
    """Return by how many grey levels each pixel is lighter than its background, float32 (h, w), and the noise's sigma.

    `part` is where `small`, float32 (h, w, c), lies in the picture for which the background was estimated.
    """
    axis = ground.axis
    if small.shape[2] != len(axis):  # a part of a coloured picture may be grey, and the other way round
        small, axis = grey_of(small)[:, :, None], axis.sum(keepdims=True)
    if ground.levels.size == 1:
        contrast = small @ axis - ground.levels if len(axis) > 1 else small[:, :, 0] * axis - ground.levels
    else:
        (height, width), (rows, columns) = small.shape[:2], ground.levels.shape
        left, top, right, bottom = part
        weights = _matrix(rows, height, top, bottom), _matrix(columns, width, left, right)
        contrast = contrast_of(np.ascontiguousarray(small), axis, ground.levels, ground.gain, *weights)
    return contrast, noise_of(contrast)


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
    light = lighter_of_two(some, SEEN, _TWO_LEVELS)
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
    axis = main_direction((coarse - table).reshape(-1, channels))
    return Ground(axis, table @ axis, np.ones((rows, columns), np.float32))


def _usual(ring: Plane, some: Plane) -> tuple[NDArray[np.float32], float]:
    """Return the colour (c,) of most of a picture, by its border and a sample of its pixels, float32 (n, c) each.

    Also return the share of the sample that has it, 0-1, which is 0 when there is no such colour.
    """
    around = median_of(ring)
    share = share_of(some, around, _EVEN)
    if share > 0.3 and share_of(ring, around, _EVEN) > 0.6:
        return around, share
    middle = median_of(some)
    share = share_of(some, middle, _EVEN)
    return middle, share if share > 0.5 else 0.0


def _of_colour(some: Plane, colour: NDArray[np.float32]) -> Ground:
    """Return a background of one colour, (c,), for a picture with the sampled pixels `some`, float32 (n, c)."""
    if len(colour) == 1:
        return Ground(_ONE[0], colour[None], _ONE)
    axis = main_direction(some - colour)
    return Ground(axis, (colour @ axis).reshape(1, 1), _ONE)


def _uneven(small: Plane, cells: int) -> tuple[Ground, bool]:
    """Estimate a photograph's smooth background, shadows and gradients included; also return whether it has edges.

    `small` is float32 (h, w, c); `cells` is the long side of the coarse picture.
    """
    coarse = _coarse(small, cells)
    grey = grey_of(coarse)
    paper, most = _paper(np.abs(grey - medians_around(grey, _WINDOW)))
    # The first guess is a local median; the second is the mean of what the first takes for paper.
    ground = _mean_of(coarse, paper)
    return _ground(coarse, ground, is_smooth=True), _has_edges(grey, grey_of(ground), _STEP * most)


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
    return _ground(coarse, _mean_of(coarse, paper), is_smooth=True)


def _coarse(small: Plane, cells: int) -> Plane:
    """Reduce a picture, float32 (h, w, c), to `cells` means on its long side: float32 (rows, columns, c)."""
    height, width = small.shape[:2]
    scale = cells / max(height, width)
    rows, columns = max(3, round(height * scale)), max(3, round(width * scale))
    return resampled(small, _matrix(height, rows), _matrix(width, columns))


def _paper(away: Plane) -> tuple[Plane, float]:
    """Return which cells are paper, float32 1 or 0, by their distance from a guess at it, in grey levels.

    Both are float32 (rows, columns). Also return the 98th percentile of the distances.
    """
    most = quantile_of(away, 0.98)
    return (away <= max(SEEN, 0.3 * most)).astype(np.float32), most


def _mean_of(coarse: Plane, paper: Plane) -> Plane:
    """Return the weighted mean of `paper`, float32 (rows, columns), 0 or 1, around each cell of (rows, columns, c)."""
    rows, columns = paper.shape
    return means_of_paper(coarse, paper, _gauss(rows), _gauss(columns))


def _ground(picture: Plane, paper: Plane, is_smooth: bool = False) -> Ground:
    """Return the background that is `paper` in all channels, along the axis on which the picture differs from it most.

    Both are float32 (h, w, c).
    """
    return Ground(*along_main_direction(picture, paper, _DARKEST), is_smooth)


def _has_edges(grey: Plane, ground: Plane, step: float) -> bool:
    """Whether the picture's background has an edge, which a smooth estimate misses on both sides.

    The estimate is too light on the dark side and too dark on the other. `grey` and `ground` are float32
    (rows, columns); `step` is the least such error, in grey levels.
    """
    step = max(2 * SEEN, step)
    size = round(_NARROW * max(grey.shape))
    if np.count_nonzero(ground - closed(grey[:, :, None], size)[:, :, 0] > step) < _STEPS:
        return False
    # In a picture that is mostly dark, light strokes that go over its border are no paper.
    low, middle, high = np.sort(grey.ravel())[[grey.size // 50, grey.size // 2, -1 - grey.size // 50]]
    opened = -closed(-grey[:, :, None], size, beyond=middle - low > _DARK * (high - low))[:, :, 0]
    return bool(np.count_nonzero(opened - ground > step) >= _STEPS)


def _with_edges(small: Plane) -> Ground:
    """Estimate a light background with edges, such as those of a shadow or of the sheet; `small` is float32 (h, w, c).

    A closing removes what is darker than its surroundings and narrower than `_NARROW`, and keeps all other edges.
    """
    height, width, channels = small.shape
    paper = closed(small, round(_NARROW * max(height, width)))
    paper -= median_of((paper - small).reshape(-1, channels))  # the bias: a closing of noise is too light
    return _ground(small, paper)


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


@functools.cache
def _gauss(size: int) -> Plane:
    """Return a blur along one axis as a matrix, float32 (size, size); the caller divides by the sum of its weights."""
    places = np.arange(size, dtype=np.float32)
    square = (places[:, None] - places) ** 2
    near, wide = np.float32(-2 * _SIGMA**2), np.float32(-2 * (4 * _SIGMA) ** 2)
    # The second term, wide and low, reaches paper from inside the widest stroke.
    weights: Plane = np.exp(square / near) + np.float32(0.01) * np.exp(square / wide)
    return weights
