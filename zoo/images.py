"""Decode pictures from bytes: limits on bytes and pixels, formats, damage, orientation, depth and transparency.

The Pillow class of the format is chosen by the file's first bytes and opened directly, which reads only the header.
`PIL.Image.open` with `formats=` would warn of decompression bombs by a process-wide limit before ours can be checked,
and warning filters cannot be changed safely in one of several threads. For the same reason Pillow does not get to see
what else it would warn of: a JPEG's EXIF data, and a PNG's animation.

The usual JPEGs and PNGs that photographs and programs are do without Pillow's readers, which cost as much as decoding a
small one. JPEGs are handed to libjpeg-turbo (simplejpeg), which finds the same pixels.
"""

from __future__ import annotations

import contextlib
import io
import math
import re
import struct
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import PIL.Image
import simplejpeg
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from zoo.errors import PictureBroken, PictureError, PictureTooLarge, PictureUnsupported, TooManyMegapixels, counted
from zoo.formats import (
    EXPECTED,
    JpegHead,
    PlainPng,
    count_scans,
    in_too_many_parts,
    jpeg_head,
    plain_png,
    recognise,
    webp_size,
    without_animation,
)
from zoo.types import Image

if TYPE_CHECKING:
    from zoo.settings import PictureSettings

DRAFT_SIDE = 1000
"""Pixels that a picture's short side keeps, at least, when it is decoded at a reduced size."""

LARGE = 4_000_000
"""Pixels above which pictures are decoded one at a time."""

SCANS = 100
"""Scans of a progressive JPEG, at most; 10 are usual. Each takes time to decode but hardly any bytes."""

READS = 50_000
"""Reads that decoding a file may take, at most. A PNG of 20 MB in pieces of 4 kB takes 20,000."""

_SMALLER = "Send a smaller one."
_ORIENTATION = 274  # EXIF 2.32, table 4: tag 0x0112, 1-8
_SIDEWAYS = (5, 6, 7, 8)  # orientations that swap width and height


class _Jpeg(JpegImageFile):
    """A JPEG whose EXIF data Pillow does not parse: it would, to find the resolution, and warn of every oddity."""

    def getexif(self) -> PIL.Image.Exif:
        """Return no tags; `_orientation` reads the one that matters from the raw bytes."""
        return PIL.Image.Exif()


