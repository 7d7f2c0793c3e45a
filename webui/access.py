"""Access control: a key in a header, or a signed cookie that stands for one, and the scope that each route needs.

Without keys in the settings, no request is stopped here. With keys, every route needs `predict`, unknown addresses
included, unless its view is marked with `needs`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Request, current_app, request, session, url_for
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from markupsafe import Markup

from webui.faults import Forbidden, Forged, NoKey
from zoo import keys
from zoo.errors import cut
from zoo.settings import KeySettings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

F = TypeVar("F", bound=Callable[..., Any])

PREDICT = "predict"
ADMIN = "admin"
NOTHING = ""
SIGNED_IN = timedelta(days=7)  # longest time that a browser stays signed in; closing it signs out too
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
OPEN = ("static",)  # Flask's own endpoints
GATE = "zoo-gate"  # key of an app's Gate in its extensions
ICON = "/favicon.ico"  # browsers request it unasked


def needs(scope: str) -> Callable[[F], F]:
    """Mark a view as needing ADMIN or NOTHING, as in `@needs(ADMIN)`. An unmarked view needs PREDICT."""

    def mark(view: F) -> F:
        view.needs = scope  # type: ignore[attr-defined]
        return view

    return mark


def needed(app: Flask, endpoint: str | None) -> str:
    """Return the scope that an endpoint needs; PREDICT for None, which is an unknown address."""
    if endpoint is None:
        return PREDICT
    if endpoint in OPEN:
        return NOTHING
    scope: str = getattr(app.view_functions[endpoint], "needs", PREDICT)
    return scope


@dataclass(frozen=True, slots=True)
class Caller:
    """The key of a request: its name, its scopes, and whether a cookie stood for it."""

    name: str
    scopes: frozenset[str]
    by_cookie: bool

    def may(self, scope: str) -> bool:
        """Whether the key allows what needs this scope; ADMIN allows everything."""
        return scope in self.scopes or ADMIN in self.scopes


class Cookies(SecureCookieSessionInterface):
    """The session cookie: limited to the zoo's own path, and marked Secure if the request came over HTTPS."""

    def get_cookie_path(self, app: Flask) -> str:
        return request.script_root or "/"

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return super().open_session(app, request) if "HTTP_COOKIE" in request.environ else self.session_class()


