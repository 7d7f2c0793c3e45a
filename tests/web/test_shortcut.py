"""The short ways: the commonest form, small pictures past threads, predictions past Flask. Nothing tells them apart."""

from __future__ import annotations

import asyncio
import threading
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import PIL.Image
import pytest
import requests
from asking import ONE, SEVEN, drawing, png, saved
from flask import Flask, request_started
from flask.testing import FlaskClient
from guarding import BOSS, KEYS, PHONE, zoo_with
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.formparser import parse_form_data
from werkzeug.test import EnvironBuilder, TestResponse, create_environ, run_wsgi_app

from webui import create_app
from webui.bridge import Bridge
from webui.environ import BODY
from webui.forms import only_file
from webui.mounting import mounted
from webui.quick import PATIENCE, PIXELS, PNG_PIXELS, SECONDS, SMALL, Quick
from webui.turns import Turns
from zoo import Zoo, keys

PNG = {"content_type": "image/png"}
BAD = {
    "text": (b"no picture at all", 415),
    "truncated": (png()[:200], 400),
    "damaged": (png()[:60] + b"?" + png()[61:], 400),
    "too many pixels": (saved(PIL.Image.new("1", (20_000, 20_000))), 413),
}


def forms() -> dict[str, tuple[str, bytes]]:
    """A digit as a form, by the clients that people use: its content type and its body."""
    by_requests = requests.Request("POST", "http://zoo/", files={"file": ("digit.png", png(), "image/png")}).prepare()
    by_httpx = httpx.Request("POST", "http://zoo/", files={"file": ("digit.png", png(), "image/png")})
    by_curl = (
        b'--------------------------x1\r\nContent-Disposition: form-data; name="file"; filename="digit.png"\r\n'
        b"Content-Type: image/png\r\n\r\n" + png() + b"\r\n--------------------------x1--\r\n"
    )
    assert isinstance(by_requests.body, bytes)
    return {
        "requests": (by_requests.headers["Content-Type"], by_requests.body),
        "httpx": (by_httpx.headers["Content-Type"], by_httpx.read()),
        "curl": ("multipart/form-data; boundary=------------------------x1", by_curl),
    }


@pytest.mark.parametrize("client", forms())
def test_the_form_of_every_usual_client_is_read(client: str) -> None:
    assert only_file(*forms()[client]) == png()


def parsed(kind: str, body: bytes) -> tuple[dict[str, str], list[tuple[str, bytes]]]:
    """What werkzeug makes of a form."""
    environ = EnvironBuilder(method="POST", data=body, content_type=kind).get_environ()
    _, form, found = parse_form_data(environ, stream_factory=lambda **_: BytesIO())
    return dict(form), [(name, file.read()) for name, file in found.items(multi=True)]


CURL = forms()["curl"]


@pytest.mark.long
@settings(deadline=None)  # a busy machine makes any example slow
@given(st.data())
def test_whatever_is_read_is_what_werkzeug_reads(data: st.DataObject) -> None:
    kind, body = CURL
    content = data.draw(st.binary(max_size=80) | st.sampled_from([b"\r\n--", b"\r\n--------------------------x1\r\n"]))
    body = body.replace(png(), content)
    at = data.draw(st.integers(0, len(body)))
    cut = data.draw(st.integers(0, 12))
    body = body[:at] + data.draw(st.binary(max_size=3) | st.just(body[at : at + cut])) + body[at + cut :]
    found = only_file(kind, body)
    if found is not None:
        assert parsed(kind, body) == ({}, [("file", found)])


