"""The ways to hand over pictures: one or many, as files, base64 or pixels, with what is asked of them; and bad ones."""

from __future__ import annotations

import math
from typing import Any

import pytest
from asking import HTML, ONE, ROOT, SEVEN, b64, files, ink, levels, png, said, send
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from zoo import Zoo


def test_a_picture_of_0_and_1_is_black_and_white(client: FlaskClient) -> None:
    binary = (ink(SEVEN) > 127).astype(int)
    answer = said(client.post("/predict_cnn", json={"pixels": binary.tolist()}))
    assert answer == said(client.post("/predict_cnn", json={"pixels": (255 * binary).tolist()}))
    assert answer["digit"] == 7


def test_one_bad_picture_of_many_fails_alone(client: FlaskClient, zoo: Zoo) -> None:
    good = [zoo.predict("cnn", png(index)).to_dict() for index in (SEVEN, ONE)]
    rows = [levels(png(index)).tolist() for index in (SEVEN, ONE)]
    many: dict[str, tuple[TestResponse, int, str]] = {
        "form": (files(client, "/predict_cnn", png(), b"text, no picture", png(ONE)), 415, "not a picture"),
        "cut short": (files(client, "/predict_cnn", png(), png()[:200], png(ONE)), 400, "truncated"),
        "base64": (
            client.post("/predict_cnn", json={"images": [b64(png()), "@@@", b64(png(ONE))]}),
            400,
            "images[1] is not base64",
        ),
        "pixels": (
            client.post("/predict_cnn", json={"pixels": [rows[0], [[1, 2], [3]], rows[1]]}),
            400,
            "pixels[1] has the shape [2] and rows of different lengths. Give 28 rows of 28 numbers.",
        ),
    }
    for way, (answer, status, text) in many.items():
        assert answer.status_code == 200, way
        first, second, third = said(answer)["predictions"]
        assert [first, third] == good, way
        assert set(second) == {"error", "code", "status"}, way
        assert second["status"] == status, way
        assert text in second["error"], way


BESIDE: dict[str, Any] = {
    "a thin one": [[1]],
    "one of thin and wide rows": [[5], [1, 2]],
    "one of a column": [[0]] * 28,
    "one of rows too few": [[0] * 28] * 27,
    "one row": [1, 2],
    "no rows": [[]],
    "a number": 7,
    "one too deep": [[[[1]]]],
    "nothing": [],
}


@pytest.mark.parametrize("channel", [False, True])
@pytest.mark.parametrize("case", BESIDE)
def test_whatever_the_form_of_bad_pixels_those_beside_them_are_answered(
    client: FlaskClient, zoo: Zoo, case: str, channel: bool
) -> None:
    good = (ink(SEVEN)[..., None] if channel else ink(SEVEN)).tolist()
    for count in (1, 2, 27):
        answer = client.post("/predict_cnn", json={"pixels": [good] + [BESIDE[case]] * count})
        assert answer.status_code == 200, answer.text
        first, *others = said(answer)["predictions"]
        assert first == zoo.predict("cnn", png()).to_dict()
        assert [other["status"] for other in others] == [400] * count
        assert others[-1]["error"].startswith(f"pixels[{count}] ")


@pytest.mark.parametrize("cell", [[1, 2], [], [[1]], "x", None])
def test_one_picture_of_bad_pixels_is_one(client: FlaskClient, cell: Any) -> None:
    for rows in (ink(SEVEN).tolist(), ink(SEVEN)[..., None].tolist()):
        rows[5][3] = cell
        answer = client.post("/predict_cnn", json={"pixels": rows})
        assert answer.status_code == 400
        assert said(answer)["error"].startswith("pixels has ")


@pytest.mark.parametrize("residue", [1e-12, 1e-7, 9e-7])
def test_levels_may_miss_their_range_by_what_is_rounded(client: FlaskClient, zoo: Zoo, residue: float) -> None:
    levels = ink(SEVEN).astype(float) / 255
    levels[levels == 0], levels[levels == 1] = -residue, 1 + residue
    for pixels in (levels, levels * 255):
        answer = said(client.post("/predict_cnn", json={"pixels": pixels.tolist()}))
        assert answer == zoo.predict("cnn", png()).to_dict()


