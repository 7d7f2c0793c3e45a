"""The other models of a zoo, for a model that is made of them."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING

from zoo.checkpoints import VERSION
from zoo.errors import ModelUnavailable, UnknownCheckpoint, cut
from zoo.models import Model

if TYPE_CHECKING:
    import keras

_building: ContextVar[tuple[str, ...]] = ContextVar("building", default=())
"""The checkpoints whose networks are being built, each as a member of the one before; to detect cycles."""


class Members:
    """Gives networks and temperatures by name, "cnn" or "cnn/2": `zoo.settings.Others`.

    `find` returns the model of a name, or raises UnknownModel.
    """

    def __init__(self, find: Callable[[str], Model]) -> None:
        self._find = find

    def network(self, name: str) -> keras.Model:
        """Return the trained network of a model, "cnn", or of one of its versions, "cnn/2".

        Raises UnknownModel, UnknownCheckpoint, and ModelUnavailable, also for a model that is a member of itself and
        without TensorFlow.
        """
        from zoo import backend

        model, version = self._version(name)
        ref = "{}/{}".format(*model.select(version))
        around = _building.get()
        if ref in around:
            parts = ", which is made of ".join((*around[around.index(ref) + 1 :], ref))
            raise ModelUnavailable(f"{ref} is made of {parts}: a cycle. Ask for another member in build.")
        backend.check_for_answers(f"The network of {ref} needs TensorFlow")
        backend.start()
        token = _building.set((*around, ref))
        try:
            network: keras.Model = model.network(version)
        finally:
            _building.reset(token)
        return network

    def temperature(self, name: str) -> float:
        """Return the temperature in the card of a model, "cnn", or of a version, "cnn/2"; 1 without a calibration.

        Raises UnknownModel, UnknownCheckpoint, or ModelUnavailable when the card cannot be read.
        """
        model, version = self._version(name)
        calibration = model.catalogue.card(*model.select(version)).calibration
        return calibration.temperature if calibration else 1.0

    def _version(self, name: str) -> tuple[Model, int | None]:
        """Split "cnn/2" into model and version; the version of "cnn" is None, which means the selected one."""
        name, _, version = name.partition("/")
        if version and not VERSION.fullmatch(version):
            raise UnknownCheckpoint(f'"{name}/{cut(version)}" names no version. Use a whole number, as in {name}/1.')
        return self._find(name), int(version) if version else None
