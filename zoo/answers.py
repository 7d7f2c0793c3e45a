"""Check what a plugin's hooks return, and turn it into answers to one picture or to many."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np

from zoo.cards import Card
from zoo.errors import NoInk, PluginError, ZooError
from zoo.hooks import Hooks
from zoo.settings import ModelSettings
from zoo.types import DIGITS, Batch, Image, Input, Prediction, Scores, Trace

NOT_NUMBERS = (TypeError, ValueError, RuntimeError)
"""What NumPy raises when it cannot make an array: of rows of different lengths, or of another framework's tensor."""


def checked_input(
    hooks: Hooks, settings: ModelSettings, shape: tuple[int, ...] | None, image: Image
) -> tuple[Input, Trace]:
    """Call a model's `preprocess` hook for a network that takes `shape`, and check the result. Raises PluginError.

    A picture with nothing to read gives zeros, and a trace with the reason. With `shape` None, any shape is accepted
    and NoInk is raised instead.
    """
    try:
        answer = hooks.call("preprocess", image=image, settings=settings)
    except NoInk as nothing:
        if shape is None:
            raise
        nothing.__traceback__ = None  # pluggy has the exception in one of its frames: a cycle, which keeps the picture
        return np.zeros(shape, np.float32), Trace(np.zeros(shape[:2], np.uint8), reason=nothing.reason)
    if not (isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], Trace)):
        raise _wrong_input(hooks, settings, "should return (array, Trace).")
    array, trace = answer
    try:
        levels = np.asarray(array)
    except NOT_NUMBERS as error:
        raise _wrong_input(
            hooks, settings, f"returned {_kind(array)} that is not an array of numbers ({error})."
        ) from error
    if shape is not None and levels.shape != shape:
        raise _wrong_input(hooks, settings, f"returned shape {levels.shape}; the network takes {shape}.")
    if levels.dtype.kind != "f":
        raise _wrong_input(
            hooks,
            settings,
            f"returned an array of {levels.dtype}; the network takes float32 in 0-1. Convert uint8 levels with "
            "(levels / 255).astype('float32').",
        )
    levels = np.asarray(levels, np.float32)
    flat = levels.ravel()
    # The sum of squares takes a fraction of the time, but is infinite for huge levels too. `dot` would warn of that.
    if not math.isfinite(np.vdot(flat, flat)) and not np.isfinite(flat).all():
        raise _wrong_input(hooks, settings, "returned NaN or infinity; the network takes float32 in 0-1.")
    if getattr(trace.seen, "dtype", None) != np.uint8:
        raise PluginError(
            f'Model "{settings.name}": the Trace of its {_preprocess(hooks)} has `seen` of {_kind(trace.seen)}; it '
            "should be what the model saw, as an array of uint8 with levels in 0-255."
        )
    return levels, trace


def checked_scores(hooks: Hooks, settings: ModelSettings, handle: Any, batch: Batch, classes: int) -> Scores:
    """Call a model's `predict` hook for a batch (n, ...), and check its probabilities (n, classes).

    Raises PluginError.
    """
    answer = hooks.call("predict", model=handle, batch=batch, settings=settings)
    try:
        scores: Scores = np.asarray(answer, np.float32)
    except NOT_NUMBERS as error:
        raise _wrong_scores(
            hooks, settings, f"returned {_kind(answer)} that is not an array of numbers ({error})."
        ) from error
    if scores.shape != (len(batch), classes):
        raise _wrong_scores(hooks, settings, f"returned shape {scores.shape}, expected {(len(batch), classes)}.")
    if not _are_probabilities(scores):
        if np.isnan(scores).any():
            raise _wrong_scores(hooks, settings, "returned NaN; it should return probabilities, 0-1.")
        raise _wrong_scores(hooks, settings, "should return probabilities whose rows sum to 1.")
    return scores


def _preprocess(hooks: Hooks) -> str:
    """Name the `preprocess` hook for a message, with the plugins that wrap it."""
    return f"preprocess hook{hooks.wrapped('preprocess')}"


def _wrong_input(hooks: Hooks, settings: ModelSettings, what: str) -> PluginError:
    """Return the error that a model's `preprocess` hook is at fault, with `what` as the rest of the sentence."""
    return PluginError(f'Model "{settings.name}": its {_preprocess(hooks)} {what}')


def _wrong_scores(hooks: Hooks, settings: ModelSettings, what: str) -> PluginError:
    """Return the error that a model's `predict` hook is at fault, with `what` as the rest of the sentence."""
    return PluginError(f'Model "{settings.name}": predict{hooks.wrapped("predict")} {what}')


