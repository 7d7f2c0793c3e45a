"""The Open Inference Protocol, version 2, with Triton's extensions for binary tensors, classification, index and more.

https://github.com/kserve/open-inference-protocol. A model takes one input, `images`: floats in 0-1, whole numbers in
0-255, or picture files as BYTES. Each is processed like every picture. All pictures of a request are answered, or none.
"""

from __future__ import annotations

import json
import time
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from typing import Any

import numpy as np
from flask import Blueprint, Response, make_response, request
from numpy.typing import NDArray

from webui import inputs, pixels
from webui.access import ADMIN, NOTHING, needs
from webui.current import current_zoo
from webui.faults import BadRequest, Unimplemented
from webui.health import permitted
from webui.inputs import Sent
from webui.jsons import HEADERS, Answer
from webui.protocols import outputs, served, tensors
from webui.protocols.served import METHODS
from webui.protocols.statistics import STEPS, Statistics
from webui.query import is_number
from zoo.cards import Card
from zoo.errors import UnknownCheckpoint, UnknownModel, ZooError
from zoo.models import Model
from zoo.zoo import Zoo

INPUT = "images"
LENGTH = "Inference-Header-Content-Length"
EXTENSIONS = ["binary_tensor_data", "classification", "model_configuration", "model_repository", "statistics"]
FILE = (
    f"Send it alone with the header {LENGTH}: 0, or in base64 as the tensor "
    '{"name": "images", "shape": [1], "datatype": "BYTES", "data": ["…"]}.'
)
INDEX = 'This address takes an object such as {"ready": true} or nothing.'
ABSENT = {
    "systemsharedmemory": tensors.UNSHARED,
    "cudasharedmemory": tensors.UNSHARED,
    "trace": "the zoo traces no requests. Its log has a line for each, with its id.",
    "logging": "logging is set in settings.toml (server.log) and cannot be changed here.",
}
"""Triton's extensions that the zoo does not have, with the message for each."""
CONFIG = {"FP32": "TYPE_FP32", "BYTES": "TYPE_STRING", "INT64": "TYPE_INT64", "BOOL": "TYPE_BOOL"}
"""The datatypes of the protocol, as Triton's model configuration names them."""


routes = Blueprint("inference_v2", __name__, url_prefix="/v2")
"""The blueprint of `/v2…`."""

served.handle(routes)


@routes.get("")
@routes.get("/")
def server() -> Answer:
    try:
        release = installed("flask-model-zoo")
    except PackageNotFoundError:  # run from a folder that is not installed
        release = ""
    return {"name": "zoo", "version": release, "extensions": EXTENSIONS}, 200, HEADERS


@routes.get("/health/live")
@needs(NOTHING)
def live() -> Answer:
    return {"live": True}, 200, HEADERS


@routes.get("/health/ready")
@needs(NOTHING)
def ready() -> Answer:
    try:
        problem = permitted(current_zoo().model().trouble())
    except UnknownModel as error:
        problem = str(error)
    return ({"ready": True}, 200, HEADERS) if problem is None else ({"ready": False, "error": problem}, 503, HEADERS)


@routes.get("/models")
def models() -> Answer:
    return {"models": list(current_zoo().models)}, 200, HEADERS


@routes.get("/models/<name>")
@routes.get("/models/<name>/versions/<version>")
def metadata(name: str, version: str | None = None) -> Answer:
    zoo = current_zoo()
    model, own = _model_of(name, version)
    card = model.load(own).card
    return (
        {
            "name": name,
            "versions": [str(one) for one in served.versions(zoo, model)],
            "platform": f"zoo_{model.plugin}",
            "inputs": [{"name": INPUT, "datatype": "FP32", "shape": [-1, *card.input_shape]}],
            "outputs": [
                {"name": output, "datatype": datatype, "shape": [-1, *shape]}
                for output, (datatype, shape) in outputs.known(card.labels).items()
            ],
        },
        200,
        HEADERS,
    )


