"""One request, from its head to the end of its response: its id, its log line and its part in the metrics."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable
from typing import Any

from webui.environ import OTHER, ROUTE
from webui.faults import LEFT
from webui.metrics import IN_FLIGHT, LATENCY, REQUESTS, SECONDS
from webui.tally import GAUGE, Sheet

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"))
LONGEST = 300  # characters of a path in the log
SHORT = 64  # characters of a method or a client's address in the log

_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ODD = re.compile(r"[^0-9A-Za-z.:%_-]")  # masked in a client's address, which a proxy may pass on unchecked


class Visit:
    """What is known about a request. The bridge fills in the rest as it becomes known."""

    __slots__ = ("began", "environ", "id", "method", "model", "path", "received", "sent", "status")

    def __init__(self, environ: dict[str, Any], path: bytes) -> None:
        self.began = time.perf_counter()
        self.environ = environ  # the app's own, where it notes the route and more
        self.path = path
        self.method: str = environ["REQUEST_METHOD"]
        given = environ.get("HTTP_X_REQUEST_ID")
        self.id: str = given if given and _SANE.fullmatch(given) else secrets.token_hex(8)
        environ["HTTP_X_REQUEST_ID"] = self.id
        self.model = ""
        self.received = 0  # bytes of the request body
        self.sent = 0  # bytes of the response body
        self.status = LEFT


class Visits:
    """Counts and logs the requests of a worker.

    `write` takes the log line of each request; None logs nothing. `form` is "text" or "json".
    """

    def __init__(self, sheet: Sheet, write: Callable[[bytes], None] | None = None, form: str = "text") -> None:
        self._sheet = sheet
        self._write = write
        self._line = _json if form == "json" else _text
        self._second, self._stamp = 0, ""

    def began(self) -> None:
        """Count a request in flight."""
        self._sheet.add((IN_FLIGHT.name,), 1.0, GAUGE)

    def ended(self, visit: Visit) -> None:
        """Count an answered request, and write its log line."""
        seconds = time.perf_counter() - visit.began
        route = visit.environ.get(ROUTE, OTHER)
        method = visit.method if visit.method in METHODS else OTHER
        self._sheet.add((IN_FLIGHT.name,), -1.0, GAUGE)
        self._sheet.add((REQUESTS.name, route, method, str(visit.status)))
        self._sheet.observe((LATENCY.name, route), SECONDS, seconds)
        if self._write is not None:
            self._write(self._line(visit, self._now(), seconds * 1000))

    def _now(self) -> str:
        """Return the time in UTC with milliseconds. The seconds are formatted only once a second."""
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second, self._stamp = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._stamp}.{int((now - second) * 1000):03}Z"


def _path(visit: Visit) -> str:
    """Return the path as it was sent, percent-encoded, without the query, which may hold private data."""
    return visit.path[:LONGEST].decode("ascii", "backslashreplace")


def _client(visit: Visit) -> str:
    """Return the client's address: an IPv4 address as such, though a listener on :: gets it as ::ffff:192.0.2.1."""
    address: str = visit.environ["REMOTE_ADDR"][:SHORT]
    return address.removeprefix("::ffff:") if "." in address else address


def _text(visit: Visit, now: str, ms: float) -> bytes:
    model = f" model={visit.model}" if visit.model else ""
    client = _ODD.sub("?", _client(visit))
    return (
        f"{now} {visit.method[:SHORT]} {_path(visit)} {visit.status} {ms:.1f} ms in={visit.received} out={visit.sent}"
        f"{model} client={client} id={visit.id}\n"
    ).encode()


def _json(visit: Visit, now: str, ms: float) -> bytes:
    told = {
        "time": now,
        "method": visit.method[:SHORT],
        "path": _path(visit),
        "status": visit.status,
        "ms": round(ms, 1),
        "in": visit.received,
        "out": visit.sent,
        "model": visit.model or None,
        "client": _client(visit),
        "id": visit.id,
    }
    return json.dumps(told).encode() + b"\n"
