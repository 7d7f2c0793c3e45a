"""The default training loop: Keras layers and optimizers, and a loop of our own.

The loop keeps the pictures in memory and runs the steps inside one graph, which on two cores takes half the time of
`Model.fit` (see docs/training.md). After each epoch it saves everything that the next one depends on: weights,
optimizer state and dropout seeds. The order of the pictures depends only on the seed and the epoch. So a resumed run
ends with the same result as an uninterrupted one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zoo import snapshots, stopping
from zoo.augment import augment
from zoo.errors import TrainingError
from zoo.runtime import gives_probabilities
from zoo.settings import ModelSettings
from zoo.types import Data, Report
from zoo.unfinished import STATE, of_another_network

if TYPE_CHECKING:
    import keras

Loss = Callable[[Any, Any], Any]
"""Takes class indices, int32 (n,), and scores, float32 (n, k), and returns their mean loss."""

NO_CLASS = -1  # the class index of pictures of no digit, for which the network learns equal probabilities
STEPS_PER_CALL = 20  # enough to hide the cost of a call, few enough for a lively progress bar and a quick Ctrl-C


def fit(model: keras.Model, data: Data, settings: ModelSettings, report: Report) -> list[dict[str, float]]:
    """Train `model` in place for `settings.epochs` epochs and return one row per epoch.

    With `report.resume` it continues from the state in `report.folder`. Ctrl-C is handled between calls of the graph
    and between validation batches. Raises TrainingError when the loss diverges, or the saved state is damaged or does
    not fit the network.
    """
    count = len(data.images) + len(data.others)
    batch = min(settings.batch_size, count)
    steps = count // batch  # the last, incomplete batch of an epoch is left out; the order changes each epoch
    probabilities = gives_probabilities(model, _float(data.images[:64]))  # also builds an unbuilt network
    loss = _loss(settings, probabilities, len(data.labels))
    optimizer, rate = _optimizer(settings, steps)
    optimizer.build(model.trainable_variables)
    take_steps = _steps(model, optimizer, loss, data, settings)
    forward = _forward(model)

    resumes = report.resume and (report.folder / STATE).exists()
    rows = _restore(model, optimizer, report.folder) if resumes else []
    with stopping.held():
        for epoch in range(len(rows) + 1, settings.epochs + 1):
            start = time.perf_counter()
            order = np.random.default_rng([settings.seed, epoch]).permutation(count)
            orders = order[: steps * batch].reshape(steps, batch).astype(np.int32)
            row = {"epoch": epoch, **_epoch(take_steps, orders, epoch, report)}
            if not np.isfinite(row["loss"]):
                raise TrainingError(
                    f"The loss of epoch {epoch} is {row['loss']}: training has diverged. "
                    f"Lower learning_rate ({settings.learning_rate})."
                )
            with averaged(model, optimizer):
                row |= _validate(forward, loss, data)
            row |= {"learning_rate": float(rate(epoch * steps)), "seconds": time.perf_counter() - start}
            rows.append(row)
            variables = [np.asarray(variable) for variable in _variables(model, optimizer)]
            snapshots.write(report.folder / STATE, rows, variables)
            report.epoch(row)
    if settings.ema:
        optimizer.finalize_variable_values(model.trainable_variables)
    return rows


def _steps(
    model: keras.Model, optimizer: Any, loss: Loss, data: Data, settings: ModelSettings
) -> Callable[[Any, Any], tuple[Any, Any]]:
    """Return a function that trains on some batches and returns the sums of their losses and accuracies.

    It takes the pictures' indices, int32 (steps, batch), and the number of the first step since the run began.
    """
    import tensorflow as tf

    images = tf.constant(np.concatenate([data.images, data.others]))
    classes = tf.constant(np.append(data.classes, np.full(len(data.others), NO_CLASS)).astype(np.int32))

    def step(places: Any, number: Any) -> tuple[Any, Any]:
        pictures = tf.cast(tf.gather(images, places), tf.float32) / 255
        if settings.augment.any:
            pictures = augment(pictures, settings.augment, tf.stack([settings.seed, number]))
        truth = tf.gather(classes, places)
        with tf.GradientTape() as tape:
            scores = model(pictures, training=True)
            value = loss(truth, scores) + sum(model.losses)
        optimizer.apply_gradients(
            zip(tape.gradient(value, model.trainable_variables), model.trainable_variables, strict=True)
        )
        right = tf.equal(tf.argmax(scores, axis=1, output_type=tf.int32), truth)
        share = tf.math.count_nonzero(right) / tf.maximum(tf.math.count_nonzero(truth != NO_CLASS), 1)
        return value, tf.cast(share, tf.float32)

    # No XLA: its convolutions are eight times slower on CPUs. No AutoGraph: it fails on Python 3.13.
    @tf.function(jit_compile=False, autograph=False, reduce_retracing=True)  # type: ignore[untyped-decorator]
    def take(orders: Any, first: Any) -> tuple[Any, Any]:
        def add(i: Any, value: Any, right: Any) -> tuple[Any, Any, Any]:
            v, r = step(orders[i], first + i)
            return i + 1, value + v, right + r

        _, value, right = tf.while_loop(lambda i, *_: i < tf.shape(orders)[0], add, (0, 0.0, 0.0))
        return value, right

    return take  # type: ignore[no-any-return]


def _epoch(
    take_steps: Callable[[Any, Any], tuple[Any, Any]], orders: NDArray[np.int32], epoch: int, report: Report
) -> dict[str, float]:
    """Train for an epoch on the batches with these indices, (steps, batch); return the mean loss and accuracy (0-1)."""
    import tensorflow as tf

    steps = len(orders)
    value = right = 0.0
    for at in range(0, steps, STEPS_PER_CALL):
        v, r = take_steps(tf.constant(orders[at : at + STEPS_PER_CALL]), tf.constant(epoch * steps + at))
        value, right = value + float(v), right + float(r)
        done = min(at + STEPS_PER_CALL, steps)
        report.step(epoch, done, steps, {"loss": value / done, "accuracy": right / done})
    return {"loss": value / steps, "accuracy": right / steps}


def _float(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Scale pixels from 0-255 to float32 in 0-1."""
    return images.astype(np.float32) / np.float32(255)


