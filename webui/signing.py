"""Signing in and out on the pages: a key is asked for once, and a cookie stands for it afterwards."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request, session, url_for
from flask_babel import gettext

from webui.access import NOTHING, Gate, back, needs
from webui.errors import wants_page
from webui.faults import NoKey
from webui.notices import Notice
from webui.pages import page
from webui.rate import Rate

ATTEMPTS = "10 per minute"  # failed sign-ins of one client


def routes(gate: Gate) -> Blueprint:
    """Return the blueprint of `/login` and `/logout`."""
    signing = Blueprint("signing", __name__)
    failures = Rate(ATTEMPTS, "wrong keys")

    @signing.get("/login")
    @needs(NOTHING)
    def form() -> Response:
        return page("login.html")

    @signing.post("/login")
    @needs(NOTHING)
    def sign_in() -> Response:
        failures.check(request.remote_addr)
        gate.check_token()
        if gate.sign_in(request.form.get("key", "").strip()):
            return _see(back())
        failures.count(request.remote_addr)
        error = NoKey("This key is unknown or was revoked.", "invalid_token")
        if not wants_page():
            raise error
        notice = Notice(401, gettext("Key not recognised"), gettext("Check that you pasted the whole key."), "")
        response = page("login.html", 401, notice=notice)
        response.headers.extend(error.headers)
        return response

    @signing.post("/logout")
    def sign_out() -> Response:
        session.clear()
        return _see(url_for("signing.form", left=1))

    return signing


def _see(address: str) -> Response:
    response = redirect(address, 303)
    assert isinstance(response, Response)
    return response
