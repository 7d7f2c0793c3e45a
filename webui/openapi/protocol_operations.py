"""The routes of other servers' protocols as OpenAPI operations, like those of `webui.openapi.operations`."""

from __future__ import annotations

from functools import partial
from typing import Any

from webui.access import ADMIN, NOTHING
from webui.openapi import operation
from webui.openapi import protocol_schemas as schemas
from webui.openapi.examples import Examples
from webui.openapi.operation import SENT, VERSION, Content, Header, Operation, Parameter, Tag, bare, in_json
from webui.openapi.schemas import Raw

LENGTH = "Inference-Header-Content-Length"
SENT_LENGTH = Parameter(
    LENGTH,
    {"type": "integer", "minimum": 0},
    "the number of JSON bytes in the body, when raw tensors follow; 0 if the body is one picture file",
    "header",
)
GIVEN_LENGTH = Header(
    LENGTH, {"type": "integer", "minimum": 1}, "the number of JSON bytes in the body, when raw tensors follow"
)


failing = partial(operation.failing, error=schemas.ProtocolError)
unready = partial(operation.unready, error=schemas.ProtocolError)


def protocols(examples: Examples) -> list[Operation]:
    """Return all these operations, with examples of one model."""
    return [*_tensorflow_serving(examples), *_inference_v2(examples), *_huggingface(examples)]


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
                gives=in_json(schemas.ServableStatus),
                errors=failing(400, 404),
                **common,
            ),
            Operation(
                id=f"tfs_metadata{suffix}",
                method="get",
                path=f"{base}/metadata",
                summary=f"Signatures{asked}",
                gives=in_json(schemas.ServableMetadata),
                errors=failing(400, 404),
                **common,
            ),
            Operation(
                id=f"tfs_predict{suffix}",
                method="post",
                path=f"{base}:predict",
                summary=f"Probabilities of pictures or pixels{asked}",
                takes=in_json(
                    schemas.ServableRequest,
                    rows={"instances": [image]},
                    columns={"inputs": [image]},
                    pixels={"instances": [examples.pixels]},
                    named_rows={"instances": [{"image_bytes": image}]},
                    named_columns={"inputs": {"image_bytes": [image]}},
                ),
                gives=in_json(schemas.Rows | schemas.Columns, rows={"predictions": [row]}, columns={"outputs": [row]}),
                errors=errors,
                **common,
            ),
            Operation(
                id=f"tfs_classify{suffix}",
                method="post",
                path=f"{base}:classify",
                summary=f"Labels and scores, best first{asked}",
                takes=in_json(
                    schemas.ClassifyRequest,
                    one={"examples": [{"image": image}]},
                    pixels={"examples": [{"pixels": examples.pixels}]},
                ),
                gives=in_json(schemas.ClassifyResults, one={"results": [examples.ranked]}),
                errors=errors,
                **common,
            ),
        ]
    return found


def _inference_v2(examples: Examples) -> list[Operation]:
    tag: Tag = "Open Inference Protocol"
    found = [
        Operation(
            "v2_server",
            tag,
            "get",
            "/v2",
            "The server and its extensions",
            in_json(schemas.ServerMetadata),
            errors=failing(),
        ),
        Operation(
            "v2_live",
            tag,
            "get",
            "/v2/health/live",
            "Whether the server is up",
            in_json(schemas.V2Live),
            scope=NOTHING,
        ),
        Operation(
            "v2_ready",
            tag,
            "get",
            "/v2/health/ready",
            "Whether the default model can answer",
            in_json(schemas.V2Ready),
            errors=unready(schemas.V2NotReady),
            scope=NOTHING,
        ),
        Operation(
            "v2_models", tag, "get", "/v2/models", "The models' names", in_json(schemas.V2Models), errors=failing()
        ),
        Operation(
            "v2_all_statistics",
            tag,
            "get",
            "/v2/models/stats",
            "Statistics of all models, over all worker processes",
            in_json(schemas.V2Statistics),
            errors=failing(),
            scope=ADMIN,
        ),
        Operation(
            "v2_index",
            tag,
            "post",
            "/v2/repository/index",
            "Every version of every model, and whether it can answer",
            in_json(list[schemas.IndexRow]),
            takes=in_json(schemas.IndexRequest, all={}, ready={"ready": True}),
            needs_body=False,
            errors=failing(400, 415, *SENT),
        ),
        *(
            Operation(
                f"v2_{verb}",
                tag,
                "post",
                f"/v2/repository/models/{{name}}/{verb}",
                f"Not supported: settings.toml defines which models are {verb}ed",
                {},
                errors=failing(404, *SENT),
                scope=ADMIN,
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
                in_json(schemas.V2Metadata),
                errors=failing(404),
            ),
            Operation(
                f"v2_config{suffix}",
                tag,
                "get",
                f"{base}/config",
                f"Configuration, in Triton's format{asked}",
                in_json(schemas.V2Config),
                errors=failing(404),
            ),
            Operation(
                f"v2_model_ready{suffix}",
                tag,
                "get",
                f"{base}/ready",
                f"Whether the model can answer{asked}",
                in_json(schemas.V2ModelReady),
                errors=failing(404) | {503: schemas.V2ModelNotReady | schemas.ProtocolError},
            ),
            Operation(
                f"v2_statistics{suffix}",
                tag,
                "get",
                f"{base}/stats",
                f"Statistics of a model, over all worker processes{asked}",
                in_json(schemas.V2Statistics),
                errors=failing(404),
                scope=ADMIN,
            ),
            Operation(
                f"v2_infer{suffix}",
                tag,
                "post",
                f"{base}/infer",
                f"Predictions for a tensor of pictures{asked}",
                {**in_json(schemas.InferAnswer, one=examples.inferred), "application/octet-stream": Content(Raw)},
                takes={
                    **in_json(schemas.InferRequest, file=examples.infer_file, levels=examples.infer_levels),
                    "application/octet-stream": Content(Raw),
                },
                parameters=(SENT_LENGTH,),
                headers=(GIVEN_LENGTH,),
                errors=failing(400, 404, 415, *SENT),
                description="Raw tensors may follow the JSON, and can be requested in the response.",
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
                **bare(),
                **in_json(schemas.HFRequest, one={"inputs": examples.base64, "parameters": {"top_k": 3}}),
            },
            gives=in_json(list[schemas.Score], one=examples.scores),
            parameters=(VERSION,),
            errors=failing(400, 404, 415, *SENT),
        )
    ]
