"""Digits drawn by rule, in the ways of writing that MNIST's writers hardly used: extra training pictures.

MNIST was written in the United States. Elsewhere a 1 has a long flag and sometimes a foot, a 7 is crossed, a 0 slashed,
a 9 curls, a 4 stands open. Each form here is a few strokes through points that are then moved, slanted and stretched by
chance. Nobody's handwriting is in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageDraw

from zoo import ink
from zoo.settings import ModelSettings
from zoo.types import Data, Image

Stroke = Sequence[tuple[float, float]]
"""Points (x, y) that a smooth line passes, in a box of 1 x 1 with y down. A point said twice makes a corner."""

_SIDE = 112  # pixels of the sheet: four times MNIST's
_BODY = 72  # pixels of the digit's height on it
_STEPS = 8  # straight pieces between two points

FORMS: dict[int, list[list[Stroke]]] = {
    0: [
        [[(0.5, 0), (0.1, 0.3), (0.15, 0.8), (0.5, 1), (0.85, 0.75), (0.9, 0.3), (0.5, 0)]],
        [[(0.5, 0), (0.1, 0.3), (0.15, 0.8), (0.5, 1), (0.85, 0.75), (0.9, 0.3), (0.5, 0)], [(0.9, 0.05), (0.1, 0.95)]],
        [[(0.5, 0), (0.1, 0.3), (0.15, 0.8), (0.5, 1), (0.85, 0.75), (0.9, 0.3), (0.5, 0)], [(0.7, 0.25), (0.3, 0.75)]],
        [[(0.6, 0.05), (0.15, 0.25), (0.1, 0.75), (0.5, 1), (0.9, 0.7), (0.8, 0.2), (0.4, 0.05), (0.3, 0.15)]],
    ],
    1: [
        [[(0.15, 0.45), (0.6, 0), (0.6, 0), (0.6, 1)]],
        [[(0.0, 0.65), (0.6, 0), (0.6, 0), (0.55, 1)]],
        [[(0.25, 0.25), (0.55, 0), (0.55, 0), (0.5, 1)], [(0.15, 1), (0.9, 1)]],
        [[(0.1, 0.5), (0.55, 0), (0.55, 0), (0.5, 1)], [(0.1, 1), (0.95, 0.97)]],
        [[(0.05, 0.6), (0.55, 0), (0.55, 0), (0.45, 0.85), (0.6, 1), (0.95, 0.85)]],
        [[(0.05, 0.7), (0.35, 0.45), (0.65, 0.02), (0.65, 0.02), (0.5, 0.5), (0.35, 0.98)]],
        [[(0.5, 0), (0.5, 1)], [(0.2, 1), (0.8, 1)]],
        [[(0.55, 0), (0.5, 1)]],
    ],
    2: [
        [[(0.1, 0.25), (0.45, 0), (0.85, 0.25), (0.5, 0.65), (0.1, 1), (0.1, 1), (0.9, 0.97)]],
        [[(0.1, 0.25), (0.5, 0), (0.85, 0.3), (0.45, 0.75), (0.15, 0.95), (0.2, 0.75), (0.5, 0.85), (0.95, 0.95)]],
        [[(0.1, 0.1), (0.5, 0), (0.85, 0.1), (0.6, 0.5), (0.1, 0.95), (0.1, 0.95), (0.5, 0.9), (0.95, 1)]],
    ],
    3: [
        [[(0.1, 0.15), (0.5, 0), (0.85, 0.2), (0.4, 0.47), (0.4, 0.47), (0.9, 0.7), (0.55, 1), (0.1, 0.85)]],
        [[(0.1, 0.02), (0.85, 0.0), (0.85, 0.0), (0.4, 0.42), (0.4, 0.42), (0.9, 0.65), (0.65, 0.98), (0.1, 0.9)]],
        [[(0.15, 0.1), (0.6, 0), (0.75, 0.2), (0.35, 0.4), (0.5, 0.45), (0.9, 0.7), (0.5, 1), (0.1, 0.95)]],
    ],
    4: [
        [[(0.3, 0), (0.05, 0.6), (0.05, 0.6), (0.95, 0.6)], [(0.7, 0.25), (0.65, 1)]],
        [[(0.15, 0.05), (0.1, 0.5), (0.1, 0.5), (0.85, 0.5)], [(0.8, 0.0), (0.8, 1)]],
        [[(0.65, 1), (0.65, 0), (0.65, 0), (0.05, 0.65), (0.05, 0.65), (0.95, 0.65)]],
        [[(0.65, 0), (0.05, 0.7), (0.05, 0.7), (0.95, 0.65)], [(0.65, 0.4), (0.6, 1)]],
        [[(0.3, 0), (0.05, 0.4), (0.3, 0.6), (0.85, 0.45)], [(0.9, 0.25), (0.8, 0.75), (0.5, 1)]],
        [[(0.1, 0.05), (0.15, 0.5), (0.5, 0.55), (0.85, 0.4)], [(0.9, 0.0), (0.85, 0.5), (0.75, 1)]],
    ],
    5: [
        [[(0.9, 0), (0.25, 0.02), (0.25, 0.02), (0.2, 0.4), (0.2, 0.4), (0.85, 0.55), (0.6, 1), (0.1, 0.9)]],
        [[(0.25, 0.05), (0.2, 0.42), (0.2, 0.42), (0.85, 0.55), (0.6, 0.98), (0.1, 0.9)], [(0.25, 0.05), (0.95, 0)]],
        [[(0.25, 0.1), (0.15, 0.45), (0.6, 0.4), (0.85, 0.7), (0.5, 1), (0.1, 0.85)], [(0.35, 0.03), (0.95, 0.0)]],
    ],
    6: [
        [[(0.75, 0), (0.25, 0.4), (0.15, 0.8), (0.5, 1), (0.85, 0.75), (0.5, 0.55), (0.2, 0.75)]],
        [[(0.5, 0), (0.15, 0.5), (0.2, 0.9), (0.55, 1), (0.85, 0.8), (0.65, 0.55), (0.2, 0.7)]],
        [[(0.85, 0.1), (0.6, 0), (0.2, 0.35), (0.15, 0.8), (0.5, 1), (0.85, 0.75), (0.55, 0.5), (0.15, 0.7)]],
    ],
    7: [
        [[(0.05, 0.03), (0.9, 0.02), (0.9, 0.02), (0.35, 1)], [(0.2, 0.5), (0.85, 0.48)]],
        [[(0.05, 0.2), (0.1, 0.03), (0.1, 0.03), (0.9, 0.02), (0.9, 0.02), (0.4, 1)], [(0.25, 0.52), (0.8, 0.45)]],
        [[(0.05, 0.15), (0.3, 0.0), (0.6, 0.08), (0.9, 0.02), (0.9, 0.02), (0.5, 0.5), (0.4, 1)],
         [(0.15, 0.5), (0.8, 0.5)]],
        [[(0.05, 0.03), (0.9, 0.02), (0.9, 0.02), (0.55, 0.5), (0.45, 1)]],
        [[(0.05, 0.2), (0.1, 0.03), (0.1, 0.03), (0.9, 0.02), (0.9, 0.02), (0.35, 1)]],
    ],
    8: [
        [[(0.7, 0.1), (0.4, 0), (0.2, 0.2), (0.5, 0.48), (0.85, 0.75),
          (0.5, 1), (0.15, 0.8), (0.45, 0.5), (0.8, 0.2), (0.6, 0.02)]],
        [[(0.5, 0.45), (0.2, 0.25), (0.5, 0), (0.8, 0.25),
          (0.5, 0.45), (0.15, 0.75), (0.5, 1), (0.85, 0.75), (0.5, 0.45)]],
        [[(0.85, 0.05), (0.4, 0.02), (0.25, 0.2), (0.8, 0.7), (0.5, 1), (0.2, 0.75), (0.85, 0.05)]],
    ],
    9: [
        [[(0.85, 0.15), (0.45, 0), (0.15, 0.28), (0.45, 0.52), (0.85, 0.2), (0.85, 0.2), (0.75, 1)]],
        [[(0.85, 0.2), (0.45, 0), (0.15, 0.28), (0.45, 0.52), (0.85, 0.25), (0.9, 0.6), (0.6, 1), (0.15, 0.9)]],
        [[(0.8, 0.1), (0.4, 0.02), (0.2, 0.25), (0.5, 0.42),
          (0.8, 0.2), (0.85, 0.7), (0.5, 1), (0.1, 0.85), (0.25, 0.7)]],
        [[(0.8, 0.15), (0.45, 0), (0.2, 0.3), (0.5, 0.45), (0.8, 0.15), (0.75, 0.6), (0.4, 0.98), (0.1, 0.9)]],
        [[(0.5, 0.45), (0.15, 0.25), (0.5, 0), (0.85, 0.25), (0.5, 0.45)], [(0.85, 0.25), (0.6, 1)]],
    ],
}  # fmt: skip
"""The ways of writing each digit. Ordinary ones are among them, so that no trait of drawing tells the class."""


def added(data: Data, settings: ModelSettings) -> Data:
    """The data with the pictures that `settings.drawn` asks for among those to train on."""
    if not settings.drawn:
        return data
    images, classes = draw(settings.drawn, settings.seed)
    return replace(data, images=np.concatenate([data.images, images]), classes=np.concatenate([data.classes, classes]))


def draw(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw `count` digits in MNIST's form, the classes in turn: uint8 (n, 28, 28, 1), int64 (n,). About 0.7 ms each."""
    classes = np.arange(count) % 10
    images = np.empty((count, ink.SIDE, ink.SIDE, 1), np.uint8)
    for i, digit in enumerate(classes):
        rng = np.random.default_rng([seed, i])
        forms = FORMS[int(digit)]
        images[i] = ink.normalise(sheet(forms[int(rng.integers(len(forms)))], rng))[1].seen[:, :, None]
    return images, classes


def sheet(form: Sequence[Stroke], rng: np.random.Generator) -> Image:
    """One form written by one hand of many: light on black, uint8 (112, 112)."""
    hand = rng.normal(0, 0.03, 2)
    slant, turn = rng.normal(0.08, 0.2), rng.normal(0, 0.08)
    stretch = np.exp(rng.normal(0, 0.3)) * 0.65
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
    """A line through points (n, 2) (Catmull and Rom 1974), broken where a point is said twice: (m, 2)."""
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
