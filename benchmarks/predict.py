"""Measure what `zoo predict FOLDER`, `Zoo.predict` and `Zoo.predict_many` cost on top of LiteRT.

    python benchmarks/predict.py --model cnn --model deep

Writes MNIST's test digits as 28x28 PNG files into a temporary folder and prints Markdown tables. Each round runs every
way once, and the medians of all rounds are shown; on a machine that does other work, only the ratios to LiteRT alone
are reliable. CPU time is that of all processes of a way.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image

from zoo import Zoo, datasets, ink, spread
from zoo.checkpoints import Catalogue
from zoo.runtime import LARGEST, LITERT, LiteRT

ROOT = Path(__file__).resolve().parent.parent
Times = tuple[float, float]
"""Wall-clock seconds and CPU seconds."""


def share(count: int, place: int) -> range:
    """Return the indices of one process' pictures, when `count` pictures are divided among one process per core."""
    return range(place, count, spread.cores())


def litert(path: Path, count: int, place: int) -> Callable[[], object]:
    """Prepare a process that runs its share of the pictures through LiteRT alone, in batches."""
    pictures = datasets.test_data("mnist").images
    batch = np.stack([ink.normalise(pictures[i % len(pictures), ..., 0])[0] for i in share(count, place)])
    network = LiteRT(path)
    network.predict(batch[:LARGEST])
    return partial(network.predict, batch)


def decoding(files: Sequence[str], place: int) -> Callable[[], object]:
    """Prepare a process that reads and decodes its share of the files with Pillow alone."""

    def decode() -> None:
        for i in share(len(files), place):
            with PIL.Image.open(files[i]) as picture:
                np.asarray(picture)

    return decode


def _run(prepare: Callable[[int], Callable[[], object]], place: int, start: object, done: object) -> None:
    """Run one process: prepare, wait for the others, work, and send the times. `start` is a Barrier, `done` a Queue."""
    work = prepare(place)
    start.wait()  # type: ignore[attr-defined]
    before, cpu = time.perf_counter(), time.process_time()
    work()
    done.put((time.perf_counter() - before, time.process_time() - cpu))  # type: ignore[attr-defined]


def by_all_cores(prepare: Callable[[int], Callable[[], object]]) -> Times:
    """Run one process per core, all starting together; return the longest wall time and the sum of their CPU times."""
    context = multiprocessing.get_context("fork")
    start, done = context.Barrier(spread.cores()), context.Queue()
    workers = [context.Process(target=_run, args=(prepare, i, start, done)) for i in range(spread.cores())]
    for worker in workers:
        worker.start()
    times = [done.get() for _ in workers]
    for worker in workers:
        worker.join()
    return max(wall for wall, _ in times), sum(cpu for _, cpu in times)


