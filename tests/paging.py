"""What the pages about models say, as text."""

from __future__ import annotations

import re
from pathlib import Path

from asking import ROOT
from flask.testing import FlaskClient

from webui import create_app
from zoo import Zoo
from zoo.cards import Card

NAMES = list(Zoo.open(ROOT).models)


def text(html: str) -> str:
    """What a page says, without its tags, in one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.replace("<wbr>", ""))).replace("\N{NO-BREAK SPACE}", " ")


def section(html: str, name: str) -> str:
    found = re.search(rf'<section aria-labelledby="{name}">.*?</section>', html, re.DOTALL)
    assert found is not None, f"there is no section {name}"
    return found[0]


def card_of(zoo: Zoo, name: str, version: int | None = None) -> Card:
    return zoo.catalogue.card(*zoo.model(name).select(version))


def opened(folder: Path) -> FlaskClient:
    return create_app(Zoo.open(folder)).test_client()
