"""A server of an app that tells what it was told, and waits in the middle of a request until the test lets it go on."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

linux = pytest.mark.skipif(sys.platform != "linux", reason="tells workers apart by what fork leaves to them")

PROGRAM = """
import json, os, socket, sys

from webui.environ import HAS_LEFT
from webui.server import serve
from zoo.errors import ZooError
from zoo.settings import ServerSettings


def app(environ, start_response):
    path, body = environ["PATH_INFO"], environ["wsgi.input"].read()
    if path == "/hold":  # until the test says so
        with socket.create_connection(("127.0.0.1", int(environ["QUERY_STRING"]))) as gate:
            gate.recv(1)
    if path == "/left":  # tells the test whether the client has left, as often as it is asked
        with socket.create_connection(("127.0.0.1", int(environ["QUERY_STRING"]))) as gate:
            while gate.recv(1) == b"?":
                gate.sendall(b"yes" if environ[HAS_LEFT] else b"no ")
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
    """A running server, which may have so many open `files`. `errors` is what it has written to stderr."""

    def __init__(self, folder: Path, root: Path, *flags: str, files: int | None = None, **settings: Any) -> None:
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
                preexec_fn=files and (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))),
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
