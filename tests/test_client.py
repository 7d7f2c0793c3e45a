"""The client: the same answers as the zoo itself, of a real server; what it does about servers that do not answer."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from serving import serving

from zoo import Zoo
from zoo.client import Client
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
from zoo.types import Prediction

Answer = tuple[int, dict[str, str], object]
SOCKS = find_spec("socksio") is not None
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@pytest.fixture(scope="module")
def folder(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repo's zoo, with small limits, a model without a checkpoint, and one whose labels are words."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "plugins").symlink_to(root / "plugins")
    (folder / "checkpoints").mkdir()
    for name in ("cnn", "deep"):
        (folder / "checkpoints" / name).symlink_to(root / "checkpoints" / name)
    words = folder / "checkpoints/words/1"
    words.mkdir(parents=True)
    for path in (root / "checkpoints/tiny/1").iterdir():
        (words / path.name).write_bytes(path.read_bytes())
    card = json.loads((words / "card.json").read_text())
    (words / "card.json").write_text(json.dumps(card | {"model": "words", "labels": NAMES, "seal": None}))
    (folder / "settings.toml").write_text(
        'default_model = "deep"\n[models.cnn]\n[models.deep]\n[models.linear]\n[models.words]\nplugin = "tiny"\n'
        "[server]\nmax_batch = 5\nmax_body_mb = 2.0\n[pictures]\nmax_mb = 1.0\n"
        "max_total_megapixels = 0.2\n"
    )
    return folder


@pytest.fixture(scope="module")
def zoo(folder: Path) -> Zoo:
    return Zoo.open(folder, environ={})


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[str]:
    with serving([sys.executable, "-m", "zoo", "serve", "--port", "0"], folder) as served:
        yield served.url


@pytest.fixture
def client(served: str) -> Iterator[Client]:
    with Client(served, timeout=30, retries=0) as client:
        yield client


@contextmanager
def scripted(*answers: Answer, drip: float = 0) -> Iterator[tuple[str, list[BaseHTTPRequestHandler]]]:
    """A server that gives these answers in turn, the last of them for ever; its address, and what it was asked."""
    asked: list[BaseHTTPRequestHandler] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            status, headers, told = answers[min(len(asked), len(answers) - 1)]
            asked.append(self)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if not status:  # hang up
                self.close_connection = True
                return
            body = told.encode() if isinstance(told, str) else json.dumps(told).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                for at in range(len(body)):
                    self.wfile.write(body[at : at + 1])
                    if drip:
                        time.sleep(drip)  # the slow server itself, not the test's waiting for something
            except OSError:  # the client has left
                self.close_connection = True

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def ready(model: str = "deep") -> Answer:
    return 200, {}, {"ready": True, "model": model}


def test_every_kind_of_picture_gets_the_zoos_own_answer(client: Client, zoo: Zoo, picture, mnist, tmp_path) -> None:
    content = picture(0, side=140, ink_dark=True)
    path = tmp_path / "seven.png"
    path.write_bytes(content)
    digit = mnist.images[0, ..., 0]
    for sent in (
        *(path, str(path), content, bytearray(content), memoryview(content)),
        *(digit, mnist.images[0], np.dstack([255 - digit] * 3), PIL.Image.fromarray(255 - digit)),
    ):
        assert client.predict(sent) == zoo.predict(None, sent)
    assert client.predict(io.BytesIO(content), "cnn") == zoo.predict("cnn", content)
    with path.open("rb") as file:
        assert client.predict(file, model="cnn", version=1) == zoo.predict("cnn", path, version=1)
    assert client.predict(path).digit == 7


def test_the_trace_comes_along(client: Client, zoo: Zoo, picture) -> None:
    content = picture(0, side=140, ink_dark=True)
    assert client.predict(content).trace is None
    there, here = client.predict(content, trace=True).trace, zoo.predict(None, content).trace
    assert there is not None
    assert here is not None
    np.testing.assert_array_equal(there.seen, here.seen)
    assert there.to_dict() == here.to_dict()
    assert there == here
    assert hash(there) == hash(here)
    assert there != replace(here, seen=255 - here.seen)
    assert there != replace(here, scale=1.5)
    assert there != here.to_dict()


def test_many_pictures_keep_their_order_and_their_errors(client: Client, zoo: Zoo, picture, tmp_path: Path) -> None:
    large = b"\x89PNG\r\n\x1a\n" + bytes(1_100_000)  # more than a picture may have; two are more than a body may have
    sent = [*(picture(i) for i in range(12)), b"", b"hello", tmp_path / "none.png", large, large, large, picture(1)]
    expected = zoo.predict_many("cnn", sent)
    found = client.predict_many(iter(sent), "cnn")
    assert found[:12] == expected[:12]
    assert found[-1] == expected[-1]
    assert [type(one) for one in found] == [type(one) for one in expected]
    kinds = [PictureBroken, PictureUnsupported, PictureBroken, *[PictureTooLarge] * 3]
    assert [type(one) for one in found[12:-1]] == kinds
    assert str(found[14]) == f"{tmp_path / 'none.png'} cannot be read: No such file or directory."
    assert [str(one) for one in found[12:-1]] == [str(one) for one in expected[12:-1]]
    assert client.predict_many([]) == []


def test_a_picture_alone_is_refused_where_several_are_asked_for(client: Client) -> None:
    with pytest.raises(PictureBroken, match="give a list, "):
        client.predict_many("seven.png")


def test_pictures_that_are_too_many_together_are_sent_again(client: Client, zoo: Zoo, picture) -> None:
    """Two of 300 x 300 go into one request; one of 500 x 500 has more than a request of several may have."""
    file = io.BytesIO()
    PIL.Image.new("1", (8000, 8000)).save(file, "PNG")
    sent = [*(picture(i, side=300) for i in range(5)), picture(5, side=500), file.getvalue(), b"hello"]
    found, expected = client.predict_many(sent, "cnn"), zoo.predict_many("cnn", sent)
    assert found[:6] == expected[:6]
    assert [type(one) for one in found[6:]] == [PictureTooLarge, PictureUnsupported]
    assert [str(one) for one in found[6:]] == [str(one) for one in expected[6:]]
    large = [picture(i, side=500) for i in range(3)]
    assert client.predict_many(large, "cnn") == zoo.predict_many("cnn", large)


@pytest.mark.parametrize("code", [{}, {"code": "too_many_megapixels"}], ids=["without a code", "with a code"])
def test_a_server_that_puts_every_picture_off_is_not_asked_for_ever(code: dict[str, str]) -> None:
    fault = {"error": "Too many pixels.", **code}
    row = {**fault, "status": 413}
    with (
        scripted((200, {}, {"predictions": [row, row]}), (413, {}, fault)) as (url, asked),
        Client(url) as zoo,
    ):
        assert [type(one) for one in zoo.predict_many([b"one", b"two"])] == [PictureTooLarge] * 2
        assert len(asked) == 3


ONE = {"model": "m", "checkpoint": "m/1", "label": "7", "digit": 7, "confidence": 1.0, "rejected": False}
ONE |= {"probabilities": [0.0] * 7 + [1.0, 0.0, 0.0], "reason": None}


def test_a_picture_that_is_too_large_by_itself_is_sent_once() -> None:
    row = {"error": "Too large.", "code": "picture_too_large", "status": 413}
    with scripted((200, {}, {"predictions": [ONE, row]})) as (url, asked), Client(url) as zoo:
        assert [type(answer) for answer in zoo.predict_many([b"one", b"two"])] == [Prediction, PictureTooLarge]
        assert len(asked) == 1


@pytest.mark.parametrize("limit", [0, -1, None, "2", 10**6], ids=repr)
def test_a_server_that_gives_no_usable_limit_is_not_asked_for_ever(limit: object) -> None:
    fault = {"error": "Too many.", "code": "too_many_pictures", "limit": limit}
    with scripted((413, {}, fault)) as (url, asked), Client(url) as zoo:
        assert all(isinstance(answer, PictureTooLarge) for answer in zoo.predict_many([b"one", b"two", b"three"]))
        assert len(asked) == 5


def test_the_number_of_pictures_that_a_server_takes_is_learned() -> None:
    fault = {"error": "Reworded.", "code": "too_many_pictures", "limit": 2}
    rows = {"predictions": [ONE, ONE]}
    with scripted((413, {}, fault), (200, {}, rows)) as (url, asked), Client(url) as zoo:
        assert [answer.digit for answer in zoo.predict_many([b"picture"] * 4)] == [7] * 4
        assert len(asked) == 3
        zoo.predict_many([b"picture"] * 4)
        assert len(asked) == 5


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "unknown_model", UnknownModel),
        (404, "unknown_checkpoint", UnknownCheckpoint),
        (404, "no_route", ServerError),
        (503, "busy", ServerBusy),
        (503, "model_unavailable", ModelUnavailable),
        (503, "plugin_fault", ModelUnavailable),
        (400, "picture_broken", PictureBroken),
        (413, "body_too_large", PictureTooLarge),
        (413, "a code of the future", PictureTooLarge),
        (415, "picture_unsupported", PictureUnsupported),
        (401, "no_key", KeyRefused),
        (429, "rate_limited", ServerBusy),
        (500, "server_fault", ServerError),
        (404, None, UnknownCheckpoint),
        (503, None, ModelUnavailable),
        (404, [], UnknownCheckpoint),
    ],
)
def test_errors_are_told_by_their_code_whatever_the_message_says(status: int, code: object, error: type) -> None:
    fault = {"error": "Reworded."} | ({} if code is None else {"code": code})
    with scripted((status, {}, fault)) as (url, _), Client(url, retries=0) as zoo:
        with pytest.raises(error, match=r"^Reworded\.") as raised:
            zoo.predict(b"picture", "cnn", version=1)
        assert type(raised.value) is error


def test_without_a_code_a_model_is_unknown_unless_a_version_was_asked_for() -> None:
    with scripted((404, {}, {"error": "Reworded."})) as (url, _), Client(url) as zoo, pytest.raises(UnknownModel):
        zoo.predict(b"picture", "cnn")


def test_labels_that_are_no_digits_are_fetched(client: Client, zoo: Zoo, picture) -> None:
    sent = [picture(i) for i in range(3)]
    found = client.predict_many(sent, "words")
    assert found == zoo.predict_many("words", sent)
    assert found[0].best(1)[0][0] == found[0].label == "seven"  # type: ignore[union-attr]


def test_a_number_is_read(client: Client, zoo: Zoo, root: Path) -> None:
    reading = client.read(root / "docs/number.jpg")
    assert reading == zoo.read(None, root / "docs/number.jpg")
    assert reading.text.startswith("5550143")
    assert client.read(root / "docs/number.jpg", model="cnn", version=1).checkpoint == "cnn/1"
    assert client.read(np.zeros((50, 50), np.uint8)).reason == "blank"


def test_models_are_told(client: Client, zoo: Zoo) -> None:
    assert [row["name"] for row in client.models()] == list(zoo.models)
    assert client.model("words")["labels"] == NAMES
    assert client.ready()


@pytest.mark.parametrize(
    ("ask", "error", "says"),
    [
        (lambda zoo, seven: zoo.predict(seven, "cnm"), UnknownModel, 'There is no model "cnm". Did you mean "cnn"?'),
        (lambda zoo, seven: zoo.predict(seven, "a/b c"), UnknownModel, "There is no model"),
        (lambda zoo, seven: zoo.predict_many([seven] * 3, "nope", 1), UnknownModel, 'There is no model "nope"'),
        (lambda zoo, seven: zoo.predict(seven, "cnn", 99), UnknownCheckpoint, 'Model "cnn" has no checkpoint 99'),
        (lambda zoo, seven: zoo.predict(seven, "cnn", 0), UnknownCheckpoint, "There is no version 0"),
        (lambda zoo, seven: zoo.read(seven, "nope"), UnknownModel, 'There is no model "nope"'),
        (lambda zoo, seven: zoo.model("nope"), UnknownModel, 'There is no model "nope"'),
        (lambda zoo, seven: zoo.predict(seven, "linear"), ModelUnavailable, "zoo train linear"),
        (lambda zoo, seven: zoo.predict_many([seven] * 3, "linear"), ModelUnavailable, "zoo train linear"),
        (lambda zoo, seven: zoo.predict(seven[:50]), PictureBroken, "truncated or damaged"),
        (lambda zoo, seven: zoo.predict(b""), PictureBroken, "empty"),
        (lambda zoo, seven: zoo.predict(b"hello"), PictureUnsupported, "not a picture that can be read"),
        (lambda zoo, seven: zoo.read(b"hello"), PictureUnsupported, "not a picture that can be read"),
        (lambda zoo, seven: zoo.predict(bytes(1_100_000)), PictureTooLarge, r"pictures\.max_mb"),
        (lambda zoo, seven: zoo.predict(bytes(9_000_000)), PictureTooLarge, r"server\.max_body_mb"),
        (lambda zoo, seven: zoo.predict(np.zeros((2, 2))), PictureBroken, "An array of float64"),
    ],
)
def test_the_zoos_own_errors_are_raised(client: Client, picture, ask: Callable, error: type, says: str) -> None:
    with pytest.raises(error, match=says) as raised:
        ask(client, picture(0))
    assert type(raised.value) is error


@pytest.mark.parametrize("status", [429, 502, 503, 504, 0])
def test_a_server_that_is_busy_or_hangs_up_is_asked_again(status: int) -> None:
    with scripted((status, {}, "later"), (status, {}, "later"), (200, {}, [])) as (url, asked), Client(url) as zoo:
        assert zoo.models() == []
    assert len(asked) == 3


def test_timeout_and_retries_can_be_changed() -> None:
    later = (503, {}, "later")
    with scripted(later, later, later, (429, {"Retry-After": "5"}, "later")) as (url, asked), Client(url) as zoo:
        zoo.retries = 2
        with pytest.raises(ServerBusy):
            zoo.models()
        assert len(asked) == 3
        zoo.timeout = 4
        with pytest.raises(ServerBusy):
            zoo.models()
        assert len(asked) == 4  # it would wait longer than the timeout
        assert (zoo.timeout, zoo.retries) == (4, 2)
        zoo.timeout = None
        assert zoo.timeout == float("inf")
        with pytest.raises(ValueError, match="timeout is 0"):
            zoo.timeout = 0
        with pytest.raises(ValueError, match="retries is -1"):
            zoo.retries = -1


@pytest.mark.parametrize("status", [400, 401, 404, 408, 413, 415, 500, 503])
def test_a_request_that_is_wrong_is_not_sent_again(status: int) -> None:
    with scripted((status, {}, {"error": "No."})) as (url, asked), Client(url) as zoo:
        with pytest.raises(ZooError, match=r"No\."):
            zoo.predict(b"picture")
        assert len(asked) == 1


@pytest.mark.parametrize("dated", [False, True], ids=["seconds", "date"])
def test_retry_after_is_heeded(dated: bool) -> None:
    start = time.monotonic()
    after = formatdate(time.time() + 2, usegmt=True) if dated else "1"
    with scripted((429, {"Retry-After": after}, {"error": "Wait."}), (200, {}, [])) as (url, asked), Client(url) as zoo:
        assert zoo.models() == []
    assert time.monotonic() - start >= 0.9
    assert len(asked) == 2


def test_a_busy_server_is_told_from_a_model_that_cannot_answer() -> None:
    busy = (503, {"Retry-After": "0"}, {"error": "Try again shortly."})
    with scripted(busy) as (url, asked), Client(url, retries=2) as zoo:
        with pytest.raises(ServerBusy, match=r"^Try again shortly\.$") as raised:
            zoo.predict(b"picture")
        assert raised.value.status == 503
        assert len(asked) == 3
    with scripted(busy, (503, {}, {"error": "Run: zoo train cnn"})) as (url, asked), Client(url) as zoo:
        with pytest.raises(ModelUnavailable, match="Run: zoo train cnn"):
            zoo.predict(b"picture")
        assert len(asked) == 2


def test_nobody_waits_longer_than_the_timeout() -> None:
    with scripted((429, {"Retry-After": "60"}, {"error": "Wait."})) as (url, asked), Client(url) as zoo:
        start = time.monotonic()
        with pytest.raises(ServerBusy, match=r"Wait\."):
            zoo.models()
    with scripted((200, {}, "[" + " " * 1000 + "]"), drip=0.05) as (url, asked), Client(url, timeout=0.5) as zoo:
        with pytest.raises(ServerUnreachable, match=r"did not answer within 0\.5 s"):
            zoo.models()
        assert len(asked) == 1
    assert time.monotonic() - start < 10


def test_in_the_end_it_is_said_what_to_do(served: str) -> None:
    with scripted((503, {}, "<html>")) as (url, asked), Client(url, retries=1) as zoo:
        with pytest.raises(ServerBusy, match=f"{url}/api/models answered 503 Service Unavailable"):
            zoo.models()
        assert len(asked) == 2
        assert not zoo.ready()
    with Client(url, retries=1) as gone:
        with pytest.raises(ServerUnreachable, match=r"Check that the zoo is served there: zoo serve\."):
            gone.models()
        assert not gone.ready()
    with pytest.raises(ServerUnreachable, match=r"Use one such as http://127\.0\.0\.1:5000"):
        Client("localhost:5000")
    with Client(f"{served}/elsewhere") as lost, pytest.raises(ServerError, match="There is nothing at /elsewhere"):
        lost.models()


@pytest.mark.parametrize(
    "answer",
    [(200, {}, "<html>"), (200, {}, {}), (200, {}, {"predictions": [{}]}), (404, {}, "<html>"), (405, {}, "")],
    ids=str,
)
def test_a_server_that_is_no_zoo_is_told_as_such(answer: Answer) -> None:
    with scripted(answer) as (url, _), Client(url) as zoo, pytest.raises(ServerError, match="like a zoo"):
        zoo.predict_many([b"one", b"two"])


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (Client.models, (200, {"Content-Encoding": "gzip"}, [])),
        (Client.models, (502, {"Content-Encoding": "deflate"}, "no such thing")),
        (Client.models, (200, {}, DEEP)),
        (Client.models, (400, {}, DEEP)),
        *((Client.models, (200, {}, answer)) for answer in (None, "x", {}, [None], [[]])),
        *((Client.ready, (200, {}, answer)) for answer in (None, "x", {}, [], 7)),
        *((lambda zoo: zoo.model("cnn"), (200, {}, answer)) for answer in (None, "x", [], 7)),
        *((lambda zoo: zoo.predict(b"picture"), (200, {}, answer)) for answer in (None, "x", [], 7, {"digit": None})),
        *((lambda zoo: zoo.read(b"picture"), (200, {}, answer)) for answer in (None, "x", [], 7)),
    ],
)
def test_whatever_is_answered_no_foreign_error_comes_out(ask: Callable[[Client], object], answer: Answer) -> None:
    with scripted(answer) as (url, asked), Client(url, retries=1) as zoo:
        with pytest.raises(ServerError, match=r"like a zoo.*Check that it is the zoo's address\.$"):
            ask(zoo)
        assert len(asked) == 1


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("localhost:5000", "Use one such as"),
        ("", "Use one such as"),
        ("http://", "Use one such as"),
        ("http://:80", "Use one such as"),
        ("ftp://zoo.example", "Use one such as"),
        ("http://xn--/", "is not an address: "),
        ("http://a..b", "is not an address: "),
        (f"http://{'a' * 64}.example", "is not an address: "),
        ("http://zoo.example:port", "is not an address: Invalid port: 'port'"),
        ("http://[::1", "is not an address: "),
        ("http://zoo.example\n", "is not an address: "),
        ("http://127.0.0.1:65536", "has the port 65536; the highest is 65535"),
        ("http://127.0.0.1:5801?x=1", r"has a \? or #, after which no path can be added"),
        ("http://127.0.0.1:5801/zoo?", r"has a \? or #, after which no path can be added"),
        ("http://127.0.0.1:5801#f", r"has a \? or #, after which no path can be added"),
    ],
)
def test_an_address_that_is_none_is_refused_at_once(address: str, says: str) -> None:
    with pytest.raises(ServerUnreachable, match=says) as refused:
        Client(address)
    assert str(refused.value).endswith(" Use one such as http://127.0.0.1:5000.")


def test_a_scheme_may_be_written_in_capitals() -> None:
    with scripted((200, {}, [])) as (url, _), Client(url.replace("http", "HTTP") + "//") as zoo:
        assert zoo.models() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "nothing://127.0.0.1:1"),
        ("HTTP_PROXY", "http://proxy.example:port"),
        ("no_proxy", "[::1"),
        pytest.param("ALL_PROXY", "socks5://127.0.0.1:1", marks=pytest.mark.skipif(SOCKS, reason="they can be used")),
    ],
)
def test_proxies_that_cannot_be_used_are_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ServerUnreachable, match=f"The proxies of .*{name}.* cannot be used: "):
        Client("http://127.0.0.1:5000")


def test_an_address_of_a_proxy_that_is_none_is_told_when_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://a..b:1")
    monkeypatch.setenv("no_proxy", "")
    with Client("http://zoo.example", retries=0) as zoo, pytest.raises(ServerUnreachable, match="cannot be reached: "):
        zoo.models()


def test_certificates_that_are_not_there_matter_to_https_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    with scripted((200, {}, [])) as (url, _), Client(url) as zoo:
        assert zoo.models() == []
    with pytest.raises(ServerUnreachable, match="SSL_CERT_FILE"):
        Client("https://127.0.0.1:5000")


@pytest.mark.parametrize("model", ["", ".", "..", "a/b", "\udc80"])
def test_a_name_that_no_model_has_is_not_asked_for(model: str) -> None:
    with scripted((200, {}, [])) as (url, asked), Client(url) as zoo:
        for ask in (zoo.model, lambda name: zoo.predict(b"picture", name), lambda name: zoo.read(b"picture", name)):
            with pytest.raises(UnknownModel, match="There is no model"):
                ask(model)
        assert not asked


@pytest.mark.parametrize("version", [1.0, 0, -1, "1", "latest"])
def test_what_is_no_version_is_no_fault_of_a_picture(version: object) -> None:
    with scripted((200, {}, [])) as (url, asked), Client(url) as zoo:
        for ask in (zoo.predict, lambda picture, **more: zoo.predict_many([picture], **more), zoo.read):
            with pytest.raises(
                UnknownCheckpoint, match=f"There is no version {version!r}. Give a whole number from 1."
            ):
                ask(b"picture", version=version)
        assert not asked


def test_a_redirect_is_not_followed_but_named() -> None:
    moved = (308, {"Location": "https://zoo.example/predict"}, "")
    with scripted(moved) as (url, _), Client(url) as zoo, pytest.raises(ServerError, match=r"https://zoo\.example"):
        zoo.predict(b"picture")


def test_the_key_is_sent_and_asked_for() -> None:
    with scripted((401, {}, {"error": "A key is needed."})) as (url, asked):
        with Client(url, key="secret") as zoo, pytest.raises(KeyRefused, match=r"^A key is needed\.$"):
            zoo.predict(b"picture")
        assert asked[-1].headers["Authorization"] == "Bearer secret"
        with Client(url) as zoo, pytest.raises(KeyRefused, match="key="):
            zoo.predict(b"picture")
        assert asked[-1].headers["Authorization"] is None


def test_a_user_in_the_address_leaves_room_for_the_key_and_is_not_told() -> None:
    with scripted((200, {}, [])) as (url, asked):
        for key in ("secret", None):
            with Client(url.replace("//", "//ann:p%40ss@") + "/a//b@c", key=key) as zoo:
                assert zoo.address == f"{url}/a//b@c"
                assert zoo.models() == []
            assert asked[-1].headers["X-API-Key"] == key
            assert asked[-1].headers["Authorization"] == "Basic " + base64.b64encode(b"ann:p@ss").decode()
    with Client(url.replace("//", "//ann:p%40ss@"), retries=0) as gone, pytest.raises(ServerUnreachable) as failed:
        gone.models()
    assert str(failed.value).startswith(f"{url}/api/models cannot be reached: ")
    with pytest.raises(ServerUnreachable, match=r'^"http://zoo\.example:65536" has the port'):
        Client("http://ann:p%40ss@zoo.example:65536")


def test_what_a_client_is_given_is_looked_at_before_it_asks() -> None:
    with scripted((200, {}, [])) as (url, asked):
        with Client(url, key="secret\n", timeout=None) as zoo:
            assert zoo.models() == []
        assert asked[-1].headers["Authorization"] == "Bearer secret"
        for key in ("", " \n", "sec\nret", "segrédo"):
            with pytest.raises(KeyRefused) as refused:
                Client(url, key=key)
            assert str(refused.value) == (
                "The key is empty or has characters that no key has. Give it as zoo key new printed it."
            )
        for more in ({"timeout": 0}, {"timeout": -1}, {"retries": -1}):
            with pytest.raises(ValueError, match=f"{next(iter(more))} is "):
                Client(url, **more)


def test_threads_may_share_a_client(client: Client, zoo: Zoo, picture) -> None:
    from concurrent.futures import ThreadPoolExecutor

    sent = [picture(i) for i in range(24)]
    with ThreadPoolExecutor(8) as pool:
        found: Sequence[object] = list(pool.map(client.predict, sent))
    assert found == zoo.predict_many(None, sent)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked there")
def test_a_forked_process_has_connections_of_its_own() -> None:
    """On a shared one, each of the two would read what the other had asked for."""
    code = (
        "import os, sys; from zoo.client import Client; zoo = Client(sys.argv[1]); zoo.models(); child = os.fork()\n"
        "if not child:\n    zoo.models(); zoo.close(); os._exit(0)\n"
        "status = os.waitpid(child, 0)[1]; zoo.models(); sys.exit(status)"
    )
    with scripted((200, {}, [])) as (url, asked):
        done = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    parent, child, parent_again = (one.client_address for one in asked)
    assert parent == parent_again != child


def test_it_imports_neither_a_runtime_nor_the_server() -> None:
    code = (
        "import sys, zoo.client; heavy = {'tensorflow', 'keras', 'ai_edge_litert', 'flask', 'werkzeug', 'granian'}; "
        "sys.exit(', '.join(heavy & {name.split('.')[0] for name in sys.modules}) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_without_httpx_it_says_how_to_install_it() -> None:
    code = "import sys; sys.modules['httpx'] = None; import zoo.client"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "zoo.client needs httpx. Install it: pip install 'flask-model-zoo[client]'." in done.stderr
