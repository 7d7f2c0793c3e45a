"""The front page: draw or send a picture, and choose the model that reads it.

Everything the form does works without JavaScript.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, make_response, render_template, request, url_for
from flask_babel import format_decimal, format_percent, get_locale, gettext, lazy_gettext
from werkzeug.exceptions import RequestEntityTooLarge

from webui import inputs, samples, snippets
from webui.current import current_zoo
from webui.errors import wants_page
from webui.faults import UnknownSample
from webui.figures import or_dash
from webui.inline import data_url
from webui.notices import Notice, explain
from webui.plain import PICTURES
from webui.play import votes
from webui.words import mishaps, words
from zoo import listings
from zoo.arena import Verdict
from zoo.errors import ModelUnavailable, UnknownModel, ZooError
from zoo.listings import ModelFacts
from zoo.types import DIGITS, NOTHING, REASONS, Prediction, Reading

LANGUAGES = {"en": "English", "pt-BR": "Português"}
"""The languages of the pages: BCP 47 tag to the language's own name."""

REMEMBERED = 365 * 24 * 3600  # seconds that the choice of a language is kept
ACCEPT = ",".join(PICTURES)
HEADERS = {
    "Cache-Control": "private, no-cache",
    "Vary": "Accept-Language, Cookie",
}
BUILT_IN = (
    lazy_gettext("Convolutional network: two convolutions with max-pooling, then a dense layer"),
    lazy_gettext("Deep convolutional network: seven convolutions with batch normalisation, trained on varied pictures"),
    lazy_gettext(
        "Ensemble: three deep networks and one of another kind look at a picture turned and scaled a little, in one "
        "graph"
    ),
    lazy_gettext("Small dense network on the bare pixels"),
    lazy_gettext(
        "Tiny convolutional network: five 3x3 convolutions with batch normalisation in fewer than 10,000 parameters"
    ),
)
"""The summaries of the zoo's own plugins, for the translators. A page translates those that the catalogue has."""


def asked_language() -> str | None:
    """Return the language that `?lang=` names, or None if it names none of LANGUAGES."""
    wanted = request.args.get("lang", "")
    return wanted if wanted in LANGUAGES else None


def language() -> str:
    """Return the tag of the page's language.

    It is the first of: `?lang=`, the cookie of an earlier choice, the best known language of Accept-Language, English.
    """
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
    """Return the page's language as Babel writes it, such as pt_BR."""
    return language().replace("-", "_")


def page(template: str, status: int = 200, **values: Any) -> Response:
    """Render a template in the reader's language, with the headers that every page has.

    A language named by `?lang=` is remembered in a cookie.
    """
    html = render_template(
        template,
        switch=switch,
        lang=str(get_locale()).replace("_", "-"),
        languages=LANGUAGES,
        percent=percent,
        number=or_dash(format_decimal),
        known=known,
        **values,
    )
    response = make_response(html, status, HEADERS)
    asked = asked_language()
    if asked:
        path, secure = request.script_root or "/", request.is_secure
        response.set_cookie("lang", asked, REMEMBERED, path=path, httponly=True, samesite="Lax", secure=secure)
    return response


def switch(tag: str) -> str:
    """Return the URL of this page in another language.

    Where the page cannot be requested again, such as the response to a form, it is the front page's URL.
    """
    here = request.endpoint or ""
    if request.method not in ("GET", "HEAD") or here.partition(".")[0] not in ("pages", "models", "openapi"):
        return url_for("pages.index", lang=tag)
    asked = [(key, value) for key, value in request.args.items(multi=True) if key != "lang"]
    query = urlencode([*asked, ("lang", tag)])  # url_for would take some names as its own arguments
    return f"{url_for(here, **(request.view_args or {}))}?{query}"


@or_dash
def percent(share: float, places: int = 2) -> str:
    """Return a share of 0-1 as a percentage in the reader's language.

    A share that would only round to 0 or 1 is written with < or >.
    """
    return _percent(str(get_locale()), share, places)


@lru_cache(maxsize=10_000)
def _percent(locale: str, share: float, places: int) -> str:
    """Format a percentage for a locale. Cached, because a page repeats many figures and Babel is slow."""
    step = 10.0 ** -(places + 2)
    pattern = f"0.{'0' * places}\N{NO-BREAK SPACE}%"
    if 0 < share < step / 2:
        return f"<\N{NO-BREAK SPACE}{format_percent(step, pattern)}"
    if 1 - step / 2 <= share < 1:
        return f">\N{NO-BREAK SPACE}{format_percent(1 - step, pattern)}"
    return str(format_percent(share, pattern))


def known(summary: str) -> str:
    """Return a plugin's summary in the reader's language, or unchanged if the catalogue lacks it."""
    return str(gettext(summary)) if summary else ""


def seen(prediction: Prediction) -> str | None:
    """Return the picture that the model saw, as a data: URL of a PNG, or None if there was nothing to see."""
    if prediction.trace is None or prediction.trace.is_empty:
        return None
    return data_url(prediction.trace.seen)


def no_digit(prediction: Prediction) -> str:
    """Return the short text that stands in place of a rejected picture's digit."""
    texts = words()
    return (
        texts["nothing"] if seen(prediction) is None else texts.get(f"no_{prediction.reason}", texts["no_not_a_digit"])
    )


def why_rejected(prediction: Prediction) -> str:
    """Return the sentence that says why a picture was rejected, with the most likely label where there is one."""
    texts, reason = words(), prediction.reason or ""
    told = texts[reason] if reason in {*REASONS, *NOTHING} else texts["other_reason"]
    return told % {"label": prediction.label, "reason": reason}


