"""The card of a checkpoint: its facts as JSON, with a seal by which damage is noticed."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import PureWindowsPath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from zoo.errors import cut


class FileFact(BaseModel):
    """Hash and size in bytes of a checkpoint's file when it was saved."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class Mistake(BaseModel):
    """A picture that the model gets wrong: its index in the data, its class (`label`), and the class predicted."""

    index: int
    label: int
    predicted: int
    confidence: float
    reason: str | None = Field(
        None, exclude_if=lambda reason: reason is None, description="why it was rejected; absent otherwise"
    )


class ClassFigures(BaseModel):
    """The figures of one class, shares in 0-1; None where the divisor is 0."""

    label: str
    pictures: int
    recall: float | None = Field(description="share of the class's pictures that are read as that class")
    precision: float | None = Field(description="share of the pictures read as the class that belong to it")
    f1: float | None = Field(description="harmonic mean of recall and precision")


class Bin(BaseModel):
    """The answers with confidence in one bin: their number, mean confidence and accuracy (0-1), None when empty."""

    count: int
    confidence: float | None
    accuracy: float | None


class Reliability(BaseModel):
    """How far confidence can be trusted. `zoo.evaluation.calibration` has the formulas; bins go from low to high."""

    ece: float = Field(description="expected calibration error, 0-1")
    nll: float = Field(description="negative log-likelihood per picture, in nats")
    brier: float = Field(description="Brier score, summed over the classes, 0-2")
    bins: list[Bin]


class Hardship(BaseModel):
    """One way of making the pictures harder: three strengths from weak to strong, and the accuracy (0-1) at each."""

    kind: str  # the name of a `zoo.robustness.Corruption`
    unit: str
    strengths: list[float]  # its severities
    accuracy: list[float]
    rejected: list[int] = Field(description="number of rejected pictures at each strength")


class Robustness(BaseModel):
    """Accuracy (0-1) on the first test pictures, unchanged and made harder; see `zoo.robustness`."""

    pictures: int
    seed: int
    plain: float = Field(description="accuracy on the same pictures, unchanged")
    kinds: list[Hardship]


class Evaluation(BaseModel):
    """What `zoo evaluate` measured. `mistakes` lists every mistake, so all other pictures were predicted correctly.

    Fields with a default are missing in the cards of the first zoos, which still load.
    """

    data: str
    pictures: int
    correct: int
    accuracy: float
    interval: tuple[float, float] = Field(description="Wilson 95 % interval of the accuracy")
    created: datetime
    rejected: dict[str, int] = Field({}, description="number of rejected pictures, by reason")
    accepted_accuracy: float | None = Field(None, description="accuracy over the pictures that were not rejected")
    classes: list[ClassFigures] = []
    confusion: list[list[int]] = Field([], description="(k, k) counts: one row per label, one column per answer")
    calibration: Reliability | None = None
    robustness: Robustness | None = None
    mistakes: list[Mistake]


class Calibration(BaseModel):
    """What `zoo train` found from validation pictures, plain and photographed, and pictures of no digit."""

    temperature: float = Field(gt=0, description="divisor of the logarithms of the probabilities")
    threshold: float = Field(ge=0, le=1, description="confidence below which a picture is rejected as no digit")
    rejected: dict[str, float] = Field({}, description="share of each kind of picture that the threshold rejects")


class Card(BaseModel):
    """A checkpoint's card: what it is and how it was made. `zoo train` or `zoo evaluate` reproduces every figure."""

    model_config = ConfigDict(extra="allow")

    format: int = 1
    model: str
    version: int = Field(ge=1)
    plugin: str
    plugin_sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{64}$",
        exclude_if=lambda sha256: sha256 is None,
        description="SHA-256 of the plugin's source file that trained it; older cards lack it",
    )
    summary: str = ""
    created: datetime
    settings: dict[str, Any]
    overrides: dict[str, Any] = Field(
        {}, description="settings changed for this run only; such a version is never latest"
    )
    data: dict[str, Any]
    labels: list[str]
    input_shape: list[int]
    parameters: int
    training: dict[str, Any]
    software: dict[str, str]
    calibration: Calibration | None = None
    evaluation: Evaluation | None = None
    files: dict[str, FileFact]
    seal: str | None = Field(None, description="SHA-256 of all other fields, as sorted JSON; see `Catalogue.card`")

    @field_validator("files")
    @classmethod
    def _lie_inside(cls, files: dict[str, FileFact]) -> dict[str, FileFact]:
        for name in files:
            path = PureWindowsPath(name)  # stricter than POSIX: it also knows drives and backslashes
            if not path.parts or path.anchor or ".." in path.parts or "\0" in name:
                raise ValueError(f'"{cut(name)}" is not the name of a file in the folder of the checkpoint')
        return files

    @property
    def runs_in_litert(self) -> bool:
        """Whether the checkpoint answers in LiteRT, and not in TensorFlow."""
        return bool(self.settings.get("runtime", "litert") == "litert")

    @property
    def ref(self) -> str:
        """The checkpoint's name, as "cnn/2"."""
        return f"{self.model}/{self.version}"


@functools.lru_cache(maxsize=128)
def parse(content: bytes) -> tuple[Card, bool]:
    """Parse a card's file, and check its seal. Raises pydantic's ValidationError.

    Cached, because each card is read several times at start-up.
    """
    card = Card.model_validate_json(content)
    return card, card.seal is None or card.seal == _seal(json.loads(content))


def to_json(card: Card) -> bytes:
    """Return the content of a card's file, with its seal."""
    facts = card.model_dump(mode="json")
    return json.dumps(facts | {"seal": _seal(facts)}, indent=1, ensure_ascii=False).encode() + b"\n"


def _seal(facts: Mapping[str, Any]) -> str:
    """Return a checksum of a card's fields, by which damage is noticed. It is not a signature."""
    rest = {name: fact for name, fact in facts.items() if name != "seal"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
