"""Compile the modules of `zoo/compiled` while the zoo is installed or its wheel is built."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = "zoo/compiled"
SHARED = "zoo/compiled/_cyutility"
# Checks of Cython's that would cost time in every loop; the tests run the loops with a sanitizer instead.
UNCHECKED = dict.fromkeys(("boundscheck", "wraparound", "initializedcheck"), False)


class Compile(BuildHookInterface):  # type: ignore[type-arg]
    """The build hook that hatchling runs."""

    def dependencies(self) -> list[str]:
        """Return what the build needs beyond pyproject.toml: a C compiler from PyPI if the machine has none."""
        return [] if has_compiler() else ["ziglang>=0.13"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile in place, so that an editable installation finds the modules too."""
        if self.target_name == "wheel":
            build_data["artifacts"] += compile_modules(Path(self.root))
            build_data["pure_python"], build_data["infer_tag"] = False, True


def has_compiler() -> bool:
    """Whether setuptools will find a C compiler here."""
    return sys.platform == "win32" or "CC" in os.environ or any(map(shutil.which, ("cc", "gcc", "clang")))


def compile_modules(root: Path) -> list[str]:
    """Compile all modules beside their sources in the repository at `root`; return their paths in it.

    Raises FileNotFoundError without Python's headers.
    """
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension

    headers = Path(sysconfig.get_path("include"), "Python.h")
    if not headers.is_file():
        raise FileNotFoundError(
            f"{headers} is missing: the zoo has parts in C, which need Python's headers. Install them (Debian, Ubuntu: "
            "apt install python3-dev; Fedora: dnf install python3-devel), then try again."
        )
    os.chdir(root)
    if not has_compiler():
        os.environ["CC"] = f"{sys.executable} -m ziglang cc"
    flags = [] if sys.platform == "win32" else ["-O3", "-g0"]
    sources = [*sorted(Path(SOURCES).glob("*.pyx")), Path(SHARED).with_suffix(".c")]
    modules = [
        Extension(".".join(path.with_suffix("").parts), [str(path)], extra_compile_args=flags) for path in sources
    ]
    with tempfile.TemporaryDirectory() as folder:
        options = {"language_level": 3, "cdivision": True, **UNCHECKED}
        built = cythonize(
            modules,
            build_dir=folder,
            compiler_directives=options,
            shared_utility_qualified_name=".".join(Path(SHARED).parts),
            quiet=True,
        )
        command = Distribution({"ext_modules": built}).get_command_obj("build_ext")
        command.build_temp = command.build_lib = folder
        command.ensure_finalized()
        command.run()
        names = [Path(path).name for path in command.get_outputs()]
        for name in names:
            new = Path(SOURCES, f".{name}.new")
            shutil.copy2(Path(folder, SOURCES, name), new)
            new.replace(Path(SOURCES, name))  # at once: processes that have loaded the old file keep it
    return [f"{SOURCES}/{name}" for name in names]
