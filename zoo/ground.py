"""The ground of a picture, paper or screen, light or dark, even or not, and how far everything stands out from it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import PIL.Image
from PIL import ImageFilter

from zoo.types import Image, Plane, Polarity

# Chosen with the defaults of `InkSettings`, on the pictures that `zoo.ink` was tuned on.
_COARSE = 24  # pixels on the long side of what an uneven ground is judged by
_WINDOW = 11  # coarse pixels of the median that is the first guess of the ground: over twice the widest stroke
_SIGMA = 1.5  # coarse pixels over which paper is averaged into the ground
_EVEN = 3.0  # grey levels by which a drawing's ground may vary and still be of one colour
_CHROMA = 8.0  # levels between the channels of a picture, above which colour tells something
_TWO_LEVELS = 0.05  # share of a picture's variance within two levels, under which it has no others
SEEN = 4.0  # grey levels; below, nothing is there for an eye either
_BOTH: tuple[Polarity, ...] = ("light-on-dark", "dark-on-light")


def reduce(picture: Image, step: int) -> Plane:
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


def contrast_to(small: Plane, ground: Plane) -> tuple[Plane, float]:
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


def grounds_of(small: Plane) -> Iterator[tuple[Plane, tuple[Polarity, ...]]]:
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
    if float(np.ptp(grey)) < SEEN:
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
    guess = np.asarray(as_grey(grey).filter(ImageFilter.MedianFilter(_WINDOW)), np.float32)
    # The second guess is the mean of what the first takes for paper (normalised convolution: Knutsson, Westin, 1993).
    away = np.abs(grey - guess)
    paper = (away <= max(SEEN, 0.3 * float(np.percentile(away, 98)))).astype(np.float32)
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


def as_grey(values: Plane) -> PIL.Image.Image:
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
