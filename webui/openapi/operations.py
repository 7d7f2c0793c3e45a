"""Every route for programs as an OpenAPI operation: what it takes, what it gives and what can go wrong.

These are the zoo's own; those of other servers' protocols are in `webui.openapi.protocol_operations`.
"""

from __future__ import annotations

from typing import Any

from webui.access import ADMIN, NOTHING
from webui.openapi import schemas
from webui.openapi.examples import Examples
from webui.openapi.operation import SENT, VERSION, WHOLE, Content, Operation, Parameter, bare, failing, in_json, unready
from webui.openapi.protocol_operations import protocols
from webui.snippets import Call
from zoo.cards import Card
from zoo.listings import ModelFacts

TOP = Parameter("top", WHOLE, "also return this many labels, best first")
TRACE = Parameter(
    "trace",
    {"type": "string", "enum": ["0", "1"]},
    "1 to add what was done to the picture, and the 28x28 the model saw",
)


def operations(examples: Examples, calls: tuple[Call, ...] = ()) -> list[Operation]:
    """Return all operations, with examples of one model; `calls` are shown with that model's route."""
    return [
        *_pictures(examples, calls),
        *_closer(examples),
        *_models(),
        *_health(examples),
        *protocols(examples),
    ]


def _sent(form: Any, told: Any, **shown: Any) -> dict[str, Content]:
    """Return what a request may send: pictures in a form, as the body itself, or in JSON."""
    return {"multipart/form-data": Content(form), **bare(), **in_json(told, **shown)}


def _several(examples: Examples) -> dict[str, Content]:
    images = {"images": [examples.base64, examples.base64]}
    one, pixels = {"image": examples.base64}, {"pixels": examples.pixels}
    return _sent(schemas.Form, schemas.Pictures, image=one, images=images, pixels=pixels)


def _model_asked(examples: Examples) -> Parameter:
    return Parameter("model", examples.name_schema, "the model to ask instead of the default")


def _pictures(examples: Examples, calls: tuple[Call, ...]) -> list[Operation]:
    one = examples.prediction
    several = {
        "predictions": [one, {"error": "The picture is truncated or damaged.", "code": "picture_broken", "status": 400}]
    }
    told = in_json(schemas.Prediction | schemas.Predictions, one=one, several=several)
    read = in_json(schemas.Reading | schemas.Readings, one=examples.reading)
    errors = failing(400, 404, 415, *SENT)
    own, model = (TOP, TRACE, VERSION), _model_asked(examples)
    routes = (
        ("predict", "/predict", "Ask the default model", (model, *own), ()),
        ("predict_model", "/predict_{name}", "Ask a model", own, calls),
        ("predict_model_under_models", "/api/models/{name}/predict", "Ask a model, at its own address", own, ()),
    )
    return [
        *(
            Operation(
                id=id,
                tag="Pictures",
                method="post",
                path=path,
                summary=summary,
                description="One picture, or several at once: parts named `file`, `images`, or several `pixels`. "
                "An unreadable picture among several gets an error and a status in its place.",
                takes=_several(examples),
                gives=told,
                parameters=asked,
                errors=errors,
                calls=shown,
            )
            for id, path, summary, asked, shown in routes
        ),
        Operation(
            id="read",
            tag="Pictures",
            method="post",
            path="/read",
            summary="Read several digits in a picture",
            takes=_several(examples),
            gives=read,
            parameters=(_model_asked(examples), VERSION),
            errors=errors,
        ),
    ]


def _closer(examples: Examples) -> list[Operation]:
    one: dict[str, Any] = {
        "tag": "Pictures",
        "method": "post",
        "takes": _sent(
            schemas.OneForm, schemas.Picture, image={"image": examples.base64}, pixels={"pixels": examples.pixels}
        ),
        "errors": failing(400, 404, 415, *SENT),
    }
    model = _model_asked(examples)
    label = Parameter(
        "label",
        {"type": "string", "enum": list(examples.every_label)},
        "the label to explain instead of the answer's own",
    )
    return [
        Operation(
            id="arena",
            path="/arena",
            summary="Ask every model about one picture",
            gives=in_json(schemas.Verdict, one=examples.verdict),
            **one,
        ),
        Operation(
            id="why",
            path="/why",
            summary="Which pixels of what the model saw support its answer",
            gives=in_json(schemas.Why),
            parameters=(model, VERSION, label),
            **one,
        ),
        Operation(
            id="explain",
            path="/explain",
            summary="The steps from a picture to what the model saw",
            gives=in_json(schemas.Steps),
            parameters=(model, VERSION),
            **one,
        ),
        Operation(
            id="sample",
            tag="Pictures",
            method="get",
            path="/samples/{place}.png",
            summary="A test picture of MNIST",
            gives={"image/png": Content(schemas.Raw)},
            errors=failing(404),
        ),
    ]


def _models() -> list[Operation]:
    files = (
        ("card", "card.json", "A checkpoint's card, as a file", in_json(Card)),
        ("history", "history.csv", "A checkpoint's training history, as a file", {"text/csv": Content(schemas.Csv)}),
    )
    of_a_version = (("", "", ""), ("_version", "/{version}", ", by version"))
    return [
        Operation(
            id="models",
            tag="Models",
            method="get",
            path="/api/models",
            summary="List the models",
            gives=in_json(list[ModelFacts]),
            errors=failing(),
        ),
        Operation(
            id="model",
            tag="Models",
            method="get",
            path="/api/models/{name}",
            summary="One model in detail: card, settings, checkpoints",
            gives=in_json(schemas.ModelDetails),
            errors=failing(404),
        ),
        Operation(
            id="calls",
            tag="Models",
            method="get",
            path="/api/models/{name}/calls",
            summary="Code samples for a model",
            gives=in_json(schemas.Calls),
            errors=failing(404),
        ),
        *(
            Operation(
                id=f"{id}{suffix}",
                tag="Models",
                method="get",
                path=f"/models/{{name}}{where}/{file}",
                summary=f"{summary}{asked}",
                gives=gives,
                errors=failing(404),
            )
            for id, file, summary, gives in files
            for suffix, where, asked in of_a_version
        ),
    ]


def _health(examples: Examples) -> list[Operation]:
    return [
        Operation(
            id="livez",
            tag="Health",
            method="get",
            path="/livez",
            summary="Whether the server is up",
            gives=in_json(schemas.Live, live={"live": True}),
            scope=NOTHING,
        ),
        Operation(
            id="readyz",
            tag="Health",
            method="get",
            path="/readyz",
            summary="Whether the default model can answer",
            gives=in_json(
                schemas.Ready,
                ready={
                    "ready": True,
                    "model": examples.model,
                    "models": [{"name": examples.model, "version": 1, "ready": True, "trouble": None}],
                },
            ),
            errors=unready(schemas.NotReady),
            scope=NOTHING,
        ),
        Operation(
            id="metrics",
            tag="Health",
            method="get",
            path="/metrics",
            summary="Metrics of all worker processes",
            gives={"text/plain": Content(schemas.Exposition)},
            errors=failing(),
            scope=ADMIN,
        ),
    ]
