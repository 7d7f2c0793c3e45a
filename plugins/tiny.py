"""Tiny convolutional network: five 3x3 convolutions with batch normalisation in fewer than 10,000 parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from zoo import Augmentation, ModelSettings, hookimpl

if TYPE_CHECKING:
    import keras


class Settings(ModelSettings):
    epochs: int = 32
    optimizer: Literal["adam", "adamw", "sgd"] = "adamw"
    learning_rate: float = 1e-2
    schedule: Literal["constant", "cosine", "one_cycle"] = "one_cycle"
    weight_decay: float = 0.005
    ema: float = 0.999
    width: int = Field(16, ge=2, le=256, description="channels of the inner convolutions; the outer ones have fewer")
    drawn: int = 4_000
    others: int = 2_000
    augment: Augmentation = Augmentation(rotate=8, shear=8, scale=0.1, shift=1, elastic=0.3, thickness=0.3, blur=0.2)


@hookimpl
def build(settings: Settings) -> keras.Model:
    from keras import Sequential, layers

    def block(channels: int) -> list[keras.Layer]:
        return [layers.Conv2D(channels, 3, use_bias=False), layers.BatchNormalization(), layers.ReLU()]

    w = settings.width
    return Sequential(
        [
            layers.Input((28, 28, 1)),
            *block(w // 2),  # (n, 26, 26, w / 2)
            *block(w * 3 // 4),  # (n, 24, 24, 3/4 w)
            layers.MaxPooling2D(),  # (n, 12, 12, 3/4 w)
            *block(w),  # (n, 10, 10, w)
            *block(w),  # (n, 8, 8, w)
            *block(w),  # (n, 6, 6, w)
            layers.MaxPooling2D(),  # (n, 3, 3, w)
            layers.Flatten(),
            layers.Dense(10),
        ]
    )
