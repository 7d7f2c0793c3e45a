"""The errors of a request, besides those of the zoo itself, and the HTTP status of each."""

from __future__ import annotations

from werkzeug.exceptions import HTTPException

from webui.jsons import HEADERS
from zoo.errors import (
    ModelUnavailable,
    PictureBroken,
    PictureTooLarge,
    PictureUnsupported,
    PluginError,
    UnknownCheckpoint,
    UnknownLabel,
    UnknownModel,
    ZooError,
)


class BadRequest(ZooError):
    """A request whose parameters make no sense."""


class NoPicture(BadRequest):
    """A request without a picture."""


class UnknownSample(ZooError):
    """A test picture that does not exist."""


class WrongType(ZooError):
    """A request with a content type that is not read."""


class TooMany(ZooError):
    """A request with more pictures, values of JSON or fields of a form than one may have."""


class Refused(ZooError):
    """A request that is refused or given up because of how it was sent, and the HTTP status of its response."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Barred(ZooError):
    """A request that is not let in; its response also has these `headers`."""

    def __init__(self, message: str, headers: dict[str, str]) -> None:
        super().__init__(message)
        self.headers = headers


class NoKey(Barred):
    """A request without a key, or with an unknown one: `reason` then is "invalid_token" (RFC 6750, section 3.1)."""

    def __init__(self, message: str, reason: str = "") -> None:
        error = f', error="{reason}"' if reason else ""
        super().__init__(message, {"WWW-Authenticate": f'Bearer realm="zoo"{error}'})


class Forbidden(Barred):
    """A request whose key lacks the scope that is needed (RFC 6750, section 3.1)."""

    def __init__(self, message: str, scope: str) -> None:
        challenge = f'Bearer realm="zoo", error="insufficient_scope", scope="{scope}"'
        super().__init__(message, {"WWW-Authenticate": challenge})


class Forged(ZooError):
    """A request that has the page's cookie but was not sent by the page."""


class TooOften(Barred):
    """A request beyond a client's rate limit; the client may try again after `seconds`."""

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(message, {"Retry-After": str(seconds)})
        self.seconds = seconds


class WrongCoding(Barred):
    """A request whose body is compressed in a way that is not read."""


class Unimplemented(ZooError):
    """A part of another server's protocol that the zoo does not have."""


STATUS: dict[type[ZooError], int] = {
    BadRequest: 400,
    NoKey: 401,
    Forbidden: 403,
    Forged: 403,
    TooOften: 429,
    UnknownLabel: 400,
    PictureBroken: 400,
    UnknownModel: 404,
    UnknownCheckpoint: 404,
    UnknownSample: 404,
    PictureTooLarge: 413,
    TooMany: 413,
    PictureUnsupported: 415,
    WrongType: 415,
    WrongCoding: 415,
    Unimplemented: 501,
    ModelUnavailable: 503,
    PluginError: 503,
}
"""The HTTP status of each error and its subclasses."""


def status_of(error: ZooError | HTTPException) -> int:
    """Return the HTTP status of an error: 500 for one that has none of its own."""
    if isinstance(error, HTTPException):
        return error.code or 500
    if isinstance(error, Refused):
        return error.status
    return next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)


def headers_of(error: ZooError | HTTPException) -> dict[str, str]:
    """Return the headers of an error's response to a program, with `Allow` where another method is meant."""
    methods = getattr(error, "valid_methods", None)
    told = {"Allow": ", ".join(sorted(methods))} if methods else {}
    return HEADERS | told | (error.headers if isinstance(error, Barred) else {})
