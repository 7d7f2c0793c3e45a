"""Every limit of the settings, asked for by clients of a real server: each has its status, and says its name."""

from __future__ import annotations

import io
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import PIL.Image
import pytest
import requests
from asking import HTML, ROOT, b64, png, saved
from serving import Served, serving

LIMITS = """
default_model = "linear"

[models.linear]
checkpoint = 1

[server]
max_body_mb = 1.0
max_batch = 4
body_seconds = 0.5

[pictures]
max_mb = 0.5
max_megapixels = 1.0
max_total_megapixels = 1.5
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("limits")
    (folder / "settings.toml").write_text(LIMITS)
    (folder / "plugins").mkdir()
    shutil.copy(ROOT / "plugins/linear.py", folder / "plugins")
    shutil.copytree(ROOT / "checkpoints/linear", folder / "checkpoints/linear")
    with serving([sys.executable, "-m", "zoo", "serve", "--port", "0"], folder) as running:
        yield running


def plain(width: int, height: int) -> bytes:
    return saved(PIL.Image.new("L", (width, height)))


def refusal(served: Served, status: int, path: str = "/predict", **sent: object) -> str:
    answer = requests.post(f"{served.url}{path}", timeout=15, **sent)  # type: ignore[arg-type]
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json"), answer.text
    error: str = answer.json()["error"]
    return error


def test_a_body_of_too_many_bytes_is_413(served: Served) -> None:
    assert "1 MB, the limit (server.max_body_mb)" in refusal(served, 413, data=bytes(1_000_001))


def test_a_picture_of_too_many_bytes_is_413(served: Served) -> None:
    assert "0.5 MB, the limit (pictures.max_mb)" in refusal(served, 413, files={"file": png() + bytes(500_000)})


def test_a_picture_of_too_many_pixels_is_413(served: Served) -> None:
    assert "the limit is 1 (pictures.max_megapixels)" in refusal(served, 413, files={"file": plain(1001, 1000)})


def test_too_many_pictures_are_413(served: Served) -> None:
    assert "the limit is 4 (server.max_batch)" in refusal(served, 413, json={"images": [b64(png())] * 5})


def test_a_body_that_drips_is_408(served: Served) -> None:
    address = urlsplit(served.url)
    with socket.create_connection((address.hostname, address.port), timeout=15) as client:
        client.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx")
        answer = client.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"0.5 s, the limit (server.body_seconds)" in answer


@pytest.mark.parametrize("path", ["/predict", "/read"])
@pytest.mark.parametrize("sent", ["files", "json"])
def test_of_pictures_that_are_too_many_pixels_together_those_beyond_are_413(
    served: Served, path: str, sent: str
) -> None:
    pictures = [plain(1000, 900), png(), plain(1000, 800), plain(1000, 500)]
    forms: dict[str, dict[str, object]] = {
        "files": {"files": [("file", (f"{at}.png", io.BytesIO(one))) for at, one in enumerate(pictures)]},
        "json": {"json": {"images": [b64(one) for one in pictures]}},
    }
    answer = requests.post(f"{served.url}{path}", timeout=15, **forms[sent])  # type: ignore[arg-type]
    assert answer.status_code == 200
    first, digit, beyond, fits = answer.json()["predictions"]
    assert first["reason"] == fits["reason"] == "blank"
    assert digit.get("label", digit.get("text")) == "7"
    assert beyond["status"] == 413
    assert "has 0.8 megapixels, and those before it 0.9008; the limit" in beyond["error"]
    assert "1.5 (pictures.max_total_megapixels). Send it in another request." in beyond["error"]


def test_the_pages_form_holds_them_to_it_too(served: Served) -> None:
    pictures = [plain(1000, 900), plain(1000, 800), png()]
    files = [("file", (f"{at}.png", io.BytesIO(one))) for at, one in enumerate(pictures)]
    page = requests.post(f"{served.url}/", files=files, headers=HTML, timeout=15)
    assert page.status_code == 200
    told = [" ".join(re.sub("<[^>]+>", " ", row).split()) for row in re.findall(r"<li><span.*?</li>", page.text, re.S)]
    assert told[0].startswith("0.png Nothing to read. The picture is blank")
    assert told[1] == "1.png This picture is too large"
    assert told[2].startswith("2.png 7 ")


def test_other_servers_protocols_refuse_them_as_one(served: Served) -> None:
    instances = [{"b64": b64(plain(1000, 1000))}] * 2
    error = refusal(served, 413, "/v1/models/linear:predict", json={"instances": instances})
    assert error.startswith("instances[1]: ")
    assert "(pictures.max_total_megapixels)" in error


def test_the_limit_is_of_each_request_alone(served: Served) -> None:
    for _ in range(3):
        assert requests.post(f"{served.url}/predict", files={"file": plain(1000, 1000)}, timeout=15).status_code == 200


def test_how_many_pixels_one_may_send_does_not_limit_the_command() -> None:
    from zoo import Zoo

    pictures = [plain(1000, 1000)] * 3
    zoo = Zoo.open(ROOT, environ={}, flags={("pictures", "max_total_megapixels"): ("--test", 1.5)})
    assert [getattr(one, "reason", one) for one in zoo.predict_many("linear", pictures)] == ["blank"] * 3
