"""What eyes would notice of a page in a real Chromium: how wide it is, and what axe-core finds wrong."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

AXE = (Path(__file__).parent / "web" / "vendor" / "axe.min.js").read_text()


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def violations(page: Page) -> list[str]:
    """What axe-core finds against WCAG 2.2 AA and good practice, each with where, transitions over."""
    page.evaluate(AXE)
    found = page.evaluate(
        """async () => {
            await Promise.all(document.getAnimations().map((one) => one.finished));
            const {violations} = await axe.run({resultTypes: ["violations"]});
            return violations.flatMap(({id, nodes}) =>
                nodes.map((node) => `${id}: ${node.target} ${node.failureSummary} ${node.html.slice(0, 160)}`));
        }"""
    )
    return list(found)
