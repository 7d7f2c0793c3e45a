"""Segment a picture of many digits into pieces of ink, about one per digit, and sort pieces into lines.

    reduce -> background -> contrast -> connected components -> those of a digit's size -> joined -> pieces

A model reads the pieces, and `zoo.parting` decides whether one is several digits that touch (see `zoo.reading`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from zoo.errors import NoInk
from zoo.ground import COARSE, SEEN, Ground, beneath, contrast_to, grounds_of, reduce
from zoo.ink import Sheet, level_of, sheets_of
from zoo.marks import RISE, Marks, spread_out, without_lines, without_ruling
from zoo.settings import InkSettings
from zoo.types import Box, Image, Mask, Plane, Polarity

# Chosen on composed scenes of MNIST's training digits (`zoo.scenes`) and on photographs of rows of digits.
# The usual height is the median height of the marks that may be ink of digits, weighted by their ink; pixels are those
# of the reduced picture unless the picture's are named.
WORK = 1400  # pixels on the long side at which ink is searched for, at most
MOST = 400  # digits in one picture, at most
_PARTS = 4 * MOST  # marks in a picture that digits may be made of, at most: dirt, bars and dots are among them
_SMALL = 0.45  # of the usual height; a lower mark is a part of a digit, or dirt
_LEAST = 0.14  # of the usual height; above it a low mark may still be a digit, in a line of equally low ones
_FEW = 3  # marks from which a line has a usual height of its own
_DIRT = 0.12  # of the usual height; a smaller mark is dirt even beside a digit
_NEAR = 0.2  # of the usual height; a part farther than this from every digit belongs to none
_AS_MUCH = 0.97  # of the ink that was found: what a better background still shows of it, at least
_ASIDE = 0.1  # of the ink that was found: what a better background may show where there was none, at most
_OVER = 0.01  # of the picture's long side; a sheet this close to the picture's border goes on beyond it
_SOME = 1000  # pixels sampled from a mark for its distance from another, about
_LARGE = 3.5  # of the usual height; a higher mark is no digit
_SAME_LINE = 0.35  # of the smaller height: vertical overlap of two pieces of a line, at least
_ONE_DIGIT = 0.5  # of the smaller width: horizontal overlap of two marks that are parts of one digit, at least
PAD = 4  # black pixels around a piece
_STACK = 1.35  # of a digit's height: height of the stacked parts of one digit together, at most
_WHOLE = 0.8  # of the usual height; a higher body is a digit alone, and joins another only as `_RINGED` allows
_HIGHER = 1.3  # of the usual height; a longer straight line is no stroke
_RINGED = 1.8  # times a whole digit's height: height of another body that it still joins, less than this
_GAP = 0.5  # of the higher body: vertical gap between two parts of one digit, at most
_WIDE = 1.5  # of the usual height; a mark that is wider than this, and lower than `_FLAT`, is a line
_FLAT = 0.25  # of the usual height: see `_WIDE`
_TRACE = 3  # pixels: width of a printed line, at most; or `_FINE`, whichever is more
_FINE = 0.06  # of the usual height: see `_TRACE`
_UPRIGHT = 4  # height to width of a piece of a printed line down the page, at least
_PALE = 0.55  # of the usual ink: strength of a printed line, at most; a stronger one may be a 1 of a fine pen
_FINEST = 96  # cells on the long side of the coarse picture for an uneven background, at most
_RIM = 2  # pixels of soft edge around a mark
_GRID = 9  # cells of a table from which they may be a grid
_GRID_ALONE = 2  # times the contrast of all other ink; a grid with more has nothing but dirt in it
_DOTS = 20  # bodies from which they may be the dots of dot-matrix digits
_DISC = 0.65  # of its box: area of a dot, at least; a disc covers 0.79
_ROUND = 0.75  # of its longer side: shorter side of a dot, at least
_MOSTLY = 0.8  # of all bodies: dots in a picture of dots, at least; hardly any digit is as round and filled
_THICK = 0.1  # weight of ink thicker than any pen's, at least; above 0, as one digit may fill a small picture


@dataclass(frozen=True)
class Piece:
    """A piece of ink that may be one digit, or several that touch.

    `level` is its ink, uint8 (h, w), light on black, without anything else in its box. `box` is in the picture's
    pixels; `scale` of them make one pixel of `level`. `edge` says that it reaches the picture's edge, `cut` that it
    was attached to the lines of a table or a frame and may have lost some ink with them.
    """

    level: Image
    box: Box
    scale: int
    polarity: Polarity
    edge: bool
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
        return Piece(level, box, self.scale, self.polarity, self.edge or other.edge, self.cut or other.cut)


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


@dataclass(eq=False)
class _Body:
    """Marks taken for one digit: their numbers, and their bounding box in the pixels of the search."""

    marks: list[int]
    left: int
    top: int
    right: int
    bottom: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    def join(self, other: _Body) -> None:
        """Add the marks of another body to this one."""
        self.marks += other.marks
        self.left, self.top = min(self.left, other.left), min(self.top, other.top)
        self.right, self.bottom = max(self.right, other.right), max(self.bottom, other.bottom)


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
    bodies = _bodies(ink)
    check_number(len(bodies))
    _check_dots(bodies, ink.marks)
    ink, bodies = _again(small, ink, bodies, settings, page)
    return [_piece(body, ink, step, picture.shape[:2]) for body in bodies]


def _is_cut(sheet: Box, shape: tuple[int, ...]) -> bool:
    """Whether a sheet goes over three of the picture's borders: the rest may be paper in a shadow, and no table."""
    left, top, right, bottom = sheet
    height, width = shape[:2]
    far, low = width - right, height - bottom
    return sum(side <= _OVER * max(height, width) for side in (left, top, far, low)) >= 3


