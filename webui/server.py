"""The server behind `zoo serve`: several worker processes, each with Granian's HTTP and the bridge to the WSGI app.

This process, the supervisor, binds the port, so that a taken port is reported and no connection is lost when a worker
dies. It starts the workers, replaces those that die, and at the end lets them finish. It answers no request itself. The
worker's side is `webui.worker`.
"""

from __future__ import annotations

import gc
import importlib
import ipaddress
import logging
import multiprocessing
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from webui.door import Door
from webui.logs import shape_errors
from webui.metrics import RESTARTS, WORKERS
from webui.tally import GAUGE, STARTED, Tally
from webui.worker import SIGNALS, connections, work
from zoo.errors import ZooError
from zoo.quiet import quiet
from zoo.settings import ServerSettings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from zoo.zoo import Zoo

STEADY = 1.0  # seconds; a worker that dies sooner has failed to start
PAUSES = (0.0, 0.1, 0.3, 1.0, 2.0)  # seconds before the next start, by the number of failures in a row
SHARED = ("ai_edge_litert.interpreter", "PIL.Image", "zoo.reading")
"""The modules to import before the fork: workers start faster and share one copy."""
LATEST = 0.5  # seconds until the supervisor notices a signal, at most
FEW = 100  # connections of a worker; with fewer, clients that keep theirs open soon keep others out
FIRST = "zoo-worker-1"

log = logging.getLogger("zoo.server")


def serve_zoo(zoo: Zoo, announce: Callable[[str], None]) -> None:
    """Serve a zoo's pages and API as `zoo.settings.server` says, with every model loaded before its first request.

    Forked workers share this zoo and the networks that can be loaded before, with its `latest` versions fixed now, so
    that a worker that replaces another one later answers as the rest do. Spawned workers open the zoo's folder anew.
    Otherwise as `serve`. Raises ZooError also when other machines could connect and no key would be asked of them.
    """
    _refuse_strangers(zoo.settings.server)
    with quiet():
        for name in SHARED:
            importlib.import_module(name)
    forks = _context().get_start_method() == "fork"
    for model in zoo.models.values():
        model.pin()
        if forks:
            model.preload()
    secret = secrets.token_hex(32)  # the same for all workers
    loader = partial(_app, zoo, secret) if forks else partial(_app_of, str(zoo.root), secret)
    serve(loader, zoo.settings.server, announce)


def _app(zoo: Zoo, secret: str) -> WSGIApplication:
    """Return a worker's app with all its models loaded. Only the first worker warns about models."""
    from webui import create_app

    logger = logging.getLogger("zoo")
    level = logger.level
    if multiprocessing.current_process().name != FIRST:  # the others would repeat its warnings
        logger.setLevel(logging.ERROR)
    app = create_app(zoo, secret)
    zoo.warm()
    logger.setLevel(level)
    return app


def _app_of(folder: str, secret: str) -> WSGIApplication:
    """Return a spawned worker's app, for the zoo in a folder."""
    from zoo.zoo import Zoo

    return _app(Zoo.open(folder), secret)


def serve(app_loader: Callable[[], WSGIApplication], settings: ServerSettings, announce: Callable[[str], None]) -> None:
    """Serve a WSGI app until a signal of `SIGNALS`, then let requests in flight finish within `settings.drain_seconds`.

    `app_loader` is called in each worker, and must be picklable where workers are spawned (macOS, Windows). `announce`
    gets the URL once a worker serves there. Call this from the main thread. Raises ZooError when the port cannot be
    bound or the app cannot be loaded.
    """
    door = Door(settings.host, settings.port, 1 if sys.platform == "win32" else settings.workers)
    shape_errors(settings.log)
    if (most := connections()) < FEW:
        log.warning("A worker can hold %d connections open: this process may have few open files (ulimit -n).", most)
    try:
        gc.freeze()  # the garbage collector leaves what the workers inherit alone: it stays shared
        _Supervisor(app_loader, settings, door).run(announce)
    finally:
        gc.unfreeze()
        door.close()


def _refuse_strangers(settings: ServerSettings) -> None:
    """Raise ZooError if other machines can reach the address and no key would be asked of them."""
    if settings.keys or settings.allow_anonymous:
        return
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][4][0]
    except (OSError, UnicodeError):
        return  # reported when the address is bound
    if not ipaddress.ip_address(str(found).partition("%")[0]).is_loopback:
        raise ZooError(
            f"{settings.host} can be reached from other machines, so anyone there could use it. Require a key, with "
            "what `zoo key new` prints, or let everyone in, with server.allow_anonymous = true in settings.toml."
        )


def _context() -> Any:
    """Return the multiprocessing context that starts workers: fork on Linux, spawn elsewhere."""
    return multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")


@contextmanager
def _held() -> Iterator[None]:
    """Block signals, so that none meets a worker that is half started."""
    if sys.platform == "win32":
        yield
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


@dataclass(eq=False)
class _Worker:
    """A worker process as the supervisor knows it."""

    process: BaseProcess
    news: Connection  # one message: None when it serves, else why it cannot
    born: float
    place: int  # index of its sheet in the tally
    serves: bool = False


