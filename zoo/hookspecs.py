"""The contract between the zoo and its plugins: six hooks, of which only `build` is required, and one notification.

For each model, each of the six hooks is answered once: by the model's plugin, or by the default. Other plugins may wrap
any hook with `@hookimpl(wrapper=True)`. Every plugin that has an `answered` hook and no model of its own is notified
of the answers of all models.

A hook may leave out arguments that it does not need. It must not give an argument a default: pluggy never passes a
value to such an argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from zoo.errors import ZooError
from zoo.settings import ModelSettings
from zoo.types import Batch, Data, History, Image, Input, Prediction, Reading, Report, Scores, Trace

if TYPE_CHECKING:
    import keras

hookspec = pluggy.HookspecMarker("zoo")
hookimpl = pluggy.HookimplMarker("zoo")


@hookspec(firstresult=True)
def build(settings: ModelSettings) -> keras.Model:
    """Return the untrained network. Required.

    The network takes float32 (n, h, w, c) in 0-1 and returns logits or probabilities (n, k). An input shape other than
    (n, 28, 28, 1) needs `preprocess` and `train` hooks that produce it. Import Keras inside the hook.
    """


@hookspec(firstresult=True)
def train(model: keras.Model, data: Data, settings: ModelSettings, report: Report) -> History:  # type: ignore[empty-body]
    """Train `model` in place and return one row per epoch. Default: Keras, with schedule, progress and resume."""


@hookspec(firstresult=True)
def preprocess(image: Image, settings: ModelSettings) -> tuple[Input, Trace]:  # type: ignore[empty-body]
    """Turn one decoded picture into the model's input, float32 (h, w, c) in 0-1, and a Trace of what was done.

    Integers, NaN and infinity are errors. Another scale than 0-1 needs a `train` hook that brings the data to it.
    Default: `zoo.ink`, which returns (28, 28, 1). Raises NoInk when there is nothing to read.
    """


@hookspec(firstresult=True)
def predict(model: Any, batch: Batch, settings: ModelSettings) -> Scores:  # type: ignore[empty-body]
    """Return probabilities, float32 (n, k), rows summing to 1 within 1e-5. `model` is what `load` returned.

    Default: the runtime, LiteRT or TensorFlow. The hook may be called from several threads at once.
    """


@hookspec(firstresult=True)
def save(model: keras.Model, folder: Path, settings: ModelSettings, seen: Batch) -> bool:  # type: ignore[empty-body]
    """Write the trained model's files into `folder` and return True. Default: the weights and the LiteRT file.

    `seen` holds some validation pictures as `preprocess` returns them, (n, ...), for testing the written files.
    """


@hookspec(firstresult=True)
def load(folder: Path, settings: ModelSettings) -> Any:
    """Load what `save` wrote, ready for `predict`. Default: the LiteRT file, without TensorFlow."""


@hookspec
def answered(answers: Sequence[Prediction | Reading | ZooError], settings: ModelSettings) -> None:
    """Receive the answers of one call, in the order of its pictures; an unreadable picture has its error instead.

    A notification: its return value is ignored, and what it raises is logged. It may be called from several threads
    at once.
    """


HOOKS = ("build", "train", "preprocess", "predict", "save", "load", "answered")
