"""The examples in the description: a small digit in each form that is read, and answers as a model gives them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from zoo.images import decode
from zoo.settings import PictureSettings
from zoo.types import DIGITS

SEVEN = (
    "iVBORw0KGgoAAAANSUhEUgAAABwAAAAcBAMAAACAI8KnAAAAGFBMVEX////+/v74+Pjo6Oi5ublhYWEiIiIGBgZoBdlyAAAAuElEQVR42qWQ"
    "PQ7CMAxGn0sXFpICAyPNAVg4BAfhntyBlYHCxkKSgpBAQg2D+wMzWZLnZ8mfA/8dKYYnAAVAilqaut7mkK1tGQFfQY6IazFERiD28lqMx6/F"
    "kWcOzY7yKmSrn3GbrUAOCBZuy0OCDEgphORMsooAUjbn2KPURXXiy1pvNBWAnU8qBhtcqGOPMlv6OFjjjDdfzVO/H6zc215F43RMZ8tuj0wj"
    "df+kMcL7rDzS6uOk9wfz1joLc8ZaZgAAAABJRU5ErkJggg=="
)
"""A 7 drawn by hand: a PNG of 28x28 pixels, dark on light, in base64."""


@lru_cache(maxsize=1)
def seven() -> list[list[int]]:
    """Return the same picture as 28 rows of 28 levels in 0-255."""
    picture = decode(base64.b64decode(SEVEN), PictureSettings())
    rows: list[list[int]] = (picture if picture.ndim == 2 else picture[..., 0]).tolist()
    return rows


@dataclass(frozen=True, slots=True)
class Examples:
    """Examples of one model and checkpoint. `names` has all models, `every_label` the labels of all of them."""

    model: str
    checkpoint: str
    labels: tuple[str, ...]
    names: tuple[str, ...]
    every_label: tuple[str, ...]

    @property
    def base64(self) -> str:
        return SEVEN

    @property
    def pixels(self) -> list[list[int]]:
        return seven()

    @property
    def name_schema(self) -> dict[str, Any]:
        """The schema of a model's name: any string, so that generated clients can ask a model added later."""
        names = [self.model, *(name for name in self.names if name != self.model)] if self.names else []
        return {"type": "string"} | ({"examples": names} if names else {})

    @property
    def _best(self) -> int:
        return self.labels.index("7") if "7" in self.labels else 0

    @property
    def probabilities(self) -> list[float]:
        most = 0.991
        rest = round((1 - most) / max(1, len(self.labels) - 1), 6)
        return [most if place == self._best else rest for place in range(len(self.labels))]

    @property
    def prediction(self) -> dict[str, Any]:
        label = self.labels[self._best]
        answer: dict[str, Any] = {"model": self.model, "checkpoint": self.checkpoint, "label": label}
        if self.labels == DIGITS:
            answer["digit"] = int(label)
        return answer | {
            "confidence": max(self.probabilities),
            "probabilities": self.probabilities,
            "rejected": False,
            "reason": None,
        }

    @property
    def verdict(self) -> dict[str, Any]:
        label = self.labels[self._best]
        answers = [self.prediction | {"ms": 0.1}]
        return {"label": label, "counts": [{"label": label, "votes": 1}], "answers": answers, "preprocess_ms": 2.1}

    @property
    def reading(self) -> dict[str, Any]:
        label = self.labels[self._best]
        digit = {"label": label, "confidence": 0.991, "line": 0, "rejected": False, "touching": False}
        return {
            "model": self.model,
            "checkpoint": self.checkpoint,
            "text": label + label,
            "digits": [digit | {"box": [12, 9, 31, 40]}, digit | {"box": [44, 8, 63, 41]}],
            "reason": None,
        }

    @property
    def scores(self) -> list[dict[str, Any]]:
        """The three best labels."""
        pairs = sorted(zip(self.labels, self.probabilities, strict=True), key=lambda pair: -pair[1])
        return [{"label": label, "score": share} for label, share in pairs[:3]]

    @property
    def ranked(self) -> list[list[Any]]:
        pairs = sorted(zip(self.labels, self.probabilities, strict=True), key=lambda pair: -pair[1])
        return [[label, share] for label, share in pairs]

    @property
    def infer_file(self) -> dict[str, Any]:
        return {"inputs": [{"name": "images", "shape": [1], "datatype": "BYTES", "data": [SEVEN]}]}

    @property
    def infer_levels(self) -> dict[str, Any]:
        rows = seven()
        shape = [1, len(rows), len(rows[0])]
        return {"inputs": [{"name": "images", "shape": shape, "datatype": "UINT8", "data": [rows]}]}

    @property
    def inferred(self) -> dict[str, Any]:
        label = self.labels[self._best]
        row = {"name": "probabilities", "datatype": "FP32", "shape": [1, len(self.labels)], "data": self.probabilities}
        return {
            "model_name": self.model,
            "model_version": self.checkpoint.rpartition("/")[2],
            "outputs": [row, {"name": "labels", "datatype": "BYTES", "shape": [1], "data": [label]}],
        }
