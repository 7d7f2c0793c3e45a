"""The door in a real Chromium: signing in and out, scripts that post, and a policy that nothing on a page offends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from guarding import KEYS, PHONE, picture, serving_with
from playwright.sync_api import Browser, Page, expect
from seeing import overflow, violations
from serving import Served

pytestmark = pytest.mark.long

FRONT = "/?model=cnn"
Opener = Callable[..., Page]

POST = """async ([path, token]) => {
    const headers = token ? {"X-CSRF-Token": document.querySelector('meta[name="csrf-token"]').content} : {};
    const form = new FormData();
    form.append("file", document.querySelector("#file").files[0]);
    const answer = await fetch(path, {method: "POST", headers, body: form});
    return [answer.status, await answer.json()];
}"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving_with(tmp_path_factory.mktemp("door"), f'prefix = "/zoo"\n{KEYS}') as running:
        yield running


@pytest.fixture(scope="module")
def site(served: Served) -> str:
    """The address under its prefix, for `visit`."""
    return f"{served.url}/zoo"


def digit() -> Any:
    name, content = picture()["file"]
    return {"name": name, "mimeType": "image/png", "buffer": content}


def enter(page: Page, key: str = PHONE) -> None:
    page.get_by_label("Key", exact=True).fill(key)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without"])
def test_a_key_is_asked_for_once_and_the_page_works(visit: Opener, scripts: bool) -> None:
    page = visit(FRONT, java_script_enabled=scripts)
    expect(page.get_by_role("heading", name="Sign in with a key")).to_be_visible()
    enter(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("Key not recognised")
    expect(page.get_by_label("Key", exact=True)).to_be_focused()
    enter(page)
    expect(page.get_by_role("heading", name="Which digit is this?")).to_be_visible()
    assert page.url.endswith("/zoo/?model=cnn")
    for _ in range(2):
        page.set_input_files("#file", digit())
        if not scripts:
            page.get_by_role("button", name="Predict").click()
        expect(page.locator("#digit")).to_have_text("7")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in with a key")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Sign in with a key")).to_be_visible()


def test_the_keyboard_is_enough(visit: Opener) -> None:
    page = visit(FRONT)
    for _ in range(10):
        if page.evaluate("document.activeElement.id") == "key":
            break
        page.keyboard.press("Tab")
    page.keyboard.type(PHONE)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Which digit is this?")).to_be_visible()


def test_a_script_of_the_page_posts_with_its_token_and_no_script_reads_the_cookie(
    visit: Opener, served: Served
) -> None:
    page = visit(FRONT)
    enter(page)
    page.goto(f"{served.url}/zoo/models")
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('input'), {type: 'file', id: 'file', name: 'file'}))"
    )
    page.set_input_files("#file", digit())
    assert page.evaluate(POST, ["predict_cnn", False])[0] == 403
    status, answer = page.evaluate(POST, ["predict_cnn", True])
    assert (status, answer["digit"]) == (200, 7)
    assert "zoo_session" not in page.evaluate("document.cookie")


def test_the_policy_is_in_force(chromium: Browser, served: Served) -> None:
    page = chromium.new_context(locale="en-US").new_page()
    page.goto(f"{served.url}/zoo/")
    enter(page)
    expect(page.get_by_role("heading", name="Which digit is this?")).to_be_visible()
    violated = page.evaluate(
        """() => new Promise((resolve) => {
            const found = [];
            document.addEventListener("securitypolicyviolation", (event) => {
                found.push(event.effectiveDirective);
                if (found.length === 4) resolve(found.sort());
            });
            document.body.append(Object.assign(document.createElement("script"), {textContent: "window.inline = 1"}));
            document.body.setAttribute("style", "color: red");
            document.body.append(Object.assign(new Image(), {src: "https://elsewhere.example/a.png"}));
            document.head.append(Object.assign(document.createElement("base"), {href: "https://elsewhere.example/"}));
        })"""
    )
    assert violated == ["base-uri", "img-src", "script-src-elem", "style-src-attr"]
    assert page.evaluate("window.inline") is None
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 360, 1280])
def test_the_door_fits_every_width(visit: Opener, width: int, scheme: str) -> None:
    page = visit(FRONT, viewport={"width": width, "height": 800}, color_scheme=scheme, locale="pt-BR")
    expect(page.get_by_role("heading", name="Entre com uma chave")).to_be_visible()
    assert overflow(page) == 0
    assert not violations(page)
    page.get_by_label("Chave", exact=True).fill(PHONE)
    page.get_by_role("button", name="Entrar").click()
    expect(page.get_by_role("button", name="Sair")).to_be_visible()
    page.wait_for_load_state()  # its styles too
    if width > 320:
        rooms, leave = (page.locator(one).bounding_box() for one in (".rooms", ".leave"))
        assert rooms is not None
        assert leave is not None
        assert rooms["y"] <= leave["y"] + leave["height"] / 2 <= rooms["y"] + rooms["height"]
    assert overflow(page) == 0
