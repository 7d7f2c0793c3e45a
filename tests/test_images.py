"""zoo.images: what becomes of the bytes that people send, whole, odd, damaged and hostile."""

from __future__ import annotations

import contextlib
import gc
import io
import re
import struct
import threading
import warnings
import weakref
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
from numpy.typing import NDArray

from zoo import Zoo, images
from zoo.datasets import Labelled
from zoo.errors import PictureBroken, PictureError, PictureTooLarge, PictureUnsupported
from zoo.images import decode, decode_reduced
from zoo.settings import PictureSettings
from zoo.sources import content

LIMITS = PictureSettings()
ALL = ["PNG", "JPEG", "GIF", "WEBP", "BMP"]

Pixels = NDArray[np.uint8]


def saved(pixels: Pixels | PIL.Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture = pixels if isinstance(pixels, PIL.Image.Image) else PIL.Image.fromarray(pixels)
    picture.save(file, form, **options)
    return file.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG, with its length and checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def blank_png(width: int, height: int) -> bytes:
    """A 1-bit PNG whose header promises any size, and whose data is only its first row."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    row = chunk(b"IDAT", zlib.compress(bytes(1 + (width + 7) // 8)))
    return b"\x89PNG\r\n\x1a\n" + header + row + chunk(b"IEND", b"")


def wrong(data: bytes, kind: type[PictureError], limits: PictureSettings = LIMITS) -> str:
    with pytest.raises(kind) as caught:
        decode(data, limits)
    return str(caught.value)


@pytest.fixture(scope="module")
def digit(mnist: Labelled) -> Pixels:
    """MNIST's first test picture, a 7, uint8 (28, 28)."""
    return mnist.images[0, :, :, 0]


@pytest.fixture(scope="module")
def scene(digit: Pixels) -> Pixels:
    """The 7 in RGB on coloured paper, taller than wide: uint8 (120, 90, 3)."""
    ink = np.zeros((120, 90), np.float32)
    ink[10:94, 3:87] = np.asarray(PIL.Image.fromarray(digit).resize((84, 84)), np.float32) / 255
    paper, pen = np.array([250, 230, 150]), np.array([30, 40, 160])
    pixels: Pixels = np.rint(paper + ink[:, :, None] * (pen - paper)).astype(np.uint8)
    return pixels


@pytest.mark.parametrize("form", ["PNG", "GIF", "WEBP", "BMP"])
def test_a_lossless_file_gives_its_pixels_back(form: str, digit: Pixels) -> None:
    pixels = decode(saved(digit, form, lossless=True), LIMITS)
    grey = pixels if pixels.ndim == 2 else pixels[:, :, 0]
    np.testing.assert_array_equal(grey, digit)


@pytest.mark.parametrize("form", ALL)
def test_every_format_gives_uint8_rows_by_columns(form: str, scene: Pixels) -> None:
    pixels = decode(saved(scene, form), LIMITS)
    assert (str(pixels.dtype), pixels.shape) == ("uint8", (120, 90, 3))


def test_a_grey_jpeg_stays_grey(digit: Pixels) -> None:
    assert decode(saved(digit, "JPEG"), LIMITS).shape == (28, 28)


def test_an_animation_shows_its_first_frame(digit: Pixels) -> None:
    later = PIL.Image.fromarray(255 - digit)
    pixels = decode(saved(digit, "GIF", save_all=True, append_images=[later]), LIMITS)
    np.testing.assert_array_equal(pixels if pixels.ndim == 2 else pixels[:, :, 0], digit)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photograph_comes_out_upright(form: str, orientation: int, scene: Pixels) -> None:
    exif = PIL.Image.Exif()
    exif[274] = orientation
    data = saved(scene, form, exif=exif)
    upright = PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(decode(data, LIMITS), np.asarray(upright))


def test_exif_that_makes_no_sense_leaves_the_picture_as_it_is(scene: Pixels) -> None:
    damaged = saved(scene, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f" + bytes(20))
    np.testing.assert_array_equal(decode(damaged, LIMITS), decode(saved(scene, "JPEG"), LIMITS))


def test_transparency_becomes_alpha(digit: Pixels) -> None:
    drawn = np.dstack([np.zeros((28, 28, 3), np.uint8), digit])
    np.testing.assert_array_equal(decode(saved(drawn, "PNG"), LIMITS), drawn)


def test_grey_with_alpha_becomes_rgba(digit: Pixels) -> None:
    picture = PIL.Image.merge("LA", [PIL.Image.new("L", (28, 28), 9), PIL.Image.fromarray(digit)])
    pixels = decode(saved(picture, "PNG"), LIMITS)
    np.testing.assert_array_equal(pixels, np.dstack([np.full((28, 28, 3), 9, np.uint8), digit]))


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_a_palette_colour_marked_transparent_becomes_alpha(form: str, digit: Pixels) -> None:
    picture = PIL.Image.fromarray(np.where(digit > 127, 1, 0).astype(np.uint8))
    picture.putpalette([255, 0, 0, 0, 0, 255])
    pixels = decode(saved(picture, form, transparency=0), LIMITS)
    np.testing.assert_array_equal(pixels[:, :, 3], np.where(digit > 127, 255, 0))


def test_a_palette_with_degrees_of_transparency_becomes_alpha() -> None:
    picture = PIL.Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    picture.putpalette([10, 20, 30] * 3)
    pixels = decode(saved(picture, "PNG", transparency=bytes([0, 128, 255])), LIMITS)
    np.testing.assert_array_equal(pixels, [[[10, 20, 30, 0], [10, 20, 30, 128], [10, 20, 30, 255]]])


def test_a_grey_level_marked_transparent_becomes_alpha(digit: Pixels) -> None:
    pixels = decode(saved(digit, "PNG", transparency=0), LIMITS)
    np.testing.assert_array_equal(pixels[:, :, 3], np.where(digit == 0, 0, 255))


def test_a_cmyk_jpeg_as_printers_write_it_is_not_inverted(scene: Pixels) -> None:
    pixels = decode(saved(PIL.Image.fromarray(scene).convert("CMYK"), "JPEG", quality=95), LIMITS)
    assert np.abs(pixels.astype(int) - scene).mean() < 4


def test_sixteen_bits_are_scaled_to_eight(digit: Pixels) -> None:
    deep = PIL.Image.fromarray(digit.astype(np.uint16) * 257)
    np.testing.assert_array_equal(decode(saved(deep, "PNG"), LIMITS), digit)


def test_one_bit_becomes_black_and_white(digit: Pixels) -> None:
    picture = PIL.Image.fromarray(digit > 127)
    np.testing.assert_array_equal(decode(saved(picture, "PNG"), LIMITS), np.where(digit > 127, 255, 0))


def test_a_huge_jpeg_is_reduced_as_it_is_decoded_and_says_by_how_much() -> None:
    pixels, reduction, size = decode_reduced(saved(np.full((3000, 4100), 200, np.uint8), "JPEG"), LIMITS)
    assert (pixels.shape, reduction, size) == ((1500, 2050), 2, (4100, 3000))


def test_a_jpeg_of_usual_size_is_not_reduced() -> None:
    pixels, reduction, _ = decode_reduced(saved(np.full((1999, 2500), 200, np.uint8), "JPEG"), LIMITS)
    assert (pixels.shape, reduction) == ((1999, 2500), 1)


def by_pillow(data: bytes, side: int) -> tuple[Pixels, int]:
    """A JPEG's pixels, upright and reduced to keep `side` of them, by Pillow alone, and the factor."""
    with PIL.Image.open(io.BytesIO(data)) as picture:
        whole, turn = min(picture.size), picture.getexif().get(274, 1)
        if whole >= 2 * side:
            picture.draft(None, (side, side))
        picture.load()
        by = next((by for by in (8, 4, 2) if min(picture.size) >= by * side), 1)
        small = PIL.Image.fromarray(np.asarray(picture)).reduce(by)
        small.getexif()[274] = turn
        return np.asarray(PIL.ImageOps.exif_transpose(small)), by * round(whole / min(picture.size))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", [(90, 120), (801, 603), (5, 3), (1, 1), (2300, 400)])
def test_a_jpeg_has_the_pixels_that_pillow_finds(scene: Pixels, size: tuple[int, int], mode: str) -> None:
    picture = PIL.Image.fromarray(scene).resize(size).convert(mode)
    turned = PIL.Image.Exif()
    for turn, progressive, sampling in ((1, False, 0), (3, True, 1), (6, False, 2), (5, True, 2)):
        turned[274] = turn
        how = {"quality": 60, "exif": turned, "progressive": progressive, "subsampling": sampling}
        data = saved(picture, "JPEG", **how)
        for side in (5, 28, 140):
            pixels, by = by_pillow(data, side)
            found = decode_reduced(data, LIMITS, side)
            np.testing.assert_array_equal(found.pixels, pixels)
            assert (found.by, found.size) == (by, size[::-1] if turn > 4 else size)


def test_a_damaged_jpeg_is_read_or_refused_as_pillow_does(scene: Pixels) -> None:
    """Flipped bytes, of which libjpeg reports some and repairs others, and cut files."""
    random = np.random.default_rng(25)
    whole = saved(PIL.Image.fromarray(scene), "JPEG", quality=60)
    read = refused = 0
    for _ in range(300):
        hurt = bytearray(whole[: None if random.random() < 0.8 else random.integers(4, len(whole))])
        hurt[random.integers(3, len(hurt))] = random.integers(256)
        try:
            with PIL.Image.open(io.BytesIO(hurt), formats=("JPEG",)) as picture:
                expected = np.asarray(picture.convert("RGB") if picture.mode == "CMYK" else picture)
        except (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError):
            with pytest.raises(PictureError):
                decode(bytes(hurt), LIMITS)
            refused += 1
            continue
        np.testing.assert_array_equal(decode(bytes(hurt), LIMITS), expected)
        read += 1
    assert min(read, refused) > 30


def test_no_bytes_are_refused_as_broken() -> None:
    assert wrong(b"", PictureBroken) == "The picture is empty: 0 bytes arrived. Send the file's content."


def test_too_many_bytes_are_refused_with_the_limit() -> None:
    message = wrong(bytes(2_500_000), PictureTooLarge, PictureSettings(max_mb=2))
    assert message == "The picture has more than 2 MB, the limit (pictures.max_mb). Send a smaller one."


def test_a_decompression_bomb_is_refused_by_its_header() -> None:
    bomb = blank_png(20_000, 20_000)
    assert len(bomb) < 4096
    assert wrong(bomb, PictureTooLarge) == (
        "The picture has 20000 x 20000 = 400 megapixels; the limit is 50 (pictures.max_megapixels). Send a smaller one."
    )


def test_a_webp_too_large_for_pillow_is_refused_as_too_large() -> None:
    frame = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (16382).to_bytes(3, "little") * 2
    assert "the limit is 50" in wrong(b"RIFF" + struct.pack("<I", 4 + len(frame)) + b"WEBP" + frame, PictureTooLarge)


def test_a_limit_above_pillows_own_holds() -> None:
    # 90.25 megapixels: Pillow warns from 89.5 on.
    picture = PIL.Image.new("1", (9500, 9500))
    assert decode(saved(picture, "PNG"), PictureSettings(max_megapixels=100)).shape == (1188, 1188)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"Dear zoo,\nthis is no picture, although it is called seven.png.", '(it begins with "Dear zoo,·th").'),
        (b"BMW is a maker of cars, and this is a sentence about it.", '(it begins with "BMW is a mak").'),
        (b"RIFF\x24\0\0\0WAVEfmt ", '(it begins with "RIFF$···WAVE").'),
        (bytes(range(20)), "(it begins with the bytes 00 01 02 03 04 05 06 07 08 09 0a 0b)."),
        (b"%PDF-1.7\n", "a PDF"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC, AVIF or video file"),
    ],
)
def test_what_is_no_picture_is_refused_with_what_it_is(data: bytes, found: str) -> None:
    message = wrong(data, PictureUnsupported)
    assert found in message
    assert message.endswith("Send a PNG, JPEG, GIF, WebP or BMP picture.")


