"""The routes for programs: pictures in and digits out, and what models there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from flask import Blueprint, request

from webui import inputs, snippets
from webui.faults import BadRequest, status_of
from webui.jsons import HEADERS, Answer
from webui.notices import message
from webui.shortcut import FAILED
from zoo import images, listings
from zoo.errors import ZooError
from zoo.types import Prediction
from zoo.zoo import Zoo

LONGEST = 40  # digits of a number that are read: more than any version has, and few enough to be told
MOST = 10**18 - 1  # labels, as the description of the API has it


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


def asked(key: str) -> str | None:
    """What the query says of a key. Raises BadRequest when it says two things."""
    found = list(dict.fromkeys(request.args.getlist(key)))
    if len(found) > 1:
        raise BadRequest(f"The query has {key}={found[0][:40]} and {key}={found[1][:40]}. Give one of them.")
    return found[0] if found else None


def asked_version() -> int | None:
    """The checkpoint that `?version=` asks for. Raises BadRequest when it is no whole number."""
    return _whole("version", "a version")


def whole_number(text: str) -> int:
    """The number that a text says, 0 if none. What zeros lead to counts; of more than LONGEST digits the first are
    read, a number that is too large too."""
    return int(text.lstrip("0")[:LONGEST] or 0) if text.isascii() and text.isdecimal() else 0


def _whole(key: str, what: str) -> int | None:
    text = asked(key)
    if text is None:
        return None
    number = whole_number(text)
    if not number:
        raise BadRequest(f"{key}={text[:LONGEST]} is not {what}. Give a whole number from 1, as in ?{key}=1.")
    return number


def _top() -> int | None:
    """How many labels `?top=` asks for. Raises BadRequest when it is no such number."""
    top = _whole("top", "a number of labels")
    if top is not None and top > MOST:
        raise BadRequest(f"top={top} is more labels than any model has. Give a whole number from 1, as in ?top=3.")
    return top


def _named(name: str | None) -> str | None:
    """The model that the address names, or else `?model=`. Raises BadRequest when they name two."""
    wanted = asked("model")
    if name is not None and wanted not in (None, name):
        raise BadRequest(f"The address names the model {name}, and ?model= another one. Name one of them.")
    return name if wanted is None else wanted


def _trace() -> bool:
    """Whether `?trace=1` asks for what preprocessing did. Raises BadRequest when it says neither 1 nor 0."""
    text = asked("trace")
    if text not in (None, "0", "1"):
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
        wanted = PLAIN
        if request.query_string:
            wanted = Asked(asked_version(), _trace(), _top())
        sent = inputs.pictures(zoo, model, wanted.version)
        if sent.only is not None:
            return wanted.of(zoo.predict(name, sent.only, version=wanted.version)), 200, HEADERS
        return _each(inputs.predictions(zoo, name, sent.several, wanted.version), wanted.of), 200, HEADERS

    @api.post("/read")
    def read() -> Answer:
        """All the digits in a picture; `?model=` names a model other than the default one."""
        name, version = asked("model"), asked_version()
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
