"""Compare WSGI servers running the zoo's app: `python benchmarks/servers.py` prints the tables of docs/serving.md.

Every candidate runs the same WSGI app, `webui.create_app()`, in two processes if it can, and gets the same multipart
upload of a 28x28 PNG. Throughput is measured in rounds, with all candidates in each, so that a noisy machine affects
all of them: read the ratios. Behaviours are provoked and observed, not taken from documentation. Needs wrk (Debian:
wrk) and the `bench` extra; a candidate that is not installed is named and left out. All traffic stays on 127.0.0.1.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import psutil  # type: ignore[import-untyped]
from load import BOUNDARY, FORM, ROOT, WORKERS, Load, Processes, form, free_port, need_wrk
from pictures import digit, encoded

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

CONNECTIONS = (1, 8, 32)


@dataclass(frozen=True)
class Candidate:
    """A server to compare."""

    label: str
    needs: str  # names of the packages, separated by spaces
    run: Callable[[int, str], None]  # takes the port and the app, "product" or "nothing"; returns when the server ends


def product() -> WSGIApplication:
    """Return the zoo's app, with all models loaded."""
    from webui import create_app
    from zoo.zoo import Zoo

    zoo = Zoo.open(ROOT)
    zoo.warm()
    return observed(create_app(zoo))


def nothing() -> WSGIApplication:
    """Return a Flask app that reads an upload and does nothing with it: the least that any such app costs."""
    from flask import Flask, jsonify, request

    app = Flask("nothing")

    @app.post("/<path:path>")
    def read(path: str) -> Any:
        request.files["file"].read()
        return jsonify(digit=0)

    return observed(app)


