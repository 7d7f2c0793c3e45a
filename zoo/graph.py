"""Compiled prediction by TensorFlow, for models with `runtime = "tensorflow"`: one graph for a few sizes of batch."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import ModelUnavailable
from zoo.quiet import quiet
from zoo.runtime import IN_KERAS, gives_probabilities, load_weights, parts
from zoo.settings import Views
from zoo.types import Batch, Scores
from zoo.views import around

if TYPE_CHECKING:
    import keras

SIZES = (1, 8, 64, IN_KERAS)
"""Pictures that the graph takes; a batch in between is filled up to the next of these."""


class Graph:
    """A network as a TensorFlow graph: float32 (n, ...) in, probabilities float32 (n, k) out, from any thread.

    It is traced once for each of `SIZES`, without XLA, and has run at each before the first picture comes.
    """

    def __init__(self, network: keras.Model) -> None:
        import tensorflow as tf

        self.input_shape: tuple[int, ...] = tuple(network.input_shape[1:])
        self.traces = 0
        sample = np.random.default_rng(1).random((2, *self.input_shape), np.float32)
        probabilities = gives_probabilities(network, sample)

        def answer(batch: tf.Tensor) -> tf.Tensor:
            self.traces += 1  # runs while it is traced only
            scores = tf.cast(network(batch, training=False), tf.float32)
            return scores if probabilities else tf.nn.softmax(scores)

        traced = tf.function(answer, autograph=False, jit_compile=False)
        self._sized = {
            size: traced.get_concrete_function(tf.TensorSpec((size, *self.input_shape), tf.float32)) for size in SIZES
        }
        for size in SIZES:
            self._run(np.zeros((size, *self.input_shape), np.float32))

    def predict(self, batch: Batch) -> Scores:
        """Probabilities, float32 (n, k), for float32 (n, *input_shape)."""
        if batch.shape[1:] != self.input_shape:
            raise ValueError(f"it takes pictures of shape {self.input_shape}, and was given {batch.shape[1:]}")
        return np.concatenate([self._run(part) for part in parts(np.ascontiguousarray(batch, np.float32), IN_KERAS)])

    def _run(self, part: Batch) -> Scores:
        import tensorflow as tf

        size = next(size for size in SIZES if size >= len(part))
        if len(part) < size:
            filled = np.zeros((size, *self.input_shape), np.float32)
            filled[: len(part)] = part
        else:
            filled = part
        scores: Scores = self._sized[size](tf.constant(filled)).numpy()[: len(part)]
        return scores


def check() -> None:
    """Raise ModelUnavailable when TensorFlow is not installed; it is not imported."""
    if any(importlib.util.find_spec(name) is None for name in ("tensorflow", "keras")):
        raise ModelUnavailable(
            'This model answers by TensorFlow (runtime = "tensorflow"), which is not installed: '
            "pip install 'flask-model-zoo[train]'."
        )


def start() -> None:
    """Import Keras on TensorFlow without its greetings."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with quiet():
        import keras  # noqa: F401


def load(build: Callable[[], keras.Model], weights: Path, views: Views) -> Graph:
    """The network that `build` makes, with the weights of its file, as a graph that answers by `views`.

    No more than weights is ever read.
    A process that is one of several, as a server's worker is, computes in one thread, as LiteRT does. Raises
    ModelUnavailable.
    """
    check()
    start()
    import tensorflow as tf

    if multiprocessing.parent_process() is not None:
        with suppress(RuntimeError):  # it has been at work already
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)
    with quiet():  # what it tells of the processor when it begins
        tf.constant(0)
    network = build()
    load_weights(network, weights)
    return Graph(around(network, views))
