"""What a request asks for besides its picture, in the query and in addresses: a model, a version, numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import request

from webui.faults import BadRequest
from zoo.types import Prediction

LONGEST = 40  # digits of a number that are read: more than any version has, and few enough to be told
MOST_LABELS = 10**18 - 1  # as the description of the API has it


@dataclass(frozen=True, slots=True)
class Asked:
    """What the query asks for: a version, the trace, the best so many labels."""

    version: int | None = None
    trace: bool = False
    top: int | None = None

    def of(self, prediction: Prediction) -> dict[str, Any]:
        """The answer as it was asked for."""
        answer = prediction.to_dict(trace=self.trace)
        if self.top is not None:
            pairs = [{"label": label, "confidence": share} for label, share in prediction.best(self.top)]
            answer["top"] = pairs
        return answer


PLAIN = Asked()


def whole_number(text: str) -> int:
    """The number that a text says, 0 if none. What zeros lead to counts; of more than LONGEST digits the first are
    read, a number that is too large too."""
    return int(text.lstrip("0")[:LONGEST] or 0) if text.isascii() and text.isdecimal() else 0


def is_number(text: str) -> bool:
    """Whether a text is a whole number of at most 18 digits, which 64 bits hold."""
    return text.isascii() and text.isdecimal() and len(text) <= 18


def asked(key: str) -> str | None:
    """What the query says of a key. Raises BadRequest when it says two things."""
    found = list(dict.fromkeys(request.args.getlist(key)))
    if len(found) > 1:
        raise BadRequest(f"The query has {key}={found[0][:40]} and {key}={found[1][:40]}. Give one of them.")
    return found[0] if found else None


def asked_version() -> int | None:
    """The checkpoint that `?version=` asks for. Raises BadRequest when it is no whole number."""
    return _whole("version", "a version")


def asked_top() -> int | None:
    """How many labels `?top=` asks for. Raises BadRequest when it is no such number."""
    top = _whole("top", "a number of labels")
    if top is not None and top > MOST_LABELS:
        raise BadRequest(f"top={top} is more labels than any model has. Give a whole number from 1, as in ?top=3.")
    return top


def asked_model(name: str | None) -> str | None:
    """The model that the address names, or else `?model=`. Raises BadRequest when they name two."""
    wanted = asked("model")
    if name is not None and wanted not in (None, name):
        raise BadRequest(f"The address names the model {name}, and ?model= another one. Name one of them.")
    return name if wanted is None else wanted


def asked_trace() -> bool:
    """Whether `?trace=1` asks for what preprocessing did. Raises BadRequest when it says neither 1 nor 0."""
    text = asked("trace")
    if text not in (None, "0", "1"):
        raise BadRequest(
            f"trace={text[:40]} is neither 1 nor 0. Give ?trace=1 for what preprocessing did to the picture."
        )
    return text == "1"


def _whole(key: str, what: str) -> int | None:
    text = asked(key)
    if text is None:
        return None
    number = whole_number(text)
    if not number:
        raise BadRequest(f"{key}={text[:LONGEST]} is not {what}. Give a whole number from 1, as in ?{key}=1.")
    return number
