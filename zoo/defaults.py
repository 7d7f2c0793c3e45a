"""The hooks of a model whose plugin says nothing about them: what makes a plugin of one hook enough."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo import graph
from zoo.graph import Graph
from zoo.hookspecs import hookimpl
from zoo.runtime import LITERT, WEIGHTS, LiteRT, export, save_weights
from zoo.settings import ModelSettings
from zoo.types import Batch, Data, History, Image, Report, Scores, Trace, Weights
from zoo.views import around

if TYPE_CHECKING:
    import keras


@hookimpl(trylast=True)
def train(model: keras.Model, data: Data, settings: ModelSettings, report: Report) -> History:
    """Keras layers, cross-entropy, the optimizer and schedule of the settings; see `zoo.fitting`."""
    from zoo import fitting

    return fitting.fit(model, data, settings, report)


@hookimpl(trylast=True)
def preprocess(image: Image, settings: ModelSettings) -> tuple[Batch, Trace]:
    """Find the digit and bring it to MNIST's form; or with preprocess = "resize" only squeeze the picture."""
    from zoo import ink

    return ink.resize(image) if settings.preprocess == "resize" else ink.normalise(image, settings.ink)


@hookimpl(trylast=True)
def predict(model: LiteRT | Graph, batch: Batch) -> Scores:
    """The runtime's probabilities."""
    return model.predict(batch)


@hookimpl(trylast=True)
def save(model: keras.Model, folder: Path, settings: ModelSettings, seen: Batch) -> bool:
    """Weights without the optimizer, and the LiteRT form, if it is to answer, which is seen to agree with them."""
    save_weights(model, folder / WEIGHTS)
    if settings.runtime == "tensorflow":
        return True
    # Weights that are shown by small changes of the picture must not come in steps.
    kept: Weights = "float32" if settings.why == "weights" else settings.weights
    export(around(model, settings.views), folder / LITERT, np.asarray(seen, np.float32), kept)
    return True


@hookimpl(trylast=True)
def load(folder: Path, settings: ModelSettings) -> LiteRT | Graph:
    """The LiteRT form, ready to run without TensorFlow; with runtime = "tensorflow" the network as its graph."""
    if settings.runtime == "tensorflow":
        return graph.load(settings.untrained, folder / WEIGHTS, settings.views)
    return LiteRT(folder / LITERT)
