"""Many digits read from one picture: the pieces of `zoo.pieces`, told by a model, and divided where digits touch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from zoo.marks import box_of, is_boxed
from zoo.parting import INK, Parted, part
from zoo.pieces import PAD, Piece, check_number, in_lines
from zoo.types import Box, Image, Mask, Scores

# Chosen on composed scenes of MNIST's training digits, touching ones among them.
_SURE = 0.85  # confidence below which what the picture's edge cuts off is no digit
_RARE = 8.0  # logarithm of by how much rarer digits that touch are than where the network was trained
_NO_SURER = 0.9999  # confidence beyond which none counts for more
_CLOSE = 6.0  # by so much in logarithms a piece is likelier one digit than several, or else is said to touch
_MOST = 6  # digits in one piece
LEAST = 0.85  # confidence below which a digit of several is rejected, whatever the card asks of a single one
_STRANGE = 0.6  # confidence below which a piece may be part of another, and from which dirt may belong to it
_APART = 0.25  # heights between two pieces that may be one digit, at the most
_BROAD = 1.7  # widths to heights that it may have then: more is known of it than of one that touches another
_HIGH = 1.5  # and heights
_OVER = 0.1  # widths of the narrower piece by which it stands above or below another that it may belong to
_SURELY_ONE = 0.9  # confidence at which they are taken for one
_LITTLE = 0.25  # of a digit's ink: less than that beside it, which does not change what it is, is dirt
_FEW = 4  # pieces, from which a line tells how high its digits are
_BESIDE = 2  # pieces to either side that tell where the line runs
_TALLER = 1.25  # of the height of a line's digits; a stroke that is as high may be no 1
_OUT = 0.08  # heights by which it then stands out above and below
_SHORT = 0.65  # of that height; a stroke that is less and has a neighbour close by may be a part of it
_CLOSE_BY = 0.08  # heights between the two
_SLIM = 0.7  # widths to heights of a stroke
_THIN = 0.25  # of its height, which nearly all of a bracket's rows are less wide than
_BOWED = 0.12  # of its height, by which its middle is off a straight line; that of 9 of 530 1s is
_FINE = 0.15  # of its height, which those of a bracket that is as high as a digit are less wide than
_ARCHED = 0.09  # of its height, by which its middle is off then; that of none of the 530 is that looks so
_WAVY = 0.02  # of its height, by which it may be off to the other side
_LEANS = 0.15  # of its height, that its ends are aside of each other at the most
_STEADY = 0.99  # confidence below which a digit is looked at again
_VIEWS = ((-0.1, -8.0), (-0.1, 8.0), (0.1, -8.0), (0.1, 8.0))  # slant of the height, and degrees of a turn


@dataclass(frozen=True)
class Found:
    """One digit of a picture: its probabilities, float32 (k,), its box in the picture's pixels, and its line from 0.

    `touching` says that it was divided from another one or from a frame, or may hold one that has grown into it; `odd`
    that it is a stroke which may be no 1, one that stands out of its line above and below or is bowed, as slashes and
    brackets are, or a short one close to its neighbour; or a box.
    """

    scores: NDArray[np.float32]
    box: Box
    line: int
    touching: bool
    odd: bool = False


Recognise = Callable[[Sequence[Image]], NDArray[np.float32]]
"""Pictures, uint8 (h, w), of one digit each to probabilities (n, k); all alike where there is nothing to read."""


def read(pieces: Sequence[Piece], recognise: Recognise) -> list[Found]:
    """The digits of the pieces in reading order. Raises NoInk, "too_many_objects", when they are a pattern."""
    pieces = [piece for piece in pieces if _extent(piece.level)[0]]  # others are too faint to be told
    if not pieces:
        return []
    recognise = _steady(recognise)
    whole = recognise([piece.level for piece in pieces])
    tall = float(np.median([_extent(piece.level)[1] for piece in pieces]))
    pieces, whole = _whole_again(pieces, whole, recognise, tall)
    asked: list[_Asked] = []
    for number, line in enumerate(in_lines(pieces)):
        for i, odd in zip(line, _odd([pieces[i] for i in line]), strict=True):
            if not (pieces[i].edge and whole[i].max() < _SURE):  # a shadow, the table, what is cut off
                asked.append(_Asked(pieces[i], whole[i], number, odd))
    return _parted(asked, recognise, tall)


@dataclass(frozen=True)
class _Asked:
    """A piece, what the model says of it as a whole, its line, and whether it is odd in that."""

    piece: Piece
    whole: Scores
    line: int
    odd: bool


def _odd(line: Sequence[Piece]) -> list[bool]:
    """Which pieces of a line, from the left, may be no digits.

    Strokes that stand out of it above and below, as slashes, brackets and bars do, or are bowed; short ones close to a
    neighbour, as a part of that which stands free; and boxes, which may be there to be ticked.
    """
    boxes = [_is_box(piece.level) for piece in line]
    if len(line) < _FEW:
        return boxes
    lefts, tops, rights, bottoms = np.array([piece.box for piece in line]).T
    height = float(np.median(bottoms - tops))
    gaps = np.concatenate([[np.inf], lefts[1:] - np.maximum.accumulate(rights)[:-1], [np.inf]])
    found = []
    for place in range(len(line)):
        near = slice(max(0, place - _BESIDE), place + _BESIDE + 1)  # a line may run aslant
        wide, tall = rights[place] - lefts[place], bottoms[place] - tops[place]
        above, below = float(np.median(tops[near])) - tops[place], bottoms[place] - float(np.median(bottoms[near]))
        stands_out = tall > _TALLER * height and min(above, below) > _OUT * height
        is_part = tall < _SHORT * height and gaps[place : place + 2].min() < _CLOSE_BY * height
        is_odd = stands_out or is_part or _is_bracket(line[place].level)
        found.append(boxes[place] or bool(wide < _SLIM * tall and is_odd))
    return found


def _is_bracket(level: Image) -> bool:
    """Whether the ink, of uint8 (h, w), is one thin stroke from top to bottom whose middle is off a straight line.

    One that is finer, upright and bowed to one side alone, most in its middle, need be so less: as high as a digit.
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


