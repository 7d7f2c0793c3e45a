"""Compute which pixels decided an answer: by covering parts of what the model saw, or by a dense network's weights.

Both need only the model's answers. Covering works for every plugin (occlusion sensitivity: Zeiler, Fergus: Visualizing
and Understanding Convolutional Networks, ECCV 2014, section 4.2); weights explain a linear network exactly.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zoo.errors import UnknownLabel, closest, cut
from zoo.looking import Look
from zoo.models import Loaded
from zoo.types import Batch, Input, Plane, Scores, Why

PATCH = 4  # pixels on each side of the square that is covered: about a stroke's width
STEP = 2  # pixels from one square to the next
_LEAST = 1e-6  # probabilities are clipped to this and to 1 less it
_NUDGE = 0.05  # of full ink: change of a pixel that measures its weight; few ReLUs switch within it


def why(loaded: Loaded, look: Look, label: str | int | None) -> Why:
    """Return which pixels of what a model saw speak for its answer, or for another `label`.

    The map is 0 when there is nothing to read. Raises UnknownLabel, or PluginError.
    """
    seen = look.seen
    answer = loaded.predict(seen, look.trace)
    label = answer.label if label is None else str(label)
    if label not in answer.labels:
        raise UnknownLabel(
            f'Model "{loaded.name}" has no label "{cut(label)}".{closest(label, answer.labels)} '
            f"Its labels are: {', '.join(answer.labels)}."
        )
    method = loaded.settings.why
    if look.trace.is_empty:
        return Why(answer, label, method, np.zeros(seen.shape[:2], np.float32))
    find = weights if method == "weights" else occlusion
    return Why(answer, label, method, find(seen, loaded.probabilities, answer.labels.index(label)))


def occlusion(seen: Input, predict: Callable[[Batch], Scores], label: int) -> Plane:
    """Return how much each pixel speaks for class `label`: float32 (height, width), in nats of log-odds.

    `seen` is one picture as the model takes it, float32 (height, width) or (height, width, channels). The map is
    positive where covering a pixel lowers the odds, negative where it raises them, and 0 on the background. `predict`
    gives probabilities (n, k) for (n, ...), and is called once.
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


def weights(seen: Input, predict: Callable[[Batch], Scores], label: int) -> Plane:
    """Return what full ink in each pixel adds to class `label` over the mean of all classes, in nats.

    Float32 (height, width). For a linear network these are its weights; a network with ReLU is linear around each
    picture, and these are its weights there. `seen` and `predict` are as for `occlusion`; `predict` is called once,
    with every pixel changed a little.
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
    """Return the log-odds of probabilities, float32 of the same shape, clipped by `_LEAST`."""
    share = share.astype(np.float64).clip(_LEAST, 1 - _LEAST)
    odds: Scores = (np.log(share) - np.log1p(-share)).astype(np.float32)
    return odds
