"""Atomic file operations: write beside the target, flush to disk, then rename."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path


def write(path: Path, content: bytes) -> None:
    """Write `content` to `path` so that a crash leaves either the old file or the new one.

    Raises OSError with `path` as its filename.
    """
    make_folder(path.parent)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException as error:
        beside.unlink(missing_ok=True)
        if isinstance(error, OSError):  # for a full disk it has none, else the temporary name
            error.filename = str(path)
        raise
    sync_folder(path.parent)


def move_folder(folder: Path, target: Path) -> None:
    """Rename a folder of finished files to a new name; across file systems, copy it beside `target`, then rename.

    Raises FileExistsError when `target` exists, and OSError for other failures; then nothing is at `target`, unless
    only the last flush failed.
    """
    for path in folder.rglob("*"):
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb" if os.name == "posix" else "rb+") as opened:  # others only flush writable files
                os.fsync(opened.fileno())
    sync_folder(folder)
    make_folder(target.parent)
    if target.exists():
        raise FileExistsError(errno.EEXIST, "it is there already", str(target))
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:  # it was created meanwhile
            raise FileExistsError(errno.EEXIST, "it is there already", str(target)) from error
        if error.errno != errno.EXDEV:
            raise
        beside = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
        try:
            shutil.copytree(folder, beside)
            move_folder(beside, target)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)
    sync_folder(target.parent)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold an exclusive lock on a folder against threads and processes that also call this; POSIX only."""
    if os.name != "posix":
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and its missing parents, each flushed to disk."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk; POSIX only."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def opened(path: Path) -> BufferedReader:
    """Open a regular file, or a link to one, to read it. Raises OSError, also for a FIFO, which would wait for ever."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return path.open("rb")


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
