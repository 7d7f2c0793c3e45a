"""Check before training that a network, the data and the preprocessed pictures fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zoo.answers import checked_input
from zoo.errors import NoInk, PluginError, TrainingError, reason_of
from zoo.hooks import Hooks
from zoo.settings import ModelSettings
from zoo.types import Data

if TYPE_CHECKING:
    import keras

SOME = 256  # validation pictures that are checked, at most
SLACK = 0.01  # by how much rounding may take preprocessed pictures out of 0-1

Shape = tuple[int, ...]


def network_inputs(model: str, hooks: Hooks, settings: ModelSettings, network: keras.Model, data: Data) -> NDArray[Any]:
    """Return some validation pictures, preprocessed by the hook, (n, ...), once the network is known to fit them.

    A network without an Input is built with their shape. Raises TrainingError when the network's inputs or outputs do
    not fit, and PluginError when the hook is at fault.
    """
    pictures = data.validation_images[:SOME, ..., 0]
    given = _given(hooks, settings, data)
    taken = _taken(model, network, given)
    whose = "its preprocess hook" if hooks.is_own("preprocess") else "the zoo's own preprocess"
    of_data, own_train = data.images.shape[1:], hooks.is_own("train")
    if not own_train and taken != of_data:
        what = (
            f"Start build with Input({of_data}), or add preprocess and train hooks that convert the pictures"
            if given == of_data
            else "Add a train hook that converts them to the shape the network takes"
        )
        raise TrainingError(
            f'Model "{model}": the network takes pictures of shape {taken}, but the data has pictures of shape '
            f"{of_data}. {what}."
        )
    if taken != given:
        raise TrainingError(
            f'Model "{model}": the network takes pictures of shape {taken}, but {whose} returns shape {given}. '
            f"Start build with Input({given}), or use another preprocess hook."
        )
    if not (own_train and hooks.is_own("predict")):  # hooks of the plugin's own may use any output
        _tells(model, network, len(data.labels))
    seen = np.stack([checked_input(hooks, settings, taken, picture)[0] for picture in pictures])
    low, high = float(seen.min()), float(seen.max())
    if not own_train and (low < -SLACK or high > 1 + SLACK):
        raise PluginError(
            f'Model "{model}": {whose}{hooks.wrapped("preprocess")} returns values from {low:.3g} to {high:.3g}, but '
            "the training data is in 0-1. Return values in 0-1, or add a train hook that brings the data to that scale."
        )
    return seen


def _given(hooks: Hooks, settings: ModelSettings, data: Data) -> Shape:
    """Return the shape that the `preprocess` hook gives, or the data's if no picture has anything to read."""
    for picture in data.validation_images[:SOME, ..., 0]:
        try:
            return np.shape(checked_input(hooks, settings, None, picture)[0])
        except NoInk:
            continue
    return data.images.shape[1:]


def _taken(model: str, network: keras.Model, given: Shape) -> Shape:
    """Return the shape of a picture that the network takes; a network without one is built with the shape `given`.

    Raises TrainingError unless it has one input with a fixed shape.
    """
    shape = getattr(network, "input_shape", None)
    if shape is None:
        try:
            network(np.zeros((1, *given), np.float32))
        except Exception as error:  # a plugin's own layer may raise anything
            raise TrainingError(
                f'Model "{model}": the network cannot be called with a picture of shape {given}. '
                f"Keras says: {reason_of(error)}"
            ) from error
        shape = getattr(network, "input_shape", None)
    if shape is None or getattr(network, "output_shape", None) is None:
        raise TrainingError(
            f'Model "{model}": the network ({type(network).__name__}) has no input_shape and output_shape, '
            "as is usual for subclasses of keras.Model. Return keras.Model(inputs, outputs) or keras.Sequential from "
            "build; the subclass may be a layer in it."
        )
    if not isinstance(shape, tuple):
        raise TrainingError(
            f'Model "{model}": the network has {len(shape)} inputs; it should have one, for the picture. '
            f"Return a network with one input, such as Input({given}), from build."
        )
    if isinstance(getattr(network, "input", None), list | tuple | dict):
        raise TrainingError(f'Model "{model}": the network {_collected("inputs", network.input)}')
    if None in shape[1:]:
        raise TrainingError(
            f'Model "{model}": the network takes pictures of shape {shape[1:]}, which is not a fixed shape. '
            f"Start build with Input({given})."
        )
    return shape[1:]


def _tells(model: str, network: keras.Model, classes: int) -> None:
    """Raise TrainingError unless the network has one output with a number for each class."""
    shape = network.output_shape
    rest = f"End the network in one layer of {classes} units"
    if not isinstance(shape, tuple):
        raise TrainingError(f'Model "{model}": the network has {len(shape)} outputs; it should have one. {rest}.')
    if isinstance(getattr(network, "output", None), list | tuple | dict):
        raise TrainingError(f'Model "{model}": the network {_collected("outputs", network.output)}')
    if len(shape) != 2:
        raise TrainingError(
            f'Model "{model}": the network returns an array of shape {shape[1:]} for a picture; expected {classes} '
            f"numbers, one for each class. {rest}, with Flatten or GlobalAveragePooling2D before it."
        )
    if shape[1] != classes:
        raise TrainingError(
            f'Model "{model}": the network has {shape[1]} outputs; the data has {classes} classes. {rest}.'
        )


def _collected(ends: str, by: Any) -> str:
    """Return the error message for a network whose one input or output is in a list, a tuple or a dict."""
    return (
        f"has a {type(by).__name__} of one tensor as its {ends}, which not every runtime can handle. Return "
        "keras.Model(inputs, outputs) with the tensors themselves from build."
    )
