"""Rows and pages of digits, composed for reading."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image

from zoo import scenes
from zoo.datasets import Labelled

ROW = (4, 3, 1, 2, 18)  # test digits 4, 0, 2, 1, 3
FIVE = (0, 1, 2, 3, 4)  # of the test pictures: 7, 2, 1, 0, 4


def scene(mnist: Labelled, rng: np.random.Generator, lines: int = 1, digits: int = 10, **how: object) -> scenes.Scene:
    """Lines of random test digits on composed paper; `how` goes to `scenes.lines`."""
    rows = [rng.integers(0, len(mnist.images), digits) for _ in range(lines)]
    return scenes.lines(
        [mnist.images[row, :, :, 0] for row in rows],
        ["".join(str(mnist.classes[i]) for i in row) for row in rows],
        rng,
        **how,  # type: ignore[arg-type]
    )


def png(picture: np.ndarray) -> bytes:
    """A picture as a PNG file."""
    content = io.BytesIO()
    PIL.Image.fromarray(picture).save(content, "PNG")
    return content.getvalue()


def page_of(mnist: Labelled, *digits: tuple[int, int, int, int], size: tuple[int, int] = (700, 900)) -> PIL.Image.Image:
    """Paper with test digits on it, each by its place in the test set, its side and its left upper corner in pixels."""
    paper = PIL.Image.new("L", (size[1], size[0]), 240)
    for place, side, left, top in digits:
        ink = PIL.Image.fromarray(mnist.images[place, :, :, 0]).resize((side, side), PIL.Image.Resampling.BICUBIC)
        paper.paste(PIL.Image.new("L", ink.size, 40), (left, top), ink)
    return paper


def row_of(mnist: Labelled, size: tuple[int, int], top: int = 60) -> np.ndarray:
    """The row 72104 as dark ink on light paper of a size (height, width)."""
    places = [(index, 64, 40 + 77 * place, top) for place, index in enumerate(FIVE)]
    return np.array(page_of(mnist, *places, size=size))
