"""The pages about the models, as their readers get them without a browser: what is on them is what the cards say."""

from __future__ import annotations

import base64
import csv
import io
import re

import numpy as np
import PIL.Image
import pytest
from asking import HTML
from flask import Flask
from flask.testing import FlaskClient
from paging import NAMES, card_of, section, text

from webui.figures import Pictures, machine
from zoo import Zoo
from zoo.datasets import Labelled
from zoo.evaluation import worst

DASH = "\N{EN DASH}"


def test_the_table_has_every_model_with_its_cards_figures(client: FlaskClient, zoo: Zoo) -> None:
    page = client.get("/models")
    assert page.status_code == 200
    rows = re.findall(r'<tr role="row".*?</tr>', page.text, re.DOTALL)[1:]
    assert len(rows) == len(zoo.models)
    for row, name in zip(rows, zoo.models, strict=True):
        card = card_of(zoo, name)
        assert card.evaluation is not None
        said = text(row)
        assert f'href="/models/{name}"' in row
        assert f"{card.evaluation.accuracy:.2%}".replace("%", " %") in said
        for end in card.evaluation.interval:
            assert f"{end:.2%}".replace("%", " %") in said
        assert f" {card.parameters:,} " in said
        assert f" {card.training['epochs'] or DASH} " in said  # an ensemble is put together, not trained
        assert card.ref in said
        assert ("default" in said) == (name == zoo.default_model)


def test_pictures_are_shown_of_what_was_measured_on_alone_whatever_was_shown_before(zoo: Zoo) -> None:
    measured = card_of(zoo, "cnn").evaluation
    assert measured is not None
    elsewhere = measured.model_copy(update={"data": "my folder", "pictures": 3})
    pictures = Pictures()
    for _ in range(2):
        assert list(pictures.of(measured, "mnist", [1, 2])) == [1, 2]
        assert pictures.of(elsewhere, "mnist", [1, 2]) == {}


@pytest.mark.parametrize("falling", [False, True])
@pytest.mark.parametrize("sort", ["name", "accuracy", "parameters", "size", "epochs", "checkpoint", "state"])
def test_the_table_is_ordered_by_every_column(client: FlaskClient, zoo: Zoo, sort: str, falling: bool) -> None:
    page = client.get(f"/models?sort={sort}&order={'desc' if falling else 'asc'}").text
    order = re.findall(r'href="/models/([a-z0-9_]+)"', page)
    values = {
        name: {
            "name": name,
            "accuracy": card.evaluation.accuracy if card.evaluation else 0,
            "parameters": card.parameters,
            "size": sum(fact.bytes for fact in card.files.values()),
            "epochs": card.training["epochs"],
            "checkpoint": card.ref,
            "state": True,
        }[sort]
        for name, card in ((name, card_of(zoo, name)) for name in zoo.models)
    }
    assert set(order) == set(zoo.models)
    shown = [values[name] for name in order]
    assert shown == sorted(shown, reverse=falling)
    assert f'class="{sort}" aria-sort="{"descending" if falling else "ascending"}"' in page


@pytest.mark.parametrize("name", NAMES)
def test_a_models_page_says_what_its_card_says(client: FlaskClient, zoo: Zoo, name: str) -> None:
    page = client.get(f"/models/{name}")
    assert page.status_code == 200
    card = card_of(zoo, name)
    measured = card.evaluation
    assert measured is not None
    assert measured.calibration is not None
    assert measured.robustness is not None
    said = text(page.text)
    assert f"{measured.accuracy:.2%}".replace("%", " %") in said
    assert f"reads {measured.correct:,} correctly" in said
    rejected = sum(measured.rejected.values())
    accepted = measured.accepted_accuracy or 0
    guessed = measured.correct - round(accepted * (measured.pictures - rejected))
    assert (f"(best guess right: {guessed});" in said) == (guessed > 0 and len(measured.rejected) == 1)
    assert ("not like a digit:" in said) == (len(measured.rejected) > 1)
    assert f"{card.parameters:,}" in said
    rows = [text(row).split() for row in re.findall(r"<tr>.*?</tr>", section(page.text, "test"), re.DOTALL)]
    for figures in measured.classes:
        assert figures.recall is not None
        assert [figures.label, f"{figures.pictures:,}", f"{figures.recall:.2%}"[:-1], "%"] in [row[:4] for row in rows]
    for label, counts in zip(card.labels, measured.confusion, strict=True):
        assert [label, *map(str, counts)] in rows
    if card.calibration is not None:
        confidence = text(section(page.text, "confidence"))
        assert f"Rejection threshold {card.calibration.threshold:.2%}".replace("%", " %") in confidence
        assert f"Temperature {card.calibration.temperature:.4g}" in confidence
    harder = text(section(page.text, "robustness"))
    for kind in measured.robustness.kinds:
        for share, count in zip(kind.accuracy, kind.rejected, strict=True):
            assert f"{share:.2%}".replace("%", " %") + f" {count:,}" in harder
    settings = text(section(page.text, "settings"))
    assert f" epochs {card.settings['epochs']} " in settings
    for file, fact in card.files.items():
        assert file in settings
        assert fact.sha256[:16] in settings


