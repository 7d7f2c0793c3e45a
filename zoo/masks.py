"""Measure and change masks, bool (h, w): grow and stretch them, and find their hulls, boxes and straight sides."""

from __future__ import annotations

import numpy as np

from zoo.types import Box, Mask, Plane

_STRAIGHT = 0.8  # of an edge of the box: how much of it has ink nearby if the mark is straight there, at least
_FILLED = 0.75  # of the smallest rectangle around it: area of a filled shape, at least
_TURNED = 0.45  # of its own box: area of a filled shape, at least, even of a square that stands on its corner
_WALL = 0.2  # of that rectangle's shorter side: how far inside the shape its ink is even
_EVEN = 0.95  # of full ink: the ink there, at least
_BROAD = 0.5  # of that rectangle's longer side: its shorter one, at least; a bold 1 is slimmer
_RIM = 0.06  # of the box's width or height: what counts as nearby
_ANGLES = np.deg2rad(np.arange(0, 90, 3, dtype=np.float32))  # directions of rectangles that are tried, in radians
_TURNS = np.stack([[*np.cos(_ANGLES), *-np.sin(_ANGLES)], [*np.sin(_ANGLES), *np.cos(_ANGLES)]], axis=1)


def spread_out(mask: Mask, times: int, across: bool = True) -> Mask:
    """Grow a mask by one cell up and down, and with `across` also left and right, `times` times."""
    for _ in range(times):
        grown = mask.copy()
        grown[1:] |= mask[:-1]
        grown[:-1] |= mask[1:]
        if across:
            grown[:, 1:] |= mask[:, :-1]
            grown[:, :-1] |= mask[:, 1:]
        mask = grown
    return mask


def stretched(mask: Mask, height: int, width: int) -> Mask:
    """Resize a mask to (height, width) by nearest neighbour."""
    rows, columns = mask.shape
    cells: Mask = mask[np.arange(height)[:, None] * rows // height, np.arange(width) * columns // width]
    return cells


def thicker_than(mask: Mask, limit: int) -> Mask:
    """Return the part of a mask that lies in runs of more than `limit` cells down a column."""
    thick = mask
    for _ in range(limit):
        thick = thick[1:] & thick[:-1]
    opened = np.zeros_like(mask)
    for start in range(limit + 1):
        opened[start : start + len(thick)] |= thick
    return opened


def hull_of(mask: Mask) -> Mask:
    """Return a mask with every cell added that lies between cells of it both in its row and in its column."""
    rows = np.logical_or.accumulate(mask, 1) & np.logical_or.accumulate(mask[:, ::-1], 1)[:, ::-1]
    columns = np.logical_or.accumulate(mask, 0) & np.logical_or.accumulate(mask[::-1], 0)[::-1]
    hull: Mask = rows & columns
    return hull


def rectangle_around(hull: Mask) -> tuple[float, float]:
    """Return the shorter and the longer side in cells of the smallest rectangle around a mask without gaps in its rows.

    Rectangles in every direction are tried, 3 degrees apart.
    """
    down = np.flatnonzero(hull.any(axis=1))
    rows = hull[down]
    first, last = rows.argmax(axis=1), rows.shape[1] - rows[:, ::-1].argmax(axis=1)
    # The corners of the outermost cells of each row.
    corners = np.array([[*first, *first, *last, *last], [*down, *(down + 1), *down, *(down + 1)]], np.float32)
    turned = _TURNS @ corners  # corners along and across each direction: (2 directions, corners)
    along, across = (turned.max(axis=1) - turned.min(axis=1)).reshape(2, -1)
    least = int((along * across).argmin())
    short, long = sorted((float(along[least]), float(across[least])))
    return short, long


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
    for _ in range(max(1, round(_WALL * short))):
        inside = ~spread_out(~inside, 1)
    return bool((level[inside[1:-1, 1:-1]] > _EVEN).all())


def box_of(mask: Mask) -> Box:
    """Return the bounding box of a mask, bool (h, w), which is not empty."""
    down, across = np.logical_or.reduce(mask, 1).tobytes(), np.logical_or.reduce(mask, 0).tobytes()
    return across.find(1), down.find(1), across.rfind(1) + 1, down.rfind(1) + 1


def is_boxed(body: Mask, sides: int = 3) -> bool:
    """Whether a mark, bool (h, w) cut to its box, has straight edges along at least `sides` sides of the box."""
    down, across = (max(1, round(_RIM * side)) for side in body.shape)
    edges = (body[:down].any(0), body[-down:].any(0), body[:, :across].any(1), body[:, -across:].any(1))
    return sum(float(edge.mean()) > _STRAIGHT for edge in edges) >= sides
