"""Separate digits that touch: is a piece of ink one digit or several, and which of the ink is the first digit's?

A small network of the core answers both, whichever model reads the parts afterwards. It was trained on digits composed
so that they touch (`zoo.touching`), and sees a piece scaled so that the digits of its line are 20 pixels high.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image

from zoo.compiled.cells import box_of
from zoo.marks import Marks
from zoo.runtime import LiteRT
from zoo.types import Image, Plane

NETWORK = Path(__file__).parent / "data" / "parting.tflite"

HEIGHT, WIDTH = 32, 64
"""Size of the network's input in pixels. A piece is at the left, centred vertically; a wider one is cut off."""

LEFT = 4  # pixels left of the ink
_TALL = 20  # pixels: height to which the digits of the line are scaled
_TALLEST = 28  # pixels: height of a piece after scaling, at most
INK = 60  # of 255; fainter pixels do not count for a piece's size
_MAYBE = 0.02  # probability of several digits, from which a piece is separated
_STRAY = 0.06  # of a part's ink; a separate mark with less belongs to the other part


@dataclass(frozen=True, slots=True)
class Parted:
    """The probability that a piece is several digits, 0-1, with its first digit and the rest: uint8 (h, w) each.

    Both are as large as the piece. Ink that both digits share is in both. If several digits are very unlikely, `first`
    is the whole piece and `rest` is empty.
    """

    several: float
    first: Image
    rest: Image


def part(levels: Sequence[Image], tall: float) -> list[Parted]:
    """Separate the first digit of each piece, uint8 (h, w), light on black, with some ink.

    `tall` is the height of the line's digits in the pieces' pixels.
    """
    if not levels:
        return []
    views, sizes = zip(*(_view(level.astype(np.float32) / np.float32(255), tall) for level in levels), strict=True)
    told = _network().predict(np.stack(views)[..., None])
    return [_parted(level, size, row) for level, size, row in zip(levels, sizes, told, strict=True)]


@functools.cache
def _network() -> LiteRT:
    """Load the network: (n, 32, 64, 1) to probabilities (n, 1 + 32 64).

    The first is that of several digits; the others, that a pixel's ink is the first digit's.
    """
    return LiteRT(NETWORK)


def _view(level: Plane, tall: float) -> tuple[Plane, tuple[int, int]]:
    """Return the network's view of ink, float32 (h, w), 0-1, as float32 (32, 64), and the ink's size (w, h) in it."""
    left, top, right, bottom = box_of(level > INK / 255)
    return placed(level[top:bottom, left:right], tall)


def placed(cut: Plane, tall: float) -> tuple[Plane, tuple[int, int]]:
    """Scale ink that is cut to its bounding box, float32 (h, w), 0-1, to the network's view, float32 (32, 64).

    `tall` is the height of the line's digits in pixels of `cut`. Also return the ink's width and height in the view.
    """
    by = min(_TALL / tall, _TALLEST / cut.shape[0])
    width, height = size = max(2, round(by * cut.shape[1])), max(2, round(by * cut.shape[0]))
    small = np.asarray(PIL.Image.fromarray(cut).resize(size, PIL.Image.Resampling.BILINEAR))
    seen = np.zeros((HEIGHT, WIDTH), np.float32)
    top, shown = (HEIGHT - height) // 2, min(width, WIDTH - LEFT)
    seen[top : top + height, LEFT : LEFT + shown] = small[:, :shown]
    return seen, size


def _parted(level: Image, size: tuple[int, int], told: Plane) -> Parted:
    """Apply the network's answer, `told`, to a piece whose ink has the given size (w, h) in the view."""
    if told[0] < _MAYBE:
        return Parted(float(told[0]), level, np.zeros_like(level))
    width, height = size
    shares = told[1:].reshape(HEIGHT, WIDTH)
    top, shown = (HEIGHT - height) // 2, min(width, WIDTH - LEFT)
    share = np.zeros((height, width), np.float32)
    share[:, :shown] = shares[top : top + height, LEFT : LEFT + shown]
    left, above, right, bottom = box_of(level > INK)
    whole = np.zeros(level.shape, np.float32)
    large = PIL.Image.fromarray(share).resize((right - left, bottom - above), PIL.Image.Resampling.BILINEAR)
    whole[above:bottom, left:right] = np.asarray(large)
    first = (level * np.clip(2 * whole, 0, 1)).astype(np.uint8)
    rest = (level * np.clip(2 - 2 * whole, 0, 1)).astype(np.uint8)
    first, strays = _without_strays(first)
    rest, others = _without_strays(np.maximum(rest, strays))
    return Parted(float(told[0]), np.maximum(first, others), rest)


def _without_strays(level: Image) -> tuple[Image, Image]:
    """Split ink, uint8 (h, w), into what remains without small separate marks, and those marks."""
    mask = level > INK
    if not mask.any():
        return level, np.zeros_like(level)
    marks = Marks(mask, level.astype(np.float32), 0)
    small = marks.mass < _STRAY * marks.mass.sum()
    if not small.any():
        return level, np.zeros_like(level)
    strays = np.where(marks.paint(small), level, 0).astype(np.uint8)
    return np.where(strays > 0, 0, level).astype(np.uint8), strays
