"""The requests and responses of other servers' protocols, as types like those of `webui.openapi.schemas`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypeAliasType, TypedDict

from webui.openapi.schemas import Base64, Pixels, Row, Share, closed, without


@closed
class ProtocolError(TypedDict):
    error: Annotated[str, Field(description="what was found, what was expected, what to do")]


# TensorFlow Serving


@closed
class VersionHealth(TypedDict):
    error_code: Literal["OK", "UNAVAILABLE"]
    error_message: str


@closed
class VersionState(TypedDict):
    version: str
    state: Literal["AVAILABLE", "END"]
    status: VersionHealth


@closed
class ServableStatus(TypedDict):
    model_version_status: list[VersionState]
    name: NotRequired[str]
    ready: NotRequired[bool]


@closed
class ModelSpec(TypedDict):
    name: str
    signature_name: str
    version: str


@closed
class ServableMetadata(TypedDict):
    model_spec: ModelSpec
    metadata: Annotated[dict[str, Any], Field(description="the signatures, as a SignatureDef in JSON")]


@closed
class Bytes(TypedDict):
    b64: Base64


@closed
class NamedLevels(TypedDict):
    images: Bytes | Pixels


@closed
class NamedBytes(TypedDict):
    image_bytes: Bytes | Pixels


Named = TypeAliasType(
    "Named",
    Annotated[NamedLevels | NamedBytes, Field(description="A picture under the name of the model's input.")],
)
Instance = Bytes | Pixels | Named
Instances = Annotated[list[Instance], Field(min_length=1)]


@closed
class LevelsColumn(TypedDict):
    images: Instances


@closed
class BytesColumn(TypedDict):
    image_bytes: Instances


NamedColumn = TypeAliasType(
    "NamedColumn",
    Annotated[LevelsColumn | BytesColumn, Field(description="Pictures under the name of the model's input.")],
)


class Signed(TypedDict):
    signature_name: NotRequired[
        Annotated[Literal["serving_default", "image_bytes"], Field(description="image_bytes takes only files")]
    ]


@with_config(without("inputs"))
class InRows(Signed):
    instances: Instances


@with_config(without("instances"))
class InColumns(Signed):
    inputs: Instances | NamedColumn


ServableRequest = TypeAliasType("ServableRequest", InRows | InColumns)


@closed
class Rows(TypedDict):
    predictions: list[list[Share]]


@closed
class Columns(TypedDict):
    outputs: list[list[Share]]


Feature = Instance | Row | Annotated[list[Bytes], Field(min_length=1, max_length=1)]


@closed
class FileExample(TypedDict):
    image: Feature


@closed
class PixelsExample(TypedDict):
    pixels: Feature


Example = TypeAliasType("Example", FileExample | PixelsExample)


class ClassifyRequest(TypedDict):
    signature_name: NotRequired[Literal["serving_default", "image_bytes", "classify"]]
    examples: Annotated[list[Example], Field(min_length=1)]


Pair = Annotated[list[str | Share], Field(min_length=2, max_length=2)]


@closed
class ClassifyResults(TypedDict):
    results: Annotated[list[list[Pair]], Field(description="label and score, best first")]


# Open Inference Protocol

Datatype = Literal[
    "BYTES", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64"
]


@closed
class ServerMetadata(TypedDict):
    name: str
    version: str
    extensions: list[str]


@closed
class V2Live(TypedDict):
    live: Literal[True]


@closed
class V2Ready(TypedDict):
    ready: Literal[True]


@closed
class V2NotReady(TypedDict):
    ready: Literal[False]
    error: str


@closed
class V2Models(TypedDict):
    models: list[str]


@closed
class TensorMetadata(TypedDict):
    name: str
    datatype: str
    shape: list[int]


@closed
class V2Metadata(TypedDict):
    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


@closed
class V2Config(TypedDict):
    name: str
    platform: str
    backend: str
    version_policy: dict[str, Any]
    max_batch_size: int
    input: list[dict[str, Any]]
    output: list[dict[str, Any]]


@closed
class V2ModelReady(TypedDict):
    name: str
    ready: Literal[True]


@closed
class V2ModelNotReady(TypedDict):
    name: str
    ready: Literal[False]
    error: str


@closed
class Count(TypedDict):
    count: int
    ns: int


@closed
class InferenceStats(TypedDict):
    success: Count
    fail: Count
    queue: Count
    compute_input: Count
    compute_infer: Count
    compute_output: Count
    cache_hit: Count
    cache_miss: Count


@closed
class ModelStatistics(TypedDict):
    name: str
    version: str
    last_inference: Annotated[int, Field(description="ms since 1970, 0 for never")]
    inference_count: Annotated[int, Field(description="pictures")]
    execution_count: Annotated[int, Field(description="requests")]
    inference_stats: InferenceStats
    batch_stats: list[Any]


@closed
class V2Statistics(TypedDict):
    model_stats: list[ModelStatistics]


class IndexRequest(TypedDict):
    ready: NotRequired[Annotated[bool, Field(description="only versions that can answer")]]


@closed
class IndexRow(TypedDict):
    name: str
    version: str
    state: Literal["READY", "UNAVAILABLE"]
    reason: str


class InputTensor(TypedDict):
    name: Literal["images"]
    shape: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1, max_length=8)]
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


@closed
class OutputTensor(TypedDict):
    name: str
    datatype: str
    shape: list[int]
    data: NotRequired[list[float | str | bool]]
    parameters: NotRequired[dict[str, Any]]


@closed
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


@closed
class Score(TypedDict):
    label: str
    score: Share
