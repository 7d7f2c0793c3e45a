"""A shorter way to an answer, past Flask, for one picture at an address that predicts, with nothing else asked.

Flask's own part of such a request costs as much as a small network. The response is byte for byte the one of
`webui.api`; a test compares them. Unusual requests are left to Flask. So are errors, which the view then reports. The
shortcut sits inside the headers, CORS and mount point of all responses. Where keys are set, it takes only requests with
a key in a header. It is not installed where a rate limit is set, because Flask counts those requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from webui.access import Gate
from webui.environ import FAILED, KNOWN, ROUTE
from webui.jsons import HEADERS, Compact
from webui.metrics import answering
from webui.plain import sole_picture
from zoo.errors import ZooError
from zoo.types import Prediction
from zoo.zoo import Zoo

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Shortcut:
    """A WSGI app that answers plain predictions itself and passes every other request on to `app`."""

    def __init__(self, app: WSGIApplication, zoo: Zoo, written: Compact, gate: Gate | None) -> None:
        self._app, self._zoo, self._written, self._gate = app, zoo, written, gate
        self._addresses: dict[str, tuple[str, str | None]] = {"/predict": ("/predict", None)}
        for name in zoo.models:
            self._addresses[f"/predict_{name}"] = ("/predict_<name>", name)
            self._addresses[f"/api/models/{name}/predict"] = ("/api/models/<name>/predict", name)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        plain = self._plain(environ, environ["PATH_INFO"])
        if plain is None:
            return self._app(environ, start_response)
        rule, name, picture = plain
        try:
            answer = self._answer(environ, name, picture)
        except Exception as error:
            environ[FAILED] = error
            return self._app(environ, start_response)
        environ[ROUTE] = rule
        body = self._written.line(answer.to_dict())
        start_response(
            "200 OK",
            [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *HEADERS.items()],
        )
        return [body]

    def ahead(self, environs: Sequence[WSGIEnvironment]) -> None:
        """Predict the pictures of several requests in one batch, before the app is called for each.

        The environs are as the server received them. Raises nothing: if a batch fails, each request is predicted alone
        and reports its own error.
        """
        together: dict[str | None, list[tuple[WSGIEnvironment, bytes]]] = {}
        for environ in environs:
            plain = self._plain(environ, environ["PATH_INFO"].removeprefix(self._zoo.settings.server.prefix))
            if plain is not None:
                together.setdefault(plain[1], []).append((environ, plain[2]))
        for name, those in together.items():
            if len(those) > 1:
                with suppress(Exception):  # then each is predicted alone and reports what is wrong
                    answers = self._zoo.predict_many(name, [picture for _, picture in those])
                    for (environ, _), answer in zip(those, answers.untraced(), strict=True):
                        environ[KNOWN] = answer

    def _plain(self, environ: WSGIEnvironment, path: str) -> tuple[str, str | None, bytes] | None:
        """Return the rule, the model's name (None for the default) and the picture of a plain prediction, else None."""
        address = self._addresses.get(path)
        if address is None or environ["REQUEST_METHOD"] != "POST" or environ["QUERY_STRING"]:
            return None
        picture = sole_picture(environ)
        if picture is None:
            return None
        if not (self._gate is None or KNOWN in environ or self._gate.admits(environ)):  # `ahead` has checked the key
            return None
        return *address, picture

    def _answer(self, environ: WSGIEnvironment, name: str | None, picture: bytes) -> Prediction:
        """Return the answer that was found ahead, or else predict now."""
        known: Prediction | ZooError | None = environ.pop(KNOWN, None)
        if known is None:
            return self._zoo.predict(name, picture)
        answering.set(name or self._zoo.default_model)
        if isinstance(known, ZooError):
            raise known
        return known