def test_a_format_that_only_pillow_reads_is_refused(digit: Pixels) -> None:
    assert '"P5·28 28·255' in wrong(saved(digit, "PPM"), PictureUnsupported)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_truncated_file_is_broken_or_whole_but_never_half_a_picture(form: str, scene: Pixels) -> None:
    data = saved(scene, form)
    whole = decode(data, LIMITS)
    broken = 0
    for length in range(1, len(data)):
        try:
            np.testing.assert_array_equal(decode(data[:length], LIMITS), whole)
        except PictureBroken:
            broken += 1
    assert broken > 0.99 * len(data) - 20


def test_a_truncated_file_says_what_it_is_and_what_to_do(scene: Pixels) -> None:
    message = wrong(saved(scene, "PNG")[:400], PictureBroken)
    assert message == (
        "The PNG picture of 400 bytes is truncated or damaged, or of an unsupported kind (it ends too soon). "
        "Send the whole file, or save it again."
    )
    assert wrong(saved(scene, "PNG")[:1], PictureBroken) == (
        "The picture is truncated: only 1 byte of a PNG arrived. Send the whole file."
    )


def test_sizes_are_told_as_people_write_them() -> None:
    assert "has 100000 x 100000 = 10,000 megapixels; the limit is 50 (" in wrong(
        blank_png(100_000, 100_000), PictureTooLarge
    )
    largest = wrong(blank_png(2**31 - 1, 2**31 - 1), PictureTooLarge)
    assert "= 4,611,686,014,132 megapixels; the limit is 50 (" in largest
    tiny = wrong(blank_png(3, 3), PictureTooLarge, PictureSettings(max_megapixels=0.000002))
    assert "has 3 x 3 = 0.000009 megapixels; the limit is 0.000002 (" in tiny


