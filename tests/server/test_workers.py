"""The life of the server: how it starts, shares out its callers, replaces a worker, and ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
from holding import Gate, Serve, linux, read, until

HEARD = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN  # as under nohup


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.skipif(not HEARD, reason="it is ignored here"))],
)
def test_a_signal_lets_a_request_in_flight_finish_and_then_the_server_ends(serve: Serve, number: int) -> None:
    served = serve()
    with Gate() as gate, served.connect() as client:
        client.sendall(f"GET /hold?{gate.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        with gate.reached():
            busy = len(served.workers())
            served.process.send_signal(number)
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
    assert served.errors == "192.0.2.1 is not an address of this machine. Try: zoo serve --host 127.0.0.1.\n"


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


@linux
def test_a_worker_whose_supervisor_is_gone_is_busy_no_longer_than_it_would_have_let_it(serve: Serve) -> None:
    served = serve(drain_seconds=0.3, workers=1)
    with Gate() as gate, served.connect() as client:
        client.sendall(f"GET /hold?{gate.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        with gate.reached():
            workers = served.workers()
            served.process.kill()
            assert psutil.wait_procs(workers, timeout=15)[1] == []


@linux
def test_where_few_files_may_be_open_the_log_says_so(serve: Serve) -> None:
    assert serve(files=128, workers=1).errors == (
        "A worker can hold 28 connections open: this process may have few open files (ulimit -n).\n"
    )


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