def check_number(count: int, most: int = MOST) -> None:
    """Raise NoInk with `reason` "too_many_objects" when `count` is over `most`."""
    if count > most:
        raise NoInk(
            f"The picture shows {count} things that might be digits, but at most {MOST} are read. "
            "Send a part of it, or a picture without a pattern.",
            "too_many_objects",
        )


def _check_dots(bodies: list[_Body], marks: Marks) -> None:
    """Raise NoInk when nearly all bodies are dots, as in dot-matrix digits, which are no strokes."""
    if len(bodies) < _DOTS:
        return
    shapes = [(body.width, body.height, int(marks.area[body.marks].sum())) for body in bodies]
    wide, tall, area = np.array(shapes).T
    dots = (area > _DISC * wide * tall) & (np.minimum(wide, tall) > _ROUND * np.maximum(wide, tall))
    if dots.mean() > _MOSTLY:
        raise NoInk(
            f"The picture shows {np.count_nonzero(dots)} dots. Send one whose digits are drawn in strokes.",
            "too_many_objects",
        )


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
            core = ink.mask
            for _ in range(max(2, round(0.012 * max(core.shape)))):
                core = core[1:-1, 1:-1] & core[:-2, 1:-1] & core[2:, 1:-1] & core[1:-1, :-2] & core[1:-1, 2:]
            cells = ink.marks.cells()
            free = float(ink.marks.mass[~ink.marks.foreign & (ink.marks.sides <= 1) & ~cells].sum())
            weight = free * max(_THICK, 1 - 4 * core.sum() / max(1, ink.mask.sum()))
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
    small: Plane, ink: _Ink, bodies: list[_Body], settings: InkSettings, page: Mask | None
) -> tuple[_Ink, list[_Body]]:
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
    found = _bodies(again)
    own = np.isin(again.marks.numbers, [mark for body in found for mark in body.marks])
    if np.count_nonzero(again.marks.paint(own) & ~covered & ~ink.mask) > _ASIDE * within:
        return ink, bodies
    return again, found


def _freed(ink: _Ink) -> _Ink:
    """Cut off ink that is attached to a frame or a table, which would otherwise be removed along with it."""
    marks = ink.marks
    good, usual = _good(ink)
    tall, wide = marks.bottom - marks.top, marks.right - marks.left
    frames = ~good & marks.hollow() & (np.minimum(tall, wide) > _HIGHER * usual)
    if not usual or not frames.any():
        return ink
    cut = marks.hanging(frames, _HIGHER * usual, (_WHOLE * usual, _HIGHER * usual))
    if not cut.any():
        return ink
    return replace(ink, marks=Marks((marks.mask & ~marks.paint(frames)) | cut, ink.contrast, marks.speck), cut=cut)


