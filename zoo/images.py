"""Decode pictures from bytes: limits on bytes and pixels, formats, damage, orientation, depth and transparency.

The Pillow class of the format is chosen by the file's first bytes and opened directly, which reads only the header.
`PIL.Image.open` with `formats=` would warn of decompression bombs by a process-wide limit before ours can be checked,
and warning filters cannot be changed safely in one of several threads. For the same reason Pillow does not get to see
what else it would warn of: a JPEG's EXIF data, and a PNG's animation.
"""

from __future__ import annotations

import contextlib
import io
import math
import re
import struct
import threading
import zlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import PIL.Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from zoo.errors import PictureBroken, PictureError, PictureTooLarge, PictureUnsupported, TooManyMegapixels, counted
from zoo.types import Image

if TYPE_CHECKING:
    from zoo.settings import PictureSettings

DRAFT_SIDE = 1000
"""Pixels that a picture's short side keeps, at least, when it is decoded at 1/2, 1/4 or 1/8 scale."""

LARGE = 4_000_000
"""Pixels above which pictures are decoded one at a time."""

SCANS = 100
"""Scans of a progressive JPEG, at most; 10 are usual. Each takes time to decode but hardly any bytes."""

READS = 50_000
"""Reads that decoding a file may take, at most. A PNG of 20 MB in pieces of 4 kB takes 20,000."""

CHUNKS = 10_000
"""Chunks of a PNG that are looked at here, at most."""

_EXPECTED = "Send a PNG, JPEG, GIF, WebP or BMP picture."
_SMALLER = "Send a smaller one."
_ORIENTATION = 274  # EXIF 2.32, table 4: tag 0x0112, 1-8
_SIDEWAYS = (5, 6, 7, 8)  # orientations that swap width and height


class _Jpeg(JpegImageFile):
    """A JPEG whose EXIF data Pillow does not parse: it would, to find the resolution, and warn of every oddity."""

    def getexif(self) -> PIL.Image.Exif:
        """Return no tags; `_orientation` reads the one that matters from the raw bytes."""
        return PIL.Image.Exif()


_READERS: tuple[tuple[bytes, str, type[ImageFile]], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG", PngImageFile),
    (b"\xff\xd8\xff", "JPEG", _Jpeg),
    (b"GIF87a", "GIF", GifImageFile),
    (b"GIF89a", "GIF", GifImageFile),
    (b"RIFF", "WebP", WebPImageFile),
    (b"BM", "BMP", BmpImageFile),
)
_SILENT = (b"pHYs", b"tIME", b"tEXt", b"sRGB", b"gAMA")
"""Chunks of a PNG that do not change how `decode` reads its grey levels."""

_CAUSES = (
    (r"[Tt]runcated|unpack_from|no more images|incomplete", "it ends too soon"),
    ("checksum", "a checksum does not match"),
    ("data stream|decoder object|frame|filter category|quantization|marker", "its data are invalid"),
    (r"\d-(bit|layer)", "its pixels have an unsupported number of bits or colours"),
    ("palette", "its palette is invalid"),
)
"""The meaning of Pillow's error messages, by a pattern that they match."""

_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # bytes of the known versions of a BMP's header
_large = threading.RLock()  # held while a large picture is decoded: one of 50 megapixels takes 400 MB, a WebP 800
_FREE = contextlib.nullcontext()


_together: ContextVar[list[float] | None] = ContextVar("together", default=None)


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Limit all pictures decoded in the block, in this thread, to `max_total_megapixels` together.

    A picture that would exceed it raises `TooManyMegapixels` before it is decoded, and does not count.
    """
    token = _together.set([0.0])
    try:
        yield
    finally:
        _together.reset(token)


class Reduced(NamedTuple):
    """A decoded picture, the factor by which it was reduced, and the upright width and height of the file's picture."""

    pixels: Image
    by: int
    size: tuple[int, int]

    @classmethod
    def whole(cls, pixels: Image) -> Reduced:
        """Return `pixels` as a picture that was not reduced."""
        return cls(pixels, 1, (pixels.shape[1], pixels.shape[0]))


def decode(data: bytes, limits: PictureSettings) -> Image:
    """Decode the picture in `data`, upright, to uint8: grey (h, w), RGB (h, w, 3) or RGBA (h, w, 4).

    The array may be read-only. PNG, JPEG, GIF (first frame), WebP and BMP are read. EXIF orientation is applied;
    palettes, CMYK, 1-bit and 16-bit pictures become 8-bit; transparency becomes alpha. A picture with twice
    `DRAFT_SIDE` pixels or more on its short side is reduced to 1/2, 1/4 or 1/8 of its size; `decode_reduced` says to
    which.

    Raises `PictureTooLarge` (too many bytes, or too many pixels by the header, before any is decoded),
    `PictureUnsupported` (no picture, or another format) or `PictureBroken` (empty, truncated, damaged).
    """
    return decode_reduced(data, limits).pixels


