"""One picture gets one answer in whatever protocol it is asked; each protocol has its shapes, versions and errors."""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from asking import HTML, ONE, ZERO, b64, drawing, files, ink, levels, png, said, saved, send
from flask.testing import FlaskClient
from numpy.typing import NDArray
from werkzeug.test import TestResponse

from webui import create_app
from zoo import Zoo, scenes

LENGTH = "Inference-Header-Content-Length"


def photograph() -> bytes:
    composed = scenes.photo(ink(ONE), np.random.default_rng(3))
    return saved(PIL.Image.fromarray(composed), "JPEG", quality=90)


def shares(picture: bytes) -> NDArray[np.float32]:
    return levels(picture).astype(np.float32) / np.float32(255)


def infer(client: FlaskClient, name: str, tensor: dict[str, Any], **more: Any) -> TestResponse:
    return client.post(f"/v2/models/{name}/infer", json={"inputs": [{"name": "images", **tensor}], **more})


def infer_raw(client: FlaskClient, name: str, datatype: str, shape: list[int], raw: bytes, **more: Any) -> TestResponse:
    tensor = {"name": "images", "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(raw)}}
    head = json.dumps({"inputs": [tensor], **more}).encode()
    return client.post(f"/v2/models/{name}/infer", data=head + raw, headers={LENGTH: str(len(head))})


def element(content: bytes) -> bytes:
    return struct.pack("<I", len(content)) + content


def outputs(answer: TestResponse) -> dict[str, Any]:
    """The outputs of an answer by name, from JSON or from raw bytes."""
    assert answer.status_code == 200, answer.text
    head, rest = answer.data, b""
    if LENGTH in answer.headers:
        length = int(answer.headers[LENGTH])
        head, rest = answer.data[:length], answer.data[length:]
    found: dict[str, Any] = {}
    for output in json.loads(head)["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is None:
            found[output["name"]] = output["data"]
            continue
        raw, rest = rest[:size], rest[size:]
        if output["datatype"] == "BYTES":
            texts = []
            while raw:
                (length,) = struct.unpack_from("<I", raw)
                texts.append(raw[4 : 4 + length].decode())
                raw = raw[4 + length :]
            found[output["name"]] = texts
        else:
            dtype = {"FP32": "<f4", "INT64": "<i8", "BOOL": "?"}[output["datatype"]]
            found[output["name"]] = np.frombuffer(raw, dtype).tolist()
    assert not rest
    return found


def native(answer: TestResponse) -> list[float]:
    found = said(answer)
    return (found["predictions"][0] if "predictions" in found else found)["probabilities"]


def sorted_back(pairs: list[tuple[str, float]]) -> list[float]:
    assert [score for _, score in pairs] == sorted((score for _, score in pairs), reverse=True)
    return [score for _, score in sorted(pairs)]


def hugging_face(client: FlaskClient, name: str, picture: bytes) -> list[float]:
    few = client.post(f"/hf/{name}", data=picture, content_type="application/x-www-form-urlencoded").get_json()
    every = client.post(f"/hf/{name}", json={"inputs": b64(picture), "parameters": {"top_k": 10}}).get_json()
    assert every[:5] == few
    return sorted_back([(one["label"], one["score"]) for one in every])


Route = Callable[[FlaskClient, str, bytes], list[float]]

FILES: dict[str, Route] = {
    "form": lambda c, m, p: native(send(c, f"/predict_{m}", p)),
    "form at the long route": lambda c, m, p: native(send(c, f"/api/models/{m}/predict", p)),
    "form of two": lambda c, m, p: native(files(c, f"/predict_{m}", p, png(ZERO))),
    "bare picture": lambda c, m, p: native(c.post(f"/predict_{m}", data=p, content_type="image/png")),
    "bare bytes": lambda c, m, p: native(c.post(f"/predict_{m}", data=p, content_type="application/octet-stream")),
    "no content type": lambda c, m, p: native(c.post(f"/predict_{m}", data=p)),
    "base64": lambda c, m, p: native(c.post(f"/predict_{m}", json={"image": b64(p)})),
    "data: URL": lambda c, m, p: native(c.post(f"/predict_{m}", json={"image": f"data:image/png;base64,{b64(p)}"})),
    "base64 in lines": lambda c, m, p: native(c.post(f"/predict_{m}", json={"image": base64.encodebytes(p).decode()})),
    "images": lambda c, m, p: native(c.post(f"/predict_{m}", json={"images": [b64(p), "no"]})),
    "v1 rows": lambda c, m, p: said(c.post(f"/v1/models/{m}:predict", json={"instances": [{"b64": b64(p)}]}))[
        "predictions"
    ][0],
    "v1 columns": lambda c, m, p: said(
        c.post(f"/v1/models/{m}:predict", json={"inputs": {"image_bytes": [{"b64": b64(p)}]}})
    )["outputs"][0],
    "v1 signature": lambda c, m, p: said(
        c.post(
            f"/v1/models/{m}/labels/stable:predict",
            json={"signature_name": "image_bytes", "instances": [{"image_bytes": {"b64": b64(p)}}]},
        )
    )["predictions"][0],
    "v1 classify": lambda c, m, p: sorted_back(
        said(c.post(f"/v1/models/{m}:classify", json={"examples": [{"image": {"b64": b64(p)}}]}))["results"][0]
    ),
    "v2 JSON": lambda c, m, p: outputs(infer(c, m, {"datatype": "BYTES", "shape": [1], "data": [b64(p)]}))[
        "probabilities"
    ],
    "v2 raw": lambda c, m, p: outputs(
        infer_raw(c, m, "BYTES", [1, 1], element(p), parameters={"binary_data_output": True})
    )["probabilities"],
    "v2 only a file": lambda c, m, p: outputs(c.post(f"/v2/models/{m}/infer", data=p, headers={LENGTH: "0"}))[
        "probabilities"
    ],
    "hf": hugging_face,
}

TENSORS: dict[str, Route] = {
    "pixels in 0-255": lambda c, m, p: native(c.post(f"/predict_{m}", json={"pixels": levels(p).tolist()})),
    "pixels in 0-1": lambda c, m, p: native(c.post(f"/predict_{m}", json={"pixels": shares(p).tolist()})),
    "pixels with a channel": lambda c, m, p: native(
        c.post(f"/predict_{m}", json={"pixels": shares(p)[..., None].tolist()})
    ),
    "several pixels": lambda c, m, p: native(
        c.post(f"/predict_{m}", json={"pixels": [levels(p).tolist(), shares(p)[..., None].tolist(), []]})
    ),
    "v1 rows": lambda c, m, p: said(c.post(f"/v1/models/{m}:predict", json={"instances": [shares(p).tolist()]}))[
        "predictions"
    ][0],
    "v1 named rows": lambda c, m, p: said(
        c.post(f"/v1/models/{m}:predict", json={"instances": [{"images": shares(p)[..., None].tolist()}]})
    )["predictions"][0],
    "v1 columns": lambda c, m, p: said(c.post(f"/v1/models/{m}:predict", json={"inputs": [levels(p).tolist()]}))[
        "outputs"
    ][0],
    "v1 classify": lambda c, m, p: sorted_back(
        said(c.post(f"/v1/models/{m}:classify", json={"examples": [{"pixels": shares(p).tolist()}]}))["results"][0]
    ),
    "v2 nested": lambda c, m, p: outputs(
        infer(c, m, {"datatype": "FP32", "shape": [1, 28, 28], "data": [shares(p).tolist()]})
    )["probabilities"],
    "v2 flat": lambda c, m, p: outputs(
        infer(c, m, {"datatype": "FP32", "shape": [1, 28, 28, 1], "data": shares(p).ravel().tolist()})
    )["probabilities"],
    "v2 whole numbers": lambda c, m, p: outputs(
        infer(c, m, {"datatype": "INT32", "shape": [1, 28, 28, 1], "data": levels(p).ravel().tolist()})
    )["probabilities"],
    "v2 raw FP32": lambda c, m, p: outputs(infer_raw(c, m, "FP32", [1, 28, 28, 1], shares(p).tobytes()))[
        "probabilities"
    ],
    "v2 raw FP16": lambda c, m, p: outputs(infer_raw(c, m, "FP16", [1, 28, 28], shares(p).astype("<f2").tobytes()))[
        "probabilities"
    ],
    "v2 raw UINT8, raw back": lambda c, m, p: outputs(
        infer_raw(c, m, "UINT8", [1, 28, 28], levels(p).tobytes(), parameters={"binary_data_output": True})
    )["probabilities"],
}


@pytest.mark.parametrize("name", ["cnn", "linear"])
@pytest.mark.parametrize("make", [png, lambda: saved(drawing()), photograph], ids=["MNIST", "drawing", "photograph"])
def test_a_file_gets_the_same_answer_on_every_route(
    client: FlaskClient, zoo: Zoo, make: Callable[[], bytes], name: str
) -> None:
    picture = make()
    expected = list(zoo.predict(name, picture).probabilities)
    for route, ask in FILES.items():
        assert ask(client, name, picture) == expected, route


def test_pixels_get_the_same_answer_as_their_png(client: FlaskClient, zoo: Zoo) -> None:
    expected = list(zoo.predict("cnn", png()).probabilities)
    for route, ask in TENSORS.items():
        assert ask(client, "cnn", png()) == expected, route


def test_more_pictures_than_the_limit_are_413(own_zoo: Path) -> None:
    client = create_app(Zoo.open(own_zoo, environ={"ZOO_SERVER__MAX_BATCH": "2"})).test_client()
    tensor = {"datatype": "UINT8", "shape": [3, 28, 28], "data": [0] * 3 * 784}
    for answer in (
        files(client, "/predict_cnn", *[png()] * 3),
        client.post("/predict_cnn", json={"images": [b64(png())] * 3}),
        client.post("/predict_cnn", json={"pixels": [levels(png()).tolist()] * 3}),
        client.post("/v1/models/cnn:predict", json={"instances": [{"b64": b64(png())}] * 3}),
        client.post("/v1/models/cnn:classify", json={"examples": [{"image": {"b64": b64(png())}}] * 3}),
        infer(client, "cnn", tensor),
    ):
        assert answer.status_code == 413
        assert "has 3 pictures; the limit is 2 (server.max_batch)" in said(answer)["error"]
    assert files(client, "/predict_cnn", png(), png()).status_code == 200


ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    math.nan,
    "",
    "x",
    [],
    {},
    [[]],
    [None],
    [{}],
    [[[]]],
    [[["x"]]],
    {"b64": 1},
]
ODD += [{"b64": ""}, [1] * 70, [[0] * 784], [[[[[0]]]]], {"images": []}, {"": {}}]
PNG = b64(saved(PIL.Image.new("L", (28, 28), 200)))
FLAT = {"name": "images", "shape": [1, 28, 28], "datatype": "FP32", "data": [0.5] * 784}
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("/predict_cnn", {"image": PNG}),
    ("/predict_cnn", {"images": [PNG]}),
    ("/predict_cnn", {"pixels": [[0.5] * 28] * 28}),
    ("/read", {"pixels": [[[0.5] * 28] * 28]}),
    ("/hf/cnn", {"inputs": PNG, "parameters": {"top_k": 3, "function_to_apply": "softmax"}}),
    ("/v1/models/cnn:predict", {"instances": [{"b64": PNG}], "signature_name": "serving_default"}),
    ("/v1/models/cnn:predict", {"inputs": {"images": [[[0.5] * 28] * 28]}}),
    ("/v1/models/cnn:classify", {"examples": [{"image": {"b64": PNG}}], "context": {}}),
    ("/v2/models/cnn/infer", {"inputs": [FLAT], "id": "mine"}),
    (
        "/v2/models/cnn/infer",
        {
            "inputs": [{"name": "images", "shape": [1], "datatype": "BYTES", "data": [PNG], "parameters": {}}],
            "outputs": [{"name": "probabilities", "parameters": {"binary_data": True, "classification": 2}}],
            "parameters": {"binary_data_output": True},
        },
    ),
    ("/v2/repository/index", {"ready": True}),
]