def _good(ink: _Ink) -> tuple[Mask, float]:
    """Return which marks may be ink of digits, bool (n,), and their usual height, 0 if there are none."""
    marks = ink.marks
    good = (
        ~marks.foreign
        & ~marks.frames()
        & ~marks.combs()
        & (marks.mass > 0.35 * ink.high * marks.area)
        & (marks.area > 6)
    )
    if not good.any():
        return good, 0.0
    # The usual height is the median weighted by each mark's ink, so that dirt has no say.
    free = good & (marks.sides == 0)  # excludes the bars of a screen and shadows
    voting = free if free.any() else good
    heights = (marks.bottom - marks.top)[voting].astype(np.float64)
    return good, _weighted_median(heights, marks.mass[voting].astype(np.float64))


def _bodies(ink: _Ink) -> list[_Body]:
    """Return what may be digits: marks of a digit's size, joined with the smaller ones that belong to them."""
    marks = ink.marks
    good, usual = _good(ink)
    if not usual:
        return []
    heights, widths = marks.bottom - marks.top, marks.right - marks.left
    sizes = np.maximum(heights, widths)
    good &= (heights < _LARGE * usual) & (sizes > _DIRT * usual)
    good &= (widths < _WIDE * usual) | (heights > _FLAT * usual)  # others are underlines, or the bar of a sum
    good &= ~_uprights(marks, usual, ink.high)
    check_number(int(np.count_nonzero(good)), _PARTS)
    all_marks = [
        _Body([int(number)], *(int(side[number]) for side in (marks.left, marks.top, marks.right, marks.bottom)))
        for number in np.flatnonzero(good)
    ]
    joined = _joined(all_marks, usual)
    bodies = [body for body in joined if body.height > _SMALL * usual]
    parts = [body for body in joined if body.height <= _SMALL * usual]
    small = _small_ones(bodies, parts, usual)
    bodies += small
    parts = [part for part in parts if part not in small]
    while parts:  # join each part to a digit near it, or to another part
        part = parts.pop()
        others = bodies + parts
        beside = [others[place] for place in np.flatnonzero(_distances(part, others) < _NEAR * usual).tolist()]
        if not beside:
            continue
        near = beside[0] if len(beside) == 1 else min(beside, key=lambda body: _between(body, part, ink.marks.labels))
        near.join(part)
        if near in parts and near.height > _SMALL * usual:
            parts.remove(near)
            bodies.append(near)
    return _joined(bodies, usual)


def _uprights(marks: Marks, usual: float, high: float) -> Mask:
    """Return which marks, bool (n,), are pieces of printed lines down the page, as of a margin or a table, and no 1s.

    They are thin, straight and much fainter than the usual ink, `high`.
    """
    heights, widths = marks.bottom - marks.top, marks.right - marks.left
    fine = max(_TRACE, _FINE * usual)
    straight = widths < np.minimum(fine + RISE * heights, heights / _UPRIGHT)
    return np.asarray(straight & (marks.area < fine * heights) & (marks.mass < _PALE * high * marks.area))


