"""What the protocols share: the versions of a model that they can name, and answers to all pictures or none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flask import Blueprint
from numpy.typing import NDArray
from werkzeug.exceptions import HTTPException

from webui import inputs
from webui.faults import headers_of, status_of
from webui.inputs import Sent
from webui.jsons import Answer
from webui.notices import message
from zoo import images
from zoo.answers import Answers
from zoo.errors import PictureError, PictureTooLarge, UnknownCheckpoint, ZooError
from zoo.models import Model
from zoo.zoo import Zoo

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
"""The methods of the routes that answer for what a protocol does not have."""


class BadPicture(PictureError):
    """One of several pictures that cannot be read, in a protocol that then answers none."""


def status(error: ZooError) -> int:
    """Return the HTTP status of an error. A bad picture is a bad request in these protocols, unless it is too large."""
    found = error.__cause__ if isinstance(error, BadPicture) and isinstance(error.__cause__, ZooError) else error
    return 400 if isinstance(found, PictureError) and not isinstance(found, PictureTooLarge) else status_of(found)


def handle(routes: Blueprint) -> None:
    """Answer the errors of a protocol's routes in JSON, whatever the client accepts."""

    @routes.errorhandler(ZooError)
    def from_zoo(error: ZooError) -> Answer:
        found = status(error)
        return {"error": str(error) if found != 500 else message(error)}, found, headers_of(error)

    @routes.errorhandler(HTTPException)
    def from_http(error: HTTPException) -> Answer:
        return {"error": message(error)}, status_of(error), headers_of(error)


def versions(zoo: Zoo, model: Model) -> list[int]:
    """Return the versions that can be asked for, oldest first: the model's own, or the one that it borrows."""
    owner, own = model.answering()
    return zoo.catalogue.versions(model.name) if owner == model.name else [own]


def checkpoint(model: Model, version: int | None) -> int | None:
    """Return a version as `Zoo` takes it: None for the one that answers anyway, which is loaded already.

    Raises UnknownCheckpoint.
    """
    if version is None:
        return None
    owner, own = model.answering()
    if version == own:
        return None
    if owner != model.name:
        raise UnknownCheckpoint(f'Model "{model.name}" answers with checkpoint {owner}/{own} and has no other version.')
    return model.select(version)[1]


def labelled(zoo: Zoo, model: Model, label: str) -> int | None:
    """Return the version that a label names, or None for an unknown label.

    `stable` is the version that answers when none is named, `latest` the newest one trained with the settings. Raises
    UnknownCheckpoint.
    """
    if label == "stable":
        return model.answering()[1]
    if label == "latest":
        owner, own = model.answering()
        return own if owner != model.name else zoo.catalogue.select(model.name, "latest")[1]
    return None


def answers(
    zoo: Zoo, model: Model, sent: Sequence[Sent] | NDArray[np.uint8], version: int | None, where: str
) -> Answers:
    """Return the answers to all pictures, in their order.

    Raises BadPicture for the first picture that cannot be read; its message begins with `where` and the picture's
    index. Raises TooMany too, and what `Zoo.predict_many` raises.
    """
    inputs.check_number(zoo, len(sent))
    with images.together():
        found = zoo.predict_many(model.name, sent, version=version)
    for place, error in sorted(found.errors.items()):
        raise BadPicture(f"{where}[{place}]: {error}") from error
    return found
