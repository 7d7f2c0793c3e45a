"""What to answer where there is nothing, and which addresses belong to other servers' protocols."""

from __future__ import annotations

import re
from collections.abc import Iterable

from flask import current_app, request
from werkzeug.exceptions import HTTPException

from webui.access import is_known
from webui.current import current_zoo
from zoo.errors import closest, cut

PROTOCOLS = ("/v1", "/v2", "/hf")
"""Where the addresses of other servers' protocols begin. No page is ever sent there."""

REFUSING = ("tensorflow_serving.other", "inference_v2.absent")
"""The endpoints that take every method, to say what the protocols do not have."""

UNTOLD = ("static", *REFUSING)
"""The endpoints that no message suggests."""


def protocol(path: str) -> str | None:
    """Return which of PROTOCOLS a path belongs to, or None."""
    return next((start for start in PROTOCOLS if path == start or path.startswith(f"{start}/")), None)


def lost() -> str:
    """Return the message for an address where there is nothing: what may have been meant, and which routes there are.

    Clients that are not let in learn only that there is nothing. They get here by the address of a missing static file,
    which needs no key.
    """
    root, wanted = request.script_root, request.path.rstrip("/").lower()
    nothing = f"There is nothing at {root}{cut(request.path)}."
    if not is_known():
        return nothing
    rules = [rule.rule for rule in current_app.url_map.iter_rules() if rule.endpoint not in UNTOLD]
    rules = [rule for rule in rules if protocol(rule) == protocol(wanted)]
    if _is_there(wanted):
        near = f' Did you mean "{root}{wanted}"?'
    else:
        name = max((name for name in _models() if name in wanted), key=len, default=None)
        near = closest(root + wanted, [root + _told(rule, name) for rule in rules])
    routes = sorted({root + _told(rule) for rule in rules})
    return f"{nothing}{near} The routes are: {', '.join(routes)}."


def allowed() -> list[str]:
    """Return the methods that the address of this request takes, and OPTIONS."""
    places = current_app.url_map.bind("")
    matches = {method: places.match(request.path, method) for method in places.allowed_methods(request.path)}
    return [
        method
        for method, (endpoint, values) in sorted(matches.items())
        # No name has a colon: it is the verb of POST /v1/models/NAME:predict.
        if method == "OPTIONS" or (endpoint not in REFUSING and not any(":" in str(value) for value in values.values()))
    ]


def _is_there(path: str) -> bool:
    """Whether a path exists for some method and, if it names a model, whether that model exists."""
    places = current_app.url_map.bind("")
    try:
        found = [places.match(path, method) for method in places.allowed_methods(path)]
    except HTTPException:  # a redirect, as from two slashes to one
        return False
    return any(endpoint not in UNTOLD and given.get("name") in (None, *_models()) for endpoint, given in found)


def _models() -> Iterable[str]:
    return current_zoo().models


def _told(rule: str, name: str | None = None) -> str:
    """Return a route as docs/api.md writes it, such as /predict_NAME, or with a model's name in it."""
    filled = rule if name is None else rule.replace("<name>", name)
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: found[1].upper(), filled)