def _small_ones(bodies: list[_Body], parts: list[_Body], usual: float) -> list[_Body]:
    """Return parts that are low for the picture but not for their line: small digits beside large ones, or under a bar.

    `parts` are lower than a digit of the usual height; they count only where no body is near.
    """
    apart = [
        part for part in parts if part.height > _LEAST * usual and (_distances(part, bodies) >= _NEAR * usual).all()
    ]
    found = []
    both = bodies + apart
    for line in _lines([(body.left, body.top, body.right, body.bottom) for body in both]):
        if len(line) >= _FEW:
            own = float(np.median([both[i].height for i in line]))
            found += [both[i] for i in line if i >= len(bodies) and both[i].height > _SMALL * own]
    return found


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the weighted median of values, (n,) each."""
    order = np.argsort(values)
    running = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(running, running[-1] / 2)])


def _distances(one: _Body, others: Sequence[_Body]) -> NDArray[np.float64]:
    """Return the distances from the box of one body to those of others, (n,)."""
    left, top, right, bottom = _sides(others)
    aside = np.maximum(one.left - right, left - one.right).clip(0)
    apart = np.maximum(one.top - bottom, top - one.bottom).clip(0)
    return np.asarray(np.hypot(aside, apart))


def _sides(bodies: Sequence[_Body]) -> NDArray[np.intp]:
    """Return left, top, right and bottom of bodies as (4, n)."""
    boxes = [(body.left, body.top, body.right, body.bottom) for body in bodies]
    return np.array(boxes, np.intp).reshape(-1, 4).T


def _between(one: _Body, other: _Body, labels: NDArray[np.intp]) -> float:
    """Return the distance between the ink of two bodies.

    Boxes are not enough: the bar of a 5 may lie in the box of a slanting 1, and away from its ink.
    """
    mine, others = (_places(body, labels) for body in (one, other))
    return float(np.hypot(*(mine[:, None] - others).transpose(2, 0, 1)).min())


def _places(body: _Body, labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return up to about a thousand of a body's pixels, as (row, column) of the search: (n, 2)."""
    own = np.argwhere(np.isin(labels[body.top : body.bottom, body.left : body.right], body.marks))
    return np.asarray(own[:: -(-len(own) // _SOME)] + (body.top, body.left))  # noqa: RUF005 - arrays are added


def _joined(bodies: list[_Body], usual: float) -> list[_Body]:
    """Join bodies that lie one above the other within a digit's height: a 5 and its bar, broken strokes."""
    bodies = sorted(bodies, key=lambda body: -body.height)
    done: list[_Body] = []
    sides = np.empty((4, len(bodies)), np.intp)  # of the bodies in `done`
    for body in bodies:
        left, top, right, bottom = sides[:, : len(done)]
        height = bottom - top
        over = np.minimum(body.right, right) - np.maximum(body.left, left)
        within = np.maximum(body.bottom, bottom) - np.minimum(body.top, top)
        apart = np.maximum(body.top, top) - np.minimum(body.bottom, bottom)
        one = over > _ONE_DIGIT * np.minimum(body.width, right - left)
        one &= within < _STACK * np.maximum(height, usual)
        one &= apart < _GAP * np.maximum(body.height, height)  # otherwise small digits in lines beside large ones
        if body.height > _WHOLE * usual:  # a digit alone, perhaps with a ring around or through it
            one &= height < _RINGED * body.height
        place = int(one.argmax()) if one.any() else len(done)
        if place < len(done):
            done[place].join(body)
        else:
            done.append(body)
        sides[:, place] = done[place].left, done[place].top, done[place].right, done[place].bottom
    return done


def in_lines(pieces: Sequence[Piece]) -> list[list[int]]:
    """Sort pieces into lines: their indices, lines from the top, each from the left.

    A piece continues a line if it overlaps the line's last piece vertically.
    """
    return _lines([piece.box for piece in pieces])


def _lines(boxes: Sequence[Box]) -> list[list[int]]:
    """Sort boxes into lines as `in_lines` does."""
    lines: list[list[int]] = []
    last = np.empty((2, len(boxes)))  # top and bottom of each line's last box
    for place in sorted(range(len(boxes)), key=lambda place: boxes[place][0]):
        _, top, _, bottom = boxes[place]
        above, below = last[:, : len(lines)]
        overlap = (np.minimum(bottom, below) - np.maximum(top, above)) / np.minimum(bottom - top, below - above)
        best = int(overlap.argmax()) if lines and overlap.max() > _SAME_LINE else len(lines)
        if best < len(lines):
            lines[best].append(place)
        else:
            lines.append([place])
        last[:, best] = top, bottom
    return sorted(lines, key=lambda line: float(np.mean([boxes[i][1] + boxes[i][3] for i in line])))


def _piece(body: _Body, ink: _Ink, step: int, size: tuple[int, ...]) -> Piece:
    """Cut a body's ink out; `step` and `size`, (h, w), are the picture's reduction and its size in pixels."""
    labels = ink.marks.labels
    top, left = max(0, body.top - _RIM), max(0, body.left - _RIM)
    bottom, right = min(labels.shape[0], body.bottom + _RIM), min(labels.shape[1], body.right + _RIM)
    own = spread_out(np.isin(labels[top:bottom, left:right], body.marks), _RIM)
    level = (ink.level[top:bottom, left:right] * own * 255).astype(np.uint8)
    box = (left * step, top * step, min(size[1], right * step), min(size[0], bottom * step))
    edge = body.left == 0 or body.top == 0 or body.bottom == labels.shape[0] or body.right == labels.shape[1]
    cut = ink.cut is not None and bool((own & ink.cut[top:bottom, left:right]).any())
    return Piece(np.pad(level, PAD), box, step, ink.polarity, edge, cut)
