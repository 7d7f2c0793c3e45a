"""Digits that touch: told from single ones, and parted, by the core's own network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from rings import inked, ring

from zoo import parting
from zoo.composing import compose
from zoo.datasets import Labelled
from zoo.runtime import LiteRT

TALL = 60


@pytest.mark.long
def test_several_are_told_from_one(mnist: Labelled) -> None:
    rows = compose(mnist.images[..., 0], 600, 77)
    told = LiteRT(parting.NETWORK).predict(rows.level[..., None].astype(np.float32) / np.float32(255))
    several = told[:, 0] > 0.5
    assert (several & ~rows.several).sum() <= 0.02 * (~rows.several).sum()
    assert (~several & rows.several).sum() <= 0.05 * rows.several.sum()
    ink = (rows.level > 127).reshape(len(rows.level), -1) & rows.several[:, None]
    wrong = (told[:, 1:] > 0.5) != (rows.share > 127).reshape(len(told), -1)
    assert wrong[ink].mean() < 0.04


def test_single_digits_are_one_however_large_their_piece_is(mnist: Labelled) -> None:
    for size, tall in ((28, 20.0), (84, 60.0), (280, 200.0)):
        levels = [np.asarray(PIL.Image.fromarray(mnist.images[i, ..., 0]).resize((size, size))) for i in range(40)]
        several = [one.several for one in parting.part(levels, tall)]
        assert np.mean([one > 0.5 for one in several]) <= 0.05


def test_no_ink_is_lost_or_invented_by_parting() -> None:
    level = inked(ring(10), ring(48))
    (told,) = parting.part([level], TALL)
    assert told.several > 0.9
    assert (np.maximum(told.first, told.rest) >= level * 0.9 - 1).all()
    assert (np.maximum(told.first, told.rest) <= level).all()
    columns = np.flatnonzero((told.first > 127).any(axis=0))
    assert columns[0] <= 12
    assert 44 <= columns[-1] <= 56
    columns = np.flatnonzero((told.rest > 127).any(axis=0))
    assert 44 <= columns[0] <= 56
    assert columns[-1] >= 84


def test_more_than_the_network_sees_is_parted_one_by_one() -> None:
    """Five rings in a row, of which the last two are beyond its sight."""
    rest = np.pad(inked(ring(6), ring(44), ring(82), ring(120), ring(155)), 4)
    lefts = []
    for _ in range(4):
        (told,) = parting.part([rest], TALL)
        assert told.several > 0.9
        lefts.append(int(np.flatnonzero((told.first > 127).any(axis=0))[0]))
        rest = told.rest
    assert parting.part([rest], TALL)[0].several < 0.1
    assert np.abs(np.array(lefts) - (10, 48, 86, 124)).max() <= 8


def test_nothing_gives_nothing() -> None:
    assert parting.part([], TALL) == []


def test_rows_are_composed_alike_by_the_same_seed(mnist: Labelled) -> None:
    one, other = (compose(mnist.images[..., 0], 8, 5) for _ in range(2))
    assert (one.level == other.level).all()
    assert (one.share == other.share).all()
    assert (compose(mnist.images[..., 0], 8, 6).level != one.level).any()


@pytest.mark.long
def test_the_command_trains_and_writes_a_network(tmp_path: Path, root: Path) -> None:
    out = tmp_path / "parting.tflite"
    command = [sys.executable, "-m", "zoo.touching", "--count", "480", "--epochs", "1", "--out", str(out)]
    made = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert "epoch 1: misses" in made.stdout
    told = LiteRT(out).predict(np.zeros((3, parting.HEIGHT, parting.WIDTH, 1), np.float32))
    assert told.shape == (3, 1 + parting.HEIGHT * parting.WIDTH)
    assert ((told >= 0) & (told <= 1)).all()
