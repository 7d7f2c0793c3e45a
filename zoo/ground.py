"""The ground of a picture, paper or screen, light or dark, even or not, and how far everything stands out from it."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageFilter

from zoo.types import Image, Plane, Polarity

# Chosen with the defaults of `InkSettings`, on the pictures that `zoo.ink` was tuned on.
_LONG = 8  # pixels to one, from which NumPy averages them sooner than Pillow has copied them
COARSE = 24  # pixels on the long side of what an uneven ground is judged by
_WINDOW = 11  # coarse pixels of the median that is the first guess of the ground: over twice the widest stroke
_SIGMA = 1.5  # coarse pixels over which paper is averaged into the ground
_EVEN = 3.0  # grey levels by which a drawing's ground may vary and still be of one colour
_CHROMA = 8.0  # levels between the channels of a picture, above which colour tells something
_TWO_LEVELS = 0.05  # share of a picture's variance within two levels, under which it has no others
SEEN = 4.0  # grey levels; below, nothing is there for an eye either
_BOTH: tuple[Polarity, ...] = ("light-on-dark", "dark-on-light")


def reduce(picture: Image, step: int) -> Plane:
    """Average step x step pixels, and lay what is transparent on a ground: float32 (h, w, 3), or (h, w, 1) if grey."""
    if picture.ndim == 2:
        return _reduced(PIL.Image.fromarray(np.ascontiguousarray(picture)), step)
    height, width, channels = picture.shape
    picture = np.ascontiguousarray(picture)
    # Read as one number per pixel, alpha is its highest byte.
    if channels == 4 and picture.view("<u4").min() < 255 << 24:
        small = _opaque(_reduced(PIL.Image.fromarray(picture).convert("RGBa"), step))
        return small if _colour(small) > _CHROMA else grey_of(small)[:, :, None]
    some = picture[::step, ::step]
    if (some[:, :, 0] == some[:, :, 1]).all() and (some[:, :, 1] == some[:, :, 2]).all():
        return _reduced(PIL.Image.fromarray(np.ascontiguousarray(picture[:, :, 1])), step)
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


def _opaque(small: Plane) -> Plane:
    """Premultiplied RGBa (h, w, 4) to RGB (h, w, 3).

    Where all that can be seen is of about one colour, its form is in the alpha: it is laid on white or black, whichever
    is farther. Else the transparent part is only what surrounds a picture, and takes that picture's usual colour.
    """
    colour, alpha = small[:, :, :3], small[:, :, 3]
    solid = alpha >= min(200.0, float(alpha.max()))
    ordered = np.sort(colour[solid] * (255 / np.maximum(alpha[solid], 1))[:, None], axis=0)
    low, usual, high = ordered[[round(share * (len(ordered) - 1)) for share in (0.05, 0.5, 0.95)]]
    if float((high - low).max()) <= 64:
        usual = np.full(3, 255 if float(usual.mean()) < 128 else 0, np.float32)
    opaque, through = np.empty_like(colour), 1 - alpha / 255
    for channel in range(3):
        opaque[:, :, channel] = colour[:, :, channel] + through * usual[channel]
    return opaque


def contrast_to(small: Plane, ground: Plane) -> tuple[Plane, float]:
    """By how many grey levels each pixel is lighter than its ground, float32 (h, w); and the ground's noise.

    Colours are measured along the direction in which the picture differs most from its ground, so that red ink on blue
    paper of the same brightness is seen.
    """
    away = small - ground
    if small.shape[2] == 1:
        contrast = away[:, :, 0]
    else:
        flat = away.reshape(-1, 3)
        axis = np.linalg.eigh(flat.T @ flat)[1][:, -1]
        axis = (axis / np.abs(axis).sum() * (1 if axis.sum() >= 0 else -1)).astype(np.float32)
        contrast = away[:, :, 0] * axis[0] + away[:, :, 1] * axis[1] + away[:, :, 2] * axis[2]
    if ground.ndim == 3:
        light = grey_of(ground)
        contrast = contrast * (light.mean() / np.maximum(light, 16))  # in a shadow, ink loses as much as its paper
    if small.shape[1] < 3:
        return contrast, 0.0
    # The median difference of two normal values is 0.954 sigma.
    differences = np.abs(contrast[::3, 2:] - contrast[::3, :-2])
    return contrast, float(median_of(differences.reshape(-1, 1))[0]) / 0.954


def grounds_of(small: Plane, cells: int = COARSE, more: bool = False) -> Iterator[tuple[Plane, tuple[Polarity, ...]]]:
    """What a picture may be without ink, float32 (c,) if of one colour, else (h, w, c); and what to look for on it.

    The search ends with a colour that most of the picture has, unless `more` is asked for: a part of a large picture
    may lie in a shadow.
    """
    ring = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])  # (n, c)
    around = median_of(ring)
    flat = small.reshape(-1, small.shape[2])
    if _share(ring, around) > 0.6 and _share(flat, around) > 0.3:
        yield around, _BOTH
        if not more:
            return
    else:
        usual = median_of(flat)
        if _share(flat, usual) > 0.5:
            yield usual, _BOTH
            if not more:
                return
    yield _uneven(small, cells), _BOTH
    # Two clear levels: a digit that fills its picture leaves too little paper around it for the above.
    grey = grey_of(small).ravel()
    least, most = float(grey.min()), float(grey.max())
    if most - least < SEEN:
        return
    total, cut = float(grey.sum()), (least + most) / 2
    for _ in range(4):
        light = grey > cut
        count, lights = np.count_nonzero(light), float(grey @ light.astype(np.float32))
        lighter, darker = lights / count, (total - lights) / (len(grey) - count)
        cut = (lighter + darker) / 2
    # The variance of all is that between the two levels and that within them.
    variance = float(grey.var())
    between = count * (len(grey) - count) / len(grey) ** 2 * (lighter - darker) ** 2
    if variance - between < _TWO_LEVELS * variance:
        yield median_of(flat[light]), ("dark-on-light",)
        yield median_of(flat[~light]), ("light-on-dark",)


def _uneven(small: Plane, cells: int) -> Plane:
    """The ground of a photograph, with its shadows and gradients: float32 (h, w, c)."""
    height, width, channels = small.shape
    scale = cells / max(height, width)
    rows, columns = max(3, round(height * scale)), max(3, round(width * scale))
    coarse = np.stack([_scaled(small[:, :, channel], columns, rows) for channel in range(channels)], axis=2)
    grey = grey_of(coarse)
    guess = np.asarray(as_grey(grey).filter(ImageFilter.MedianFilter(_WINDOW)), np.float32)
    # The second guess is the mean of what the first takes for paper (normalised convolution: Knutsson, Westin, 1993).
    away = np.abs(grey - guess)
    paper = (away <= max(SEEN, 0.3 * float(np.percentile(away, 98)))).astype(np.float32)
    down, across, slopes = _gauss(rows), _gauss(columns), _slopes(coarse, paper)
    weight = np.maximum(down @ paper @ across, np.float32(1e-6))
    ground = np.empty_like(small)
    for channel in range(channels):
        # A mean is pulled aside at the borders, where paper is on one side only: not so once its slope is taken off.
        level, slope = coarse[:, :, channel], slopes[:, :, channel]
        mean = (down @ (paper * (level - slope)) @ across) / weight + slope
        ground[:, :, channel] = _scaled(mean, width, height)
    return ground


def _slopes(values: Plane, weight: Plane) -> Plane:
    """For each channel the plane through 0 that rises as it does where `weight` is: (h, w, c), of (h, w, c) and (h, w).

    All are float32.
    """
    rows, columns = weight.shape
    down = np.arange(rows, dtype=np.float32)[:, None] - np.float32((rows - 1) / 2)
    across = np.arange(columns, dtype=np.float32) - np.float32((columns - 1) / 2)
    even = values - values.mean(axis=(0, 1))
    planes = np.zeros_like(values)
    for places in (down, across):
        pull = weight * places  # (h, w)
        rise = np.tensordot(pull, even, 2) / max(float((pull * places).sum()), 1.0)  # (c,)
        planes += np.multiply.outer(np.broadcast_to(places, weight.shape), rise.astype(np.float32))
    return planes


def _scaled(values: Plane, columns: int, rows: int) -> Plane:
    """Levels, float32 (h, w), to (rows, columns): averaged if that is smaller, else between the nearest."""
    method = PIL.Image.Resampling.BOX if columns * rows < values.size else PIL.Image.Resampling.BILINEAR
    return np.asarray(PIL.Image.fromarray(values).resize((columns, rows), method), np.float32)


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
