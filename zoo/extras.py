"""Add generated pictures to a training set, as the settings ask: drawn, coarsely scanned and photographed by rule.

The only handwriting in them is that of the set itself.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from zoo import ink, scenes, strokes
from zoo.errors import NoInk
from zoo.mnist_form import SIDE
from zoo.settings import ModelSettings
from zoo.types import Data

_COARSE = 16  # pixels on each side of a coarse scan
_WIDEST = 4.0  # times that each side is stretched, at most; a thin 1 would become a block
_WHOLE = 0.75  # share of photographed digits whose thinnest strokes are unbroken


def added(data: Data, settings: ModelSettings) -> Data:
    """Return the data with the settings' numbers of `drawn`, `coarse` and `photographed` digits, and of `others`.

    If digits are drawn, half of the coarse ones are made from those.
    """
    given = data
    if settings.others:
        data = replace(data, others=strokes.no_digits(given.images, settings.others, settings.seed))
    if settings.drawn:
        data = _joined(data, *strokes.draw(settings.drawn, settings.seed))
    if settings.coarse:
        rng = np.random.default_rng([settings.seed, 2])
        places = rng.integers(len(given.images), size=settings.coarse)
        if settings.drawn:
            places[::2] = rng.integers(len(given.images), len(data.images), size=len(places[::2]))
        images = np.stack([coarse(data.images[i, :, :, 0], rng) for i in places])
        data = _joined(data, images, data.classes[places])
    if settings.photographed:
        rng = np.random.default_rng([settings.seed, 3])
        places = rng.integers(len(given.images), size=settings.photographed)
        images, found = photographed(given.images[places, ..., 0], rng)
        data = _joined(data, images, given.classes[places[found]])
    return data


def _joined(data: Data, images: NDArray[np.uint8], classes: NDArray[np.int64]) -> Data:
    """Return the data with pictures added to those to train on."""
    return replace(data, images=np.concatenate([data.images, images]), classes=np.concatenate([data.classes, classes]))


def coarse(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Degrade a digit, uint8 (28, 28), to a coarse scan, and bring that to MNIST's form: uint8 (28, 28, 1).

    The scan is cut to the ink, stretched to a square of 16 pixels, and black and white, as in many archives.
    """
    ys, xs = np.nonzero(picture > 60)
    cut = PIL.Image.fromarray(picture[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1])
    size = (min(_COARSE, round(_WIDEST * cut.width)), min(_COARSE, round(_WIDEST * cut.height)))
    small = np.asarray(cut.resize(size, PIL.Image.Resampling.BOX))
    scan = np.pad(np.where(small > rng.uniform(30, 90), 255, 0).astype(np.uint8), 2)
    return ink.normalise(scan)[1].seen[:, :, None]


def photographed(digits: NDArray[np.uint8], rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Compose photographs of digits, uint8 (n, 28, 28), and bring them to MNIST's form: uint8 (m, 28, 28, 1).

    Also return the indices of the m digits whose ink was found, int (m,). About 2 ms each.
    """
    images, found = [], []
    for place, digit in enumerate(digits):
        try:
            images.append(ink.normalise(scenes.photo(digit, rng, whole=rng.random() < _WHOLE))[1].seen[:, :, None])
        except NoInk:
            continue
        found.append(place)
    return np.array(images, np.uint8).reshape(-1, SIDE, SIDE, 1), np.array(found, np.intp)
