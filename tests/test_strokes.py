"""Digits drawn by rule: in MNIST's form, of every class, the same for the same seed, and a help to training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zoo import Zoo, datasets, glyphs, strokes


def test_drawn_digits_have_mnists_form() -> None:
    images, classes = strokes.draw(200, seed=3)
    assert images.shape == (200, 28, 28, 1)
    assert images.dtype == np.uint8
    assert (np.bincount(classes) == 20).all()
    assert (images.max(axis=(1, 2, 3)) > 200).all(), "full ink"
    ink = images[..., 0].astype(float)
    middle = (ink.sum(axis=1) @ np.arange(28)) / ink.sum(axis=(1, 2))
    assert np.abs(middle - 14).max() < 0.6, "centred by mass"


def test_the_same_seed_draws_the_same_and_another_others() -> None:
    np.testing.assert_array_equal(strokes.draw(20, 1)[0], strokes.draw(20, 1)[0])
    assert (strokes.draw(20, 1)[0] != strokes.draw(20, 2)[0]).any()


@pytest.mark.long
def test_training_learns_to_be_unsure_of_what_is_no_digit(zoo_folder: Path) -> None:
    plugin = zoo_folder / "plugins/soft.py"
    plugin.write_text(
        plugin.read_text().replace("layers.Dense(10", 'layers.Dense(128, activation="relu"), layers.Dense(10')
    )
    zoo = Zoo.open(zoo_folder, environ={})
    plain = zoo.train("soft", overrides={"epochs": 6})
    taught = zoo.train("soft", overrides={"epochs": 6, "others": 4000})
    pictures = list(strokes.no_digits(datasets.training_data("mnist", 5000).validation_images, 100, seed=99)[..., 0])
    sure, unsure = (
        np.mean([answer.confidence for answer in zoo.predict_many("soft", pictures, version=card.version)])  # type: ignore[union-attr]
        for card in (plain, taught)
    )
    assert unsure < sure - 0.1


@pytest.mark.parametrize("digit", glyphs.DIGITS)
def test_every_form_can_be_read(root: object, digit: int) -> None:
    """What a model never trained on them reads of the ordinary ones shows that they are the digit they are called."""
    zoo = Zoo.open(root, environ={})  # type: ignore[arg-type]
    images, classes = strokes.draw(300, seed=11)
    mine = images[classes == digit]
    read = [answer.label for answer in zoo.predict_many("cnn", list(mine[..., 0]))]  # type: ignore[union-attr]
    assert np.mean([label == str(digit) for label in read]) > 0.6
