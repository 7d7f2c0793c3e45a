"""A model's answers: what its plugin's hooks give, which is checked, and what is told of one picture and of many."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np

from zoo.checkpoints import Card
from zoo.datasets import DIGITS
from zoo.errors import NoInk, PluginError, ZooError
from zoo.plugins import Hooks
from zoo.settings import ModelSettings
from zoo.types import Batch, Image, Prediction, Scores, Trace


def checked_input(
    model: str, hooks: Hooks, settings: ModelSettings, shape: tuple[int, ...] | None, image: Image
) -> tuple[Batch, Trace]:
    """What a model's `preprocess` hook makes of a picture for a network that takes `shape`. Raises PluginError.

    With a shape of None any will do, and NoInk is raised where there is nothing to read.
    """
    try:
        answer = hooks.call("preprocess", image=image, settings=settings)
    except NoInk as nothing:
        if shape is None:
            raise
        return np.zeros(shape, np.float32), Trace(np.zeros(shape[:2], np.uint8), reason=nothing.reason)
    if not (isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], Trace)):
        raise PluginError(f'Model "{model}": its {_hook(hooks)} should return (array, Trace).')
    if shape is not None and np.shape(answer[0]) != shape:
        raise PluginError(
            f'Model "{model}": its {_hook(hooks)} gave shape {np.shape(answer[0])}; the network takes {shape}.'
        )
    if getattr(answer[1].seen, "dtype", None) != np.uint8:
        raise PluginError(
            f'Model "{model}": the Trace of its {_hook(hooks)} has a seen of {_kind(answer[1].seen)}; it should be '
            "what the model saw as levels in 0-255, an array of uint8."
        )
    return answer


def checked_scores(
    model: str, hooks: Hooks, settings: ModelSettings, handle: Any, batch: Batch, classes: int
) -> Scores:
    """The probabilities (n, classes) that a model's `predict` hook gives for (n, ...). Raises PluginError."""
    answer = hooks.call("predict", model=handle, batch=batch, settings=settings)
    try:
        scores: Scores = np.asarray(answer, np.float32)
    except (TypeError, ValueError) as error:
        raise _wrong(model, hooks, f"gave {_kind(answer)} that is no array of numbers ({error}).") from error
    if scores.shape != (len(batch), classes):
        raise _wrong(model, hooks, f"gave shape {scores.shape}, expected {(len(batch), classes)}.")
    if not _are_probabilities(scores):
        raise _wrong(model, hooks, "should give probabilities whose rows sum to 1.")
    return scores


def _hook(hooks: Hooks) -> str:
    return f"preprocess hook{hooks.wrapped('preprocess')}"


def _wrong(model: str, hooks: Hooks, what: str) -> PluginError:
    whose = f"predict{hooks.wrapped('predict')}"
    return PluginError(f'Model "{model}": {whose} {what}')


def _kind(value: Any) -> str:
    return str(getattr(value, "dtype", type(value).__name__))


def _are_probabilities(scores: Scores) -> bool:
    """Whether rows (n, k) sum to 1 within 1e-5 and nothing is below 0; NaN is neither."""
    if len(scores) == 1:
        row = scores[0].tolist()
        return bool(abs(math.fsum(row) - 1) <= 1e-5 and min(row) >= 0)
    return bool(np.abs(scores.sum(axis=1) - 1).max(initial=0) <= 1e-5 and scores.min(initial=0) >= 0)


def rescaled(scores: Scores, temperature: float) -> Scores:
    """Probabilities, float32 (n, k), at another temperature: above 1 less sure, below 1 surer, in the same order."""
    if temperature == 1:
        return scores
    powers: Scores = np.power(scores, np.float32(1 / temperature))
    rows: Scores = powers / powers.sum(axis=1, keepdims=True)
    return rows


def rejection(card: Card, confidence: float, reason: str | None) -> str | None:
    """Why an answer of that confidence is none: what preprocessing found, or less of it than the card asks for."""
    if reason is None and card.calibration is not None and confidence < card.calibration.threshold:
        return "not_a_digit"
    return reason


