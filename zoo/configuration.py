"""Read `settings.toml`, overridden by `ZOO_...` environment variables, then by flags, and validate it.

All mistakes are reported at once, each with its source, key, value, what is allowed and the closest match.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np
from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python

from zoo.errors import SettingsError, closest
from zoo.settings import KEY_NAMED, MODEL_NAME, Settings

FILE = "settings.toml"
PREFIX = "ZOO_"
HIDDEN = {("server", "secret")}  # keys whose values are never shown, not even in an error

Key = tuple[str, ...]


@dataclass
class Origins:
    """Where each value came from, for error messages: `file`, or the variable or flag in `others`."""

    file: str
    others: dict[Key, str] = field(default_factory=dict)

    def point(self, key: Key, value: Any, shown: bool = True, whole: bool = False) -> str:
        """Return `settings.toml: [models.cnn] epochs = 0`, or its variable or flag instead; the value if `shown`.

        With `whole`, the value is a table that is wrong as a whole: `settings.toml: [models.cnn]`.
        """
        says = f" = {'…' if key in HIDDEN else _show(value)}" if shown and not isinstance(value, dict) else ""
        if around := max((other for other in self.others if other == key[: len(other)]), key=len, default=()):
            inside = key[len(around) :]  # the rest of the key, within what the variable or flag gave
            return f"{'.'.join((self.others[around], *inside))}{says}"
        for other, name in self.others.items():
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


def read(
    root: Path, environ: Mapping[str, str] | None = None, flags: Mapping[Key, tuple[str, Any]] | None = None
) -> tuple[Settings, Origins]:
    """Read the settings of the zoo in `root`, and where each value came from.

    `environ` holds environment variables; None means none. `flags` maps a key such as ("server", "port") to the flag's
    name and value. Raises SettingsError with every mistake.
    """
    path = root / FILE
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise SettingsError([f"{FILE}: not UTF-8 text (byte {error.start}). Save it as UTF-8."]) from error
    except ValueError as error:  # TOMLDecodeError, or int's for a number of thousands of digits
        raise SettingsError([f"{FILE}: not valid TOML: {error}."]) from error
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read: {error.strerror or error}."]) from error
    sources = Origins(FILE)
    layers = [(name, variable(text), tuple(name[len(PREFIX) :].lower().split("__"))) for name, text in _ours(environ)]
    layers += [(flag, value, key) for key, (flag, value) in (flags or {}).items()]
    for name, value, key in layers:
        put(values, key, value, name)
        sources.others[key] = name
    settings, problems = validate(Settings, values, sources, ())
    for model in values.get("models", {}) if isinstance(values.get("models"), dict) else ():
        if not MODEL_NAME.fullmatch(model):
            problems.append(
                f"{sources.point(('models', model), {})}: not a valid model name. "
                "Use lower-case letters, digits and _, starting with a letter."
            )
    if settings is None or problems:
        raise SettingsError(problems)
    return settings, sources


def _ours(environ: Mapping[str, str] | None) -> Iterable[tuple[str, str]]:
    """Return the environment variables that begin with PREFIX, sorted by name."""
    return sorted((k, v) for k, v in (environ or {}).items() if k.startswith(PREFIX) and len(k) > len(PREFIX))


def variable(text: str) -> Any:
    """Parse the text of a variable: TOML if possible (5, true, "x", [1, 2]), else JSON (null), else the bare text."""
    try:
        parsed = tomllib.loads(f"value = {text}")
        return parsed["value"] if list(parsed) == ["value"] else text
    except ValueError:
        pass
    try:
        return json.loads(text)
    except ValueError:
        return text


def plain(value: Any) -> Any:
    """Convert a value to JSON types: dates, paths and enums to text, NumPy's numbers and arrays to Python's."""
    return to_jsonable_python(
        value, fallback=lambda one: one.tolist() if isinstance(one, np.generic | np.ndarray) else str(one)
    )


def said(value: Any) -> str:
    """Return the text that `variable` parses as a JSON value: unquoted where possible, as for words and dates."""
    bare = isinstance(value, str) and value == value.strip() and plain(variable(value)) == value
    return value if bare else json.dumps(value)


def put(values: dict[str, Any], key: Key, value: Any, name: str) -> None:
    """Set a value in nested tables, in place. `name` is its source, for the SettingsError if a key is not a table."""
    for part in key[:-1]:
        values = values.setdefault(part, {})
        if not isinstance(values, dict):
            raise SettingsError([f"{name}: {part!r} is a value, not a table, so nothing can be set inside it."])
    values[key[-1]] = value


def over(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with the changes merged in, table by table."""
    merged = {**values, **changes}
    for name, change in changes.items():
        if isinstance(change, Mapping) and isinstance(values.get(name), Mapping):
            merged[name] = over(values[name], change)
    return merged


