"""The models that come with the zoo: their cards are true, and what serves agrees with what was trained."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from zoo import Zoo, scenes, strokes
from zoo.datasets import Labelled

EPOCHS = {"cnn": 40, "linear": 100, "cnn_5": 5, "cnn_10": 10, "cnn_300": 300, "deep": 12, "tiny": 32, "ensemble": 0}
PARAMETERS = {
    "cnn": 121_930,
    "linear": 101_770,
    "cnn_5": 121_930,
    "cnn_10": 121_930,
    "cnn_300": 121_930,
    "deep": 326_826,
    "tiny": 8_994,
    "ensemble": 3 * 326_826 + 121_930,
}
# Test accuracies of the models that this zoo replaces; for the last two, what they are for.
TO_BEAT = {"cnn": 0.9920, "linear": 0.9782, "cnn_5": 0.9909, "cnn_10": 0.9894, "cnn_300": 0.9922} | {
    "deep": 0.9960,
    "tiny": 0.9920,
    "ensemble": 0.9960,
}


@pytest.fixture(scope="module")
def zoo(shipped: Path) -> Zoo:
    return Zoo.open(shipped, environ={})


@pytest.mark.parametrize("name", EPOCHS)
def test_the_card_says_what_was_asked_of_the_model(zoo: Zoo, name: str) -> None:
    card = zoo.model(name).card()
    assert card is not None
    assert card.training["epochs"] == card.settings["epochs"] == EPOCHS[name]
    assert card.parameters == PARAMETERS[name]
    assert card.settings["validation"] == 5000
    wanted = zoo.model(name).settings.model_dump(mode="json")
    assert {key: wanted[key] for key in card.overrides} == card.overrides  # said on the command line, then in the file
    rows = list(
        csv.DictReader((zoo.catalogue.path(*zoo.model(name).select()) / "history.csv").read_text().splitlines())
    )
    assert len(rows) == max(1, EPOCHS[name])


@pytest.mark.parametrize("name", EPOCHS)
def test_the_measured_accuracy_beats_the_model_it_replaces(zoo: Zoo, name: str) -> None:
    card = zoo.model(name).card()
    assert card is not None
    assert card.evaluation is not None
    assert card.evaluation.accuracy >= TO_BEAT[name]


def test_all_checkpoints_together_are_small(root: Path) -> None:
    assert sum(path.stat().st_size for path in (root / "checkpoints").rglob("*") if path.is_file()) < 32_000_000


def test_the_plain_network_is_kept_beside_the_one_trained_on_varied_pictures(zoo: Zoo) -> None:
    plain, varied = zoo.catalogue.card("cnn", 1), zoo.model("cnn").card()
    assert varied is not None
    assert varied.ref == "cnn/2"
    assert not plain.settings.get("drawn")
    assert varied.settings["drawn"] > 0
    assert any(varied.settings["augment"].values())


@pytest.mark.parametrize("name", EPOCHS)
def test_every_model_is_calibrated_and_its_confidence_can_be_trusted(zoo: Zoo, name: str) -> None:
    card = zoo.model(name).card()
    assert card is not None
    assert card.calibration is not None
    assert card.evaluation is not None
    assert card.evaluation.calibration is not None
    assert card.evaluation.robustness is not None
    assert card.evaluation.calibration.ece <= 0.005
    assert sum(card.evaluation.rejected.values()) <= 0.01 * card.evaluation.pictures


def test_the_default_model_rejects_what_is_no_digit(zoo: Zoo, mnist: Labelled) -> None:
    rng = np.random.default_rng(17)
    digits = mnist.images[..., 0]
    rows = [scenes.lines([digits[rng.integers(0, 10_000, 4)]], [""], rng).picture for _ in range(20)]
    blanks = [np.full((60, 60), level, np.uint8) for level in (0, 90, 200, 255)]
    noise = [rng.integers(0, 256, (side, side), np.uint8).astype(np.uint8) for side in (28, 64, 200)]
    signs = list(strokes.no_digits(mnist.images, 100, seed=31)[..., 0])

    def rejected(pictures: list[np.ndarray]) -> float:
        return float(np.mean([answer.rejected for answer in zoo.predict_many(None, pictures)]))  # type: ignore[union-attr]

    assert rejected(rows) >= 0.95
    assert rejected(blanks) == 1
    assert rejected(noise) == 1
    assert rejected(signs) >= 0.8
    assert rejected([scenes.photo(digits[i], rng) for i in range(100)]) <= 0.03


def test_their_settings_are_those_of_settings_toml(zoo: Zoo) -> None:
    from zoo.checking import check

    assert not [finding for finding in check(zoo) if finding.level != "ok"]


@pytest.mark.long
@pytest.mark.parametrize("name", EPOCHS)
def test_the_whole_test_set_through_litert_keras_and_the_full_route(zoo: Zoo, mnist: Labelled, name: str) -> None:
    from zoo import backend
    from zoo.runtime import WEIGHTS, gives_probabilities, keras_probabilities
    from zoo.views import around

    model = zoo.model(name)
    loaded = model.load()
    batch = mnist.images.astype(np.float32) / np.float32(255)
    # Without the card's temperature, which keeps the order but not the values.
    litert = np.asarray(loaded.hooks.call("predict", model=loaded.handle, batch=batch, settings=loaded.settings))

    backend.start()
    network = loaded.hooks.call("build", settings=loaded.settings)
    network.load_weights(zoo.catalogue.path(*model.select()) / WEIGHTS)
    network = around(network, loaded.settings.views)
    keras = keras_probabilities(network, batch, gives_probabilities(network, batch[:64]))
    assert np.abs(litert - keras).mean() <= 5e-4, "8 bits hardly change an answer"
    assert (litert.argmax(axis=1) == keras.argmax(axis=1)).mean() >= 0.999

    evaluation = loaded.card.evaluation
    assert evaluation is not None
    card = mnist.classes.copy()
    for mistake in evaluation.mistakes:
        assert card[mistake.index] == mistake.label
        card[mistake.index] = mistake.predicted
    two_best = np.sort(litert, axis=1)[:, -2:]
    clear = two_best[:, 1] - two_best[:, 0] > 1e-4
    assert (litert.argmax(axis=1) == card)[clear].all()
    assert (litert.argmax(axis=1) == mnist.classes).mean() == pytest.approx(evaluation.accuracy, abs=0.0002)


@pytest.mark.long
def test_evaluating_again_gives_the_same_figures(zoo: Zoo, root: Path, tmp_path: Path) -> None:
    before = zoo.model("linear").card()
    assert before is not None
    assert before.evaluation is not None
    shutil.copytree(root / "checkpoints/linear", tmp_path / "checkpoints/linear")
    shutil.copytree(root / "plugins", tmp_path / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "settings.toml").write_text("[models.linear]\n")
    _, after = Zoo.open(tmp_path, environ={}).evaluate("linear")
    said = before.evaluation.model_dump(exclude={"created"}, exclude_unset=True)
    assert {name: after.model_dump()[name] for name in said} == said