def changed(value: Any, odd: Any) -> Iterator[Any]:
    """The value with each of its parts, one at a time, replaced or left out."""
    yield odd
    if isinstance(value, dict):
        for key in value:
            yield {name: part for name, part in value.items() if name != key}
            yield {key: odd}
            yield from (value | {key: part} for part in changed(value[key], odd))
    if isinstance(value, list):
        yield from ([part] for part in changed(value[0], odd))


@pytest.mark.parametrize(("url", "asked"), ASKED)
def test_nothing_odd_in_a_request_is_a_fault_of_the_server(
    client: FlaskClient, url: str, asked: dict[str, Any]
) -> None:
    assert client.post(url, json=asked).status_code == 200
    for odd in ODD:
        for body in changed(asked, odd):
            answer = client.post(url, data=json.dumps(body), content_type="application/json")
            assert answer.status_code in (200, 400, 413, 415), f"{body} is answered {answer.text}"


# TensorFlow Serving


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
    "both": ("POST", "models/cnn:predict", {"instances": [1], "inputs": [1]}, 400, "there is both"),
    "empty": ("POST", "models/cnn:predict", {"instances": []}, 400, "instances is an empty list"),
    "signature": ("POST", "models/cnn:predict", {"signature_name": "x", "instances": [1]}, 400, 'name: "x" not found'),
    "signature's type": ("POST", "models/cnn:predict", {"signature_name": 1, "instances": [1]}, 400, "the number 1"),
    "shape": ("POST", "models/cnn:predict", {"instances": [[1, 2]]}, 400, "instances[0] has the shape [2]"),
    "a number": ("POST", "models/cnn:predict", {"instances": [1.5]}, 400, "instances[0] is the number 1.5"),
    "key": (
        "POST",
        "models/cnn:predict",
        {"instances": [{"x": 1}]},
        400,
        "instances[0] has x. Give exactly one of images",
    ),
    "url-safe": ("POST", "models/cnn:predict", {"instances": [{"b64": "__--"}]}, 400, "instances[0].b64 is not base64"),
    "no picture": (
        "POST",
        "models/cnn:predict",
        {"instances": [{"b64": "aGVsbG8h"}]},
        400,
        "instances[0]: The file is not",
    ),
    "columns": ("POST", "models/cnn:predict", {"inputs": {"x": []}}, 400, "inputs has x"),
    "examples": ("POST", "models/cnn:classify", {"examples": {}}, 400, '"examples" is an object'),
    "feature": ("POST", "models/cnn:classify", {"examples": [{"y": 1}]}, 400, "examples[0] has y"),
}


