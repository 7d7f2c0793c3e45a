"""Augment training pictures as hands, pens and scanners vary them, inside the graph of the training step.

All randomness comes from the given seed, so that a resumed run varies each picture as an uninterrupted one would.
"""

from __future__ import annotations

import math
from typing import Any

from zoo.settings import Augmentation

ELASTIC_GRID = 5  # random displacements on each side, interpolated smoothly over the picture


def augment(pictures: Any, settings: Augmentation, seed: Any) -> Any:
    """Augment float32 pictures (n, height, width, 1) in 0-1, ink light; `seed` is an int32 tensor (2,)."""
    import tensorflow as tf

    seeds = iter(tf.unstack(tf.random.experimental.stateless_split(seed, 8)))
    if settings.bends:
        pictures = _warp(pictures, settings, next(seeds), next(seeds))
    else:
        next(seeds), next(seeds)
    if settings.thickness:
        pictures = _thicken(pictures, settings.thickness, next(seeds))
    if settings.blur:
        pictures = _blur(pictures, settings.blur, next(seeds))
    if settings.contrast:
        pictures *= 1 - settings.contrast * tf.random.stateless_uniform(_one_each(pictures), next(seeds))
    if settings.noise:
        strength = settings.noise * tf.random.stateless_uniform(_one_each(pictures), next(seeds))
        pictures += strength * tf.random.stateless_normal(tf.shape(pictures), next(seeds))
    return tf.clip_by_value(pictures, 0.0, 1.0)


def _one_each(pictures: Any) -> Any:
    """Return the shape (n, 1, 1, 1) of one random number per picture."""
    import tensorflow as tf

    return tf.stack([tf.shape(pictures)[0], 1, 1, 1])


def _warp(pictures: Any, settings: Augmentation, affine_seed: Any, elastic_seed: Any) -> Any:
    """Rotate, shear, scale, shift and bend pictures in one resampling (Simard et al. 2003, ICDAR)."""
    import tensorflow as tf

    n, height, width = tf.shape(pictures)[0], pictures.shape[1], pictures.shape[2]
    u = tf.random.stateless_uniform([n, 6], affine_seed, -1.0, 1.0)  # (n, 6)
    angle = u[:, 0] * math.radians(settings.rotate)
    shear = tf.tan(u[:, 1] * math.radians(settings.shear))
    wide, high = tf.exp(u[:, 2] * settings.scale), tf.exp(u[:, 3] * settings.scale)
    cos, sin = tf.cos(angle), tf.sin(angle)
    rows = tf.stack([cos * wide, (cos * shear - sin) * high, sin * wide, (sin * shear + cos) * high], axis=1)
    matrix = tf.reshape(rows, [n, 1, 1, 2, 2])
    middle = tf.constant([(width - 1) / 2, (height - 1) / 2])
    grid = tf.stack(tf.meshgrid(tf.range(float(width)), tf.range(float(height))), axis=-1) - middle  # (h, w, 2)
    places = tf.linalg.matvec(matrix, grid[tf.newaxis]) + middle  # (n, h, w, 2)
    places += (u[:, 4:6] * settings.shift)[:, tf.newaxis, tf.newaxis]
    if settings.elastic:
        coarse = tf.random.stateless_normal([n, ELASTIC_GRID, ELASTIC_GRID, 2], elastic_seed)
        places += settings.elastic * tf.image.resize(coarse, [height, width], method="bicubic")
    return _sample(pictures, places)


def _sample(pictures: Any, places: Any) -> Any:
    """Sample (n, h, w, 1) bilinearly at places (n, h, w, 2) as x, y; black outside."""
    import tensorflow as tf

    n, height, width = tf.shape(pictures)[0], pictures.shape[1], pictures.shape[2]
    padded = tf.pad(pictures[..., 0], [[0, 0], [1, 1], [1, 1]])  # (n, h + 2, w + 2)
    x = tf.clip_by_value(places[..., 0] + 1, 0.0, width + 0.999)
    y = tf.clip_by_value(places[..., 1] + 1, 0.0, height + 0.999)
    left, top = tf.floor(x), tf.floor(y)
    dx, dy = x - left, y - top
    flat = tf.reshape(padded, [-1])
    corner = tf.cast(top, tf.int32) * (width + 2) + tf.cast(left, tf.int32)
    corner += tf.reshape(tf.range(n) * ((height + 2) * (width + 2)), [-1, 1, 1])
    upper = tf.gather(flat, corner) * (1 - dx) + tf.gather(flat, corner + 1) * dx
    lower = tf.gather(flat, corner + width + 2) * (1 - dx) + tf.gather(flat, corner + width + 3) * dx
    return (upper * (1 - dy) + lower * dy)[..., tf.newaxis]


def _thicken(pictures: Any, most: float, seed: Any) -> Any:
    """Make strokes thicker or thinner by up to about `most` pixels: blend in a 3x3 dilation or erosion."""
    import tensorflow as tf

    share = tf.random.stateless_uniform(_one_each(pictures), seed, -most, most)
    wider = tf.nn.max_pool2d(pictures, 3, 1, "SAME")
    thinner = -tf.nn.max_pool2d(-pictures, 3, 1, "SAME")
    return pictures + tf.maximum(share, 0.0) * (wider - pictures) + tf.maximum(-share, 0.0) * (thinner - pictures)


def _blur(pictures: Any, most: float, seed: Any) -> Any:
    """Blend in a 3x3 binomial blur with a random share in 0-`most`."""
    import tensorflow as tf

    share = tf.random.stateless_uniform(_one_each(pictures), seed, 0.0, most)
    kernel = tf.reshape(tf.constant([1.0, 2, 1, 2, 4, 2, 1, 2, 1]) / 16, [3, 3, 1, 1])
    return pictures + share * (tf.nn.conv2d(pictures, kernel, 1, "SAME") - pictures)
