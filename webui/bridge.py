"""From ASGI to WSGI: the body of a request is read whole, within limits of time and size, before the app is called.

A WSGI app that reads a body from the network holds a thread until the client has sent all of it, so a few clients that
stop half-way hold all threads. Here a slow client costs only memory: the event loop reads, and threads run only the
app.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from contextlib import suppress
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from webui.environ import BODY, HAS_LEFT, REFUSAL
from webui.faults import LEFT, Refused, code_of
from webui.gathering import Ahead, Gathering
from webui.headers import DATA
from webui.lost import protocol
from webui.metrics import answering
from webui.mounting import is_host
from webui.quick import TINY, Quick
from webui.turns import Crowded, Left, Turns
from webui.visits import Visit, Visits
from webui.wsgi import Call, environ_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

THREADS = 4  # per process; several, so that a slow answer does not hold up the quick ones
LINGER = 2.0  # seconds to go on dropping what a refused client sends; closing at once would lose it the response
SMALL = 1_000_000  # bytes; a body of up to this size is read however many others are
AT_ONCE = 16  # times the limit of one body; while more is held in memory, larger bodies are refused
RETRY = b"1"  # seconds, the Retry-After of a request that is refused for lack of room

log = logging.getLogger("zoo.server")


class _Refused(Exception):
    """The request is not passed to the app; `whole` says that all of it has arrived."""

    def __init__(self, status: HTTPStatus, message: str, whole: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.whole = whole


class _Gone(_Refused):
    """The client left before its body was complete, or ended it early and waits: both look the same."""

    def __init__(self, received: int, length: int) -> None:
        found = f"The body ended after {received:,} of {length:,} bytes (Content-Length). Send it again in full."
        super().__init__(HTTPStatus.BAD_REQUEST, found, whole=True)


def _unchunked(received: int) -> _Refused:
    """Return the refusal of a broken chunked body: the client left, or sent no valid chunks. Both look the same."""
    return _Refused(
        HTTPStatus.BAD_REQUEST,
        f"The chunked body ended or became invalid after {received:,} bytes, before its last chunk. Send it again.",
        whole=True,
    )


class Bridge:
    """An ASGI app around a WSGI app.

    `max_body` is in bytes, `body_seconds` what a client gets to send its body. The app is called by one of the threads
    of `turns`, or in the event loop where that is quick. It finds the whole body in `environ[BODY]` too. Once the
    client has left, `environ[HAS_LEFT]` is True, so that the app can stop what takes long. A GET or HEAD of a path in
    `live` never waits for a thread. The app is not called for requests that are refused:

    - 400: the body ends early, or the Host is wrong,
    - 408: the body takes too long,
    - 413: the body is over the limit,
    - 501: the body has a transfer encoding other than chunked,
    - 503: the large bodies of the moment take too much memory, or too many requests wait for a thread.

    `refusals`, a WSGI app, answers these. It finds status and message in `environ[REFUSAL]`; without it, the
    response is JSON. `visits` is notified of every request. `ahead` gets several requests that are answered at once,
    before the app is called for each.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        max_body: int,
        body_seconds: float,
        turns: Turns | None = None,
        refusals: WSGIApplication | None = None,
        visits: Visits | None = None,
        live: Collection[str] = (),
        ahead: Ahead | None = None,
    ) -> None:
        self._app = app
        self._live = live
        self._refusals = refusals
        self._max_body = max_body
        self._body_seconds = body_seconds
        self._visits = visits
        self._held = 0  # bytes of the bodies that are being read or answered
        self._turns = turns or Turns(THREADS)
        self._quick = Quick()
        self._gathering = None if ahead is None else Gathering(ahead)
        self._refusing = Turns(1)  # refusals do not wait for requests that are answered

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"the bridge speaks http, not {scope['type']}")
        environ = environ_of(scope)
        visit = Visit(environ, scope["raw_path"])
        if self._visits is not None:
            self._visits.began()
        try:
            _check_host(environ)
            body = await self._read(visit, receive)
            environ["wsgi.input"], environ[BODY] = BytesIO(body), body
            await self._answer(Call(self._app, environ, visit.id), body, visit, receive, send)
        except _Refused as refusal:
            await self._refuse(refusal, visit, receive, send)
            if isinstance(refusal, _Gone):
                visit.status, visit.sent = LEFT, 0
        except Left:
            pass
        finally:
            self._held -= visit.received
            if self._visits is not None:
                self._visits.ended(visit)

    async def _read(self, visit: Visit, receive: Receive) -> bytes:
        """Return all that the client sends. Raises _Refused."""
        environ = visit.environ
        declared = environ.get("CONTENT_LENGTH")
        coding = environ.pop("HTTP_TRANSFER_ENCODING", None)
        if declared is None and coding is None:
            return b""
        if coding is not None and coding.strip().lower() != "chunked":
            raise _Refused(
                HTTPStatus.NOT_IMPLEMENTED,
                f"The body has the transfer encoding {coding[:40]}; only chunked is supported. Send it without one.",
            )
        length = int(declared) if declared is not None else None
        self._admit(length or 0)
        chunks: list[bytes] = []
        try:
            async with asyncio.timeout(self._body_seconds):
                while visit.received != length:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _unchunked(visit.received) if length is None else _Gone(visit.received, length)
                    chunk = message.get("body", b"")
                    self._admit(visit.received + len(chunk))
                    self._held += len(chunk)
                    visit.received += len(chunk)
                    chunks.append(chunk)
                    if not message.get("more_body"):
                        break
        except TimeoutError:
            of = f" of {length:,}" if length is not None else ""
            raise _Refused(
                HTTPStatus.REQUEST_TIMEOUT,
                f"{visit.received:,}{of} bytes of the body arrived in {self._body_seconds:g} s, the limit "
                "(server.body_seconds). Send it again on a faster connection.",
            ) from None
        environ["CONTENT_LENGTH"] = str(visit.received)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _admit(self, size: int) -> None:
        """Raise _Refused if a body of `size` bytes so far is too large, or too large for the memory in use just now."""
        if size > self._max_body:
            raise _Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"The body has more than {self._max_body / 1e6:g} MB, the limit (server.max_body_mb). Send less.",
            )
        if size > SMALL and self._held > AT_ONCE * self._max_body:
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, "Too many large bodies are being sent. Try again shortly.")

    async def _refuse(self, refusal: _Refused, visit: Visit, receive: Receive, send: Send) -> None:
        """Answer a request that is refused, and drop for a while what its client still sends."""
        headers, environ = list(_JSON), visit.environ
        answer = _json(str(refusal), refusal.status, environ["PATH_INFO"])
        if self._refusals is not None:
            told = environ | {REFUSAL: (int(refusal.status), str(refusal)), "wsgi.input": BytesIO()}
            call = Call(self._refusals, told | {"CONTENT_LENGTH": "0", "CONTENT_TYPE": ""}, visit.id)
            try:
                answer, headers = (await self._refusing.step(call.context, call.begin))[0] or b"", call.headers
            except Exception:
                call.context.run(log.exception, "the answer to a refused request failed")
            visit.environ, visit.model = call.environ, call.context.get(answering, "")
        headers = [header for header in headers if header[0].lower() != b"content-length"]
        headers += [(b"content-length", b"%d" % len(answer)), (b"x-request-id", visit.id.encode())]
        if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers.append((b"retry-after", RETRY))
        if not refusal.whole:
            headers.append((b"connection", b"close"))
        visit.status, visit.sent = int(refusal.status), len(answer)
        await send({"type": "http.response.start", "status": visit.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})
        sending = refusal.status != HTTPStatus.REQUEST_TIMEOUT and "HTTP_EXPECT" not in environ
        if sending and not refusal.whole:
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    while (await receive()).get("more_body"):
                        pass

    async def _begin(self, call: Call, sent: bytes, receive: Receive) -> tuple[bytes | None, bool]:
        """Call the app, in the event loop where that is quick, else in a thread.

        Returns the body so far and whether it is complete. Raises Crowded, Left and what the app raises.
        """
        path = call.environ["PATH_INFO"]  # taken now: the app may strip its prefix
        if path in self._live and call.environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return call.context.run(call.begin)
        quick = self._quick
        pixels = quick.suits(call.environ, sent)
        if pixels and quick.knows(path):
            share = await self._gathering.join(call.environ) if self._gathering and pixels <= TINY else 0.0
            try:
                return call.context.run(call.begin)
            finally:
                quick.learn(path, call.status, share + call.seconds)

        async def left() -> None:
            await _disconnect(receive)
            call.environ[HAS_LEFT] = True

        answer = await self._turns.begin(call.context, call.begin, left)
        if pixels:
            quick.learn(path, call.status, call.seconds)
        return answer

    async def _answer(self, call: Call, sent: bytes, visit: Visit, receive: Receive, send: Send) -> None:
        """Run the app and send its response: at once if it is complete, else part by part."""
        try:
            body, whole = await self._begin(call, sent, receive)
        except Crowded as error:
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, str(error), whole=True) from None
        except Left:
            raise
        except Exception:
            call.context.run(
                log.exception, "%s %s failed", visit.method, quote(call.environ["PATH_INFO"], encoding="latin-1")
            )
            call.status, call.headers, whole = 500, list(_JSON), True
            body = _json("The server failed on this request. Its log says why.", 500, call.environ["PATH_INFO"])
        visit.status, visit.model = call.status, call.context.get(answering, "")
        headers = [*call.headers, (b"x-request-id", visit.id.encode())]
        await send({"type": "http.response.start", "status": call.status, "headers": headers})
        if whole:
            visit.sent = len(body or b"")
            await send({"type": "http.response.body", "body": body})
            return
        gone = asyncio.ensure_future(_disconnect(receive))
        try:
            while body is not None and not gone.done():
                if body:
                    visit.sent += len(body)
                    await send({"type": "http.response.body", "body": body, "more_body": True})
                body = await self._turns.step(call.context, call.part)
        finally:
            gone.cancel()
            await self._turns.step(call.context, call.close)
        await send({"type": "http.response.body", "body": b""})


