"""Silence native libraries that write to stderr while they start."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_turn = threading.RLock()


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what is written to file descriptor 2: TensorFlow and LiteRT print start-up messages and have no switch.

    What other threads write to stderr meanwhile, including their log lines, is lost too, so keep it short. Threads
    take turns.
    """
    with _turn:
        try:
            kept = os.dup(2)
        except OSError:  # a process without stderr
            yield
            return
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(null)
