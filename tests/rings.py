"""Zeros in one stroke of a pen, as ink that is known: they run together where they are set close."""

from __future__ import annotations

import numpy as np
import PIL.Image
from PIL import ImageDraw


def ring(left: int) -> list[tuple[int, int]]:
    """A zero of 40 x 60 pixels, 20 from the top."""
    turn = np.linspace(0, 2 * np.pi, 25)
    return [(round(left + 20 + 20 * np.cos(t)), round(50 + 30 * np.sin(t))) for t in turn]


def inked(*strokes: list[tuple[int, int]]) -> np.ndarray:
    """Strokes light on black, uint8 (100, 200)."""
    sheet = PIL.Image.new("L", (200, 100))
    for stroke in strokes:
        ImageDraw.Draw(sheet).line(stroke, fill=255, width=7, joint="curve")
    return np.asarray(sheet)
