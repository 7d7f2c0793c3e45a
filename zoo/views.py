"""Average a network's answers over several views of a picture, turned and scaled a little (test-time augmentation).

If a network takes a picture for a 4, and turned by a few degrees for a 9, it should not be sure. Nothing is trained for
this. The unchanged picture adds nothing to the views on either side of it, so it is not among them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.runtime import gives_probabilities
from zoo.settings import Views

if TYPE_CHECKING:
    import keras


def around(network: keras.Model, views: Views) -> keras.Model:
    """Wrap a network so that it returns the geometric mean of its probabilities over all `views`, normalised.

    It takes pictures (n, h, w, c); all views go through the network as one batch. Without views, returns the network.
    """
    if not views.any:
        return network
    import keras

    shape = network.input_shape[1:]
    probabilities = gives_probabilities(network, np.zeros((1, *shape), np.float32))
    picture = keras.Input(shape)
    angles = (views.turn, -views.turn) if views.turn else (0.0,)
    scales = (1 + views.zoom, 1 - views.zoom) if views.zoom else (1.0,)
    sides = [_warped(picture, angle, scale) for angle in angles for scale in scales]
    scores = network(keras.ops.concatenate(sides, axis=0))
    logs = keras.ops.log(keras.ops.maximum(scores, 1e-12)) if probabilities else keras.ops.log_softmax(scores)
    # In the geometric mean, a view that rules out a 4 counts for more than one that allows a 9.
    mean = keras.ops.mean(keras.ops.reshape(logs, (len(sides), -1, scores.shape[-1])), axis=0)
    return keras.Model(picture, keras.layers.Softmax()(mean))


def _warped(picture: Any, angle: float, scale: float) -> Any:
    """Turn pictures (n, h, w, c) by `angle` degrees about their middle and scale them by 1 / `scale`.

    Bilinear; black outside. Each pixel is a weighted sum of four that are known when the graph is built.
    """
    import keras

    height, width, channels = picture.shape[1:]
    middle, turn = ((height - 1) / 2, (width - 1) / 2), math.radians(angle)
    y, x = np.mgrid[:height, :width] - np.reshape(middle, (2, 1, 1))
    columns = scale * (math.cos(turn) * x - math.sin(turn) * y) + middle[1]
    rows = scale * (math.sin(turn) * x + math.cos(turn) * y) + middle[0]
    flat = keras.ops.reshape(picture, (-1, height * width, channels))
    parts = []
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        row, column = np.floor(rows) + down, np.floor(columns) + right
        weight = (1 - np.abs(rows - row)) * (1 - np.abs(columns - column))
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        places = np.where(inside, row * width + column, 0).astype(np.int32).ravel()
        parts.append(keras.ops.take(flat, places, axis=1) * (weight * inside).astype(np.float32).reshape(-1, 1))
    return keras.ops.reshape(parts[0] + parts[1] + parts[2] + parts[3], (-1, height, width, channels))
