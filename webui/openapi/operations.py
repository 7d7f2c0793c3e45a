"""Every route for programs as OpenAPI's operations: what it takes, what it gives, and what can go wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from webui.errors import STATUS
from webui.openapi import schemas
from webui.openapi.examples import Examples
from webui.snippets import Call
from zoo.listings import ModelFacts

Tag = Literal["Pictures", "Models", "Health", "TensorFlow Serving", "Open Inference Protocol", "Hugging Face"]

TAGS: dict[Tag, str] = {
    "Pictures": "Pictures in, digits out: the zoo's own protocol.",
    "Models": "What there is to ask.",
    "Health": "Whether the server can answer.",
    "TensorFlow Serving": "As TensorFlow Serving's REST API. A picture that cannot be read fails its whole request.",
    "Open Inference Protocol": "Version 2, as KServe and Triton speak it. One bad picture fails its whole request.",
    "Hugging Face": "As Hugging Face's image classification.",
}

WHY = {
    400: "No picture, a broken one, or a request that makes no sense.",
    401: "A key is wanted, or this one is not known.",
    403: "The key does not allow this.",
    404: "No such model, checkpoint or address.",
    408: "The body took longer than `server.body_seconds`.",
    413: "Too many bytes, pixels or pictures.",
    415: "A content type, content encoding or picture format that is not read.",
    429: "Too many requests; try again after `Retry-After`.",
    500: "A fault of the server, whose log says what it was.",
    501: "A part of the protocol that the zoo does not have.",
    503: "The model is there but cannot answer now, or too much is being sent.",
}
ALWAYS = (500, *({401, 403, 429} & set(STATUS.values())))
SENT = (408, 413, 503)  # what the server may say of any body
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "application/octet-stream")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query or a header."""

    name: str
    schema: Mapping[str, Any]
    description: str
    where: Literal["query", "header"] = "query"


