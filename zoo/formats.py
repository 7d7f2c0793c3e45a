"""Recognise the formats of pictures by their first bytes, and read from a file what is known without decoding it."""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from zoo.compiled.codes import count_pairs
from zoo.errors import PictureBroken, PictureUnsupported, counted

EXPECTED = "Send a PNG, JPEG, GIF, WebP or BMP picture."

CHUNKS = 10_000
"""Chunks of a PNG that are looked at here, at most."""

_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"RIFF", "WebP"),
    (b"BM", "BMP"),
)
_PNG_BEGINS = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_SILENT = (b"pHYs", b"tIME", b"tEXt", b"sRGB", b"gAMA")
"""Chunks of a PNG that do not change how `zoo.images.decode` reads its grey levels."""

_CHEAP = frozenset((b"IDAT", b"PLTE", b"tRNS", b"bKGD", b"cHRM", b"cICP", b"eXIf", b"sBIT", *_SILENT))
"""Chunks of a PNG, between the first and the last, that are read in proportion to their bytes."""

_LONGEST = 32  # chunks of a PNG or segments of a JPEG, at most; for a small picture, encoders write fewer than 20
_PROGRESSIVE = 0xC2  # start of a progressive frame (ITU-T T.81, table B.1)
_FRAMES = (0xC0, 0xC1, _PROGRESSIVE)  # baseline and extended sequential frames too
_TABLES = (0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0))  # DHT, DQT, DRI, COM and APPn
_APP1 = 0xE1  # holds EXIF data, among others
_EXIF = b"Exif\0\0"  # EXIF 2.32, section 4.7.2
_SOS = 0xDA  # start of scan
_SCANS = 4  # of a sequential JPEG, at most: each component may have one of its own
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # bytes of the known versions of a BMP's header


def format_of(data: bytes) -> str | None:
    """Return the format by a file's first bytes, such as "PNG"; None if it is not supported."""
    return next((name for magic, name in _BEGINNINGS if data.startswith(magic)), None)


def recognise(data: bytes) -> str:
    """Return the format by a file's first bytes, as `format_of` does.

    Raises `PictureUnsupported` for other formats, and `PictureBroken` if even the signature is truncated.
    """
    for magic, name in _BEGINNINGS:
        if data.startswith(magic):
            if name == "WebP" and data[8:12] != b"WEBP"[: max(0, len(data) - 8)]:
                break
            if name == "BMP" and len(data) >= 18 and int.from_bytes(data[14:18], "little") not in _BMP_HEADERS:
                break
            return name
        if magic.startswith(data):
            size = counted(len(data), "byte")
            raise PictureBroken(f"The picture is truncated: only {size} of a {name} arrived. Send the whole file.")
    if data[4:8] == b"ftyp":
        kind = "a HEIC, AVIF or video file, as phones write them"
    elif data.startswith((b"II*\0", b"MM\0*")):
        kind = "a TIFF"
    elif data.startswith(b"%PDF"):
        kind = "a PDF"
    elif b"<svg" in data[:1000]:
        kind = "an SVG drawing"
    else:
        kind = f"not a picture that can be read (it begins with {_beginning(data[:12])})"
    raise PictureUnsupported(f"The file is {kind}. {EXPECTED}")


def _beginning(data: bytes) -> str:
    """Describe bytes for a person: as text if at least half of them are printable, else in hexadecimal."""
    text = "".join(chr(code) if 32 <= code < 127 else "·" for code in data)
    return f'"{text}"' if 2 * text.count("·") <= len(text) else f"the bytes {data.hex(' ')}"


def announced(data: bytes) -> tuple[int, int] | None:
    """Return width and height by the header of a PNG or a sequential JPEG, without decoding; None for anything else.

    Also None if decoding may cost much more than the file's bytes and pixels suggest: for compressed metadata, for many
    chunks, segments or scans, and for a second header, which Pillow would use instead.
    """
    if data.startswith(_PNG_BEGINS):
        return _size_of_png(data)
    return _size_of_jpeg(data) if data.startswith(b"\xff\xd8\xff") else None


