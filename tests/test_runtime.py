"""The LiteRT form of a network: small and quick, and still the network."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from zoo import Zoo
from zoo.datasets import Labelled
from zoo.errors import TrainingError
from zoo.runtime import LITERT, LiteRT, export
from zoo.types import Batch

if TYPE_CHECKING:
    import keras


@pytest.fixture
def batch(mnist: Labelled) -> Batch:
    return mnist.images[:64].astype(np.float32) / np.float32(255)


def network() -> keras.Model:
    import keras

    keras.utils.set_random_seed(1)
    layers = keras.layers
    return keras.Sequential(
        [layers.Input((28, 28, 1)), layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dense(10)]
    )


@pytest.mark.parametrize("name", ["cnn", "deep", "tiny"])
def test_a_picture_is_told_the_same_alone_and_in_company(root: Path, batch: Batch, name: str) -> None:
    zoo = Zoo.open(root, environ={})
    litert = zoo.model(name).load().handle
    assert isinstance(litert, LiteRT)
    alone = np.concatenate([litert.predict(batch[i : i + 1]) for i in range(len(batch))])
    for size in (2, 7, 16, 33):
        assert (litert.predict(batch[:size]) == alone[:size]).all(), "8 bits are scaled for each picture on its own"
    loud = batch[:5] * np.array([1, 50, 50, 50, 50], np.float32).reshape(-1, 1, 1, 1)
    assert (litert.predict(loud)[0] == alone[0]).all()


@pytest.mark.long
def test_8_bits_are_a_quarter_as_large_and_hardly_change_an_answer(batch: Batch, tmp_path: Path) -> None:
    model = network()
    found = {}
    for weights in ("int8", "float32"):
        export(model, tmp_path / f"{weights}.tflite", batch, weights)  # type: ignore[arg-type]
        found[weights] = LiteRT(tmp_path / f"{weights}.tflite").predict(batch)
    apart = np.abs(found["int8"] - found["float32"])
    assert 0 < apart.mean() < 1e-3
    assert (tmp_path / "int8.tflite").stat().st_size < 0.3 * (tmp_path / "float32.tflite").stat().st_size


@pytest.mark.long
def test_weights_too_uneven_for_8_bits_stay_as_they_are(
    batch: Batch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = network()
    kernel, bias = model.layers[1].get_weights()
    kernel[0] = 1e5  # of a corner's pixel, that is black in all digits
    model.layers[1].set_weights([kernel, bias])
    export(model, tmp_path / LITERT, batch, "int8")
    assert "they stay float32" in caplog.text
    scores = LiteRT(tmp_path / LITERT).predict(batch)
    export(model, tmp_path / "float32.tflite", batch, "float32")
    assert (scores == LiteRT(tmp_path / "float32.tflite").predict(batch)).all()


def test_a_form_that_does_not_answer_is_not_called_none(batch: Batch, tmp_path: Path) -> None:
    import keras

    flat = keras.Sequential([keras.layers.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10)])
    with pytest.raises(
        TrainingError, match=r'form of the network does not run \("expected pictures of shape \(28, 28\)'
    ):
        export(flat, tmp_path / LITERT, batch)  # Keras takes them, as if the last axis were not there


def test_what_becomes_of_the_file_is_nothing_to_a_network_that_is_loaded(
    root: Path, batch: Batch, tmp_path: Path
) -> None:
    folder = tmp_path / os.fsdecode(b"zoo-\xe4")  # nor is the file's name, which need not be UTF-8
    folder.mkdir()
    path = Path(shutil.copy(root / "checkpoints/cnn_5/1" / LITERT, folder))
    kept, cut, gone, other = (LiteRT(path) for _ in range(4))
    single, many = kept.predict(batch[:1]), kept.predict(batch[:9])
    os.truncate(path, 0)
    assert (cut.predict(batch[:1]) == single).all()
    path.unlink()
    assert (gone.predict(batch[:9]) == many).all()
    shutil.copy(root / "checkpoints/cnn_10/1" / LITERT, path)
    assert (other.predict(batch[:9]) == many).all()


@pytest.mark.long
def test_single_pictures_do_not_wait_for_a_batch(root: Path, batch: Batch) -> None:
    """Where they did, a worker's event loop stood still for as long as another request's batch took."""
    network = LiteRT(root / "checkpoints/tiny/1" / LITERT)
    network.predict(batch[:9])  # both interpreters are there
    begins, ended = threading.Event(), threading.Event()

    def many() -> None:
        begins.set()
        network.predict(np.repeat(batch[:1], 30_000, axis=0))
        ended.set()

    thread = threading.Thread(target=many)
    thread.start()
    begins.wait()
    for _ in range(20):
        network.predict(batch[:1])
    assert not ended.is_set()
    thread.join()
