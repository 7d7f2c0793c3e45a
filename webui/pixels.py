"""Numbers to pictures: levels of grey or colour become the uint8 picture that a PNG would give.

From there it is processed like every picture, so a picture gets the same answer however it is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webui.faults import BadRequest
from zoo.types import Image

Shape = tuple[int, ...]
"""The input shape of a network, such as (28, 28, 1)."""

RESIDUE = 1e-6
"""How far levels may lie outside their range, as a share of it, because of rounding in a computation.

It is several times the rounding error of float32. Such levels become the end of the range.
"""

COLOURS = (2, 3, 4)
"""How many numbers a pixel may have where others send grey or colour, with or without alpha."""


def from_json(value: Any, shape: Shape, where: str) -> Image:
    """Return one picture (uint8) from nested lists of JSON numbers: levels in 0-1, or in 0-255 if any is above 1.

    The values decide, not how they are written, because JSON does not distinguish 1 from 1.0. A value above 1 by at
    most `RESIDUE` counts as a rounded 1. `shape` is the network's input shape; a single channel may be left out. Raises
    BadRequest, whose message begins with `where`.
    """
    if len(shape) not in (2, 3):
        raise BadRequest(
            f"{where} cannot be used: the model's input shape {list(shape)} has no rows of pixels. Send a picture file."
        )
    if not isinstance(value, list):
        raise BadRequest(f"{where} is {kind(value)}. Give {_rows(shape)}.")
    cells = np.array(value, dtype=object)
    if cells.shape not in _shapes(shape):
        found = f"{list(cells.shape)}{_ragged(cells)}"
        raise BadRequest(f"{where} has the shape {found}. Give {_rows(shape)}.{_colour(cells.shape, shape)}")
    levels = numbers(cells, where)
    if (levels > 1 + RESIDUE).any():
        return _whole(levels, shape, where)
    return _shares(levels, shape, where)


def from_tensor(tensor: NDArray[Any], whole: bool, shape: Shape, where: str) -> NDArray[np.uint8]:
    """Return the pictures of a tensor (n, ...) as uint8 (n, ...). Its levels are in 0-255 if `whole`, else in 0-1.

    Raises BadRequest for another shape, or for levels out of range.
    """
    check_form(tensor.shape, shape, where)
    most = 255 if whole else 1
    if not (tensor.min() >= -most * RESIDUE and tensor.max() <= most * (1 + RESIDUE)):  # NaN fails both
        for place, one in enumerate(tensor):
            _checked(one, most, f"{where}[{place}]", _WHOLE if whole else _FLOATS)
    if not whole:
        tensor = tensor * (np.float32(255) if tensor.dtype == np.float32 else np.float64(255))
        np.rint(tensor, out=tensor)
    pictures: NDArray[np.uint8] = tensor.astype(np.uint8).reshape(len(tensor), *_own(shape))
    return pictures


def check_form(form: Shape, shape: Shape, where: str) -> None:
    """Raise BadRequest if a tensor of this shape holds no pictures, whatever their number."""
    if form[1:] not in _shapes(shape):
        wanted = " or ".join(str(["n", *one]).replace("'", "") for one in _shapes(shape))
        colour = _colour(form[1:], shape)
        raise BadRequest(f"{where} has the shape {list(form)}. Give {wanted}, one picture or more.{colour}")


def check_depth(value: list[Any], shape: Shape, where: str) -> None:
    """Raise BadRequest if a long list is one bad picture rather than several, by its first elements."""
    found, first = [len(value)], value[0]
    while isinstance(first, list) and len(found) <= len(_own(shape)):
        found.append(len(first))
        first = first[0] if first else None
    if len(found) <= len(_own(shape)):
        raise BadRequest(f"{where} has the shape {found}. Give {_rows(shape)}, or a list of such pictures.")


def depth(value: Any) -> int:
    """Return how deep lists are nested in a value, by their first elements; at most 64."""
    levels = 0
    while isinstance(value, list) and levels < 64:
        value, levels = value[0] if value else None, levels + 1
    return levels


def is_one(value: Sequence[Any], shape: Shape) -> bool:
    """Whether nested lists are one picture, good or bad, rather than several."""
    if len(shape) not in (2, 3):
        return True  # no picture suits such a network
    depths = [1 + depth(row) for row in value]
    if min(depths) > len(shape) + 1 or max(depths) <= len(_own(shape)):
        return True
    if max(depths) > len(shape):
        return False
    if len(value) == shape[0] and all(_is_coloured(row, shape) for row in value):
        return True
    # Rows of cells with one number each, or pictures with rows of numbers. One element proves neither: it may be bad.
    thin = sum(_is_thin(row, shape) for row in value)
    if thin == len(value):
        return True
    return len(value) == shape[0] and 2 * thin > len(value) and not any(_may_be_whole(row, shape) for row in value)


def _is_thin(row: Any, shape: Shape) -> bool:
    """Whether no cell of what may be a row is a list of several numbers, which each row of a whole picture would be."""
    return not isinstance(row, list) or all(not isinstance(cell, list) or len(cell) <= 1 for cell in row[: shape[1]])


def _is_coloured(row: Any, shape: Shape) -> bool:
    """Whether what may be a row of a grey picture has a colour in each cell, by its first cell."""
    return (
        shape[1:] == (shape[1], 1)
        and shape[1] not in COLOURS
        and isinstance(row, list)
        and len(row) == shape[1]
        and isinstance(row[0], list)
        and len(row[0]) in COLOURS
    )


def _may_be_whole(value: Any, shape: Shape) -> bool:
    """Whether a list has the rows and columns of a whole picture, by its first row."""
    rows = len(value) if isinstance(value, list) else 0
    return rows == shape[0] and isinstance(value[0], list) and len(value[0]) == shape[1]


def numbers(cells: NDArray[Any], where: str) -> NDArray[np.float64]:
    """Return JSON values as float64, in the same shape. Raises BadRequest for anything but numbers."""
    for found in {type(cell) for cell in cells.ravel()} - {int, float}:
        odd = next(cell for cell in cells.ravel() if type(cell) is found)
        raise BadRequest(f"{where} has {kind(odd)} among its numbers. Give numbers only.")
    try:
        return cells.astype(np.float64)
    except OverflowError:
        raise BadRequest(f"{where} has a number that is too large. {_LEVELS}") from None


def kind(value: Any) -> str:
    """Return what a JSON value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {str(value)[:20]}"
    if isinstance(value, str):
        return f'the string "{value[:20]}{"…" if len(value) > 20 else ""}"'
    return "an empty list" if value == [] else "a list" if isinstance(value, list) else "an object"


