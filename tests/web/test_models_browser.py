"""The pages about the models in a real Chromium: at any width, light and dark, with and without JavaScript."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator

import pytest
from asking import ROOT
from conftest import flip_byte
from playwright.sync_api import Browser, Page, expect
from seeing import overflow, violations
from serving import serving

from zoo import Zoo, listings

pytestmark = pytest.mark.long

NAMES = list(Zoo.open(ROOT).models)
PAGES = ["/models?sort=accuracy&order=desc", "/models/cnn", "/models/cnn/1", "/compare", "/compare?m=cnn&m=deep&m=tiny"]
SHOWS_FOCUS = """
() => document.activeElement === document.body || getComputedStyle(document.activeElement).outlineStyle !== "none"
"""
Opener = Callable[..., Page]


def unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")


@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
@pytest.mark.parametrize("width", [320, 360, 1280, 2560])
def test_every_page_fits_every_width(visit: Opener, width: int, locale: str) -> None:
    page = visit("/", viewport={"width": width, "height": 900}, locale=locale)
    site = page.url.rstrip("/")
    for url in [*PAGES, *(f"/models/{name}" for name in NAMES if width == 360)]:
        page.goto(site + url)
        assert overflow(page) == 0, url
        unfold(page)
        assert overflow(page) == 0, f"{url}, unfolded"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("url", ["/models", "/models/cnn", "/compare", "/compare?m=cnn&m=deep&m=tiny"])
def test_axe_finds_nothing_to_complain_about(visit: Opener, url: str, scheme: str) -> None:
    page = visit(url, color_scheme=scheme)
    unfold(page)
    assert not violations(page)


@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
@pytest.mark.parametrize(("size", "width"), [(24, 390), (32, 390), (32, 320)])
def test_no_page_is_too_wide_for_large_text_on_a_phone(
    visit: Opener, site: str, size: int, width: int, locale: str
) -> None:
    page = visit("/models", viewport={"width": width, "height": 844}, locale=locale)
    session = page.context.new_cdp_session(page)
    session.send("Page.setFontSizes", {"fontSizes": {"standard": size, "fixed": size}})
    lost = ("/models/nope", "/models/cnn/99", "/nowhere")
    for url in ("/?sample=3", "/models", "/models/deep", "/compare", "/compare?m=cnn&m=deep", *lost):
        page.goto(site + url)
        unfold(page)
        assert overflow(page) == 0, url
        if url in lost:  # the number is not broken
            broken = """one => {
                const range = document.createRange();
                range.selectNodeContents(one);
                return range.getClientRects().length > 1;
            }"""
            assert not page.locator(".status").evaluate(broken), url


def test_marks_of_small_plots_do_not_run_together_on_the_smallest_phone(visit: Opener) -> None:
    page = visit("/models/deep", viewport={"width": 320, "height": 800})
    plots = [plot.bounding_box() for plot in page.locator(".panel").all()]
    assert len({plot["x"] for plot in plots if plot}) == 1


def test_epochs_are_compared_once_and_settings_have_a_heading(visit: Opener) -> None:
    page = visit("/compare?m=cnn&m=deep&m=tiny")
    heads = page.locator(".versus tbody th").all_inner_texts()
    assert [head for head in heads if head.lower() == "epochs"] == ["Epochs"]
    assert heads.index("Settings that differ") == heads.index("drawn") - 1


def test_axe_itself_notices(visit: Opener) -> None:
    page = visit("/models/deep")
    page.evaluate("document.querySelectorAll('img').forEach(image => image.removeAttribute('alt'))")
    assert any("image-alt" in found for found in violations(page))


@pytest.mark.parametrize("url", ["/models", "/models/deep", "/compare?m=cnn&m=deep"])
def test_axe_finds_nothing_on_a_phone_without_javascript(visit: Opener, url: str) -> None:
    """The page as it comes: its own scripts are kept away, axe is let in."""
    page = visit("/", viewport={"width": 360, "height": 740})
    page.route("**/*.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.goto(page.url.rstrip("/") + url)
    assert page.locator(".uplot").count() == 0
    unfold(page)
    assert not violations(page)


def test_without_javascript_models_are_sorted_chosen_and_compared(visit: Opener) -> None:
    page = visit("/models", java_script_enabled=False)
    page.get_by_role("link", name="Accuracy").click()
    expect(page.get_by_role("columnheader", name="Accuracy")).to_have_attribute("aria-sort", "descending")
    first = page.locator("tbody tr").first
    best = max(facts.accuracy or 0 for facts in listings.models(Zoo.open(ROOT)))
    expect(first).to_contain_text(f"{100 * best:.2f}")
    page.get_by_role("checkbox", name="Compare deep").check()
    page.get_by_role("checkbox", name="Compare linear").check()
    page.get_by_role("button", name="Compare selected").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Side by side")
    expect(page.get_by_role("table").first).to_contain_text("98.23")
    drawings = page.locator("svg.drawing")
    assert drawings.count() == 14
    for at in range(drawings.count()):
        expect(drawings.nth(at)).to_be_visible()
    page.get_by_text("The curves as a table").click()
    expect(page.get_by_role("columnheader", name="Validation loss").first).to_be_visible()
    page.get_by_role("table").first.get_by_role("link", name="deep").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("deep")


def test_ticks_are_kept_over_a_new_order_and_another_language(visit: Opener) -> None:
    page = visit("/models")
    page.get_by_role("checkbox", name="Compare deep").check()
    page.get_by_role("checkbox", name="Compare cnn_5").check()
    page.get_by_role("checkbox", name="Compare cnn_5").uncheck()
    page.get_by_role("checkbox", name="Compare tiny").check()
    page.get_by_role("link", name="Accuracy").click()
    expect(page.get_by_role("columnheader", name="Accuracy")).to_have_attribute("aria-sort", "descending")
    page.get_by_role("link", name="Português").click()
    expect(page.locator("html")).to_have_attribute("lang", "pt-BR")
    assert sorted(page.locator(":checked").evaluate_all("all => all.map((one) => one.value)")) == ["deep", "tiny"]
    page.reload()
    expect(page.locator(":checked")).to_have_count(2)


def test_the_button_counts_the_ticked_and_is_of_use_for_as_many_as_can_be_compared(visit: Opener) -> None:
    page = visit("/models")
    button = page.get_by_role("button", name="Compare selected")
    for count, name in enumerate(NAMES):
        expect(button).to_have_text(f"Compare selected ({count})")
        expect(button).to_be_enabled(enabled=2 <= count <= 6)
        page.get_by_role("checkbox", name=f"Compare {name}", exact=True).check()
    expect(button).to_be_disabled()


@pytest.mark.parametrize("size", [(360, 740), (1280, 800)])
def test_the_button_to_compare_is_in_sight_and_hides_nothing_that_has_the_focus(
    visit: Opener, size: tuple[int, int]
) -> None:
    page = visit("/models", viewport={"width": size[0], "height": size[1]})
    button = page.get_by_role("button", name="Compare selected")
    expect(button).to_be_in_viewport(ratio=1)
    for tick in page.get_by_role("checkbox").all():
        tick.focus()
        box, bar = tick.bounding_box(), page.locator(".actions").bounding_box()
        assert box is not None
        assert bar is not None
        assert box["y"] + box["height"] <= bar["y"]


@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
@pytest.mark.parametrize("width", [360, 993, 1100, 1280])
def test_the_heads_of_the_table_show_that_it_can_be_sorted(visit: Opener, width: int, locale: str) -> None:
    page = visit("/models?sort=accuracy&order=desc", viewport={"width": width, "height": 800}, locale=locale)
    heads = page.locator(".roster thead a")
    assert [head.strip()[-1] for head in heads.all_inner_texts()] == ["↕", "↓", *"↕↕↕↕↕"]
    first = "getComputedStyle(document.querySelector('.roster thead tr'), '::before').content"
    assert ("Sort by" in page.evaluate(first) or "Ordenar por" in page.evaluate(first)) == (width == 360)
    assert overflow(page) == 0


def test_code_is_copied_or_where_that_is_not_allowed_selected_and_nothing_moves(visit: Opener) -> None:
    page = visit("/models/tiny")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button, toast = page.get_by_role("button", name="Copy").first, page.locator("#toast")
    place = "one => [one.getBoundingClientRect().top + scrollY, one.getBoundingClientRect().width]"
    before = button.evaluate(place)
    for _ in range(2):
        button.click()
        expect(toast).to_have_text("Copied.")
        assert button.evaluate(place) == before
        expect(toast).to_be_empty()
    code = page.locator(".calls code").first.inner_text()
    assert page.evaluate("navigator.clipboard.readText()") == code
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")  # as over plain HTTP
    button.click()
    expect(toast).to_contain_text("did not allow copying")
    assert page.evaluate("getSelection().toString()") == code
    assert button.evaluate(place) == before


WRITES = """
globalThis.written = [];
const own = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
    written.push(String(text));
    return own.call(this, text, ...place);
};
"""


def test_plots_that_the_script_draws_keep_the_titles_of_their_axes(visit: Opener) -> None:
    page = visit("/models")
    page.context.add_init_script(WRITES)
    page.goto(page.url + "/deep")
    expect(page.locator(".uplot").last).to_be_visible()
    page.wait_for_function("() => written.includes('Confidence') && written.includes('Epoch')")
    written = page.evaluate("written")
    panels = page.locator(".panel").count()
    assert written.count("as is") >= panels  # the unchanged pictures have a tick too
    assert not {"pixels", "degrees"} & set(written)  # the units are in the headings of the panels


LONG, LONGER = "a" * 60, "b" * 60


@pytest.fixture(scope="module")
def odd_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A zoo with two models of very long names, one of them not trained, and with one that is damaged."""
    folder = tmp_path_factory.mktemp("odd")
    for part in ("plugins", "checkpoints"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    version = max((folder / "checkpoints/tiny").iterdir())
    shutil.copytree(version, folder / "checkpoints" / LONG / "1")
    path = folder / "checkpoints" / LONG / "1/card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model": LONG, "version": 1, "seal": None}))
    flip_byte(folder / "checkpoints/cnn_5/1/model.tflite")
    with (folder / "settings.toml").open("w") as settings:
        settings.write((ROOT / "settings.toml").read_text())
        settings.write(f'\n[models.{LONG}]\nplugin = "tiny"\ncheckpoint = "{LONG}/1"\n')
        settings.write(f'\n[models.{LONGER}]\nplugin = "cnn"\n')
    with serving([sys.executable, "-m", "zoo", "serve", "--port", "0"], folder) as served:
        yield served.url


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_a_long_name_fits(chromium: Browser, odd_site: str, width: int) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 800})
    together = f"/compare?m={LONG}&m={LONGER}"
    for url in ("/", "/models", f"/models/{LONG}", f"/models/{LONGER}", "/compare", together, f"{together}&m=cnn"):
        page.goto(odd_site + url)
        assert overflow(page) == 0, url
        unfold(page)
        assert overflow(page) == 0, f"{url}, unfolded"
    page.close()


