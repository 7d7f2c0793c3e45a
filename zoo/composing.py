"""Compose rows of one to three digits that touch, from pictures of single digits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageDraw, ImageFilter

from zoo import parting, scenes
from zoo.compiled.cells import box_of
from zoo.types import Mask, Plane

_DRAWN_SHARE = 1 / 3  # share of the single digits that are drawn by rule


@dataclass(frozen=True)
class Rows:
    """Training rows: `level` is the network's input, and `share` how much of the ink is the first digit's.

    Both are uint8 (n, 32, 64), 0-255. `several`, bool (n,), says which rows have more than one digit.
    """

    level: NDArray[np.uint8]
    share: NDArray[np.uint8]
    several: Mask


@dataclass(frozen=True, slots=True)
class _Placed:
    """A digit's ink, float32 (h, w), 0-1, and where it is in the row, in pixels."""

    glyph: Plane
    left: int
    top: int

    @property
    def right(self) -> int:
        return int(self.left + self.glyph.shape[1])


def compose(digits: NDArray[np.uint8], count: int, seed: int, drawn: NDArray[np.uint8] | None = None) -> Rows:
    """Compose `count` rows of `digits`, uint8 (n, 28, 28), ink light. About 1 ms each.

    A third of the single digits come from `drawn`, uint8 (m, 28, 28), if it is given: forms that are easily taken for
    two digits.
    """
    rng = np.random.default_rng([seed, 4])
    levels = np.empty((count, parting.HEIGHT, parting.WIDTH), np.uint8)
    shares, several = np.empty_like(levels), np.empty(count, np.bool_)
    for i in range(count):
        number = int(rng.choice(3, p=(0.5, 0.37, 0.13))) + 1
        pool = drawn if drawn is not None and number == 1 and rng.random() < _DRAWN_SHARE else digits
        levels[i], shares[i] = _row(pool[rng.integers(0, len(pool), number)], rng)
        several[i] = number > 1
    return Rows(levels, shares, several)


