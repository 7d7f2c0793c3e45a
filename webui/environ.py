"""The keys of a WSGI environ by which the server, what surrounds the app, and its views pass things on to each other.

No client can set them: what it sends gets keys that begin with HTTP_.
"""

from __future__ import annotations

BODY = "zoo.body"
"""bytes: the whole body as it was sent. `bridge` sets it before the app is called; `plain` and `inputs` read it."""

HAS_LEFT = "zoo.left"
"""bool: whether the client has left meanwhile. `wsgi` sets False, and `bridge` True while the app runs; `api` reads
it."""

REFUSAL = "zoo.refusal"
"""tuple[int, str]: status and message of a request that is refused before the app. Set by `bridge`, and by `mounting`
for a path outside the prefix; read by `errors`, which answers, and by `mounting`."""

ROUTE = "zoo.route"
"""str: the rule that the request matched, such as /predict_<name>. Set by `shortcut`, or else by `metrics`, and to
OTHER by `mounting` for a path outside the prefix; read by `visits` for the metrics."""

OTHER = "other"
"""The route of requests without one, so that made-up addresses make no labels."""

PICTURE = "zoo.picture"
"""bytes | None: the picture of a plain request, or None if it is not one. `plain` sets and reads it, so that it looks
only once."""

KNOWN = "zoo.known"
"""Prediction | ZooError: an answer that `shortcut` found ahead, in one batch with others. It takes it out again when
the app is called."""

FAILED = "zoo.failed"
"""Exception: why `shortcut` could not answer. The view in `api` reports it."""
