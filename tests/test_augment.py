"""Varied training pictures: like the originals, different each time, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zoo import Zoo, datasets
from zoo.settings import Augmentation

KINDS = {
    "rotate": 20,
    "shear": 20,
    "scale": 0.2,
    "shift": 2,
    "elastic": 1,
    "thickness": 0.5,
    "blur": 0.8,
    "contrast": 0.5,
    "noise": 0.1,
}


def varied(settings: Augmentation, seed: int) -> tuple[np.ndarray, np.ndarray]:
    import tensorflow as tf

    from zoo.augment import augment

    pictures = datasets.training_data("mnist", 5000).images[:64].astype(np.float32) / 255
    return pictures, augment(tf.constant(pictures), settings, tf.constant([1, seed])).numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_changes_pictures_and_keeps_them_pictures(kind: str) -> None:
    before, after = varied(Augmentation(**{kind: KINDS[kind]}), seed=1)
    assert after.shape == before.shape
    assert after.dtype == np.float32
    assert after.min() >= 0
    assert after.max() <= 1
    changed = np.abs(after - before).mean(axis=(1, 2, 3))
    assert (changed > 1e-4).mean() > 0.9, "nearly every picture is varied"
    assert changed.mean() < 0.15, "it is still the same digit"


def test_the_same_seed_varies_alike_and_another_differently() -> None:
    settings = Augmentation(**KINDS)
    np.testing.assert_array_equal(varied(settings, 1)[1], varied(settings, 1)[1])
    assert np.abs(varied(settings, 1)[1] - varied(settings, 2)[1]).max() > 0.1


def test_nothing_asked_is_nothing_changed() -> None:
    assert not Augmentation().any
    before, after = varied(Augmentation(), 1)
    np.testing.assert_array_equal(before, after)


@pytest.mark.long
def test_a_varied_averaged_run_resumes_where_an_unbroken_one_would_be(empty_zoo: Path) -> None:
    from test_training import StopAfter, weights

    zoo = Zoo.open(empty_zoo, environ={})
    changes = {"epochs": 2, "ema": 0.9, "augment": {"rotate": 10, "elastic": 0.5, "noise": 0.1}}
    zoo.train("soft", overrides=changes)
    with pytest.raises(KeyboardInterrupt):
        zoo.train("soft", overrides=changes, progress=StopAfter(1))
    zoo.train("soft", overrides=changes, resume=True)
    assert weights(empty_zoo, 1) == weights(empty_zoo, 2)


def test_settings_toml_takes_a_table_of_it(zoo_folder: Path) -> None:
    from zoo.errors import SettingsError

    settings = zoo_folder / "settings.toml"
    settings.write_text("[models.soft.augment]\nrotate = 10\n")
    assert Zoo.open(zoo_folder, environ={}).models["soft"].settings.augment.rotate == 10
    settings.write_text("[models.soft.augment]\nrotat = 10\n")
    with pytest.raises(SettingsError, match=r'\[models.soft.augment\] rotat: no such setting .*Did you mean "rotate"'):
        Zoo.open(zoo_folder, environ={})