_READERS: dict[str, type[ImageFile]] = {
    "PNG": PngImageFile,
    "JPEG": _Jpeg,
    "GIF": GifImageFile,
    "WebP": WebPImageFile,
    "BMP": BmpImageFile,
}
_CAUSES = (
    (r"[Tt]runcated|unpack_from|no more images|incomplete", "it ends too soon"),
    ("checksum", "a checksum does not match"),
    ("data stream|decoder object|frame|filter category|quantization|marker", "its data are invalid"),
    (r"\d-(bit|layer)", "its pixels have an unsupported number of bits or colours"),
    ("palette", "its palette is invalid"),
)
"""The meaning of Pillow's error messages, by a pattern that they match."""

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
    `DRAFT_SIDE` pixels or more on its short side is reduced by a power of 2; `decode_reduced` says by which.

    Raises `PictureTooLarge` (too many bytes, or too many pixels by the header, before any is decoded),
    `PictureUnsupported` (no picture, or another format) or `PictureBroken` (empty, truncated, damaged).
    """
    return decode_reduced(data, limits).pixels


def decode_reduced(data: bytes, limits: PictureSettings, side: int = DRAFT_SIDE, *, again: bool = False) -> Reduced:
    """Decode as `decode` does, and return the factor by which the picture was reduced: 1, 2, 4, 8 or, for a JPEG, more.

    Multiplied by it, coordinates become those of the file's picture. The short side keeps at least `side` pixels, if it
    has them. `again` says that the picture was decoded before, and must not count twice for `together`.
    """
    if not data:
        raise PictureBroken("The picture is empty: 0 bytes arrived. Send the file's content.")
    if len(data) > limits.max_mb * 1e6:
        raise PictureTooLarge(
            f"The picture has more than {limits.max_mb:g} MB, the limit (pictures.max_mb). {_SMALLER}"
        )
    name = recognise(data)
    if name == "PNG" and (plain := plain_png(data)) is not None:
        _check_pixels(plain.size, limits, again)
        if (pixels := _inflated(plain)) is not None:
            return Reduced(*_smaller(pixels, side), plain.size)
        again = True  # its pixels are counted already
    canvas = webp_size(data) if name == "WebP" else (0, 0)
    if math.prod(canvas):  # libwebp reserves it twice as soon as the file is opened
        _check_pixels(canvas, limits, again)
        again = True
    if name == "JPEG" and count_scans(data) > SCANS:
        raise PictureBroken(f"The JPEG has more than {SCANS} scans, which no camera writes. Save it again.")
    if name == "BMP" and data[30:34] in (b"\1\0\0\0", b"\2\0\0\0"):
        raise PictureUnsupported(f"The file is a run-length encoded BMP. {EXPECTED}")
    if name == "JPEG" and (head := jpeg_head(data)) is not None:
        _check_pixels(head.size, limits, again)
        if (reduced := _by_libjpeg(data, head, side)) is not None:
            return reduced
        again = True
    try:
        with _large if math.prod(canvas) > LARGE else _FREE:
            return _by_pillow(name, data, limits, side, again)
    except PictureError:
        raise
    # Pillow does not document its exceptions: damaged files have raised OSError, SyntaxError, ValueError, EOFError,
    # struct.error, zlib.error, IndexError, SystemError, MemoryError and more.
    except Exception as error:
        raise _failure(name, data, limits, error) from error


def _inflated(plain: PlainPng) -> Image | None:
    """Decode the pixels of a plain PNG, uint8 (h, w); None if they are damaged."""
    try:
        with _large if math.prod(plain.size) > LARGE else _FREE:
            return np.asarray(PIL.Image.frombytes("L", plain.size, plain.deflated, "zip", "L", 0))
    except (ValueError, OSError):
        return None


def _by_libjpeg(data: bytes, head: JpegHead, side: int) -> Reduced | None:
    """Decode a usual JPEG as `decode_reduced` does, without Pillow's reader and copies; None if anything is wrong.

    Pillow decides then whether the damage matters, and what it is called.
    """
    width, height = head.size
    by = _reduction(min(head.size), side)
    rows, columns = -(-height // by), -(-width // by)
    # libjpeg holds all coefficients of a progressive JPEG, however small the scale.
    costly = width * height if head.is_progressive else rows * columns
    try:
        with _large if costly > LARGE else _FREE:
            pixels = simplejpeg.decode_jpeg(
                data, "Gray" if head.is_grey else "RGB", min_height=rows, min_width=columns, strict=True
            )
    except (ValueError, RuntimeError, MemoryError):
        return None
    pixels, further = _smaller(pixels[:, :, 0] if head.is_grey else pixels, side)
    turn = _orientation(head.exif)
    return Reduced(_upright(pixels, turn), by * further, (height, width) if turn in _SIDEWAYS else head.size)


def _smaller(pixels: Image, side: int) -> tuple[Image, int]:
    """Reduce decoded pixels if their short side keeps `side` of them; also return the factor, 1, 2, 4 or 8."""
    by = _reduction(min(pixels.shape[:2]), side)
    return (pixels if by == 1 else np.asarray(PIL.Image.fromarray(pixels).reduce(by))), by


def _by_pillow(name: str, data: bytes, limits: PictureSettings, side: int, again: bool) -> Reduced:
    """Decode a file of the format `name` as `decode_reduced` does. Raises PictureTooLarge, and what Pillow raises."""
    with _READERS[name](_Patient(without_animation(data) if name == "PNG" else data)) as picture:
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


def _failure(name: str, data: bytes, limits: PictureSettings, error: Exception) -> PictureError:
    """Return the error that tells what Pillow's error means for the file."""
    if isinstance(error, PIL.Image.DecompressionBombError):
        return PictureTooLarge(
            f"The picture has more pixels than can be read; the limit is {_amount(limits.max_megapixels)} megapixels "
            f"(pictures.max_megapixels). {_SMALLER}"
        )
    return PictureBroken(
        f"The {name} picture of {counted(len(data), 'byte')} is truncated or damaged, or of an unsupported kind"
        f"{_cause(error)}. Send the whole file, or save it again."
    )


def _cause(error: Exception) -> str:
    """Return Pillow's error in plain words, in brackets; "" if it is only about Pillow's internals."""
    text = " ".join(str(error).split())
    plain = next((words for pattern, words in _CAUSES if re.search(pattern, text)), "")
    if text.startswith("Unsupported"):  # a variant of BMP; Pillow's own words are helpful here
        plain = text[:120]
    return f" ({plain})" if plain else ""


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
            raise in_too_many_parts()
        return super().read(size)


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