@dataclass(frozen=True, slots=True)
class Content:
    """A type that pydantic describes, with examples by name."""

    type: Any
    examples: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `takes` and `gives` are by content type, `errors` by status, each with its type."""

    id: str
    tag: Tag
    method: Literal["get", "post"]
    path: str
    summary: str
    gives: Mapping[str, Content]
    takes: Mapping[str, Content] = field(default_factory=dict)
    needs_body: bool = True
    parameters: tuple[Parameter, ...] = ()
    errors: Mapping[int, Any] = field(default_factory=dict)
    description: str = ""
    calls: tuple[Call, ...] = ()


WHOLE = {"type": "integer", "minimum": 1, "maximum": 10**18 - 1}
VERSION = Parameter("version", WHOLE, "asks that checkpoint of the model")
TOP = Parameter("top", WHOLE, "the best so many labels too, best first")
TRACE = Parameter(
    "trace", {"type": "string", "enum": ["0", "1"]}, "1 for what was done to the picture, and the 28x28 the model saw"
)
HEADER_LENGTH = Parameter(
    "Inference-Header-Content-Length",
    {"type": "integer", "minimum": 0},
    "how many bytes of the body are JSON, when raw tensors follow; 0 for a body that is one picture file",
    "header",
)


def failing(*statuses: int) -> dict[int, Any]:
    """These statuses, and those that may come to any request, each with `{"error": …}`."""
    return dict.fromkeys(sorted({*statuses, *ALWAYS}), schemas.Error)


def operations(examples: Examples, calls: tuple[Call, ...] = ()) -> list[Operation]:
    """All of them, with examples of one model; `calls` are shown with the route of that model."""
    return [
        *_pictures(examples, calls),
        *_models(examples),
        *_health(examples),
        *_tensorflow_serving(examples),
        *_inference_v2(examples),
        *_huggingface(examples),
    ]


def _json(kind: Any, **examples: Any) -> dict[str, Content]:
    return {"application/json": Content(kind, examples)}


def _sent(examples: Examples) -> dict[str, Content]:
    return {
        "multipart/form-data": Content(schemas.Form),
        **{kind: Content(schemas.File) for kind in PICTURES},
        "application/json": Content(
            schemas.Pictures,
            {
                "image": {"image": examples.base64},
                "images": {"images": [examples.base64, examples.base64]},
                "pixels": {"pixels": examples.pixels},
            },
        ),
    }


def _pictures(examples: Examples, calls: tuple[Call, ...]) -> list[Operation]:
    one = examples.prediction
    several = {"predictions": [one, {"error": "The picture is truncated or damaged.", "status": 400}]}
    told = _json(schemas.Prediction | schemas.Predictions, one=one, several=several)
    read = _json(schemas.Reading | schemas.Readings, one=examples.reading)
    errors = failing(400, 404, 415, *SENT)
    routes = (
        ("predict", "/predict", "Ask the default model", ()),
        ("predict_model", "/predict_{name}", "Ask a model", calls),
        ("predict_model_under_models", "/api/models/{name}/predict", "Ask a model, at its own address", ()),
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
                "Of several, one that cannot be read has its error and status in its place.",
                takes=_sent(examples),
                gives=told,
                parameters=(TOP, TRACE, VERSION),
                errors=errors,
                calls=shown,
            )
            for id, path, summary, shown in routes
        ),
        Operation(
            id="read",
            tag="Pictures",
            method="post",
            path="/read",
            summary="Read several digits in a picture",
            takes=_sent(examples),
            gives=read,
            parameters=(
                Parameter("model", examples.name_schema, "asks another model than the default one"),
                VERSION,
            ),
            errors=errors,
        ),
    ]


def _models(examples: Examples) -> list[Operation]:
    return [
        Operation(
            id="models",
            tag="Models",
            method="get",
            path="/api/models",
            summary="All models in short",
            gives=_json(list[ModelFacts]),
            errors=failing(),
        ),
        Operation(
            id="model",
            tag="Models",
            method="get",
            path="/api/models/{name}",
            summary="All about one model: card, settings, checkpoints",
            gives=_json(schemas.ModelDetails),
            errors=failing(404),
        ),
        Operation(
            id="calls",
            tag="Models",
            method="get",
            path="/api/models/{name}/calls",
            summary="Calls to copy and paste",
            gives=_json(schemas.Calls),
            errors=failing(404),
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
            gives=_json(schemas.Live, live={"live": True}),
        ),
        Operation(
            id="readyz",
            tag="Health",
            method="get",
            path="/readyz",
            summary="Whether the default model can answer",
            gives=_json(
                schemas.Ready,
                ready={
                    "ready": True,
                    "model": examples.model,
                    "models": [{"name": examples.model, "version": 1, "ready": True, "trouble": None}],
                },
            ),
            errors={503: schemas.NotReady},
        ),
    ]


def _tensorflow_serving(examples: Examples) -> list[Operation]:
    found: list[Operation] = []
    row = examples.probabilities
    image = {"b64": examples.base64}
    for suffix, where in (("", ""), ("_version", "/versions/{version}"), ("_label", "/labels/{label}")):
        base = f"/v1/models/{{name}}{where}"
        asked = {"": "", "_version": ", by version", "_label": ", by label"}[suffix]
        common: dict[str, Any] = {"tag": "TensorFlow Serving"}
        errors = failing(400, 404, 415, *SENT)
        found += [
            Operation(
                id=f"tfs_status{suffix}",
                method="get",
                path=base,
                summary=f"State of a model's versions{asked}",
                gives=_json(schemas.ServableStatus),
                errors=failing(400, 404),
                **common,
            ),
            Operation(
                id=f"tfs_metadata{suffix}",
                method="get",
                path=f"{base}/metadata",
                summary=f"Signatures{asked}",
                gives=_json(schemas.ServableMetadata),
                errors=failing(400, 404, 503),
                **common,
            ),
            Operation(
                id=f"tfs_predict{suffix}",
                method="post",
                path=f"{base}:predict",
                summary=f"Probabilities of pictures or pixels{asked}",
                takes=_json(
                    schemas.ServableRequest,
                    rows={"instances": [image]},
                    columns={"inputs": [image]},
                    pixels={"instances": [examples.pixels]},
                ),
                gives=_json(schemas.Rows | schemas.Columns, rows={"predictions": [row]}, columns={"outputs": [row]}),
                errors=errors,
                **common,
            ),
            Operation(
                id=f"tfs_classify{suffix}",
                method="post",
                path=f"{base}:classify",
                summary=f"Labels and scores, best first{asked}",
                takes=_json(schemas.ClassifyRequest, one={"examples": [{"image": image}]}),
                gives=_json(schemas.ClassifyResults, one={"results": [examples.ranked]}),
                errors=errors,
                **common,
            ),
        ]
    return found


def _inference_v2(examples: Examples) -> list[Operation]:
    tag: Tag = "Open Inference Protocol"
    found = [
        Operation("v2_server", tag, "get", "/v2", "The server and its extensions", _json(schemas.ServerMetadata)),
        Operation("v2_live", tag, "get", "/v2/health/live", "Whether the server is up", _json(schemas.V2Live)),
        Operation(
            "v2_ready",
            tag,
            "get",
            "/v2/health/ready",
            "Whether the default model can answer",
            _json(schemas.V2Ready),
            errors={503: schemas.V2NotReady},
        ),
        Operation(
            "v2_models", tag, "get", "/v2/models", "The models' names", _json(schemas.V2Models), errors=failing()
        ),
        Operation(
            "v2_all_statistics",
            tag,
            "get",
            "/v2/models/stats",
            "What the worker process that answers was asked by this protocol",
            _json(schemas.V2Statistics),
            errors=failing(),
        ),
        Operation(
            "v2_index",
            tag,
            "post",
            "/v2/repository/index",
            "Every version of every model, and whether it can answer",
            _json(list[schemas.IndexRow]),
            takes=_json(schemas.IndexRequest, all={}, ready={"ready": True}),
            needs_body=False,
            errors=failing(400, 415, *SENT),
        ),
        *(
            Operation(
                f"v2_{verb}",
                tag,
                "post",
                f"/v2/repository/models/{{name}}/{verb}",
                f"Not there: settings.toml says which models are {verb}ed",
                {},
                errors=failing(404, 501, *SENT),
            )
            for verb in ("load", "unload")
        ),
    ]
    for suffix, where in (("", ""), ("_version", "/versions/{version}")):
        base = f"/v2/models/{{name}}{where}"
        asked = ", by version" if suffix else ""
        found += [
            Operation(
                f"v2_metadata{suffix}",
                tag,
                "get",
                base,
                f"Inputs and outputs{asked}",
                _json(schemas.V2Metadata),
                errors=failing(404, 503),
            ),
            Operation(
                f"v2_config{suffix}",
                tag,
                "get",
                f"{base}/config",
                f"Configuration, as Triton tells it{asked}",
                _json(schemas.V2Config),
                errors=failing(404, 503),
            ),
            Operation(
                f"v2_model_ready{suffix}",
                tag,
                "get",
                f"{base}/ready",
                f"Whether the model can answer{asked}",
                _json(schemas.V2ModelReady),
                errors=failing(404) | {503: schemas.V2ModelNotReady},
            ),
            Operation(
                f"v2_statistics{suffix}",
                tag,
                "get",
                f"{base}/stats",
                f"What the worker process that answers was asked{asked}",
                _json(schemas.V2Statistics),
                errors=failing(404, 503),
            ),
            Operation(
                f"v2_infer{suffix}",
                tag,
                "post",
                f"{base}/infer",
                f"Answers to a tensor of pictures{asked}",
                {**_json(schemas.InferAnswer, one=examples.inferred), "application/octet-stream": Content(schemas.Raw)},
                takes={
                    **_json(schemas.InferRequest, file=examples.infer_file, levels=examples.infer_levels),
                    "application/octet-stream": Content(schemas.Raw),
                },
                parameters=(HEADER_LENGTH,),
                errors=failing(400, 404, 415, *SENT),
                description="Raw tensors may follow the JSON, and may be asked for.",
            ),
        ]
    return found


def _huggingface(examples: Examples) -> list[Operation]:
    return [
        Operation(
            id="hf_classify",
            tag="Hugging Face",
            method="post",
            path="/hf/{name}",
            summary="Labels and scores, best first",
            takes={
                **{kind: Content(schemas.File) for kind in PICTURES},
                **_json(
                    schemas.HFRequest,
                    one={"inputs": examples.base64, "parameters": {"top_k": 3}},
                ),
            },
            gives=_json(list[schemas.Score], one=examples.scores),
            parameters=(VERSION,),
            errors=failing(400, 404, 415, *SENT),
        )
    ]
