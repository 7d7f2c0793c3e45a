"""One picture through every model of a zoo at once: who reads what, and how long each took."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ZooError
from zoo.models import Loaded, Model, prediction
from zoo.sources import Source
from zoo.types import Prediction, Trace
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
    start = time.perf_counter()
    image = zoo.decode(picture)
    shared: dict[Any, tuple[NDArray[np.float32], Trace]] = {}
    own = any("preprocess" in family.hooks for family in zoo.plugins.families.values() if family.addon)
    spent = time.perf_counter() - start
    votes = []
    for name, model in zoo.models.items():
        try:
            loaded = model.load()
            key = None if own else _way(model, loaded)
            start = time.perf_counter()
            if key is None:
                seen = model.preprocess(loaded, image)
            else:
                if key not in shared:
                    shared[key] = model.preprocess(loaded, image)
                    spent += time.perf_counter() - start
                    start = time.perf_counter()
                seen = shared[key]
            answer: Prediction | ZooError = _answer(model, loaded, *seen)
        except ZooError as error:
            answer, start = error, time.perf_counter()
        votes.append(Vote(name, answer, 1000 * (time.perf_counter() - start)))
    return Verdict(tuple(votes), 1000 * spent)


def _way(model: Model, loaded: Loaded) -> Any:
    """What the preprocessing of a model depends on; None when its plugin has one of its own."""
    if model.family is None or "preprocess" in model.family.hooks:
        return None
    settings = loaded.settings
    return settings.preprocess, settings.ink, tuple(loaded.card.input_shape)


def _answer(model: Model, loaded: Loaded, seen: NDArray[np.float32], trace: Trace) -> Prediction:
    return prediction(model.name, loaded.card, model.scores(loaded, seen[np.newaxis])[0], trace)
