"""Builds the OpenAPI document of a zoo from operations and types, with its models' names and input shapes.

https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from webui import snippets
from webui.access import ADMIN, NOTHING, PREDICT
from webui.openapi.examples import Examples
from webui.openapi.operation import HEADERS, REQUEST_ID, TAGS, WHY, Content, Header, Operation
from webui.openapi.operations import operations
from webui.samples import COUNT
from zoo.cards import Card
from zoo.types import DIGITS
from zoo.zoo import Zoo

Kind = tuple[Any, JsonSchemaMode]
Schemas = dict[Kind, dict[str, Any]]

ABOUT = (
    "Reads handwritten digits in pictures with the models of this zoo. A picture gets the same answer at every "
    'address. An error is `{"error": "…", "code": "…"}`: the message says what was found, what was expected and what '
    "to do; the code is for programs. Other servers' protocols send only the message. Browsers, and clients that ask "
    "for text/html and do not accept JSON, get errors of the zoo's own routes as HTML pages. `HEAD` is answered "
    "wherever `GET` is, `OPTIONS` with the methods in `Allow`. Other methods that are not listed get 405 with `Allow`, "
    "under `/v1` 400. Any request may get 400 for its `Host` and 408, 413 or 501 for its body. `X-Request-ID` "
    "identifies a request in the server's log; a request may send its own."
)
LANGUAGES = {"curl": "Shell", "python": "Python", "javascript": "JavaScript", "browser": "JavaScript"}
NAMES = {"curl": "curl", "python": "Python", "javascript": "Node.js", "browser": "JavaScript in a page"}


SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key, as `Authorization: Bearer KEY`."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key, as `X-API-Key: KEY`."},
}
"""The ways to send a key; one is enough."""


def document(zoo: Zoo, base: str, keyed: bool = False) -> dict[str, Any]:
    """Return the description of a zoo that is served at `base`, such as `http://127.0.0.1:5000`.

    `keyed` says that it asks for a key.
    """
    examples, shapes = _examples(zoo), _shapes(zoo)
    calls = [call for call in snippets.calls(examples.model, base, keyed) if call.protocol == "native"]
    all_operations = operations(examples, tuple(calls))
    found, definitions = _schemas(tuple(dict.fromkeys(_kinds(all_operations))))
    paths: dict[str, dict[str, Any]] = {}
    for one in all_operations:
        paths.setdefault(one.path, {})[one.method] = _operation(one, found, examples)
    told: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Digit zoo", "version": _release(), "description": ABOUT, "license": _LICENCE},
        "servers": [{"url": base}],
        "tags": [{"name": name, "description": told} for name, told in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": definitions | {"Pixels": _pixels(shapes), "Row": _row(shapes)},
            "headers": {REQUEST_ID.name: _header(REQUEST_ID)},
        },
        "security": _security(PREDICT if keyed else NOTHING),
    }
    return _secured(told, all_operations) if keyed else told


def _secured(told: dict[str, Any], all_operations: list[Operation]) -> dict[str, Any]:
    """Add to a description how to send a key, and which operations need none or one with a special scope."""
    told["components"]["securitySchemes"] = SECURITY
    for one in all_operations:
        if one.scope != PREDICT:
            told["paths"][one.path][one.method]["security"] = _security(one.scope)
    return told


def _security(scope: str) -> list[dict[str, list[str]]]:
    """Return what a request needs of the ways to send a key; the scope is named where not every key has it."""
    if scope == NOTHING:
        return []
    return [{way: [scope] if scope == ADMIN else []} for way in SECURITY]


_LICENCE = {"name": "MIT", "identifier": "MIT"}


def _release() -> str:
    try:
        return installed("flask-model-zoo")
    except PackageNotFoundError:  # run from a folder that is not installed
        return "0"


def _examples(zoo: Zoo) -> Examples:
    """Return the examples for the default model of a zoo."""
    names = tuple(zoo.models)
    if not names:
        return Examples("model", "model/1", DIGITS, (), DIGITS)
    model = zoo.model()
    name, card = model.name, model.card()
    labels = tuple(dict.fromkeys(label for one in _cards(zoo) for label in one.labels)) or DIGITS
    if card is None:
        return Examples(name, f"{name}/1", DIGITS, names, labels)
    return Examples(name, card.ref, tuple(card.labels), names, labels)


def _shapes(zoo: Zoo) -> list[tuple[int, ...]]:
    """Return the input shapes of the zoo's models, such as (28, 28, 1); that one when no model has a card yet."""
    return sorted({tuple(card.input_shape) for card in _cards(zoo)}) or [(28, 28, 1)]


def _cards(zoo: Zoo) -> list[Card]:
    return [card for model in zoo.models.values() if (card := model.card()) is not None]


