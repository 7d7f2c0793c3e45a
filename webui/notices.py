"""Error messages: in English for programs; in the reader's language, with advice, for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import current_app, request
from flask_babel import format_decimal, gettext, ngettext
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from webui.faults import (
    Forbidden,
    Forged,
    NoKey,
    NoPicture,
    Refused,
    TooMany,
    TooManyPictures,
    TooOften,
    UnknownSample,
    WrongCoding,
    WrongType,
    code_of,
    status_of,
)
from webui.lost import lost
from zoo.errors import PictureBroken, UnknownCheckpoint, UnknownModel, ZooError, cut
from zoo.zoo import Zoo

_FAULT = "Something went wrong on the server. See the server's log for details. You may send the request again."


def message(error: ZooError | HTTPException) -> str:
    """Return the English message for programs: what was found, what was expected, what to do.

    It can always be encoded as UTF-8. What went wrong inside the server (status 500) is left to the log.
    """
    if isinstance(error, ZooError):
        # JSON may hold half of a surrogate pair, and messages quote what was sent.
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
        return lost()
    if error.code == 405:
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        return f"{cut(request.path)} does not allow {cut(request.method)}. Use: {allowed}."
    if error.code == 500:
        return _FAULT
    return error.description or error.name


def as_json(error: ZooError | HTTPException) -> dict[str, Any]:
    """Return an error as the zoo's own routes send it: its message, its code, and the limit that was exceeded, if any.

    Other servers' protocols have shapes of their own.
    """
    found: dict[str, Any] = {"error": message(error), "code": code_of(error)}
    return found | {"limit": error.limit} if isinstance(error, TooManyPictures) else found


@dataclass(frozen=True, slots=True)
class Notice:
    """An error for a page. Title and advice are translated; `detail` is the zoo's own message, in English."""

    status: int
    title: str
    advice: str
    detail: str


def explain(error: ZooError | HTTPException, zoo: Zoo) -> Notice:
    """Return the notice of an error, in the reader's language."""
    status = status_of(error)
    title, advice = _words(error, status, zoo)
    return Notice(status, title, advice, "" if isinstance(error, NoPicture) else message(error))


def _words(error: ZooError | HTTPException, status: int, zoo: Zoo) -> tuple[str, str]:
    """Return the title and the advice for an error."""
    if isinstance(error, NoPicture):
        return gettext("No picture received"), gettext("Choose a picture of one handwritten digit, then click Predict.")
    if isinstance(error, PictureBroken):
        return (
            gettext("This picture cannot be read"),
            gettext("It is empty, truncated or damaged. Save it again, or choose another."),
        )
    if isinstance(error, TooOften):
        return gettext("Too many requests"), ngettext(
            "Please wait %(num)s second, then try again.", "Please wait %(num)s seconds, then try again.", error.seconds
        )
    if isinstance(error, NoKey):
        return gettext("Sign in with a key"), ""
    if isinstance(error, Forbidden):
        return gettext("Your key does not allow this"), gettext(
            "Use another key, or ask the zoo's administrator for one."
        )
    if isinstance(error, Forged):
        return gettext("This page is out of date"), gettext("Go back to the front page and try again.")
    if isinstance(error, TooMany | WrongType | WrongCoding):
        return gettext("This request cannot be answered"), gettext("Go back to the front page and try again.")
    if isinstance(error, UnknownModel):
        return gettext("Model not found"), gettext("It may have been renamed or removed. Choose another model.")
    if isinstance(error, UnknownSample):
        return gettext("Test picture not found"), gettext("Choose one of the digits to try.")
    if isinstance(error, UnknownCheckpoint):
        return gettext("Checkpoint not found"), gettext("Leave out the version to get the current one.")
    if status == 413:
        pictures, server = zoo.settings.pictures, zoo.settings.server
        return gettext("This picture is too large"), gettext(
            "The limit is %(mb)s MB and %(megapixels)s megapixels. Make it smaller, or crop it to the digit.",
            mb=format_decimal(min(pictures.max_mb, server.max_body_mb)),
            megapixels=format_decimal(pictures.max_megapixels),
        )
    if status == 415:
        return (
            gettext("This file is not a supported picture"),
            gettext("Choose a PNG, JPEG, GIF, WebP or BMP picture."),
        )
    if status == 408:
        return gettext("This upload took too long"), gettext("Choose a smaller picture, or use a faster connection.")
    if isinstance(error, Refused) and status == 503:
        return gettext("The server is busy"), gettext("Please try again in a moment.")
    if status == 503:
        return gettext("This model cannot answer now"), gettext("Choose another one; the others still answer.")
    if status == 404:
        return (
            gettext("Page not found"),
            gettext("The address may be misspelt or old. All models are on the front page."),
        )
    if status == 405:
        return gettext("This address is for programs"), gettext("To try the models, use the front page.")
    if status == 500:
        return (
            gettext("Something went wrong"),
            gettext("The problem is on the server, not in your picture. It has been logged. Please try again."),
        )
    return gettext("This request cannot be answered"), gettext("Go back to the front page and try again.")
