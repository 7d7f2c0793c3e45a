"""Ensemble: the mean answer of three deep networks that differ in their seed, joined into one graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from zoo import ModelSettings, hookimpl
from zoo.types import Data, History

if TYPE_CHECKING:
    import keras


class Settings(ModelSettings):
    epochs: int = Field(1, ge=1, le=1, description="nothing is trained: the members are taken as they are")
    members: tuple[str, ...] = Field(
        ("deep/2", "deep/3", "deep/4"), min_length=2, description="models of the zoo, or MODEL/VERSION"
    )


@hookimpl
def build(settings: Settings) -> keras.Model:
    import keras

    from zoo.runtime import gives_probabilities

    picture = keras.Input((28, 28, 1))
    answers = []
    for i, name in enumerate(settings.members):
        member = settings.member(name)
        member.name = f"member_{i}"
        probabilities = gives_probabilities(member, np.zeros((1, 28, 28, 1), np.float32))
        answers.append(member(picture) if probabilities else keras.layers.Softmax()(member(picture)))
    joined = keras.Model(picture, keras.layers.Average()(answers))
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
            "epoch": 1,
            "val_loss": float(-np.log(np.maximum(sure, 1e-12)).mean()),
            "val_accuracy": float((scores.argmax(axis=1) == data.validation_classes).mean()),
        }
    ]
