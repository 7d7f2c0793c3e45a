"""Models side by side: their figures, and the pictures on which they differ."""

from __future__ import annotations

import re

from asking import HTML
from flask.testing import FlaskClient
from paging import NAMES, card_of, section, text

from zoo import Zoo, comparing
from zoo.datasets import Labelled


def test_switching_the_language_keeps_what_is_compared(client: FlaskClient) -> None:
    page = client.get("/compare?m=cnn&m=deep").text
    assert 'href="/compare?m=cnn&amp;m=deep&amp;lang=pt-BR"' in page


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
    twice = text(client.get(f"/compare?m=cnn&m=cnn/{version}&m=cnn").text)
    assert "Only cnn is chosen" in twice
    assert f"cnn/{version} is not shown It is the same checkpoint as cnn: cnn/{version}." in twice


def test_the_chooser_has_every_checkpoint_and_keeps_what_was_chosen(client: FlaskClient, zoo: Zoo) -> None:
    page = client.get("/compare?m=deep").text
    offered = re.findall(r'name="m" value="([^"]+)"( checked)?', page)
    assert len(offered) == sum(len(zoo.catalogue.versions(name)) for name in zoo.models)
    assert [name for name, checked in offered if checked] == ["deep"]


def test_too_many_to_compare_are_refused_with_the_choice_kept(client: FlaskClient) -> None:
    page = client.get("/compare?" + "&".join(f"m={name}" for name in NAMES), headers=HTML)
    assert page.status_code == 400
    assert f"You chose {len(NAMES)}; at most 6 can be shown side by side." in page.text
    assert page.text.count(" checked") == len(NAMES)


def test_of_too_many_to_compare_none_is_looked_for(client: FlaskClient) -> None:
    page = client.get("/compare?" + "&".join(f"m=nope{number}" for number in range(3000)), headers=HTML)
    assert page.status_code == 400
    assert "You chose 3000; at most 6" in page.text
    assert "nope" not in page.text.partition("<main")[2]


def test_one_that_there_is_not_leaves_the_others_compared(client: FlaskClient) -> None:
    page = client.get("/compare?m=cnn&m=nope&m=deep&m=deep/99", headers=HTML)
    assert page.status_code == 404
    for name in ("nope", "deep/99"):
        assert f"<h2>{name} is not shown</h2>" in page.text
    assert {"cnn", "deep"} <= set(text(section(page.text, "figures")).split())
    assert "<title>cnn, deep · Side by side" in page.text


def test_what_there_is_not_leads_to_what_there_is(client: FlaskClient) -> None:
    page = client.get("/models/nope", headers=HTML).text
    assert re.findall(r'<a class="(button[^"]*)" href="([^"]+)"', page) == [
        ("button", "/models"),
        ("button quiet", "/"),
    ]
    assert '<a class="button quiet" href="/models/cnn">Go to cnn</a>' in client.get("/models/cnn/99", headers=HTML).text


def test_with_too_few_to_compare_the_page_says_how_many_are_chosen(client: FlaskClient) -> None:
    assert "Only deep is chosen. Choose at least one more, up to 6 in all." in client.get("/compare?m=deep").text
    assert "None chosen yet. Choose two or more, up to 6." in client.get("/compare").text
    assert "chosen" not in text(client.get("/compare?m=deep&m=cnn").text.split("</header>")[1].split("</h1>")[1])
