"""TensorFlow Serving's REST API: status, metadata, predict and classify, by version or label.

https://www.tensorflow.org/tfx/serving/api_rest. A list holds a picture's levels, `{"b64": …}` a picture file. Both are
processed like every picture. All pictures of a request are answered, or none.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from flask import Blueprint, request

from webui import inputs, pixels
from webui.current import current_zoo
from webui.faults import BadRequest
from webui.inputs import Sent
from webui.jsons import HEADERS, Answer
from webui.protocols import served
from webui.protocols.served import METHODS
from webui.query import is_number
from zoo.errors import UnknownCheckpoint, UnknownModel
from zoo.models import Model
from zoo.zoo import Zoo

PREDICT, CLASSIFY = "serving_default", "classify"
TENSOR, BYTES, OUTPUT = "images", "image_bytes", "probabilities"
FEATURES = ("image", "pixels")  # the names of a picture in an example to classify
FILE = '{"b64": "…"}'  # how a picture file is sent
PICTURE = {
    "predict": f'Send it in base64, as {{"instances": [{FILE}]}}.',
    "classify": f'Send it in base64, as {{"examples": [{{"image": {FILE}}}]}}.',
}
"""How to send a picture, for the message about a body that is one."""


class NotServed(UnknownModel):
    """An unknown model, or an unknown version of a model."""


routes = Blueprint("tensorflow_serving", __name__, url_prefix="/v1")
"""The blueprint of `/v1/models/…`."""

served.handle(routes)


@routes.get("/models/<name>")
@routes.get("/models/<name>/versions/<version>")
@routes.get("/models/<name>/labels/<label>")
def status(name: str, version: str | None = None, label: str | None = None) -> Answer:
    """Return the state of a model's versions."""
    zoo = current_zoo()
    if ":" in name + (version or label or ""):
        raise _malformed()
    model, wanted = _named(zoo, name, version, label)
    try:
        found = [wanted] if wanted else served.versions(zoo, model)
    except UnknownCheckpoint as error:
        raise NotServed(f"Could not find any versions of model {name}. {model.trouble() or error}") from error
    answer: dict[str, Any] = {"model_version_status": [_state(model, one) for one in found]}
    if wanted is None:  # KServe's clients look for these at the same address
        answer |= {"name": name, "ready": model.trouble() is None}
    return answer, 200, HEADERS


@routes.get("/models/<name>/metadata")
@routes.get("/models/<name>/versions/<version>/metadata")
@routes.get("/models/<name>/labels/<label>/metadata")
def metadata(name: str, version: str | None = None, label: str | None = None) -> Answer:
    """Return the signatures of a model."""
    zoo = current_zoo()
    model, wanted = _named(zoo, name, version, label)
    card = model.load(served.checkpoint(model, wanted)).card
    spec = {"name": name, "signature_name": "", "version": str(card.version)}
    signatures = {"signature_def": _signatures(card.input_shape, len(card.labels))}
    return {"model_spec": spec, "metadata": {"signature_def": signatures}}, 200, HEADERS


@routes.post("/models/<name>:<verb>")
@routes.post("/models/<name>/versions/<version>:<verb>")
@routes.post("/models/<name>/labels/<label>:<verb>")
def run(name: str, verb: str, version: str | None = None, label: str | None = None) -> Answer:
    """Answer `:predict` or `:classify`; `:regress` is refused."""
    zoo = current_zoo()
    verb = verb.lower()
    if verb not in ("predict", "classify", "regress"):
        raise _malformed()
    model, wanted = _named(zoo, name, version, label)
    if verb == "regress":
        raise BadRequest(f'Model "{name}" has no signature for regression. Ask :predict or :classify.')
    asked = inputs.parsed(inputs.body(), PICTURE[verb])
    answer = _predict if verb == "predict" else _classify
    return answer(zoo, model, served.checkpoint(model, wanted), asked), 200, HEADERS


@routes.get("/models")
@routes.get("/models/")
def unnamed() -> Answer:
    raise BadRequest(f"Missing model name in request. The models are: {', '.join(current_zoo().models)}.")


