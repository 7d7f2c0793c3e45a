"""Ctrl-C during a long piece of work: taken at its good places, or at once where it has none, and never lost.

Python raises KeyboardInterrupt wherever it happens to be. Native code that it passes through may drop it, or make an
error of its own of it, and so may whatever runs while something is collected. So it is remembered as well.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

TURNS = signal.default_int_handler
"""The handler that makes KeyboardInterrupt of a signal."""

_came = False
_held = False


@contextmanager
def minded() -> Iterator[None]:
    """Remember the signals that would raise KeyboardInterrupt here. Only where Python gets them: in the main thread."""
    global _came
    _came = False
    minding = threading.current_thread() is threading.main_thread()
    signals = [one for one in (signal.SIGINT, signal.SIGTERM) if minding and signal.getsignal(one) is TURNS]
    for one in signals:
        signal.signal(one, _handle)
    told, sys.unraisablehook = sys.unraisablehook, _unraisable(sys.unraisablehook)
    try:
        yield
    finally:
        for one in signals:
            signal.signal(one, TURNS)
        sys.unraisablehook = told
        _came = False


@contextmanager
def held() -> Iterator[None]:
    """Work that asks by `check` itself: it is stopped there and at its end. Who cannot wait asks twice."""
    global _held
    _held = True
    try:
        yield
    finally:
        _held = False
    check()


def came() -> bool:
    """Whether a stop was asked for, so that any error may be what has become of it."""
    return _came


def check() -> None:
    """Raise KeyboardInterrupt when a stop was asked for and is still to be made."""
    if _came:
        raise KeyboardInterrupt


def _handle(*_: object) -> None:
    global _came
    again, _came = _came, True
    if again or not _held:
        raise KeyboardInterrupt


def _unraisable(told: Any) -> Any:
    def tell(error: Any) -> None:
        if not (_came and issubclass(error.exc_type, KeyboardInterrupt)):  # that is told by `check`
            told(error)

    return tell
