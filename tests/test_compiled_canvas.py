"""The compiled steps from ink to a model's page do what plain NumPy and Pillow do."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import pytest

from zoo.compiled.canvas import centred, cut_out, drawn, stroke_width
from zoo.types import Box, Image, Mask, Plane

SIDE, FINE, MIDDLE = 28, 4, 57.5  # of MNIST's form


def levels(rng: np.random.Generator, height: int, width: int) -> Plane:
    """A few blots of different strength: float32 (h, w), 0-1."""
    level = np.zeros((height, width), np.float32)
    for _ in range(4):
        top, left = rng.integers(height), rng.integers(width)
        level[top : top + rng.integers(1, 9), left : left + rng.integers(1, 9)] = rng.uniform(0.6, 1)
    return level


def variants(array: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """The same array laid out in other ways, and read-only."""
    fixed = array.copy()
    fixed.flags.writeable = False
    return [array, fixed, np.asfortranarray(array), np.repeat(array, 2, axis=1)[:, ::2], array[::-1].copy()[::-1]]


SHAPES = [(1, 1), (1, 9), (9, 1), (2, 2), (13, 7), (46, 37), (64, 64)]


@pytest.mark.parametrize("shape", SHAPES)
def test_ink_is_cut_out_of_its_box(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    ink, digit = rng.normal(40, 40, shape).astype(np.float32), rng.random(shape) < 0.7
    bottom, right = (int(rng.integers(1, side + 1)) for side in shape)
    top, left = int(rng.integers(bottom)), int(rng.integers(right))
    within = np.s_[top:bottom, left:right]
    expected = np.clip((ink[within] - np.float32(9.3)) / np.float32(41.7), 0, 1) * digit[within]
    for some, marks in zip(variants(ink), variants(digit), strict=True):
        level = cut_out(some, marks, (left, top, right, bottom), 9.3, 41.7)
        assert level.dtype == np.float32
        np.testing.assert_array_equal(level, expected)


@pytest.mark.parametrize(
    "box", [(0, 0, 5, 2), (0, 0, 2, 4), (-1, 0, 2, 2), (0, -1, 2, 2), (1, 1, 1, 2), (-1, -1, 0, 0)]
)
def test_a_box_that_does_not_fit_is_refused(box: Box) -> None:
    with pytest.raises(ValueError, match="box"):
        cut_out(np.ones((3, 4), np.float32), np.ones((3, 4), np.bool_), box, 0, 1)


def test_marks_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="marks"):
        cut_out(np.ones((3, 4), np.float32), np.ones((3, 3), np.bool_), (0, 0, 1, 1), 0, 1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("full", [True, False])
def test_a_stroke_is_as_wide_as_twice_its_area_over_its_outline(shape: tuple[int, int], full: bool) -> None:
    level = np.ones(shape, np.float32) if full else levels(np.random.default_rng(4), *shape)
    solid = np.pad(level > np.float32(0.5) * level.max(), 1).astype(int)
    edges = np.abs(np.diff(solid, axis=0)).sum() + np.abs(np.diff(solid, axis=1)).sum()
    expected = 2 * level.sum(dtype=np.float64) / (math.pi / 4 * edges)
    for some in variants(level):
        assert stroke_width(some) == pytest.approx(expected, rel=1e-12)
    assert expected > 0


def test_no_ink_has_no_stroke() -> None:
    assert stroke_width(np.zeros((5, 4), np.float32)) == 0


def resized(level: Plane, rows: int, columns: int, method: PIL.Image.Resampling) -> Image:
    """What Pillow 13 gives, by one direction at a time, in which all its versions agree."""
    image = PIL.Image.fromarray(np.rint(level * 255).astype(np.uint8))
    height, width = level.shape
    down_first = height > rows and height - rows > 2 * (width - columns)
    image = image.resize((width, rows) if down_first else (columns, height), method)
    return np.asarray(image.resize((columns, rows), method))


@pytest.mark.parametrize("smooth", [True, False])
def test_ink_is_resized_as_pillow_does_it(smooth: bool) -> None:
    rng = np.random.default_rng(5)
    method = PIL.Image.Resampling.BILINEAR if smooth else PIL.Image.Resampling.BOX
    sizes = [(1, 1), (1, 3000), (3000, 1), *rng.integers(1, 120, (150, 2)).tolist()]
    for height, width in sizes:
        rows, columns = rng.integers(1, 120, 2).tolist()
        for level in (rng.random((height, width), np.float32), np.ones((height, width), np.float32)):
            got = drawn(level, rows, columns, 0, smooth)
            np.testing.assert_array_equal(got, resized(level, rows, columns, method), f"{level.shape}, {got.shape}")


def test_grey_levels_are_rounded_to_the_nearest_even() -> None:
    level = (np.arange(511, dtype=np.float32) / 2 / 255)[None]
    np.testing.assert_array_equal(drawn(level, 1, 511, 0, True)[0], np.rint(level[0] * 255))


def thicker(canvas: Image) -> Image:
    """The greatest of each pixel and its four neighbours."""
    wide = np.pad(canvas, 1)
    around = (wide[1:-1, 1:-1], wide[:-2, 1:-1], wide[2:, 1:-1], wide[1:-1, :-2], wide[1:-1, 2:])
    return np.max(around, axis=0)


def thinner(canvas: Image) -> Image:
    """The least of each pixel and its four neighbours, which are black beyond the canvas."""
    wide = np.pad(canvas, 1)
    around = (wide[1:-1, 1:-1], wide[:-2, 1:-1], wide[2:, 1:-1], wide[1:-1, :-2], wide[1:-1, 2:])
    return np.min(around, axis=0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("grow", "step"), [(1, thicker), (3, thicker), (8, thicker), (-1, thinner), (-3, thinner)])
def test_strokes_are_thickened_and_thinned(shape: tuple[int, int], grow: int, step: Callable[[Image], Image]) -> None:
    level = np.random.default_rng(6).uniform(0.3, 1, shape).astype(np.float32)
    expected = np.pad(drawn(level, *shape, 0, True), abs(grow))
    for _ in range(abs(grow)):
        expected = step(expected)
    for some in variants(level):
        np.testing.assert_array_equal(drawn(some, *shape, grow, True), expected)


def test_thinning_by_more_than_all_leaves_nothing_and_takes_no_time() -> None:
    canvas = drawn(np.ones((30, 20), np.float32), 80, 53, -1000, True)
    assert canvas.shape == (2080, 2053)
    assert not canvas.any()


def plainly_centred(canvas: Image, unit: int) -> tuple[Image, int, int]:
    """What `centred` is to give for MNIST's form."""
    total = max(1, canvas.sum(dtype=int))
    x = unit * round((MIDDLE - (canvas.sum(axis=0, dtype=int) @ np.arange(canvas.shape[1])) / total) / unit)
    y = unit * round((MIDDLE - (canvas.sum(axis=1, dtype=int) @ np.arange(canvas.shape[0])) / total) / unit)
    page = np.zeros((SIDE * FINE, SIDE * FINE))
    for row, column in np.argwhere(canvas):
        if 0 <= row + y < len(page) and 0 <= column + x < len(page):
            page[row + y, column + x] = canvas[row, column]
    means = np.floor(page.reshape(SIDE, FINE, SIDE, FINE).mean(axis=(1, 3)) + 0.5)
    most = means.max()
    return np.rint(means * (255 / most)).astype(np.uint8) if most else means.astype(np.uint8), x, y


