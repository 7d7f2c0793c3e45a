"""How often a client may ask, counted by each worker for itself, in memory.

Counted by `limits`, the engine of Flask-Limiter, without the extension: that skips addresses that do not exist, and has
to be told of each route that is not to be counted.
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
    """So many requests of one client, as "100 per minute"; the minute begins with the first.

    A client is an IPv4 address or a network of IPv6 addresses.
    """

    def __init__(self, rate: str, name: str) -> None:
        """`name` is what sets the rate, to be told to who exceeds it."""
        self._limit = parse(rate)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._what = f"{rate} ({name})"

    def count(self, address: str | None) -> None:
        """One more request from an address. Raises TooOften."""
        if not self._limiter.hit(self._limit, network(address)):
            raise self._refusal(address)

    def check(self, address: str | None) -> None:
        """The same without counting one more. Raises TooOften."""
        if not self._limiter.test(self._limit, network(address)):
            raise self._refusal(address)

    def _refusal(self, address: str | None) -> TooOften:
        reset = self._limiter.get_window_stats(self._limit, network(address)).reset_time
        seconds = max(1, math.ceil(reset - time.time()))
        return TooOften(
            f"Too many requests from this address; the limit is {self._what}. Try again in {seconds} s.", seconds
        )


def network(address: str | None) -> str:
    """Whom an address belongs to: an IPv4 address is somebody, of an IPv6 address the first 64 bits are.

    It may have a port, where another server than `zoo serve` believes a proxy that forwards one.
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
    """Count the requests of an app, but for health and files, as those that need no key."""
    counted = Rate(rate, "server.rate")

    @app.before_request
    def count() -> None:
        if needed(app, request.endpoint) != NOTHING or request.blueprint == "signing":
            counted.count(request.remote_addr)
