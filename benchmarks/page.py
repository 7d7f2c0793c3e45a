"""Measure how soon the front page answers in a real Chromium, for docs/performance.md: `python benchmarks/page.py`.

Recorded strokes are drawn again at the speed of a hand. Each is timed from the pointerup event (its own time stamp,
before any script has seen it) to the frame after which the bars no longer change, so the time includes encoding,
sending, predicting, drawing and painting. The votes in a zoo of 50 models are timed likewise, and sorting them and
searching them by name. Needs Chromium and playwright (make test installs playwright).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright
from serve import ROOT, Server, zoo, zoo_of

sys.path.insert(0, str(ROOT / "tests"))
import drawing

PACE = 0.008  # seconds between two positions of the pen
MODELS = 50  # in the zoo whose votes are timed
STROKES = 60  # timed on the front page, by default

WATCH = """
globalThis.seen = {lifted: 0, bars: [], cards: []};
globalThis.painted = () => new Promise((resolve) => requestAnimationFrame(() => {
    const {port1, port2} = new MessageChannel();
    port1.onmessage = () => resolve(performance.now());
    port2.postMessage(0);
}));
addEventListener("pointerup", (event) => { seen.lifted = event.timeStamp; }, true);
addEventListener("DOMContentLoaded", () => {
    const watched = {
        bars: () => [...document.querySelectorAll("#bars rect")].map((bar) => bar.getAttribute("width")).join(),
        cards: () => [...document.querySelectorAll(".card .vote")].map((vote) => vote.textContent).join(),
    };
    for (const [name, state] of Object.entries(watched)) {
        let waiting = false;
        const note = () => {
            if (waiting) return;
            waiting = true;
            painted().then((at) => {
                waiting = false;
                const now = state();
                if (now !== seen[name].at(-1)?.[1]) seen[name].push([at, now]);
            });
        };
        const root = document.getElementById(name);
        const all = {subtree: true, attributes: true, childList: true, characterData: true};
        new MutationObserver(note).observe(root, all);
    }
});
"""
"""Script that records, once painted, each frame that shows other bars or other votes; times are in ms."""

CHANGED = """async ([selector, value, type]) => {
    const field = document.querySelector(selector);
    await painted();
    const began = performance.now();
    if (type === "check") field.click();
    else {
        field.value = value;
        field.dispatchEvent(new Event(type, {bubbles: true}));
    }
    return (await painted()) - began;
}"""
"""Script that changes a field as a user would, and returns the ms until the change is painted."""


def stroke(page: Page, points: drawing.Track) -> None:
    """Draw a stroke, float (n, 2) in 0-1, at the speed of a hand, and wait until the page has answered and painted."""
    board = page.locator("#board")
    board.scroll_into_view_if_needed()
    box = board.bounding_box()
    assert box is not None
    places = np.array([box["x"], box["y"]]) + box["width"] * (0.18 + 0.64 * points)
    page.mouse.move(*places[0])
    page.mouse.down()
    for x, y in places[1:]:
        page.mouse.move(x, y)
        time.sleep(PACE)
    with page.expect_response(lambda answer: answer.url.endswith("/arena") and answer.ok):
        page.mouse.up()
    page.evaluate("painted().then(painted)")


def settled(page: Page, what: str) -> float:
    """Return the ms from lifting the pen to the last change of `what`; 0 if that came before."""
    at, lifted = page.evaluate("what => [seen[what].at(-1)[0], seen.lifted]", what)
    return max(0.0, float(at - lifted))


def strokes(browser: Any, server: Server, count: int) -> list[float]:
    """Draw `count` strokes, and return for each the ms until the bars stopped changing."""
    page = opened(browser, server)
    found = []
    for _, track in drawing.tracks():
        for part in track:
            stroke(page, part)
            found.append(settled(page, "bars"))
            if len(found) == count:
                return found
        page.locator("#clear").click()
    return found


def arena(browser: Any, server: Server, count: int) -> dict[str, list[float]]:
    """Draw `count` digits that all models vote on, and return the ms of voting, sorting, searching and filtering."""
    page = opened(browser, server)
    found: dict[str, list[float]] = {"votes": [], "request": [], "sort": [], "search": [], "dissent": []}
    for _, track in drawing.tracks()[:count]:
        for part in track:
            stroke(page, part)
        found["votes"].append(settled(page, "cards"))
        took = "performance.getEntriesByType('resource').findLast((one) => one.name.endsWith('/arena')).duration"
        found["request"].append(float(page.evaluate(took)))
        assert page.locator(".agrees, .differs").count() >= MODELS
        for key in ("confidence", "ms", "name", "place"):
            found["sort"].append(page.evaluate(CHANGED, ["#sort", key, "change"]))
        for text in ("cnn_", ""):
            found["search"].append(page.evaluate(CHANGED, ["#sift", text, "input"]))
        for _ in range(2):
            found["dissent"].append(page.evaluate(CHANGED, ["#dissent", "", "check"]))
        page.locator("#clear").click()
    return found


def opened(browser: Any, server: Server) -> Page:
    """Open the front page with the recording script, and warm it up with three strokes."""
    page: Page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.add_init_script(WATCH)
    page.goto(f"http://127.0.0.1:{server.port}/")
    for _ in range(3):  # warms up browser and workers
        stroke(page, drawing.smooth(drawing.SEVEN))
    page.locator("#clear").click()
    return page


def row(what: str, aim: str, times: list[float]) -> str:
    """Format times in ms as a row of the table, with median and 90th percentile."""
    return f"| {what} | {aim} | {np.median(times):.0f} ms | {np.quantile(times, 0.9):.0f} ms | {len(times)} |"


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--strokes", type=int, default=STROKES)
    words.add_argument("--pictures", type=int, default=15, help="that all models vote on")
    words.add_argument("--chromium", default="/usr/bin/chromium")
    asked = words.parse_args()
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu"]
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as scratch:
        browser = playwright.chromium.launch(executable_path=asked.chromium, args=flags)
        with zoo(ROOT) as server:
            times = strokes(browser, server, asked.strokes)
        with zoo(zoo_of(Path(scratch, "many"), MODELS)) as server:
            all_votes = arena(browser, server, asked.pictures)
        browser.close()
    print("| what, to the painted frame | aim | median | 90 % | of |")
    print("|---|---|---|---|---|")
    print(row("stroke end to bars moved", "< 50 ms", times))
    print(row(f"stroke end to the votes of {MODELS} models", "", all_votes["votes"]))
    print(row("of that, the question to all models and its answer", "", all_votes["request"]))
    print(row(f"sorting {MODELS} cards", "", all_votes["sort"]))
    print(row(f"searching {MODELS} cards by name", "", all_votes["search"]))
    print(row("showing only those who differ", "", all_votes["dissent"]))


if __name__ == "__main__":
    main()
