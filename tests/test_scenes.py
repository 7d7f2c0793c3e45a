"""Composed rows hold what a pen would have written of MNIST's digits: whole strokes, and nothing of MNIST's form."""

from __future__ import annotations

import numpy as np
import pytest

from zoo import scenes
from zoo.marks import Marks


def marks_of(picture: np.ndarray) -> int:
    """How many marks of dark ink a composed picture shows, specks of noise aside."""
    grey = picture.astype(np.float32).mean(axis=2)
    ink = np.median(grey) - grey
    marks = Marks(ink > 0.4 * ink.max(), ink, 0.02)
    return int(np.count_nonzero(marks.area > 6))


def composed(digit: np.ndarray, seed: int) -> np.ndarray:
    plain = np.full((400, 400, 3), 240, np.float32)
    return scenes.lines([[digit]], ["1"], np.random.default_rng(seed), ground=plain).picture


@pytest.fixture
def bar() -> np.ndarray:
    """A stroke from top to bottom, two pixels wide."""
    digit = np.zeros((28, 28), np.uint8)
    digit[4:24, 13:15] = 255
    return digit


def test_a_stroke_thinner_than_a_pixel_is_written_in_one_line(bar: np.ndarray) -> None:
    bar[10:17, 13:15] = 0
    bar[10:17, 13] = 70
    assert [marks_of(composed(bar, seed)) for seed in range(8)] == [1] * 8


def test_a_faint_mark_apart_is_not_written(bar: np.ndarray) -> None:
    bar[6:15, 20] = 75
    alone = bar.copy()
    alone[:, 20] = 0
    for seed in range(4):
        np.testing.assert_array_equal(composed(bar, seed), composed(alone, seed))


def test_a_strong_mark_apart_is_written(bar: np.ndarray) -> None:
    bar[6:15, 20:22] = 250
    assert [marks_of(composed(bar, seed)) for seed in range(4)] == [2] * 4