def _optimizer(settings: ModelSettings, steps: int) -> tuple[Any, Callable[[int], Any]]:
    """Return the Keras optimizer, and its learning rate as a function of the step. `steps` are those of an epoch."""
    import keras

    total, peak = settings.epochs * steps, settings.learning_rate
    schedules = keras.optimizers.schedules
    schedule: Any
    if settings.schedule == "cosine":
        schedule = schedules.CosineDecay(peak, total)
    elif settings.schedule == "one_cycle":
        # Smith 2018, arXiv:1803.09820: from a tenth up to the peak over a third of the run, then cosine to zero.
        rise = max(1, total // 3)
        schedule = schedules.CosineDecay(peak / 10, max(1, total - rise), warmup_target=peak, warmup_steps=rise)
    else:
        schedule = schedules.PiecewiseConstantDecay([total], [peak, peak])
    optimizer: Any
    average: dict[str, Any] = {"use_ema": True, "ema_momentum": settings.ema} if settings.ema else {}
    if settings.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay, **average)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    elif settings.optimizer == "adam":
        optimizer = keras.optimizers.Adam(schedule, **average)
    else:
        optimizer = keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True, **average)
    return optimizer, schedule


def _loss(settings: ModelSettings, probabilities: bool, k: int) -> Loss:
    """Return the loss function: mean cross-entropy with label smoothing (Szegedy et al. 2016, arXiv:1512.00567).

    Its target for a picture of NO_CLASS is 1 / k for each of the k classes.
    """
    import keras

    entropy = keras.losses.CategoricalCrossentropy(from_logits=not probabilities)

    def loss(truth: Any, scores: Any) -> Any:
        known = keras.ops.one_hot(truth, k) * (1 - settings.label_smoothing) + settings.label_smoothing / k
        return entropy(keras.ops.where(truth[:, None] == NO_CLASS, 1 / k, known), scores)

    return loss


@contextmanager
def averaged(model: keras.Model, optimizer: Any) -> Iterator[None]:
    """Give the model the moving average of its weights, if there is one, inside this context."""
    if not optimizer.use_ema:
        yield
        return
    kept = [variable.numpy() for variable in model.trainable_variables]
    optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, kept, strict=True):
            variable.assign(value)


def _validate(forward: Callable[[Any], Any], loss: Loss, data: Data) -> dict[str, float]:
    """Return the loss and accuracy (0-1) on the validation pictures."""
    value, right, size = 0.0, 0, 1000
    for start in range(0, len(data.validation_images), size):
        stopping.check()
        truth = data.validation_classes[start : start + size]
        scores = np.asarray(forward(_float(data.validation_images[start : start + size])))
        value += float(loss(truth, scores)) * len(truth)
        right += int((scores.argmax(axis=1) == truth).sum())
    n = len(data.validation_images)
    return {"val_loss": value / n, "val_accuracy": right / n}


def _forward(model: keras.Model) -> Callable[[Any], Any]:
    """Return the network in inference mode as a graph."""
    import tensorflow as tf

    forward: Callable[[Any], Any] = tf.function(
        lambda batch: model(batch, training=False), autograph=False, reduce_retracing=True
    )
    return forward


def _variables(model: keras.Model, optimizer: Any) -> list[Any]:
    """Return all variables of the model (weights, batch-norm statistics, dropout seeds), then the optimizer's."""
    return [*model.variables, *optimizer.variables]


def _restore(model: keras.Model, optimizer: Any, folder: Path) -> list[dict[str, float]]:
    """Load the STATE of a run and return its history. Raises TrainingError when it is damaged or does not fit."""
    state = snapshots.read(folder / STATE)
    if state is None:
        raise TrainingError(
            f"{folder / STATE} is damaged, so the run cannot continue from it. Start over without --resume."
        )
    variables = _variables(model, optimizer)
    if [array.shape for array in state.arrays] != [tuple(variable.shape) for variable in variables]:
        raise of_another_network(folder)
    for variable, value in zip(variables, state.arrays, strict=True):
        variable.assign(value)
    return [dict(row) for row in state.rows]
