"""What goes in and what comes out, as types from which pydantic makes JSON schemas; tests hold real answers to them.

Requests are read by hand in `webui.inputs` and `webui.protocols`, with messages that tell what to do; these types
describe what is read there, and cost a request nothing. Answers are closed: a key that is not here is a mistake here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, WithJsonSchema, with_config
from typing_extensions import TypeAliasType, TypedDict

from webui.snippets import Call
from zoo.checkpoints import Card
from zoo.listings import ModelFacts
from zoo.steps import STEPS
from zoo.types import Sign

_closed = with_config(ConfigDict(extra="forbid"))

Share = Annotated[float, Field(ge=0, le=1)]
File = Annotated[
    bytes, WithJsonSchema({"type": "string", "format": "binary", "description": "PNG, JPEG, GIF, WebP or BMP"})
]
Raw = Annotated[bytes, WithJsonSchema({"type": "string", "format": "binary"})]
Base64 = TypeAliasType(
    "Base64",
    Annotated[
        str,
        WithJsonSchema(
            {
                "type": "string",
                "format": "byte",
                "contentEncoding": "base64",
                "description": "A picture file as base64, or as a data: URL in base64.",
            }
        ),
    ],
)
Pixels = TypeAliasType("Pixels", list[Any])
"""One picture as levels; `webui.openapi.document` puts in the shapes that the zoo's models take."""


def exactly_one_of(*names: str, closed: bool = False) -> ConfigDict:
    """A schema that wants one of these keys, and not two; a closed one wants no other key besides."""
    extra: dict[str, Any] = {"oneOf": [{"required": [name]} for name in names]}
    return ConfigDict(json_schema_extra=extra, extra="forbid" if closed else "ignore")


@_closed
class Error(TypedDict):
    error: Annotated[str, Field(description="what was found, what was expected, what to do")]


# The zoo's own


class Form(TypedDict):
    file: Annotated[list[File], Field(min_length=1, description="one picture, or several parts of this name")]


@with_config(exactly_one_of("image", "images", "pixels"))
class Pictures(TypedDict):
    image: NotRequired[Base64]
    images: NotRequired[Annotated[list[Base64], Field(min_length=1)]]
    pixels: NotRequired[Pixels | Annotated[list[Pixels], Field(min_length=1)]]


class OneForm(TypedDict):
    file: File


@with_config(exactly_one_of("image", "pixels"))
class Picture(TypedDict):
    image: NotRequired[Base64]
    pixels: NotRequired[Pixels]


@_closed
class Best(TypedDict):
    label: str
    confidence: Share


@_closed
class Trace(TypedDict):
    seen: Annotated[
        str, Field(description="a PNG of what the model saw", json_schema_extra={"contentEncoding": "base64"})
    ]
    polarity: Literal["light-on-dark", "dark-on-light"]
    box: (
        Annotated[
            list[int],
            Field(min_length=4, max_length=4, description="left, top, right, bottom of the ink in the picture"),
        ]
        | None
    )
    scale: float
    shift: Annotated[list[float], Field(min_length=2, max_length=2, description="x and y, in the model's pixels")]
    reason: str | None


@_closed
class Prediction(TypedDict):
    model: str
    checkpoint: Annotated[str, Field(description="model/version")]
    label: str
    digit: NotRequired[Annotated[int, Field(ge=0, le=9, description="there when the labels are the digits")]]
    confidence: Annotated[Share, Field(description="the largest of the probabilities")]
    probabilities: Annotated[list[Share], Field(description="in the order of the classes")]
    rejected: Annotated[bool, Field(description="the picture shows nothing to read")]
    reason: Annotated[str | None, Field(description="why rejected: blank, no_contrast, several_objects, not_a_digit")]
    top: NotRequired[Annotated[list[Best], Field(description="with ?top=, best first")]]
    trace: NotRequired[Annotated[Trace, Field(description="with ?trace=1")]]


@_closed
class Fault(TypedDict):
    """In the place of a picture that could not be read."""

    error: str
    status: Annotated[int, Field(ge=400, le=599)]


@_closed
class Predictions(TypedDict):
    predictions: list[Prediction | Fault]


@_closed
class Reading(TypedDict):
    model: str
    checkpoint: str
    text: Annotated[str, Field(description="a line of the picture a line")]
    digits: list[Sign]
    reason: Annotated[
        str | None, Field(description="why there is nothing to read: blank, no_contrast, too_many_objects")
    ]


