"""Drawing on the board in a real Chromium: what people's pens drew is read right, at once, and is never lost."""

from __future__ import annotations

import io
from collections.abc import Callable
from statistics import median
from typing import Any

import drawing
import numpy as np
import PIL.Image
import pytest
from playwright.sync_api import Page, Route, expect
from seeing import violations

from zoo.types import NOTHING, REASONS

Opener = Callable[..., Page]


def read(page: Page, strokes: list[drawing.Track]) -> str:
    """Draw a digit on the cleared board; what the page reads, or the empty string when it rejects it."""
    for stroke in strokes:
        before = page.evaluate("performance.now()")
        drawing.draw(page, stroke)
    page.wait_for_function(
        "before => performance.getEntriesByName('stroke to answer').at(-1)?.startTime > before", arg=before
    )
    text = page.locator("#digit").text_content() or ""
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#answer")).to_have_class("answer waiting")
    return text


@pytest.mark.long
def test_a_few_digits_of_people_are_read_as_they_are_drawn(visit: Opener) -> None:
    page = visit()
    chosen = dict(drawing.tracks())
    assert [read(page, chosen[label]) for label in "02367"] == [*"02367"]


@pytest.mark.long
def test_a_hundred_digits_of_people_are_read_right(visit: Opener) -> None:
    page = visit()
    told = [(label, read(page, strokes)) for label, strokes in drawing.tracks()]
    wrong = [(label, found) for label, found in told if found not in (label, "")]
    refused = [label for label, found in told if not found]
    assert len(wrong) <= 2, wrong
    assert len(refused) <= 4, refused


def test_the_drawing_outlives_a_reload_a_switch_of_language_and_a_clear(visit: Opener) -> None:
    page = visit()
    drawing.draw(page, drawing.SEVEN)
    expect(page.locator("#digit")).to_have_text("7")
    page.reload()
    expect(page.locator("#digit")).to_have_text("7")
    page.get_by_role("link", name="Português").click()
    expect(page.locator("#sentence")).to_have_text("deep lê 7")
    page.get_by_role("button", name="Limpar").click()
    expect(page.locator("#digit")).to_be_empty()
    page.get_by_role("button", name="Desfazer").click()
    expect(page.locator("#digit")).to_have_text("7")


def inked(page: Page) -> int:
    """How many pixels of the board are dark."""
    shot = PIL.Image.open(io.BytesIO(page.locator("#paper").screenshot())).convert("L")
    return int((np.asarray(shot) < 100).sum())


def test_the_eraser_and_the_brush_change_the_ink(visit: Opener) -> None:
    page = visit()
    drawing.draw(page, drawing.ONE)
    expect(page.locator("#digit")).to_have_text("1")
    thin = inked(page)
    page.get_by_role("button", name="Eraser").click()
    drawing.draw(page, drawing.ONE[1:])
    expect(page.locator("#undo")).to_be_enabled()
    assert inked(page) < 0.7 * thin
    page.get_by_role("button", name="Eraser").click()
    page.get_by_role("button", name="Clear").click()
    page.locator("#size").fill("72")
    drawing.draw(page, drawing.ONE)
    assert inked(page) > 1.4 * thin


def test_the_eraser_is_put_away_with_what_it_could_erase(visit: Opener) -> None:
    page = visit()
    eraser = page.get_by_role("button", name="Eraser")
    expect(eraser).to_be_disabled()
    drawing.draw(page, drawing.ONE)
    expect(page.locator("#digit")).to_have_text("1")
    eraser.click()
    page.get_by_role("button", name="Clear").click()
    expect(eraser).to_be_disabled()
    expect(eraser).to_have_attribute("aria-pressed", "false")
    drawing.draw(page, drawing.SEVEN)
    expect(page.locator("#digit")).to_have_text("7")


