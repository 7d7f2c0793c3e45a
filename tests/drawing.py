"""Digits drawn on the page's board as a hand draws them: pen tracks of people, smoothed, moved along point by point."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page

TRACKS = Path(__file__).parent / "data" / "pendigits.csv"
Track = NDArray[np.float64]


def tracks() -> list[tuple[str, Track]]:
    """100 digits of many people: the label, and eight points (8, 2) in 0-1, y pointing down."""
    rows = np.loadtxt(TRACKS, delimiter=",", dtype=int)  # (100, 17)
    points = rows[:, :16].reshape(-1, 8, 2) / 100
    points[..., 1] = 1 - points[..., 1]
    return [(str(row[16]), each) for row, each in zip(rows, points, strict=True)]


def smooth(points: Track, steps: int = 4) -> Track:
    """A Catmull-Rom curve through the points, (n, 2), as a pen moves between them."""
    ends = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    curve = []
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        for t in np.arange(steps) / steps:
            curve.append(
                0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
            )
    return np.vstack([*curve, points[-1]])


def draw(page: Page, points: Track, left: float = 0.3, top: float = 0.18, wide: float = 0.4, high: float = 0.64) -> None:
    """Draw one stroke with the mouse into a part of the board, all given as shares of it."""
    board = page.locator("#board")
    board.scroll_into_view_if_needed()
    box = board.bounding_box()
    assert box is not None
    places = [
        (box["x"] + (left + x * wide) * box["width"], box["y"] + (top + y * high) * box["height"]) for x, y in points
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place)
    page.mouse.up()


SEVEN = np.array([(0.0, 0.03), (1.0, 0.0), (0.7, 0.4), (0.4, 1.0)])
ONE = np.array([(0.5, 0.0), (0.5, 0.5), (0.48, 1.0)])
