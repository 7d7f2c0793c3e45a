"""Hugging Face's image classification: a picture in, labels and scores out, best first.

https://huggingface.co/docs/inference-providers/tasks/image-classification
"""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, request

from webui import inputs
from webui.current import current_zoo
from webui.faults import BadRequest, WrongType
from webui.jsons import HEADERS, Answer
from webui.pixels import kind
from webui.query import asked_version

TOP = 5  # labels when no number is asked for, as at Hugging Face
OBJECT = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*\{")  # how a JSON object begins, and no picture does


routes = Blueprint("huggingface", __name__, url_prefix="/hf")
"""The blueprint of `/hf/<name>`."""


@routes.post("/<name>")
def classify(name: str) -> Answer:
    """Return the best labels for one picture."""
    zoo = current_zoo()
    zoo.model(name)
    version = asked_version()
    picture, top = _asked()
    prediction = zoo.predict(name, picture, version=version)
    return [{"label": label, "score": score} for label, score in prediction.best(top)], 200, HEADERS


def _asked() -> tuple[bytes, int]:
    """Return the picture's bytes and how many labels are wanted.

    A body that is not JSON is taken as a picture, as clients send it. Its bytes count for more than its content type,
    because curl labels a body as a form unless it is told otherwise.
    """
    body: bytes = inputs.body()
    if request.mimetype == "multipart/form-data":
        raise WrongType(
            'The body is a form, which this address does not take. Send the picture itself, or {"inputs": …}.'
        )
    if request.mimetype != "application/json" and (request.mimetype.startswith("image/") or not OBJECT.match(body)):
        return body, TOP
    asked = inputs.parsed(body, inputs.BARE)
    if "inputs" not in asked:
        raise BadRequest('The JSON object has no inputs. Give {"inputs": "<base64>", "parameters": {"top_k": 3}}.')
    parameters: Any = asked.get("parameters")
    if not isinstance(parameters, dict | None):
        raise BadRequest(f"parameters is {kind(parameters)}. Give an object such as {{}}.")
    parameters = parameters or {}
    top = parameters.get("top_k")
    if top is not None and not (type(top) is int and top > 0):
        raise BadRequest(f"parameters.top_k is {kind(top)}. Give a whole number from 1.")
    function = parameters.get("function_to_apply")
    if function not in (None, "softmax"):
        raise BadRequest(f"parameters.function_to_apply is {kind(function)}. Only softmax is supported.")
    return inputs.decoded(asked["inputs"], "inputs"), TOP if top is None else top
