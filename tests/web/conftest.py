"""The app of the repository's zoo, a zoo to be harmed, and a real Chromium that visits a running server."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from asking import ROOT
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Page, expect, sync_playwright
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Response

from webui import create_app
from zoo import Zoo

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

expect.set_options(timeout=20_000)  # ms; a machine that is busy with other things is slow, and its pages right

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
]
Opener = Callable[..., Page]


@pytest.fixture(scope="module")
def zoo() -> Zoo:
    return Zoo.open(ROOT)


@pytest.fixture(scope="module")
def app(zoo: Zoo) -> Flask:
    return create_app(zoo)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def own_zoo(tmp_path: Path) -> Path:
    """A copy of the zoo, to be harmed."""
    for part in ("plugins", "checkpoints"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "settings.toml", tmp_path)
    return tmp_path


class Quiet(WSGIRequestHandler):
    """A handler that leaves the test's output alone."""

    def log(self, type: str, message: str, *args: Any) -> None:
        pass


def whole(app: Flask) -> WSGIApplication:
    """The same app, its answers read and closed before they are sent.

    werkzeug's server leaves the file of an answer open when the browser resets the connection meanwhile.
    """

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return Response.from_app(app, environ, buffered=True)(environ, start_response)

    return answer


class Site:
    """The app of the repository's zoo on a port of its own, which can be stopped and started again."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._port = 0
        self._server: BaseWSGIServer | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        self._server = make_server("127.0.0.1", self._port, whole(self._app), threaded=True, request_handler=Quiet)
        self._port = self._server.port
        threading.Thread(target=self._server.serve_forever).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@pytest.fixture(scope="module")
def host() -> Iterator[Site]:
    """A running server with the zoo of the repository."""
    zoo = Zoo.open(ROOT)
    zoo.warm()
    site = Site(create_app(zoo))
    yield site
    site.stop()


@pytest.fixture(scope="module")
def site(host: Site) -> str:
    """Its address."""
    return host.url


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser, site: str) -> Iterator[Opener]:
    """Opens a page, the front page by default, in a fresh profile.

    Afterwards nothing may have failed, or been asked of another host; answers with an error status and lost servers,
    which Chromium reports too, are brought about by the tests themselves.
    """
    contexts, troubles, asked = [], [], []

    def opened(path: str = "/", **options: Any) -> Page:
        context = chromium.new_context(**{"locale": "en-US", "viewport": {"width": 1280, "height": 900}} | options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda line: troubles.append(line.text) if line.type in ("error", "warning") else None)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(site + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    expected = (
        "the server responded with a status of",
        "ERR_CONNECTION_RE",
        "ERR_EMPTY_RESPONSE",
        "ERR_SOCKET_NOT_CONNECTED",
    )
    brought_about = [trouble for trouble in troubles if any(words in trouble for words in expected)]
    assert [trouble for trouble in troubles if trouble not in brought_about or "status of 500" in trouble] == []
    assert not [url for url in asked if not url.startswith((f"{site}/", "data:", f"blob:{site}"))]
