"""Draw training pictures by rule: digits in styles that MNIST lacks, and pictures of no digit.

MNIST was written in the United States. Elsewhere a 1 has a long flag and sometimes a foot, a 7 is crossed, a 0 slashed,
a 9 curls, a 4 is open. Each form is a few strokes through points, which are then moved, slanted and stretched at
random.

Pictures of no digit are trained with equal probabilities for all classes ("outlier exposure": Hendrycks, Mazeika,
Dietterich 2019, arXiv:1812.04606), so that a network is unsure of them and the answer can say so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageDraw

from zoo import ink
from zoo.glyphs import DIGITS, SIGNS, Stroke
from zoo.mnist_form import SIDE
from zoo.types import Image

_SIDE = 112  # pixels on each side of the sheet: four times MNIST's
_BODY = 72  # pixels of the digit's height on the sheet
_STEPS = 8  # straight segments that approximate the curve between two points


def draw(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw `count` digits in MNIST's form, classes 0 to 9 in turn: uint8 (n, 28, 28, 1), and int64 (n,) classes.

    The same seed gives the same digits. About 0.7 ms each.
    """
    classes = np.arange(count) % 10
    images = np.empty((count, SIDE, SIDE, 1), np.uint8)
    for i, digit in enumerate(classes):
        rng = np.random.default_rng([seed, i])
        forms = DIGITS[int(digit)]
        images[i] = ink.normalise(sheet(forms[int(rng.integers(len(forms)))], rng))[1].seen[:, :, None]
    return images, classes


def no_digits(digits: NDArray[np.uint8], count: int, seed: int) -> NDArray[np.uint8]:
    """Draw `count` pictures of no digit in MNIST's form, uint8 (n, 28, 28, 1).

    Of five, three are signs, one is a scribble, and one shows several of `digits`, uint8 (m, 28, 28, 1), that touch.
    """
    images = np.empty((count, SIDE, SIDE, 1), np.uint8)
    signs = list(SIGNS.values())
    for i in range(count):
        rng = np.random.default_rng([seed, i, 1])
        if i % 5 < 3:
            drawn = sheet(signs[int(rng.integers(len(signs)))], rng)
        elif i % 5 == 3:
            drawn = sheet([_scribble(rng) for _ in range(rng.integers(1, 3))], rng)
        else:
            drawn = _several(digits, rng)
        images[i] = ink.normalise(drawn)[1].seen[:, :, None]
    return images


def _scribble(rng: np.random.Generator) -> Stroke:
    """Return a stroke through 5 to 8 random points."""
    points: list[tuple[float, float]] = rng.uniform((-0.3, 0), (1.3, 1), (int(rng.integers(5, 9)), 2)).tolist()
    return points


def _several(digits: NDArray[np.uint8], rng: np.random.Generator) -> Image:
    """Draw two to four digits in a row that touch, so that they are one connected component: uint8 (h, w)."""
    row = [digits[int(i), 4:24, :, 0] for i in rng.integers(len(digits), size=rng.integers(2, 5))]
    trimmed = [part[:, part.any(axis=0)] for part in row]
    overlap = int(rng.integers(0, 3))
    width = sum(part.shape[1] - overlap for part in trimmed) + overlap
    line = np.zeros((20, width), np.uint8)
    at = 0
    for part in trimmed:
        np.maximum(line[:, at : at + part.shape[1]], part, out=line[:, at : at + part.shape[1]])
        at += part.shape[1] - overlap
    big = PIL.Image.fromarray(line).resize((4 * width, 80), PIL.Image.Resampling.BILINEAR)
    return np.pad(np.asarray(big), 20)


def sheet(form: Sequence[Stroke], rng: np.random.Generator) -> Image:
    """Draw a form in a random hand, light on black: uint8 (112, 112)."""
    hand = rng.normal(0, 0.03, 2)
    slant, turn = rng.normal(0.08, 0.2), rng.normal(0, 0.08)
    stretch = max(0.45, np.exp(rng.normal(0, 0.3)) * 0.65)  # any narrower, a 7 would look like a 1
    matrix = np.array([[stretch, -slant], [turn, 1.0]]) * _BODY
    width = rng.uniform(5, 14)
    image = PIL.Image.new("L", (_SIDE, _SIDE))
    pen = ImageDraw.Draw(image)
    for stroke in form:
        points = np.asarray(stroke, float)
        corners = np.append((points[1:] == points[:-1]).all(axis=1), False)
        moved = points + rng.normal(0, 0.035, points.shape) + hand
        moved[1:][corners[:-1]] = moved[:-1][corners[:-1]]
        placed = (moved - 0.5) @ matrix.T
        line = smooth(placed) + _SIDE / 2
        pen.line([tuple(point) for point in line.tolist()], fill=255, width=round(width), joint="curve")
        for x, y in (line[0].tolist(), line[-1].tolist()):
            pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)
    return np.asarray(image)


def smooth(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate points (n, 2) by a spline (Catmull and Rom 1974), with a corner where a point is repeated: (m, 2)."""
    pieces: list[NDArray[np.float64]] = []
    breaks = [i + 1 for i in range(len(points) - 1) if (points[i] == points[i + 1]).all()]
    for part in np.split(points, breaks):
        ends = np.vstack([2 * part[0] - part[min(1, len(part) - 1)], part, 2 * part[-1] - part[max(-2, -len(part))]])
        t = np.linspace(0, 1, _STEPS, endpoint=False)[:, None]
        for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
            pieces.append(
                0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
            )
        pieces.append(part[-1:])
    return np.concatenate(pieces)
