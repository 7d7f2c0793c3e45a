"""CORS: lets pages of other sites call the server (https://fetch.spec.whatwg.org/#http-cors-protocol).

Origins are compared exactly with a list, and before keys are checked, because a preflight carries none. That takes a
few lines here, rather than an extension that matches patterns. Cookies are never accepted from other sites; keys in
headers are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PREFLIGHT = [
    ("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE"),
    (
        "Access-Control-Allow-Headers",
        "Accept, Accept-Language, Authorization, Baggage, Content-Encoding, Content-Type, "
        "Inference-Header-Content-Length, Traceparent, Tracestate, X-API-Key, X-Request-ID",
    ),
    ("Access-Control-Max-Age", "600"),
]
"""The headers of the response to a preflight."""
EXPOSED = ("Access-Control-Expose-Headers", "Allow, Inference-Header-Content-Length, Retry-After, X-Request-ID")
"""The response headers that scripts of other sites may read."""


def shared(app: WSGIApplication, origins: Sequence[str]) -> WSGIApplication:
    """Return the app, opened to the pages of these origins; "*" is any. Without origins, it is the app itself."""
    if not origins:
        return app
    everyone = "*" in origins
    listed = frozenset(origins)

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        origin = environ.get("HTTP_ORIGIN", "")
        told = [] if everyone else [("Vary", "Origin")]
        if origin and (everyone or origin in listed):
            told.append(("Access-Control-Allow-Origin", "*" if everyone else origin))
            if environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
                start_response("204 No Content", told + PREFLIGHT)
                return []
            told.append(EXPOSED)

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
            headers = headers + told
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        return app(environ, start)

    return wrapped