@routes.get("/models/<name>/config")
@routes.get("/models/<name>/versions/<version>/config")
def config(name: str, version: str | None = None) -> Answer:
    zoo = current_zoo()
    model, own = _model_of(name, version)
    card = model.load(own).card
    return (
        {
            "name": name,
            "platform": f"zoo_{model.plugin}",
            "backend": "zoo",
            "version_policy": {"specific": {"versions": served.versions(zoo, model)}},
            "max_batch_size": zoo.settings.server.max_batch,
            "input": [{"name": INPUT, "data_type": CONFIG["FP32"], "dims": card.input_shape}],
            "output": [
                {"name": output, "data_type": CONFIG[datatype], "dims": shape or [1]}
                | ({} if shape else {"reshape": {"shape": []}})
                for output, (datatype, shape) in outputs.known(card.labels).items()
            ],
        },
        200,
        HEADERS,
    )


@routes.get("/models/<name>/ready")
@routes.get("/models/<name>/versions/<version>/ready")
def model_ready(name: str, version: str | None = None) -> Answer:
    model, own = _model_of(name, version)
    problem = model.trouble(own)
    if problem is not None:
        return {"name": name, "ready": False, "error": problem}, 503, HEADERS
    return {"name": name, "ready": True}, 200, HEADERS


@routes.get("/models/stats")
@needs(ADMIN)
def all_statistics() -> Answer:
    return {"model_stats": [one for model in current_zoo().models.values() for one in _counts(model)]}, 200, HEADERS


@routes.get("/models/<name>/stats")
@routes.get("/models/<name>/versions/<version>/stats")
@needs(ADMIN)
def model_statistics(name: str, version: str | None = None) -> Answer:
    model, _ = _model_of(name, version)
    one = [Statistics(current_zoo()).of(name, str(int(version)))] if version is not None else None
    return {"model_stats": one or _counts(model)}, 200, HEADERS


@routes.post("/repository/index")
def index() -> Answer:
    zoo = current_zoo()
    body = inputs.body()
    only_ready = inputs.parsed(body, INDEX).get("ready", False) if body else False
    if not isinstance(only_ready, bool):
        raise BadRequest(f"ready is {pixels.kind(only_ready)}. Give true or false.")
    rows = [row for model in zoo.models.values() for row in _index(zoo, model)]
    return [row for row in rows if row["state"] == "READY" or not only_ready], 200, HEADERS


@routes.post("/repository/models/<name>/load")
@routes.post("/repository/models/<name>/unload")
@needs(ADMIN)
def load(name: str) -> Answer:
    """Refuse to load or unload a model."""
    current_zoo().model(name)
    raise Unimplemented(
        "Models are not loaded or unloaded here: settings.toml selects the checkpoints, each loaded when first asked."
    )


@routes.route(f"/<any({', '.join(ABSENT)}):part>", methods=METHODS)
@routes.route(f"/<any({', '.join(ABSENT)}):part>/<path:rest>", methods=METHODS)
@routes.route("/models/<name>/<any(trace):part>/setting", methods=METHODS)
def absent(part: str, name: str | None = None, rest: str = "") -> Answer:
    """Refuse Triton's extensions whose addresses its clients know, and which `/v2` does not list."""
    if name is not None:
        current_zoo().model(name)
    raise Unimplemented(f"There is nothing at {request.script_root}{request.path}: {ABSENT[part]}")


@routes.post("/models/<name>/infer")
@routes.post("/models/<name>/versions/<version>/infer")
def infer(name: str, version: str | None = None) -> Response:
    """Answer a tensor of pictures, and count the request in the statistics."""
    model, own = _model_of(name, version)
    card = model.load(own).card
    began, pictures, steps = time.monotonic_ns(), 0, None
    try:
        response, pictures, steps = _inferred(model, own, card)
    finally:
        taken = time.monotonic_ns() - began
        Statistics(current_zoo()).add(name, str(card.version), pictures, taken, steps)
    return response


def _model_of(name: str, version: str | None) -> tuple[Model, int | None]:
    """Return the model and its version as `Zoo` takes it. Raises UnknownModel, UnknownCheckpoint."""
    model = current_zoo().model(name)
    if version is not None and not is_number(version):
        raise UnknownCheckpoint(f'Model "{name}" has no version {version[:40]}. Versions are whole numbers.')
    return model, served.checkpoint(model, int(version) if version is not None else None)


def _counts(model: Model) -> list[dict[str, Any]]:
    """Return the statistics of all versions of a model; none if it cannot answer."""
    zoo = current_zoo()
    statistics = Statistics(zoo)
    try:
        found = served.versions(zoo, model)
    except ZooError:
        return []
    return [statistics.of(model.name, str(version)) for version in found]


