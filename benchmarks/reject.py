"""Measure what the models reject: digits, which they should not, and other pictures, which they should.

    python benchmarks/reject.py                 # every model; synthetic pictures
    python benchmarks/reject.py --model deep --digits digits/labels.csv --others ood.csv --like letter:o,letter:l

Prints a Markdown table of the shares rejected. `--like` names labels among the others that look like digits.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from zoo import Zoo, datasets, labelled, scenes, strokes
from zoo.errors import ZooError
from zoo.types import DIGITS, Image

SEED = 7


def composed() -> dict[str, list[Image]]:
    """Compose pictures of test digits, and of no digit, none of which was used to find the thresholds."""
    rng = np.random.default_rng(SEED)
    digits = datasets.test_data("mnist").images[..., 0]
    some = rng.permutation(len(digits))
    rows = [digits[rng.integers(0, len(digits), int(rng.integers(2, 7)))] for _ in range(200)]
    return {
        "MNIST test digits": list(digits[some[:2000]]),
        "the same photographed": [scenes.photo(digits[i], rng) for i in some[:500]],
        "blank": [np.full((int(rng.integers(28, 300)),) * 2, int(rng.integers(0, 256)), np.uint8) for _ in range(100)],
        "noise": [
            rng.integers(0, 256, (int(rng.integers(28, 300)),) * 2, np.uint8).astype(np.uint8) for _ in range(100)
        ],
        "several digits": [scenes.lines([row], [""], rng).picture for row in rows],
        "signs and scribbles": list(strokes.no_digits(digits[..., None], 500, SEED)[..., 0]),
    }


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--model", action="append", help="may be said several times")
    words.add_argument("--digits", type=Path, help="labelled files of digits: a CSV, or a folder of folders")
    words.add_argument("--others", type=Path, help="a CSV with columns path and label: what is no digit")
    words.add_argument("--like", default="", help="labels of the others that look like digits, with commas between")
    asked = words.parse_args()
    zoo = Zoo.open()
    kinds: dict[str, list[Image | Path]] = {name: list(pictures) for name, pictures in composed().items()}
    if asked.digits:
        kinds["your digits"] = [file for file, _ in labelled.read(asked.digits, DIGITS)]
    if asked.others:
        like = set(asked.like.split(","))
        with asked.others.open() as file:
            others = [(asked.others.parent / row["path"], row["label"]) for row in csv.DictReader(file)]
        kinds["your others"] = [path for path, label in others if label not in like]
        kinds["your others, like digits"] = [path for path, label in others if label in like]
    names = asked.model or list(zoo.models)
    print("| pictures | n | " + " | ".join(f"`{name}`" for name in names) + " |")
    print("|---|---|" + "---|" * len(names))
    for kind, pictures in kinds.items():
        if not pictures:
            continue
        shares = []
        for name in names:
            answers = zoo.predict_many(name, pictures)
            shares.append(100 * np.mean([not isinstance(a, ZooError) and a.rejected for a in answers]))
        print(f"| {kind} | {len(pictures)} | " + " | ".join(f"{share:.1f} %" for share in shares) + " |", flush=True)


if __name__ == "__main__":
    main()
