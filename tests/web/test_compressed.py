"""Bodies that come compressed: the same answers by every protocol, and refusals of those that cannot be inflated."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asking import HTML, b64, png, said
from flask.testing import FlaskClient
from guarding import KEYS, PAGE, PHONE, token, zoo_with
from protocols import LENGTH, element
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from webui import create_app
from webui.environ import BODY
from webui.faults import BadRequest, Refused
from webui.inflating import MEMBERS, inflated
from webui.quick import Quick
from zoo import Zoo
from zoo.errors import counted

CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "GZip": gzip.compress,
    "identity": bytes,
}
TENSOR = {"name": "images", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(element(png()))}}
HEAD = json.dumps({"inputs": [TENSOR]}).encode()


def form() -> tuple[str, bytes]:
    boundary, body = encode_multipart({"file": FileStorage(io.BytesIO(png()), "digit.png"), "model_type": "cnn"})
    return f'multipart/form-data; boundary="{boundary}"', body


def plain(value: Any) -> tuple[str, bytes]:
    return "application/json", json.dumps(value).encode()


SENT: dict[str, tuple[str, tuple[str, bytes], dict[str, str]]] = {
    "a picture": ("/predict_cnn", ("image/png", png()), {}),
    "JSON": ("/predict_cnn?top=2", plain({"image": b64(png())}), {}),
    "a form": ("/api/models/cnn/predict", form(), {}),
    "the page's form": ("/", form(), HTML),
    "TensorFlow Serving": ("/v1/models/cnn:predict", plain({"instances": [{"b64": b64(png())}]}), {}),
    "raw tensors": ("/v2/models/cnn/infer", ("", HEAD + element(png())), {LENGTH: str(len(HEAD))}),
    "Hugging Face": ("/hf/cnn", plain({"inputs": b64(png())}), {}),
    "the index": ("/v2/repository/index", plain({"ready": True}), {}),
}


def post(
    client: FlaskClient, path: str, kind: str, body: bytes, headers: dict[str, str], whole: bool = False
) -> TestResponse:
    """An answer; with `whole` the server holds the body, as `zoo serve` does."""
    overrides = {BODY: body} if whole else {}
    return client.post(path, data=body, content_type=kind, headers=headers, environ_overrides=overrides)


@pytest.mark.parametrize("whole", [True, False], ids=["zoo serve", "another server"])
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("name", SENT)
def test_a_compressed_body_gets_the_same_answer(client: FlaskClient, name: str, coding: str, whole: bool) -> None:
    path, (kind, body), headers = SENT[name]
    answer = post(client, path, kind, CODINGS[coding](body), headers | {"Content-Encoding": coding}, whole)
    assert answer.status_code == 200, answer.text
    assert answer.data == post(client, path, kind, body, headers).data


@pytest.mark.parametrize("parts", [(1,), (1, 60), (5000, 1), (4096, 4096, 4096)])
def test_gzip_of_several_members_is_one_body(parts: tuple[int, ...]) -> None:
    body, level = bytes(range(256)) * 60, 0  # stored, so that members end anywhere in what is inflated at once
    edges = [0, *np.cumsum(parts), len(body)]
    members = [gzip.compress(body[i:j], level) for i, j in pairwise(edges)]
    assert inflated(b"".join(members), "gzip", len(body)) == body
    with pytest.raises(Refused):
        inflated(b"".join(members), "gzip", len(body) - 1)
    with pytest.raises(BadRequest, match="cut short"):
        inflated(b"".join(members)[:-1], "gzip", len(body))


def test_gzip_of_more_members_than_a_body_has_use_for_is_refused(client: FlaskClient) -> None:
    empty, body = gzip.compress(b""), plain({"image": b64(png())})[1]
    most = empty * (MEMBERS - 1) + gzip.compress(body)
    assert inflated(most, "gzip", len(body)) == body
    answer = post(client, "/predict_cnn", "application/json", empty + most, {"Content-Encoding": "gzip"})
    told = "The body has more than 10,000 gzip members. Compress it again, as one."
    assert (answer.status_code, said(answer)["error"]) == (400, told)


DAMAGED = {
    "cut short": (gzip.compress(plain({})[1])[:-1], "gzip", "it is cut short"),
    "changed": (gzip.compress(plain({})[1])[:-8] + bytes(8), "gzip", "its checksum does not match"),
    "a member cut short": (gzip.compress(b"{}") + gzip.compress(b" ")[:9], "gzip", "it is cut short"),
    "zlib twice": (zlib.compress(b"{}") * 2, "deflate", f"{len(zlib.compress(b'{}'))} bytes found after its end"),
    "not compressed": (plain({})[1], "gzip", "and is not gzip (RFC 1952): "),
    "without zlib's head": (zlib.compress(plain({})[1])[2:-4], "deflate", "and is not zlib (RFC 1950): "),
    "nothing of it": (b"{}{}", "gzip", "its header is invalid. Compress it again"),
    "changed within": (
        zlib.compress(bytes(99))[:2] + b"\7" + zlib.compress(bytes(99))[3:],
        "deflate",
        "its data is invalid",
    ),
    "followed by a byte": (gzip.compress(b"{}") + b"!", "gzip", "1 byte found after its end"),
    "followed by more": (gzip.compress(b"{}") + b"more", "gzip", "4 bytes found after its end"),
    "followed by much more": (gzip.compress(b"{}") + bytes(9_999), "gzip", "9,999 bytes found after its end"),
}


@pytest.mark.parametrize("path", ["/predict_cnn", "/v1/models/cnn:predict", "/v2/models/cnn/infer", "/hf/cnn"])
@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_one_is_400(client: FlaskClient, name: str, path: str) -> None:
    body, coding, found = DAMAGED[name]
    answer = post(client, path, "application/json", body, {"Content-Encoding": coding})
    assert answer.status_code == 400
    error = said(answer)["error"]
    assert "Error" not in error
    assert error.startswith(f"The body of {counted(len(body), 'byte')} has the Content-Encoding {coding} and is not ")
    assert found in error
    assert error.endswith("Compress it again, or send it as it is.")


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "ü" * 50])
@pytest.mark.parametrize("name", SENT)
def test_another_coding_is_415_and_says_which_are_taken(client: FlaskClient, name: str, coding: str) -> None:
    path, (kind, body), _ = SENT[name]
    answer = post(client, path, kind, body, {"Content-Encoding": coding})
    assert (answer.status_code, answer.headers["Accept-Encoding"]) == (415, "gzip, deflate")
    assert said(answer)["error"] == (
        f'The body has the Content-Encoding "{coding[:40]}", which is not supported. Send it as it is, or '
        "compressed with gzip or deflate."
    )


@pytest.mark.parametrize("path", ["/predict_cnn", "/v1/models/cnn:predict", "/v2/models/cnn/infer", "/hf/cnn"])
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_one_that_is_too_large_once_inflated_is_413(client: FlaskClient, coding: str, path: str) -> None:
    body = CODINGS[coding](bytes(20_000_001))
    answer = post(client, path, "application/json", body, {"Content-Encoding": coding})
    assert answer.status_code == 413
    assert "The decompressed body has more than 20 MB, the limit (server.max_body_mb)" in said(answer)["error"]


def test_one_of_just_the_limit_is_inflated() -> None:
    body = bytes(range(256)) * 4096
    for compressed, coding in ((gzip.compress(body, 0), "gzip"), (zlib.compress(body, 9), "deflate")):
        assert inflated(compressed, coding, len(body)) == body
        with pytest.raises(Refused, match=r"more than 1\.04858 MB"):
            inflated(compressed, coding, len(body) - 1)


def test_a_bomb_takes_no_more_memory_than_the_limit() -> None:
    compressor = zlib.compressobj()
    zeros = bytes(1_000_000)
    bomb = b"".join([*(compressor.compress(zeros) for _ in range(300)), compressor.flush()])
    tracemalloc.start()
    try:
        with pytest.raises(Refused):
            inflated(bomb, "deflate", 20_000_000)
        assert tracemalloc.get_traced_memory()[1] < 25_000_000
    finally:
        tracemalloc.stop()


KEYS_OF_PICTURES = {
    "/predict": "pixels",
    "/v1/models/cnn:predict": "instances",
    "/v2/models/cnn/infer": "inputs",
    "/hf/cnn": "inputs",
}


@pytest.mark.parametrize("value", [b"[]", b"{}", b"0", b"[0]"])
@pytest.mark.parametrize(("path", "key"), KEYS_OF_PICTURES.items())
def test_millions_of_values_are_413_before_they_are_parsed(
    client: FlaskClient, path: str, key: str, value: bytes
) -> None:
    body = b'{"%b":[%b0]}' % (key.encode(), (value + b",") * 4_000_000)
    sent = gzip.compress(body, 1)
    tracemalloc.start()
    try:
        answer = post(client, path, "application/json", sent, {"Content-Encoding": "gzip"})
        assert tracemalloc.get_traced_memory()[1] < 50_000_000  # the body itself, inflated, and its pieces
    finally:
        tracemalloc.stop()
    assert answer.status_code == 413
    assert "values, the most that 256 pictures (the limit, server.max_batch) can have" in said(answer)["error"]


URLENCODED = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("path", ["/", "/login", "/logout", "/predict_cnn"])
def test_an_urlencoded_form_with_millions_of_fields_is_413_before_it_is_parsed(tmp_path: Path, path: str) -> None:
    client = create_app(Zoo.open(zoo_with(tmp_path, KEYS if path != "/" else ""))).test_client()
    if path not in ("/", "/login"):  # the token is looked for in the form
        form = {"key": PHONE, "csrf_token": token(client.get("/login", headers=PAGE).text)}
        assert client.post("/login", data=form).status_code == 303
    sent = gzip.compress(b"a=1&" * 4_000_000, 1)
    tracemalloc.start()
    try:
        answer = post(client, path, URLENCODED, sent, {"Content-Encoding": "gzip", "Accept": "application/json"})
        assert tracemalloc.get_traced_memory()[1] < 50_000_000  # the body itself, inflated, and its pieces
    finally:
        tracemalloc.stop()
    assert answer.status_code == 413
    assert "has more than 50,000 bytes; the limits are" in said(answer)["error"]
    page = post(client, path, URLENCODED, sent, {"Content-Encoding": "gzip"} | PAGE)
    assert page.status_code == 413
    assert "This request cannot be answered" in page.text


def test_an_urlencoded_form_may_have_so_many_bytes_and_fields_and_no_more(client: FlaskClient) -> None:
    fits = {"49,999 bytes": b"model_type=" + b"x" * 49_988, "100 fields": b"a=1&" * 99 + b"model_type=none"}
    for how, form in fits.items():
        assert post(client, "/", URLENCODED, form, {}).status_code == 404, how  # there is no such model
    for form, found in ((b"a=" + b"x" * 50_000, "more than 50,000 bytes"), (b"a=1&" * 100 + b"a=1", "101 fields")):
        answer = post(client, "/", URLENCODED, form, {})
        assert answer.status_code == 413
        assert f"has {found}; the limits are 50,000 bytes and 100 fields." in said(answer)["error"]


@pytest.mark.parametrize(("path", "key"), [("/predict_linear", "pixels"), ("/v1/models/linear:predict", "instances")])
def test_as_many_pictures_as_are_taken_may_have_every_level_in_a_list(client: FlaskClient, path: str, key: str) -> None:
    thin = [[[0]] * 28] * 28
    pictures = thin if key == "pixels" else {"images": thin}
    kind, body = plain({key: [pictures] * 256})
    assert client.post(path, data=body, content_type=kind).status_code == 200


def test_nothing_is_inflated_in_the_event_loop() -> None:
    environ = {"PATH_INFO": "/predict", "QUERY_STRING": "", "CONTENT_TYPE": "image/png"}
    assert Quick().suits(environ, png())
    assert not Quick().suits(environ | {"HTTP_CONTENT_ENCODING": "gzip"}, png())


@pytest.mark.parametrize("headers", [{}, HTML], ids=["program", "page"])
def test_nothing_is_inflated_without_a_key(tmp_path: Path, headers: dict[str, str]) -> None:
    client = create_app(Zoo.open(zoo_with(tmp_path, KEYS), environ={})).test_client()
    kind, body = form()
    for coding in ("gzip", "br"):
        sent = headers | {"Content-Encoding": coding}
        assert post(client, "/predict_cnn", kind, body, sent).status_code == 401
    known = headers | {"Content-Encoding": "gzip", "X-API-Key": PHONE}
    assert post(client, "/predict_cnn", kind, gzip.compress(body), known).status_code == 200
