"""The requests and responses, as types from which pydantic makes JSON schemas. Tests compare real responses with them.

These are the zoo's own; those of other servers' protocols are in `webui.openapi.protocol_schemas`.

Requests are read by hand in `webui.inputs` and `webui.protocols`, with messages that say what to do. These types only
describe what is read there, and cost a request nothing. Responses are closed: a key that is missing here is a mistake
here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, WithJsonSchema, with_config
from typing_extensions import TypeAliasType, TypedDict

from webui import faults
from webui.snippets import Call
from zoo.cards import Card
from zoo.listings import ModelFacts
from zoo.steps import STEPS
from zoo.types import NOTHING, REASONS, Sign

closed = with_config(ConfigDict(extra="forbid"))

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
                "description": "A picture file in base64, or as a base64 data: URL.",
            }
        ),
    ],
)
Pixels = TypeAliasType("Pixels", list[Any])
"""One picture as levels. `webui.openapi.document` fills in the input shapes of the zoo's models."""

Row = TypeAliasType("Row", list[Any])
"""The same levels in one row; their number is filled in there too."""


def without(*names: str) -> ConfigDict:
    """Return the config of an open schema that has none of these keys, which distinguishes it from other schemas.

    Each case is an object schema of its own, so that generated clients have a type for it.
    """
    return ConfigDict(json_schema_extra={"propertyNames": {"not": {"enum": list(names)}}})


Code = TypeAliasType("Code", Annotated[faults.Code, Field(description="what went wrong, for programs")])


@closed
class Error(TypedDict):
    error: Annotated[str, Field(description="what was found, what was expected, what to do")]
    code: Code
    limit: NotRequired[Annotated[int, Field(ge=1, description="with too_many_pictures: how many a request may have")]]


class Form(TypedDict):
    file: Annotated[list[File], Field(min_length=1, description="one picture, or several parts with this name")]


@with_config(without("images", "pixels"))
class PictureAsFile(TypedDict):
    image: Base64


@with_config(without("image", "images"))
class PictureAsPixels(TypedDict):
    pixels: Pixels


@with_config(without("image", "pixels"))
class PicturesAsFiles(TypedDict):
    images: Annotated[list[Base64], Field(min_length=1)]


@with_config(without("image", "images"))
class PicturesAsPixels(TypedDict):
    pixels: Pixels | Annotated[list[Pixels], Field(min_length=1)]


Picture = TypeAliasType("Picture", PictureAsFile | PictureAsPixels)
Pictures = TypeAliasType("Pictures", PictureAsFile | PicturesAsFiles | PicturesAsPixels)


class OneForm(TypedDict):
    file: File


@closed
class Best(TypedDict):
    label: str
    confidence: Share


@closed
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


@closed
class Prediction(TypedDict):
    model: str
    checkpoint: Annotated[str, Field(description="model/version")]
    label: str
    digit: NotRequired[Annotated[int, Field(ge=0, le=9, description="present if the labels are the digits")]]
    confidence: Annotated[Share, Field(description="the largest probability")]
    probabilities: Annotated[list[Share], Field(description="in the order of the classes")]
    rejected: Annotated[bool, Field(description="the picture shows no single digit to read")]
    reason: Annotated[str | None, Field(description=f"why rejected: {', '.join(REASONS)}")]
    top: NotRequired[Annotated[list[Best], Field(description="with ?top=, best first")]]
    trace: NotRequired[Annotated[Trace, Field(description="with ?trace=1")]]


@closed
class Fault(TypedDict):
    """The error of a picture that could not be read, in its place."""

    error: str
    code: Code
    status: Annotated[int, Field(ge=400, le=599)]


@closed
class Predictions(TypedDict):
    predictions: list[Prediction | Fault]


@closed
class Reading(TypedDict):
    model: str
    checkpoint: str
    text: Annotated[str, Field(description="one line per line of the picture")]
    digits: list[Sign]
    reason: Annotated[str | None, Field(description=f"why there is nothing to read: {', '.join(NOTHING)}")]


@closed
class Readings(TypedDict):
    predictions: list[Reading | Fault]


@closed
class Ballot(TypedDict):
    label: str
    votes: Annotated[int, Field(ge=1)]


@closed
class Vote(Prediction):
    ms: Annotated[float, Field(ge=0, description="milliseconds spent in the model itself")]


@closed
class NoVote(TypedDict):
    """The error of a model that cannot answer, in its place."""

    model: str
    error: str
    code: Code
    status: Annotated[int, Field(ge=400, le=599)]


@closed
class Verdict(TypedDict):
    label: Annotated[
        str | None,
        Field(description="the label with the most votes; null if no model sees a digit or the vote is tied"),
    ]
    counts: Annotated[list[Ballot], Field(description="most votes first")]
    answers: list[Vote | NoVote]
    preprocess_ms: Annotated[
        float, Field(ge=0, description="milliseconds spent finding the digit, once for all models")
    ]


@closed
class Step(TypedDict):
    name: Annotated[str, Field(json_schema_extra={"enum": list(STEPS)})]
    picture: Annotated[str, Field(description="a PNG as a data: URL")]


@closed
class Steps(TypedDict):
    model: str
    steps: list[Step]


@closed
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
        Field(
            description="rows of log-odds in nats, one number per pixel: positive for the label, negative against it"
        ),
    ]


@closed
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
    """Everything about one model; fields without a value are null."""

    labels: list[str] | None
    input_shape: list[int] | None
    settings: dict[str, Any] | None
    settings_schema: dict[str, Any] | None
    checkpoints: list[CheckpointRow]
    card: Card | None


@closed
class Calls(TypedDict):
    model: str
    calls: list[Call]


Csv = Annotated[str, WithJsonSchema({"type": "string", "description": "one row per epoch"})]
Exposition = Annotated[str, WithJsonSchema({"type": "string", "description": "in Prometheus' text format"})]


@closed
class Live(TypedDict):
    live: Literal[True]


@closed
class ModelState(TypedDict):
    name: str
    version: int | None
    ready: bool
    trouble: str | None


@closed
class Ready(TypedDict):
    ready: Literal[True]
    model: str
    models: list[ModelState]


@closed
class NotReady(TypedDict):
    ready: Literal[False]
    model: NotRequired[str]
    error: str
    code: Code
    models: list[ModelState]
