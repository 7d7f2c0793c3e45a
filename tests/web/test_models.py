"""The pages about the models, as their readers get them without a browser: what is on them is what the cards say."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from asking import HTML, ROOT
from conftest import flip_byte
from flask.testing import FlaskClient

from webui import create_app, plots
from zoo import Zoo, comparing
from zoo.checkpoints import Card
from zoo.datasets import Labelled
from zoo.evaluation import worst

NAMES = list(Zoo.open(ROOT).models)


def text(html: str) -> str:
    """What a page says, without its tags, in one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.replace("<wbr>", ""))).replace("\N{NO-BREAK SPACE}", " ")


def section(html: str, name: str) -> str:
    found = re.search(rf'<section aria-labelledby="{name}">.*?</section>', html, re.DOTALL)
    assert found is not None, f"there is no section {name}"
    return found[0]


def card_of(zoo: Zoo, name: str, version: int | None = None) -> Card:
    return zoo.catalogue.card(*zoo.model(name).select(version))


def opened(folder: Path) -> FlaskClient:
    return create_app(Zoo.open(folder)).test_client()


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
        assert f" {card.training['epochs']} " in said
        assert card.ref in said
        assert ("default" in said) == (name == zoo.default_model)


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
    assert f"reads {measured.correct:,} right" in said
    assert f"{card.parameters:,}" in said
    rows = [text(row).split() for row in re.findall(r"<tr>.*?</tr>", section(page.text, "test"), re.DOTALL)]
    for figures in measured.classes:
        assert figures.recall is not None
        assert [figures.label, f"{figures.pictures:,}", f"{figures.recall:.2%}"[:-1], "%"] in [row[:4] for row in rows]
    for label, counts in zip(card.labels, measured.confusion, strict=True):
        assert [label, *(f"{count:,}" for count in counts)] in rows
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
    told = {"loss", "val_loss", "accuracy", "val_accuracy"} & set(history[0])  # an ensemble is not trained on anything
    assert [path.count("L") + 1 for path in paths] == [len(history)] * len(told)


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
        assert f"reads {measured.correct:,} right" in text(own.text)
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


def test_switching_the_language_keeps_what_is_compared(client: FlaskClient) -> None:
    page = client.get("/compare?m=cnn&m=deep").text
    assert 'href="/compare?m=cnn&amp;m=deep&amp;lang=pt-BR"' in page


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


def test_two_side_by_side_differ_where_their_answers_do(client: FlaskClient, zoo: Zoo) -> None:
    page = client.get("/compare?m=cnn&m=deep").text
    cards = [card_of(zoo, name) for name in ("cnn", "deep")]
    figures = text(section(page, "figures"))
    wrong = []
    for card in cards:
        assert card.evaluation is not None
        assert f"{card.evaluation.accuracy:.2%}".replace("%", " %") in figures
        wrong.append({mistake.index for mistake in card.evaluation.mistakes})
    apart = section(page, "apart")
    row = text(re.findall(r"<tr>.*?</tr>", apart, re.DOTALL)[1]).split()
    assert row[:5] == [
        "cnn",
        "deep",
        *(str(len(part)) for part in (wrong[1] - wrong[0], wrong[0] - wrong[1], wrong[0] & wrong[1])),
    ]
    shown = [int(at) for at in re.findall(r'alt="Test picture (\d+)"', apart)]
    assert len(shown) == min(30, len(wrong[0] ^ wrong[1]))
    assert set(shown) <= wrong[0] ^ wrong[1]
    lines = re.findall(r"<ul class=\"readings\">.*?</ul>", apart, re.DOTALL)
    for at, readings in zip(shown, lines, strict=True):
        marks = ['class="wrong"' in line for line in re.findall(r"<li.*?</li>", readings, re.DOTALL)]
        assert marks == [at in one for one in wrong]


def test_the_splits_agree_with_the_models_asked_anew(zoo: Zoo, mnist: Labelled) -> None:
    names = ("cnn", "tiny")
    evaluations = [card.evaluation for card in (card_of(zoo, name) for name in names) if card.evaluation]
    for split in comparing.splits(evaluations)[:10]:
        for name, mistake in zip(names, split.mistakes, strict=True):
            read = zoo.predict(name, mnist.images[split.index]).digit
            assert read == (split.label if mistake is None else mistake.predicted)