def _is_box(level: Image) -> bool:
    """Whether the ink is a box: straight along all four sides, as no 0 is, and hollow."""
    ink = level > INK
    left, top, right, bottom = box_of(ink)
    return is_boxed(ink[top:bottom, left:right], sides=4)


def _whole_again(
    pieces: Sequence[Piece], scores: NDArray[np.float32], recognise: Recognise, tall: float
) -> tuple[Sequence[Piece], NDArray[np.float32]]:
    """The pieces and their scores, what is no digit by itself joined with a neighbour where both are surely one.

    So a 5 finds its bar, and a speck or the trace of a ruled line its digit.
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
    return int(np.count_nonzero(piece.level > INK))


def _pairs(pieces: Sequence[Piece], strange: Mask, tall: float) -> list[tuple[int, int]]:
    """Which pieces may belong to which others, by where they lie: those that are `strange`, bool (n,), to any that is
    near, and the smaller of two to one that it stands partly above or below."""
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
    """The same, but what is not told surely is looked at from some sides: hands slant and turn, and models mind it.

    Their mean is no oftener right than the first look, but less sure where they differ, so that fewer mistakes pass for
    sure.
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
    """A picture, uint8 (h, w), sheared by `slant` of its height and turned by `degrees`, with room for it."""
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
    """Width and height of the ink in uint8 (h, w)."""
    return int(np.count_nonzero((level > INK).any(axis=0))), int(np.count_nonzero((level > INK).any(axis=1)))


def _parted(asked: Sequence[_Asked], recognise: Recognise, tall: float) -> list[Found]:
    """The digits of pieces, each with what the model says of the whole and its line: the likeliest row of each."""
    chains = _chains([one.piece.level for one in asked], tall)
    check_number(sum(len(chain) for chain in chains))  # a pattern, as of squared paper, falls into ever more parts
    parts = [level for chain in chains for one in chain[:-1] for level in (one.first, one.rest)]
    told = iter(recognise(parts) if parts else ())
    found: list[Found] = []
    for ask, chain in zip(asked, chains, strict=True):
        piece, whole = ask.piece, ask.whole
        options = [(_evidence([whole]) + _ends(chain[:1]), [(piece.level, whole)])]
        taken: list[tuple[Image, Scores]] = []
        for step, one in enumerate(chain[:-1]):
            taken.append((one.first, next(told)))
            digits = [*taken, (one.rest, next(told))]
            options.append((_evidence([scores for _, scores in digits]) + _ends(chain[: step + 2]), digits))
        best, digits = max(options, key=lambda option: option[0])
        others = max((odds for odds, row in options if row is not digits), default=-np.inf)
        parted = len(digits) > 1
        touching = parted or piece.cut or best - others < _CLOSE
        found += [
            Found(scores, _box_of(piece, level, parted), ask.line, touching, ask.odd and not parted)
            for level, scores in digits
        ]
    return found


def _chains(levels: Sequence[Image], tall: float) -> list[list[Parted]]:
    """Pieces of ink, each parted, and then what is left when its first digit is taken off, until there is no more."""
    chains: list[list[Parted]] = [[] for _ in levels]
    left = dict(enumerate(levels))
    while left:
        for place, parted in zip(left, part(list(left.values()), tall), strict=True):
            chains[place].append(parted)
        ends = {place: chains[place][-1] for place in left if len(chains[place]) < _MOST}
        left = {place: end.rest for place, end in ends.items() if _extent(end.first)[0] and _extent(end.rest)[0]}
    return chains


def _ends(chain: Sequence[Parted]) -> float:
    """How likely it is, as a logarithm, that there is more after each of a chain but the last, and no more after it."""
    odds = [_odds(one.several) for one in chain]
    return -sum(float(np.logaddexp(0, -more)) for more in odds[:-1]) - float(np.logaddexp(0, odds[-1]))


def _odds(several: float) -> float:
    """The logarithm of the odds of several digits, in pictures where fewer touch than the network has seen."""
    chance = min(max(several, 1e-6), 1 - 1e-6)
    return float(np.log(chance / (1 - chance))) - _RARE


def _box_of(piece: Piece, level: Image, is_part: bool) -> Box:
    """Where a part of a piece, uint8 (h, w) as the piece is, lies in the picture."""
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
    """How much like digits some parts are, by the one least like it: models give about 1 / k for each class to none."""
    least = min(float(row.max()) for row in rows)
    even = 1 / len(rows[0])
    like = min(max((least - even) / (1 - even), 1e-3), _NO_SURER)
    return float(np.log(like / (1 - like)))
