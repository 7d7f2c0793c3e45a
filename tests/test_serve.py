"""`zoo serve` as a process of its own, answering real HTTP, whatever is sent to it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from conftest import flip_byte
from holding import until
from serving import Served, serving

from zoo import Zoo

SERVE = [sys.executable, "-m", "zoo", "serve", "--port", "0"]
PAGE = {"Accept": "text/html", "Accept-Language": "pt-BR"}


@pytest.fixture(scope="module")
def served(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A zoo of `soft` and of `hurt`, whose weights have changed by a byte."""
    folder = Path(shutil.copytree(trained, tmp_path_factory.mktemp("served") / "zoo"))
    shutil.copytree(folder / "checkpoints/soft/1", folder / "checkpoints/hurt/1")
    shutil.copy(folder / "plugins/soft.py", folder / "plugins/hurt.py")
    card = folder / "checkpoints/hurt/1/card.json"
    facts = json.loads(card.read_text().replace('"soft"', '"hurt"'))
    del facts["seal"]
    card.write_text(json.dumps(facts))
    flip_byte(folder / "checkpoints/hurt/1/model.weights.h5")
    (folder / "plugins/bad.py").write_text("import nowhere_to_be_found\n")
    with serving(SERVE, folder) as running:
        yield running


def predict(served: Served, name: str, content: bytes, **more: object) -> requests.Response:
    url = f"{served.url}/predict_{name}"
    return requests.post(url, files={"file": ("digit.png", content)}, timeout=30, **more)  # type: ignore[arg-type]


def test_it_reads_a_digit(served: Served, picture) -> None:
    answer = predict(served, "soft", picture(0)).json()
    assert (answer["digit"], answer["model"], answer["checkpoint"]) == (7, "soft", "soft/1")
    assert len(answer["probabilities"]) == 10


def test_the_page_reads_a_digit(served: Served, picture) -> None:
    form = {"model_type": "soft"}
    page = requests.post(served.url, data=form, files={"file": ("digit.png", picture(0))}, headers=PAGE, timeout=30)
    assert page.status_code == 200
    assert 'lang="pt-BR"' in page.text
    assert "soft" in page.text


@pytest.mark.parametrize(
    ("name", "content", "status", "said"),
    [
        ("soft", b"", 400, "The picture is empty"),
        ("soft", b"no picture", 415, "not a picture"),
        ("soft", b"\x89PNG\r\n\x1a\n", 400, "truncated"),
        ("soft", bytes(30_000_000), 413, "more than 20 MB, the limit (server.max_body_mb)"),
        ("sofft", b"", 404, 'Did you mean "soft"?'),
        ("hurt", b"", 503, "model.weights.h5 has changed since it was saved"),
        ("bad", b"", 503, "plugins/bad.py:1: it raised ModuleNotFoundError"),
    ],
)
def test_what_is_wrong_gets_its_status_and_the_others_are_served_on(
    served: Served, picture, name: str, content: bytes, status: int, said: str
) -> None:
    answer = predict(served, name, content)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json")
    assert said in answer.json()["error"]
    assert predict(served, "soft", picture(0)).json()["digit"] == 7


def test_readers_of_html_get_a_page_in_their_language_even_for_what_the_server_refuses(served: Served) -> None:
    answer = predict(served, "soft", bytes(30_000_000), headers=PAGE)
    assert (answer.status_code, answer.headers["Content-Type"]) == (413, "text/html; charset=utf-8")
    assert "Esta imagem é grande demais" in answer.text


def test_a_hundred_uploads_that_stop_half_way_hold_up_nobody(served: Served, picture) -> None:
    address = (urlsplit(served.url).hostname or "", urlsplit(served.url).port or 0)
    stalled = [socket.create_connection(address) for _ in range(100)]
    try:
        for connection in stalled:
            connection.sendall(b"POST /predict_soft HTTP/1.1\r\nHost: zoo\r\nContent-Length: 1000\r\n\r\nhalf")
        for _ in range(20):
            assert predict(served, "soft", picture(0)).json()["digit"] == 7
    finally:
        for connection in stalled:
            connection.close()


