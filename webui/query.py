"""What a request asks for besides its picture, in its query or path: a model, a version, numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import request

from webui.faults import BadRequest
from zoo.types import Prediction

LONGEST = 40  # digits that are read of a number: more than any version has, few enough for a message
MOST_LABELS = 10**18 - 1  # largest `top`, as in the API description


@dataclass(frozen=True, slots=True)
class Asked:
    """What the query asks for: a version, the trace, and how many of the best labels."""

    version: int | None = None
    trace: bool = False
    top: int | None = None

    def of(self, prediction: Prediction) -> dict[str, Any]:
        """Return the JSON form of a prediction, with the trace and the best labels if they were asked for."""
        answer = prediction.to_dict(trace=self.trace)
        if self.top is not None:
            pairs = [{"label": label, "confidence": share} for label, share in prediction.best(self.top)]
            answer["top"] = pairs
        return answer


PLAIN = Asked()


def whole_number(text: str) -> int:
    """Return the whole number that a text spells in ASCII digits, or 0 if it spells none.

    Leading zeros are dropped. Only the first LONGEST digits are read; a number that is too large stays too large.
    """
    return int(text.lstrip("0")[:LONGEST] or 0) if text.isascii() and text.isdecimal() else 0


def is_number(text: str) -> bool:
    """Whether a text is a whole number of at most 18 digits, so that it fits in 64 bits."""
    return text.isascii() and text.isdecimal() and len(text) <= 18


def asked(key: str) -> str | None:
    """Return the value of a key in the query, or None. Raises BadRequest when it has two different values."""
    found = list(dict.fromkeys(request.args.getlist(key)))
    if len(found) > 1:
        raise BadRequest(f"The query has {key}={found[0][:40]} and {key}={found[1][:40]}. Give one of them.")
    return found[0] if found else None


def asked_version() -> int | None:
    """Return the checkpoint that `?version=` asks for, or None. Raises BadRequest unless it is a number from 1."""
    return _whole("version", "a version")


def asked_top() -> int | None:
    """Return how many of the best labels `?top=` asks for, or None.

    Raises BadRequest unless it is a whole number from 1 to MOST_LABELS.
    """
    top = _whole("top", "a number of labels")
    if top is not None and top > MOST_LABELS:
        raise BadRequest(f"top={top} is more labels than any model has. Give a whole number from 1, as in ?top=3.")
    return top


def asked_model(name: str | None) -> str | None:
    """Return the model that the path names, else that of `?model=`, else None.

    Raises BadRequest when they name two different models.
    """
    wanted = asked("model")
    if name is not None and wanted not in (None, name):
        raise BadRequest(f"The address names the model {name}, and ?model= another. Name only one.")
    return name if wanted is None else wanted


def asked_trace() -> bool:
    """Whether `?trace=1` asks for what preprocessing did. Raises BadRequest for a value other than 1 and 0."""
    text = asked("trace")
    if text not in (None, "0", "1"):
        raise BadRequest(
            f"trace={text[:40]} is neither 1 nor 0. Give ?trace=1 to see what preprocessing did to the picture."
        )
    return text == "1"


def _whole(key: str, what: str) -> int | None:
    """Return the whole number from 1 that the query gives for a key, or None. Raises BadRequest."""
    text = asked(key)
    if text is None:
        return None
    number = whole_number(text)
    if not number:
        raise BadRequest(f"{key}={text[:LONGEST]} is not {what}. Give a whole number from 1, as in ?{key}=1.")
    return number