def decode_reduced(data: bytes, limits: PictureSettings, side: int = DRAFT_SIDE, *, again: bool = False) -> Reduced:
    """Decode as `decode` does, and return the factor 1, 2, 4 or 8 by which the picture was reduced.

    Multiplied by it, coordinates become those of the file's picture. The short side keeps at least `side` pixels, if it
    has them. `again` says that the picture was decoded before, and must not count twice for `together`.
    """
    if not data:
        raise PictureBroken("The picture is empty: 0 bytes arrived. Send the file's content.")
    if len(data) > limits.max_mb * 1e6:
        raise PictureTooLarge(
            f"The picture has more than {limits.max_mb:g} MB, the limit (pictures.max_mb). {_SMALLER}"
        )
    name, reader = _recognise(data)
    if name == "PNG" and (plain := _plain(data)) is not None:
        _check_pixels(plain.size, limits, again)
        if (pixels := plain.pixels()) is not None:
            by = _reduction(min(plain.size), side)
            return Reduced(pixels if by == 1 else np.asarray(PIL.Image.fromarray(pixels).reduce(by)), by, plain.size)
        again = True  # its pixels are counted already
    canvas = _canvas(data) if name == "WebP" else (0, 0)
    if math.prod(canvas):  # libwebp reserves it twice as soon as the file is opened
        _check_pixels(canvas, limits, again)
        again = True
    if name == "JPEG" and _scans(data) > SCANS:
        raise PictureBroken(f"The JPEG has more than {SCANS} scans, which no camera writes. Save it again.")
    if name == "BMP" and data[30:34] in (b"\1\0\0\0", b"\2\0\0\0"):
        raise PictureUnsupported(f"The file is a run-length encoded BMP. {_EXPECTED}")
    try:
        room = _large if math.prod(canvas) > LARGE else _FREE
        with room, reader(_Patient(_still(data) if name == "PNG" else data)) as picture:
            _check_pixels(picture.size, limits, again)
            (width, height), whole = picture.size, picture.width * picture.height
            turn = _orientation(picture.info.get("exif"))
            if name == "JPEG" and min(picture.size) >= 2 * side:
                picture.draft(None, (side, side))
            reduction = round(width / picture.width)
            # libjpeg holds all coefficients of a progressive JPEG, however small the scale.
            costly = whole if "progressive" in picture.info else picture.width * picture.height
            with _large if costly > LARGE else _FREE:
                pixels, further = _pixels(picture, side)
            size = (height, width) if turn in _SIDEWAYS else (width, height)
            return Reduced(_upright(pixels, turn), reduction * further, size)
    except PictureError:
        raise
    except PIL.Image.DecompressionBombError as error:
        raise PictureTooLarge(
            f"The picture has more pixels than can be read; the limit is {_amount(limits.max_megapixels)} megapixels "
            f"(pictures.max_megapixels). {_SMALLER}"
        ) from error
    # Pillow does not document its exceptions: damaged files have raised OSError, SyntaxError, ValueError, EOFError,
    # struct.error, zlib.error, IndexError, SystemError, MemoryError and more.
    except Exception as error:
        raise PictureBroken(
            f"The {name} picture of {counted(len(data), 'byte')} is truncated or damaged, or of an unsupported kind"
            f"{_cause(error)}. Send the whole file, or save it again."
        ) from error