_JSON = [(b"content-type", b"application/json"), *((name.lower().encode(), value.encode()) for name, value in DATA)]


def _check_host(environ: WSGIEnvironment) -> None:
    """Raise _Refused unless the request has exactly one valid Host (RFC 9112, section 3.2).

    Several are joined by now, and for a missing one Granian has put an empty one. HTTP/1.0 needs none: then the
    server's address counts.
    """
    host = environ.get("HTTP_HOST", "")
    if is_host(host):
        return
    environ.pop("HTTP_HOST", None)
    if host or environ["SERVER_PROTOCOL"] != "HTTP/1.0":
        found = f'the Host "{host[:80]}"' if host else "no Host"
        raise _Refused(
            HTTPStatus.BAD_REQUEST,
            f"The request has {found}. Send the server's name or address and, if needed, its port, as in Host: "
            "127.0.0.1:5000.",
        )


def _json(message: str, status: int, path: str) -> bytes:
    """Return an error as the body of a JSON response: with its code, unless another server's protocol is asked."""
    code = {"code": code_of(Refused(status, message))} if protocol(path) is None else {}
    return json.dumps({"error": message} | code).encode()


async def _disconnect(receive: Receive) -> None:
    """Wait until the client leaves."""
    while (await receive())["type"] != "http.disconnect":
        pass
