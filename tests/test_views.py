"""A network that looks at a picture from several sides, and joins what it sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo import Zoo
from zoo.datasets import Labelled
from zoo.settings import Views
from zoo.types import Batch


def turned(pictures: Batch, degrees: float) -> Batch:
    """By Pillow, which turns the other way around: a second opinion on our own turning."""
    return np.stack(
        [np.asarray(Image.fromarray(one).rotate(degrees, Image.Resampling.BILINEAR)) for one in pictures[..., 0]]
    )[..., None]


@pytest.mark.parametrize("logits", [True, False])
def test_the_answer_is_the_geometric_mean_of_all_views(mnist: Labelled, logits: bool) -> None:
    import keras

    from zoo.views import around

    keras.utils.set_random_seed(3)
    ends = [] if logits else [keras.layers.Softmax()]
    network = keras.Sequential([keras.layers.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10), *ends])
    batch = mnist.images[:30].astype(np.float32) / np.float32(255)

    def logs(pictures: Batch) -> np.ndarray:
        scores = np.asarray(network(pictures))
        return np.log(scores) if not logits else scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))

    def answer(**views: float) -> np.ndarray:
        return np.asarray(around(network, Views(**views))(batch))

    mean = np.exp((logs(turned(batch, 7)) + logs(turned(batch, -7))) / 2)
    np.testing.assert_allclose(answer(turn=7), mean / mean.sum(axis=1, keepdims=True), atol=2e-3)
    assert around(network, Views()) is network
    four, two = answer(turn=7, zoom=0.1), answer(zoom=0.1)
    assert min(np.abs(one - other).max() for one, other in ((four, two), (four, answer(turn=7)))) > 1e-3


@pytest.mark.long
def test_both_runtimes_answer_by_all_views(empty_zoo: Path, mnist: Labelled) -> None:
    zoo = Zoo.open(empty_zoo, environ={})
    views = {"turn": 10.0, "zoom": 0.1}
    zoo.train("soft", overrides={"views": views})
    zoo.train("soft", overrides={"views": views, "runtime": "tensorflow"})
    zoo.train("soft")
    digits = list(mnist.images[:50, ..., 0])
    litert, graph, plain = (
        np.array([answer.probabilities for answer in zoo.predict_many("soft", digits, version=version)])  # type: ignore[union-attr]
        for version in (1, 2, 3)
    )
    np.testing.assert_allclose(litert, graph, atol=5e-3)  # each at a temperature of its own
    assert np.abs(litert - plain).max() > 0.05
