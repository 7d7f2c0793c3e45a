"""Whether the server is up, and which of its models can answer: what those who restart and route it ask, often."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from webui.access import NOTHING, is_known, needs
from webui.current import current_zoo
from webui.jsons import HEADERS, Answer
from zoo.errors import UnknownModel
from zoo.models import Model

LIVE = ("/livez", "/v2/health/live")
"""What asks only whether a worker is there: the event loop answers it, however many wait for a thread."""

UNTOLD = "It cannot answer. This server tells why to those who send a key."


def permitted(trouble: str | None) -> str | None:
    """What this request may know of why a model cannot answer: where keys are asked for, strangers learn no more."""
    return trouble if trouble is None or is_known() else UNTOLD


routes = Blueprint("health", __name__)
"""`/livez` and `/readyz` of the zoo that the app serves."""


def _state(model: Model) -> dict[str, Any]:
    problem, card = model.trouble(), model.card()
    version = card.version if card is not None else None
    return {"name": model.name, "version": version, "ready": problem is None, "trouble": permitted(problem)}


@routes.get("/livez")
@needs(NOTHING)
def livez() -> Answer:
    return {"live": True}, 200, HEADERS


@routes.get("/readyz")
@needs(NOTHING)
def readyz() -> Answer:
    """Ready as the default model is; the others are told. Why one is not is for those with a key."""
    zoo = current_zoo()
    models = [_state(model) for model in zoo.models.values()]
    try:
        default = zoo.model().name
    except UnknownModel as error:
        return {"ready": False, "error": str(error), "models": models}, 503, HEADERS
    problem = next(told["trouble"] for told in models if told["name"] == default)
    if problem is not None:
        return {"ready": False, "model": default, "error": problem, "models": models}, 503, HEADERS
    return {"ready": True, "model": default, "models": models}, 200, HEADERS
