"""Tensors of the Open Inference Protocol: from JSON or raw bytes to arrays, and back.

Raw tensors are little-endian and in row-major order. An element of BYTES is its length in 4 bytes, then its content.
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webui import inputs
from webui.faults import BadRequest, Unimplemented
from webui.pixels import depth, kind, member, numbers
from webui.query import is_number

DTYPES = {
    **{f"UINT{bits}": f"<u{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": f"<i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
}
"""NumPy's name of each numeric datatype."""

UNSHARED = "the zoo does not support shared memory. Send and receive tensors as data or as raw bytes."

Content = NDArray[Any] | list[bytes]
"""An array (n, ...), or the n elements of a tensor of BYTES."""


def header(body: bytes, length: str | None) -> tuple[bytes, memoryview]:
    """Return the JSON of a body and a view of what comes after it, by Inference-Header-Content-Length.

    Raises BadRequest.
    """
    if length is None:
        return body, memoryview(b"")
    if not (is_number(length) and int(length) <= len(body)):
        raise BadRequest(
            f"Inference-Header-Content-Length is {length[:40]}, and the body has {len(body)} bytes. Give the number of "
            "bytes of its JSON."
        )
    return body[: int(length)], memoryview(body)[int(length) :]


def shape(tensor: dict[str, Any], where: str) -> list[int]:
    """Return the shape of an input. Raises BadRequest unless it is one to eight whole numbers from 1."""
    sizes = tensor.get("shape")
    if (
        not isinstance(sizes, list)
        or not 1 <= len(sizes) <= 8
        or not all(type(size) is int and 1 <= size < 2**31 for size in sizes)
    ):
        found = json.dumps(sizes)[:60] if isinstance(sizes, list) else member(tensor, "shape")
        raise BadRequest(
            f"{where}.shape is {found}. Give one to eight whole numbers from 1 to 2147483647, as in [1, 28, 28, 1]."
        )
    return sizes


def read(tensor: dict[str, Any], rest: memoryview, where: str) -> tuple[Content, memoryview]:
    """Return the content of an input, and the raw bytes that follow it.

    Raises BadRequest, or Unimplemented for shared memory.
    """
    form, datatype = shape(tensor, where), tensor.get("datatype")
    if not isinstance(datatype, str) or datatype not in (*DTYPES, "BYTES"):
        raise BadRequest(f"{where}.datatype is {member(tensor, 'datatype')}. Give one of BYTES, {', '.join(DTYPES)}.")
    parameters = tensor.get("parameters", {})
    refuse_shared(parameters, where)
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is None:
        data = tensor.get("data")
        if not isinstance(data, list):
            found = member(tensor, "data")
            raise BadRequest(f"{where}.data is {found}. Give a list, or raw bytes with parameters.binary_data_size.")
        return _from_json(data, form, datatype, f"{where}.data"), rest
    if type(size) is not int or not 0 <= size <= len(rest):
        raise BadRequest(
            f"{where}.parameters.binary_data_size is {kind(size)}; {len(rest)} bytes are left after the JSON "
            "(Inference-Header-Content-Length)."
        )
    if tensor.get("data") is not None:
        raise BadRequest(f"{where} has both data and binary_data_size. Give one of them.")
    return _from_bytes(rest[:size], form, datatype, where), rest[size:]


def refuse_shared(parameters: Any, where: str) -> None:
    """Raise Unimplemented if a tensor's parameters say that it is in shared memory."""
    if isinstance(parameters, dict) and (region := parameters.get("shared_memory_region")) is not None:
        raise Unimplemented(f"{where}.parameters.shared_memory_region is {kind(region)}, and {UNSHARED}")


def _from_json(data: list[Any], form: list[int], datatype: str, where: str) -> Content:
    if datatype == "BYTES":
        texts = (
            data if depth(data) < 2 else [text for row in data for text in (row if isinstance(row, list) else [row])]
        )
        _check(len(texts), file_count(form, where), form, where)
        return [inputs.decoded(text, f"{where}[{place}]") for place, text in enumerate(texts)]
    cells = np.array(data, dtype=object).ravel()
    _check(cells.size, math.prod(form), form, where)
    values = numbers(cells, where)
    if datatype[0] != "F":
        _check_whole(values, datatype, where)
    return values.reshape(form)


def _check_whole(values: NDArray[np.float64], datatype: str, where: str) -> None:
    """Raise BadRequest for what a datatype of whole numbers cannot hold."""
    if not (values == np.rint(values)).all():
        raise BadRequest(f"{where} has fractions, which datatype {datatype} cannot hold. Give levels in 0-1 as FP32.")
    held = np.iinfo(DTYPES[datatype])
    wrong = values[(values < held.min) | (values > held.max)]
    if wrong.size:
        found = str(wrong[0]).removesuffix(".0")
        raise BadRequest(
            f"{where} has the number {found}; datatype {datatype} holds {held.min} to {held.max}. Give levels in "
            "0-255 as UINT8."
        )


def _from_bytes(raw: memoryview, form: list[int], datatype: str, where: str) -> Content:
    if datatype == "BYTES":
        elements: list[bytes] = []
        at, expected = 0, file_count(form, where)
        while at < len(raw) and len(elements) <= expected:
            (length,) = struct.unpack_from("<I", raw, at) if at + 4 <= len(raw) else (len(raw),)
            if at + 4 + length > len(raw):
                raise BadRequest(f"{where}: element {len(elements)} of its bytes is truncated.")
            elements.append(bytes(raw[at + 4 : at + 4 + length]))
            at += 4 + length
        _check(len(elements), expected, form, where)
        return elements
    dtype = np.dtype(DTYPES[datatype])
    if len(raw) != math.prod(form) * dtype.itemsize:
        raise BadRequest(
            f"{where} has {len(raw)} bytes; the shape {form} of {datatype} has {math.prod(form) * dtype.itemsize}."
        )
    return np.frombuffer(raw, dtype).reshape(form)


def file_count(form: list[int], where: str) -> int:
    """Return how many picture files a tensor of BYTES of this shape holds. Raises BadRequest for any other shape."""
    if len(form) > 2 or (len(form) == 2 and form[1] != 1):
        raise BadRequest(f"{where}: the shape {form} does not fit picture files. Give [n].")
    return form[0]


def _check(found: int, expected: int, form: list[int], where: str) -> None:
    """Raise BadRequest unless a tensor has as many elements as its shape."""
    if found != expected:
        raise BadRequest(f"{where} has {found} elements; the shape {form} has {expected}.")


def described(
    name: str, datatype: str, content: Sequence[Any] | NDArray[Any], shape: Sequence[int], raw: bool
) -> tuple[dict[str, Any], bytes]:
    """Return an output as JSON and its raw bytes: with its `data` and no bytes, or if `raw` with their size.

    `content` is one text, number, flag or row of numbers for each picture.
    """
    output: dict[str, Any] = {"name": name, "datatype": datatype, "shape": list(shape)}
    if not raw:
        return output | {"data": list(content) if datatype == "BYTES" else np.ravel(content).tolist()}, b""
    packed = _packed(datatype, content)
    return output | {"parameters": {"binary_data_size": len(packed)}}, packed


def _packed(datatype: str, content: Sequence[Any] | NDArray[Any]) -> bytes:
    if datatype == "BYTES":
        return b"".join(struct.pack("<I", len(text)) + text for text in (text.encode() for text in content))
    return np.asarray(content, "?" if datatype == "BOOL" else DTYPES[datatype]).tobytes()
