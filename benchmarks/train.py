"""Compare how long an epoch of the CNN takes in the zoo's training loop and in Keras' `fit`, one after the other.

    python benchmarks/train.py            # a quarter of an epoch each, scaled; add --whole for whole epochs

Prints a Markdown table. Times are of this machine; only the ratios carry over to others.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from zoo import Zoo, backend, datasets, fitting
from zoo.types import Data

PLAIN = "cnn_10"  # a model without augmentation and moving average of the weights, which Keras' fit does not have


class Timer:
    """A Report that shows nothing and starts anew."""

    resume = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def step(self, *_: object) -> None:
        pass

    def epoch(self, row: object) -> None:
        pass


def own_loop(zoo: Zoo, data: Data, batch_size: int, folder: Path) -> float:
    """Return the seconds that the second of two epochs takes in the zoo's loop."""
    settings = zoo.model(PLAIN).settings.model_copy(update={"epochs": 2, "batch_size": batch_size})
    model = zoo.model(PLAIN).hooks.call("build", settings=settings)
    return fitting.fit(model, data, settings, Timer(folder))[-1]["seconds"]


def keras_fit(zoo: Zoo, data: Data, batch_size: int, jit: bool) -> float:
    """Return the seconds that the second of two epochs takes in `Model.fit` on float32 arrays; `jit` uses XLA."""
    import keras

    model = zoo.model(PLAIN).hooks.call("build", settings=zoo.model(PLAIN).settings)
    model.compile("adamw", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=jit)
    images = data.images.astype(np.float32) / np.float32(255)
    seconds = 0.0
    for _ in range(2):
        start = time.perf_counter()
        model.fit(images, data.classes, batch_size=batch_size, epochs=1, verbose=0)
        seconds = time.perf_counter() - start
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whole", action="store_true", help="whole epochs of 55,000 pictures")
    share = 1 if parser.parse_args().whole else 4
    backend.start()
    zoo = Zoo.open(Path(__file__).parent.parent)
    whole = datasets.training_data("mnist", 5000)
    n = len(whole.images) // share
    data = Data(whole.images[:n], whole.classes[:n], whole.images[:1], whole.classes[:1], whole.labels)
    with tempfile.TemporaryDirectory() as folder:
        rows = {
            "the zoo's loop, batch 128": own_loop(zoo, data, 128, Path(folder)),
            "the zoo's loop, batch 512": own_loop(zoo, data, 512, Path(folder)),
            "Keras fit, batch 128": keras_fit(zoo, data, 128, jit=False),
            "Keras fit, batch 512": keras_fit(zoo, data, 512, jit=False),
            "Keras fit with XLA, batch 128": keras_fit(zoo, data, 128, jit=True),
        }
    first = next(iter(rows.values()))
    print("| way | seconds an epoch | against the zoo's loop |\n|---|---|---|")
    for name, seconds in rows.items():
        print(f"| {name} | {seconds * share:.1f} | {seconds / first:.2f} |")


if __name__ == "__main__":
    main()
