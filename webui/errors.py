"""What went wrong, as HTTP says it: the status, JSON for programs, and a page in the reader's language for people."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask, Response, current_app, jsonify, request
from flask_babel import format_decimal, gettext, ngettext
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from zoo.errors import (
    ModelUnavailable,
    PictureBroken,
    PictureTooLarge,
    PictureUnsupported,
    PluginError,
    UnknownCheckpoint,
    UnknownLabel,
    UnknownModel,
    ZooError,
    closest,
    cut,
)
from zoo.zoo import Zoo

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEADERS = {"X-Content-Type-Options": "nosniff"}
"""What every answer to a program carries."""

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
"""Those to which an address of another server's protocol answers that there is nothing of the kind."""

PROTOCOLS = ("/v1", "/v2", "/hf")
"""Where other servers' protocols begin; nobody is answered a page there."""

PEOPLES = ("pages", "models", "signing")
"""Blueprints of pages for people."""

UNTOLD = ("static", "tensorflow_serving.other", "inference_v2.absent")
"""Endpoints that no message recommends: for files, and for what protocols do not have."""


class BadRequest(ZooError):
    """A request whose parameters make no sense."""


class NoPicture(BadRequest):
    """A request without a picture."""


class UnknownSample(ZooError):
    """A test picture that there is not."""


class WrongType(ZooError):
    """A request whose content type is none that is read."""


class TooMany(ZooError):
    """A request with more pictures than one may have."""


class Refused(ZooError):
    """A request that the server did not pass on, with the HTTP status that it gave as the reason."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Barred(ZooError):
    """A request that is not let in; its answer has `headers` besides."""

    def __init__(self, message: str, headers: dict[str, str]) -> None:
        super().__init__(message)
        self.headers = headers


class NoKey(Barred):
    """A request without a key, or with one that is not known: `reason` then is "invalid_token" (RFC 6750)."""

    def __init__(self, message: str, reason: str = "") -> None:
        error = f', error="{reason}"' if reason else ""
        super().__init__(message, {"WWW-Authenticate": f'Bearer realm="zoo"{error}'})


class Forbidden(Barred):
    """A request whose key lacks the scope."""

    def __init__(self, message: str, scope: str) -> None:
        challenge = f'Bearer realm="zoo", error="insufficient_scope", scope="{scope}"'
        super().__init__(message, {"WWW-Authenticate": challenge})


class Forged(ZooError):
    """A request with the page's cookie that the page did not send."""


class TooOften(Barred):
    """One request too many of a client, who may ask again after so many `seconds`."""

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(message, {"Retry-After": str(seconds)})
        self.seconds = seconds


class WrongCoding(Barred):
    """A request whose body is compressed in a way that is not read."""


class Unimplemented(ZooError):
    """A part of another server's protocol that the zoo does not have."""


STATUS: dict[type[ZooError], int] = {
    BadRequest: 400,
    NoKey: 401,
    Forbidden: 403,
    Forged: 403,
    TooOften: 429,
    UnknownLabel: 400,
    PictureBroken: 400,
    UnknownModel: 404,
    UnknownCheckpoint: 404,
    UnknownSample: 404,
    PictureTooLarge: 413,
    TooMany: 413,
    PictureUnsupported: 415,
    WrongType: 415,
    WrongCoding: 415,
    Unimplemented: 501,
    ModelUnavailable: 503,
    PluginError: 503,
}


@dataclass(frozen=True, slots=True)
class Notice:
    """A mishap for a page: what happened and what to do, translated; `detail` is the zoo's own text, in English."""

    status: int
    title: str
    advice: str
    detail: str


def status_of(error: ZooError | HTTPException) -> int:
    if isinstance(error, HTTPException):
        return error.code or 500
    if isinstance(error, Refused):
        return error.status
    return next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)


def headers_of(error: ZooError | HTTPException) -> dict[str, str]:
    """What an answer to a program carries besides the message; where another method is meant, `Allow` too."""
    methods = getattr(error, "valid_methods", None)
    told = {"Allow": ", ".join(sorted(methods))} if methods else {}
    return HEADERS | told | (error.headers if isinstance(error, Barred) else {})


