"""The threads that call the app, and the queue before them: how many requests may wait for a turn, and how long."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

_Turn = list[tuple[Context, Callable[[], Any], asyncio.Future[Any]]]
"""A step that waits, as the only entry of a list.

Whoever pops it first decides: a thread, or the end of the wait. A step that was given up leaves nothing in the queue,
so that what it holds, such as a body, is freed.
"""

LOOK = 0.2  # seconds after which it is noticed that a client leaves; one that still waits gives up its turn


class Crowded(Exception):
    """Too many requests wait before this one, or they take too long."""


class Left(Exception):
    """The client left before its turn came."""


class Turns:
    """Runs steps in `threads` threads.

    In `begin`, at most `max_waiting` requests wait, each for at most `wait_seconds`; `step` waits as long as it must.
    Use it from one event loop only. A queue and futures of our own cost less than an executor's.
    """

    def __init__(self, threads: int, *, max_waiting: int = 1_000_000, wait_seconds: float = 3600.0) -> None:
        self._threads = threads
        self._max_waiting = max_waiting
        self._wait_seconds = wait_seconds
        self._busy = 0  # steps that run or wait
        self._steps: SimpleQueue[_Turn] = SimpleQueue()
        for _ in range(threads):
            threading.Thread(target=self._take_steps, name="wsgi", daemon=True).start()

    def step(self, context: Context, step: Callable[[], T]) -> asyncio.Future[T]:
        """Run a step in one of the threads."""
        return self._put(context, step)[0]

    async def begin(self, context: Context, step: Callable[[], T], left: Callable[[], Awaitable[None]]) -> T:
        """Run the first step of a request. Raises Crowded, or Left if `left` returns before the step's turn comes.

        `left` waits until the client leaves. It is awaited from `LOOK` seconds on, while the step runs too.
        """
        waiting = self._busy - self._threads
        if waiting >= self._max_waiting:
            raise Crowded(
                f"{self._busy} requests are being answered or waiting; {self._max_waiting} may wait "
                "(server.max_waiting). Try again shortly."
            )
        future, turn = self._put(context, step)
        watches: list[asyncio.Task[None]] = []

        def look(waited_for: asyncio.Future[T]) -> None:
            watches.append(asyncio.ensure_future(self._watch(turn, waited_for, left)))

        clock = asyncio.get_running_loop().call_later(min(LOOK, self._wait_seconds), look, future)
        try:
            return await future
        finally:
            clock.cancel()
            for watch in watches:
                watch.cancel()
            del future  # its exception holds this frame: a cycle that keeps the request until it is collected

    async def _watch(self, turn: _Turn, future: asyncio.Future[Any], left: Callable[[], Awaitable[None]]) -> None:
        """End a wait that has become long, when the client leaves or the time is up. A step that runs is left alone."""
        error: Exception = Left()
        try:
            async with asyncio.timeout(max(0.0, self._wait_seconds - LOOK)):
                await left()
        except TimeoutError:
            error = Crowded(
                f"No thread was free to answer in {self._wait_seconds:g} s, the limit (server.wait_seconds). "
                "Try again shortly."
            )
        if _taken(turn) is not None:
            self._busy -= 1
            _unless_done(future, future.set_exception, error)
        elif isinstance(error, Crowded):
            await left()

    def _put(self, context: Context, step: Callable[[], T]) -> tuple[asyncio.Future[T], _Turn]:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        turn: _Turn = [(context, step, future)]
        self._busy += 1
        self._steps.put(turn)
        return future, turn

    def _take_steps(self) -> None:
        while True:
            taken = _taken(self._steps.get())
            if taken is None:
                continue
            context, step, future = taken
            settle: Callable[[Any], None] = future.set_result
            try:
                result = context.run(step)
            except BaseException as error:
                settle, result = future.set_exception, error
                if isinstance(error, StopIteration) or not isinstance(error, Exception):  # not for the event loop
                    result = RuntimeError(f"the app raised {error!r}")
            with suppress(RuntimeError):  # the loop is closed: the server stopped after the client had left
                future.get_loop().call_soon_threadsafe(self._settle, future, settle, result)
            del taken, context, step, future, settle, result

    def _settle(self, future: asyncio.Future[Any], settle: Callable[[Any], None], result: Any) -> None:
        self._busy -= 1
        _unless_done(future, settle, result)


def _taken(turn: _Turn) -> tuple[Context, Callable[[], Any], asyncio.Future[Any]] | None:
    """Take a step from the queue, or return None if it was taken or given up before."""
    try:
        return turn.pop()
    except IndexError:
        return None


def _unless_done(future: asyncio.Future[Any], settle: Callable[[Any], None], result: Any) -> None:
    if not future.done():
        settle(result)
