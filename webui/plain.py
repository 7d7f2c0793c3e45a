"""Plain requests: one picture, as the body or in a form, and nothing else. It is looked for only once per request."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from webui.environ import BODY, PICTURE
from webui.forms import only_file

PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp")
"""The content types of the picture formats that are read."""

BODIES = (*PICTURES, "application/octet-stream")
"""The content types of a body that is a picture itself."""


def sole_picture(environ: MutableMapping[str, Any]) -> bytes | None:
    """Return the picture of a plain request whose body the server holds (`environ[BODY]`), else None.

    The input stream is not touched, so the body can still be read.
    """
    if PICTURE not in environ:
        environ[PICTURE] = _found(environ)
    found: bytes | None = environ[PICTURE]
    return found


def _found(environ: MutableMapping[str, Any]) -> bytes | None:
    body: bytes | None = environ.get(BODY)
    kind = environ.get("CONTENT_TYPE", "")
    if not body or "HTTP_CONTENT_ENCODING" in environ:
        return None
    if kind.startswith("multipart/form-data"):
        return only_file(kind, body)
    return body if kind in BODIES else None
