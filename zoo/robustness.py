"""Corrupt test pictures, in eleven ways and three severities, to see how far beyond them a model can be trusted.

The idea is from Mu and Gilmer, MNIST-C: A Robustness Benchmark for Computer Vision, 2019, arXiv:1906.02337; the
corruptions and severities are our own. All severities of a corruption use the same random numbers (direction, sign,
place, noise).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import PIL.Image
from numpy.typing import NDArray

Pictures = NDArray[np.uint8]
"""Grey pictures (n, height, width), ink light, 0-255."""

PICTURES = 2_000
"""Number of test pictures that are corrupted: the first ones."""

SEED = 20

_FINE = 4  # strokes grow and shrink on a canvas this many times finer
_OVER = 2  # moved pictures are sampled this many times finer, then averaged, so that thin strokes survive shrinking
_PART = 250  # pictures processed at a time, to keep the finer canvases small


@dataclass(frozen=True, slots=True)
class Corruption:
    """A way to corrupt pictures: what it does, the unit of its three severities, and the function that applies it."""

    name: str
    what: str
    unit: str
    severities: tuple[float, float, float]
    apply: Callable[[Pictures, float, np.random.Generator], Pictures]


def corrupt(pictures: Pictures, corruption: Corruption, severity: float, seed: int = SEED) -> Pictures:
    """Corrupt pictures, uint8 (n, height, width), ink light, with `severity`; shape and dtype stay the same.

    The same seed gives the same pictures, and the first m of n are the same as from m pictures alone.
    """
    parts = [
        corruption.apply(pictures[start : start + _PART], severity, np.random.default_rng([seed, start]))
        for start in range(0, len(pictures), _PART)
    ]
    return np.concatenate(parts) if parts else pictures.copy()


def _shift(pictures: Pictures, pixels: float, rng: np.random.Generator) -> Pictures:
    """Move each picture by so many pixels in a random direction."""
    angles = rng.uniform(0, 2 * math.pi, _PART)[: len(pictures)]
    return _moved(pictures, [(1, 0, -pixels * math.cos(a), 0, 1, -pixels * math.sin(a)) for a in angles])


def _rotate(pictures: Pictures, degrees: float, rng: np.random.Generator) -> Pictures:
    """Turn each picture to a random side."""
    signs = rng.choice([-1, 1], _PART)[: len(pictures)]
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return _moved(pictures, [(cos, -sign * sin, 0, sign * sin, cos, 0) for sign in signs])


def _scale(pictures: Pictures, factor: float, rng: np.random.Generator) -> Pictures:
    """Scale pictures about their middle."""
    return _moved(pictures, [(1 / factor, 0, 0, 0, 1 / factor, 0)] * len(pictures))


def _moved(pictures: Pictures, ways: list[tuple[float, float, float, float, float, float]]) -> Pictures:
    """Apply an affine map to each picture, about its middle: (a, b, c, d, e, f), from new to old coordinates."""
    height, width = pictures.shape[1:]
    x, y = width / 2, height / 2
    moved = np.empty_like(pictures)
    for at, (picture, (a, b, c, d, e, f)) in enumerate(zip(pictures, ways, strict=True)):
        way = (a / _OVER, b / _OVER, c + x - a * x - b * y, d / _OVER, e / _OVER, f + y - d * x - e * y)
        canvas = PIL.Image.fromarray(picture).transform(
            (_OVER * width, _OVER * height),
            PIL.Image.Transform.AFFINE,
            way,
            PIL.Image.Resampling.BICUBIC,
        )
        moved[at] = np.asarray(canvas.reduce(_OVER))
    return moved


def _contrast(pictures: Pictures, left: float, rng: np.random.Generator) -> Pictures:
    """Reduce the contrast to the share `left`, around mid-grey."""
    return _rounded(127.5 + left * (pictures - 127.5))


def _invert(pictures: Pictures, left: float, rng: np.random.Generator) -> Pictures:
    """Invert pictures, with the share `left` of their contrast."""
    return _contrast(255 - pictures, left, rng)


def _thicken(pictures: Pictures, pixels: float, rng: np.random.Generator) -> Pictures:
    """Dilate by an octagon (plus and square in turn), on the finer canvas."""
    fine = _enlarged(pictures)
    for step in range(round(pixels * _FINE)):
        fine = _grown(fine, square=step % 2 == 1)
    return _reduced(fine)


def _thin(pictures: Pictures, pixels: float, rng: np.random.Generator) -> Pictures:
    """Erode, by dilating the negative as `_thicken` does."""
    fine = 255 - _enlarged(pictures)
    for step in range(round(pixels * _FINE)):
        fine = _grown(fine, square=step % 2 == 1)
    return _reduced(255 - fine)


def _grown(pictures: Pictures, square: bool) -> Pictures:
    """Replace each pixel by the greatest of itself and its four neighbours, or with `square` its eight."""
    grown = pictures.copy()
    np.maximum(grown[:, 1:], pictures[:, :-1], out=grown[:, 1:])
    np.maximum(grown[:, :-1], pictures[:, 1:], out=grown[:, :-1])
    source = grown.copy() if square else pictures
    np.maximum(grown[:, :, 1:], source[:, :, :-1], out=grown[:, :, 1:])
    np.maximum(grown[:, :, :-1], source[:, :, 1:], out=grown[:, :, :-1])
    return grown


def _enlarged(pictures: Pictures) -> Pictures:
    """Enlarge (n, h, w) to (n, 4h, 4w), bilinearly."""
    down, across = (_between(side) for side in pictures.shape[1:])
    return _rounded(down @ pictures.astype(np.float32) @ across.T)


def _between(side: int) -> NDArray[np.float32]:
    """Return the matrix (4 side, side) that enlarges a line of pixels four times by linear interpolation."""
    places = np.clip((np.arange(_FINE * side) + 0.5) / _FINE - 0.5, 0, side - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(places[:, None] - np.arange(side))), np.float32)


def _reduced(fine: Pictures) -> Pictures:
    """Reduce (n, 4h, 4w) to (n, h, w) by the mean."""
    n, height, width = fine.shape
    return _rounded(fine.reshape(n, height // _FINE, _FINE, width // _FINE, _FINE).mean(axis=(2, 4), dtype=np.float32))


def _blur(pictures: Pictures, sigma: float, rng: np.random.Generator) -> Pictures:
    """Blur by a Gaussian, one axis after the other; black outside."""
    down, across = (_gaussian(side, sigma) for side in pictures.shape[1:])
    return _rounded(down @ pictures.astype(np.float32) @ across.T)


def _gaussian(side: int, sigma: float) -> NDArray[np.float32]:
    """Return a Gaussian blur of a line of pixels as a matrix (side, side)."""
    places = np.arange(side)
    kernel = np.exp(-((places[:, None] - places) ** 2) / (2 * sigma**2))
    around = np.arange(-side, side + 1)
    return np.asarray(kernel / np.exp(-(around**2) / (2 * sigma**2)).sum(), np.float32)


def _noise(pictures: Pictures, share: float, rng: np.random.Generator) -> Pictures:
    """Add Gaussian noise with a sigma of `share` of full ink."""
    noise = rng.standard_normal((_PART, *pictures.shape[1:]), np.float32)[: len(pictures)]
    return _rounded(pictures + 255 * share * noise)


def _occlude(pictures: Pictures, side: float, rng: np.random.Generator) -> Pictures:
    """Cover each picture with a black square whose middle is anywhere in the middle 20x20 pixels."""
    height, width = pictures.shape[1:]
    middles = rng.uniform(-10, 10, (_PART, 2))[: len(pictures)] + np.array([height / 2, width / 2])
    rows = np.abs(np.arange(height) + 0.5 - middles[:, :1]) < side / 2  # (n, h)
    columns = np.abs(np.arange(width) + 0.5 - middles[:, 1:]) < side / 2  # (n, w)
    return np.where(rows[:, :, None] & columns[:, None, :], 0, pictures).astype(np.uint8)


def _rounded(levels: NDArray[np.floating]) -> Pictures:
    """Round levels to uint8, clipped to 0-255."""
    return np.asarray(np.rint(levels).clip(0, 255), np.uint8)


CORRUPTIONS = (
    Corruption("shift", "moved in any direction", "pixels", (2, 4, 6), _shift),
    Corruption("rotation", "turned to either side", "degrees", (15, 30, 45), _rotate),
    Corruption("smaller", "shrunk about the middle", "of the size", (0.8, 0.6, 0.4), _scale),
    Corruption("larger", "enlarged, cut at the edge", "of the size", (1.2, 1.4, 1.6), _scale),
    Corruption("inversion", "dark on light, with less contrast", "contrast left", (1.0, 0.5, 0.25), _invert),
    Corruption("thick", "strokes grown (grey dilation)", "pixels a side", (0.5, 1.0, 1.5), _thicken),
    Corruption("thin", "strokes shrunk (grey erosion)", "pixels a side", (0.25, 0.5, 0.75), _thin),
    Corruption("blur", "a Gaussian", "sigma in pixels", (0.7, 1.2, 1.8), _blur),
    Corruption("noise", "Gaussian, to each pixel", "sigma, of 0-1", (0.1, 0.2, 0.3), _noise),
    Corruption("occlusion", "a black square anywhere on the middle 20x20", "pixels square", (5, 8, 11), _occlude),
    Corruption("contrast", "light on dark, with less contrast", "contrast left", (0.5, 0.25, 0.1), _contrast),
)
"""All corruptions, with severities from weak to strong, which were set by eye before any model was measured."""
