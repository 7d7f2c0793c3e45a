"""Find, load and validate plugins, quarantine the bad ones, and give each model its own set of hooks.

A plugin file is loaded by path as `zoo_plugins.<stem>`; if the process has opened a zoo with another plugin folder, the
package gets another name. An installed package joins through the entry-point group `zoo`. A plugin that breaks the
contract is quarantined with what is wrong and where; the others run.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import logging
import os
import sys
import traceback
import types
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pluggy

from zoo import hookspecs
from zoo.contract import Family, family_of, near_misses
from zoo.errors import PluginError, SettingsError
from zoo.hooks import ADDON, DEFAULTS, JOINED, PACKAGE, HookNamespace, Hooks
from zoo.locations import at_line, deepest
from zoo.settings import MODEL_NAME

GROUP = "zoo"  # the entry-point group
HEAVY = ("tensorflow", "keras", "torch", "jax")  # packages too slow to import at the top of a plugin

log = logging.getLogger("zoo.plugins")


@dataclass(frozen=True)
class Quarantined:
    """A plugin that was set aside: what is wrong, with file and line, and the traceback if it raised."""

    name: str
    source: str
    problem: str
    traceback: str = ""


class Plugins:
    """All plugins of a zoo, by name."""

    def __init__(self) -> None:
        self.families: dict[str, Family] = {}
        self.quarantined: dict[str, Quarantined] = {}

    def add(self, name: str, source: str, module: str, load: Callable[[], Any]) -> None:
        """Load and validate one plugin; whatever goes wrong, it is quarantined and nothing is raised.

        `source` names its origin in messages, and `module` is the module that an error's line is looked for in.
        """
        key = name
        if name in self.families or name in self.quarantined:
            taken = (self.families.get(name) or self.quarantined[name]).source
            key = f"{name} ({source})"
            self.quarantined[key] = Quarantined(
                key, source, f'{source}: the name "{name}" is taken by {taken}. Rename one of the two.'
            )
            return
        before = {module for module in HEAVY if module in sys.modules}
        try:
            if not MODEL_NAME.fullmatch(name):
                raise PluginError(
                    f'{source}: "{name}" is not a valid plugin name. '
                    "Use lower-case letters, digits and _, starting with a letter."
                )
            with warnings.catch_warnings():  # `zoo.fields` refuses such names with a message of its own
                warnings.filterwarnings("ignore", "Field name .* shadows an attribute in parent", UserWarning)
                plugin = load()
            family = family_of(name, source, plugin)
        except PluginError as error:
            self.quarantined[key] = Quarantined(key, source, str(error))
        except (Exception, SystemExit) as error:
            self.quarantined[key] = Quarantined(key, source, _raised(source, module, error), traceback.format_exc())
        else:
            heavy = sorted({module for module in HEAVY if module in sys.modules} - before)
            worth = [f"imports {', '.join(heavy)} at the top of the file; import it inside the hooks"] if heavy else []
            self.families[name] = replace(family, warnings=(*worth, *near_misses(plugin, family)))
        if key in self.quarantined:
            log.info("plugin %s is set aside: %s", key, self.quarantined[key].problem)


def find(folder: Path) -> Plugins:
    """Load every plugin file of `folder`, then every installed package's entry point in group `zoo`.

    Raises SettingsError when the folder cannot be read.
    """
    plugins = Plugins()
    if folder.exists() and not folder.is_dir():
        raise SettingsError([f"{folder} is a file, and should be the folder of plugins."])
    try:
        inside = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise SettingsError([f"{folder}: the folder of plugins cannot be read: {error.strerror}."]) from error
    package = _package(folder)
    for path in inside:
        if path.suffix == ".py" and not path.name.startswith(("_", ".")):
            source, module = f"{folder.name}/{path.name}", f"{package}.{path.stem}"
            plugins.add(path.stem, source, module, functools.partial(_module, module, path))
    for point in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda point: point.name):
        dist = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        plugins.add(point.name, dist, point.module.partition(".")[0], point.load)
    for path in inside:
        if not path.name.startswith(("_", ".")) and _has_hooks(path / "__init__.py"):
            source = f"{folder.name}/{path.name}/"
            plugins.add(path.name, source, f"{package}.{path.name}", functools.partial(_refuse_folder, source))
    return plugins


def _package(folder: Path) -> str:
    """Make a new package for a folder's plugin files and return its name, which is the same each time for one folder.

    Each folder needs its own package for as long as a zoo uses it, because hooks import their helpers when they run.
    """
    first = sys.modules.get(PACKAGE)
    name = PACKAGE
    if first is not None and first.__path__ != [str(folder)]:
        name = f"{PACKAGE}_{hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]}"
    for module in [module for module in sys.modules if module.startswith(f"{name}.")]:
        del sys.modules[module]
    package = types.ModuleType(name, "Plugin files, loaded by path.")
    package.__path__ = [str(folder)]
    sys.modules[name] = package
    return name


def _has_hooks(file: Path) -> bool:
    """Whether a file's text mentions `hookimpl`, so that it was probably meant as a plugin."""
    try:
        return "hookimpl" in file.read_text()
    except (OSError, ValueError):
        return False


def _refuse_folder(source: str) -> None:
    """Raise PluginError for a plugin in the form of a folder, with how to turn it into a file."""
    raise PluginError(
        f"{source}: a plugin is a file, not a folder. Move the code in __init__.py to {source.rstrip('/')}.py, and "
        "what it imports to a file or folder whose name starts with _."
    )


def _module(name: str, path: Path) -> types.ModuleType:
    """Import a file as module `name` and return it. Raises whatever the file raises."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic resolves a class's annotations through it
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _raised(source: str, module: str, error: BaseException) -> str:
    """Format `plugins/x.py:3: it raised ModuleNotFoundError: ...`, with the deepest line inside the plugin's file.

    For an installed package, where `module` is the top package, it is the deepest line inside that package.
    """
    place = deepest(error, {module})
    where = source if place is None else at_line(source, *place)
    if isinstance(error, SyntaxError) and error.lineno and Path(error.filename or "").is_file():
        where = at_line(source, str(error.filename), error.lineno)
    return f"{where}: it raised {type(error).__name__}: {error}"


def join(manager: pluggy.PluginManager, name: str, plugin: Any) -> None:
    """Register an addon of the calling program, which may wrap the hooks of all models.

    Does nothing if one of that name has joined already. Raises PluginError when it breaks the contract.
    """
    if not manager.has_plugin(f"{JOINED}{name}"):
        manager.register(HookNamespace(family_of(name, name, plugin).hooks), f"{JOINED}{name}")


def register(
    families: Mapping[str, Family], addons: Iterable[Family], defaults: Any
) -> tuple[pluggy.PluginManager, dict[str, Hooks]]:
    """Register every model under its name with its family's hooks; return the plugin manager and each model's Hooks.

    Each model gets its own HookNamespace, because pluggy refuses to register one module under two names.
    """
    manager = pluggy.PluginManager("zoo")
    manager.add_hookspecs(hookspecs)
    manager.register(defaults, DEFAULTS)
    for addon in addons:
        manager.register(HookNamespace(addon.hooks), f"{ADDON}{addon.name}")
    spaces = {model: HookNamespace(family.hooks) for model, family in families.items()}
    for model, space in spaces.items():
        manager.register(space, model)
    return manager, {
        model: Hooks(model, manager, [space for rival, space in spaces.items() if rival != model]) for model in spaces
    }
