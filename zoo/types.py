"""Types that the packages share, and their JSON forms."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pathlib import Path

Image = NDArray[np.uint8]
"""A decoded picture, upright: grey (height, width), RGB (height, width, 3) or RGBA (height, width, 4), 0-255."""

Input = NDArray[np.float32]
"""One picture as a model takes it, for example (28, 28, 1) in 0-1."""

Batch = NDArray[np.float32]
"""Several of those, for example (n, 28, 28, 1)."""

Scores = NDArray[np.float32]
"""Probabilities, (n, k), whose rows sum to 1 within 1e-5; or logits of the same shape."""

Plane = NDArray[np.float32]
"""Levels of a picture, (height, width), or with c channels (height, width, c)."""

Mask = NDArray[np.bool_]
"""Which pixels of a picture belong to something, (height, width)."""

Box = tuple[int, int, int, int]
"""A bounding box: left, top, right and bottom in pixels, right and bottom exclusive."""

Polarity = Literal["light-on-dark", "dark-on-light"]
"""Whether ink is lighter or darker than its background."""

DIGITS = tuple("0123456789")
"""The labels of a model that reads digits."""

NO_INK = ("blank", "no_contrast")
"""The reasons for which a picture has no ink."""

NOTHING = (*NO_INK, "too_many_objects")
"""The reasons for which there is nothing to read in a picture of many digits: those of `zoo.errors.NoInk`."""

REASONS = (*NO_INK, "several_objects", "not_a_digit")
"""The reasons for which a picture of one digit is rejected; a plugin may give others. The last two have a guess."""

Weights = Literal["int8", "float32"]
"""The format of a network's weights for inference: 8 bits, or exactly as trained."""


