"""Where a command may write a drawing: to a new PNG file or over an older drawing, never over a user's picture."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import click

from zoo import files
from zoo.errors import ZooError


def refuse(option: str, path: Path, read: Iterable[str | os.PathLike[str]]) -> None:
    """Raise BadParameter if a drawing may not be written to `path`.

    It has to be a .png in an existing folder, and no file other than an older drawing. `read` are the files and folders
    that the command reads: `path` may be none of them, nor inside one.
    """

    def refused(what: str) -> click.BadParameter:
        return click.BadParameter(what, param_hint=option)

    if path.suffix.lower() != ".png":
        raise refused(f"{path} should end in .png.")
    if not os.path.isdir(path.parent):  # noqa: PTH112 - Path.is_dir raises for names that are too long
        raise refused(f"{path}: there is no folder {path.parent}. Create it, or choose another path.")
    place = Path(os.path.realpath(path))
    for source in read:
        real = Path(os.path.realpath(source))
        if place == real:
            raise refused(f"{path} is one of the pictures to read and would be overwritten. Choose another file.")
        if place.is_relative_to(real):
            raise refused(f"{path} is inside {source}, whose pictures are read. Choose a file outside it.")
    if os.path.lexists(path):
        from zoo import gallery

        if not gallery.is_drawing(path):
            raise refused(f"{path} already exists and was not drawn by zoo. Choose another file, or remove it first.")


def write(path: Path, drawn: bytes) -> None:
    """Write a drawing atomically. Raises ZooError when it cannot be written."""
    try:
        files.write(path, drawn)
    except OSError as error:
        raise ZooError(f"{path} cannot be written: {error.strerror or error}. Choose another file.") from error
