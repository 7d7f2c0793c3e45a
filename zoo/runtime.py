"""Compiled prediction: run a network as a LiteRT file, and make that file.

Loading and running needs only `ai-edge-litert`; `export` needs Keras and TensorFlow.
"""

from __future__ import annotations

import logging
import math
import os
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import ModelUnavailable, TrainingError, reason_of
from zoo.quiet import quiet
from zoo.types import Batch, Scores, Weights

if TYPE_CHECKING:
    import keras
    from ai_edge_litert.interpreter import Interpreter

LITERT = "model.tflite"
WEIGHTS = "model.weights.h5"
LARGEST = 8  # pictures per interpreter call; with more, layers no longer fit the cache and are up to 50 % slower
FEW = 16  # up to this many pictures run one by one: a batch saves little, and may have to wait for another
IN_KERAS = 256  # pictures per call of Keras, where the call itself costs more than its computation
AGREE = 1e-4  # largest difference allowed between LiteRT's and Keras' probabilities
AGREE_ON_AVERAGE = 5e-3  # mean difference allowed with int8 weights; for the zoo's own models it is 1e-4

log = logging.getLogger("zoo.runtime")


class LiteRT:
    """A network in LiteRT, on one thread: float32 (n, ...) in, probabilities float32 (n, k) out.

    Thread-safe: calls take turns. One interpreter is shaped for a single picture and one for `LARGEST` pictures;
    neither is ever resized, because a resize costs more than a prediction. Up to `FEW` pictures, and the rest of a
    larger batch, go one by one and so never wait behind a batch. The file is read whole, so a loaded network no longer
    depends on it. Raises ModelUnavailable when the file cannot be loaded.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._content = path.read_bytes()
            self._single = self._interpreter(1)
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelUnavailable(f"{path.parent.name}/{path.name} cannot be loaded by LiteRT: {error}") from error
        self._many: Interpreter | None = None
        self._for_single, self._for_many = threading.Lock(), threading.Lock()
        self._input = self._single.get_input_details()[0]["index"]
        self._output = self._single.get_output_details()[0]["index"]
        self.input_shape: tuple[int, ...] = tuple(int(n) for n in self._single.get_input_details()[0]["shape"][1:])

    def _interpreter(self, n: int) -> Interpreter:
        """Return a new interpreter for batches of exactly `n` pictures."""
        with quiet():
            from ai_edge_litert.interpreter import Interpreter

            interpreter = Interpreter(model_content=self._content, num_threads=1)
            shape = interpreter.get_input_details()[0]["shape"]
            if shape[0] != n:
                interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], (n, *shape[1:]))
            interpreter.allocate_tensors()
        return interpreter

    def predict(self, batch: Batch) -> Scores:
        """Return probabilities, float32 (n, k), for float32 (n, *input_shape). Raises ValueError for other shapes."""
        if batch.shape[1:] != self.input_shape:
            raise ValueError(f"expected pictures of shape {self.input_shape}, got {batch.shape[1:]}")
        batch = np.ascontiguousarray(batch, np.float32)
        if len(batch) == 1:
            return self._alone(batch)
        together = len(batch) - len(batch) % LARGEST if len(batch) > FEW else 0
        scores = [self._together(batch[at : at + LARGEST]) for at in range(0, together, LARGEST)]
        scores += [self._alone(batch[at : at + 1]) for at in range(together, len(batch))]
        return np.concatenate(scores)

    def _alone(self, picture: Batch) -> Scores:
        """Return the probabilities (1, k) of a batch of one picture."""
        with self._for_single:
            return self._run(self._single, picture)

    def _together(self, part: Batch) -> Scores:
        """Return the probabilities of exactly `LARGEST` pictures; makes their interpreter at the first call."""
        with self._for_many:
            if self._many is None:
                self._many = self._interpreter(LARGEST)
            return self._run(self._many, part)

    def _run(self, interpreter: Interpreter, part: Batch) -> Scores:
        """Run an interpreter, whose lock the caller holds, on a batch of its size."""
        interpreter.set_tensor(self._input, part)
        interpreter.invoke()
        scores: Scores = interpreter.get_tensor(self._output)
        return scores


def parts(batch: Batch, most: int) -> list[Batch]:
    """Split a batch (n, ...) into batches of up to `most`; an empty batch stays one batch."""
    return [batch[start : start + most] for start in range(0, len(batch), most)] or [batch]


def gives_probabilities(model: keras.Model, sample: Batch) -> bool:
    """Whether the network returns probabilities rather than logits, judged by its output for some pictures (n, ...)."""
    scores = np.asarray(model(sample, training=False))
    return bool((scores >= 0).all() and np.allclose(scores.sum(axis=1), 1, atol=1e-3))


def keras_probabilities(model: keras.Model, batch: Batch, probabilities: bool) -> Scores:
    """Return the network's probabilities in Keras, (n, k), computed in parts that fit in memory.

    `probabilities` says that the network returns them itself; otherwise a softmax is applied.
    """
    import keras

    scores = np.concatenate([np.asarray(model(part, training=False)) for part in parts(batch, IN_KERAS)])
    return scores if probabilities else np.asarray(keras.ops.softmax(scores))


def save_weights(model: keras.Model, path: Path) -> None:
    """Write the weights as Keras' `.weights.h5`, without the optimizer. Raises OSError when there is no room."""
    size = sum(4 * math.prod(variable.shape) for variable in model.variables)
    with path.open("wb") as file:  # HDF5 crashes the process on a full disk, so test first whether there is room
        file.write(bytes(size + size // 20 + 100_000))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    model.save_weights(path)


def load_weights(model: keras.Model, path: Path) -> None:
    """Load a checkpoint's weights into a network. Raises ModelUnavailable when they do not fit it."""
    try:
        model.load_weights(path)
    except (OSError, ValueError) as error:
        raise ModelUnavailable(
            f"{'/'.join(path.parts[-3:])} does not fit the network that the plugin now builds: {error}"
        ) from error


def convert(model: keras.Model, path: Path, sample: Batch, weights: Weights) -> Scores:
    """Write a network's LiteRT file with `weights` as in `export`, and return its answers to a sample, (n, k).

    Raises TrainingError when the network cannot be converted, or the file cannot run.
    """
    import tensorflow as tf

    more: dict[str, Any] = {"optimizations": [tf.lite.Optimize.DEFAULT]} if weights == "int8" else {}
    try:
        with quiet():  # the converter prints pages about each operation that it does not support
            model.export(str(path), format="litert", verbose=False, **more)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # the converter's errors have no class of their own
        lacking = re.findall(r"'tf\.(\w+)' op", str(error))
        raise TrainingError(_formless(f"LiteRT lacks {_names(lacking)}" if lacking else reason_of(error))) from error
    try:
        with quiet():
            return LiteRT(path).predict(sample)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        said = reason_of(error.__cause__ or error)
        if "Flex" in said:  # the file's name for TensorFlow operations that LiteRT lacks
            lacking = [name.decode() for name in re.findall(rb"Flex([A-Z]\w+)", path.read_bytes())]
            raise TrainingError(_formless(f"LiteRT lacks {_names(lacking)}")) from error
        raise TrainingError(
            f'The LiteRT form of the network does not run ("{said}"). {_TENSORFLOW}'  # for example over shapes
        ) from error


_TENSORFLOW = 'Use TensorFlow instead: set runtime = "tensorflow" for the model.'


def _formless(reason: str) -> str:
    """Return the message that a network cannot be converted to LiteRT, with what to do instead."""
    return f"The network cannot be converted to LiteRT: {reason.rstrip('.')}. {_TENSORFLOW}"


def _names(found: list[str]) -> str:
    """Join names for a message, sorted and each once."""
    return ", ".join(sorted(set(found)))


def export(model: keras.Model, path: Path, sample: Batch, weights: Weights = "float32") -> None:
    """Write the network's LiteRT file, returning probabilities, and check that it agrees with Keras on `sample`.

    With `weights` "int8" the weights of large layers are stored in 8 bits, with a scale for each output channel, and
    such a layer's input is quantised to 8 bits for each picture ("dynamic range" quantization). If that changes the
    answers by more than `AGREE_ON_AVERAGE` in the mean, as with very uneven weights, they stay float32.

    Raises TrainingError when float32 answers differ by more than `AGREE`, or the file cannot be made.
    """
    import keras

    probabilities = gives_probabilities(model, sample)
    whole = model
    if not probabilities:
        inputs = keras.Input(model.input_shape[1:])
        whole = keras.Model(inputs, keras.layers.Softmax()(model(inputs)))
    expected = keras_probabilities(model, sample, probabilities)
    if weights == "int8":
        apart = float(np.abs(convert(whole, path, sample, "int8") - expected).mean())
        if apart <= AGREE_ON_AVERAGE:
            return
        log.warning("with int8 weights the answers differ by %.1e on average: they stay float32", apart)
    apart = float(np.abs(convert(whole, path, sample, "float32") - expected).max())
    if not apart <= AGREE:
        raise TrainingError(f"The LiteRT form differs from the Keras model by {apart:.1e}; at most {AGREE} is allowed.")
