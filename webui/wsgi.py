"""One call of a WSGI app, as PEP 3333 defines it: the environ made of an ASGI scope, and the response step by step."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import copy_context
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from webui.environ import HAS_LEFT
from webui.logs import asked_as

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

_BASE: WSGIEnvironment = {
    "SCRIPT_NAME": "",
    "SERVER_SOFTWARE": "zoo",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    HAS_LEFT: False,
    "wsgi.input_terminated": True,  # not in PEP 3333; lets werkzeug read the body to its end without counting
}


def environ_of(scope: Mapping[str, Any]) -> WSGIEnvironment:
    """Return the environ of a request without its body, as PEP 3333 defines it."""
    host, port = scope["server"]
    path, version = scope["raw_path"], scope["http_version"]
    environ = _BASE.copy()
    environ["wsgi.url_scheme"] = scope["scheme"]
    environ["REQUEST_METHOD"] = scope["method"]
    environ["PATH_INFO"] = (unquote_to_bytes(path) if b"%" in path else path).decode("latin-1")
    environ["QUERY_STRING"] = scope["query_string"].decode("latin-1")
    environ["SERVER_NAME"] = host
    environ["SERVER_PORT"] = str(port)
    environ["SERVER_PROTOCOL"] = f"HTTP/{version}" if "." in version else f"HTTP/{version}.0"
    environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = scope["client"][0], str(scope["client"][1])
    for raw, value in scope["headers"]:
        name = _variable(raw)
        if name in environ:
            separator = "; " if name == "HTTP_COOKIE" else ","
            environ[name] += separator + value.decode("latin-1")
        elif name is not None:
            environ[name] = value.decode("latin-1")
    return environ


@lru_cache(maxsize=256)
def _variable(header: bytes) -> str | None:
    """Return the environ's name of a header, or None for a header that the app does not get.

    That is any header with "_", so that `x_real_ip` cannot pass for `x-real-ip`, and Upgrade: werkzeug finds no route
    with it, and servers may ignore it (RFC 9110, section 7.8).
    """
    if b"_" in header or header.lower() == b"upgrade":
        return None
    name = header.decode("latin-1").upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"


@lru_cache(maxsize=256)
def _encoded(header: tuple[str, str]) -> tuple[bytes, bytes]:
    """Return a header as it is sent. Cached, because most are the same in every response."""
    return header[0].lower().encode("latin-1"), header[1].encode("latin-1")


class Call:
    """One request in the app. Its steps may run in different threads, one after another in the same context."""

    def __init__(self, app: WSGIApplication, environ: WSGIEnvironment, name: str) -> None:
        self.environ = environ
        self.context = copy_context()
        self.context.run(asked_as.set, name)
        self.status = 0
        self.seconds = 0.0  # that the app's first step took
        self.headers: list[tuple[bytes, bytes]] = []
        self._app = app
        self._written: list[bytes] = []
        self._sent = False
        self._close: Callable[[], None] | None = None
        self._parts: Iterator[bytes] = iter(())

    def begin(self) -> tuple[bytes | None, bool]:
        """Call the app. Returns the body so far and whether that is all; then the response is closed too."""
        began = time.perf_counter()
        try:
            return self._begin()
        finally:
            self.seconds = time.perf_counter() - began

    def _begin(self) -> tuple[bytes | None, bool]:
        result = self._app(self.environ, self._start)
        self._close = getattr(result, "close", None)
        try:
            if isinstance(result, list | tuple):
                body, whole = b"".join(result), True
            else:
                self._parts = iter(result)
                first = next(self._parts, None)
                body, whole = first or b"", first is None or self._is_all(first)
            if not self.status:
                raise RuntimeError("the app gave an answer without calling start_response")
            self._sent = True
        except BaseException:
            self.close()
            raise
        if whole:
            self.close()
        return b"".join([*self._written, body]) if self._written else body, whole

    def part(self) -> bytes | None:
        """Return the next part of the body, or None after the last."""
        return next(self._parts, None)

    def close(self) -> None:
        """Tell the app that its response has been sent, or will not be."""
        close, self._close = self._close, None
        if close is not None:
            close()

    def _is_all(self, body: bytes) -> bool:
        """Whether a part is as long as the response's Content-Length."""
        length = next((value for name, value in self.headers if name == b"content-length"), None)
        return length is not None and len(body) >= int(length)

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
        """Take the status and the headers of the response: `start_response` of PEP 3333."""
        if exc_info is not None and self._sent:
            raise exc_info[1].with_traceback(exc_info[2])
        if exc_info is None and self.status:
            raise RuntimeError("start_response was called twice")
        self.status = int(status[:3])
        self.headers = [_encoded(header) for header in headers]
        return self._written.append
