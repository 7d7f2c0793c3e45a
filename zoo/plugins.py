"""Find, load and validate plugins, quarantine the bad ones, and give each model its own set of hooks.

A plugin file is loaded by path as `zoo_plugins.<stem>`; if the process has opened a zoo with another plugin folder, the
package gets another name. An installed package joins through the entry-point group `zoo`. A plugin that breaks the
contract is quarantined with what is wrong and where; the others run.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import importlib.metadata
import importlib.util
import inspect
import logging
import os
import re
import sys
import traceback
import types
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

import pluggy
from pydantic import BaseModel, Secret, SecretBytes, SecretStr, ValidationError

from zoo import files, hookspecs, stopping
from zoo.errors import PluginError, SettingsError, ZooError, closest, ended, why
from zoo.hookspecs import HOOKS
from zoo.settings import MODEL_NAME, Key, ModelEntry, ModelSettings, Origins, Table, over, validate
from zoo.types import Prediction, Reading

GROUP = "zoo"  # the entry-point group
PACKAGE = "zoo_plugins"  # the package that plugin files are loaded into
MARK = "zoo_impl"  # the attribute that pluggy's hookimpl("zoo") sets on a hook
# The names under which plugins are registered with pluggy. No model's name has a space, so these cannot clash with one.
DEFAULTS = " defaults"  # the default hooks
ADDON = "addon "  # prefix of a plugin that wraps other plugins' hooks
JOINED = "joined "  # prefix of a plugin that the calling program adds itself
HEAVY = ("tensorflow", "keras", "torch", "jax")  # packages too slow to import at the top of a plugin

log = logging.getLogger("zoo.plugins")


@dataclass(frozen=True)
class Family:
    """A valid plugin: the hooks it implements and its settings class.

    `source` is where it came from, a file or a package, and `sha256` the hash of the module's file, None if it has none
    that can be read. An `addon` defines no model: it only wraps the hooks of other
    plugins, or is notified of their answers. `warnings` are things to fix that do not keep the plugin from working.
    """

    name: str
    source: str
    summary: str
    hooks: Mapping[str, Callable[..., Any]]
    settings: type[ModelSettings]
    sha256: str | None = None
    addon: bool = False
    warnings: tuple[str, ...] = ()


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
            with warnings.catch_warnings():  # `_settings` refuses such fields with a message of its own
                warnings.filterwarnings("ignore", "Field name .* shadows an attribute in parent", UserWarning)
                plugin = load()
            family = _family(name, source, plugin)
        except PluginError as error:
            self.quarantined[key] = Quarantined(key, source, str(error))
        except (Exception, SystemExit) as error:
            self.quarantined[key] = Quarantined(key, source, _raised(source, module, error), traceback.format_exc())
        else:
            heavy = sorted({module for module in HEAVY if module in sys.modules} - before)
            worth = [f"imports {', '.join(heavy)} at the top of the file; import it inside the hooks"] if heavy else []
            self.families[name] = replace(family, warnings=(*worth, *_misses(plugin, family)))
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


def _family(name: str, source: str, plugin: Any) -> Family:
    """Validate a loaded plugin's hooks and settings. Raises PluginError with one line per mistake."""
    problems: list[str] = []
    hooks: dict[str, Callable[..., Any]] = {}
    wrappers = True
    for member, function in _functions(plugin):
        options = getattr(function, MARK, None)
        if options is None:
            if member in HOOKS:
                problems.append(f"{_at(source, function)}: {member} is not marked as a hook. Put @hookimpl above it.")
            continue
        hook = options.get("specname") or member
        if hook not in HOOKS:
            problems.append(
                f"{_at(source, function)}: there is no hook {hook!r}.{closest(hook, HOOKS)} "
                f"The hooks are: {', '.join(HOOKS)}."
            )
            continue
        if hook in hooks:
            problems.append(f"{_at(source, function)}: {hook} is defined twice. Keep one of the two.")
        problems += _signature(source, hook, function)
        if _wraps(function) and not inspect.isgeneratorfunction(function):
            problems.append(
                f"{_at(source, function)}: {hook} is a wrapper but does not yield. Add `answer = yield`, and return "
                "the answer."
            )
        problems += _kind_of_function(source, hook, function)
        if hook != "answered":  # a notification, which addons and models may both have
            wrappers = wrappers and _wraps(function)
        hooks[hook] = function
    if inspect.isroutine(plugin):
        problems = [
            f"{source}: its entry point names {plugin.__module__}:{plugin.__qualname__}, a single hook. Name the "
            f'module with all of them: {name} = "{plugin.__module__}".'
        ]
    elif not problems and not hooks:
        problems.append(f"{source}: it has no hooks. A model needs build(settings), marked with @hookimpl.")
    elif not problems and not wrappers and "build" not in hooks:
        problems.append(f"{source}: it has {', '.join(hooks)} but no build(settings), which every model needs.")
    settings = getattr(plugin, "Settings", ModelSettings)
    if not (isinstance(settings, type) and issubclass(settings, ModelSettings)):
        problems.append(f"{source}: Settings should be a class that derives from zoo.ModelSettings.")
    elif not problems and wrappers and settings is not ModelSettings:
        problems.append(
            f"{source}: Settings is never used: without build(settings) it only wraps other plugins' hooks, and gets "
            "their settings. Remove the class; use constants or environment variables for its own options."
        )
    elif not problems:
        problems += _settings(source, settings)
    if problems:
        raise PluginError("\n".join(problems))
    _register_alone(source, hooks)
    summary = (inspect.getdoc(plugin) or "").strip().partition("\n")[0].rstrip(".")
    return Family(name, source, summary, hooks, settings, sha256=_sha256(plugin), addon=wrappers)


