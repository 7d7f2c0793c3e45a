"""Make a zoo's models, one for each table of the settings and each plugin that no table names, and list mistakes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pluggy

from zoo import defaults, plugins
from zoo.checkpoints import Catalogue
from zoo.configuration import validate
from zoo.contract import Family
from zoo.errors import ModelUnavailable, UnknownCheckpoint, UnknownModel, closest, cut
from zoo.mistakes import Origins
from zoo.models import Model
from zoo.plugins import Plugins
from zoo.settings import MODEL_NAME, ModelEntry, Others, Settings

TAKEN = {"stats": "/v2/models/stats gives the statistics of all models"}
"""Names that no model may have, each with the reason."""


def make_models(
    root: Path, settings: Settings, found: Plugins, catalogue: Catalogue, origins: Origins, others: Others
) -> tuple[dict[str, Model], pluggy.PluginManager, list[str]]:
    """Return the models by name, the manager that their hooks are registered with, and a line for each mistake.

    The mistakes are those in the settings. `others` is the models' access to each other.
    """
    entries = _entries(settings, found)
    families = {name: family for name, entry in entries.items() if (family := _family(name, entry, found))}
    manager, hooks = plugins.register(families, [one for one in found.families.values() if one.addon], defaults)
    models: dict[str, Model] = {}
    mistakes: list[str] = []
    for name, entry in entries.items():
        plugin, family = entry.plugin or name, families.get(name)
        if family is not None:
            values, table, owner = entry.model_extra or {}, ("models", name), f'plugin "{plugin}"'
            own, wrong = validate(family.settings, values, origins, table, owner, beside=ModelEntry.model_fields)
            mistakes += wrong
            models[name] = Model(name, entry, catalogue, plugin, others, family=family, hooks=hooks[name], settings=own)
        elif mistake := _mistake(name, entry, settings, found, origins):
            mistakes.append(mistake)
        else:
            models[name] = Model(name, entry, catalogue, plugin, others, problem=_problem(name, plugin, found, origins))
    folder = root / settings.plugins_folder
    chosen = settings.plugins_folder != Settings.model_fields["plugins_folder"].default
    if not folder.exists() and (chosen or (mistakes and not found.families)):
        where = origins.point(("plugins_folder",), settings.plugins_folder)
        mistakes.insert(0, f"{where}: there is no folder {folder}.")
    default = settings.default_model
    if default is not None and default not in models and not mistakes:
        where = f"{origins.point(('default_model',), default)}: there is no such model"
        reason = called_otherwise(default, models, found)
        near = f": {reason}" if reason else f".{closest(default, models)}"
        mistakes.append(f"{where}{near} The models are: {', '.join(models)}.")
    return models, manager, mistakes


def _entries(settings: Settings, found: Plugins) -> dict[str, ModelEntry]:
    """Return the tables of the settings, and an empty one for each plugin, whole or broken, that none of them names."""
    entries = dict(settings.models)
    named = {entry.plugin or name for name, entry in entries.items()}
    unnamed = [name for name, family in found.families.items() if not family.addon]
    unnamed += [name for name in found.quarantined if MODEL_NAME.fullmatch(name)]
    for name in unnamed:
        if name not in named:
            entries.setdefault(name, ModelEntry())
    return entries


def _family(name: str, entry: ModelEntry, found: Plugins) -> Family | None:
    """Return the family of a model that can be, and None for a model whose name or plugin is at fault."""
    plugin = entry.plugin or name
    family = found.families.get(plugin)
    if name in TAKEN or plugin in found.quarantined or family is None or family.addon:
        return None
    return family


def _mistake(name: str, entry: ModelEntry, settings: Settings, found: Plugins, origins: Origins) -> str | None:
    """Return the line for a table of the settings that has a name or a plugin that no model can have."""
    plugin, table = entry.plugin or name, ("models", name)
    if name in TAKEN:
        if name not in settings.models:
            return None
        return f"{origins.point(table, {})}: {_taken(name)} Choose another name."
    if plugin in found.quarantined:
        return None
    known = [known for known, family in found.families.items() if not family.addon]
    where = origins.point((*table, "plugin"), plugin) if entry.plugin else origins.point(table, {})
    if plugin in found.families:
        return (
            f'{where}: plugin "{plugin}" only wraps other plugins\' hooks, so it is not a model and '
            f"takes no table. The plugins with models are: {', '.join(known) or 'none'}."
        )
    remedy = ""
    if known and not entry.plugin:
        meant = max(known, key=lambda one: len(one) if plugin.startswith(one) else 0)
        remedy = f' To use one of them, add to the table: plugin = "{meant}".'
    return (
        f'{where}: there is no plugin "{plugin}".{closest(plugin, known)} '
        f"The plugins are: {', '.join(known) or 'none'}.{remedy}"
    )


def _problem(name: str, plugin: str, found: Plugins, origins: Origins) -> str:
    """Return why a model cannot answer that is listed although its name or its plugin is at fault."""
    if name in TAKEN:
        return f'Plugin "{name}": {_taken(name)} Add a table of another name to {origins.file}, with plugin = "{name}".'
    return f'Plugin "{plugin}" is set aside: {found.quarantined[plugin].problem}'


def _taken(name: str) -> str:
    """Return the end of a sentence: why no model may have a name that is in `TAKEN`."""
    return f"no model may have this name, because {TAKEN[name]}."


def unknown_model(name: str, models: Mapping[str, Model], found: Plugins) -> UnknownModel:
    """Return the error that there is no model `name`, with what may have been meant."""
    if name in found.quarantined:  # under a name that no model can have
        return UnknownModel(f'There is no model "{name}": {found.quarantined[name].problem}')
    if reason := called_otherwise(name, models, found):
        return UnknownModel(f'There is no model "{name}": {reason}')
    model, _, version = name.partition("/")
    if model in models and version.isdecimal():
        return UnknownModel(
            f'There is no model "{cut(name)}". Name the model "{model}" and its version separately: '
            f"--version {cut(version)}, or version={cut(version)} in the API and in Python."
        )
    return UnknownModel(f'There is no model "{cut(name)}".{closest(name, models)} The models are: {", ".join(models)}.')


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
