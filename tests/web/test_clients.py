"""The protocols as other people's clients speak them, to a real server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from asking import ROOT, SEVEN, ZERO, drawing, ink, saved
from serving import serving
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException

from zoo import Zoo

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving([sys.executable, "-m", "zoo", "serve", "--port", "0"], ROOT) as served:
        yield served.url.removeprefix("http://")


@pytest.fixture
def client(address: str) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(address) as client:
        yield client


@pytest.fixture(scope="module")
def zoo() -> Zoo:
    return Zoo.open(ROOT)


def test_triton_finds_the_server_and_its_models(client: triton.InferenceServerClient, zoo: Zoo) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.get_server_metadata()["name"] == "zoo"
    assert client.is_model_ready("cnn")
    assert client.is_model_ready("cnn", "1")
    assert not client.is_model_ready("nope")
    assert client.get_model_metadata("cnn")["inputs"][0]["shape"] == [-1, 28, 28, 1]
    assert client.get_model_config("cnn", "1")["max_batch_size"] == zoo.settings.server.max_batch
    assert "cnn" in [one["name"] for one in client.get_model_repository_index() if one["state"] == "READY"]


@pytest.mark.parametrize("binary", [True, False], ids=["raw", "JSON"])
@pytest.mark.parametrize("datatype", ["FP32", "UINT8"])
def test_triton_sends_tensors(client: triton.InferenceServerClient, zoo: Zoo, datatype: str, binary: bool) -> None:
    pictures = [ink(SEVEN), ink(ZERO)]
    tensor = np.stack(pictures)[..., None]  # (2, 28, 28, 1)
    if datatype == "FP32":
        tensor = tensor.astype(np.float32) / np.float32(255)
    given = triton.InferInput("images", list(tensor.shape), datatype)
    given.set_data_from_numpy(tensor, binary_data=binary)
    names = ("probabilities", "labels", "digits", "rejected")
    outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in names]
    answer = client.infer("cnn", [given], outputs=outputs, request_id="mine")
    expected = [zoo.predict("cnn", picture) for picture in pictures]
    assert answer.get_response()["id"] == "mine"
    assert answer.as_numpy("probabilities").tolist() == [list(one.probabilities) for one in expected]
    assert answer.as_numpy("digits").tolist() == [one.digit for one in expected] == [7, 0]
    assert answer.as_numpy("rejected").tolist() == [one.rejected for one in expected]
    labels = answer.as_numpy("labels").tolist()
    assert [label.decode() if isinstance(label, bytes) else label for label in labels] == ["7", "0"]


def test_triton_sends_a_picture_file_and_asks_for_classes(client: triton.InferenceServerClient, zoo: Zoo) -> None:
    picture = saved(drawing())
    given = triton.InferInput("images", [1], "BYTES")
    given.set_data_from_numpy(np.array([picture], dtype=object))
    assert client.infer("cnn", [given]).as_numpy("digits").tolist() == [7]
    best = triton.InferRequestedOutput("probabilities", class_count=3)
    classes = client.infer("cnn", [given], outputs=[best], model_version="1").as_numpy("probabilities")
    assert classes.shape == (1, 3)
    assert classes[0, 0].decode().split(":")[1:] == ["7", "7"]


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("binary", [True, False], ids=["raw", "JSON"])
def test_triton_compresses_what_it_sends(
    client: triton.InferenceServerClient, zoo: Zoo, coding: str, binary: bool
) -> None:
    pictures = [ink(SEVEN), ink(ZERO)]
    tensor = np.stack(pictures)[..., None]  # (2, 28, 28, 1)
    given = triton.InferInput("images", list(tensor.shape), "UINT8")
    given.set_data_from_numpy(tensor, binary_data=binary)
    answer = client.infer("cnn", [given], request_compression_algorithm=coding)
    expected = [list(zoo.predict("cnn", picture).probabilities) for picture in pictures]
    assert answer.as_numpy("probabilities").tolist() == expected


def test_triton_reads_errors_and_statistics(client: triton.InferenceServerClient) -> None:
    given = triton.InferInput("images", [1, 3, 3], "FP32")
    given.set_data_from_numpy(np.zeros((1, 3, 3), np.float32))
    with pytest.raises(InferenceServerException, match=r"\[400\] images has the shape \[1, 3, 3\]"):
        client.infer("cnn", [given])
    with pytest.raises(InferenceServerException, match=r"\[404\] There is no model"):
        client.infer("nope", [given])
    assert client.get_inference_statistics("cnn")["model_stats"][0]["name"] == "cnn"
    with pytest.raises(InferenceServerException, match=r"settings\.toml"):
        client.load_model("cnn")


def test_a_body_in_chunks_is_read(address: str, zoo: Zoo) -> None:
    picture = saved(drawing())
    chunks = (picture[at : at + 500] for at in range(0, len(picture), 500))
    answer = requests.post(
        f"http://{address}/predict_cnn", data=chunks, headers={"Content-Type": "image/png"}, timeout=30
    )
    assert answer.json() == zoo.predict("cnn", picture).to_dict()


def test_kserve_and_hugging_face_get_the_same_answer(address: str, zoo: Zoo, tmp_path: Path) -> None:
    python = tmp_path / "env/bin/python"
    install = [python, "-m", "pip", "--quiet", "install", "kserve==0.21.0", "huggingface-hub==2.4.0"]
    for command in ([sys.executable, "-m", "venv", tmp_path / "env"], install):
        subprocess.run(command, check=True, timeout=500)
    seven = ROOT / "docs/seven.png"
    asked = [python, ROOT / "tests/foreign.py", f"http://{address}", seven]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    told, expected = json.loads(done.stdout), list(zoo.predict("cnn", seven).probabilities)
    assert all(told[question] for question in ("live", "ready", "model", "v1 model"))
    assert not told["no model"]
    for way in ("v2 raw", "v2 JSON", "v1", "hf"):
        assert told[way] == expected, way
    assert told["hf best"] == "7"
