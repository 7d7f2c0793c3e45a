"""Ctrl-C during long work: handled at the points that the work chooses, or at once if it has none, and never lost.

Python raises KeyboardInterrupt wherever it happens to be. Native code that it passes through, or code that runs during
garbage collection, may drop it or turn it into another error, so it is also remembered here. Python delivers signals
to the main thread; in other threads nothing here has any effect.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

TURNS = signal.default_int_handler
"""Python's handler that turns a signal into KeyboardInterrupt."""

_minded = False  # inside `minded`
_came = False  # a stop was asked for since `minded` began
_held = False  # a first signal is only remembered, not raised


@contextmanager
def minded() -> Iterator[None]:
    """Remember signals that raise KeyboardInterrupt, SIGINT and perhaps SIGTERM, until the outermost `minded` ends."""
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
    """Defer a stop to the next `check`. A second Ctrl-C still stops at once."""
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
    """Whether a stop was asked for, in which case any error may be a KeyboardInterrupt in disguise."""
    return _came and _is_main()


def check() -> None:
    """Raise KeyboardInterrupt when a stop was asked for."""
    if came():
        raise KeyboardInterrupt


def _is_main() -> bool:
    """Whether this is the main thread, the only one that signals are delivered to."""
    return threading.current_thread() is threading.main_thread()


def _handle(*_: object) -> None:
    """Handle a signal: remember it, and raise KeyboardInterrupt unless it is the first one while held."""
    global _came
    again, _came = _came, True
    if again or not _held:
        raise KeyboardInterrupt


def _unraisable(told: Any) -> Any:
    """Return an unraisable hook that drops a remembered KeyboardInterrupt and passes all else to the hook `told`."""

    def tell(error: Any) -> None:
        if not (_came and issubclass(error.exc_type, KeyboardInterrupt)):  # `check` raises it
            told(error)

    return tell