@pytest.mark.parametrize("case", V1_BAD)
def test_v1_errors(client: FlaskClient, case: str) -> None:
    method, path, body, status, text = V1_BAD[case]
    more = {} if body is None else {"data": body if isinstance(body, bytes) else json.dumps(body)}
    answer = client.open(f"/v1/{path}", method=method, headers=HTML, **more)
    assert answer.status_code == status, answer.text
    assert set(said(answer)) == {"error"}
    assert text in said(answer)["error"]


# Open Inference Protocol


def test_v2_health_and_metadata(client: FlaskClient, zoo: Zoo) -> None:
    assert said(client.get("/v2")) == said(client.get("/v2/"))
    assert "binary_tensor_data" in said(client.get("/v2"))["extensions"]
    assert said(client.get("/v2/health/live")) == {"live": True}
    assert said(client.get("/v2/health/ready")) == {"ready": True}
    assert said(client.get("/v2/models")) == {"models": list(zoo.models)}
    for url in ("", "/versions/1"):
        assert said(client.get(f"/v2/models/cnn{url}/ready")) == {"name": "cnn", "ready": True}
        told = said(client.get(f"/v2/models/cnn{url}"))
        assert told["inputs"] == [{"name": "images", "datatype": "FP32", "shape": [-1, 28, 28, 1]}]
        assert [one["name"] for one in told["outputs"]] == ["probabilities", "labels", "digits", "rejected"]
        config = said(client.get(f"/v2/models/cnn{url}/config"))
        assert config["input"] == [{"name": "images", "data_type": "TYPE_FP32", "dims": [28, 28, 1]}]
        assert config["max_batch_size"] == 256
    index = said(client.post("/v2/repository/index", json={"ready": True}))
    assert {"name": "cnn", "version": "2", "state": "READY", "reason": ""} in index


