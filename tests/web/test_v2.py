"""The Open Inference Protocol: its tensors, statistics and errors."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from asking import HTML, b64, drawing, png, said, saved, send
from flask.testing import FlaskClient
from protocols import LENGTH, element, infer, infer_raw, outputs, photograph, shares

from webui import create_app
from zoo import Zoo


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
        times = stats["inference_stats"]
        assert {what: time["count"] for what, time in times.items()} == {
            **dict.fromkeys(("success", "fail", "queue", "compute_input", "compute_infer", "compute_output"), 1),
            **dict.fromkeys(("cache_hit", "cache_miss"), 0),
        }
        steps = [times[f"compute_{step}"]["ns"] for step in ("input", "infer", "output")]
        assert min(steps) > 0
        assert 0 < times["success"]["ns"] - sum(steps) < 1_000_000_000
        assert times["fail"]["ns"] > times["queue"]["ns"] == 0
        assert stats["last_inference"] > 0


def test_v2_tells_where_the_time_of_answers_goes(own_zoo: Path) -> None:
    """All that Triton's extension names is there, as perf_analyzer looks for it; a failure is in none of the steps."""
    client = create_app(Zoo.open(own_zoo)).test_client()
    good = {"datatype": "BYTES", "shape": [1], "data": [b64(png())]}
    for tensor in (good, good, good | {"data": [b64(b"hello")]}, good | {"data": ["@"]}):
        infer(client, "cnn", tensor)
    told = said(client.get("/v2/models/cnn/versions/2/stats"))["model_stats"][0]["inference_stats"]
    steps = ("compute_input", "compute_infer", "compute_output")
    counts = {"success": 2, "fail": 2, "queue": 2, **dict.fromkeys(steps, 2), "cache_hit": 0, "cache_miss": 0}
    assert {end: found["count"] for end, found in told.items()} == counts
    assert all(told[end]["ns"] > 0 for end in ("success", "fail", *steps))
    assert told["success"]["ns"] >= sum(told[step]["ns"] for step in steps)
    assert [told[end]["ns"] for end in ("queue", "cache_hit", "cache_miss")] == [0, 0, 0]


def fp32(**more: Any) -> dict[str, Any]:
    tensor = {"name": "images", "datatype": "FP32", "shape": [1, 28, 28], "data": [0.5] * 784} | more
    return {"inputs": [tensor]}


