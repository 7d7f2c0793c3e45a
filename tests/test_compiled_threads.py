"""The compiled loops over whole pictures let other threads run."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from zoo.compiled import canvas, cells
from zoo.compiled.components import Components

TRIES = 100
MASK = np.random.default_rng(1).random((700, 700)) < 0.5
EMPTY = np.zeros((4000, 4000), np.bool_)  # for the fastest loops, which are over before a thread wakes up
INK = MASK.astype(np.float32)
MARKS = Components(MASK, INK)
CANVAS = MASK.view(np.uint8)
TURNS = np.stack([np.cos(np.arange(30)), np.sin(np.arange(30))]).astype(np.float32)


@pytest.mark.parametrize(
    "work",
    [
        pytest.param(lambda: Components(MASK, INK), id="Components"),
        pytest.param(lambda: MARKS.paint(np.ones(len(MARKS.mass), np.bool_)), id="paint"),
        pytest.param(lambda: MARKS.body(0), id="body"),
        pytest.param(lambda: cells.box_of(EMPTY), id="box_of"),
        pytest.param(lambda: cells.count_inked(EMPTY), id="count_inked"),
        pytest.param(lambda: cells.hull_of(MASK), id="hull_of"),
        pytest.param(lambda: cells.rectangle_around(MASK, TURNS), id="rectangle_around"),
        pytest.param(lambda: cells.spread_out(MASK, 9), id="spread_out"),
        pytest.param(lambda: cells.widened(MASK, 1), id="widened"),
        pytest.param(lambda: cells.thicker_than(MASK, 2), id="thicker_than"),
        pytest.param(lambda: cells.straight_sides(EMPTY, 4000, 4000, 0.5), id="straight_sides"),
        pytest.param(lambda: canvas.cut_out(INK, MASK, (0, 0, 700, 700), 0, 1), id="cut_out"),
        pytest.param(lambda: canvas.stroke_width(INK), id="stroke_width"),
        pytest.param(lambda: canvas.drawn(INK, 80, 80, 1, True), id="drawn"),
        pytest.param(lambda: canvas.centred(CANVAS, 28, 25, 350, 1), id="centred"),
    ],
)
def test_another_thread_runs_meanwhile(work: Callable[[], Any]) -> None:
    go, done = threading.Semaphore(0), threading.Event()

    def other() -> None:
        go.acquire()
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1000)  # so that a thread runs only when this one lets it
    try:
        go.release()
        has_run = any([work(), done.is_set()][1] for _ in range(TRIES))
    finally:
        sys.setswitchinterval(usual)
        thread.join()
    assert has_run