def test_a_model_that_cannot_answer_says_why_once_and_offers_no_calls(chromium: Browser, odd_site: str) -> None:
    page = chromium.new_page()
    page.goto(f"{odd_site}/models/cnn_5")
    expect(page.locator(".notice")).to_contain_text("model.tflite")
    expect(page.locator(".notice")).not_to_contain_text("Cannot answer now")
    expect(page.locator("#calls-title")).to_have_count(0)
    page.close()


@pytest.mark.parametrize("width", [360, 1280])
def test_why_a_model_cannot_answer_has_room(chromium: Browser, odd_site: str, width: int) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 800})
    page.goto(f"{odd_site}/models")
    told = page.locator(".roster .problem")
    expect(told.filter(has_text="not trained yet")).to_be_visible()
    expect(told.filter(has_text="model.tflite")).to_be_visible()
    assert min(told.evaluate_all("all => all.map((one) => one.clientWidth)")) > 230
    page.close()


def test_with_javascript_a_plot_tells_its_values_under_the_pointer(visit: Opener) -> None:
    page = visit("/models/deep")
    figure = page.locator("figure.plot:has(#curve-1)")
    expect(figure.locator(".uplot canvas")).to_be_visible()
    expect(figure.locator("svg.drawing")).to_be_hidden()
    unfold(page)  # before the pointer is there, since it moves the plot
    figure.scroll_into_view_if_needed()
    over = figure.locator(".u-over")
    box = over.bounding_box()
    assert box is not None
    over.hover(position={"x": box["width"] - 1, "y": box["height"] / 2})
    row = page.locator("#curves-table tbody tr").last.locator("td")
    epoch, accuracy = row.nth(0).inner_text(), row.nth(4).inner_text()
    said = figure.locator("output").first.inner_text()
    assert said == f"{epoch}: {accuracy}"


