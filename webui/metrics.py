"""Counters and timings, and `/metrics`, which shows those of all worker processes in Prometheus' text format.

`ModelCounts`, a plugin that wraps the hooks of all models, counts what they do; `webui.visits` counts HTTP requests.
Labels are the zoo's own names, never what a client sent.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from flask import Blueprint, Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import RequestRedirect

from webui import tally
from webui.access import ADMIN, needs
from webui.current import current_zoo
from webui.environ import OTHER, ROUTE
from webui.exposition import TYPE, Metric, exposition
from webui.faults import status_of
from webui.jsons import HEADERS
from webui.tally import GAUGE, STARTED, Key, Sheet
from zoo.answers import Answers
from zoo.errors import PictureError, ZooError
from zoo.hookspecs import hookimpl
from zoo.settings import ModelSettings
from zoo.types import Batch, Prediction, Reading, Scores
from zoo.zoo import Zoo

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""The upper bounds of a histogram of times, in seconds."""
PICTURES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
"""The upper bounds of a histogram of batch sizes."""

REQUESTS = Metric("zoo_http_requests_total", "counter", "requests answered", ("route", "method", "status"))
LATENCY = Metric(
    "zoo_http_request_seconds",
    "histogram",
    "from a request's head to the end of its response, including upload and waiting",
    ("route",),
    SECONDS,
)
IN_FLIGHT = Metric("zoo_http_requests_in_flight", "gauge", "requests being read, waiting or being answered")
PREDICTIONS = Metric("zoo_predictions_total", "counter", "pictures answered, and digits read", ("model", "label"))
REJECTIONS = Metric("zoo_rejections_total", "counter", "pictures and digits rejected", ("model", "reason"))
UNREADABLE = Metric("zoo_unreadable_pictures_total", "counter", "pictures that could not be read", ("status",))
BATCHES = Metric("zoo_batch_pictures", "histogram", "pictures per call of a model", ("model",), PICTURES)
MODEL_TIME = Metric("zoo_predict_seconds", "histogram", "time a model took for a batch", ("model",), SECONDS)
LOADED = Metric(
    "zoo_model_loaded",
    "gauge",
    "1 for each checkpoint that a worker holds",
    ("model", "checkpoint"),
    largest=True,
    omits_zeros=True,
)
WORKERS = Metric("zoo_workers", "gauge", "worker processes serving")
RESTARTS = Metric("zoo_worker_restarts_total", "counter", "workers that died and were replaced")
START = Metric(*STARTED, "gauge", "when the server started, in seconds since 1970", largest=True)

METRICS = (
    REQUESTS,
    LATENCY,
    IN_FLIGHT,
    PREDICTIONS,
    REJECTIONS,
    UNREADABLE,
    BATCHES,
    MODEL_TIME,
    LOADED,
    WORKERS,
    RESTARTS,
    START,
)

answering: ContextVar[str] = ContextVar("answering", default="")
"""The name of the model that the request of this context asks; empty for none, or for all."""


