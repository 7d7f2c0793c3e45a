"""Rate limits per client, counted in memory by each worker on its own.

The engine is `limits`, which Flask-Limiter uses too. The extension is not used: it skips addresses that do not exist,
and has to be told of each route that is not counted.
"""

from __future__ import annotations

import ipaddress
import math
import time

from flask import Flask, request
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from webui.access import NOTHING, needed
from webui.faults import TooOften
from webui.mounting import bare


class Rate:
    """A limit on the requests of one client, such as "100 per minute"; the minute begins with the first request.

    A client is an IPv4 address or an IPv6 network of 64 bits.
    """

    def __init__(self, rate: str, name: str) -> None:
        """`name` is what sets the rate, for the message to clients that exceed it."""
        self._limit = parse(rate)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._what = f"{rate} ({name})"

    def count(self, address: str | None) -> None:
        """Count a request from an address. Raises TooOften beyond the limit."""
        if not self._limiter.hit(self._limit, network(address)):
            raise self._refusal(address)

    def check(self, address: str | None) -> None:
        """Raise TooOften if an address has reached the limit, without counting a request."""
        if not self._limiter.test(self._limit, network(address)):
            raise self._refusal(address)

    def _refusal(self, address: str | None) -> TooOften:
        reset = self._limiter.get_window_stats(self._limit, network(address)).reset_time
        seconds = max(1, math.ceil(reset - time.time()))
        return TooOften(
            f"Too many requests from this address; the limit is {self._what}. Try again in {seconds} s.", seconds
        )


def network(address: str | None) -> str:
    """Return the client that an address belongs to: an IPv4 address itself, the first 64 bits of an IPv6 address.

    The address may have a port, if another server than `zoo serve` takes it from a proxy that forwards one.
    """
    address = bare(address or "")
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(found.ipv4_mapped or ipaddress.IPv6Network((found, 64), strict=False).network_address)


def limit(app: Flask, rate: str) -> None:
    """Count the requests of an app, except to health checks and static files, which need no key."""
    counted = Rate(rate, "server.rate")

    @app.before_request
    def count() -> None:
        if needed(app, request.endpoint) != NOTHING or request.blueprint == "signing":
            counted.count(request.remote_addr)
