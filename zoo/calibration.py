"""Find a checkpoint's temperature, and the confidence below which it rejects a picture as no digit.

Both are found at the end of training, from data that every installation has: the validation pictures, the same digits
as synthetic photographs (`zoo.scenes`), and synthetic pictures of no digit (`zoo.strokes`). The card stores them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo import scenes, strokes
from zoo.answers import checked_input, checked_scores, rescaled
from zoo.cards import Calibration
from zoo.hooks import Hooks
from zoo.settings import ModelSettings
from zoo.types import Data, Image, Scores

PLAIN = 10_000  # validation digits used, at most
PHOTOS = 800  # validation digits that are also composed into synthetic photographs
SEES = 0.5  # of its accuracy on plain digits: a model less accurate on the photographs is not calibrated by them
PHOTOGRAPHED = 0.25  # weight of all the photographs in the temperature's likelihood; that of the plain digits is 1
OTHERS = 500  # synthetic pictures of no digit
REJECTED = 0.003  # largest share of digits that may be rejected; plain and photographed ones weigh the same
SAMPLES = 200  # bootstrap samples whose thresholds are averaged, since a handful of pictures decides each
SEED = 2026  # of the choice of pictures, the photographs, the pictures of no digit, and the bootstrap
Confidences = NDArray[np.float32]
_TEMPERATURES = np.exp(np.linspace(-1.5, 2.0, 141))


def calibrate(
    hooks: Hooks, settings: ModelSettings, shape: tuple[int, ...], model: Any, data: Data, *, quick: bool = False
) -> Calibration:
    """Find the temperature and threshold of a trained model. `model` is what its `load` hook returned.

    `shape` is the shape of one picture as the network takes it. `quick` takes a quarter of the pictures. Raises
    PluginError.

    The temperature divides the logarithms of the probabilities. It is the one that maximises the likelihood of the
    validation digits, plain and photographed (Guo et al. 2017, arXiv:1706.04599); for a model that does not cope with
    photographs, such as one that only resizes pictures, of the plain ones alone. The threshold is a confidence at that
    temperature that digits reach and pictures of no digit do not (Hendrycks, Gimpel 2017, arXiv:1610.02136): see
    `threshold`.
    """
    rng = np.random.default_rng(SEED)
    parts = 4 if quick else 1
    most = -(-min(PLAIN, len(data.validation_images)) // parts)
    digits, known = list(data.validation_images[:most, ..., 0]), data.validation_classes[:most]
    taken = rng.permutation(len(digits))[: PHOTOS // parts]
    photos = [scenes.photo(digits[i], rng) for i in taken]
    others = list(strokes.no_digits(data.validation_images, OTHERS // parts, SEED)[..., 0])

    def scores(pictures: Sequence[Image]) -> Scores:
        """Return probabilities (n, k), preprocessed and predicted as when serving; uniform where nothing is found."""
        seen = [checked_input(hooks, settings, shape, picture) for picture in pictures]
        batch = np.stack([array for array, _ in seen])
        answers = checked_scores(hooks, settings, model, batch, len(data.labels))
        empty = [trace.is_empty for _, trace in seen]
        return np.where(np.array(empty)[:, None], np.float32(1 / len(data.labels)), answers)

    plain, photographed, strange = scores(digits), scores(photos), scores(others)
    sees = (photographed.argmax(axis=1) == known[taken]).mean() > SEES * (plain.argmax(axis=1) == known).mean()
    again, its = (photographed, known[taken]) if sees else (plain, known)
    classes = np.concatenate([known, its])
    both = np.concatenate([plain, again])
    counts = [len(plain), len(again)]
    shares = 1 / np.array(counts)
    weights = np.repeat(shares * [1, PHOTOGRAPHED], counts)
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
    """Return the threshold, given the confidences (n,) of plain digits, photographed digits and pictures of no digit.

    A candidate is a digit's confidence at which at most `REJECTED` of the digits are rejected. Rejecting that many is
    worth it when a factor of e fewer pictures of no digit pass, so a model that hardly tells the two apart rejects
    hardly anything. The result is the mean over bootstrap samples (Breiman 1996, Bagging predictors).
    """
    rng = np.random.default_rng(SEED)
    weights = np.repeat([0.5 / len(plain), 0.5 / len(photographed)], [len(plain), len(photographed)])
    found = []
    for _ in range(SAMPLES):
        digits = np.concatenate([rng.choice(plain, len(plain)), rng.choice(photographed, len(photographed))])
        order = np.argsort(digits)
        below = np.cumsum(weights[order]) - weights[order]  # share of digits rejected at this threshold
        tried = digits[order][below <= REJECTED]
        passed = len(others) - np.searchsorted(np.sort(rng.choice(others, len(others))), tried)
        found.append(tried[np.argmin(np.log(np.maximum(passed, 1)) + below[: len(tried)] / REJECTED)])
    return float(np.mean(found))


def _loss(scores: Scores, classes: NDArray[np.int64], weights: NDArray[np.float64]) -> float:
    """Return the weighted negative log-likelihood, in nats, of probabilities (n, k) for true classes (n,)."""
    told = scores[np.arange(len(scores)), classes].astype(np.float64)
    return float(-(weights * np.log(np.maximum(told, 1e-12))).sum())