class _Supervisor:
    """Keeps as many workers alive as the settings say, until a signal."""

    def __init__(self, app_loader: Callable[[], WSGIApplication], settings: ServerSettings, door: Door) -> None:
        self._app_loader = app_loader
        self._settings = settings
        self._door = door
        # Granian's limit: on Windows only one process can accept from a socket.
        self._count = 1 if sys.platform == "win32" else settings.workers
        self._workers: list[_Worker] = []
        self._tally = Tally(1 + self._count, _context())
        self._sheet = self._tally.sheet(0)
        self._sheet.put(STARTED, time.time())
        self._sheet.add((RESTARTS.name,), 0)
        self._woken, self._waker = _context().Pipe(duplex=False)
        self._started = 0
        self._stopping = False
        self._announced = False
        self._failures = 0  # failed starts in a row
        self._pause_ends = 0.0

    def run(self, announce: Callable[[str], None]) -> None:
        """Start the workers and tend them until a signal. Raises ZooError when none can serve."""
        before = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        try:
            while not self._stopping:
                self._fill()
                self._wait(announce)
        finally:
            self._stop()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: object) -> None:
        """Pass a signal on to the workers. A second one kills them."""
        self._waker.send_bytes(b"!")
        for worker in self._workers:
            if self._stopping:
                worker.process.kill()
            else:
                worker.process.terminate()
        self._stopping = True

    def _fill(self) -> None:
        """Start the workers that are missing, unless the pause after a failure lasts."""
        while len(self._workers) < self._count and time.monotonic() >= self._pause_ends and not self._stopping:
            with _held():
                ours, theirs = _context().Pipe(duplex=False)
                place = min(set(range(1, 1 + self._count)) - {worker.place for worker in self._workers})
                listener, others = self._door.of(place)
                arguments = (self._app_loader, self._settings, listener, others, theirs, self._tally, place)
                self._started += 1
                process = _context().Process(name=f"zoo-worker-{self._started}", target=work, args=arguments)
                process.start()
                theirs.close()
                self._workers.append(_Worker(process, ours, time.monotonic(), place))

    def _wait(self, announce: Callable[[str], None]) -> None:
        """Wait until a worker has news or dies, a signal comes, or the pause before a start is over."""
        timeout = LATEST  # a signal that comes just before `wait` does not end it
        if len(self._workers) < self._count:
            timeout = min(timeout, max(0.0, self._pause_ends - time.monotonic()))
        news = [worker.news for worker in self._workers if not worker.serves]
        happened = wait([self._woken, *news, *(worker.process.sentinel for worker in self._workers)], timeout)
        for worker in list(self._workers):
            if worker.news in happened:
                self._hear(worker, announce)
            if worker.process.sentinel in happened and not self._stopping:
                self._bury(worker)

    def _hear(self, worker: _Worker, announce: Callable[[str], None]) -> None:
        """Take the news of a worker: that it serves, or why it cannot."""
        try:
            trouble = worker.news.recv()
        except EOFError:  # it died; `_bury` is next
            return
        if trouble is None:
            worker.serves = True
            self._count_workers()
            if not self._announced:
                self._announced = True
                announce(self._door.url + (f"{self._settings.prefix}/" if self._settings.prefix else ""))
        elif self._announced:
            log.error("A new worker cannot load the app. %s", trouble)
        else:
            raise ZooError(trouble)

    def _count_workers(self) -> None:
        """Set the number of workers that serve, for `/metrics`."""
        self._sheet.put((WORKERS.name,), sum(worker.serves for worker in self._workers), GAUGE)

    def _bury(self, worker: _Worker) -> None:
        """Remove a worker that died, and set when the next one starts. Raises ZooError if none ever served."""
        self._workers.remove(worker)
        worker.process.join()
        worker.news.close()
        self._tally.sheet(worker.place)  # clears its gauges
        self._count_workers()
        self._sheet.add((RESTARTS.name,))
        pid, code = worker.process.pid, worker.process.exitcode
        how = f"was killed by {signal.Signals(-code).name}" if code and code < 0 else f"ended with exit code {code}"
        steady = worker.serves and time.monotonic() - worker.born >= STEADY
        self._failures = 0 if steady else self._failures + 1
        if self._failures > 1:  # it may take long; the other workers take new connections
            self._door.shut(worker.place)
        if not self._announced and self._failures >= len(PAUSES):
            raise ZooError(f"The server cannot start: every worker dies before it serves. The last one {how}.")
        self._pause_ends = time.monotonic() + PAUSES[min(self._failures, len(PAUSES) - 1)]
        log.warning("Worker %d %s; another takes its place.", pid, how)

    def _stop(self) -> None:
        """Let the workers finish within `settings.drain_seconds`, then kill the rest."""
        self._stopping = True
        self._door.close()
        for worker in self._workers:
            worker.process.terminate()
        deadline = time.monotonic() + self._settings.drain_seconds
        while (busy := [w for w in self._workers if w.process.is_alive()]) and time.monotonic() < deadline:
            wait([worker.process.sentinel for worker in busy], deadline - time.monotonic())
        for worker in busy:
            log.warning("Worker %d was still busy after %g s.", worker.process.pid, self._settings.drain_seconds)
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
