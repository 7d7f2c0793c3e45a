"""The API's description: `/openapi.json` for programs, and `/docs` for people to read and try.

Programs get it in English whatever they accept. `?lang=`, which the page sends, asks for another language.
"""

from __future__ import annotations

from flask import Blueprint, Response, request
from flask_babel import gettext

from webui.current import current_zoo
from webui.jsons import HEADERS, Answer
from webui.openapi.document import document
from webui.openapi.translated import translated
from webui.openapi.words import interface
from webui.pages import asked_language, page

CSP = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of `/docs`, which allows the styles that RapiDoc writes into its own elements."""


routes = Blueprint("openapi", __name__)
"""The blueprint of `/openapi.json` and `/docs`."""


@routes.get("/openapi.json")
def described() -> Answer:
    """Return the OpenAPI document."""
    zoo = current_zoo()
    told = document(zoo, request.url_root.rstrip("/"), bool(zoo.settings.server.keys))
    return translated(told, gettext) if asked_language() not in (None, "en") else told, 200, HEADERS


@routes.get("/docs")
def docs() -> Response:
    """Return the page that shows it."""
    response = page("docs.html", interface=interface(), models=list(current_zoo().models))
    response.headers["Content-Security-Policy"] = CSP
    return response