def test_a_curve_of_which_a_part_is_shown_can_be_shown_whole_again(visit: Opener) -> None:
    page = visit("/models/deep")
    figure = page.locator("figure.plot:has(#curve-1)")
    button, canvas = figure.get_by_role("button", name="Whole curve"), figure.locator(".uplot canvas")
    expect(canvas).to_be_visible()
    figure.scroll_into_view_if_needed()
    page.mouse.move(0, 0)
    whole = canvas.evaluate("one => one.toDataURL()")
    box = figure.locator(".u-over").bounding_box()
    assert box is not None
    for back in (button.click, lambda: page.keyboard.press("Escape")):
        expect(button).to_be_hidden()
        page.mouse.move(box["x"] + 40, box["y"] + 40)
        page.mouse.down()
        page.mouse.move(box["x"] + 140, box["y"] + 60, steps=5)
        page.mouse.up()
        expect(button).to_be_visible()
        assert canvas.evaluate("one => one.toDataURL()") != whole
        back()
        expect(button).to_be_hidden()
        page.wait_for_function(
            "whole => document.querySelector('figure.plot:has(#curve-1) canvas').toDataURL() === whole", arg=whole
        )


def test_on_paper_all_columns_are_there_and_nothing_to_press(visit: Opener) -> None:
    page = visit("/compare?" + "&".join(f"m={name}" for name in NAMES[:6]), viewport={"width": 718, "height": 1000})
    page.emulate_media(media="print")
    assert overflow(page) == 0
    cells = page.locator(".versus thead th")
    expect(cells).to_have_count(6)
    for at in range(6):
        box = cells.nth(at).bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 718
    clipped = page.locator(".scroll").evaluate_all(
        "all => all.filter((one) => getComputedStyle(one).overflowX !== 'visible').length"
    )
    assert clipped == 0
    page.goto(page.url.split("/compare")[0] + "/models")
    for useless in (".roster thead", ".roster .tick", ".unprinted", "#compare"):
        expect(page.locator(useless).first).to_be_hidden()
    page.goto(page.url.split("/models")[0] + "/?sample=0")
    expect(page.locator("#digit")).to_have_text("7")
    for useless in (".tools", ".bringing", ".samples", ".sieve", "#why", ".rooms", ".intro p"):
        expect(page.locator(useless).first).to_be_hidden()
    assert overflow(page) == 0


