"""Put one picture through every model of a zoo: what each reads, and how long it took."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TypeAlias

from zoo.errors import PictureError, ZooError
from zoo.looking import Look
from zoo.models import Loaded
from zoo.settings import InkSettings
from zoo.sources import Source
from zoo.types import Image, Prediction
from zoo.zoo import Zoo

Way: TypeAlias = tuple[str, InkSettings, tuple[int, ...]]
"""What the zoo's own preprocessing depends on: two settings and the shape of the network's input."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One model's answer for the picture, or why it has none. `ms` is its own time in milliseconds, 0 without one."""

    model: str
    answer: Prediction | ZooError
    ms: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """All votes, in the order of the settings. `ms` is the time of shared preprocessing, in milliseconds."""

    votes: tuple[Vote, ...]
    ms: float

    @property
    def label(self) -> str | None:
        """The label with most votes among models that do not reject the picture; None without votes or upon a tie."""
        counts = self.counts()
        if not counts or (len(counts) > 1 and counts[0][1] == counts[1][1]):
            return None
        return counts[0][0]

    def counts(self) -> list[tuple[str, int]]:
        """Return each label that a model reads, with its number of votes, most first. Rejections do not count."""
        answers = (vote.answer for vote in self.votes if isinstance(vote.answer, Prediction))
        return Counter(answer.label for answer in answers if not answer.rejected).most_common()


def ask_all(zoo: Zoo, picture: Source) -> Verdict:
    """Return the votes of all models on one picture.

    The picture is read once, and preprocessed once for all models that preprocess alike. A model that cannot answer
    has its error as its vote. Raises a PictureError.
    """
    content = zoo.given(picture)
    looks: dict[Way, Look] = {}
    seconds = 0.0
    votes = []
    for name, model in zoo.models.items():
        try:
            loaded = model.load()
        except ZooError as error:
            votes.append(Vote(name, error, 0.0))
            continue
        way = _way(loaded)
        if way is not None and way not in looks:  # a PictureError is the picture's own fault: all would fail
            looks[way], took = _shared_look(zoo, loaded, content)
            seconds += took
        votes.append(_vote(zoo, loaded, content, None if way is None else looks[way]))
    return Verdict(tuple(votes), 1000 * seconds)


def _way(loaded: Loaded) -> Way | None:
    """Return a key equal for models that preprocess alike; None where a plugin's hook or wrapper takes part in it."""
    if not loaded.hooks.is_default("preprocess"):
        return None
    return loaded.settings.preprocess, loaded.settings.ink, loaded.shape


def _shared_look(zoo: Zoo, loaded: Loaded, content: bytes | Image) -> tuple[Look, float]:
    """Return the picture as a model and all that preprocess alike see it, and how many seconds that took."""
    start = time.perf_counter()
    try:
        look = zoo.look(loaded, content)
    except PictureError as error:
        loaded.notify([error])
        raise
    return look, time.perf_counter() - start


def _vote(zoo: Zoo, loaded: Loaded, content: bytes | Image, look: Look | None) -> Vote:
    """Return the vote of one model on a picture, or on how models that preprocess alike see it if `look` is given."""
    start = time.perf_counter()
    try:
        look = look or zoo.look(loaded, content)
        answer = loaded.predict(look.seen, look.trace)
        loaded.notify([answer])
    except ZooError as error:
        return Vote(loaded.name, error, 0.0)
    return Vote(loaded.name, answer, 1000 * (time.perf_counter() - start))
