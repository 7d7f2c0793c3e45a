"""Find the zoo's folder, and copy the starter zoo that comes with the package."""

from __future__ import annotations

import shutil
from pathlib import Path

from zoo import files
from zoo.configuration import FILE
from zoo.errors import SettingsError, ZooError

CARRIED = Path(__file__).parent / "starter"
"""The starter zoo inside an installed package; an editable install has no such folder."""


def starter() -> Path:
    """Return the folder of the starter zoo; in an editable install, the root of the repository."""
    return CARRIED if CARRIED.is_dir() else CARRIED.parent.parent


def locate(folder: Path | None = None) -> Path:
    """Return the named folder; without one the working directory if it has a settings.toml, else the starter zoo.

    Raises SettingsError when the named folder is a file or has no settings.toml.
    """
    if folder is None:
        return Path.cwd() if (Path.cwd() / FILE).is_file() else starter()
    if folder.is_file():
        raise SettingsError([f"{folder} is a file. Name the folder of the zoo: {folder.parent}."])
    if not (folder / FILE).is_file():
        raise SettingsError([f"{folder} has no {FILE}. Create a zoo there: zoo init {folder}."])
    return folder


def init(folder: Path) -> Path:
    """Copy the starter zoo into a folder, settings.toml last, and return the folder.

    Raises ZooError when part of a zoo is there already, or when the folder cannot be written. Nothing is overwritten,
    and upon an error what was copied is removed.
    """
    source = starter()
    for name in (FILE, "plugins", "checkpoints"):
        if (folder / name).exists():
            raise ZooError(f"{folder / name} already exists; nothing was changed. Choose another folder: zoo init DIR.")
    made: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("plugins", "checkpoints"):
            (folder / name).mkdir()  # fails if another process has made it meanwhile
            made.append(folder / name)
            ignore = shutil.ignore_patterns("__pycache__", ".*")
            shutil.copytree(source / name, folder / name, ignore=ignore, dirs_exist_ok=True)
        files.write(folder / FILE, (source / FILE).read_bytes())
    except BaseException as error:
        for copy in made:
            shutil.rmtree(copy, ignore_errors=True)
        if isinstance(error, OSError):  # shutil.Error from copytree has a list and no strerror
            raise ZooError(
                f"{folder} cannot be written: {error.strerror or 'not all files could be copied'}."
            ) from error
        raise
    return folder