@pytest.mark.parametrize("out", ["full", "closed", "a pipe that nobody reads"])
def test_it_serves_though_its_standard_output_cannot_be_written(trained: Path, picture, out: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    reader, writer = os.pipe()
    os.close(reader)
    with Path("/dev/full").open("wb") as full:
        process = subprocess.Popen(
            [*SERVE[:-1], str(port)],
            cwd=trained,
            stdout={"full": full, "closed": None}.get(out, writer),
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=(lambda: os.close(1)) if out == "closed" else None,
        )
    os.close(writer)
    try:
        until(lambda: _listens(port), "it listens")
        url = f"http://127.0.0.1:{port}/predict_soft"
        for _ in range(3):
            assert requests.post(url, files={"file": ("7.png", picture(0))}, timeout=30).json()["digit"] == 7
        assert process.poll() is None
        process.terminate()
        assert (process.communicate(timeout=20)[1], process.returncode) == ("", 0)
    finally:
        process.kill()


def _listens(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/livez", timeout=30).ok
    except requests.ConnectionError:
        return False


def test_a_worker_that_takes_anothers_place_answers_by_the_version_that_was_latest_at_the_start(
    zoo_folder: Path, picture
) -> None:
    with serving([*SERVE, "--workers", "1"], zoo_folder) as running:
        first = predict(running, "soft", picture(0)).json()
        newer = (
            Path(shutil.copytree(zoo_folder / "checkpoints/soft/1", zoo_folder / "checkpoints/soft/2")) / "card.json"
        )
        facts = json.loads(newer.read_text()) | {"version": 2}
        del facts["seal"]
        newer.write_text(json.dumps(facts))
        assert Zoo.open(zoo_folder).model("soft").select() == ("soft", 2)
        (worker,) = running.workers
        worker.kill()
        worker.wait(15)
        assert predict(running, "soft", picture(0)).json() == first


def test_all_that_it_says_is_json_where_its_log_is(zoo_folder: Path) -> None:
    (zoo_folder / "plugins/bad.py").write_text("import nowhere_to_be_found\n")
    with (zoo_folder / "settings.toml").open("a") as settings:
        settings.write('\n[server]\nlog = "json"\n')
    with subprocess.Popen(
        SERVE, cwd=zoo_folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        told = []
        while not told or "The zoo is served" not in told[-1]["message"]:
            told.append(json.loads(process.stdout.readline()))
        process.terminate()
        told += map(json.loads, process.stdout)
    assert any("bad cannot answer" in one["message"] for one in told)
    assert {one["logger"] for one in told} == {"zoo.server"}


def test_a_taken_port_is_refused_in_one_line(served: Served, trained: Path, run) -> None:
    port = str(urlsplit(served.url).port)
    done = run("serve", "--port", port, cwd=trained)
    assert done.returncode == 1
    assert done.stderr == (
        f"zoo: Port {port} of 127.0.0.1 is in use. Stop what uses it, or choose another: zoo serve --port "
        f"{int(port) + 1 if int(port) < 65535 else int(port) - 1}.\n"
    )


@pytest.mark.parametrize("host", ["a..b", 70 * "a"])
def test_a_name_that_no_machine_can_have_is_refused_in_one_line(trained: Path, run, host: str) -> None:
    done = run("serve", "--host", host, cwd=trained)
    assert done.returncode == 1
    assert done.stderr == f'zoo: "{host}" is not an address to listen on. Try: zoo serve --host 127.0.0.1.\n'


def test_a_file_where_the_checkpoints_should_be_is_refused_in_one_line(zoo_folder: Path, run) -> None:
    shutil.rmtree(zoo_folder / "checkpoints")
    (zoo_folder / "checkpoints").touch()
    done = run("serve", "--port", "0", cwd=zoo_folder)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "is a file, and should be the folder of checkpoints" in done.stderr
