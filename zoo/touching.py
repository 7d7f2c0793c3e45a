"""Train the network of `zoo.parting` on composed rows of digits that touch.

    python -m zoo.touching                # compose, train, print the validation errors, write zoo/data/parting.tflite

The only handwriting in it is that of MNIST's training digits; other digits are drawn by rule (`zoo.strokes`).
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo import backend, datasets, files, parting, runtime, strokes
from zoo.composing import Rows, compose
from zoo.fitting import averaged

if TYPE_CHECKING:
    import keras

_COUNT, _HELD, _DRAWN = 120_000, 6_000, 8_000  # training rows, rows of validation digits, digits drawn by rule
_LOTS = 24  # tasks into which composing the rows is split
_EPOCHS, _BATCH, _RATE = 8, 128, 3e-3
_ONE_WEIGHT = 0.15  # weight of the per-pixel loss in a row of one digit; 1 in the others


def network() -> keras.Model:
    """Build the network: (n, 32, 64, 1) to logits (n, 1 + 32 64).

    The first is of several digits, the others of each pixel being the first digit's. A U-Net (Ronneberger, Fischer,
    Brox 2015, arXiv:1505.04597) with 165,000 parameters.
    """
    import keras
    from keras import layers

    def block(x: Any, channels: int, size: int = 3, stride: int = 1) -> Any:
        x = layers.Conv2D(channels, size, strides=stride, padding="same", use_bias=False)(x)
        return layers.ReLU()(layers.BatchNormalization()(x))

    def joined(x: Any, finer: Any) -> Any:
        return layers.Concatenate()([layers.UpSampling2D(2)(x), finer])

    picture = keras.Input((parting.HEIGHT, parting.WIDTH, 1))
    half = block(block(picture, 16, 5, 2), 24)  # (n, 16, 32, 24)
    quarter = block(block(half, 40, 3, 2), 40)  # (n, 8, 16, 40)
    eighth = block(block(quarter, 64, 3, 2), 64)  # (n, 4, 8, 64)
    x = layers.Dropout(0.3)(layers.Flatten()(block(eighth, 24, 1)))
    several = layers.Dense(1)(layers.Dense(48, activation="relu")(x))
    x = block(joined(eighth, quarter), 32)
    x = block(block(joined(x, half), 16), 7, 1)
    shares = layers.Conv2D(1, 1)(block(joined(x, picture), 8))
    return keras.Model(picture, layers.Concatenate()([several, layers.Flatten()(shares)]))


def train(rows: Rows, held: Rows, epochs: int, seed: int) -> keras.Model:
    """Train the network on `rows`, and print its errors on `held` after each epoch."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    model = network()
    steps = len(rows.level) // _BATCH
    total = epochs * steps
    rate = keras.optimizers.schedules.CosineDecay(
        _RATE / 10, total - total // 10, warmup_target=_RATE, warmup_steps=max(1, total // 10)
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=0.01, use_ema=True, ema_momentum=0.999)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step(level: Any, share: Any, several: Any) -> None:
        level = tf.cast(level, tf.float32) / 255
        share = tf.reshape(tf.cast(share, tf.float32) / 255, (_BATCH, -1))
        several = tf.cast(several, tf.float32)
        weight = tf.reshape(level, (_BATCH, -1)) * (_ONE_WEIGHT + (1 - _ONE_WEIGHT) * several[:, None])
        with tf.GradientTape() as tape:
            logits = model(level[..., None], training=True)
            number = tf.nn.sigmoid_cross_entropy_with_logits(several, logits[:, 0])
            whose = tf.nn.sigmoid_cross_entropy_with_logits(share, logits[:, 1:])
            loss = tf.reduce_mean(number) + tf.reduce_sum(weight * whose) / tf.reduce_sum(weight)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

    for epoch in range(1, epochs + 1):
        start = time.perf_counter()
        order = np.random.default_rng([seed, epoch]).permutation(len(rows.level))
        for at in range(0, steps * _BATCH, _BATCH):
            places = np.sort(order[at : at + _BATCH])
            step(rows.level[places], rows.share[places], rows.several[places])
        with averaged(model, optimizer):
            print(f"epoch {epoch}: {worth(model, held)} ({time.perf_counter() - start:.0f} s)", flush=True)
    optimizer.finalize_variable_values(model.trainable_variables)
    return model


def worth(model: keras.Model, held: Rows) -> str:
    """Describe a model's errors on `held` in one line.

    They are the rows of several digits that it misses at a threshold where 1 % of the single digits pass for several,
    and the share of ink that it gives to the wrong digit.
    """
    batches = []
    for at in range(0, len(held.level), 500):
        seen = held.level[at : at + 500].astype(np.float32)[..., None] / np.float32(255)
        batches.append(np.asarray(model(seen, training=False)))
    logits = np.concatenate(batches)
    ones = np.sort(logits[~held.several, 0])
    missed = float((logits[held.several, 0] <= ones[-1 - len(ones) // 100]).mean())
    ink = held.level[held.several].reshape(-1, parting.HEIGHT * parting.WIDTH) > 127
    wrong = (logits[held.several, 1:] > 0) != (held.share[held.several].reshape(ink.shape) > 127)
    return f"misses {100 * missed:.2f} % at 1 % false, {100 * float(wrong[ink].mean()):.2f} % of ink wrong"


def export(model: keras.Model, path: Path) -> None:
    """Write the model in LiteRT's format, with 8-bit weights and a sigmoid, so that it gives probabilities."""
    import keras

    inputs = keras.Input(model.input_shape[1:])
    whole = keras.Model(inputs, keras.ops.sigmoid(model(inputs)))
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / path.name
        runtime.convert(whole, made, np.zeros((1, *inputs.shape[1:]), np.float32), "int8")
        files.write(path, made.read_bytes())


def main() -> None:
    """Run the command line."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--out", type=Path, default=parting.NETWORK)
    words.add_argument("--count", type=int, default=_COUNT)
    words.add_argument("--epochs", type=int, default=_EPOCHS)
    words.add_argument("--seed", type=int, default=1)
    options = words.parse_args()
    data = datasets.training_data("mnist", 5000)
    drawn = strokes.draw(_DRAWN, options.seed)[0][..., 0]
    digits = np.concatenate([data.images[..., 0], drawn])
    held = compose(data.validation_images[..., 0], min(_HELD, options.count), options.seed)
    with multiprocessing.get_context("fork").Pool() as pool:
        tasks = [(digits, options.count // _LOTS, 1000 * options.seed + lot, drawn) for lot in range(_LOTS)]
        lots = pool.starmap(compose, tasks, 1)
    rows = Rows(*(np.concatenate([getattr(lot, name) for lot in lots]) for name in ("level", "share", "several")))
    backend.start()  # after the pool, since forked processes do not get their parent's threads
    export(train(rows, held, options.epochs, options.seed), options.out)


if __name__ == "__main__":
    main()
