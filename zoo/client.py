"""Ask a zoo that is served elsewhere: the answers of `Zoo`, over HTTP.

    from zoo.client import Client

    with Client("http://127.0.0.1:5000") as zoo:
        zoo.predict("seven.png").digit

It needs httpx: pip install 'flask-model-zoo[client]'. Neither a model's runtime nor the server is imported.
"""

from __future__ import annotations

import io
import math
import operator
import os
import random
import re
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any
from urllib.parse import quote

from zoo.errors import (
    KeyRefused,
    ModelUnavailable,
    PictureBroken,
    PictureError,
    PictureTooLarge,
    PictureUnsupported,
    ServerBusy,
    ServerError,
    ServerUnreachable,
    UnknownCheckpoint,
    UnknownModel,
    ZooError,
)
from zoo.sources import Source, content, several
from zoo.types import Image, Prediction, Reading

try:
    import httpx
except ImportError as error:
    raise ImportError("zoo.client needs httpx. Install it: pip install 'flask-model-zoo[client]'.") from error

__all__ = ["Client"]

RETRIED = (429, 502, 503, 504)
FIRST_PAUSE = 0.2  # seconds before the second attempt; each further pause is twice as long
MOST = 256  # pictures in one request, unless the server says that it takes fewer
MOST_BYTES = (
    12_000_000  # of pictures in one request, but for a single larger one; the server's limit is 20 MB by default
)
DIGITS = tuple("0123456789")

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
"""Variables of the environment, in any case, that say how httpx reaches a server."""

Params = Mapping[str, str | int]


