"""Deep convolutional network: seven convolutions with batch normalisation, trained on varied pictures.

Two blocks of two 3x3 and one 5x5 convolution with stride 2, then one 4x4 over the remaining 4x4: 327,000 parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from zoo import Augmentation, ModelSettings, hookimpl

if TYPE_CHECKING:
    import keras


class Settings(ModelSettings):
    fast: ClassVar[Mapping[str, Any]] = {
        **ModelSettings.fast,
        "epochs": 2,
        "width": 16,
        "start": None,
        **dict.fromkeys(("drawn", "coarse", "photographed", "others"), 0),
    }

    epochs: int = 30
    optimizer: Literal["adam", "adamw", "sgd"] = "adamw"
    learning_rate: float = 3e-3
    schedule: Literal["constant", "cosine", "one_cycle"] = "one_cycle"
    weight_decay: float = 0.02
    ema: float = 0.999
    dropout: float = Field(0.25, ge=0, lt=1, description="share of the features dropped after each block")
    width: int = Field(32, ge=4, le=256, description="channels of the first block; the second has twice as many")
    drawn: int = 5_000
    coarse: int = 5_000
    others: int = 4_000
    augment: Augmentation = Augmentation(
        rotate=10, shear=8, scale=0.12, shift=1.2, elastic=0.5, thickness=0.4, blur=0.2, contrast=0.1
    )


@hookimpl
def build(settings: Settings) -> keras.Model:
    from keras import Sequential, layers

    def block(channels: int, size: int, stride: int = 1, padding: str = "same") -> list[keras.Layer]:
        return [
            layers.Conv2D(channels, size, strides=stride, padding=padding, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
        ]

    w = settings.width
    return Sequential(
        [
            layers.Input((28, 28, 1)),
            *block(w, 3, padding="valid"),  # (n, 26, 26, w)
            *block(w, 3, padding="valid"),  # (n, 24, 24, w)
            *block(w, 5, stride=2),  # (n, 12, 12, w)
            layers.Dropout(settings.dropout),
            *block(2 * w, 3, padding="valid"),  # (n, 10, 10, 2w)
            *block(2 * w, 3, padding="valid"),  # (n, 8, 8, 2w)
            *block(2 * w, 5, stride=2),  # (n, 4, 4, 2w)
            layers.Dropout(settings.dropout),
            *block(4 * w, 4, padding="valid"),  # (n, 1, 1, 4w)
            layers.Flatten(),
            layers.Dropout(settings.dropout),
            layers.Dense(10),
        ]
    )