@routes.route("", methods=METHODS)
@routes.route("/", methods=METHODS)
@routes.route("/<path:rest>", methods=METHODS)
def other(rest: str = "") -> Answer:
    raise _malformed()


def _malformed() -> BadRequest:
    """Return the error for an address or method that the protocol does not have."""
    return BadRequest(
        f"Malformed request: {request.method} {request.script_root}{request.path}. The addresses are GET "
        "/v1/models/NAME and "
        "NAME/metadata, and POST /v1/models/NAME:predict or :classify, each also as NAME/versions/1 and "
        "NAME/labels/stable."
    )


def _named(zoo: Zoo, name: str, version: str | None, label: str | None) -> tuple[Model, int | None]:
    """Return the model and version of a path. Raises NotServed; BadRequest for an unknown label, as TF Serving does."""
    if version is not None and not is_number(version):
        raise _malformed()
    try:
        model = zoo.model(name)
    except UnknownModel as error:
        which = f"Specific({name}, {version})" if version else f"Latest({name})"
        raise NotServed(f"Servable not found for request: {which}. {error}") from error
    try:
        if label is not None:
            found = served.labelled(zoo, model, label)
            if found is None:
                raise BadRequest(
                    f"Unrecognized servable version label: {label}. The labels are stable, the version that answers "
                    "when none is named, and latest, the newest one trained with the settings."
                )
            return model, found
        if version is not None:
            served.checkpoint(model, int(version))
            return model, int(version)
    except UnknownCheckpoint as error:
        which = f"Specific({name}, {version})" if version else f"Latest({name})"
        raise NotServed(f"Servable not found for request: {which}. {error}") from error
    return model, None


def _state(model: Model, version: int) -> dict[str, Any]:
    """Return the state of a version, in the protocol's form."""
    problem = model.trouble(served.checkpoint(model, version))
    code = "OK" if problem is None else "UNAVAILABLE"
    state = "AVAILABLE" if problem is None else "END"
    return {
        "version": str(version),
        "state": state,
        "status": {"error_code": code, "error_message": problem or ""},
    }


def _predict(zoo: Zoo, model: Model, version: int | None, asked: dict[str, Any]) -> dict[str, Any]:
    signature = _signature(asked, (PREDICT, BYTES))
    if ("instances" in asked) == ("inputs" in asked):
        found = "both" if "inputs" in asked else "neither"
        raise BadRequest(f'There should be exactly one of "instances" (rows) and "inputs" (columns); found {found}.')
    key = "instances" if "instances" in asked else "inputs"
    column, where = asked[key], key
    if key == "inputs" and isinstance(column, dict) and "b64" not in column:
        name = _only_key(column, (TENSOR, BYTES), "inputs")
        column, where = column[name], f"inputs.{name}"
    if not isinstance(column, list) or not column:
        found = "one picture" if isinstance(column, dict) and "b64" in column else pixels.kind(column)
        raise BadRequest(f"{where} is {found}. Give a list of pictures, one or more, such as [{FILE}].")
    form = inputs.shape_of(model, version)
    if not isinstance(column[0], list | dict | str):  # their number would say nothing about pictures
        _instance(column[0], form, f"{where}[0]", signature)
    inputs.check_number(zoo, len(column))
    sent = [_instance(one, form, f"{where}[{place}]", signature) for place, one in enumerate(column)]
    scores = served.answers(zoo, model, sent, version, where).scores
    return {"predictions" if key == "instances" else "outputs": scores.tolist()}


def _classify(zoo: Zoo, model: Model, version: int | None, asked: dict[str, Any]) -> dict[str, Any]:
    _signature(asked, (PREDICT, BYTES, CLASSIFY))
    examples, context = asked.get("examples"), asked.get("context", {})
    if not isinstance(examples, list) or not examples:
        raise BadRequest(
            f'"examples" is {pixels.member(asked, "examples")}. Give a list such as [{{"image": {FILE}}}].'
        )
    if not isinstance(context, dict):
        raise BadRequest(f'"context" is {pixels.kind(context)}. Give an object of features.')
    inputs.check_number(zoo, len(examples))
    form = inputs.shape_of(model, version)
    sent: list[Sent] = []
    for place, example in enumerate(examples):
        where = f"examples[{place}]"
        if not isinstance(example, dict):
            raise BadRequest(f"{where} is {pixels.kind(example)}. Give an object of features.")
        features = context | example
        name = _only_key(features, FEATURES, where)
        sent.append(_instance(_unlisted(features[name], form), form, f"{where}.{name}", PREDICT))
    found = served.answers(zoo, model, sent, version, "examples").predictions
    return {"results": [[list(pair) for pair in one.best(len(one.labels))] for one in found]}


