"""Compare checkpoints measured on the same pictures: where they differ, how often, and whether chance explains it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from zoo.cards import Evaluation, Mistake


@dataclass(frozen=True, slots=True)
class Split:
    """A picture that some checkpoints read right and others wrong.

    `index` is its place in the data and `label` its class. `mistakes` has one entry per checkpoint, in the order
    compared, and None for each one that reads the picture right.
    """

    index: int
    label: int
    mistakes: tuple[Mistake | None, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two of the compared checkpoints, and on how many pictures they differ.

    `first` and `second` are indices into the compared evaluations. `only_first`, `only_second` and `neither` count the
    pictures read right by only the first, by only the second, and by neither. `chance` is the two-sided p-value of
    McNemar's exact test (McNemar 1947, Psychometrika 12:153-157): how often two equally good models would differ at
    least as unevenly as these.
    """

    first: int
    second: int
    only_first: int
    only_second: int
    neither: int
    chance: float


def same_pictures(evaluations: Sequence[Evaluation]) -> bool:
    """Whether all evaluations have the same data and the same number of pictures."""
    return len({(one.data, one.pictures) for one in evaluations}) <= 1


def splits(evaluations: Sequence[Evaluation]) -> list[Split]:
    """Return the pictures that some evaluations have right and others wrong, the most confident mistake first.

    The evaluations must be of the same pictures. An evaluation lists every mistake, so a picture it does not list was
    read right.
    """
    wrong = [{mistake.index: mistake for mistake in one.mistakes} for one in evaluations]
    found = []
    for index in set().union(*wrong):
        mistakes = tuple(of.get(index) for of in wrong)
        made = [mistake for mistake in mistakes if mistake is not None]
        if len(made) < len(mistakes):
            found.append((-max(mistake.confidence for mistake in made), Split(index, made[0].label, mistakes)))
    return [split for _, split in sorted(found, key=lambda one: (one[0], one[1].index))]


def pairs(evaluations: Sequence[Evaluation]) -> list[Pair]:
    """Compare every two of the evaluations, which must be of the same pictures."""
    wrong = [{mistake.index for mistake in one.mistakes} for one in evaluations]
    found = []
    for a, b in combinations(range(len(evaluations)), 2):
        first, second = len(wrong[b] - wrong[a]), len(wrong[a] - wrong[b])
        found.append(Pair(a, b, first, second, len(wrong[a] & wrong[b]), chance(first, second)))
    return found


def chance(only_first: int, only_second: int) -> float:
    """Return the two-sided p-value, 0-1, of McNemar's exact test, from the pictures that only one of two has right."""
    few, n = min(only_first, only_second), only_first + only_second
    ways = so_few = 1  # to choose k of n pictures, and to choose at most k of them
    for k in range(few):
        ways = ways * (n - k) // (k + 1)
        so_few += ways
    return min(1.0, float(2 * so_few / 2**n))
