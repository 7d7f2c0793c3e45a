"""Numbers to pictures: what programs send as levels of grey or colour becomes the uint8 picture that a PNG would give.

So one picture gets one answer however it is sent: from here on it goes the way of every picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webui.errors import BadRequest
from zoo.types import Image

Shape = tuple[int, ...]
"""What a network takes, such as (28, 28, 1)."""


def from_json(value: Any, shape: Shape, where: str) -> Image:
    """One picture from nested lists of JSON numbers: levels in 0-1, or in 0-255 if any of them is above 1.

    The values decide and not how they are written, since JSON does not tell 1 from 1.0. `shape` is the network's; a
    single channel may be left out. Raises BadRequest, which begins with `where`.
    """
    if not isinstance(value, list):
        raise BadRequest(f"{where} is {kind(value)}. Give {_rows(shape)}.")
    cells = np.array(value, dtype=object)
    if cells.shape not in _shapes(shape):
        raise BadRequest(f"{where} has the shape {list(cells.shape)}{_ragged(cells)}. Give {_rows(shape)}.")
    levels = numbers(cells, where)
    if (levels > 1).any():
        return _whole(levels, shape, where)
    return _shares(levels, shape, where)


def from_tensor(tensor: NDArray[Any], whole: bool, shape: Shape, where: str) -> NDArray[np.uint8]:
    """The pictures of a tensor (n, ...), uint8 (n, ...); its levels are in 0-255 if `whole`, else 0-1.

    Raises BadRequest.
    """
    if tensor.shape[1:] not in _shapes(shape):
        wanted = " or ".join(str(["n", *form]).replace("'", "") for form in _shapes(shape))
        raise BadRequest(f"{where} has the shape {list(tensor.shape)}. Give {wanted}, one picture or more.")
    most = 255 if whole else 1
    if not (tensor.min() >= 0 and tensor.max() <= most):  # NaN is neither
        for place, one in enumerate(tensor):
            _checked(one, most, f"{where}[{place}]", _WHOLE if whole else _FLOATS)
    if not whole:
        tensor = tensor * (np.float32(255) if tensor.dtype == np.float32 else np.float64(255))
        np.rint(tensor, out=tensor)
    pictures: NDArray[np.uint8] = tensor.astype(np.uint8).reshape(len(tensor), *_own(shape))
    return pictures


def depth(value: Any) -> int:
    """How deep lists are nested in a value, by its first elements."""
    levels = 0
    while isinstance(value, list) and levels < 64:
        value, levels = value[0] if value else None, levels + 1
    return levels


def is_one(value: Sequence[Any], shape: Shape) -> bool:
    """Whether nested lists are one picture, good or bad, rather than several."""
    depths = [1 + depth(row) for row in value]
    if min(depths) > len(shape) + 1:
        return True
    if len(shape) == 3 and shape[2] == 1:
        thin = any(depth(row) == 2 and depth(row[0]) == 1 and len(row[0]) == 1 for row in value)
        return max(depths) <= 2 or (max(depths) == 3 and thin)
    return max(depths) <= len(shape)


def numbers(cells: NDArray[Any], where: str) -> NDArray[np.float64]:
    """Values of JSON as float64, same shape. Raises BadRequest for what is no number."""
    for found in {type(cell) for cell in cells.ravel()} - {int, float}:
        odd = next(cell for cell in cells.ravel() if type(cell) is found)
        raise BadRequest(f"{where} has {kind(odd)} among its numbers. Give numbers only.")
    try:
        return cells.astype(np.float64)
    except OverflowError:
        raise BadRequest(f"{where} has a number that is too large. {_LEVELS}") from None


def kind(value: Any) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {str(value)[:20]}"
    if isinstance(value, str):
        return f'the string "{value[:20]}{"…" if len(value) > 20 else ""}"'
    return "an empty list" if value == [] else "a list" if isinstance(value, list) else "an object"


_LEVELS = "Levels are numbers in 0-1, or in 0-255 if any of a picture's is above 1."
_FLOATS = "Tensors of floats have levels in 0-1; send levels in 0-255 as UINT8."
_WHOLE = "Tensors of whole numbers have levels in 0-255."


def _shares(levels: NDArray[Any], shape: Shape, where: str) -> Image:
    return _picture(_checked(levels, 1, where).astype(np.float64) * 255, shape)


def _whole(levels: NDArray[Any], shape: Shape, where: str) -> Image:
    return _picture(_checked(levels, 255, where), shape)


def _checked(levels: NDArray[Any], most: int, where: str, hint: str = _LEVELS) -> NDArray[Any]:
    wrong = levels[~((levels >= 0) & (levels <= most))]  # NaN is neither
    if wrong.size:
        raise BadRequest(f"{where} has the level {wrong.flat[0]:g}, expected 0-{most}. {hint}")
    return levels


def _picture(levels: NDArray[Any], shape: Shape) -> Image:
    picture: Image = np.rint(levels).astype(np.uint8).reshape(_own(shape))
    return picture


def _own(shape: Shape) -> Shape:
    """The form of a picture for a network that takes `shape`: without its only channel."""
    return shape[:2] if len(shape) == 3 and shape[2] == 1 else shape


def _shapes(shape: Shape) -> list[Shape]:
    """The forms that a picture may have: as the network takes it, and without its only channel."""
    return list(dict.fromkeys((shape, _own(shape))))


def _rows(shape: Shape) -> str:
    colour = f" of {shape[2]}" if len(shape) == 3 and shape[2] > 1 else ""
    return f"{shape[0]} rows of {shape[1]} numbers{colour}"


def _ragged(cells: NDArray[Any]) -> str:
    """Of nested lists that do not fit together NumPy makes an array of lists."""
    return " and rows of different lengths" if any(isinstance(cell, list) for cell in cells.ravel()) else ""
