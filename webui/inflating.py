"""Decompresses request bodies, gzip and deflate, within the size limit of any body.

Deflate is the zlib format: https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1
"""

from __future__ import annotations

import zlib

from webui.faults import BadRequest, Refused, WrongCoding
from zoo.errors import counted

CODINGS = {"gzip": (31, "gzip (RFC 1952)"), "x-gzip": (31, "gzip (RFC 1952)"), "deflate": (15, "zlib (RFC 1950)")}
"""For each Content-Encoding, zlib's `wbits` and the format that it means."""

MEMBER = b"\x1f\x8b"  # start of each member of a gzip body, which may have several (RFC 1952, section 2.2)
MEMBERS = 10_000  # in a body, at most; even an empty one, of 20 bytes, takes some microseconds
STEP = 4096  # bytes that are decompressed at once, to at most a thousand times as many


def inflated(body: bytes, coding: str, limit: int) -> bytes:
    """Return a body as it was before this Content-Encoding, at most `limit` bytes.

    Decompression stops soon after the limit, so that memory stays bounded. Raises WrongCoding, BadRequest when the body
    is damaged, and Refused with status 413 beyond the limit.
    """
    coding = coding.strip().lower()
    if coding in ("", "identity") or not body:
        return body
    if coding not in CODINGS:
        raise WrongCoding(
            f'The body has the Content-Encoding "{coding[:40]}", which is not supported. Send it as it is, or '
            "compressed with gzip or deflate.",
            {"Accept-Encoding": "gzip, deflate"},
        )
    wbits, form = CODINGS[coding]
    try:
        return _inflated(body, wbits, limit)
    except (zlib.error, EOFError) as error:
        raise BadRequest(
            f"The body of {counted(len(body), 'byte')} has the Content-Encoding {coding} and is not {form}: "
            f"{_why(error)}. Compress it again, or send it as it is."
        ) from None


def _why(error: zlib.error | EOFError) -> str:
    """Return what is wrong with a compressed body. zlib's own text is "Error -3 while decompressing data: …"."""
    told = str(error)
    if isinstance(error, EOFError):
        return told
    if "header" in told or "compression method" in told:
        return "its header is invalid"
    return "its checksum does not match" if "check" in told else "its data is invalid"


def _inflated(body: bytes, wbits: int, limit: int) -> bytes:
    """Decompress a body step by step. Raises zlib.error and EOFError for damaged data, and what `inflated` does."""
    inflater, rest = zlib.decompressobj(wbits), memoryview(body)
    pieces: list[bytes] = []
    room, members = limit, 1
    while rest:
        if inflater.eof:
            if bytes(rest[:2]) != MEMBER or wbits != CODINGS["gzip"][0]:
                raise EOFError(f"{counted(len(rest), 'byte')} found after its end")
            if members == MEMBERS:
                raise BadRequest(f"The body has more than {MEMBERS:,} gzip members. Compress it again, as one.")
            inflater, members = zlib.decompressobj(wbits), members + 1
        step = rest[:STEP]
        piece = inflater.decompress(step, room + 1)
        rest, room = rest[len(step) - len(inflater.unused_data) :], room - len(piece)
        if room < 0:
            raise Refused(
                413,
                f"The decompressed body has more than {limit / 1e6:g} MB, the limit (server.max_body_mb). Send less.",
            )
        pieces.append(piece)
    if not inflater.eof:
        raise EOFError("it is cut short")
    return b"".join(pieces)