def command(*words: str) -> Times:
    """Time `zoo predict` as users run it, from start to end."""
    before = time.perf_counter(), sum(os.times()[2:4])
    subprocess.run([sys.executable, "-m", "zoo", "predict", *words], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return time.perf_counter() - before[0], sum(os.times()[2:4]) - before[1]


def timed(work: Callable[[], object]) -> Times:
    """Time work in this process."""
    before, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - before, time.process_time() - cpu


def medians(ways: dict[str, Callable[[], Times]], rounds: int) -> dict[str, Times]:
    """Run every way once per round and return each one's median times."""
    found: dict[str, list[Times]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name].append(way())
    return {
        name: (statistics.median(wall for wall, _ in times), statistics.median(cpu for _, cpu in times))
        for name, times in found.items()
    }


def folder(model: str, path: Path, files: Sequence[str], rounds: int) -> None:
    """Compare `zoo predict FOLDER` with LiteRT alone and decoding alone, all with one process per core."""
    count, where = len(files), str(Path(files[0]).parent)
    found = medians(
        {
            "LiteRT alone": lambda: by_all_cores(partial(litert, path, count)),
            "decoding": lambda: by_all_cores(partial(decoding, files)),
            "one": lambda: command("--model", model, files[0]),
            "all": lambda: command("--model", model, where),
        },
        rounds,
    )
    bare, decode, one, all_ = (found[name] for name in ("LiteRT alone", "decoding", "one", "all"))
    rows = {
        f"LiteRT alone, batches of {LARGEST}": bare,
        "reading and decoding alone, Pillow": decode,
        "`zoo predict` of one picture: the start": one,
        f"`zoo predict FOLDER` of {count:,}": all_,
        "the same without decoding": minus(all_, decode),
        "the same without decoding and the start": minus(minus(all_, decode), one),
    }
    for name, (wall, cpu) in rows.items():
        print(
            f"| `{model}` | {name} | {1e6 * wall / count:.0f} | {bare[0] / wall:.2f} "
            f"| {1e6 * cpu / count:.0f} | {bare[1] / cpu:.2f} |"
        )


def minus(one: Times, other: Times) -> Times:
    """Subtract times, but stay above 0, since ratios are taken."""
    return max(1e-9, one[0] - other[0]), max(1e-9, one[1] - other[1])


def library(zoo: Zoo, model: str, path: Path, files: Sequence[str], rounds: int) -> None:
    """Compare `Zoo.predict` and `Zoo.predict_many` in this process with LiteRT and Pillow's decoding alone."""
    network, contents = LiteRT(path), [Path(file).read_bytes() for file in files[:1024]]

    def decoded(content: bytes) -> np.ndarray:
        with PIL.Image.open(io.BytesIO(content)) as picture:
            return np.asarray(picture, np.float32)[None, :, :, None] / np.float32(255)

    def one_by_one() -> None:
        for content in contents:
            network.predict(decoded(content))

    def together() -> None:
        for start in range(0, len(contents), LARGEST):
            network.predict(np.concatenate([decoded(content) for content in contents[start : start + LARGEST]]))

    def by_predict() -> None:
        for content in contents:
            zoo.predict(model, content)

    def by_predict_many() -> None:
        for start in range(0, len(contents), LARGEST):
            zoo.predict_many(model, contents[start : start + LARGEST])

    ways = {"one": one_by_one, "`Zoo.predict`": by_predict, "many": together, "`Zoo.predict_many`": by_predict_many}
    for way in ways.values():
        way()
    found = medians({name: partial(timed, way) for name, way in ways.items()}, rounds)
    for name, beside, how in (
        ("`Zoo.predict`", "one", "one at a time"),
        ("`Zoo.predict_many`", "many", f"batches of {LARGEST}"),
    ):
        (own, own_cpu), (bare, bare_cpu) = found[name], found[beside]
        print(
            f"| `{model}` | {name}, {how} | {1e6 * own / len(contents):.0f} | {1e6 * bare / len(contents):.0f} "
            f"| {bare / own:.2f} | {bare_cpu / own_cpu:.2f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", help="may be given again; default: cnn and deep")
    parser.add_argument("--pictures", type=int, default=10_000, choices=range(1, 10_001), metavar="N")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    models = options.model or ["cnn", "deep"]
    zoo = Zoo.open(ROOT, environ={})
    catalogue = Catalogue(ROOT / zoo.settings.checkpoints_folder)
    paths = {model: catalogue.path(*zoo.model(model).select()) / LITERT for model in models}
    with tempfile.TemporaryDirectory() as name:
        files = []
        for i, digit in enumerate(datasets.test_data("mnist").images[: options.pictures, ..., 0]):
            files.append(str(Path(name) / f"{i:05}.png"))
            PIL.Image.fromarray(digit).save(files[-1])
        print(f"{len(files):,} PNG pictures of 28x28, {spread.cores()} cores, medians of {options.rounds} rounds.\n")
        print("| model | | µs a picture | of LiteRT alone | CPU µs | CPU, of LiteRT alone |\n|---|---|---|---|---|---|")
        for model in models:
            folder(model, paths[model], files, options.rounds)
        print("\n| model | in one process | µs a picture | LiteRT and Pillow alone | ratio | CPU ratio |")
        print("|---|---|---|---|---|---|")
        for model in models:
            library(zoo, model, paths[model], files, options.rounds)


if __name__ == "__main__":
    main()