def test_other_forms_are_left_to_werkzeug() -> None:
    kind, body = CURL
    part = body[: body.index(b"\r\n--------------------------x1--")] + b"\r\n"
    others = {
        "two files": part + body,
        "another name": body.replace(b'name="file"', b'name="image"'),
        "a name in capitals": body.replace(b'name="file"', b'name="FILE"'),
        "no filename": body.replace(b'; filename="digit.png"', b""),
        "an empty filename": body.replace(b"digit.png", b""),
        "a quote in the filename": body.replace(b"digit.png", rb"di\"git.png"),
        "more headers": body.replace(b"Content-Type", b"X-More: 1\r\nContent-Type"),
        "a boundary for content": body.replace(png(), b"--------------------------x1"),
        "a boundary after a lone LF": body.replace(png(), b"\n--------------------------x1"),
        "the end cut off": body[:-5],
        "more after the end": body + b"more",
        "nothing": b"",
    }
    assert {name: only_file(kind, other) for name, other in others.items()} == dict.fromkeys(others)
    assert only_file("multipart/form-data; boundary=another", body) is None
    assert only_file("multipart/form-data", body) is None


def asked(client: FlaskClient, path: str, body: bytes, kind: str, whole: bool) -> TestResponse:
    """An answer to a request whose body the server holds `whole`, or to one that has to be read."""
    overrides = {BODY: body} if whole else {}
    return client.post(path, data=body, content_type=kind, environ_overrides=overrides)


def differing(client: FlaskClient, path: str, body: bytes, kind: str) -> list[Any]:
    told = [asked(client, path, body, kind, whole) for whole in (True, False)]
    facts = [(one.status, sorted(one.headers), one.data) for one in told]
    return [] if facts[0] == facts[1] else facts


def test_every_address_that_predicts_answers_as_flask_does(client: FlaskClient, zoo: Zoo) -> None:
    paths = ["/predict", *(f"/predict_{name}" for name in zoo.models)]
    paths += [f"/api/models/{name}/predict" for name in zoo.models]
    kind, form = CURL
    for path in paths:
        assert not differing(client, path, png(ONE), "image/png"), path
        assert not differing(client, path, saved(drawing(), "JPEG"), "image/jpeg"), path
        assert not differing(client, path, form, kind), path


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_picture_is_refused_as_flask_does_and_counted_once(bad: str) -> None:
    content, status = BAD[bad]
    app = create_app()
    client = app.test_client()
    answer = asked(client, "/predict_cnn", content, "image/png", whole=True)
    assert answer.status_code == status
    counted = [line for line in client.get("/metrics").text.splitlines() if line.startswith("zoo_unreadable")]
    assert counted == [f'zoo_unreadable_pictures_total{{status="{status}"}} 1']
    assert not differing(client, "/predict_cnn", content, "image/png")
    assert not differing(client, "/predict_no_such_model", png(), "image/png")
    assert not differing(client, "/predict_cnn", b"", "image/png")


