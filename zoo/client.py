"""An HTTP client for a served zoo, with the same answers as `Zoo`.

    from zoo.client import Client

    with Client("http://127.0.0.1:5000") as zoo:
        zoo.predict("seven.png").digit

Needs httpx: pip install 'flask-model-zoo[client]'. Imports neither a model runtime nor the server.
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
from zoo.types import DIGITS, Image, Prediction, Reading

try:
    import httpx
except ImportError as error:
    raise ImportError("zoo.client needs httpx. Install it: pip install 'flask-model-zoo[client]'.") from error

__all__ = ["Client"]

RETRIED = (429, 502, 503, 504)  # statuses upon which a request is sent again
FIRST_PAUSE = 0.2  # seconds before the second attempt; each further pause is twice as long
MOST = 256  # pictures in one request, until the server says that it takes fewer
MOST_BYTES = (
    12_000_000  # bytes of pictures in one request; a larger picture goes alone. The server's default limit is 20 MB
)

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
"""Environment variables, in upper or lower case, that configure httpx's proxies."""

Params = Mapping[str, str | int]


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
        url = _url(address)
        if timeout is not None and not timeout > 0:
            raise ValueError(f"timeout is {timeout}. Give seconds above 0, or None for no limit.")
        if retries < 0:
            raise ValueError(f"retries is {retries}. Give a whole number, 0 or more.")
        if key is not None:
            key = key.strip()  # a key read from a file ends in a newline
            if not (key and key.isascii() and key.isprintable()):
                raise KeyRefused(
                    "The key is empty or has characters that no key has. Give it as zoo key new printed it.", 401
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
        """Close the connections that this process has opened."""
        if self._process == os.getpid():
            self._http.close()

    def _connect(self) -> None:
        """Open connections for this process: over those inherited by a fork, processes would mix up their responses.

        The parent's connections are not closed here: that could wait for ever for a lock that one of its threads held.
        """
        self._http = _opened(self._url, self._headers)
        self._process = os.getpid()  # set last: a thread that sees it also sees the new connections

    def predict(
        self, picture: Source, model: str | None = None, version: int | None = None, trace: bool = False
    ) -> Prediction:
        """Return one model's answer for one picture, as `Zoo.predict` would on the server; default: the default model.

        The answer has its `trace` only with `trace=True`. Raises UnknownModel, UnknownCheckpoint, ModelUnavailable, or
        a PictureError.
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
        with _zoos_answer(f"{self.address}/read"):
            return Reading.from_dict(self._ask("POST", "/read", params, body))

    def models(self) -> list[dict[str, Any]]:
        """Return a row per model: name, plugin, summary, checkpoint, accuracy (0-1), available, problem and more."""
        rows: list[dict[str, Any]] = self._ask("GET", "/api/models")
        with _zoos_answer(f"{self.address}/api/models"):
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise TypeError("it is not a list of objects")
        return rows

    def model(self, name: str) -> dict[str, Any]:
        """Return one model's row with its labels, input shape, settings, checkpoints and card. Raises UnknownModel."""
        path = _path(name)
        facts: dict[str, Any] = self._ask("GET", path)
        with _zoos_answer(f"{self.address}{path}"):
            if not isinstance(facts, dict):
                raise TypeError("it is not an object")
        return facts

    def ready(self) -> bool:
        """Whether the server can be reached and its default model can answer. Asks once, without retries."""
        try:
            answer = self._ask("GET", "/readyz", retries=0)
        except (ServerUnreachable, ServerBusy, ModelUnavailable):
            return False
        with _zoos_answer(f"{self.address}/readyz"):
            return bool(answer["ready"])

    def _send(self, path: str, params: Params, pictures: Sequence[bytes]) -> list[dict[str, Any] | ZooError]:
        """Return the answers to pictures as JSON, splitting the request if it is too large for the server."""
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
        except PictureTooLarge as error:  # the whole request exceeds a limit, not one picture
            limit = re.search(r"the limit is (\d+) \(server\.max_batch\)", str(error))
            if limit:
                self._most = int(limit[1])
            return self._halves(path, params, pictures, min(len(pictures) // 2, self._most))
        with _zoos_answer(f"{self.address}{path}"):
            rows = answer["predictions"]
            if len(rows) != len(pictures):
                raise ValueError(f"{len(rows)} answers for {len(pictures)} pictures")
            told = [self._refusal(row["status"], row["error"], params) if "error" in row else row for row in rows]
        return self._completed(path, params, pictures, told)

    def _completed(
        self, path: str, params: Params, pictures: Sequence[bytes], told: list[dict[str, Any] | ZooError]
    ) -> list[dict[str, Any] | ZooError]:
        """Return the answers after resending the pictures that the server refused only for the size of the request."""
        put_off = [place for place, answer in enumerate(told) if _was_one_too_many(answer)]
        alone = len(put_off) == len(told)  # each has more pixels than a request with several pictures may have
        parts = [[place] for place in put_off] if alone else [put_off]
        for places in parts:
            fresh = self._send(path, params, [pictures[place] for place in places])
            for place, answer in zip(places, fresh, strict=True):
                told[place] = answer
        return told

    def _halves(
        self, path: str, params: Params, pictures: Sequence[bytes], size: int
    ) -> list[dict[str, Any] | ZooError]:
        """Send the first `size` pictures and the others in separate requests, and return all answers."""
        first, rest = pictures[:size], pictures[size:]
        return self._send(path, params, first) + self._send(path, params, rest)

    def _prediction(self, told: dict[str, Any], path: str, params: Params, picture: bytes) -> Prediction:
        """Turn one answer's JSON into a Prediction. `picture` is only sent again if the labels are not known yet."""
        with _zoos_answer(f"{self.address}{path}"):
            if "digit" in told:
                return Prediction.from_dict(told, DIGITS)
            return Prediction.from_dict(told, self._labels_of(told["checkpoint"], path, params, picture))

    def _labels_of(self, checkpoint: str, path: str, params: Params, picture: bytes) -> tuple[str, ...]:
        """Return a checkpoint's labels in class order; the first time this takes one more request."""
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
        """Return the server's JSON response, retrying as `Client` describes; `retries` overrides the client's own."""
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
                    f"{url} did not answer within {self.timeout:g} s. Give the client a longer timeout, or check the "
                    "server."
                ) from error
            except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError, OverflowError) as error:
                raise ServerUnreachable(
                    f"{url} cannot be reached: {error}. Check the address, and that of the proxy if there is one."
                ) from error
            except httpx.TransportError as error:
                trouble: ZooError = ServerUnreachable(
                    f"{url} cannot be reached: {error or type(error).__name__}. Check that the zoo is served there: "
                    "zoo serve."
                )
            except httpx.RequestError as error:  # a response came whose body contradicts its headers
                raise ServerError(
                    f"{url} does not answer like a zoo ({error}). Check that it is the zoo's address."
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
        """Return the whole response. Raises ReadTimeout once the time is up, even if more of the body still arrives."""
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
        """Return the error for a response without success, whether a zoo or something in front of it sent it."""
        try:
            message = answer.json()["error"]
        except (ValueError, KeyError, TypeError, RecursionError):
            message = None
        if isinstance(message, str):
            if answer.status_code == 503 and "Retry-After" in answer.headers:  # without it, the model cannot answer
                return ServerBusy(message, 503)
            return self._refusal(answer.status_code, message, params)
        found = f"{url} answered {answer.status_code} {answer.reason_phrase}".rstrip()
        if answer.has_redirect_location:
            return ServerError(f"{found}, to {answer.headers['Location']}. Use that address.", answer.status_code)
        if answer.status_code in RETRIED:
            return ServerBusy(f"{found} to every attempt. Try again later.", answer.status_code)
        if answer.status_code in (401, 403):
            return self._refusal(answer.status_code, f"{found}.", params)
        return ServerError(f"{found}, unlike a zoo. Check that it is the zoo's address.", answer.status_code)

    def _refusal(self, status: int, message: str, params: Params) -> ZooError:
        """Return the zoo's error for a status and the server's message."""
        if status == 404 and not message.startswith("There is nothing at "):
            known = "version" in params and not message.startswith("There is no model ")
            return UnknownCheckpoint(message) if known else UnknownModel(message)
        if status in (401, 403):
            return KeyRefused(message if self._has_key else f"{message} Pass a key: Client(address, key=...).", status)
        if status == 429:
            return ServerBusy(message, status)
        kind = {400: PictureBroken, 413: PictureTooLarge, 415: PictureUnsupported, 503: ModelUnavailable}.get(status)
        return kind(message) if kind else ServerError(message, status)


class _Left(dict[str, float]):
    """The timeout of each step of a request, which httpcore looks up here: the seconds left of the whole request."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._end = time.monotonic() + seconds

    @property
    def seconds(self) -> float:
        return max(0.0, self._end - time.monotonic())

    def get(self, step: str, default: Any = None) -> Any:
        # Never 0: depending on the step it means not to wait at all, or to wait for ever.
        return max(0.001, self.seconds) if self.seconds < math.inf else None


@contextmanager
def _zoos_answer(url: str) -> Iterator[None]:
    """Turn the errors of reading a malformed response into a ServerError."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, OSError, RecursionError) as error:
        raise ServerError(
            f"{url} does not answer like a zoo ({type(error).__name__}: {error}). Check that it is the zoo's address."
        ) from error


def _url(address: str) -> httpx.URL:
    """Parse and check an address to which paths can be added. Raises ServerUnreachable."""
    wanted = "Use one such as http://127.0.0.1:5000."
    told = _without_user(address)
    try:
        url = httpx.URL(address)
        host = url.host and url.raw_host.decode("ascii").encode("idna")  # as sockets do
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ServerUnreachable(f'"{told}" is not an address: {str(error).rstrip(".")}. {wanted}') from error
    if url.scheme not in ("http", "https") or not host:
        raise ServerUnreachable(f'"{told}" is not an address. {wanted}')
    if url.port is not None and url.port > 65535:
        raise ServerUnreachable(f'"{told}" has the port {url.port}; the highest is 65535. {wanted}')
    if "?" in address or "#" in address:
        raise ServerUnreachable(f'"{told}" has a ? or #, after which no path can be added. {wanted}')
    return url


def _without_user(address: str) -> str:
    """Return an address without its user and password, for messages."""
    return re.sub("^([^/]*//)[^/?#]*@", r"\1", address)


def _opened(url: httpx.URL, headers: Mapping[str, str]) -> httpx.Client:
    """Return an httpx client that uses the environment's proxies and certificates. Raises ServerUnreachable."""
    auth = (url.username, url.password) if url.userinfo else None
    try:
        try:
            return httpx.Client(headers=headers, auth=auth)
        except OSError as error:  # the certificate files; http:// needs none, so then no certificate is trusted
            if url.scheme == "https":
                raise ServerUnreachable(
                    f"The certificates that https needs cannot be read: {error}. Set SSL_CERT_FILE and "
                    "SSL_CERT_DIR to existing ones, or unset them."
                ) from error
            return httpx.Client(headers=headers, auth=auth, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    except (httpx.InvalidURL, ValueError, ImportError) as error:
        names = sorted(name for name in os.environ if name.lower() in PROXIES)
        raise ServerUnreachable(
            f"The proxies of {', '.join(names) or 'the system'} cannot be used: {str(error).rstrip('.')}. Use one such "
            "as http://127.0.0.1:3128, or none."
        ) from error


def _was_one_too_many(answer: dict[str, Any] | ZooError) -> bool:
    """Whether a picture was refused because all pictures of its request together have too many pixels."""
    return isinstance(answer, PictureTooLarge) and "(pictures.max_total_megapixels)" in str(answer)


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
    if isinstance(picture, bytes):
        return picture
    import PIL.Image

    file = io.BytesIO()
    PIL.Image.fromarray(picture).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _retry_after(header: str) -> float | None:
    """Return the seconds that a Retry-After header asks for (RFC 9110, 10.2.3), or None if it is not valid."""
    if header.strip().isdecimal():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, TypeError):
        return None
