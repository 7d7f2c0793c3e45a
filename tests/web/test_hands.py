"""Pens, fingers, erasers and keys on the board in a real Chromium, and what is said of what is no single digit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import drawing
import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest
from asking import drawing as dark_on_light
from asking import saved
from playwright.sync_api import CDPSession, Page, expect

pytestmark = pytest.mark.long

Opener = Callable[..., Page]
BOARD = "JSON.parse(sessionStorage['zoo.board'] ?? '{}')"


def marks(page: Page, count: int) -> None:
    """Wait until so many marks of the board are kept."""
    page.wait_for_function(f"count => {BOARD}.done?.length === count", arg=count)


def places(page: Page, points: Any) -> list[dict[str, float]]:
    """Points in 0-1 of the board, as places in the window."""
    page.locator("#board").scroll_into_view_if_needed()
    box = page.locator("#board").bounding_box()
    assert box is not None
    return [{"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]} for x, y in points]


def touch(session: CDPSession, kind: str, *at: dict[str, float]) -> None:
    points = [{**place, "id": number} for number, place in enumerate(at)]
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def write(session: CDPSession, track: list[dict[str, float]]) -> None:
    """A stroke of a pen."""
    kinds = ["mousePressed", *["mouseMoved"] * (len(track) - 2), "mouseReleased"]
    for kind, place in zip(kinds, track, strict=True):
        pen = {"pointerType": "pen", "button": "left", "buttons": int(kind != "mouseReleased"), "clickCount": 1}
        session.send("Input.dispatchMouseEvent", {"type": kind, **place, **pen})


def test_the_eraser_is_put_away_when_it_has_erased_everything(visit: Opener) -> None:
    page = visit()
    drawing.draw(page, drawing.ONE)
    expect(page.locator("#digit")).to_have_text("1")
    page.locator("#size").fill("72")
    page.get_by_role("button", name="Eraser").click()
    drawing.draw(page, drawing.smooth(drawing.ONE), 0.9)
    expect(page.locator("#eraser")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#invite")).to_be_visible()
    expect(page.locator("#sentence")).to_have_text("Draw, and the answer appears here.")
    drawing.draw(page, drawing.SEVEN)
    expect(page.locator("#digit")).to_have_text("7")


def test_a_pen_writes_though_a_hand_rests_on_the_board(visit: Opener) -> None:
    page = visit(has_touch=True)
    session = page.context.new_cdp_session(page)
    palm = places(page, [(0.9, 0.9)])
    touch(session, "touchStart", *palm)
    write(session, places(page, drawing.smooth(drawing.SEVEN) * 0.64 + 0.18))
    expect(page.locator("#digit")).to_have_text("7")
    touch(session, "touchEnd")
    marks(page, 1)


def test_a_palm_that_lands_between_two_strokes_of_a_pen_draws_nothing(visit: Opener) -> None:
    page = visit(has_touch=True)
    session = page.context.new_cdp_session(page)
    palm = places(page, [(0.85, 0.9), (0.88, 0.92)])
    for at in (0.3, 0.6):
        write(session, places(page, drawing.ONE * [0.3, 0.5] + [at, 0.2]))
        touch(session, "touchStart", palm[0])
        touch(session, "touchMove", palm[1])
        touch(session, "touchEnd")
    marks(page, 2)
    assert page.evaluate(f"{BOARD}.done.every((mark) => mark.pen)")


def test_two_fingers_draw_nothing(visit: Opener) -> None:
    page = visit(viewport={"width": 390, "height": 844}, has_touch=True)
    session = page.context.new_cdp_session(page)
    first, second = (places(page, way * [0.3, 0.5] + at) for way, at in ((drawing.ONE, 0.1), (drawing.ONE, 0.6)))
    touch(session, "touchStart", first[0])
    touch(session, "touchMove", first[1])
    touch(session, "touchStart", first[1], second[0])
    touch(session, "touchMove", first[2], second[2])
    touch(session, "touchEnd")
    expect(page.locator("#invite")).to_be_visible()
    touch(session, "touchStart", first[0])
    touch(session, "touchMove", first[2])
    touch(session, "touchEnd")
    expect(page.locator("#invite")).to_be_hidden()
    marks(page, 1)


def test_a_tool_of_no_use_any_more_keeps_the_focus_and_the_next_key_draws_nothing(visit: Opener) -> None:
    page = visit()
    drawing.draw(page, drawing.ONE)
    expect(page.locator("#digit")).to_have_text("1")
    for name in ("clear", "undo", "undo", "redo", "redo"):
        tool = page.locator(f"#{name}")
        if not tool.evaluate("one => one === document.activeElement"):
            tool.focus()
        page.keyboard.press("Enter")
        expect(tool).to_be_focused()
    expect(page.locator("#redo")).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    expect(page.locator("#redo")).to_be_focused()
    marks(page, 2)
    page.keyboard.press("Shift+Tab")
    expect(page.locator("#redo")).not_to_have_attribute("aria-disabled", "true")
    expect(page.locator("#redo")).to_be_disabled()


def test_help_for_the_keyboard_is_out_of_the_way_once_it_is_used(visit: Opener) -> None:
    page = visit()
    hint = page.locator("#board-hint")
    while not page.locator("#board").evaluate("one => one === document.activeElement"):
        page.keyboard.press("Tab")
    expect(hint).to_be_visible()
    expect(page.locator("#invite")).to_be_hidden()
    page.keyboard.press("ArrowDown")
    expect(hint).to_be_hidden()
    expect(page.locator("#pen")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    expect(hint).to_be_visible()


def test_digits_drawn_in_a_row_are_read_one_by_one_and_nothing_moves(visit: Opener) -> None:
    page = visit(viewport={"width": 390, "height": 844})
    tops = """() => ["#bars", "#why", "#cards"].map(
        (one) => document.querySelector(one).getBoundingClientRect().top + scrollY)"""
    before = page.evaluate(tops)
    for at in range(3):
        drawing.draw(page, drawing.SEVEN * [0.25, 0.4] + [0.02 + 0.36 * at, 0.3], 0.9)
    expect(page.locator("#sentence")).to_have_text("More than one object. One by one, deep reads 777.")
    expect(page.locator("#boxes rect")).to_have_count(3)
    expect(page.locator("#reading")).to_be_hidden()
    expect(page.locator("#digit")).to_have_text("777")
    expect(page.locator("#answer")).to_have_class("answer many")
    expect(page.locator("#facts")).not_to_contain_text("confidence")
    expect(page.locator("#bars td:last-child")).to_have_text(["\N{EN DASH}"] * 10)
    expect(page).to_have_title("777 · Digit zoo")
    assert page.locator("#paper").get_attribute("data-answer") is None
    assert page.evaluate(tops) == before
    expect(page.locator("#consensus")).to_have_text("More than one object: there is no single digit to vote on.")
    expect(page.locator(".stance").first).to_contain_text("sees several, maybe")
    page.get_by_role("button", name="Read many digits").click()
    expect(page.locator("#reading-text")).to_have_text("777")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#boxes rect")).to_have_count(0)
    expect(page.locator("#answer")).to_have_class("answer waiting")


def test_very_many_digits_are_cut_short_in_the_answer_and_whole_below_the_board(visit: Opener) -> None:
    page = visit(viewport={"width": 360, "height": 740})
    digits = "1234567890" * 5
    answer = {"text": digits, "model": "deep", "digits": []}
    page.route("**/read*", lambda route: route.fulfill(json=answer))
    page.set_input_files("#file", "docs/number.jpg")
    expect(page.locator("#digit")).to_have_text(f"{digits[:35]}…")
    expect(page.locator("#reading-text")).to_have_text(digits)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_caption_of_what_the_model_saw_does_not_contradict_the_board(visit: Opener, scheme: str) -> None:
    page = visit("/?sample=0", color_scheme=scheme)
    caption = page.locator("#polarity")
    expect(page.locator("#facts")).to_contain_text("round trip")
    expect(caption).to_have_text("28 \N{MULTIPLICATION SIGN} 28 pixels, unchanged")
    page.get_by_role("button", name="Clear").click()
    drawing.draw(page, drawing.SEVEN)
    expect(caption).to_have_text("scaled and centred in 28 \N{MULTIPLICATION SIGN} 28 pixels")
    page.set_input_files("#file", {"name": "1.png", "mimeType": "image/png", "buffer": saved(dark_on_light(2))})
    expect(caption).to_have_text("dark ink on a light background, inverted")


def triangle() -> dict[str, Any]:
    """A picture that is rejected as not a digit, as an upload."""
    picture = PIL.Image.new("L", (200, 200), 255)
    PIL.ImageDraw.Draw(picture).polygon([(100, 40), (160, 160), (40, 160)], outline=0, width=12)
    return {"name": "triangle.png", "mimeType": "image/png", "buffer": saved(picture)}


def test_red_pixels_point_to_nothing_where_there_is_no_single_digit(visit: Opener) -> None:
    page = visit()
    blank = saved(PIL.Image.new("L", (200, 200), 255))
    page.set_input_files("#file", triangle())
    page.get_by_role("button", name="Which pixels decided?").click()
    expect(page.locator("#why-hint")).to_contain_text("Red pixels would point to 0")
    expect(page.locator("#heat")).to_be_visible()
    page.set_input_files("#file", {"name": "blank.png", "mimeType": "image/png", "buffer": blank})
    for _ in range(2):  # while the button is pressed, and when it is pressed anew
        expect(page.locator("#why-hint")).to_have_text("There is no single digit to explain.")
        expect(page.locator("#heat")).to_be_hidden()
        page.get_by_role("button", name="Which pixels decided?").click()
        if page.locator("#why").get_attribute("aria-pressed") == "false":
            page.get_by_role("button", name="Which pixels decided?").click()
    expect(page.locator("#say")).to_have_text("There is no single digit to explain.")
    page.set_input_files("#file", "docs/number.jpg")
    expect(page.locator("#digit")).to_contain_text("5550143")
    expect(page.locator("#why-hint")).to_have_text("There is no single digit to explain.")
    expect(page.locator("#heat")).to_be_hidden()


def test_red_pixels_point_to_nothing_where_the_answer_came_before_the_pen_was_lifted(visit: Opener) -> None:
    page = visit()
    drawing.draw(page, drawing.SEVEN * [0.5, 1])
    page.get_by_role("button", name="Which pixels decided?").click()
    expect(page.locator("#why-hint")).to_contain_text("Red pixels point to 7")
    track = places(page, drawing.ONE * [1, 0.6] + [0.3, 0.2])
    page.mouse.move(**track[0])
    page.mouse.down()
    for place in track[1:]:
        page.mouse.move(**place)
    expect(page.locator("#sentence")).to_contain_text("More than one object")
    page.mouse.up()
    page.evaluate("() => new Promise(requestAnimationFrame)")
    expect(page.locator("#why-hint")).to_have_text("There is no single digit to explain.")
    expect(page.locator("#heat")).to_be_hidden()


def test_one_of_several_pictures_that_is_no_digit_is_not_said_to_be_blank(visit: Opener) -> None:
    page = visit()
    page.set_input_files("#file", [triangle(), triangle()])
    for told in page.locator("#several-list .what").all():
        expect(told).to_have_text("Not a digit. If it is one, it is most likely 0.")


def test_which_pixels_decided_is_shown_in_sight_on_a_phone(visit: Opener) -> None:
    page = visit("/?sample=0", viewport={"width": 360, "height": 740}, reduced_motion="reduce")
    expect(page.locator("#facts")).to_contain_text("round trip")
    page.locator("#why").evaluate("one => scrollBy(0, one.getBoundingClientRect().top - 20)")
    expect(page.locator("#seen")).not_to_be_in_viewport()
    page.locator("#why").click()
    expect(page.locator("#heat")).to_be_in_viewport(ratio=1)


def test_a_scribble_is_said_to_be_no_digit_once(visit: Opener) -> None:
    page = visit()
    angles = np.linspace(0, 12 * np.pi, 90)
    wild = np.stack([0.5 + 0.48 * np.cos(1.7 * angles), 0.5 + 0.48 * np.sin(2.3 * angles)], axis=1)
    drawing.draw(page, wild, 0.8)
    expect(page.locator("#sentence")).to_contain_text("Not a digit. If it is one, it is most likely")


def test_another_model_reads_all_that_is_shown_anew(visit: Opener) -> None:
    page = visit()
    samples = [page.request.get(f"{page.url}samples/{place}.png").body() for place in (2462, 4176)]
    page.set_input_files(
        "#file", [{"name": f"{at}.png", "mimeType": "image/png", "buffer": one} for at, one in enumerate(samples)]
    )
    rows = page.locator("#several-list .what")
    expect(page.locator("#several-list li:not(.stale)")).to_have_count(2)
    deep = rows.all_inner_texts()
    with page.expect_request("**/predict_linear*"):
        page.locator("input[value=linear]").check()
    expect(page.locator("#several-list li:not(.stale)")).to_have_count(2)
    assert all(one != other for one, other in zip(deep, rows.all_inner_texts(), strict=True))


def test_another_model_reads_all_the_digits_anew(visit: Opener) -> None:
    page = visit()
    page.set_input_files("#file", "docs/number.jpg")
    expect(page.locator("#boxes rect")).to_have_count(11)
    page.locator("input[value=linear]").check()
    expect(page.locator("#sentence")).to_contain_text("One by one, linear reads")
    expect(page.locator("#reading")).to_have_class("reading")
    told = page.locator("#reading-text").inner_text().split()
    assert " ".join(told) in page.locator("#sentence").inner_text()


def test_what_is_heard_is_the_digits_once_and_then_the_answer_of_another_model(visit: Opener) -> None:
    page = visit("/?sample=0")
    expect(page.locator("#say")).to_contain_text("deep reads 7, confidence")
    page.evaluate(
        """() => new MutationObserver((all) => all.forEach(({target}) => {
            const own = target.closest ? target : target.parentElement;
            const place = own.closest("[aria-live], [role=status], output");
            if (place?.textContent) (window.heard ??= []).push(place.textContent);
        })).observe(document.body, {subtree: true, childList: true, characterData: true})"""
    )
    page.get_by_role("button", name="Read many digits").click()
    page.wait_for_function("() => window.heard?.length")
    page.locator("input[value=linear]").check()
    page.wait_for_function("() => heard.length > 1")
    first, second = page.evaluate("heard")
    assert first == "Reads 7"
    assert second.startswith("linear reads 7, confidence")


def test_a_file_that_is_refused_again_is_told_again(visit: Opener) -> None:
    page = visit()
    large = {"name": "big.png", "mimeType": "image/png", "buffer": bytes(17_000_000)}
    alert = page.get_by_role("alert")
    page.set_input_files("#file", large)
    expect(alert).to_contain_text("This picture is too large")
    page.get_by_role("button", name="Close").click()
    page.set_input_files("#file", large)
    expect(alert).to_contain_text("This picture is too large")
    alert.evaluate("one => one.dataset.seen = 'before'")
    page.set_input_files("#file", large)
    expect(alert).not_to_have_attribute("data-seen", "before")
    expect(alert).to_contain_text("This picture is too large")


def test_a_file_that_is_no_picture_leaves_what_was_undone(visit: Opener) -> None:
    page = visit()
    page.set_input_files("#file", {"name": "1.png", "mimeType": "image/png", "buffer": saved(dark_on_light(2))})
    expect(page.locator("#digit")).to_have_text("1")
    page.get_by_role("button", name="Undo").click()
    page.set_input_files("#file", {"name": "2.png", "mimeType": "image/png", "buffer": b"some text"})
    expect(page.get_by_role("alert")).to_contain_text("This file is not a supported picture")
    page.get_by_role("button", name="Redo").click()
    expect(page.locator("#digit")).to_have_text("1")


@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
@pytest.mark.parametrize("size", [(1366, 650), (1280, 720), (1440, 780), (1280, 800), (1024, 700)])
def test_the_tools_are_in_sight_on_a_laptop(visit: Opener, size: tuple[int, int], locale: str) -> None:
    page = visit(viewport={"width": size[0], "height": size[1]}, locale=locale)
    for tool in ("#undo", "#eraser", "#clear", "#size"):
        expect(page.locator(tool)).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
@pytest.mark.parametrize(
    "size", [(360, 740), (390, 844), (768, 1024), (1280, 720), (1280, 800), (1440, 900), (1920, 1080)]
)
def test_the_buttons_to_add_a_picture_are_in_sight_in_one_row(
    visit: Opener, size: tuple[int, int], locale: str
) -> None:
    page = visit(viewport={"width": size[0], "height": size[1]}, locale=locale)
    tops = set()
    for button in ("#drop", "#camera", "#copy"):
        expect(page.locator(button)).to_be_in_viewport(ratio=1)
        tops.add(page.locator(button).evaluate("one => Math.round(one.getBoundingClientRect().top)"))
    assert len(tops) == 1
    answer = page.locator("#answer").evaluate("one => one.getBoundingClientRect().top")
    assert answer < 1.02 * size[1]  # where it begins below the window, the board shows the digit


@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
@pytest.mark.parametrize("size", [(640, 360), (667, 331), (844, 390), (932, 430)])
def test_board_tools_and_answer_are_in_sight_on_a_phone_held_sideways(
    visit: Opener, size: tuple[int, int], locale: str
) -> None:
    page = visit(viewport={"width": size[0], "height": size[1]}, locale=locale)
    drawing.draw(page, drawing.SEVEN)
    expect(page.locator("#digit")).to_have_text("7")
    for part in ("#paper", "#undo", "#eraser", "#clear", "#size", "#digit", "#sentence", "#facts", "#seen"):
        expect(page.locator(part)).to_be_in_viewport(ratio=1)
    paper = page.locator("#paper").bounding_box()
    assert paper is not None
    assert paper["height"] > 0.65 * size[1]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("size", [(1280, 900), (1366, 768)])
def test_what_is_in_sight_gets_the_focus_and_nothing_scrolls(visit: Opener, size: tuple[int, int]) -> None:
    page = visit(viewport={"width": size[0], "height": size[1]})
    drawing.draw(page, drawing.ONE)
    expect(page.locator("#undo")).to_be_enabled()
    page.locator("#board").focus()
    page.keyboard.press("Tab")
    expect(page.locator("#undo")).to_be_focused()
    assert page.evaluate("new Promise((done) => requestAnimationFrame(() => done(scrollY)))") == 0