def test_a_fault_of_the_zoo_is_told_as_flask_does(
    app: Flask, client: FlaskClient, zoo: Zoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(zoo, "predict", fail)
    assert not differing(client, "/predict_cnn", png(), "image/png")
    assert asked(client, "/predict_cnn", png(), "image/png", whole=True).status_code == 500


def test_flask_is_not_asked_for_plain_predictions_and_for_all_else_it_is(app: Flask, client: FlaskClient) -> None:
    begun: list[str] = []

    def note(sender: Flask, **more: Any) -> None:
        begun.append("asked")

    with request_started.connected_to(note, app):
        asked(client, "/predict_cnn", png(), "image/png", whole=True)
        assert begun == []
        for path in ("/predict_cnn?trace=1", "/hf/cnn", "/read"):
            asked(client, path, png(), "image/png", whole=True)
        asked(client, "/predict_cnn", png(), "image/png", whole=False)
        asked(client, "/predict_cnn", b"{}", "application/json", whole=True)
        assert len(begun) == 5


def test_a_key_in_a_header_opens_the_short_way_and_nothing_else_does(tmp_path: Path) -> None:
    app = create_app(Zoo.open(zoo_with(tmp_path, KEYS), environ={}))
    begun: list[str] = []

    def note(sender: Flask, **more: Any) -> None:
        begun.append("asked")

    def sent(whole: bool = True, **headers: str) -> TestResponse:
        overrides = {BODY: png()} if whole else {}
        client = app.test_client()
        return client.post("/predict_cnn", data=png(), headers=headers, environ_overrides=overrides, **PNG)

    with request_started.connected_to(note, app):
        for headers in ({"X-API-Key": PHONE}, {"Authorization": f"Bearer {BOSS}"}):
            answer = sent(**headers)
            assert begun == []
            flasks = sent(whole=False, **headers)
            assert begun.pop() == "asked"
            assert (answer.status_code, answer.data) == (200, flasks.data)
        for headers in ({}, {"X-API-Key": keys.create()}, {"Authorization": "Basic eDp5"}, {"Cookie": "zoo_session=x"}):
            assert sent(**headers).status_code == 401
            assert begun.pop() == "asked"


def test_in_company_too_a_key_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(Zoo.open(zoo_with(tmp_path, KEYS), environ={}))
    hashed: list[str] = []
    hash_key = keys.hashed
    monkeypatch.setattr(keys, "hashed", lambda key: hashed.append(key) or hash_key(key))

    def environ(key: str) -> dict[str, Any]:
        sent: dict[str, Any] = create_environ(
            "/predict_cnn", method="POST", data=png(), headers={"X-API-Key": key}, **PNG
        )
        return sent | {BODY: png()}

    wrong = keys.create()
    environs = [environ(key) for key in (PHONE, wrong, BOSS)]
    assert app.ahead is not None
    app.ahead(environs)
    assert hashed == [PHONE, wrong, BOSS]
    answers = [run_wsgi_app(app, sent)[1] for sent in environs]
    assert answers == ["200 OK", "401 UNAUTHORIZED", "200 OK"]
    assert set(hashed[3:]) == {wrong}


class Told:
    """An app that tells which thread it was called in, and is as slow, or refuses, as it is told to."""

    def __init__(self) -> None:
        self.threads: list[str] = []
        self.pause = threading.Event()  # never set: waiting for it takes what it is given
        self.seconds = 0.0
        self.status = "200 OK"

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        self.threads.append(threading.current_thread().name)
        self.pause.wait(self.seconds)
        start_response(self.status, [("Content-Length", "2")])
        return [b"ok"]


async def ask(bridge: Bridge, body: bytes, path: bytes = b"/predict", query: bytes = b"") -> None:
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "raw_path": path,
        "query_string": query,
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"x"), (b"content-length", b"%d" % len(body)), (b"content-type", b"image/png")],
    }
    parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return parts.pop() if parts else await asyncio.Future()

    async def send(message: Any) -> None:
        pass

    await bridge(scope, receive, send)


def test_small_pictures_are_answered_in_the_loop_while_that_is_quick() -> None:
    app, wide = Told(), saved(PIL.Image.new("L", (PNG_PIXELS, 2)))
    noise = saved(PIL.Image.fromarray(np.random.default_rng(1).integers(0, 255, (200, 200), np.uint8)))
    assert len(noise) > SMALL
    assert len(wide) < SMALL

    async def all_of_it() -> None:
        bridge = Bridge(app, max_body=1_000_000, body_seconds=5, turns=Turns(1))
        for _ in range(3):
            await ask(bridge, png(SEVEN))
        await ask(bridge, png(SEVEN), b"/elsewhere")
        for body, query in ((noise, b""), (wide, b""), (b"text", b""), (png(), b"version=1")):
            await ask(bridge, body, query=query)
        app.seconds = 2 * SECONDS
        for _ in range(PATIENCE + 1):
            await ask(bridge, png(SEVEN))
        app.seconds = 0.0
        for _ in range(2):
            await ask(bridge, png(SEVEN))

    asyncio.run(all_of_it())
    loop, thread = "MainThread", "wsgi"
    assert app.threads[:3] == [thread, loop, loop]
    assert app.threads[3:8] == [thread] * 5
    assert app.threads[8:] == [loop] * PATIENCE + [thread, thread, loop]


def test_a_photo_may_have_more_pixels_than_a_png_which_hides_many_in_few_bytes() -> None:
    side = 640
    assert PNG_PIXELS < side * side < PIXELS
    photo, drawn = saved(PIL.Image.new("L", (side, side)), "JPEG"), saved(PIL.Image.new("L", (side, side)))
    small = saved(PIL.Image.new("L", (320, 320)))
    app = Told()

    async def all_of_it() -> None:
        bridge = Bridge(app, max_body=1_000_000, body_seconds=5, turns=Turns(1))
        for body in (small, small, photo, drawn):
            assert len(body) < SMALL
            await ask(bridge, body)

    asyncio.run(all_of_it())
    assert app.threads == ["wsgi", "MainThread", "MainThread", "wsgi"]


