"""The running server against its own description, by what Schemathesis makes of it, and with real pictures.

Formats and media types of pictures are filled with MNIST digits. What no schema can say, such as that a tensor's data
fits its shape, is said here: whole bodies are made of real pictures.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import schemathesis
from asking import ROOT, b64, drawing, ink, png, saved
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import BaseSchema, Case
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import allow_header_conformance, positive_data_acceptance, unsupported_method
from serving import serving

from webui.openapi.document import document
from zoo import Zoo

load_all_checks()
ASKED = settings(
    max_examples=3, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
MANY = settings(ASKED, max_examples=20)

whole = st.builds(
    lambda index, side, kind: saved(drawing(index, side), kind),
    st.integers(0, 99),
    st.integers(20, 90),
    st.sampled_from(["PNG", "JPEG", "GIF", "WebP", "BMP"]),
)
"""Real digits in every format that is read."""

broken = st.one_of(
    st.builds(lambda picture, share: picture[: int(len(picture) * share)], whole, st.floats(0, 0.9)),
    st.builds(
        lambda picture, at, byte: picture[:at] + bytes([byte]) + picture[at + 1 :],
        whole,
        st.integers(0, 60),
        st.integers(0, 255),
    ),
    st.binary(max_size=200),
    st.sampled_from([b"%PDF-1.7 and so on", b"<svg/>", b"\0" * 1000]),
)
"""Cut short, damaged in the header, or no picture at all."""

schemathesis.openapi.format("binary", whole)
schemathesis.openapi.format("byte", whole.map(b64))
schemathesis.openapi.media_type("image/*", whole)


def described(*, coverage: bool) -> BaseSchema:
    """The description, with real pictures where its schemas alone would make noise.

    `coverage` adds what Schemathesis finds at the edges of each schema: some hundred requests an operation.
    """
    told = deepcopy(document(Zoo.open(ROOT, environ={}), "http://127.0.0.1"))  # its schemas are everybody's
    data: list[tuple[list[int], str, Any]] = [
        ([1], "BYTES", b64(png())),
        ([1, 28, 28], "UINT8", ink(0).tolist()),
        ([1, 28, 28, 1], "FP32", (ink(1) / 255).tolist()),
    ]
    tensors = [{"name": "images", "shape": shape, "datatype": kind, "data": [one]} for shape, kind, one in data]
    schemas = told["components"]["schemas"]
    schemas["InferRequest"] = {"enum": [{"id": "mine", "inputs": [tensor]} for tensor in tensors]}
    schemas["Pixels"] = {"enum": [ink(index).tolist() for index in range(3)]}
    schemas["Row"] = {"enum": [ink(index).ravel().tolist() for index in range(3)]}
    for request in ("InRows", "InColumns"):
        schemas[request]["properties"]["signature_name"] = {"enum": ["serving_default"]}  # takes pixels too
    images = schemas["PicturesAsFiles"]["properties"]["images"]
    images["items"] = {"anyOf": [images["items"], {}]}  # what is no picture is told so in its place
    for path, methods in told["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] in ("name", "model"):  # any string may name a model, but few do
                    parameter["schema"]["enum"] = parameter["schema"]["examples"]
        if path.endswith("/infer"):  # its header has to tell the length of the JSON, and raw bytes need the header
            methods["post"]["parameters"] = [one for one in methods["post"]["parameters"] if one["in"] != "header"]
            del methods["post"]["requestBody"]["content"]["application/octet-stream"]
    schema = schemathesis.openapi.from_dict(told)
    schema.config.phases.coverage.enabled = coverage
    return schema


quick, thorough = described(coverage=False), described(coverage=True)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving([sys.executable, "-m", "zoo", "serve", "--port", "0"], ROOT) as served:
        yield served.url


def holds(case: Case, address: str) -> None:
    """Every check of Schemathesis, but for what a protocol wants otherwise."""
    left_out = []
    if case.path.startswith("/v1/"):
        left_out += [unsupported_method, allow_header_conformance]  # TensorFlow Serving answers 400 to other methods
    if case.path.startswith("/v2/repository/models/"):
        left_out.append(not_a_server_error)  # 501, as the description says
    case.call_and_validate(base_url=address, excluded_checks=left_out, timeout=30)


def test_every_operation_is_as_described(address: str) -> None:
    # One test: of many with one name, as Schemathesis' own way makes them, pytest-xdist runs one.
    for found in quick.exclude(path_regex="versions|labels").get_all_operations():

        @ASKED
        @given(found.ok().as_strategy())
        def ask(case: Case) -> None:
            holds(case, address)

        ask()


@pytest.mark.long
@thorough.parametrize()
@MANY
def test_every_operation_is_as_described_at_length(case: Case, address: str) -> None:
    holds(case, address)


def sent(path: str, body: Any, kind: str, address: str) -> Any:
    """The answer to a picture, which has to be as described whether it can be read or not."""
    name = {"name": "cnn"} if "{name}" in path else {}
    case = quick[path]["POST"].Case(path_parameters=name, body=body, media_type=kind)
    return case.call_and_validate(base_url=address, excluded_checks=[positive_data_acceptance], timeout=30)


@pytest.mark.parametrize("path", ["/predict_{name}", "/read", "/hf/{name}"])
def test_broken_pictures_are_answered_as_described(address: str, path: str) -> None:
    @ASKED
    @given(broken)
    def ask(picture: bytes) -> None:
        for kind in ("image/*", "application/octet-stream"):
            assert sent(path, picture, kind, address).status_code in (200, 400, 413, 415)

    ask()


@pytest.mark.long
@pytest.mark.parametrize("path", ["/predict_{name}", "/read"])
def test_broken_pictures_leave_the_others_their_answers(address: str, path: str) -> None:
    @MANY
    @given(st.lists(whole, min_size=1, max_size=3), broken)
    def ask(pictures: list[bytes], bad: bytes) -> None:
        everything = [*pictures, bad]
        for body, kind in (
            ({"file": everything}, "multipart/form-data"),
            ({"images": [b64(one) for one in everything]}, "application/json"),
        ):
            answer = sent(path, body, kind, address)
            assert answer.status_code == 200
            told = answer.json()["predictions"]
            assert len(told) == len(everything)
            assert all("error" not in one for one in told[:-1])

    ask()


@pytest.mark.long
@pytest.mark.parametrize(
    ("path", "wrap"),
    [
        ("/v1/models/{name}:predict", lambda text: {"instances": [{"b64": text}]}),
        ("/v1/models/{name}:classify", lambda text: {"examples": [{"image": {"b64": text}}]}),
        ("/hf/{name}", lambda text: {"inputs": text}),
        (
            "/v2/models/{name}/infer",
            lambda text: {"inputs": [{"name": "images", "shape": [1], "datatype": "BYTES", "data": [text]}]},
        ),
    ],
    ids=["predict", "classify", "hf", "infer"],
)
def test_broken_pictures_are_answered_as_described_by_protocols(address: str, path: str, wrap: Any) -> None:
    @MANY
    @given(st.one_of(broken.map(b64), st.text(max_size=60)))
    def ask(text: str) -> None:
        assert sent(path, wrap(text), "application/json", address).status_code in (200, 400, 413, 415)

    ask()
