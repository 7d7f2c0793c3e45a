"""The front end: the page for people and the routes for programs. The only code that knows HTTP.

    from webui import create_app
    app = create_app()

is a standard WSGI app of the working folder's zoo. What is asked of a picture is asked of `Zoo`; nothing here decodes,
normalises or scores what was sent. It imports `zoo`; of that, the command alone imports it, to serve.
"""

from __future__ import annotations

import secrets
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from flask import Flask, Request, request
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
from webui.protocols import huggingface, inference_v2, tensorflow_serving
from webui.shortcut import Shortcut
from zoo.settings import ServerSettings
from zoo.zoo import Zoo

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

__all__ = ["create_app"]


class InMemory(Request):
    """A request whose uploads stay in memory, where the server holds the body already; no temporary file is written."""

    form_data_parser_class = Forms

    @cached_property
    def mimetype_params(self) -> dict[str, str]:
        """What the content type says besides the type; the boundary whole, as `webui.forms` finds it."""
        told: dict[str, str] = super().mimetype_params
        boundary = boundary_of(self.environ.get("CONTENT_TYPE", ""))
        return told if boundary is None else told | {"boundary": boundary}

    @cached_property
    def stream(self) -> IO[bytes]:
        """The body, inflated if it came compressed. Raises what `inflated` does."""
        limit = self.max_content_length
        sent = get_input_stream(self.environ, max_content_length=limit)
        coding = self.headers.get("Content-Encoding")
        return sent if coding is None or limit is None else BytesIO(inflated(sent.read(), coding, limit))

    @cached_property
    def root_url(self) -> str:
        """Where the zoo is, as the client calls it."""
        return self._address()

    @cached_property
    def base_url(self) -> str:
        """What the client asked for, without the query."""
        return self._address(self.path)

    def _address(self, path: str | None = None) -> str:
        """An address with the name that the client has for the server, decoded where Python can: IDNA 2003 alone."""
        try:
            return get_current_url(self.scheme, self.host, self.root_path, path)
        except UnicodeError:
            return get_current_url(self.scheme, "_", self.root_path, path).replace("://_", f"://{self.host}", 1)


class Front(Flask):
    """The app, and for `webui.bridge` what answers if the server refuses, what never waits, and what goes ahead."""

    request_class = InMemory
    json_provider_class = Compact
    refusals: WSGIApplication
    live: frozenset[str]
    ahead: Ahead | None = None

    def log_exception(self, exc_info: Any) -> None:
        """Into the log, with the path as it was asked for: decoded, it could make lines of its own there."""
        self.logger.error("%s %s failed", request.method, quote(request.path), exc_info=exc_info)


def create_app(zoo: Zoo | None = None, secret: str | None = None) -> Front:
    """The app that serves a zoo; None opens the working folder's. Raises SettingsError when its settings are wrong.

    Models are loaded when they are first asked; `zoo.warm()` beforehand loads them all. `secret` signs the cookies of
    those who sign in with a key, where `server.secret` does not; without either it is new, and this app's alone.
    """
    zoo = Zoo.open() if zoo is None else zoo
    app = Front(__name__)
    app.config["MAX_CONTENT_LENGTH"] = int(zoo.settings.server.max_body_mb * 1_000_000)
    app.config["MAX_FORM_PARTS"] = 1000 + zoo.settings.server.max_batch  # werkzeug's limit, and room for the pictures
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    Babel(app, locale_selector=pages.locale)
    app.extensions[ZOO] = zoo
    for part in (api, health, play, tensorflow_serving, inference_v2, huggingface, openapi, pages, models):
        app.register_blueprint(part.routes)
    metrics.watch(app, zoo)
    refusals = errors.handle(app, zoo, pages.page)
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
    """What is asked of a request before its view: first not to come too often, then a key, by its gate."""
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
    """What surrounds all answers, those to requests that the server refuses too."""
    placed = mounting.mounted(inner, settings.proxies, settings.prefix, lost)
    return headers.strict(cors.shared(placed, settings.cors_origins))
