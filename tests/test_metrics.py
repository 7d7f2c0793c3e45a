"""What the server tells of itself: `/metrics` over real sockets, of all workers together, killed ones included."""

from __future__ import annotations

import gc
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from asking import ROOT, b64, png
from prometheus_client.parser import text_string_to_metric_families
from serving import Served, serving

from webui.metrics import LOADED, ModelCounts
from webui.tally import COUNT, GAUGE, SIZE, Tally
from zoo import ModelSettings

SERVE = [sys.executable, "-m", "zoo", "serve", "--port", "0"]
PREDICTED = ("zoo_http_requests_total", ("method", "POST"), ("route", "/predict_<name>"), ("status", "200"))
SEVENS = ("zoo_predictions_total", ("label", "7"), ("model", "linear"))

Sample = tuple[object, ...]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(SERVE, ROOT) as running:
        yield running


def samples(served: Served) -> dict[Sample, float]:
    """Every number of `/metrics`, by its name and its labels in alphabetical order, as Prometheus' own parser reads."""
    answer = requests.get(f"{served.url}/metrics", timeout=15)
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = list(text_string_to_metric_families(answer.text))
    assert all(family.documentation for family in families)
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value for family in families for sample in family.samples
    }


def predict(served: Served, content: bytes | None = None, model: str = "linear", **more: object) -> requests.Response:
    """One request on a connection of its own, which either worker may take."""
    headers = {"Content-Type": "image/png", "Connection": "close"}
    body = png() if content is None else content
    return requests.post(f"{served.url}/predict_{model}", data=body, headers=headers, timeout=15, **more)  # type: ignore[arg-type]


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, f"not within 20 s: {what}"
        time.sleep(0.02)


def settled(served: Served) -> dict[Sample, float]:
    """The numbers once no request but the one that asks is in flight."""
    until(lambda: samples(served)["zoo_http_requests_in_flight",] == 1, "all requests have ended")
    return samples(served)


def grown(before: dict[Sample, float], after: dict[Sample, float], *key: object) -> float:
    return after.get(key, 0) - before.get(key, 0)


def test_requests_and_answers_of_all_workers_are_counted_together(served: Served) -> None:
    before = settled(served)
    for _ in range(20):
        assert predict(served).json()["digit"] == 7
    assert predict(served, b"no picture").status_code == 415
    blank = {"pixels": [[0] * 28] * 28}
    assert requests.post(f"{served.url}/predict_linear", json=blank, timeout=15).json()["reason"] == "blank"
    requests.post(f"{served.url}/predict_linear", json={"images": [b64(png())] * 3 + [b64(b"?")]}, timeout=15)
    after = settled(served)
    assert grown(before, after, *PREDICTED) == 22
    assert grown(before, after, *PREDICTED[:3], ("status", "415")) == 1
    assert grown(before, after, *SEVENS) == 23
    assert grown(before, after, "zoo_rejections_total", ("model", "linear"), ("reason", "blank")) == 1
    assert grown(before, after, "zoo_unreadable_pictures_total", ("status", "415")) == 2
    for name in ("zoo_predict_seconds", "zoo_batch_pictures"):
        assert grown(before, after, f"{name}_count", ("model", "linear")) == 22
    assert grown(before, after, "zoo_batch_pictures_sum", ("model", "linear")) == 24
    assert grown(before, after, "zoo_batch_pictures_bucket", ("le", "2"), ("model", "linear")) == 21
    assert grown(before, after, "zoo_batch_pictures_bucket", ("le", "4"), ("model", "linear")) == 22
    route = ("route", "/predict_<name>")
    assert grown(before, after, "zoo_http_request_seconds_count", route) == 23
    assert grown(before, after, "zoo_http_request_seconds_bucket", ("le", "+Inf"), route) == 23
    assert 0 < grown(before, after, "zoo_http_request_seconds_sum", route) < 23 * 15


def test_what_is_loaded_and_since_when_the_server_runs_is_told(served: Served) -> None:
    told = samples(served)
    assert told["zoo_model_loaded", ("checkpoint", "linear/1"), ("model", "linear")] == 1
    assert time.time() - 3600 < told["process_start_time_seconds",] < time.time()
    assert told["zoo_workers",] == 2


@pytest.mark.parametrize(
    ("method", "path", "status", "route"),
    [
        ("GET", "/predict_linear", 405, "/predict_<name>"),
        ("DELETE", "/v2/models/linear", 405, "/v2/models/<name>"),
        ("GET", "/api//models", 308, "/api/models"),
        ("POST", "/v1//models/linear:predict", 308, "/v1/models/<name>:<verb>"),
        ("GET", "//nowhere", 404, "other"),
    ],
)
def test_what_is_asked_wrongly_of_an_address_counts_there(
    served: Served, method: str, path: str, status: int, route: str
) -> None:
    before = settled(served)
    with closing(HTTPConnection(urlsplit(served.url).netloc, timeout=15)) as connection:
        connection.request(method, path)
        answer = connection.getresponse()
        answer.read()
    assert answer.status == status
    labels = (("method", method), ("route", route), ("status", str(status)))
    assert grown(before, settled(served), PREDICTED[0], *labels) == 1


