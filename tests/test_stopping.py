"""A stop that was asked for: whose it is, and until when."""

from __future__ import annotations

import signal
import threading

import pytest

from zoo.stopping import came, check, held, minded


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def test_a_stop_outlives_work_within_the_work() -> None:
    with minded(), held():
        interrupt()
        with minded(), held():
            assert came()
        with pytest.raises(KeyboardInterrupt):
            check()
    assert not came()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_neither_take_a_stop_nor_end_it() -> None:
    def work() -> None:
        with minded(), held():
            told.append(came())

    told: list[bool] = []
    with minded(), held():
        interrupt()
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert told == [False]
        assert came()


def test_who_cannot_wait_asks_twice() -> None:
    with minded(), held():
        interrupt()
        with pytest.raises(KeyboardInterrupt):
            interrupt()


def test_a_handler_of_the_programs_own_stays() -> None:
    calls: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: calls.append(number))
    try:
        with minded():
            interrupt()
    finally:
        signal.signal(signal.SIGINT, before)
    assert calls == [signal.SIGINT]
