"""Read pictures given as bytes, a path, an open file, an array or a Pillow image, and find the files in folders."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from zoo.errors import PictureBroken
from zoo.types import Image

if TYPE_CHECKING:
    import PIL.Image

Source: TypeAlias = (
    "bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO | NotAFile | Image | PIL.Image.Image"
)
"""A picture: its file's bytes, a path, an open binary file, a decoded uint8 array, or a Pillow image."""


_EXPECTED = "its file's bytes, a path, an open file, an array or a Pillow image"


def content(picture: Source, most: int = -1) -> bytes | Image:
    """Return a picture file's bytes, or a decoded picture's pixels: uint8 (h, w), (h, w, 3) or (h, w, 4).

    At most `most` bytes are read of a path or an open file; -1 reads all. Raises PictureBroken if it is unreadable.
    """
    if isinstance(picture, bytes):
        return picture
    if type(picture) is np.ndarray and picture.dtype == np.uint8 and picture.ndim == 2 and picture.size:
        return picture  # the most common kind in a batch, so checked early
    pillow = sys.modules.get("PIL.Image")  # already imported if the caller has a Pillow image
    if pillow is not None and isinstance(picture, pillow.Image):
        from zoo.images import of_pillow

        return of_pillow(picture)
    if isinstance(picture, np.ndarray) or hasattr(picture, "__array_interface__"):
        return _pixels(np.asarray(picture))
    if isinstance(picture, bytearray | memoryview):
        return bytes(picture)
    if isinstance(picture, str | os.PathLike):
        return _read_path(picture, most)
    if hasattr(picture, "read"):
        return _read(picture, most)
    raise PictureBroken(f"A {type(picture).__name__} is not a picture: give {_EXPECTED}.")


def _pixels(array: NDArray[np.generic]) -> Image:
    """Return an array as a picture's pixels, (h, w, 1) as (h, w). Raises PictureBroken for one that is no picture."""
    pixels = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    is_shaped = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if pixels.dtype != np.uint8 or not is_shaped or not pixels.size:
        raise PictureBroken(
            f"An array of {pixels.dtype} {pixels.shape} is not a picture: give uint8 (height, width), "
            "(height, width, 3) or (height, width, 4)."
        )
    return cast(Image, pixels)


def _read_path(path: str | os.PathLike[str], most: int) -> bytes:
    """Read a file, at most `most` bytes. Raises PictureBroken."""
    try:
        with open(os.fspath(path), "rb") as file:  # noqa: PTH123 - quicker than Path.open, which shows in large folders
            size = os.fstat(file.fileno()).st_size  # 0 for pipes and devices; read(n) allocates n bytes at once
            return file.read(min(size + 1, most) if size else most)
    except (OSError, ValueError) as error:
        raise PictureBroken(f"{Path(path)} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


class NotAFile:
    """In place of a path that is not to be opened: a source whose reading fails."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.name = Path(path)

    def read(self, most: int = -1) -> bytes:
        raise OSError(errno.EINVAL, "it is not a file")


def found(path: str | os.PathLike[str]) -> Source:
    """Return the source for a path that a folder or a list names: itself, or NotAFile for a FIFO, socket or device.

    Opening a FIFO waits for a writer, perhaps for ever. A person who names one means it, so that `content` reads it.
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):  # reading it reports the error
        return path
    return path if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else NotAFile(path)


def several(pictures: Iterable[Source]) -> Iterable[Source]:
    """Return the pictures unchanged. Raises PictureBroken for a single picture, which would iterate by byte or row."""
    alone = isinstance(pictures, bytes | bytearray | memoryview | str | os.PathLike) or hasattr(pictures, "read")
    kind = type(pictures).__name__
    if isinstance(pictures, np.ndarray):  # 3 axes are one picture if the last has 1, 3 or 4 channels
        alone = pictures.ndim == 2 or (pictures.ndim == 3 and pictures.shape[2] in (1, 3, 4))
        kind = f"{kind}, {pictures.dtype} {pictures.shape}"
    if alone or not hasattr(pictures, "__iter__"):
        raise PictureBroken(f"Expected several pictures, but this is a single one ({kind}): give a list, [picture].")
    return pictures


def _read(file: BinaryIO | NotAFile, most: int) -> bytes:
    """Read the rest of an open file, at most `most` bytes. Raises PictureBroken."""
    name = getattr(file, "name", "The open file")
    try:
        data = file.read(most)
    except (OSError, ValueError) as error:  # closed, or opened for writing
        raise PictureBroken(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if not isinstance(data, bytes):
        raise PictureBroken(f"{name} gives {type(data).__name__} instead of bytes: open it in binary mode.")
    return data


def inside(folder: Path, suffixes: Collection[str] = ()) -> Iterator[Path]:
    """Yield the files in a folder at any depth, sorted, without hidden ones; with `suffixes` only those that end so.

    Links are followed. A folder that cannot be read, and a link that is broken or leads back to a folder above it, are
    yielded themselves, so that reading them reports the error. So are FIFOs, sockets and devices: see `found`.
    """
    return _inside(folder, suffixes, ())


def _inside(folder: Path, suffixes: Collection[str], above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    """Do the work of `inside`. `above` has the (device, inode) of each folder above, to stop at loops of links."""
    try:
        facts = folder.stat()
        here = (facts.st_dev, facts.st_ino)
        with os.scandir(folder) as scanned:
            entries = [] if here in above else sorted(scanned, key=lambda entry: entry.name)
    except OSError:
        yield folder
        return
    if here in above:
        yield folder
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = folder / entry.name
        try:
            is_folder = entry.is_dir()
        except OSError:
            is_folder = False
        if is_folder:
            yield from _inside(path, suffixes, (*above, here))
        elif not suffixes or path.suffix.lower() in suffixes:
            yield path
