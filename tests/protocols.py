"""Asking the protocols of other servers, and what comes back in one form: the probabilities in class order."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import PIL.Image
from asking import ONE, b64, ink, levels, said, saved
from flask.testing import FlaskClient
from numpy.typing import NDArray
from werkzeug.test import TestResponse

from zoo import scenes

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