@_closed
class Readings(TypedDict):
    predictions: list[Reading | Fault]


@_closed
class Ballot(TypedDict):
    label: str
    votes: Annotated[int, Field(ge=1)]


@_closed
class Vote(Prediction):
    ms: Annotated[float, Field(ge=0, description="milliseconds that the model itself took")]


@_closed
class NoVote(TypedDict):
    """In the place of a model that cannot answer."""

    model: str
    error: str
    status: Annotated[int, Field(ge=400, le=599)]


@_closed
class Verdict(TypedDict):
    label: Annotated[
        str | None,
        Field(description="what most read; null when no model sees a digit, or two labels have as many votes"),
    ]
    counts: Annotated[list[Ballot], Field(description="most first")]
    answers: list[Vote | NoVote]
    preprocess_ms: Annotated[float, Field(ge=0, description="milliseconds that finding the digit took, once for all")]


@_closed
class Step(TypedDict):
    name: Annotated[str, Field(json_schema_extra={"enum": list(STEPS)})]
    picture: Annotated[str, Field(description="a PNG as a data: URL")]


@_closed
class Steps(TypedDict):
    model: str
    steps: list[Step]


@_closed
class Why(TypedDict):
    model: str
    checkpoint: str
    label: str
    by: Annotated[
        Literal["occlusion", "weights"],
        Field(description="by covering parts of the picture, or by a network's weights"),
    ]
    heat: Annotated[
        list[list[float]],
        Field(description="rows of nats of log-odds, a number a pixel: positive for the label, negative against it"),
    ]


