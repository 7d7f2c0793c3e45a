"""The page in a real Chromium over real HTTP: by keyboard, without JavaScript, in both languages, at any width."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from asking import drawing, saved
from playwright.sync_api import Page, expect
from seeing import overflow, violations

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
Opener = Callable[..., Page]


def digit(index: int = 0) -> Any:
    """A test digit of MNIST as a person would send it, as an upload: 7, 2, 1, 0 …"""
    return {"name": "digit.png", "mimeType": "image/png", "buffer": saved(drawing(index))}


def tab_to(page: Page, selector: str, key: str = "Tab") -> None:
    """Press Tab until the element has the focus, as one without a mouse does."""
    for _ in range(60):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press(key)
    pytest.fail(f"{selector} cannot be reached by {key}")


def test_sample_model_closer_look_and_undo_by_keyboard(visit: Opener) -> None:
    page = visit()
    tab_to(page, ".strip a[data-sample='2']")
    page.keyboard.press("Enter")
    expect(page.locator("#digit")).to_have_text("1")
    expect(page.locator("#say")).to_contain_text("deep reads 1")
    tab_to(page, "input[type=radio]")
    tab_to(page, "input[value=linear]", "ArrowUp")
    expect(page.get_by_text("linear reads 1")).to_be_visible()
    assert "model=linear&sample=2" in page.url
    tab_to(page, "#why", "Shift+Tab")
    page.keyboard.press("Space")
    expect(page.locator("#heat")).to_be_visible()
    tab_to(page, "#steps")
    page.keyboard.press("Enter")
    expect(page.locator("#closer img")).to_have_count(2)  # a sample needs no more than to be read
    tab_to(page, "#clear", "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#digit")).to_be_empty()
    page.keyboard.press("Control+z")
    expect(page.locator("#digit")).to_have_text("1")
    page.keyboard.press("Control+Shift+z")
    expect(page.locator("#digit")).to_be_empty()


def test_digits_are_drawn_by_keyboard(visit: Opener) -> None:
    page = visit()
    tab_to(page, "#board")
    assert "arrow keys move the pen" in page.locator("#board-hint").inner_text()
    expect(page.locator("#pen")).to_be_visible()
    for _ in range(8):
        page.keyboard.press("ArrowUp")
    expect(page.locator("#where")).to_have_text("column 14, row 6 of 28")
    expect(page.locator("#digit")).to_be_empty()  # the pen is in the air
    page.keyboard.press("Space")
    expect(page.locator("#where")).to_have_text("pen down, column 14, row 6 of 28")
    for _ in range(16):
        page.keyboard.press("ArrowDown")
    expect(page.locator("#digit")).to_have_text("1")
    page.keyboard.press("Space")
    expect(page.locator("#where")).to_contain_text("pen lifted")
    expect(page.locator("#say")).to_contain_text("deep reads 1")
    page.keyboard.press("Control+z")
    expect(page.locator("#digit")).to_be_empty()
    for key, times in (("ArrowUp", 15), ("ArrowLeft", 4), ("Enter", 1), ("ArrowRight", 9)):
        for _ in range(times):
            page.keyboard.press(key)
    page.keyboard.down("ArrowDown")
    page.keyboard.down("ArrowLeft")  # both are held: slantwise
    for _ in range(5):
        page.keyboard.press("Shift+ArrowDown")
        page.keyboard.down("ArrowDown")
    page.keyboard.up("ArrowLeft")
    for _ in range(8):
        page.keyboard.down("ArrowDown")
    page.keyboard.up("ArrowDown")
    tab_to(page, "#undo")  # whoever leaves the board has lifted the pen
    expect(page.locator("#digit")).to_have_text("7")
    expect(page.locator("#pen")).to_be_hidden()


def test_what_has_the_focus_shows_it(visit: Opener) -> None:
    page = visit(viewport={"width": 360, "height": 640})
    page.set_input_files("#file", digit())
    expect(page.locator("#digit")).to_have_text("7")
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        name, outlined, covered = page.evaluate(
            """() => {
                const focused = document.activeElement, box = focused.closest(".card, .file") ?? focused;
                const {left, top, width, height} = box.getBoundingClientRect();
                const hit = document.elementFromPoint(left + width / 2, Math.min(top + height / 2, innerHeight - 1));
                const name = focused.id || focused.value || focused.href || "";
                const outlined = getComputedStyle(box).outlineStyle !== "none";
                return [name, outlined, !(box.contains(hit) || hit?.contains(box))];
            }"""
        )
        if not name:
            break
        seen.add(name)
        assert outlined, name
        assert not covered, name
    assert {
        "board",
        "file",
        "size",
        "camera",
        "undo",
        "clear",
        "why",
        "steps",
        "read",
        "sort",
        "sift",
        "dissent",
    } <= seen


def test_all_that_a_form_can_do_works_without_javascript(visit: Opener) -> None:
    page = visit(java_script_enabled=False)
    expect(page.locator("#board")).to_be_hidden()
    page.locator("input[value=cnn_5]").check()
    page.set_input_files("#file", digit(1))
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#digit")).to_have_text("2")
    expect(page.locator("input[value=cnn_5]")).to_be_checked()
    page.locator(".strip a").first.click()
    expect(page.locator("#digit")).to_have_text("0")
    page.get_by_role("button", name="Ask all models").click()
    expect(page.locator(".says", has_text="0")).to_have_count(page.locator(".card").count())
    page.set_input_files("#file", ROOT / "docs/number.jpg")
    page.get_by_role("button", name="Read many digits").click()
    expect(page.locator("#reading-text")).to_contain_text("5550143")
    page.get_by_role("link", name="Clear").click()
    expect(page.locator("#digit")).to_be_empty()
    page.set_input_files("#file", [digit(0), digit(1) | {"name": "other.png"}])
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#answer #several b")).to_have_text(["7", "2"])
    expect(page.locator("#bars")).to_be_hidden()


@pytest.mark.parametrize("size", [(360, 640), (1280, 800)])
def test_without_javascript_a_form_leads_to_the_digits_read(visit: Opener, size: tuple[int, int]) -> None:
    page = visit(java_script_enabled=False, viewport={"width": size[0], "height": size[1]})
    page.set_input_files("#file", ROOT / "docs/number.jpg")
    page.get_by_role("button", name="Read many digits").click()
    expect(page.locator("#reading-text")).to_be_in_viewport(ratio=1)
    expect(page.locator("#reading-text")).to_have_count(1)


def test_a_picture_can_be_dropped_or_pasted(visit: Opener) -> None:
    page = visit()
    event = """([type, bytes]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(bytes)], `${type}.png`, {type: "image/png"}));
        const options = {bubbles: true, cancelable: true, dataTransfer: transfer, clipboardData: transfer};
        document.body.dispatchEvent(type === "drop" ? new DragEvent(type, options) : new ClipboardEvent(type, options));
    }"""
    page.evaluate(
        """() => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([], "digit.png"));
            document.body.dispatchEvent(new DragEvent("dragover", {bubbles: true, dataTransfer: transfer}));
        }"""
    )
    invited = "getComputedStyle(document.querySelector('#paper'), '::before').content"
    assert page.evaluate(invited) == '"Drop to read"'
    for index, (type, label) in enumerate((("drop", "7"), ("paste", "2"))):
        page.evaluate(event, [type, list(digit(index)["buffer"])])
        expect(page.locator("#digit")).to_have_text(label)
        expect(page.locator("#seen-picture")).to_be_visible()
    assert page.evaluate(invited) == "none"


def test_several_pictures_each_have_their_answer(visit: Opener) -> None:
    page = visit()
    wrong = {"name": "notes.png", "mimeType": "image/png", "buffer": b"some text"}
    number = {"name": "number.jpg", "mimeType": "image/jpeg", "buffer": (ROOT / "docs/number.jpg").read_bytes()}
    page.set_input_files("#file", [digit(0), digit(1), wrong, number])
    rows = page.locator("#several li")
    expect(rows.nth(0)).to_contain_text("7")
    expect(rows.nth(1).locator("b")).to_have_text("2")
    expect(rows.nth(2)).to_contain_text("This file is not a supported picture")
    expect(rows.nth(3).locator("b")).to_have_text(re.compile(r"^\d{4,}"))
    rows.nth(1).get_by_role("button").click()
    expect(page.locator("#digit")).to_have_text("2")


def test_the_camera_takes_a_picture_or_says_why_not(visit: Opener, site: str) -> None:
    page = visit()
    page.get_by_role("button", name="Camera").click()
    expect(page.locator("#lens-notice")).to_contain_text("The browser blocks it.")
    page.get_by_role("button", name="Close").click()
    page.evaluate(
        "() => (navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotFoundError')), 0)"
    )
    page.get_by_role("button", name="Camera").click()
    expect(page.locator("#lens-notice")).to_contain_text("It is missing or in use.")
    with page.expect_file_chooser():
        page.locator("#lens").get_by_role("button", name="Choose pictures").click()
    expect(page.locator("#lens")).to_be_hidden()
    page.reload()
    page.context.grant_permissions(["camera"], origin=site)
    page.get_by_role("button", name="Camera").click()
    page.get_by_role("button", name="Take the picture").click()
    expect(page.locator("#lens")).to_be_hidden()
    expect(page.locator("#facts")).to_contain_text("checkpoint deep/")


def test_many_digits_in_a_photograph_are_framed_and_told_as_text(visit: Opener) -> None:
    page = visit()
    page.set_input_files("#file", ROOT / "docs/number.jpg")
    expect(page.locator("#sentence")).to_contain_text("More than one object")
    page.get_by_role("button", name="Read many digits").click()
    expect(page.locator("#reading-text")).to_contain_text("5550143")
    expect(page.locator("#boxes rect")).to_have_count(11)
    frame = page.locator("#boxes rect").first.bounding_box()
    paper = page.locator("#paper").bounding_box()
    assert frame is not None
    assert paper is not None
    assert paper["x"] < frame["x"] < paper["x"] + paper["width"] / 2
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#boxes rect")).to_have_count(0)


@pytest.mark.parametrize("size", [(360, 640), (844, 390), (1280, 800)])
def test_the_digits_read_stand_below_the_board_and_can_be_selected(visit: Opener, size: tuple[int, int]) -> None:
    page = visit(viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce")
    top = "() => document.querySelector('#paper').getBoundingClientRect().top + scrollY"
    before = page.evaluate(top)
    page.set_input_files("#file", ROOT / "docs/number.jpg")
    expect(page.locator("#boxes rect")).to_have_count(11)
    page.locator("#read").click()
    expect(page.locator("#read")).not_to_have_attribute("aria-busy", "true")
    digits = page.locator("#reading-text")
    expect(digits).to_be_in_viewport(ratio=1)
    assert page.evaluate(top) == before
    if size[1] > size[0]:
        expect(page.locator("#paper")).to_be_in_viewport(ratio=0.9)
    paper, panel, text = (page.locator(one).bounding_box() for one in ("#paper", "#reading", "#reading-text"))
    assert paper is not None
    assert panel is not None
    assert text is not None
    assert panel["y"] >= paper["y"] + paper["height"]
    page.mouse.dblclick(text["x"] + 10, text["y"] + 10)
    assert page.evaluate("getSelection().toString().trim()") == "5550143"
    expect(page.locator("#boxes rect")).to_have_count(11)  # nothing was drawn


def test_the_digits_read_are_copied_or_where_that_is_not_allowed_they_alone_are_selected(visit: Opener) -> None:
    page = visit()
    page.set_input_files("#file", ROOT / "docs/number.jpg")
    expect(page.locator("#boxes rect")).to_have_count(11)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the digits").click()
    expect(page.locator("#toast")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()").split() == ["5550143", "2718"]
    assert page.evaluate("getSelection().toString()") == ""
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")  # as over plain HTTP
    page.get_by_role("button", name="Copy the digits").click()
    expect(page.locator("#toast")).to_contain_text("did not allow copying")
    assert page.evaluate("getSelection().toString()").split() == ["5550143", "2718"]


@pytest.mark.parametrize("size", [(844, 390), (640, 360), (320, 640), (1280, 800)])
def test_there_is_a_way_past_the_board_for_a_finger(visit: Opener, size: tuple[int, int]) -> None:
    page = visit(viewport={"width": size[0], "height": size[1]})
    paper, board = page.locator("#paper").bounding_box(), page.locator("#board").bounding_box()
    assert paper is not None
    assert board is not None
    assert paper["height"] <= 0.81 * size[1]
    assert paper["width"] == pytest.approx(paper["height"])
    assert board["width"] == pytest.approx(board["height"])
    assert overflow(page) == 0


def test_in_forced_colours_what_is_chosen_differs_from_its_neighbours(visit: Opener) -> None:
    page = visit("/?sample=0", forced_colors="active")
    expect(page.locator("#digit")).to_have_text("7")
    best, other = (page.locator(one).first for one in (".best rect", "#bars tr:not(.best) rect"))
    fill = "one => getComputedStyle(one).fill"
    assert best.evaluate(fill) != other.evaluate(fill)
    looks = """one => {
        const {backgroundColor, outlineStyle} = getComputedStyle(one);
        return [backgroundColor, outlineStyle];
    }"""
    page.locator("#why").click()
    page.locator("#steps").click()
    expect(page.locator("#heat")).to_be_visible()
    for chosen, other in (
        (".rooms [aria-current]", ".rooms a:not([aria-current])"),
        (".languages [aria-current]", ".languages a:not([aria-current])"),
        (".strip [aria-current]", ".strip a:not([aria-current])"),
        ("#why", "#read"),
        ("#steps", "#read"),
    ):
        assert page.locator(chosen).first.evaluate(looks) != page.locator(other).first.evaluate(looks), chosen


def test_how_many_models_are_left_is_announced(visit: Opener) -> None:
    page = visit()
    page.get_by_label("Name contains").fill("cnn_")
    expect(page.get_by_role("status").filter(has_text="models shown")).to_have_text("3 of 8 models shown")


@pytest.mark.parametrize("url", ["/", "/models", "/models/deep", "/compare", "/compare?m=cnn&m=deep", "/nowhere"])
def test_nothing_is_too_small_for_a_finger(visit: Opener, url: str) -> None:
    """24 pixels each way (WCAG 2.2), but for links within a sentence; a label counts with what it labels."""
    page = visit(url, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    small = page.evaluate(
        """() => [...document.querySelectorAll("a, button, summary, input, select")].flatMap((one) => {
            const {width, height} = (one.closest("label") ?? one).getBoundingClientRect();
            const text = one.closest("p, small");
            const within = text && text.innerText.trim() !== one.innerText.trim();
            if (!one.checkVisibility() || one.matches(".skip") || within) return [];
            return Math.min(width, height) < 24 ? [`${one.outerHTML.slice(0, 80)} ${width} x ${height}`] : [];
        })"""
    )
    assert not small


def test_the_link_to_a_models_page_has_room_for_a_finger(visit: Opener) -> None:
    page = visit(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    box = page.get_by_role("link", name="More about cnn", exact=True).bounding_box()
    assert box is not None
    assert box["height"] >= 44


def test_a_file_that_is_no_picture_is_told_and_the_board_stays_as_it_was(visit: Opener) -> None:
    page = visit("/?sample=1")
    expect(page.locator("#digit")).to_have_text("2")
    page.set_input_files("#file", {"name": "digit.png", "mimeType": "image/png", "buffer": b"some text"})
    expect(page.get_by_role("alert")).to_contain_text("This file is not a supported picture")
    expect(page.locator("#answer")).not_to_have_class("stale")
    expect(page.locator("#digit")).to_have_text("2")
    page.set_input_files("#file", {"name": "big.png", "mimeType": "image/png", "buffer": bytes(17_000_000)})
    expect(page.get_by_role("alert")).to_contain_text("This picture is too large")
    page.set_input_files("#file", digit())
    expect(page.locator("#digit")).to_have_text("7")
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("size", [(360, 640), (700, 900), (1280, 800)])
@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
def test_what_went_wrong_is_told_without_hiding_the_board(visit: Opener, size: tuple[int, int], locale: str) -> None:
    page = visit(viewport={"width": size[0], "height": size[1]}, locale=locale)
    page.set_input_files("#file", {"name": "digit.png", "mimeType": "image/png", "buffer": b"some text"})
    expect(page.get_by_role("alert")).to_be_in_viewport(ratio=1)
    notice, paper = page.get_by_role("alert").bounding_box(), page.locator("#paper").bounding_box()
    assert notice is not None
    assert paper is not None
    assert notice["y"] + notice["height"] <= paper["y"] or notice["x"] >= paper["x"] + paper["width"]


def test_the_call_in_the_foot_asks_the_model_that_is_chosen(visit: Opener, site: str) -> None:
    page = visit()
    call = page.locator("footer code")
    for name in ("deep", "linear", "cnn_5"):
        page.locator(f"input[value={name}]").check()
        expect(call).to_have_text(f"curl -F file=@digit.png {site}/predict_{name}")
    page.goto(f"{site}/")  # chosen last, for as long as the tab is open
    expect(page.locator("input[value=cnn_5]")).to_be_checked()
    expect(call).to_have_text(f"curl -F file=@digit.png {site}/predict_cnn_5")


def test_what_is_chosen_far_below_the_board_is_answered_in_sight(visit: Opener) -> None:
    page = visit(viewport={"width": 360, "height": 740}, reduced_motion="reduce")
    page.locator(".strip a").nth(7).click()
    expect(page.locator("#digit")).to_have_text("7")
    expect(page.locator("#board")).to_be_in_viewport(ratio=0.9)
    page.locator("#camera").scroll_into_view_if_needed()
    page.set_input_files("#file", digit(1))
    expect(page.locator("#digit")).to_have_text("2")
    expect(page.locator("#board")).to_be_in_viewport(ratio=0.9)


def test_a_blank_picture_is_told_to_be_blank(visit: Opener) -> None:
    page = visit()
    blank = saved(PIL.Image.new("L", (200, 200), 255))
    page.set_input_files("#file", {"name": "blank.png", "mimeType": "image/png", "buffer": blank})
    expect(page.locator("#sentence")).to_contain_text("The picture is blank")
    expect(page.locator("#say")).to_contain_text("The picture is blank")
    expect(page.locator("#bars td:last-child")).to_have_text(["\N{EN DASH}"] * 10)
    expect(page.locator(".stance").first).to_have_text("sees none")
    expect(page.locator(".measured").first).not_to_contain_text("%")


def test_the_page_speaks_brazilian_portuguese(visit: Opener) -> None:
    page = visit(locale="pt-BR")
    expect(page.locator("html")).to_have_attribute("lang", "pt-BR")
    page.locator(".strip a").nth(7).click()
    expect(page.locator("#sentence")).to_have_text("deep lê 7")
    expect(page.locator("#consensus")).to_contain_text("leem 7")
    expect(page.locator("#facts")).to_contain_text(",")
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", name="Which digit is this?")).to_be_visible()
    expect(page.get_by_text("deep reads 7")).to_be_visible()
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("#digit")).to_have_text("7")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 360, 768, 1280, 2560])
def test_it_fits_every_width_in_light_and_dark(visit: Opener, width: int, scheme: str) -> None:
    page = visit(viewport={"width": width, "height": 900}, color_scheme=scheme, locale="pt-BR")
    assert overflow(page) == 0
    ground = np.asarray(PIL.Image.open(io.BytesIO(page.screenshot())).convert("L"))[-1, 0]
    assert (ground < 64) == (scheme == "dark")
    page.set_input_files("#file", ROOT / "docs/number.jpg")
    expect(page.locator("#sentence")).to_contain_text("Mais de um objeto")
    page.locator("#read").click()
    page.locator("#why").click()
    page.locator("#steps").click()
    expect(page.locator("#boxes rect")).to_have_count(11)
    expect(page.locator("#closer img")).to_have_count(7)
    assert overflow(page) == 0
    page.goto(page.url.split("?")[0] + "a-long-address-that-does-not-exist-" * 6)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.locator("summary").click()
    assert overflow(page) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing(visit: Opener, width: int, scheme: str) -> None:
    page = visit(viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert not violations(page)
    page.set_input_files("#file", [digit(0), digit(1)])
    expect(page.locator("#several b")).to_have_count(2)
    page.locator(".strip a").nth(10).click()
    expect(page.locator(".differs, .agrees")).to_have_count(page.locator(".card").count())
    page.locator("#why").click()
    page.locator("#steps").click()
    page.locator("#read").click()
    expect(page.locator("#heat")).to_be_visible()
    expect(page.locator("#closer img").first).to_be_visible()
    expect(page.locator("#reading")).to_be_visible()
    assert not violations(page)
    page.get_by_role("button", name="Camera").click()
    expect(page.locator("#lens-notice")).to_be_visible()
    assert not violations(page)


def test_axe_finds_nothing_on_an_error_page(visit: Opener) -> None:
    assert not violations(visit("/nowhere"))
