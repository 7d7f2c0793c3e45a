"""Read many digits from one picture: a model classifies the pieces of `zoo.pieces`, separated where digits touch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from zoo.bodies import check_number
from zoo.compiled.cells import box_of
from zoo.errors import NoInk
from zoo.images import Reduced
from zoo.masks import is_boxed, is_solid
from zoo.models import Loaded
from zoo.parting import INK, Parted, part
from zoo.pieces import PAD, Piece, find, in_lines
from zoo.types import Box, Image, Mask, Reading, Scores, Sign, enlarged

# Chosen on composed scenes of MNIST's training digits, touching ones among them. Confidences are 0-1.
_SURE = 0.85  # confidence below which a piece cut by the picture's edge is no digit
_RARE = 8.0  # log-odds by which touching digits are rarer in pictures than in the network's training rows
_NO_SURER = 0.9999  # confidence above which more counts for nothing
_SUREST = float(np.log(_NO_SURER / (1 - _NO_SURER)))  # log-odds of such a digit
_CLOSE = 6.0  # nats between the likeliest and the next division of a piece, below which it is said to touch
_MOST = 6  # digits in one piece, at most
_BETTER = 3.0  # nats by which two pieces are likelier joined and divided anew than as they are, at least
_PATTERN = 20  # digits in a picture from which it may be a pattern or noise
_MOSTLY = 0.6  # of the digits: how many of them are guessed in such a picture, at least
LEAST = 0.85  # confidence below which a digit of several is rejected, whatever the card asks of a single one
_STRANGE = 0.6  # confidence below which a piece may be part of another; a digit joined with dirt needs as much

# For joining two pieces. Heights are the median height of the pieces' ink.
_APART = 0.25  # heights between two pieces that may be one digit, at most
_BROAD = 1.7  # heights that both together are wide, at most
_HIGH = 1.5  # heights that both together are high, at most
_OVER = 0.1  # of the narrower width: horizontal overlap of a piece and one above or below it that it may belong to
_SURELY_ONE = 0.9  # confidence from which the two are one digit
_LITTLE = 0.25  # of a digit's ink; a piece with less, which does not change the digit's label, is dirt

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

_STEADY = 0.99  # confidence below which a digit is looked at from several views
_VIEWS = ((-0.1, -8.0), (-0.1, 8.0), (0.1, -8.0), (0.1, 8.0))  # shear as a share of the height, rotation in degrees


@dataclass(frozen=True)
class Found:
    """One digit of a picture: its probabilities, float32 (k,), its box in the picture's pixels, and its line from 0.

    `touching` says that it was separated from another digit or a frame, or may still hold another digit. `odd` says
    that it may be no digit or only a part of one: a box or a filled shape, a digit that the picture's left or right
    edge cuts off, or a stroke that may be no 1. Such a stroke stands out above and below its line or is bowed, as
    slashes and brackets are, or is short and close to its neighbour.
    """

    scores: NDArray[np.float32]
    box: Box
    line: int
    touching: bool
    odd: bool = False


Recognise = Callable[[Sequence[Image]], NDArray[np.float32]]
"""Classifies n pictures, uint8 (h, w), of one digit each: probabilities (n, k), uniform where nothing can be read."""


def read_picture(loaded: Loaded, picture: Reduced) -> Reading:
    """Return all the digits in a decoded picture as a model reads them. Raises PluginError."""
    image, by, size = picture
    card = loaded.card
    threshold = max(LEAST, card.calibration.threshold if card.calibration else 0.0)

    def recognise(levels: Sequence[Image]) -> Scores:
        return loaded.probabilities(np.stack([loaded.preprocess_piece(level) for level in levels]))

    try:
        digits = read(find(image, loaded.settings.ink), recognise)
    except NoInk as nothing:
        return Reading(loaded.name, card.ref, (), nothing.reason)
    signs = []
    for digit in digits:
        best = int(digit.scores.argmax())
        signs.append(
            Sign(
                label=card.labels[best],
                confidence=float(digit.scores[best]),
                box=enlarged(digit.box, by, size),
                line=digit.line,
                rejected=digit.odd or bool(digit.scores[best] < threshold),
                touching=digit.touching,
            )
        )
    return Reading(loaded.name, card.ref, tuple(signs), None if signs else "blank")


def read(pieces: Sequence[Piece], recognise: Recognise) -> list[Found]:
    """Read the digits of the pieces, in reading order.

    Raises NoInk with `reason` "too_many_objects" when they fall into more parts than a picture may have digits, or into
    many that mostly look like none.
    """
    pieces = [piece for piece in pieces if _extent(piece.level)[0]]  # the others are too faint to read
    if not pieces:
        return []
    recognise = _steady(recognise)
    whole = recognise([piece.level for piece in pieces])
    tall = float(np.median([_extent(piece.level)[1] for piece in pieces]))
    pieces, whole = _whole_again(pieces, whole, recognise, tall)
    asked: list[_Asked] = []
    for number, line in enumerate(in_lines(pieces)):
        row = [pieces[i] for i in line]
        for i, odd, rest in zip(line, _odd(row), _cut_off(row), strict=True):
            if rest or not (pieces[i].edge and whole[i].max() < _SURE):  # else a shadow or the table
                asked.append(_Asked(pieces[i], whole[i], number, odd, rest))
    found = _parted(asked, recognise, tall)
    guessed = sum(digit.odd or digit.scores.max() < LEAST for digit in found)
    if len(found) >= _PATTERN and guessed > _MOSTLY * len(found):
        raise NoInk(
            f"The picture shows {len(found)} marks, and {guessed} of them look like no digit: it may be a pattern or "
            "noise. Send a part of it, or a picture with more contrast.",
            "too_many_objects",
        )
    return found


@dataclass(frozen=True)
class _Asked:
    """A piece, the model's probabilities for it as a whole, its line, and whether it looks odd there or is cut off."""

    piece: Piece
    whole: Scores
    line: int
    odd: bool
    cut_off: bool


