"""Measure a checkpoint on pictures that were not used to train it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from zoo import datasets, robustness
from zoo.answers import rejection
from zoo.cards import Bin, ClassFigures, Evaluation, Hardship, Mistake, Reliability, Robustness
from zoo.models import Loaded
from zoo.robustness import CORRUPTIONS
from zoo.types import Image, Scores

BINS = 15  # of equal width, for the calibration error; as in Guo et al. 2017, arXiv:1706.04599

Track: TypeAlias = Callable[[Sequence[int]], Iterable[int]]
"""Returns the steps of a long measurement unchanged, and may show progress while they are consumed."""


def on_test_pictures(loaded: Loaded, *, robust: bool = True, track: Track = iter) -> Evaluation:
    """Measure a checkpoint on its dataset's test pictures, each through preprocessing and prediction as when serving.

    With `robust` the first `robustness.PICTURES` of them are also measured in harder variants, which takes about a
    minute; without it the card's robustness is kept. Raises PluginError or DatasetError.
    """
    data = datasets.test_data(loaded.settings.dataset)
    scores, reasons = _answers(loaded, data.images[..., 0])
    measured = figures(data.name, data.classes, scores, data.labels, reasons)
    if robust:
        images, classes = data.images[: robustness.PICTURES, ..., 0], data.classes[: robustness.PICTURES]
        hard: Robustness | None = _robustness(loaded, images, classes, track)
    else:
        hard = stored.robustness if (stored := loaded.card.evaluation) else None
    return measured.model_copy(update={"robustness": hard})


def _answers(loaded: Loaded, images: Image) -> tuple[Scores, list[str | None]]:
    """Return probabilities (n, k) for grey pictures (n, h, w), and for each why it is rejected, or None."""
    seen = [loaded.preprocess(image) for image in images]
    scores = loaded.probabilities(np.stack([array for array, _ in seen]))
    answers = zip(scores.max(axis=1).tolist(), seen, strict=True)
    return scores, [rejection(loaded.card, confidence, trace.reason) for confidence, (_, trace) in answers]


def _robustness(loaded: Loaded, images: Image, classes: NDArray[np.int64], track: Track) -> Robustness:
    """Measure accuracy on pictures, uint8 (n, 28, 28), of classes (n,): unchanged, and with every corruption."""
    plain, _ = _answers(loaded, images)
    variants = [(corruption, severity) for corruption in CORRUPTIONS for severity in corruption.severities]
    accuracy: dict[str, list[float]] = {}
    rejected: dict[str, list[int]] = {}
    for at in track(range(len(variants))):
        corruption, severity = variants[at]
        scores, reasons = _answers(loaded, robustness.corrupt(images, corruption, severity))
        accuracy.setdefault(corruption.name, []).append(_share(scores.argmax(axis=1) == classes))
        rejected.setdefault(corruption.name, []).append(sum(reason is not None for reason in reasons))
    return Robustness(
        pictures=len(images),
        seed=robustness.SEED,
        plain=_share(plain.argmax(axis=1) == classes),
        kinds=[
            Hardship(
                kind=corruption.name,
                unit=corruption.unit,
                strengths=list(corruption.severities),
                accuracy=accuracy[corruption.name],
                rejected=rejected[corruption.name],
            )
            for corruption in CORRUPTIONS
        ],
    )


def figures(
    data: str,
    classes: NDArray[np.int64],
    scores: Scores,
    labels: Sequence[str],
    reasons: Sequence[str | None],
) -> Evaluation:
    """Build the evaluation, with every mistake, from probabilities (n, k) for n > 0 pictures of true classes (n,).

    `reasons` says for each picture why it was rejected, or None. The answer for a rejected picture counts like any
    other, except in `accepted_accuracy`.
    """
    predicted: NDArray[np.int64] = scores.argmax(axis=1)
    right = predicted == classes
    accepted = np.array([reason is None for reason in reasons])
    n, correct = len(right), int(right.sum())
    counts = confusion(classes, predicted, len(labels))
    return Evaluation(
        data=data,
        pictures=n,
        correct=correct,
        accuracy=round(correct / n, 6),
        interval=wilson(correct, n),
        created=datetime.now(UTC).replace(microsecond=0),
        rejected=dict(sorted(Counter(reason for reason in reasons if reason is not None).items())),
        accepted_accuracy=_share(right[accepted]) if accepted.any() else None,
        classes=class_figures(counts, labels),
        confusion=counts.tolist(),
        calibration=calibration(scores, classes),
        mistakes=[
            Mistake(
                index=int(i),
                label=int(classes[i]),
                predicted=int(predicted[i]),
                confidence=round(float(scores[i, predicted[i]]), 6),
                reason=reasons[int(i)],
            )
            for i in np.flatnonzero(~right)
        ],
    )


def worst(evaluation: Evaluation, most: int) -> list[Mistake]:
    """Return up to `most` mistakes, the most confident first and rejected pictures last."""
    return sorted(evaluation.mistakes, key=lambda m: (m.reason is not None, -m.confidence, m.index))[:most]


def confusion(classes: NDArray[np.int64], predicted: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Return counts (k, k): how many pictures of each class (row) were read as each class (column)."""
    return np.bincount(classes * k + predicted, minlength=k * k).reshape(k, k)


