"""Who may ask: a key in a header, or for the page a signed cookie that stands for one; what each route asks of a key.

Without keys in the settings nothing here is in the way of a request. With them every route wants `predict`, addresses
that do not exist included, but for those that say otherwise by `needs`.
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
SIGNED_IN = timedelta(days=7)  # the longest that a browser stays signed in; closing it ends that too
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
OPEN = ("static",)  # endpoints that are Flask's own
GATE = "zoo-gate"  # where an app keeps its Gate
ICON = "/favicon.ico"  # which browsers ask for by themselves


def needs(scope: str) -> Callable[[F], F]:
    """Mark a view as asking for ADMIN, or for NOTHING: `@needs(ADMIN)`. Without the mark it asks for PREDICT."""

    def mark(view: F) -> F:
        view.needs = scope  # type: ignore[attr-defined]
        return view

    return mark


def needed(app: Flask, endpoint: str | None) -> str:
    """The scope that an endpoint asks for; PREDICT for None, which is no endpoint."""
    if endpoint is None:
        return PREDICT
    if endpoint in OPEN:
        return NOTHING
    scope: str = getattr(app.view_functions[endpoint], "needs", PREDICT)
    return scope


@dataclass(frozen=True, slots=True)
class Caller:
    """The key that a request came with: its name, its scopes, and whether a cookie stood for it."""

    name: str
    scopes: frozenset[str]
    by_cookie: bool

    def may(self, scope: str) -> bool:
        return scope in self.scopes or ADMIN in self.scopes


class Cookies(SecureCookieSessionInterface):
    """The session's cookie: for the zoo's own path, and over https never sent without."""

    def get_cookie_path(self, app: Flask) -> str:
        return request.script_root or "/"

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return super().open_session(app, request) if "HTTP_COOKIE" in request.environ else self.session_class()


class Gate:
    """Lets requests of an app pass that come with one of these keys. `secret` signs the cookies."""

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
            WTF_CSRF_TIME_LIMIT=None,  # as long as the session
            WTF_CSRF_SSL_STRICT=False,  # it would want a Referer, which many browsers are told not to send
        )
        self._csrf = CSRFProtect(app)
        app.before_request(self._let_in)
        app.extensions[GATE] = self
        app.jinja_env.globals.update(
            csrf_field=_csrf_field, csrf_meta=self._csrf_meta, back=back, signed_in=self.signed_in
        )

    def _let_in(self) -> None:
        scope = needed(current_app, request.endpoint)
        if scope == NOTHING or request.path == ICON:
            return
        caller = self.caller()
        if caller is None:
            raise NoKey(
                "This server asks for a key. Send it as Authorization: Bearer KEY, or as X-API-Key: KEY. Whoever runs "
                "the server makes one: zoo key new."
            )
        if not caller.may(scope):
            raise Forbidden(
                f'The key "{caller.name}" has the scope {", ".join(sorted(caller.scopes))}; {cut(request.method)} '
                f"{cut(request.path)} needs {scope}. Ask whoever runs the server for a key that has it.",
                scope,
            )
        if caller.by_cookie and request.method in UNSAFE:
            self.check_token()

    def caller(self) -> Caller | None:
        """Whose key came with this request; None without any. A header goes before the cookie. Raises NoKey."""
        key = _sent_key(request.environ)
        if key is None:
            name = self._tickets.get(session.get("ticket", ""))
            return None if name is None else Caller(name, self._scopes[name], True)
        name = keys.recognised(key, self._hashes)
        if name is None:
            raise NoKey(
                "The key that came with the request is not known here, or no longer. Whoever runs the server makes "
                "a new one: zoo key new.",
                "invalid_token",
            )
        return Caller(name, self._scopes[name], False)

    def admits(self, environ: WSGIEnvironment) -> bool:
        """Whether a request has a key in a header that may ask for predictions. Of all others Flask decides."""
        key = _sent_key(environ)
        name = None if key is None else keys.recognised(key, self._hashes)
        return name is not None and Caller(name, self._scopes[name], False).may(PREDICT)

    def check_token(self) -> None:
        """Raises Forged unless the request carries the token of this session's pages, or if another site's sent it."""
        from flask_wtf.csrf import CSRFError

        page = request.referrer
        if page and request.is_secure and urlsplit(page)[:2] != (request.scheme, request.host):
            raise Forged(f"The request comes from a page of another site, {page[:80]}. Use the pages of this one.")
        try:
            self._csrf.protect()
        except CSRFError as error:
            raise Forged(
                f"{error.description} A request with the page's cookie needs the page's token, in the form as "
                "csrf_token or in the header X-CSRF-Token. Load the page anew; programs send a key in a header instead."
            ) from None

    def sign_in(self, key: str) -> bool:
        """Whether the key is known; if so, the browser is signed in from now on, by what ends with the key."""
        name = keys.recognised(key, self._hashes)
        if name is None:
            return False
        session.clear()
        session["ticket"] = next(ticket for ticket, owner in self._tickets.items() if owner == name)
        return True

    def signed_in(self) -> bool:
        """Whether this request's cookie stands for a key."""
        return session.get("ticket", "") in self._tickets

    def _csrf_meta(self) -> Markup:
        from flask_wtf.csrf import generate_csrf

        return Markup('<meta name="csrf-token" content="{}">').format(generate_csrf()) if self.signed_in() else Markup()


def is_known() -> bool:
    """Whether this request comes from somebody whom the server lets in: with a key, or because nobody needs one."""
    gate: Gate | None = current_app.extensions.get(GATE)
    try:
        return gate is None or gate.caller() is not None
    except NoKey:
        return False


def without_keys(app: Flask) -> None:
    """What the templates ask for, where nobody needs a key."""
    app.jinja_env.globals.update(csrf_field=Markup, csrf_meta=Markup, signed_in=bool)


def local(target: str) -> bool:
    """Whether an address to go on to is a path of this site, so that no link can lead a browser elsewhere."""
    return target.startswith("/") and target[1:2] not in ("/", "\\") and target.isprintable()


def back() -> str:
    """Where to go on to after signing in: what was asked for, if it can be asked for again."""
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
    """The hidden field of a form that posts with the cookie."""
    from flask_wtf.csrf import generate_csrf

    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(generate_csrf())


def _sent_key(environ: WSGIEnvironment) -> str | None:
    kind, _, key = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    if kind.lower() == "bearer":
        return key.strip()
    given: str | None = environ.get("HTTP_X_API_KEY")
    return given


def _ticket(secret: str, hashed: str) -> str:
    """What a cookie holds in a key's place: of no use without the secret's signature, and none once the key is gone."""
    return hmac.new(secret.encode(), b"ticket " + hashed.encode(), hashlib.sha256).hexdigest()