@dataclass(frozen=True)
class _Row:
    """Ink read as a row of digits: the ink of each, uint8 (h, w), and its probabilities, float32 (k,), from the left.

    `ends` is the log-probability that it is this many digits, as the network of `zoo.parting` sees it.
    """

    digits: Sequence[tuple[Image, Scores]]
    ends: float

    @cached_property
    def odds(self) -> float:
        """How likely the row is, in nats: the log-odds of the digit that the model is least sure of, and `ends`."""
        return _evidence([scores for _, scores in self.digits]) + self.ends

    def beside(self, other: _Row) -> _Row:
        """Return this row and one to the right of it as one."""
        return _Row([*self.digits, *other.digits], self.ends + other.ends)


def _cut_off(line: Sequence[Piece]) -> list[bool]:
    """Return which pieces of a line are about as high as the others, and cut off by the picture's left or right edge.

    What such a digit shows may look like another one, such as a 1, with confidence.
    """
    heights = np.array([piece.box[3] - piece.box[1] for piece in line])
    others = heights[[not piece.edge for piece in line]]
    if not len(others):
        return [False] * len(line)
    usual = float(np.median(others))
    return [piece.side and _AS_HIGH < tall / usual < 1 / _AS_HIGH for piece, tall in zip(line, heights, strict=True)]


def _odd(line: Sequence[Piece]) -> list[bool]:
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


def _whole_again(
    pieces: Sequence[Piece], scores: NDArray[np.float32], recognise: Recognise, tall: float
) -> tuple[Sequence[Piece], NDArray[np.float32]]:
    """Join pieces with a neighbour where both together are surely one digit; return the pieces and their scores.

    So a 5 gets its bar, and a digit the speck or trace of a ruled line beside it.
    """
    strange = scores.max(axis=1) < _STRANGE
    pairs = _pairs(pieces, strange, tall)
    if not pairs:
        return pieces, scores
    joined = [pieces[j].with_(pieces[i]) for i, j in pairs]
    told = recognise([piece.level for piece in joined])
    pieces, rows = list(pieces), list(scores)
    used: set[int] = set()
    gone: set[int] = set()
    for k in np.argsort(-told.max(axis=1)).tolist():
        i, j = pairs[k]
        dirt = _amount(pieces[i]) < _LITTLE * _amount(pieces[j]) and told[k].argmax() == scores[j].argmax()
        if told[k].max() >= (_STRANGE if dirt else _SURELY_ONE) and not {i, j} & used:
            used |= {i, j}
            gone.add(i)
            pieces[j], rows[j] = joined[k], told[k]
    kept = [i for i in range(len(pieces)) if i not in gone]
    return [pieces[i] for i in kept], np.stack([rows[i] for i in kept])


def _amount(piece: Piece) -> int:
    """Return how many pixels of ink a piece has."""
    return int(np.count_nonzero(piece.level > INK))


