"""What is kept of an unfinished run: how far it came, and the network once it is trained.

During training the default loop saves its state after each epoch (`zoo.fitting`); a plugin's own `train` hook saves
what it likes. Once the hook has returned, weights and history are kept in either case, so that a later failure does not
require training again. Both files are snapshots (`zoo.snapshots`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from zoo import files, snapshots
from zoo.errors import TrainingError
from zoo.history import Row

if TYPE_CHECKING:
    import keras

STATE = "state.npz"  # the snapshot that the default loop resumes from, written after each epoch
TRAINED = "trained.npz"  # the file with the weights and history of a trained network
RUN = "run.json"  # the file with the command that starts the run, and the hash of its network's configuration
WHOLE = "whole"  # the folder with the files that are about to be published


class RunState(NamedTuple):
    """How far a run came. The run that came further compares greater."""

    trained: bool
    epochs: int


NOT_BEGUN = RunState(False, 0)


def state_of(folder: Path) -> RunState:
    """Return how far the run in a folder came; the folder need not exist."""
    if trained := snapshots.read(folder / TRAINED):
        return RunState(True, len(trained.rows))
    state = snapshots.read(folder / STATE)
    return RunState(False, len(state.rows)) if state else NOT_BEGUN


def has_own_files(folder: Path) -> bool:
    """Whether a run's folder has files that a plugin's `train` hook has put there."""
    ours = {TRAINED, WHOLE, RUN, STATE}
    return folder.is_dir() and any(path.name not in ours and path.suffix != ".part" for path in folder.iterdir())


def keep(folder: Path, network: keras.Model, rows: Sequence[Row]) -> None:
    """Save a trained network's weights and history into a run's folder. Raises OSError."""
    snapshots.write(folder / TRAINED, rows, network.get_weights())


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
        raise of_another_network(folder)


def of_another_network(folder: Path) -> TrainingError:
    """Return the error for an unfinished run of another network than the plugin now builds."""
    return TrainingError(
        f"The unfinished run in {folder.name} is of another network: the plugin has changed since. "
        "Start over without --resume."
    )


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
    trained = snapshots.read(folder / TRAINED)
    if trained is None:
        return None
    if [array.shape for array in trained.arrays] != [array.shape for array in network.get_weights()]:
        raise of_another_network(folder)
    network.set_weights(trained.arrays)
    return trained.rows
