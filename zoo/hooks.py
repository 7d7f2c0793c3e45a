"""The hooks of one model, called through pluggy. What they raise, or forget to return, becomes an error for users."""

from __future__ import annotations

import functools
import inspect
import logging
import re
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pluggy

from zoo import stopping
from zoo.errors import PluginError, ZooError, ended, reason_of
from zoo.hookspecs import HOOKS
from zoo.locations import deepest
from zoo.settings import ModelSettings
from zoo.types import Prediction, Reading

PACKAGE = "zoo_plugins"  # the package that plugin files are loaded into
MARK = "zoo_impl"  # the attribute that pluggy's hookimpl("zoo") sets on a hook
# The names under which plugins are registered with pluggy. No model's name has a space, so these cannot clash with one.
DEFAULTS = " defaults"  # the default hooks
ADDON = "addon "  # prefix of a plugin that wraps other plugins' hooks
JOINED = "joined "  # prefix of a plugin that the calling program adds itself

log = logging.getLogger("zoo.plugins")


class NoAnswer(PluginError):
    """A hook returned None, with the message for the user."""


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
        place = deepest(error, modules)
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


class HookNamespace:
    """The hooks of one model as attributes, for registering with pluggy.

    Each is equal only to itself, because pluggy refuses equal objects under two names.
    """

    def __init__(self, hooks: Mapping[str, Callable[..., Any]]) -> None:
        vars(self).update({hook: _guarded(hook, function) for hook, function in hooks.items()})

    def __dir__(self) -> list[str]:
        """Return the hooks alone: pluggy examines all that is listed, which took most of a registration's time."""
        return list(vars(self))


class _Nothing(Exception):
    """A hook returned None; `Hooks.call` turns it into NoAnswer."""


def _guarded(hook: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function as it is registered for a hook; a wrapper stays as it is."""
    if wraps(function):
        return function
    return _logged(function) if hook == "answered" else _not_none(function)


def _not_none(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn None into an error: upon a forgotten `return`, pluggy would call the default too."""

    @functools.wraps(function)
    def answering(*arguments: Any) -> Any:
        answer = function(*arguments)
        if answer is None:
            raise _Nothing
        return answer

    return answering


def _logged(function: Callable[..., Any]) -> Callable[..., Any]:
    """Log what an `answered` hook raises, so that the other plugins are still notified; it returns nothing."""

    @functools.wraps(function)
    def notified(*arguments: Any) -> None:
        try:
            function(*arguments)
        except (Exception, SystemExit) as error:
            if stopping.came():
                raise
            plugin = re.sub(rf"^{PACKAGE}\w*\.", "", getattr(function, "__module__", ""))
            log.exception(
                'plugin "%s": its answered hook raised %s; the answers are returned all the same', plugin, error
            )

    return notified


def wraps(function: Callable[..., Any]) -> bool:
    """Whether a hook is a wrapper, of pluggy's new or old style."""
    options = getattr(function, MARK)
    return bool(options.get("wrapper") or options.get("hookwrapper"))


def _named(registered: str) -> str:
    """Return a plugin's name from the name it is registered under."""
    return registered.removeprefix(ADDON).removeprefix(JOINED)


def _text(error: BaseException) -> str:
    """Return an error's text, reduced to the reason for one of Keras' long messages."""
    return reason_of(error) if "\x1b[" in str(error) else str(error)  # an escape code: Keras prints its reason in bold
