"""The default hooks, used where a model's plugin has none of its own; so `build` is the only hook a plugin needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo import graph
from zoo.errors import ModelUnavailable
from zoo.graph import Graph
from zoo.hookspecs import hookimpl
from zoo.runtime import LITERT, WEIGHTS, LiteRT, export, save_weights
from zoo.settings import ModelSettings
from zoo.types import Batch, Data, History, Image, Input, Report, Scores, Trace, Weights
from zoo.views import around

if TYPE_CHECKING:
    import keras


@hookimpl(trylast=True)
def train(model: keras.Model, data: Data, settings: ModelSettings, report: Report) -> History:
    """Train with cross-entropy and the optimizer and schedule of the settings; see `zoo.fitting`."""
    from zoo import fitting

    return fitting.fit(model, data, settings, report)


@hookimpl(trylast=True)
def preprocess(image: Image, settings: ModelSettings) -> tuple[Input, Trace]:
    """Find the digit and bring it to MNIST's form; with preprocess = "resize", only resize the picture."""
    from zoo import ink

    return ink.resize(image) if settings.preprocess == "resize" else ink.normalise(image, settings.ink)


@hookimpl(trylast=True)
def predict(model: LiteRT | Graph, batch: Batch) -> Scores:
    """Return the runtime's probabilities, float32 (n, k)."""
    return model.predict(batch)


@hookimpl(trylast=True)
def save(model: keras.Model, folder: Path, settings: ModelSettings, seen: Batch) -> bool:
    """Save the weights without the optimizer, and, unless TensorFlow answers, a LiteRT file that agrees with them."""
    save_weights(model, folder / WEIGHTS)
    if settings.runtime == "tensorflow":
        return True
    # With why = "weights" the network is probed with small changes of the picture, which int8 would turn into steps.
    kept: Weights = "float32" if settings.why == "weights" else settings.weights
    export(around(model, settings.views), folder / LITERT, np.asarray(seen, np.float32), kept)
    return True


@hookimpl(trylast=True)
def load(folder: Path, settings: ModelSettings) -> LiteRT | Graph:
    """Load the LiteRT file, which runs without TensorFlow; with runtime = "tensorflow", the network as a graph."""
    if settings.runtime == "tensorflow":
        return graph.load(settings.untrained, folder / WEIGHTS, settings.views)
    if not (folder / LITERT).exists():
        raise ModelUnavailable(
            f'Model "{settings.name}": its save hook wrote no {LITERT}, which the zoo\'s own load reads. Give the '
            "plugin a load hook that reads what save writes."
        )
    return LiteRT(folder / LITERT)
