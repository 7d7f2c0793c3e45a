"""Zoos whose servers are guarded: the repository's models under settings of a test's own, and keys to them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from asking import ROOT, drawing, saved
from serving import Served, serving

from zoo import keys

SERVE = [sys.executable, "-m", "zoo", "serve", "--port", "0"]
PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PHONE, BOSS = keys.create(), keys.create()
KEYS = f"""
[server.keys]
phone = {{hash = "{keys.hashed(PHONE)}"}}
boss = {{hash = "{keys.hashed(BOSS)}", scopes = ["admin"]}}
"""


def zoo_with(folder: Path, server: str) -> Path:
    """A zoo of `cnn` in a folder, with these lines in its table [server]."""
    (folder / "plugins").mkdir(exist_ok=True)
    for part in ("plugins/cnn.py", "checkpoints"):
        if not (folder / part).exists():
            (folder / part).symlink_to(ROOT / part)
    settings = f'default_model = "cnn"\n[models.cnn]\ncheckpoint = 1\n[server]\n{server}\n'
    (folder / "settings.toml").write_text(settings)
    return folder


@contextmanager
def serving_with(folder: Path, server: str, *flags: str) -> Iterator[Served]:
    """The same zoo, served by a process of its own."""
    with serving([*SERVE, *flags], zoo_with(folder, server)) as served:
        yield served


def picture() -> dict[str, tuple[str, bytes]]:
    """A seven, as requests wants the files of a form."""
    return {"file": ("digit.png", saved(drawing()))}


def token(page: str) -> str:
    """The token that a page's forms carry."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found, page
    return found[1]


def signed_in(url: str, key: str = PHONE) -> requests.Session:
    """A browser without JavaScript that has signed in with a key."""
    browser = requests.Session()
    browser.headers.update(PAGE)
    form = {"key": key, "csrf_token": token(browser.get(f"{url}/", timeout=30).text), "next": "/"}
    answer = browser.post(f"{url}/login", data=form, allow_redirects=False, timeout=30)
    assert answer.status_code == 303, answer.text
    return browser
