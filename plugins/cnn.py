"""Convolutional network: two convolutions with max-pooling, then a dense layer.

conv 32 3x3, max-pool 2, conv 64 3x3, max-pool 2, dense 64, dense 10: 121,930 parameters with the default sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from zoo import ModelSettings, hookimpl

if TYPE_CHECKING:
    import keras


class Settings(ModelSettings):
    fast: ClassVar[Mapping[str, Any]] = {"epochs": 3, "dropout": 0.25}

    epochs: int = 100
    optimizer: Literal["adam", "adamw", "sgd"] = "adamw"
    learning_rate: float = 4e-3
    schedule: Literal["constant", "cosine", "one_cycle"] = "one_cycle"
    weight_decay: float = 0.01
    dropout: float = Field(0.5, ge=0, lt=1, description="share of the features dropped before the dense layer")
    dense_units: int = Field(64, ge=1, le=4096, description="units of the dense layer")


@hookimpl
def build(settings: Settings) -> keras.Model:
    from keras import Sequential, layers

    return Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),  # (n, 26, 26, 32)
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),  # (n, 11, 11, 64)
            layers.MaxPooling2D(2),
            layers.Flatten(),  # (n, 1600)
            layers.Dropout(settings.dropout),
            layers.Dense(settings.dense_units, activation="relu"),
            layers.Dense(10),
        ]
    )
