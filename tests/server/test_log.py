"""The access log, the error log, and the id that ties them to a request."""

from __future__ import annotations

import asyncio
import json
import os
import re
import threading
import time
from contextlib import closing
from http.client import HTTPConnection

import pytest
from flask import Flask
from holding import Serve, Served

from webui import Front
from webui.logs import Log
from webui.tally import Tally
from webui.visits import Visit, Visits


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("a-1_B.2", True), ("x" * 64, True), ("x" * 65, False), ("two words", False), ("%0d%0a", False), ("", False)],
)
def test_a_sane_request_id_is_kept_and_every_answer_has_one(served: Served, sent: str, kept: bool) -> None:
    response, body = served.ask("/", headers={"X-Request-ID": sent})
    name = response.headers["X-Request-ID"]
    assert (name == sent) is kept
    assert re.fullmatch("[A-Za-z0-9._-]{1,64}", name)
    assert json.loads(body)["HTTP_X_REQUEST_ID"] == name


def test_what_is_refused_has_the_requests_id_too(served: Served) -> None:
    response, _ = served.ask("/", "POST", body=b"x" * 2_000_000, headers={"X-Request-ID": "too-large"})
    assert (response.status, response.headers["X-Request-ID"]) == (413, "too-large")


def test_a_traceback_in_the_log_names_its_request(served: Served) -> None:
    served.ask("/broken", headers={"X-Request-ID": "broken-7"})
    assert "GET /broken failed [request broken-7]\nTraceback" in served.errors


def test_each_request_is_a_line_of_the_log_without_its_query(serve: Serve) -> None:
    served = serve()
    began = time.time()
    served.ask("/a%0Ab%20c?secret=1", "POST", body=b"12345", headers={"X-Request-ID": "one"})
    line = served.logged("id=one")
    found = re.fullmatch(r"(\S+)Z POST /a%0Ab%20c 200 ([0-9.]+) ms in=5 out=\d+ client=127\.0\.0\.1 id=one\n", line)
    assert found, line
    assert found[1][:10] in {time.strftime("%Y-%m-%d", time.gmtime(at)) for at in (began, time.time())}
    served.process.terminate()
    assert served.ends() == 0


def test_the_log_may_be_json_with_tracebacks_and_all(serve: Serve) -> None:
    served = serve(log="json")
    served.ask("/broken?secret=1", headers={"X-Request-ID": "one"})
    told = json.loads(served.logged("one"))
    assert {name: told[name] for name in ("method", "path", "status", "in", "client", "id")} == {
        "method": "GET",
        "path": "/broken",
        "status": 500,
        "in": 0,
        "client": "127.0.0.1",
        "id": "one",
    }
    (error,) = [json.loads(line) for line in served.errors.splitlines()]
    assert (error["level"], error["id"], error["message"]) == ("ERROR", "one", "GET /broken failed")
    assert error["traceback"].endswith("LookupError: on purpose")


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    ("address", "client"),
    [("::ffff:192.0.2.1", "192.0.2.1"), ("192.0.2.1", "192.0.2.1"), ("::1", "::1"), ("2001:db8::9", "2001:db8::9")],
)
def test_an_ipv4_client_is_logged_as_such_by_a_listener_for_both(form: str, address: str, client: str) -> None:
    lines: list[bytes] = []
    visits = Visits(Tally().sheet(0), lines.append, form)
    visits.ended(Visit({"REQUEST_METHOD": "GET", "REMOTE_ADDR": address}, b"/"))
    (line,) = lines
    assert f'"client": "{client}"' in line.decode() if form == "json" else f" client={client} " in line.decode()


@pytest.mark.long
def test_the_log_may_be_off_and_all_of_it_is_written_before_the_end(serve: Serve) -> None:
    for log, lines in (("off", 0), ("text", 20)):
        served = serve(log=log)
        for _ in range(20):
            served.ask("/")
        served.process.terminate()
        assert served.process.stdout is not None
        assert served.process.stdout.read().count("\n") == lines
        assert served.ends() == 0


@pytest.mark.long
def test_a_log_that_nobody_reads_holds_up_nobody(serve: Serve) -> None:
    served = serve(workers=1)
    path = "/" + "x" * 280
    with closing(HTTPConnection("127.0.0.1", served.port, timeout=15)) as connection:
        for _ in range(200):  # more than a pipe holds
            connection.request("GET", path)
            assert connection.getresponse().read()
    served.process.terminate()
    assert served.ends() == 0


def test_the_last_lines_are_written_too(serve: Serve) -> None:
    """Also those that came while the thread which writes them was at earlier ones."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    filled = 0
    try:
        while True:
            filled += os.write(writes, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writes, True)

    async def log() -> Log:
        log = Log(writes)
        log.write(b"one\n")
        await asyncio.sleep(0.1)  # past the gathering of lines: the thread now waits for the pipe
        log.write(b"two\n")
        return log

    ending = threading.Thread(target=asyncio.run(log()).close, args=(20.0,))
    ending.start()
    while filled:
        filled -= len(os.read(reads, filled))
    ending.join()
    os.close(writes)
    with os.fdopen(reads, "rb") as rest:
        assert rest.read() == b"one\ntwo\n"


def test_a_path_makes_no_lines_of_the_error_log(caplog: pytest.LogCaptureFixture) -> None:
    app: Flask = Front(__name__)
    with app.test_request_context("/x%0AERROR forged"):
        try:
            raise ValueError("a bug")
        except ValueError as error:
            app.log_exception((type(error), error, error.__traceback__))
    assert [record.message for record in caplog.records] == ["GET /x%0AERROR%20forged failed"]