def _unlisted(value: Any, form: pixels.Shape) -> Any:
    """Return a feature as a picture: here each is a list, of one file or of all levels in a row."""
    if not isinstance(value, list) or any(isinstance(one, list) for one in value):
        return value
    if len(value) == 1 and isinstance(value[0], dict):
        return value[0]
    return np.array(value, dtype=object).reshape(form).tolist() if len(value) == math.prod(form) else value


def _signature(asked: dict[str, Any], known: tuple[str, ...]) -> str:
    """Return the name of the signature that is asked for. Raises BadRequest unless it is one of `known`."""
    name = asked.get("signature_name", "")
    if not isinstance(name, str):
        raise BadRequest(f'"signature_name" is {pixels.kind(name)}. Give a string.')
    if name and name not in known:
        raise BadRequest(
            f'Serving signature name: "{name[:40]}" not found in signature def. The signatures are {", ".join(known)}.'
        )
    return name or PREDICT


def _instance(value: Any, form: pixels.Shape, where: str, signature: str) -> Sent:
    """Return one picture: levels, or a file's bytes as `{"b64": …}`, either also under the input's name."""
    if isinstance(value, dict) and "b64" not in value:
        name = _only_key(value, (TENSOR, BYTES), where)
        value, where = value[name], f"{where}.{name}"
    if isinstance(value, dict):
        _only_key(value, ("b64",), where)
        return inputs.decoded(value["b64"], f"{where}.b64")
    if signature == BYTES:
        raise BadRequest(f"{where} is {pixels.kind(value)}. Signature {BYTES} takes picture files: {FILE}.")
    if isinstance(value, str):
        raise BadRequest(f"{where} is {pixels.kind(value)}. Give a file's base64 as {FILE}, or levels as lists.")
    return pixels.from_json(value, form, where)


def _only_key(given: dict[str, Any], known: tuple[str, ...], where: str) -> str:
    """Return the only key of an object. Raises BadRequest unless it has exactly one, which is `known`."""
    names = list(given)
    if len(names) != 1 or names[0] not in known:
        found = ", ".join(name[:40] for name in names[:8]) or "nothing"
        wanted = f"exactly one of {', '.join(known)}" if len(known) > 1 else f"{known[0]} alone"
        raise BadRequest(f"{where} has {found}. Give {wanted}.")
    return names[0]


def _signatures(input_shape: list[int], classes: int) -> dict[str, Any]:
    scores = {OUTPUT: _tensor("DT_FLOAT", [-1, classes], OUTPUT)}
    sorts = {
        "classes": _tensor("DT_STRING", [-1, classes], "classes"),
        "scores": _tensor("DT_FLOAT", [-1, classes], "scores"),
    }
    return {
        PREDICT: _signature_def({TENSOR: _tensor("DT_FLOAT", [-1, *input_shape], TENSOR)}, scores, "predict"),
        BYTES: _signature_def({BYTES: _tensor("DT_STRING", [-1], BYTES)}, scores, "predict"),
        CLASSIFY: _signature_def({"inputs": _tensor("DT_STRING", [-1], "inputs")}, sorts, "classify"),
    }


def _signature_def(inputs: dict[str, Any], outputs: dict[str, Any], method: str) -> dict[str, Any]:
    return {"inputs": inputs, "outputs": outputs, "method_name": f"tensorflow/serving/{method}", "defaults": {}}


def _tensor(dtype: str, shape: list[int], name: str) -> dict[str, Any]:
    dims = [{"size": str(size), "name": ""} for size in shape]
    return {"dtype": dtype, "tensor_shape": {"dim": dims, "unknown_rank": False}, "name": f"{name}:0"}
