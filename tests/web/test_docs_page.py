"""The page that shows the API, in a real Chromium without the internet: read it, send a picture, see the answer."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from asking import ROOT
from flask.testing import FlaskClient
from guarding import KEYS, PHONE, serving_with
from playwright.sync_api import Browser, ConsoleMessage, Request, expect
from seeing import violations
from serving import serving

from zoo import Zoo

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving([sys.executable, "-m", "zoo", "serve", "--port", "0"], ROOT) as served:
        yield served.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_a_picture_is_sent_from_the_page(address: str, chromium: Browser, scheme: str, width: int) -> None:
    context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
    page = context.new_page()
    page.set_default_timeout(30_000)
    complaints: list[ConsoleMessage] = []
    elsewhere: list[Request] = []
    page.on("console", lambda said: complaints.append(said) if said.type in ("error", "warning") else None)
    page.on("request", lambda asked: elsewhere.append(asked) if outside(asked.url, address) else None)
    page.goto(f"{address}/docs")
    page.get_by_text("/predict_{name}", exact=False).first.click()
    page.locator("input[type=file]").first.set_input_files(ROOT / "docs/seven.png")
    with page.expect_response(lambda answer: "/predict_" in answer.url) as answer:
        page.get_by_role("button", name="TRY", exact=True).click()
    assert answer.value.json()["label"] == "7"
    expect(page.get_by_text("Response Status: OK:200")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not [said.text for said in complaints]
    assert not [asked.url for asked in elsewhere]
    context.close()


def test_with_keys_it_asks_for_who_is_signed_in(chromium: Browser, tmp_path: Path) -> None:
    with serving_with(tmp_path, KEYS) as served:
        context = chromium.new_context(locale="pt-BR", viewport={"width": 1200, "height": 800})
        page = context.new_page()
        page.goto(f"{served.url}/docs")
        page.get_by_label("Chave").fill(PHONE)
        page.get_by_role("button", name="Entrar").click()
        page.get_by_text("/predict_{name}", exact=False).first.click()
        page.locator("input[type=file]").first.set_input_files(ROOT / "docs/seven.png")
        with page.expect_response(lambda answer: "/predict_" in answer.url) as answer:
            page.get_by_role("button", name="EXPERIMENTAR", exact=True).click()
        assert answer.value.status == 200
        assert answer.value.json()["label"] == "7"
        expect(page.get_by_text("Obrigatória", exact=True)).to_be_visible()
        expect(page.get_by_text("Chave Bearer", exact=True)).to_be_visible()
        expect(page.get_by_text("Chave em X-API-Key", exact=True)).to_be_visible()
        for left in ("None Applied", "Requires", "OR"):
            expect(page.get_by_text(left, exact=True).filter(visible=True)).to_have_count(0)
        assert not violations(page)
        page.set_viewport_size({"width": 360, "height": 800})
        summary = page.get_by_text("Consultar um modelo", exact=True).filter(visible=True).bounding_box()
        way = page.get_by_text("Chave Bearer", exact=True).bounding_box()
        assert summary
        assert way
        assert way["y"] > summary["y"]
        context.close()


def test_it_leads_to_the_calls_of_each_model(address: str, chromium: Browser) -> None:
    context = chromium.new_context(locale="pt-BR", viewport={"width": 360, "height": 800})
    page = context.new_page()
    page.goto(f"{address}/docs")
    expect(page.get_by_text("Recolher", exact=True)).to_be_visible()
    told = page.get_by_text("Exemplos de código")
    assert told.get_by_role("link").all_inner_texts() == list(Zoo.open(ROOT, environ={}).models)
    told.get_by_role("link", name="tiny", exact=True).click()
    expect(page.get_by_role("heading", name="Exemplos de código")).to_be_in_viewport()
    expect(page.get_by_text("/predict_tiny").first).to_be_in_viewport()
    context.close()


def test_its_head_is_set_like_every_pages_and_nothing_sticks_together(address: str, chromium: Browser) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{address}/docs")
    fold = page.get_by_text("Expand all", exact=True).bounding_box()
    title = page.get_by_role("heading", level=1)
    told = page.locator("rapi-doc > p").bounding_box()
    assert fold is not None
    assert told is not None
    assert fold["y"] - (told["y"] + told["height"]) > 8
    family = "one => getComputedStyle(one).fontFamily"
    assert title.evaluate(family) == page.locator(".brand").evaluate(family)
    expect(title).to_contain_text("API")
    sections = page.get_by_role("heading", level=2)
    expect(sections.first).to_have_text("Pictures")
    assert sections.count() == 6
    colour = "one => getComputedStyle(one).color"
    assert page.locator("rapi-doc > p a").first.evaluate(colour) == page.locator(".foot a").evaluate(colour)
    assert sections.first.evaluate(colour) == title.evaluate(colour)  # they are no links
    page.close()


@pytest.mark.parametrize("width", [390, 820])
def test_what_each_route_is_for_is_told_on_a_narrow_screen_too(address: str, chromium: Browser, width: int) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 900})
    page.goto(f"{address}/docs")
    expect(page.get_by_text("Ask the default model", exact=True).first).to_be_visible()
    expect(page.get_by_text("Ask every model about one picture", exact=True).first).to_be_visible()
    page.close()


def test_it_speaks_portuguese(address: str, chromium: Browser) -> None:
    context = chromium.new_context(locale="pt-BR", viewport={"width": 1200, "height": 800})
    page = context.new_page()
    page.goto(f"{address}/docs")
    expect(page.get_by_text("Expandir", exact=True)).to_be_visible()
    page.get_by_text("/predict_{name}", exact=False).first.click()
    expect(page.get_by_text("REQUISIÇÃO", exact=True)).to_be_visible()
    expect(page.get_by_text("Consultar um modelo", exact=True).first).to_be_visible()
    expect(page.get_by_text("asks that checkpoint of the model")).to_have_count(0)
    expect(page.get_by_text("o checkpoint do modelo a consultar").first).to_be_visible()
    expect(page.get_by_text("Mín. 1", exact=True).first).to_be_visible()
    expect(page.get_by_text("00000000000")).to_have_count(0)  # a limit that limits nobody
    page.locator("input[type=file]").first.set_input_files(ROOT / "docs/seven.png")
    page.get_by_role("button", name="EXPERIMENTAR", exact=True).click()
    expect(page.get_by_text("Status da resposta: OK:200")).to_be_visible()
    expect(page.get_by_role("button", name="LIMPAR RESPOSTA")).to_be_visible()
    assert not violations(page)
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_folded_and_unfolded(address: str, chromium: Browser, scheme: str) -> None:
    context = chromium.new_context(color_scheme=scheme, locale="pt-BR", viewport={"width": 1200, "height": 800})
    page = context.new_page()
    page.goto(f"{address}/docs")
    expect(page.get_by_text("Expandir", exact=True)).to_be_visible()
    assert not violations(page)
    page.get_by_text("/predict_{name}", exact=False).first.click()
    expect(page.get_by_text("REQUISIÇÃO", exact=True)).to_be_visible()
    assert not violations(page)
    context.close()


def test_it_is_reached_from_every_page_and_stays_in_another_language(address: str, chromium: Browser) -> None:
    context = chromium.new_context(locale="en-US")
    page = context.new_page()
    page.goto(address)
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="API").click()
    page.get_by_role("link", name="Português").click()
    expect(page.get_by_text("Recolher", exact=True)).to_be_visible()
    context.close()


def outside(url: str, address: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme.startswith("http") and parts.netloc != urlsplit(address).netloc


@pytest.mark.parametrize(("lang", "title"), [("en", "API"), ("pt-BR", "Esta página precisa de JavaScript")])
def test_without_scripts_it_leads_to_the_description(client: FlaskClient, lang: str, title: str) -> None:
    page = client.get(f"/docs?lang={lang}")
    assert page.status_code == 200
    assert title in page.text
    assert "<main><h1>API</h1>" in page.text
    assert 'href="/openapi.json"' in page.text
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]


def test_what_is_not_ours_has_its_licence_beside_it() -> None:
    folder = ROOT / "webui/static/rapidoc"
    assert "Mrinmoy Majumdar" in (folder / "LICENSE.txt").read_text()
    assert {path.name for path in folder.iterdir()} == {
        "LICENSE.txt",
        "rapidoc-min.js",
        "rapidoc-min.js.LICENSE.txt",
    }
