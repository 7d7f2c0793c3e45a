"""The security headers of every response: what a browser may do with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

POLICY = "Content-Security-Policy"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; worker-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""The Content-Security-Policy of pages and scripts. A response that sets a policy of its own keeps it."""

DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of JSON, which needs to load nothing."""

COMMON = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(self), geolocation=(), microphone=()"),
]
PAGE = [(POLICY, PAGE_POLICY), *COMMON]
DATA = [(POLICY, DATA_POLICY), *COMMON]
JSON = ("Content-Type", "application/json")


def strict(app: WSGIApplication) -> WSGIApplication:
    """Return the app with these headers added to each response, except those that the response sets itself."""

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
            headers = headers + _missing(tuple([name for name, _ in headers]), JSON in headers)
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        return app(environ, start)

    return wrapped


@lru_cache(maxsize=256)
def _missing(own: tuple[str, ...], data: bool) -> list[tuple[str, str]]:
    """Return the headers that a response with headers of these names lacks; `data` says that it is JSON."""
    has = {name.lower() for name in own}
    return [header for header in (DATA if data else PAGE) if header[0].lower() not in has]
