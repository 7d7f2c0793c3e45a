"""A real server process for the tests: the command as users start it, found by the address it prints."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass
class Served:
    """A server that is up: where it is, and how long it took from the start of the process to the address, in s."""

    url: str
    process: subprocess.Popen[str]
    seconds: float

    @property
    def workers(self) -> list[psutil.Process]:
        return [child for child in psutil.Process(self.process.pid).children(recursive=True) if child.is_running()]


@contextmanager
def serving(command: Sequence[str | Path], cwd: Path, patience: float = 60) -> Iterator[Served]:
    """Start `command`, wait until it prints its address, and stop it at the end with Ctrl-C, which has to end it."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("ZOO_")}
    start = time.monotonic()
    process = subprocess.Popen(
        [str(word) for word in command],
        cwd=cwd,
        env=environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        url, seen = "", ""
        assert process.stdout is not None
        while not url:
            left = start + patience - time.monotonic()
            ready, _, _ = select.select([process.stdout], [], [], max(0, left))
            assert ready, f"no address after {patience} s:\n{seen}"
            line = process.stdout.readline()
            assert line, f"it ended with {process.wait()}:\n{seen}"
            seen += line
            found = re.search(r"http://[^\s/]+:\d+", line)
            url = found.group() if found else ""
        yield Served(url, process, time.monotonic() - start)
        assert process.poll() is None, "the server ended by itself"
        os.killpg(process.pid, signal.SIGINT)  # a terminal's Ctrl-C reaches all of its processes
        rest, _ = process.communicate(timeout=20)
        assert "Traceback" not in rest
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
