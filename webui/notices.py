"""Error messages: in English for programs; in the reader's language, with advice, for people."""

from __future__ import annotations

from dataclasses import dataclass

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
    TooOften,
    UnknownSample,
    WrongCoding,
    WrongType,
    status_of,
)
from webui.lost import lost
from zoo.errors import PictureBroken, UnknownCheckpoint, UnknownModel, ZooError, cut
from zoo.zoo import Zoo

_FAULT = "Something went wrong in the server. What it was is in the server's log; the request may be tried again."


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
        return f"{cut(request.path)} does not take {cut(request.method)}. It takes: {allowed}."
    if error.code == 500:
        return _FAULT
    return error.description or error.name


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
