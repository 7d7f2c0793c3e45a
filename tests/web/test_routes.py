"""One picture gets one answer in whatever protocol it is asked; nothing odd in a request is the server's fault."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from asking import HTML, ROOT, ZERO, b64, drawing, files, levels, png, said, saved, send
from flask.testing import FlaskClient
from protocols import LENGTH, element, hugging_face, infer, infer_raw, native, outputs, photograph, shares, sorted_back

from webui import create_app
from webui.environ import HAS_LEFT
from zoo import Zoo

Route = Callable[[FlaskClient, str, bytes], list[float]]


def version(client: FlaskClient, name: str) -> str:
    """The one that answers for a model."""
    own: str = said(client.get(f"/api/models/{name}"))["checkpoint"]
    return own.partition("/")[2]


FILES: dict[str, Route] = {
    "default model": lambda c, m, p: native(send(c, "/predict", p)),
    "bare picture to the default model": lambda c, m, p: native(c.post("/predict", data=p, content_type="image/png")),
    "form with a version": lambda c, m, p: native(send(c, f"/predict_{m}?version={version(c, m)}", p)),
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
    "v1 version": lambda c, m, p: said(
        c.post(f"/v1/models/{m}/versions/{version(c, m)}:predict", json={"instances": [{"b64": b64(p)}]})
    )["predictions"][0],
    "v1 classify": lambda c, m, p: sorted_back(
        said(c.post(f"/v1/models/{m}:classify", json={"examples": [{"image": {"b64": b64(p)}}]}))["results"][0]
    ),
    "v1 classify a feature's list": lambda c, m, p: sorted_back(
        said(c.post(f"/v1/models/{m}:classify", json={"examples": [{"image": [{"b64": b64(p)}]}]}))["results"][0]
    ),
    "v2 JSON": lambda c, m, p: outputs(infer(c, m, {"datatype": "BYTES", "shape": [1], "data": [b64(p)]}))[
        "probabilities"
    ],
    "v2 version": lambda c, m, p: outputs(
        infer(c, f"{m}/versions/{version(c, m)}", {"datatype": "BYTES", "shape": [1], "data": [b64(p)]})
    )["probabilities"],
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
    "v1 classify a feature's list": lambda c, m, p: sorted_back(
        said(c.post(f"/v1/models/{m}:classify", json={"examples": [{"pixels": shares(p).ravel().tolist()}]}))[
            "results"
        ][0]
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
def test_a_file_gets_the_same_answer_on_every_route(zoo: Zoo, make: Callable[[], bytes], name: str) -> None:
    picture = make()
    expected = list(zoo.predict(name, picture).probabilities)
    client = create_app(Zoo.open(ROOT, environ={"ZOO_DEFAULT_MODEL": name})).test_client()
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


def test_reading_several_pictures_stops_once_the_client_has_left(client: FlaskClient) -> None:
    body, left = {"images": [b64(png())] * 2}, {HAS_LEFT: True}
    assert client.post("/read", json=body, environ_overrides={HAS_LEFT: False}).status_code == 200
    assert client.post("/read", json=body, environ_overrides=left).status_code == 499


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
    ("/v1/models/cnn:predict", {"instances": [{"images": {"b64": PNG}}]}),
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


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/v2/models/nope", 404, 'There is no model "nope"'),
        ("POST", "/v2/models/nope/infer", 404, 'There is no model "nope"'),
        ("GET", "/v2/models/cnn/versions/99/ready", 404, "has no checkpoint 99"),
        ("POST", "/v2/models/cnn/versions/x/infer", 404, "has no version x"),
        ("GET", "/v2/models/cnn/infer", 405, "does not allow GET"),
        ("GET", "/v2/nowhere", 404, "There is nothing at /v2/nowhere."),
        ("POST", "/v2/repository/models/cnn/load", 501, "settings.toml"),
        ("POST", "/hf/nope", 404, 'There is no model "nope"'),
        ("GET", "/hf/cnn", 405, "does not allow GET"),
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
        ({"inputs": "", "parameters": {"function_to_apply": "none"}}, 400, "function_to_apply"),
        ({"inputs": ""}, 400, "0 bytes arrived"),
        ({"inputs": "aGVsbG8h"}, 415, "not a picture"),
    ],
)
def test_hf_errors(client: FlaskClient, body: dict[str, Any], status: int, text: str) -> None:
    answer = client.post("/hf/cnn", json=body)
    assert answer.status_code == status
    assert text in said(answer)["error"]


@pytest.mark.parametrize("kind", [None, "application/x-www-form-urlencoded", "text/plain", "application/hal+json"])
@pytest.mark.parametrize("before", [b"", b"\r\n\t ", b"\xef\xbb\xbf"], ids=["nothing", "white space", "a mark"])
def test_hf_takes_json_whatever_its_type(client: FlaskClient, kind: str | None, before: bytes) -> None:
    """curl -d says that it sends a form."""
    asked = {"inputs": PNG, "parameters": {"top_k": 3}}
    answer = client.post("/hf/cnn", data=before + json.dumps(asked).encode(), content_type=kind)
    assert said(answer) == said(client.post("/hf/cnn", json=asked))
    assert len(said(answer)) == 3
    broken = client.post("/hf/cnn", data=before + b'{"inputs": ', content_type=kind)
    assert broken.status_code == 400
    assert "is not JSON" in said(broken)["error"]


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
