"""What is kept of an unfinished run: how far it came, and the network once it is trained.

During training the default loop saves its state after each epoch (`zoo.fitting`); a plugin's own `train` hook saves
what it likes. Once the hook has returned, weights and history are kept in either case, so that a later failure does not
require training again.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo import files, fitting
from zoo.errors import TrainingError

if TYPE_CHECKING:
    import keras

TRAINED = "trained.npz"  # the file with the weights and history of a trained network
RUN = "run.json"  # the file with the command that starts the run, and the hash of its network's configuration
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
    ours = {TRAINED, WHOLE, RUN, fitting.STATE}
    return folder.is_dir() and any(path.name not in ours and path.suffix != ".part" for path in folder.iterdir())


def keep(folder: Path, network: keras.Model, rows: Sequence[Row]) -> None:
    """Save a trained network's weights and history into a run's folder. Raises OSError."""
    content = io.BytesIO()
    arrays = {f"w{i}": array for i, array in enumerate(network.get_weights())}
    np.savez(content, rows=np.array(json.dumps(rows)), **arrays)
    files.write(folder / TRAINED, content.getvalue())


def note(folder: Path, command: str, network: keras.Model) -> None:
    """Write into a new run's folder the command that starts it and the hash of its network. Raises OSError."""
    files.write(folder / RUN, json.dumps({"command": command, "network": _configuration(network)}).encode())


def command(folder: Path) -> str | None:
    """Return the command that continues the run in a folder, or None when it is not known."""
    start = _noted(folder).get("command")
    return f"{start} --resume" if start else None


def check_network(folder: Path, network: keras.Model) -> None:
    """Raise TrainingError when the run in a folder is of a network with another configuration.

    Weights alone do not show a changed activation. Passes when either network cannot be serialised.
    """
    noted = _noted(folder).get("network")
    if noted and _configuration(network) not in (None, noted):
        raise TrainingError(fitting.of_another_network(folder))


def _noted(folder: Path) -> dict[str, str | None]:
    """Return what `note` wrote, or nothing when it is missing or damaged."""
    try:
        found = json.loads((folder / RUN).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _configuration(network: keras.Model) -> str | None:
    """Return the SHA-256 of a network's configuration, without what differs between processes, or None.

    Keras numbers layers' names within a process, draws seeds, names the plugin's module by its folder, and stores a
    Lambda's code with line numbers.
    """
    try:
        whole = json.loads(network.to_json())
    except Exception:  # a plugin's own layer may raise anything
        return None
    names: dict[str, int] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            if "class_name" in value and isinstance(inner := value.get("config"), dict) and "name" in inner:
                names.setdefault(inner["name"], len(names))
            return {key: plain(one) for key, one in value.items() if key not in ("name", "seed", "module", "code")}
        if isinstance(value, list):  # a reference to a layer's output is [name, node, tensor]
            if len(value) == 3 and isinstance(value[0], str):
                return [names.get(value[0], value[0]), *value[1:]]
            return [plain(one) for one in value]
        return value

    return hashlib.sha256(json.dumps(plain(whole), sort_keys=True).encode()).hexdigest()


def take_up(folder: Path, network: keras.Model) -> list[Row] | None:
    """Load the kept weights into a network and return their history; None when the run is not trained yet.

    Raises TrainingError when the weights do not fit the network.
    """
    found = _read(folder / TRAINED)
    if found is None:
        return None
    rows, weights = found
    if [one.shape for one in weights] != [one.shape for one in network.get_weights()]:
        raise TrainingError(fitting.of_another_network(folder))
    network.set_weights(weights)
    return rows


def _read(path: Path) -> tuple[list[Row], list[NDArray[np.float32]]] | None:
    """Return the history and weights in a TRAINED file, or None when it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            return json.loads(str(kept["rows"])), [kept[f"w{i}"] for i in range(len(kept.files) - 1)]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
