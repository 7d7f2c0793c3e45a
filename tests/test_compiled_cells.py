"""The compiled loops over cells, compared with plain statements of the same things."""

from __future__ import annotations

import numpy as np
import pytest
from masking import masks

from zoo.compiled import cells
from zoo.types import Mask


def test_boxes_and_inked_lines() -> None:
    for mask in masks():
        across, down = mask.any(axis=0), mask.any(axis=1)
        columns, rows = across.nonzero()[0], down.nonzero()[0]
        assert cells.box_of(mask) == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        assert cells.count_inked(mask) == (across.sum(), down.sum())
    for shape in [(3, 4), (0, 4), (4, 0), (0, 0)]:
        assert cells.box_of(np.zeros(shape, np.bool_)) == (-1, -1, 0, 0)
        assert cells.count_inked(np.zeros(shape, np.bool_)) == (0, 0)


def between(mask: Mask) -> Mask:
    """Cells between two others of their row."""
    return np.array([[row[: x + 1].any() and row[x:].any() for x in range(len(row))] for row in mask])


def test_hulls() -> None:
    for mask in masks():
        np.testing.assert_array_equal(cells.hull_of(mask), between(mask) & between(mask.T).T)
    for shape in [(3, 4), (0, 4), (4, 0)]:
        assert cells.hull_of(np.zeros(shape, np.bool_)).shape == shape


def test_rectangles() -> None:
    angles = np.deg2rad(np.arange(0, 90, 3, dtype=np.float32))
    turns = np.stack([np.cos(angles), np.sin(angles)])
    for mask in masks():
        hull = cells.hull_of(mask)
        corners = np.array([(y + down, x + right) for y, x in np.argwhere(hull) for down in (0, 1) for right in (0, 1)])
        along = np.outer(corners[:, 1], turns[0]) + np.outer(corners[:, 0], turns[1])
        across = np.outer(corners[:, 0], turns[0]) - np.outer(corners[:, 1], turns[1])
        short, long = cells.rectangle_around(hull, turns)
        assert short <= long
        assert short * long == pytest.approx((np.ptp(along, axis=0) * np.ptp(across, axis=0)).min(), rel=1e-4)
    with pytest.raises(ValueError, match="empty"):
        cells.rectangle_around(np.zeros((3, 4), np.bool_), turns)
    with pytest.raises(ValueError, match=r"directions .* not \(2, 0\)"):
        cells.rectangle_around(np.ones((3, 4), np.bool_), np.zeros((2, 0), np.float32))


@pytest.mark.parametrize("across", [True, False])
def test_growing(across: bool) -> None:
    for mask in masks():
        rows, columns = np.indices(mask.shape).reshape(2, -1, 1)
        ys, xs = mask.nonzero()
        away = np.abs(rows - ys) + np.abs(columns - xs) * (1 if across else 10**12)
        for times in (-1, 0, 1, 2, 5, 10**9):
            expected = (away.min(axis=1) <= max(0, times)).reshape(mask.shape)
            np.testing.assert_array_equal(cells.spread_out(mask, times, across), expected)
    assert cells.spread_out(np.zeros((0, 4), np.bool_), 2).shape == (0, 4)


def test_widening() -> None:
    for mask in masks():
        columns = np.arange(mask.shape[1])
        for by in (0, 1, 4, 1000):
            near = np.abs(columns[:, None] - columns) <= by
            np.testing.assert_array_equal(cells.widened(mask, by), mask.astype(int) @ near > 0)
    assert cells.widened(np.zeros((4, 0), np.bool_), 2).shape == (4, 0)
    with pytest.raises(ValueError, match="not by -1"):
        cells.widened(mask, -1)


def long_runs(column: Mask, limit: int) -> list[bool]:
    words = "".join("x" if cell else " " for cell in column).split(" ")
    return [cell for word in words for cell in [*[len(word) > limit] * len(word), False]][:-1]


@pytest.mark.parametrize("limit", [0, 1, 2, 5, 1000])
def test_thickness(limit: int) -> None:
    for mask in masks():
        expected = np.array([long_runs(column, limit) for column in mask.T]).T
        np.testing.assert_array_equal(cells.thicker_than(mask, limit), expected)
    with pytest.raises(ValueError, match="not -1"):
        cells.thicker_than(mask, -1)


def test_straight_sides() -> None:
    for mask in masks():
        for down, across in [(1, 1), (2, 3), (100, 100)]:
            edges = mask[:down].any(0), mask[-down:].any(0), mask[:, :across].any(1), mask[:, -across:].any(1)
            for share in (0.3, 0.8):
                expected = sum(edge.mean() > share for edge in edges)
                assert cells.straight_sides(mask, down, across, share) == expected
    assert cells.straight_sides(np.zeros((0, 4), np.bool_), 1, 1, 0.5) == 0
