"""Loops over pixels, compiled from Cython: what takes NumPy many small steps takes one step here.

Each module `NAME.pyx` has its types for mypy in `NAME.pyi`. Installing the zoo compiles them (`hatch_build.py`).
Without a compiled module for each `NAME.pyi`, for the Python that runs, importing this package raises NotCompiled.
"""

import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from zoo.errors import NotCompiled


def _missing() -> list[str]:
    """Return the names of the modules that are not compiled for this Python."""
    files = {path.name for path in Path(__path__[0]).iterdir()}
    names = sorted(file.removesuffix(".pyi") for file in files if file.endswith(".pyi"))
    return [name for name in names if not any(name + suffix in files for suffix in EXTENSION_SUFFIXES)]


if _names := _missing():
    raise NotCompiled(
        f"The compiled modules {', '.join(_names)} are missing in {__path__[0]} for Python "
        f"{sys.version_info.major}.{sys.version_info.minor}. Install the zoo again with this Python: in a copy of the "
        "repository run make serve, or pip install --editable ."
    )
