"""Divide pieces of ink into the likeliest rows of digits, by the network of `zoo.parting` and the model that reads."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from zoo.bodies import check_number
from zoo.compiled.cells import box_of
from zoo.parting import INK, Parted, part
from zoo.pieces import PAD, Piece
from zoo.types import Box, Image, Scores

# Chosen on composed scenes of MNIST's training digits, touching ones among them.
_RARE = 8.0  # log-odds by which touching digits are rarer in pictures than in the network's training rows
_NO_SURER = 0.9999  # confidence above which more counts for nothing
_SUREST = float(np.log(_NO_SURER / (1 - _NO_SURER)))  # log-odds of such a digit
_CLOSE = 6.0  # nats between the likeliest and the next division of a piece, below which it is said to touch
_MOST = 6  # digits in one piece, at most
_BETTER = 3.0  # nats by which two pieces are likelier joined and divided anew than as they are, at least

Recognise = Callable[[Sequence[Image]], NDArray[np.float32]]
"""Classifies n pictures, uint8 (h, w), of one digit each: probabilities (n, k), uniform where nothing can be read."""


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


@dataclass(frozen=True)
class Asked:
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


def divide(asked: Sequence[Asked], recognise: Recognise, tall: float) -> list[Found]:
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
    asked: Sequence[Asked], rows: Sequence[_Row], recognise: Recognise, tall: float
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
        left = {place: end.rest for place, end in ends.items() if extent(end.first)[0] and extent(end.rest)[0]}
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


def extent(level: Image) -> tuple[int, int]:
    """Return how many columns and how many rows of uint8 (h, w) have ink."""
    return int(np.count_nonzero((level > INK).any(axis=0))), int(np.count_nonzero((level > INK).any(axis=1)))
