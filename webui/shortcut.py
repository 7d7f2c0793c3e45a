"""The shortest way to an answer: one picture at an address that predicts, with nothing asked besides, past Flask.

Flask's own part of such a request is as much work as a small network's. What is answered here is what `webui.api` would
answer, to the byte, and a test holds them together; whatever is unusual in a request leaves it to Flask, and so does an
error, which the view then tells. It stands behind the headers, origins and mount points that all answers have. Where
keys or rates are asked for, which are Flask's to check, it is not put up.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from webui.jsons import HEADERS, Compact
from webui.plain import sole_picture
from zoo.zoo import Zoo

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

FAILED = "zoo.failed"
"""Where in the environ an error waits for the view that tells it."""


def shortened(app: WSGIApplication, zoo: Zoo, written: Compact) -> WSGIApplication:
    """The same app, with a shorter way to its predictions."""
    addresses: dict[str, tuple[str, str | None]] = {"/predict": ("/predict", None)}
    for name in zoo.models:
        addresses[f"/predict_{name}"] = ("/predict_<name>", name)
        addresses[f"/api/models/{name}/predict"] = ("/api/models/<name>/predict", name)

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        address = addresses.get(environ["PATH_INFO"])
        if address is None or environ["REQUEST_METHOD"] != "POST" or environ["QUERY_STRING"]:
            return app(environ, start_response)
        picture = sole_picture(environ)
        if picture is None:
            return app(environ, start_response)
        rule, name = address
        try:
            answer = zoo.predict(name, picture).to_dict()
        except Exception as error:
            environ[FAILED] = error
            return app(environ, start_response)
        environ["zoo.route"] = rule
        body = written.line(answer)
        start_response(
            "200 OK",
            [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *HEADERS.items()],
        )
        return [body]

    return wrapped