INSIDES = re.compile(r"b'|unpack|index|driver|object|codec|stream|Error|0x|_")


@pytest.mark.parametrize("form", ALL)
def test_damage_is_told_in_plain_words(form: str, scene: Pixels) -> None:
    data, told = saved(PIL.Image.fromarray(scene).resize((30, 40)), form), set()
    for place in range(min(len(data), 300)):
        for damaged in (data[:place], data[:place] + b"\x81\x03" + data[place + 2 :]):
            try:
                decode(damaged, LIMITS)
            except PictureError as error:
                told.add(str(error))
    assert len(told) > 10
    assert not [message for message in told if INSIDES.search(message.replace("max_", ""))]


@pytest.mark.parametrize("form", ALL)
def test_damage_ends_in_a_picture_or_in_a_picture_error(form: str, digit: Pixels, scene: Pixels) -> None:
    """Flipped, lost, repeated and overwritten bytes: anything that is not a `PictureError` fails the test by itself."""
    random = np.random.default_rng(1998)
    exif = PIL.Image.Exif()
    exif[274] = 6
    small = PIL.Image.fromarray(scene).resize((30, 40))
    files = [saved(digit, form), saved(small, form), saved(small.convert("P"), form) if form != "JPEG" else b""]
    files += [saved(small, form, exif=exif)] if form not in ("GIF", "BMP") else []
    refused = 0
    for file in filter(None, files):
        for _ in range(100):
            data = bytearray(file)
            for _ in range(random.integers(1, 6)):
                # Half of the damage goes to the header, where formats are made.
                place = int(random.integers(0, min(len(data), 100) if random.random() < 0.5 else len(data)))
                match random.integers(0, 4):
                    case 0:
                        data[place] ^= 1 << int(random.integers(0, 8))
                    case 1:
                        data[place : place + 4] = random.bytes(4)
                    case 2:
                        del data[place : place + int(random.integers(1, 9))]
                    case _:
                        data[place:place] = data[: int(random.integers(1, 9))]
            if random.random() < 0.3:
                del data[int(random.integers(0, len(data))) :]
            try:
                pixels = decode(bytes(data), LIMITS)
            except PictureError:
                refused += 1
            else:
                assert pixels.dtype == np.uint8
    assert refused > 0


