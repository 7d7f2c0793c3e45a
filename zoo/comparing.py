"""Where checkpoints that were measured on the same pictures differ: which pictures, how many, and whether by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from zoo.checkpoints import Evaluation, Mistake


@dataclass(frozen=True, slots=True)
class Split:
    """A picture that some read right and others wrong: its place in the data, its class, and each one's mistake.

    `mistakes` has None for each that reads it right.
    """

    index: int
    label: int
    mistakes: tuple[Mistake | None, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two of the compared, by their places: how many pictures only one of them reads right, and what chance says.

    `chance` is the two-sided p-value of McNemar's exact test (McNemar 1947, Psychometrika 12:153-157): how often two
    equally good models would differ as unevenly as these.
    """

    first: int
    second: int
    only_first: int
    only_second: int
    neither: int
    chance: float


def same_pictures(evaluations: Sequence[Evaluation]) -> bool:
    """Whether all were measured on the same number of pictures of the same data."""
    return len({(one.data, one.pictures) for one in evaluations}) <= 1


def splits(evaluations: Sequence[Evaluation]) -> list[Split]:
    """The pictures that not all of them read alike well, the surest mistake first.

    Needs the same pictures. The cards hold every mistake, so what they do not hold was read right.
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
    """Every two of them against each other. Needs the same pictures."""
    wrong = [{mistake.index for mistake in one.mistakes} for one in evaluations]
    found = []
    for a, b in combinations(range(len(evaluations)), 2):
        first, second = len(wrong[b] - wrong[a]), len(wrong[a] - wrong[b])
        found.append(Pair(a, b, first, second, len(wrong[a] & wrong[b]), chance(first, second)))
    return found


def chance(only_first: int, only_second: int) -> float:
    """McNemar's p-value for so many pictures that only one of two reads right, and only the other."""
    few, n = min(only_first, only_second), only_first + only_second
    ways = so_few = 1  # in which k of n can be one's; and in which at most k can
    for k in range(few):
        ways = ways * (n - k) // (k + 1)
        so_few += ways
    return min(1.0, float(2 * so_few / 2**n))
