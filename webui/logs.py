"""The server's logs: a writer of the access log that blocks no request, and the form of the error log."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import select
import threading
import time
from collections import deque
from contextvars import ContextVar
from functools import partial
from typing import Any

DELAY = 0.05  # seconds for which lines are gathered before they are written
MOST = 10_000  # lines that may wait while nobody reads the log
WHOLE = 4096  # bytes that a pipe takes in one piece, unmixed with other workers' lines (POSIX: PIPE_BUF)

log = logging.getLogger("zoo.server")

asked_as: ContextVar[str] = ContextVar("asked_as", default="")
"""The id of the request that this context answers."""


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