@pytest.mark.parametrize("name", NAMES)
def test_the_curves_have_every_epoch_of_the_history_drawn_and_in_a_table(
    client: FlaskClient, zoo: Zoo, name: str
) -> None:
    page = section(client.get(f"/models/{name}").text, "training")
    card = card_of(zoo, name)
    with (zoo.catalogue.path(card.model, card.version) / "history.csv").open() as file:
        history = list(csv.DictReader(file))
    table = re.findall(r"<tr>.*?</tr>", page, re.DOTALL)[1:]
    assert len(table) == len(history)
    for row, epoch in zip(table, history, strict=True):
        assert text(row).split()[0] == epoch["epoch"]
        assert f"{float(epoch['val_accuracy']):.2%}".replace("%", " %") in text(row)
    paths = re.findall(r'<path class="line[^"]*" d="([^"]+)"', page)
    told = {"loss", "val_loss", "accuracy", "val_accuracy"} & set(history[0])
    drawn = len(told) if len(history) > 1 else 0  # an ensemble is not trained on anything
    assert [path.count("L") + 1 for path in paths] == [len(history)] * drawn


def test_the_worst_mistakes_are_the_test_pictures_themselves(client: FlaskClient, zoo: Zoo, mnist: Labelled) -> None:
    page = section(client.get("/models/cnn").text, "mistakes")
    measured = card_of(zoo, "cnn").evaluation
    assert measured is not None
    shown = re.findall(r'src="data:image/png;base64,([^"]+)".*?alt="Test picture (\d+)">\s*<p>(\d) read as (\d)', page)
    expected = worst(measured, 30)
    assert [(int(at), int(label), int(read)) for _, at, label, read in shown] == [
        (mistake.index, mistake.label, mistake.predicted) for mistake in expected
    ]
    for content, at, _, _ in shown:
        drawn = np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(content))))
        assert np.array_equal(drawn, mnist.images[int(at), ..., 0])


def test_other_checkpoints_have_pages_of_their_own(client: FlaskClient, zoo: Zoo) -> None:
    versions = zoo.catalogue.versions("cnn")
    assert len(versions) > 1
    page = client.get("/models/cnn").text
    for version in versions:
        own = client.get(f"/models/cnn/{version}")
        assert own.status_code == 200
        measured = card_of(zoo, "cnn", version).evaluation
        assert measured is not None
        assert f"reads {measured.correct:,} correctly" in text(own.text)
        selected = zoo.model("cnn").select() == ("cnn", version)
        assert ('href="/models/cnn"' if selected else f'href="/models/cnn/{version}"') in section(page, "checkpoints")
    assert client.get("/models/cnn?version=1").headers["Location"] == "/models/cnn/1"


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/models/nope", 404),
        ("/models/nope/1", 404),
        ("/models/nope?version=1", 404),
        ("/models/cnn/99", 404),
        ("/models/cnn/0", 404),
        ("/models/cnn/one", 404),
        ("/models/cnn/" + "9" * 5000, 404),
        ("/models/cnn/" + "0" * 39 + "10", 404),
        ("/models/cnn?version=one", 400),
        ("/models/cnn/99/card.json", 404),
        ("/models/nope/card.json", 404),
        ("/compare?m=cnn&m=nope", 404),
        ("/compare?m=cnn/99&m=deep", 404),
        ("/compare?m=cnn/&m=deep", 404),
        ("/compare?m=", 404),
    ],
)
@pytest.mark.parametrize("lang", ["en", "pt-BR"])
def test_what_is_not_there_is_told_by_a_page(client: FlaskClient, url: str, status: int, lang: str) -> None:
    page = client.get(url, headers=HTML | {"Accept-Language": lang})
    assert page.status_code == status
    assert f'<html lang="{lang}">' in page.text
    assert "<h1>" in page.text


