"""Ruled lines are taken away and strokes are not."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.ruling import without_ruling


@pytest.fixture
def page() -> np.ndarray:
    """The ink of a page, float32 (100, 400): a thin 7, 60 wide, as strong as 100."""
    ink = np.zeros((100, 400), np.float32)
    ink[20:22, 40:100] = 100
    for step in range(60):
        ink[22 + step, 97 - step // 2 : 100 - step // 2] = 100
    return ink


def test_faint_dashes_askew_go_and_the_stroke_that_they_cross_stays(page: np.ndarray) -> None:
    ruled = page.copy()
    for x in range(400):
        if x % 30 < 26:
            rows = np.s_[50 + x // 40 : 52 + x // 40]
            ruled[rows, x] = np.maximum(ruled[rows, x], 40)
    rest = without_ruling(ruled > 30, ruled, 100)
    assert np.count_nonzero((ruled > 30) & (page == 0)) > 500
    assert np.count_nonzero(rest & (page == 0)) <= 6, "a corner between the line and the stroke"
    assert rest[page > 0].all()


def test_the_faint_sides_of_a_box_go_with_its_lines_across_and_a_faint_1_stays(page: np.ndarray) -> None:
    boxed = page.copy()
    boxed[[10, 11, 90, 91], 150:230] = boxed[10:92, [150, 151, 228, 229]] = 45
    boxed[25:75, 190:192] = 45
    rest = without_ruling(boxed > 30, boxed, 100)
    assert np.count_nonzero(rest[:, 150:180]) <= 8, "a corner"
    assert rest[25:75, 190:192].all()
    assert rest[page > 0].all()


def test_a_strong_line_stays(page: np.ndarray) -> None:
    page[70:72, 150:300] = 90
    np.testing.assert_array_equal(without_ruling(page > 30, page, 100), page > 30)


def test_a_short_faint_bar_stays(page: np.ndarray) -> None:
    page[70:72, 150:180] = 45
    np.testing.assert_array_equal(without_ruling(page > 30, page, 100), page > 30)


def test_a_page_of_nothing_but_lines_stays() -> None:
    ink = np.zeros((60, 300), np.float32)
    ink[20:22] = ink[40:42] = 40
    np.testing.assert_array_equal(without_ruling(ink > 30, ink, 100), ink > 30)
