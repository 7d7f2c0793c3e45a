"""Small pictures that the event loop has in hand at once, which are asked for as one batch.

Most of what such a picture takes, beside the network, is the same for one and for many. Nobody waits for others to
come: those who find the loop busy find themselves together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MOST = 16  # requests, after which the loop looks to what else there is

Ahead = Callable[[Sequence["WSGIEnvironment"]], None]
"""Does beforehand what several requests have in common. It raises nothing: each request finds out by itself."""


class Gathering:
    """Lets `ahead` have the requests of one turn of the event loop, before each of them is answered."""

    def __init__(self, ahead: Ahead) -> None:
        self._ahead = ahead
        self._come: list[tuple[WSGIEnvironment, asyncio.Future[float]]] = []

    async def join(self, environ: WSGIEnvironment) -> float:
        """Wait for those of the same turn; gives the request's share of what was done ahead, in seconds."""
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
