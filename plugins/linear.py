"""Small dense network on the bare pixels.

flatten, dense 128, dense 10: 101,770 parameters with the default size. With hidden_units = 0 it is linear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from zoo import ModelSettings, hookimpl

if TYPE_CHECKING:
    import keras


class Settings(ModelSettings):
    epochs: int = 100
    hidden_units: int = Field(128, ge=0, le=4096, description="units of the hidden layer; 0 leaves it out")
    optimizer: Literal["adam", "adamw", "sgd"] = "adamw"
    weight_decay: float = 0.05
    why: Literal["occlusion", "weights"] = "weights"
    dropout: float = Field(0.3, ge=0, lt=1, description="share of the hidden units dropped in training")


@hookimpl
def build(settings: Settings) -> keras.Model:
    from keras import Sequential, layers

    hidden = [layers.Dense(settings.hidden_units, activation="relu"), layers.Dropout(settings.dropout)]
    return Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Flatten(),  # (n, 784)
            *(hidden if settings.hidden_units else ()),
            layers.Dense(10),
        ]
    )
