"""What the front page asks besides an answer: all models, the steps, which pixels decided, and samples."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from urllib.parse import urljoin

import numpy as np
import PIL.Image
import pytest
from asking import HTML, drawing, files, levels, png, said, saved, send
from conftest import flip_byte
from flask.testing import FlaskClient

from webui import create_app, samples
from zoo import Zoo, datasets
from zoo.steps import STEPS


def test_all_models_answer_one_picture_as_each_alone_does(client: FlaskClient, zoo: Zoo) -> None:
    verdict = said(client.post("/arena", data=saved(drawing()), content_type="image/png"))
    assert [answer["model"] for answer in verdict["answers"]] == list(zoo.models)
    for answer in verdict["answers"]:
        assert answer.pop("ms") >= 0
        assert answer == zoo.predict(answer["model"], saved(drawing())).to_dict()
    assert verdict["label"] == "7"
    assert verdict["counts"][0] == {"label": "7", "votes": len(zoo.models)}


def test_a_model_that_cannot_answer_does_not_stop_the_others(own_zoo: Path) -> None:
    flip_byte(own_zoo / "checkpoints/cnn_5/1/model.tflite")
    verdict = said(create_app(Zoo.open(own_zoo)).test_client().post("/arena", data=png(), content_type="image/png"))
    answers = {answer["model"]: answer for answer in verdict["answers"]}
    assert answers["cnn_5"]["status"] == 503
    assert "damaged" in answers["cnn_5"]["error"]
    assert answers["linear"]["label"] == "7"


def test_no_picture_or_several_are_refused(client: FlaskClient) -> None:
    for url in ("/arena", "/explain", "/why"):
        assert client.post(url).status_code == 400
        assert client.post(url, data=b"text", content_type="image/png").status_code == 415
        several = files(client, url, png(), png())
        assert several.status_code == 400
        assert "takes one" in said(several)["error"]
    assert client.post("/why?label=12", data=png(), content_type="image/png").status_code == 400
    assert client.post("/why?model=nope", data=png(), content_type="image/png").status_code == 404


def test_the_steps_are_those_of_the_zoo_as_pictures(client: FlaskClient, zoo: Zoo) -> None:
    answer = said(client.post("/explain?model=linear", data=saved(drawing()), content_type="image/png"))
    assert answer["model"] == "linear"
    assert [step["name"] for step in answer["steps"]] == list(STEPS)
    for step, own in zip(answer["steps"], zoo.explain("linear", saved(drawing())), strict=True):
        head, content = step["picture"].split(",")
        assert head == "data:image/png;base64"
        assert np.array_equal(levels(base64.b64decode(content)), own.picture)


def test_which_pixels_decided_is_told_for_the_answer_or_another_label(client: FlaskClient) -> None:
    answer = said(client.post("/why", data=png(), content_type="image/png"))
    assert answer["label"] == "7"
    heat = np.array(answer["heat"])
    assert heat.shape == (28, 28)
    assert heat.max() > 1
    other = said(client.post("/why?label=1", data=png(), content_type="image/png"))
    assert other["label"] == "1"
    assert np.array(other["heat"]).min() < 0
    assert (answer["by"], said(client.post("/why?model=linear", data=png(), content_type="image/png"))["by"]) == (
        "occlusion",
        "weights",
    )


def test_the_strip_is_what_the_test_set_has_there() -> None:
    test = datasets.test_data("mnist")
    for place, label in samples.CHOICE.items():
        assert np.array_equal(samples.sample(place), test.images[place, ..., 0])
        assert label == str(test.classes[place])


def test_any_test_picture_can_be_had(client: FlaskClient) -> None:
    for place in (0, 9_999):
        picture = client.get(f"/samples/{place}.png")
        assert picture.mimetype == "image/png"
        assert np.array_equal(levels(picture.data), datasets.test_data("mnist").images[place, ..., 0])
    assert client.get("/samples/10000.png").status_code == 404


def test_an_address_with_a_sample_shows_its_answer(client: FlaskClient) -> None:
    page = client.get("/?model=linear&sample=0", headers=HTML).text
    assert '<p class="digit" id="digit">7</p>' in page
    assert "linear reads 7" in page
    assert "28 \N{MULTIPLICATION SIGN} 28 pixels, unchanged" in page
    for nonsense in ("-1", "10000", "x", "٣", "1" * 5000):
        page = client.get("/", query_string={"sample": nonsense}, headers=HTML)
        assert page.status_code == 404
        assert "Test picture not found" in page.text
        assert '<p class="digit" id="digit"></p>' in page.text


def test_an_address_whose_model_cannot_answer_says_so_and_offers_another(own_zoo: Path) -> None:
    flip_byte(own_zoo / "checkpoints/cnn_5/1/model.tflite")
    client = create_app(Zoo.open(own_zoo)).test_client()
    page = client.get("/?model=cnn_5&sample=0", headers=HTML)
    assert page.status_code == 503
    assert "This model cannot answer now" in page.text
    assert re.search(r'value="deep"[^>]*checked', page.text)
    page = client.get("/?model=nope", headers=HTML)
    assert page.status_code == 404
    assert "Model not found" in page.text


def test_the_form_asks_all_models(client: FlaskClient, zoo: Zoo) -> None:
    page = send(client, "/", saved(drawing()), ask="all", headers=HTML).text
    assert f"{len(zoo.models)} models read 7." in page
    assert page.count('<span class="says">7</span><span class="stance">agrees</span>') == len(zoo.models)


def test_the_form_reads_many_digits(client: FlaskClient) -> None:
    page = send(client, "/", (Path(__file__).parents[2] / "docs/number.jpg").read_bytes(), ask="read", headers=HTML)
    assert ">5550143\n2718</p>" in page.text
    assert '<p class="digit" id="digit">5550143 2718</p>' in page.text
    assert "<title>5550143 2718 · Digit zoo</title>" in page.text
    assert "confidence" not in page.text.split('id="facts"')[1].split("</p>")[0]


def test_the_form_takes_several_pictures(client: FlaskClient) -> None:
    blank = saved(PIL.Image.new("L", (90, 90), 255))
    boundary = files(client, "/", saved(drawing(1)), blank, b"no picture")
    assert boundary.status_code == 200
    assert "<b>2</b>" in boundary.text
    assert "The picture is blank" in boundary.text
    assert "This file is not a supported picture" in boundary.text


def test_a_sample_is_asked_by_the_form_when_no_file_is_chosen(client: FlaskClient) -> None:
    page = client.post("/?sample=1", data={"model_type": "tiny", "ask": "all"}, headers=HTML)
    assert '<p class="digit" id="digit">2</p>' in page.text


def test_the_page_and_all_it_needs_weigh_little(client: FlaskClient) -> None:
    """Uncompressed, as the server sends it: a proxy's compression would only make it less."""
    page = client.get("/")
    total = len(page.data)
    seen: dict[str, int] = {}
    wanted = [urljoin("/", found) for found in re.findall(r'(?:src|href)="([^"]+\.(?:js|css|svg|png))"', page.text)]
    while wanted:
        address = wanted.pop()
        if address in seen:
            continue
        with client.get(address) as answer:
            assert answer.status_code == 200, address
            content = answer.data
        seen[address] = len(content)
        if address.endswith((".js", ".css")):
            inner = re.findall(r'(?:from|import|url\()\s*"?([^"();\s]+\.(?:js|css|svg|png))', content.decode())
            wanted += [urljoin(address, found) for found in inner]
    total += sum(seen.values())
    seen = {address.rpartition("/")[2]: size for address, size in seen.items()}
    assert {"play.js", "perfect-freehand.js", "play.css", "samples.png"} <= set(seen)
    assert total < 150_000


def test_the_strip_is_written_anew_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "STRIP", tmp_path / "samples.png")
    samples.main()
    written = np.asarray(PIL.Image.open(io.BytesIO((tmp_path / "samples.png").read_bytes())))
    assert written.shape == (28, 28 * len(samples.CHOICE))
