"""The server over real sockets: what slow clients, signals and dying workers do to it, and what apps are told."""

from __future__ import annotations

import asyncio
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from webui.bridge import Bridge
from webui.turns import Turns

linux = pytest.mark.skipif(sys.platform != "linux", reason="tells workers apart by what fork leaves to them")

PROGRAM = """
import json, os, socket, sys

from webui.server import serve
from zoo.errors import ZooError
from zoo.settings import ServerSettings


def app(environ, start_response):
    path, body = environ["PATH_INFO"], environ["wsgi.input"].read()
    if path == "/hold":  # until the test says so
        with socket.create_connection(("127.0.0.1", int(environ["QUERY_STRING"]))) as gate:
            gate.recv(1)
    if path == "/broken":
        raise LookupError("on purpose")
    if path == "/parts":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return parts(int(environ["QUERY_STRING"]))
    told = {name: value for name, value in environ.items() if isinstance(value, str)}
    answer = json.dumps(told | {"body": body.decode(), "pid": os.getpid()}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))]
    start_response("200 OK", [*headers, ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [answer]


def parts(port):
    with socket.create_connection(("127.0.0.1", port)) as gate:
        try:
            yield b"first "
            while gate.recv(1) == b"+":
                yield b"another "
        finally:
            gate.sendall(b"closed")


def load():
    if "--broken" in sys.argv or os.path.exists(sys.argv[0] + ".broken"):
        raise ZooError("settings.toml is nowhere to be found.")
    return app


try:
    serve(load, ServerSettings(**json.loads(sys.argv[1])), lambda url: print(url, flush=True))
except ZooError as error:
    sys.exit(str(error))
"""

Serve = Callable[..., "Served"]


class Served:
    """A running server. `errors` is what it has written to stderr."""

    def __init__(self, folder: Path, root: Path, *flags: str, **settings: Any) -> None:
        program, self._stderr = folder / "program.py", folder / "stderr.txt"
        program.write_text(PROGRAM)
        with self._stderr.open("w") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, program, json.dumps({"port": 0} | settings), *flags],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=os.environ | {"PYTHONPATH": str(root)},
                start_new_session=True,
            )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        self.port = int(self.url.rpartition(":")[2] or 0)

    @property
    def errors(self) -> str:
        return self._stderr.read_text()

    def workers(self) -> list[psutil.Process]:
        workers: list[psutil.Process] = psutil.Process(self.process.pid).children()
        return workers

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=15)

    def ask(self, path: str, method: str = "GET", **more: Any) -> tuple[HTTPResponse, bytes]:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=15)) as connection:
            connection.request(method, path, **more)
            response = connection.getresponse()
            return response, response.read()

    def told(self, path: str = "/", method: str = "GET", **more: Any) -> dict[str, Any]:
        """What the app was told about a request."""
        told: dict[str, Any] = json.loads(self.ask(path, method, **more)[1])
        return told

    def raw(self, request: bytes) -> bytes:
        """All that comes back until the server closes the connection."""
        with self.connect() as client:
            client.sendall(request)
            return read(client)

    def logged(self, words: str) -> str:
        """The next line of the access log that has these words."""
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            if words in line:
                return line
        raise AssertionError(f"the log has ended without {words!r}")

    def ends(self) -> int:
        return self.process.wait(20)


@pytest.fixture(scope="module")
def serve_module(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[Serve]:
    with ExitStack() as stack:

        def start(*flags: str, **settings: Any) -> Served:
            served = Served(tmp_path_factory.mktemp("server"), root, *flags, **settings)
            stack.callback(end, served)
            return served

        yield start


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[Serve]:
    """Starts servers that end with the test."""
    with ExitStack() as stack:

        def start(*flags: str, **settings: Any) -> Served:
            served = Served(tmp_path_factory.mktemp("server"), root, *flags, **settings)
            stack.callback(end, served)
            return served

        yield start


@pytest.fixture(scope="module")
def served(serve_module: Serve) -> Served:
    """One server for the tests that leave it as it was."""
    return serve_module(max_body_mb=1.0)


def end(served: Served) -> None:
    if served.process.poll() is None:
        os.killpg(served.process.pid, signal.SIGKILL)
        served.process.wait(20)
    assert served.process.stdout is not None
    served.process.stdout.close()


def read(client: socket.socket) -> bytes:
    answer = b""
    while part := client.recv(65536):
        answer += part
    return answer


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 15
    while not true():
        assert time.monotonic() < deadline, f"not within 15 s: {what}"
        time.sleep(0.01)


class Gate:
    """Where an app waits in the middle of a request until the test opens it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(15)
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> Gate:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def reached(self) -> socket.socket:
        """The app's end, once it is there."""
        app, _ = self._listener.accept()
        app.settimeout(15)
        return app

    def asked(self) -> bool:
        """Whether an app waits here that has not been met by `reached`."""
        return bool(select.select([self._listener], [], [], 0)[0])


def test_a_hundred_half_sent_bodies_hold_up_nobody(served: Served) -> None:
    with ExitStack() as stack:
        for _ in range(100):
            client = stack.enter_context(served.connect())
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)
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
    error = "4 of 1,000 bytes of the body came in 0.3 s, the limit (server.body_seconds). Send it again, faster."
    assert json.loads(body) == {"error": error}


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
    assert json.loads(body) == {"error": "The body has more than 1 MB, the limit (server.max_body_mb). Send less."}


