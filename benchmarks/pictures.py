"""Pictures that the benchmarks send: MNIST's first test picture, and photographs composed of a digit."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image


def encoded(picture: Image.Image, kind: str, **how: Any) -> bytes:
    """Return a picture as a file of a kind such as "PNG"; `how` are Pillow's options."""
    content = io.BytesIO()
    picture.save(content, kind, **how)
    return content.getvalue()


def photograph(digit: Image.Image, width: int, height: int, noise: float, quality: int) -> bytes:
    """Return a JPEG of a digit in blue ink on paper, lit from one corner. `noise` is in grey levels (0-255)."""
    size = height * 2 // 5
    large = digit.resize((size, size), Image.Resampling.BICUBIC)
    cover = np.zeros((height, width, 1), np.float32)
    cover[size // 2 : size // 2 + size, size // 2 : size // 2 + size, 0] = np.asarray(large, np.float32) / 255
    shade = 1 - 0.2 * (np.linspace(0, 1, height)[:, None, None] + np.linspace(0, 1, width)[:, None])
    scene = ((225, 220, 205) * (1 - cover) + (50, 50, 110) * cover) * shade
    scene = scene + np.random.default_rng(28).normal(0, noise, (height, width, 1))
    return encoded(Image.fromarray(scene.clip(0, 255).astype(np.uint8)), "JPEG", quality=quality)


def digit() -> Image.Image:
    """Return MNIST's first test picture, 28x28."""
    from zoo import datasets

    return Image.fromarray(datasets.test_data("mnist").images[0, ..., 0])
