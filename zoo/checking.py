"""The findings of `zoo check`: everything that serving would run into, and more, without serving."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.configuration import as_text
from zoo.errors import ZooError
from zoo.inhabitants import called_otherwise
from zoo.models import Model
from zoo.zoo import Zoo


@dataclass(frozen=True)
class Finding:
    """One line of the report. Upon an `error` something cannot answer; a `warning` is worth knowing."""

    level: Literal["ok", "warning", "error"]
    what: str
    text: str


def check(zoo: Zoo) -> list[Finding]:
    """Check every plugin, every model, and every file of every checkpoint. `Zoo.open` has checked the settings."""
    found = []
    for name, bad in zoo.plugins.quarantined.items():
        found.append(Finding("error", f"plugin {name}", bad.problem))
    for name, family in zoo.plugins.families.items():
        found += [Finding("warning", f"plugin {name}", f"{family.source}: {text}") for text in family.warnings]
        if zoo.catalogue.versions(name) and (others := called_otherwise(name, zoo.models, zoo.plugins)):
            found.append(
                Finding("warning", f"plugin {name}", f'model "{name}" has checkpoints but does not exist: {others}')
            )
    for model in zoo.models.values():
        found += _model(model)
    for owner in zoo.catalogue.models():
        for version in zoo.catalogue.found(owner):
            found += _checkpoint(zoo, owner, version)
    return found


def _model(model: Model) -> list[Finding]:
    """Load a model, and warn of settings that differ from those its checkpoint was trained with."""
    what = f"model {model.name}"
    try:
        loaded = model.load()
    except ZooError as error:
        return [Finding("error", what, str(error))]
    now = model.settings.model_dump(mode="json")
    trained = loaded.settings.model_dump(mode="json")  # with defaults for what an older card lacks
    apart = [key for key in now if now[key] != trained[key]]
    found = [
        Finding(
            "warning",
            what,
            f"the settings have {key} = {as_text(now[key])}, but checkpoint {loaded.card.ref} was trained with "
            f"{as_text(trained[key])}. That value is used until the next training.",
        )
        for key in apart
    ]
    return [Finding("ok", what, f"answers with {loaded.card.ref}"), *found]


def _checkpoint(zoo: Zoo, owner: str, version: int) -> list[Finding]:
    """Check that a checkpoint's card and files are undamaged, and that its plugin is the one that trained it."""
    what = f"checkpoint {owner}/{version}"
    try:
        card = zoo.catalogue.card(owner, version)
        zoo.catalogue.verify(card)
    except ZooError as error:
        return [Finding("error", what, str(error))]
    size = sum(fact.bytes for fact in card.files.values())
    found = [Finding("ok", what, f"{len(card.files)} files, {size} bytes, undamaged")]
    family = zoo.plugins.families.get(card.plugin)
    if family is not None and None not in (card.plugin_sha256, family.sha256) and card.plugin_sha256 != family.sha256:
        text = (
            f"{card.ref} was trained by another version of {family.source}; if build or preprocess changed, train "
            f"again: zoo train {owner}"
        )
        found.append(Finding("warning", what, text))
    return found
