"""The front end: the page for people and the routes for programs. The only code that knows HTTP.

    from webui import create_app
    app = create_app()

is a standard WSGI app of the working folder's zoo. What is asked of a picture is asked of `Zoo.predict`; nothing here
decodes, normalises or scores. It imports `zoo`, never the other way round.
"""

from __future__ import annotations

from flask import Flask
from flask.json.provider import DefaultJSONProvider
from flask_babel import Babel

from webui import api, errors, pages
from zoo.zoo import Zoo

__all__ = ["create_app"]


def create_app(zoo: Zoo | None = None) -> Flask:
    """The app that serves a zoo; None opens the working folder's. Raises SettingsError when its settings are wrong.

    Models are loaded when they are first asked; `zoo.warm()` beforehand loads them all.
    """
    zoo = Zoo.open() if zoo is None else zoo
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = int(zoo.settings.server.max_body_mb * 1_000_000)
    assert isinstance(app.json, DefaultJSONProvider)
    app.json.sort_keys = False
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    Babel(app, locale_selector=pages.locale)
    app.register_blueprint(api.routes(zoo))
    app.register_blueprint(pages.routes(zoo))
    errors.handle(app, zoo, pages.page)
    return app
