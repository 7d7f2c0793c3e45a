"""Broken, odd and hostile requests: each gets its status and a message, and the server serves on."""

from __future__ import annotations

import base64
import io
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from asking import HTML, ONE, ZERO, chosen, drawing, said, saved, send
from flask.testing import FlaskClient

from webui import create_app
from zoo import Zoo


def test_no_file_says_what_came_instead(client: FlaskClient) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "the request has no content type"),
        ({"content_type": "text/plain"}, "the request has text/plain"),
        ({"data": {"image": (io.BytesIO(b"x"), "x.png")}}, "it has: image"),
        ({"data": {"file": "x"}, "content_type": "multipart/form-data"}, "came as text, without a filename"),
        (
            {"data": {"file": (io.BytesIO(b"x"), "")}, "content_type": "multipart/form-data"},
            "There is no picture|empty",
        ),
    ]
    for request, text in cases:
        answer = client.post("/predict_cnn", **request)
        assert answer.status_code == 400
        assert re.search(text, said(answer)["error"]), said(answer)
        assert "curl -F file=@digit.png http://localhost/predict_cnn" in said(answer)["error"]


def test_a_file_part_with_an_empty_filename_is_400(client: FlaskClient) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n\r\n--x--\r\n'
    answer = client.post("/predict_cnn", data=body, content_type="multipart/form-data; boundary=x")
    assert answer.status_code == 400
    assert "no file was chosen" in said(answer)["error"]


def part(head: str, content: bytes) -> dict[str, Any]:
    """A form of one part."""
    body = f'--x\r\nContent-Disposition: form-data; name="file"{head}\r\n\r\n'.encode() + content + b"\r\n--x--\r\n"
    return {"data": body, "content_type": "multipart/form-data; boundary=x"}


def test_a_file_need_not_have_a_name(client: FlaskClient, zoo: Zoo) -> None:
    """RFC 7578, 4.2: a filename is optional. What has the type of a picture is one, however large it is."""
    noise = np.random.default_rng(1).integers(0, 256, (800, 800), np.uint8)
    for picture in (saved(drawing()), saved(PIL.Image.fromarray(noise))):
        expected = zoo.predict("cnn", picture).to_dict()
        for kind in ("image/png", "Application/Octet-Stream"):
            assert said(client.post("/predict_cnn", **part(f"\r\nContent-Type: {kind}", picture))) == expected
        page = client.post("/", **part("\r\nContent-Type: image/png", picture), headers=HTML)
        assert page.status_code == 200
    assert len(picture) > 500_000


@pytest.mark.parametrize("head", ["", "\r\nContent-Type: text/plain"])
def test_text_in_the_place_of_a_file_is_no_picture_however_long(client: FlaskClient, head: str) -> None:
    for size, text in ((600_000, "came as text, without a filename, and has more than 0.5 MB"), (9, "came as text, ")):
        answer = client.post("/predict_cnn", **part(head, b"7" * size))
        assert answer.status_code == 400
        assert text in said(answer)["error"]


def test_a_part_whose_name_cannot_be_read_is_400(client: FlaskClient) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="a\\"\r\n\r\n{}\r\n--x--\r\n'
    answer = client.post("/read", data=body, content_type="multipart/form-data; boundary=x")
    assert answer.status_code == 400, answer.text
    assert "no part named file (it has: one without a name)" in said(answer)["error"]


@pytest.mark.parametrize("boundary", ["----=_Part_1", "a/b:c?d"])
def test_a_boundary_that_should_be_in_quotes_is_found_for_one_file_and_for_two(
    client: FlaskClient, boundary: str
) -> None:
    one = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'.encode()
    one += saved(drawing()) + b"\r\n"
    for count in (1, 2):
        body = one * count + f"--{boundary}--\r\n".encode()
        answer = client.post("/predict_cnn", data=body, content_type=f"multipart/form-data; boundary={boundary}")
        assert answer.status_code == 200, answer.text
        assert len(said(answer).get("predictions", [said(answer)])) == count


def test_a_part_that_is_encoded_is_told_so(client: FlaskClient) -> None:
    for coding in ("base64", "quoted-printable"):
        head = f'; filename="a.png"\r\nContent-Transfer-Encoding: {coding}'
        answer = client.post("/predict_cnn", **part(head, base64.b64encode(saved(drawing()))))
        assert answer.status_code == 400
        assert f"Content-Transfer-Encoding: {coding}" in said(answer)["error"]