def _size_of_png(data: bytes) -> tuple[int, int] | None:
    """Return the size of a PNG with only a few chunks, all of them cheap."""
    at, last = 33, len(data) - 12
    for _ in range(_LONGEST):
        if at > last:
            return None
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IEND":
            width, height = struct.unpack_from(">II", data, 16)
            return width, height
        if kind not in _CHEAP:
            return None
        at += 12 + length
    return None


def _size_of_jpeg(data: bytes) -> tuple[int, int] | None:
    """Return the size of a usual JPEG that is sequential and has few scans."""
    head = jpeg_head(data)
    return head.size if head and not head.is_progressive and count_scans(data) <= _SCANS else None


class JpegHead(NamedTuple):
    """What the segments of a usual JPEG before its first scan tell: width and height, and EXIF data, maybe empty."""

    size: tuple[int, int]
    is_grey: bool
    is_progressive: bool
    exif: bytes


def jpeg_head(data: bytes) -> JpegHead | None:
    """Parse the segments before a JPEG's first scan; None if there are many of them, or any that is unusual.

    Usual is one frame, sequential or progressive, with 8 bits and one or three components.
    """
    at, frame, width, height, exif = 2, None, 0, 0, b""
    for _ in range(_LONGEST):
        if at + 10 > len(data) or data[at] != 0xFF:
            return None
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if kind == _SOS:
            return frame and JpegHead((width, height), frame[1] == 1, frame[0] == _PROGRESSIVE, exif)
        if kind in _FRAMES and frame is None:
            bits, height, width, components = struct.unpack_from(">BHHB", data, at + 4)
            if bits != 8 or components not in (1, 3) or not width or not height:
                return None
            frame = kind, components
        elif kind == _APP1 and data.startswith(_EXIF, at + 4):
            exif += data[at + 4 + len(_EXIF) : at + 2 + length]
        elif kind not in _TABLES:
            return None
        at += 2 + length
    return None


def count_scans(data: bytes) -> int:
    """Count the start-of-scan markers in a JPEG."""
    return count_pairs(data, 0xFF, _SOS)


def webp_size(data: bytes) -> tuple[int, int]:
    """Return the width and height in a WebP's header (RFC 9649, sections 2.5 to 2.7); zeros if it has none."""
    kind, head = data[12:16], data[20:30]
    if len(head) < 10:
        return 0, 0
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[4:7], "little"), 1 + int.from_bytes(head[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        return int.from_bytes(head[6:8], "little") & 0x3FFF, int.from_bytes(head[8:10], "little") & 0x3FFF
    return 0, 0


class PlainPng(NamedTuple):
    """A plain 8-bit grey PNG: its width and height, and its compressed pixels."""

    size: tuple[int, int]
    deflated: bytes


def plain_png(data: bytes) -> PlainPng | None:
    """Parse a plain PNG; None if it has anything else in it, or damaged chunks.

    Programs send such PNGs, and Pillow's decoder alone takes half the time of its complete PNG reader.
    """
    if data[12:16] != b"IHDR" or data[24:29] != b"\x08\0\0\0\0":  # 8 bits, grey, deflate, standard filter, no interlace
        return None
    width, height = struct.unpack_from(">II", data, 16)
    if not width or not height or zlib.crc32(data[12:29]) != int.from_bytes(data[29:33], "big"):
        return None
    parts, at = [], 33
    for _ in range(CHUNKS):
        if at + 12 > len(data):
            return None
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if kind == b"IEND":
            break
        if kind == b"IDAT" and zlib.crc32(data[at + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big"):
            parts.append(data[at + 8 : end - 4])
        elif kind not in _SILENT:
            return None
        at = end
    else:
        return None
    return PlainPng((width, height), b"".join(parts))


def without_animation(data: bytes) -> bytes:
    """Remove a PNG's animation chunks, which leaves its default picture."""
    if b"acTL" not in data:
        return data
    parts, at = [data[:8]], 8
    for _ in range(CHUNKS):
        if at >= len(data):
            return b"".join(parts)
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] not in (b"acTL", b"fcTL", b"fdAT"):
            parts.append(data[at:end])
        at = end
    raise in_too_many_parts()


def in_too_many_parts() -> PictureBroken:
    """Return the error of a file with so many parts that going through them would take long."""
    return PictureBroken("The picture's file consists of more parts than any program writes. Save it anew.")
