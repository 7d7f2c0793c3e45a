"""What the pages about models share: a checkpoint as they show it, and how they are sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Response, request
from flask_babel import format_date

from webui import figures
from webui.figures import Pictures
from webui.pages import page
from webui.query import LONGEST, whole_number
from zoo.cards import Card, Evaluation
from zoo.errors import DatasetError, ModelUnavailable, UnknownCheckpoint, ZooError
from zoo.zoo import Zoo

MOST = 6  # checkpoints side by side: as many as there are distinguishable colours
DRAWN = 30  # pictures on a page, at most
PICTURES = Pictures()


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A model's checkpoint as a page shows it; `version` is None for the one that answers.

    Without a card, `problem` says why there is none. With a card, it says why the checkpoint cannot answer, or is None.
    """

    name: str
    version: int | None
    card: Card | None
    problem: str | None
    colour: int = 1

    @property
    def key(self) -> str:
        """Its name in a URL: `cnn` or `cnn/1`."""
        return self.name if self.version is None else f"{self.name}/{self.version}"

    @property
    def size(self) -> int | None:
        """The size of all its files in bytes."""
        return sum(fact.bytes for fact in self.card.files.values()) if self.card else None

    @property
    def measured(self) -> Evaluation | None:
        return self.card.evaluation if self.card else None


class Exhibits:
    """The checkpoints of a zoo as the pages show them."""

    def __init__(self, zoo: Zoo) -> None:
        self.zoo = zoo

    def at(self, name: str, version: int | None = None, colour: int = 1) -> Exhibit:
        """Return a model's checkpoint, by default the one that answers. Raises UnknownModel, UnknownCheckpoint."""
        model = self.zoo.model(name)
        if version is None:
            return Exhibit(name, None, model.card(), model.trouble(), colour)
        try:
            card = self.zoo.catalogue.card(*model.select(version))
        except ModelUnavailable as damaged:
            return Exhibit(name, version, None, str(damaged), colour)
        return Exhibit(name, version, card, model.trouble(version), colour)

    def versions(self, name: str) -> list[Exhibit]:
        """Return every version that a model has, newest first."""
        return [self._listed(name, version) for version in reversed(self.zoo.catalogue.versions(name))]

    def _listed(self, name: str, version: int) -> Exhibit:
        try:
            return Exhibit(name, version, self.zoo.catalogue.card(name, version), None)
        except ZooError as damaged:
            return Exhibit(name, version, None, str(damaged))

    def selected(self, name: str) -> tuple[str, int] | None:
        """Return the model and version whose checkpoint answers for a model, or None if none does."""
        try:
            return self.zoo.models[name].answering()
        except ZooError:
            return None

    def drawn(self, one: Exhibit, indices: Sequence[int]) -> dict[int, str]:
        """Return pictures that a checkpoint was measured on, by index, as data: URLs; none if they are unavailable."""
        if one.card is None or one.measured is None:
            return {}
        try:
            return PICTURES.of(one.measured, str(one.card.data.get("name", "")), indices)
        except DatasetError:
            return {}


def shown(template: str, status: int = 200, **values: Any) -> Response:
    """Return a page about models, with an ETag so that a browser can keep it and ask again."""
    response = page(
        template,
        status,
        kind_name=partial(figures.word, figures.KINDS),
        unit_name=partial(figures.word, figures.UNITS),
        reason_name=partial(figures.word, figures.REASONS),
        rejected_name=partial(figures.word, figures.REJECTED),
        machine=figures.machine,
        flat=figures.flat,
        figure=figures.number,
        strength=figures.strength,
        duration=figures.duration,
        bytes=figures.size,
        date=lambda moment: format_date(moment, "long"),
        most=MOST,
        **values,
    )
    if status == 200:
        response.add_etag()
        response.make_conditional(request)
    return response


def whole(text: str) -> int:
    """Return the version in a URL. Raises UnknownCheckpoint unless it is a whole number from 1."""
    number = whole_number(text)
    if not number:
        raise UnknownCheckpoint(f'"{text[:LONGEST]}" is not a version. Give a whole number from 1, as in cnn/1.')
    return number