class _Patient(io.BytesIO):
    """A file that can be read `READS` times; then it raises `PictureBroken`.

    Pillow goes through the segments, chunks and stray bytes of a file one by one, in Python: millions of empty ones
    would take it half a minute.
    """

    _reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as `BytesIO` does."""
        self._reads += 1
        if self._reads > READS:
            raise _in_too_many_parts()
        return super().read(size)


def _in_too_many_parts() -> PictureBroken:
    return PictureBroken("The picture's file consists of more parts than any program writes. Save it anew.")


def _canvas(data: bytes) -> tuple[int, int]:
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


def announced(data: bytes) -> tuple[int, int] | None:
    """Return width and height by the header of a PNG or a sequential JPEG, without decoding; None for anything else.

    Also None if decoding may cost much more than the file's bytes and pixels suggest: for compressed metadata, for many
    chunks, segments or scans, and for a second header, which Pillow would use instead.
    """
    if data.startswith(_PNG_BEGINS):
        return _size_of_png(data)
    return _size_of_jpeg(data) if data.startswith(b"\xff\xd8\xff") else None


_PNG_BEGINS = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_CHEAP = frozenset((b"IDAT", b"PLTE", b"tRNS", b"bKGD", b"cHRM", b"cICP", b"eXIf", b"sBIT", *_SILENT))
"""Chunks of a PNG, between the first and the last, that are read in proportion to their bytes."""
_LONGEST = 32  # chunks of a PNG or segments of a JPEG, at most; for a small picture, encoders write fewer than 20
_FRAMES = (0xC0, 0xC1)  # start of a baseline or extended sequential frame (ITU-T T.81, table B.1)
_TABLES = (0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0))  # DHT, DQT, DRI, COM and APPn
_SOS = 0xDA  # start of scan


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
    """Return the size of a sequential JPEG with one frame, few segments before its first scan, and few scans."""
    at, size = 2, None
    for _ in range(_LONGEST):
        if at + 9 > len(data) or data[at] != 0xFF:
            return None
        kind = data[at + 1]
        if kind == _SOS:  # each component may have a scan of its own
            return size if _scans(data) <= 4 else None
        if kind in _FRAMES and size is None:
            height, width = struct.unpack_from(">HH", data, at + 5)
            size = width, height
        elif kind not in _TABLES:
            return None
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def format_of(data: bytes) -> str | None:
    """Return the format by a file's first bytes, such as "PNG"; None if it is not supported."""
    return next((name for magic, name, _ in _READERS if data.startswith(magic)), None)


def _recognise(data: bytes) -> tuple[str, type[ImageFile]]:
    """Return the format's name and Pillow class by the first bytes.

    Raises `PictureUnsupported` for other formats, and `PictureBroken` if even the signature is truncated.
    """
    for magic, name, reader in _READERS:
        if data.startswith(magic):
            if name == "WebP" and data[8:12] != b"WEBP"[: max(0, len(data) - 8)]:
                break
            if name == "BMP" and len(data) >= 18 and int.from_bytes(data[14:18], "little") not in _BMP_HEADERS:
                break
            return name, reader
        if magic.startswith(data):
            size = counted(len(data), "byte")
            raise PictureBroken(f"The picture is truncated: only {size} of a {name} arrived. Send the whole file.")
    if data[4:8] == b"ftyp":
        found = "a HEIC, AVIF or video file, as phones write them"
    elif data.startswith((b"II*\0", b"MM\0*")):
        found = "a TIFF"
    elif data.startswith(b"%PDF"):
        found = "a PDF"
    elif b"<svg" in data[:1000]:
        found = "an SVG drawing"
    else:
        found = f"not a picture that can be read (it begins with {_beginning(data[:12])})"
    raise PictureUnsupported(f"The file is {found}. {_EXPECTED}")


def _beginning(data: bytes) -> str:
    """Describe bytes for a person: as text if at least half of them are printable, else in hexadecimal."""
    text = "".join(chr(code) if 32 <= code < 127 else "·" for code in data)
    return f'"{text}"' if 2 * text.count("·") <= len(text) else f"the bytes {data.hex(' ')}"


def _cause(error: Exception) -> str:
    """Return Pillow's error in plain words, in brackets; "" if it is only about Pillow's internals."""
    told = " ".join(str(error).split())
    plain = next((words for found, words in _CAUSES if re.search(found, told)), "")
    if told.startswith("Unsupported"):  # a variant of BMP; Pillow's own words are helpful here
        plain = told[:120]
    return f" ({plain})" if plain else ""


class _Plain(NamedTuple):
    """A plain 8-bit grey PNG: its width and height, and its compressed pixels."""

    size: tuple[int, int]
    deflated: bytes

    def pixels(self) -> Image | None:
        """Decode the pixels, uint8 (h, w); None if they are damaged."""
        try:
            with _large if math.prod(self.size) > LARGE else _FREE:
                return np.asarray(PIL.Image.frombytes("L", self.size, self.deflated, "zip", "L", 0))
        except (ValueError, OSError):
            return None


def _plain(data: bytes) -> _Plain | None:
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
    return _Plain((width, height), b"".join(parts))


def _still(data: bytes) -> bytes:
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
    raise _in_too_many_parts()


def _scans(data: bytes) -> int:
    """Count the start-of-scan markers in a JPEG. NumPy is five times as fast here as `bytes.count`."""
    codes = np.frombuffer(data, np.uint8)
    return int(np.count_nonzero((codes[:-1] == 0xFF) & (codes[1:] == 0xDA)))