def _sha256(plugin: Any) -> str | None:
    """Return the SHA-256 of the file of a plugin's module, or None when there is no file to read."""
    file = getattr(inspect.getmodule(plugin), "__file__", None)
    try:
        return files.sha256(Path(file)) if file else None
    except OSError:
        return None


def _misses(plugin: Any, family: Family) -> Iterator[str]:
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


def _wraps(function: Callable[..., Any]) -> bool:
    """Whether a hook is a wrapper, of pluggy's new or old style."""
    options = getattr(function, MARK)
    return bool(options.get("wrapper") or options.get("hookwrapper"))


def _answering(hook: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the hook with None turned into an error: upon a forgotten `return`, pluggy would call the default too.

    An `answered` hook returns nothing. What it raises is logged, so that the other plugins are still notified.
    """
    if _wraps(function):
        return function

    @functools.wraps(function)
    def hearing(*arguments: Any) -> None:
        try:
            function(*arguments)
        except (Exception, SystemExit) as error:
            if stopping.came():
                raise
            whose = re.sub(rf"^{PACKAGE}\w*\.", "", getattr(function, "__module__", ""))
            log.exception(
                'plugin "%s": its answered hook raised %s; the answers are returned all the same', whose, error
            )

    @functools.wraps(function)
    def answering(*arguments: Any) -> Any:
        answer = function(*arguments)
        if answer is None:
            raise _Nothing
        return answer

    return hearing if hook == "answered" else answering


class _Nothing(Exception):
    """A hook returned None; `Hooks.call` turns it into NoAnswer."""


class NoAnswer(PluginError):
    """A hook returned None, with the message for the user."""


def _settings(source: str, settings: type[ModelSettings]) -> list[str]:
    """Return what is wrong with a plugin's settings class, one line per mistake.

    Every field needs a default, and values and schema have to be expressible in JSON, in which a secret is lost or
    shown. A field with a name that the zoo uses itself could never be set, or would break code that relies on the
    original.
    """
    taken = [name for name in settings.model_fields if name in ModelEntry.model_fields or name in vars(ModelSettings)]
    if taken:
        return [f"{source}: Settings cannot have {', '.join(taken)}: the zoo uses these names itself. Choose others."]
    fields = settings.model_fields
    problems = [
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
            own = settings().model_dump(mode="json")
            settings.model_validate_json(settings().model_dump_json())
            settings.model_json_schema()
    except Exception as error:
        told = _mistakes(error) if isinstance(error, ValidationError) else str(error).replace("\n", " ")
        return [f"{source}: Settings cannot be used: {told}. Every setting needs a default of a JSON type."]
    if not isinstance(settings.fast, Mapping):
        return [*problems, f"{source}: fast should be the settings that --fast changes, such as {{'epochs': 3}}."]
    return problems + validate(settings, over(own, settings.fast), Origins(f"{source}: fast"), ())[1]


def _mistakes(error: ValidationError) -> str:
    """Return pydantic's complaints as `units: Field required; ...`, without its links."""
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}".removeprefix(": ") for one in error.errors())


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


