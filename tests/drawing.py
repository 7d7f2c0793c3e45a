"""Digits drawn on the page's board as a hand draws them: pen tracks of people, smoothed, moved along point by point."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page

TRACKS = Path(__file__).parent / "data" / "pendigits.csv"
LIFTED = {"4", "5", "7"}  # people lift the pen within them; the tracks join their strokes
WIDE = {"1": 0.35}  # the tracks are stretched to squares; this is how wide a digit was for its height, about
Track = NDArray[np.float64]


def tracks() -> list[tuple[str, list[Track]]]:
    """100 digits of many people: the label and its strokes, each (n, 2) in 0-1, x to the right and y down.

    A track has eight points, equally far apart along all strokes together. Where it goes up steeply within a 4, 5 or 7
    the pen was lifted, and nothing is drawn. Ten of each digit, by chance; of 4, 7 and 9, of which eight points keep
    too little, those were chosen by eye that a person can still read.
    """
    rows = np.loadtxt(TRACKS, delimiter=",", dtype=int)  # (100, 17)
    return [(str(row[16]), _strokes(str(row[16]), row[:16].reshape(8, 2) / 100)) for row in rows]


def _strokes(label: str, points: Track) -> list[Track]:
    wide = WIDE.get(label, 0.65)
    points = np.stack([0.5 + (points[:, 0] - 0.5) * wide, 1 - points[:, 1]], axis=1)
    lifted = (points[:-1, 1] - points[1:, 1] > 0.2) & (label in LIFTED)
    parts = np.split(points, np.flatnonzero(lifted) + 1)
    return [smooth(part) for part in parts if len(part) > 1]


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


def draw(page: Page, points: Track, size: float = 0.64) -> None:
    """Draw one stroke with the mouse into the middle of the board, `size` being a share of it."""
    board = page.locator("#board")
    board.scroll_into_view_if_needed()
    box = board.bounding_box()
    assert box is not None
    corner = np.array([box["x"], box["y"]])
    places = (corner + box["width"] * ((1 - size) / 2 + size * points)).tolist()
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place)
    page.mouse.up()


SEVEN = np.array([(0.15, 0.03), (0.85, 0.0), (0.6, 0.4), (0.4, 1.0)])
ONE = np.array([(0.5, 0.0), (0.5, 0.5), (0.48, 1.0)])


def one_begun(page: Page) -> None:
    """Draw a 1 on the board with the mouse, which is not lifted yet."""
    box = page.locator("#board").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 380, steps=12)