def test_checkpoints_of_one_model_can_be_compared_and_the_same_one_counts_once(client: FlaskClient, zoo: Zoo) -> None:
    page = client.get("/compare?m=cnn&m=cnn/1")
    assert page.status_code == 200
    assert "cnn/1" in text(section(page.text, "figures"))
    version = zoo.model("cnn").select()[1]
    assert "Choose two or more" in client.get(f"/compare?m=cnn&m=cnn/{version}&m=cnn").text


def test_the_chooser_has_every_checkpoint_and_keeps_what_was_chosen(client: FlaskClient, zoo: Zoo) -> None:
    page = client.get("/compare?m=deep").text
    offered = re.findall(r'name="m" value="([^"]+)"( checked)?', page)
    assert len(offered) == sum(len(zoo.catalogue.versions(name)) for name in zoo.models)
    assert [name for name, checked in offered if checked] == ["deep"]


def test_too_many_to_compare_are_refused_with_the_choice_kept(client: FlaskClient) -> None:
    page = client.get("/compare?" + "&".join(f"m={name}" for name in NAMES), headers=HTML)
    assert page.status_code == 400
    assert f"{len(NAMES)} were chosen; at most 6 can be shown side by side." in page.text
    assert page.text.count(" checked") == len(NAMES)


def test_an_untrained_model_says_so(own_zoo: Path) -> None:
    with (own_zoo / "settings.toml").open("a") as settings:
        settings.write('\n[models.fresh]\nplugin = "cnn"\nepochs = 7\n')
    client = opened(own_zoo)
    page = client.get("/models/fresh")
    assert page.status_code == 200
    assert "Not trained yet" in page.text
    assert "<code>zoo train fresh</code>" in page.text
    assert " epochs 7 " in text(section(page.text, "settings"))
    assert "zoo train fresh" in client.get("/models").text
    assert "has no checkpoint yet" in text(client.get("/compare?m=fresh&m=cnn&m=deep").text)
    assert client.get("/models/fresh/card.json").status_code == 404


def harm_weights(folder: Path) -> None:
    flip_byte(folder / "checkpoints/tiny/1/model.tflite")


def harm_card(folder: Path) -> None:
    (folder / "checkpoints/tiny/1/card.json").write_text("{")


def harm_plugin(folder: Path) -> None:
    (folder / "plugins/tiny.py").write_text("import nothing_of_this_name\n")


def harm_folder(folder: Path) -> None:
    for path in (folder / "checkpoints/tiny/1").iterdir():
        if path.name != "card.json":
            path.unlink()


@pytest.mark.parametrize("harm", [harm_weights, harm_card, harm_plugin, harm_folder])
def test_a_broken_model_says_what_is_wrong_and_the_others_stay(own_zoo: Path, harm) -> None:
    harm(own_zoo)
    client = opened(own_zoo)
    for url in ("/models/tiny", "/models/tiny/1"):
        page = client.get(url)
        assert page.status_code == 200
        assert "Cannot answer" in page.text
        problem = re.search(r'<span lang="en">([^<]+)</span>', page.text)
        assert problem is not None
        assert len(problem[1]) > 30
    assert text(client.get("/models").text).count("Cannot answer now.") == 1
    assert client.get("/models/cnn").status_code == 200
    assert client.get("/compare?m=tiny&m=cnn&m=deep").status_code == 200


def test_a_card_without_figures_has_a_page_too(own_zoo: Path) -> None:
    path = own_zoo / "checkpoints/tiny/1/card.json"
    card = json.loads(path.read_text())
    path.write_text(json.dumps(card | {"evaluation": None, "calibration": None, "seal": None, "training": {}}))
    (own_zoo / "checkpoints/tiny/1/history.csv").unlink()
    client = opened(own_zoo)
    page = client.get("/models/tiny")
    assert page.status_code == 200
    assert "zoo evaluate tiny --version 1" in page.text
    assert "No history of its training is at hand" in page.text
    assert "accuracy not measured" in client.get("/models").text
    assert client.get("/compare?m=tiny&m=cnn").status_code == 200


