"""What slow, large and odd requests do to the server, and what the app is told of them."""

from __future__ import annotations

import json
import select
import socket
import time
from contextlib import ExitStack, closing
from http.client import HTTPConnection

import pytest
from holding import Gate, Serve, Served, read, until


@pytest.mark.parametrize(
    "half", [b"POST / HTTP/1.1\r\nHost: x\r\nX-A: ", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx"]
)
def test_a_hundred_half_sent_heads_or_bodies_hold_up_nobody(served: Served, half: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(served.connect()).sendall(half)
        for _ in range(20):
            began = time.monotonic()
            assert served.told(method="POST", body="quick")["body"] == "quick"
            assert time.monotonic() - began < 3


def test_a_body_that_takes_too_long_is_answered_408(serve: Serve) -> None:
    served = serve(body_seconds=0.3, workers=1)
    answer = served.raw(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in head
    error = (
        "4 of 1,000 bytes of the body arrived in 0.3 s, the limit (server.body_seconds). Send it again on a faster "
        "connection."
    )
    assert json.loads(body) == {"error": error, "code": "body_too_slow"}


def test_an_idle_connection_outlives_the_time_for_a_body(serve: Serve) -> None:
    served = serve(body_seconds=0.3, workers=1)
    with closing(HTTPConnection("127.0.0.1", served.port, timeout=15)) as idle:
        idle.connect()
        kept = idle.sock
        for _ in range(2):
            idle.request("GET", "/")
            assert idle.getresponse().read()
            for _ in range(2):  # each takes 0.3 s
                late = served.raw(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx")
                assert late.startswith(b"HTTP/1.1 408 ")
        assert idle.sock is kept


@pytest.mark.parametrize(
    ("header", "sent"),
    [
        (b"Content-Length: 30000000", b"x" * 100_000),
        (b"Transfer-Encoding: chunked", b"".join(b"10000\r\n%b\r\n" % (b"x" * 65536) for _ in range(18))),
    ],
    ids=["declared", "chunked"],
)
def test_a_body_over_the_limit_is_answered_413_before_it_is_whole(served: Served, header: bytes, sent: bytes) -> None:
    with served.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n" % header + sent)
        head, _, body = read(client).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in head
    error = "The body has more than 1 MB, the limit (server.max_body_mb). Send less."
    assert json.loads(body) == {"error": error, "code": "body_too_large"}


def test_a_client_that_sends_30_mb_before_it_listens_still_gets_its_413(served: Served) -> None:
    response, body = served.ask("/", "POST", body=b"x" * 30_000_000)
    assert (response.status, list(json.loads(body))) == (413, ["error", "code"])


def test_a_body_of_just_the_limit_is_taken(served: Served) -> None:
    assert len(served.told(method="POST", body=b"x" * 1_000_000)["body"]) == 1_000_000


def test_a_chunked_body_arrives_whole(served: Served) -> None:
    told = served.told(method="POST", body=iter([b"one ", b"two ", b"three"]), encode_chunked=True)
    assert (told["body"], told["CONTENT_LENGTH"]) == ("one two three", "13")
    assert "HTTP_TRANSFER_ENCODING" not in told


@pytest.mark.parametrize("sent", [b"ZZ\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\nZZ\r\n"])
def test_what_are_no_chunks_is_answered_400(served: Served, sent: bytes) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nX-Request-ID: odd\r\nTransfer-Encoding: chunked\r\n\r\n"
    head, _, body = served.raw(head + sent).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"x-request-id: odd" in head
    assert "The chunked body ended or became invalid after" in json.loads(body)["error"]


def test_a_transfer_encoding_that_is_not_read_is_501(served: Served) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
    answer = served.raw(head + b"1\r\nx\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 501 ")
    assert b"the transfer encoding gzip, chunked; only chunked is supported" in answer


@pytest.mark.parametrize("sent", [0, 3])
def test_a_client_that_ends_its_body_early_is_told_so(serve: Serve, sent: int) -> None:
    served = serve()
    with served.connect() as client:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nX-Request-ID: half\r\nContent-Length: 7000\r\n\r\n"
        client.sendall(head + b"x" * sent)
        client.shutdown(socket.SHUT_WR)
        head, _, body = read(client).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"x-request-id: half" in head
    error = f"The body ended after {sent} of 7,000 bytes (Content-Length). Send it again in full."
    assert json.loads(body) == {"error": error, "code": "bad_request"}
    line = served.logged("id=half")
    assert " 499 " in line
    assert f" in={sent} out=0 " in line


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("", "no Host."),
        ("Host:\r\n", "no Host."),
        ("Host: a\r\nHost: b\r\n", 'the Host "a,b".'),
        ("Host: a\r\nHost: a\r\n", 'the Host "a,a".'),
        *(
            (f"Host: {host}\r\n", f'the Host "{host[:80]}".')
            for host in (
                "a b",
                "a:99999",
                "a:0",
                "a:",
                "x@y",
                "[::1",
                "[:::]",
                "a..b",
                ".",
                "a/b",
                "x" * 64,
                "a." * 9999,
            )
        ),
    ],
)
def test_a_request_without_one_right_host_is_400(served: Served, lines: str, found: str) -> None:
    answer = served.raw(f"GET /x HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["error"] == (
        f"The request has {found} Send the server's name or address and, if needed, its port, as in "
        "Host: 127.0.0.1:5000."
    )


def test_after_a_wrong_host_a_body_does_not_pass_for_a_request(served: Served) -> None:
    inner = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = served.raw(b"POST / HTTP/1.1\r\nHost: ?\r\nContent-Length: %d\r\n\r\n%b" % (len(inner), inner))
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in answer


@pytest.mark.parametrize(
    "host", ["x", "x:5000", "my_zoo:80", "a.b.", "xn--fa-hia.de", "xn--", "192.0.2.1:1", "[::1]", "[2001:db8::9]:65535"]
)
def test_a_right_host_is_told_to_the_app(served: Served, host: str) -> None:
    assert served.told(headers={"Host": host})["HTTP_HOST"] == host


@pytest.mark.parametrize(("lines", "host"), [("", None), ("Host:\r\n", None), ("Host: x\r\n", "x")])
def test_http_1_0_may_come_without_a_host(served: Served, lines: str, host: str | None) -> None:
    told = json.loads(served.raw(f"GET / HTTP/1.0\r\n{lines}\r\n".encode()).partition(b"\r\n\r\n")[2])
    assert told.get("HTTP_HOST") == host
    assert (told["SERVER_NAME"], told["SERVER_PORT"]) == ("127.0.0.1", str(served.port))


def test_the_app_is_not_told_of_an_upgrade(served: Served) -> None:
    told = served.told(headers={"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"})
    assert told["HTTP_CONNECTION"] == "Upgrade"
    assert "HTTP_UPGRADE" not in told


def test_head_has_the_headers_of_get_and_no_body(served: Served) -> None:
    response, body = served.ask("/", "HEAD")
    assert (response.status, body) == (200, b"")
    assert int(response.headers["Content-Length"]) > 0


def test_a_header_sent_twice_is_joined_and_one_answered_twice_stays_two(served: Served) -> None:
    answer = served.raw(
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-A: 1\r\nX-A: 2\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n"
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    told = json.loads(body)
    assert (told["HTTP_X_A"], told["HTTP_COOKIE"]) == ("1,2", "a=1; b=2")
    assert [line for line in head.split(b"\r\n") if line.startswith(b"set-cookie")] == [
        b"set-cookie: a=1",
        b"set-cookie: b=2",
    ]


def test_a_header_cannot_pass_for_another_by_an_underscore(served: Served) -> None:
    assert "HTTP_X_FORWARDED_FOR" not in served.told(headers={"X_Forwarded_For": "10.0.0.1"})


def test_the_environ_is_as_pep_3333_wants_it(served: Served) -> None:
    told = served.told("/a%20b/%C3%A9%2F?q=%20%C3%A9&x", "POST", body=b"?", headers={"Content-Type": "text/x"})
    assert told["PATH_INFO"].encode("latin-1") == "/a b/é/".encode()
    assert {name: told[name] for name in ("QUERY_STRING", "SCRIPT_NAME", "REQUEST_METHOD", "SERVER_PROTOCOL")} == {
        "QUERY_STRING": "q=%20%C3%A9&x",
        "SCRIPT_NAME": "",
        "REQUEST_METHOD": "POST",
        "SERVER_PROTOCOL": "HTTP/1.1",
    }
    assert (told["CONTENT_TYPE"], told["CONTENT_LENGTH"]) == ("text/x", "1")
    assert (told["SERVER_NAME"], told["SERVER_PORT"]) == ("127.0.0.1", str(served.port))
    assert (told["REMOTE_ADDR"], told["wsgi.url_scheme"]) == ("127.0.0.1", "http")
    assert "HTTP_CONTENT_TYPE" not in told


def test_a_failing_app_costs_one_answer_and_tells_the_log(served: Served) -> None:
    response, body = served.ask("/broken")
    assert (response.status, json.loads(body)) == (
        500,
        {"error": "The server failed on this request. Its log says why.", "code": "server_fault"},
    )
    assert "LookupError: on purpose" in served.errors
    assert served.ask("/")[0].status == 200


def test_a_streamed_answer_comes_part_by_part_and_is_closed_when_the_client_leaves(served: Served) -> None:
    with Gate() as gate, closing(HTTPConnection("127.0.0.1", served.port, timeout=15)) as connection:
        connection.request("GET", f"/parts?{gate.port}")
        with gate.reached() as app:
            response = connection.getresponse()
            assert response.read(6) == b"first "
            app.sendall(b"+")
            assert response.read(8) == b"another "
            response.close()
            connection.close()

            def heard() -> bool:
                app.sendall(b"+")
                return bool(select.select([app], [], [], 0)[0])

            until(heard, "the app is closed")
            assert app.recv(6) == b"closed"
