"""The page in a real Chromium over real HTTP: by keyboard, without JavaScript, in both languages, at any width."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from webui import create_app
from zoo import Zoo, datasets

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
Opener = Callable[..., Page]


class Quiet(WSGIRequestHandler):
    """A handler that leaves the test's output alone."""

    def log(self, type: str, message: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The address of a running server with the zoo of the repository."""
    server = make_server("127.0.0.1", 0, create_app(Zoo.open(ROOT)), threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser, site: str) -> Iterator[Opener]:
    """Opens the front page in a fresh profile. Afterwards nothing may have failed, or been asked of another host."""
    contexts, troubles, asked = [], [], []

    def opened(**options: Any) -> Page:
        context = chromium.new_context(**{"locale": "en-US", "viewport": {"width": 1280, "height": 900}} | options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda line: troubles.append(line.text) if line.type in ("error", "warning") else None)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(site)
        return page

    yield opened
    for context in contexts:
        context.close()
    # Chromium reports a page whose status is an error; the tests that cause one ask for it themselves.
    assert not [trouble for trouble in troubles if "the server responded with a status of" not in trouble]
    assert not [url for url in asked if not url.startswith((f"{site}/", "data:", f"blob:{site}"))]


def digit(index: int = 0) -> Any:
    """A test digit of MNIST as a person would send it, as an upload: 7, 2, 1, 0 …"""
    picture = PIL.Image.fromarray(255 - datasets.test_data("mnist").images[index, ..., 0])
    file = io.BytesIO()
    picture.resize((280, 280), PIL.Image.Resampling.BICUBIC).save(file, "PNG")
    return {"name": "digit.png", "mimeType": "image/png", "buffer": file.getvalue()}


def tab_to(page: Page, selector: str, key: str = "Tab") -> None:
    """Press Tab until the element has the focus, as one without a mouse does."""
    for _ in range(20):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press(key)
    pytest.fail(f"{selector} cannot be reached by {key}")


def predict(page: Page, index: int = 0) -> None:
    page.set_input_files("#file", digit(index))
    page.get_by_role("button", name="Predict").click()


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def test_choose_upload_predict_and_clear_by_keyboard(visit: Opener) -> None:
    page = visit()
    tab_to(page, "#file")
    page.set_input_files("#file", digit())
    expect(page.locator("#preview")).to_be_visible()
    tab_to(page, "input[type=radio]")
    tab_to(page, "input[value=linear]", "ArrowDown")
    tab_to(page, "button[type=submit]")
    page.keyboard.press("Enter")
    expect(page.locator("#digit")).to_have_text("7")
    expect(page.get_by_text("linear reads 7")).to_be_visible()
    expect(page.locator("input[value=linear]")).to_be_checked()
    expect(page.get_by_role("row", name="7")).to_contain_text("%")
    tab_to(page, "#clear")
    page.keyboard.press("Enter")
    expect(page.locator("#digit")).to_have_count(0)
    expect(page.locator("input[value=linear]")).to_be_checked()
    assert page.input_value("#file") == ""


def test_what_has_the_focus_shows_it_and_is_not_covered(visit: Opener) -> None:
    page = visit(viewport={"width": 360, "height": 640})
    for _ in range(14):
        page.keyboard.press("Tab")
        outlined, covered = page.evaluate(
            """() => {
                const focused = document.activeElement, box = focused.closest(".card, .drop") ?? focused;
                const {left, top, width, height} = box.getBoundingClientRect();
                const hit = document.elementFromPoint(left + width / 2, Math.min(top + height / 2, innerHeight - 1));
                const bar = document.querySelector(".actions");
                return [focused === document.body || getComputedStyle(box).outlineStyle !== "none",
                        bar.contains(hit) && !bar.contains(box)];
            }"""
        )
        assert outlined
        assert not covered


def test_all_of_it_works_without_javascript(visit: Opener) -> None:
    page = visit(java_script_enabled=False)
    page.locator("input[value=cnn_5]").check()
    predict(page, index=1)
    expect(page.locator("#digit")).to_have_text("2")
    expect(page.locator("input[value=cnn_5]")).to_be_checked()
    page.get_by_role("link", name="Clear").click()
    expect(page.locator("#digit")).to_have_count(0)


def test_a_picture_can_be_dropped_or_pasted(visit: Opener) -> None:
    page = visit()
    event = """([type, bytes]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(bytes)], `${type}.png`, {type: "image/png"}));
        const options = {bubbles: true, cancelable: true, dataTransfer: transfer, clipboardData: transfer};
        document.body.dispatchEvent(type === "drop" ? new DragEvent(type, options) : new ClipboardEvent(type, options));
    }"""
    for type in ("drop", "paste"):
        page.evaluate(event, [type, list(digit()["buffer"])])
        assert page.evaluate("document.querySelector('#file').files[0].name") == f"{type}.png"
        expect(page.locator("#preview")).to_be_visible()
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#digit")).to_have_text("7")


def test_a_file_that_is_no_picture_is_told_in_place(visit: Opener) -> None:
    page = visit()
    page.set_input_files("#file", {"name": "digit.png", "mimeType": "image/png", "buffer": b"some text"})
    expect(page.locator("#preview")).to_be_hidden()
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_role("alert")).to_contain_text("This file is not a picture that can be read")
    predict(page)
    expect(page.locator("#digit")).to_have_text("7")


def test_a_blank_picture_is_told_to_be_blank(visit: Opener) -> None:
    page = visit()
    file = io.BytesIO()
    PIL.Image.new("L", (200, 200), 255).save(file, "PNG")
    page.set_input_files("#file", {"name": "blank.png", "mimeType": "image/png", "buffer": file.getvalue()})
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_role("status", name="Answer")).to_contain_text("The picture is blank")


def test_the_page_speaks_brazilian_portuguese(visit: Opener) -> None:
    page = visit(locale="pt-BR")
    expect(page.locator("html")).to_have_attribute("lang", "pt-BR")
    page.set_input_files("#file", digit())
    page.get_by_role("button", name="Prever").click()
    expect(page.get_by_text("deep lê 7")).to_be_visible()
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", name="Which digit is this?")).to_be_visible()
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "en")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 360, 768, 1280, 2560])
def test_it_fits_every_width_in_light_and_dark(visit: Opener, tmp_path: Path, width: int, scheme: str) -> None:
    page = visit(viewport={"width": width, "height": 900}, color_scheme=scheme, locale="pt-BR")
    assert overflow(page) == 0
    page.screenshot(path=tmp_path / "start.png")
    ground = np.asarray(PIL.Image.open(tmp_path / "start.png").convert("L"))[-1, 0]
    assert (ground < 64) == (scheme == "dark")
    page.set_input_files("#file", digit())
    page.get_by_role("button", name="Prever").click()
    expect(page.locator("#digit")).to_be_in_viewport()
    assert overflow(page) == 0
    page.goto(page.url.split("#")[0] + "a-long-address-that-does-not-exist-" * 6)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.locator("summary").click()
    assert overflow(page) == 0
