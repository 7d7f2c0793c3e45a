"""Ctrl-C during a long piece of work: taken at its good places, or at once where it has none, and never lost.

Python raises KeyboardInterrupt wherever it happens to be. Native code that it passes through may drop it, or make an
error of its own of it, and so may whatever runs while something is collected. So it is remembered as well. Signals are
the main thread's; elsewhere nothing here does anything.
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

_minded = False
_came = False
_held = False


@contextmanager
def minded() -> Iterator[None]:
    """Remember the signals that would raise KeyboardInterrupt here, until the outermost of such works ends."""
    global _minded, _came, _held
    if _minded or not _is_main():
        yield
        return
    signals = [one for one in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(one) is TURNS]
    told = sys.unraisablehook
    try:
        _minded = True
        for one in signals:
            signal.signal(one, _handle)
        sys.unraisablehook = _unraisable(told)
        yield
    finally:
        _held = True
        sys.unraisablehook = told
        for one in signals:
            signal.signal(one, TURNS)
        _minded = _came = _held = False


@contextmanager
def held() -> Iterator[None]:
    """Work that is not stopped but where it asks for it by `check`. Who cannot wait asks twice."""
    global _held
    if not _is_main():
        yield
        return
    before, _held = _held, True
    try:
        yield
    finally:
        _held = before


def came() -> bool:
    """Whether a stop was asked for, so that any error may be what has become of it."""
    return _came and _is_main()


def check() -> None:
    """Raise KeyboardInterrupt when a stop was asked for."""
    if came():
        raise KeyboardInterrupt


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()


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
