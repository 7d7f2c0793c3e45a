"""One request, from its head to the end of its answer: its id, its line in the log, and what it adds to the metrics."""

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

LEFT = 499  # nginx's status for a client that went before it was answered
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"))
DELAY = 0.05  # seconds that lines are gathered before they are written
MOST = 10_000  # lines that wait for a reader that does not read
WHOLE = 4096  # bytes that a pipe takes in one piece, not mixed with what other workers write (POSIX: PIPE_BUF)
LONGEST = 300  # characters of a path that are logged
SHORT = 64  # of a method and of a client's address

log = logging.getLogger("zoo.server")

_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ODD = re.compile(r"[^0-9A-Za-z.:%_-]")  # in an address, which a proxy may pass on as it came

asked_as: ContextVar[str] = ContextVar("asked_as", default="")
"""The id of the request that this context answers."""


class Visit:
    """What is known of a request. The bridge fills in what becomes known later."""

    __slots__ = ("began", "environ", "id", "method", "model", "path", "received", "sent", "status")

    def __init__(self, environ: dict[str, Any], path: bytes) -> None:
        self.began = time.perf_counter()
        self.environ = environ  # the app's: the route and more are noted there
        self.path = path
        self.method: str = environ["REQUEST_METHOD"]
        given = environ.get("HTTP_X_REQUEST_ID")
        self.id: str = given if given and _SANE.fullmatch(given) else secrets.token_hex(8)
        environ["HTTP_X_REQUEST_ID"] = self.id
        self.model = ""
        self.received = 0  # bytes of the bodies
        self.sent = 0
        self.status = LEFT


class Visits:
    """Counts and logs the requests of a worker. `write` takes a line for each; None logs nothing."""

    def __init__(self, sheet: Sheet, write: Callable[[bytes], None] | None = None, form: str = "text") -> None:
        self._sheet = sheet
        self._write = write
        self._line = _json if form == "json" else _text
        self._second, self._stamp = 0, ""

    def began(self) -> None:
        self._sheet.add((IN_FLIGHT.name,), 1.0, GAUGE)

    def ended(self, visit: Visit) -> None:
        seconds = time.perf_counter() - visit.began
        route = visit.environ.get("zoo.route", OTHER)
        method = visit.method if visit.method in METHODS else OTHER
        self._sheet.add((IN_FLIGHT.name,), -1.0, GAUGE)
        self._sheet.add((REQUESTS.name, route, method, str(visit.status)))
        self._sheet.observe((LATENCY.name, route), SECONDS, seconds)
        if self._write is not None:
            self._write(self._line(visit, self._now(), seconds * 1000))

    def _now(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second, self._stamp = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._stamp}.{int((now - second) * 1000):03}Z"


def _path(visit: Visit) -> str:
    """As it was sent, in percents where need be: without the query, which may hold what is nobody's business."""
    return visit.path[:LONGEST].decode("ascii", "backslashreplace")


def _text(visit: Visit, now: str, ms: float) -> bytes:
    model = f" model={visit.model}" if visit.model else ""
    client = _ODD.sub("?", visit.environ["REMOTE_ADDR"][:SHORT])
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
        "client": visit.environ["REMOTE_ADDR"][:SHORT],
        "id": visit.id,
    }
    return json.dumps(told).encode() + b"\n"


class Log:
    """Lines to a file descriptor by a thread of its own, so that a reader who does not read holds up no request.

    To be used from one event loop.
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
        """Take a line, which is written shortly; of those that nobody takes from here, some are left out."""
        if len(self._lines) >= MOST:
            self._lost += 1
            return
        self._lines.append(line)
        if not self._gathering:
            self._gathering = True
            asyncio.get_running_loop().call_later(DELAY, self._flush)

    def close(self, seconds: float = 1.0) -> None:
        """Write what there is, if it can be done in that time."""
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
        except OSError:  # it is closed; the server serves on
            pass


def name_requests(form: str) -> None:
    """Put the id of the request that failed into this process's error log. To be called once."""
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
    """Let nobody wait for who does not read the error log; with "json" each entry, warnings too, is a line of JSON."""
    logging.captureWarnings(form == "json")
    for handler in (*logging.getLogger().handlers, logging.lastResort):
        if handler is not None:
            handler.addFilter(partial(_is_read, handler))
            if form == "json":
                handler.setFormatter(_JsonLines())


def _is_read(handler: logging.Handler, record: logging.LogRecord) -> bool:
    """Whether an entry can be written now. A full pipe would hold up the whole server; what it misses is lost."""
    try:
        return bool(select.select([], [handler.stream], [], 0)[1])  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):  # no file, or on Windows no socket
        return True


def notice(text: str, level: str, form: str) -> str:
    """What the server says beside its logs, as a line of the error log's form."""
    if form != "json":
        return text
    return _JsonLines().format(logging.makeLogRecord({"name": log.name, "levelname": level, "msg": text}))


class _JsonLines(logging.Formatter):
    """A log record as one line of JSON, with its traceback in it."""

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
