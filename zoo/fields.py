"""What the fields of a plugin's settings class may be, checked before the plugin is used."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

from pydantic import BaseModel, Secret, SecretBytes, SecretStr, ValidationError

from zoo.configuration import merged, validate
from zoo.mistakes import Key, Origins
from zoo.settings import ModelEntry, ModelSettings, Table


def problems(source: str, settings: type[ModelSettings]) -> list[str]:
    """Return what is wrong with a plugin's settings class, one line per mistake.

    Every field needs a default, and values and schema have to be expressible in JSON, in which a secret is lost or
    shown. A field with a name that the zoo uses itself could never be set, or would break code that relies on the
    original.
    """
    taken = [name for name in settings.model_fields if name in ModelEntry.model_fields or name in vars(ModelSettings)]
    if taken:
        return [f"{source}: Settings cannot have {', '.join(taken)}: the zoo uses these names itself. Choose others."]
    fields = settings.model_fields
    found = [
        f"{source}: Settings has {name} as {inspect.formatannotation(fields[name].annotation)}, but the zoo expects "
        f"{inspect.formatannotation(base.annotation)}. Change only its default, or give your setting another name."
        for name, base in ModelSettings.model_fields.items()
        if not _within(fields[name].annotation, base.annotation)
    ]
    try:
        if secrets := [f"{'.'.join(key)} as {kind.__name__}" for key, kind in _secrets(settings)]:
            return [
                f"{source}: Settings has {', '.join(secrets)}: settings are stored in every checkpoint's card. Read "
                "secrets from the environment, inside the hook that needs them."
            ]
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # pydantic only warns of a default of the wrong type
            defaults = settings()
            own = defaults.model_dump(mode="json")
            settings.model_validate_json(defaults.model_dump_json())
            settings.model_json_schema()
    except Exception as error:
        reason = _complaints(error) if isinstance(error, ValidationError) else str(error).replace("\n", " ")
        return [f"{source}: Settings cannot be used: {reason}. Every setting needs a default of a JSON type."]
    if not isinstance(settings.fast, Mapping):
        return [*found, f"{source}: fast should be the settings that --fast changes, such as {{'epochs': 3}}."]
    return found + validate(settings, merged(own, settings.fast), Origins(f"{source}: fast"), ())[1]


def _complaints(error: ValidationError) -> str:
    """Return pydantic's complaints as `units: Field required; ...`, without its links."""
    return "; ".join(
        f"{'.'.join(map(str, mistake['loc']))}: {mistake['msg']}".removeprefix(": ") for mistake in error.errors()
    )


def _secrets(kind: Any, key: Key = (), above: tuple[Any, ...] = ()) -> Iterator[tuple[Key, type]]:
    """Yield the key and class of each secret in a type, also in its tables, lists and alternatives.

    `key` leads to the type, and `above` are the tables around it, because a table may contain itself.
    """
    origin = get_origin(kind) or kind
    if isinstance(origin, type) and issubclass(origin, Secret | SecretBytes | SecretStr):
        yield key, origin
    elif isinstance(origin, type) and origin not in above:
        inner: Mapping[str, Any] = {}
        if issubclass(origin, BaseModel):
            inner = {name: field.annotation for name, field in origin.model_fields.items()}
        elif is_dataclass(origin) or is_typeddict(origin):
            inner = get_type_hints(origin)
        for name, annotation in inner.items():
            yield from _secrets(annotation, (*key, name), (*above, origin))
    for part in get_args(kind):
        yield from _secrets(part, key, above)


def _within(kind: Any, base: Any) -> bool:
    """Whether a setting's type `kind` only has values of type `base`: the same, fewer choices, or a derived table."""
    if isinstance(kind, type) and isinstance(base, type) and issubclass(base, Table):
        return issubclass(kind, base)
    return (set(get_args(kind)) or {kind}) <= (set(get_args(base)) or {base})
