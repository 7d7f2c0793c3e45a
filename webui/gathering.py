"""Predicts small pictures as one batch if the event loop has several of them in hand at once.

Besides the network, most of what such a picture costs is the same for one and for many. No request waits for others to
come: those that find the loop busy end up together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MOST = 16  # requests in a batch, after which the loop turns to other work

Ahead = Callable[[Sequence["WSGIEnvironment"]], None]
"""Does in advance what several requests have in common. It raises nothing: each request finds its own error later."""


class Gathering:
    """Passes the requests of one turn of the event loop to `ahead`, before each of them is answered."""

    def __init__(self, ahead: Ahead) -> None:
        self._ahead = ahead
        self._come: list[tuple[WSGIEnvironment, asyncio.Future[float]]] = []

    async def join(self, environ: WSGIEnvironment) -> float:
        """Wait for the other requests of this turn. Returns this one's share of the time of `ahead`, in seconds."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[float] = loop.create_future()
        self._come.append((environ, done))
        if len(self._come) == 1:
            loop.call_soon(self._go)
        elif len(self._come) == MOST:
            self._go()
        return await done

    def _go(self) -> None:
        come, self._come = self._come, []
        share = 0.0
        try:
            if len(come) > 1:
                began = time.perf_counter()
                self._ahead([environ for environ, _ in come])
                share = (time.perf_counter() - began) / len(come)
        finally:
            for _, done in come:
                if not done.done():
                    done.set_result(share)