def test_an_animation_that_pillow_warns_of_is_decoded_in_silence(digit: Pixels) -> None:
    data, told = saved(digit, "PNG"), chunk(b"acTL", bytes(8))
    header_end, last = 8 + 25, -12
    for animated in (
        data[:header_end] + told + data[header_end:],
        data[:header_end] + told * 2 + data[header_end:last] + told + data[last:],
        data[:last] + told + data[last:],
    ):
        np.testing.assert_array_equal(decode(animated, LIMITS), digit)


def test_of_an_animated_png_the_first_picture_is_read_whatever_follows_it(digit: Pixels) -> None:
    first, second = (PIL.Image.fromarray(pixels) for pixels in (digit, digit.T))
    data = saved(first, "PNG", save_all=True, append_images=[second])
    for end in (len(data), data.index(b"fdAT") + 50):
        np.testing.assert_array_equal(decode(data[:end], LIMITS), digit)


class Watched:
    """Limits that tell when the limit on pixels is `asked` for, which happens with the file open."""

    max_mb = 16

    def __init__(self) -> None:
        self.asked = threading.Event()

    @property
    def max_megapixels(self) -> float:
        self.asked.set()
        return 50


class Holding(Watched):
    """Limits that keep the file open until `go`; before a WebP is opened, they let it pass once."""

    def __init__(self) -> None:
        super().__init__()
        self.times, self.go = 0, threading.Event()

    @property
    def max_megapixels(self) -> float:
        self.times += 1
        if self.times > 1:
            self.asked.set()
            assert self.go.wait(60)
        return 50


