"""The HTTP requests of `zoo.client`: attempts, pauses between them, and the zoo's errors for what goes wrong."""

from __future__ import annotations

import math
import os
import random
import re
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

from zoo.errors import (
    KeyRefused,
    ModelUnavailable,
    PictureBroken,
    PictureTooLarge,
    PictureUnsupported,
    ServerBusy,
    ServerError,
    ServerUnreachable,
    UnknownCheckpoint,
    UnknownModel,
    ZooError,
)

try:
    import httpx
except ImportError as error:
    raise ImportError("zoo.client needs httpx. Install it: pip install 'flask-model-zoo[client]'.") from error

RETRIED = (429, 502, 503, 504)  # statuses upon which a request is sent again
FIRST_PAUSE = 0.2  # seconds before the second attempt; each further pause is twice as long

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
"""Environment variables, in upper or lower case, that configure httpx's proxies."""

Params = Mapping[str, str | int]


class TooManyPictures(PictureTooLarge):
    """A request has more pictures than the server takes: `limit`, or None if the server does not say how many."""

    def __init__(self, message: str, limit: object) -> None:
        super().__init__(message)
        self.limit = limit if isinstance(limit, int) and limit > 0 else None


BY_CODE: dict[str, type[ZooError]] = {
    "unknown_model": UnknownModel,
    "unknown_checkpoint": UnknownCheckpoint,
    "no_route": ServerError,
    "too_many_pictures": TooManyPictures,
    "busy": ServerBusy,
}
"""The errors for the codes of `webui.faults` that say more than the status."""

BY_STATUS: dict[int, type[ZooError]] = {
    400: PictureBroken,
    401: KeyRefused,
    403: KeyRefused,
    413: PictureTooLarge,
    415: PictureUnsupported,
    429: ServerBusy,
    503: ModelUnavailable,
}
"""The errors for all others, and for servers that send no codes, as those of release 0.1, whose 404s are alike."""


class Transport:
    """Sends requests to a zoo at an address, retrying as `zoo.client.Client` describes. Processes may be forked."""

    def __init__(self, address: str, key: str | None, timeout: float | None, retries: int) -> None:
        """Raises ServerUnreachable, KeyRefused or ValueError for arguments that cannot be used."""
        url = _url(address)
        self.limit(timeout, retries)
        if key is not None:
            key = key.strip()  # a key read from a file ends in a newline
            if not (key and key.isascii() and key.isprintable()):
                raise KeyRefused(
                    "The key is empty or has characters that no key has. Give it as zoo key new printed it.", 401
                )
        self.address = _without_user(address).rstrip("/")
        self._has_key = key is not None
        self._url = url
        self._headers = {"Accept": "application/json"}
        if key is not None:
            self._headers |= {"X-API-Key": key} if url.userinfo else {"Authorization": f"Bearer {key}"}
        self._connect()

    def limit(self, timeout: float | None, retries: int) -> None:
        """Set the seconds that a request may take, None for no limit, and how often it is sent again.

        Raises ValueError for values that cannot be used.
        """
        if timeout is not None and not timeout > 0:
            raise ValueError(f"timeout is {timeout}. Give seconds above 0, or None for no limit.")
        if retries < 0:
            raise ValueError(f"retries is {retries}. Give a whole number, 0 or more.")
        self.timeout = math.inf if timeout is None else timeout
        self.retries = retries

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

    def ask(
        self,
        method: str,
        path: str,
        params: Params | None = None,
        body: bytes | None = None,
        files: Any = None,
        retries: int | None = None,
    ) -> Any:
        """Return the server's JSON response, retrying as `Client` describes; `retries` overrides the transport's own.

        Raises what `Client` describes, and the zoo's error for a response without success.
        """
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
                    with well_formed(url):
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
            fault = answer.json()
            message = fault["error"]
        except (ValueError, KeyError, TypeError, RecursionError):
            message = None
        if isinstance(message, str):
            if answer.status_code == 503 and "Retry-After" in answer.headers and "code" not in fault:
                return ServerBusy(message, 503)
            return self.refusal(answer.status_code, fault, params)
        found = f"{url} answered {answer.status_code} {answer.reason_phrase}".rstrip()
        if answer.has_redirect_location:
            return ServerError(f"{found}, to {answer.headers['Location']}. Use that address.", answer.status_code)
        if answer.status_code in RETRIED:
            return ServerBusy(f"{found} to every attempt. Try again later.", answer.status_code)
        if answer.status_code in (401, 403):
            return self.refusal(answer.status_code, {"error": f"{found}."}, params)
        return ServerError(f"{found}, unlike a zoo. Check that it is the zoo's address.", answer.status_code)

    def refusal(self, status: int, fault: Mapping[str, Any], params: Params) -> ZooError:
        """Return the zoo's error for a status and the JSON of an error: by its code, or by the status without one."""
        message, code = fault["error"], fault.get("code")
        kind = BY_CODE.get(code) if isinstance(code, str) else None
        if kind is None and status == 404:
            kind = UnknownCheckpoint if "version" in params else UnknownModel
        kind = kind or BY_STATUS.get(status, ServerError)
        if kind is TooManyPictures:
            return TooManyPictures(message, fault.get("limit"))
        if kind is KeyRefused and not self._has_key:
            message = f"{message} Pass a key: Client(address, key=...)."
        return kind(message, status) if issubclass(kind, ServerError) else kind(message)


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
def well_formed(url: str) -> Iterator[None]:
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


def _retry_after(header: str) -> float | None:
    """Return the seconds that a Retry-After header asks for (RFC 9110, 10.2.3), or None if it is not valid."""
    if header.strip().isdecimal():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, TypeError):
        return None
