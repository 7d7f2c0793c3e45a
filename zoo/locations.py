"""Where in a plugin's code something is, for messages: `plugins/x.py:3`."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any


def at(source: str, function: Callable[..., Any]) -> str:
    """Return where a function begins, as `at_line` formats it, or only `source` if that is not known."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return source
    return at_line(source, code.co_filename, code.co_firstlineno)


def at_line(source: str, file: str, line: int) -> str:
    """Format a place as `plugins/x.py:3`, or for a package as `my-package 1.0 (my_package/x.py:3)`."""
    path = Path(file)
    return f"{source}:{line}" if path.name == Path(source).name else f"{source} ({path.parent.name}/{path.name}:{line})"


def deepest(error: BaseException, modules: Collection[str]) -> tuple[str, int] | None:
    """Return the deepest file and line of a traceback inside the given modules and their submodules, or None."""
    place = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        name = str(frame.f_globals.get("__name__"))
        if any(name == module or name.startswith(f"{module}.") for module in modules):
            place = frame.f_code.co_filename, line
    return place
