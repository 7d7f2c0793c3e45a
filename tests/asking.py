"""Pictures to send, and how the tests ask the app for answers."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from flask.testing import FlaskClient
from numpy.typing import NDArray
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from zoo import datasets

ROOT = Path(__file__).parents[1]
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SEVEN, TWO, ONE, ZERO = range(4)  # the first four test digits


def ink(index: int) -> NDArray[np.uint8]:
    """A test digit of MNIST as uint8 (28, 28), light on dark."""
    digit: NDArray[np.uint8] = datasets.test_data("mnist").images[index, ..., 0]
    return digit


def drawing(index: int = SEVEN, side: int = 280) -> PIL.Image.Image:
    """The same, dark on light and as large as people draw: mode L, side x side."""
    return PIL.Image.fromarray(255 - ink(index)).resize((side, side), PIL.Image.Resampling.BICUBIC)


def saved(picture: PIL.Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def b64(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


def png(index: int = SEVEN) -> bytes:
    """A test digit as MNIST has it."""
    return saved(PIL.Image.fromarray(ink(index)))


def levels(picture: bytes) -> NDArray[np.uint8]:
    return np.asarray(PIL.Image.open(io.BytesIO(picture)))


def send(client: FlaskClient, url: str, picture: bytes, name: str = "digit.png", **more: Any) -> TestResponse:
    headers = more.pop("headers", {})
    # Encoded here, since Flask's client leaves the temporary file of a large form open.
    boundary, form = encode_multipart({"file": FileStorage(io.BytesIO(picture), name), **more})
    return client.post(url, data=form, content_type=f'multipart/form-data; boundary="{boundary}"', headers=headers)


def files(client: FlaskClient, url: str, *pictures: bytes) -> TestResponse:
    """A form with several parts named file."""
    parts = {"file": [FileStorage(io.BytesIO(picture), f"{place}.png") for place, picture in enumerate(pictures)]}
    boundary, form = encode_multipart(parts)
    return client.post(url, data=form, content_type=f'multipart/form-data; boundary="{boundary}"')


def said(answer: TestResponse) -> Any:
    """The JSON of an answer."""
    assert answer.mimetype == "application/json"
    return answer.get_json()


def chosen(page: TestResponse) -> str | None:
    found = re.search(r'name="model_type" value="([^"]+)"[^>]*\schecked', page.text)
    return found and found[1]