def observed(app: WSGIApplication) -> WSGIApplication:
    """Add two paths for observing the server: /watch/pid at once, and /watch/slow after 2 s, answer the process id."""

    def wrapped(environ: Any, start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if path not in ("/watch/pid", "/watch/slow"):
            return app(environ, start_response)
        if path == "/watch/slow":
            time.sleep(2)
        answer = str(os.getpid()).encode()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
        return [answer]

    return wrapped


APPS = {"product": product, "nothing": nothing}


def zoo_serve(port: int, app: str, threads: int = 4) -> None:
    """Serve as `zoo serve` does, with `threads` threads in each worker."""
    from webui.server import serve
    from zoo.errors import ZooError
    from zoo.settings import ServerSettings

    for module in ("numpy", "PIL.Image", "ai_edge_litert.interpreter", "webui"):
        importlib.import_module(module)
    try:
        serve(APPS[app], ServerSettings(port=port, workers=WORKERS, threads=threads, log="off"), print)
    except ZooError as error:
        sys.exit(str(error))


def zoo_serve_one_thread(port: int, app: str) -> None:
    """Serve as `zoo serve` does, with one thread in each worker."""
    zoo_serve(port, app, threads=1)


def zoo_serve_no_thread(port: int, app: str) -> None:
    """Serve as `zoo serve` does, but call the app in the event loop itself."""
    from webui.turns import Turns

    class Inline(Turns):
        def _put(self, context: Context, step: Callable[[], Any]) -> tuple[asyncio.Future[Any], list[Any]]:
            future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            future.set_result(context.run(step))
            return future, []

    with patch("webui.worker.Turns", Inline):
        zoo_serve(port, app)


def zoo_serve_asyncio(port: int, app: str) -> None:
    """Serve as `zoo serve` does, on asyncio's own event loop."""
    with patch("webui.worker.new_event_loop", asyncio.new_event_loop):
        zoo_serve(port, app)


def granian_wsgi(port: int, app: str) -> None:
    """Serve by Granian's WSGI interface, without the zoo's worker."""
    from granian.constants import Interfaces
    from granian.server import Server

    server: Any = Server(
        "app",
        port=port,
        workers=WORKERS,
        interface=Interfaces.WSGI,
        blocking_threads=2,
        respawn_failed_workers=True,
        log_enabled=False,
    )
    server.serve(target_loader=lambda _: APPS[app]())


def gunicorn(kind: str, threads: int = 1) -> Callable[[int, str], None]:
    """Return a function that serves by Gunicorn with workers of class `kind`."""

    def run(port: int, app: str) -> None:
        from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

        class Application(BaseApplication):  # type: ignore[misc]
            def load_config(self) -> None:
                settings = {"bind": f"127.0.0.1:{port}", "workers": WORKERS, "worker_class": kind, "threads": threads}
                for name, value in {**settings, "loglevel": "error", "control_socket_disable": True}.items():
                    if name in self.cfg.settings:
                        self.cfg.set(name, value)

            def load(self) -> WSGIApplication:
                return APPS[app]()

        Application().run()

    return run


def waitress(port: int, app: str) -> None:
    """Serve by Waitress, in one process with 4 threads."""
    from waitress import serve  # type: ignore[import-untyped]

    serve(APPS[app](), host="127.0.0.1", port=port, threads=4)


CANDIDATES = {
    "zoo": Candidate("`zoo serve`: what is quick in the event loop, all else in 4 threads", "granian", zoo_serve),
    "zoo-1": Candidate("the same, all else in 1 thread", "granian", zoo_serve_one_thread),
    "zoo-0": Candidate("the same, all in the event loop", "granian", zoo_serve_no_thread),
    "zoo-asyncio": Candidate("the same, asyncio's own event loop", "granian", zoo_serve_asyncio),
    "granian": Candidate("Granian WSGI, 2 threads", "granian", granian_wsgi),
    "sync": Candidate("Gunicorn sync", "gunicorn", gunicorn("sync")),
    "gthread": Candidate("Gunicorn gthread, 4 threads", "gunicorn", gunicorn("gthread", 4)),
    "gevent": Candidate("Gunicorn gevent", "gunicorn gevent", gunicorn("gevent")),
    "waitress": Candidate("Waitress, 1 process, 4 threads", "waitress", waitress),
}


class Running(Processes):
    """A candidate running in its own processes."""

    def __init__(self, name: str, app: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115, closed by __exit__
        began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", name, "--app", app, "--port", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=self.errors,
            start_new_session=True,
            cwd=ROOT,
        )
        self.until(lambda: self.pid() is not None or self.process.poll() is not None, 20)
        self.start_seconds = time.monotonic() - began
        self.seen: set[int] = set()
        if port is None:
            self.until(self.all_answer, 5)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.errors.close()

    def until(self, true: Callable[[], bool], seconds: float) -> bool:
        """Wait up to `seconds` for `true` to return True, and return whether it did."""
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def ask(self, path: str, body: bytes | None = None, timeout: float = 3) -> bytes | None:
        """Return the body of a 200 response; None for another status, or without a response in time."""
        kind = FORM if body is not None else {}
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=timeout)) as connection:
            try:
                connection.request("GET" if body is None else "POST", path, body, kind)
                response = connection.getresponse()
                answer = response.read()
            except (OSError, HTTPException):
                return None
            return answer if response.status == 200 else None

    def pid(self) -> int | None:
        """Return the id of the process that answers now, or None."""
        answer = self.ask("/watch/pid")
        return int(answer) if answer else None

    def answers_as(self, pid: int) -> bool:
        """Whether the process with this id answers now."""
        return self.pid() == pid

    def workers(self) -> set[int]:
        """Return the ids of the server's live child processes."""
        return {process.pid for process in self.tree()[1:] if process.status() != psutil.STATUS_ZOMBIE}

    def has_others(self, known: set[int]) -> bool:
        """Whether the server runs and has workers other than the known ones."""
        return self.process.poll() is None and bool(self.workers() - known)

    def all_answer(self) -> bool:
        """Ask once more, and return whether every worker has answered by now. A single process is its own worker."""
        pid = self.pid()
        if pid is not None:
            self.seen.add(pid)
        return len(self.seen) >= (WORKERS if self.workers() else 1)

    def stderr(self) -> str:
        """Return what the server has written to stderr."""
        self.errors.seek(0)
        return self.errors.read()


