"""TensorFlow Serving's REST protocol: its shapes, versions and errors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asking import HTML, said
from flask.testing import FlaskClient

from zoo import Zoo


def test_v1_status_tells_versions(client: FlaskClient, zoo: Zoo) -> None:
    version = str(zoo.model("cnn").select()[1])
    ok = {"version": version, "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    every = said(client.get("/v1/models/cnn"))
    assert ok in every["model_version_status"]
    assert (every["name"], every["ready"]) == ("cnn", True)
    for url in (f"versions/{version}", "labels/stable"):
        assert said(client.get(f"/v1/models/cnn/{url}")) == {"model_version_status": [ok]}


def test_v1_metadata_tells_the_signatures(client: FlaskClient) -> None:
    for url in ("", "/versions/2", "/labels/latest"):
        answer = said(client.get(f"/v1/models/cnn{url}/metadata"))
        assert answer["model_spec"] == {"name": "cnn", "signature_name": "", "version": "2"}
        signatures = answer["metadata"]["signature_def"]["signature_def"]
        given = signatures["serving_default"]["inputs"]["images"]
        assert given["dtype"] == "DT_FLOAT"
        assert [one["size"] for one in given["tensor_shape"]["dim"]] == ["-1", "28", "28", "1"]
        assert signatures["image_bytes"]["inputs"]["image_bytes"]["dtype"] == "DT_STRING"
        assert signatures["serving_default"]["method_name"] == "tensorflow/serving/predict"


def test_v1_latest_is_the_newest_version_trained_with_the_settings(client: FlaskClient, zoo: Zoo) -> None:
    versions = zoo.catalogue.versions("deep")
    own = [version for version in versions if not zoo.catalogue.card("deep", version).overrides]
    assert own[-1] < versions[-1]
    (state,) = said(client.get("/v1/models/deep/labels/latest"))["model_version_status"]
    assert state["version"] == str(own[-1])


V1_BAD: dict[str, tuple[str, str, Any, int, str]] = {
    "unknown model": ("GET", "models/nope", None, 404, "Servable not found for request: Latest(nope)."),
    "unknown model to predict": (
        "POST",
        "models/nope:predict",
        {},
        404,
        "Servable not found for request: Latest(nope).",
    ),
    "unknown version": (
        "GET",
        "models/cnn/versions/99",
        None,
        404,
        "Servable not found for request: Specific(cnn, 99).",
    ),
    "unknown label": ("POST", "models/cnn/labels/x:predict", {}, 400, "Unrecognized servable version label: x."),
    "no model": ("GET", "models", None, 400, "Missing model name in request."),
    "no such path": ("GET", "nowhere", None, 400, "Malformed request: GET /v1/nowhere."),
    "GET to predict": ("GET", "models/cnn:predict", None, 400, "Malformed request: GET /v1/models/cnn:predict."),
    "no such verb": ("POST", "models/cnn:guess", {}, 400, "Malformed request: POST /v1/models/cnn:guess."),
    "a version that is no number": ("GET", "models/cnn/versions/x", None, 400, "Malformed request"),
    "regress": ("POST", "models/cnn:regress", {}, 400, "no signature for regression"),
    "bad JSON": ("POST", "models/cnn:predict", b"{", 400, "not JSON"),
    "no instances": ("POST", "models/cnn:predict", {}, 400, "exactly one"),
    "both": ("POST", "models/cnn:predict", {"instances": [1], "inputs": [1]}, 400, "found both"),
    "empty": ("POST", "models/cnn:predict", {"instances": []}, 400, "instances is an empty list"),
    "signature": ("POST", "models/cnn:predict", {"signature_name": "x", "instances": [1]}, 400, 'name: "x" not found'),
    "signature's type": ("POST", "models/cnn:predict", {"signature_name": 1, "instances": [1]}, 400, "the number 1"),
    "shape": ("POST", "models/cnn:predict", {"instances": [[1, 2]]}, 400, "instances[0] has the shape [2]"),
    "a row": ("POST", "models/cnn:predict", {"instances": [0.5] * 784}, 400, "instances[0] is the number 0.5"),
    "colours": (
        "POST",
        "models/cnn:predict",
        {"instances": [[[[0, 0, 0]] * 28] * 28]},
        400,
        "instances[0] has the shape [28, 28, 3]. Give 28 rows of 28 numbers. Colours are not supported as numbers",
    ),
    "too many": ("POST", "models/cnn:predict", {"instances": [[0.5]] * 300}, 413, "The request has 300 pictures"),
    "a number": ("POST", "models/cnn:predict", {"instances": [1.5]}, 400, "instances[0] is the number 1.5"),
    "key": (
        "POST",
        "models/cnn:predict",
        {"instances": [{"x": 1}]},
        400,
        "instances[0] has x. Give exactly one of images",
    ),
    "key of a file": (
        "POST",
        "models/cnn:predict",
        {"instances": [{"image_bytes": {"x": 1}}]},
        400,
        "instances[0].image_bytes has x. Give b64 alone.",
    ),
    "url-safe": ("POST", "models/cnn:predict", {"instances": [{"b64": "__--"}]}, 400, "instances[0].b64 is not base64"),
    "no picture": (
        "POST",
        "models/cnn:predict",
        {"instances": [{"b64": "aGVsbG8h"}]},
        400,
        "instances[0]: The file is not",
    ),
    "a file's base64 alone": (
        "POST",
        "models/cnn:predict",
        {"instances": ["iVBORw0KGgo="]},
        400,
        'instances[0] is the string "iVBORw0KGgo=". Give a file\'s base64 as {"b64": "…"}',
    ),
    "the same by name": (
        "POST",
        "models/cnn:predict",
        {"instances": [{"image_bytes": "iVBORw0KGgo="}]},
        400,
        'instances[0].image_bytes is the string "iVBORw0KGgo=". Give a file\'s base64 as {"b64": "…"}',
    ),
    "one file, no list": (
        "POST",
        "models/cnn:predict",
        {"inputs": {"b64": "iVBORw0KGgo="}},
        400,
        'inputs is one picture. Give a list of pictures, one or more, such as [{"b64": "…"}].',
    ),
    "one file's base64, no list": (
        "POST",
        "models/cnn:predict",
        {"inputs": {"image_bytes": "iVBORw0KGgo="}},
        400,
        'Give a list of pictures, one or more, such as [{"b64": "…"}].',
    ),
    "an example's base64": (
        "POST",
        "models/cnn:classify",
        {"examples": [{"image": "iVBORw0KGgo="}]},
        400,
        'examples[0].image is the string "iVBORw0KGgo=". Give a file\'s base64 as {"b64": "…"}',
    ),
    "columns": ("POST", "models/cnn:predict", {"inputs": {"x": []}}, 400, "inputs has x"),
    "no examples": ("POST", "models/cnn:classify", {}, 400, '"examples" is missing. Give a list such as'),
    "examples": ("POST", "models/cnn:classify", {"examples": {}}, 400, '"examples" is an object'),
    "feature": ("POST", "models/cnn:classify", {"examples": [{"y": 1}]}, 400, "examples[0] has y"),
}


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_v1_without_a_slash_is_answered_as_with_one(client: FlaskClient, method: str) -> None:
    for path in ("/v1", "/v1/"):
        answer = client.open(path, method=method, headers=HTML)
        assert answer.status_code == 400
        assert f"Malformed request: {method} {path}. The addresses are GET /v1/models/NAME" in said(answer)["error"]


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/v1", "OPTIONS"),
        ("/v1/nowhere", "OPTIONS"),
        ("/v1/models", "GET, HEAD, OPTIONS"),
        ("/v1/models/cnn", "GET, HEAD, OPTIONS"),
        ("/v1/models/cnn/versions/1:predict", "OPTIONS, POST"),
        ("/v2/models/cnn/infer", "OPTIONS, POST"),
        ("/v2/logging", "OPTIONS"),
        ("/predict_cnn", "OPTIONS, POST"),
    ],
)
def test_options_allows_the_methods_that_are_not_refused(client: FlaskClient, path: str, allow: str) -> None:
    answer = client.options(path)
    assert (answer.status_code, answer.headers["Allow"], answer.data) == (200, allow, b"")
    assert "Content-Type" not in answer.headers


@pytest.mark.parametrize("case", V1_BAD)
def test_v1_errors(client: FlaskClient, case: str) -> None:
    method, path, body, status, text = V1_BAD[case]
    more = {} if body is None else {"data": body if isinstance(body, bytes) else json.dumps(body)}
    answer = client.open(f"/v1/{path}", method=method, headers=HTML, **more)
    assert answer.status_code == status, answer.text
    assert set(said(answer)) == {"error"}
    assert text in said(answer)["error"]