@contextlib.contextmanager
def one_large_picture_open() -> Iterator[None]:
    """Within the block, another thread is in the middle of decoding a large picture."""
    data, limits = saved(PIL.Image.new("L", (2100, 2100)), "WEBP", lossless=True), Holding()
    thread = threading.Thread(target=decode, args=(data, limits))
    thread.start()
    try:
        assert limits.asked.wait(30)
        yield
    finally:
        limits.go.set()
        thread.join()


def test_a_large_animation_keeps_no_small_one_waiting(digit: Pixels) -> None:
    large, small = (
        saved(first, "PNG", save_all=True, append_images=[PIL.Image.new("L", first.size)])
        for first in (PIL.Image.new("L", (2100, 2100), 255), PIL.Image.fromarray(digit))
    )
    ended = threading.Event()

    def read() -> None:
        decode(small, LIMITS)
        ended.set()

    limits = Watched()
    with one_large_picture_open():
        threads = [threading.Thread(target=decode, args=(large, limits)), threading.Thread(target=read)]
        threads[0].start()
        assert limits.asked.wait(30)
        threads[1].start()
        was_read = ended.wait(30)
    for thread in threads:
        thread.join()
    assert was_read


def test_threads_that_decode_at_once_leave_the_warning_filters_alone(scene: Pixels) -> None:
    files = [saved(scene, form) for form in ALL] * 20
    expected = [decode(data, LIMITS) for data in files]
    filters = list(warnings.filters)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda data: decode(data, LIMITS), files))
    assert warnings.filters == filters
    for answer, pixels in zip(answers, expected, strict=True):
        np.testing.assert_array_equal(answer, pixels)


