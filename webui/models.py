"""The pages about the models: all of them, one of them, and several side by side. They show what the cards say."""

from __future__ import annotations

from flask import Blueprint, Response, abort, redirect, request, url_for
from werkzeug.wrappers import Response as Redirect

from webui import figures, snippets
from webui.compare import compared
from webui.current import current_zoo
from webui.exhibits import DRAWN, Exhibit, Exhibits, shown, whole
from webui.jsons import HEADERS
from webui.query import asked_version
from webui.table import table
from zoo.checkpoints import CARD, HISTORY
from zoo.evaluation import worst

routes = Blueprint("models", __name__)
"""The blueprint of `/models`, `/models/NAME`, `/models/NAME/VERSION` and `/compare`."""


@routes.get("/models")
def index() -> Response:
    """Return the table of all models."""
    return table(Exhibits(current_zoo()))


@routes.get("/models/<name>")
@routes.get("/models/<name>/<version>")
def show(name: str, version: str | None = None) -> Response | Redirect:
    """Return the page of a model, or of one of its checkpoints. `?version=` redirects to the latter."""
    zoo = current_zoo()
    exhibits = Exhibits(zoo)
    if version is None and (asked := asked_version()) is not None:
        zoo.model(name)
        return redirect(url_for("models.show", name=name, version=asked))
    one = exhibits.at(name, None if version is None else whole(version))
    model, card, measured = zoo.models[name], one.card, one.measured
    mistakes = worst(measured, DRAWN) if measured else []
    history = zoo.catalogue.history(card) if card else []
    own = model.settings.model_dump(mode="json") if model.family else {}  # only its plugin knows them
    return shown(
        "models/show.html",
        one=one,
        summary=model.family.summary if model.family else card.summary if card else "",
        plugin=model.plugin,
        default=zoo.default_model == name,
        untrained=one.problem is not None and model.is_untrained,
        checkpoints=_checkpoints(exhibits, name, one),
        history=history,
        columns={name: title for name, title in figures.COLUMNS.items() if any(name in row for row in history)},
        curves=figures.curves(history),
        guessed=figures.guessed(measured) if measured else 0,
        reliability=measured and measured.calibration and figures.reliability([(one.name, 1, measured.calibration)]),
        panels=figures.robustness([(one.name, 1, measured.robustness)]) if measured and measured.robustness else [],
        confusion=figures.confusion(measured.confusion) if measured else [],
        mistakes=mistakes,
        drawn=exhibits.drawn(one, [mistake.index for mistake in mistakes]),
        settings=figures.flat(card.settings if card else own),
        key=snippets.KEY if zoo.settings.server.keys else None,
        calls=snippets.calls(name, request.url_root, bool(zoo.settings.server.keys)) if version is None else [],
    )


def _checkpoints(exhibits: Exhibits, name: str, one: Exhibit) -> list[tuple[Exhibit, bool]]:
    """Return every version of a model, newest first, each with whether it is the one that answers.

    A checkpoint that the model borrows from another one comes first.
    """
    selected = exhibits.selected(name)
    found = [(other, (name, other.version) == selected) for other in exhibits.versions(name)]
    another = selected is not None and selected[0] != name and one.version is None
    return [(one, True), *found] if another else found


@routes.get("/models/<name>/card.json", endpoint="card", defaults={"version": None})
@routes.get("/models/<name>/<version>/card.json", endpoint="card")
def card(name: str, version: str | None) -> Response:
    """Return the card as it is on disk."""
    return _file(name, version, CARD, "application/json")


@routes.get("/models/<name>/history.csv", endpoint="history", defaults={"version": None})
@routes.get("/models/<name>/<version>/history.csv", endpoint="history")
def history(name: str, version: str | None) -> Response:
    """Return the training history as it is on disk."""
    return _file(name, version, HISTORY, "text/csv")


def _file(name: str, version: str | None, file: str, kind: str) -> Response:
    """Return a file of a checkpoint as a download.

    Responds with 404 when it is missing, a link, not a regular file, or not what the card says.
    """
    zoo = current_zoo()
    model = zoo.model(name)
    owner, number = model.answering() if version is None else model.select(whole(version))
    path = zoo.catalogue.path(owner, number) / file
    if path.is_symlink() or not path.is_file():
        abort(404)
    try:
        content = zoo.catalogue.content(zoo.catalogue.card(owner, number), file)
    except OSError:
        abort(404)
    response = Response(content, mimetype=kind, headers={**HEADERS, "Cache-Control": "no-cache"})
    response.headers["Content-Disposition"] = f'attachment; filename="{owner}-{number}-{file}"'
    response.add_etag()
    response.make_conditional(request)
    return response


@routes.get("/compare")
def compare() -> Response:
    """Return the comparison of the models or checkpoints named by `?m=`."""
    return compared(Exhibits(current_zoo()), request.args.getlist("m"))
