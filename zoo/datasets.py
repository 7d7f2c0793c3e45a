"""Load the data that comes with the zoo. Its SHA-256 is checked each time it is read."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DatasetError, cut
from zoo.types import DIGITS, Data

MNIST = Path(__file__).parent / "data" / "mnist"
MNIST_SHA256 = {
    "train-images-idx3-ubyte.gz": "0b367032e93c5d0cea0925647cfdb18614af8ee15f83e6f2fc2ad904a6835971",
    "train-labels-idx1-ubyte.gz": "1787548bbe0bff1ec2ecdc0ef292b02df999e2d1a6002d27500982c652b17203",
    "t10k-images-idx3-ubyte.gz": "1a1a05eab793c14bb050b398624a11b0ffd1a2953baed553b1b9bd079e2a20be",
    "t10k-labels-idx1-ubyte.gz": "b91679a0acfe4ba0e50a2437a903084cba1f5f92592b016a25a7dfd00455798b",
}


@dataclass(frozen=True)
class Labelled:
    """Labelled pictures: uint8 images (n, 28, 28, 1), ink light; int64 classes (n,); the classes' labels."""

    name: str
    images: NDArray[np.uint8]
    classes: NDArray[np.int64]
    labels: tuple[str, ...]


def training_data(dataset: str, validation: int) -> Data:
    """Return the training pictures, with the last `validation` of them held out. Test pictures are not read.

    Raises DatasetError for any dataset but "mnist", and for damaged or unreadable files.
    """
    _check(dataset)
    images, classes = _mnist("train")
    cut = len(images) - validation
    return Data(images[:cut], classes[:cut], images[cut:], classes[cut:], DIGITS)


def test_data(dataset: str) -> Labelled:
    """Return the test pictures, which only measure a finished model and never help to choose one.

    Raises DatasetError as `training_data` does.
    """
    _check(dataset)
    images, classes = _mnist("t10k")
    return Labelled(f"{dataset} test", images, classes, DIGITS)


def fingerprint(dataset: str) -> dict[str, str]:
    """Return the SHA-256 of each of the dataset's files, by name. Raises DatasetError for an unknown dataset."""
    _check(dataset)
    return dict(MNIST_SHA256)


def _check(dataset: str) -> None:
    """Raise DatasetError for any dataset but "mnist"."""
    if dataset != "mnist":
        raise DatasetError(f'There is no dataset "{cut(dataset)}". The only one is "mnist".')


def _mnist(part: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return images (n, 28, 28, 1) and classes (n,) of MNIST's `part`: "train", or "t10k" for the test pictures."""
    images = _idx(f"{part}-images-idx3-ubyte.gz", header=16).reshape(-1, 28, 28, 1)
    classes = _idx(f"{part}-labels-idx1-ubyte.gz", header=8).astype(np.int64)
    return images, classes


def _idx(name: str, header: int) -> NDArray[np.uint8]:
    """Return the bytes after an IDX header. Its sizes are not read: the checksum identifies the file."""
    path = MNIST / name
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"MNIST's file {path} cannot be read: {error.strerror}. Reinstall flask-model-zoo."
        ) from error
    found = hashlib.sha256(packed).hexdigest()
    if found != MNIST_SHA256[name]:
        raise DatasetError(
            f"MNIST's file {path} is not the one that came with this zoo: SHA-256 {found[:12]}…, "
            f"expected {MNIST_SHA256[name][:12]}…. Reinstall flask-model-zoo."
        )
    return np.frombuffer(gzip.decompress(packed), np.uint8, offset=header)