V2_BAD: dict[str, tuple[Any, dict[str, str], int, str]] = {
    "bad JSON": (b"{", {}, 400, "not JSON"),
    "no inputs": ({}, {}, 400, "inputs is missing. Give a list of one tensor"),
    "null for inputs": ({"inputs": None}, {}, 400, "inputs is null. Give a list of one tensor"),
    "two inputs": ({"inputs": [{}, {}]}, {}, 400, "inputs is a list of 2. Give a list of one tensor"),
    "name": (
        fp32(name="x"),
        {},
        400,
        'unexpected inference input: inputs[0].name is the string "x". The only input of model "cnn" is "images".',
    ),
    "no name": ({"inputs": [{"shape": [1]}]}, {}, 400, "unexpected inference input: inputs[0].name is missing."),
    "no shape": ({"inputs": [{"name": "images"}]}, {}, 400, "images.shape is missing. Give one to eight"),
    "no datatype": (
        {"inputs": [{"name": "images", "shape": [1]}]},
        {},
        400,
        "images.datatype is missing. Give one of BYTES",
    ),
    "datatype": (fp32(datatype="FLOAT"), {}, 400, 'images.datatype is the string "FLOAT"'),
    "shape": (fp32(shape="x"), {}, 400, 'images.shape is the string "x"'),
    "shape below 1": (fp32(shape=[0, 28, 28], data=[]), {}, 400, "images.shape is [0, 28, 28]. Give one to eight"),
    "no tensor": ({"inputs": ["x"]}, {}, 400, 'inputs[0] is the string "x". Give a tensor'),
    "other shape": (fp32(shape=[28, 28]), {}, 400, "images has the shape [28, 28]. Give [n, 28, 28, 1] or [n, 28, 28]"),
    "one row": (fp32(shape=[784]), {}, 400, "images has the shape [784]. Give [n, 28, 28, 1] or [n, 28, 28]"),
    "colours": (fp32(shape=[300, 28, 28, 3]), {}, 400, "one picture or more. Colours are not supported as numbers"),
    "too many": (fp32(shape=[300, 28, 28]), {}, 413, "The request has 300 pictures; the limit is 256"),
    "many files": (fp32(datatype="BYTES", shape=[784, 3]), {}, 400, "the shape [784, 3] does not fit picture files"),
    "too few": (fp32(data=[0.5]), {}, 400, "images.data has 1 elements; the shape [1, 28, 28] has 784."),
    "no data": (
        {"inputs": [{"name": "images", "shape": [1], "datatype": "BYTES"}]},
        {},
        400,
        "images.data is missing. Give a list, or raw bytes",
    ),
    "null for data": (fp32(data=None), {}, 400, "images.data is null"),
    "text": (fp32(data=["x"] * 784), {}, 400, 'has the string "x" among its numbers'),
    "above 1": (fp32(data=[2.5] * 784), {}, 400, "images[0] has the level 2.5, expected 0-1. Tensors of floats"),
    "just above 1": (fp32(data=[1 + 2e-6] * 784), {}, 400, "images[0] has the level 1.000002, expected 0-1."),
    "fractions of UINT8": (fp32(datatype="UINT8"), {}, 400, "which datatype UINT8 cannot hold"),
    "above 255": (fp32(datatype="INT16", data=[300] * 784), {}, 400, "the level 300, expected 0-255. Tensors of whole"),
    "more than INT8 has": (
        fp32(datatype="INT8", data=[200] * 784),
        {},
        400,
        "images.data has the number 200; datatype INT8 holds -128 to 127. Give levels in 0-255 as UINT8.",
    ),
    "less than UINT8 has": (fp32(datatype="UINT8", data=[-1] * 784), {}, 400, "-1; datatype UINT8 holds 0 to 255."),
    "id": (fp32() | {"id": 7}, {}, 400, "id is the number 7"),
    "output": (
        fp32() | {"outputs": [{"name": "x"}]},
        {},
        400,
        'unexpected inference output: outputs[0].name is the string "x". The outputs are: probabilities, labels,',
    ),
    "output without a name": (fp32() | {"outputs": [{}]}, {}, 400, "outputs[0].name is missing. The outputs are:"),
    "no output": (fp32() | {"outputs": ["digits"]}, {}, 400, 'outputs[0] is the string "digits". Give an object such'),
    "shared memory": (
        fp32(parameters={"shared_memory_region": "mine", "shared_memory_byte_size": 3136}, data=None),
        {},
        501,
        'images.parameters.shared_memory_region is the string "mine", and the zoo does not support shared memory. Send',
    ),
    "shared memory of an output": (
        fp32() | {"outputs": [{"name": "digits", "parameters": {"shared_memory_region": "mine"}}]},
        {},
        501,
        'outputs[0].parameters.shared_memory_region is the string "mine", and the zoo does not support shared memory.',
    ),
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


def test_a_picture_over_the_limit_is_413_in_every_protocol(own_zoo: Path) -> None:
    client = create_app(Zoo.open(own_zoo, environ={"ZOO_PICTURES__MAX_MEGAPIXELS": "0.0005"})).test_client()
    body = b64(png())
    answers = [
        send(client, "/predict_cnn", png()),
        client.post("/hf/cnn", data=png()),
        client.post("/v1/models/cnn:predict", json={"instances": [{"b64": body}]}),
        client.post("/v1/models/cnn:classify", json={"examples": [{"image": {"b64": body}}]}),
        client.post("/v2/models/cnn/infer", json=fp32(datatype="BYTES", shape=[1], data=[body])),
    ]
    assert [answer.status_code for answer in answers] == [413] * 5
    assert all("(pictures.max_megapixels)" in said(answer)["error"] for answer in answers)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("systemsharedmemory/status", "the zoo does not support shared memory"),
        ("systemsharedmemory/region/mine/register", "the zoo does not support shared memory"),
        ("cudasharedmemory/unregister", "the zoo does not support shared memory"),
        ("trace/setting", "the zoo traces no requests"),
        ("models/cnn/trace/setting", "the zoo traces no requests"),
        ("logging", "logging is set in settings.toml (server.log)"),
    ],
)
def test_what_triton_has_and_the_zoo_has_not_is_501(client: FlaskClient, method: str, path: str, text: str) -> None:
    answer = client.open(f"/v2/{path}", method=method, headers=HTML)
    assert answer.status_code == 501
    assert set(said(answer)) == {"error"}
    assert said(answer)["error"].startswith(f"There is nothing at /v2/{path}: {text}")
    assert client.get("/v2/models/nope/trace/setting").status_code == 404
    assert client.get("/v2/nowhere").status_code == 404


