"""Compile the modules of `zoo/compiled` while the zoo is installed or its wheel is built."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = "zoo/compiled"
SHARED = "zoo/compiled/_cyutility"
# Checks of Cython's that would cost time in every loop; the tests run the loops with sanitizers instead.
UNCHECKED = dict.fromkeys(("boundscheck", "wraparound", "initializedcheck"), False)
ZIG = f"{shlex.quote(sys.executable)} -m ziglang cc"  # a C compiler that PyPI has


class Compile(BuildHookInterface):  # type: ignore[type-arg]
    """The build hook that hatchling runs for wheels, editable ones too."""

    folder: tempfile.TemporaryDirectory[str] | None = None

    def dependencies(self) -> list[str]:
        """Return what the build needs beyond pyproject.toml: a C compiler from PyPI if the machine has none."""
        return [] if sys.platform == "win32" or compiler() else ["ziglang>=0.13"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile into the source tree for an editable installation, which runs from there; else beside it."""
        build_data["pure_python"], build_data["infer_tag"] = False, True
        if version == "editable":
            compile_modules(Path(self.root))
            return
        self.folder = tempfile.TemporaryDirectory()
        for path in compile_modules(Path(self.root), Path(self.folder.name)):
            build_data["force_include"][str(path)] = f"{SOURCES}/{path.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Delete what the wheel holds now."""
        if self.folder is not None:
            self.folder.cleanup()


def compiler() -> str | None:
    """Return the command of the first C compiler that runs, or None.

    A name on the path is not enough: macOS has a `cc` that only asks for the command line tools to be installed.
    """
    for command in (os.environ.get("CC"), sysconfig.get_config_var("CC"), "cc", "gcc", "clang"):
        with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
            words = shlex.split(command or "")
            if words and not subprocess.run([*words, "--version"], capture_output=True, timeout=20).returncode:
                return command
    return None


@contextlib.contextmanager
def compiling_with(command: str) -> Iterator[None]:
    """Have setuptools run that C compiler."""
    before = os.environ.get("CC")
    os.environ["CC"] = command
    try:
        yield
    finally:
        del os.environ["CC"]
        if before is not None:
            os.environ["CC"] = before


def compile_modules(root: Path | str, into: Path | None = None) -> list[Path]:
    """Compile all modules of the repository at `root` into a folder, beside their sources by default; return the files.

    Raises FileNotFoundError without Python's headers.
    """
    headers = Path(sysconfig.get_path("include"), "Python.h")
    if not headers.is_file():
        python = f"python{sys.version_info.major}.{sys.version_info.minor}"
        raise FileNotFoundError(
            f"{headers} is missing: the zoo has parts in C, which need Python's headers. Install them (Debian, Ubuntu: "
            f"apt install {python}-dev; Fedora: dnf install {python}-devel), then try again."
        )
    into = Path(root, SOURCES).resolve() if into is None else into.resolve()
    # Windows' compilers are not on the path: setuptools finds them.
    chosen = contextlib.nullcontext() if sys.platform == "win32" else compiling_with(compiler() or ZIG)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(root), chosen:
        return [put(path, into) for path in built(Path(folder))]


def built(folder: Path) -> list[Path]:
    """Compile the modules of the repository in the working directory, all files in `folder`; return the modules."""
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension

    flags = [] if sys.platform == "win32" else ["-O3", "-g0"]
    sources = [*sorted(Path(SOURCES).glob("*.pyx")), Path(SHARED).with_suffix(".c")]
    modules = [
        Extension(".".join(path.with_suffix("").parts), [str(path)], extra_compile_args=flags) for path in sources
    ]
    modules = cythonize(
        modules,
        build_dir=str(folder),
        compiler_directives={"language_level": 3, "cdivision": True, **UNCHECKED},
        shared_utility_qualified_name=".".join(Path(SHARED).parts),
        quiet=True,
    )
    command = Distribution({"ext_modules": modules}).get_command_obj("build_ext")
    command.build_temp = command.build_lib = str(folder)
    command.ensure_finalized()
    command.run()
    return [Path(path) for path in command.get_outputs()]


def put(path: Path, folder: Path) -> Path:
    """Copy a file into a folder at once: processes that have loaded an older one keep it. Return the copy."""
    new = folder / f".{path.name}.new"
    shutil.copy2(path, new)
    return new.replace(folder / path.name)
