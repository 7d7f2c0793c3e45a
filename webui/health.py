"""Whether the server is up, and which of its models can answer: what those who restart and route it ask, often."""

from __future__ import annotations

import time
from typing import Any
from weakref import WeakKeyDictionary

from flask import Blueprint

from webui.access import NOTHING, needs
from webui.errors import HEADERS
from zoo.errors import UnknownModel
from zoo.models import Model
from zoo.zoo import Zoo

LIVE = ("/livez", "/v2/health/live")
"""What asks only whether a worker is there: the event loop answers it, however many wait for a thread."""

FRESH = 1.0  # seconds; to look at what is not loaded means to hash its files, which is done no more often
MOST = 100  # versions of a model that are kept in mind, whether there are such or not

_seen: WeakKeyDictionary[Model, dict[int | None, tuple[float, str | None]]] = WeakKeyDictionary()


def trouble(model: Model, version: int | None = None) -> str | None:
    """What `Model.trouble` says, or said less than a second ago: whoever polls a server asks this often."""
    seen = _seen.setdefault(model, {})
    at, told = seen.get(version, (-FRESH, None))
    if time.monotonic() - at >= FRESH:
        told = model.trouble(version)
        if len(seen) >= MOST:
            seen.clear()
        seen[version] = time.monotonic(), told
    return told


def routes(zoo: Zoo) -> Blueprint:
    """`/livez` and `/readyz` of a zoo."""
    health = Blueprint("health", __name__)

    def state(model: Model) -> dict[str, Any]:
        problem, card = trouble(model), model.card()
        version = card.version if card is not None else None
        return {"name": model.name, "version": version, "ready": problem is None, "trouble": problem}

    @health.get("/livez")
    @needs(NOTHING)
    def livez() -> tuple[Any, int, dict[str, str]]:
        return {"live": True}, 200, HEADERS

    @health.get("/readyz")
    @needs(NOTHING)
    def readyz() -> tuple[Any, int, dict[str, str]]:
        """Ready as the default model is; the others are told."""
        models = [state(model) for model in zoo.models.values()]
        try:
            default = zoo.model().name
        except UnknownModel as error:
            return {"ready": False, "error": str(error), "models": models}, 503, HEADERS
        problem = next(told["trouble"] for told in models if told["name"] == default)
        if problem is not None:
            return {"ready": False, "model": default, "error": problem, "models": models}, 503, HEADERS
        return {"ready": True, "model": default, "models": models}, 200, HEADERS

    return health