def test_a_jpeg_of_endless_passes_is_refused_before_it_is_decoded(scene: Pixels) -> None:
    whole = saved(PIL.Image.fromarray(scene), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    bomb = whole[:-2] + whole[last:-2] * 2000 + b"\xff\xd9"
    assert decode(whole, LIMITS).shape == scene.shape
    with pytest.raises(PictureBroken, match="more than 100 scans"):
        decode(bomb, LIMITS)


def test_a_run_length_encoded_bmp_is_refused(digit: Pixels) -> None:
    packed = bytearray(saved(PIL.Image.fromarray(digit), "BMP"))
    packed[30] = 1
    with pytest.raises(PictureUnsupported, match="run-length encoded BMP"):
        decode(bytes(packed), LIMITS)


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0), (0, 0)])
@pytest.mark.parametrize("kind", [0, 2])  # grey, RGB
def test_a_png_without_pixels_is_broken(width: int, height: int, kind: int) -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0))
    rest = chunk(b"IDAT", zlib.compress(bytes(6))) + chunk(b"IEND", b"")
    assert "PNG picture" in wrong(b"\x89PNG\r\n\x1a\n" + header + rest, PictureBroken)


def test_a_png_whose_head_has_changed_is_broken(digit: Pixels) -> None:
    data = bytearray(saved(digit, "PNG"))
    data[19] = 27  # of the width
    assert "PNG picture" in wrong(bytes(data), PictureBroken)


def sixteen(digit: Pixels) -> PIL.Image.Image:
    return PIL.Image.fromarray(digit.astype(np.uint16) * 257)