@pytest.mark.parametrize("path", ["/v1/models/cnn:predict", "/v2/models/cnn/infer", "/hf/cnn"])
def test_a_form_where_none_is_taken_is_told_as_one(client: FlaskClient, path: str) -> None:
    answer = client.post(path, data={"file": (io.BytesIO(png()), "digit.png")})
    assert answer.status_code in (400, 415)
    assert "The body is a form, which this address does not take" in said(answer)["error"]


@pytest.mark.parametrize("case", V2_BAD)
def test_v2_errors(client: FlaskClient, case: str) -> None:
    body, headers, status, text = V2_BAD[case]
    data = body if isinstance(body, bytes) else json.dumps(body)
    answer = client.post("/v2/models/cnn/infer", data=data, headers=HTML | headers)
    assert answer.status_code == status, answer.text
    assert set(said(answer)) == {"error"}
    assert text in said(answer)["error"]


@pytest.mark.parametrize(("datatype", "kind"), [("FP32", "<f4"), ("FP64", "<f8")])
@pytest.mark.parametrize("residue", [1e-12, 5e-7])
def test_v2_levels_may_miss_their_range_by_what_is_rounded(
    client: FlaskClient, zoo: Zoo, datatype: str, kind: str, residue: float
) -> None:
    levels = shares(png()).astype(kind)
    levels[levels == 0], levels[levels == 1] = -residue, 1 + residue
    expected = list(zoo.predict("cnn", png()).probabilities)
    flat = {"datatype": datatype, "shape": [1, 28, 28], "data": levels.ravel().tolist()}
    for answer in (infer(client, "cnn", flat), infer_raw(client, "cnn", datatype, [1, 28, 28], levels.tobytes())):
        assert outputs(answer)["probabilities"] == expected


def test_v2_raw_bytes_that_do_not_fit(client: FlaskClient) -> None:
    assert "the shape [1, 28, 28] of FP32 has 3136" in infer_raw(client, "cnn", "FP32", [1, 28, 28], bytes(9)).text
    assert "element 0 of its bytes is truncated" in infer_raw(client, "cnn", "BYTES", [1], b"\x09\0\0\0ab").text
    assert "has 1 elements; the shape [2] has 2" in infer_raw(client, "cnn", "BYTES", [2], element(png())).text
    head = json.dumps(
        {"inputs": [{"name": "images", "shape": [1], "datatype": "BYTES", "data": [b64(png())]}]}
    ).encode()
    answer = client.post("/v2/models/cnn/infer", data=head + b"more", headers={LENGTH: str(len(head))})
    assert "4 bytes of the body belong to no input" in said(answer)["error"]