def _inferred(model: Model, version: int | None, card: Card) -> tuple[Response, int, dict[str, int]]:
    """Return the response to this request, how many pictures it had, and the nanoseconds of each of STEPS."""
    zoo, began = current_zoo(), time.monotonic_ns()
    asked, sent = _asked(zoo, model, version)
    wanted = outputs.wanted(asked, card.labels)
    read = time.monotonic_ns()
    found = served.answers(zoo, model, sent, version, INPUT)
    answered = time.monotonic_ns()
    answer: dict[str, Any] = {"model_name": model.name, "model_version": str(card.version)}
    if asked.get("id") is not None:
        answer["id"] = asked["id"]
    told = [outputs.filled(output, parameters, card.labels, found) for output, parameters in wanted.items()]
    response = _sent(answer | {"outputs": [output for output, _ in told]}, [raw for _, raw in told if raw])
    taken = (read - began, answered - read, time.monotonic_ns() - answered)
    return response, len(found), dict(zip(STEPS, taken, strict=True))


def _sent(answer: dict[str, Any], raw: list[bytes]) -> Response:
    """Return the response: the JSON, and the raw tensors after it if there are any."""
    head = json.dumps(answer, separators=(",", ":")).encode()
    response = make_response(b"".join([head, *raw]), 200, HEADERS)
    response.content_type = "application/octet-stream" if raw else "application/json"
    if raw:
        response.headers[LENGTH] = str(len(head))
    return response


def _index(zoo: Zoo, model: Model) -> list[dict[str, str]]:
    """Return a model's rows of the repository index."""
    try:
        rows = [
            (str(version), model.trouble(served.checkpoint(model, version))) for version in served.versions(zoo, model)
        ]
    except ZooError as error:
        rows = [("", model.trouble() or str(error))]
    return [
        {
            "name": model.name,
            "version": version,
            "state": "UNAVAILABLE" if problem else "READY",
            "reason": problem or "",
        }
        for version, problem in rows
    ]


def _asked(zoo: Zoo, model: Model, version: int | None) -> tuple[dict[str, Any], list[Sent] | NDArray[np.uint8]]:
    """Return the JSON of the request and its pictures. A body without JSON (length 0) is one picture file."""
    body: bytes = inputs.body()
    head, rest = tensors.header(body, request.headers.get(LENGTH))
    if not head and request.headers.get(LENGTH) is not None:
        return {"parameters": {"binary_data_output": False}}, [bytes(rest)]
    asked = inputs.parsed(head, FILE)
    if not isinstance(asked.get("id"), str | None):
        raise BadRequest(f"id is {pixels.kind(asked['id'])}. Give a string.")
    given = asked.get("inputs")
    if not isinstance(given, list) or len(given) != 1:
        found = f"a list of {len(given)}" if isinstance(given, list) else pixels.member(asked, "inputs")
        raise BadRequest(f'inputs is {found}. Give a list of one tensor, named "{INPUT}".')
    if not isinstance(given[0], dict):
        raise BadRequest(f'inputs[0] is {pixels.kind(given[0])}. Give a tensor: an object, named "{INPUT}".')
    if given[0].get("name") != INPUT:
        raise BadRequest(
            f"unexpected inference input: inputs[0].name is {pixels.member(given[0], 'name')}. "
            f'The only input of model "{model.name}" is "{INPUT}".'
        )
    form = tensors.shape(given[0], INPUT)
    if form[0] > zoo.settings.server.max_batch:  # too many pictures, unless the shape is wrong
        _check_form(form, given[0].get("datatype"), inputs.shape_of(model, version))
        inputs.check_number(zoo, form[0])
    content, rest = tensors.read(given[0], rest, INPUT)
    if rest:
        raise BadRequest(f"{len(rest)} bytes of the body belong to no input. Give each input its binary_data_size.")
    if isinstance(content, list):
        return asked, list(content)
    whole = not given[0]["datatype"].startswith("FP")
    return asked, pixels.from_tensor(content, whole, inputs.shape_of(model, version), INPUT)


def _check_form(form: list[int], datatype: Any, shape: pixels.Shape) -> None:
    """Raise BadRequest if a tensor of this shape and datatype holds no pictures, whatever their number."""
    if datatype == "BYTES":
        tensors.file_count(form, INPUT)
    elif isinstance(datatype, str) and datatype in tensors.DTYPES:
        pixels.check_form(tuple(form), shape, INPUT)
