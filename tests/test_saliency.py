"""Which pixels decided: on a network whose reasons are known, and on real digits."""

from __future__ import annotations

import numpy as np
import pytest

from zoo import Zoo, saliency
from zoo.errors import UnknownLabel
from zoo.types import Batch, Scores


def corner(batch: Batch) -> Scores:
    """Says 1 the surer the more ink there is in the upper left, and 0 the surer the more in the lower right."""
    for_one, for_zero = batch[:, :8, :8].mean(axis=(1, 2, 3)), batch[:, 20:, 20:].mean(axis=(1, 2, 3))
    share = 1 / (1 + np.exp(-8 * (for_one - for_zero)))
    return np.stack([1 - share, share], axis=1).astype(np.float32)


def test_the_ink_that_speaks_for_a_label_is_told_from_the_ink_against_it_and_from_idle_ink() -> None:
    seen = np.zeros((28, 28, 1), np.float32)
    for part in (slice(2, 6), slice(12, 16), slice(22, 26)):
        seen[part, part] = 1
    heat = saliency.occlusion(seen, corner, 1)
    assert heat.dtype == np.float32
    assert heat[2:6, 2:6].min() > 0
    assert heat[22:26, 22:26].max() < 0
    assert np.abs(heat[12:16, 12:16]).max() == 0
    assert not heat[seen[..., 0] == 0].any()
    assert np.allclose(saliency.occlusion(seen, corner, 0), -heat, atol=1e-4)


def test_all_patches_are_asked_at_once_and_bare_ground_is_not_asked() -> None:
    calls: list[int] = []

    def counted(batch: Batch) -> Scores:
        calls.append(len(batch))
        return corner(batch)

    seen = np.zeros((28, 28, 1), np.float32)
    assert not saliency.occlusion(seen, counted, 1).any()
    assert not calls
    seen[10:14, 10:14] = 1
    saliency.occlusion(seen, counted, 1)
    assert len(calls) == 1
    assert calls[0] == 1 + 3 * 3


def test_without_the_pixels_that_decided_a_digit_is_not_read_any_more(root, mnist) -> None:
    """Covering the tenth of a digit's ink that the map points at lowers its odds more than covering any other tenth."""
    zoo = Zoo.open(root, environ={})
    loaded = zoo.model("cnn").load()
    lost, others = [], []
    for place in range(10):
        seen = mnist.images[place].astype(np.float32) / 255
        label = int(mnist.classes[place])
        heat = saliency.occlusion(seen, loaded.probabilities, label)
        inked = np.argwhere(seen[..., 0] > 0.3)
        order = np.argsort(-heat[tuple(inked.T)])
        tenth = len(inked) // 10

        def odds(gone: np.ndarray, seen: np.ndarray = seen, label: int = label) -> float:
            without = seen.copy()
            without[tuple(gone.T)] = 0
            share = float(loaded.probabilities(without[np.newaxis])[0, label])
            return float(np.log(share + 1e-6) - np.log(1 - share + 1e-6))

        lost.append(odds(inked[order[:tenth]]))
        others.append(odds(inked[order[-tenth:]]))
    assert np.mean(lost) < np.mean(others) - 1


def test_a_label_that_the_model_does_not_tell_is_refused(root, picture) -> None:
    zoo = Zoo.open(root, environ={})
    assert zoo.why("linear", picture(0)).label == "7"
    assert zoo.why("linear", picture(0), label="1").label == zoo.why("linear", picture(0), label=1).label == "1"
    for label in ("12", 12):
        with pytest.raises(UnknownLabel, match=r'no label "12".*0, 1, 2'):
            zoo.why("linear", picture(0), label=label)


def test_a_linear_network_shows_its_weights() -> None:
    rng = np.random.default_rng(28)
    matrix = rng.normal(0, 0.2, (784, 3))

    def linear(batch: Batch) -> Scores:
        powers = np.exp(batch.reshape(len(batch), 784) @ matrix)
        shares: Scores = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
        return shares

    heat = saliency.weights(rng.random((28, 28, 1), np.float32), linear, 2)
    wanted = (matrix[:, 2] - matrix.mean(axis=1)).reshape(28, 28)
    np.testing.assert_allclose(heat, wanted, atol=1e-3)


def test_the_dense_network_of_the_zoo_shows_the_weights_in_effect(root, picture) -> None:
    """Those of its file, through the hidden units that this picture wakes, at the card's temperature."""
    zoo = Zoo.open(root, environ={})
    why = zoo.why("linear", picture(0))
    assert why.by == "weights"
    loaded = zoo.model("linear").load()
    interpreter = loaded.handle._single
    tensors = {
        tuple(int(n) for n in one["shape"]): interpreter.get_tensor(one["index"])
        for one in interpreter.get_tensor_details()
        if tuple(one["shape"]) in {(128, 784), (10, 128), (128,)}
    }
    seen = zoo.look(loaded, picture(0)).seen.reshape(-1)
    awake = tensors[128, 784] @ seen + tensors[(128,)] > 0
    effect = (tensors[10, 128] * awake) @ tensors[128, 784]  # (10, 784)
    card = loaded.card
    assert card.calibration is not None
    wanted = (effect[7] - effect.mean(axis=0)).reshape(28, 28) / card.calibration.temperature
    assert np.corrcoef(why.heat.ravel(), wanted.ravel())[0, 1] > 0.999
    assert zoo.why("cnn", picture(0)).by == "occlusion"
