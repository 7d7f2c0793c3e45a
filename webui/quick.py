"""Which requests the event loop answers by itself, since that is over sooner than handing them to a thread would be.

A small picture at an address that tells one digit, and whose last answers were quick, is such a request: what a row of
digits takes is another matter from picture to picture. What an answer takes is seen, not
guessed: an address begins in a thread, and a model that has become slow is asked in threads again after `PATIENCE` slow
answers. One alone tells nothing, since any process may lose its core for some milliseconds. Nor does a quick refusal,
which asks no model. Nor is a version asked in the loop that the address names: it may have to be loaded again.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any

from webui.plain import sole_picture
from zoo.images import announced

SMALL = 16_384  # bytes of a body; a connection brings such in one piece
PIXELS = 450_000  # of a picture, by its head: 640 x 640 and little more
TINY = 4_096  # pixels, up to which most of an answer's time is the same for one picture and for many
SECONDS = 0.005  # an answer that took longer was slow
PATIENCE = 3  # slow answers in a row
MOST = 1_000  # addresses that are kept in mind

_ONE_DIGIT = re.compile(r"(/predict(_[^/]+)?|/hf/[^/]+|/models/[^/]+/infer)$")


class Quick:
    """Knows by address, as clients ask for it, what the last small picture took. To be used from one event loop."""

    def __init__(self) -> None:
        self._slow: dict[str, int] = {}  # the slow answers in a row, up to now

    def suits(self, environ: MutableMapping[str, Any], body: bytes) -> int:
        """The pixels of a request's picture if it may be answered at once: one small picture, and no question besides.

        0 if it may not.
        """
        if not 0 < len(body) <= SMALL or environ["QUERY_STRING"] or "HTTP_CONTENT_ENCODING" in environ:
            return 0
        if not _ONE_DIGIT.search(environ["PATH_INFO"]):
            return 0
        picture = sole_picture(environ)
        if picture is None and environ.get("CONTENT_TYPE", "").startswith("multipart/form-data"):
            return 0
        size = announced(body if picture is None else picture)  # a body is looked at for what it is, not for its type
        pixels = size[0] * size[1] if size else 0
        return pixels if pixels <= PIXELS else 0

    def knows(self, path: str) -> bool:
        """Whether small pictures at this address are answered quickly."""
        return self._slow.get(path, PATIENCE) < PATIENCE

    def learn(self, path: str, status: int, seconds: float) -> None:
        """Keep in mind what an answer took that `suits`, and with which HTTP status it came."""
        if seconds >= SECONDS:
            if path in self._slow:
                self._slow[path] = min(PATIENCE, self._slow[path] + 1)
        elif status == HTTPStatus.OK and (len(self._slow) < MOST or path in self._slow):
            self._slow[path] = 0