def test_a_client_that_sends_30_mb_before_it_listens_still_gets_its_413(served: Served) -> None:
    response, body = served.ask("/", "POST", body=b"x" * 30_000_000)
    assert (response.status, list(json.loads(body))) == (413, ["error"])


def test_a_body_of_just_the_limit_is_taken(served: Served) -> None:
    assert len(served.told(method="POST", body=b"x" * 1_000_000)["body"]) == 1_000_000


def test_a_chunked_body_arrives_whole(served: Served) -> None:
    told = served.told(method="POST", body=iter([b"one ", b"two ", b"three"]), encode_chunked=True)
    assert (told["body"], told["CONTENT_LENGTH"]) == ("one two three", "13")
    assert "HTTP_TRANSFER_ENCODING" not in told


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
        {"error": "The server failed on this request. Its log says why."},
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


def test_sigterm_lets_a_request_in_flight_finish_and_then_the_server_ends(serve: Serve) -> None:
    served = serve()
    with Gate() as gate, served.connect() as client:
        client.sendall(f"GET /hold?{gate.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        with gate.reached():
            busy = len(served.workers())
            served.process.send_signal(signal.SIGTERM)
            until(lambda: len(served.workers()) < busy, "the idle worker ends")
            assert served.process.poll() is None
        assert read(client).startswith(b"HTTP/1.1 200 OK")
    assert served.ends() == 0
    assert served.errors == ""


def test_what_is_not_finished_in_time_is_cut_off(serve: Serve) -> None:
    served = serve(drain_seconds=0.3, workers=1)
    with Gate() as gate, served.connect() as client:
        client.sendall(f"GET /hold?{gate.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        with gate.reached():
            (worker,) = served.workers()
            served.process.send_signal(signal.SIGTERM)
            assert served.ends() == 0
    assert served.errors == f"Worker {worker.pid} was still busy after 0.3 s.\n"


def test_ctrl_c_ends_it_without_a_word(serve: Serve) -> None:
    served = serve()
    served.ask("/")
    os.killpg(served.process.pid, signal.SIGINT)
    assert served.ends() == 0
    assert served.errors == ""


@linux
def test_a_killed_worker_is_replaced_three_times_in_a_row_and_callers_wait_for_the_next(serve: Serve) -> None:
    served = serve(workers=1)
    seen = [served.told()["pid"]]
    for _ in range(3):
        (worker,) = served.workers()
        worker.kill()
        worker.wait(15)
        seen.append(served.told()["pid"])
    assert len(set(seen)) == 4
    assert served.errors.count("was killed by SIGKILL; another takes its place.") == 3


@linux
def test_connections_that_come_together_are_shared_by_the_workers(serve: Serve) -> None:
    served = serve(workers=2)
    with ExitStack() as stack:
        clients = [
            stack.enter_context(closing(HTTPConnection("127.0.0.1", served.port, timeout=15))) for _ in range(40)
        ]
        for client in clients:
            client.connect()
        for client in clients:
            client.request("GET", "/")
        pids = [json.loads(client.getresponse().read())["pid"] for client in clients]
    assert (
        min(pids.count(worker.pid) for worker in served.workers()) >= 5
    )  # by chance 20; 4 or fewer once in 10 million


@linux
def test_where_a_worker_cannot_be_replaced_the_others_let_everybody_in(serve: Serve) -> None:
    served = serve(workers=2)
    until(lambda: len({served.told()["pid"] for _ in range(20)}) == 2, "both workers")
    Path(str(served.process.args[1]) + ".broken").touch()
    lost, left = served.workers()
    lost.kill()
    until(lambda: served.errors.count("A new worker cannot load the app.") >= 2, "two starts that failed")
    until(lambda: served.errors.count("ended with exit code 1") >= 2, "that they are noticed")
    assert {served.told()["pid"] for _ in range(20)} == {left.pid}


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


def test_as_many_requests_are_answered_at_once_as_there_are_threads(serve: Serve) -> None:
    served = serve(workers=1, threads=6)
    with Gate() as gate, ExitStack() as stack:
        for _ in range(6):
            client = stack.enter_context(served.connect())
            client.sendall(f"GET /hold?{gate.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        for _ in range(6):
            stack.enter_context(gate.reached())


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("a-1_B.2", True), ("x" * 64, True), ("x" * 65, False), ("two words", False), ("%0d%0a", False), ("", False)],
)
def test_a_sane_request_id_is_kept_and_every_answer_has_one(served: Served, sent: str, kept: bool) -> None:
    response, body = served.ask("/", headers={"X-Request-ID": sent})
    name = response.headers["X-Request-ID"]
    assert (name == sent) is kept
    assert re.fullmatch("[A-Za-z0-9._-]{1,64}", name)
    assert json.loads(body)["HTTP_X_REQUEST_ID"] == name


def test_what_is_refused_has_the_requests_id_too(served: Served) -> None:
    response, _ = served.ask("/", "POST", body=b"x" * 2_000_000, headers={"X-Request-ID": "too-large"})
    assert (response.status, response.headers["X-Request-ID"]) == (413, "too-large")


def test_a_traceback_in_the_log_names_its_request(served: Served) -> None:
    served.ask("/broken", headers={"X-Request-ID": "broken-7"})
    assert "GET /broken failed [request broken-7]\nTraceback" in served.errors


def test_each_request_is_a_line_of_the_log_without_its_query(serve: Serve) -> None:
    served = serve()
    began = time.time()
    served.ask("/a%0Ab%20c?secret=1", "POST", body=b"12345", headers={"X-Request-ID": "one"})
    line = served.logged("id=one")
    found = re.fullmatch(r"(\S+)Z POST /a%0Ab%20c 200 ([0-9.]+) ms in=5 out=\d+ client=127\.0\.0\.1 id=one\n", line)
    assert found, line
    assert found[1][:10] in {time.strftime("%Y-%m-%d", time.gmtime(at)) for at in (began, time.time())}
    served.process.terminate()
    assert served.ends() == 0


def test_the_log_may_be_json_with_tracebacks_and_all(serve: Serve) -> None:
    served = serve(log="json")
    served.ask("/broken?secret=1", headers={"X-Request-ID": "one"})
    told = json.loads(served.logged("one"))
    assert {name: told[name] for name in ("method", "path", "status", "in", "client", "id")} == {
        "method": "GET",
        "path": "/broken",
        "status": 500,
        "in": 0,
        "client": "127.0.0.1",
        "id": "one",
    }
    (error,) = [json.loads(line) for line in served.errors.splitlines()]
    assert (error["level"], error["id"], error["message"]) == ("ERROR", "one", "GET /broken failed")
    assert error["traceback"].endswith("LookupError: on purpose")


def test_the_log_may_be_off_and_all_of_it_is_written_before_the_end(serve: Serve) -> None:
    for log, lines in (("off", 0), ("text", 20)):
        served = serve(log=log)
        for _ in range(20):
            served.ask("/")
        served.process.terminate()
        assert served.process.stdout is not None
        assert served.process.stdout.read().count("\n") == lines
        assert served.ends() == 0


def test_a_log_that_nobody_reads_holds_up_nobody(serve: Serve) -> None:
    served = serve(workers=1)
    path = "/" + "x" * 280
    with closing(HTTPConnection("127.0.0.1", served.port, timeout=15)) as connection:
        for _ in range(200):  # more than a pipe holds
            connection.request("GET", path)
            assert connection.getresponse().read()
    served.process.terminate()
    assert served.ends() == 0


@pytest.mark.parametrize("shared", [False, True], ids=["held", "held with SO_REUSEPORT"])
def test_a_port_in_use_is_refused_in_one_line(serve: Serve, shared: bool) -> None:
    with socket.socket() as other:
        if shared:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        served = serve(port=port)
        assert served.ends() == 1
    advice = f"Stop what uses it, or choose another: zoo serve --port {port + 1}."
    assert served.errors == f"Port {port} of 127.0.0.1 is in use. {advice}\n"


def test_an_address_of_another_machine_is_refused_in_one_line(serve: Serve) -> None:
    served = serve(host="192.0.2.1")
    assert served.ends() == 1
    assert served.errors == "192.0.2.1 is no address of this machine. Try: zoo serve --host 127.0.0.1.\n"


def test_an_app_that_cannot_be_loaded_is_told_in_one_line(serve: Serve) -> None:
    served = serve("--broken")
    assert served.ends() == 1
    assert (served.url, served.errors) == ("", "settings.toml is nowhere to be found.\n")


@linux
@pytest.mark.long
def test_workers_end_when_the_supervisor_is_killed(serve: Serve) -> None:
    served = serve()
    workers = served.workers()
    served.process.kill()
    assert psutil.wait_procs(workers, timeout=15)[1] == []


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


@pytest.mark.long
def test_the_zoo_is_served_until_sigterm(root: Path) -> None:
    """As users start it: the command prints where it listens, and serves the folder's zoo."""
    command = [sys.executable, "-m", "zoo", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://127.0.0.1:(\d+)", process.stdout.readline())
            assert found
            with closing(HTTPConnection("127.0.0.1", int(found[1]), timeout=15)) as connection:
                connection.request("GET", "/livez")
                assert connection.getresponse().status == 200
            process.terminate()
            assert process.wait(15) == 0
        finally:
            process.kill()


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
        "headers": [(b"transfer-encoding", b"chunked")],
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
    assert json.loads(answer["body"]) == {"error": "Too many large bodies are being sent. Try again shortly."}