@_closed
class CheckpointRow(TypedDict):
    model: str
    checkpoint: str
    served_by: list[str]
    problem: str | None
    epochs: NotRequired[int | None]
    validation: NotRequired[float | None]
    accuracy: NotRequired[Share | None]
    bytes: NotRequired[int]
    created: NotRequired[str]
    overrides: NotRequired[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ModelDetails(ModelFacts):
    """All that is told of one model; what there is none of is null."""

    labels: list[str] | None
    input_shape: list[int] | None
    settings: dict[str, Any] | None
    settings_schema: dict[str, Any] | None
    checkpoints: list[CheckpointRow]
    card: Card | None


@_closed
class Calls(TypedDict):
    model: str
    calls: list[Call]


Csv = Annotated[str, WithJsonSchema({"type": "string", "description": "a row an epoch"})]
Exposition = Annotated[str, WithJsonSchema({"type": "string", "description": "in Prometheus' text format"})]


@_closed
class Live(TypedDict):
    live: Literal[True]


@_closed
class ModelState(TypedDict):
    name: str
    version: int | None
    ready: bool
    trouble: str | None


@_closed
class Ready(TypedDict):
    ready: Literal[True]
    model: str
    models: list[ModelState]


@_closed
class NotReady(TypedDict):
    ready: Literal[False]
    model: NotRequired[str]
    error: str
    models: list[ModelState]


# TensorFlow Serving


@_closed
class VersionHealth(TypedDict):
    error_code: Literal["OK", "UNAVAILABLE"]
    error_message: str


@_closed
class VersionState(TypedDict):
    version: str
    state: Literal["AVAILABLE", "END"]
    status: VersionHealth


@_closed
class ServableStatus(TypedDict):
    model_version_status: list[VersionState]
    name: NotRequired[str]
    ready: NotRequired[bool]


@_closed
class ModelSpec(TypedDict):
    name: str
    signature_name: str
    version: str


@_closed
class ServableMetadata(TypedDict):
    model_spec: ModelSpec
    metadata: Annotated[dict[str, Any], Field(description="the signatures, as a SignatureDef in JSON")]


@_closed
class Bytes(TypedDict):
    b64: Base64


@with_config(exactly_one_of("images", "image_bytes", closed=True))
class Named(TypedDict):
    """A picture under the name of the model's input."""

    images: NotRequired[Bytes | Pixels]
    image_bytes: NotRequired[Bytes | Pixels]


Instance = Bytes | Pixels | Named
Instances = Annotated[list[Instance], Field(min_length=1)]


@with_config(exactly_one_of("images", "image_bytes", closed=True))
class NamedColumn(TypedDict):
    """Pictures under the name of the model's input."""

    images: NotRequired[Instances]
    image_bytes: NotRequired[Instances]


@with_config(exactly_one_of("instances", "inputs"))
class ServableRequest(TypedDict):
    signature_name: NotRequired[
        Annotated[Literal["serving_default", "image_bytes"], Field(description="image_bytes takes files alone")]
    ]
    instances: NotRequired[Instances]
    inputs: NotRequired[Instances | NamedColumn]


@_closed
class Rows(TypedDict):
    predictions: list[list[Share]]


@_closed
class Columns(TypedDict):
    outputs: list[list[Share]]


@with_config(exactly_one_of("image", "pixels", closed=True))
class Example(TypedDict):
    image: NotRequired[Instance]
    pixels: NotRequired[Instance]


class ClassifyRequest(TypedDict):
    signature_name: NotRequired[Literal["serving_default", "image_bytes", "classify"]]
    examples: Annotated[list[Example], Field(min_length=1)]


Pair = Annotated[list[str | Share], Field(min_length=2, max_length=2)]


@_closed
class ClassifyResults(TypedDict):
    results: Annotated[list[list[Pair]], Field(description="label and score, best first")]


# Open Inference Protocol

Datatype = Literal[
    "BYTES", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64"
]


@_closed
class ServerMetadata(TypedDict):
    name: str
    version: str
    extensions: list[str]


@_closed
class V2Live(TypedDict):
    live: Literal[True]


@_closed
class V2Ready(TypedDict):
    ready: Literal[True]


@_closed
class V2NotReady(TypedDict):
    ready: Literal[False]
    error: str


@_closed
class V2Models(TypedDict):
    models: list[str]


@_closed
class TensorMetadata(TypedDict):
    name: str
    datatype: str
    shape: list[int]


@_closed
class V2Metadata(TypedDict):
    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


@_closed
class V2Config(TypedDict):
    name: str
    platform: str
    backend: str
    version_policy: dict[str, Any]
    max_batch_size: int
    input: list[dict[str, Any]]
    output: list[dict[str, Any]]


@_closed
class V2ModelReady(TypedDict):
    name: str
    ready: Literal[True]


@_closed
class V2ModelNotReady(TypedDict):
    name: str
    ready: Literal[False]
    error: str


@_closed
class Count(TypedDict):
    count: int
    ns: int


@_closed
class Ends(TypedDict):
    success: Count
    fail: Count


@_closed
class ModelStatistics(TypedDict):
    name: str
    version: str
    last_inference: Annotated[int, Field(description="ms since 1970, 0 for never")]
    inference_count: Annotated[int, Field(description="pictures")]
    execution_count: Annotated[int, Field(description="requests")]
    inference_stats: Ends
    batch_stats: list[Any]


@_closed
class V2Statistics(TypedDict):
    model_stats: list[ModelStatistics]


class IndexRequest(TypedDict):
    ready: NotRequired[Annotated[bool, Field(description="only versions that can answer")]]


@_closed
class IndexRow(TypedDict):
    name: str
    version: str
    state: Literal["READY", "UNAVAILABLE"]
    reason: str


class InputTensor(TypedDict):
    name: Literal["images"]
    shape: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1, max_length=4)]
    datatype: Datatype
    data: NotRequired[Annotated[list[Any], Field(description="row by row, flat or nested; BYTES as base64")]]
    parameters: NotRequired[
        Annotated[dict[str, Any], Field(description="binary_data_size for bytes that follow the JSON")]
    ]


class AskedOutput(TypedDict):
    name: Literal["probabilities", "labels", "digits", "rejected"]
    parameters: NotRequired[Annotated[dict[str, Any], Field(description="binary_data, classification")]]


class InferRequest(TypedDict):
    id: NotRequired[str]
    inputs: Annotated[list[InputTensor], Field(min_length=1, max_length=1)]
    outputs: NotRequired[list[AskedOutput]]
    parameters: NotRequired[Annotated[dict[str, Any], Field(description="binary_data_output")]]


@_closed
class OutputTensor(TypedDict):
    name: str
    datatype: str
    shape: list[int]
    data: NotRequired[list[float | str | bool]]
    parameters: NotRequired[dict[str, Any]]


@_closed
class InferAnswer(TypedDict):
    model_name: str
    model_version: str
    id: NotRequired[str]
    outputs: list[OutputTensor]


# Hugging Face


class HFParameters(TypedDict):
    top_k: NotRequired[Annotated[int, Field(ge=1)] | None]
    function_to_apply: NotRequired[Literal["softmax"] | None]


class HFRequest(TypedDict):
    inputs: Base64
    parameters: NotRequired[HFParameters | None]


@_closed
class Score(TypedDict):
    label: str
    score: Share