def _row(digits: NDArray[np.uint8], rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Compose one row of digits, uint8 (n, 28, 28), in one hand: its level and share as in `Rows`, uint8 (32, 64)."""
    height, lean = int(rng.integers(28, 64)), rng.normal(0, 0.15)
    placed: list[_Placed] = []
    joined: list[tuple[_Placed, _Placed]] = []
    for digit in digits:
        glyph = scenes.written(scenes.unbroken(digit), round(height * rng.uniform(0.85, 1.15)), rng, lean)
        if rng.random() < 0.1:  # a pen that skips
            glyph = _skipped(glyph, rng)
        if rng.random() < 0.2:  # wide handwriting
            size = max(3, round(glyph.shape[1] * rng.uniform(0.8, 1.45))), glyph.shape[0]
            glyph = np.asarray(PIL.Image.fromarray(glyph).resize(size, PIL.Image.Resampling.BILINEAR))
        top = round(rng.normal(0, 0.08) * height)
        left = 0
        if placed:
            left = max(one.left + 1 - _clearance(one, glyph, top) for one in placed)
            chance = rng.random()
            if chance < 0.15:  # close together: in a photograph they blur into one
                left += round(rng.uniform(0, 0.06) * height) + 1
            elif chance < 0.25:  # connected by a stroke of the pen
                left += round(rng.uniform(0.02, 0.3) * height) + 1
            else:
                left -= round(min(0.25, rng.exponential(0.06)) * height)
            left = max(left, placed[-1].left + round(0.12 * height))
            if 0.15 <= chance < 0.25:
                joined.append((placed[-1], _Placed(glyph, left, top)))
        placed.append(_Placed(glyph, left, top))
    first, rest = _laid(placed, joined, height, rng)
    return _seen(first, rest, height, rng)


def _skipped(glyph: Plane, rng: np.random.Generator) -> Plane:
    """Erase a short gap across a stroke of a glyph, float32 (h, w), at a random point."""
    rows, columns = np.nonzero(glyph > 0.5)
    at, angle = int(rng.integers(len(rows))), rng.uniform(0, np.pi)
    y, x = np.mgrid[: glyph.shape[0], : glyph.shape[1]]
    away = np.abs((y - rows[at]) * np.cos(angle) - (x - columns[at]) * np.sin(angle))
    near = (y - rows[at]) ** 2 + (x - columns[at]) ** 2 < (0.2 * glyph.shape[0]) ** 2  # gap in one stroke, not in all
    broken: Plane = np.where((away <= 0.02 * glyph.shape[0]) & near, 0, glyph)
    return broken if (broken > 0.5).any() else glyph


def _clearance(one: _Placed, glyph: Plane, top: int) -> int:
    """Return how many columns are free between a glyph and the next, if both began in one column; negative: overlap."""
    height = max(one.top + one.glyph.shape[0], top + glyph.shape[0])
    above = min(one.top, top)
    ends, starts = np.full(height - above + 2, -(10**6)), np.full(height - above + 2, 10**6)
    ink, other = one.glyph > 0.4, glyph > 0.4
    rows = np.flatnonzero(ink.any(axis=1))
    ends[one.top - above + 1 + rows] = ink.shape[1] - 1 - ink[rows, ::-1].argmax(axis=1)
    ends = np.maximum(ends, np.maximum(np.roll(ends, 1), np.roll(ends, -1)))  # pixels touch across corners too
    rows = np.flatnonzero(other.any(axis=1))
    starts[top - above + 1 + rows] = other[rows].argmax(axis=1)
    return int((starts - ends).min())


def _laid(
    placed: list[_Placed], joined: list[tuple[_Placed, _Placed]], height: int, rng: np.random.Generator
) -> tuple[Plane, Plane]:
    """Draw the ink of the first digit and that of the others on two sheets, float32 (h, w), 0-1.

    `joined` are the pairs of digits with a stroke of the pen between them.
    """
    margin = 4
    left, top = min(one.left for one in placed) - margin, min(one.top for one in placed) - margin
    right = max(one.right for one in placed) + margin
    bottom = max(one.top + one.glyph.shape[0] for one in placed) + margin
    first = np.zeros((bottom - top, right - left), np.float32)
    rest = np.zeros_like(first)
    for one in placed:
        sheet = first if one is placed[0] else rest
        y, x = one.top - top, one.left - left
        part = sheet[y : y + one.glyph.shape[0], x : x + one.glyph.shape[1]]
        np.maximum(part, one.glyph, out=part)
    for one, other in joined:
        level = rng.uniform(0, 1)
        ends = []
        for end, side in ((one, 1), (other, -1)):
            rows, columns = np.nonzero(end.glyph > 0.5)
            nearest = int(np.argmax(side * columns - 0.5 * np.abs(rows - level * end.glyph.shape[0])))
            ends.append((int(columns[nearest]) + end.left - left, int(rows[nearest]) + end.top - top))
        image = PIL.Image.new("L", first.shape[::-1])
        ImageDraw.Draw(image).line(ends, fill=255, width=max(1, round(height * 0.06)))
        stroke = np.asarray(image, np.float32) / np.float32(255)
        firsts = np.arange(stroke.shape[1]) < (ends[0][0] + ends[1][0]) / 2
        if one is placed[0]:
            np.maximum(first, stroke * firsts, out=first)
            stroke = np.asarray(stroke * ~firsts, np.float32)
        np.maximum(rest, stroke, out=rest)
    return first, rest


def _seen(
    first: Plane, rest: Plane, height: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Degrade two sheets of ink as a photograph would: the network's view, and the first sheet's share in it."""
    sigma = rng.uniform(0, 0.035) * height
    blur = ImageFilter.GaussianBlur(sigma)
    first, rest = (
        np.asarray(PIL.Image.fromarray((255 * sheet).astype(np.uint8)).filter(blur), np.float32) / np.float32(255)
        for sheet in (first, rest)
    )
    ink = np.maximum(first, rest)
    low = rng.uniform(0, 0.15)
    stretched = (ink - low) / (1 - low) * rng.uniform(0.9, 1.3)
    noise = (ink > 0.1) * rng.normal(0, rng.uniform(0, 0.1), ink.shape)
    level: Plane = np.clip(stretched + noise, 0, 1).astype(np.float32)
    left, top, right, bottom = box_of(level > 0.25)
    # The height of a line's digits comes from all of them, or from this piece if it is the only one.
    tall = height * rng.uniform(0.88, 1.15) if rng.random() < 0.7 else bottom - top
    seen, one, other = (parting.placed(sheet[top:bottom, left:right], tall)[0] for sheet in (level, first, rest))
    share = one / np.maximum(one + other, 1e-3)
    return (255 * seen).astype(np.uint8), (255 * share).astype(np.uint8)