def _kind(value: Any) -> str:
    """Return the dtype of an array, or the name of another value's type."""
    return str(getattr(value, "dtype", type(value).__name__))


def _are_probabilities(scores: Scores) -> bool:
    """Whether all rows of (n, k) sum to 1 within 1e-5 and no value is negative or NaN."""
    if len(scores) == 1:
        row = scores[0].tolist()
        return bool(abs(math.fsum(row) - 1) <= 1e-5 and min(row) >= 0)
    return bool(np.abs(scores.sum(axis=1) - 1).max(initial=0) <= 1e-5 and scores.min(initial=0) >= 0)


def rescaled(scores: Scores, temperature: float) -> Scores:
    """Rescale probabilities, float32 (n, k), by a temperature: above 1 less confident, below 1 more.

    The order of the classes stays the same.
    """
    if temperature == 1:
        return scores
    powers: Scores = np.power(scores, np.float32(1 / temperature))
    rows: Scores = powers / powers.sum(axis=1, keepdims=True)
    return rows


def rejection(card: Card, confidence: float, reason: str | None) -> str | None:
    """Return why an answer is rejected, None if it is not.

    `reason` is preprocessing's and has precedence; "not_a_digit" means less confidence than the card's threshold.
    """
    if reason is None and card.calibration is not None and confidence < card.calibration.threshold:
        return "not_a_digit"
    return reason


def prediction(model: str, card: Card, scores: Sequence[float], trace: Trace) -> Prediction:
    """Return the answer for one picture by its probabilities, in class order, and its trace."""
    reason = rejection(card, max(scores), trace.reason)
    return _most_probable(model, card.ref, tuple(card.labels), scores, reason, trace)


def _most_probable(
    model: str,
    checkpoint: str,
    labels: tuple[str, ...],
    scores: Sequence[float],
    reason: str | None,
    trace: Trace | None,
) -> Prediction:
    """Build a prediction of the most probable label; of equal ones, the first."""
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
    """A model's answers to many pictures, in order: a Prediction for each, or the ZooError of that picture.

    They are stored as arrays, and each Prediction is made on access: making all of them takes as long as a small
    network's inference. `scores` are the probabilities, float32 (m, k), of the m pictures without an error, in order;
    `reasons` say why such an answer is rejected; `errors` are those of the other pictures, by index among all.
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
        """Return a checkpoint's answers; its card may reject more of them than preprocessing did by `reasons`."""
        sure = scores.max(axis=1).tolist() if len(scores) else []
        found = [rejection(card, confidence, reason) for confidence, reason in zip(sure, reasons, strict=True)]
        return cls(model, card.ref, tuple(card.labels), scores, found, trace, errors)

    @property
    def predictions(self) -> list[Prediction]:
        """Return the answers to the pictures without an error."""
        return [self._prediction(row) for row in range(len(self.scores))]

    @property
    def classes(self) -> list[int]:
        """Return the most probable class of each picture without an error; of equal ones, the first."""
        classes: list[int] = self.scores.argmax(axis=1).tolist()
        return classes

    @property
    def labels(self) -> list[str]:
        """Return the label of each picture without an error."""
        return [self._labels[best] for best in self.classes]

    def untraced(self) -> Answers:
        """Return the same answers without traces."""
        return Answers(self._model, self._checkpoint, self._labels, self.scores, self.reasons, None, self.errors)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Prediction | ZooError: ...
    @overload
    def __getitem__(self, place: slice) -> list[Prediction | ZooError]: ...
    def __getitem__(self, place: int | slice) -> Prediction | ZooError | list[Prediction | ZooError]:
        if isinstance(place, slice):
            return [self[index] for index in range(*place.indices(len(self)))]
        try:
            row = self._rows[place]
        except IndexError:
            raise IndexError(f"index {place} is out of range for {len(self)} answers") from None
        return self._prediction(row) if row >= 0 else self.errors[place % len(self)]

    def __iter__(self) -> Iterator[Prediction | ZooError]:
        return (self[place] for place in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Answers | list) else NotImplemented

    def __add__(self, other: Any) -> list[Any]:
        return [*self, *other] if isinstance(other, Answers | list) else NotImplemented

    def __radd__(self, other: Any) -> list[Any]:
        return [*other, *self] if isinstance(other, list) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # like a list

    def __repr__(self) -> str:
        return repr(list(self))

    def _prediction(self, row: int) -> Prediction:
        trace = None if self._trace is None else self._trace(row)
        scores = self.scores[row].tolist()
        return _most_probable(self._model, self._checkpoint, self._labels, scores, self.reasons[row], trace)