def test_v2_gives_the_outputs_that_are_asked_for(client: FlaskClient, zoo: Zoo) -> None:
    tensor = {"datatype": "BYTES", "shape": [2], "data": [b64(png()), b64(saved(PIL.Image.new("L", (50, 50))))]}
    answer = infer(client, "cnn", tensor, id="mine")
    assert (said(answer)["id"], said(answer)["model_name"], said(answer)["model_version"]) == ("mine", "cnn", "2")
    assert [one["shape"] for one in said(answer)["outputs"]] == [[2, 10], [2], [2], [2]]
    found = outputs(answer)
    assert (found["labels"][0], found["digits"][0], found["rejected"]) == ("7", 7, [False, True])
    best = {"name": "probabilities", "parameters": {"classification": 2, "binary_data": True}}
    answer = infer(client, "cnn", tensor, outputs=[{"name": "digits"}, best])
    classes = outputs(answer)["probabilities"]
    assert list(outputs(answer)) == ["digits", "probabilities"]
    assert len(classes) == 4
    score, index, label = classes[0].split(":")
    assert (float(score), index, label) == (pytest.approx(max(found["probabilities"][:10]), abs=1e-6), "7", "7")


def test_v2_takes_null_for_what_is_left_out(client: FlaskClient) -> None:
    tensor = {"name": "images", "datatype": "BYTES", "shape": [1], "data": [b64(png())], "parameters": None}
    nothing = {"id": None, "parameters": None, "outputs": None}
    answer = client.post("/v2/models/cnn/infer", json={"inputs": [tensor], **nothing})
    assert "id" not in said(answer)
    assert outputs(answer)["digits"] == [7]


