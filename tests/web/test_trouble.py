"""The page in a real Chromium when the server is gone, slow or fails in part: what is right stays, the rest is told."""

from __future__ import annotations

import itertools
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import drawing
import pytest
from asking import ROOT, saved
from asking import drawing as dark_on_light
from playwright.sync_api import Browser, Page, Request, Route, expect
from serving import serving

Opener = Callable[..., Page]
RATE = 1.2  # s, at the least, between two tries of a page that asks every 1.5 s


def gaps(page: Page, path: str, tries: int = 4) -> list[float]:
    """The seconds between the next tries to ask for a path."""
    times: list[float] = []

    def asked(request: Request) -> bool:
        if path in request.url:
            times.append(time.monotonic())
        return len(times) == tries

    with page.expect_request(asked):
        pass
    return [later - sooner for sooner, later in itertools.pairwise(times)]


def fail(page: Page, path: str) -> None:
    page.route(path, lambda route: route.fulfill(status=501, json={"error": "Something is broken."}))


def drawn(page: Page) -> None:
    """A one that is answered, by all models too."""
    drawing.draw(page, drawing.ONE)
    expect(page.locator("#digit")).to_have_text("1")
    expect(page.locator(".agrees, .differs")).to_have_count(page.locator(".card").count())


@pytest.mark.long
def test_a_server_that_is_gone_is_asked_again_in_peace(visit: Opener, host: Any) -> None:
    page = visit()
    host.stop()
    try:
        drawing.draw(page, drawing.ONE)
        expect(page.get_by_role("alert")).to_contain_text("Cannot reach the server")
        assert min(gaps(page, "/predict_")) > RATE
    finally:
        host.start()
    expect(page.locator("#digit")).to_have_text("1")