def as_png(picture: Image, **options: Any) -> bytes:
    """Return a picture as a PNG file. The options are Pillow's, such as `optimize=True`."""
    import PIL.Image

    file = io.BytesIO()
    PIL.Image.fromarray(picture).save(file, "PNG", **options)
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class Trace:
    """What preprocessing did to one picture.

    `seen` is what the model saw, uint8 (h, w) or (h, w, 3), by default (28, 28), ink light. `box` is the ink's bounding
    box in the original's pixels, `scale` the factor from those to the model's pixels, and `shift` the (x, y) move in
    the model's pixels that brought the centre of mass to the middle. `reason`, one of `REASONS` or the plugin's own,
    says why an answer is rejected whatever the model makes of what it saw; it is None otherwise.
    """

    seen: NDArray[np.uint8] = field(hash=False)  # arrays are not hashable
    polarity: Polarity = "light-on-dark"
    box: tuple[int, int, int, int] | None = None
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    reason: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing to read was found, so that `seen` shows nothing."""
        return self.reason is not None and self.box is None

    def __eq__(self, other: object) -> bool:
        """Whether the same was done, and all pixels seen are equal."""
        if not isinstance(other, Trace):
            return NotImplemented
        done = (self.polarity, self.box, self.scale, self.shift, self.reason)
        return done == (other.polarity, other.box, other.scale, other.shift, other.reason) and np.array_equal(
            self.seen, other.seen
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; `seen` is a PNG in base64."""
        return {
            "seen": base64.b64encode(as_png(self.seen)).decode(),
            "polarity": self.polarity,
            "box": list(self.box) if self.box else None,
            "scale": self.scale,
            "shift": list(self.shift),
            "reason": self.reason,
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Trace:
        """Create a trace from its JSON form."""
        import PIL.Image

        with PIL.Image.open(io.BytesIO(base64.b64decode(told["seen"])), formats=("PNG",)) as seen:
            return cls(
                seen=np.asarray(seen),
                polarity=told["polarity"],
                box=_box(told["box"]) if told["box"] else None,
                scale=told["scale"],
                shift=(told["shift"][0], told["shift"][1]),
                reason=told["reason"],
            )

    def enlarged(self, by: int, size: tuple[int, int]) -> Trace:
        """Return the trace for the same picture `by` times as large, with width and height `size`."""
        return self if self.box is None else replace(self, box=enlarged(self.box, by, size), scale=self.scale / by)


def enlarged(box: Box, by: int, size: tuple[int, int]) -> Box:
    """Convert a box in a reduced picture to the original's pixels: `by` times as large, clipped to `size`, (w, h).

    Clipping is needed when the original's sides are no multiples of `by`: the last row or column is a partial one.
    """
    left, top, right, bottom = (by * edge for edge in box)
    return left, top, min(right, size[0]), min(bottom, size[1])


def _box(edges: Sequence[int]) -> Box:
    """Return four numbers, a list in JSON, as a `Box`. Raises ValueError for another count."""
    left, top, right, bottom = edges
    return left, top, right, bottom


@dataclass(frozen=True, slots=True)
class Step:
    """A step from a picture to what the model saw: its name in `zoo.steps.STEPS`, and uint8 (h, w) or (h, w, 3)."""

    name: str
    picture: Image


@dataclass(frozen=True, slots=True)
class Prediction:
    """One model's answer for one picture.

    `checkpoint` is "model/version". `probabilities` are in class order and sum to 1; `confidence` is the largest of
    them. `digit` is None unless the labels are the digits 0-9. `rejected` says that the picture shows nothing to read,
    several objects or no digit; `reason`, one of `REASONS` or the plugin's own, says which. The probabilities are given
    all the same.
    """

    model: str
    checkpoint: str
    label: str
    digit: int | None
    confidence: float
    probabilities: tuple[float, ...]
    labels: tuple[str, ...]
    rejected: bool = False
    reason: str | None = None
    trace: Trace | None = field(default=None, repr=False, compare=False)

    def to_dict(self, trace: bool = False) -> dict[str, Any]:
        """Return the JSON form. It has `digit` if there is one, and the trace if `trace` is set and there is one."""
        answer: dict[str, Any] = {"model": self.model, "checkpoint": self.checkpoint, "label": self.label}
        if self.digit is not None:
            answer["digit"] = self.digit
        answer |= {
            "confidence": self.confidence,
            "probabilities": list(self.probabilities),
            "rejected": self.rejected,
            "reason": self.reason,
        }
        if trace and self.trace is not None:
            answer["trace"] = self.trace.to_dict()
        return answer

    @classmethod
    def from_dict(cls, told: Mapping[str, Any], labels: Sequence[str]) -> Prediction:
        """Create a prediction from its JSON form; `labels`, in the order of the probabilities, are not part of it."""
        return cls(
            model=told["model"],
            checkpoint=told["checkpoint"],
            label=told["label"],
            digit=told.get("digit"),
            confidence=told["confidence"],
            probabilities=tuple(told["probabilities"]),
            labels=tuple(labels),
            rejected=told["rejected"],
            reason=told["reason"],
            trace=Trace.from_dict(told["trace"]) if "trace" in told else None,
        )

    def best(self, count: int) -> list[tuple[str, float]]:
        """Return the `count` most probable labels with their probabilities, best first; ties are in class order."""
        pairs = zip(self.labels, self.probabilities, strict=True)
        return sorted(pairs, key=lambda pair: -pair[1])[:count]


@dataclass(frozen=True, slots=True)
class Why:
    """Which pixels of what a model saw speak for a label: `heat` is float32 (h, w), in nats.

    Positive values speak for the label, negative ones against it. `answer` is the model's prediction, and `label` is
    that prediction's unless another was asked for. `by` names the method in `zoo.saliency`: covering pixels, or the
    network's weights.
    """

    answer: Prediction
    label: str
    by: Literal["occlusion", "weights"]
    heat: Plane

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; `heat` is a list of rows, rounded to hundredths."""
        answer = self.answer
        return {
            "model": answer.model,
            "checkpoint": answer.checkpoint,
            "label": self.label,
            "by": self.by,
            "heat": [[round(float(level), 2) for level in row] for row in self.heat],
        }


@dataclass(frozen=True, slots=True)
class Sign:
    """One digit of several in a picture, or whatever the labels name.

    `box` is in the picture's pixels, `line` counts from 0. `touching` says that it was separated from a neighbour, or
    may still hold one. `rejected` says that its confidence is below `zoo.reading.LEAST`, or below the threshold in the
    model's card if that is higher, or that it may be no digit, such as a slash, a bracket or a box.
    """

    label: str
    confidence: float
    box: Box
    line: int
    rejected: bool
    touching: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "label": self.label,
            "confidence": self.confidence,
            "box": list(self.box),
            "line": self.line,
            "rejected": self.rejected,
            "touching": self.touching,
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Sign:
        """Create a sign from its JSON form."""
        return cls(
            label=told["label"],
            confidence=told["confidence"],
            box=_box(told["box"]),
            line=told["line"],
            rejected=told["rejected"],
            touching=told["touching"],
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """What one model read in a picture of many digits, in reading order.

    `reason` says why there is nothing to read, by one of `NOTHING`; it is None otherwise.
    """

    model: str
    checkpoint: str
    signs: tuple[Sign, ...]
    reason: str | None = None

    @property
    def text(self) -> str:
        """Return the labels, one line for each line of the picture; rejected digits are included as the best guess."""
        lines: dict[int, str] = {}
        for sign in self.signs:
            lines[sign.line] = lines.get(sign.line, "") + sign.label
        return "\n".join(lines.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "model": self.model,
            "checkpoint": self.checkpoint,
            "text": self.text,
            "digits": [sign.to_dict() for sign in self.signs],
            "reason": self.reason,
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Reading:
        """Create a reading from its JSON form."""
        signs = tuple(Sign.from_dict(sign) for sign in told["digits"])
        return cls(told["model"], told["checkpoint"], signs, told["reason"])


@dataclass(frozen=True)
class Data:
    """Labelled pictures for training: uint8 images (n, height, width, 1) and int64 class indices (n,).

    The validation pictures are taken from the training set and are never trained on. Test pictures are not included.
    `others`, uint8 (m, height, width, 1), show none of the classes, and a model should learn to be unsure of them;
    usually there are none.
    """

    images: NDArray[np.uint8]
    classes: NDArray[np.int64]
    validation_images: NDArray[np.uint8]
    validation_classes: NDArray[np.int64]
    labels: tuple[str, ...]
    others: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, 28, 28, 1), np.uint8))


History = Sequence[Mapping[str, float]]
"""One row per epoch: epoch, loss, accuracy, val_loss, val_accuracy, learning_rate, seconds. Empty if untrained."""


class Report(Protocol):
    """How a `train` hook reports progress to the zoo, and where it may keep what it needs to resume after a stop.

    `folder` belongs to this run and is kept until the checkpoint is complete. `resume` is true when an earlier,
    unfinished run with the same settings should be continued from what it left in `folder`.
    """

    folder: Path
    resume: bool

    def step(self, epoch: int, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        """Report progress after some steps of an epoch; epochs and steps count from 1."""

    def epoch(self, row: Mapping[str, float]) -> None:
        """Report the end of an epoch, with its row of the history."""