def test_v2_raw_bytes_go_both_ways_in_a_batch(client: FlaskClient, zoo: Zoo) -> None:
    pictures = [saved(drawing()), photograph(), png()]
    raw = b"".join(map(element, pictures))
    answer = infer_raw(client, "cnn", "BYTES", [3], raw, parameters={"binary_data_output": True})
    found, expected = outputs(answer), [zoo.predict("cnn", picture) for picture in pictures]
    assert answer.mimetype == "application/octet-stream"
    assert np.reshape(found["probabilities"], (3, 10)).tolist() == [list(one.probabilities) for one in expected]
    assert found["labels"] == [one.label for one in expected]
    assert found["digits"] == [one.digit for one in expected]
    assert found["rejected"] == [one.rejected for one in expected]


def test_v2_counts_what_it_answers(own_zoo: Path) -> None:
    client = create_app(Zoo.open(own_zoo)).test_client()
    infer(client, "cnn", {"datatype": "BYTES", "shape": [2], "data": [b64(png())] * 2})
    infer(client, "cnn", {"datatype": "BYTES", "shape": [1], "data": ["@"]})
    for url in ("/v2/models/cnn/stats", "/v2/models/cnn/versions/2/stats", "/v2/models/stats"):
        stats = next(
            one for one in said(client.get(url))["model_stats"] if (one["name"], one["version"]) == ("cnn", "2")
        )
        assert (stats["inference_count"], stats["execution_count"]) == (2, 1)
        assert stats["inference_stats"]["success"]["count"] == stats["inference_stats"]["fail"]["count"] == 1
        assert stats["last_inference"] > 0


def fp32(**more: Any) -> dict[str, Any]:
    tensor = {"name": "images", "datatype": "FP32", "shape": [1, 28, 28], "data": [0.5] * 784} | more
    return {"inputs": [tensor]}


