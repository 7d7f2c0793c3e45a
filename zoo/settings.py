"""The settings of a zoo as pydantic models, with their defaults, bounds and descriptions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationInfo, field_validator

from zoo.errors import ModelUnavailable
from zoo.keys import HASH
from zoo.types import Weights

MODEL_NAME = re.compile(r"[a-z][a-z0-9_]*")
KEY_NAME = r"^[a-z][a-z0-9_-]{0,63}$"  # lower case, because the names of environment variables are lowered
KEY_NAMED = "lower-case letters, digits, - and _, starting with a letter, 64 characters at most"
RATE = re.compile(r"[1-9]\d{0,8} ?(per|/) ?([1-9]\d{0,5} )?(second|minute|hour|day)s?")
ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:.]+\](:\d{1,5})?")
PATH_PREFIX = r"^((/[A-Za-z0-9._~-]+)+)?$"


class Table(BaseModel):
    """A table of settings: unknown keys are errors, values are not converted, and nothing changes after loading.

    A subclass that redefines a setting, such as `epochs: int = 100`, keeps the bounds and the description of the class
    it derives from, unless it gives its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        """Take bounds and descriptions from the base classes, once pydantic has resolved all annotations."""
        changed = False
        for name, setting in cls.model_fields.items():
            parents = [parent for parent in cls.__mro__[1:] if issubclass(parent, Table)]
            bases = [parent.model_fields[name] for parent in parents if name in parent.model_fields]
            alike = [base for base in bases if base.metadata and base.annotation == setting.annotation]
            description = next((base.description for base in bases if base.description), None)
            if alike and not setting.metadata:
                setting.metadata, changed = list(alike[0].metadata), True
            if description and not setting.description:
                setting.description, changed = description, True
        if changed:
            cls.model_rebuild(force=True)


class InkSettings(Table):
    """What counts as ink, the strokes of a digit.

    The defaults were tuned on 470 photographed, scanned and drawn digits of about 50 people.
    """

    min_contrast: float = Field(
        10, ge=1, le=255, description="least contrast of ink with its background, in grey levels (0-255)"
    )
    min_signal: float = Field(
        4, ge=1, le=100, description="least contrast of ink, as a multiple of the background's noise"
    )
    speck: float = Field(
        0.02, ge=0, le=0.5, description="marks with less than this share of the digit's ink are ignored as dirt"
    )
    thin: float = Field(
        2.2, ge=0, le=4, description="strokes thinner than this are thickened to it, in the model's pixels; 0: never"
    )
    thick: float = Field(
        3.8, ge=1, le=20, description="strokes thicker than this are thinned to it, in the model's pixels; 20: never"
    )


class PictureSettings(Table):
    """Limits on a picture, checked before it is decoded."""

    max_mb: float = Field(16, gt=0, le=1024, description="largest picture file, in MB of 1,000,000 bytes")
    max_megapixels: float = Field(50, gt=0, le=1000, description="largest picture, width x height / 1,000,000")
    max_total_megapixels: float = Field(
        200,
        gt=0,
        le=100_000,
        description="all pictures of one request together, in megapixels; those beyond it are answered with 413",
    )

    @property
    def most(self) -> int:
        """How many bytes to read of a file: one more than allowed, to notice that it is too large."""
        return int(self.max_mb * 1e6) + 1


class KeySettings(Table):
    """A key that grants access, as `zoo key new` prints it for the settings. The key itself is not stored."""

    hash: str = Field(pattern=HASH, description="the key's SHA-256, as zoo key new prints it")
    scopes: list[Literal["predict", "admin"]] = Field(
        ["predict"], min_length=1, description="predict: use the models; admin: also see and change the server"
    )