def test_what_is_pressed_but_of_no_use_now_does_not_look_pressed(visit: Opener) -> None:
    page = visit()
    colours = """button => {
        const {color, borderColor, backgroundColor} = getComputedStyle(button);
        return [color, borderColor, backgroundColor];
    }"""
    drawing.draw(page, drawing.ONE)
    for button in ("#why", "#steps"):
        page.locator(button).click()
    expect(page.locator("#heat")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#why")).to_be_disabled()
    page.mouse.move(0, 0)
    plain = page.locator("#read").evaluate(colours)
    assert [page.locator(button).evaluate(colours) for button in ("#why", "#steps")] == [plain, plain]


def test_a_finger_draws_and_the_page_does_not_scroll(visit: Opener) -> None:
    page = visit(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    board = page.locator("#board")
    board.scroll_into_view_if_needed()
    box = board.bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    path = drawing.smooth(drawing.SEVEN) * [0.45, 0.6] + [0.27, 0.2]
    places = [{"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]} for x, y in path]
    before = page.evaluate("scrollY")
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": places[:1]})
    for place in places[1:]:
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [place]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(page.locator("#digit")).to_have_text("7")
    assert page.evaluate("scrollY") == before


def test_the_answer_comes_while_the_stroke_is_still_under_way(visit: Opener) -> None:
    page = visit()
    drawing.one_begun(page)
    expect(page.locator("#digit")).to_have_text("1")
    page.mouse.up()


def test_all_models_vote_and_can_be_sorted_and_sieved(visit: Opener) -> None:
    page = visit("/?sample=4740")
    expect(page.locator(".agrees, .differs")).to_have_count(page.locator(".card").count())
    page.locator("#dissent").check()
    expect(page.locator(".card:visible")).to_have_count(page.locator(".differs").count())
    expect(page.locator("#shown")).to_contain_text("models shown")
    page.locator("#dissent").uncheck()
    page.locator("#sort").select_option("parameters")
    expect(page.locator(".card").first).to_have_attribute("data-name", "tiny")
    page.locator("#sort").select_option("accuracy")
    expect(page.locator(".card").last).to_have_attribute("data-name", "linear")
    told = page.locator(".card").evaluate_all("cards => cards.map((card) => Number(card.dataset.accuracy))")
    assert told == sorted(told, reverse=True)
    page.locator("#sift").fill("cnn_")
    expect(page.locator(".card:visible")).to_have_count(3)


def test_models_that_are_torn_are_counted(visit: Opener) -> None:
    page = visit()

    def torn(route: Route) -> None:
        told = route.fetch().json()
        told |= {"label": None, "counts": [{"label": "4", "votes": 1}, {"label": "8", "votes": 1}]}
        route.fulfill(json=told)

    page.route("**/arena", torn)
    drawing.draw(page, drawing.ONE)
    expect(page.locator("#consensus")).to_have_text("The models are split: 4 (1 model), 8 (1 model).")


REJECTED = """async (reason) => {
    const answer = await import(new URL("static/js/answer.js", location.origin));
    answer.show({model: "cnn_300", label: "8", reason, rejected: true, confidence: 0.5, checkpoint: "cnn_300/1",
        probabilities: Array(10).fill(0.1), trace: {seen: "", box: [0, 0, 1, 1], polarity: "dark-on-light"}}, 1234);
}"""


def test_nothing_moves_when_an_answer_comes(visit: Opener) -> None:
    for width in (360, 900, 1280):
        page = visit(viewport={"width": width, "height": 900}, locale="pt-BR")
        places = """() => ["#bars", "#why", "#cards", ".strip"].map(
            (one) => Math.round(document.querySelector(one).getBoundingClientRect().top + scrollY))"""
        before = page.evaluate(places)
        drawing.draw(page, drawing.SEVEN)
        expect(page.locator(".agrees").first).to_be_visible()
        assert page.evaluate(places) == before
        for reason in {*REASONS, *NOTHING}:
            page.evaluate(REJECTED, reason)
            assert page.evaluate(places) == before, f"{reason}, {width} px"


SHIFTS = """
globalThis.shifts = [];
new PerformanceObserver((list) => shifts.push(...list.getEntries().map((shift) => shift.value)))
    .observe({type: "layout-shift", buffered: true});
"""


def shifted(page: Page) -> float:
    """How much has moved on a page with that script, by its own doing or after what one did."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return float(page.evaluate("shifts.reduce((sum, one) => sum + one, 0)"))


@pytest.mark.parametrize("size", [(360, 900), (1280, 900), (844, 390)])
def test_no_layout_shift_is_counted_from_the_load_to_the_votes(visit: Opener, size: tuple[int, int]) -> None:
    # A smooth scroll that is under way when the answer comes was once counted as a shift.
    page = visit("/models", viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce")
    page.context.add_init_script(SHIFTS)
    page.goto(page.url.replace("/models", "/"))
    drawing.draw(page, drawing.SEVEN)
    expect(page.locator(".agrees, .differs")).to_have_count(page.locator(".card").count())
    page.locator(".strip a").nth(13).click()
    expect(page.locator("#digit")).not_to_have_text("7")
    assert shifted(page) < 0.01


def test_on_a_phone_everything_stands_in_the_order_in_which_it_comes(visit: Opener) -> None:
    # What is painted before all of the page has come would be moved by what goes above it.
    page = visit(viewport={"width": 360, "height": 900})
    tops = page.locator(".bench > section, .play > section:not([hidden])").evaluate_all(
        "all => all.map((one) => Math.round(one.getBoundingClientRect().top))"
    )
    assert tops == sorted(tops)
    assert len(set(tops)) == len(tops) >= 4


def test_a_stale_answer_never_overtakes_a_newer_one(visit: Opener) -> None:
    page = visit()
    held: list[Route] = []
    page.route("**/predict_*", lambda route: held.append(route) if not held else route.continue_())
    page.locator(".strip a").nth(1).click()
    page.wait_for_function("() => document.querySelector('#undo').disabled === false")
    page.locator(".strip a").nth(7).click()
    expect(page.locator("#digit")).to_have_text("7")
    held[0].fulfill(json={"model": "deep", "label": "1", "probabilities": [0] * 10, "rejected": False})
    page.locator("#why").click()
    expect(page.locator("#heat")).to_be_visible()
    expect(page.locator("#digit")).to_have_text("7")


def test_a_server_that_stops_half_way_loses_nothing(visit: Opener, host: Any) -> None:
    page = visit()
    drawing.draw(page, drawing.ONE)
    expect(page.locator("#digit")).to_have_text("1")
    host.stop()
    try:
        drawing.draw(page, np.array([(0.1, 0.2), (0.5, 0.0)]))
        expect(page.get_by_role("alert")).to_contain_text("Cannot reach the server")
        expect(page.locator("#answer")).to_have_class("answer stale")
        assert not violations(page)
    finally:
        host.start()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("#facts")).to_contain_text("checkpoint deep/")
    expect(page.locator("#answer")).not_to_have_class("stale")
    assert page.evaluate("JSON.parse(sessionStorage['zoo.board']).done.length") == 2


@pytest.mark.long
def test_a_slow_server_and_a_lost_model_are_told_apart_and_move_nothing(visit: Opener) -> None:
    page = visit("/models")
    page.context.add_init_script(SHIFTS)
    page.goto(page.url.replace("/models", "/"))
    held: list[Route] = []
    page.route("**/predict_deep*", lambda route: held.append(route))
    drawing.draw(page, drawing.ONE)
    expect(page.get_by_role("alert")).to_contain_text("The server is slow")
    held[-1].continue_()
    expect(page.locator("#digit")).to_have_text("1")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.route("**/predict_deep*", lambda route: route.fulfill(status=503, json={"error": "It is damaged."}))
    page.locator("input[value=linear]").check()
    expect(page.get_by_text("linear reads 1")).to_be_visible()
    page.locator("input[value=deep]").check()
    expect(page.get_by_role("alert")).to_contain_text("This model cannot answer now")
    expect(page.get_by_role("alert")).to_contain_text("It is damaged.")
    page.locator("input[value=linear]").check()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.set_input_files("#file", {"name": "digit.png", "mimeType": "image/png", "buffer": b"some text"})
    expect(page.get_by_role("alert")).to_contain_text("This file is not a supported picture")
    page.get_by_role("button", name="Close").press("Enter")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("#answer")).to_be_focused()
    assert shifted(page) < 0.01


@pytest.mark.long
def test_the_bars_move_soon_after_the_stroke_ends(visit: Opener) -> None:
    """In the best of thirty, since other work on the machine can only add to it; the benchmark tells the median."""
    page = visit()
    for _ in range(30):
        read(page, [drawing.SEVEN])
    times = page.evaluate("performance.getEntriesByName('stroke to answer').map((entry) => entry.duration)")
    assert min(times) < 50, f"best {min(times):.0f} ms, median {median(times):.0f} ms"
