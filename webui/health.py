"""Health checks: whether the server is up and which models can answer, for supervisors and load balancers."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from webui.access import NOTHING, is_known, needs
from webui.current import current_zoo
from webui.jsons import HEADERS, Answer
from webui.notices import as_json
from zoo.errors import ModelUnavailable, UnknownModel
from zoo.models import Model

LIVE = ("/livez", "/v2/health/live")
"""The paths that ask only whether a worker is up.

The event loop answers them, however many requests wait for a thread.
"""

UNTOLD = "It cannot answer. Send a key to see why."
"""What clients without a key learn of why a model cannot answer."""


def permitted(trouble: str | None) -> str | None:
    """Return why a model cannot answer, as far as this client may know.

    Where keys are set, a client without one learns only that it cannot.
    """
    return trouble if trouble is None or is_known() else UNTOLD


routes = Blueprint("health", __name__)
"""The blueprint of `/livez` and `/readyz`."""


def _state(model: Model) -> dict[str, Any]:
    """Return the JSON form of a model's state."""
    problem, card = model.trouble(), model.card()
    version = card.version if card is not None else None
    return {"name": model.name, "version": version, "ready": problem is None, "trouble": permitted(problem)}


@routes.get("/livez")
@needs(NOTHING)
def livez() -> Answer:
    """Return 200 while a worker is up."""
    return {"live": True}, 200, HEADERS


@routes.get("/readyz")
@needs(NOTHING)
def readyz() -> Answer:
    """Return 200 if the default model can answer, else 503; both list the state of all models.

    Only clients with a key learn why a model cannot answer, where keys are set.
    """
    zoo = current_zoo()
    models = [_state(model) for model in zoo.models.values()]
    try:
        default = zoo.model().name
    except UnknownModel as error:
        return {"ready": False, **as_json(error), "models": models}, 503, HEADERS
    problem = next(told["trouble"] for told in models if told["name"] == default)
    if problem is not None:
        fault = as_json(ModelUnavailable(problem))
        return {"ready": False, "model": default, **fault, "models": models}, 503, HEADERS
    return {"ready": True, "model": default, "models": models}, 200, HEADERS
