"""Masks of many kinds and shapes for the tests of compiled loops."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from zoo.types import Mask


def masks(seed: int = 4) -> Iterator[Mask]:
    """Masks of all kinds and shapes, some of them views that are not contiguous or cannot be written."""
    rng = np.random.default_rng(seed)
    yield from (np.ones(shape, np.bool_) for shape in [(1, 1), (1, 40), (40, 1), (9, 12)])
    for height, width in [(1, 30), (30, 1), (2, 17), (13, 70), (66, 8), (20, 20)] * 3:
        for share in (0.05, 0.3, 0.5, 0.8):
            mask = rng.random((height, width)) < share
            mask[rng.integers(height), rng.integers(width)] = True
            yield mask
            yield mask.T
            yield np.repeat(mask, 3, axis=1)[::-1, ::2]
    mask = np.zeros((30, 30), np.bool_)
    mask[2:28, 2:28] = True
    mask[5:25, 5:25] = False
    mask[9:20, 12:15] = True
    mask.flags.writeable = False
    yield mask