def test_a_quick_refusal_brings_no_slow_answer_into_the_loop() -> None:
    app = Told()

    async def all_of_it() -> None:
        bridge = Bridge(app, max_body=1_000_000, body_seconds=5, turns=Turns(1))
        for status in ("400 Bad Request", "401 Unauthorized", "429 Too Many Requests", "503 Service Unavailable"):
            app.seconds, app.status = 0.0, status
            await ask(bridge, png(SEVEN))
            app.seconds, app.status = 2 * SECONDS, "200 OK"
            await ask(bridge, png(SEVEN))

    asyncio.run(all_of_it())
    assert app.threads == ["wsgi"] * 8


def test_a_slow_refusal_goes_back_to_the_threads_as_a_slow_answer_does() -> None:
    app = Told()

    async def all_of_it() -> None:
        bridge = Bridge(app, max_body=1_000_000, body_seconds=5, turns=Turns(1))
        await ask(bridge, png(SEVEN))
        app.seconds, app.status = 2 * SECONDS, "400 Bad Request"
        for _ in range(PATIENCE + 1):
            await ask(bridge, png(SEVEN))

    asyncio.run(all_of_it())
    assert app.threads == ["wsgi", *["MainThread"] * PATIENCE, "wsgi"]


def test_what_is_no_single_digit_is_never_answered_in_the_loop() -> None:
    app = Told()

    async def all_of_it() -> None:
        bridge = Bridge(app, max_body=1_000_000, body_seconds=5, turns=Turns(1))
        for path in (b"/read", b"/arena", b"/why", b"/explain", b"/zoo/read"):
            for _ in range(2):
                await ask(bridge, png(SEVEN), path)
        for path in (b"/hf/cnn", b"/v2/models/cnn/infer", b"/api/models/cnn/predict", b"/predict_cnn"):
            for _ in range(2):
                await ask(bridge, png(SEVEN), path)

    asyncio.run(all_of_it())
    assert app.threads == ["wsgi"] * 10 + ["wsgi", "MainThread"] * 4


def test_a_version_that_may_have_to_be_loaded_again_is_never_asked_in_the_loop() -> None:
    app = Told()

    async def all_of_it() -> None:
        bridge = Bridge(app, max_body=1_000_000, body_seconds=5, turns=Turns(1))
        for path in (b"/v2/models/cnn/versions/1/infer", b"/zoo/v2/models/infer/versions/1/infer"):
            for _ in range(2):
                await ask(bridge, png(SEVEN), path)
        for _ in range(2):
            await ask(bridge, png(SEVEN), b"/hf/cnn", b"version=1")

    asyncio.run(all_of_it())
    assert app.threads == ["wsgi"] * 6


def test_what_is_quick_is_known_under_a_prefix_too() -> None:
    app = Told()

    async def all_of_it() -> None:
        placed = mounted(app, 0, "/zoo", app)
        bridge = Bridge(placed, max_body=1_000_000, body_seconds=5, turns=Turns(1))
        for _ in range(2):
            await ask(bridge, png(SEVEN), b"/zoo/predict")

    asyncio.run(all_of_it())
    assert app.threads == ["wsgi", "MainThread"]


def test_a_form_with_an_empty_file_is_answered_in_a_thread() -> None:
    kind, body = forms()["curl"]
    body = body.replace(png(), b"")
    assert only_file(kind, body) == b""
    environ = {"QUERY_STRING": "", "PATH_INFO": "/predict", "CONTENT_TYPE": kind, BODY: body}
    assert Quick().suits(environ, body) == 0


def test_only_so_many_addresses_are_kept_in_mind() -> None:
    quick = Quick()
    for number in range(2_000):
        quick.learn(f"/{number}", 200, 0.0)
    assert quick.knows("/1")
    assert not quick.knows("/1999")
