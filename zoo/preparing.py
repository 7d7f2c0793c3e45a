"""Prepare a training run: its settings, which of them are not the zoo's own, and the command that starts it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.configuration import FILE, as_text, keys_of, merged, to_json, validate
from zoo.errors import ModelUnavailable, SettingsError
from zoo.mistakes import Origins
from zoo.models import Model
from zoo.runs import Run
from zoo.starter import locate


def prepare(root: Path, model: Model, fast: bool, overrides: Mapping[str, Any]) -> Run:
    """Return the run that trains a model of the zoo in folder `root`.

    `fast` uses the plugin's quick settings and `overrides` changes single ones. Raises SettingsError for settings that
    do not exist or are not valid, and ModelUnavailable when the plugin is missing or quarantined.
    """
    if model.family is None or model.hooks is None:
        raise ModelUnavailable(model.problem or f'Model "{model.name}" has no plugin.')
    requested: dict[str, Any] = to_json(dict(overrides))
    changes = merged(to_json(dict(model.family.settings.fast)) if fast else {}, requested)
    own = model.settings.model_dump(mode="json")
    settings, mistakes = validate(
        model.family.settings,
        merged(own, changes),
        Origins(FILE, {("models", model.name, *key): ".".join(key) for key in keys_of(changes)}),
        ("models", model.name),
        f'plugin "{model.plugin}"',
    )
    if settings is None:
        raise SettingsError(mistakes)
    departing = {key: value for key, value in settings.model_dump(mode="json").items() if value != own.get(key)}
    of_this_run = {key: departing[key] for key in changes if key in departing}
    return Run(
        model=model.name,
        family=model.family,
        hooks=model.hooks,
        settings=settings.named(model.name, model.others, model.hooks.build),
        overrides=of_this_run,
        catalogue=model.catalogue,
        work=root / ".zoo",
        command=_command(root, model.name, fast, requested),
        quick=fast and bool(of_this_run),
    )


def _command(root: Path, name: str, fast: bool, overrides: Mapping[str, Any]) -> str:
    """Return the shell command that starts the same training from the working directory."""
    words = ["zoo", *([] if root == locate().resolve() else ["--zoo", str(root)]), "train", name]
    words += ["--fast"] if fast else []
    for key in keys_of(overrides):
        value: Any = overrides
        for part in key:
            value = value[part]
        flag = key[0] in ("epochs", "seed") and isinstance(value, int)
        words += [f"--{key[0]}", str(value)] if flag else ["--set", f"{'.'.join(key)}={as_text(value)}"]
    return shlex.join(words)