def preselected(models: list[ModelFacts], wanted: str | None) -> str | None:
    """Return the model that the form preselects, or None if no model can answer.

    It is the wanted one, else the default, else the first that can answer.
    """
    able = [facts for facts in models if facts.available]
    able.sort(key=lambda facts: (facts.name != wanted, not facts.default))
    return able[0].name if able else None


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows beside the form; any of it may be missing."""

    prediction: Prediction | None = None
    notice: Notice | None = None
    sample: int | None = None
    verdict: Verdict | None = None
    reading: Reading | None = None
    several: Sequence[tuple[str, Prediction | Notice]] = ()


def asked_sample() -> int | None:
    """Return the index of the test picture that `?sample=` names, or None if there is no such picture."""
    text = request.args.get("sample", "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 5):
        return None
    return int(text) if int(text) < samples.COUNT else None


routes = Blueprint("pages", __name__)
"""The blueprint of the front page, `/`."""


def _front(wanted: str | None, shown: Shown) -> Response:
    """Return the front page: the form with a model preselected, and `shown` beside it."""
    zoo = current_zoo()
    models = listings.models(zoo)
    prediction = shown.prediction
    cards = {facts.name: zoo.models[facts.name].card() for facts in models}
    chosen, keyed = preselected(models, wanted), bool(zoo.settings.server.keys)
    return page(
        "index.html",
        shown.notice.status if shown.notice else 200,
        models=models,
        untrained={facts.name for facts in models if facts.problem and zoo.models[facts.name].is_untrained},
        labels={name: list(card.labels) for name, card in cards.items() if card and tuple(card.labels) != DIGITS},
        chosen=chosen,
        call=snippets.calls(chosen, request.url_root, keyed)[0].code if chosen else None,
        key=snippets.KEY if keyed else None,
        default=next((facts.name for facts in models if facts.default), None),
        shown=shown,
        prediction=prediction,
        picture=seen(prediction) if prediction else None,
        rejection=why_rejected(prediction) if prediction and prediction.rejected else None,
        seen=seen,
        no_digit=no_digit,
        why_rejected=why_rejected,
        votes={vote.model: vote for vote in shown.verdict.votes} if shown.verdict else {},
        counts=shown.verdict.counts() if shown.verdict else [],
        notice=shown.notice,
        accept=ACCEPT,
        samples=samples.CHOICE,
        sample_side=samples.SIDE,
        words=words(),
        mishaps=mishaps(zoo),
        digits=DIGITS,
        most=int(min(zoo.settings.pictures.max_mb, zoo.settings.server.max_body_mb) * 1_000_000),
    )


def _missing(wanted: str | None) -> Notice | None:
    """Return a notice if the model or the sample that the URL names is not available, else None."""
    zoo = current_zoo()
    error: ZooError
    try:
        if wanted is not None and (problem := zoo.model(wanted).trouble()):
            error = ModelUnavailable(problem)
        elif "sample" in request.args and asked_sample() is None:
            error = UnknownSample(f"The test pictures are 0 to {samples.COUNT - 1}.")
        else:
            return None
    except UnknownModel as unknown:
        error = unknown
    return explain(error, zoo)


@routes.get("/")
def index() -> Response:
    """Return the front page, with the answer to the test picture of `?sample=` if there is one."""
    zoo = current_zoo()
    wanted, place = request.args.get("model"), asked_sample()
    notice = _missing(wanted)
    if notice is not None or place is None:
        return _front(wanted, Shown(notice=notice, sample=place))
    chosen = preselected(listings.models(zoo), wanted)
    try:
        answer = zoo.predict(chosen, samples.sample(place)) if chosen else None
    except ZooError as error:
        return _front(wanted, Shown(notice=explain(error, zoo), sample=place))
    return _front(wanted, Shown(answer, sample=place))


@routes.post("/")
def answer() -> Response:
    """Return the front page with the answer to its form, for browsers without JavaScript."""
    zoo = current_zoo()
    wanted = None
    try:
        wanted = request.form.get("model_type") or None
        model = zoo.model(wanted)
        return _front(model.name, _shown(model.name, request.form.get("ask")))
    except (ZooError, RequestEntityTooLarge) as error:
        if not wants_page():
            raise
        return _front(wanted, Shown(notice=explain(error, zoo)))


def _shown(model: str, what: str | None) -> Shown:
    """Answer what the form's button asks about its pictures, or about the test picture of `?sample=`."""
    zoo = current_zoo()
    files = [file for file in request.files.getlist("file") if file.filename]
    place = None if files else asked_sample()
    if len(files) > 1:
        inputs.check_number(zoo, len(files))
        answers = inputs.predictions(zoo, model, [file.read() for file in files])
        pairs = zip(files, answers, strict=True)
        return Shown(
            several=[
                (file.filename or "", explain(answer, zoo) if isinstance(answer, ZooError) else answer)
                for file, answer in pairs
            ]
        )
    picture: inputs.Sent = inputs.upload() if place is None else samples.sample(place)
    if what == "all":
        verdict = votes(picture)
        own = next(vote.answer for vote in verdict.votes if vote.model == model)
        if isinstance(own, ZooError):
            raise own
        return Shown(own, sample=place, verdict=verdict)
    prediction = zoo.predict(model, picture)
    if what == "read":
        return Shown(prediction, sample=place, reading=zoo.read(model, picture))
    return Shown(prediction, sample=place)
