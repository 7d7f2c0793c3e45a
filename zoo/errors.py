"""What can go wrong, said so that the reader can act: what was found, what was expected, where, and what to do.

Each message is one or more plain lines for a person. What HTTP or a command answers to them is for `webui` and `cli` to
know; only `ServerError`, which the client raises, tells what HTTP told it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence


class ZooError(Exception):
    """Base of everything the zoo raises on purpose. `str(error)` is fit for a user's eyes."""


class SettingsError(ZooError):
    """Settings that cannot be used. `problems` has one line per mistake, each with file, key, value and remedy."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


class PluginError(ZooError):
    """A plugin that broke its contract: a hook that is missing, misspelt, raises, or answers the wrong thing."""


class DatasetError(ZooError):
    """Data that is absent, changed, or not what it says it is."""


class TrainingError(ZooError):
    """Training cannot start or go on; what was saved so far is kept."""


class UnknownModel(ZooError):
    """No model of that name is in the zoo."""


class UnknownCheckpoint(ZooError):
    """The model is known, the version asked for is not."""


class UnknownLabel(ZooError):
    """The model tells no such label."""


class ModelUnavailable(ZooError):
    """The model is in the zoo but cannot answer now: quarantined plugin, no checkpoint yet, or a damaged checkpoint."""


class CardChanged(ZooError):
    """A card no longer says what a measurement was made by; it is left as it is."""


class PictureError(ZooError):
    """A picture that cannot be read. The subclasses tell whose limit was met."""


class PictureBroken(PictureError):
    """Empty, truncated, or damaged."""


class PictureTooLarge(PictureError):
    """More bytes or more pixels than the limits allow."""


class PictureUnsupported(PictureError):
    """Not a picture, or a format that the zoo does not read."""


class NoInk(ZooError):
    """Nothing stands out from the ground of a picture. `reason` is `blank`, `no_contrast` or `too_many_objects`."""

    def __init__(self, message: str, reason: str = "blank") -> None:
        super().__init__(message)
        self.reason = reason


class ServerError(ZooError):
    """A server whose answer is no use: `status` is HTTP's, None where none came."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ServerUnreachable(ServerError):
    """Nobody answers at the address, or not in time."""


class ServerBusy(ServerError):
    """The server asks to be left alone for a while, and did so each time."""


class KeyRefused(ServerError):
    """The server wants a key, or another one."""


def counted(number: int, thing: str) -> str:
    """`1 byte`, `2,000 bytes`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def why(error: BaseException) -> str:
    """The line of another library's error that says why: Keras puts it in bold between a heading and the arguments."""
    lines = [re.sub(r"\x1b\[\d*m", "", line).strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith("Exception encountered when calling ")]
    while len(lines) > 1 and lines[0].endswith(":"):
        lines[:2] = [" ".join(lines[:2])]
    return lines[0][:400] if lines else type(error).__name__


def cut(text: str, most: int = 80) -> str:
    """What a message repeats of what was given to it: so many characters, and a sign that there are more."""
    return text if len(text) <= most else f"{text[:most]}…"


def ended(text: str) -> str:
    """A text that another sentence may follow: with a full stop, where it ends in no sign of its own."""
    text = text.rstrip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def closest(found: str, allowed: Iterable[str]) -> str:
    """` Did you mean "x"?` for the nearest of `allowed`, or nothing when none is near."""
    near = difflib.get_close_matches(found, list(allowed), n=1, cutoff=0.6)
    return f' Did you mean "{near[0]}"?' if near else ""
