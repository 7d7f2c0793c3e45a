"""The errors that the zoo raises.

Each message is one or more plain lines for a person: what was found, what was expected, where, and what to do. `webui`
maps the errors to HTTP statuses and `zoo.cli` to exit codes; only `ServerError`, which the client raises, carries an
HTTP status itself.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence


class ZooError(Exception):
    """Base class of everything the zoo raises on purpose. `str(error)` can be shown to a user."""


class NotCompiled(ZooError, ImportError):
    """The zoo is installed without its compiled modules, or with those of another Python."""


class SettingsError(ZooError):
    """The settings cannot be used. `problems` has one line per mistake, with file, key, value and remedy."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


class PluginError(ZooError):
    """A plugin broke its contract: a hook is missing, misspelt, raises, or returns the wrong thing."""


class DatasetError(ZooError):
    """A dataset is missing, has changed, or is not what it claims to be."""


class TrainingError(ZooError):
    """Training cannot start or continue. What was saved so far is kept."""


class UnknownModel(ZooError):
    """The zoo has no model of that name."""


class UnknownCheckpoint(ZooError):
    """The model exists, but the requested version does not."""


class UnknownLabel(ZooError):
    """The model has no such label."""


class ModelUnavailable(ZooError):
    """The model exists but cannot answer now: its plugin is quarantined, or its checkpoint is missing or damaged."""


class CardChanged(ZooError):
    """A card was recalibrated while its checkpoint was measured. The measurement is dropped, the card unchanged."""


class PictureError(ZooError):
    """A picture cannot be read. The subclasses say why."""


class PictureBroken(PictureError):
    """The picture is empty, truncated or damaged."""


class PictureTooLarge(PictureError):
    """The picture has more bytes or pixels than the limits allow."""


class TooManyMegapixels(PictureTooLarge):
    """The picture and those before it have more pixels than all pictures of one request may have together."""


class PictureUnsupported(PictureError):
    """The data is not a picture, or in a format that the zoo does not read."""


class NoInk(ZooError):
    """Nothing stands out from a picture's background. `reason` is one of `zoo.types.NOTHING`."""

    def __init__(self, message: str, reason: str = "blank") -> None:
        super().__init__(message)
        self.reason = reason


class ServerError(ZooError):
    """A server gave no usable response. `status` is the HTTP status, or None without a response."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ServerUnreachable(ServerError):
    """No server responds at the address, or not in time."""


class ServerBusy(ServerError):
    """The server is overloaded or limits the rate, and still was after all retries."""


class KeyRefused(ServerError):
    """The server requires a key, or refuses the one that was sent."""


def counted(number: int, thing: str) -> str:
    """Format a number with its noun: `1 byte`, `2,000 bytes`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def reason_of(error: BaseException) -> str:
    """Return the line of another library's error that gives the reason, up to 400 characters.

    Keras prints it in bold between a heading and the call's arguments.
    """
    lines = [re.sub(r"\x1b\[\d*m", "", line).strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith("Exception encountered when calling ")]
    while len(lines) > 1 and lines[0].endswith(":"):
        lines[:2] = [" ".join(lines[:2])]
    return lines[0][:400] if lines else type(error).__name__


def cut(text: str, most: int = 80) -> str:
    """Shorten user input for a message to `most` characters, with "…" in place of the rest."""
    return text if len(text) <= most else f"{text[:most]}…"


def ended(text: str) -> str:
    """Return the text with a full stop unless it already ends a sentence, so that another sentence can follow."""
    text = text.rstrip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def closest(found: str, allowed: Iterable[str]) -> str:
    """Return ` Did you mean "x"?` for the nearest of `allowed`, or "" when none is close."""
    near = difflib.get_close_matches(found, list(allowed), n=1, cutoff=0.6)
    return f' Did you mean "{near[0]}"?' if near else ""
