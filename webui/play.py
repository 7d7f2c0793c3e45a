"""Routes of the front page besides predictions: all models' votes, preprocessing steps, decisive pixels, samples."""

from __future__ import annotations

from contextvars import copy_context
from typing import Any

from flask import Blueprint, Response, make_response, request

from webui import inputs, samples
from webui.current import current_zoo
from webui.faults import BadRequest, UnknownSample, status_of
from webui.inline import data_url
from webui.jsons import HEADERS, Answer
from webui.metrics import answering
from webui.notices import as_json
from webui.query import asked, asked_version
from zoo.arena import Verdict, Vote, ask_all
from zoo.errors import ZooError
from zoo.types import as_png

KEPT = {"Cache-Control": "public, max-age=604800"}
"""Lets caches keep a test picture for a week."""


routes = Blueprint("play", __name__)
"""The blueprint of `/arena`, `/explain`, `/why` and `/samples/…`."""


def _sent(name: str | None, version: int | None) -> inputs.Sent:
    """Return the one picture of this request. Raises BadRequest when it has several."""
    zoo = current_zoo()
    found = inputs.pictures(zoo, zoo.model(name), version).only
    if found is None:
        raise BadRequest(f"The request has several pictures; {request.path} takes one. Send them one by one.")
    return found


@routes.post("/arena")
def arena() -> Answer:
    """Ask every model about one picture."""
    answering.set("")  # whatever ?model= says
    return verdict_json(votes(_sent(None, None))), 200, HEADERS


@routes.post("/explain")
def explain() -> Answer:
    """Return the steps from a picture to what a model saw, each as a PNG in a data: URL."""
    zoo = current_zoo()
    name, version = asked("model"), asked_version()
    picture = _sent(name, version)
    steps = [
        {"name": step.name, "picture": data_url(step.picture, optimize=True)}
        for step in zoo.explain(name, picture, version=version)
    ]
    model = zoo.model(name).name
    answering.set(model)
    return {"model": model, "steps": steps}, 200, HEADERS


@routes.post("/why")
def why() -> Answer:
    """Return which pixels speak for the answer, or for the label of `?label=`."""
    zoo = current_zoo()
    name, version = asked("model"), asked_version()
    picture = _sent(name, version)
    saliency = zoo.why(name, picture, label=asked("label"), version=version)
    answering.set(zoo.model(name).name)
    return saliency.to_dict(), 200, HEADERS


@routes.get("/samples/<int:place>.png")
def sample(place: int) -> Response:
    """Return a test picture of MNIST by its index in the set. Raises UnknownSample."""
    try:
        content = as_png(samples.sample(place), optimize=True)
    except IndexError:
        raise UnknownSample(f"There is no test picture {place}. They are numbered 0 to {samples.COUNT - 1}.") from None
    return make_response(content, 200, {"Content-Type": "image/png", **HEADERS, **KEPT})


def votes(picture: inputs.Sent) -> Verdict:
    """Return what all models answer. They are asked in a context of its own, so that the log names none of them."""
    return copy_context().run(ask_all, current_zoo(), picture)


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """Return the JSON form of what all models answered."""
    return {
        "label": verdict.label,
        "counts": [{"label": label, "votes": votes} for label, votes in verdict.counts()],
        "answers": [_vote(vote) for vote in verdict.votes],
        "preprocess_ms": round(verdict.ms, 3),
    }


def _vote(vote: Vote) -> dict[str, Any]:
    """Return the JSON form of one model's answer, or its error and status."""
    if isinstance(vote.answer, ZooError):
        return {"model": vote.model} | as_json(vote.answer) | {"status": status_of(vote.answer)}
    return vote.answer.to_dict() | {"ms": round(vote.ms, 3)}
