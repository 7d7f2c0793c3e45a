"""The zoo that the app of this request serves."""

from __future__ import annotations

from flask import current_app

from zoo.zoo import Zoo

ZOO = "zoo"  # where an app keeps it


def current_zoo() -> Zoo:
    """The zoo of the app that answers this request."""
    zoo: Zoo = current_app.extensions[ZOO]
    return zoo