@pytest.mark.parametrize(
    "make",
    [
        *(
            lambda digit, mode=mode: PIL.Image.fromarray(digit).convert(mode)
            for mode in ("1", "L", "LA", "P", "RGB", "RGBA")
        ),
        sixteen,
    ],
    ids=["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
)
def test_pillows_picture_is_what_its_file_is(make, digit: Pixels) -> None:
    picture = make(digit)
    np.testing.assert_array_equal(content(picture), decode(saved(picture, "PNG"), LIMITS))


def test_pillows_picture_of_inks_is_no_transparent_one(scene: Pixels) -> None:
    printed = PIL.Image.fromarray(scene).convert("CMYK")
    np.testing.assert_array_equal(content(printed), np.asarray(printed.convert("RGB")))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pillows_picture_of_a_turned_photograph_comes_upright(orientation: int, scene: Pixels) -> None:
    exif = PIL.Image.Exif()
    exif[274] = orientation
    data = saved(scene, "JPEG", exif=exif)
    np.testing.assert_array_equal(content(PIL.Image.open(io.BytesIO(data))), decode(data, LIMITS))


def test_pillows_picture_of_a_cut_file_is_broken(scene: Pixels) -> None:
    data = saved(scene, "PNG")
    with pytest.raises(PictureBroken, match="The Pillow image cannot be read"):
        content(PIL.Image.open(io.BytesIO(data[: len(data) // 2])))


def test_pillows_picture_without_pixels_is_broken() -> None:
    with pytest.raises(PictureBroken, match="0 x 5 pixels"):
        content(PIL.Image.new("L", (0, 5)))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pillows_picture_of_numbers_is_that_of_their_levels(mode: str, digit: Pixels) -> None:
    picture = PIL.Image.fromarray(digit.astype(np.int32 if mode == "I" else np.float32))
    assert picture.mode == mode
    found = content(picture)
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found if found.ndim == 2 else found[..., 0], digit)


def test_large_progressive_jpegs_are_decoded_one_at_a_time() -> None:
    """However small they are decoded: libjpeg holds the coefficients of all their pixels meanwhile."""
    pixels = np.full((2100, 2100), 255, np.uint8)
    plain, progressive = (saved(pixels, "JPEG", progressive=how) for how in (False, True))
    ended = [threading.Event(), threading.Event()]

    def read(data: bytes, done: threading.Event) -> None:
        decode_reduced(data, LIMITS, 140)
        done.set()

    with one_large_picture_open():
        threads = [threading.Thread(target=read, args=one) for one in zip((plain, progressive), ended, strict=True)]
        for thread in threads:
            thread.start()
        assert ended[0].wait(30)
        assert not ended[1].wait(1)
    for thread in threads:
        thread.join()
    assert ended[1].is_set()


def test_a_damaged_grey_png_counts_once_among_pictures_read_together(digit: Pixels) -> None:
    head, limits = saved(digit, "PNG")[:33], PictureSettings(max_total_megapixels=0.001)
    data = head + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    with images.together():
        assert "truncated or damaged" in wrong(data, PictureBroken, limits)
        assert "and those before it 0.000784;" in wrong(data, PictureTooLarge, limits)


def many_parts(kind: str) -> bytes:
    """A picture that is whole but for a hundred thousand empty parts before its pixels."""
    times = 2 * images.READS
    grey, colours = (saved(np.full((28, 28, *more), 99, np.uint8), "PNG") for more in ((), (3,)))
    jpeg, gif = (saved(np.full((28, 28), 99, np.uint8), form) for form in ("JPEG", "GIF"))
    at = gif.index(b",")  # where the picture begins
    return {
        "JPEG, segments": jpeg[:2] + b"\xff\xe1\0\2" * times + jpeg[2:],
        "JPEG, fill bytes": jpeg[:2] + b"\xff" * times + jpeg[2:],
        "PNG, texts": colours[:33] + chunk(b"tEXt", b"") * times + colours[33:],
        "PNG, pieces of data": grey[:33] + chunk(b"IDAT", b"") * times + grey[33:],
        "PNG, resolutions": grey[:33] + chunk(b"pHYs", bytes(9)) * times + grey[33:],
        "PNG, animated": grey[:33] + chunk(b"acTL", bytes(8)) + chunk(b"tEXt", b"") * times + grey[33:],
        "GIF, comments": gif[:at] + b"!\xfe\1a\0" * times + gif[at:],
        "GIF, a comment": gif[:at] + b"!\xfe" + b"\1a" * times + b"\0" + gif[at:],
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        *("JPEG, segments", "JPEG, fill bytes", "GIF, comments", "GIF, a comment"),
        *("PNG, texts", "PNG, pieces of data", "PNG, resolutions", "PNG, animated"),
    ],
)
def test_a_file_of_ever_more_parts_is_refused(kind: str) -> None:
    assert "more parts than any program writes" in wrong(many_parts(kind), PictureBroken)


def test_a_large_png_in_small_pieces_is_read() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (1000, 1000, 3), np.uint8)
    data = saved(noise, "PNG")
    deflated = b"".join(
        data[at + 8 : at + 8 + int.from_bytes(data[at : at + 4], "big")]
        for at in (found.start() - 4 for found in re.finditer(b"IDAT", data))
    )
    pieces = [chunk(b"IDAT", deflated[at : at + 1024]) for at in range(0, len(deflated), 1024)]
    end = chunk(b"IEND", b"")
    assert (decode(data[:33] + b"".join(pieces) + end, LIMITS) == noise).all()


@pytest.mark.parametrize("options", [{"lossless": True}, {"lossless": False}, {"exif": b"Exif\0\0II*\0"}], ids=str)
@pytest.mark.parametrize("side", [28, 300])
def test_a_webp_is_too_large_by_its_first_bytes_and_before_it_is_opened(options: dict[str, object], side: int) -> None:
    head = saved(np.full((side, side + 5, 3), 99, np.uint8), "WEBP", **options)[:30]
    assert f"{side + 5} x {side} =" in wrong(head, PictureTooLarge, PictureSettings(max_megapixels=1e-4))
    assert "truncated or damaged" in wrong(head, PictureBroken)


def test_a_picture_that_shows_nothing_is_let_go_at_once(root: Path) -> None:
    """An error that the hooks raised was in a circle with the frames that had the picture."""
    zoo = Zoo.open(root, environ={})
    picture = np.full((300, 300), 255, np.uint8)
    gone = weakref.ref(picture)
    gc.collect()
    gc.disable()
    try:
        assert zoo.predict("linear", picture).reason == "blank"
        del picture
        assert gone() is None
    finally:
        gc.enable()
