"""The errors of a request, besides those of the zoo itself, and the HTTP status and code of each."""

from __future__ import annotations

from typing import Literal

from werkzeug.exceptions import HTTPException

from webui.jsons import HEADERS
from zoo.errors import (
    ModelUnavailable,
    PictureBroken,
    PictureTooLarge,
    PictureUnsupported,
    PluginError,
    TooManyMegapixels,
    UnknownCheckpoint,
    UnknownLabel,
    UnknownModel,
    ZooError,
)

LEFT = 499  # nginx's status for a client that left before it was answered


class BadRequest(ZooError):
    """A request whose parameters make no sense."""


class NoPicture(BadRequest):
    """A request without a picture."""


class UnknownSample(ZooError):
    """A test picture that does not exist."""


class WrongType(ZooError):
    """A request with a content type that is not read."""


class TooMany(ZooError):
    """A request with more values of JSON or fields of a form than one may have."""


class TooManyPictures(TooMany):
    """A request with more than `limit` pictures."""

    def __init__(self, message: str, limit: int) -> None:
        super().__init__(message)
        self.limit = limit


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


Code = Literal[
    "bad_request",
    "no_picture",
    "picture_broken",
    "unknown_label",
    "no_key",
    "key_not_allowed",
    "no_page_token",
    "unknown_model",
    "unknown_checkpoint",
    "unknown_sample",
    "no_route",
    "wrong_method",
    "body_too_slow",
    "body_too_large",
    "picture_too_large",
    "too_many_megapixels",
    "too_many_pictures",
    "too_many_values",
    "picture_unsupported",
    "unsupported_type",
    "unsupported_coding",
    "rate_limited",
    "server_fault",
    "not_implemented",
    "model_unavailable",
    "plugin_fault",
    "busy",
]
"""What went wrong, for programs. Unlike a message, a code never changes."""

FAULTS: dict[type[ZooError], tuple[int, Code]] = {
    BadRequest: (400, "bad_request"),
    NoPicture: (400, "no_picture"),
    PictureBroken: (400, "picture_broken"),
    UnknownLabel: (400, "unknown_label"),
    NoKey: (401, "no_key"),
    Forbidden: (403, "key_not_allowed"),
    Forged: (403, "no_page_token"),
    UnknownModel: (404, "unknown_model"),
    UnknownCheckpoint: (404, "unknown_checkpoint"),
    UnknownSample: (404, "unknown_sample"),
    PictureTooLarge: (413, "picture_too_large"),
    TooManyMegapixels: (413, "too_many_megapixels"),
    TooManyPictures: (413, "too_many_pictures"),
    TooMany: (413, "too_many_values"),
    PictureUnsupported: (415, "picture_unsupported"),
    WrongType: (415, "unsupported_type"),
    WrongCoding: (415, "unsupported_coding"),
    TooOften: (429, "rate_limited"),
    Unimplemented: (501, "not_implemented"),
    ModelUnavailable: (503, "model_unavailable"),
    PluginError: (503, "plugin_fault"),
}
"""The HTTP status and the code of each error, and of its subclasses that are not listed. All others are 500."""

CODES: dict[int, Code] = {
    400: "bad_request",
    404: "no_route",
    405: "wrong_method",
    408: "body_too_slow",
    413: "body_too_large",
    500: "server_fault",
    501: "not_implemented",
    503: "busy",
}
"""The code of a refusal, or of an error of Flask's, by its HTTP status."""


def _fault(error: ZooError) -> tuple[int, Code]:
    """Return the entry in FAULTS of the closest class of an error."""
    return next((FAULTS[kind] for kind in type(error).__mro__ if kind in FAULTS), (500, CODES[500]))


def status_of(error: ZooError | HTTPException) -> int:
    """Return the HTTP status of an error: 500 for one that has none of its own."""
    if isinstance(error, HTTPException):
        return error.code or 500
    return error.status if isinstance(error, Refused) else _fault(error)[0]


def code_of(error: ZooError | HTTPException) -> Code:
    """Return the code of an error."""
    if isinstance(error, HTTPException | Refused):
        status = status_of(error)
        return CODES.get(status, CODES[500 if status >= 500 else 400])
    return _fault(error)[1]


def headers_of(error: ZooError | HTTPException) -> dict[str, str]:
    """Return the headers of an error's response to a program, with `Allow` where another method is meant."""
    methods = getattr(error, "valid_methods", None)
    told = {"Allow": ", ".join(sorted(methods))} if methods else {}
    return HEADERS | told | (error.headers if isinstance(error, Barred) else {})