def _functions(plugin: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the functions of a plugin with their names, leaving out those that begin with two underscores."""
    for member in dir(plugin):
        if not member.startswith("__"):
            value = getattr(plugin, member, None)
            if inspect.isroutine(value):
                yield member, value


def _kind_of_function(source: str, hook: str, function: Callable[..., Any]) -> list[str]:
    """Return what is wrong with a hook that returns a coroutine or generator, which the zoo would not run."""
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return [f"{_at(source, function)}: {hook} is async, but hooks are not awaited. Make it a plain function (def)."]
    if inspect.isgeneratorfunction(function) and not _wraps(function):
        return [
            f"{_at(source, function)}: {hook} yields but is not a wrapper. Return the result, or mark it "
            "@hookimpl(wrapper=True)."
        ]
    return []


def _signature(source: str, hook: str, function: Callable[..., Any]) -> list[str]:
    """Return what is wrong with a hook's arguments: unknown names, kinds that pluggy cannot pass, and defaults."""
    allowed = list(inspect.signature(getattr(hookspecs, hook)).parameters)
    problems = []
    for name, parameter in inspect.signature(function).parameters.items():
        where = f"{_at(source, function)}: {hook} cannot take {str(parameter)!r}"
        plain = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        if name not in allowed or not plain:
            problems.append(f"{where}.{closest(name, allowed)} It may take: {', '.join(allowed)}.")
        elif parameter.default is not parameter.empty:
            problems.append(f"{where}: an argument with a default never receives its value. Remove the default.")
    return problems


def _register_alone(source: str, hooks: Mapping[str, Callable[..., Any]]) -> None:
    """Register the hooks with a throwaway manager. Raises PluginError with what pluggy objects to."""
    manager = pluggy.PluginManager("zoo")
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(Space(hooks))
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(f"{source}: {error}") from error


def _at(source: str, function: Callable[..., Any]) -> str:
    """Return where a function begins, as `_line` formats it, or only `source` if that is not known."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return source
    return _line(source, code.co_filename, code.co_firstlineno)


def _line(source: str, file: str, line: int) -> str:
    """Format a place as `plugins/x.py:3`, or for a package as `my-package 1.0 (my_package/x.py:3)`."""
    path = Path(file)
    return f"{source}:{line}" if path.name == Path(source).name else f"{source} ({path.parent.name}/{path.name}:{line})"


def _raised(source: str, module: str, error: BaseException) -> str:
    """Format `plugins/x.py:3: it raised ModuleNotFoundError: ...`, with the deepest line inside the plugin's file.

    For an installed package, where `module` is the top package, it is the deepest line inside that package.
    """
    place = _deepest(error, {module})
    where = source if place is None else _line(source, *place)
    if isinstance(error, SyntaxError) and error.lineno and Path(error.filename or "").is_file():
        where = _line(source, str(error.filename), error.lineno)
    return f"{where}: it raised {type(error).__name__}: {error}"


def _deepest(error: BaseException, modules: Collection[str]) -> tuple[str, int] | None:
    """Return the deepest file and line of a traceback inside the given modules and their submodules, or None."""
    place = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        name = str(frame.f_globals.get("__name__"))
        if any(name == module or name.startswith(f"{module}.") for module in modules):
            place = frame.f_code.co_filename, line
    return place


class Space:
    """The hooks of one model as attributes, for registering with pluggy.

    Each is equal only to itself, because pluggy refuses equal objects under two names.
    """

    def __init__(self, hooks: Mapping[str, Callable[..., Any]]) -> None:
        vars(self).update({hook: _answering(hook, function) for hook, function in hooks.items()})


class Hooks:
    """The hooks of one model: its own, the defaults where it has none, and every wrapper.

    Calling a hook raises PluginError when the plugin raises anything but a ZooError, or returns None.
    """

    def __init__(self, model: str, manager: pluggy.PluginManager, rivals: Iterable[Any]) -> None:
        self._model = model
        rivals = list(rivals)
        self._callers = {hook: manager.subset_hook_caller(hook, rivals) for hook in HOOKS}

    def build(self, settings: ModelSettings) -> Any:
        """Return the untrained network. Raises PluginError."""
        return self.call("build", settings=settings)

    def tell(self, answers: Sequence[Prediction | Reading | ZooError], settings: ModelSettings) -> None:
        """Call the `answered` hooks. An error in one of them, or in a wrapper, is logged and the answers stand."""
        try:
            self.call("answered", answers=answers, settings=settings)
        except ZooError as error:
            log.error("%s", error)

    def is_default(self, hook: str) -> bool:
        """Whether only the zoo's default implements a hook, with neither the model's plugin nor a wrapper."""
        return all(one.plugin_name == DEFAULTS for one in self._impls(hook))

    def is_own(self, hook: str) -> bool:
        """Whether the model's plugin implements a hook itself, rather than wrapping the zoo's default."""
        return any(one.plugin_name == self._model and not (one.wrapper or one.hookwrapper) for one in self._impls(hook))

    def wrapped(self, hook: str) -> str:
        """Return ` (which plugin "watching" wraps)` for messages about a hook's answer, or "" without wrappers."""
        names = [f'"{_named(one.plugin_name)}"' for one in self._impls(hook) if one.wrapper or one.hookwrapper]
        return f" (which plugin {' and plugin '.join(sorted(names))} wraps)" if names else ""

    def call(self, hook: str, **arguments: Any) -> Any:
        """Call a hook by name and return its answer.

        Raises PluginError if the plugin raises anything but a ZooError or MemoryError, NoAnswer if it returns None, and
        KeyboardInterrupt if Ctrl-C was pressed meanwhile.
        """
        try:
            answer = self._callers[hook](**arguments)
        except (ZooError, MemoryError):
            raise
        except _Nothing:
            raise NoAnswer(
                f'Model "{self._model}": its {hook} hook returned None. It should return its result.'
            ) from None
        except (Exception, SystemExit) as error:
            if stopping.came() or isinstance(error.__cause__, KeyboardInterrupt):  # native code hides Ctrl-C in errors
                raise KeyboardInterrupt from error
            log.exception('model "%s": hook %s raised', self._model, hook)
            raise PluginError(
                f'Model "{self._model}": {self._whose(hook, error)} raised {type(error).__name__}: '
                f"{self._placed(hook, error)}"
            ) from error
        if answer is None:
            raise NoAnswer(
                f'Model "{self._model}": its {hook} hook{self.wrapped(hook)} returned None. '
                "A wrapper should return what `yield` gave it, or another result."
            )
        return answer

    def _placed(self, hook: str, error: BaseException) -> str:
        """Return an error's message with the deepest file and line inside a plugin, if there is one."""
        modules = {str(one.function.__module__).partition(".")[0] for one in self._impls(hook)} - {"zoo", "webui"}
        place = _deepest(error, modules)
        if place is None:
            return ended(_text(error))
        path = Path(place[0])
        return f"{_text(error).rstrip()} ({path.parent.name}/{path.name}:{place[1]})."

    def _whose(self, hook: str, error: BaseException) -> str:
        """Describe which implementation of a hook raised: the last one that the traceback passes through."""
        codes = {getattr(inspect.unwrap(one.function), "__code__", one): one for one in self._impls(hook)}
        passed = [codes[frame.f_code] for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code in codes]
        if passed and passed[-1].plugin_name not in (self._model, DEFAULTS):
            return f'the {hook} hook of plugin "{_named(passed[-1].plugin_name)}", which wraps it,'
        return f"its {hook} hook" if not passed or passed[-1].plugin_name != DEFAULTS else f"the zoo's own {hook}"

    def _impls(self, hook: str) -> list[pluggy.HookImpl]:
        """Return this model's implementations of a hook: the plugin's, the default and the wrappers."""
        return self._callers[hook].get_hookimpls()


def _named(registered: str) -> str:
    """Return a plugin's name from the name it is registered under."""
    return registered.removeprefix(ADDON).removeprefix(JOINED)


def _text(error: BaseException) -> str:
    """Return an error's text, reduced to the reason for one of Keras' long messages."""
    return why(error) if "\x1b[" in str(error) else str(error)  # an escape code: Keras prints its reason in bold


def join(manager: pluggy.PluginManager, name: str, plugin: Any) -> None:
    """Register an addon of the calling program, which may wrap the hooks of all models.

    Does nothing if one of that name has joined already. Raises PluginError when it breaks the contract.
    """
    if not manager.has_plugin(f"{JOINED}{name}"):
        manager.register(Space(_family(name, name, plugin).hooks), f"{JOINED}{name}")


def register(
    families: Mapping[str, Family], addons: Iterable[Family], defaults: Any
) -> tuple[pluggy.PluginManager, dict[str, Hooks]]:
    """Register every model under its name with its family's hooks; return the plugin manager and each model's Hooks.

    Each model gets its own Space, because pluggy refuses to register one module under two names.
    """
    manager = pluggy.PluginManager("zoo")
    manager.add_hookspecs(hookspecs)
    manager.register(defaults, DEFAULTS)
    for addon in addons:
        manager.register(Space(addon.hooks), f"{ADDON}{addon.name}")
    spaces = {model: Space(family.hooks) for model, family in families.items()}
    for model, space in spaces.items():
        manager.register(space, model)
    return manager, {
        model: Hooks(model, manager, [space for rival, space in spaces.items() if rival != model]) for model in spaces
    }
