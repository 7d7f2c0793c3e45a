"""Measure a finished checkpoint on pictures that had no part in making it."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from zoo.checkpoints import Evaluation, Mistake
from zoo.datasets import Labelled
from zoo.types import Scores


def evaluate(data: Labelled, scores: Scores) -> Evaluation:
    """The accuracy of probabilities (n, k) on n labelled pictures, with every mistake."""
    predicted: NDArray[np.int64] = scores.argmax(axis=1)
    wrong = np.flatnonzero(predicted != data.classes)
    n, correct = len(predicted), len(predicted) - len(wrong)
    return Evaluation(
        data=data.name,
        pictures=n,
        correct=correct,
        accuracy=correct / n,
        interval=wilson(correct, n),
        created=datetime.now(UTC).replace(microsecond=0),
        mistakes=[
            Mistake(
                index=int(i),
                label=int(data.classes[i]),
                predicted=int(predicted[i]),
                confidence=round(float(scores[i, predicted[i]]), 6),
            )
            for i in wrong
        ],
    )


def wilson(correct: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson 1927, JASA 22:209-212), as shares in 0-1."""
    share = correct / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return round(max(0.0, middle - half), 6), round(min(1.0, middle + half), 6)
