"""What is polled: a worker lives while all of its threads are taken, and files are hashed once a second at most."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
import requests
from asking import png
from guarding import serving_with
from holding import Gate
from serving import Served

from webui import create_app
from zoo import Zoo

HOLDING = """
import socket

from zoo import hookimpl


@hookimpl(wrapper=True)
def predict(batch):
    with socket.create_connection(("127.0.0.1", {port})) as gate:
        gate.recv(1)
    return (yield)
"""


@contextmanager
def busy(folder: Path, server: str) -> Iterator[tuple[Served, Gate]]:
    """A server of one thread, whose predictions stop at the gate."""
    with Gate() as gate:
        (folder / "plugins").mkdir()
        (folder / "plugins/holding.py").write_text(HOLDING.format(port=gate.port))
        with serving_with(folder, f"workers = 1\nthreads = 1\nmax_waiting = 0\n{server}") as served:
            yield served, gate


def told(url: str) -> tuple[int, object, dict[str, str]]:
    """Status, JSON and headers of an answer, but for the time of day."""
    answer = requests.get(url, headers={"X-Request-ID": "mine"}, timeout=15)
    return answer.status_code, answer.json(), {name: one for name, one in answer.headers.items() if name != "date"}


@pytest.mark.parametrize("prefix", ["", "/zoo"])
def test_it_lives_while_every_thread_is_taken(tmp_path: Path, prefix: str) -> None:
    paths = ("/livez", "/v2/health/live")
    with (
        busy(tmp_path, f'prefix = "{prefix}"') as (served, gate),
        closing(HTTPConnection(served.url.removeprefix("http://"), timeout=15)) as asking,
    ):
        root = f"{served.url}{prefix}"
        before = [told(f"{root}{path}") for path in paths]
        asking.request("POST", f"{prefix}/predict_cnn", png(), {"Content-Type": "image/png"})
        with gate.reached():
            assert told(f"{root}/readyz")[0] == 503  # there is no thread for it
            assert [told(f"{root}{path}") for path in paths] == before
            assert [requests.head(f"{root}{path}", timeout=15).status_code for path in paths] == [200, 200]
        assert asking.getresponse().status == before[0][0] == 200
        counted = requests.get(f"{root}/metrics", timeout=15).text
    for path in paths:
        for method, times in (("GET", 2), ("HEAD", 1)):
            assert f'zoo_http_requests_total{{route="{path}",method="{method}",status="200"}} {times}' in counted


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models/cnn"),
        ("GET", "/v1/models/cnn/versions/{version}"),
        ("GET", "/v2/models/cnn/versions/{version}/ready"),
        ("POST", "/v2/repository/index"),
    ],
)
def test_files_are_not_hashed_at_every_poll(
    own_zoo: Path, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    zoo = Zoo.open(own_zoo)
    (other,) = set(zoo.catalogue.versions("cnn")) - {zoo.model("cnn").select()[1]}
    client = create_app(zoo).test_client()

    def told() -> str:
        return client.open(path.format(version=other), method=method).text

    monkeypatch.setattr("zoo.models.FRESH", 3600.0)  # however long the hashing takes
    whole = told()
    with (zoo.catalogue.path("cnn", other) / "model.tflite").open("ab") as file:
        file.write(b"?")
    assert told() == whole
    monkeypatch.setattr("zoo.models.FRESH", 0.0)
    assert "model.tflite has" in told()
    assert "model.tflite has" not in whole
