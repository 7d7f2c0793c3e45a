"""One picture through every model of a zoo at once: who reads what, and how long each took."""

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
    """What one model says of the picture, or why it cannot. `ms` is what the model itself took, in milliseconds."""

    model: str
    answer: Prediction | ZooError
    ms: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """All votes, in the order of the settings. `ms` is what finding the digit took, once for all who share the way."""

    votes: tuple[Vote, ...]
    ms: float

    @property
    def label(self) -> str | None:
        """What most of those who see a digit read; None when nobody does, or two labels have as many votes."""
        counts = self.counts()
        if not counts or (len(counts) > 1 and counts[0][1] == counts[1][1]):
            return None
        return counts[0][0]

    def counts(self) -> list[tuple[str, int]]:
        """Each label that somebody reads, with the number of its votes, most first."""
        answers = (vote.answer for vote in self.votes)
        return Counter(one.label for one in answers if isinstance(one, Prediction) and not one.rejected).most_common()


def ask_all(zoo: Zoo, picture: Source) -> Verdict:
    """The votes of all models on one picture. It is decoded once, and normalised once for all who do it alike.

    Raises a PictureError. A model that cannot answer gives its error as its vote.
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
            if isinstance(error, PictureError) and key is not None:  # the picture's fault, whoever is asked
                model.tell(loaded, [error])
                raise
            answer, start = error, time.perf_counter()
        votes.append(Vote(name, answer, 1000 * (time.perf_counter() - start)))
    return Verdict(tuple(votes), 1000 * spent)


def _way(model: Model, loaded: Loaded) -> Any:
    """What the preprocessing of a model depends on; None when its plugin has one of its own."""
    if model.family is None or "preprocess" in model.family.hooks:
        return None
    settings = loaded.settings
    return settings.preprocess, settings.ink, tuple(loaded.card.input_shape)