def _pairs(pieces: Sequence[Piece], strange: Mask, tall: float) -> list[tuple[int, int]]:
    """Return the pairs (i, j) of pieces of which i may belong to j, by their positions.

    A piece that is `strange`, bool (n,), may belong to any that is near; another only to a larger one that it stands
    partly above or below.
    """
    left, top, right, bottom = np.array([piece.box for piece in pieces]).T[:, :, None]
    height = tall * np.array([piece.scale for piece in pieces])[:, None]
    over = np.minimum(right, right.T) - np.maximum(left, left.T)
    apart = np.maximum(top, top.T) - np.minimum(bottom, bottom.T)
    near = (-over < _APART * height) & (apart < _APART * height)
    near &= np.maximum(right, right.T) - np.minimum(left, left.T) < _BROAD * height
    near &= np.maximum(bottom, bottom.T) - np.minimum(top, top.T) < _HIGH * height
    wide, area = right - left, (right - left) * (bottom - top)
    above = (area < area.T) & (over > _OVER * np.minimum(wide, wide.T))
    near &= strange[:, None] | above
    np.fill_diagonal(near, False)
    return [(int(i), int(j)) for i, j in np.argwhere(near)]


def _steady(recognise: Recognise) -> Recognise:
    """Wrap `recognise` to average the probabilities of uncertain digits over several views, sheared and rotated.

    Handwriting slants and turns, and models are sensitive to it. The mean is right no more often than the first look,
    but less confident where views differ, so fewer mistakes are confident.
    """

    def told(levels: Sequence[Image]) -> NDArray[np.float32]:
        scores = recognise(levels)
        unsure = np.flatnonzero(scores.max(axis=1) < _STEADY)
        if len(unsure):
            more = recognise([_seen_from(levels[int(i)], *view) for i in unsure for view in _VIEWS])
            views = np.concatenate([scores[unsure, None], more.reshape(len(unsure), len(_VIEWS), -1)], axis=1)
            scores = scores.copy()
            scores[unsure] = views.mean(axis=1)
        return scores

    return told


def _seen_from(level: Image, slant: float, degrees: float) -> Image:
    """Shear a picture, uint8 (h, w), by `slant` of its height and rotate it by `degrees`; it is padded to fit."""
    height, width = level.shape
    angle = np.radians(degrees)
    room = 1 + round((abs(slant) * height + abs(np.sin(angle)) * max(height, width)) / 2)
    image = PIL.Image.fromarray(np.pad(level, room))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) @ [[1, slant], [0, 1]]
    middle = np.array(image.size) / 2
    (a, b), (d, e) = turn.tolist()
    c, f = (middle - turn @ middle).tolist()
    return np.asarray(
        image.transform(image.size, PIL.Image.Transform.AFFINE, (a, b, c, d, e, f), PIL.Image.Resampling.BILINEAR)
    )


def _extent(level: Image) -> tuple[int, int]:
    """Return how many columns and how many rows of uint8 (h, w) have ink."""
    return int(np.count_nonzero((level > INK).any(axis=0))), int(np.count_nonzero((level > INK).any(axis=1)))


def _parted(asked: Sequence[_Asked], recognise: Recognise, tall: float) -> list[Found]:
    """Divide each piece into the likeliest row of digits, and return the digits of all."""
    asked = list(asked)
    chains = _chains([ask.piece.level for ask in asked], tall)
    check_number(sum(len(chain) for chain in chains))  # a pattern, such as squared paper, falls into many parts
    rows = []
    for ask, chain, several in zip(asked, chains, _divided(chains, recognise), strict=True):
        one = _Row([(ask.piece.level, ask.whole)], _ends(chain[:1]))
        rows.append(sorted([one, *several], key=lambda row: -row.odds))
    for place, piece, row in _shared(asked, [own[0] for own in rows], recognise, tall):
        left, right = asked[place : place + 2]
        asked[place : place + 2] = [replace(left, piece=piece, cut_off=left.cut_off or right.cut_off)]
        rows[place : place + 2] = [[row]]
    found: list[Found] = []
    for ask, (best, *others) in zip(asked, rows, strict=True):
        parted = len(best.digits) > 1
        touching = parted or ask.piece.cut or (bool(others) and best.odds - others[0].odds < _CLOSE)
        odd = ask.cut_off or (ask.odd and not parted)
        found += [
            Found(scores, _box_of(ask.piece, level, parted), ask.line, touching, odd) for level, scores in best.digits
        ]
    return found


