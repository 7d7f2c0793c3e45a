"""Mistakes in settings as lines for a person, with the place that each value came from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from zoo.errors import closest
from zoo.settings import KEY_NAME, KEY_NAMED

HIDDEN = {("server", "secret")}  # keys whose values are never shown, not even in an error

Key = tuple[str, ...]
Schema = Mapping[str, Any]  # a JSON schema


@dataclass
class Origins:
    """Where each value came from, for error messages: `file`, or the variable or flag in `overrides`."""

    file: str
    overrides: dict[Key, str] = field(default_factory=dict)

    def point(self, key: Key, value: Any, shown: bool = True, whole: bool = False) -> str:
        """Return `settings.toml: [models.cnn] epochs = 0`, or its variable or flag instead; the value if `shown`.

        With `whole`, the value is a table that is wrong as a whole: `settings.toml: [models.cnn]`.
        """
        says = f" = {'…' if key in HIDDEN else _show(value)}" if shown and not isinstance(value, dict) else ""
        if around := max((other for other in self.overrides if other == key[: len(other)]), key=len, default=()):
            inside = key[len(around) :]  # the rest of the key, within what the variable or flag gave
            return f"{'.'.join((self.overrides[around], *inside))}{says}"
        for other, name in self.overrides.items():
            if other[: len(key)] == key and isinstance(value, dict):
                return name
        if whole:
            return f"{self.file}: [{'.'.join(key)}]"
        table = ".".join(key[:-1])
        where = f"{self.file}: " + (f"[{table}] " if table else "")
        return f"{where}{key[-1]}{says}"


def _show(value: Any) -> str:
    """Format a value for an error message, as JSON if possible."""
    try:
        return json.dumps(value)
    except TypeError:
        return str(value)


@dataclass
class _Mistake:
    """One of pydantic's errors about the value of `key` within the validated table.

    `branch` says that it concerns only one of several types that the key may have. `description` is the setting's, and
    `tables` are the schemas of the table, of one or several possible types, that the key is in.
    """

    key: Key
    branch: bool
    description: str
    tables: list[Schema]
    type: str
    message: str
    value: Any
    context: Mapping[str, Any]

    @property
    def by_validator(self) -> bool:
        """Whether a validator function of the settings class found the mistake, and worded the message."""
        return self.type in ("value_error", "assertion_error")

    @property
    def unknown(self) -> bool:
        """Whether the key does not exist."""
        return self.type == "extra_forbidden"


def lines(
    kind: type[BaseModel], error: ValidationError, origins: Origins, table: Key, owner: str, beside: Iterable[str]
) -> list[str]:
    """Return a line for each key with a mistake: its source, key, value, what is allowed and the closest match.

    `kind` is the class of the table whose key is `table`; `owner` and `beside` are as for `configuration.validate`.
    """
    schema = kind.model_json_schema()
    by_key: dict[Key, list[_Mistake]] = {}
    for details in error.errors(include_url=False):
        mistake = _mistake(schema, dict(details))
        by_key.setdefault(mistake.key, []).append(mistake)
    around = {key[:end] for key in by_key for end in range(len(key))}
    for key in around & by_key.keys():  # a mistake inside a table or list says more than that it could be a number
        by_key[key] = [mistake for mistake in by_key[key] if mistake.by_validator or not mistake.branch]
    return [_line(mistakes, origins, table, owner, beside) for mistakes in by_key.values() if mistakes]


def _mistake(schema: Schema, details: Mapping[str, Any]) -> _Mistake:
    """Find the key that one of pydantic's errors is about.

    The error's location is made of keys, but also of the names of branches of a union, such as "int" or a class's name.
    """
    location, definitions = details["loc"], schema.get("$defs", {})
    key: list[str] = []
    tables, below, branch, description = [schema], [schema], False, ""
    for at, part in enumerate(location):
        types = [one for possible in below for one in _types(possible, definitions)]
        if len(types) > 1 and not branch:
            below, branch = [one for one in types if _is_branch(one, part)] or types, True
            continue
        inner = [one for possible in types if (one := _inner(possible, part)) is not None]
        if inner or part == "[key]" or (details["type"] == "extra_forbidden" and at == len(location) - 1):
            key.append(str(part))
            tables, below, branch = types, inner, False
            above = description if isinstance(part, int) else ""  # what is said of a list is said of its values
            description = next((one["description"] for one in inner if "description" in one), above)
    context, message, value = details.get("ctx", {}), details["msg"], details["input"]
    if details["type"].startswith("union_tag_"):  # the key that chooses among tables is named only in the context
        key.append(context["discriminator"].strip("'"))
        value = context.get("tag", value)
        expected = context.get("expected_tags", "").replace(", ", " or ")
        message = f"Input should be {expected}" if expected else "Field required"
    return _Mistake(tuple(key), branch, description, tables, details["type"], message, value, context)


def _types(schema: Schema, definitions: Mapping[str, Schema]) -> list[Schema]:
    """Return the schema of each type that a value may have, leaving out null, which pydantic does not try."""
    if "$ref" in schema:
        return _types(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return [one for branch in schema[several] for one in _types(branch, definitions)]
    return [] if schema.get("type") == "null" else [schema]


def _is_branch(schema: Schema, name: Any) -> bool:
    """Whether pydantic names a branch of a union so: the name of its class, or the value of the key that chooses it."""
    constants = (one.get("enum", [one.get("const")]) for one in schema.get("properties", {}).values())
    return schema.get("title") == name or any(name in values for values in constants)


def _inner(schema: Schema, part: str | int) -> Schema | None:
    """Return the schema of the value under a key of a table, or at an index of a list; None if there is none."""
    if schema.get("type") == "array":
        first = schema.get("prefixItems", [])
        return (first[part] if part < len(first) else schema.get("items")) if isinstance(part, int) else None
    properties, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    more = next(iter(patterns.values()), schema.get("additionalProperties"))
    found: Schema | None = properties.get(str(part), {} if more is True else more or None)
    return found


def _line(mistakes: list[_Mistake], origins: Origins, table: Key, owner: str, beside: Iterable[str]) -> str:
    """Format the mistakes about one key as a line; there are several when the key may have several types."""
    first, key = mistakes[0], table + mistakes[0].key
    if key[-1:] == ("[key]",):
        where = origins.point(key[:-1], {})
        if first.context.get("pattern") == KEY_NAME:
            return f"{where}: not a valid key name. Use {KEY_NAMED}."
        return f"{where}: not a valid name: {_allowed(first)}."
    # A validator of a table, rather than of one of its keys, reports the table.
    whole = isinstance(first.value, dict) and (not first.key or first.by_validator)
    unknown = all(mistake.unknown for mistake in mistakes)
    shown = not unknown and first.type != "missing"  # an unknown key's value may be a secret under a misspelt name
    where = origins.point(key, first.value, shown, whole) if key else origins.file
    if unknown:
        known = [name for mistake in mistakes for one in mistake.tables for name in one.get("properties", {})]
        allowed = list(dict.fromkeys([*(beside if len(first.key) == 1 else ()), *known]))
        of = f" of {owner}" if owner else ""
        return f"{where}: no such setting{of}.{closest(key[-1], allowed)} It takes: {', '.join(allowed)}."
    mistakes = [mistake for mistake in mistakes if not mistake.unknown]  # the key exists in another kind of table
    texts = list(dict.fromkeys(_allowed(mistake) for mistake in mistakes))
    texts = [text for text in texts if text.startswith("it should be: ")] or texts  # a description is of all types
    if all(text.startswith("it should be ") for text in texts):
        texts = ["it should be " + " or ".join(text.removeprefix("it should be ") for text in texts)]
    expected = [mistake.context["expected"] for mistake in mistakes if mistake.type == "literal_error"]
    near = closest(first.value, re.findall(r"'([^']*)'", " ".join(expected))) if isinstance(first.value, str) else ""
    return f"{where}: {', or '.join(texts)}.{near}"


def _allowed(mistake: _Mistake) -> str:
    """Return what is wrong with a value, or what it should be: pydantic's message in the words of TOML."""
    if mistake.by_validator:
        return mistake.message.removeprefix("Value error, ").replace("Input should", "it should")
    if mistake.type == "string_pattern_mismatch" and mistake.description and mistake.key[-1] != "[key]":
        return f"it should be: {mistake.description}"  # in words instead of a regular expression
    text = mistake.message.replace("Field required", "it is required").replace("be an object", "be a table")
    return re.sub(r"^\w+ should", "it should", text)
