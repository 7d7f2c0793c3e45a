"""zoo.formats: what a picture's file tells of itself before it is decoded."""

from __future__ import annotations

import io
import struct
import zlib

import PIL.Image

from zoo.formats import announced, jpeg_head


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG, with its length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_the_head_tells_the_size_of_png_and_jpeg_and_of_nothing_else() -> None:
    for size in ((3, 5), (640, 480), (1, 1)):
        for kind in ("PNG", "JPEG"):
            for mode in ("L", "RGB"):
                file = io.BytesIO()
                PIL.Image.new(mode, size).save(file, kind)
                assert announced(file.getvalue()) == size, (kind, mode)
    file = io.BytesIO()
    PIL.Image.new("L", (64, 64)).save(file, "JPEG", progressive=True)
    whole = io.BytesIO()
    PIL.Image.new("L", (64, 64)).save(whole, "JPEG")
    cut = [whole.getvalue()[:at] for at in range(len(whole.getvalue()))]
    assert announced(file.getvalue()) is None
    assert {announced(part) for part in cut} == {None, (64, 64)}
    assert [part for part in (b"", b"GIF89a" + bytes(30), b"\xff\xd8\xff\xe0\0\0" * 9) if announced(part)] == []


def test_a_png_that_tells_its_size_elsewhere_than_at_its_beginning_tells_none() -> None:
    magic, small, large = b"\x89PNG\r\n\x1a\n", (28, 28), (3000, 3000)
    heads = {size: chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 1, 0, 0, 0, 0)) for size in (small, large)}
    rest = chunk(b"IDAT", zlib.compress(bytes(3000 * 376))) + chunk(b"IEND", b"")
    disguised = {
        "another chunk before": magic + chunk(b"zoOt", struct.pack(">II", *small)) + heads[large] + rest,
        "two heads": magic + heads[small] + heads[large] + rest,
    }
    for how, content in disguised.items():
        assert PIL.Image.open(io.BytesIO(content)).size == large, how
        assert announced(content) is None, how
    assert announced(magic + heads[large] + rest) == large


def test_no_size_is_announced_of_what_may_cost_more_to_decode_than_its_bytes_and_pixels() -> None:
    def saved(kind: str, **how: object) -> bytes:
        file = io.BytesIO()
        PIL.Image.new("L", (28, 28)).save(file, kind, **how)
        return file.getvalue()

    plain, deflated, photo = saved("PNG"), zlib.compress(bytes(1_000_000)), saved("JPEG")
    text, comment = chunk(b"tEXt", b"Comment\0seven"), b"\xff\xfe\0\7seven"
    scan = photo.index(b"\xff\xda")
    for cheap in (
        saved("PNG", dpi=(300, 300)),
        plain[:33] + 20 * text + plain[33:],
        plain[:33] + chunk(b"sRGB", b"\0") + chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\0") + plain[33:],
        saved("JPEG", comment=b"seven", dpi=(300, 300)),
    ):
        assert announced(cheap) == (28, 28)
    for costly in (
        *(plain[:33] + chunk(kind, b"a\0\0" + deflated) + plain[33:] for kind in (b"zTXt", b"iTXt", b"iCCP")),
        plain[:-12] + chunk(b"zTXt", b"a\0\0" + deflated) + plain[-12:],  # read too, after the pixels
        plain[:33] + 40 * text + plain[33:],
        plain[:-12],
        photo[:2] + 40 * comment + photo[2:],
        photo[:scan] + 40 * comment + photo[scan:],
        photo[:-2] + 4 * photo[scan:],
    ):
        assert announced(costly) is None
        assert announced(costly[:-1]) is None


def test_the_head_of_a_usual_jpeg_tells_what_decoding_it_needs() -> None:
    turned = PIL.Image.Exif()
    turned[274] = 6
    for mode, progressive in (("L", False), ("RGB", True)):
        file = io.BytesIO()
        PIL.Image.new(mode, (300, 20)).save(file, "JPEG", progressive=progressive, exif=turned)
        head = jpeg_head(file.getvalue())
        assert head is not None
        assert (head.size, head.is_grey, head.is_progressive) == ((300, 20), mode == "L", progressive)
        with PIL.Image.open(file) as picture:
            assert head.exif == picture.info["exif"].removeprefix(b"Exif\0\0")


def test_a_jpeg_with_four_colours_or_other_bits_or_two_frames_has_no_usual_head() -> None:
    file, four = io.BytesIO(), io.BytesIO()
    PIL.Image.new("RGB", (30, 20)).save(file, "JPEG")
    PIL.Image.new("CMYK", (30, 20)).save(four, "JPEG")
    usual = file.getvalue()
    frame, scan = usual.index(b"\xff\xc0"), usual.index(b"\xff\xda")
    length = 2 + int.from_bytes(usual[frame + 2 : frame + 4], "big")
    assert jpeg_head(usual) is not None
    for odd in (
        four.getvalue(),
        usual[: frame + 4] + b"\x0c" + usual[frame + 5 :],  # 12 bits
        usual[: frame + 5] + bytes(2) + usual[frame + 7 :],  # a height of 0, which a later segment may tell
        usual[:frame] + 2 * usual[frame : frame + length] + usual[frame + length :],
        usual[:frame] + usual[frame + length :],
        usual[:scan],
        b"",
    ):
        assert jpeg_head(odd) is None
