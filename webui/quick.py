"""Which requests the event loop answers itself, because that is quicker than handing them to a thread.

These are small pictures at an address that predicts one digit, if its last answers were quick. Rows of digits are not
among them: what they take differs from picture to picture. Neither are files that may take much longer to decode than
their bytes and pixels suggest, such as a PNG with compressed metadata. Times are measured, not guessed: an address
begins in a thread, and one whose model has become slow goes back to threads after `PATIENCE` slow answers in a row. One
slow answer proves nothing, because any process may lose its core for some milliseconds. Neither does a quick refusal,
which asks no model. Requests that name a version are never answered in the loop: it may have to be loaded again.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any

from webui.plain import sole_picture
from zoo.formats import announced

SMALL = 16_384  # bytes of a body; a connection brings as much in one piece
PIXELS = 450_000  # pixels of a JPEG, by its header: 640 x 640 and a little more
PNG_PIXELS = 102_400  # pixels of a PNG, by its header: 320 x 320; more take over 5 ms even in a file of 1 kB
TINY = 4_096  # pixels; up to here, most of an answer's time is the same for one picture and for many
SECONDS = 0.005  # an answer that took this long was slow
PATIENCE = 3  # slow answers in a row
MOST = 1_000  # paths that are remembered

_PNG = 0x89  # the first byte of a PNG, and of no other picture whose size is announced
_ONE_DIGIT = re.compile(r"(/predict(_[^/]+)?|/hf/[^/]+|/models/[^/]+/infer)$")


class Quick:
    """Remembers, by the path that clients ask for, what the last small pictures took.

    Use it from one event loop only.
    """

    def __init__(self) -> None:
        self._slow: dict[str, int] = {}  # slow answers in a row, by path

    def suits(self, environ: MutableMapping[str, Any], body: bytes) -> int:
        """Return the pixels of a request's picture if it may be answered at once, else 0.

        It may if it has one small picture and asks for nothing besides.
        """
        if not 0 < len(body) <= SMALL or environ["QUERY_STRING"] or "HTTP_CONTENT_ENCODING" in environ:
            return 0
        if not _ONE_DIGIT.search(environ["PATH_INFO"]):
            return 0
        picture = sole_picture(environ)
        if picture is None and environ.get("CONTENT_TYPE", "").startswith("multipart/form-data"):
            return 0
        if picture is None:
            picture = body
        size = announced(picture)  # the bytes decide, not the content type
        if size is None:
            return 0
        pixels = size[0] * size[1]
        return pixels if pixels <= (PNG_PIXELS if picture[0] == _PNG else PIXELS) else 0

    def knows(self, path: str) -> bool:
        """Whether small pictures at this path are answered quickly."""
        return self._slow.get(path, PATIENCE) < PATIENCE

    def learn(self, path: str, status: int, seconds: float) -> None:
        """Note what an answer took that `suits`, and its HTTP status.

        A slow answer counts whatever its status, a quick one only with status 200.
        """
        if seconds >= SECONDS:
            if path in self._slow:
                self._slow[path] = min(PATIENCE, self._slow[path] + 1)
        elif status == HTTPStatus.OK and (len(self._slow) < MOST or path in self._slow):
            self._slow[path] = 0
