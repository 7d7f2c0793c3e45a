"""A worker process of the server: Granian's HTTP in an event loop, and the WSGI app behind the bridge."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from webui.bridge import Bridge
from webui.door import BACKLOG
from webui.logs import Log, name_requests, shape_errors
from webui.tally import Tally, take
from webui.turns import Turns
from webui.visits import Visits
from zoo.errors import ZooError
from zoo.settings import ServerSettings

if sys.platform == "win32":  # uvloop costs less per request, but does not run on Windows
    from asyncio import new_event_loop
else:
    from uvloop import new_event_loop

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

CONNECTIONS = 4000  # open connections of a worker, if the limit of open files can be raised that far
IDLE = 75  # seconds that a connection may take for the head of its next request; nginx keeps idle ones for 60
SWITCH = (
    0.0005  # seconds that a thread keeps the GIL; with the default, 0.005, a network's call waits longer to get it back
)
GARBAGE = (700, 10, 10)  # thresholds of the garbage collector, as Python 3.11 has them; the command line raises them
_M_ARENA_MAX = -8  # parameter of mallopt (glibc, malloc.h)
SIGNALS = [signal.SIGINT, signal.SIGTERM]
"""The signals that end the server. Closing the terminal is one too (see SIGHUP below), unless nohup has it ignored."""
if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
    SIGNALS.append(signal.SIGHUP)


class _Granian(Server):
    """Granian's server in this process's event loop, on a socket that is already bound."""

    def __init__(self, app: Bridge, listener: socket.socket) -> None:
        super().__init__(
            app,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=IDLE * 1000),
            websockets=False,
            backlog=BACKLOG,
            backpressure=connections(),
            log_level=LogLevels.error,
            log_dictconfig={"handlers": _TO_STDERR},
        )
        self._listener = listener

    def _init_shared_socket(self) -> None:
        descriptor = self._listener.detach()
        arguments = {"linux": (descriptor, False, BACKLOG), "win32": (descriptor,)}
        holder: Any = SocketHolder
        self._ssp, self._shd = None, holder(*arguments.get(sys.platform, (descriptor, False)))


_TO_STDERR = {
    name: {"class": "logging.StreamHandler", "formatter": "generic", "stream": "ext://sys.stderr"}
    for name in ("console", "access")
}


def connections() -> int:
    """Return how many connections a worker may hold open.

    The soft limit of open files is first raised as far as that takes and the hard limit allows.
    """
    if sys.platform == "win32":
        return CONNECTIONS
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = 100  # for files other than connections
    files = CONNECTIONS + spare if hard == resource.RLIM_INFINITY else min(CONNECTIONS + spare, hard)
    if resource.RLIM_INFINITY != soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return max(1, files - spare)


def work(
    app_loader: Callable[[], WSGIApplication],
    settings: ServerSettings,
    listener: socket.socket,
    others: Sequence[socket.socket],
    news: Connection,
    tally: Tally,
    place: int,
) -> None:
    """Run a worker process from its start to its end. It counts on the sheet of its `place` in the tally.

    It accepts from `listener`; `others` are the listeners of the other workers, which a forked process inherits and
    closes. `news` gets one message: None once the worker serves, or else why it cannot.
    """
    for other in others:
        other.close()
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    _tend_memory()
    gc.set_threshold(*GARBAGE)
    sys.setswitchinterval(SWITCH)
    try:
        sheet = take(tally, place)
        name_requests(settings.log)
        shape_errors(settings.log)
        app = app_loader()
        access = None if settings.log == "off" or sys.stdout is None else Log(sys.stdout.fileno())
        bridge = Bridge(
            app,
            max_body=int(settings.max_body_mb * 1_000_000),
            body_seconds=settings.body_seconds,
            turns=Turns(settings.threads, max_waiting=settings.max_waiting, wait_seconds=settings.wait_seconds),
            refusals=getattr(app, "refusals", None),
            visits=Visits(sheet, access.write if access else None, settings.log),
            live=getattr(app, "live", ()),
            ahead=getattr(app, "ahead", None),
        )
        granian = _Granian(bridge, listener)
    except (Exception, SystemExit) as error:
        news.send(_reason(error))
        sys.exit(1)
    granian.on_startup(partial(news.send, None))
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_run(granian, access, settings.drain_seconds))


def _tend_memory() -> None:
    """Make all threads allocate from one heap. Each further heap would keep what its largest picture took.

    How much memory is kept is left to glibc, which adapts its thresholds to what is freed. With fixed thresholds, the
    memory of each picture came from the system anew, page by page.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # the C library is not glibc
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def _reason(error: BaseException) -> str:
    """Return why the app cannot be loaded, as the supervisor reports it."""
    if isinstance(error, ZooError):
        return str(error)
    at = traceback.extract_tb(error.__traceback__)[-1]
    return f"The app cannot be loaded: {type(error).__name__}: {error} ({at.filename}, line {at.lineno})."


async def _run(granian: Server, access: Log | None, drain_seconds: float) -> None:
    """Serve until a signal comes or the supervisor is gone, then finish the requests in flight and exit.

    Without the supervisor nobody would end a request that takes too long, so the process then ends after
    `drain_seconds`. It ends with `os._exit`, not with Python's own clean-up. That would run under Granian's threads,
    which may abort, and would remove the signal handlers while more signals may come.
    """
    loop = asyncio.get_running_loop()

    def stop(*_: object) -> None:
        with suppress(RuntimeError):  # the loop has just ended
            loop.call_soon_threadsafe(granian.stop)

    def outlive() -> None:
        supervisor = multiprocessing.parent_process()
        if supervisor is not None:
            supervisor.join()
            stop()
            time.sleep(drain_seconds)
            os._exit(1)

    for number in SIGNALS:
        try:
            loop.add_signal_handler(number, granian.stop)
        except NotImplementedError:  # on Windows, where signals wake the loop anyway
            signal.signal(number, stop)
    threading.Thread(target=outlive, name="outlive", daemon=True).start()
    await granian.serve()
    unfinished = asyncio.all_tasks() - {asyncio.current_task()}
    if unfinished:  # requests of clients who left: the app may finish them
        await asyncio.wait(unfinished)
    if access is not None:
        access.close()
    with suppress(OSError, AttributeError):  # stdout is full or closed
        sys.stdout.flush()
    os._exit(0)
