"""Who waits for a thread, for how long, and who gives up."""

from __future__ import annotations

import json
import select
import socket
import threading
from contextlib import ExitStack, closing
from http.client import HTTPConnection

import pytest
from holding import Gate, Serve, Served, until


def test_those_who_find_the_queue_full_are_answered_503_at_once_and_may_ask_again(serve: Serve) -> None:
    served = serve(workers=1, threads=1, max_waiting=1)
    with Gate() as gate, ExitStack() as stack, served.connect() as first:
        first.sendall(f"GET /hold?{gate.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        with gate.reached():
            clients = [
                stack.enter_context(closing(HTTPConnection("127.0.0.1", served.port, timeout=15))) for _ in "12345"
            ]
            for client in clients:
                client.connect()
                client.request("GET", "/")
            refused: set[socket.socket] = set()
            sockets = [client.sock for client in clients]
            until(lambda: len(refused.update(select.select(sockets, [], [], 0.1)[0]) or refused) >= 4, "four refusals")
            for client in clients:
                if client.sock in refused:
                    response = client.getresponse()
                    answer = json.loads(response.read())
                    assert (response.status, response.headers["Retry-After"]) == (503, "1")
                    assert "1 may wait (server.max_waiting)" in answer["error"]
            assert len(refused) == 4
        for client in clients:
            if client.sock in refused:  # the connection is still good
                client.request("GET", "/")
            assert client.getresponse().status == 200
        assert first.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_one_who_waits_too_long_is_answered_503(serve: Serve) -> None:
    served = serve(workers=1, threads=1, wait_seconds=0.3)
    with Gate() as gate, served.connect() as first:
        first.sendall(f"GET /hold?{gate.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        with gate.reached():
            response, body = served.ask("/")
            assert (response.status, response.headers["Retry-After"]) == (503, "1")
            assert "in 0.3 s, the limit (server.wait_seconds)" in json.loads(body)["error"]
        assert first.recv(100).startswith(b"HTTP/1.1 200 OK")
    assert served.ask("/")[0].status == 200


def test_the_app_is_not_called_for_one_who_left_while_waiting(serve: Serve) -> None:
    served = serve(workers=1, threads=1)
    with Gate() as gate, Gate() as never, served.connect() as first:
        first.sendall(f"GET /hold?{gate.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        with gate.reached():
            with served.connect() as second:
                head = "Host: x\r\nX-Request-ID: left\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n"
                second.sendall(f"POST /hold?{never.port} HTTP/1.1\r\n{head}".encode())
                assert b" 100 " in second.recv(100)  # one who leaves at once may not even have been heard
                second.sendall(b"x")
            assert " 499 " in served.logged("id=left")
        assert served.ask("/")[0].status == 200
        assert not never.asked()


@pytest.mark.parametrize("wait_seconds", [30.0, 0.1], ids=["while others might wait", "when the wait would be over"])
def test_the_app_is_told_of_one_who_leaves_while_it_answers(serve: Serve, wait_seconds: float) -> None:
    served = serve(workers=1, threads=1, wait_seconds=wait_seconds)
    with Gate() as gate, served.connect() as client:
        client.sendall(f"POST /left?{gate.port} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx".encode())
        with gate.reached() as app:

            def told() -> bytes:
                app.sendall(b"?")
                return app.recv(3)

            assert told() == b"no "
            client.close()
            until(lambda: told() == b"yes", "the app is told")
    assert served.ask("/")[0].status == 200


@pytest.mark.long
@pytest.mark.parametrize("wait_seconds", [30.0, 0.3], ids=["who leave", "who are refused"])
def test_the_bodies_of_those_who_wait_no_more_are_not_kept(serve: Serve, wait_seconds: float) -> None:
    served = serve(workers=1, threads=1, max_body_mb=20.0, wait_seconds=wait_seconds)
    (worker,) = served.workers()
    with Gate() as gate, served.connect() as first:
        first.sendall(f"GET /hold?{gate.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        with gate.reached():
            before = worker.memory_info().rss
            for number in range(12):
                with served.connect() as client:
                    head = f"X-Request-ID: n{number}\r\nContent-Length: 20000000\r\n\r\n"
                    client.sendall(f"POST / HTTP/1.1\r\nHost: x\r\n{head}".encode() + bytes(20_000_000))
                    if wait_seconds < 1:
                        assert client.recv(100).startswith(b"HTTP/1.1 503 ")
                served.logged(f"id=n{number}")
            assert worker.memory_info().rss - before < 120_000_000


def test_as_many_requests_are_answered_at_once_as_there_are_threads(serve: Serve) -> None:
    served = serve(workers=1, threads=6)
    with Gate() as gate, ExitStack() as stack:
        for _ in range(6):
            client = stack.enter_context(served.connect())
            client.sendall(f"GET /hold?{gate.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        for _ in range(6):
            stack.enter_context(gate.reached())


@pytest.mark.long
def test_no_request_fails_under_load_while_idle_connections_pile_up(served: Served) -> None:
    failures: list[object] = []

    def caller() -> None:
        with closing(HTTPConnection("127.0.0.1", served.port, timeout=15)) as connection:
            for number in range(200):
                connection.request("POST", "/", body=str(number))
                answer = json.loads(connection.getresponse().read())
                if answer["body"] != str(number):
                    failures.append(answer)

    with ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(served.connect())
        callers = [threading.Thread(target=caller) for _ in range(8)]
        for thread in callers:
            thread.start()
        for thread in callers:
            thread.join(30)
    assert not any(thread.is_alive() for thread in callers)
    assert not failures