def _amount(megapixels: float) -> str:
    """Format megapixels with four digits, or as a whole number from 1000 on, and never in scientific notation."""
    if megapixels >= 1000:
        return f"{megapixels:,.0f}"
    told = f"{megapixels:.4g}"
    return f"{megapixels:.6f}" if "e" in told else told


def _check_pixels(size: tuple[int, int], limits: PictureSettings, again: bool) -> None:
    """Raise `PictureTooLarge` if a picture has too many pixels, alone or with the others decoded `together`."""
    width, height = size
    megapixels = width * height / 1e6
    if megapixels > limits.max_megapixels:
        raise PictureTooLarge(
            f"The picture has {width} x {height} = {_amount(megapixels)} megapixels; the limit is "
            f"{_amount(limits.max_megapixels)} (pictures.max_megapixels). {_SMALLER}"
        )
    total = None if again else _together.get()
    if total is not None:
        if total[0] + megapixels > limits.max_total_megapixels:
            raise TooManyMegapixels(
                f"The picture has {_amount(megapixels)} megapixels, and those before it {_amount(total[0])}; the limit "
                f"for all pictures of one request is {_amount(limits.max_total_megapixels)} "
                "(pictures.max_total_megapixels). Send it in another request."
            )
        total[0] += megapixels


def _orientation(exif: object) -> int:
    """Return the orientation, 1-8, from raw EXIF bytes (TIFF 6.0, section 2); 1 if there is none or it is invalid."""
    if not isinstance(exif, bytes):
        return 1
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    with contextlib.suppress(struct.error):
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (entries,) = struct.unpack_from(order + "H", exif, start)
        for index in range(entries):
            tag, _kind, _count, value = struct.unpack_from(order + "HHIH", exif, start + 2 + 12 * index)
            if tag == _ORIENTATION:
                return int(value) if 1 <= value <= 8 else 1
    return 1


def _upright(pixels: Image, orientation: int) -> Image:
    """Undo a camera's rotation and mirroring. (h, w, …) -> (h, w, …), or (w, h, …) for orientations 5-8."""
    if orientation == 1:
        return pixels
    if orientation in _SIDEWAYS:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _reduction(side: int, least: int) -> int:
    """Return the factor, 8, 4, 2 or 1, by which a picture's short side can be reduced and keep `least` pixels."""
    return next((by for by in (8, 4, 2) if side >= by * least), 1)


def _pixels(picture: PIL.Image.Image, least: int) -> tuple[Image, int]:
    """Decode to uint8 (h, w), (h, w, 3) or (h, w, 4), a large picture reduced; also return the factor, 1, 2, 4 or 8."""
    picture.load()
    by = _reduction(min(picture.size), least)
    plain = _of_eight_bits(picture)
    return np.asarray(plain.reduce(by) if by > 1 else plain), by


def _of_eight_bits(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Convert a picture of any Pillow mode to L, RGB or RGBA."""
    mode = picture.mode
    if mode.startswith("I"):  # 16-bit grey, scaled by 65535 / 255 = 257
        levels = np.asarray(picture).clip(0, 65535).astype(np.uint32)
        if mode == "I" and levels.max(initial=0) <= 255:  # made from an array of integers, which are 8-bit levels then
            return PIL.Image.fromarray(levels.astype(np.uint8))
        return PIL.Image.fromarray(((levels + 128) // 257).astype(np.uint8))
    if "transparency" in picture.info or mode in ("LA", "PA", "La", "RGBa"):
        return picture.convert("RGBA")
    if mode == "1":
        return picture.convert("L")
    return picture if mode in ("L", "RGB", "RGBA") else picture.convert("RGB")


def of_pillow(picture: PIL.Image.Image) -> Image:
    """Convert a Pillow image to what `decode` returns for its file: upright, uint8 (h, w), (h, w, 3) or (h, w, 4).

    Raises `PictureBroken` when it has no pixels, or when reading them shows that its file is damaged.
    """
    try:
        pixels = np.asarray(_of_eight_bits(picture))
        orientation = picture.getexif().get(_ORIENTATION, 1)
    except Exception as error:  # Pillow's exceptions are as undocumented here as in `decode_reduced`
        raise PictureBroken(f"The Pillow image cannot be read{_cause(error)}. Give an undamaged one.") from error
    if not pixels.size:
        raise PictureBroken(
            f"The Pillow image has {picture.width} x {picture.height} pixels. Give one that is not empty."
        )
    return _upright(pixels, orientation if orientation in range(1, 9) else 1)
