"""The bridge by itself: ASGI on one side, a WSGI app on the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from webui.bridge import Bridge
from webui.turns import Turns


def in_bridge(app: Any, body: list[bytes], **more: Any) -> list[dict[str, Any]]:
    """What the bridge sends when an app is asked without a network, by a client that waits for its answer."""
    sent: list[dict[str, Any]] = []
    answered = asyncio.Event()
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "raw_path": b"/",
        "query_string": b"",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"x"), (b"transfer-encoding", b"chunked")],
    }

    async def receive() -> dict[str, Any]:
        if body:
            return {"type": "http.request", "body": body.pop(0), "more_body": bool(body)}
        await answered.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            answered.set()

    asyncio.run(Bridge(app, **{"max_body": 10, "body_seconds": 5, "turns": Turns(1)} | more)(scope, receive, send))
    return sent


def test_what_an_app_writes_comes_before_what_it_returns() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])(b"written, ")
        return [b"returned"]

    assert in_bridge(app, [b""])[1]["body"] == b"written, returned"


@pytest.mark.parametrize("error", [StopIteration(), SystemExit(1), KeyboardInterrupt()], ids=repr)
def test_an_exception_that_would_end_an_event_loop_is_one_answer(error: BaseException) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        raise error

    assert in_bridge(app, [b""])[0]["status"] == 500


def test_an_app_is_closed_once_its_answer_is_whole() -> None:
    class Answer:
        closed = 0

        def __iter__(self) -> Iterator[bytes]:
            return iter([b"on", b"e"])

        def close(self) -> None:
            self.closed += 1

    answer = Answer()

    def app(environ: Any, start_response: Any) -> Answer:
        start_response("200 OK", [("Content-Length", "3")])
        return answer

    sent = in_bridge(app, [b""])
    assert b"".join(message.get("body", b"") for message in sent) == b"one"
    assert answer.closed == 1


def test_a_body_in_pieces_that_grows_over_the_limit_never_reaches_the_app() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        raise AssertionError("it was called")

    assert in_bridge(app, [b"12345", b"67890", b"!"])[0]["status"] == 413


def test_large_bodies_are_refused_while_those_held_already_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webui.bridge.SMALL", 3)
    monkeypatch.setattr("webui.bridge.AT_ONCE", 0)

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return []

    assert in_bridge(app, [b"12", b"3"])[0]["status"] == 200
    start, answer = in_bridge(app, [b"12", b"34"])
    assert start["status"] == 503
    assert (b"retry-after", b"1") in start["headers"]
    busy = {"error": "Too many large bodies are being sent. Try again shortly.", "code": "busy"}
    assert json.loads(answer["body"]) == busy
