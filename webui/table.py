"""The table of all models, in the order that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, request
from flask_babel import lazy_gettext

from webui.exhibits import Exhibits, shown
from zoo import listings
from zoo.listings import ModelFacts

SORTS = {
    "name": lazy_gettext("Model"),
    "accuracy": lazy_gettext("Accuracy"),
    "parameters": lazy_gettext("Parameters"),
    "size": lazy_gettext("Size"),
    "epochs": lazy_gettext("Epochs"),
    "checkpoint": lazy_gettext("Checkpoint"),
    "state": lazy_gettext("State"),
}
"""The columns of the table that it can be sorted by, and their titles."""


@dataclass(frozen=True, slots=True)
class Row:
    """A model in the table: its facts, the size of its checkpoint in bytes, and whether it is untrained."""

    facts: ModelFacts
    size: int | None
    untrained: bool


def table(exhibits: Exhibits) -> Response:
    """Return the page with the table of all models of a zoo."""
    rows = []
    for facts in listings.models(exhibits.zoo):
        size = exhibits.at(facts.name).size
        rows.append(Row(facts, size, facts.problem is not None and exhibits.zoo.models[facts.name].is_untrained))
    sort, falling = _asked_order()
    low = min((row.facts.interval[0] for row in rows if row.facts.interval), default=0.0)
    return shown(
        "models/index.html",
        rows=_ordered(rows, sort, falling),
        sort=sort,
        falling=falling,
        columns=SORTS,
        floor=low - (1 - low) * 0.05,
        ticked=[name for name in request.args.getlist("m") if name in exhibits.zoo.models],
    )


def _asked_order() -> tuple[str | None, bool]:
    """Return the column to sort by, or None, and whether from high to low."""
    wanted = request.args.get("sort")
    return (wanted if wanted in SORTS else None), request.args.get("order") == "desc"


def _ordered(rows: Sequence[Row], sort: str | None, falling: bool) -> list[Row]:
    """Return the rows sorted by a column. Rows that have nothing in it come last either way."""

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
