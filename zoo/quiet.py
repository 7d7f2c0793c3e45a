"""Native libraries that write to stderr on their own, kept silent while they start."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_turn = threading.RLock()


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what native code writes to file descriptor 2; TensorFlow and LiteRT greet there, and have no switch for it.

    What other threads write there at that moment is lost too, their lines of a log included, so keep it short. Threads
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
