"""The comparison page: two or more models or checkpoints side by side, where they differ and on which pictures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from flask import Response
from flask_babel import gettext, ngettext

from webui import figures
from webui.exhibits import DRAWN, MOST, Exhibit, Exhibits, shown, whole
from webui.notices import Notice
from webui.query import LONGEST
from zoo import comparing
from zoo.errors import UnknownCheckpoint, UnknownModel


def compared(exhibits: Exhibits, asked: Iterable[str]) -> Response:
    """Return the page that compares models or checkpoints, each named as `cnn` or `cnn/1`.

    Its status is 400 for more than MOST of them, and 404 if one is unknown.
    """
    keys = list(dict.fromkeys(asked))
    chosen, unknown, again = _choice(exhibits, keys if len(keys) <= MOST else [])
    notice = _too_many(len(keys)) if len(keys) > MOST else None
    told = [one for one in chosen if one.card is not None]
    measured = [one for one in told if one.measured is not None]
    evaluations = [one.measured for one in measured if one.measured is not None]
    alike = len(measured) > 1 and comparing.same_pictures(evaluations)
    splits = comparing.splits(evaluations) if alike else []
    histories = [(one.key, one.colour, exhibits.zoo.catalogue.history(one.card)) for one in told if one.card]
    robust = [(one.key, one.colour, e.robustness) for one, e in zip(measured, evaluations, strict=True) if e.robustness]
    calibrated = [
        (one.key, one.colour, e.calibration) for one, e in zip(measured, evaluations, strict=True) if e.calibration
    ]
    settings = {one.key: figures.flat(one.card.settings) for one in told if one.card}
    named = dict.fromkeys(key for values in settings.values() for key in values)
    return shown(
        "models/compare.html",
        400 if notice else 404 if unknown else 200,
        notice=notice,
        choices=[[exhibits.at(name), *_others(exhibits, name)] for name in exhibits.zoo.models],
        chosen=set(keys) if notice else {one.key for one in chosen},
        shown=told if len(told) > 1 else [],
        missing=[*unknown, *again, *(one for one in chosen if one.card is None)],
        measured=measured,
        alike=alike,
        pairs=comparing.pairs(evaluations) if alike else [],
        splits=splits[:DRAWN],
        apart=len(splits),
        drawn=exhibits.drawn(measured[0], [split.index for split in splits[:DRAWN]]) if splits else {},
        curves=figures.curves_together(histories) if len(told) > 1 else [],
        histories=[(name, {row.get("epoch"): row for row in rows}) for name, _, rows in histories if rows],
        epochs=sorted({row["epoch"] for _, _, rows in histories for row in rows if "epoch" in row}),
        reliability=figures.reliability(calibrated) if len(calibrated) > 1 else None,
        panels=figures.robustness(robust) if len(robust) > 1 else [],
        robust=robust,
        differing={
            key: [settings[one.key].get(key) for one in told]
            for key in named
            if len({settings[one.key].get(key) for one in told}) > 1
        },
    )


def _choice(exhibits: Exhibits, keys: Iterable[str]) -> tuple[list[Exhibit], list[Exhibit], list[Exhibit]]:
    """Return the exhibits for keys such as `cnn/1`: those to compare, unknown ones, and repeated checkpoints.

    Each key costs a look at the disk or a search for similar names.
    """
    chosen: list[Exhibit] = []
    unknown: list[Exhibit] = []
    again: list[Exhibit] = []
    for key in keys:
        name, slash, version = key.partition("/")
        try:
            one = exhibits.at(name, whole(version) if slash else None, len(chosen) + 1)
        except (UnknownModel, UnknownCheckpoint) as error:
            unknown.append(Exhibit(key[:LONGEST] or "?", None, None, str(error)))
            continue
        same = next((other for other in chosen if one.card and other.card and other.card.ref == one.card.ref), None)
        if same is None:
            chosen.append(one)
        elif one.card and same.key != one.key:
            again.append(replace(one, problem=f"It is the same checkpoint as {same.key}: {one.card.ref}."))
    return chosen, unknown, again


def _others(exhibits: Exhibits, name: str) -> list[Exhibit]:
    """Return the versions of a model other than the one that answers for it."""
    selected = exhibits.selected(name)
    return [one for one in exhibits.versions(name) if (name, one.version) != selected]


def _too_many(count: int) -> Notice:
    """Return the notice for a choice of more than MOST."""
    return Notice(
        400,
        gettext("Too many to compare"),
        ngettext(
            "You chose %(count)s; at most %(most)s can be shown side by side.",
            "You chose %(count)s; at most %(most)s can be shown side by side.",
            count,
            count=count,
            most=MOST,
        ),
        "",
    )
