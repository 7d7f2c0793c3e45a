"""What a plugin may be: its hooks and their arguments, checked before any of them is called."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pluggy

from zoo import fields, files, hookspecs
from zoo.errors import PluginError, closest
from zoo.hooks import MARK, HookNamespace, wraps
from zoo.hookspecs import HOOKS
from zoo.locations import at
from zoo.settings import ModelSettings


@dataclass(frozen=True)
class Family:
    """A valid plugin: the hooks it implements and its settings class.

    `source` is where it came from, a file or a package, and `sha256` the hash of the module's file, None if it has none
    that can be read. An `addon` defines no model: it only wraps the hooks of other plugins, or is notified of their
    answers. `warnings` are things to fix that do not keep the plugin from working.
    """

    name: str
    source: str
    summary: str
    hooks: Mapping[str, Callable[..., Any]]
    settings: type[ModelSettings]
    sha256: str | None = None
    addon: bool = False
    warnings: tuple[str, ...] = ()


def family_of(name: str, source: str, plugin: Any) -> Family:
    """Validate a loaded plugin's hooks and settings. Raises PluginError with one line per mistake."""
    if inspect.isroutine(plugin):
        raise PluginError(
            f"{source}: its entry point names {plugin.__module__}:{plugin.__qualname__}, a single hook. Name the "
            f'module with all of them: {name} = "{plugin.__module__}".'
        )
    hooks, problems = _hooks(source, plugin)
    # `answered` is a notification, which addons and models may both have.
    addon = all(wraps(function) for hook, function in hooks.items() if hook != "answered")
    if not problems and not hooks:
        problems.append(f"{source}: it has no hooks. A model needs build(settings), marked with @hookimpl.")
    elif not problems and not addon and "build" not in hooks:
        problems.append(f"{source}: it has {', '.join(hooks)} but no build(settings), which every model needs.")
    settings = getattr(plugin, "Settings", ModelSettings)
    if not (isinstance(settings, type) and issubclass(settings, ModelSettings)):
        problems.append(f"{source}: Settings should be a class that derives from zoo.ModelSettings.")
    elif not problems and addon and settings is not ModelSettings:
        problems.append(
            f"{source}: Settings is never used: without build(settings) it only wraps other plugins' hooks, and gets "
            "their settings. Remove the class; use constants or environment variables for its own options."
        )
    elif not problems:
        problems += fields.problems(source, settings)
    if problems:
        raise PluginError("\n".join(problems))
    _register_alone(source, hooks)
    summary = (inspect.getdoc(plugin) or "").strip().partition("\n")[0].rstrip(".")
    return Family(name, source, summary, hooks, settings, sha256=_sha256(plugin), addon=addon)


def _hooks(source: str, plugin: Any) -> tuple[dict[str, Callable[..., Any]], list[str]]:
    """Return a plugin's functions by the hook that each implements, and what is wrong with them, one line each."""
    hooks: dict[str, Callable[..., Any]] = {}
    problems: list[str] = []
    for member, function in _functions(plugin):
        options = getattr(function, MARK, None)
        if options is None:
            if member in HOOKS:
                problems.append(f"{at(source, function)}: {member} is not marked as a hook. Put @hookimpl above it.")
            continue
        hook = options.get("specname") or member
        if hook not in HOOKS:
            problems.append(
                f"{at(source, function)}: there is no hook {hook!r}.{closest(hook, HOOKS)} "
                f"The hooks are: {', '.join(HOOKS)}."
            )
            continue
        if hook in hooks:
            problems.append(f"{at(source, function)}: {hook} is defined twice. Keep one of the two.")
        problems += [*_signature(source, hook, function), *_kind_of_function(source, hook, function)]
        hooks[hook] = function
    return hooks, problems


def _functions(plugin: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the functions of a plugin with their names, leaving out those that begin with two underscores."""
    for member in dir(plugin):
        if not member.startswith("__"):
            value = getattr(plugin, member, None)
            if inspect.isroutine(value):
                yield member, value


def _signature(source: str, hook: str, function: Callable[..., Any]) -> list[str]:
    """Return what is wrong with a hook's arguments: unknown names, kinds that pluggy cannot pass, and defaults."""
    allowed = list(inspect.signature(getattr(hookspecs, hook)).parameters)
    problems = []
    for name, parameter in inspect.signature(function).parameters.items():
        where = f"{at(source, function)}: {hook} cannot take {str(parameter)!r}"
        plain = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        if name not in allowed or not plain:
            problems.append(f"{where}.{closest(name, allowed)} It may take: {', '.join(allowed)}.")
        elif parameter.default is not parameter.empty:
            problems.append(f"{where}: an argument with a default never receives its value. Remove the default.")
    return problems


def _kind_of_function(source: str, hook: str, function: Callable[..., Any]) -> list[str]:
    """Return what is wrong with the kind of a hook's function: only a wrapper yields, and nothing is awaited."""
    where = f"{at(source, function)}: {hook}"
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return [f"{where} is async, but hooks are not awaited. Make it a plain function (def)."]
    yields = inspect.isgeneratorfunction(function)
    if wraps(function) and not yields:
        return [f"{where} is a wrapper but does not yield. Add `answer = yield`, and return the answer."]
    if yields and not wraps(function):
        return [f"{where} yields but is not a wrapper. Return the result, or mark it @hookimpl(wrapper=True)."]
    return []


def _register_alone(source: str, hooks: Mapping[str, Callable[..., Any]]) -> None:
    """Register the hooks with a throwaway manager. Raises PluginError with what pluggy objects to."""
    manager = pluggy.PluginManager("zoo")
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(HookNamespace(hooks))
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(f"{source}: {error}") from error


def _sha256(plugin: Any) -> str | None:
    """Return the SHA-256 of the file of a plugin's module, or None when there is no file to read."""
    file = getattr(inspect.getmodule(plugin), "__file__", None)
    try:
        return files.sha256(Path(file)) if file else None
    except OSError:
        return None


def near_misses(plugin: Any, family: Family) -> Iterator[str]:
    """Yield a warning for each function that is nearly a hook, and each class nearly the settings, but is not used."""
    own = vars(plugin) if inspect.ismodule(plugin) else {}
    missing = [hook for hook in HOOKS if hook not in family.hooks]
    for name, value in own.items():
        if name.startswith("_") or getattr(value, "__module__", None) != plugin.__name__ or hasattr(value, MARK):
            continue
        if inspect.isclass(value) and "Settings" not in own:
            if issubclass(value, ModelSettings) or name.lower() == "settings":
                yield f"class {name} is not used for its settings; declare them as class Settings(ModelSettings)"
        elif inspect.isfunction(value):
            for hook in difflib.get_close_matches(name, missing, 1, 0.8):
                takes = set(inspect.signature(value).parameters)
                if takes and takes <= set(inspect.signature(getattr(hookspecs, hook)).parameters):
                    yield f"{name} is not used as hook {hook}; rename it and add @hookimpl, or begin its name with _"