@pytest.mark.parametrize("shape", [*SHAPES, (80, 80), (96, 53), (200, 30), (30, 200), (200, 200)])
@pytest.mark.parametrize("unit", [1, 4])
def test_a_canvas_is_centred_and_reduced(shape: tuple[int, int], unit: int) -> None:
    canvas = (levels(np.random.default_rng(7), *shape) * 255).astype(np.uint8)
    seen, x, y = plainly_centred(canvas, unit)
    assert seen.max() == 255
    for some in variants(canvas):
        got = centred(some, SIDE, FINE, MIDDLE, unit)
        assert got[1:] == (x, y)
        np.testing.assert_array_equal(got[0], seen)


def test_a_black_canvas_stays_black() -> None:
    assert not centred(np.zeros((9, 9), np.uint8), SIDE, FINE, MIDDLE, 1)[0].any()


def test_what_is_no_number_is_drawn_as_no_ink() -> None:
    level = np.full((4, 4), np.nan, np.float32)
    level[1] = -1e30, -np.inf, np.inf, 1e30
    assert drawn(level, 4, 4, 0, True).tolist() == [[0] * 4, [0, 0, 255, 255], [0] * 4, [0] * 4]


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_nothing_can_be_made_of_no_pixels(shape: tuple[int, int]) -> None:
    nothing = np.zeros(shape, np.float32)
    none: Mask = np.zeros(shape, np.bool_)
    for call in (
        lambda: stroke_width(nothing),
        lambda: drawn(nothing, 4, 4, 0, True),
        lambda: centred(nothing.astype(np.uint8), SIDE, FINE, MIDDLE, 1),
        lambda: cut_out(nothing, none, (0, 0, 0, 0), 0, 1),
    ):
        with pytest.raises(ValueError, match=r"pixels|box"):
            call()


@pytest.mark.parametrize(
    ("rows", "columns", "grow"),
    [(0, 4, 0), (4, 0, 0), (-1, 4, 0), (1 << 40, 4, 0), (4, 4, 1 << 40), (4, 4, -(1 << 63))],
)
def test_a_canvas_that_cannot_be_is_refused(rows: int, columns: int, grow: int) -> None:
    with pytest.raises(ValueError, match="cannot draw"):
        drawn(np.ones((3, 3), np.float32), rows, columns, grow, True)


@pytest.mark.parametrize(
    ("side", "fine", "middle", "unit"),
    [(0, 4, 57.5, 1), (28, 0, 57.5, 1), (28, 4, math.nan, 1), (28, 4, -1, 1), (28, 4, 57.5, 0), (1 << 40, 4, 57.5, 1)],
)
def test_a_page_that_cannot_be_is_refused(side: int, fine: int, middle: float, unit: int) -> None:
    with pytest.raises(ValueError, match="cannot centre"):
        centred(np.ones((3, 3), np.uint8), side, fine, middle, unit)


def test_arrays_of_other_types_are_refused() -> None:
    with pytest.raises(ValueError, match="dtype"):
        stroke_width(np.ones((3, 3)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="dtype"):
        centred(np.ones((3, 3), np.float32), SIDE, FINE, MIDDLE, 1)  # type: ignore[arg-type]
