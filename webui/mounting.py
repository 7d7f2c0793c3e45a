"""Where the zoo is as seen from outside: behind reverse proxies, and under a path prefix."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

from webui.environ import OTHER, REFUSAL, ROUTE
from zoo.errors import cut

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATHS = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")
"""What a forwarded path prefix may look like."""
PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d+)?|([^:]+):\d+")
"""An address with a port, or an IPv6 address in brackets, as some proxies forward them."""
HOSTS = re.compile(r"(?:([A-Za-z0-9._-]{1,255})|\[([0-9A-Fa-f:.]{2,45})\])(?::([1-9][0-9]{0,4}))?")
"""A Host: a name or an IPv6 address in brackets, and perhaps a port."""
LAST = 65535  # the highest port


def mounted(app: WSGIApplication, proxies: int, prefix: str, lost: WSGIApplication) -> WSGIApplication:
    """Return the app behind this many proxies and under a path such as "/zoo"; `lost` answers all other paths.

    `lost` finds its status and message in `environ[REFUSAL]`. With a prefix, X-Forwarded-Prefix is ignored.
    """
    if prefix:
        app = _under(prefix, app, lost)
    if proxies:
        app = _bared(app)
        app = _checked(ProxyFix(app, x_for=proxies, x_proto=proxies, x_host=proxies, x_prefix=0 if prefix else proxies))
    return app


@lru_cache(maxsize=64)
def is_host(value: str) -> bool:
    """Whether a Host header is valid: a name or an address, with an optional port (RFC 9112, section 3.2)."""
    found = HOSTS.fullmatch(value)
    if found is None or int(found[3] or 1) > LAST:
        return False
    try:
        if found[2]:
            IPv6Address(found[2])
        else:
            found[1].encode("idna")  # rejects empty and overlong labels
    except ValueError:
        return False
    return True


def bare(address: str) -> str:
    """Return an address without the port and brackets that some proxies forward, as in "[2001:db8::9]:123"."""
    found = PORT.fullmatch(address)
    return (found[1] or found[2]) if found else address


def _bared(app: WSGIApplication) -> WSGIApplication:
    """Strip the port from the client's address, so that a client looks the same whatever port it uses."""

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["REMOTE_ADDR"] = bare(environ["REMOTE_ADDR"])
        return app(environ, start_response)

    return wrapped


def _under(prefix: str, app: WSGIApplication, lost: WSGIApplication) -> WSGIApplication:
    """Serve the app under a prefix; `lost` answers all other paths, with 404 unless the server refuses them."""

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        environ["SCRIPT_NAME"] = prefix
        if path == prefix or path.startswith(f"{prefix}/"):
            environ["PATH_INFO"] = path[len(prefix) :] or "/"
            return app(environ, start_response)
        nothing = f"There is nothing at {cut(path)}. The zoo is at {prefix}/ (server.prefix)."
        environ.setdefault(REFUSAL, (404, nothing))
        environ[ROUTE] = OTHER
        return lost(environ, start_response)

    return wrapped


_SANE: tuple[tuple[str, Callable[[str], object]], ...] = (
    ("HTTP_X_FORWARDED_PREFIX", PATHS.fullmatch),
    ("HTTP_X_FORWARDED_HOST", is_host),
    ("HTTP_X_FORWARDED_PROTO", ("http", "https").__contains__),
)
"""Forwarded headers, and what tells whether a value of one is valid."""


def _checked(app: WSGIApplication) -> WSGIApplication:
    """Drop forwarded values that no proxy would send, so that no URL is built from them."""

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        for name, sane in _SANE:
            if any(not sane(one.strip()) for one in environ.get(name, "").split(",") if one.strip()):
                del environ[name]
        if environ.get("HTTP_X_FORWARDED_PREFIX", "").endswith("/"):
            environ["HTTP_X_FORWARDED_PREFIX"] = environ["HTTP_X_FORWARDED_PREFIX"].rstrip("/")
        return app(environ, start_response)

    return wrapped
