"""Asks a server as KServe's and Hugging Face's clients do, and prints their answers as JSON.

Run by the tests in an environment of its own, since KServe's client and the zoo want different versions of psutil:
`python foreign.py URL PICTURE`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from pathlib import Path

import numpy as np
from huggingface_hub import InferenceClient
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig


async def kserve(url: str, picture: bytes) -> dict[str, object]:
    async with InferenceRESTClient(RESTConfig(protocol="v2", retries=0)) as client:
        told: dict[str, object] = {
            "live": await client.is_server_live(url),
            "ready": await client.is_server_ready(url),
            "model": await client.is_model_ready(url, "cnn"),
            "no model": await client.is_model_ready(url, "nope"),
        }
        for binary in (True, False):
            given = InferInput("images", [1], "BYTES")
            given.set_data_from_numpy(np.array([picture], dtype=object), binary_data=True)
            request = InferRequest("cnn", [given], parameters={"binary_data_output": binary})
            answer = await client.infer(url, request, model_name="cnn")
            told[f"v2 {'raw' if binary else 'JSON'}"] = answer.outputs[0].as_numpy().ravel().tolist()
    async with InferenceRESTClient(RESTConfig(protocol="v1", retries=0)) as client:
        rows = {"instances": [{"b64": base64.b64encode(picture).decode()}]}
        told["v1 model"] = await client.is_model_ready(url, "cnn")
        told["v1"] = (await client.infer(url, rows, model_name="cnn"))["predictions"][0]
    return told


def hugging_face(url: str, picture: bytes) -> dict[str, object]:
    client = InferenceClient(model=f"{url}/hf/cnn")
    few, every = client.image_classification(picture), client.image_classification(picture, top_k=10)
    return {"hf": [one.score for one in sorted(every, key=lambda one: one.label)], "hf best": few[0].label}


if __name__ == "__main__":
    address, content = sys.argv[1], Path(sys.argv[2]).read_bytes()
    print(json.dumps(asyncio.run(kserve(address, content)) | hugging_face(address, content)))
