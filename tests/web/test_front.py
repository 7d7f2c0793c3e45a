"""The front page as its readers get it, without a browser."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from asking import HTML, chosen, drawing, said, saved, send
from flask.testing import FlaskClient

import webui
from webui import create_app
from webui.pages import seen
from zoo import Prediction, Trace, Zoo

WEBUI = Path(webui.__file__).parent


def test_the_page_lists_every_model_with_its_facts(client: FlaskClient, zoo: Zoo) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert page.mimetype == "text/html"
    for name, model in zoo.models.items():
        card = model.load().card
        assert f'value="{name}"' in page.text
        assert f"{card.parameters:,} parameters" in page.text
        assert f'<a href="/models/{name}">More about {name}</a>' in page.text
        assert (
            f"{card.evaluation.accuracy:.2%}".replace("%", "\xa0%") if card.evaluation else "not measured"
        ) in page.text
    assert chosen(page) == zoo.default_model
    assert client.head("/").status_code == 200


@pytest.mark.parametrize("name", ["cnn", "linear"])
def test_posting_a_picture_shows_the_digit_and_what_the_model_saw(client: FlaskClient, zoo: Zoo, name: str) -> None:
    page = send(client, "/", saved(drawing()), model_type=name, headers=HTML)
    assert page.status_code == 200
    assert chosen(page) == name
    assert '<p class="digit" id="digit">7</p>' in page.text
    assert page.text.count("<rect") == 10
    assert zoo.model(name).load().card.ref in page.text
    picture = re.search(r'src="data:image/png;base64,([^"]+)"', page.text)
    assert picture is not None
    seen = PIL.Image.open(io.BytesIO(base64.b64decode(picture[1])))
    trace = zoo.predict(name, saved(drawing())).trace
    assert trace is not None
    assert np.array_equal(np.asarray(seen), trace.seen)


def test_posting_without_a_model_asks_the_default_one(client: FlaskClient, zoo: Zoo) -> None:
    assert chosen(send(client, "/", saved(drawing()), headers=HTML)) == zoo.default_model


def test_a_blank_picture_is_said_to_be_blank(client: FlaskClient) -> None:
    page = send(client, "/", saved(PIL.Image.new("L", (100, 100), 255)), headers=HTML)
    assert page.status_code == 200
    assert "Nothing to read" in page.text
    assert '<p class="digit" id="digit"></p>' in page.text
    assert "confidence" not in page.text.split('id="facts"')[1].split("</p>")[0]
    bars = page.text.split('id="bars"')[1].split("</table>")[0]
    assert bars.count('<rect width="0"') == bars.count("<td>\N{EN DASH}</td>") == 10  # scores for nothing mean nothing


def test_what_a_model_saw_of_a_rejected_picture_is_shown_unless_it_is_nothing() -> None:
    def shown(reason: str | None, trace: Trace) -> bool:
        return seen(Prediction("m", "m/1", "7", 7, 0.4, (), (), reason is not None, reason, trace)) is not None

    black = np.zeros((28, 28), np.uint8)
    assert not shown("blank", Trace(black, reason="blank"))
    assert shown("several_objects", Trace(black, box=(0, 0, 9, 9), reason="several_objects"))
    assert shown("not_a_digit", Trace(black))  # a plugin's own trace need not have a box
    assert shown(None, Trace(black))


def test_votes_on_a_blank_picture_have_no_scores(client: FlaskClient) -> None:
    page = send(client, "/", saved(PIL.Image.new("L", (100, 100), 255)), ask="all", headers=HTML).text
    votes = re.findall(r'<span class="vote".*?</label>', page, re.DOTALL)
    assert len(votes) == page.count('<span class="stance">sees none</span>') > 1
    assert not re.search(r'<span class="measured">[^<]*%', page)


def test_an_unknown_model_on_the_page_is_404_with_the_form_kept(client: FlaskClient) -> None:
    page = send(client, "/", saved(drawing()), model_type="<b>nope</b>", headers=HTML)
    assert page.status_code == 404
    assert "Model not found" in page.text
    assert "&lt;b&gt;nope" in page.text
    assert "<b>nope" not in page.text
    assert 'enctype="multipart/form-data"' in page.text


def test_errors_are_json_unless_the_client_names_html(client: FlaskClient) -> None:
    for accept in (None, "*/*", "application/json", "text/html;q=0, */*"):
        headers = {"Accept": accept} if accept else {}
        assert send(client, "/", saved(drawing()), model_type="nope", headers=headers).mimetype == "application/json"
        assert client.get("/nowhere", headers=headers).mimetype == "application/json"
    for url in ("/nowhere", "/predict_cnn"):
        page = client.get(url, headers=HTML)
        assert page.mimetype == "text/html"
        assert "<h1>" in page.text
        assert "Accept" in page.headers["Vary"]
    assert client.get("/predict_cnn", headers=HTML).headers["Allow"] == "OPTIONS, POST"


JAVA = "text/html, image/gif, image/jpeg, */*; q=0.2"  # what its own library sends if nothing is said
ACCEPTED = {
    # what is named: whether the form's address, one for programs, one of a protocol and none at all answer pages
    "application/json, text/html;q=0.1": (False, False, False, False),
    "text/html;q=0.5, application/json;q=0.9, */*": (False, False, False, False),
    "text/html, application/json": (False, False, False, False),
    "text/html, */*": (False, False, False, False),
    "application/*, text/html;q=0.1": (False, False, False, False),
    "text/plain": (False, False, False, False),
    JAVA: (True, False, False, False),
    "text/html": (True, True, False, True),
    "TEXT/HTML": (True, True, False, True),
    "text/html;charset=utf-8, */*;q=0.1": (True, False, False, False),
    "application/json;q=0.1, Text/HTML;q=0.2, application/XHTML+xml": (True, True, False, True),
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": (True, True, False, True),
}


@pytest.mark.parametrize("accept", ACCEPTED)
def test_an_error_is_a_page_for_those_who_would_rather_have_one(client: FlaskClient, accept: str) -> None:
    headers = {"Accept": accept}
    told = (
        send(client, "/", saved(drawing()), model_type="nope", headers=headers),
        client.get("/predict_cnn", headers=headers),
        client.get("/v2/models/nope", headers=headers),
        client.get("/nowhere", headers=headers),
    )
    pages = tuple(answer.mimetype == "text/html" for answer in told)
    assert pages == ACCEPTED[accept]
    assert all("error" in said(answer) for answer, page in zip(told, pages, strict=True) if not page)


def test_pages_allow_nothing_inline_and_nothing_from_elsewhere(client: FlaskClient) -> None:
    for page in (
        client.get("/"),
        send(client, "/", saved(drawing()), headers=HTML),
        client.get("/nowhere", headers=HTML),
    ):
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Referrer-Policy"] == "same-origin"
        assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=", page.text)
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page.text)


def test_a_script_in_a_summary_stays_text(own_zoo: Path) -> None:
    plugin = own_zoo / "plugins/cnn.py"
    plugin.write_text(plugin.read_text().replace("Convolutional network", "<script>alert(1)</script> 100%s", 1))
    page = create_app(Zoo.open(own_zoo)).test_client().get("/")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; 100%s" in page.text
    assert "<script>alert" not in page.text


def test_without_a_zoo_the_working_folders_is_served(own_zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own_zoo)
    assert send(create_app().test_client(), "/predict", saved(drawing())).status_code == 200


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2) of #rrggbb."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_have_the_contrast_of_wcag_aa(scheme: int) -> None:
    css = (WEBUI / "static" / "style.css").read_text()
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", css.split(":root {")[scheme + 1].split("}")[0]))

    def contrast(one: str, other: str) -> float:
        low, high = sorted((luminance(colours[one]), luminance(colours[other])))
        return (high + 0.05) / (low + 0.05)

    for text in ("text", "soft", "blue", "answer", "wrong"):
        for ground in ("paper", "sheet", "tint"):
            assert contrast(text, ground) >= 4.5, f"{text} on {ground}"
    assert contrast("on-blue", "blue") >= 4.5
    assert contrast("on-blue", "blue-deep") >= 4.5
    assert contrast("soft", "line") >= 4.5
    for ground in ("paper", "sheet", "tint"):
        assert contrast("edge", ground) >= 3, f"edge on {ground}"
