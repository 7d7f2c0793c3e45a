"""Digits that touch: whether a piece of ink is one digit or several, and which of its ink is the first one's.

A small network of the core's own tells both, whatever the model is that reads the parts afterwards. It was trained on
digits composed so that they touch (`zoo.touching`), and looks at a piece with the digits of its line 20 pixels high.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image

from zoo.marks import Marks, box_of
from zoo.runtime import LiteRT
from zoo.types import Image, Plane

NETWORK = Path(__file__).parent / "data" / "parting.tflite"

HEIGHT, WIDTH = 32, 64
"""Pixels of what the network sees: a piece, at the left and in the middle of the height; what is wider is cut off."""

LEFT = 4  # pixels left of the ink
_TALL = 20  # pixels that the digits of the line are high
_TALLEST = 28  # pixels that a piece is high at the most
INK = 60  # of 255; what is fainter does not count for how large a piece is
_MAYBE = 0.02  # chance of several digits from which a piece is parted
_STRAY = 0.06  # of a part's ink: marks of less, which stand apart from the rest of it, are the other's


@dataclass(frozen=True, slots=True)
class Parted:
    """How likely a piece is several digits, 0-1, and its first digit and the rest: uint8 (h, w), as the piece is.

    Where both have ink, both keep it. What is hardly likely to be several is all first, and nothing is left.
    """

    several: float
    first: Image
    rest: Image


def part(levels: Sequence[Image], tall: float) -> list[Parted]:
    """Part pieces, uint8 (h, w), light on black, each with ink; digits of their line are `tall` of its pixels high."""
    if not levels:
        return []
    views, sizes = zip(*(_view(level.astype(np.float32) / np.float32(255), tall) for level in levels), strict=True)
    told = _network().predict(np.stack(views)[..., None])
    return [_parted(level, size, row) for level, size, row in zip(levels, sizes, told, strict=True)]


@functools.cache
def _network() -> LiteRT:
    """Pictures (n, 32, 64, 1) to (n, 1 + 32 64): the chance of several, and of each pixel that it is the first's."""
    return LiteRT(NETWORK)


def _view(level: Plane, tall: float) -> tuple[Plane, tuple[int, int]]:
    """What the network sees of ink, float32 (h, w), 0-1: float32 (32, 64); and the ink's width and height there."""
    left, top, right, bottom = box_of(level > INK / 255)
    return placed(level[top:bottom, left:right], tall)


def placed(cut: Plane, tall: float) -> tuple[Plane, tuple[int, int]]:
    """The same of ink that is cut to its box."""
    by = min(_TALL / tall, _TALLEST / cut.shape[0])
    width, height = size = max(2, round(by * cut.shape[1])), max(2, round(by * cut.shape[0]))
    small = np.asarray(PIL.Image.fromarray(cut).resize(size, PIL.Image.Resampling.BILINEAR))
    seen = np.zeros((HEIGHT, WIDTH), np.float32)
    top, shown = (HEIGHT - height) // 2, min(width, WIDTH - LEFT)
    seen[top : top + height, LEFT : LEFT + shown] = small[:, :shown]
    return seen, size


def _parted(level: Image, size: tuple[int, int], told: Plane) -> Parted:
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
    """Ink, uint8 (h, w), without small marks that stand apart, and those marks."""
    mask = level > INK
    if not mask.any():
        return level, np.zeros_like(level)
    marks = Marks(mask, level.astype(np.float32), 0)
    small = marks.mass < _STRAY * marks.mass.sum()
    if not small.any():
        return level, np.zeros_like(level)
    strays = np.where(marks.paint(small), level, 0).astype(np.uint8)
    return np.where(strays > 0, 0, level).astype(np.uint8), strays
