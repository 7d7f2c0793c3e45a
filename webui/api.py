"""The routes for programs: a picture in and its digit out, what models there are, and whether the server can answer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint, request

from webui.errors import HEADERS, BadRequest, NoPicture
from zoo import listings
from zoo.errors import UnknownModel
from zoo.zoo import Zoo

Answer = tuple[Any, int, dict[str, str]]


def upload() -> bytes:
    """The bytes of the multipart part `file`. Raises NoPicture when there is none."""
    file = request.files.get("file")
    if file is None:
        raise NoPicture(f"{_found()} Send the picture as multipart/form-data in a part named file, {_example()}.")
    if not file.filename:
        raise NoPicture(f"The part file has an empty filename: no file was chosen. Choose one, {_example()}.")
    picture: bytes = file.read()
    return picture


def _found() -> str:
    kind = request.mimetype or "no content type"
    if kind != "multipart/form-data":
        return f"There is no picture: the request has {kind}."
    if "file" in request.form:
        return "There is no picture: the part file came as text, without a filename."
    parts = ", ".join([*request.files, *request.form]) or "none"
    return f"There is no picture: the form has no part named file (it has: {parts})."


def _example() -> str:
    return f"as in: curl -F file=@digit.png {request.base_url}"


def _version() -> int | None:
    """The checkpoint that `?version=` asks for. Raises BadRequest when it is no whole number."""
    text = request.args.get("version")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise BadRequest(f"version={text[:40]} is not a version. Give a whole number from 1, as in ?version=1.")
    return int(text)


def _trace() -> bool:
    """Whether `?trace=1` asks for what preprocessing did. Raises BadRequest when it says neither 1 nor 0."""
    text = request.args.get("trace", "0")
    if text not in ("0", "1"):
        raise BadRequest(
            f"trace={text[:40]} is neither 1 nor 0. Give ?trace=1 for what preprocessing did to the picture."
        )
    return text == "1"


def routes(zoo: Zoo) -> Blueprint:
    """`/predict…`, `/read`, `/api/models`, `/livez` and `/readyz` of a zoo."""
    api = Blueprint("api", __name__)

    @api.post("/predict")
    @api.post("/predict_<name>")
    def predict(name: str | None = None) -> Answer:
        zoo.model(name)
        if not request.query_string:
            return zoo.predict(name, upload()).to_dict(), 200, HEADERS
        return zoo.predict(name, upload(), version=_version()).to_dict(trace=_trace()), 200, HEADERS

    @api.post("/read")
    def read() -> Answer:
        """All the digits in a picture; `?model=` names a model other than the default one."""
        name = request.args.get("model")
        zoo.model(name)
        return zoo.read(name, upload(), version=_version()).to_dict(), 200, HEADERS

    @api.get("/api/models")
    def models() -> Answer:
        return [asdict(facts) for facts in listings.models(zoo)], 200, HEADERS

    @api.get("/livez")
    def livez() -> Answer:
        return {"live": True}, 200, HEADERS

    @api.get("/readyz")
    def readyz() -> Answer:
        try:
            model = zoo.model()
        except UnknownModel as error:
            return {"ready": False, "error": str(error)}, 503, HEADERS
        problem = model.trouble()
        if problem is not None:
            return {"ready": False, "model": model.name, "error": problem}, 503, HEADERS
        return {"ready": True, "model": model.name}, 200, HEADERS

    return api