def class_figures(counts: NDArray[np.int64], labels: Sequence[str]) -> list[ClassFigures]:
    """Return recall, precision and F1 (van Rijsbergen 1979, chapter 7) of each class, from confusion counts (k, k)."""
    there, read, both = counts.sum(axis=1), counts.sum(axis=0), counts.diagonal()
    return [
        ClassFigures(
            label=label,
            pictures=int(there[i]),
            recall=_ratio(both[i], there[i]),
            precision=_ratio(both[i], read[i]),
            f1=_ratio(2 * both[i], there[i] + read[i]),
        )
        for i, label in enumerate(labels)
    ]


def calibration(scores: Scores, classes: NDArray[np.int64], bins: int = BINS) -> Reliability:
    """Measure how far probabilities (n, k) for pictures of true classes (n,) can be trusted.

    The calibration error is that of `calibration_error`. The negative log-likelihood, in nats, is the mean of -ln of
    the true class's probability, which counts as at least 1e-12. The Brier score (Brier 1950, Monthly Weather Review
    78:1-3) is the mean squared distance between the probabilities and the one-hot vector of the true class.
    """
    exact = scores.astype(np.float64)
    every = np.arange(len(classes))
    confidence, right = exact.max(axis=1), exact.argmax(axis=1) == classes
    away = exact.copy()
    away[every, classes] -= 1
    return Reliability(
        ece=round(calibration_error(confidence, right, bins), 6),
        nll=round(float(-np.log(np.maximum(exact[every, classes], 1e-12)).mean()), 6),
        brier=round(float((away**2).sum(axis=1).mean()), 6),
        bins=reliability(confidence, right, bins),
    )


def calibration_error(confidence: NDArray[np.floating], right: NDArray[np.bool_], bins: int = BINS) -> float:
    """Return the expected calibration error, 0-1, of n > 0 answers with confidence (n,) in 0-1 and correctness (n,).

    It is the mean distance between accuracy and mean confidence over `bins` bins of equal width, each weighted by its
    number of answers (Guo et al.: On Calibration of Modern Neural Networks, ICML 2017, arXiv:1706.04599, eq. 3).
    """
    part = _parts(confidence, bins)
    gaps = np.bincount(part, weights=np.asarray(right, np.float64) - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))


def reliability(confidence: NDArray[np.floating], right: NDArray[np.bool_], bins: int = BINS) -> list[Bin]:
    """Return the reliability diagram of Guo et al. 2017: count, mean confidence and accuracy of each bin."""
    part = _parts(confidence, bins)
    count = np.bincount(part, minlength=bins)
    sure = np.bincount(part, weights=confidence, minlength=bins)
    hit = np.bincount(part, weights=right, minlength=bins)
    return [
        Bin(count=int(n), confidence=_ratio(s, n), accuracy=_ratio(h, n))
        for n, s, h in zip(count, sure, hit, strict=True)
    ]


def _parts(confidence: NDArray[np.floating], bins: int) -> NDArray[np.int64]:
    """Return each confidence's bin (n,); bins are open below and closed above, as in Guo et al. 2017."""
    return np.clip(np.ceil(np.asarray(confidence, np.float64) * bins).astype(np.int64) - 1, 0, bins - 1)


def _ratio(part: float, whole: float) -> float | None:
    """Return part / whole rounded to 6 places, or None when `whole` is 0."""
    return round(float(part) / float(whole), 6) if whole else None


def _share(right: NDArray[np.bool_]) -> float:
    """Return the share of true values, rounded to 6 places."""
    return round(float(right.mean()), 6)


def wilson(correct: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Return the score interval, in 0-1, of the proportion correct / n (Wilson 1927, JASA 22:209-212).

    `z` is the standard normal quantile; the default gives a 95 % interval.
    """
    share = correct / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return round(max(0.0, middle - half), 6), round(min(1.0, middle + half), 6)
