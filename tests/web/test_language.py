"""Both languages: every string translated, numbers written as the language does."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from asking import HTML, said
from babel.messages.catalog import Catalog
from babel.messages.frontend import CommandLineInterface
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from flask import Flask
from flask.testing import FlaskClient

import webui
from webui import pages
from webui.openapi.translated import texts
from webui.openapi.translated import translated as said_anew
from zoo import Zoo

WEBUI = Path(webui.__file__).parent


@pytest.mark.parametrize(
    ("accept", "lang"),
    [
        ("pt-BR,pt;q=0.9,en;q=0.8", "pt-BR"),
        ("pt", "pt-BR"),
        ("pt-PT", "pt-BR"),
        ("en-GB,pt;q=0.5", "en"),
        ("de,pt;q=0.3", "pt-BR"),
        ("de", "en"),
        ("*", "en"),
        ("", "en"),
    ],
)
def test_the_language_follows_the_client(client: FlaskClient, accept: str, lang: str) -> None:
    page = client.get("/", headers={"Accept-Language": accept})
    assert f'<html lang="{lang}">' in page.text
    assert ("Que dígito é este?" in page.text) == (lang == "pt-BR")
    assert {"Accept-Language", "Cookie"} <= set(page.headers["Vary"].split(", "))


def test_the_language_can_be_switched_and_is_remembered(client: FlaskClient) -> None:
    assert '<html lang="pt-BR">' in client.get("/?lang=pt-BR").text
    assert '<html lang="pt-BR">' in client.get("/").text
    assert '<html lang="pt-BR">' in client.get("/nowhere", headers=HTML).text
    assert '<html lang="pt-BR">' in client.get("/?lang=xx").text
    client.get("/?lang=en")
    assert '<html lang="en">' in client.get("/", headers={"Accept-Language": "pt-BR"}).text


@pytest.mark.parametrize("path", ["/", "/models", "/compare", "/docs", "/models/linear"])
@pytest.mark.parametrize(
    "query",
    [
        "endpoint=1",
        "_anchor=x&_method=x&_scheme=x&_external=1",
        "name=deep&filename=x&empty=",
        "m=cnn/1&m=deep&lang=en&q=a%26b",
        "caf%C3%A9=%C3%A7+%25%2B",
    ],
)
def test_the_link_to_the_other_language_keeps_what_is_asked(client: FlaskClient, path: str, query: str) -> None:
    page = client.get(f"{path}?{query}", headers=HTML)
    assert page.status_code == 200
    found = re.search(r'href="([^"]+)" hreflang="pt-BR"', page.text)
    assert found
    link = urlsplit(html.unescape(found[1]))
    kept = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "lang"]
    assert (link.scheme, link.netloc, link.path, link.fragment) == ("", "", path, "")
    assert parse_qsl(link.query, keep_blank_values=True) == [*kept, ("lang", "pt-BR")]


def test_numbers_are_written_as_the_language_does(app: Flask, client: FlaskClient, zoo: Zoo) -> None:
    page = client.get("/?lang=pt-BR").text
    assert f"{zoo.model('cnn').load().card.parameters:,} parâmetros".replace(",", ".") in page
    with app.test_request_context("/?lang=pt-BR"):
        assert pages.percent(0.9931) == "99,31\xa0%"
        assert pages.percent(0.99999) == ">\xa099,99\xa0%"
        assert pages.percent(0.00001) == "<\xa00,01\xa0%"
        assert (pages.percent(1), pages.percent(0)) == ("100,00\xa0%", "0,00\xa0%")
    with app.test_request_context("/"):
        assert pages.percent(0.9931) == "99.31\xa0%"


def test_errors_to_programs_stay_english(client: FlaskClient) -> None:
    answer = client.post("/predict_cnn", headers={"Accept-Language": "pt-BR"})
    assert "There is no picture" in said(answer)["error"]


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The messages as they are in the code and templates now."""
    pot = tmp_path_factory.mktemp("messages") / "messages.pot"
    log = logging.getLogger("babel")
    handlers, level = list(log.handlers), log.level
    mapping = WEBUI / "translations" / "babel.cfg"
    run: Callable[[list[str]], object] = CommandLineInterface().run
    run(["pybabel", "-q", "extract", "-F", str(mapping), "-k", "lazy_gettext", "-o", str(pot), str(WEBUI)])
    log.handlers, log.level = handlers, level
    with pot.open("rb") as file:
        return read_po(file)


@pytest.fixture(scope="module", params=[tag for tag in pages.LANGUAGES if tag != "en"])
def translated(request: pytest.FixtureRequest) -> Iterator[tuple[Path, Catalog]]:
    folder = WEBUI / "translations" / request.param.replace("-", "_") / "LC_MESSAGES"
    with (folder / "messages.po").open("rb") as file:
        yield folder, read_po(file, locale=request.param.replace("-", "_"))


def strings(catalog: Catalog) -> dict[Any, Any]:
    def plain(forms: Any) -> Any:
        return tuple(forms) if isinstance(forms, list | tuple) else forms

    return {plain(message.id): plain(message.string) for message in catalog if message.id}


def test_every_string_is_translated(extracted: Catalog, translated: tuple[Path, Catalog]) -> None:
    catalog = translated[1]
    assert strings(catalog).keys() == strings(extracted).keys()
    assert not [message.id for message in catalog if message.id and message.fuzzy]
    for message in catalog:
        forms = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(forms), f"{message.id!r} is not translated"
        assert not list(message.check(catalog)), f"{message.id!r}: its placeholders differ"


def test_no_translation_says_anything_twice(translated: tuple[Path, Catalog]) -> None:
    for message in translated[1]:
        sources = message.id if isinstance(message.id, tuple) else (message.id,)
        forms = message.string if isinstance(message.string, tuple) else (message.string,)
        for form in forms:
            for placeholder in set(re.findall(r"%\(\w+\)s", form)):
                most = max(source.count(placeholder) for source in sources)
                assert form.count(placeholder) <= most, f"{message.id!r}: {placeholder} is repeated"


def test_the_compiled_messages_are_up_to_date(translated: tuple[Path, Catalog]) -> None:
    folder, catalog = translated
    with (folder / "messages.mo").open("rb") as file:
        assert strings(read_mo(file)) == strings(catalog)


def test_what_the_zoos_own_plugins_say_is_translated(zoo: Zoo, translated: tuple[Path, Catalog]) -> None:
    summaries = {family.summary for family in zoo.plugins.families.values() if not family.addon}
    assert summaries <= strings(translated[1]).keys()


def test_the_apis_description_is_translated_for_the_page_and_english_for_programs(
    client: FlaskClient, translated: tuple[Path, Catalog]
) -> None:
    english = client.get("/openapi.json", headers={"Accept-Language": "pt-BR"}).data
    described = client.get("/openapi.json").get_json()
    assert texts(described)
    assert set(texts(described)) <= strings(translated[1]).keys()
    page = client.get("/docs?lang=pt-BR").text
    assert 'spec-url="/openapi.json?lang=pt-BR"' in page
    told = client.get("/openapi.json?lang=pt-BR").get_json()
    assert told == said_anew(described, lambda text: strings(translated[1])[text])
    assert told["paths"]["/predict"]["post"]["summary"] == "Consultar o modelo padrão"
    assert english == client.get("/openapi.json").data == client.get("/openapi.json?lang=en").data  # the cookie is set