class Gate:
    """Lets only requests with one of the `known` keys reach an app. `secret` signs the cookies."""

    def __init__(self, app: Flask, known: Mapping[str, KeySettings], secret: str) -> None:
        from flask_wtf.csrf import CSRFProtect

        self._hashes = {name: key.hash for name, key in known.items()}
        self._scopes = {name: frozenset[str](key.scopes) for name, key in known.items()}
        self._tickets = {_ticket(secret, key.hash): name for name, key in known.items()}
        app.secret_key = secret
        app.session_interface = Cookies()
        app.config.update(
            SESSION_COOKIE_NAME="zoo_session",
            SESSION_COOKIE_SAMESITE="Lax",
            PERMANENT_SESSION_LIFETIME=SIGNED_IN,
            WTF_CSRF_CHECK_DEFAULT=False,
            WTF_CSRF_TIME_LIMIT=None,  # it lasts as long as the session
            WTF_CSRF_SSL_STRICT=False,  # strict would require a Referer, which many browsers are told not to send
        )
        self._csrf = CSRFProtect(app)
        app.before_request(self._let_in)
        app.extensions[GATE] = self
        app.jinja_env.globals.update(
            csrf_field=_csrf_field, csrf_meta=self._csrf_meta, back=back, signed_in=self.signed_in
        )

    def _let_in(self) -> None:
        """Check the key of a request before its view. Raises NoKey, Forbidden or Forged."""
        scope = needed(current_app, request.endpoint)
        if scope == NOTHING or request.path == ICON:
            return
        caller = self.caller()
        if caller is None:
            raise NoKey(
                "This server needs a key. Send it as Authorization: Bearer KEY, or as X-API-Key: KEY. The server's "
                "administrator makes one with: zoo key new."
            )
        if not caller.may(scope):
            raise Forbidden(
                f'The key "{caller.name}" has the scope {", ".join(sorted(caller.scopes))}; {cut(request.method)} '
                f"{cut(request.path)} needs {scope}. Ask the server's administrator for a key that has it.",
                scope,
            )
        if caller.by_cookie and request.method in UNSAFE:
            self.check_token()

    def caller(self) -> Caller | None:
        """Return whose key came with this request, or None without one. A header takes precedence over the cookie.

        Raises NoKey when the header has an unknown key.
        """
        key = _sent_key(request.environ)
        if key is None:
            name = self._tickets.get(session.get("ticket", ""))
            return None if name is None else Caller(name, self._scopes[name], True)
        name = keys.recognised(key, self._hashes)
        if name is None:
            raise NoKey(
                "The key in the request is unknown or was revoked. The server's administrator makes a new one with: "
                "zoo key new.",
                "invalid_token",
            )
        return Caller(name, self._scopes[name], False)

    def admits(self, environ: WSGIEnvironment) -> bool:
        """Whether a request has a key in a header that allows predictions. Flask decides about all other requests."""
        key = _sent_key(environ)
        name = None if key is None else keys.recognised(key, self._hashes)
        return name is not None and Caller(name, self._scopes[name], False).may(PREDICT)

    def check_token(self) -> None:
        """Check that one of this session's own pages sent the request.

        Raises Forged if its CSRF token is missing or wrong or, over HTTPS, if another site's page sent it.
        """
        from flask_wtf.csrf import CSRFError

        page = request.referrer
        if page and request.is_secure and urlsplit(page)[:2] != (request.scheme, request.host):
            raise Forged(f"The request comes from a page of another site, {page[:80]}. Use this site's own pages.")
        try:
            self._csrf.protect()
        except CSRFError as error:
            raise Forged(
                f"{error.description} A request with the page's cookie needs the page's token, in the form as "
                "csrf_token or in the header X-CSRF-Token. Reload the page; programs send a key in a header instead."
            ) from None

    def sign_in(self, key: str) -> bool:
        """Sign the browser in if the key is known, and return whether it is. The sign-in ends with the key."""
        name = keys.recognised(key, self._hashes)
        if name is None:
            return False
        session.clear()
        session["ticket"] = next(ticket for ticket, owner in self._tickets.items() if owner == name)
        return True

    def signed_in(self) -> bool:
        """Whether this request's cookie stands for a known key."""
        return session.get("ticket", "") in self._tickets

    def _csrf_meta(self) -> Markup:
        """Return the meta element with the CSRF token for scripts; empty for a browser that is not signed in."""
        from flask_wtf.csrf import generate_csrf

        return Markup('<meta name="csrf-token" content="{}">').format(generate_csrf()) if self.signed_in() else Markup()


def is_known() -> bool:
    """Whether the server lets this client in: it has a key, or the server asks for none."""
    gate: Gate | None = current_app.extensions.get(GATE)
    try:
        return gate is None or gate.caller() is not None
    except NoKey:
        return False


def without_keys(app: Flask) -> None:
    """Define what the templates call, in an app that asks for no keys."""
    app.jinja_env.globals.update(csrf_field=Markup, csrf_meta=Markup, signed_in=bool)


def local(target: str) -> bool:
    """Whether a redirect target is a path on this site, so that no link can send a browser elsewhere."""
    return target.startswith("/") and target[1:2] not in ("/", "\\") and target.isprintable()


def back() -> str:
    """Return where to go after signing in.

    That is the page that was asked for, or the front page if it cannot be asked for again.
    """
    if (request.endpoint or "").startswith("signing."):
        wanted: str = request.values.get("next", "")
        return wanted if local(wanted) else url_for("pages.index")
    if request.method not in ("GET", "HEAD"):
        return url_for("pages.index")
    here = (
        request.script_root
        + request.path
        + (f"?{request.query_string.decode('latin-1')}" if request.query_string else "")
    )
    return here if local(here) else url_for("pages.index")


def _csrf_field() -> Markup:
    """Return the hidden CSRF field of a form that posts with the cookie."""
    from flask_wtf.csrf import generate_csrf

    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(generate_csrf())


def _sent_key(environ: WSGIEnvironment) -> str | None:
    """Return the key in the header Authorization (Bearer, RFC 6750) or X-API-Key, or None."""
    kind, _, key = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    if kind.lower() == "bearer":
        return key.strip()
    given: str | None = environ.get("HTTP_X_API_KEY")
    return given


def _ticket(secret: str, hashed: str) -> str:
    """Return what a cookie holds instead of a key: worthless without the secret, and once the key is gone."""
    return hmac.new(secret.encode(), b"ticket " + hashed.encode(), hashlib.sha256).hexdigest()
