"""Find the ink in a picture of many digits, cut it into pieces, about one per digit, and sort pieces into lines.

    reduce -> background -> contrast -> connected components -> bodies (`zoo.bodies`) -> pieces

A model reads the pieces, and `zoo.parting` decides whether one is several digits that touch (see `zoo.dividing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest

import numpy as np

from zoo.bodies import Body, bodies_of, check_dots, check_number, hanging, lines_of
from zoo.compiled.cells import spread_out
from zoo.compiled.levels import level_of
from zoo.errors import NoInk
from zoo.forms import cells_of
from zoo.ground import COARSE, SEEN, Ground, beneath, contrast_to, grounds_of, reduce
from zoo.marks import Marks
from zoo.ruling import without_lines, without_ruling
from zoo.settings import InkSettings
from zoo.sheets import Sheet, sheets_of
from zoo.types import Box, Image, Mask, Plane, Polarity

# Chosen on composed scenes of MNIST's training digits (`zoo.scenes`) and on photographs of rows of digits.
# Pixels are those of the reduced picture unless the picture's are named.
WORK = 1400  # pixels on the long side at which ink is searched for, at most
_AS_MUCH = 0.97  # of the ink that was found: what a better background still shows of it, at least
_ASIDE = 0.1  # of the ink that was found: what a better background may show where there was none, at most
_OVER = 0.01  # of the picture's long side; a sheet this close to the picture's border goes on beyond it
PAD = 4  # black pixels around a piece
_FINEST = 96  # cells on the long side of the coarse picture for an uneven background, at most
_RIM = 2  # pixels of soft edge around a mark
_GRID = 9  # cells of a table from which they may be a grid
_GRID_ALONE = 2  # times the contrast of all other ink; a grid with more has nothing but dirt in it
_THICKER = 0.4  # share of thick cells by which paper taken for ink exceeds the strokes on it, at least
_THICK = 0.1  # weight of ink thicker than any pen's, at least; above 0, as one digit may fill a small picture


@dataclass(frozen=True)
class Piece:
    """A piece of ink that may be one digit, or several that touch.

    `level` is its ink, uint8 (h, w), light on black, without anything else in its box. `box` is in the picture's
    pixels; `scale` of them make one pixel of `level`. `edge` says that it reaches the picture's edge, `side` that
    this is the left or right one, and `cut` that it was attached to the lines of a table or a frame and may have lost
    some ink with them.
    """

    level: Image
    box: Box
    scale: int
    polarity: Polarity
    edge: bool
    side: bool = False
    cut: bool = False

    def moved(self, right: int, down: int) -> Piece:
        """Return the piece moved by that many of the picture's pixels."""
        x, y, end, low = self.box
        return replace(self, box=(x + right, y + down, end + right, low + down))

    def with_(self, other: Piece) -> Piece:
        """Return this piece and another of the same picture joined into one."""
        left, top = min(self.box[0], other.box[0]), min(self.box[1], other.box[1])
        places = [((p.box[1] - top) // self.scale, (p.box[0] - left) // self.scale, p.level) for p in (self, other)]
        level = np.zeros(
            (max(y + part.shape[0] for y, _, part in places), max(x + part.shape[1] for _, x, part in places)), np.uint8
        )
        for y, x, part in places:
            within = level[y : y + part.shape[0], x : x + part.shape[1]]
            np.maximum(within, part, out=within)
        box = (left, top, max(self.box[2], other.box[2]), max(self.box[3], other.box[3]))
        edge, side, cut = self.edge or other.edge, self.side or other.side, self.cut or other.cut
        return Piece(level, box, self.scale, self.polarity, edge, side, cut)


@dataclass(frozen=True)
class _Ink:
    """The ink found on one background: its marks and its `contrast`, float32 (h, w), in grey levels.

    `mask` is the ink before lines are removed, bool (h, w); `low` and `high` are the least and the usual contrast of
    ink. `cut` is the ink that was cut off frames, bool (h, w).
    """

    marks: Marks
    contrast: Plane
    mask: Mask
    low: float
    high: float
    polarity: Polarity
    ground: Ground
    cut: Mask | None = None

    @cached_property
    def level(self) -> Plane:
        """Return how much of each pixel is ink, float32 (h, w), 0-1."""
        low = 0.6 * self.low
        level: Plane = np.clip((self.contrast - low) / (0.9 * (self.high - low)), 0, 1)
        return level


def find(picture: Image, settings: InkSettings) -> list[Piece]:
    """Find the pieces of `picture`, uint8 (h, w), (h, w, 3) or (h, w, 4), in no particular order.

    Raises NoInk as `zoo.ink.normalise` does, and with `reason` "too_many_objects" when the picture is a pattern.
    """
    sheets = [sheet for sheet in sheets_of(picture, settings) if not _is_cut(sheet.box, picture.shape)]
    parts = [sheet.cut(picture) for sheet in sheets] or [picture]
    step = max(1, *(-(-max(part.shape[:2]) // WORK) for part in parts))
    found: list[Piece] = []
    nothing: NoInk | None = None
    for part, sheet in zip_longest(parts, sheets):
        try:
            pieces = _on(part, sheet, step, settings)
        except NoInk as error:
            nothing = error
            continue
        found += pieces if sheet is None else [piece.moved(*sheet.box[:2]) for piece in pieces]
    if nothing is not None and not found:
        raise nothing
    return found


def _on(picture: Image, sheet: Sheet | None, step: int, settings: InkSettings) -> list[Piece]:
    """Return the pieces of a picture, or of a sheet of paper that was cut out of one. Raises NoInk."""
    small = reduce(picture, step)
    page = None
    if sheet is not None:
        small, page = sheet.spread(small)
    ink = _freed(_ink(small, settings, page))
    bodies = bodies_of(ink.marks, ink.high)
    check_number(len(bodies))
    check_dots(bodies, ink.marks)
    ink, bodies = _again(small, ink, bodies, settings, page)
    return [_piece(body, ink, step, picture.shape[:2]) for body in bodies]


def _is_cut(sheet: Box, shape: tuple[int, ...]) -> bool:
    """Whether a sheet goes over three of the picture's borders: the rest may be paper in a shadow, and no table."""
    left, top, right, bottom = sheet
    height, width = shape[:2]
    far, low = width - right, height - bottom
    return sum(side <= _OVER * max(height, width) for side in (left, top, far, low)) >= 3


def _ink(small: Plane, settings: InkSettings, page: Mask | None) -> _Ink:
    """Return the ink on the background and in the polarity that show most of it. Raises NoInk.

    With `page`, bool (h, w), only ink on it counts.
    """
    best: _Ink | None = None
    strongest = most = grid = 0.0
    for ground, polarities in grounds_of(small, _cells(small), more=True):
        for polarity in polarities:
            ink, high = _ink_on(small, ground, polarity, settings, page)
            strongest = max(strongest, high)
            if ink is None:
                continue
            # Strokes are thin: thick ink, such as a table beside the paper, counts for less. Marks at two or more edges
            # of the picture, such as shadows, count for nothing; those at one edge may be digits that it cuts.
            cells = cells_of(ink.marks)
            free = float(ink.marks.mass[~ink.marks.foreign & (ink.marks.sides <= 1) & ~cells].sum())
            thick = _thick_share(ink.mask)
            weight = free * max(_THICK, 1 - 4 * thick)
            if ink.mask.mean() > 0.5 and thick > _thick_share(~ink.mask) + _THICKER:  # what it leaves is strokes
                weight *= _THICK
            if best is None or weight > most:
                best, most = ink, weight
            if np.count_nonzero(cells) >= _GRID and float(ink.marks.mass[cells].sum()) > free:
                grid = max(grid, ink.high)
    if best is None:
        blank = strongest < SEEN
        raise NoInk(
            "There is nothing to read: no ink stands out from the picture's background. Send one with more contrast.",
            "blank" if blank else "no_contrast",
        )
    if grid > _GRID_ALONE * best.high:
        raise NoInk("The picture shows an empty grid. Send one with visible digits.", "too_many_objects")
    return best


def _thick_share(mask: Mask) -> float:
    """Return the share of a mask, bool (h, w), that is farther inside than half the width of a usual stroke."""
    core = mask
    for _ in range(max(2, round(0.012 * max(mask.shape)))):
        core = core[1:-1, 1:-1] & core[:-2, 1:-1] & core[2:, 1:-1] & core[1:-1, :-2] & core[1:-1, 2:]
    return float(core.sum() / max(1, int(mask.sum())))


def _cells(small: Plane) -> int:
    """Return the long side of the coarse picture for an uneven background.

    It is measured by the short side: a picture of a row is long and low, and shadows cross its height.
    """
    sides: tuple[int, ...] = small.shape[:2]
    return min(_FINEST, round(2 * COARSE * max(sides) / min(sides)))


def _ink_on(
    small: Plane, ground: Ground, polarity: Polarity, settings: InkSettings, page: Mask | None
) -> tuple[_Ink | None, float]:
    """Return the ink on a background, None if there is none, and its usual contrast in grey levels."""
    contrast, noise = contrast_to(small, ground)
    contrast = contrast.clip(-255, 255)  # the gain is unbounded where the background is taken for dark
    ink = contrast if polarity == "light-on-dark" else -contrast
    high = level_of(ink)
    if high < max(settings.min_contrast, settings.min_signal * noise):
        return None, high
    low = min(max(0.35 * high, 2.5 * noise), 0.6 * high)
    mask = ink > low if page is None else (ink > low) & page
    if not mask.any():
        return None, high
    marks = Marks(without_lines(without_ruling(mask, ink, high)), ink, settings.speck)
    return _Ink(marks, ink, mask, low, high, polarity, ground), high


def _again(
    small: Plane, ink: _Ink, bodies: list[Body], settings: InkSettings, page: Mask | None
) -> tuple[_Ink, list[Body]]:
    """Find the ink and its bodies again on an uneven background that is continued beneath them.

    Returns them as they were if the new background shows less of their ink, or much more outside them, such as a
    highlighter's strip.
    """
    if not ink.ground.is_smooth:
        return ink, bodies
    covered = np.zeros(small.shape[:2], np.bool_)
    for body in bodies:
        covered[body.top : body.bottom, body.left : body.right] = True
    ground = beneath(small, _cells(small), covered)
    again = None if ground is None else _ink_on(small, ground, ink.polarity, settings, page)[0]
    if again is None:
        return ink, bodies
    within = np.count_nonzero(ink.mask & covered)
    if np.count_nonzero(again.mask & covered) < _AS_MUCH * within:
        return ink, bodies
    again = _freed(again)
    found = bodies_of(again.marks, again.high)
    own = np.isin(again.marks.numbers, [mark for body in found for mark in body.marks])
    if np.count_nonzero(again.marks.paint(own) & ~covered & ~ink.mask) > _ASIDE * within:
        return ink, bodies
    return again, found


def _freed(ink: _Ink) -> _Ink:
    """Cut off ink that is attached to a frame or a table, which would otherwise be removed along with it."""
    if (found := hanging(ink.marks, ink.high)) is None:
        return ink
    cut, framed = found
    return replace(ink, marks=Marks((ink.marks.mask & ~framed) | cut, ink.contrast, ink.marks.speck), cut=cut)


def in_lines(pieces: Sequence[Piece]) -> list[list[int]]:
    """Sort pieces into lines: their indices, lines from the top, each from the left.

    A piece continues a line if it overlaps the line's last piece vertically.
    """
    return lines_of([piece.box for piece in pieces])


def _piece(body: Body, ink: _Ink, step: int, size: tuple[int, ...]) -> Piece:
    """Cut a body's ink out; `step` and `size`, (h, w), are the picture's reduction and its size in pixels."""
    labels = ink.marks.labels
    top, left = max(0, body.top - _RIM), max(0, body.left - _RIM)
    bottom, right = min(labels.shape[0], body.bottom + _RIM), min(labels.shape[1], body.right + _RIM)
    own = spread_out(np.isin(labels[top:bottom, left:right], body.marks), _RIM)
    level = (ink.level[top:bottom, left:right] * own * 255).astype(np.uint8)
    box = (left * step, top * step, min(size[1], right * step), min(size[0], bottom * step))
    side = body.left == 0 or body.right == labels.shape[1]
    edge = side or body.top == 0 or body.bottom == labels.shape[0]
    cut = ink.cut is not None and bool((own & ink.cut[top:bottom, left:right]).any())
    return Piece(np.pad(level, PAD), box, step, ink.polarity, edge, side, cut)
