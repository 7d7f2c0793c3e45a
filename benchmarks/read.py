"""Measure how many strings of digits are read without a mistake, composed of test digits on synthetic paper.

    python benchmarks/read.py                                             # the default model, 200 pictures of each kind
    python benchmarks/read.py --model cnn --count 50
    python benchmarks/read.py --digits digits/labels.csv                  # with your own digits besides MNIST's
    python benchmarks/read.py --digits digits/labels.csv --paper digits/labels.csv    # and on their paper

The seed is fixed. Prints a Markdown table with these columns, among others:

- silent mistakes: strings read wrong without any digit marked as rejected or touching
- of them found wrong: those that differ from what the model reads when given the digits one by one, in MNIST's form
- marked for nothing: strings read right with a digit marked as rejected or touching
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo import Zoo, datasets, images, labelled, scenes
from zoo.errors import ZooError
from zoo.settings import PictureSettings
from zoo.types import DIGITS, Image, Prediction

# For each kind of picture: lines, digits per line, range of gaps in digit heights, largest slant in degrees.
KINDS: dict[str, tuple[int, int, tuple[float, float], float]] = {
    "ten digits, clear gaps": (1, 10, (0.15, 0.6), 4),
    "ten digits, wide gaps": (1, 10, (0.5, 1.2), 6),
    "three lines of six": (3, 6, (0.15, 0.6), 3),
    "six digits, some touch": (1, 6, (-0.12, 0.12), 3),
}


def of_files(path: Path, zoo: Zoo) -> tuple[NDArray[np.uint8], list[str], list[Image]]:
    """Return the digits of labelled files in MNIST's form, uint8 (n, 28, 28), their labels, and blank paper near them.

    Files without a single labelled digit, or in which nothing is found, are left out. Paper is uint8 (h, w, 3).
    """
    digits, labels, papers = [], [], []
    for file, label in labelled.read(path, DIGITS):
        try:
            trace = zoo.predict(None, file).trace
            picture, step, _ = images.decode_reduced(file.read_bytes(), PictureSettings())
        except ZooError:
            continue
        if trace is None or trace.box is None or len(label) != 1 or not label.isdigit():
            continue
        digits.append(trace.seen)
        labels.append(label)
        left, top, right, bottom = (edge // step for edge in trace.box)
        above, before = max(0, top - 4), max(0, left - 4)
        sides = (picture[:, :before], picture[:, right + 4 :], picture[:above], picture[bottom + 4 :])
        blank = max(sides, key=lambda side: min(side.shape[:2]))
        if trace.polarity == "dark-on-light" and picture.ndim == 3 and min(blank.shape[:2]) > 40:
            papers.append(np.ascontiguousarray(blank[:, :, :3]))
    return np.array(digits), labels, papers


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--model")
    words.add_argument("--version", type=int)
    words.add_argument("--count", type=int, default=200)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--digits", type=Path)
    words.add_argument("--paper", type=Path)
    words.add_argument("--part", choices=["test", "validation"], default="test", help="of MNIST; tune on validation")
    asked = words.parse_args()
    zoo = Zoo.open()
    if asked.part == "test":
        data = datasets.test_data("mnist")
        digits, labels = data.images[..., 0], [str(c) for c in data.classes]
    else:
        held = datasets.training_data("mnist", 5000)
        digits, labels = held.validation_images[..., 0], [str(c) for c in held.validation_classes]
    papers: list[Image] = []
    if asked.digits:
        own, names, _ = of_files(asked.digits, zoo)
        half = np.random.default_rng(asked.seed).permutation(len(digits))[: len(own)]  # as many as there are own digits
        digits, labels = np.concatenate([digits[half], own]), [labels[i] for i in half] + names
    if asked.paper:
        papers = of_files(asked.paper, zoo)[2]
    answers = zoo.predict_many(asked.model, list(digits), version=asked.version)
    alone = [answer.label if isinstance(answer, Prediction) else "" for answer in answers]
    print(
        "| pictures | read without a mistake | digits right | silent mistakes | of them found wrong "
        "| marked for nothing | ms a picture |\n|---|---|---|---|---|---|---|"
    )
    for name, kind in KINDS.items():
        print(row(zoo, asked, name, kind, digits, labels, alone, papers), flush=True)


def row(
    zoo: Zoo, asked: Any, name: str, kind: Any, digits: Any, labels: list[str], alone: list[str], papers: list[Image]
) -> str:
    """Compose and read the pictures of one kind, and return its row of the table.

    `digits` are uint8 (n, 28, 28), `labels` their true labels, and `alone` what the model reads given each one alone.
    """
    lines, length, gap, slant = kind
    rng = np.random.default_rng(asked.seed)
    exact = right = silent = found_wrong = needless = 0
    seconds = 0.0
    for _ in range(asked.count):
        rows = [rng.integers(0, len(digits), length) for _ in range(lines)]
        texts = ["".join(labels[i] for i in line) for line in rows]
        ground = scenes.patch(papers[int(rng.integers(len(papers)))], 1200, 2400, rng) if papers else None
        scene = scenes.lines([digits[line] for line in rows], texts, rng, gap=gap, slant=slant, ground=ground)
        start = time.perf_counter()
        reading = zoo.read(asked.model, scene.picture, version=asked.version)
        seconds += time.perf_counter() - start
        exact += reading.text == scene.text
        if len(reading.text) == len(scene.text):
            right += sum(a == b for a, b in zip(reading.text, scene.text, strict=True) if b != "\n")
        flagged = any(sign.rejected or sign.touching for sign in reading.signs)
        is_silent = reading.text != scene.text and not flagged
        silent += is_silent
        found_wrong += is_silent and reading.text != "\n".join("".join(alone[i] for i in line) for line in rows)
        needless += reading.text == scene.text and flagged
    total = asked.count
    return (
        f"| {name} | {100 * exact / total:.1f} % | {100 * right / total / lines / length:.1f} % "
        f"| {100 * silent / total:.1f} % | {100 * found_wrong / total:.1f} % "
        f"| {100 * needless / total:.1f} % | {1000 * seconds / total:.0f} |"
    )


if __name__ == "__main__":
    main()