def test_plots_follow_the_colours_of_the_scheme_and_the_width(visit: Opener) -> None:
    page = visit("/models/deep")
    canvas = page.locator("figure.plot:has(#curve-1) canvas")
    before = canvas.evaluate("canvas => canvas.toDataURL()")
    page.emulate_media(color_scheme="dark")
    expect(canvas).to_have_count(1)
    page.wait_for_function(
        "before => document.querySelector('figure.plot:has(#curve-1) canvas')?.toDataURL() !== before", arg=before
    )
    page.set_viewport_size({"width": 400, "height": 800})
    page.wait_for_function("document.querySelector('figure.plot:has(#curve-1) .uplot').offsetWidth < 400")
    assert overflow(page) == 0


def test_what_has_the_focus_shows_it(visit: Opener) -> None:
    for url in ("/models", "/models/cnn", "/compare?m=cnn&m=deep"):
        page = visit(url)
        stops = page.locator("a[href], button, input, summary, [tabindex='0']").count()
        for _ in range(min(stops, 40)):
            page.keyboard.press("Tab")
            assert page.evaluate(SHOWS_FOCUS)


def test_a_model_is_reached_from_the_front_page_and_leads_back_with_it_chosen(visit: Opener) -> None:
    page = visit("/")
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Models").click()
    page.get_by_role("rowheader").get_by_role("link", name="tiny").click()
    page.get_by_role("link", name="Português").click()
    expect(page.get_by_role("heading", name="Piores erros")).to_be_visible()
    page.get_by_role("link", name="Enviar uma imagem").click()
    expect(page.locator("input[value=tiny]")).to_be_checked()
