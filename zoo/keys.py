"""API keys: create them, and recognise them by their hashes alone.

A key has 256 random bits and cannot be guessed, so a single SHA-256 is enough to hide it. The slow hashes for passwords
protect secrets that people make up; here they would only slow down every request.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping

MARK = "zoo_"  # the prefix by which people and secret scanners recognise a key
HASH = r"^sha256:[0-9a-f]{64}$"  # the form of a key's hash in the settings
LONGEST = 256  # characters of a presented key that are hashed; the rest is ignored


def create() -> str:
    """Return a new random key: "zoo_" and 43 letters, digits, - and _."""
    return MARK + secrets.token_urlsafe(32)


def hashed(key: str) -> str:
    """Return the hash of a key, as the settings store it: "sha256:" and 64 hexadecimal digits."""
    return f"sha256:{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


def recognised(key: str, hashes: Mapping[str, str]) -> str | None:
    """Return the name of this key in `hashes`, or None. Takes the same time for every key, known or not."""
    own = hashed(key[:LONGEST]).encode()
    found = None
    for name, known in hashes.items():
        if hmac.compare_digest(own, known.encode()):
            found = name
    return found