def wants_page() -> bool:
    """Whether the client would rather have a page than JSON: it names text/html with more weight.

    Protocols know no pages. Elsewhere than at the pages themselves a client that takes either must be a browser, since
    libraries name text/html too, as Java's own does where nothing is said.
    """
    if protocol(request.path) is not None:
        return False
    json = _weight("application/json", request.accept_mimetypes.quality("application/json"))
    if _weight("text/html") <= json:
        return False
    is_browser = _weight("application/xhtml+xml") > 0  # which each of them names on its way to a page
    return is_browser or json == 0 or request.blueprint in PEOPLES


def _weight(kind: str, otherwise: float = 0) -> float:
    """What the client's Accept gives a media type that it names; else that of a wildcard, if any counts."""
    named = [weight for one, weight in request.accept_mimetypes if one.partition(";")[0].strip().lower() == kind]
    return max(named, default=otherwise)


def protocol(path: str) -> str | None:
    """The one of PROTOCOLS that a path belongs to."""
    return next((start for start in PROTOCOLS if path == start or path.startswith(f"{start}/")), None)


def message(error: ZooError | HTTPException) -> str:
    """The English text for programs: what was found, what was expected, what to do. It can be written as UTF-8."""
    if isinstance(error, ZooError):
        # Half of a surrogate pair comes from JSON, and is told back.
        return str(error).encode(errors="replace").decode() if status_of(error) != 500 else _FAULT
    limit = current_app.config["MAX_CONTENT_LENGTH"]
    if isinstance(error, RequestEntityTooLarge):
        length = request.content_length or 0
        if length > limit:
            return (
                f"The request has {length / 1e6:.1f} MB; the limit is {limit / 1e6:g} MB (server.max_body_mb). "
                "Send a smaller picture."
            )
        return "The form is too large or has too many fields. Send each picture in a part named file, and nothing else."
    if error.code == 404:
        return _lost()
    if error.code == 405:
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        return f"{cut(request.path)} does not take {cut(request.method)}. It takes: {allowed}."
    if error.code == 500:
        return _FAULT
    return error.description or error.name


def _lost() -> str:
    """What is said of an address where there is nothing: what may have been meant, and what there is.

    The latter to those alone whom the server lets in: without a key, addresses of files can be asked for.
    """
    from webui.access import is_known

    root, wanted = request.script_root, request.path.rstrip("/").lower()
    nothing = f"There is nothing at {root}{cut(request.path)}."
    if not is_known():
        return nothing
    rules = [rule.rule for rule in current_app.url_map.iter_rules() if rule.endpoint not in UNTOLD]
    told = {_told(rule): rule for rule in rules if protocol(rule) == protocol(wanted)}
    if _is_there(wanted):
        near = f' Did you mean "{root}{wanted}"?'
    else:
        name = max((name for name in _models() if name in wanted), key=len, default=None)
        near = closest(root + wanted, [root + _told(rule, name) for rule in told.values()])
    under = f" They begin at {root}." if root else ""
    return f"{nothing}{near} The routes are: {', '.join(sorted(told))}.{under}"


def _is_there(path: str) -> bool:
    """Whether there is something at a path by some method, and of a model that there is."""
    places = current_app.url_map.bind("")
    try:
        found = [places.match(path, method) for method in places.allowed_methods(path)]
    except HTTPException:  # a redirect, as from two slashes to one
        return False
    return any(endpoint not in UNTOLD and given.get("name") in (None, *_models()) for endpoint, given in found)


def _models() -> Iterable[str]:
    zoo: Zoo = current_app.extensions["zoo"]
    return zoo.models


def _told(rule: str, name: str | None = None) -> str:
    """A route as docs/api.md writes it, /predict_NAME, or with the name of a model."""
    filled = rule if name is None else rule.replace("<name>", name)
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: found[1].upper(), filled)


_FAULT = "Something went wrong in the server. What it was is in the server's log; the request may be tried again."


