"""What an OpenAPI operation is here, and what many operations share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from webui.access import PREDICT
from webui.faults import STATUS
from webui.openapi import schemas
from webui.plain import BODIES
from webui.snippets import Call

Tag = Literal["Pictures", "Models", "Health", "TensorFlow Serving", "Open Inference Protocol", "Hugging Face"]

TAGS: dict[Tag, str] = {
    "Pictures": "Pictures in, digits out: the zoo's own protocol.",
    "Models": "What there is to ask.",
    "Health": "Whether the server can answer, and how it fares.",
    "TensorFlow Serving": "As TensorFlow Serving's REST API. A picture that cannot be read fails its whole request.",
    "Open Inference Protocol": "Version 2, as KServe and Triton speak it. One bad picture fails its whole request.",
    "Hugging Face": "As Hugging Face's image classification.",
}

WHY = {
    400: "No picture, a broken one, or a request that makes no sense.",
    401: "A key is wanted, or this one is not known.",
    403: "The key does not allow this.",
    404: "No such model, checkpoint or address.",
    408: "The body took longer than `server.body_seconds`.",
    413: "Too many bytes, pixels or pictures.",
    415: "A content type, content encoding or picture format that is not read.",
    429: "Too many requests; try again after `Retry-After`.",
    500: "A fault of the server, whose log says what it was.",
    501: "A part of the protocol that the zoo does not have.",
    503: "The model is there but cannot answer now; with `Retry-After`, the server is too busy.",
}
"""The description of each error status."""
RETRY = {429: "seconds", 503: "seconds, where the server is too busy"}
"""The statuses that come with `Retry-After`, which says when to ask again, and its description."""

ALWAYS = (500, 503, *({401, 403, 429} & set(STATUS.values())))
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
    as in `webui.access`.
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


WHOLE = {"type": "integer", "minimum": 1, "maximum": 10**18 - 1}
VERSION = Parameter("version", WHOLE, "asks that checkpoint of the model")


def failing(*statuses: int) -> dict[int, Any]:
    """Return these statuses and those that any request may get, each with `{"error": …}`."""
    return dict.fromkeys(sorted({*statuses, *ALWAYS}), schemas.Error)


def unready(kind: Any) -> dict[int, Any]:
    """Return the errors of a request that needs no key and reports by 503 what cannot answer, as this type."""
    return {500: schemas.Error, 503: kind | schemas.Error}


def in_json(kind: Any, **examples: Any) -> dict[str, Content]:
    """Return JSON of this type, with examples by name."""
    return {"application/json": Content(kind, examples)}


def bare() -> dict[str, Content]:
    """Return a picture as the body itself, in each of its content types."""
    return {kind: Content(schemas.File) for kind in BODIES}
