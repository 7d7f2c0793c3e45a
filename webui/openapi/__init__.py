"""The API's description of itself: `/openapi.json` for programs, and `/docs` for people to read and try.

Programs are told in English whatever they accept; `?lang=`, by which the page asks, says it in another language.
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
"""As on every page, but for the styles that RapiDoc writes into its own elements."""


routes = Blueprint("openapi", __name__)
"""`/openapi.json` and `/docs` of the zoo that the app serves."""


@routes.get("/openapi.json")
def described() -> Answer:
    zoo = current_zoo()
    told = document(zoo, request.url_root.rstrip("/"), bool(zoo.settings.server.keys))
    return translated(told, gettext) if asked_language() not in (None, "en") else told, 200, HEADERS


@routes.get("/docs")
def docs() -> Response:
    response = page("docs.html", interface=interface(), models=list(current_zoo().models))
    response.headers["Content-Security-Policy"] = CSP
    return response