def explain(error: ZooError | HTTPException, zoo: Zoo) -> Notice:
    """The same mishap for a person."""
    status = status_of(error)
    title, advice = _words(error, status, zoo)
    return Notice(status, title, advice, "" if isinstance(error, NoPicture) else message(error))


def _words(error: ZooError | HTTPException, status: int, zoo: Zoo) -> tuple[str, str]:
    if isinstance(error, NoPicture):
        return gettext("No picture has arrived"), gettext("Choose a picture of one handwritten digit, then predict.")
    if isinstance(error, PictureBroken):
        return (
            gettext("This picture cannot be read"),
            gettext("It is empty, cut short or damaged. Save it again, or choose another."),
        )
    if isinstance(error, TooOften):
        return gettext("Too many requests"), ngettext(
            "Please wait %(num)s second, then try again.", "Please wait %(num)s seconds, then try again.", error.seconds
        )
    if isinstance(error, NoKey):
        return gettext("A key, please"), ""
    if isinstance(error, Forbidden):
        return gettext("Your key does not allow this"), gettext(
            "Sign in with another, or ask whoever runs this zoo for one."
        )
    if isinstance(error, Forged):
        return gettext("This page is out of date"), gettext("Go back to the front page and try again.")
    if isinstance(error, TooMany | WrongType | WrongCoding):
        return gettext("This request cannot be answered"), gettext("Go back to the front page and try again.")
    if isinstance(error, UnknownModel):
        return gettext("There is no such model"), gettext("Choose one of the models in the list.")
    if isinstance(error, UnknownSample):
        return gettext("There is no such test picture"), gettext("Choose one of the digits to try.")
    if isinstance(error, UnknownCheckpoint):
        return gettext("There is no such checkpoint"), gettext("Leave the version out to get the current one.")
    if status == 413:
        pictures, server = zoo.settings.pictures, zoo.settings.server
        return gettext("This picture is too large"), gettext(
            "At most %(mb)s MB and %(megapixels)s megapixels are taken. Make it smaller, or cut it down to the digit.",
            mb=format_decimal(min(pictures.max_mb, server.max_body_mb)),
            megapixels=format_decimal(pictures.max_megapixels),
        )
    if status == 415:
        return (
            gettext("This file is not a picture that can be read"),
            gettext("Choose a PNG, JPEG, GIF, WebP or BMP picture."),
        )
    if status == 408:
        return gettext("This upload took too long"), gettext("Choose a smaller picture, or try again on a faster line.")
    if isinstance(error, Refused) and status == 503:
        return gettext("Too much is being sent just now"), gettext("Please try again in a moment.")
    if status == 503:
        return gettext("This model cannot answer now"), gettext("Choose another one: the others go on answering.")
    if status == 404:
        return (
            gettext("Nothing lives at this address"),
            gettext("It may be misspelt, or have moved. All models are on the front page."),
        )
    if status == 405:
        return gettext("This address is for programs"), gettext("To read a digit by hand, use the front page.")
    if status == 500:
        return (
            gettext("Something went wrong here"),
            gettext("It is no fault of yours or your picture's, and has been noted in the log. Please try again."),
        )
    return gettext("This request cannot be answered"), gettext("Go back to the front page and try again.")


def handle(app: Flask, zoo: Zoo, page: Callable[..., Response]) -> WSGIApplication:
    """Answer every mishap of an app: JSON, or a page for those who would rather have one.

    Returns a WSGI app that answers in the same way what the server refuses; see `webui.bridge`.
    """
    app.extensions["zoo"] = zoo  # whose models' names a message may tell

    def answer(error: ZooError | HTTPException) -> Response:
        status = status_of(error)
        if wants_page():
            template = "login.html" if isinstance(error, NoKey) else "error.html"
            response = page(template, status, notice=explain(error, zoo), error=type(error).__name__)
        else:
            response = jsonify(error=message(error))
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
            if request.url_rule is not None:
                environ["zoo.route"] = request.url_rule.rule
            return answer(Refused(*environ["zoo.refusal"]))(environ, start_response)

    return refusals