def test_many_pictures_can_be_read(client: FlaskClient, zoo: Zoo) -> None:
    picture = (ROOT / "docs/number.jpg").read_bytes()
    found = said(files(client, "/read", picture, b"", picture))["predictions"]
    assert found[0] == found[2] == zoo.read(None, picture).to_dict()
    assert found[1]["status"] == 400
    assert said(client.post("/read", data=picture, content_type="image/jpeg")) == found[0]


def test_the_best_labels_come_when_asked_for(client: FlaskClient, zoo: Zoo) -> None:
    answer = said(send(client, "/predict_cnn?top=3&trace=1", png()))
    assert answer["top"][0]["label"] == answer["label"] == "7"
    assert [one["confidence"] for one in answer["top"]] == sorted(answer["probabilities"])[:-4:-1]
    assert "trace" in answer
    assert len(said(send(client, "/predict_cnn?top=99", png()))["top"]) == 10
    assert all(len(one["top"]) == 2 for one in said(files(client, "/predict_cnn?top=2", png(), png()))["predictions"])
    refused = send(client, "/predict_cnn?top=0", png())
    assert refused.status_code == 400
    assert "top=0 is not a number of labels" in said(refused)["error"]
    refused = send(client, f"/predict_cnn?top={10**18}", png())
    assert refused.status_code == 400
    assert "is more labels than any model has" in said(refused)["error"]


