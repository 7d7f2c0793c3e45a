"""Keys that let people and programs in: made here, and known again by their hashes alone.

A key has 256 random bits, so nobody can guess it, and one SHA-256 hides it: the slow hashes that passwords need protect
what people think up, and would cost each request what they cost a thief.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping

MARK = "zoo_"  # tells what it is to who finds one, and to scanners
HASH = r"^sha256:[0-9a-f]{64}$"
LONGEST = 256  # characters of what may be a key; no more are hashed


def create() -> str:
    """A new key: "zoo_" and 43 letters, digits, - and _."""
    return MARK + secrets.token_urlsafe(32)


def hashed(key: str) -> str:
    """What settings keep of a key: "sha256:" and 64 hexadecimal digits."""
    return f"sha256:{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


def recognised(key: str, hashes: Mapping[str, str]) -> str | None:
    """The name under which `hashes` has this key, or None. Takes as long whichever it is, and whether it is one."""
    own = hashed(key[:LONGEST]).encode()
    found = None
    for name, known in hashes.items():
        if hmac.compare_digest(own, known.encode()):
            found = name
    return found
