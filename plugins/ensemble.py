"""Ensemble: three deep networks and one of another kind look at a picture turned and scaled a little, in one graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from zoo import ModelSettings, Views, hookimpl
from zoo.types import Data, History

if TYPE_CHECKING:
    import keras


class Settings(ModelSettings):
    fast: ClassVar[Mapping[str, Any]] = {}  # --fast changes nothing, since nothing is trained

    epochs: int = Field(0, ge=0, le=0, description="nothing is trained: the members are used as they are")
    members: tuple[str, ...] = Field(
        ("deep/11", "deep/13", "deep/14", "cnn_300/1"),
        min_length=2,
        description="the networks to combine: names of models, or MODEL/VERSION",
    )
    views: Views = Views(turn=7, zoom=0.07)


@hookimpl
def build(settings: Settings) -> keras.Model:
    import keras

    from zoo.runtime import gives_probabilities

    picture = keras.Input((28, 28, 1))
    logs = []
    for i, name in enumerate(settings.members):
        member = settings.member(name)
        member.name = f"member_{i}"
        if gives_probabilities(member, np.zeros((1, 28, 28, 1), np.float32)):
            log = keras.ops.log(keras.ops.maximum(member(picture), 1e-12))
        else:
            log = keras.ops.log_softmax(member(picture))
        logs.append(log / settings.temperature(name))  # else an overconfident member would always decide
    # The geometric mean: a member that is sure the digit is no 4 weighs more than one that thinks it may be a 9.
    joined = keras.Model(picture, keras.layers.Softmax()(keras.layers.Average()(logs)))
    joined.trainable = False
    return joined


@hookimpl
def train(model: keras.Model, data: Data) -> History:
    from zoo.runtime import keras_probabilities

    pictures = data.validation_images.astype(np.float32) / np.float32(255)
    scores = keras_probabilities(model, pictures, probabilities=True)
    sure = scores[np.arange(len(scores)), data.validation_classes]
    return [
        {
            "epoch": 0,
            "val_loss": float(-np.log(np.maximum(sure, 1e-12)).mean()),
            "val_accuracy": float((scores.argmax(axis=1) == data.validation_classes).mean()),
        }
    ]
