"""The page for people: choose a model, send a picture, read the digit. All of it works without JavaScript."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request
from flask_babel import format_decimal, format_percent, get_locale, gettext, lazy_gettext
from werkzeug.exceptions import RequestEntityTooLarge

from webui.errors import Notice, explain, wants_page
from webui.inputs import upload
from zoo import listings
from zoo.errors import ZooError
from zoo.listings import ModelFacts
from zoo.types import Prediction
from zoo.zoo import Zoo

LANGUAGES = {"en": "English", "pt-BR": "Português"}
"""The page's languages by their BCP 47 tags, each by its own name."""

REMEMBERED = 365 * 24 * 3600  # seconds that a choice of language lasts
ACCEPT = "image/png,image/jpeg,image/gif,image/webp,image/bmp"
HEADERS = {
    "Cache-Control": "private, no-cache",
    "Vary": "Accept-Language, Cookie",
}
BUILT_IN = (
    lazy_gettext("Convolutional network: two convolutions with max-pooling, then a dense layer"),
    lazy_gettext("Deep convolutional network: seven convolutions with batch normalisation, trained on varied pictures"),
    lazy_gettext("Ensemble: the mean answer of three deep networks that differ in their seed, joined into one graph"),
    lazy_gettext("Small dense network on the bare pixels"),
    lazy_gettext(
        "Tiny convolutional network: five 3x3 convolutions with batch normalisation in fewer than 10,000 parameters"
    ),
)
"""What the zoo's own plugins say of themselves, for the translators; the page translates a summary that it knows."""


def asked_language() -> str | None:
    """The language that `?lang=` names."""
    wanted = request.args.get("lang", "")
    return wanted if wanted in LANGUAGES else None


def language() -> str:
    """The page's language: asked for now, asked for before, or else the first known one of Accept-Language."""
    wanted = asked_language() or request.cookies.get("lang")
    if wanted in LANGUAGES:
        return wanted
    known = {tag.partition("-")[0]: tag for tag in LANGUAGES}
    for tag, quality in request.accept_languages:
        primary = tag.lower().partition("-")[0]
        if quality > 0 and primary in known:
            return known[primary]
    return "en"


def locale() -> str:
    """The same for Babel, which writes pt_BR."""
    return language().replace("-", "_")


def page(template: str, status: int = 200, **values: Any) -> Response:
    """A template in the reader's language, with the headers that every page carries."""
    html = render_template(
        template,
        lang=str(get_locale()).replace("_", "-"),
        languages=LANGUAGES,
        percent=percent,
        number=format_decimal,
        known=known,
        **values,
    )
    response = make_response(html, status, HEADERS)
    asked = asked_language()
    if asked:
        path, secure = request.script_root or "/", request.is_secure
        response.set_cookie("lang", asked, REMEMBERED, path=path, httponly=True, samesite="Lax", secure=secure)
    return response


def percent(share: float, places: int = 2) -> str:
    """A share in 0-1 as the language writes it. What is not quite 0 or 1 never looks as if it were."""
    return _percent(str(get_locale()), share, places)


@lru_cache(maxsize=10_000)
def _percent(locale: str, share: float, places: int) -> str:
    """Remembered for each locale, since a page of figures has many that are the same, and Babel takes its time."""
    step = 10.0 ** -(places + 2)
    pattern = f"0.{'0' * places}\N{NO-BREAK SPACE}%"
    if 0 < share < step / 2:
        return f"<\N{NO-BREAK SPACE}{format_percent(step, pattern)}"
    if 1 - step / 2 <= share < 1:
        return f">\N{NO-BREAK SPACE}{format_percent(1 - step, pattern)}"
    return str(format_percent(share, pattern))


def known(summary: str) -> str:
    """A plugin's summary in the reader's language, if the catalogue has it."""
    return str(gettext(summary)) if summary else ""


def seen(prediction: Prediction) -> str | None:
    """The picture that the model saw, as a data: URL of a PNG; None when there was nothing to see."""
    if prediction.trace is None or (prediction.rejected and prediction.trace.box is None):
        return None
    return f"data:image/png;base64,{prediction.trace.to_dict()['seen']}"


def why_rejected(prediction: Prediction) -> str:
    """What a picture without a digit lacks, or what is told from it all the same."""
    reason = prediction.reason
    if reason == "several_objects":
        return str(
            gettext(
                "The picture shows more than one thing. The one most like a digit would be %(label)s.",
                label=prediction.label,
            )
        )
    if reason == "not_a_digit":
        return str(
            gettext(
                "That does not look like a digit. If it is one, it is most likely %(label)s.", label=prediction.label
            )
        )
    if reason == "blank":
        return str(gettext("The picture is blank: no ink stands out from its ground."))
    if reason == "no_contrast":
        return str(gettext("The picture has too little contrast: its ink hardly stands out from its ground."))
    return str(gettext("The picture shows no digit that can be read (%(reason)s).", reason=reason))


def preselected(models: list[ModelFacts], wanted: str | None) -> str | None:
    """The model that the form proposes: the wanted one, else the default, else the first that can answer."""
    able = [facts for facts in models if facts.available]
    able.sort(key=lambda facts: (facts.name != wanted, not facts.default))
    return able[0].name if able else None


def routes(zoo: Zoo) -> Blueprint:
    """The front page of a zoo."""
    pages = Blueprint("pages", __name__)

    def front(wanted: str | None, prediction: Prediction | None = None, notice: Notice | None = None) -> Response:
        models = listings.models(zoo)
        return page(
            "index.html",
            notice.status if notice else 200,
            models=models,
            untrained={facts.name for facts in models if facts.problem and _untrained(facts.name)},
            chosen=preselected(models, wanted),
            default=next((facts.name for facts in models if facts.default), None),
            prediction=prediction,
            picture=seen(prediction) if prediction else None,
            rejection=why_rejected(prediction) if prediction and prediction.rejected else None,
            notice=notice,
            accept=ACCEPT,
        )

    def _untrained(name: str) -> bool:
        model = zoo.models[name]
        return model.family is not None and model.checkpoint == "latest" and not zoo.catalogue.versions(name)

    @pages.get("/")
    def index() -> Response:
        return front(request.args.get("model"))

    @pages.post("/")
    def answer() -> Response:
        wanted = None
        try:
            wanted = request.form.get("model_type") or None
            zoo.model(wanted)
            prediction = zoo.predict(wanted, upload())
        except (ZooError, RequestEntityTooLarge) as error:
            if not wants_page():
                raise
            return front(wanted, notice=explain(error, zoo))
        return front(prediction.model, prediction)

    return pages
