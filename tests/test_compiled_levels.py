"""zoo.compiled.levels gives what plain NumPy does, and takes any value."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from zoo.compiled.levels import (
    along_main_direction,
    level_of,
    lighter_of_two,
    main_direction,
    median_of,
    noise_of,
    quantile_of,
    share_of,
)
from zoo.types import Plane

SHAPES = [(1, 1), (1, 7), (7, 1), (9, 14), (80, 61)]


def levels(*shape: int, seed: int = 1) -> Plane:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.float32)


@pytest.mark.parametrize("count", [1, 2, 3, 8, 501])
def test_the_median_of_columns_is_numpys(count: int) -> None:
    whole = levels(count, 3)
    last = whole.copy()
    for odd in (255.5, -1, 256, 1e30):
        last[-1] = odd
        np.testing.assert_array_equal(median_of(last), np.median(last, axis=0))
    for values in (whole, levels(3, count).T, np.ones((count, 1), np.float32), whole / 3, 255 * (whole > 127)):
        values = values.astype(np.float32)
        np.testing.assert_array_equal(median_of(values), np.median(values, axis=0))


def test_no_values_have_no_median() -> None:
    with pytest.raises(ValueError, match="0"):
        median_of(np.zeros((0, 3), np.float32))
    with pytest.raises(ValueError, match="0"):
        quantile_of(np.zeros((0, 3), np.float32), 0.5)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.98, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_quantile_is_one_of_the_sorted_values(shape: tuple[int, int], share: float) -> None:
    values = levels(*shape)
    assert quantile_of(values, share) == np.sort(values.ravel())[round(share * (values.size - 1))]


def test_the_quickest_pivots_are_not_needed() -> None:
    """Values on which the middle is the least or the greatest again and again take no quadratic time."""
    count = 200_000
    order, hard = list(range(count)), np.empty(count, np.float32)
    for low in range(count):  # whatever is in the middle becomes the least of the rest
        middle = (low + count - 1) >> 1
        hard[order[middle]] = low
        order[low], order[middle] = order[middle], order[low]
    assert median_of(hard[:, None])[0] == np.median(hard)


def test_a_quantile_of_nothing_is_refused() -> None:
    for share in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="share"):
            quantile_of(levels(3, 3), share)


def test_other_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="3 channels"):
        share_of(levels(5, 3), levels(2), 3.0)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_background_is_reduced_along_the_main_direction(channels: int) -> None:
    generator = np.random.default_rng(6)
    ground = generator.uniform(40, 250, (9, 7, channels)).astype(np.float32)
    picture = ground + generator.normal(0, 30, (9, 7, channels)).astype(np.float32)
    axis, level, gain = along_main_direction(picture, ground, 60.0)
    np.testing.assert_allclose(axis, main_direction((picture - ground).reshape(-1, channels)), rtol=1e-5)
    np.testing.assert_allclose(level, ground @ axis, rtol=1e-4)
    light = ground.mean(axis=2)
    np.testing.assert_allclose(gain, light.mean() / np.maximum(light, 60), rtol=1e-5)
    with pytest.raises(ValueError, match="same shape"):
        along_main_direction(picture[1:], ground, 16.0)


def test_a_share_counts_what_is_near_in_each_channel() -> None:
    values = np.array([[10, 20, 30], [13, 20, 30], [10, 24, 30], [7, 17, 27]], np.float32)
    assert share_of(values, np.array([10, 20, 30], np.float32), 3.0) == 0.75
    assert share_of(values[:, :1], np.array([10], np.float32), 0.0) == 0.5


@pytest.mark.parametrize("sigma", [0.5, 3.0, 20.0])
def test_noise_is_the_sigma_of_its_normal_distribution(sigma: float) -> None:
    contrast = np.random.default_rng(2).normal(5, sigma, (120, 160)).astype(np.float32)
    assert noise_of(contrast) == pytest.approx(sigma, rel=0.04)
    differences = np.abs(contrast[::3, 2:] - contrast[::3, :-2])
    assert noise_of(contrast) == pytest.approx(float(np.median(differences)) / 0.954)


def test_what_is_too_narrow_to_tell_has_no_noise() -> None:
    assert noise_of(levels(5, 2)) == noise_of(np.zeros((0, 9), np.float32)) == 0.0


def by_isodata(ink: Plane) -> float:
    """The mean of what is above the isodata threshold, found level by level."""
    values = np.where(ink >= 1, ink, 0).astype(int).ravel()
    cut, high = values.max() // 2, 0.0
    for _ in range(8):
        low, high = values[values <= cut], values[values > cut].mean()
        middle = min(int((high + (low.mean() if low.size else 0)) / 2), values.max() - 1)
        if middle == cut:
            break
        cut = middle
    return high + 0.5


@pytest.mark.parametrize("strength", [1.5, 30.0, 200.0, 3000.0])
@pytest.mark.parametrize("shape", [(6, 9), (80, 80)])
def test_the_level_of_ink_is_the_mean_above_the_isodata_threshold(shape: tuple[int, int], strength: float) -> None:
    ink = np.random.default_rng(3).normal(0, 2, shape).astype(np.float32)
    ink[2:5, 3:6] += strength
    assert level_of(ink) == pytest.approx(by_isodata(ink))


def test_what_is_fainter_than_a_level_is_no_ink() -> None:
    assert level_of(np.full((5, 5), 0.99, np.float32)) == level_of(np.zeros((0, 4), np.float32)) == 0.0


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_two_levels_are_told_apart(channels: int, share: float) -> None:
    generator = np.random.default_rng(4)
    light = generator.random(400) < share
    some = (np.where(light, 190, 70)[:, None] + generator.normal(0, 4, (400, channels))).astype(np.float32)
    found = lighter_of_two(some, 4.0, 0.05)
    assert found is not None
    np.testing.assert_array_equal(found, light)


def test_two_levels_are_divided_where_they_were_judged() -> None:
    generator = np.random.default_rng(7)
    for _ in range(300):
        count, share = int(generator.integers(20, 200)), generator.uniform(0.1, 0.9)
        grey = np.where(generator.random(count) < share, 180, 90) + generator.normal(0, 9, count)
        some = grey.astype(np.float32)[:, None]
        cut = (some.min() + some.max()) / 2
        for _ in range(4):
            light = some[:, 0] > cut
            cut = (some[light].mean(dtype=float) + some[~light].mean(dtype=float)) / 2
        found = lighter_of_two(some, 4.0, 1.0)
        assert found is not None
        np.testing.assert_array_equal(found, light)


def test_one_level_a_gradient_and_noise_are_not_two() -> None:
    for some in (np.full((50, 1), 99), np.linspace(0, 255, 50)[:, None], levels(300, 3), np.zeros((0, 3))):
        assert lighter_of_two(some.astype(np.float32), 4.0, 0.05) is None


@pytest.mark.parametrize("direction", [(1, 0, 0), (0.2, 0.3, 0.5), (-0.6, 0.1, -0.3), (0.5, -0.5, 0.0)])
def test_the_main_direction_is_the_first_component(direction: tuple[float, ...]) -> None:
    generator = np.random.default_rng(5)
    away = np.outer(generator.normal(0, 40, 500), direction) + generator.normal(0, 2, (500, 3))
    axis = main_direction(away.astype(np.float32))
    first = np.linalg.eigh(away.T @ away)[1][:, -1]
    assert np.abs(axis).sum() == pytest.approx(1)
    assert axis.sum() >= -1e-6
    np.testing.assert_allclose(np.abs(axis @ first), np.linalg.norm(axis), rtol=1e-4)


def test_no_difference_has_the_last_channel_for_a_direction() -> None:
    np.testing.assert_array_equal(main_direction(np.zeros((9, 3), np.float32)), [0, 0, 1])
    with pytest.raises(ValueError, match="5 channels"):
        main_direction(np.zeros((9, 5), np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e38, -1e38])
def test_any_value_is_taken(value: float) -> None:
    plain = levels(9, 8)
    mixed = plain.copy()
    mixed[::2, ::3] = value
    whole: NDArray[np.float32] = np.full((9, 8), value, np.float32)
    for values in (mixed, whole):
        level_of(values), noise_of(values), median_of(values), quantile_of(values, 0.98)
        lighter_of_two(values, 4.0, 0.05), main_direction(values[:, :3]), share_of(values, values[0], 3.0)
