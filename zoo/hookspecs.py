"""The contract between the zoo and its plugins: six hooks, of which `build` is enough, and one that tells of answers.

Each model answers each hook exactly once. Other plugins may wrap any of them with `@hookimpl(wrapper=True)`, and be
told of all models' answers.
A hook may leave out arguments that it does not need; it must not give them defaults, since those never receive a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from zoo.errors import ZooError
from zoo.settings import ModelSettings
from zoo.types import Batch, Data, History, Image, Prediction, Reading, Report, Scores, Trace

if TYPE_CHECKING:
    import keras

hookspec = pluggy.HookspecMarker("zoo")
hookimpl = pluggy.HookimplMarker("zoo")


@hookspec(firstresult=True)
def build(settings: ModelSettings) -> keras.Model:
    """Return the untrained network. Required.

    It takes float32 (n, h, w, c) in 0-1 and gives logits or probabilities (n, k). Another shape than (n, 28, 28, 1)
    needs a `preprocess` and a `train` that make it. Import Keras inside the hook.
    """


@hookspec(firstresult=True)
def train(model: keras.Model, data: Data, settings: ModelSettings, report: Report) -> History:  # type: ignore[empty-body]
    """Train `model` in place and return one row per epoch. Default: Keras, with schedule, progress and resume."""


@hookspec(firstresult=True)
def preprocess(image: Image, settings: ModelSettings) -> tuple[Batch, Trace]:  # type: ignore[empty-body]
    """Bring one decoded picture to the model's input, float32 (h, w, c) in 0-1, and tell what was done.

    Default: `zoo.ink`, which gives (28, 28, 1). Raises NoInk when there is nothing to read.
    """


@hookspec(firstresult=True)
def predict(model: Any, batch: Batch, settings: ModelSettings) -> Scores:  # type: ignore[empty-body]
    """Return probabilities, float32 (n, k), rows summing to 1 within 1e-5. `model` is what `load` gave.

    Default: the runtime. It may be called from several threads at once.
    """


@hookspec(firstresult=True)
def save(model: keras.Model, folder: Path, settings: ModelSettings, seen: Batch) -> bool:  # type: ignore[empty-body]
    """Write the trained model's files into `folder` and return True. Default: weights and LiteRT form.

    `seen` is some validation pictures as `preprocess` gives them, (n, ...), to try on them what is written.
    """


@hookspec(firstresult=True)
def load(folder: Path, settings: ModelSettings) -> Any:
    """Read back for prediction what `save` wrote. Default: the LiteRT form, without TensorFlow."""


@hookspec
def answered(answers: Sequence[Prediction | Reading | ZooError], settings: ModelSettings) -> None:
    """Take notice of what one call was answered, in the order of its pictures; an error stands for one not read.

    Not asked but told, each plugin that has it; what it returns does not matter, and what it raises is logged. It may
    be called from several threads at once.
    """


HOOKS = ("build", "train", "preprocess", "predict", "save", "load", "answered")
