"""Whether a mask, bool (h, w), is a filled shape or a box; the rectangle around it; and a mask resized."""

from __future__ import annotations

import numpy as np

from zoo.compiled import cells
from zoo.compiled.cells import hull_of, spread_out
from zoo.types import Mask, Plane

_STRAIGHT = 0.8  # of an edge of the box: how much of it has ink nearby if the mark is straight there, at least
_FILLED = 0.75  # of the smallest rectangle around it: area of a filled shape, at least
_TURNED = 0.45  # of its own box: area of a filled shape, at least, even of a square that stands on its corner
_WALL = 0.2  # of that rectangle's shorter side: how far inside the shape its ink is even
_EVEN = 0.95  # of full ink: the ink there, at least
_BROAD = 0.5  # of that rectangle's longer side: its shorter one, at least; a bold 1 is slimmer
_RIM = 0.06  # of the box's width or height: what counts as nearby
_ANGLES = np.deg2rad(np.arange(0, 90, 3, dtype=np.float32))  # directions of rectangles that are tried, in radians
_TURNS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)])


def stretched(mask: Mask, height: int, width: int) -> Mask:
    """Resize a mask to (height, width) by nearest neighbour."""
    rows, columns = mask.shape
    nearest: Mask = mask[np.arange(height)[:, None] * rows // height, np.arange(width) * columns // width]
    return nearest


def rectangle_around(hull: Mask) -> tuple[float, float]:
    """Return the shorter and the longer side in cells of the smallest rectangle around a mask without gaps in its rows.

    Rectangles in every direction are tried, 3 degrees apart.
    """
    return cells.rectangle_around(hull, _TURNS)


def is_solid(level: Plane) -> bool:
    """Whether ink, float32 (h, w), 0-1, that fills its box is one filled shape, as a disc or empty paper, and no digit.

    A disc covers 0.79 of its square. A bold or blurred digit may cover as much, but its holes and gaps are fainter.
    """
    mask = level > 0.5
    if np.count_nonzero(mask) < _TURNED * mask.size:
        return False
    inside = hull_of(mask)
    short, long = rectangle_around(inside)
    if short <= _BROAD * long or np.count_nonzero(mask) <= _FILLED * short * long:
        return False
    inside = np.pad(inside, 1)
    inside = ~spread_out(~inside, max(1, round(_WALL * short)))
    return bool((level[inside[1:-1, 1:-1]] > _EVEN).all())


def is_boxed(body: Mask, sides: int = 3) -> bool:
    """Whether a mark, bool (h, w) cut to its box, has straight edges along at least `sides` sides of the box."""
    down, across = (max(1, round(_RIM * side)) for side in body.shape)
    return cells.straight_sides(body, down, across, _STRAIGHT) >= sides
