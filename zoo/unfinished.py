"""What is kept of an unfinished run: how far it came, and the network once it is trained.

During training the default loop saves its state after each epoch (`zoo.fitting`); a plugin's own `train` hook saves
what it likes. Once the hook has returned, weights and history are kept in either case, so that a later failure does not
require training again.
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

TRAINED = "trained.npz"  # the file with the weights and history of a trained network
WHOLE = "whole"  # the folder with the files that are about to be published

Row = Mapping[str, float]


class Stand(NamedTuple):
    """How far a run came. The run that came further compares greater."""

    trained: bool
    epochs: int


NOWHERE = Stand(False, 0)


def stand(folder: Path) -> Stand:
    """Return how far the run in a folder came; the folder need not exist."""
    found = _read(folder / TRAINED)
    return Stand(True, len(found[0])) if found else Stand(False, fitting.epochs_done(folder))


def has_own_files(folder: Path) -> bool:
    """Whether a run's folder has files that a plugin's `train` hook has put there."""
    ours = {TRAINED, WHOLE, fitting.STATE}
    return folder.is_dir() and any(path.name not in ours and path.suffix != ".part" for path in folder.iterdir())


def keep(folder: Path, network: keras.Model, rows: Sequence[Row]) -> None:
    """Save a trained network's weights and history into a run's folder. Raises OSError."""
    content = io.BytesIO()
    arrays = {f"w{i}": array for i, array in enumerate(network.get_weights())}
    np.savez(content, rows=np.array(json.dumps(rows)), **arrays)
    files.write(folder / TRAINED, content.getvalue())


def take_up(folder: Path, network: keras.Model) -> list[Row] | None:
    """Load the kept weights into a network and return their history; None when the run is not trained yet.

    Raises TrainingError when the weights do not fit the network.
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
    """Return the history and weights in a TRAINED file, or None when it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            return json.loads(str(kept["rows"])), [kept[f"w{i}"] for i in range(len(kept.files) - 1)]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