@pytest.mark.long
def test_a_body_that_breaks_off_counts_at_its_address(served: Served) -> None:
    before = settled(served)
    address = urlsplit(served.url)
    with socket.create_connection((address.hostname, address.port), timeout=15) as client:
        client.sendall(b"POST /predict_linear HTTP/1.1\r\nHost: x\r\nContent-Length: 7000\r\n\r\nx")
    labels = (("method", "POST"), ("route", "/predict_<name>"), ("status", "499"))
    until(lambda: grown(before, samples(served), PREDICTED[0], *labels) == 1, "it is counted")


def test_no_address_method_or_text_of_a_client_becomes_a_label(served: Served) -> None:
    before = settled(served)
    for number in range(30):
        name = f"private{number}"
        requests.get(f"{served.url}/{name}?q={name}", headers={"X-Request-ID": name}, timeout=15)
        requests.request(f"X{name.upper()}", f"{served.url}/predict_{name}", timeout=15)
        requests.post(f"{served.url}/predict", files={name: (name, png())}, timeout=15)
    after = settled(served)
    assert len(after) - len(before) < 60  # no more than a few series, with their buckets
    assert grown(before, after, PREDICTED[0], ("method", "GET"), ("route", "other"), ("status", "404")) == 30
    assert "private" not in requests.get(f"{served.url}/metrics", timeout=15).text.lower()


def test_the_open_inference_protocol_counts_for_all_workers(served: Served) -> None:
    url = f"{served.url}/v2/models/linear"
    asked = {"inputs": [{"name": "images", "datatype": "BYTES", "shape": [1], "data": [b64(png())]}]}
    for _ in range(12):
        requests.post(f"{url}/infer", json=asked, headers={"Connection": "close"}, timeout=15).raise_for_status()
    for _ in range(6):
        (stats,) = requests.get(f"{url}/stats", headers={"Connection": "close"}, timeout=15).json()["model_stats"]
        assert (stats["inference_count"], stats["inference_stats"]["success"]["count"]) == (12, 12)
        assert time.time() - 60 < stats["last_inference"] / 1000 <= time.time()


@pytest.mark.long
def test_nothing_is_lost_or_counted_twice_when_workers_are_killed(served: Served) -> None:
    before = settled(served)
    for kills in range(3):
        for _ in range(10):
            predict(served).raise_for_status()
        settled(served)
        worker = served.workers[0]
        worker.kill()
        worker.wait(15)
        restarts = before["zoo_worker_restarts_total",] + kills + 1
        until(lambda: samples(served)["zoo_worker_restarts_total",] == restarts, "the worker is buried")  # noqa: B023
    until(lambda: samples(served)["zoo_workers",] == 2, "another serves in its place")
    predict(served).raise_for_status()
    after = settled(served)
    assert grown(before, after, *PREDICTED) == 31
    assert grown(before, after, *SEVENS) == 31
    assert after["zoo_http_requests_in_flight",] == 1


def test_a_sheet_goes_on_where_the_one_before_ended_but_for_its_gauges() -> None:
    tally = Tally(2)
    first = tally.sheet(1)
    first.add(("requests", 'a "label"\n'), 2)
    first.add(("in_flight",), 1, GAUGE)
    first.observe(("seconds",), (1.0, 2.0), 2.0)
    second = tally.sheet(1)
    second.add(("requests", 'a "label"\n'))
    second.add(("new",), 5, COUNT)
    tally.sheet(0).add(("new",), 1)
    assert sorted(tally.series()) == [
        (("in_flight",), [0.0]),
        (("new",), [1.0]),
        (("new",), [5.0]),
        (("requests", 'a "label"\n'), [3.0]),
        (("seconds",), [0.0, 1.0, 0.0, 2.0]),
    ]


def test_a_full_sheet_counts_on_what_it_has(caplog: pytest.LogCaptureFixture) -> None:
    sheet = Tally().sheet(0)
    sheet.add(("kept",))
    for number in range(SIZE // 6):
        sheet.add(("many", f"label number {number}"))
    sheet.add(("kept",))
    assert dict(sheet.series())["kept",] == [2.0]
    assert caplog.text.count("There are more series than /metrics has room for") == 1


def test_readiness_tells_of_every_model_at_once(served: Served) -> None:
    answer = requests.get(f"{served.url}/readyz", timeout=15)
    assert answer.status_code == 200
    assert {"name": "linear", "version": 1, "ready": True, "trouble": None} in answer.json()["models"]
    assert requests.get(f"{served.url}/livez", timeout=15).json() == {"live": True}


class Handle:
    """What a load hook may give: in a cycle, so that the collector ends it at whatever moment."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.long
def test_a_handle_that_goes_while_the_sheet_is_written_holds_nobody_up(tmp_path: Path) -> None:
    sheet = Tally().sheet(0)
    counts = ModelCounts(sheet)
    settings = ModelSettings()

    def load(version: int) -> Handle:
        hook = counts.load(tmp_path / f"m/{version}", settings)
        next(hook)
        handle = Handle()
        with pytest.raises(StopIteration):
            hook.send(handle)
        return handle

    def loaded() -> dict[str, float]:
        return {key[2]: numbers[0] for key, numbers in sheet.series() if key[0] == LOADED.name}

    first, again = load(1), load(1)
    assert loaded() == {"m/1": 1}
    with sheet._lock:
        del first
        gc.collect()
    counts.answered([], settings)
    assert loaded() == {"m/1": 1}  # the other is there
    with sheet._lock:
        del again
        gc.collect()
    counts.answered([], settings)
    assert loaded() == {"m/1": 0}
