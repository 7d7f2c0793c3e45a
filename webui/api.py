"""The routes for programs: pictures in and digits out, and what models there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from flask import Blueprint, request

from webui import inputs, snippets
from webui.errors import HEADERS, BadRequest, message, status_of
from webui.shortcut import FAILED
from zoo import images, listings
from zoo.errors import ZooError
from zoo.types import Prediction
from zoo.zoo import Zoo

Answer = tuple[Any, int, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the query asks for: a version, the trace, the best so many labels."""

    version: int | None = None
    trace: bool = False
    top: int | None = None

    def of(self, prediction: Prediction) -> dict[str, Any]:
        """The answer as it was asked for."""
        answer = prediction.to_dict(trace=self.trace)
        if self.top is not None:
            pairs = [{"label": label, "confidence": share} for label, share in prediction.best(self.top)]
            answer["top"] = pairs
        return answer


PLAIN = Asked()


def asked_version() -> int | None:
    """The checkpoint that `?version=` asks for. Raises BadRequest when it is no whole number."""
    return _whole("version", "a version")


def _whole(key: str, what: str) -> int | None:
    text = request.args.get(key)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 18 and int(text)):
        raise BadRequest(f"{key}={text[:40]} is not {what}. Give a whole number from 1, as in ?{key}=1.")
    return int(text)


def _named(name: str | None) -> str | None:
    """The model that the address names, or else `?model=`. Raises BadRequest when they name two."""
    asked = request.args.get("model", name)
    if name is not None and asked != name:
        raise BadRequest(f"The address names the model {name}, and ?model= another one. Name one of them.")
    return asked


def _trace() -> bool:
    """Whether `?trace=1` asks for what preprocessing did. Raises BadRequest when it says neither 1 nor 0."""
    text = request.args.get("trace", "0")
    if text not in ("0", "1"):
        raise BadRequest(
            f"trace={text[:40]} is neither 1 nor 0. Give ?trace=1 for what preprocessing did to the picture."
        )
    return text == "1"


def routes(zoo: Zoo) -> Blueprint:
    """`/predict…`, `/read` and `/api/models…` of a zoo."""
    api = Blueprint("api", __name__)

    @api.post("/predict")
    @api.post("/predict_<name>")
    @api.post("/api/models/<name>/predict")
    def predict(name: str | None = None) -> Answer:
        if (failed := request.environ.get(FAILED)) is not None:
            raise failed
        name = _named(name)
        model = zoo.model(name)
        asked = PLAIN
        if request.query_string:
            asked = Asked(asked_version(), _trace(), _whole("top", "a number of labels"))
        sent = inputs.pictures(zoo, model, asked.version)
        if sent.only is not None:
            return asked.of(zoo.predict(name, sent.only, version=asked.version)), 200, HEADERS
        return _each(inputs.predictions(zoo, name, sent.several, asked.version), asked.of), 200, HEADERS

    @api.post("/read")
    def read() -> Answer:
        """All the digits in a picture; `?model=` names a model other than the default one."""
        name, version = request.args.get("model"), asked_version()
        model = zoo.model(name)
        sent = inputs.pictures(zoo, model, version)
        if sent.only is not None:
            return zoo.read(name, sent.only, version=version).to_dict(), 200, HEADERS
        model.load(version)  # a model that cannot answer is no fault of each picture
        with images.together():
            return _each(sent.several, lambda one: zoo.read(name, one, version=version).to_dict()), 200, HEADERS

    @api.get("/api/models")
    def models() -> Answer:
        return [asdict(facts) for facts in listings.models(zoo)], 200, HEADERS

    @api.get("/api/models/<name>")
    def model(name: str) -> Answer:
        return listings.model(zoo, name), 200, HEADERS

    @api.get("/api/models/<name>/calls")
    def calls(name: str) -> Answer:
        model = zoo.model(name)
        told = snippets.calls(model.name, request.url_root, bool(zoo.settings.server.keys))
        return {"model": model.name, "calls": [asdict(call) for call in told]}, 200, HEADERS

    return api


def _each(found: Sequence[Any], tell: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """The answers to several pictures, in their order; one that could not be read has its error and status instead."""
    answers: list[dict[str, Any]] = []
    for one in found:
        try:
            if isinstance(one, ZooError):
                raise one
            answers.append(tell(one))
        except ZooError as error:
            answers.append({"error": message(error), "status": status_of(error)})
    return {"predictions": answers}
