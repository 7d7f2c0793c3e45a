"""Nothing that is on the board is lost or changed, and what is drawn on a picture is seen, in a real Chromium."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import drawing
import numpy as np
import PIL.Image
import pytest
from asking import drawing as dark_on_light
from asking import ink, saved
from guarding import KEYS, PHONE, serving_with
from playwright.sync_api import Browser, Page, Route, expect

pytestmark = pytest.mark.long

Opener = Callable[..., Page]


def upload(content: bytes, kind: str = "png") -> Any:
    return {"name": f"digit.{kind}", "mimeType": f"image/{kind}", "buffer": content}


def large() -> bytes:
    """A photograph of a 7 that is too long for the browser's store: 1.5 MB or more."""
    digit = np.asarray(dark_on_light(0, 1600), np.float32) * 0.8
    grain = np.random.default_rng(7).integers(0, 40, (1600, 1600, 3))
    content = saved(PIL.Image.fromarray((digit[..., None] + grain).clip(0, 255).astype(np.uint8)), "JPEG", quality=96)
    assert len(content) > 1_500_000
    return content


def transparent(colour: int) -> bytes:
    """A 7 in white (255) or black (0) ink on nothing."""
    cover = np.asarray(PIL.Image.fromarray(ink(0)).resize((560, 560), PIL.Image.Resampling.BICUBIC))
    return saved(PIL.Image.fromarray(np.dstack([np.full((560, 560, 3), colour, np.uint8), cover])))


def kept(page: Page, marks: int) -> None:
    """Wait until so many marks of the board are kept."""
    page.wait_for_function("marks => JSON.parse(sessionStorage['zoo.board'] ?? '{}').done?.length === marks", arg=marks)


def test_a_large_photograph_outlives_a_reload_with_what_was_drawn_on_it(visit: Opener) -> None:
    page = visit()
    drawing.draw(page, drawing.ONE)
    page.set_input_files("#file", upload(large(), "jpeg"))
    expect(page.locator("#digit")).to_have_text("7")
    kept(page, 2)
    page.reload()
    expect(page.locator("#digit")).to_have_text("7")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#digit")).to_have_text("1")
    page.reload()
    expect(page.locator("#digit")).to_have_text("1")
    page.get_by_role("button", name="Redo").click()
    expect(page.locator("#digit")).to_have_text("7")


def test_who_signs_out_leaves_no_drawing_to_the_next_one_in_the_tab(chromium: Browser, tmp_path: Path) -> None:
    page = chromium.new_page(locale="en-US")

    def sign_in() -> None:
        page.get_by_label("Key").fill(PHONE)
        page.get_by_role("button", name="Sign in").click()

    with serving_with(tmp_path, KEYS) as served, closing(page):
        page.goto(served.url)
        sign_in()
        drawing.draw(page, drawing.ONE)
        kept(page, 1)
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/login?left=1")
        page.wait_for_function("() => sessionStorage.length === 0")
        sign_in()
        expect(page.locator("#sentence")).to_contain_text("Draw, and the answer appears here")


def test_when_there_is_no_room_for_all_the_drawing_is_kept(visit: Opener) -> None:
    page = visit()
    noise = np.random.default_rng(3)
    for number in range(5):
        page.set_input_files(
            "#file", upload(saved(PIL.Image.fromarray(noise.integers(0, 255, (570, 570, 3), np.uint8))))
        )
        expect(page.locator("#undo")).to_be_enabled()
        page.wait_for_function(
            "count => performance.getEntriesByName('stroke to answer').length >= count", arg=number + 1
        )
    page.get_by_role("button", name="Clear").click()
    drawing.draw(page, drawing.SEVEN)
    expect(page.locator("#digit")).to_have_text("7")
    page.reload()
    expect(page.locator("#digit")).to_have_text("7")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("picture", ["black", "white ink", "black ink"])
def test_the_models_see_what_is_drawn_on_a_picture_as_people_do(visit: Opener, scheme: str, picture: str) -> None:
    page = visit(color_scheme=scheme)
    if picture == "black":
        page.set_input_files("#file", upload(saved(PIL.Image.new("L", (300, 300)))))
        expect(page.locator("#sentence")).to_contain_text("blank")
        drawing.draw(page, drawing.SEVEN)
    else:
        page.set_input_files("#file", upload(transparent(255 if picture == "white ink" else 0)))
        expect(page.locator("#digit")).to_have_text("7")
        box = page.locator("#board").bounding_box()
        assert box is not None
        page.get_by_role("button", name="Eraser").click()
        page.mouse.click(box["x"] + 20, box["y"] + 20)
    page.wait_for_function("() => JSON.parse(sessionStorage['zoo.board'] ?? '{}').done?.at(-1).kind === 'stroke'")
    expect(page.locator("#digit")).to_have_text("7")
    shown = np.asarray(PIL.Image.open(io.BytesIO(page.locator("#paper").screenshot())).convert("L"))
    light = picture != "black ink"  # the ink, on its ground
    assert (shown > 200).mean() < 0.4 if light else (shown > 200).mean() > 0.6


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (401, "Sign in with a key"),
        (403, "This page is out of date"),
        (429, "Too many requests"),
        (503, "The server is busy"),
    ],
)
def test_who_is_refused_is_told_why_and_nothing_is_lost(visit: Opener, status: int, title: str) -> None:
    page = visit()
    after = {"Retry-After": "1"} if status in (429, 503) else {}
    refuse = lambda route: route.fulfill(status=status, headers=after, json={"error": "No."})  # noqa: E731
    page.route("**/predict_deep*", refuse)
    drawing.draw(page, drawing.SEVEN)
    expect(page.get_by_role("alert")).to_contain_text(title)
    page.unroute("**/predict_deep*")
    if status == 401:
        page.get_by_role("button", name="Sign in").click()
    elif status == 403:
        page.get_by_role("button", name="Close").click()
        page.reload()
    expect(page.locator("#digit")).to_have_text("7")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_several_pictures_are_asked_about_again_when_the_server_was_lost(visit: Opener) -> None:
    page = visit(viewport={"width": 360, "height": 740})
    lost: list[Route] = []

    def lose(route: Route) -> None:
        lost.append(route)
        route.abort("connectionrefused")

    page.route("**/predict_deep*", lose)
    page.set_input_files("#file", [upload(saved(dark_on_light(index))) for index in range(2)])
    expect(page.locator("#several-list li").first).to_contain_text("Cannot reach the server")
    expect(page.locator("#several")).to_be_in_viewport()
    page.unroute("**/predict_deep*")
    expect(page.locator("#several-list b")).to_have_text(["7", "2"])
    expect(page.locator("#say")).to_contain_text("2 pictures: digit.png: 7")
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#several")).to_be_hidden()
    assert lost