def test_the_card_and_the_history_can_be_downloaded(client: FlaskClient, zoo: Zoo) -> None:
    for url in ("/models/cnn", "/models/cnn/1"):
        page = client.get(url).text
        for file in ("card.json", "history.csv"):
            assert f'href="{url}/{file}"' in page
            answer = client.get(f"{url}/{file}")
            owner, version = zoo.model("cnn").select(1 if url.endswith("1") else None)
            assert answer.data == (zoo.catalogue.path(owner, version) / file).read_bytes()
            assert answer.headers["Content-Disposition"] == f'attachment; filename="{owner}-{version}-{file}"'


@pytest.mark.parametrize("url", ["/models", "/models/cnn", "/compare?m=cnn&m=deep", "/models/cnn/card.json"])
def test_a_page_that_has_not_changed_is_not_sent_again(client: FlaskClient, url: str) -> None:
    first = client.get(url)
    again = client.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    if not url.endswith("json"):
        other = client.get(url, headers={"If-None-Match": first.headers["ETag"], "Accept-Language": "pt-BR"})
        assert other.status_code == 200


@pytest.mark.parametrize(
    "url", ["/models", *(f"/models/{name}" for name in NAMES), "/compare", "/compare?m=cnn&m=deep"]
)
def test_nothing_is_inline_and_nothing_from_elsewhere_in_both_languages(client: FlaskClient, url: str) -> None:
    for lang in ("en", "pt-BR"):
        page = client.get(url, headers={"Accept-Language": lang})
        assert page.status_code == 200
        assert f'<html lang="{lang}">' in page.text
        assert "unsafe" not in page.headers["Content-Security-Policy"]
        assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=", page.text)
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page.text)
        other = "en" if lang == "pt-BR" else "pt-BR"
        assert re.search(rf'href="{re.escape(url.split("?")[0])}\?[^"]*lang={other}"', page.text)


def test_every_plot_has_a_text_equivalent(client: FlaskClient) -> None:
    for url in ("/models/deep", "/compare?m=cnn&m=deep&m=tiny"):
        page = client.get(url).text
        drawings = re.findall(r'<svg class="drawing"[^>]*role="img" aria-labelledby="([^"]+)"', page)
        assert len(drawings) == 14
        for name in drawings:
            caption = re.search(rf'<figcaption id="{name}"[^>]*>([^<]+)</figcaption>', page)
            assert caption is not None
            assert len(caption[1].split()) > 3
        for name in ("training", "robustness", "confidence"):
            assert re.search(r"<details.*?<table", section(page, name), re.DOTALL)


def test_a_card_of_what_was_not_trained_tells_no_epochs(client: FlaskClient) -> None:
    assert "Epochs" not in text(client.get("/models/ensemble").text.split("</dl>")[0])
    for page in ("/", "/models/ensemble", "/models/ensemble/7"):
        assert " 0 epochs" not in text(client.get(page).text)
        assert " 0 época" not in text(client.get(f"{page}?lang=pt-BR").text)


@pytest.mark.parametrize(
    ("card", "told"),
    [
        ("Linux x86_64, 2 cores", "Linux x86_64, 2 núcleos"),
        ("Darwin arm64, 1 cores", "Darwin arm64, 1 núcleo"),
        ("Linux x86_64, None cores", "Linux x86_64, None cores"),
        ("a machine of mine", "a machine of mine"),
    ],
)
def test_the_cores_of_a_machine_are_counted_in_the_readers_language(app: Flask, card: str, told: str) -> None:
    with app.test_request_context("/?lang=pt-BR"):
        assert machine(card) == told
    with app.test_request_context("/"):
        assert machine(card) == card.replace("1 cores", "1 core")


def test_a_page_in_portuguese_has_no_english_cores(client: FlaskClient) -> None:
    page = text(client.get("/models/deep?lang=pt-BR").text)
    assert page.count("2 núcleos") == 2
    assert " cores" not in page


@pytest.mark.parametrize(("lang", "odd"), [("en", "in of the"), ("pt-BR", "em do")])
def test_the_plots_of_harder_pictures_have_names_that_can_be_read_out(client: FlaskClient, lang: str, odd: str) -> None:
    names = re.findall(
        r'<figcaption id="panel-\d+" class="unseen">(.*?)</figcaption>', client.get(f"/models/deep?lang={lang}").text
    )
    assert len(names) == 11
    assert not [name for name in names if odd in name]


def test_ticks_are_kept_over_a_new_order_and_another_language(client: FlaskClient) -> None:
    page = client.get("/models?m=deep&m=tiny&m=<b>").text
    assert re.findall(r'value="(\w+)"[^>]* checked', page) == ["deep", "tiny"]
    assert page.count("m=deep&amp;m=tiny&amp;") == 9  # seven columns, two languages
    assert "<b>" not in page