def measure(names: list[str], options: argparse.Namespace, body: bytes) -> Iterator[str]:
    """Yield the lines of the table of throughput, CPU, memory and start-up."""
    rates: dict[tuple[str, int], list[float]] = defaultdict(list)
    spent: dict[str, list[float]] = defaultdict(list)
    memory: dict[str, list[float]] = defaultdict(list)
    start: dict[str, list[float]] = defaultdict(list)
    faults: set[str] = set()
    runs = [(name, "product") for name in names] + [("zoo", "nothing")] * ("zoo" in names)
    for _ in range(options.rounds):
        for name, app in runs:
            key = name if app == "product" else "nothing"
            with Running(name, app) as server:
                if server.ask(options.path, body) is None:
                    sys.exit(f"{name}: {options.path} does not answer 200. Train its model, or give another --path.")
                start[key].append(server.start_seconds)
                server.under(Load(options.path, body, FORM, 8), 1)
                for connections in CONNECTIONS:
                    told = server.under(Load(options.path, body, FORM, connections), options.seconds)
                    rates[key, connections].append(told.rate)
                    if connections == CONNECTIONS[-1]:
                        spent[key].append(told.cpu)
                    if not told.whole:
                        faults.add(key)
                memory[key].append(server.pss_mb())
    most = CONNECTIONS[-1]
    idle = statistics.median(rates["nothing", most]) if rates["nothing", most] else None
    yield f"| server | {' | '.join(f'{n} conn.' for n in CONNECTIONS)} | of do-nothing | CPU | PSS | first answer |"
    yield "|---|" + "---|" * (len(CONNECTIONS) + 4)
    for key in [*names, *(["nothing"] if idle else [])]:
        label = CANDIDATES[key].label if key in CANDIDATES else "`zoo serve` around a Flask handler that does nothing"
        medians = [statistics.median(rates[key, connections]) for connections in CONNECTIONS]
        cells = [f"{label}{' (with errors)' if key in faults else ''}", *(f"{rate:,.0f}" for rate in medians)]
        cells.append(f"{medians[-1] / idle:.2f}" if idle else "")
        cells.append(f"{min(spent[key]):,.0f} µs")
        cells += [f"{statistics.median(memory[key]):.0f} MB", f"{statistics.median(start[key]):.1f} s"]
        yield f"| {' | '.join(cells)} |"


