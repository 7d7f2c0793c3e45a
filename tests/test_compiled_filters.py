"""zoo.compiled.filters gives what Pillow and plain NumPy do, and reads nothing beyond a picture."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest
from PIL import ImageFilter

from zoo.compiled.filters import (
    closed,
    colour_of,
    contrast_of,
    grey_of,
    means_of_blocks,
    means_of_paper,
    medians_around,
    resampled,
)
from zoo.types import Image, Plane

SHAPES = [(1, 1), (1, 30), (30, 1), (24, 24), (18, 24), (61, 40)]


def picture(*shape: int) -> Image:
    return np.random.default_rng(28).integers(0, 256, shape, np.uint8)


def plane(*shape: int) -> Plane:
    return (np.random.default_rng(29).random(shape) * 255).astype(np.float32)


def weights(rows: int, columns: int) -> Plane:
    return np.random.default_rng(30).random((rows, columns)).astype(np.float32) * (plane(rows, columns) > 120)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 300])
@pytest.mark.parametrize("shape", SHAPES)
def test_blocks_are_averaged_as_pillow_does(shape: tuple[int, int], step: int) -> None:
    colours = picture(*shape, 3)
    expected = np.asarray(PIL.Image.fromarray(colours).reduce(step), np.float32)
    np.testing.assert_array_equal(means_of_blocks(colours, step, 3, joined=False), expected)
    with_alpha = np.dstack([colours, picture(*shape)])
    np.testing.assert_array_equal(means_of_blocks(with_alpha, step, 3, joined=False), expected)
    line = PIL.Image.fromarray(colours.reshape(shape[0], -1)).reduce((3 * step, step))
    np.testing.assert_array_equal(means_of_blocks(colours, step, 3, joined=True)[:, :, 0], np.asarray(line))


def test_a_part_and_a_turned_picture_are_averaged_as_their_copies() -> None:
    whole = picture(60, 90, 3)
    for part in (whole[7:50, 11:83], whole[::-1], whole.transpose(1, 0, 2), whole[:, ::2], whole[:, :, ::-1]):
        expected = means_of_blocks(part.copy(), 4, 3, joined=False)
        np.testing.assert_array_equal(means_of_blocks(part, 4, 3, joined=False), expected)
        assert colour_of(part, 2) == colour_of(part.copy(), 2)


@pytest.mark.parametrize("wrong", [(0, 3), (-1, 3), (2, 0), (2, 4)])
def test_a_step_of_nothing_and_channels_that_are_not_there_are_refused(wrong: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        means_of_blocks(picture(8, 8, 3), *wrong, joined=False)


def test_a_picture_without_pixels_has_no_means() -> None:
    with pytest.raises(ValueError, match="0x8x3"):
        means_of_blocks(picture(0, 8, 3), 2, 3, joined=False)


@pytest.mark.parametrize(("height", "width"), [(1, 60_000), (4100, 4100), (500, 20_000)])
def test_the_mean_of_a_large_even_block_is_its_level(height: int, width: int) -> None:
    even = np.full((height, width, 3), (251, 251, 252), np.uint8)
    for step in (min(height, width), max(height, width), 2**62):
        assert (means_of_blocks(even, step, 3, joined=False) == (251, 251, 252)).all()
        assert (means_of_blocks(even, step, 3, joined=True) == 251).all()


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_grey_is_the_mean_of_the_channels(channels: int) -> None:
    planes = plane(7, 5, channels)
    np.testing.assert_allclose(grey_of(planes), planes.mean(axis=2), rtol=1e-6)


@pytest.mark.parametrize("step", [1, 2, 5])
def test_colour_is_the_largest_difference_of_neighbouring_channels(step: int) -> None:
    colours = picture(31, 17, 4)
    some = colours[::step, ::step, :3].astype(int)
    assert colour_of(colours, step) == np.abs(np.diff(some, axis=2)).max()
    assert colour_of(np.dstack([picture(9, 9)] * 3), step) == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_resampling_is_two_products(shape: tuple[int, int]) -> None:
    planes = plane(*shape, 2)
    down, across = weights(13, shape[0]), weights(5, shape[1])
    expected = np.einsum("yr,rcn,xc->yxn", down, planes, across)
    np.testing.assert_allclose(resampled(planes, down, across), expected, rtol=1e-5, atol=1e-2)
    assert not resampled(planes, np.zeros_like(down), across).any()
    with pytest.raises(ValueError, match="weights for"):
        resampled(planes, weights(13, shape[0] + 1), across)


def test_a_contrast_is_that_along_the_axis_times_the_gain() -> None:
    small, axis = plane(20, 30, 3), np.array([0.5, -0.2, 0.3], np.float32)
    levels, gain, down, across = plane(4, 6), plane(4, 6) / 100, weights(20, 4), weights(30, 6)
    expected = (small @ axis - down @ levels @ across.T) * (down @ gain @ across.T)
    np.testing.assert_allclose(contrast_of(small, axis, levels, gain, down, across), expected, rtol=1e-4, atol=1e-2)
    with pytest.raises(ValueError, match="2 channels"):
        contrast_of(small, axis[:2], levels, gain, down, across)
    with pytest.raises(ValueError, match="weights of"):
        contrast_of(small[1:], axis, levels, gain, down, across)


def nearness(size: int) -> Plane:
    places = np.arange(size)
    return np.exp(-((places[:, None] - places) ** 2) / 4.5).astype(np.float32)


def test_the_mean_of_the_paper_bridges_ink_on_a_slope() -> None:
    slope = (100 + 3 * np.arange(24)[:, None, None] + 2 * np.arange(20)[:, None] + np.zeros(3)).astype(np.float32)
    paper = np.ones((24, 20), np.float32)
    paper[8:16, 9:12] = 0
    inked = slope * (0.3 + 0.7 * paper[:, :, None])
    found = means_of_paper(inked, paper, nearness(24), nearness(20))
    biased = nearness(24) @ (paper * inked[:, :, 0]) @ nearness(20) / (nearness(24) @ paper @ nearness(20))
    assert np.abs(found - slope).max() < 8 < np.abs(biased - slope[:, :, 0])[0].min() + 8
    even = np.full((24, 20, 1), 77, np.float32)
    np.testing.assert_allclose(means_of_paper(even, paper, nearness(24), nearness(20)), even, rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_medians_are_those_of_pillow(shape: tuple[int, int]) -> None:
    levels = picture(*shape)
    expected = np.asarray(PIL.Image.fromarray(levels).filter(ImageFilter.MedianFilter(11)))
    np.testing.assert_array_equal(medians_around(levels.astype(np.float32), 11), expected)
    np.testing.assert_array_equal(medians_around(levels.astype(np.float32), 1), levels)


@pytest.mark.parametrize("weights_of", [(1, 1), (24, 1), (1, 20), (20, 24)])
def test_weights_for_other_cells_are_refused(weights_of: tuple[int, int]) -> None:
    down, across = plane(weights_of[0], 24), plane(weights_of[1], 20)
    with pytest.raises(ValueError, match="24x20 cells"):
        means_of_paper(plane(24, 20, 1), plane(24, 20), down, across)


@pytest.mark.parametrize("window", [0, -3, 4, 257])
def test_a_window_without_a_middle_is_refused(window: int) -> None:
    with pytest.raises(ValueError, match="odd"):
        medians_around(plane(5, 5), window)


@pytest.mark.parametrize("size", [1, 2, 7, 40])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_closing_is_the_least_of_the_greatest(shape: tuple[int, int], size: int) -> None:
    values = plane(*shape, 2)
    padded = np.pad(values, [(size - 1, size - 1)] * 2 + [(0, 0)], mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(0, 1))
    greatest = windows.max(axis=(-1, -2))  # of the squares that reach each cell, and those beyond the border
    expected = np.lib.stride_tricks.sliding_window_view(greatest, (size, size), axis=(0, 1)).min(axis=(-1, -2))
    np.testing.assert_array_equal(closed(values, size), expected)


@pytest.mark.parametrize("beyond", [True, False])
def test_a_square_larger_than_the_picture_is_like_any_other(beyond: bool) -> None:
    values = plane(9, 14, 1)
    for size in (15, 16, 40, 2**31, 2**62):
        np.testing.assert_array_equal(closed(values, size, beyond), closed(values, 15, beyond))


def test_without_what_is_beyond_a_hole_at_the_border_stays() -> None:
    values = np.full((12, 12, 1), 200, np.float32)
    values[4:9, :2] = 10
    assert closed(values, 4)[5, 0] == 10
    assert closed(values, 4, beyond=False)[5, 0] == 200
    with pytest.raises(ValueError, match="0 cells"):
        closed(values, 0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e38])
def test_any_value_is_taken(value: float) -> None:
    values = plane(9, 8, 3)
    values[::2, ::3] = value
    flat, ones = np.ascontiguousarray(values[:, :, 0]), np.ones(3, np.float32)
    closed(values, 3), resampled(values, weights(4, 9), weights(4, 8)), medians_around(flat, 11)
    contrast_of(values, ones, flat[:2, :2].copy(), flat[:2, :2].copy(), weights(9, 2), weights(8, 2))
    means_of_paper(values, flat, nearness(9), nearness(8))
