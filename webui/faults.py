"""What can go wrong with a request besides what goes wrong in the zoo, and the HTTP status of each."""

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
    """A test picture that there is not."""


class WrongType(ZooError):
    """A request whose content type is none that is read."""


class TooMany(ZooError):
    """A request with more pictures than one may have."""


class Refused(ZooError):
    """A request that the server did not pass on, with the HTTP status that it gave as the reason."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Barred(ZooError):
    """A request that is not let in; its answer has `headers` besides."""

    def __init__(self, message: str, headers: dict[str, str]) -> None:
        super().__init__(message)
        self.headers = headers


class NoKey(Barred):
    """A request without a key, or with one that is not known: `reason` then is "invalid_token" (RFC 6750)."""

    def __init__(self, message: str, reason: str = "") -> None:
        error = f', error="{reason}"' if reason else ""
        super().__init__(message, {"WWW-Authenticate": f'Bearer realm="zoo"{error}'})


class Forbidden(Barred):
    """A request whose key lacks the scope."""

    def __init__(self, message: str, scope: str) -> None:
        challenge = f'Bearer realm="zoo", error="insufficient_scope", scope="{scope}"'
        super().__init__(message, {"WWW-Authenticate": challenge})


class Forged(ZooError):
    """A request with the page's cookie that the page did not send."""


class TooOften(Barred):
    """One request too many of a client, who may ask again after so many `seconds`."""

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


def status_of(error: ZooError | HTTPException) -> int:
    if isinstance(error, HTTPException):
        return error.code or 500
    if isinstance(error, Refused):
        return error.status
    return next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)


def headers_of(error: ZooError | HTTPException) -> dict[str, str]:
    """What an answer to a program carries besides the message; where another method is meant, `Allow` too."""
    methods = getattr(error, "valid_methods", None)
    told = {"Allow": ", ".join(sorted(methods))} if methods else {}
    return HEADERS | told | (error.headers if isinstance(error, Barred) else {})
