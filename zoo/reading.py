"""Many digits read from one picture: the pieces of `zoo.pieces`, told by a model, and divided where digits touch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from zoo.pieces import PAD, Piece, cuts, in_lines
from zoo.types import Box, Image

# Chosen on composed scenes of MNIST's training digits, touching ones among them.
_WIDE = 1.25  # widths to heights that one digit may have
_SURE = 0.85  # confidence at which a piece that is not wide is taken for one digit
_GROWN = 0.9  # widths to heights from which a piece that is told to be one digit may be two that have grown together
_CERTAIN = 0.996  # confidence below which such a piece may be two, and a narrower one if both its parts are told with
_BOTH = 0.991
_BROADER = 0.8  # widths to heights from which it may be two, however sure, if both its parts are told with
_BOTH_SURELY = 0.999
_LIKELIEST = 3  # places that are tried for that, those with the least ink
_NARROW = 0.15  # widths to heights of the narrowest part of a piece that is divided
_LOW = 0.6  # heights of the line's digits that the ink of such a part has: less is the bar of a 5 or a 7, and no digit
_MISFIT = 1.0  # what each height of width beyond that costs, in logarithms of confidence
_SLIVER = 0.3  # widths to heights, below which a part costs what a cut stroke does
_CUT = 0.3  # what each stroke that is cut through costs
_LONE = 0.8  # widths to heights up to which a piece is most likely one digit
_PAIR = 1.25  # and from which it is as likely two
_ALONE = 2.0  # what each division of such a piece costs
_MOST = 6  # digits in one piece
LEAST = 0.75  # confidence below which a digit of several is rejected, whatever the card asks of a single one
_STRANGE = 0.6  # confidence below which a piece may be part of another, and from which dirt may belong to it
_APART = 0.25  # heights between two pieces that may be one digit, at the most
_BROAD = 1.7  # widths to heights that it may have then: more is known of it than of one that touches another
_HIGH = 1.5  # and heights
_OVER = 0.1  # widths of the narrower piece by which it stands above or below another that it may belong to
_SURELY_ONE = 0.9  # confidence at which they are taken for one
_LITTLE = 0.25  # of a digit's ink: less than that beside it, which does not change what it is, is dirt
_STEADY = 0.99  # confidence below which a digit is looked at again
_VIEWS = ((-0.1, -8.0), (-0.1, 8.0), (0.1, -8.0), (0.1, 8.0))  # slant of the height, and degrees of a turn


@dataclass(frozen=True)
class Found:
    """One digit of a picture: its probabilities, float32 (k,), its box in the picture's pixels, and its line from 0.

    `touching` says that it was divided from another one, or may hold one that has grown into it.
    """

    scores: NDArray[np.float32]
    box: Box
    line: int
    touching: bool


Recognise = Callable[[Sequence[Image]], NDArray[np.float32]]
"""Pictures, uint8 (h, w), of one digit each to probabilities (n, k); all alike where there is nothing to read."""


def read(pieces: Sequence[Piece], recognise: Recognise, least: float) -> list[Found]:
    """The digits of the pieces in reading order. `least` is the confidence below which the model rejects."""
    if not pieces:
        return []
    once, recognise = recognise, _steady(recognise)
    whole = recognise([piece.level for piece in pieces])
    tall = float(np.median([_extent(piece.level)[1] for piece in pieces]))
    pieces, whole = _whole_again(pieces, whole, recognise, tall)
    digits: list[Found] = []
    ones: dict[int, tuple[Piece, float, float]] = {}  # by their place among the digits
    for number, line in enumerate(in_lines(pieces)):
        for piece, scores in ((pieces[i], whole[i]) for i in line):
            width, height = _extent(piece.level)
            high = min(height, 1.3 * tall)
            if not width or (piece.edge and scores.max() < _SURE):  # a shadow, the table, what the picture cuts off
                continue
            told = [Found(scores, piece.box, number, False)]
            if width > _WIDE * high or (scores.max() < max(least, _SURE) and width > 0.4 * height):
                told = _divided(piece, scores, recognise, high, number)
            if len(told) == 1:
                ones[len(digits)] = piece, float(scores.max()), high
            digits += told
    for place, touching in zip(ones, _grown_together(list(ones.values()), once), strict=True):
        digits[place] = replace(digits[place], touching=touching)
    return digits


def _whole_again(
    pieces: Sequence[Piece], scores: NDArray[np.float32], recognise: Recognise, tall: float
) -> tuple[Sequence[Piece], NDArray[np.float32]]:
    """The pieces and their scores, what is no digit by itself joined with a neighbour where both are surely one.

    So a 5 finds its bar, and a speck or the trace of a ruled line its digit.
    """
    strange = scores.max(axis=1) < _STRANGE
    pairs = [
        (i, j)
        for i, part in enumerate(pieces)
        for j, other in enumerate(pieces)
        if j != i and _near(part, other, tall) and (strange[i] or _above(part, other))
    ]
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
    return int(np.count_nonzero(piece.level > 60))


def _near(one: Piece, other: Piece, tall: float) -> bool:
    """Whether two pieces may be one digit, by where they lie."""
    far, wide, high = _APART * tall * one.scale, _BROAD * tall * one.scale, _HIGH * tall * one.scale
    (a, b, c, d), (e, f, g, h) = one.box, other.box  # left, top, right, bottom
    return (
        max(a, e) - min(c, g) < far
        and max(b, f) - min(d, h) < far
        and max(c, g) - min(a, e) < wide
        and max(d, h) - min(b, f) < high
    )


def _above(one: Piece, other: Piece) -> bool:
    """Whether a piece, the smaller of two, stands partly above or below the other."""
    (a, b, c, d), (e, f, g, h) = one.box, other.box
    over = min(c, g) - max(a, e)
    return (c - a) * (d - b) < (g - e) * (h - f) and over > _OVER * min(c - a, g - e)


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
    return int(np.count_nonzero((level > 60).any(axis=0))), int(np.count_nonzero((level > 60).any(axis=1)))


def _divided(piece: Piece, whole: NDArray[np.float32], recognise: Recognise, tall: float, line: int) -> list[Found]:
    """A piece as the likeliest row of digits, one at the least: the best path from its left edge to its right."""
    columns = np.flatnonzero((piece.level > 60).any(axis=0))
    edges = [int(columns[0]), *sorted(cuts(piece.level)), int(columns[-1]) + 1]
    spans = [
        (i, j)
        for i in range(len(edges))
        for j in range(i + 1, len(edges))
        if (i, j) != (0, len(edges) - 1)
        and edges[j] - edges[i] <= 1.5 * _WIDE * tall
        and _may_be_part(piece, edges[i], edges[j], tall)
    ]
    told = recognise([_cut(piece.level, edges[i], edges[j]) for i, j in spans]) if spans else np.empty((0, len(whole)))
    scores = dict(zip(spans, told, strict=True)) | {(0, len(edges) - 1): whole}
    # A piece no wider than a digit is mostly one, however odd.
    alone = _ALONE * float(np.clip((_PAIR - (edges[-1] - edges[0]) / tall) / (_PAIR - _LONE), 0, 1))
    # best[n][i]: the greatest sum of logarithms of n digits that end at edge i, and the edges they go through.
    last = len(edges) - 1
    best: list[dict[int, tuple[float, tuple[int, ...]]]] = [{0: (0.0, (0,))}]
    for _ in range(_MOST):
        step: dict[int, tuple[float, tuple[int, ...]]] = {}
        for (i, j), row in scores.items():
            if i in best[-1]:
                shape = (edges[j] - edges[i]) / tall
                cost = _MISFIT * max(0.0, shape - _WIDE) + _CUT * (shape < _SLIVER)
                cost += _CUT * _strokes(piece.level[:, edges[j]]) + alone if j != last else 0
                total = best[-1][i][0] + _evidence(row) - cost
                if j not in step or total > step[j][0]:
                    step[j] = total, (*best[-1][i][1], j)
        best.append(step)
    paths = [step[last] for step in best[1:] if last in step]
    path = max(paths)[1]
    left, top, _, bottom = piece.box
    return [
        Found(
            scores[i, j],
            (left + max(0, edges[i] - PAD) * piece.scale, top, left + max(1, edges[j] - PAD) * piece.scale, bottom),
            line,
            len(path) > 2,
        )
        for i, j in pairwise(path)
    ]


def _grown_together(ones: Sequence[tuple[Piece, float, float]], recognise: Recognise) -> list[bool]:
    """Which pieces that are told to be one digit may hold another: each a piece, its confidence and a digit's height.

    So a 1 does into a 9: both together are told to be a 9, a little less surely than a 9 is, and the parts to be a 9
    and a 1 quite surely.
    """
    found, parts, places = [], [], []
    for number, (piece, sure, tall) in enumerate(ones):
        width = _extent(piece.level)[0]
        found.append(width > _GROWN * tall and sure < _CERTAIN)
        if found[-1] or (sure >= _CERTAIN and width <= _BROADER * tall):
            continue
        columns = np.flatnonzero((piece.level > 60).any(axis=0))
        first, end = int(columns[0]), int(columns[-1]) + 1
        for at in cuts(piece.level)[:_LIKELIEST]:
            pair = (first, at), (at, end)
            if all(_may_be_part(piece, *part, tall) for part in pair):
                parts += [_cut(piece.level, *part) for part in pair]
                places.append(number)
    if places:
        surest = recognise(parts).max(axis=1).reshape(-1, 2).min(axis=1)
        for number, both in zip(places, surest.tolist(), strict=True):
            found[number] |= both >= (_BOTH if ones[number][1] < _CERTAIN else _BOTH_SURELY)
    return found


def _may_be_part(piece: Piece, left: int, right: int, tall: float) -> bool:
    """Whether the columns from `left` to before `right` are wide and high enough for a digit."""
    return _NARROW * tall <= right - left and _extent(piece.level[:, left:right])[1] >= _LOW * tall


def _evidence(row: NDArray[np.float32]) -> float:
    """How much like a digit a part is, as a logarithm: models give about 1 / k for each class to what is none."""
    even = 1 / len(row)
    return float(np.log(max((float(row.max()) - even) / (1 - even), 1e-3)))


def _strokes(column: NDArray[np.uint8]) -> int:
    """How many strokes cross a column, uint8 (h,)."""
    ink = column > 100
    return int(np.count_nonzero(ink[1:] & ~ink[:-1]))


def _cut(level: Image, first: int, end: int) -> Image:
    """The columns from `first` to before `end`."""
    return np.pad(level[:, first:end], ((0, 0), (PAD, PAD)))
