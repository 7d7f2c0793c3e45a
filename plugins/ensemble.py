"""Ensemble: deep networks that differ in their seed look at a picture turned and scaled a little, in one graph."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from zoo import ModelSettings, hookimpl
from zoo.types import Data, History

if TYPE_CHECKING:
    import keras


class Settings(ModelSettings):
    epochs: int = Field(1, ge=1, le=1, description="nothing is trained: the members are taken as they are")
    members: tuple[str, ...] = Field(
        ("deep/5", "deep/6", "deep/7"), min_length=2, description="models of the zoo, or MODEL/VERSION"
    )
    turn: float = Field(7.0, ge=0, le=45, description="degrees by which a picture is turned to either side; 0: not")
    zoom: float = Field(0.07, ge=0, lt=0.5, description="share by which it is made larger and smaller; 0: not")


@hookimpl
def build(settings: Settings) -> keras.Model:
    import keras

    from zoo.runtime import gives_probabilities

    picture = keras.Input((28, 28, 1))
    views = [picture]
    if settings.turn:
        views += [_warped(picture, angle, 1.0) for angle in (settings.turn, -settings.turn)]
    if settings.zoom:
        views += [_warped(picture, 0.0, 1 + change) for change in (settings.zoom, -settings.zoom)]
    logs = []
    for i, name in enumerate(settings.members):
        member = settings.member(name)
        member.name = f"member_{i}"
        if gives_probabilities(member, np.zeros((1, 28, 28, 1), np.float32)):
            logs += [keras.ops.log(keras.ops.maximum(member(view), 1e-12)) for view in views]
        else:
            logs += [keras.ops.log_softmax(member(view)) for view in views]
    # The geometric mean: a view that is sure that it is no 4 counts for more than one that thinks it may be a 9.
    joined = keras.Model(picture, keras.layers.Softmax()(keras.layers.Average()(logs)))
    joined.trainable = False
    return joined


def _warped(picture: Any, angle: float, scale: float) -> Any:
    """A picture, (n, 28, 28, 1), turned by `angle` degrees about its middle and made 1 / `scale` as large.

    Bilinear (each pixel is the weighted sum of four that are known when the graph is made); black outside.
    """
    import keras

    middle, turn = 13.5, math.radians(angle)
    y, x = np.mgrid[:28, :28] - middle
    columns = scale * (math.cos(turn) * x - math.sin(turn) * y) + middle
    rows = scale * (math.sin(turn) * x + math.cos(turn) * y) + middle
    flat = keras.ops.reshape(picture, (-1, 784))
    parts = []
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        row, column = np.floor(rows) + down, np.floor(columns) + right
        weight = (1 - np.abs(rows - row)) * (1 - np.abs(columns - column))
        inside = (row >= 0) & (row < 28) & (column >= 0) & (column < 28)
        places = np.where(inside, row * 28 + column, 0).astype(np.int32).ravel()
        share = (weight * inside).astype(np.float32).ravel()
        parts.append(keras.ops.take(flat, places, axis=1) * share)
    return keras.ops.reshape(parts[0] + parts[1] + parts[2] + parts[3], (-1, 28, 28, 1))


@hookimpl
def train(model: keras.Model, data: Data) -> History:
    from zoo.runtime import keras_probabilities

    pictures = data.validation_images.astype(np.float32) / np.float32(255)
    scores = keras_probabilities(model, pictures, probabilities=True)
    sure = scores[np.arange(len(scores)), data.validation_classes]
    return [
        {
            "epoch": 1,
            "val_loss": float(-np.log(np.maximum(sure, 1e-12)).mean()),
            "val_accuracy": float((scores.argmax(axis=1) == data.validation_classes).mean()),
        }
    ]
