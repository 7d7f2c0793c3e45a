"""Make a zoo's models, one for each table of the settings and each plugin that no table names, and list mistakes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from zoo.checkpoints import Catalogue
from zoo.configuration import validate
from zoo.errors import ModelUnavailable, UnknownCheckpoint, closest
from zoo.mistakes import Origins
from zoo.models import Model
from zoo.plugins import Plugins
from zoo.settings import MODEL_NAME, ModelEntry, Settings

TAKEN = {"stats": "/v2/models/stats gives the statistics of all models"}
"""Names that no model may have, each with the reason."""


def settled(
    root: Path, settings: Settings, found: Plugins, catalogue: Catalogue, origins: Origins
) -> tuple[dict[str, Model], list[str]]:
    """Return the models by name, without their hooks yet, and one line for each mistake in the settings."""
    models: dict[str, Model] = {}
    problems: list[str] = []
    families, quarantined = found.families, found.quarantined
    entries = dict(settings.models)
    named = {entry.plugin or name for name, entry in entries.items()}
    for name, family in families.items():
        if not family.addon and name not in named:
            entries.setdefault(name, ModelEntry())
    for name in quarantined:
        if name not in named and MODEL_NAME.fullmatch(name):
            entries.setdefault(name, ModelEntry())
    for name, entry in entries.items():
        plugin, table = entry.plugin or name, ("models", name)
        if name in TAKEN:
            told = f"no model may have this name, because {TAKEN[name]}."
            if name in settings.models:
                problems.append(f"{origins.point(table, {})}: {told} Choose another name.")
            else:
                remedy = f'Add a table of another name to {origins.file}, with plugin = "{name}".'
                models[name] = Model(name, entry, catalogue, plugin, problem=f'Plugin "{name}": {told} {remedy}')
            continue
        if plugin in quarantined:
            problem = f'Plugin "{plugin}" is set aside: {quarantined[plugin].problem}'
            models[name] = Model(name, entry, catalogue, plugin, problem=problem)
        elif plugin not in families or families[plugin].addon:
            known = [known for known, family in families.items() if not family.addon]
            where = origins.point((*table, "plugin"), plugin) if entry.plugin else origins.point(table, {})
            if plugin in families:
                problems.append(
                    f'{where}: plugin "{plugin}" only wraps other plugins\' hooks, so it is not a model and '
                    f"takes no table. The plugins with models are: {', '.join(known) or 'none'}."
                )
                continue
            remedy = ""
            if known and not entry.plugin:
                meant = max(known, key=lambda one: len(one) if plugin.startswith(one) else 0)
                remedy = f' To use one of them, add to the table: plugin = "{meant}".'
            problems.append(
                f'{where}: there is no plugin "{plugin}".{closest(plugin, known)} '
                f"The plugins are: {', '.join(known) or 'none'}.{remedy}"
            )
        else:
            family = families[plugin]
            values, owner = entry.model_extra or {}, f'plugin "{plugin}"'
            own, wrong = validate(family.settings, values, origins, table, owner, beside=ModelEntry.model_fields)
            problems += wrong
            models[name] = Model(name, entry, catalogue, plugin, family, own)
    folder = root / settings.plugins_folder
    name = settings.plugins_folder
    chosen = name != Settings.model_fields["plugins_folder"].default
    if not folder.exists() and (chosen or (problems and not families)):
        problems.insert(0, f"{origins.point(('plugins_folder',), name)}: there is no folder {folder}.")
    default = settings.default_model
    if default is not None and default not in models and not problems:
        where = f"{origins.point(('default_model',), default)}: there is no such model"
        others = called_otherwise(default, models, found)
        near = f": {others}" if others else f".{closest(default, models)}"
        problems.append(f"{where}{near} The models are: {', '.join(models)}.")
    return models, problems


def called_otherwise(name: str, models: Mapping[str, Model], found: Plugins) -> str:
    """Explain why plugin `name` has no model of its own name, and how to add one; "" if that is not the case."""
    tables = ", ".join(f"[models.{one}]" for one, model in models.items() if model.plugin == name)
    if name in models or name not in found.families or not tables:
        return ""
    return f'its plugin is used only by {tables} in the settings. To have it as well, add a table "[models.{name}]".'


def without_version(models: Iterable[Model], catalogue: Catalogue, origins: Origins) -> list[str]:
    """Return one line for each `checkpoint` setting that is not a version, or that names another plugin's checkpoint.

    A missing or damaged version is no mistake in the settings, since its folder may not be copied yet: only its model
    cannot answer.
    """
    problems = []
    for model in models:
        if model.checkpoint == "latest" or model.family is None:
            continue
        where = origins.point(("models", model.name, "checkpoint"), model.checkpoint)
        try:
            card = catalogue.card(*model.select())
        except UnknownCheckpoint as error:
            if not str(model.checkpoint).rpartition("/")[2].isdecimal():
                problems.append(f"{where}: {error}")
        except ModelUnavailable:  # the model is still listed, and requests to it are answered with 503
            continue
        else:
            if card.plugin != model.plugin:
                problems.append(
                    f'{where}: this is a checkpoint of plugin "{card.plugin}", but the model uses plugin '
                    f'"{model.plugin}". Choose a checkpoint of that plugin.'
                )
    return problems
