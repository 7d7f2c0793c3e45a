"""Shared by the benchmarks: a server's processes and their cost, forms to upload, and load made by wrk."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parent.parent
WORKERS = 2  # worker processes of every server
BOUNDARY = "----zoo"  # between the parts of a form
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}  # headers of a form


@dataclass(frozen=True)
class Load:
    """A POST request, and how many connections send it."""

    path: str
    body: bytes
    headers: dict[str, str]
    connections: int


@dataclass(frozen=True)
class Told:
    """The results of a load.

    `rate` is in requests/s, `p50` and `p99` are latencies in ms, and `cpu` is the CPU time of all the server's
    processes in µs per request. `whole` says that every response was 2xx.
    """

    rate: float
    p50: float
    p99: float
    cpu: float
    whole: bool


class Processes:
    """A server on `port`, running in its own processes."""

    process: subprocess.Popen[bytes]
    port: int

    def kill(self) -> None:
        """Kill the server's process group and wait for its first process."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def tree(self) -> list[psutil.Process]:
        """Return the server's first process and all its descendants."""
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """Return the CPU time of all its processes so far, user and system, in seconds."""
        return float(sum(sum(process.cpu_times()[:2]) for process in self.tree()))

    def pss_mb(self) -> float:
        """Return the memory of all its processes in MB (proportional set size, which counts shared pages once)."""
        return float(sum(process.memory_full_info().pss for process in self.tree())) / 1e6

    def under(self, load: Load, seconds: float) -> Told:
        """Put the server under a load for some seconds and return the results of wrk and the CPU time used."""
        before = self.cpu_seconds()
        rate, p50, p99, whole = wrk(f"http://127.0.0.1:{self.port}{load.path}", load, seconds)
        return Told(rate, p50, p99, (self.cpu_seconds() - before) / max(1.0, rate * seconds) * 1e6, whole)


def wrk(url: str, load: Load, seconds: float) -> tuple[float, float, float, bool]:
    """Run wrk; return requests/s, median and 99th percentile latency in ms, and whether every response was 2xx."""
    with tempfile.TemporaryDirectory() as folder:
        script, content = Path(folder, "load.lua"), Path(folder, "body")
        content.write_bytes(load.body)
        lines = [f'local file = io.open("{content}", "rb")', 'wrk.method = "POST"', 'wrk.body = file:read("*a")']
        lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in load.headers.items()]
        script.write_text("\n".join(lines))
        command = ["wrk", "-t1", f"-c{load.connections}", f"-d{seconds:g}s", "--latency", "-s", str(script), url]
        said = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=True).stdout
    units = {"us": 1e-3, "ms": 1.0, "s": 1e3}

    def latency(share: str) -> float:
        found = re.search(rf"{share}%\s+([\d.]+)(us|ms|s)", said)
        return float(found[1]) * units[found[2]] if found else float("nan")

    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    whole = "Non-2xx" not in said and "Socket errors" not in said
    return float(found[1]) if found else 0.0, latency("50"), latency("99"), whole


def need_wrk() -> None:
    """Exit with a message if wrk is not installed."""
    with contextlib.suppress(FileNotFoundError):
        subprocess.run(["wrk", "-v"], capture_output=True, check=False)
        return
    sys.exit("wrk makes the load and is not installed. Install it (Debian: apt-get install wrk).")


def free_port() -> int:
    """Return a port that is free at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def form(content: bytes) -> bytes:
    """Return a multipart body with a picture in the part `file`; `FORM` has its headers."""
    head = 'Content-Disposition: form-data; name="file"; filename="digit"\r\nContent-Type: application/octet-stream'
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
