"""A minute of load while workers are killed: only what a killed worker had in its hands may fail."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from urllib.parse import urlsplit

import psutil
import pytest
import requests
from asking import ROOT, png
from serving import Served, serving

from webui.tally import STARTED

CONNECTIONS = 32
SECONDS = 60
BETWEEN = 10  # seconds from kill to kill

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="sees whose connections are whose in /proc"),
]


class Load:
    """Callers that each ask on one connection, one request after another, and open a new one when it breaks."""

    def __init__(self, url: str) -> None:
        self.address = urlsplit(url).hostname, urlsplit(url).port
        body = png()
        head = f"Host: x\r\nContent-Type: image/png\r\nContent-Length: {len(body)}\r\n\r\n"
        self.request = b"POST /predict_linear HTTP/1.1\r\n" + head.encode() + body
        self.sent = 0
        self.answered: Counter[str] = Counter()  # by status
        self.refused = 0  # connections
        self.broken: list[tuple[int, str]] = []  # the caller's port, and how its request failed
        self.ends = time.monotonic() + SECONDS

    async def caller(self) -> None:
        while time.monotonic() < self.ends:
            try:
                reader, writer = await asyncio.open_connection(*self.address)
            except OSError:
                self.refused += 1
                continue
            port = writer.get_extra_info("sockname")[1]
            try:
                while time.monotonic() < self.ends:
                    self.sent += 1
                    writer.write(self.request)
                    async with asyncio.timeout(30):
                        head = await reader.readuntil(b"\r\n\r\n")
                        length = next(
                            line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
                        )
                        answer = await reader.readexactly(int(length.partition(b":")[2]))
                    right = b'"digit":7' in answer
                    self.answered[head[9:12].decode() if right else f"wrong: {answer[:200]!r}"] += 1
            except (OSError, EOFError, TimeoutError) as error:
                self.broken.append((port, repr(error)))
            finally:
                writer.close()


async def killing(served: Served, load: Load) -> list[set[int]]:
    """Kill a worker every so often, the busier one; the callers' ports whose connections each one had."""
    held = []

    def callers(worker: psutil.Process) -> set[int]:
        port = load.address[1]
        return {one.raddr.port for one in worker.net_connections("tcp") if one.raddr and one.laddr.port == port}

    while time.monotonic() + BETWEEN < load.ends:
        await asyncio.sleep(BETWEEN)
        worker = max(served.workers, key=lambda one: len(callers(one)))  # a new one may have none yet
        worker.suspend()  # so that it takes no further connection
        held.append(callers(worker))
        worker.kill()
    return held


async def minute(served: Served) -> tuple[Load, list[set[int]]]:
    load = Load(served.url)
    callers = [asyncio.create_task(load.caller()) for _ in range(CONNECTIONS)]
    held = await killing(served, load)
    await asyncio.gather(*callers)
    return load, held


def test_only_what_a_killed_worker_was_answering_fails() -> None:
    with serving([sys.executable, "-m", "zoo", "serve", "--port", "0"], ROOT) as served:
        load, held = asyncio.run(minute(served))
        metrics = requests.get(f"{served.url}/metrics", timeout=15).text
        after = {worker.pid for worker in served.workers}
    told = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if not line.startswith("#"))
    counted = int(told['zoo_http_requests_total{route="/predict_<name>",method="POST",status="200"}'])
    answered, broken = load.answered["200"], len(load.broken)

    assert len(held) >= 5
    assert load.refused == 0
    assert load.answered == {"200": answered}, "every answer that came was the right one"
    assert load.sent == answered + broken, "every request is accounted for"
    strangers = [fault for fault in load.broken if not any(fault[0] in ports for ports in held)]
    assert not strangers, "they failed on connections to a worker that lived"
    assert broken <= sum(map(len, held)), "each connection of a killed worker fails once"
    assert all(ports for ports in held), "no kill was of a worker without connections"
    assert answered > SECONDS * 20
    assert answered - broken <= counted <= answered + broken, "kills lose no counts and double none"
    assert int(told["zoo_worker_restarts_total"]) == len(held)
    assert float(told[STARTED[0]]) < time.time() - SECONDS
    assert len(after) == 2
