"""The zoo that the current app serves."""

from __future__ import annotations

from flask import current_app

from zoo.zoo import Zoo

ZOO = "zoo"  # its key in an app's extensions


def current_zoo() -> Zoo:
    """Return the zoo of the app that answers this request."""
    zoo: Zoo = current_app.extensions[ZOO]
    return zoo
