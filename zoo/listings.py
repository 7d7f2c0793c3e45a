"""The contents of a zoo as plain rows, for the command line's tables, its JSON, and the API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from zoo.configuration import as_text
from zoo.errors import ZooError
from zoo.models import Model
from zoo.settings import ModelSettings
from zoo.zoo import Zoo

# A JSON schema in words for people.
_KINDS = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "object": "table",
}
_BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<", "pattern": "matching"}


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One row about a model. Accuracy and its 95 % interval are shares in 0-1, None when not measured."""

    name: str
    plugin: str
    summary: str
    checkpoint: str | None
    accuracy: float | None
    interval: tuple[float, float] | None
    epochs: int | None
    parameters: int | None
    default: bool
    available: bool
    problem: str | None


def models(zoo: Zoo) -> list[ModelFacts]:
    """Return a row per model, in the order of the settings: what it is, how accurate, and why it may not answer."""
    default = zoo.default_model if zoo.models else None
    return [_facts(model, model.name == default) for model in zoo.models.values()]


def _facts(model: Model, default: bool) -> ModelFacts:
    """Return the row about one model. `default` says whether it is the default model."""
    card, problem = model.card(), model.trouble()
    measured = card.evaluation if card else None
    return ModelFacts(
        name=model.name,
        plugin=model.plugin,
        summary=model.family.summary if model.family else card.summary if card else "",
        checkpoint=card.ref if card else None,
        accuracy=measured.accuracy if measured else None,
        interval=measured.interval if measured else None,
        epochs=card.training.get("epochs") if card else None,
        parameters=card.parameters if card else None,
        default=default,
        available=problem is None,
        problem=problem,
    )


def model(zoo: Zoo, name: str) -> dict[str, Any]:
    """Return everything about one model: its row, card, settings and their JSON schema, checkpoints, inputs and labels.

    Fields without a value are None. Raises UnknownModel.
    """
    chosen = zoo.model(name)
    card = chosen.card()
    default = zoo.default_model == name
    family = chosen.family
    return asdict(_facts(chosen, default)) | {
        "labels": card.labels if card else None,
        "input_shape": card.input_shape if card else None,
        "settings": chosen.settings.model_dump(mode="json") if family else None,
        "settings_schema": family.settings.model_json_schema() if family else None,
        "checkpoints": [row for row in checkpoints(zoo) if row["model"] == name or name in row["served_by"]],
        "card": card.model_dump(mode="json") if card else None,
    }


@dataclass(frozen=True, slots=True)
class PluginFacts:
    """One row about a plugin, with the JSON schema of its settings, or its problem and traceback if quarantined."""

    name: str
    source: str
    summary: str
    hooks: list[str]
    models: list[str]
    settings: dict[str, Any] | None
    warnings: list[str]
    problem: str | None
    traceback: str | None


def plugins(zoo: Zoo) -> list[PluginFacts]:
    """Return a row per plugin, the quarantined ones last."""
    used_by: dict[str, list[str]] = {}
    for name, model in zoo.models.items():
        used_by.setdefault(model.plugin, []).append(name)
    rows = [
        PluginFacts(
            name=family.name,
            source=family.source,
            summary=family.summary,
            hooks=sorted(family.hooks),
            models=used_by.get(family.name, []),
            settings=family.settings.model_json_schema(),
            warnings=list(family.warnings),
            problem=None,
            traceback=None,
        )
        for family in zoo.plugins.families.values()
    ]
    return rows + [
        PluginFacts(
            name=bad.name,
            source=bad.source,
            summary="",
            hooks=[],
            models=used_by.get(bad.name, []),
            settings=None,
            warnings=[],
            problem=bad.problem,
            traceback=bad.traceback or None,
        )
        for bad in zoo.plugins.quarantined.values()
    ]


@dataclass(frozen=True, slots=True)
class SettingFacts:
    """One row about a setting of a plugin. `default` is as `zoo train --set` takes it, `takes` for people to read."""

    key: str
    default: str
    takes: str
    description: str


def settings(kind: type[ModelSettings]) -> list[SettingFacts]:
    """Return a row per setting of a plugin's settings class, with those of nested tables as `augment.rotate`."""
    schema = kind.model_json_schema()
    tables = schema.get("$defs", {})
    return list(_settings(_resolved(schema, tables), tables, kind().model_dump(mode="json", by_alias=True), ""))


def _settings(
    table: Mapping[str, Any], tables: Mapping[str, Any], defaults: Mapping[str, Any], prefix: str
) -> Iterator[SettingFacts]:
    """Yield the rows of one table's JSON schema; `tables` are the schemas that it refers to."""
    for name, schema in table["properties"].items():
        inner, default = _resolved(schema, tables), defaults.get(name)
        if "properties" in inner and isinstance(default, Mapping):
            yield from _settings(inner, tables, default, f"{prefix}{name}.")
        else:
            shown = as_text(default) or '""'
            yield SettingFacts(f"{prefix}{name}", shown, _takes(inner, tables), schema.get("description", ""))


def _resolved(schema: Mapping[str, Any], tables: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a JSON schema, or the one that it refers to."""
    return tables[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _takes(schema: Mapping[str, Any], tables: Mapping[str, Any]) -> str:
    """Describe the values that a JSON schema allows: `whole number >= 1, <= 64`, `adam or sgd`, `list of text`."""
    schema = _resolved(schema, tables)
    if choices := schema.get("enum", [schema["const"]] if "const" in schema else []):
        return " or ".join(filter(None, (", ".join(map(as_text, choices[:-1])), as_text(choices[-1]))))
    if branches := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(_takes(branch, tables) for branch in branches)
    if schema.get("type") == "array":
        parts = schema.get("prefixItems") or [schema.get("items") or {}]
        return f"list of {', '.join(_takes(part, tables) for part in parts)}"
    if isinstance(values := schema.get("additionalProperties"), Mapping):
        return f"table of {_takes(values, tables)}"
    bounds = ", ".join(f"{sign} {schema[bound]}" for bound, sign in _BOUNDS.items() if bound in schema)
    return f"{_KINDS.get(schema.get('type', ''), 'any value')} {bounds}".rstrip()


def checkpoints(zoo: Zoo) -> list[dict[str, Any]]:
    """Return a row per checkpoint: the models it serves, accuracies (0-1), size in bytes, settings of its run alone.

    A row with a `problem` has none of what is in the card.
    """
    served: dict[tuple[str, int], list[str]] = {}
    for model in zoo.models.values():
        try:
            served.setdefault(model.answering(), []).append(model.name)
        except ZooError:
            continue
    rows = []
    for owner in zoo.catalogue.models():
        for version in zoo.catalogue.found(owner):
            row: dict[str, Any] = {"model": owner, "checkpoint": f"{owner}/{version}"}
            row |= {"served_by": served.get((owner, version), []), "problem": None}
            try:
                card = zoo.catalogue.card(owner, version)
            except ZooError as error:
                rows.append(row | {"problem": str(error)})
                continue
            row |= {
                "epochs": card.training.get("epochs"),
                "validation": card.training.get("val_accuracy"),
                "accuracy": card.evaluation.accuracy if card.evaluation else None,
                "bytes": sum(fact.bytes for fact in card.files.values()),
                "created": card.created.isoformat(),
                "overrides": card.overrides,
            }
            rows.append(row)
    return rows