def member(owner: dict[str, Any], key: str) -> str:
    """Return what a JSON object has under a key, in words: "missing" if the key is not there."""
    return kind(owner[key]) if key in owner else "missing"


_LEVELS = "Levels are numbers in 0-1, or in 0-255 if any level of a picture is above 1."
_FLOATS = "Tensors of floats have levels in 0-1; send levels in 0-255 as UINT8."
_WHOLE = "Tensors of whole numbers have levels in 0-255."


def _shares(levels: NDArray[Any], shape: Shape, where: str) -> Image:
    return _picture(_checked(levels, 1, where).astype(np.float64) * 255, shape)


def _whole(levels: NDArray[Any], shape: Shape, where: str) -> Image:
    return _picture(_checked(levels, 255, where), shape)


def _checked(levels: NDArray[Any], most: int, where: str, hint: str = _LEVELS) -> NDArray[Any]:
    """Return levels that are all in 0-`most`, give or take RESIDUE. Raises BadRequest for others."""
    wrong = levels[~((levels >= -most * RESIDUE) & (levels <= most * (1 + RESIDUE)))]  # NaN fails both
    if wrong.size:
        found = str(wrong.flat[0]).removesuffix(".0")  # all its digits: rounded, it might look as if it were in range
        raise BadRequest(f"{where} has the level {found}, expected 0-{most}. {hint}")
    return levels


def _picture(levels: NDArray[Any], shape: Shape) -> Image:
    picture: Image = np.rint(levels).astype(np.uint8).reshape(_own(shape))
    return picture


def _own(shape: Shape) -> Shape:
    """Return the shape of a picture for a network that takes `shape`: without its only channel."""
    return shape[:2] if len(shape) == 3 and shape[2] == 1 else shape


def _shapes(shape: Shape) -> list[Shape]:
    """Return the shapes that a picture may have: the network's, and the same without its only channel."""
    return list(dict.fromkeys((shape, _own(shape))))


def _rows(shape: Shape) -> str:
    colour = f" of {shape[2]}" if len(shape) == 3 and shape[2] > 1 else ""
    return f"{shape[0]} rows of {shape[1]} numbers{colour}"


def _colour(found: Shape, shape: Shape) -> str:
    """Return what to add to a message when each pixel has a colour and the network takes grey."""
    coloured = len(shape) == 3 and shape[2] == 1 and found[:-1] == shape[:2] and found[-1] in COLOURS
    return " Colours are not supported as numbers: send grey levels, or a picture file." if coloured else ""


def _ragged(cells: NDArray[Any]) -> str:
    """Return what to add to a message when rows differ in length, which NumPy makes an array of lists."""
    return " and rows of different lengths" if any(isinstance(cell, list) for cell in cells.ravel()) else ""
