"""What the benchmarks of servers share: a server's processes and what they cost, a form to send, and wrk's load."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
WORKERS = 2
BOUNDARY = "----zoo"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


@dataclass(frozen=True)
class Load:
    """A request, and how many connections send it."""

    path: str
    body: bytes
    headers: dict[str, str]
    connections: int


@dataclass(frozen=True)
class Told:
    """What a load gave: requests/s, latencies in ms, CPU time of all the server's processes in µs a request.

    `whole` says that every answer was 2xx.
    """

    rate: float
    p50: float
    p99: float
    cpu: float
    whole: bool


class Processes:
    """A server on `port`, in processes of its own."""

    process: subprocess.Popen[bytes]
    port: int

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def tree(self) -> list[psutil.Process]:
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def cpu_seconds(self) -> float:
        return float(sum(sum(process.cpu_times()[:2]) for process in self.tree()))

    def pss_mb(self) -> float:
        """Memory of all its processes, what they share counted once, in MB."""
        return float(sum(process.memory_full_info().pss for process in self.tree())) / 1e6

    def under(self, load: Load, seconds: float) -> Told:
        """What wrk and the processes' clocks say of some seconds of a load."""
        before = self.cpu_seconds()
        rate, p50, p99, whole = wrk(f"http://127.0.0.1:{self.port}{load.path}", load, seconds)
        return Told(rate, p50, p99, (self.cpu_seconds() - before) / max(1.0, rate * seconds) * 1e6, whole)


def wrk(url: str, load: Load, seconds: float) -> tuple[float, float, float, bool]:
    """Requests/s, median and 99th percentile of the latency in ms, and whether every answer was 2xx."""
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
    """End the program where there is no wrk."""
    with contextlib.suppress(FileNotFoundError):
        subprocess.run(["wrk", "-v"], capture_output=True, check=False)
        return
    sys.exit("wrk makes the load and is not installed. Install it (Debian: apt-get install wrk).")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def form(content: bytes) -> bytes:
    """A multipart body with a picture in the part `file`; `FORM` are its headers."""
    head = 'Content-Disposition: form-data; name="file"; filename="digit"\r\nContent-Type: application/octet-stream'
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def encoded(picture: Image.Image, kind: str, **how: Any) -> bytes:
    content = io.BytesIO()
    picture.save(content, kind, **how)
    return content.getvalue()


def digit() -> Image.Image:
    """MNIST's first test picture."""
    from zoo import datasets

    return Image.fromarray(datasets.test_data("mnist").images[0, ..., 0])