class ServerSettings(Table):
    """Where `zoo serve` listens, its limits, and who may use it."""

    host: str = Field("127.0.0.1", min_length=1, description="address to listen on")
    port: int = Field(5000, ge=0, le=65535, description="port to listen on; 0 picks any free port")
    workers: int = Field(2, ge=1, le=64, description="worker processes")
    threads: int = Field(4, ge=1, le=64, description="threads of each worker that answer requests")
    max_waiting: int = Field(
        500,
        ge=0,
        le=100_000,
        description="most requests per worker that may wait for a thread; more are answered with 503",
    )
    wait_seconds: float = Field(
        10, gt=0, le=3600, description="seconds that a request may wait for a thread before it is answered with 503"
    )
    max_body_mb: float = Field(
        20, gt=0, le=1024, description="largest request body, in MB; a larger one is answered with 413"
    )
    max_batch: int = Field(256, ge=1, le=10_000, description="most pictures in one request; more are answered with 413")
    body_seconds: float = Field(30, gt=0, le=3600, description="seconds a client has to send its request body")
    drain_seconds: float = Field(10, gt=0, le=600, description="seconds that requests in flight get at shutdown")
    log: Literal["text", "json", "off"] = Field(
        "text", description="format of the line that each request writes to standard output"
    )
    allow_anonymous: bool = Field(False, description="listen beyond this machine even without keys")
    secret: str = Field(
        "", repr=False, description="signs the pages' cookies, at least 32 characters; empty: a new one at each start"
    )
    rate: str = Field("", description='rate limit per client and worker, such as "100 per minute"; empty: none')
    proxies: int = Field(0, ge=0, le=16, description="proxies in front whose X-Forwarded headers are trusted")
    prefix: str = Field("", pattern=PATH_PREFIX, description='URL path of the zoo, such as "/zoo"; empty: the root')
    keys: dict[Annotated[str, Field(pattern=KEY_NAME)], KeySettings] = Field(
        {}, description="keys that grant access, one line each; none: access for everyone"
    )
    cors_origins: list[str] = Field(
        [], description='sites whose pages may send requests, such as "https://example.org"; "*": all, without keys'
    )

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, secret: str) -> str:
        if secret and len(secret) < 32:
            raise ValueError(f"it has {len(secret)} characters; it should have at least 32, chosen at random")
        return secret

    @field_validator("rate")
    @classmethod
    def _a_rate(cls, rate: str) -> str:
        if rate and not RATE.fullmatch(rate):
            raise ValueError('it should be a number per second, minute, hour or day, such as "100 per minute"')
        return rate

    @field_validator("cors_origins")
    @classmethod
    def _exact_origins(cls, origins: list[str], info: ValidationInfo) -> list[str]:
        """Accept only "*", if there are no keys, and origins of scheme, host and port."""
        for origin in origins:
            if origin == "*":
                if info.data.get("keys"):
                    raise ValueError(
                        '"*" is only for a server without keys; list the origins, such as "https://example.org"'
                    )
            elif not ORIGIN.fullmatch(origin):
                raise ValueError(
                    f'"{origin}" is not an origin: use only scheme, host and port, as in "https://example.org"'
                )
        return origins


class Augmentation(Table):
    """How training pictures are varied at random, each variation up to the given strength; 0 turns it off."""

    rotate: float = Field(0.0, ge=0, le=90, description="degrees to either side")
    shear: float = Field(0.0, ge=0, le=60, description="degrees to either side")
    scale: float = Field(0.0, ge=0, le=1, description="share by which width and height change, independently")
    shift: float = Field(0.0, ge=0, le=10, description="pixels in each direction")
    elastic: float = Field(0.0, ge=0, le=5, description="pixels of elastic bending (standard deviation)")
    thickness: float = Field(
        0.0, ge=0, le=1, description="share of a pixel by which strokes grow or shrink on each side"
    )
    blur: float = Field(0.0, ge=0, le=1, description="share of a 3x3 blur")
    contrast: float = Field(0.0, ge=0, lt=1, description="share of the contrast that is lost")
    noise: float = Field(0.0, ge=0, le=1, description="standard deviation of noise, 1 being black to white")

    @property
    def any(self) -> bool:
        """Whether anything is varied."""
        return any(self.model_dump().values())

    @property
    def bends(self) -> bool:
        """Whether any variation moves pixels."""
        return any((self.rotate, self.shear, self.scale, self.shift, self.elastic))


class Views(Table):
    """Turned and scaled views of each picture whose answers a network combines; all 0: the picture alone."""

    turn: float = Field(0.0, ge=0, le=45, description="degrees by which the picture is rotated to either side")
    zoom: float = Field(0.0, ge=0, lt=0.5, description="share by which the picture is shrunk and enlarged")

    @property
    def any(self) -> bool:
        """Whether there is any view other than the picture itself."""
        return bool(self.turn or self.zoom)


class Others(Protocol):
    """What a model can ask about the other models of its zoo, by name ("cnn") or version ("cnn/2")."""

    def network(self, name: str) -> Any: ...

    def temperature(self, name: str) -> float: ...


