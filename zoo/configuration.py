"""Read `settings.toml`, overridden by `ZOO_...` environment variables, then by flags, and validate it.

All mistakes are reported at once, each with its source, key, value, what is allowed and the closest match.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np
from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python

from zoo import mistakes
from zoo.errors import SettingsError
from zoo.mistakes import Key, Origins
from zoo.settings import MODEL_NAME, Settings

FILE = "settings.toml"
PREFIX = "ZOO_"


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
    origins = Origins(FILE)
    layers: list[tuple[str, Any, Key]] = [
        (name, parse_variable(text), tuple(name[len(PREFIX) :].lower().split("__"))) for name, text in _ours(environ)
    ]
    layers += [(flag, value, key) for key, (flag, value) in (flags or {}).items()]
    for name, value, key in layers:
        set_in(values, key, value, name)
        origins.overrides[key] = name
    settings, problems = validate(Settings, values, origins, ())
    for model in values.get("models", {}) if isinstance(values.get("models"), dict) else ():
        if not MODEL_NAME.fullmatch(model):
            problems.append(
                f"{origins.point(('models', model), {})}: not a valid model name. "
                "Use lower-case letters, digits and _, starting with a letter."
            )
    if settings is None or problems:
        raise SettingsError(problems)
    return settings, origins


def _ours(environ: Mapping[str, str] | None) -> Iterable[tuple[str, str]]:
    """Return the environment variables that begin with PREFIX, sorted by name."""
    return sorted((k, v) for k, v in (environ or {}).items() if k.startswith(PREFIX) and len(k) > len(PREFIX))


def parse_variable(text: str) -> Any:
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


def to_json(value: Any) -> Any:
    """Convert a value to JSON types: dates, paths and enums to text, NumPy's numbers and arrays to Python's."""
    return to_jsonable_python(
        value, fallback=lambda one: one.tolist() if isinstance(one, np.generic | np.ndarray) else str(one)
    )


def as_text(value: Any) -> str:
    """Return the text that `parse_variable` parses as a JSON value: unquoted where possible, as for words and dates."""
    bare = isinstance(value, str) and value == value.strip() and to_json(parse_variable(value)) == value
    return value if bare else json.dumps(value)


def set_in(values: dict[str, Any], key: Key, value: Any, name: str) -> None:
    """Set a value in nested tables, in place. `name` is its source, for the SettingsError if a key is not a table."""
    for part in key[:-1]:
        values = values.setdefault(part, {})
        if not isinstance(values, dict):
            raise SettingsError([f"{name}: {part!r} is a value, not a table, so nothing can be set inside it."])
    values[key[-1]] = value


def merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with the changes merged in, table by table."""
    result = {**values, **changes}
    for name, change in changes.items():
        if isinstance(change, Mapping) and isinstance(values.get(name), Mapping):
            result[name] = merged(values[name], change)
    return result


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
    origins: Origins,
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
        whole = merged(_defaults_within(kind, values), values)
        return kind.model_validate_json(json.dumps(to_json(whole))), []
    except ValidationError as error:
        return None, mistakes.lines(kind, error, origins, table, owner, beside)
    except Exception as error:
        where = f"{origins.file}: [{'.'.join(table)}]"
        return None, [f"{where}: {owner or 'the zoo'} cannot use these settings: {type(error).__name__}: {error}."]


def _defaults_within(kind: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults of the nested tables that the values name, except where they choose another kind of table."""
    tables = {name: value for name, value in values.items() if isinstance(value, Mapping)}
    defaults = kind().model_dump(mode="json", include=set(tables)) if tables else {}
    return {name: default for name, default in defaults.items() if not _differs(kind, name, default, tables[name])}


def _differs(kind: type[BaseModel], name: str, default: Any, value: Mapping[str, Any]) -> bool:
    """Whether a value is another kind of table than the default, in a setting that takes tables of several kinds."""
    setting = kind.model_fields.get(name)
    if setting is None or not isinstance(default, Mapping):
        return False
    if isinstance(setting.discriminator, str):
        chooses = setting.discriminator
        return bool(value.get(chooses, default.get(chooses)) != default.get(chooses))
    kinds = [one for one in get_args(setting.annotation) if isinstance(one, type) and issubclass(one, BaseModel)]
    return len(kinds) > 1 and not value.keys() <= default.keys()
