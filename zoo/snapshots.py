"""The state of a training in one file: a network's arrays, and the history so far. Plain NumPy, without any code."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zoo import files
from zoo.history import Row


class Snapshot(NamedTuple):
    """The history, one row per epoch, and arrays such as `model.get_weights()`, in the order in which they were."""

    rows: list[Row]
    arrays: list[NDArray[Any]]


def write(path: Path, rows: Sequence[Row], arrays: Sequence[ArrayLike]) -> None:
    """Write a snapshot, whole or not at all; in the file the history is an array named `rows`. Raises OSError."""
    content = io.BytesIO()
    np.savez(content, *arrays, rows=np.array(json.dumps(rows)))
    files.write(path, content.getvalue())


def read(path: Path) -> Snapshot | None:
    """Return a snapshot, or None when the file is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            arrays = [kept[name] for name in kept.files if name != "rows"]
            return Snapshot(json.loads(str(kept["rows"])), arrays)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
