"""Measure how well digits are read in a photograph's surroundings: under a shadow's edge, and on a note on a table.

    python benchmarks/places.py                                    # every model; synthetic photographs of test digits
    python benchmarks/places.py --model deep --digits digits/labels.csv

Prints a Markdown table of the shares read right. Of files, only those with dark ink are used whose long side has at
least 100 pixels.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image

from zoo import Zoo, datasets, labelled, scenes
from zoo.errors import ZooError
from zoo.types import DIGITS, Image

SEED = 11
LEAST = 100  # pixels that the long side of a picture needs
MOST = 1200  # pixels of the long side; larger files are scaled down to it
WOOD = (60, 45, 35)  # RGB of the table


def shadow(soft: float) -> Callable[[Image, np.random.Generator], Image]:
    """Return a function that casts a shadow on about half of a picture, which takes 45 % of the light.

    `soft` is the width of its edge as a share of the picture's long side.
    """

    def cast(picture: Image, rng: np.random.Generator) -> Image:
        height, width = picture.shape[:2]
        turn, long = rng.uniform(0, 2 * np.pi), max(height, width)
        across, down = np.arange(width) - width / 2, np.arange(height)[:, None] - height / 2
        away = (across * np.cos(turn) + down * np.sin(turn)) / long - rng.uniform(-0.2, 0.2)
        light = 1 - 0.45 / (1 + np.exp(-4 * away / soft))
        return np.asarray(picture * light[:, :, None], np.uint8)

    return cast


def note(larger: float, turn: float = 0) -> Callable[[Image, np.random.Generator], Image]:
    """Return a function that lays a picture on a dark table `larger` times its size, and turns it by `turn` degrees."""

    def lay(picture: Image, rng: np.random.Generator) -> Image:
        height, width = picture.shape[:2]
        side = round(larger * max(height, width))
        grain = np.array(WOOD) + rng.normal(0, 6, (side, side, 1))
        table = PIL.Image.fromarray(grain.clip(0, 255).astype(np.uint8))
        table.paste(PIL.Image.fromarray(picture), ((side - width) // 2, (side - height) // 2))
        return np.asarray(table.rotate(turn, PIL.Image.Resampling.BICUBIC, fillcolor=WOOD))

    return lay


PLACES: dict[str, Callable[[Image, np.random.Generator], Image]] = {
    "as they are": lambda picture, rng: picture,
    "the edge of a shadow, sharp": shadow(0.02),
    "the edge of a shadow, soft": shadow(0.1),
    "on a table 1.6 times as large": note(1.6),
    "the same, turned by 12 degrees": note(1.6, 12),
    "on a table 2.5 times as large": note(2.5),
}


def of_test_digits(count: int) -> tuple[list[Image], list[str]]:
    """Return `count` test digits as ink on paper, at least 100 pixels on the long side, and their labels."""
    rng = np.random.default_rng(SEED)
    data = datasets.test_data("mnist")
    pictures, labels = [], []
    for i in rng.permutation(len(data.images)):
        picture = scenes.photo(data.images[i, ..., 0], rng)
        if max(picture.shape) >= LEAST:
            pictures.append(picture)
            labels.append(str(data.classes[i]))
        if len(pictures) == count:
            break
    return pictures, labels


def of_files(path: Path, zoo: Zoo) -> tuple[list[Image], list[str]]:
    """Return the pictures with dark ink in a folder or CSV, uint8 RGB, and their labels."""
    pictures, labels = [], []
    for file, label in labelled.read(path, DIGITS):
        try:
            trace, picture = zoo.predict(None, file).trace, PIL.Image.fromarray(zoo.decode(file))
        except ZooError:
            continue
        if trace is None or trace.polarity != "dark-on-light" or picture.mode == "RGBA" or max(picture.size) < LEAST:
            continue
        picture.thumbnail((MOST, MOST))
        pictures.append(np.asarray(picture.convert("RGB")))
        labels.append(label)
    return pictures, labels


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--model", action="append", help="may be said several times")
    words.add_argument("--digits", type=Path, help="labelled files of digits: a CSV, or a folder of folders")
    words.add_argument("--count", type=int, default=500, help="test digits")
    asked = words.parse_args()
    zoo = Zoo.open()
    pictures, labels = of_files(asked.digits, zoo) if asked.digits else of_test_digits(asked.count)
    names = asked.model or list(zoo.models)
    print(f"| {len(pictures)} pictures | " + " | ".join(f"`{name}`" for name in names) + " |")
    print("|---|" + "---|" * len(names))
    for place, put in PLACES.items():
        rng = np.random.default_rng(SEED)
        put_there = [put(picture, rng) for picture in pictures]
        shares = []
        for name in names:
            answers = zoo.predict_many(name, put_there)
            right = [not isinstance(a, ZooError) and a.label == b for a, b in zip(answers, labels, strict=True)]
            shares.append(100 * np.mean(right))
        print(f"| {place} | " + " | ".join(f"{share:.1f} %" for share in shares) + " |", flush=True)


if __name__ == "__main__":
    main()
