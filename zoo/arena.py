"""Put one picture through every model of a zoo: what each reads, and how long it took."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.answers import prediction
from zoo.errors import PictureError, ZooError
from zoo.looking import Look
from zoo.models import Loaded, Model
from zoo.sources import Source
from zoo.types import Prediction
from zoo.zoo import Zoo


@dataclass(frozen=True, slots=True)
class Vote:
    """One model's answer for the picture, or why it has none. `ms` is the model's own time in milliseconds."""

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
        answers = (vote.answer for vote in self.votes)
        return Counter(one.label for one in answers if isinstance(one, Prediction) and not one.rejected).most_common()


def ask_all(zoo: Zoo, picture: Source) -> Verdict:
    """Return the votes of all models on one picture.

    The picture is read once, and preprocessed once for all models that preprocess alike. A model that cannot answer
    has its error as its vote. Raises a PictureError.
    """
    given = zoo.given(picture)
    shared: dict[Any, Look] = {}
    own = any("preprocess" in family.hooks for family in zoo.plugins.families.values() if family.addon)
    spent = 0.0
    votes = []
    for name, model in zoo.models.items():
        key, start = None, time.perf_counter()
        try:
            loaded = model.load()
            key = None if own else _way(model, loaded)
            look, start = shared.get(key), time.perf_counter()
            if look is None:
                look = zoo.look(model, loaded, given)
                if key is not None:
                    shared[key] = look
                    spent += time.perf_counter() - start
                    start = time.perf_counter()
            scores = model.scores(loaded, look.seen[np.newaxis])
            answer: Prediction | ZooError = prediction(name, loaded.card, scores[0].tolist(), look.trace)
            model.tell(loaded, [answer])
        except ZooError as error:
            if isinstance(error, PictureError) and key is not None:  # the picture's own fault: all would fail
                model.tell(loaded, [error])
                raise
            answer, start = error, time.perf_counter()
        votes.append(Vote(name, answer, 1000 * (time.perf_counter() - start)))
    return Verdict(tuple(votes), 1000 * spent)


def _way(model: Model, loaded: Loaded) -> Any:
    """Return a key equal for models that preprocess alike; None when the model's plugin has its own `preprocess`."""
    if model.family is None or "preprocess" in model.family.hooks:
        return None
    settings = loaded.settings
    return settings.preprocess, settings.ink, tuple(loaded.card.input_shape)
