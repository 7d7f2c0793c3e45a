"""How sure a checkpoint may say it is, and below which confidence it says "that is not a digit".

Both are found when a model is trained, from what is at hand everywhere: the validation pictures, the same as
photographed by rule (`zoo.scenes`), and pictures of no digit drawn by rule (`zoo.strokes`). They stand in the card.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo import scenes, strokes
from zoo.answers import checked_input, checked_scores, rescaled
from zoo.checkpoints import Calibration
from zoo.plugins import Hooks
from zoo.settings import ModelSettings
from zoo.types import Data, Image, Scores

PLAIN = 10_000  # validation digits, at the most
PHOTOS = 800  # validation digits that are photographed by rule
SEES = 0.5  # of what it reads of the plain ones, that a model reads of them at the least, or else they tell nothing
PHOTOGRAPHED = 0.25  # what the photographed digits count for the temperature, beside 1 for the plain ones
OTHERS = 500  # pictures of no digit
REJECTED = 0.003  # share of digits, plain and photographed in equal parts, that may be rejected at the most
SAMPLES = 200  # drawn from the pictures, of whose thresholds the mean is taken: a handful of pictures decides each
SEED = 2026
Confidences = NDArray[np.float32]
_TEMPERATURES = np.exp(np.linspace(-1.5, 2.0, 141))


def calibrate(hooks: Hooks, settings: ModelSettings, shape: tuple[int, ...], model: Any, data: Data) -> Calibration:
    """Find the temperature and the threshold of a trained model, `model` being what its `load` hook gave.

    `shape` is that of a picture as its network takes it. Raises PluginError.

    The temperature divides the logarithms of the probabilities and makes the likelihood of the validation digits, plain
    and photographed, greatest (Guo et al. 2017, arXiv:1706.04599); of a model that is not made for photographs, as one
    that only squeezes pictures, that of the plain ones. The threshold is a confidence, after that, that the digits
    reach and pictures of no digit do not (Hendrycks, Gimpel 2017, arXiv:1610.02136): see `threshold`.
    """
    rng = np.random.default_rng(SEED)
    digits, known = list(data.validation_images[:PLAIN, ..., 0]), data.validation_classes[:PLAIN]
    taken = rng.permutation(len(digits))[:PHOTOS]
    photos = [scenes.photo(digits[i], rng) for i in taken]
    others = list(strokes.no_digits(data.validation_images, OTHERS, SEED)[..., 0])

    def scores(pictures: Sequence[Image]) -> Scores:
        """Probabilities by the way that every picture takes; where nothing is found, all alike."""
        seen = [checked_input(settings.name, hooks, settings, shape, picture) for picture in pictures]
        batch = np.stack([array for array, _ in seen])
        answers = checked_scores(settings.name, hooks, settings, model, batch, len(data.labels))
        empty = [trace.reason is not None and trace.box is None for _, trace in seen]
        return np.where(np.array(empty)[:, None], np.float32(1 / len(data.labels)), answers)

    plain, photographed, strange = scores(digits), scores(photos), scores(others)
    sees = (photographed.argmax(axis=1) == known[taken]).mean() > SEES * (plain.argmax(axis=1) == known).mean()
    again, its = (photographed, known[taken]) if sees else (plain, known)
    classes = np.concatenate([known, its])
    both = np.concatenate([plain, again])
    counts = [len(plain), len(again)]
    parts = 1 / np.array(counts)
    weights = np.repeat(parts * [1, PHOTOGRAPHED], counts)
    temperature = float(min(_TEMPERATURES, key=lambda t: _loss(rescaled(both, t), classes, weights)))
    sure = {
        "validation": rescaled(plain, temperature).max(axis=1),
        "photographed": rescaled(photographed, temperature).max(axis=1),
        "no digits": rescaled(strange, temperature).max(axis=1),
    }
    least = threshold(sure["validation"], sure["photographed" if sees else "validation"], sure["no digits"])
    return Calibration(
        temperature=round(temperature, 4),
        threshold=round(least, 4),
        rejected={kind: round(float((confidences < least).mean()), 4) for kind, confidences in sure.items()},
    )


def threshold(plain: Confidences, photographed: Confidences, others: Confidences) -> float:
    """The threshold by the confidences of digits, and the same photographed, and of what is no digit, each (n,).

    It is a digit's confidence at which no more than `REJECTED` of the digits are rejected. That many are worth it when
    they let a factor of e fewer pass that are none: a model that hardly tells the two apart rejects hardly anything.
    What is returned is the mean over samples of as many, drawn with replacement (Breiman 1996, Bagging predictors).
    """
    rng = np.random.default_rng(SEED)
    weights = np.repeat([0.5 / len(plain), 0.5 / len(photographed)], [len(plain), len(photographed)])
    found = []
    for _ in range(SAMPLES):
        digits = np.concatenate([rng.choice(plain, len(plain)), rng.choice(photographed, len(photographed))])
        order = np.argsort(digits)
        below = np.cumsum(weights[order]) - weights[order]  # the share that is rejected at each digit's confidence
        tried = digits[order][below <= REJECTED]
        passed = len(others) - np.searchsorted(np.sort(rng.choice(others, len(others))), tried)
        found.append(tried[np.argmin(np.log(np.maximum(passed, 1)) + below[: len(tried)] / REJECTED)])
    return float(np.mean(found))


def _loss(scores: Scores, classes: NDArray[np.int64], weights: NDArray[np.float64]) -> float:
    told = scores[np.arange(len(scores)), classes].astype(np.float64)
    return float(-(weights * np.log(np.maximum(told, 1e-12))).sum())
