"""The routes for programs: predictions, readings and facts about the models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from flask import Blueprint, request

from webui import inputs, snippets
from webui.current import current_zoo
from webui.environ import FAILED, HAS_LEFT
from webui.faults import LEFT, Refused, status_of
from webui.jsons import HEADERS, Answer
from webui.notices import as_json
from webui.query import PLAIN, Asked, asked, asked_model, asked_top, asked_trace, asked_version
from zoo import images, listings
from zoo.errors import ZooError

routes = Blueprint("api", __name__)
"""The blueprint of `/predict…`, `/read` and `/api/models…`."""


@routes.post("/predict")
@routes.post("/predict_<name>")
@routes.post("/api/models/<name>/predict")
def predict(name: str | None = None) -> Answer:
    """Predict the digit in one picture or in each of several."""
    zoo = current_zoo()
    if (failed := request.environ.get(FAILED)) is not None:
        raise failed
    name = asked_model(name)
    model = zoo.model(name)
    wanted = PLAIN
    if request.query_string:
        wanted = Asked(asked_version(), asked_trace(), asked_top())
    sent = inputs.pictures(zoo, model, wanted.version)
    if sent.only is not None:
        return wanted.of(zoo.predict(name, sent.only, version=wanted.version)), 200, HEADERS
    return _each(inputs.predictions(zoo, name, sent.several, wanted.version), wanted.of), 200, HEADERS


@routes.post("/read")
def read() -> Answer:
    """Read all the digits in a picture. `?model=` names a model other than the default one."""
    zoo = current_zoo()
    name, version = asked("model"), asked_version()
    model = zoo.model(name)
    sent = inputs.pictures(zoo, model, version)
    if sent.only is not None:
        return zoo.read(name, sent.only, version=version).to_dict(), 200, HEADERS
    model.load(version)  # a model that cannot answer fails the request, not each picture
    with images.together():
        return _each(sent.several, lambda one: zoo.read(name, one, version=version).to_dict()), 200, HEADERS


@routes.get("/api/models")
def models() -> Answer:
    """List all models in short."""
    return [asdict(facts) for facts in listings.models(current_zoo())], 200, HEADERS


@routes.get("/api/models/<name>")
def model(name: str) -> Answer:
    """Return all about one model."""
    return listings.model(current_zoo(), name), 200, HEADERS


@routes.get("/api/models/<name>/calls")
def calls(name: str) -> Answer:
    """Return code that asks a model, to copy and paste."""
    zoo = current_zoo()
    model = zoo.model(name)
    told = snippets.calls(model.name, request.url_root, bool(zoo.settings.server.keys))
    return {"model": model.name, "calls": [asdict(call) for call in told]}, 200, HEADERS


def _each(found: Sequence[Any], tell: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """Return the answers to several pictures, in their order.

    A picture that could not be read has its error and status instead. Raises Refused once the client has left.
    """
    answers: list[dict[str, Any]] = []
    for one in found:
        if request.environ.get(HAS_LEFT):
            raise Refused(LEFT, "The client left before its pictures were read.")
        try:
            if isinstance(one, ZooError):
                raise one
            answers.append(tell(one))
        except ZooError as error:
            answers.append(as_json(error) | {"status": status_of(error)})
    return {"predictions": answers}