class ModelCounts:
    """A plugin around all models that counts batches, times, answers and loaded checkpoints."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._held: Counter[Key] = Counter()
        self._dropped: deque[Key] = deque()  # by finalizers, which may interrupt whoever holds a lock
        self._lock = threading.Lock()

    @hookimpl(wrapper=True)
    def load(self, folder: Path, settings: ModelSettings) -> Generator[None, Any, Any]:
        """Report what the hook loads."""
        handle = yield
        self.hold(settings.name, f"{folder.parent.name}/{folder.name}", handle)
        return handle

    def hold(self, model: str, checkpoint: str, handle: Any) -> None:
        """Report a checkpoint as loaded until `handle`, which the hook returned, is garbage-collected."""
        key = (LOADED.name, model, checkpoint)
        self._count(key)
        with suppress(TypeError):  # not every object supports weak references
            weakref.finalize(handle, self._dropped.append, key).atexit = False

    def _count(self, *loaded: Key) -> None:
        """Update which checkpoints are held: add those `loaded` just now, take away those that were dropped."""
        with self._lock:
            changed = Counter(loaded)
            while self._dropped:
                changed[self._dropped.popleft()] -= 1
            for key, by in changed.items():
                self._held[key] += by
                self._sheet.put(key, float(self._held[key] > 0), GAUGE)

    @hookimpl(wrapper=True)
    def predict(self, batch: Batch, settings: ModelSettings) -> Generator[None, Scores, Scores]:
        """Time a batch and count its pictures."""
        began = time.perf_counter()
        scores = yield
        name = settings.name
        self._sheet.observe((MODEL_TIME.name, name), SECONDS, time.perf_counter() - began)
        self._sheet.observe((BATCHES.name, name), PICTURES, len(batch))
        return scores

    @hookimpl
    def answered(self, answers: Sequence[Prediction | Reading | ZooError], settings: ModelSettings) -> None:
        """Count the answers by label, and the rejected ones by reason."""
        answering.set(settings.name)
        if self._dropped:
            self._count()
        counts: dict[tuple[str, ...], int] = {}
        for series in _series(settings.name, answers):
            counts[series] = counts.get(series, 0) + 1
        for series, count in counts.items():
            self._sheet.add(series, count)


def _series(name: str, answers: Sequence[Prediction | Reading | ZooError]) -> Iterator[tuple[str, ...]]:
    """Yield the series to which a model's answers add one each, for every picture and every digit read."""
    if isinstance(answers, Answers):  # of a batch; no Prediction is made only to count it
        for label, reason in zip(answers.labels, answers.reasons, strict=True):
            yield _outcome(name, label, reason)
        answers = [*answers.errors.values()]
    for answer in answers:
        if isinstance(answer, Prediction):
            yield _outcome(name, answer.label, answer.reason)
        elif isinstance(answer, Reading):
            if answer.reason is not None:
                yield REJECTIONS.name, name, answer.reason
            for sign in answer.signs:
                yield (REJECTIONS.name, name, "unsure") if sign.rejected else (PREDICTIONS.name, name, sign.label)
        elif isinstance(answer, PictureError):
            yield UNREADABLE.name, str(status_of(answer))


def _outcome(name: str, label: str, reason: str | None) -> tuple[str, ...]:
    return (PREDICTIONS.name, name, label) if reason is None else (REJECTIONS.name, name, reason)


def watch(app: Flask, zoo: Zoo) -> None:
    """Count what an app's models answer, note the route of each request, and serve `/metrics`."""
    counted = tally.of(zoo)
    counts = ModelCounts(counted.own)
    zoo.join("metrics", counts)
    for model in zoo.models.values():
        if (loaded := model.loaded) is not None:
            counts.hold(model.name, loaded.card.ref, loaded.handle)
    app.before_request(note_route)
    metrics = Blueprint("metrics", __name__)

    @metrics.get("/metrics")
    @needs(ADMIN)
    def tell() -> Response:
        return Response(exposition(counted, METRICS), 200, HEADERS, content_type=TYPE)

    app.register_blueprint(metrics)


def note_route() -> None:
    """Store for the server's log and metrics which rule a request matched and which of the zoo's models it names."""
    rule = request.url_rule
    arguments: Mapping[str, Any] = request.view_args or {}
    if rule is not None:
        request.environ[ROUTE] = rule.rule
    elif isinstance(request.routing_exception, MethodNotAllowed | RequestRedirect):
        request.environ[ROUTE], arguments = _meant(request.routing_exception)
    name = arguments.get("name") or request.args.get("model")
    if name in current_zoo().models:
        answering.set(name)


def _meant(error: MethodNotAllowed | RequestRedirect) -> tuple[str, Mapping[str, Any]]:
    """Return the rule and the arguments of an address that exists, but with another method or in another form.

    Another form may be one without a trailing slash.
    """
    path, methods = request.path, getattr(error, "valid_methods", None) or [request.method]
    if isinstance(error, RequestRedirect):
        path = unquote(urlsplit(error.new_url).path).removeprefix(request.script_root)
    with suppress(HTTPException):
        rule, arguments = current_app.url_map.bind("").match(path, methods[0], return_rule=True)
        return rule.rule, arguments
    return OTHER, {}