V2_BAD: dict[str, tuple[Any, dict[str, str], int, str]] = {
    "bad JSON": (b"{", {}, 400, "not JSON"),
    "no inputs": ({}, {}, 400, "there is null"),
    "two inputs": ({"inputs": [{}, {}]}, {}, 400, "there is 2 inputs"),
    "name": (fp32(name="x"), {}, 400, 'unexpected inference input the string "x" for model "cnn"'),
    "datatype": (fp32(datatype="FLOAT"), {}, 400, 'images.datatype is the string "FLOAT"'),
    "shape": (fp32(shape="x"), {}, 400, 'images.shape is the string "x"'),
    "shape below 1": (fp32(shape=[0, 28, 28], data=[]), {}, 400, "images.shape is a list"),
    "other shape": (fp32(shape=[28, 28]), {}, 400, "images has the shape [28, 28]. Give [n, 28, 28, 1] or [n, 28, 28]"),
    "too few": (fp32(data=[0.5]), {}, 400, "images.data has 1 elements; the shape [1, 28, 28] has 784."),
    "no data": (fp32(data=None), {}, 400, "images.data is null"),
    "text": (fp32(data=["x"] * 784), {}, 400, 'has the string "x" among its numbers'),
    "above 1": (fp32(data=[2.5] * 784), {}, 400, "images[0] has the level 2.5, expected 0-1"),
    "fractions of UINT8": (fp32(datatype="UINT8"), {}, 400, "datatype UINT8 has none"),
    "above 255": (fp32(datatype="INT16", data=[300] * 784), {}, 400, "the level 300, expected 0-255"),
    "id": (fp32() | {"id": 7}, {}, 400, "id is the number 7"),
    "output": (fp32() | {"outputs": [{"name": "x"}]}, {}, 400, "unexpected inference output: outputs[0]"),
    "classification": (
        fp32() | {"outputs": [{"name": "labels", "parameters": {"classification": 2}}]},
        {},
        400,
        "classification of labels",
    ),
    "flag": (fp32() | {"parameters": {"binary_data_output": 1}}, {}, 400, "binary_data_output is the number 1"),
    "header": (b"{}", {LENGTH: "x"}, 400, f"{LENGTH} is x"),
    "header too long": (b"{}", {LENGTH: "3"}, 400, "the body has 2 bytes"),
    "more than is left": (
        fp32(parameters={"binary_data_size": 9}),
        {},
        400,
        "binary_data_size is the number 9; 0 bytes",
    ),
    "no picture": (
        fp32(datatype="BYTES", shape=[1], data=["aGVsbG8h"]),
        {},
        400,
        "images[0]: The file is not a picture",
    ),
}


@pytest.mark.parametrize("case", V2_BAD)
def test_v2_errors(client: FlaskClient, case: str) -> None:
    body, headers, status, text = V2_BAD[case]
    data = body if isinstance(body, bytes) else json.dumps(body)
    answer = client.post("/v2/models/cnn/infer", data=data, headers=HTML | headers)
    assert answer.status_code == status, answer.text
    assert set(said(answer)) == {"error"}
    assert text in said(answer)["error"]


