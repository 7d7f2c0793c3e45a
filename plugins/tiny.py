"""Tiny convolutional network: five 3x3 convolutions with batch normalisation in fewer than 10,000 parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from zoo import Augmentation, ModelSettings, hookimpl

if TYPE_CHECKING:
    import keras


class Settings(ModelSettings):
    epochs: int = Field(32, ge=1, le=100_000, description="passes over the training pictures")
    optimizer: Literal["adam", "adamw", "sgd"] = Field("adamw", description="sgd has Nesterov momentum 0.9")
    learning_rate: float = Field(1e-2, gt=0, le=10, description="peak learning rate")
    schedule: Literal["constant", "cosine", "one_cycle"] = Field("one_cycle", description="learning rate over the run")
    weight_decay: float = Field(0.005, ge=0, le=1, description="decoupled weight decay (adamw only)")
    ema: float = Field(0.999, ge=0, lt=1, description="decay of the moving average of the weights; 0: none")
    width: int = Field(16, ge=2, le=256, description="channels of the inner convolutions; the outer ones have fewer")
    drawn: int = Field(4_000, ge=0, le=100_000, description="additional synthetic digits")
    others: int = Field(
        2_000, ge=0, le=100_000, description="synthetic pictures of no digit, on which it learns to be unsure"
    )
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