BAD: dict[str, tuple[dict[str, Any], int, str]] = {
    "text": ({"data": b"7", "content_type": "text/plain"}, 415, "The content type text/plain is not supported"),
    "curl --data-binary": (
        {"data": png, "content_type": "application/x-www-form-urlencoded"},
        415,
        "application/x-www-form-urlencoded",
    ),
    "empty picture": ({"data": b"", "content_type": "image/png"}, 400, "0 bytes arrived"),
    "a TIFF": ({"data": b"II*\0 and so on", "content_type": "image/tiff"}, 415, "a TIFF"),
    "empty JSON": ({"data": b"", "content_type": "application/json"}, 400, "The body is empty"),
    "broken JSON": ({"data": b'{"image": ', "content_type": "application/json"}, 400, "not JSON: Expecting value"),
    "not UTF-8": (
        {"data": b'{"image": "\xff\xfe"}', "content_type": "application/json"},
        400,
        "is not JSON: it is not UTF-8. Send",
    ),
    "too deep": ({"data": b"[" * 100_000, "content_type": "application/json"}, 400, "nested too deeply"),
    "too deep beside brackets of strings": (
        {"data": b"[" + (b"[" * 150 + b'"' + b"]" * 150 + b'",') * 20, "content_type": "application/json"},
        400,
        "nested too deeply",
    ),
    "deep pixels": (
        {"data": b'{"pixels": ' + b"[" * 80 + b"]" * 80 + b"}", "content_type": "application/json"},
        400,
        "pixels has the shape [1, 1",
    ),
    "a list": ({"json": [1, 2]}, 400, "The JSON is a list. Send an object."),
    "no key": ({"json": {"picture": "x"}}, 400, "The JSON object has picture. Give one of image"),
    "two keys": ({"json": {"image": "", "pixels": []}}, 400, "has image, pixels. Give one of image"),
    "no base64": ({"json": {"image": "a_b-"}}, 400, "image is not base64"),
    "cut base64": ({"json": {"image": "abc"}}, 400, "Incorrect padding"),
    "a URL": ({"json": {"image": "https://example.org/seven.png"}}, 400, "is an address; the zoo does not fetch URLs"),
    "data: without base64": ({"json": {"image": "data:image/png,x"}}, 400, "a data: URL without base64"),
    "image is a number": ({"json": {"image": 7}}, 400, "image is the number 7"),
    "images is a string": ({"json": {"images": "x"}}, 400, 'images is the string "x"'),
    "no images": ({"json": {"images": []}}, 400, "images is an empty list"),
    "no rows": ({"json": {"pixels": []}}, 400, "pixels is an empty list"),
    "a row": ({"json": {"pixels": [0] * 784}}, 400, "the shape [784]. Give 28 rows of 28 numbers."),
    "a longer row": ({"json": {"pixels": [0] * 1024}}, 400, "pixels has the shape [1024]. Give 28 rows of 28 numbers"),
    "no rows at all": ({"json": {"pixels": [0] * 100_000}}, 400, "pixels has the shape [100000]. Give 28 rows"),
    "a thousand rows": ({"json": {"pixels": [[0] * 28] * 1000}}, 400, "pixels has the shape [1000, 28]. Give 28 rows"),
    "too many": ({"json": {"pixels": [[[0]]] * 1000}}, 413, "The request has 1000 pictures; the limit is 256"),
    "colours": (
        {"json": {"pixels": [[[0, 0, 0]] * 28] * 28}},
        400,
        "pixels has the shape [28, 28, 3]. Give 28 rows of 28 numbers. Colours are not supported as numbers",
    ),
    "a form without its boundary": (
        {"data": b"--x\r\n\r\n--x--", "content_type": "multipart/form-data"},
        400,
        "the content type multipart/form-data has no boundary",
    ),
    "a form cut short": (
        {"data": b"--x\r\nContent-Disposition: form-data; na", "content_type": "multipart/form-data; boundary=x"},
        400,
        "the form of 39 bytes has no complete part",
    ),
    "27 rows": ({"json": {"pixels": [[0] * 28] * 27}}, 400, "the shape [27, 28]"),
    "text among pixels": ({"json": {"pixels": [["x"] * 28] * 28}}, 400, 'has the string "x" among its numbers'),
    "null among pixels": ({"json": {"pixels": [[None] * 28] * 28}}, 400, "has null among its numbers"),
    "true among pixels": ({"json": {"pixels": [[True] * 28] * 28}}, 400, "has true among its numbers"),
    "NaN": ({"json": {"pixels": [[math.nan] * 28] * 28}}, 400, "the level nan, expected 0-1"),
    "infinity": ({"json": {"pixels": [[math.inf] * 28] * 28}}, 400, "the level inf, expected 0-255"),
    "below 0": ({"json": {"pixels": [[-0.5] * 28] * 28}}, 400, "the level -0.5, expected 0-1"),
    "above 255": ({"json": {"pixels": [[256] * 28] * 28}}, 400, "the level 256, expected 0-255"),
    "just above 255": ({"json": {"pixels": [[255.0004] * 28] * 28}}, 400, "the level 255.0004, expected 0-255"),
    "just below 0": ({"json": {"pixels": [[-2e-6] * 28] * 28}}, 400, "the level -2e-06, expected 0-1"),
    "a huge number": ({"json": {"pixels": [[10**400] * 28] * 28}}, 400, "too large"),
    "too long a number": (
        {"data": b'{"pixels": ' + b"1" * 5000 + b"}", "content_type": "application/json"},
        400,
        "is not JSON: a number in it is too long. Send",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_request_says_what_was_found_and_what_to_do(client: FlaskClient, case: str) -> None:
    request, status, text = BAD[case]
    request = {key: value() if callable(value) else value for key, value in request.items()}
    answer = client.post("/api/models/cnn/predict", **request)
    assert answer.status_code == status, answer.text
    assert text in said(answer)["error"]


def test_a_browser_gets_a_page_where_it_is_no_protocol(client: FlaskClient) -> None:
    more = {"data": b"7", "content_type": "text/plain", "headers": HTML}
    page = client.post("/predict_cnn", **more)
    assert (page.status_code, page.mimetype) == (415, "text/html")
    assert "This request cannot be answered" in page.text
    assert "text/plain" in page.text
    assert client.post("/v2/models/cnn/infer", **more).mimetype == "application/json"


def test_a_model_tells_all_of_itself(client: FlaskClient, zoo: Zoo) -> None:
    answer = said(client.get("/api/models/cnn_5"))
    row = next(row for row in client.get("/api/models").get_json() if row["name"] == "cnn_5")
    card = zoo.model("cnn_5").load().card
    assert answer.items() >= row.items()
    assert answer["card"] == card.model_dump(mode="json")
    assert answer["labels"] == card.labels
    assert answer["input_shape"] == [28, 28, 1]
    assert answer["settings"]["batch_size"] == 64
    assert answer["settings_schema"]["properties"]["batch_size"]["maximum"] == 55_000
    assert set(answer["settings"]) == set(answer["settings_schema"]["properties"])
    assert card.ref in [one["checkpoint"] for one in answer["checkpoints"]]
    missing = client.get("/api/models/cnn_6")
    assert missing.status_code == 404
    assert 'Did you mean "cnn_5"?' in said(missing)["error"]
