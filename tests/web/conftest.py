"""The app of the repository's zoo, and a zoo to be harmed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from asking import ROOT
from flask import Flask
from flask.testing import FlaskClient

from webui import create_app
from zoo import Zoo


@pytest.fixture(scope="module")
def zoo() -> Zoo:
    return Zoo.open(ROOT)


@pytest.fixture(scope="module")
def app(zoo: Zoo) -> Flask:
    return create_app(zoo)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def own_zoo(tmp_path: Path) -> Path:
    """A copy of the zoo, to be harmed."""
    for part in ("plugins", "checkpoints"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "settings.toml", tmp_path)
    return tmp_path