def prediction(model: str, card: Card, scores: Sequence[float], trace: Trace) -> Prediction:
    """The answer that the probabilities of one picture give, in class order."""
    reason = rejection(card, max(scores), trace.reason)
    return _told(model, card.ref, tuple(card.labels), scores, reason, trace)


def _told(
    model: str,
    checkpoint: str,
    labels: tuple[str, ...],
    scores: Sequence[float],
    reason: str | None,
    trace: Trace | None,
) -> Prediction:
    confidence = max(scores)
    best = scores.index(confidence)
    return Prediction(
        model=model,
        checkpoint=checkpoint,
        label=labels[best],
        digit=best if labels == DIGITS else None,
        confidence=confidence,
        probabilities=tuple(scores),
        labels=labels,
        rejected=reason is not None,
        reason=reason,
        trace=trace,
    )


class Answers(Sequence[Prediction | ZooError]):
    """A model's answers to many pictures, in their order: a Prediction each, or what is wrong with the picture.

    They are kept as arrays, and each Prediction is made when it is asked for: to make them all takes as long as a small
    network does. `scores` are the probabilities, float32 (m, k), of the m pictures that could be read, in their order,
    `reasons` say why such an answer is none, and `errors` have what is wrong with the others, by their place among all.
    """

    def __init__(
        self,
        model: str,
        checkpoint: str,
        labels: tuple[str, ...],
        scores: Scores,
        reasons: Sequence[str | None],
        trace: Callable[[int], Trace] | None,
        errors: Mapping[int, ZooError],
    ) -> None:
        self.scores = scores
        self.reasons = reasons
        self.errors = errors
        self._model, self._checkpoint, self._labels, self._trace = model, checkpoint, labels, trace
        self._rows: Sequence[int] = range(len(scores))
        if errors:
            good = iter(self._rows)
            self._rows = [-1 if place in errors else next(good) for place in range(len(scores) + len(errors))]

    @classmethod
    def by(
        cls,
        model: str,
        card: Card,
        scores: Scores,
        reasons: Sequence[str | None],
        trace: Callable[[int], Trace],
        errors: Mapping[int, ZooError],
    ) -> Answers:
        """The answers of a checkpoint, whose card may reject more than the `reasons` that preprocessing found."""
        sure = scores.max(axis=1).tolist() if len(scores) else []
        found = [rejection(card, confidence, reason) for confidence, reason in zip(sure, reasons, strict=True)]
        return cls(model, card.ref, tuple(card.labels), scores, found, trace, errors)

    @property
    def predictions(self) -> list[Prediction]:
        """The answers to the pictures that could be read."""
        return [self._prediction(row) for row in range(len(self.scores))]

    @property
    def classes(self) -> list[int]:
        """The likeliest class of each picture that could be read; of equally likely ones the first."""
        classes: list[int] = self.scores.argmax(axis=1).tolist()
        return classes

    @property
    def labels(self) -> list[str]:
        """The label of each picture that could be read."""
        return [self._labels[best] for best in self.classes]

    def untraced(self) -> Answers:
        """The same without the pictures that the model saw."""
        return Answers(self._model, self._checkpoint, self._labels, self.scores, self.reasons, None, self.errors)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Prediction | ZooError: ...
    @overload
    def __getitem__(self, place: slice) -> list[Prediction | ZooError]: ...
    def __getitem__(self, place: int | slice) -> Prediction | ZooError | list[Prediction | ZooError]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        try:
            row = self._rows[place]
        except IndexError:
            raise IndexError(f"there are {len(self)} answers, and none at {place}") from None
        return self._prediction(row) if row >= 0 else self.errors[place % len(self)]

    def __iter__(self) -> Iterator[Prediction | ZooError]:
        return (self[place] for place in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Answers | list) else NotImplemented

    def __add__(self, other: Any) -> list[Any]:
        return [*self, *other] if isinstance(other, Answers | list) else NotImplemented

    def __radd__(self, other: Any) -> list[Any]:
        return [*other, *self] if isinstance(other, list) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as of a list

    def __repr__(self) -> str:
        return repr(list(self))

    def _prediction(self, row: int) -> Prediction:
        trace = None if self._trace is None else self._trace(row)
        scores = self.scores[row].tolist()
        return _told(self._model, self._checkpoint, self._labels, scores, self.reasons[row], trace)
