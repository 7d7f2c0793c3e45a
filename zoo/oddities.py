"""Strokes, boxes and cut digits in a line of pieces, which may be no digits though a model takes them for some."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zoo.compiled.cells import box_of
from zoo.masks import is_boxed, is_solid
from zoo.parting import INK
from zoo.pieces import Piece
from zoo.types import Image

# For strokes that may be no 1, by the median height of the line's pieces.
_FEW = 4  # pieces from which a line has such a height
_AS_HIGH = 0.6  # of a line's median height: height of a digit cut off at the side, at least; the inverse at most
_BESIDE = 2  # pieces on either side by which the line's course is estimated
_TALLER = 1.25  # heights; a stroke that is higher may be a slash, a bracket or a bar
_OUT = 0.08  # heights by which it also stands out above and below the line
_SHORT = 0.65  # heights; a lower stroke with a neighbour close by may be a part of that
_CLOSE_BY = 0.08  # heights between the two, at most
_SLIM = 0.7  # width to height of a stroke, at most

# For brackets, in shares of the stroke's own height. The 1s are 530 that were measured.
_THIN = 0.25  # width of nearly all of a bracket's rows, at most
_BOWED = 0.12  # distance of its middle line from a straight one, at least; 9 of the 530 1s have as much
_FINE = 0.15  # width of the rows of a bracket that is no higher than a digit, at most
_ARCHED = 0.09  # distance of that bracket's middle line from a straight one; none of the 1s that look so has as much
_WAVY = 0.02  # distance of its middle line to the other side, at most
_LEANS = 0.15  # horizontal distance of its ends, at most


def cut_off(line: Sequence[Piece]) -> list[bool]:
    """Return which pieces of a line are about as high as the others, and cut off by the picture's left or right edge.

    What such a digit shows may look like another one, such as a 1, with confidence.
    """
    heights = np.array([piece.box[3] - piece.box[1] for piece in line])
    others = heights[[not piece.edge for piece in line]]
    if not len(others):
        return [False] * len(line)
    usual = float(np.median(others))
    return [piece.side and _AS_HIGH < tall / usual < 1 / _AS_HIGH for piece, tall in zip(line, heights, strict=True)]


def odd_ones(line: Sequence[Piece]) -> list[bool]:
    """Return which pieces of a line, from the left, may be no digits.

    - Strokes that stand out above and below the line or are bowed, as slashes, brackets and bars do.
    - Short strokes close to a neighbour, which may be a separate part of it.
    - Boxes, which may be there to be ticked, and filled shapes.
    """
    boxes = [_is_box_or_solid(piece.level) for piece in line]
    if len(line) < _FEW:
        return boxes
    lefts, tops, rights, bottoms = np.array([piece.box for piece in line]).T
    height = float(np.median(bottoms - tops))
    gaps = np.concatenate([[np.inf], lefts[1:] - np.maximum.accumulate(rights)[:-1], [np.inf]])
    found = []
    for place in range(len(line)):
        near = slice(max(0, place - _BESIDE), place + _BESIDE + 1)  # a line may slope
        wide, tall = rights[place] - lefts[place], bottoms[place] - tops[place]
        above, below = float(np.median(tops[near])) - tops[place], bottoms[place] - float(np.median(bottoms[near]))
        stands_out = tall > _TALLER * height and min(above, below) > _OUT * height
        is_part = tall < _SHORT * height and gaps[place : place + 2].min() < _CLOSE_BY * height
        is_odd = stands_out or is_part or _is_bracket(line[place].level)
        found.append(boxes[place] or bool(wide < _SLIM * tall and is_odd))
    return found


def _is_bracket(level: Image) -> bool:
    """Whether the ink in uint8 (h, w) is one thin stroke whose middle line is bowed.

    A finer, upright stroke that bows to one side only, most near its middle, need bow less: that is a bracket no higher
    than a digit.
    """
    ink = (level > INK)[(level > INK).any(axis=1)]
    first, last = ink.argmax(axis=1), ink.shape[1] - 1 - ink[:, ::-1].argmax(axis=1)
    middles = (first + last) / 2
    off = (middles - np.linspace(middles[0], middles[-1], len(middles))) / len(ink)
    most = int(np.abs(off).argmax())
    wide, bow, leans = (
        np.quantile(last - first + 1, 0.95) / len(ink),
        abs(off[most]),
        np.ptp(middles[[0, -1]]) / len(ink),
    )
    is_even = 0.3 < most / len(ink) < 0.7 and (off * np.sign(off[most])).min() > -_WAVY and leans < _LEANS
    return bool((wide < _THIN and bow > _BOWED) or (wide < _FINE and bow > _ARCHED and is_even))


def _is_box_or_solid(level: Image) -> bool:
    """Whether the ink is straight along all four sides of its bounding box, as no 0 is, or is a filled shape."""
    ink = level > INK
    left, top, right, bottom = box_of(ink)
    return is_boxed(ink[top:bottom, left:right], sides=4) or is_solid(
        level[top:bottom, left:right].astype(np.float32) / np.float32(255)
    )
