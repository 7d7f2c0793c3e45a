"""The shortest way to an answer: one picture at an address that predicts, with nothing asked besides, past Flask.

Flask's own part of such a request is as much work as a small network's. What is answered here is what `webui.api` would
answer, to the byte, and a test holds them together; whatever is unusual in a request leaves it to Flask, and so does an
error, which the view then tells. It stands behind the headers, origins and mount points that all answers have. Where
keys are asked for, it takes requests that have one in a header; where rates are, which Flask counts, it is not put up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from webui.access import Gate
from webui.jsons import HEADERS, Compact
from webui.metrics import answering
from webui.plain import sole_picture
from zoo.errors import ZooError
from zoo.types import Prediction
from zoo.zoo import Zoo

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

FAILED = "zoo.failed"
"""Where in the environ an error waits for the view that tells it."""

KNOWN = "zoo.known"
"""Where in the environ an answer waits that was found ahead, with others."""


class Shortcut:
    """An app with a shorter way to its predictions."""

    def __init__(self, app: WSGIApplication, zoo: Zoo, written: Compact, gate: Gate | None) -> None:
        self._app, self._zoo, self._written, self._gate = app, zoo, written, gate
        self._addresses: dict[str, tuple[str, str | None]] = {"/predict": ("/predict", None)}
        for name in zoo.models:
            self._addresses[f"/predict_{name}"] = ("/predict_<name>", name)
            self._addresses[f"/api/models/{name}/predict"] = ("/api/models/<name>/predict", name)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        asked = self._asked(environ, environ["PATH_INFO"])
        if asked is None:
            return self._app(environ, start_response)
        rule, name, picture = asked
        try:
            answer = self._answer(environ, name, picture)
        except Exception as error:
            environ[FAILED] = error
            return self._app(environ, start_response)
        environ["zoo.route"] = rule
        body = self._written.line(answer.to_dict())
        start_response(
            "200 OK",
            [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *HEADERS.items()],
        )
        return [body]

    def ahead(self, environs: Sequence[WSGIEnvironment]) -> None:
        """Find the answers to several requests, as they came to the server, before the app is called for each."""
        together: dict[str | None, list[tuple[WSGIEnvironment, bytes]]] = {}
        for environ in environs:
            asked = self._asked(environ, environ["PATH_INFO"].removeprefix(self._zoo.settings.server.prefix))
            if asked is not None:
                together.setdefault(asked[1], []).append((environ, asked[2]))
        for name, those in together.items():
            if len(those) > 1:
                with suppress(Exception):  # then each is asked for by itself, and told what is wrong
                    answers = self._zoo.predict_many(name, [picture for _, picture in those])
                    for (environ, _), answer in zip(those, answers.untraced(), strict=True):
                        environ[KNOWN] = answer

    def _asked(self, environ: WSGIEnvironment, path: str) -> tuple[str, str | None, bytes] | None:
        """The rule, the model's name if there is one, and the picture of a request for a prediction and no more."""
        address = self._addresses.get(path)
        if address is None or environ["REQUEST_METHOD"] != "POST" or environ["QUERY_STRING"]:
            return None
        picture = sole_picture(environ)
        if picture is None or not (self._gate is None or self._gate.admits(environ)):
            return None
        return *address, picture

    def _answer(self, environ: WSGIEnvironment, name: str | None, picture: bytes) -> Prediction:
        known: Prediction | ZooError | None = environ.pop(KNOWN, None)
        if known is None:
            return self._zoo.predict(name, picture)
        answering.set(name or self._zoo.default_model)
        if isinstance(known, ZooError):
            raise known
        return known
