"""Reads the pictures of a request: the files of a form, a picture as the body, or JSON with base64 or pixels.

A faulty picture raises its error if it is the only one. Among several, the error takes the place of its picture, so
that the others are answered.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flask import request
from werkzeug.datastructures import FileStorage

from webui import pixels
from webui.current import current_zoo
from webui.environ import BODY
from webui.faults import BadRequest, NoPicture, TooMany, TooManyPictures, WrongType
from webui.plain import sole_picture
from zoo import formats, images
from zoo.errors import ZooError, counted, cut
from zoo.models import Model
from zoo.types import Image, Prediction
from zoo.zoo import Zoo

DEEPEST = 200  # levels of nested brackets in JSON
FEW = 100_000  # JSON values that any request may have; parsing them takes some 10 ms
BARE = "Send it with the content type of a picture, such as image/png."

Sent = bytes | Image
Answered = Prediction | ZooError


@dataclass(frozen=True, slots=True)
class Pictures:
    """What was sent: the only picture or `several`, in which a ZooError stands for one that cannot be read."""

    only: Sent | None
    several: Sequence[Sent | ZooError] = ()


def pictures(zoo: Zoo, model: Model, version: int | None = None) -> Pictures:
    """Return the pictures of this request, for a model whose input shape decides how pixels are read.

    Raises NoPicture, BadRequest, WrongType or TooMany for the request, and ModelUnavailable or UnknownCheckpoint when
    the shape is not available.
    """
    only = sole_picture(request.environ)
    if only is not None:
        return Pictures(only)
    kind = request.mimetype
    content = body()  # before a form's parts are read: a message may need it later
    if kind == "multipart/form-data":
        files = request.files.getlist("file")
        if len(files) == 1:
            return Pictures(_content(files[0]))
        if not files:
            raise NoPicture(f"{_found()} {_expected()}")
        return Pictures(None, several(zoo, files, _content))
    if kind == "application/json" or kind.endswith("+json"):
        return _from_json(zoo, parsed(content, BARE), lambda: shape_of(model, version))
    if kind.startswith("image/") or kind == "application/octet-stream" or (not kind and content):
        return Pictures(content)
    if not content:
        raise NoPicture(f"{_found()} {_expected()}")
    raise WrongType(
        f"The content type {cut(kind)} is not supported. Send application/json, a picture as "
        f"image/png, image/jpeg, … or application/octet-stream, or a form, {_example()}."
    )


def body() -> bytes:
    """Return the request body, decompressed. A body that the server holds whole (`webui.bridge`) is not copied."""
    held: bytes | None = request.environ.get(BODY)
    return request.get_data() if held is None or "HTTP_CONTENT_ENCODING" in request.environ else held


def upload() -> bytes:
    """Return the bytes of the multipart part `file`. Raises NoPicture when there is none."""
    file = request.files.get("file")
    if file is None:
        raise NoPicture(f"{_found()} Send the picture as multipart/form-data in a part named file, {_example()}.")
    return _content(file)


def shape_of(model: Model, version: int | None = None) -> pixels.Shape:
    """Return the input shape of a model's checkpoint, such as (28, 28, 1). Raises what `Model.load` raises."""
    return tuple(model.load(version).card.input_shape)


def predictions(
    zoo: Zoo, name: str | None, sent: Sequence[Sent | ZooError], version: int | None = None
) -> list[Answered]:
    """Return the answers in the order of the pictures, an error in the place of its picture.

    Raises what `Zoo.predict_many` raises.
    """
    good = [one for one in sent if not isinstance(one, ZooError)]
    with images.together():
        fresh = iter(zoo.predict_many(name, good, version=version))
    return [one if isinstance(one, ZooError) else next(fresh) for one in sent]


def parsed(body: bytes, picture: str) -> dict[str, Any]:
    """Return the JSON object that a body holds. Raises TooMany for too many values, BadRequest for anything else.

    `picture` says how to send a picture, for the message about a body that is one.
    """
    if request.mimetype == "multipart/form-data":
        raise BadRequest("The body is a form, which this address does not take. Send a JSON object.")
    if not body.startswith(b"{") and (form := formats.format_of(body)) is not None:
        raise BadRequest(f"The body is a {form} picture; this address expects JSON. {picture}")
    _check_values(body)
    if _is_deep(body):
        raise BadRequest(_DEEP)
    try:
        value = json.loads(body)
    except RecursionError:  # brackets in strings can mislead `_is_deep`
        raise BadRequest(_DEEP) from None
    except ValueError as error:
        size = counted(len(body), "byte")
        found = f"The body of {size} is not JSON: {_why(error)}" if body else "The body is empty"
        raise BadRequest(f"{found}. Send a JSON object.") from None
    if not isinstance(value, dict):
        raise BadRequest(f"The JSON is {pixels.kind(value)}. Send an object.")
    return value


_DEEP = "The JSON is nested too deeply. Send an object as shown in the documentation."
_STEPS = bytes.maketrans(b"[{]}", bytes((1, 1, 255, 255)))  # up a level and, as int8, down
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))


def _why(error: ValueError) -> str:
    """Return why a body is not JSON."""
    if isinstance(error, json.JSONDecodeError):
        return str(error)
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else "a number in it is too long"


def _is_deep(body: bytes) -> bool:
    """Whether brackets are nested more than DEEPEST deep, counting those inside strings too.

    Checked before parsing, because a parser at Python's recursion limit takes whatever else runs at that moment there
    too.
    """
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return False
    steps = np.frombuffer(body.translate(_STEPS, _NO_BRACKETS), np.int8)
    return bool(steps.cumsum(dtype=np.int32).max() > DEEPEST)