class ModelSettings(Table):
    """The settings that every model has; a plugin adds its own in `class Settings(ModelSettings)`.

    `fast` holds the changes that `zoo train --fast` makes. It turns `ema` off, because so few steps are too few for a
    moving average of the weights.
    """

    fast: ClassVar[Mapping[str, Any]] = {"epochs": 3, "schedule": "one_cycle", "ema": 0.0}

    dataset: Literal["mnist"] = Field("mnist", description="dataset to train on")
    epochs: int = Field(10, ge=1, le=100_000, description="passes over the training pictures")
    batch_size: int = Field(128, ge=1, le=55_000, description="pictures per step")
    validation: int = Field(5_000, ge=1, le=50_000, description="training pictures held out for validation")
    drawn: int = Field(
        0, ge=0, le=100_000, description="additional synthetic digits, in ways of writing that MNIST lacks"
    )
    coarse: int = Field(
        0, ge=0, le=100_000, description="additional digits degraded to coarse scans, stretched to a square"
    )
    photographed: int = Field(0, ge=0, le=100_000, description="additional digits in synthetic photographs of paper")
    others: int = Field(
        0, ge=0, le=100_000, description="synthetic pictures of no digit, on which the model learns to be unsure"
    )
    start: str | None = Field(
        None,
        pattern=r"^[a-z][a-z0-9_]*/[1-9][0-9]*$",
        description='version of a model with the same network whose weights training starts from, such as "deep/2"; '
        "unset: new weights",
    )
    seed: int = Field(1, ge=0, lt=2**31, description="seed of the weights, the order of the pictures and dropout")
    optimizer: Literal["adam", "adamw", "sgd"] = Field("adam", description="sgd has Nesterov momentum 0.9")
    learning_rate: float = Field(1e-3, gt=0, le=10, description="peak learning rate")
    schedule: Literal["constant", "cosine", "one_cycle"] = Field(
        "cosine",
        description="learning rate over the run: constant; cosine, falling to 0; or one_cycle, rising over a third of "
        "the run, then falling to 0",
    )
    weight_decay: float = Field(0.0, ge=0, le=1, description="decoupled weight decay (adamw only)")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of each label that is spread over all classes")
    ema: float = Field(
        0.0, ge=0, lt=1, description="decay of a moving average of the weights, which is then what is saved; 0: none"
    )
    augment: Augmentation = Field(Augmentation(), description="how training pictures are varied; a table")
    why: Literal["occlusion", "weights"] = Field(
        "occlusion",
        description="how the pixels that decided are found: by covering parts of the picture, or, for dense networks, "
        "from the weights",
    )
    views: Views = Field(
        Views(), description="rotated and scaled views of a picture, whose answers are combined; a table"
    )
    runtime: Literal["litert", "tensorflow"] = Field(
        "litert", description="what runs the network: litert, or tensorflow if LiteRT cannot run it"
    )
    weights: Weights = Field(
        "int8",
        description="how LiteRT stores the weights: int8 is up to five times as fast and a quarter of the size; "
        'float32 is exact, and always used with `why = "weights"`',
    )
    preprocess: Literal["ink", "resize"] = Field(
        "ink", description="ink finds the digit and brings it to MNIST's form; resize only resizes the picture"
    )

    ink: InkSettings = Field(InkSettings(), description="what counts as ink; a table: [models.NAME.ink]")

    _name: str = PrivateAttr("")
    _others: Others | None = PrivateAttr(None)
    _build: Callable[[ModelSettings], Any] | None = PrivateAttr(None)

    @property
    def name(self) -> str:
        """The name of the model that these settings belong to, or ""."""
        private = self.__pydantic_private__  # `self._name` gives the same and takes pydantic twenty times as long
        return private["_name"] if private else ""

    def named(
        self,
        name: str,
        others: Others | None = None,
        build: Callable[[ModelSettings], Any] | None = None,
    ) -> ModelSettings:
        """Return a copy that carries the model's name, access to the other models, and its `build`, for hooks."""
        copy = self.model_copy()
        copy._name = name
        copy._others = others
        copy._build = build
        return copy

    def untrained(self) -> Any:
        """Return the untrained keras.Model that the plugin's `build` makes from these settings; for `load` hooks.

        Raises ModelUnavailable when the settings belong to no model.
        """
        if self._build is None:
            raise ModelUnavailable("These settings belong to no model, so there is nothing to build.")
        return self._build(self)

    def member(self, name: str) -> Any:
        """Return the trained keras.Model of another model of the zoo, "cnn", or of one of its versions, "cnn/2".

        For the `build` hook of a model made of others. Raises UnknownModel, UnknownCheckpoint or ModelUnavailable.
        """
        return self._zoo().network(name)

    def temperature(self, name: str) -> float:
        """Return the temperature in another model's card, by which its logits are divided; 1 if the card has none.

        `name` and the errors raised are as for `member`.
        """
        return self._zoo().temperature(name)

    def _zoo(self) -> Others:
        """Return the access to the other models. Raises ModelUnavailable when the settings belong to no zoo."""
        if self._others is None:
            raise ModelUnavailable("These settings belong to no zoo, so there are no other models.")
        return self._others


class ModelEntry(BaseModel):
    """A table `[models.NAME]`: its plugin and checkpoint. The other keys (`model_extra`) are the plugin's settings."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    plugin: str | None = Field(None, description="default: the model's own name")
    checkpoint: int | str = Field("latest", description='a version, "latest", or "MODEL/VERSION" of the same plugin')

    @field_validator("checkpoint", mode="before")
    @classmethod
    def _a_version(cls, checkpoint: Any) -> Any:
        """Refuse other types here, because pydantic would report one error for each type of the union."""
        if isinstance(checkpoint, bool) or not isinstance(checkpoint, int | str) or checkpoint == "":
            raise ValueError('it should be a version such as 1, "latest", or "MODEL/VERSION"')
        return checkpoint


class Settings(Table):
    """All of `settings.toml`, except for the models' own keys, which only their plugins can check."""

    default_model: str | None = Field(None, description="model that /predict and `zoo predict` use when none is named")
    plugins_folder: str = Field("plugins", min_length=1, description="folder of plugin files")
    checkpoints_folder: str = Field("checkpoints", min_length=1, description="folder of checkpoints")
    models: dict[str, ModelEntry] = Field({}, description="the models, one table each")
    server: ServerSettings = ServerSettings()
    pictures: PictureSettings = PictureSettings()