def keys_of(values: Mapping[str, Any]) -> Iterator[Key]:
    """Yield the path of each value that is not a table, and of each table whose keys dots could not separate."""
    for name, value in values.items():
        if isinstance(value, Mapping) and not any(set(".= ") & set(key) for key in value):
            yield from ((name, *key) for key in keys_of(value))
        else:
            yield (name,)


T = TypeVar("T", bound=BaseModel)


def validate(
    kind: type[T],
    values: Mapping[str, Any],
    sources: Origins,
    table: Key,
    owner: str = "",
    beside: Iterable[str] = (),
) -> tuple[T | None, list[str]]:
    """Validate one table of settings; return the settings, or None and one line for each mistake.

    `table` is its key and `owner` names its plugin, for messages. `beside` are keys of the table that are validated
    elsewhere; they are suggested when a key is unknown.

    Values are validated strictly as JSON, with lists for tuples and text for enums, because TOML has no more types than
    JSON. In a nested table, such as `augment`, keys that are not given keep the plugin's defaults.
    """
    try:
        tables = {name for name, value in values.items() if isinstance(value, Mapping)}
        own = kind().model_dump(mode="json", include=tables) if tables else {}
        return kind.model_validate_json(json.dumps(plain(over(own, values)))), []
    except ValidationError as error:
        return None, [_line(kind, dict(mistake), sources, table, owner, beside) for mistake in error.errors()]
    except Exception as error:
        where = f"{sources.file}: [{'.'.join(table)}]"
        return None, [f"{where}: {owner or 'the zoo'} cannot use these settings: {type(error).__name__}: {error}."]


def _line(
    kind: type[BaseModel],
    mistake: dict[str, Any],
    sources: Origins,
    table: Key,
    owner: str,
    beside: Iterable[str],
) -> str:
    """Turn one of pydantic's errors into a line with its source, key, value, what is allowed and the closest match."""
    path = tuple(str(part) for part in mistake["loc"])
    # For a union pydantic appends the branch that it tried, which is not a key of the file.
    key = table + (path[:-1] if mistake["type"].endswith("_type") and path and path[-1] in ("int", "str") else path)
    unknown = mistake["type"] == "extra_forbidden"
    # A validator of a table, rather than of one of its keys, reports the table.
    whole = isinstance(mistake["input"], dict) and (not path or mistake["type"] in ("value_error", "assertion_error"))
    where = sources.point(key, mistake["input"], shown=not unknown, whole=whole) if key else sources.file
    if unknown:  # the value is not shown, since it may be a secret under a misspelt key
        allowed = [*(beside if len(path) == 1 else ()), *_kind_at(kind, path[:-1]).model_fields]
        of = f" of {owner}" if owner else ""
        return f"{where}: no such setting{of}.{closest(path[-1], allowed)} It takes: {', '.join(allowed)}."
    text = mistake["msg"].removeprefix("Value error, ").replace("Input should", "it should")
    text = text.replace("be an object", "be a table")  # TOML's word
    if mistake["type"] == "string_pattern_mismatch":  # describe it in words instead of a regular expression
        if path[-1] == "[key]":
            return f'{sources.file}: [{".".join(key[:-2])}] "{path[-2]}" is not a valid key name. Use {KEY_NAMED}.'
        if meant := _described(kind, path):
            text = f"it should be: {meant}"
    near = ""
    if mistake["type"] == "literal_error" and isinstance(mistake["input"], str):
        near = closest(mistake["input"], re.findall(r"'([^']*)'", mistake["ctx"]["expected"]))
    return f"{where}: {text}.{near}"


def _described(kind: type[BaseModel], path: Key) -> str:
    """Return a setting's description, or ""."""
    field = _kind_at(kind, path[:-1]).model_fields.get(path[-1])
    return (field.description or "") if field else ""


def _kind_at(kind: type[BaseModel], path: Key) -> type[BaseModel]:
    """Return the model class of the nested table that a path of keys leads to."""
    for part in path:
        inner = kind.model_fields[part].annotation if part in kind.model_fields else None
        inner = next(reversed(get_args(inner)), inner)  # for a dict of tables, the class of its values
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            kind = inner
    return kind