def _pixels(shapes: Iterable[tuple[int, ...]]) -> dict[str, Any]:
    forms = [form for shape in shapes for form in ([shape[:2], shape] if shape[2:] == (1,) else [shape])]
    return {
        "title": "Pixels",
        "description": "Levels in 0-1, or in 0-255 if any level of the picture is above 1; light on dark or dark on "
        "light.",
        "anyOf": [_nested(form) for form in forms],
    }


def _row(shapes: Iterable[tuple[int, ...]]) -> dict[str, Any]:
    return {"title": "Row", "anyOf": [_nested((length,)) for length in sorted({math.prod(shape) for shape in shapes})]}


def _nested(form: tuple[int, ...]) -> dict[str, Any]:
    """Return the schema of nested lists of levels, of a fixed shape."""
    if not form:
        return {"type": "number", "minimum": 0, "maximum": 255}
    return {"type": "array", "minItems": form[0], "maxItems": form[0], "items": _nested(form[1:])}


def _kinds(all_operations: list[Operation]) -> Iterable[Kind]:
    """Yield every type that the operations take and give, each with the mode of its schema."""
    for one in all_operations:
        yield from ((content.type, "validation") for content in one.takes.values())
        yield from ((content.type, "serialization") for content in one.gives.values())
        yield from ((kind, "serialization") for kind in one.errors.values())


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles of fields, which would only repeat their names, in English."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


@lru_cache(maxsize=4)
def _schemas(kinds: tuple[Kind, ...]) -> tuple[Schemas, dict[str, Any]]:
    """Return the schema of each type, and the definitions that these refer to."""
    adapters = [(kind, kind[1], TypeAdapter(kind[0])) for kind in kinds]
    found, rest = TypeAdapter.json_schemas(
        adapters, ref_template="#/components/schemas/{model}", schema_generator=_Untitled
    )
    return {kind: found[kind, kind[1]] for kind in kinds}, rest.get("$defs", {})


def _operation(one: Operation, found: Schemas, examples: Examples) -> dict[str, Any]:
    told: dict[str, Any] = {"operationId": one.id, "tags": [one.tag], "summary": one.summary}
    if one.description:
        told["description"] = one.description
    parameters = [_in_path(name, examples) for name in re.findall(r"{(\w+)}", one.path)]
    parameters += [
        {"name": asked.name, "in": asked.where, "description": asked.description, "schema": asked.schema}
        for asked in one.parameters
    ]
    if parameters:
        told["parameters"] = parameters
    if one.takes:
        told["requestBody"] = {"required": one.needs_body, "content": _contents(one.takes, found, "validation")}
    told["responses"] = _responses(one, found)
    if one.calls:
        told["x-codeSamples"] = [
            {"lang": LANGUAGES[call.language], "label": NAMES[call.language], "source": call.code} for call in one.calls
        ]
    return told


def _in_path(name: str, examples: Examples) -> dict[str, Any]:
    """Return the description of a parameter in the path."""
    own = examples.checkpoint.rpartition("/")[2]
    schema, description = {
        "name": (examples.name_schema, "the model, by a name that /api/models lists"),
        "version": ({"type": "string", "pattern": "^[0-9]{1,18}$", "examples": [own]}, "a checkpoint of the model"),
        "label": (
            {"type": "string", "enum": ["stable", "latest"]},
            "stable: the checkpoint that settings.toml selects; latest: the newest one trained with the settings",
        ),
        "place": ({"type": "integer", "minimum": 0, "maximum": COUNT - 1}, "its index in the test set"),
    }[name]
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}


def _responses(operation: Operation, found: Schemas) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    if operation.gives:
        responses["200"] = {
            "description": "The answer.",
            "headers": _headers(operation.headers),
            "content": _contents(operation.gives, found, "serialization"),
        }
    for status, kind in sorted(operation.errors.items()):
        responses[str(status)] = {
            "description": WHY[status],
            "headers": _headers(HEADERS.get(status, ())),
            "content": {"application/json": {"schema": found[kind, "serialization"]}},
        }
    return responses


def _headers(special: Iterable[Header]) -> dict[str, Any]:
    """Return the description of a response's headers: what every response has, and special ones."""
    reference = {"$ref": f"#/components/headers/{REQUEST_ID.name}"}
    return {REQUEST_ID.name: reference} | {header.name: _header(header) for header in special}


def _header(header: Header) -> dict[str, Any]:
    return {"description": header.description, "schema": header.schema}


def _contents(contents: Mapping[str, Content], found: Schemas, mode: JsonSchemaMode) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for kind, content in contents.items():
        told[kind] = {"schema": found[content.type, mode]}
        if content.examples:
            told[kind]["examples"] = {name: {"value": value} for name, value in content.examples.items()}
    return told
