"""Plain requests: one picture, as the body or in a form, and nothing besides; found once for all who ask for it."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from webui.forms import only_file

PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp")
"""Content types of the pictures that are read."""

BODIES = (*PICTURES, "application/octet-stream")
"""Content types of a body that is a picture itself."""

FOUND = "zoo.picture"
"""Where in the environ the picture is kept, or that there is none."""


def sole_picture(environ: MutableMapping[str, Any]) -> bytes | None:
    """The one picture of a request, if it is plain and the server holds its body; else the body can be read again."""
    if FOUND not in environ:
        environ[FOUND] = _found(environ)
    found: bytes | None = environ[FOUND]
    return found


def _found(environ: MutableMapping[str, Any]) -> bytes | None:
    body: bytes | None = environ.get("zoo.body")
    kind = environ.get("CONTENT_TYPE", "")
    if not body or "HTTP_CONTENT_ENCODING" in environ:
        return None
    if kind.startswith("multipart/form-data"):
        return only_file(kind, body)
    return body if kind in BODIES else None