def _divided(chains: Sequence[Sequence[Parted]], recognise: Recognise) -> list[list[_Row]]:
    """Return the rows of two digits and more that pieces may be, by their steps from `_chains`."""
    parts = [level for chain in chains for one in chain[:-1] for level in (one.first, one.rest)]
    told = iter(recognise(parts) if parts else ())
    found: list[list[_Row]] = []
    for chain in chains:
        rows: list[_Row] = []
        taken: list[tuple[Image, Scores]] = []
        for step, one in enumerate(chain[:-1]):
            taken.append((one.first, next(told)))
            rows.append(_Row([*taken, (one.rest, next(told))], _ends(chain[: step + 2])))
        found.append(rows)
    return found


def _shared(
    asked: Sequence[_Asked], rows: Sequence[_Row], recognise: Recognise, tall: float
) -> list[tuple[int, Piece, _Row]]:
    """Find neighbours that are likelier when joined and divided anew, such as a 5 and a digit that has the 5's bar.

    `rows` are the likeliest readings of the pieces. Returns the place of the left neighbour, both as one piece, and
    their row of digits, from the right end of the picture's last line. No piece is in two of them.
    """
    apart = [one.beside(other).odds for one, other in itertools.pairwise(rows)]
    places = [
        place
        for place, (one, other) in enumerate(itertools.pairwise(asked))
        if one.line == other.line
        and one.piece.box[2] > other.piece.box[0]
        and apart[place] < _SUREST - _BETTER  # else there is nothing to win
    ]
    joined = [asked[place].piece.with_(asked[place + 1].piece) for place in places]
    divided = _divided(_chains([piece.level for piece in joined], tall), recognise)
    likelier = []
    for place, piece, several in zip(places, joined, divided, strict=True):
        best = max(several, key=lambda row: row.odds, default=None)
        if best is not None and best.odds - apart[place] > _BETTER:
            likelier.append((best.odds - apart[place], place, piece, best))
    found: dict[int, tuple[int, Piece, _Row]] = {}
    for _, place, piece, best in sorted(likelier, key=lambda one: -one[0]):
        if not {place - 1, place, place + 1} & found.keys():
            found[place] = place, piece, best
    return [found[place] for place in sorted(found, reverse=True)]


def _chains(levels: Sequence[Image], tall: float) -> list[list[Parted]]:
    """Take the first digit off each piece of ink, then off what is left, until nothing is; return the steps of each."""
    chains: list[list[Parted]] = [[] for _ in levels]
    left = dict(enumerate(levels))
    while left:
        for place, parted in zip(left, part(list(left.values()), tall), strict=True):
            chains[place].append(parted)
        ends = {place: chains[place][-1] for place in left if len(chains[place]) < _MOST}
        left = {place: end.rest for place, end in ends.items() if _extent(end.first)[0] and _extent(end.rest)[0]}
    return chains


def _ends(chain: Sequence[Parted]) -> float:
    """Return the log-probability that more digits follow each one of a chain except the last, and none the last."""
    odds = [_odds(one.several) for one in chain]
    return -sum(float(np.logaddexp(0, -more)) for more in odds[:-1]) - float(np.logaddexp(0, odds[-1]))


def _odds(several: float) -> float:
    """Return the log-odds of several digits, less `_RARE`: fewer digits touch in pictures than in training."""
    chance = min(max(several, 1e-6), 1 - 1e-6)
    return float(np.log(chance / (1 - chance))) - _RARE


def _box_of(piece: Piece, level: Image, is_part: bool) -> Box:
    """Return the box in the picture of `level`, which is as large as the piece and is the piece or a part of it."""
    if not is_part:
        return piece.box
    left, top, right, bottom = (edge - PAD for edge in box_of(level > INK))
    x, y, end, low = piece.box
    return (
        max(x, x + left * piece.scale),
        max(y, y + top * piece.scale),
        min(end, x + right * piece.scale),
        min(low, y + bottom * piece.scale),
    )


def _evidence(rows: Sequence[Scores]) -> float:
    """Return how much some parts look like digits, as log-odds, by the least confident of them.

    Confidence is measured from 1 / k, which models give each of the k classes when there is no digit.
    """
    least = min(float(row.max()) for row in rows)
    even = 1 / len(rows[0])
    like = min(max((least - even) / (1 - even), 1e-3), _NO_SURER)
    return float(np.log(like / (1 - like)))
