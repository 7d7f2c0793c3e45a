"""An HTTP client for a served zoo, with the same answers as `Zoo`.

    from zoo.client import Client

    with Client("http://127.0.0.1:5000") as zoo:
        zoo.predict("seven.png", model="cnn").digit

Its methods take the picture first and then, optionally, the model; those of `Zoo` take the model first.
Needs httpx: pip install 'flask-model-zoo[client]'. Imports neither a model runtime nor the server.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import quote

from zoo.errors import (
    ModelUnavailable,
    PictureError,
    PictureTooLarge,
    ServerBusy,
    ServerUnreachable,
    UnknownCheckpoint,
    UnknownModel,
    ZooError,
)
from zoo.sources import Source, content, several
from zoo.transport import Params, TooManyPictures, Transport, well_formed
from zoo.types import DIGITS, Image, Prediction, Reading, as_png

__all__ = ["Client"]

MOST = 256  # pictures in one request, until the server says that it takes fewer
MOST_BYTES = (
    12_000_000  # bytes of pictures in one request; a larger picture goes alone. The server's default limit is 20 MB
)


class Client:
    """A zoo at an address such as "http://127.0.0.1:5000". Threads and forked processes may share one client.

    `key` is sent as a bearer token, or as X-API-Key if the address has a user and password, which take up the
    Authorization header. `timeout` is in seconds for a request including its retries; None means no limit. It does not
    cover a server that sends its response headers a few bytes at a time.

    A request is retried up to `retries` times when the connection fails and upon 429, 502, 503 and 504, after growing
    pauses or as long as Retry-After says. It is not retried when the request is wrong or the model cannot answer.

    All methods raise ServerUnreachable, ServerBusy, KeyRefused, or ServerError for a response that is not a zoo's. The
    constructor raises ServerUnreachable, KeyRefused or ValueError for arguments that cannot be used.
    """

    def __init__(self, address: str, key: str | None = None, timeout: float | None = 10, retries: int = 3) -> None:
        self._transport = Transport(address, key, timeout, retries)
        self._labels: dict[str, tuple[str, ...]] = {}
        self._most = MOST

    @property
    def address(self) -> str:
        """The address of the zoo, without user and password."""
        return self._transport.address

    @property
    def timeout(self) -> float:
        """The seconds that a request may take, retries included; infinity for no limit."""
        return self._transport.timeout

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        self._transport.limit(seconds, self.retries)

    @property
    def retries(self) -> int:
        """How many times a request is sent again."""
        return self._transport.retries

    @retries.setter
    def retries(self, count: int) -> None:
        self._transport.limit(self.timeout, count)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that this process has opened."""
        self._transport.close()

    def predict(
        self, picture: Source, model: str | None = None, version: int | None = None, trace: bool = False
    ) -> Prediction:
        """Return one model's answer for one picture, as `Zoo.predict(model, picture)` would on the server.

        None is the default model. The answer has its `trace` only with `trace=True`. Raises UnknownModel,
        UnknownCheckpoint, ModelUnavailable, or a PictureError.
        """
        (answer,) = self.predict_many([picture], model, version, trace)
        if isinstance(answer, ZooError):
            raise answer
        return answer

    def predict_many(
        self, pictures: Iterable[Source], model: str | None = None, version: int | None = None, trace: bool = False
    ) -> list[Prediction | ZooError]:
        """Return one model's answers for many pictures, in order; an unreadable picture has its error instead.

        They are sent in as few requests as the server's limits allow. Raises UnknownModel, UnknownCheckpoint or
        ModelUnavailable if the server says so to the first picture that can be sent, and PictureBroken when given a
        single picture instead of several.
        """
        path = "/predict" if model is None else f"{_path(model)}/predict"
        params = _params(version=version, trace=1 if trace else None)
        answers: list[Prediction | ZooError] = []
        for part in _parts(several(pictures), self._most):
            sent = [one for one in part if isinstance(one, bytes)]
            fresh = iter(self._send(path, params, sent))
            for one in part:
                told = one if isinstance(one, ZooError) else next(fresh)
                answers.append(told if isinstance(told, ZooError) else self._prediction(told, path, params, sent[0]))
        return answers

    def read(self, picture: Source, model: str | None = None, version: int | None = None) -> Reading:
        """Return all the digits in a picture, as `Zoo.read` would on the server. Raises what `predict` does."""
        params = _params(model=None if model is None else _known_form(model), version=version)
        body = _file(content(picture))
        with well_formed(f"{self.address}/read"):
            return Reading.from_dict(self._transport.ask("POST", "/read", params, body))

    def models(self) -> list[dict[str, Any]]:
        """Return a row per model: name, plugin, summary, checkpoint, accuracy (0-1), available, problem and more."""
        rows: list[dict[str, Any]] = self._transport.ask("GET", "/api/models")
        with well_formed(f"{self.address}/api/models"):
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise TypeError("it is not a list of objects")
        return rows

    def model(self, name: str) -> dict[str, Any]:
        """Return one model's row with its labels, input shape, settings, checkpoints and card. Raises UnknownModel."""
        path = _path(name)
        facts: dict[str, Any] = self._transport.ask("GET", path)
        with well_formed(f"{self.address}{path}"):
            if not isinstance(facts, dict):
                raise TypeError("it is not an object")
        return facts

    def ready(self) -> bool:
        """Whether the server can be reached and its default model can answer. Asks once, without retries."""
        try:
            answer = self._transport.ask("GET", "/readyz", retries=0)
        except (ServerUnreachable, ServerBusy, ModelUnavailable):
            return False
        with well_formed(f"{self.address}/readyz"):
            return bool(answer["ready"])

    def _send(self, path: str, params: Params, pictures: Sequence[bytes]) -> list[dict[str, Any] | ZooError]:
        """Return the answers to pictures as JSON, splitting the request if it is too large for the server.

        Pictures that the server refuses only for the size of the whole request are sent again.
        """
        if not pictures:
            return []
        if len(pictures) == 1:
            try:
                return [self._transport.ask("POST", path, params, pictures[0])]
            except PictureError as error:
                return [error]
        if len(pictures) > self._most:
            return self._halves(path, params, pictures, self._most)
        files = [("file", (str(place), picture)) for place, picture in enumerate(pictures)]
        try:
            answer = self._transport.ask("POST", path, params, files=files)
        except PictureTooLarge as error:  # the whole request exceeds a limit, not one picture
            if isinstance(error, TooManyPictures) and error.limit is not None:
                self._most = error.limit
            return self._halves(path, params, pictures, min(len(pictures) // 2, self._most))
        with well_formed(f"{self.address}{path}"):
            rows = answer["predictions"]
            if len(rows) != len(pictures):
                raise ValueError(f"{len(rows)} answers for {len(pictures)} pictures")
            answers = [self._transport.refusal(row["status"], row, params) if "error" in row else row for row in rows]
            put_off = [place for place, row in enumerate(rows) if "error" in row and _is_put_off(row)]
        alone = len(put_off) == len(pictures)  # each has more pixels than a request with several pictures may have
        for places in [[place] for place in put_off] if alone else [put_off]:
            fresh = self._send(path, params, [pictures[place] for place in places])
            for place, other in zip(places, fresh, strict=True):
                answers[place] = other
        return answers

    def _halves(
        self, path: str, params: Params, pictures: Sequence[bytes], size: int
    ) -> list[dict[str, Any] | ZooError]:
        """Send the first `size` pictures and the others in separate requests, and return all answers."""
        first, rest = pictures[:size], pictures[size:]
        return self._send(path, params, first) + self._send(path, params, rest)

    def _prediction(self, told: dict[str, Any], path: str, params: Params, picture: bytes) -> Prediction:
        """Turn one answer's JSON into a Prediction. `picture` is only sent again if the labels are not known yet."""
        with well_formed(f"{self.address}{path}"):
            if "digit" in told:
                return Prediction.from_dict(told, DIGITS)
            return Prediction.from_dict(told, self._labels_of(told["checkpoint"], path, params, picture))

    def _labels_of(self, checkpoint: str, path: str, params: Params, picture: bytes) -> tuple[str, ...]:
        """Return a checkpoint's labels in class order; the first time this takes one more request."""
        if checkpoint not in self._labels:
            told = self._transport.ask("POST", path, {**params, "top": 1_000_000}, picture)
            shares = told["probabilities"]
            places = sorted(range(len(shares)), key=lambda place: -shares[place])  # as `Prediction.best` has them
            labels = dict(zip(places, (one["label"] for one in told["top"]), strict=True))
            self._labels[checkpoint] = tuple(labels[place] for place in range(len(shares)))
        return self._labels[checkpoint]


def _is_put_off(row: Mapping[str, Any]) -> bool:
    """Whether a picture was refused because all of its request together have too many pixels.

    A server that sends no code may have refused it for its own size too.
    """
    status, code = row["status"], row.get("code", "too_many_megapixels")
    return bool(status == 413 and code == "too_many_megapixels")


def _path(model: str) -> str:
    """Return a model's path in the API. Raises UnknownModel."""
    return f"/api/models/{quote(_known_form(model), safe='')}"


def _known_form(model: str) -> str:
    """Return a model's name unchanged. Raises UnknownModel if a path or query could not hold it."""
    told = model.encode(errors="replace").decode()  # a lone surrogate cannot be encoded as UTF-8
    if model in ("", ".", "..") or "/" in model or told != model:
        raise UnknownModel(f'There is no model "{told}". Model names have lower-case letters, digits and _.')
    return model


def _params(version: int | None = None, **given: str | int | None) -> dict[str, str | int]:
    """Return the query parameters that are given. Raises UnknownCheckpoint for what is not a whole number from 1."""
    found = {key: value for key, value in given.items() if value is not None}
    if version is None:
        return found
    try:
        number = operator.index(version)
    except TypeError:
        number = 0
    if number < 1:
        raise UnknownCheckpoint(f"There is no version {version!r}. Give a whole number from 1.")
    return {**found, "version": number}


def _parts(pictures: Iterable[Source], most: int) -> Iterator[list[bytes | ZooError]]:
    """Split pictures, as files, into requests of at most `most` pictures and MOST_BYTES.

    A picture that cannot be read here is replaced by its error.
    """
    part: list[bytes | ZooError] = []
    size = 0
    for picture in pictures:
        try:
            one: bytes | ZooError = _file(content(picture))
        except ZooError as error:
            one = error
        length = len(one) if isinstance(one, bytes) else 0
        if part and (len(part) == most or size + length > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(one)
        size += length
    if part:
        yield part


def _file(picture: bytes | Image) -> bytes:
    """Return a picture file as it is, and pixels as a PNG, which is lossless."""
    return picture if isinstance(picture, bytes) else as_png(picture, compress_level=1)