class Client:
    """A zoo at an address, such as "http://127.0.0.1:5000"; several threads and forked processes may use it at once.

    `key` is sent as a bearer token, or as X-API-Key where the address has a user and password, which take the token's
    place. `timeout` is in seconds, for each request with its repetitions, None without any; a server that sends the
    head of its answer drop by drop outlasts it. A request is sent again up to `retries` times when there is no
    connection and upon 429, 502, 503 and 504, with pauses that grow, or as long as the server's Retry-After says; never
    when it is the request that is wrong, or the model that cannot answer.

    All methods raise ServerUnreachable, ServerBusy, KeyRefused, or ServerError for an answer that is no zoo's; and what
    is given here may raise ServerUnreachable, KeyRefused or ValueError.
    """

    def __init__(self, address: str, key: str | None = None, timeout: float | None = 10, retries: int = 3) -> None:
        url = _url(address)
        if timeout is not None and not timeout > 0:
            raise ValueError(f"timeout is {timeout}. Give seconds above 0, or None for no limit.")
        if retries < 0:
            raise ValueError(f"retries is {retries}. Give a whole number from 0.")
        if key is not None:
            key = key.strip()  # as it is read from a file
            if not (key and key.isascii() and key.isprintable()):
                raise KeyRefused(
                    "The key is empty or has characters that no key has. Give it as zoo key new told it.", 401
                )
        self.address = _without_user(address).rstrip("/")
        self.timeout = math.inf if timeout is None else timeout
        self.retries = retries
        self._has_key = key is not None
        self._url = url
        self._headers = {"Accept": "application/json"}
        if key is not None:
            self._headers |= {"X-API-Key": key} if url.userinfo else {"Authorization": f"Bearer {key}"}
        self._connect()
        self._labels: dict[str, tuple[str, ...]] = {}
        self._most = MOST

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        if self._process == os.getpid():
            self._http.close()

    def _connect(self) -> None:
        """Have connections of this process's own: on one that a fork shares, each would get the other's answers.

        Those of the process that forked are not closed, for which there may be a lock that a thread held there.
        """
        self._http = _opened(self._url, self._headers)
        self._process = os.getpid()  # last: another thread then finds both

    def predict(
        self, picture: Source, model: str | None = None, version: int | None = None, trace: bool = False
    ) -> Prediction:
        """One model's answer for one picture, equal to that of `Zoo.predict` there; by default the default model's.

        Its `trace` is there if asked for. Raises UnknownModel, UnknownCheckpoint, ModelUnavailable, or a PictureError.
        """
        (answer,) = self.predict_many([picture], model, version, trace)
        if isinstance(answer, ZooError):
            raise answer
        return answer

    def predict_many(
        self, pictures: Iterable[Source], model: str | None = None, version: int | None = None, trace: bool = False
    ) -> list[Prediction | ZooError]:
        """One model's answers for many pictures, in their order; a picture that cannot be read gives its error.

        They go in as few requests as the server's limits allow. Raises UnknownModel, UnknownCheckpoint, or
        ModelUnavailable, as the server says to the first picture that can be sent; and PictureBroken for a picture
        alone.
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
        """All the digits that a picture shows, equal to the reading of `Zoo.read` there. Raises what `predict` does."""
        params = _params(model=None if model is None else _known_form(model), version=version)
        body = _file(content(picture))
        with _zoos_answer(f"{self.address}/read"):
            return Reading.from_dict(self._ask("POST", "/read", params, body))

    def models(self) -> list[dict[str, Any]]:
        """A row for each model: name, plugin, summary, checkpoint, accuracy (0-1), available, problem and more."""
        rows: list[dict[str, Any]] = self._ask("GET", "/api/models")
        with _zoos_answer(f"{self.address}/api/models"):
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise TypeError("it is no list of objects")
        return rows

    def model(self, name: str) -> dict[str, Any]:
        """One model's row, with its labels, input shape, settings, checkpoints and card. Raises UnknownModel."""
        path = _path(name)
        facts: dict[str, Any] = self._ask("GET", path)
        with _zoos_answer(f"{self.address}{path}"):
            if not isinstance(facts, dict):
                raise TypeError("it is no object")
        return facts

    def ready(self) -> bool:
        """Whether the server can be reached and its default model can answer, asked once."""
        try:
            answer = self._ask("GET", "/readyz", retries=0)
        except (ServerUnreachable, ServerBusy, ModelUnavailable):
            return False
        with _zoos_answer(f"{self.address}/readyz"):
            return bool(answer["ready"])

    def _send(self, path: str, params: Params, pictures: Sequence[bytes]) -> list[dict[str, Any] | ZooError]:
        """The answers to pictures as JSON, in fewer at a time if they are too many for the server."""
        if not pictures:
            return []
        if len(pictures) == 1:
            try:
                return [self._ask("POST", path, params, pictures[0])]
            except PictureError as error:
                return [error]
        if len(pictures) > self._most:
            return self._halves(path, params, pictures, self._most)
        files = [("file", (str(place), picture)) for place, picture in enumerate(pictures)]
        try:
            answer = self._ask("POST", path, params, files=files)
        except PictureTooLarge as error:  # all of them together
            limit = re.search(r"the limit is (\d+) \(server\.max_batch\)", str(error))
            if limit:
                self._most = int(limit[1])
            return self._halves(path, params, pictures, min(len(pictures) // 2, self._most))
        with _zoos_answer(f"{self.address}{path}"):
            rows = answer["predictions"]
            if len(rows) != len(pictures):
                raise ValueError(f"{len(rows)} answers to {len(pictures)} pictures")
            told = [self._refusal(row["status"], row["error"], params) if "error" in row else row for row in rows]
        return self._completed(path, params, pictures, told)

    def _completed(
        self, path: str, params: Params, pictures: Sequence[bytes], told: list[dict[str, Any] | ZooError]
    ) -> list[dict[str, Any] | ZooError]:
        """The same answers, with those of the pictures that the server wants in another request."""
        put_off = [place for place, answer in enumerate(told) if _was_one_too_many(answer)]
        alone = len(put_off) == len(told)  # each has more pixels than a request of several may have
        parts = [[place] for place in put_off] if alone else [put_off]
        for places in parts:
            fresh = self._send(path, params, [pictures[place] for place in places])
            for place, answer in zip(places, fresh, strict=True):
                told[place] = answer
        return told

    def _halves(
        self, path: str, params: Params, pictures: Sequence[bytes], size: int
    ) -> list[dict[str, Any] | ZooError]:
        first, rest = pictures[:size], pictures[size:]
        return self._send(path, params, first) + self._send(path, params, rest)

    def _prediction(self, told: dict[str, Any], path: str, params: Params, picture: bytes) -> Prediction:
        with _zoos_answer(f"{self.address}{path}"):
            if "digit" in told:
                return Prediction.from_dict(told, DIGITS)
            return Prediction.from_dict(told, self._labels_of(told["checkpoint"], path, params, picture))

    def _labels_of(self, checkpoint: str, path: str, params: Params, picture: bytes) -> tuple[str, ...]:
        """A checkpoint's labels in the order of the classes, by one more request the first time."""
        if checkpoint not in self._labels:
            told = self._ask("POST", path, {**params, "top": 1_000_000}, picture)
            shares = told["probabilities"]
            places = sorted(range(len(shares)), key=lambda place: -shares[place])  # as `Prediction.best` has them
            labels = dict(zip(places, (one["label"] for one in told["top"]), strict=True))
            self._labels[checkpoint] = tuple(labels[place] for place in range(len(shares)))
        return self._labels[checkpoint]

    def _ask(
        self,
        method: str,
        path: str,
        params: Params | None = None,
        body: bytes | None = None,
        files: Any = None,
        retries: int | None = None,
    ) -> Any:
        """What the server answers as JSON, after as many attempts as it takes and there is time for."""
        if self._process != os.getpid():
            self._connect()
        url = f"{self.address}{path}"
        left = _Left(self.timeout)
        headers = {"Content-Type": "application/octet-stream"} if body is not None else {}
        pause = FIRST_PAUSE
        for attempts_left in range(self.retries if retries is None else retries, -1, -1):
            asked = None
            try:
                request = self._http.build_request(
                    method, url, params=params, content=body, files=files, headers=headers, extensions={"timeout": left}
                )
                answer = self._answer(request, left)
            except httpx.TimeoutException as error:
                raise ServerUnreachable(
                    f"{url} did not answer within {self.timeout:g} s. Give the client a longer timeout, or see how the "
                    "server is."
                ) from error
            except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError, OverflowError) as error:
                raise ServerUnreachable(
                    f"{url} cannot be reached: {error}. See that the address is right, and that of a proxy if there is "
                    "one."
                ) from error
            except httpx.TransportError as error:
                trouble: ZooError = ServerUnreachable(
                    f"{url} cannot be reached: {error or type(error).__name__}. See that the zoo is served there: "
                    "zoo serve."
                )
            except httpx.RequestError as error:  # an answer came, and is not what its head says
                raise ServerError(
                    f"{url} does not answer as a zoo does ({error}). See that it is the zoo's address."
                ) from error
            else:
                if answer.is_success:
                    with _zoos_answer(url):
                        return answer.json()
                trouble = self._trouble(answer, url, params or {})
                if answer.status_code not in RETRIED or isinstance(trouble, ModelUnavailable):
                    raise trouble
                asked = _retry_after(answer.headers.get("Retry-After", ""))
            wait = pause * random.uniform(0.5, 1) if asked is None else asked
            if not attempts_left or wait >= left.seconds:
                raise trouble
            time.sleep(wait)
            pause *= 2
        raise AssertionError

    def _answer(self, request: httpx.Request, left: _Left) -> httpx.Response:
        """The whole answer; a server that sends it drop by drop does not outlast the time."""
        answer = self._http.send(request, stream=True)
        try:
            parts = []
            for part in answer.iter_raw():
                parts.append(part)
                if not left.seconds:
                    raise httpx.ReadTimeout("", request=request)
        finally:
            answer.close()
        return httpx.Response(answer.status_code, headers=answer.headers, content=b"".join(parts), request=request)

    def _trouble(self, answer: httpx.Response, url: str, params: Params) -> ZooError:
        try:
            message = answer.json()["error"]
        except (ValueError, KeyError, TypeError, RecursionError):
            message = None
        if isinstance(message, str):
            if answer.status_code == 503 and "Retry-After" in answer.headers:  # without, it is the model
                return ServerBusy(message, 503)
            return self._refusal(answer.status_code, message, params)
        found = f"{url} answered {answer.status_code} {answer.reason_phrase}".rstrip()
        if answer.has_redirect_location:
            return ServerError(f"{found}, to {answer.headers['Location']}. Give that address.", answer.status_code)
        if answer.status_code in RETRIED:
            return ServerBusy(f"{found}, time and again. Try later.", answer.status_code)
        if answer.status_code in (401, 403):
            return self._refusal(answer.status_code, f"{found}.", params)
        return ServerError(f"{found}, and not as a zoo does. See that it is the zoo's address.", answer.status_code)

    def _refusal(self, status: int, message: str, params: Params) -> ZooError:
        """The zoo's own error for a status and the server's message."""
        if status == 404 and not message.startswith("There is nothing at "):
            known = "version" in params and not message.startswith("There is no model ")
            return UnknownCheckpoint(message) if known else UnknownModel(message)
        if status in (401, 403):
            return KeyRefused(message if self._has_key else f"{message} Give it: Client(address, key=...).", status)
        if status == 429:
            return ServerBusy(message, status)
        kind = {400: PictureBroken, 413: PictureTooLarge, 415: PictureUnsupported, 503: ModelUnavailable}.get(status)
        return kind(message) if kind else ServerError(message, status)


class _Left(dict[str, float]):
    """The seconds that are left of a whole request, as the timeout of each of its steps, which httpcore looks up."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._end = time.monotonic() + seconds

    @property
    def seconds(self) -> float:
        return max(0.0, self._end - time.monotonic())

    def get(self, step: str, default: Any = None) -> Any:
        # 0 would mean not to wait at all, or for ever.
        return max(0.001, self.seconds) if self.seconds < math.inf else None


@contextmanager
def _zoos_answer(url: str) -> Iterator[None]:
    """Turns what is missing from an answer into a ServerError."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, OSError, RecursionError) as error:
        raise ServerError(
            f"{url} does not answer as a zoo does ({type(error).__name__}: {error}). See that it is the zoo's address."
        ) from error


def _url(address: str) -> httpx.URL:
    """What an address names, so that paths can be added to it. Raises ServerUnreachable."""
    wanted = "Give one such as http://127.0.0.1:5000."
    told = _without_user(address)
    try:
        url = httpx.URL(address)
        host = url.host and url.raw_host.decode("ascii").encode("idna")  # as sockets do
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ServerUnreachable(f'"{told}" is not an address: {str(error).rstrip(".")}. {wanted}') from error
    if url.scheme not in ("http", "https") or not host:
        raise ServerUnreachable(f'"{told}" is not an address. {wanted}')
    if url.port is not None and url.port > 65535:
        raise ServerUnreachable(f'"{told}" has the port {url.port}; the last is 65535. {wanted}')
    if "?" in address or "#" in address:
        raise ServerUnreachable(f'"{told}" has a ? or #, after which no path can be added. {wanted}')
    return url


def _without_user(address: str) -> str:
    """An address that may be told: without the user and password that it may begin with."""
    return re.sub("^([^/]*//)[^/?#]*@", r"\1", address)


def _opened(url: httpx.URL, headers: Mapping[str, str]) -> httpx.Client:
    """A client by what the environment says of proxies and certificates. Raises ServerUnreachable if it cannot be."""
    auth = (url.username, url.password) if url.userinfo else None
    try:
        try:
            return httpx.Client(headers=headers, auth=auth)
        except OSError as error:  # of files that http:// does without; then nobody is trusted who would need them
            if url.scheme == "https":
                raise ServerUnreachable(
                    f"The certificates that https needs cannot be read: {error}. See that SSL_CERT_FILE and "
                    "SSL_CERT_DIR name some, or unset them."
                ) from error
            return httpx.Client(headers=headers, auth=auth, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    except (httpx.InvalidURL, ValueError, ImportError) as error:
        names = sorted(name for name in os.environ if name.lower() in PROXIES)
        raise ServerUnreachable(
            f"The proxies of {', '.join(names) or 'the system'} cannot be used: {str(error).rstrip('.')}. Give such as "
            "http://127.0.0.1:3128, or none."
        ) from error


def _was_one_too_many(answer: dict[str, Any] | ZooError) -> bool:
    """Whether a picture was refused for what the others of its request had, and not for itself."""
    return isinstance(answer, PictureTooLarge) and "(pictures.max_total_megapixels)" in str(answer)


def _path(model: str) -> str:
    return f"/api/models/{quote(_known_form(model), safe='')}"


def _known_form(model: str) -> str:
    """A model's name, if a server could have such. Raises UnknownModel for what no path or query can hold."""
    told = model.encode(errors="replace").decode()  # half of a surrogate pair is none of UTF-8
    if model in ("", ".", "..") or "/" in model or told != model:
        raise UnknownModel(f'There is no model "{told}". A model\'s name has small letters, digits and _.')
    return model


def _params(version: int | None = None, **given: str | int | None) -> dict[str, str | int]:
    """The query. Raises UnknownCheckpoint for what is no version, which is no picture's fault."""
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
    """Pictures as files, in requests that are not too large; one that cannot be read here gives its error."""
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
    """A picture file; of pixels a PNG, which keeps each of them."""
    if isinstance(picture, bytes):
        return picture
    import PIL.Image

    file = io.BytesIO()
    PIL.Image.fromarray(picture).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _retry_after(header: str) -> float | None:
    """Seconds that a Retry-After asks for (RFC 9110, 10.2.3), None when it says nothing."""
    if header.strip().isdecimal():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, TypeError):
        return None