def answers_while_uploads_hang(name: str, path: str, body: bytes) -> str:
    """Test whether requests are answered while 100 uploads are half sent."""
    with Running(name, "product") as server, contextlib.ExitStack() as stack:
        for _ in range(100):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=5))
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
            client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[: len(body) // 2])
        return yes(all(server.ask(path, body) is not None for _ in range(5)))


def drains(name: str, path: str, body: bytes) -> str:
    """Test whether a server answers the request in flight upon SIGTERM, and then ends."""
    with Running(name, "product") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
            client.sendall(b"GET /watch/slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            time.sleep(0.5)  # by now it is in the app, which takes 2 s
            server.process.send_signal(signal.SIGTERM)
            try:
                answered = b"200 OK" in client.recv(65536)
            except OSError:
                answered = False
        ended = server.until(lambda: server.process.poll() is not None, 10)
        return yes(answered and ended)


def replaces_killed_workers(name: str, path: str, body: bytes) -> str:
    """Test whether a killed worker is replaced, three times: a worker is killed, then twice its replacement."""
    with Running(name, "product") as server:
        victim, known = server.pid(), server.workers()
        for _ in range(3):
            if victim is None:
                return "no"
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
            if not server.until(partial(server.has_others, known), 8):
                return "no"
            (victim, *_) = server.workers() - known
            known |= {victim}
            server.until(partial(server.answers_as, victim), 5)
        return yes(server.ask(path, body) is not None)


def refuses_a_taken_port(name: str, path: str, body: bytes) -> str:
    """Test whether a second server on the same port refuses to start, and in how many lines it says so."""
    with Running(name, "product") as first, Running(name, "product", first.port) as second:
        if not second.until(lambda: second.process.poll() is not None, 10):
            return "no, it starts"
        lines = len(second.stderr().strip().splitlines())
        return "yes" if lines == 1 else f"in {lines} lines"


def refuses_30_mb_early(name: str, path: str, body: bytes) -> str:
    """Test whether a request that declares 30 MB gets 413 after its first bytes."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
    with Running(name, "product") as server, socket.create_connection(("127.0.0.1", server.port), timeout=3) as client:
        client.sendall(f"{head}Content-Length: 30000000\r\n\r\n".encode() + body[:100])
        try:
            return yes(b" 413 " in client.recv(65536))
        except OSError:
            return "no"


def ends_quietly_on_ctrl_c(name: str, path: str, body: bytes) -> str:
    """Test whether Ctrl-C ends a server within 5 s and without a traceback."""
    with Running(name, "product") as server:
        os.killpg(server.process.pid, signal.SIGINT)
        ended = server.until(lambda: server.process.poll() is not None, 5)
        return yes(ended and "Traceback" not in server.stderr())


BEHAVIOURS: dict[str, Callable[[str, str, bytes], str]] = {
    "answers while 100 uploads hang": answers_while_uploads_hang,
    "SIGTERM lets a request finish": drains,
    "killed worker replaced, 3 times": replaces_killed_workers,
    "taken port refused in one line": refuses_a_taken_port,
    "413 before 30 MB are sent": refuses_30_mb_early,
    "Ctrl-C ends it without traceback": ends_quietly_on_ctrl_c,
}


def watch(names: list[str], options: argparse.Namespace, body: bytes) -> Iterator[str]:
    """Yield the lines of the table of behaviours."""
    yield f"| server | {' | '.join(BEHAVIOURS)} |"
    yield "|---|" + "---|" * len(BEHAVIOURS)
    for name in names:
        seen = [behaviour(name, options.path, body) for behaviour in BEHAVIOURS.values()]
        yield f"| {CANDIDATES[name].label} | {' | '.join(seen)} |"


def yes(true: bool) -> str:
    return "yes" if true else "no"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--path", default="/predict_cnn", help="endpoint that is asked (default: /predict_cnn)")
    parser.add_argument("--only", nargs="+", choices=CANDIDATES, help="candidates to run (default: all)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the medians are given")
    parser.add_argument("--seconds", type=int, default=3, help="seconds of load at each number of connections")
    parser.add_argument("--skip", choices=["throughput", "behaviours"], help="leave one of the tables out")
    for name in ("--serve", "--app", "--port"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    sys.path.insert(0, str(ROOT))
    if options.serve:
        CANDIDATES[options.serve].run(int(options.port), options.app)
        return
    if options.skip != "throughput":
        need_wrk()
    names = []
    for name in options.only or CANDIDATES:
        missing = [one for one in CANDIDATES[name].needs.split() if importlib.util.find_spec(one) is None]
        if missing:
            print(f"{CANDIDATES[name].label} is left out: {' and '.join(missing)} is not installed.\n")
        else:
            names.append(name)
    body = form(encoded(digit(), "PNG"))
    if options.skip != "throughput":
        print(
            f"Requests/s to `{options.path}`, medians of {options.rounds} rounds; CPU and PSS of all its processes.\n"
        )
        for line in measure(names, options, body):
            print(line, flush=True)
        print()
    if options.skip != "behaviours":
        for line in watch(names, options, body):
            print(line, flush=True)


if __name__ == "__main__":
    main()
