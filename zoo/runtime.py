"""Compiled prediction: the LiteRT form of a network, and how it is made.

Reading and running needs `ai-edge-litert` alone; `export` needs Keras.
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

from zoo.errors import ModelUnavailable, TrainingError, why
from zoo.quiet import quiet
from zoo.types import Batch, Scores, Weights

if TYPE_CHECKING:
    import keras
    from ai_edge_litert.interpreter import Interpreter

LITERT = "model.tflite"
WEIGHTS = "model.weights.h5"
LARGEST = 8  # pictures in one call of the interpreter; with more, layers no longer fit the cache: up to a half slower
FEW = 16  # pictures that are computed one by one: a batch takes a tenth less of each, but may have to be waited for
IN_KERAS = 256  # the same of Keras, where a call costs more than what it computes
AGREE = 1e-4  # how far LiteRT's probabilities may be from Keras'
AGREE_ON_AVERAGE = 5e-3  # the same of int8 weights, in the mean; those of the zoo's own models are off by 1e-4

log = logging.getLogger("zoo.runtime")


class LiteRT:
    """A network in LiteRT, on one thread: float32 (n, ...) in, probabilities float32 (n, k) out.

    Calls from several threads take turns. One interpreter takes a single picture, the other `LARGEST`, and neither is
    ever resized, which costs more than a picture: few pictures, and what is left over of many, go one by one, and wait
    for no batch. The file is read whole: what becomes of it later, another in its place or none, or a shorter one, is
    nothing to a network that is loaded.
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
        with quiet():
            from ai_edge_litert.interpreter import Interpreter

            interpreter = Interpreter(model_content=self._content, num_threads=1)
            shape = interpreter.get_input_details()[0]["shape"]
            if shape[0] != n:
                interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], (n, *shape[1:]))
            interpreter.allocate_tensors()
        return interpreter

    def predict(self, batch: Batch) -> Scores:
        """Probabilities, float32 (n, k), for float32 (n, *input_shape)."""
        if batch.shape[1:] != self.input_shape:
            raise ValueError(f"it takes pictures of shape {self.input_shape}, and was given {batch.shape[1:]}")
        batch = np.ascontiguousarray(batch, np.float32)
        if len(batch) == 1:
            return self._alone(batch)
        together = len(batch) - len(batch) % LARGEST if len(batch) > FEW else 0
        scores = [self._together(batch[at : at + LARGEST]) for at in range(0, together, LARGEST)]
        scores += [self._alone(batch[at : at + 1]) for at in range(together, len(batch))]
        return np.concatenate(scores)

    def _alone(self, picture: Batch) -> Scores:
        with self._for_single:
            return self._run(self._single, picture)

    def _together(self, part: Batch) -> Scores:
        with self._for_many:
            if self._many is None:
                self._many = self._interpreter(LARGEST)
            return self._run(self._many, part)

    def _run(self, interpreter: Interpreter, part: Batch) -> Scores:
        interpreter.set_tensor(self._input, part)
        interpreter.invoke()
        scores: Scores = interpreter.get_tensor(self._output)
        return scores


def parts(batch: Batch, most: int) -> list[Batch]:
    """A batch (n, ...) as batches of up to `most`; an empty one as itself."""
    return [batch[start : start + most] for start in range(0, len(batch), most)] or [batch]


def gives_probabilities(model: keras.Model, sample: Batch) -> bool:
    """Whether the network ends in probabilities rather than logits, seen on some pictures (n, ...)."""
    scores = np.asarray(model(sample, training=False))
    return bool((scores >= 0).all() and np.allclose(scores.sum(axis=1), 1, atol=1e-3))


def keras_probabilities(model: keras.Model, batch: Batch, probabilities: bool) -> Scores:
    """The network's own answer in Keras, (n, k), in steps that fit in memory."""
    import keras

    scores = np.concatenate([np.asarray(model(part, training=False)) for part in parts(batch, IN_KERAS)])
    return scores if probabilities else np.asarray(keras.ops.softmax(scores))


def save_weights(model: keras.Model, path: Path) -> None:
    """Write the weights as Keras' `.weights.h5`, without the optimizer. Raises OSError when there is no room."""
    size = sum(4 * math.prod(variable.shape) for variable in model.variables)
    with path.open("wb") as file:  # HDF5 brings the process down on a full disk, so the room is tried first
        file.write(bytes(size + size // 20 + 100_000))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    model.save_weights(path)


def load_weights(model: keras.Model, path: Path) -> None:
    """Give a network the weights of a checkpoint's file. Raises ModelUnavailable when they are not its own."""
    try:
        model.load_weights(path)
    except (OSError, ValueError) as error:
        raise ModelUnavailable(
            f"{'/'.join(path.parts[-3:])} does not fit the network that the plugin builds by now: {error}"
        ) from error


def _form(model: keras.Model, path: Path, sample: Batch, **more: Any) -> Scores:
    """What the LiteRT form that Keras writes answers to a sample. Raises TrainingError when there is no such form."""
    try:
        with quiet():  # the converter writes pages about each operation that it does not know
            model.export(str(path), format="litert", verbose=False, **more)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # the converter's own are of no class of their own
        lacking = re.findall(r"'tf\.(\w+)' op", str(error))
        raise TrainingError(_formless(f"it lacks {_names(lacking)}" if lacking else why(error))) from error
    try:
        with quiet():
            return LiteRT(path).predict(sample)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        said = why(error.__cause__ or error)
        if "Flex" in said:  # so operations of TensorFlow are called in the file, where LiteRT has none
            lacking = [name.decode() for name in re.findall(rb"Flex([A-Z]\w+)", path.read_bytes())]
            raise TrainingError(_formless(f"it lacks {_names(lacking)}")) from error
        raise TrainingError(
            f'The LiteRT form of the network does not answer ("{said}"). {_TENSORFLOW}'  # such as by its shapes
        ) from error


_TENSORFLOW = 'Let TensorFlow answer: set runtime = "tensorflow" for the model.'


def _formless(reason: str) -> str:
    return f"LiteRT has no form of the network: {reason.rstrip('.')}. {_TENSORFLOW}"


def _names(found: list[str]) -> str:
    return ", ".join(sorted(set(found)))


def export(model: keras.Model, path: Path, sample: Batch, weights: Weights = "float32") -> None:
    """Write the network's LiteRT form, ending in probabilities, and see that it agrees with Keras on `sample`.

    With `weights` "int8" those of large layers are kept in 8 bits, with a scale for each output channel, and what comes
    into such a layer is brought to 8 bits for each picture on its own: "dynamic range" quantization. Where that is
    another network by its answers, as one with very uneven weights, they stay in 32.

    Raises TrainingError when they differ by more than 1e-4 or the form cannot be made.
    """
    import keras
    import tensorflow as tf

    probabilities = gives_probabilities(model, sample)
    whole = model
    if not probabilities:
        inputs = keras.Input(model.input_shape[1:])
        whole = keras.Model(inputs, keras.layers.Softmax()(model(inputs)))
    expected = keras_probabilities(model, sample, probabilities)
    if weights == "int8":
        told = _form(whole, path, sample, optimizations=[tf.lite.Optimize.DEFAULT])
        apart = float(np.abs(told - expected).mean())
        if apart <= AGREE_ON_AVERAGE:
            return
        log.warning("with int8 weights the answers differ by %.1e on average: they stay float32", apart)
    apart = float(np.abs(_form(whole, path, sample) - expected).max())
    if not apart <= AGREE:
        raise TrainingError(f"The LiteRT form differs from the Keras model by {apart:.1e}; at most {AGREE} is allowed.")
