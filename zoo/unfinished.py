"""What is kept of a run that is not finished: how far it came, and the network once it is trained.

While it is trained the default loop keeps a state after each epoch (`zoo.fitting`), a plugin's own what it likes. When
the `train` hook has returned, weights and rows are kept whoever trained: what fails later costs no second training.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo import files, fitting
from zoo.errors import TrainingError

if TYPE_CHECKING:
    import keras

TRAINED = "trained.npz"
WHOLE = "whole"  # the folder of what is about to be published

Row = Mapping[str, float]


class Stand(NamedTuple):
    """How far a run came; the further of two is the greater."""

    trained: bool
    epochs: int


NOWHERE = Stand(False, 0)


def stand(folder: Path) -> Stand:
    """How far the run in a folder came, which need not be there."""
    found = _read(folder / TRAINED)
    return Stand(True, len(found[0])) if found else Stand(False, fitting.epochs_done(folder))


def has_own_files(folder: Path) -> bool:
    """Whether there is something in a run's folder that a plugin's `train` hook has put there."""
    ours = {TRAINED, WHOLE, fitting.STATE}
    return folder.is_dir() and any(path.name not in ours and path.suffix != ".part" for path in folder.iterdir())


def keep(folder: Path, network: keras.Model, rows: Sequence[Row]) -> None:
    """Keep a network that is trained, with its history. Raises OSError."""
    content = io.BytesIO()
    arrays = {f"w{i}": array for i, array in enumerate(network.get_weights())}
    np.savez(content, rows=np.array(json.dumps(rows)), **arrays)
    files.write(folder / TRAINED, content.getvalue())


def take_up(folder: Path, network: keras.Model) -> list[Row] | None:
    """Give a network the weights that were kept, and return their history; None when it is not trained yet.

    Raises TrainingError when they are those of a network of another shape.
    """
    found = _read(folder / TRAINED)
    if found is None:
        return None
    rows, weights = found
    if [one.shape for one in weights] != [one.shape for one in network.get_weights()]:
        raise TrainingError(fitting.of_another_shape(folder))
    network.set_weights(weights)
    return rows


def _read(path: Path) -> tuple[list[Row], list[NDArray[np.float32]]] | None:
    try:
        with np.load(path, allow_pickle=False) as kept:
            return json.loads(str(kept["rows"])), [kept[f"w{i}"] for i in range(len(kept.files) - 1)]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
