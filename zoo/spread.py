"""Predict many picture files in one process per core, keeping their order."""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Generator, Sequence
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from zoo.answers import Answers
from zoo.errors import ModelUnavailable, UnknownCheckpoint, ZooError
from zoo.quiet import quiet

if TYPE_CHECKING:
    from multiprocessing.context import ForkProcess

    from zoo.sources import Source
    from zoo.zoo import Zoo

PART = 128  # pictures that a process takes at a time
FEWEST = 512  # number of 28x28 pictures from which starting processes pays
SHARED = (
    "ai_edge_litert.interpreter",
    "PIL.Image",
    "zoo.ink",
)  # imported before the fork, which is faster and shares their memory


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def pays(zoo: Zoo, model: str | None, count: int, version: int | None = None) -> bool:
    """Whether several processes would predict `count` pictures sooner than this one.

    False for a model that runs in TensorFlow, which uses all cores itself, and on systems other than Linux, where
    forking is not safe. Raises UnknownModel.
    """
    if sys.platform != "linux" or count < FEWEST or cores() < 2:
        return False
    chosen = zoo.model(model)
    try:
        return zoo.catalogue.card(*chosen.select(version)).runs_in_litert
    except (UnknownCheckpoint, ModelUnavailable):
        return False


def predict_many(
    zoo: Zoo, model: str | None, pictures: Sequence[Source], *, version: int | None = None, trace: bool = False
) -> Generator[Answers]:
    """Yield the answers of `Zoo.predict_many` for picture files, in order, up to `PART` at a time.

    Predictions have their trace only with `trace`. Each worker process loads the model itself; this one does not load
    it. Closing the generator ends the workers at once. Raises what `Zoo.predict_many` does, and ZooError when a worker
    fails or is killed.
    """
    with quiet():
        for name in SHARED:
            importlib.import_module(name)
    parts = [pictures[start : start + PART] for start in range(0, len(pictures), PART)]
    count = min(cores(), len(parts))
    context = multiprocessing.get_context("fork")
    workers: list[tuple[ForkProcess, Connection]] = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # held back until the workers ignore it
    try:
        for first in range(count):
            here, there = context.Pipe(duplex=False)
            own = parts[first::count]
            worker = context.Process(target=_work, args=(zoo, model, version, trace, own, there), daemon=True)
            worker.start()
            there.close()
            workers.append((worker, here))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        for at in range(len(parts)):
            answers = workers[at % count][1].recv()
            if isinstance(answers, ZooError):
                raise answers
            yield answers
    except (EOFError, OSError) as error:  # a worker died before or while it sent an answer
        raise ZooError("A worker process was killed while it read pictures, perhaps because memory ran out.") from error
    finally:
        for worker, here in workers:
            worker.terminate()
            worker.join()
            here.close()


def _work(
    zoo: Zoo, model: str | None, version: int | None, trace: bool, parts: Sequence[Sequence[Source]], there: Connection
) -> None:
    """Run a worker: send the answers to each of its parts in turn, or the error that stops it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    parent = multiprocessing.parent_process()
    assert parent is not None

    def outlive() -> None:
        """End this worker when its parent has ended, even by SIGKILL."""
        parent.join()
        os._exit(1)

    threading.Thread(target=outlive, name="outlive", daemon=True).start()
    gc.freeze()
    for part in parts:
        try:
            found = zoo.predict_many(model, part, version=version)
        except ZooError as error:
            there.send(error)
            return
        except Exception as error:
            there.send(ZooError(f"A worker process failed while it read pictures: {type(error).__name__}: {error}."))
            return
        there.send(found if trace else found.untraced())
