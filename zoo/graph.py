"""Compiled prediction in TensorFlow, for models with `runtime = "tensorflow"`: a graph for a few batch sizes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo import backend
from zoo.quiet import quiet
from zoo.runtime import IN_KERAS, gives_probabilities, load_weights, parts
from zoo.settings import Views
from zoo.types import Batch, Scores
from zoo.views import around

if TYPE_CHECKING:
    import keras

SIZES = (1, 8, 64, IN_KERAS)
"""Batch sizes of the graph, in pictures; other batches are padded to the next one, and larger ones split."""


class Graph:
    """A network as a TensorFlow graph: float32 (n, ...) in, probabilities float32 (n, k) out. Thread-safe.

    The constructor traces it for each of `SIZES`, without XLA, and runs each once, so that no request waits for that.
    """

    def __init__(self, network: keras.Model) -> None:
        import tensorflow as tf

        self.input_shape: tuple[int, ...] = tuple(network.input_shape[1:])
        sample = np.random.default_rng(1).random((2, *self.input_shape), np.float32)
        probabilities = gives_probabilities(network, sample)

        def answer(batch: tf.Tensor) -> tf.Tensor:
            scores = tf.cast(network(batch, training=False), tf.float32)
            return scores if probabilities else tf.nn.softmax(scores)

        traced = tf.function(answer, autograph=False, jit_compile=False)
        self._sized = {
            size: traced.get_concrete_function(tf.TensorSpec((size, *self.input_shape), tf.float32)) for size in SIZES
        }
        for size in SIZES:
            self._run(np.zeros((size, *self.input_shape), np.float32))

    def predict(self, batch: Batch) -> Scores:
        """Return probabilities, float32 (n, k), for float32 (n, *input_shape). Raises ValueError for other shapes."""
        if batch.shape[1:] != self.input_shape:
            raise ValueError(f"expected pictures of shape {self.input_shape}, got {batch.shape[1:]}")
        return np.concatenate([self._run(part) for part in parts(np.ascontiguousarray(batch, np.float32), IN_KERAS)])

    def _run(self, part: Batch) -> Scores:
        """Return probabilities for up to IN_KERAS pictures, padded with zeros to one of `SIZES`."""
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
    """Raise ModelUnavailable when TensorFlow is not installed. Does not import it."""
    backend.check_for_answers('This model runs in TensorFlow (runtime = "tensorflow")')


def load(build: Callable[[], keras.Model], weights: Path, views: Views) -> Graph:
    """Return the network that `build` makes, with weights from a file, as a graph that combines the `views`.

    Only weights are read from the file, no code or graph. In a child process, such as a server's worker, TensorFlow
    computes in one thread, as LiteRT does. Raises ModelUnavailable.
    """
    check()
    backend.start()
    import tensorflow as tf

    if multiprocessing.parent_process() is not None:
        with suppress(RuntimeError):  # TensorFlow is already running
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)
    with quiet():  # its first operation prints a message about the processor
        tf.constant(0)
    network = build()
    load_weights(network, weights)
    return Graph(around(network, views))
