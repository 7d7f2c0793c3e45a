"""A model made of other models: joined into one graph, that answers by itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from zoo import Zoo
from zoo.datasets import Labelled
from zoo.errors import ModelUnavailable, UnknownCheckpoint, UnknownModel


@pytest.fixture
def joined(zoo_folder: Path, root: Path) -> Path:
    """The trained zoo with a second version of `soft` and the ensemble of both, not joined yet."""
    shutil.copy(root / "plugins/ensemble.py", zoo_folder / "plugins")
    Zoo.open(zoo_folder, environ={}).train("soft", overrides={"seed": 2})
    with (zoo_folder / "settings.toml").open("a") as settings:
        settings.write('\n[models.ensemble]\nmembers = ["soft/1", "soft/2"]\n')
    return zoo_folder


@pytest.mark.long
def test_its_answer_is_the_mean_of_its_members(joined: Path, mnist: Labelled) -> None:
    zoo = Zoo.open(joined, environ={})
    card = zoo.train("ensemble", overrides={"views": {"turn": 0, "zoom": 0}, "weights": "float32"})
    zoo.train("ensemble")  # version 2 looks from four sides
    assert card.parameters == 2 * 7850
    assert card.settings["members"] == ["soft/1", "soft/2"]
    batch = mnist.images[:200].astype(np.float32) / np.float32(255)

    def raw(name: str, version: int) -> np.ndarray:
        loaded = zoo.model(name).load(version)
        return np.asarray(loaded.hooks.call("predict", model=loaded.handle, batch=batch, settings=loaded.settings))

    sure = [zoo.temperature(f"soft/{version}") for version in (1, 2)]
    assert min(sure) > 0
    assert sure != [1, 1]
    mean = np.prod([raw("soft", version) ** (0.5 / sure[version - 1]) for version in (1, 2)], axis=0)
    plain, wide = raw("ensemble", 1), raw("ensemble", 2)
    np.testing.assert_allclose(plain, mean / mean.sum(axis=1, keepdims=True), atol=5e-3)  # members answer in 8 bits
    assert 0.001 < np.abs(wide - plain).mean() < 0.1
    assert (wide.argmax(axis=1) == plain.argmax(axis=1)).mean() > 0.8

    shutil.rmtree(joined / "checkpoints/soft")  # it needs its members no more
    answers = Zoo.open(joined, environ={}).predict_many("ensemble", list(mnist.images[:20, ..., 0]))
    assert np.mean([answer.digit == truth for answer, truth in zip(answers, mnist.classes, strict=False)]) > 0.6  # type: ignore[union-attr]


@pytest.mark.long
@pytest.mark.parametrize(
    ("members", "error", "says"),
    [
        (["soft/1", "nobody"], UnknownModel, 'There is no model "nobody"'),
        (["soft/1", "soft/7"], UnknownCheckpoint, 'Model "soft" has no checkpoint 7. It has: 1, 2.'),
        (["soft/1", "soft/x"], UnknownCheckpoint, '"soft/x" names no version. Use a whole number, as in soft/1.'),
    ],
)
def test_a_member_that_is_not_there_is_named(joined: Path, members: list[str], error: type, says: str) -> None:
    zoo = Zoo.open(joined, environ={})
    with pytest.raises(error, match=says.replace(".", r"\.")):
        zoo.train("ensemble", overrides={"members": members})


def test_a_model_that_is_made_of_itself_is_named(zoo_folder: Path) -> None:
    plugin = zoo_folder / "plugins/soft.py"
    plugin.write_text(plugin.read_text().replace("    from keras", "    settings.member('soft')\n    from keras", 1))
    with pytest.raises(ModelUnavailable, match=r"^soft/1 is made of soft/1: a cycle\."):
        Zoo.open(zoo_folder, environ={}).train("soft")


def test_a_member_without_weights_of_a_network_is_named(zoo_folder: Path) -> None:
    folder = zoo_folder / "checkpoints/soft/1"
    (folder / "model.weights.h5").unlink()
    card = json.loads((folder / "card.json").read_text())
    del card["seal"], card["files"]["model.weights.h5"]
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(ModelUnavailable, match=r"^soft/1 has no weights of a Keras network .* cannot be a member"):
        Zoo.open(zoo_folder, environ={}).network("soft/1")


def test_without_tensorflow_a_network_is_unavailable(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    says = r"^The network of soft/1 needs TensorFlow, which is not installed\. Install it: pip install 'flask-model-zoo"
    with pytest.raises(ModelUnavailable, match=says):
        Zoo.open(trained, environ={}).network("soft")