@pytest.mark.long
def test_one_question_that_never_arrives_is_told_and_asked_again_in_peace(visit: Opener) -> None:
    page = visit()
    drawn(page)
    page.route("**/why*", lambda route: route.abort("connectionrefused"))
    page.locator("#why").click()
    expect(page.get_by_role("alert")).to_contain_text("Cannot reach the server")
    assert min(gaps(page, "/why")) > RATE
    expect(page.get_by_role("alert")).to_contain_text("Cannot reach the server")
    expect(page.locator("#answer")).not_to_have_class("stale")
    page.unroute("**/why*")
    expect(page.locator("#heat")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_proxy_without_its_server_is_asked_again_as_a_lost_server_is(visit: Opener) -> None:
    page = visit()
    page.route("**/predict_*", lambda route: route.fulfill(status=502, content_type="text/html", body="<h1>502</h1>"))
    drawing.draw(page, drawing.ONE)
    expect(page.get_by_role("alert")).to_contain_text("Cannot reach the server")
    expect(page.locator("#sentence")).to_have_text("Waiting for the answer.")
    page.unroute("**/predict_*")
    expect(page.locator("#digit")).to_have_text("1")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_first_drawing_without_an_answer_is_not_asked_for_again(visit: Opener) -> None:
    page = visit()
    fail(page, "**/predict_*")
    drawing.draw(page, drawing.ONE)
    expect(page.locator("#sentence")).to_have_text("No answer yet.")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#sentence")).to_have_text("Draw, and the answer appears here.")


@pytest.mark.parametrize(
    ("path", "button", "released"),
    [("**/why*", "#why", "aria-pressed"), ("**/explain*", "#steps", "aria-expanded"), ("**/read*", "#read", None)],
)
def test_what_fails_beside_the_answer_leaves_it_and_lets_its_button_go(
    visit: Opener, path: str, button: str, released: str | None
) -> None:
    page = visit()
    drawn(page)
    fail(page, path)
    page.locator(button).click()
    expect(page.get_by_role("alert")).to_contain_text("Something is broken.")
    expect(page.locator("#answer")).to_have_class("answer")
    expect(page.locator("#paper")).to_have_attribute("data-answer", "1")
    if released:
        expect(page.locator(button)).to_have_attribute(released, "false")
    expect(page.locator(button)).not_to_have_attribute("aria-busy", "true")
    drawing.draw(page, drawing.ONE - [0.02, 0])
    expect(page.get_by_role("alert")).to_have_count(0)


def test_votes_that_fail_leave_the_answer_and_none_of_the_last_picture(visit: Opener) -> None:
    page = visit()
    drawn(page)
    fail(page, "**/arena")
    page.locator(".strip a").nth(7).click()
    expect(page.locator("#consensus")).to_have_text("The models could not be asked about this picture.")
    expect(page.locator("#digit")).to_have_text("7")
    expect(page.locator("#answer")).to_have_class("answer")
    expect(page.locator(".agrees, .differs")).to_have_count(0)


@pytest.mark.long
def test_votes_on_the_last_picture_are_marked_at_once_and_gone_when_others_are_slow(visit: Opener) -> None:
    page = visit()
    drawn(page)
    held: list[Route] = []
    page.route("**/arena", lambda route: held.append(route))
    page.locator(".strip a").nth(7).click()
    expect(page.locator("#arena")).to_have_class("models stale")
    expect(page.locator("#digit")).to_have_text("7")
    expect(page.locator("#consensus")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#consensus")).to_have_text("The models are still answering.")
    expect(page.locator(".agrees, .differs")).to_have_count(0)
    held[-1].continue_()
    expect(page.locator(".agrees, .differs")).to_have_count(page.locator(".card").count())
    expect(page.locator("#arena")).to_have_class("models")
    expect(page.locator("#consensus")).not_to_have_attribute("aria-busy", "true")


def test_a_stroke_whose_end_changes_nothing_leaves_the_votes_fresh(visit: Opener) -> None:
    page = visit()
    drawing.one_begun(page)
    expect(page.locator(".agrees, .differs")).to_have_count(page.locator(".card").count())
    page.mouse.up()
    expect(page.locator("#undo")).to_be_enabled()
    expect(page.locator("#arena")).to_have_class("models")


@pytest.mark.long
def test_a_slow_closer_look_shows_that_it_waits(visit: Opener) -> None:
    page = visit()
    drawn(page)
    held: list[Route] = []
    page.route("**/why*", lambda route: held.append(route))
    page.locator("#why").click()
    expect(page.locator("#why")).to_have_attribute("aria-busy", "true")
    expect(page.get_by_role("alert")).to_contain_text("The server is slow")
    held[-1].continue_()
    expect(page.locator("#heat")).to_be_visible()
    expect(page.locator("#why")).not_to_have_attribute("aria-busy", "true")
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.long
def test_a_closed_notice_is_told_again_to_one_who_tries_anew_and_a_sample_still_comes(visit: Opener, host: Any) -> None:
    page = visit()
    drawn(page)
    host.stop()
    try:
        drawing.draw(page, drawing.ONE - [0.02, 0])
        for place in (7, 2):
            expect(page.get_by_role("alert")).to_contain_text("Cannot reach the server")
            page.get_by_role("button", name="Close").click()
            expect(page.get_by_role("alert")).to_have_count(0)
            assert min(gaps(page, "", 2)) > RATE  # asked again by itself, in silence
            expect(page.get_by_role("alert")).to_have_count(0)
            page.locator(".strip a").nth(place).click()
        expect(page.get_by_role("alert")).to_contain_text("Cannot reach the server")
    finally:
        host.start()
    expect(page.locator("#digit")).to_have_text("2")
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.long
def test_a_zoo_in_which_no_model_can_answer_says_so_and_asks_nothing(chromium: Browser, tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    shutil.copy(ROOT / "plugins/linear.py", tmp_path / "plugins")
    (tmp_path / "settings.toml").write_text('[models.wide]\nplugin = "linear"\n')
    with serving([sys.executable, "-m", "zoo", "serve", "--port", "0"], tmp_path) as served:
        page = chromium.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
        page.goto(served.url)
        drawing.draw(page, drawing.SEVEN)
        expect(page.locator("#undo")).to_be_enabled()
        expect(page.locator("#sentence")).to_have_text("No model can answer yet. To train one: zoo train wide")
        for button in ("#why", "#steps", "#read"):
            expect(page.locator(button)).to_be_disabled()
        one = {"name": "digit.png", "mimeType": "image/png", "buffer": saved(dark_on_light())}
        page.set_input_files("#file", [one, one])
        expect(page.locator("#several .what")).to_have_text(["This model cannot answer now"] * 2)
        page.get_by_role("button", name="Clear").click()
        expect(page.locator("#sentence")).to_contain_text("zoo train wide")
        assert not asked
        page.close()
