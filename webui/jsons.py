"""How the zoo writes JSON: compact, keys in their own order, by orjson, which takes a tenth of the time of Python's."""

from __future__ import annotations

import json
from typing import Any

import orjson
from flask import Response
from flask.json.provider import DefaultJSONProvider


class Compact(DefaultJSONProvider):
    """Flask's JSON for answers."""

    sort_keys = False
    _encoder = json.JSONEncoder(separators=(",", ":"), default=DefaultJSONProvider.default)

    def line(self, value: Any) -> bytes:
        """A value as one line of JSON, with its end."""
        try:
            return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
        except TypeError:  # what only Python's writes: half of a surrogate pair that a client sent
            return f"{self._encoder.encode(value)}\n".encode()

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """What a view's answer becomes."""
        return Response(self.line(self._prepare_response_obj(args, kwargs)), mimetype=self.mimetype)