def test_a_card_of_the_first_zoos_has_a_page_too(own_zoo: Path) -> None:
    path = own_zoo / "checkpoints/tiny/1/card.json"
    card = json.loads(path.read_text())
    kept = ("data", "pictures", "correct", "accuracy", "interval", "created", "mistakes")
    card["evaluation"] = {key: card["evaluation"][key] for key in kept}
    path.write_text(json.dumps(card | {"seal": None}))
    client = opened(own_zoo)
    assert "Worst mistakes" in client.get("/models/tiny").text
    assert "Where they differ" in client.get("/compare?m=tiny&m=cnn").text


def test_those_measured_on_other_pictures_are_not_set_against_each_other(own_zoo: Path) -> None:
    path = own_zoo / "checkpoints/tiny/1/card.json"
    card = json.loads(path.read_text())
    card["evaluation"] |= {"data": "other test"}
    path.write_text(json.dumps(card | {"seal": None}))
    client = opened(own_zoo)
    assert "not measured on the same pictures" in client.get("/compare?m=tiny&m=cnn").text
    page = client.get("/models/tiny").text
    assert "The pictures are not at hand here" in page
    assert "data:image/png" not in section(page, "mistakes")


def test_a_script_in_a_card_stays_text(own_zoo: Path) -> None:
    path = own_zoo / "checkpoints/tiny/1/card.json"
    card = json.loads(path.read_text())
    bad = "<script>alert(1)</script> 100%s"
    card["settings"][bad] = bad
    card["data"]["name"] = card["software"]["machine"] = card["evaluation"]["robustness"]["kinds"][0]["kind"] = bad
    path.write_text(json.dumps(card | {"seal": None}))
    client = opened(own_zoo)
    for url in ("/models/tiny/1", "/compare?m=tiny&m=cnn"):
        page = client.get(url)
        assert page.status_code == 200
        assert "&lt;script&gt;alert(1)" in page.text
        assert "<script>alert" not in page.text


def test_an_empty_zoo_has_a_page(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "settings.toml").write_text("")
    client = opened(tmp_path)
    assert "There is no model in this zoo yet" in client.get("/models").text
    assert client.get("/compare").status_code == 200


@pytest.mark.parametrize(
    ("right", "marks"),
    [((0.13, 0.997), ["0 %", "50 %", "90 %", "95 %", "99 %", "99.5 %"]), ((0.985, 0.989), ["98 %", "99 %"])],
)
def test_an_axis_of_accuracies_holds_them_with_marks_apart(client: FlaskClient, right, marks: list[str]) -> None:
    with client.application.test_request_context("/"):
        axis = plots.accuracy_axis("", right)
    assert [said.replace("\N{NO-BREAK SPACE}", " ") for _, said in axis.ticks] == marks
    assert axis.low <= plots.laid(min(right), "errors") < plots.laid(max(right), "errors") <= axis.high
    assert all(high > low for (low, _), (high, _) in pairwise(axis.ticks))


@pytest.mark.parametrize(("losses"), [(0.0001, 2.5), (0.0, 1.0), (0.2, 0.2), (1.0, 1.0), (3.0, 120.0)])
def test_an_axis_of_losses_holds_them(client: FlaskClient, losses: tuple[float, float]) -> None:
    with client.application.test_request_context("/"):
        axis = plots.loss_axis("", losses)
    assert axis.low < axis.high
    assert axis.low <= plots.laid(min(losses), "log") + 1e-6
    assert plots.laid(max(losses), "log") <= axis.high
    assert 2 <= len(axis.ticks) <= plots.MOST_TICKS


def test_perfect_accuracy_and_a_single_epoch_can_be_drawn(client: FlaskClient) -> None:
    with client.application.test_request_context("/"):
        axis = plots.accuracy_axis("", [1.0, 1.0])
        assert axis.low < axis.high
        assert plots.epoch_axis("", 1).high == 1