def test_v2_raw_bytes_that_do_not_fit(client: FlaskClient) -> None:
    assert "the shape [1, 28, 28] of FP32 has 3136" in infer_raw(client, "cnn", "FP32", [1, 28, 28], bytes(9)).text
    assert "element 0 of its bytes is cut short" in infer_raw(client, "cnn", "BYTES", [1], b"\x09\0\0\0ab").text
    assert "has 1 elements; the shape [2] has 2" in infer_raw(client, "cnn", "BYTES", [2], element(png())).text
    head = json.dumps(
        {"inputs": [{"name": "images", "shape": [1], "datatype": "BYTES", "data": [b64(png())]}]}
    ).encode()
    answer = client.post("/v2/models/cnn/infer", data=head + b"more", headers={LENGTH: str(len(head))})
    assert "4 bytes of the body belong to no input" in said(answer)["error"]


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/v2/models/nope", 404, 'There is no model "nope"'),
        ("POST", "/v2/models/nope/infer", 404, 'There is no model "nope"'),
        ("GET", "/v2/models/cnn/versions/99/ready", 404, "has no checkpoint 99"),
        ("POST", "/v2/models/cnn/versions/x/infer", 404, "has no version x"),
        ("GET", "/v2/models/cnn/infer", 405, "does not take GET"),
        ("GET", "/v2/nowhere", 404, "There is nothing at /v2/nowhere."),
        ("POST", "/v2/repository/models/cnn/load", 501, "settings.toml"),
        ("POST", "/hf/nope", 404, 'There is no model "nope"'),
        ("GET", "/hf/cnn", 405, "does not take GET"),
    ],
)
def test_what_is_not_there(client: FlaskClient, method: str, path: str, status: int, text: str) -> None:
    answer = client.open(path, method=method, headers=HTML)
    assert answer.status_code == status
    assert text in said(answer)["error"]


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"x": 1}, 400, "has no inputs"),
        ({"inputs": 7}, 400, "inputs is the number 7"),
        ({"inputs": "", "parameters": 3}, 400, "parameters is the number 3"),
        ({"inputs": "", "parameters": {"top_k": 0}}, 400, "top_k is the number 0"),
        ({"inputs": "", "parameters": {"function_to_apply": "sigmoid"}}, 400, "function_to_apply"),
        ({"inputs": ""}, 400, "0 bytes arrived"),
        ({"inputs": "aGVsbG8h"}, 415, "not a picture"),
    ],
)
def test_hf_errors(client: FlaskClient, body: dict[str, Any], status: int, text: str) -> None:
    answer = client.post("/hf/cnn", json=body)
    assert answer.status_code == status
    assert text in said(answer)["error"]


def test_versions_are_those_that_are_served(own_zoo: Path) -> None:
    """`cnn_10` answers with 1 and has 2, which is damaged; `other` borrows cnn_10/1; `fresh` has none."""
    import shutil

    shutil.copytree(own_zoo / "checkpoints/cnn_10/1", own_zoo / "checkpoints/cnn_10/2")
    with (own_zoo / "settings.toml").open("a") as settings:
        settings.write('\n[models.other]\nplugin = "cnn"\ncheckpoint = "cnn_10/1"\n[models.fresh]\nplugin = "cnn"\n')
    client = create_app(Zoo.open(own_zoo)).test_client()
    states = said(client.get("/v1/models/cnn_10"))["model_version_status"]
    assert [(one["version"], one["state"]) for one in states] == [("1", "AVAILABLE"), ("2", "END")]
    assert states[1]["status"]["error_code"] == "UNAVAILABLE"
    instances = {"instances": [{"b64": b64(png())}]}
    assert client.post("/v1/models/cnn_10/versions/1:predict", json=instances).status_code == 200
    damaged = client.post("/v1/models/cnn_10/versions/2:predict", json=instances)
    assert damaged.status_code == 503
    assert "cnn_10/2" in said(damaged)["error"]
    assert client.get("/v2/models/cnn_10/versions/2/ready").status_code == 503

    assert said(client.get("/v2/models/other"))["versions"] == ["1"]
    assert client.post("/v1/models/other/versions/1:predict", json=instances).status_code == 200
    assert client.post("/v1/models/other/labels/latest:predict", json=instances).status_code == 200
    assert client.get("/v2/models/other/versions/2").status_code == 404

    assert client.get("/v1/models/fresh").status_code == 404
    assert "zoo train fresh" in said(client.get("/v1/models/fresh"))["error"]
    assert client.post("/v1/models/fresh:predict", json=instances).status_code == 503
    assert client.get("/v2/models/fresh/ready").status_code == 503
    index = {(one["name"], one["version"]): one["state"] for one in said(client.post("/v2/repository/index"))}
    assert index["cnn_10", "1"] == index["other", "1"] == "READY"
    assert index["cnn_10", "2"] == index["fresh", ""] == "UNAVAILABLE"
    ready = said(client.post("/v2/repository/index", json={"ready": True}))
    assert "fresh" not in {one["name"] for one in ready}
