"""Servers of the app that waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from holding import Serve, Served, end


@pytest.fixture(scope="module")
def serve_module(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[Serve]:
    with ExitStack() as stack:

        def start(*flags: str, **settings: Any) -> Served:
            served = Served(tmp_path_factory.mktemp("server"), root, *flags, **settings)
            stack.callback(end, served)
            return served

        yield start


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[Serve]:
    """Starts servers that end with the test."""
    with ExitStack() as stack:

        def start(*flags: str, **settings: Any) -> Served:
            served = Served(tmp_path_factory.mktemp("server"), root, *flags, **settings)
            stack.callback(end, served)
            return served

        yield start


@pytest.fixture(scope="module")
def served(serve_module: Serve) -> Served:
    """One server for the tests that leave it as it was."""
    return serve_module(max_body_mb=1.0)