def test_several_pictures_outlive_a_switch_of_language_until_they_are_closed(visit: Opener) -> None:
    page = visit()
    files = [upload(saved(dark_on_light(index))) for index in range(2)]
    page.set_input_files("#file", [*files, upload(large(), "jpeg"), upload(b"no picture", "gif")])
    page.wait_for_function("() => JSON.parse(sessionStorage['zoo.several'] ?? '[]').length === 4")
    page.get_by_role("link", name="Português").click()
    rows = page.locator("#several-list .what")
    expect(rows).to_contain_text(["7", "2", "7", "não é uma imagem"])
    expect(page.locator("#several-list .of")).to_contain_text(["digit.png", "digit.png", "digit.jpeg", "digit.gif"])
    page.set_input_files("#file", files[::-1])
    page.wait_for_function("() => JSON.parse(sessionStorage['zoo.several'] ?? '[]').length === 2")
    page.reload()
    expect(rows).to_contain_text(["2", "7"])
    page.get_by_role("button", name="Fechar").click()
    page.reload()
    expect(page.locator("#several")).to_be_hidden()


def test_what_is_asked_for_out_of_sight_is_brought_into_it(visit: Opener) -> None:
    page = visit(viewport={"width": 360, "height": 740}, reduced_motion="reduce")
    drawing.draw(page, drawing.SEVEN)
    page.get_by_role("button", name="Step by step").click()
    expect(page.locator("#closer")).to_be_in_viewport(ratio=0.3)
    expect(page.locator("#say")).to_have_text("The steps are shown below.")
    page.get_by_role("button", name="Read many digits").click()
    expect(page.locator("#reading-text")).to_be_in_viewport()


def test_steps_asked_for_twice_at_once_are_brought_into_sight_too(visit: Opener) -> None:
    page = visit(viewport={"width": 360, "height": 740}, reduced_motion="reduce")
    votes: list[Route] = []
    steps: list[Route] = []
    page.route("**/arena", lambda route: votes.append(route))
    page.route("**/explain*", lambda route: route.continue_() if steps else steps.append(route))
    with page.expect_request("**/arena"):
        drawing.draw(page, drawing.SEVEN)
    with page.expect_request("**/explain*"):
        page.get_by_role("button", name="Step by step").click()
    with page.expect_request("**/explain*"):
        votes[-1].continue_()
    expect(page.locator("#closer")).to_be_in_viewport(ratio=0.3)
    expect(page.locator("#say")).to_have_text("The steps are shown below.")


def test_a_closer_look_taken_back_before_it_is_answered_is_not_shown(visit: Opener) -> None:
    page = visit("/?sample=0")
    held: list[Route] = []
    page.route("**/why*", lambda route: held.append(route))
    page.wait_for_load_state("networkidle")  # all questions of the board are answered
    button = page.get_by_role("button", name="Which pixels decided?")
    with page.expect_request("**/why*") as asked:
        button.click()
    with page.expect_event("requestfailed", lambda request: request == asked.value, timeout=10_000):
        button.click()
    expect(page.locator("#heat")).to_be_hidden()


def test_the_model_chosen_last_stays_chosen_and_a_link_says_what_it_holds(visit: Opener) -> None:
    page = visit()
    page.locator("input[value=tiny]").check()
    drawing.draw(page, drawing.SEVEN)
    expect(page.get_by_text("tiny reads 7")).to_be_visible()
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#toast")).to_contain_text("but not the drawing")
    page.get_by_role("link", name="Models", exact=True).click()
    page.get_by_role("link", name="Draw", exact=True).click()
    expect(page.get_by_text("tiny reads 7")).to_be_visible()


def test_a_hard_digit_says_what_it_is(visit: Opener) -> None:
    page = visit("/?sample=2130")
    expect(page.locator("#facts")).to_contain_text("labelled 4 by MNIST")
    page.locator(".strip a").first.click()
    expect(page.locator("#facts")).to_contain_text("labelled 0 by MNIST")
    drawing.draw(page, drawing.ONE)
    expect(page.locator("#facts")).not_to_contain_text("labelled")


@pytest.mark.parametrize(
    ("address", "told"), [("?model=nope", "Model not found"), ("?sample=99999", "Test picture not found")]
)
def test_an_address_that_names_what_there_is_not_says_so(visit: Opener, address: str, told: str) -> None:
    page = visit("/" + address)
    expect(page.get_by_role("alert")).to_contain_text(told)
    drawing.draw(page, drawing.SEVEN)
    expect(page.locator("#digit")).to_have_text("7")
    expect(page.get_by_role("alert")).to_contain_text(told)
