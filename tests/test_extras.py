"""What is trained on besides: in MNIST's form, of the right class, the same for the same seed, never validated on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo import ModelSettings, Zoo, datasets, extras


def test_they_are_trained_on_and_never_validated_on() -> None:
    plain = datasets.training_data("mnist", 5000)
    assert extras.added(plain, ModelSettings()) is plain
    more = extras.added(plain, ModelSettings(drawn=30))
    assert len(more.images) == len(more.classes) == len(plain.images) + 30
    np.testing.assert_array_equal(more.validation_images, plain.validation_images)


def test_pictures_of_no_digit_have_no_class_and_follow_the_seed() -> None:
    plain = datasets.training_data("mnist", 5000)
    one, again, other = (extras.added(plain, ModelSettings(others=40, seed=seed)).others for seed in (1, 1, 2))
    assert one.shape == (40, 28, 28, 1)
    assert (one.max(axis=(1, 2, 3)) > 200).all()
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert len(extras.added(plain, ModelSettings(others=40)).images) == len(plain.images)


def test_a_coarse_scan_fills_its_square_and_keeps_its_class() -> None:
    plain = datasets.training_data("mnist", 5000)
    more = extras.added(plain, ModelSettings(coarse=60))
    images, classes = more.images[len(plain.images) :], more.classes[len(plain.images) :]
    assert images.shape == (60, 28, 28, 1)
    wide = [np.flatnonzero((image[..., 0] > 60).any(axis=0)) for image in images[classes != 1]]
    assert np.median([places[-1] + 1 - places[0] for places in wide]) >= 19, "MNIST's own are about 16 wide"
    np.testing.assert_array_equal(images, extras.added(plain, ModelSettings(coarse=60)).images[len(plain.images) :])
    both = extras.added(plain, ModelSettings(drawn=30, coarse=60))
    assert len(both.images) == len(both.classes) == len(plain.images) + 90


def test_photographed_digits_have_mnists_form_and_keep_their_class(root: Path) -> None:
    plain = datasets.training_data("mnist", 5000)
    more = extras.added(plain, ModelSettings(photographed=60))
    images, classes = more.images[len(plain.images) :], more.classes[len(plain.images) :]
    assert 55 <= len(images) == len(classes) <= 60
    assert (images.max(axis=(1, 2, 3)) > 200).all(), "full ink"
    read = Zoo.open(root, environ={}).predict_many("cnn", list(images[..., 0]))
    assert np.mean([answer.label == str(label) for answer, label in zip(read, classes, strict=True)]) > 0.9  # type: ignore[union-attr]
    np.testing.assert_array_equal(
        images, extras.added(plain, ModelSettings(photographed=60)).images[len(plain.images) :]
    )


def test_of_no_digits_there_are_no_photographs() -> None:
    images, found = extras.photographed(np.empty((0, 28, 28), np.uint8), np.random.default_rng(1))
    assert (images.shape, len(found)) == ((0, 28, 28, 1), 0)
