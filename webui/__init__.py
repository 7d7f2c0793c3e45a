"""The Flask front end: pages for people and HTTP routes for programs.

    from webui import create_app
    app = create_app()

returns a standard WSGI app that serves the zoo of the working folder. Only this package deals with HTTP; `zoo.Zoo`
decodes, normalises and scores the pictures. `webui` imports `zoo`; in `zoo`, only the command line imports `webui`.
"""

from __future__ import annotations

import secrets
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from flask import Flask, Request, Response, request
from flask_babel import Babel
from werkzeug.sansio.utils import get_current_url
from werkzeug.utils import cached_property
from werkzeug.wsgi import get_input_stream

from webui import access, api, cors, errors, headers, health, metrics, models, mounting, openapi, pages, play
from webui.current import ZOO
from webui.forms import Forms, boundary_of
from webui.gathering import Ahead
from webui.inflating import inflated
from webui.jsons import Compact
from webui.lost import allowed
from webui.protocols import huggingface, inference_v2, tensorflow_serving
from webui.shortcut import Shortcut
from zoo.settings import ServerSettings
from zoo.zoo import Zoo

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

__all__ = ["create_app"]


class InMemory(Request):
    """A request that keeps uploads in memory. The server already holds the body, so no temporary file is written."""

    form_data_parser_class = Forms

    @cached_property
    def mimetype_params(self) -> dict[str, str]:
        """The parameters of the content type, with the boundary as `webui.forms.boundary_of` reads it."""
        told: dict[str, str] = super().mimetype_params
        boundary = boundary_of(self.environ.get("CONTENT_TYPE", ""))
        return told if boundary is None else told | {"boundary": boundary}

    @cached_property
    def stream(self) -> IO[bytes]:
        """The request body, decompressed if need be. Raises what `webui.inflating.inflated` raises."""
        limit = self.max_content_length
        sent = get_input_stream(self.environ, max_content_length=limit)
        coding = self.headers.get("Content-Encoding")
        return sent if coding is None or limit is None else BytesIO(inflated(sent.read(), coding, limit))

    @cached_property
    def root_url(self) -> str:
        """The URL of the zoo's root, with the host as the client sent it."""
        return self._address()

    @cached_property
    def base_url(self) -> str:
        """The requested URL without its query, with the host as the client sent it."""
        return self._address(self.path)

    def _address(self, path: str | None = None) -> str:
        """Return a URL with the client's name for the server.

        Python decodes IDNA 2003 only; a host that it cannot decode is kept as sent.
        """
        try:
            return get_current_url(self.scheme, self.host, self.root_path, path)
        except UnicodeError:
            return get_current_url(self.scheme, "_", self.root_path, path).replace("://_", f"://{self.host}", 1)


class Front(Flask):
    """The Flask app, with what `webui.bridge` needs of it.

    `refusals` answers the requests that the server refuses, `live` are the paths that never wait for a thread, and
    `ahead` predicts several small pictures as one batch, or is None.
    """

    request_class = InMemory
    json_provider_class = Compact
    refusals: WSGIApplication
    live: frozenset[str]
    ahead: Ahead | None = None

    def make_default_options_response(self) -> Response:
        response = super().make_default_options_response()
        response.headers["Allow"] = ", ".join(allowed())
        del response.headers["Content-Type"]  # there is no body
        return response

    def log_exception(self, exc_info: Any) -> None:
        """Log a failed request with its path percent-encoded. A decoded path could add lines to the log."""
        self.logger.error("%s %s failed", request.method, quote(request.path), exc_info=exc_info)


def create_app(zoo: Zoo | None = None, secret: str | None = None) -> Front:
    """Return the WSGI app that serves a zoo; None opens the working folder's zoo.

    Models are loaded when they are first asked; call `zoo.warm()` beforehand to load them all. `secret` signs the
    cookies of people who sign in with a key, unless `server.secret` is set. Without either, the app makes a new secret
    of its own. Raises SettingsError when the zoo's settings are wrong.
    """
    zoo = Zoo.open() if zoo is None else zoo
    app = Front(__name__)
    app.config["MAX_CONTENT_LENGTH"] = int(zoo.settings.server.max_body_mb * 1_000_000)
    app.config["MAX_FORM_PARTS"] = 1000 + zoo.settings.server.max_batch  # Werkzeug's default, and the pictures
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    Babel(app, locale_selector=pages.locale)
    app.extensions[ZOO] = zoo
    for part in (api, health, play, tensorflow_serving, inference_v2, huggingface, openapi, pages, models):
        app.register_blueprint(part.routes)
    metrics.watch(app, zoo)
    refusals = errors.handle(app, zoo, pages.page, metrics.note_route)
    app.live = frozenset(zoo.settings.server.prefix + path for path in health.LIVE)
    gate = _guard(app, zoo.settings.server, secret)
    inner: WSGIApplication = app.wsgi_app
    if not zoo.settings.server.rate:
        assert isinstance(app.json, Compact)
        inner = shortcut = Shortcut(inner, zoo, app.json, gate)
        app.ahead = shortcut.ahead
    app.wsgi_app, app.refusals = (  # type: ignore[method-assign, assignment]
        _around(one, refusals, zoo.settings.server) for one in (inner, refusals)
    )
    return app


def _guard(app: Flask, settings: ServerSettings, secret: str | None) -> access.Gate | None:
    """Install the checks that run before every view: the rate limit, then the key. Returns the gate if keys are set."""
    if settings.rate:
        from webui.rate import limit

        limit(app, settings.rate)
    if not settings.keys:
        access.without_keys(app)
        return None
    from webui import signing

    gate = access.Gate(app, settings.keys, settings.secret or secret or secrets.token_hex(32))
    app.register_blueprint(signing.routes(gate))
    return gate


def _around(inner: WSGIApplication, lost: WSGIApplication, settings: ServerSettings) -> WSGIApplication:
    """Wrap the app, or what answers refused requests, in the mount point, CORS and headers of every response."""
    placed = mounting.mounted(inner, settings.proxies, settings.prefix, lost)
    return headers.strict(cors.shared(placed, settings.cors_origins))