def _check_values(body: bytes) -> None:
    """Raise TooMany if JSON has more values than the pictures of one request, with every level in a list of its own.

    This comes before parsing: a small body can decompress to millions of lists, and parsing them blocks all threads.
    """
    if len(body) <= FEW:
        return
    zoo = current_zoo()
    cards = [card for model in zoo.models.values() if (card := model.card()) is not None]
    largest = max((2 * math.prod(card.input_shape) + card.input_shape[0] for card in cards), default=0)
    number = zoo.settings.server.max_batch
    most = max(FEW, number * (largest + 4))  # plus the lists and objects around each
    if body.count(b",") + body.count(b"[") + body.count(b"{") > most:
        raise TooMany(
            f"The JSON has more than {most:,} values, the most that {counted(number, 'picture')} (the limit, "
            "server.max_batch) can have. Send the pictures in several requests, or as files."
        )


def decoded(text: Any, where: str) -> bytes:
    """Return the bytes of a base64 string, or of a data: URL in base64. Raises BadRequest."""
    if not isinstance(text, str):
        raise BadRequest(f"{where} is {pixels.kind(text)}. Give the picture's bytes as a base64 string.")
    start = text[:5].lower()
    if start in ("http:", "https"):
        raise BadRequest(f"{where} is an address; the zoo does not fetch URLs. Give the picture's bytes in base64.")
    if start == "data:":
        head, comma, text = text.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise BadRequest(f"{where} is a data: URL without base64. It should begin like data:image/png;base64,")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(
            f'{where} is not base64 ({error}): it has {len(text)} characters and begins with "{text[:20]}". Encode the '
            "picture's bytes in the standard alphabet, with padding."
        ) from None


def several(zoo: Zoo, sent: Sequence[Any], read: Callable[[Any], Sent]) -> list[Sent | ZooError]:
    """Read each of several pictures, with errors in their pictures' places. Raises TooManyPictures before that."""
    check_number(zoo, len(sent))
    found: list[Sent | ZooError] = []
    for one in sent:
        try:
            found.append(read(one))
        except ZooError as error:
            found.append(error)
    return found


def check_number(zoo: Zoo, count: int) -> None:
    """Raise TooManyPictures if `count` pictures are more than one request may have."""
    most = zoo.settings.server.max_batch
    if count > most:
        raise TooManyPictures(
            f"The request has {count} pictures; the limit is {most} (server.max_batch). Send them in several requests.",
            most,
        )


def _from_json(zoo: Zoo, body: dict[str, Any], shape: Callable[[], pixels.Shape]) -> Pictures:
    """Return the pictures of a JSON object: the value of its key `image`, `images` or `pixels`."""
    given: list[str] = [key for key in ("image", "images", "pixels") if key in body]
    if len(given) != 1:
        raise BadRequest(
            f"The JSON object has {_listed(given or list(body))}. Give one of image (base64 or a data: URL), images (a "
            "list of these), or pixels (rows of numbers, or a list of such pictures)."
        )
    (key,) = given
    value = body[key]
    if key == "image":
        return Pictures(decoded(value, "image"))
    if not isinstance(value, list) or not value:
        wanted = "a list of base64 strings" if key == "images" else "rows of numbers, or a list of such pictures"
        raise BadRequest(f"{key} is {pixels.kind(value)}. Give {wanted}.")
    if key == "images":
        places = list(enumerate(value))
        return Pictures(None, several(zoo, places, lambda place: decoded(place[1], f"images[{place[0]}]")))
    form = shape()
    if len(value) > max(math.prod(form), zoo.settings.server.max_batch):  # checked first: a full check would take long
        pixels.check_depth(value, form, "pixels")
        check_number(zoo, len(value))
    if pixels.is_one(value, form):
        return Pictures(pixels.from_json(value, form, "pixels"))
    places = list(enumerate(value))
    return Pictures(None, several(zoo, places, lambda place: pixels.from_json(place[1], form, f"pixels[{place[0]}]")))


def _content(file: FileStorage) -> bytes:
    """Return the bytes of an uploaded file. Raises NoPicture if no file was chosen, BadRequest if it is encoded."""
    if not file.filename:
        raise NoPicture(f"The part file has an empty filename: no file was chosen. Choose one, {_example()}.")
    coding = file.headers.get("Content-Transfer-Encoding", "binary").strip().lower()
    if coding in ("base64", "quoted-printable"):
        raise BadRequest(
            f"The part file is encoded (Content-Transfer-Encoding: {coding}), which forms no longer use (RFC 7578, "
            "4.7). Send its bytes as they are."
        )
    content: bytes = file.read()
    return content


def _found() -> str:
    """Return what a request without a picture has instead."""
    kind = request.mimetype or "no content type"
    if kind != "multipart/form-data":
        return f"There is no picture: the request has {cut(kind)}."
    if "file" in request.form:
        return "There is no picture: the part file came as text, without a filename."
    names = [name or "one without a name" for name in (*request.files, *request.form)]
    if names:
        return f"There is no picture: the form has no part named file (it has: {_listed(names)})."
    if not request.mimetype_params.get("boundary"):
        return "There is no picture: the content type multipart/form-data has no boundary. Let your client set it."
    return (
        f"There is no picture: the form of {len(body())} bytes has no complete part, or none begins with its boundary."
    )


def _expected() -> str:
    return (
        "Send the picture as multipart/form-data in a part named file, as the body itself with its content type, or "
        f"as JSON, {_example()}."
    )


def _example() -> str:
    return f"as in: curl -F file=@digit.png {request.base_url}"


def _listed(keys: list[str]) -> str:
    shown = ", ".join(key[:40] for key in keys[:8])
    return f"{shown}{', …' if len(keys) > 8 else ''}" if keys else "no key"
