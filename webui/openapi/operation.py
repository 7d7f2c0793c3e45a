"""What an OpenAPI operation is here, and what many operations share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from webui.access import PREDICT
from webui.faults import FAULTS
from webui.openapi import schemas
from webui.snippets import Call

Tag = Literal["Pictures", "Models", "Health", "TensorFlow Serving", "Open Inference Protocol", "Hugging Face"]

TAGS: dict[Tag, str] = {
    "Pictures": "Pictures in, digits out: the zoo's own protocol.",
    "Models": "The models, their checkpoints and their figures.",
    "Health": "Whether the server can answer, and its metrics.",
    "TensorFlow Serving": "TensorFlow Serving's REST API. One unreadable picture fails the whole request.",
    "Open Inference Protocol": "Version 2, as in KServe and Triton. One unreadable picture fails the whole request.",
    "Hugging Face": "Hugging Face's image classification API.",
}

WHY = {
    400: "No picture, a damaged picture, or an invalid request.",
    401: "The key is missing or unknown.",
    403: "The key does not allow this.",
    404: "No such model, checkpoint or address.",
    408: "The body took longer than `server.body_seconds`.",
    413: "Too many bytes, pixels or pictures.",
    415: "An unsupported content type, content encoding or picture format.",
    429: "Too many requests; try again after `Retry-After`.",
    500: "A server error. The details are in its log.",
    501: "A part of the protocol that the zoo does not support.",
    503: "The model exists but cannot answer now; with `Retry-After`, the server is too busy.",
}
"""The description of each error status."""


@dataclass(frozen=True, slots=True)
class Header:
    """A header of a response."""

    name: str
    schema: Mapping[str, Any]
    description: str


REQUEST_ID = Header("X-Request-ID", {"type": "string"}, "identifies the request in the server's log")
"""What every response has; a request may send its own."""

_CHALLENGE = Header("WWW-Authenticate", {"type": "string"}, "how to send a key, and what is wrong with the one sent")
HEADERS = {
    401: (_CHALLENGE,),
    403: (_CHALLENGE,),
    429: (Header("Retry-After", {"type": "integer"}, "seconds"),),
    503: (Header("Retry-After", {"type": "integer"}, "seconds, when the server is too busy"),),
}
"""The headers of the responses with an error status."""

ALWAYS = (500, 503, *({401, 403, 429} & {status for status, _ in FAULTS.values()}))
SENT = (408, 413, 501)  # what the server may answer to any body


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in the query or a header."""

    name: str
    schema: Mapping[str, Any]
    description: str
    where: Literal["query", "header"] = "query"


@dataclass(frozen=True, slots=True)
class Content:
    """A type that pydantic describes, with examples by name."""

    type: Any
    examples: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    `takes` and `gives` are by content type, `errors` by status, each with its type. `scope` is what a key needs for it,
    as in `webui.access`. `headers` are those of the response with status 200.
    """

    id: str
    tag: Tag
    method: Literal["get", "post"]
    path: str
    summary: str
    gives: Mapping[str, Content]
    takes: Mapping[str, Content] = field(default_factory=dict)
    needs_body: bool = True
    parameters: tuple[Parameter, ...] = ()
    errors: Mapping[int, Any] = field(default_factory=dict)
    description: str = ""
    calls: tuple[Call, ...] = ()
    scope: str = PREDICT
    headers: tuple[Header, ...] = ()


WHOLE = {"type": "integer", "minimum": 1, "maximum": 10**18 - 1}
VERSION = Parameter("version", WHOLE, "the checkpoint of the model to ask")


def failing(*statuses: int, error: Any = schemas.Error) -> dict[int, Any]:
    """Return these statuses and those that any request may get, each with the type of its response."""
    return dict.fromkeys(sorted({*statuses, *ALWAYS}), error)


def unready(kind: Any, error: Any = schemas.Error) -> dict[int, Any]:
    """Return the errors of a request that needs no key and reports by 503 what cannot answer, as the type `kind`."""
    return {500: error, 503: kind | error}


def in_json(kind: Any, **examples: Any) -> dict[str, Content]:
    """Return JSON of this type, with examples by name."""
    return {"application/json": Content(kind, examples)}


def bare() -> dict[str, Content]:
    """Return a picture as the body itself. Its format is recognised by its bytes, so no format is named."""
    return {kind: Content(schemas.File) for kind in ("image/*", "application/octet-stream")}
