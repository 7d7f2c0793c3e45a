"""One request, from its head to the end of its response: its id, its log line and its part in the metrics."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import secrets
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any

from webui.metrics import IN_FLIGHT, LATENCY, OTHER, REQUESTS, SECONDS
from webui.tally import GAUGE, Sheet

LEFT = 499  # nginx's status for a client that left before it was answered
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"))
DELAY = 0.05  # seconds for which lines are gathered before they are written
MOST = 10_000  # lines that may wait while nobody reads the log
WHOLE = 4096  # bytes that a pipe takes in one piece, unmixed with other workers' lines (POSIX: PIPE_BUF)
LONGEST = 300  # characters of a path in the log
SHORT = 64  # characters of a method or a client's address in the log

log = logging.getLogger("zoo.server")

_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ODD = re.compile(r"[^0-9A-Za-z.:%_-]")  # masked in a client's address, which a proxy may pass on unchecked

asked_as: ContextVar[str] = ContextVar("asked_as", default="")
"""The id of the request that this context answers."""


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
        route = visit.environ.get("zoo.route", OTHER)
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


class Log:
    """Writes lines to a file descriptor in its own thread, so that a reader who stops reading blocks no request.

    Use it from one event loop only.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._due = threading.Event()
        self._gathering = False
        self._lost = 0
        self._ends = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Queue a line, to be written within about DELAY seconds.

        Lines beyond MOST that nobody reads are dropped; how many is logged.
        """
        if len(self._lines) >= MOST:
            self._lost += 1
            return
        self._lines.append(line)
        if not self._gathering:
            self._gathering = True
            asyncio.get_running_loop().call_later(DELAY, self._flush)

    def close(self, seconds: float = 1.0) -> None:
        """Write what is queued, but wait at most `seconds`."""
        self._ends = True
        self._due.set()
        self._thread.join(seconds)

    def _flush(self) -> None:
        self._gathering = False
        self._due.set()

    def _run(self) -> None:
        while not self._ends or self._lines:
            self._due.wait()
            self._due.clear()
            piece = b""
            while self._lines:
                line = self._lines.popleft()
                if piece and len(piece) + len(line) > WHOLE:
                    self._put(piece)
                    piece = b""
                piece += line
            self._put(piece)
            if self._lost:
                log.warning("%d requests are not in the access log, as nobody read it.", self._lost)
                self._lost = 0

    def _put(self, piece: bytes) -> None:
        try:
            while piece:
                piece = piece[os.write(self._descriptor, piece) :]
        except OSError:  # the log is closed; the server carries on
            pass


def name_requests(form: str) -> None:
    """Add the id of the current request to the entries of this process's error log. Call it once."""
    make = logging.getLogRecordFactory()

    def record(*args: Any, **more: Any) -> logging.LogRecord:
        made, name = make(*args, **more), asked_as.get()
        if form == "json":
            made.__dict__["request_id"] = name
        elif name:
            made.msg = f"{made.msg} [request {name}]"
        return made

    logging.setLogRecordFactory(record)


def shape_errors(form: str) -> None:
    """Make the error log drop what a full pipe cannot take, rather than block.

    With `form` "json", every entry, warnings included, becomes a line of JSON.
    """
    logging.captureWarnings(form == "json")
    for handler in (*logging.getLogger().handlers, logging.lastResort):
        if handler is not None:
            handler.addFilter(partial(_is_read, handler))
            if form == "json":
                handler.setFormatter(_JsonLines())


def _is_read(handler: logging.Handler, record: logging.LogRecord) -> bool:
    """Whether an entry can be written now. A full pipe would block the whole server, so its entries are dropped."""
    try:
        return bool(select.select([], [handler.stream], [], 0)[1])  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):  # not a file or, on Windows, not a socket
        return True


def notice(text: str, level: str, form: str) -> str:
    """Return a message that the server prints beside its logs, in the form of the error log."""
    if form != "json":
        return text
    return _JsonLines().format(logging.makeLogRecord({"name": log.name, "levelname": level, "msg": text}))


class _JsonLines(logging.Formatter):
    """Formats a log record as one line of JSON, with its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        told = {
            "time": f"{moment}.{int(record.msecs):03}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "id": getattr(record, "request_id", "") or None,
        }
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told)
