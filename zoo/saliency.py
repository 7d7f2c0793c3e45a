"""Which pixels decided: by covering parts of what the model saw, one after another, or by a dense network's weights.

Either asks nothing of a model but its answers. Covering serves every plugin (occlusion sensitivity: Zeiler, Fergus:
Visualizing and Understanding Convolutional Networks, ECCV 2014, section 4.2); weights are what a linear network is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zoo.types import Batch, Plane, Scores

PATCH = 4  # pixels on each side of what is covered: about a stroke's width
STEP = 2  # pixels from one patch to the next
_LEAST = 1e-6  # probabilities are told apart down to this
_NUDGE = 0.05  # of full ink, by which a pixel is changed to find its weight: a ReLU hardly ever turns within it


def occlusion(seen: Batch, predict: Callable[[Batch], Scores], label: int) -> Plane:
    """How much each pixel speaks for class `label`: float32 (height, width), in nats of log-odds.

    `seen` is one picture as the model takes it, float32 (height, width) or (height, width, channels). Where covering
    lowers the odds the map is positive, where it raises them negative, and 0 where there is only ground. All patches
    are asked in one call of `predict`, which gives probabilities (n, k) for (n, ...).
    """
    ground = np.median(seen, axis=(0, 1))
    height, width = seen.shape[:2]
    patches, covered = [], []
    for top in range(0, max(1, height - PATCH + STEP), STEP):
        for left in range(0, max(1, width - PATCH + STEP), STEP):
            patch = (slice(top, top + PATCH), slice(left, left + PATCH))
            if np.array_equal(seen[patch], np.broadcast_to(ground, seen[patch].shape)):
                continue
            without = seen.copy()
            without[patch] = ground
            patches.append(patch)
            covered.append(without)
    if not covered:
        return np.zeros((height, width), np.float32)
    odds = _log_odds(predict(np.stack([seen, *covered]))[:, label])  # (1 + patches,)
    total, times = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    for patch, loss in zip(patches, odds[0] - odds[1:], strict=True):
        total[patch] += loss
        times[patch] += 1
    ink = np.abs(seen - ground).reshape(height, width, -1).max(axis=2) > 0
    heat: Plane = np.where(ink, total / np.maximum(times, 1), 0).astype(np.float32)
    return heat


def weights(seen: Batch, predict: Callable[[Batch], Scores], label: int) -> Plane:
    """What full ink in a pixel adds for class `label` over the mean of all classes: float32 (height, width), in nats.

    The weights of a linear network, as they are. One with ReLU is linear around each picture: those there. `seen`
    and `predict` are as for `occlusion`; one call asks for every pixel, changed a little.
    """
    flat = seen.reshape(-1)
    nudges = np.where(flat < 0.5, np.float32(_NUDGE), np.float32(-_NUDGE))
    batch = np.concatenate([flat[np.newaxis], flat + np.diag(nudges)]).reshape(-1, *seen.shape)
    logs = np.log(predict(batch).astype(np.float64).clip(1e-35))  # (1 + pixels, k)
    lead = logs[:, label] - logs.mean(axis=1)
    slopes = (lead[1:] - lead[0]) / nudges
    heat: Plane = slopes.reshape(*seen.shape[:2], -1).sum(axis=2).astype(np.float32)
    return heat


def _log_odds(share: Scores) -> Scores:
    share = share.astype(np.float64).clip(_LEAST, 1 - _LEAST)
    odds: Scores = (np.log(share) - np.log1p(-share)).astype(np.float32)
    return odds
