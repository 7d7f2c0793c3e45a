"""The pages about the models: all of them, one of them, and several side by side. They show what the cards say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, abort, redirect, request, url_for
from flask_babel import format_date, gettext, lazy_gettext, ngettext
from werkzeug.wrappers import Response as Redirect

from webui import figures, snippets
from webui.api import asked_version
from webui.errors import HEADERS, Notice
from webui.figures import Pictures
from webui.pages import page
from zoo import comparing, listings
from zoo.checkpoints import CARD, HISTORY, Card, Evaluation
from zoo.errors import DatasetError, ModelUnavailable, UnknownCheckpoint, ZooError
from zoo.evaluation import worst
from zoo.listings import ModelFacts
from zoo.zoo import Zoo

MOST = 6  # compared side by side: as many as there are colours that can be told apart
DRAWN = 30  # pictures on a page

SORTS = {
    "name": lazy_gettext("Model"),
    "accuracy": lazy_gettext("Accuracy"),
    "parameters": lazy_gettext("Parameters"),
    "size": lazy_gettext("Size"),
    "epochs": lazy_gettext("Epochs"),
    "checkpoint": lazy_gettext("Checkpoint"),
    "state": lazy_gettext("State"),
}
"""The columns of the table of models."""


@dataclass(frozen=True, slots=True)
class Row:
    """A model in the table: its facts and the bytes of its checkpoint."""

    facts: ModelFacts
    size: int | None
    untrained: bool


@dataclass(frozen=True, slots=True)
class Look:
    """A model's checkpoint as a page shows it; `version` is None for the one that answers.

    Without a card, `problem` says why; with one, it says why the checkpoint cannot answer, if so.
    """

    name: str
    version: int | None
    card: Card | None
    problem: str | None
    colour: int = 1

    @property
    def key(self) -> str:
        """How an address names it."""
        return self.name if self.version is None else f"{self.name}/{self.version}"

    @property
    def size(self) -> int | None:
        """Bytes of all its files."""
        return sum(fact.bytes for fact in self.card.files.values()) if self.card else None

    @property
    def measured(self) -> Evaluation | None:
        return self.card.evaluation if self.card else None


def routes(zoo: Zoo) -> Blueprint:
    """`/models`, `/models/NAME`, `/models/NAME/VERSION` and `/compare` of a zoo."""
    models = Blueprint("models", __name__)
    pictures = Pictures()

    def look(name: str, version: int | None, colour: int = 1) -> Look:
        model = zoo.model(name)
        if version is None:
            return Look(name, None, model.card(), model.trouble(), colour)
        try:
            card = zoo.catalogue.card(*model.select(version))
        except ModelUnavailable as damaged:
            return Look(name, version, None, str(damaged), colour)
        return Look(name, version, card, model.trouble(version), colour)

    def untrained(name: str) -> bool:
        model = zoo.models[name]
        return model.family is not None and model.checkpoint == "latest" and not zoo.catalogue.versions(name)

    def drawn(one: Look, indices: Sequence[int]) -> dict[int, str]:
        if one.card is None or one.measured is None:
            return {}
        try:
            return pictures.of(one.measured, str(one.card.data.get("name", "")), indices)
        except DatasetError:
            return {}

    @models.get("/models")
    def index() -> Response:
        rows = []
        for facts in listings.models(zoo):
            card = zoo.models[facts.name].card()
            size = sum(fact.bytes for fact in card.files.values()) if card else None
            rows.append(Row(facts, size, facts.problem is not None and untrained(facts.name)))
        sort, falling = _asked_order()
        low = min((row.facts.interval[0] for row in rows if row.facts.interval), default=0.0)
        return _shown(
            "models/index.html",
            rows=_ordered(rows, sort, falling),
            sort=sort,
            falling=falling,
            columns=SORTS,
            floor=low - (1 - low) * 0.05,
        )

    @models.get("/models/<name>")
    @models.get("/models/<name>/<version>")
    def show(name: str, version: str | None = None) -> Response | Redirect:
        if version is None and (asked := asked_version()) is not None:
            zoo.model(name)
            return redirect(url_for("models.show", name=name, version=asked))
        one = look(name, None if version is None else _whole(version))
        model, card, measured = zoo.models[name], one.card, one.measured
        mistakes = worst(measured, DRAWN) if measured else []
        history = zoo.catalogue.history(card) if card else []
        return _shown(
            "models/show.html",
            one=one,
            summary=model.family.summary if model.family else card.summary if card else "",
            plugin=model.plugin,
            default=zoo.default_model == name,
            untrained=one.problem is not None and untrained(name),
            checkpoints=_checkpoints(name, one),
            history=history,
            columns=[column for column in figures.COLUMNS if any(column in row for row in history)],
            curves=figures.curves(history),
            reliability=measured
            and measured.calibration
            and figures.reliability([(one.name, 1, measured.calibration)]),
            panels=figures.robustness([(one.name, 1, measured.robustness)]) if measured and measured.robustness else [],
            confusion=figures.confusion(measured.confusion) if measured else [],
            mistakes=mistakes,
            drawn=drawn(one, [mistake.index for mistake in mistakes]),
            settings=figures.flat(card.settings if card else model.settings.model_dump(mode="json")),
            key=snippets.KEY if zoo.settings.server.keys else None,
            calls=snippets.calls(name, request.url_root, bool(zoo.settings.server.keys)) if version is None else [],
        )

    def _checkpoints(name: str, shown: Look) -> list[tuple[Look, bool]]:
        """Every version of a model, newest first, each with whether it is the one that answers."""
        try:
            selected = zoo.models[name].select()
        except ZooError:
            selected = None
        found = [(_listed(name, version), (name, version) == selected) for version in zoo.catalogue.versions(name)]
        if selected is not None and selected[0] != name and shown.version is None:
            found.append((shown, True))
        return found[::-1]

    def _listed(name: str, version: int) -> Look:
        try:
            return Look(name, version, zoo.catalogue.card(name, version), None)
        except ZooError as damaged:
            return Look(name, version, None, str(damaged))

    @models.get("/models/<name>/card.json", endpoint="card", defaults={"version": None})
    @models.get("/models/<name>/<version>/card.json", endpoint="card")
    def card(name: str, version: str | None) -> Response:
        """The card as it is on the disk."""
        return _file(name, version, CARD, "application/json")

    @models.get("/models/<name>/history.csv", endpoint="history", defaults={"version": None})
    @models.get("/models/<name>/<version>/history.csv", endpoint="history")
    def history(name: str, version: str | None) -> Response:
        """How the training went, as it is on the disk."""
        return _file(name, version, HISTORY, "text/csv")

    def _file(name: str, version: str | None, file: str, kind: str) -> Response:
        owner, number = zoo.model(name).select(None if version is None else _whole(version))
        try:
            content = (zoo.catalogue.path(owner, number) / file).read_bytes()
        except OSError:
            abort(404)
        response = Response(content, mimetype=kind, headers={**HEADERS, "Cache-Control": "no-cache"})
        response.headers["Content-Disposition"] = f'attachment; filename="{owner}-{number}-{file}"'
        response.add_etag()
        response.make_conditional(request)
        return response

    @models.get("/compare")
    def compare() -> Response:
        chosen: list[Look] = []
        for key in dict.fromkeys(request.args.getlist("m")):
            name, slash, version = key.partition("/")
            one = look(name, _whole(version) if slash else None, len(chosen) % MOST + 1)
            if one.card is None or one.card.ref not in {other.card.ref for other in chosen if other.card}:
                chosen.append(one)
        notice = _too_many(len(chosen)) if len(chosen) > MOST else None
        shown = [one for one in chosen if one.card is not None] if notice is None else []
        measured = [one for one in shown if one.measured is not None]
        evaluations = [one.measured for one in measured if one.measured is not None]
        alike = len(measured) > 1 and comparing.same_pictures(evaluations)
        splits = comparing.splits(evaluations) if alike else []
        histories = [(one.key, one.colour, zoo.catalogue.history(one.card)) for one in shown if one.card]
        robust = [
            (one.key, one.colour, e.robustness) for one, e in zip(measured, evaluations, strict=True) if e.robustness
        ]
        calibrated = [
            (one.key, one.colour, e.calibration) for one, e in zip(measured, evaluations, strict=True) if e.calibration
        ]
        settings = {one.key: figures.flat(one.card.settings) for one in shown if one.card}
        keys = dict.fromkeys(key for values in settings.values() for key in values)
        return _shown(
            "models/compare.html",
            400 if notice else 200,
            notice=notice,
            choices=[[look(name, None), *_others(name)] for name in zoo.models],
            chosen={one.key for one in chosen},
            shown=shown if len(shown) > 1 else [],
            missing=[one for one in chosen if one.card is None],
            measured=measured,
            alike=alike,
            pairs=comparing.pairs(evaluations) if alike else [],
            splits=splits[:DRAWN],
            apart=len(splits),
            drawn=drawn(measured[0], [split.index for split in splits[:DRAWN]]) if splits else {},
            curves=figures.curves_together(histories) if len(shown) > 1 else [],
            histories=[(name, {row.get("epoch"): row for row in rows}) for name, _, rows in histories if rows],
            epochs=sorted({row["epoch"] for _, _, rows in histories for row in rows if "epoch" in row}),
            reliability=figures.reliability(calibrated) if len(calibrated) > 1 else None,
            panels=figures.robustness(robust) if len(robust) > 1 else [],
            robust=robust,
            differing={
                key: [settings[one.key].get(key) for one in shown]
                for key in keys
                if len({settings[one.key].get(key) for one in shown}) > 1
            },
        )

    def _others(name: str) -> list[Look]:
        try:
            selected = zoo.models[name].select()
        except ZooError:
            selected = None
        versions = [version for version in zoo.catalogue.versions(name) if (name, version) != selected]
        return [_listed(name, version) for version in reversed(versions)]

    return models


def _shown(template: str, status: int = 200, **values: Any) -> Response:
    """A page that a browser may keep and ask again for, with what all these pages need."""
    response = page(
        template,
        status,
        word=figures.word,
        words=figures,
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


def _whole(text: str) -> int:
    """A version in an address. Raises UnknownCheckpoint."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 18 and int(text)):
        raise UnknownCheckpoint(f'"{text[:40]}" is no version. Give a whole number from 1, as in cnn/1.')
    return int(text)


def _asked_order() -> tuple[str | None, bool]:
    """By which column the table is to be ordered, if by any that there is, and whether from high to low."""
    wanted = request.args.get("sort")
    return (wanted if wanted in SORTS else None), request.args.get("order") == "desc"


def _ordered(rows: Sequence[Row], sort: str | None, falling: bool) -> list[Row]:
    """The rows by a column; those that have nothing in it come last either way."""

    def value(row: Row) -> Any:
        if sort == "size":
            return row.size
        if sort == "state":
            return not row.facts.available
        return getattr(row.facts, sort or "name")

    if sort is None:
        return list(rows)
    there = [row for row in rows if value(row) is not None]
    return sorted(there, key=value, reverse=falling) + [row for row in rows if value(row) is None]


def _too_many(count: int) -> Notice:
    return Notice(
        400,
        gettext("These are too many to be told apart"),
        ngettext(
            "%(count)s was chosen; at most %(most)s can be shown side by side.",
            "%(count)s were chosen; at most %(most)s can be shown side by side.",
            count,
            count=count,
            most=MOST,
        ),
        "",
    )
