"""How sure a model says it is, and "that is not a digit": found when it is trained, and used everywhere."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from zoo import Zoo, calibration, datasets, files, ink, scenes, strokes
from zoo.answers import rescaled
from zoo.cards import Calibration
from zoo.errors import CardChanged, NoInk, ZooError
from zoo.types import Image


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return datasets.training_data("mnist", 5000).validation_images[..., 0]


@pytest.fixture(scope="module")
def zoo(trained: Path) -> Zoo:
    return Zoo.open(trained, environ={})


def reason(picture: Image) -> str | None:
    try:
        return ink.normalise(picture)[1].reason
    except NoInk as nothing:
        return nothing.reason


def test_another_temperature_keeps_the_order_and_the_sum() -> None:
    scores = np.array([[0.7, 0.2, 0.1], [0.98, 0.01, 0.01]], np.float32)
    for temperature in (0.5, 1.0, 3.0):
        after = rescaled(scores, temperature)
        np.testing.assert_allclose(after.sum(axis=1), 1, atol=1e-6)
        assert (after.argmax(axis=1) == scores.argmax(axis=1)).all()
    assert rescaled(scores, 3.0)[0, 0] < 0.7 < rescaled(scores, 0.5)[0, 0]
    np.testing.assert_allclose(rescaled(scores, 2.0)[0], np.sqrt(scores[0]) / np.sqrt(scores[0]).sum(), rtol=1e-6)


def test_training_calibrates(zoo: Zoo) -> None:
    card = zoo.model("soft").card()
    assert card is not None
    assert card.calibration is not None
    assert 0.2 < card.calibration.temperature < 8
    assert 0 < card.calibration.threshold < 1
    assert set(card.calibration.rejected) == {"validation", "photographed", "no digits"}
    assert card.calibration.rejected["validation"] <= 0.02


def test_what_is_told_with_less_than_the_threshold_is_rejected(zoo_folder: Path, digits: np.ndarray) -> None:
    zoo = Zoo.open(zoo_folder, environ={})
    zoo.catalogue.amend(zoo.catalogue.card("soft", 1), calibration=Calibration(temperature=1.2, threshold=0.7))
    others = list(strokes.no_digits(digits[..., None], 60, seed=5)[..., 0])
    answers = zoo.predict_many("soft", [*digits[:100], *others])
    for answer in answers:
        assert not isinstance(answer, ZooError)
        low = answer.confidence < 0.7
        assert answer.trace is not None
        assert answer.reason == (answer.trace.reason or ("not_a_digit" if low else None))
        assert answer.rejected == (answer.reason is not None)
        assert sum(answer.probabilities) == pytest.approx(1, abs=1e-5), "the scores are given all the same"
    assert any(answer.reason == "not_a_digit" for answer in answers[100:])  # type: ignore[union-attr]


def test_digits_are_rejected_only_for_what_they_are_told_from() -> None:
    digits = np.concatenate([np.linspace(0.3, 0.9, 20), np.linspace(0.9, 1, 4980)]).astype(np.float32)
    photos = digits[::6]

    def rejected(*others: float) -> float:
        least = calibration.threshold(digits, photos, np.repeat(others, 500 // len(others)).astype(np.float32))
        return float(np.mean(digits < least))

    assert rejected(0.1) < 0.0004, "none for what is less sure than any"
    assert 0.001 < rejected(0.1, 0.1, 0.5, 0.5) <= calibration.REJECTED, "a few for many"
    assert rejected(0.5, *[0.99] * 9) < 0.001, "hardly any for few"


def test_a_few_pictures_hardly_move_a_threshold() -> None:
    rng = np.random.default_rng(3)
    digits, photos, others = (rng.beta(*form).astype(np.float32) for form in ((60, 1, 5000), (60, 1, 800), (1, 2, 500)))
    least = calibration.threshold(digits, photos, others)
    for part in range(5):
        assert calibration.threshold(digits[part::2], photos[part::2], others[part::2]) == pytest.approx(
            least, abs=0.04
        )


@pytest.mark.long
def test_calibrating_again_finds_the_same_and_writes_nothing(zoo: Zoo) -> None:
    before = zoo.model("soft").card()
    assert zoo.calibrate("soft") == before


def test_several_digits_are_told_from_one(digits: np.ndarray) -> None:
    rng = np.random.default_rng(4)
    rows = [scenes.lines([digits[rng.integers(0, 5000, n)]], ["?"], rng).picture for n in (2, 3, 5) for _ in range(12)]
    assert np.mean([reason(row) == "several_objects" for row in rows]) > 0.85
    photos = [scenes.photo(digits[i], rng) for i in range(60)]
    assert np.mean([reason(photo) is None for photo in photos]) > 0.97


def test_noise_and_empty_pictures_are_nothing_to_read(digits: np.ndarray) -> None:
    rng = np.random.default_rng(4)
    for side in (28, 64, 200):
        assert reason(rng.integers(0, 256, (side, side), np.uint8).astype(np.uint8)) == "no_contrast"
        assert reason(np.full((side, side, 3), 200, np.uint8)) == "blank"


def test_composed_photographs_are_the_same_for_the_same_seed(digits: np.ndarray) -> None:
    one, other = (scenes.photo(digits[0], np.random.default_rng(8)) for _ in range(2))
    np.testing.assert_array_equal(one, other)


@pytest.mark.long
def test_a_zoo_answers_by_what_it_has_calibrated_and_an_evaluation_does_not_undo_it(zoo_folder: Path) -> None:
    zoo = Zoo.open(zoo_folder, environ={})
    model = zoo.model("soft")
    trained = model.load().card
    strict = zoo.catalogue.amend(trained, calibration=Calibration(temperature=1.2, threshold=0.999))
    found = zoo.calibrate("soft").calibration
    assert found == trained.calibration
    assert model.load().card.calibration == found
    card, _ = zoo.evaluate("soft", quick=True)
    assert card.calibration == found
    assert zoo.catalogue.card("soft", 1).calibration == found
    before = zoo.catalogue.card("soft", 1)
    with pytest.raises(CardChanged, match="zoo evaluate soft --version 1"):
        zoo.catalogue.amend(strict, evaluation=None)
    assert zoo.catalogue.card("soft", 1) == before


@pytest.mark.long
def test_a_model_that_only_squeezes_pictures_is_not_calibrated_on_photographs(trained: Path) -> None:
    loaded = Zoo.open(trained, environ={}).model("soft").load()
    data = datasets.training_data("mnist", 1000)

    def found(preprocess: str) -> Calibration:
        settings = loaded.settings.model_copy(update={"preprocess": preprocess})
        return calibration.calibrate(loaded.hooks, settings, (28, 28, 1), loaded.handle, data)

    # What it cannot see would make it twice as unsure of all that it can.
    assert found("resize").temperature == pytest.approx(found("ink").temperature, rel=0.1)


def test_two_that_change_a_card_at_once_take_turns(zoo_folder: Path) -> None:
    catalogue = Zoo.open(zoo_folder, environ={}).catalogue
    card = catalogue.card("soft", 1)
    with files.alone(catalogue.path("soft", 1)):
        other = threading.Thread(target=lambda: catalogue.amend(card, evaluation=None))
        other.start()
        other.join(0.2)
        assert other.is_alive()
    other.join(60)
    assert not other.is_alive()