LONG = "q" * 50_000


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"/{LONG}", 404),
        ("GET", f"/v2/{LONG}", 404),
        ("GET", f"/predict_{LONG}", 405),
        (LONG, "/predict", 405),
        ("GET", f"/api/models/{LONG}", 404),
        ("GET", f"/v2/models/{LONG}", 404),
        ("POST", f"/predict?model={LONG}", 404),
        ("POST", f"/why?label={LONG}", 400),
        ("POST", "/predict", 415),
    ],
    ids=["address", "of /v2", "another method", "odd method", "model", "of /v2's", "?model=", "?label=", "type"],
)
def test_what_a_request_is_told_does_not_repeat_all_of_it(
    client: FlaskClient, method: str, path: str, status: int
) -> None:
    kind = f"text/{LONG}" if status == 415 else "image/png"
    answer = client.open(path, method=method, data=saved(drawing()), content_type=kind)
    assert answer.status_code == status
    assert "qqqq…" in said(answer)["error"].lower()
    assert len(said(answer)["error"]) < 1000


BAD: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "empty": (lambda: b"", 400, "empty"),
    "text named .png": (lambda: b"hello, I am text", 415, "not a picture"),
    "truncated PNG": (lambda: saved(drawing())[:900], 400, "truncated or damaged"),
    "truncated JPEG": (lambda: saved(drawing(), "JPEG")[:900], 400, "truncated or damaged"),
    "20000 x 20000 PNG": (lambda: saved(PIL.Image.new("1", (20_000, 20_000))), 413, "400 megapixels"),
    "17 MB": (lambda: saved(drawing()) + b"\0" * 17_000_000, 413, "16 MB"),
    "30 MB": (lambda: b"\0" * 30_000_000, 413, "the limit is 20 MB"),
    "PDF": (lambda: b"%PDF-1.7 and so on", 415, "PDF"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_pictures_get_their_status_as_json(client: FlaskClient, case: str) -> None:
    make, status, text = BAD[case]
    answer = send(client, "/predict_cnn", make())
    assert answer.status_code == status, answer.text
    assert text in said(answer)["error"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("case", BAD)
def test_bad_pictures_keep_the_page_and_the_chosen_model(client: FlaskClient, case: str) -> None:
    make, status, _ = BAD[case]
    answer = send(client, "/", make(), model_type="linear", headers=HTML)
    assert answer.status_code == status
    assert 'id="notice"' in answer.text
    assert 'action="/#answer"' in answer.text
    if case != "30 MB":  # a form that is too large is not read at all
        assert chosen(answer) == "linear"


WHERE_JSON_IS: dict[str, tuple[dict[str, str], str]] = {
    "/predict_cnn": ({"Content-Type": "application/json"}, "Send it with the content type of a picture"),
    "/hf/cnn": ({"Content-Type": "application/json"}, "Send it with the content type of a picture"),
    "/v1/models/cnn:predict": ({"Content-Type": "image/png"}, 'as {"instances": [{"b64": "…"}]}.'),
    "/v1/models/cnn:classify": ({}, 'as {"examples": [{"image": {"b64": "…"}}]}.'),
    "/v2/models/cnn/infer": ({}, "with the header Inference-Header-Content-Length: 0"),
    "/v2/repository/index": ({}, 'This address takes an object such as {"ready": true} or nothing.'),
}


@pytest.mark.parametrize("path", WHERE_JSON_IS)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WebP"])
def test_a_picture_in_the_place_of_json_is_told_how_it_is_sent(client: FlaskClient, path: str, kind: str) -> None:
    headers, text = WHERE_JSON_IS[path]
    noise = np.random.default_rng(1).integers(0, 256, (90, 90), np.uint8)  # many brackets by chance
    for picture in (drawing(), PIL.Image.fromarray(noise)):
        answer = client.post(path, data=saved(picture, kind), headers=headers)
        assert answer.status_code == 400
        assert said(answer)["error"].startswith(f"The body is a {kind} picture; this address expects JSON. ")
        assert text in said(answer)["error"]


def _rotated() -> bytes:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    return saved(drawing().transpose(PIL.Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=95)


def _transparent() -> bytes:
    strokes = np.zeros((280, 280, 4), np.uint8)
    strokes[..., 3] = 255 - np.asarray(drawing())
    return saved(PIL.Image.fromarray(strokes))


def _palette() -> bytes:
    indices = PIL.Image.frombytes("P", (280, 280), (np.asarray(drawing()) >= 128).astype(np.uint8).tobytes())
    indices.putpalette([20, 20, 120, 255, 255, 255])
    return saved(indices, transparency=1)


def _animated() -> bytes:
    return saved(drawing(), "GIF", save_all=True, append_images=[drawing(ZERO), drawing(ONE)], duration=100)


def _sixteen_bit() -> bytes:
    return saved(PIL.Image.fromarray(np.asarray(drawing()).astype(np.uint16) * 257))


ODD: dict[str, Callable[[], bytes]] = {
    "animated GIF, its first frame": _animated,
    "palette with transparency": _palette,
    "RGBA on a transparent ground": _transparent,
    "CMYK JPEG": lambda: saved(drawing().convert("CMYK"), "JPEG", quality=95),
    "16-bit PNG": _sixteen_bit,
    "EXIF-rotated JPEG": _rotated,
    "WebP": lambda: saved(drawing(), "WebP", quality=90),
    "BMP": lambda: saved(drawing(), "BMP"),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_pictures_are_read_right(client: FlaskClient, case: str) -> None:
    answer = send(client, "/predict_cnn", ODD[case]())
    assert answer.status_code == 200, answer.text
    assert said(answer)["digit"] == 7
    assert not said(answer)["rejected"]


def test_one_pixel_is_answered_as_nothing_to_read(client: FlaskClient) -> None:
    answer = send(client, "/predict_cnn", saved(PIL.Image.new("L", (1, 1))))
    assert answer.status_code == 200
    assert said(answer)["rejected"] is True


@pytest.mark.parametrize("sent", [{"image": "\ud800"}, {"\ud800": 1}], ids=["value", "key"])
def test_half_a_surrogate_pair_is_told_of_to_programs_and_people(client: FlaskClient, sent: dict[str, object]) -> None:
    for headers in ({}, {"Accept": "text/html"}):
        answer = client.post("/predict", json=sent, headers=headers)
        assert answer.status_code == 400
        assert "?" in answer.text


def test_an_unexpected_fault_is_500_and_only_the_log_tells_it(
    client: FlaskClient, zoo: Zoo, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(zoo, "predict", fail)
    with caplog.at_level(logging.ERROR):
        plain, page = (send(client, "/predict_cnn", b"x"), send(client, "/", b"x", headers=HTML))
    assert plain.status_code == page.status_code == 500
    assert "secret" not in plain.text + page.text
    assert "Traceback" not in plain.text + page.text
    assert "server's log" in said(plain)["error"]
    assert "RuntimeError: secret" in caplog.text


def test_a_damaged_checkpoint_stops_its_model_only(own_zoo: Path) -> None:
    zoo = Zoo.open(own_zoo)
    owner, version = zoo.model("cnn").select()
    weights = zoo.catalogue.path(owner, version) / "model.tflite"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    client = create_app(zoo).test_client()

    answer = send(client, "/predict_cnn", saved(drawing()))
    assert answer.status_code == 503
    assert "model.tflite has changed since it was saved" in said(answer)["error"]
    assert send(client, "/predict_linear", saved(drawing())).status_code == 200
    assert client.get("/livez").status_code == 200
    ready = client.get("/readyz")
    assert ready.status_code == (503 if zoo.default_model == "cnn" else 200)
    troubles = {model["name"]: model["trouble"] for model in ready.get_json()["models"]}
    assert "model.tflite has changed" in troubles.pop("cnn")
    assert set(troubles.values()) == {None}
    listed = {model["name"]: model for model in client.get("/api/models").get_json()}
    assert listed["cnn"]["available"] is False
    assert "damaged" in listed["cnn"]["problem"]
    page = client.get("/")
    assert page.status_code == 200
    assert "model.tflite has changed" in page.text
    assert re.search(r'value="cnn" [^>]*\sdisabled', page.text)
    assert chosen(page) not in (None, "cnn")
    assert send(client, "/", saved(drawing()), model_type="cnn", headers=HTML).status_code == 503


def test_a_model_without_a_checkpoint_is_listed_with_the_remedy(own_zoo: Path) -> None:
    with (own_zoo / "settings.toml").open("a") as settings:
        settings.write('\n[models.fresh]\nplugin = "cnn"\n')
    client = create_app(Zoo.open(own_zoo)).test_client()
    assert "<code>zoo train fresh</code>" in client.get("/").text
    assert send(client, "/predict_fresh", saved(drawing())).status_code == 503


def test_a_zoo_without_models_has_a_page_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("")
    client = create_app(Zoo.open(tmp_path)).test_client()
    assert "This zoo has no models yet" in client.get("/").text
    assert client.get("/readyz").status_code == 503
    assert send(client, "/predict", saved(drawing())).status_code == 404
