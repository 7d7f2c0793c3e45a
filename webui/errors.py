"""Responses to errors: JSON for programs, a page for people."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from webui.environ import REFUSAL, ROUTE
from webui.faults import NoKey, Refused, headers_of, status_of
from webui.lost import protocol
from webui.notices import as_json, explain, message
from zoo.errors import ZooError
from zoo.zoo import Zoo

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PEOPLES = ("pages", "models", "signing")
"""The blueprints of pages for people."""


def wants_page() -> bool:
    """Whether the client prefers a page to JSON: it names text/html with more weight.

    The protocols of other servers have no pages. Outside the blueprints in PEOPLES, a client that takes either must
    also look like a browser, because HTTP libraries name text/html too; Java's does so by default.
    """
    if protocol(request.path) is not None:
        return False
    json = _weight("application/json", request.accept_mimetypes.quality("application/json"))
    if _weight("text/html") <= json:
        return False
    is_browser = _weight("application/xhtml+xml") > 0  # every browser names it when it opens a page
    return is_browser or json == 0 or request.blueprint in PEOPLES


def _weight(kind: str, otherwise: float = 0) -> float:
    """Return the weight that Accept gives a media type by name, else `otherwise`."""
    named = [weight for one, weight in request.accept_mimetypes if one.partition(";")[0].strip().lower() == kind]
    return max(named, default=otherwise)


def handle(app: Flask, zoo: Zoo, page: Callable[..., Response], note: Callable[[], None]) -> WSGIApplication:
    """Register the error handlers of an app: JSON, or a page for clients that prefer one.

    Returns a WSGI app that answers the requests that the server refuses in the same way; see `webui.bridge`. It calls
    `note` first, as the app does before each view, unless the route is known.
    """

    def answer(error: ZooError | HTTPException) -> Response:
        status = status_of(error)
        if wants_page():
            template = "login.html" if isinstance(error, NoKey) else "error.html"
            response = page(template, status, notice=explain(error, zoo), error=type(error).__name__)
        else:
            response = jsonify(as_json(error) if protocol(request.path) is None else {"error": message(error)})
            response.status_code = status
        response.headers.update(headers_of(error))
        response.vary.add("Accept")
        return response

    @app.errorhandler(ZooError)
    def from_zoo(error: ZooError) -> Response:
        if status_of(error) == 500:
            app.log_exception(sys.exc_info())
        return answer(error)

    @app.errorhandler(HTTPException)
    def from_http(error: HTTPException) -> Response:
        return answer(error)

    def refusals(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with app.request_context(environ):
            if ROUTE not in environ:
                note()
            return answer(Refused(*environ[REFUSAL]))(environ, start_response)

    return refusals
