"""Many digits in one picture: found whole and in reading order, by the library, the command and the API."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageFont
import pytest
from PIL import ImageDraw
from rows import FIVE, ROW, page_of, png, row_of, scene

from zoo import Zoo, scenes
from zoo.datasets import Labelled
from zoo.pieces import PAD, find
from zoo.settings import InkSettings


@pytest.fixture(scope="module")
def zoo(shipped: Path) -> Zoo:
    return Zoo.open(shipped, environ={})


def test_rows_on_composed_paper_are_read(zoo: Zoo, mnist: Labelled) -> None:
    rng = np.random.default_rng(21)
    right = wrong_count = 0
    for _ in range(12):
        one = scene(mnist, rng)
        reading = zoo.read(None, one.picture)
        right += reading.text == one.text
        wrong_count += len(reading.signs) != len(one.text)
    assert right >= 8
    assert wrong_count <= 2


def test_boxes_are_where_the_digits_are_in_reading_order(zoo: Zoo, mnist: Labelled) -> None:
    one = scene(mnist, np.random.default_rng(3), lines=2, digits=5, gap=(0.4, 0.6), slant=1.0)
    reading = zoo.read(None, one.picture)
    assert len(reading.signs) == 10
    assert [sign.line for sign in reading.signs] == [0] * 5 + [1] * 5
    for sign, (left, top, right, bottom) in zip(reading.signs, one.boxes, strict=True):
        assert abs(sign.box[0] - left) <= 8
        assert abs(sign.box[1] - top) <= 8
        assert abs(sign.box[2] - right) <= 8
        assert abs(sign.box[3] - bottom) <= 8


def test_boxes_of_a_large_picture_are_in_its_own_pixels(zoo: Zoo, mnist: Labelled) -> None:
    one = scene(mnist, np.random.default_rng(3), digits=4, gap=(0.4, 0.6), slant=1.0)
    large = PIL.Image.fromarray(one.picture)
    large = large.resize((large.width * 8, large.height * 8), PIL.Image.Resampling.BICUBIC)
    reading = zoo.read(None, png(np.asarray(large)))
    assert reading.text == zoo.read(None, one.picture).text
    for sign, box in zip(reading.signs, one.boxes, strict=True):
        assert np.abs(np.array(sign.box) - 8 * np.array(box)).max() <= 80


def test_bold_digits_are_read(zoo: Zoo) -> None:
    """Zeros of a felt pen with little in them, which fill their pieces, among thin ones."""
    sheet = PIL.Image.new("L", (520, 150), 245)
    pen = ImageDraw.Draw(sheet)
    for x in (30, 280):
        pen.ellipse((x, 30, x + 84, 120), fill=30)
        pen.ellipse((x + 32, 58, x + 52, 92), fill=245)
    for x in (160, 420):
        pen.line([(x, 32), (x + 60, 32), (x + 20, 120)], fill=30, width=9, joint="curve")
    reading = zoo.read(None, np.asarray(sheet))
    assert reading.text == "0707"
    assert not any(sign.rejected or sign.touching for sign in reading.signs)


def test_the_inside_of_bold_ink_is_ink_on_uneven_paper() -> None:
    light = np.linspace(250, 130, 560) + np.random.default_rng(1).normal(0, 2, (220, 560))
    blots = PIL.Image.new("L", (560, 220))
    for left in range(40, 480, 80):
        ImageDraw.Draw(blots).ellipse((left, 80, left + 54, 142), fill=255)
    found = find((light * (1 - np.asarray(blots) / 255 * 0.7)).clip(0, 255).astype(np.uint8), InkSettings())
    assert len(found) == 6
    for piece in found:
        box = (piece.level.shape[0] - 2 * PAD) * (piece.level.shape[1] - 2 * PAD)
        assert np.count_nonzero(piece.level > 127) > 0.65 * box, "an ellipse covers 0.79 of its box, without its rim"


@pytest.mark.long
def test_a_single_digit_is_read_though_its_strokes_are_thick(zoo: Zoo, mnist: Labelled) -> None:
    rng = np.random.default_rng(2)
    right = 0
    for i in range(30):
        small = PIL.Image.fromarray(scenes.photo(mnist.images[i, :, :, 0], rng))
        large = small.resize((3 * small.width, 3 * small.height), PIL.Image.Resampling.BICUBIC)
        right += zoo.read(None, np.asarray(large)).text == str(mnist.classes[i])
    assert right >= 27


def test_a_row_that_is_cut_out_closely_is_found_whole(mnist: Labelled) -> None:
    canvas = np.full((68, 1140), 240.0)
    for place, index in enumerate(np.random.default_rng(0).integers(0, len(mnist.images), 20)):
        solid = np.argwhere(mnist.images[index, ..., 0] > 40)
        (top, left), (bottom, right) = solid.min(axis=0), solid.max(axis=0) + 1
        digit = PIL.Image.fromarray(mnist.images[index, top:bottom, left:right, 0]).resize((50, 60))
        canvas[4:64, 3 + 57 * place : 53 + 57 * place] *= 1 - 0.7 * np.asarray(digit) / 255
    canvas *= np.linspace(0.5, 1, 1140)
    found = find(canvas.astype(np.uint8), InkSettings())
    assert sum(piece.box[2] - piece.box[0] for piece in found) > 0.8 * 1140


def test_a_drawing_of_a_row_light_on_dark(zoo: Zoo, mnist: Labelled) -> None:
    canvas = np.zeros((80, 400), np.uint8)
    for place, index in enumerate((0, 1, 2, 3, 4)):
        digit = PIL.Image.fromarray(mnist.images[index, :, :, 0]).resize((56, 56))
        canvas[12:68, 20 + 76 * place : 76 + 76 * place] = np.asarray(digit)
    reading = zoo.read(None, canvas)
    assert reading.text == "72104"
    assert zoo.read(None, 255 - canvas).text == "72104"


def test_nothing_to_read_says_why(zoo: Zoo) -> None:
    empty = zoo.read(None, np.full((100, 300, 3), 240, np.uint8))
    assert (empty.text, empty.signs, empty.reason) == ("", (), "blank")
    noise = np.random.default_rng(1).integers(0, 256, (100, 300), np.uint8).astype(np.uint8)
    assert zoo.read(None, noise).reason == "no_contrast"


def test_every_model_reads(zoo: Zoo, mnist: Labelled) -> None:
    one = scene(mnist, np.random.default_rng(3), digits=4, gap=(0.4, 0.6), slant=1.0)
    for name in zoo.models:
        reading = zoo.read(name, one.picture)
        assert reading.model == name
        assert len(reading.signs) == 4


def test_the_command_and_the_api_read_alike(
    zoo: Zoo, mnist: Labelled, root: Path, tmp_path: Path, run: Callable[..., object]
) -> None:
    from webui import create_app

    one = scene(mnist, np.random.default_rng(3), lines=2, digits=4, gap=(0.4, 0.6), slant=1.0)
    file = tmp_path / "number.png"
    file.write_bytes(png(one.picture))
    mine = zoo.read(None, file)
    asked = create_app(zoo).test_client().post("/read", data={"file": (io.BytesIO(file.read_bytes()), "number.png")})
    assert asked.status_code == 200
    assert asked.json == json.loads(json.dumps(mine.to_dict()))
    told = run("read", str(file), "--json", cwd=root)
    assert told.returncode == 0  # type: ignore[attr-defined]
    row = json.loads(told.stdout)["readings"][0]  # type: ignore[attr-defined]
    assert row.pop("file") == str(file)
    assert row == asked.json
    plain = run("read", str(file), cwd=root)
    assert plain.stdout == mine.text + "\n"  # type: ignore[attr-defined]


def test_bad_requests_are_told(zoo: Zoo) -> None:
    from webui import create_app

    client = create_app(zoo).test_client()
    assert client.post("/read").status_code == 400
    assert client.post("/read", data={"file": (io.BytesIO(b"no picture"), "x.png")}).status_code == 415
    assert client.post("/read?model=nobody", data={"file": (io.BytesIO(b""), "x.png")}).status_code == 404


@pytest.mark.parametrize("side", [150, 250, 350])
def test_a_row_is_read_beside_a_much_larger_digit(zoo: Zoo, mnist: Labelled, side: int) -> None:
    row = [(place, 90, 60 + 95 * k, 480) for k, place in enumerate(ROW)]
    reading = zoo.read(None, np.asarray(page_of(mnist, (61, side, 60, 40), *row)))
    assert reading.text == "8\n40213"


def test_the_holes_of_very_thick_digits_are_no_ink(zoo: Zoo) -> None:
    """A ground that goes smoothly through black ink is near 0 there, and contrast to it was without bounds."""
    sheet = PIL.Image.new("L", (510, 260), 255)
    for left in (50, 200, 350):
        ImageDraw.Draw(sheet).ellipse((left, 50, left + 110, 210), outline=0, width=34)
    assert zoo.read(None, np.asarray(sheet)).text == "000"


@pytest.mark.parametrize("margin", [4, 30])
def test_a_long_row_keeps_its_first_digits_however_closely_it_is_cut(zoo: Zoo, mnist: Labelled, margin: int) -> None:
    page = page_of(mnist, *[(ROW[k % 5], 72, 40 + 80 * k, 40) for k in range(20)], size=(152, 1680))
    ink = np.asarray(page) < 200
    top, bottom = np.flatnonzero(ink.any(axis=1))[[0, -1]]
    left, right = np.flatnonzero(ink.any(axis=0))[[0, -1]]
    cut = np.asarray(page)[top - margin : bottom + margin, left - margin : right + margin]
    assert zoo.read(None, cut).text == "40213" * 4


@pytest.mark.parametrize("level", [145, 155])
def test_pale_ink_beside_dark_ink_is_read_too(zoo: Zoo, mnist: Labelled, level: int) -> None:
    """Ink that is nowhere half as strong as the strongest had strokes without end, and was rubbed out for minutes."""
    page = row_of(mnist, size=(330, 560))
    pale = row_of(mnist, size=(330, 560), top=200)
    shown = np.minimum(page, 255 - ((255 - pale.astype(float)) * (255 - level) / 235)).astype(np.uint8)
    read = zoo.read(None, shown)
    assert read.text.split("\n")[0] == "72104"
    assert "72104" in read.text.split("\n")[-1]


def test_rows_that_the_pictures_edge_cuts_a_little_are_read(zoo: Zoo, mnist: Labelled) -> None:
    rng = np.random.default_rng(5)
    right = 0
    for number in range(8):
        some = rng.integers(0, len(mnist.images), 6)
        page = np.full((160, 620), 245.0)
        for place, index in enumerate(some):
            ink = scenes.written(scenes.unbroken(mnist.images[index, ..., 0]), 60, rng)
            left = 50 + 90 * place
            page[50 : 50 + len(ink), left : left + ink.shape[1]] *= 1 - 0.9 * ink
        rows = np.flatnonzero((page < 128).any(axis=1))
        page = page[: rows[-1] + 1 - number % 3] if number < 6 else page[rows[0] + number % 3 :]
        page += rng.normal(0, 3, page.shape)
        right += zoo.read(None, page.clip(0, 255).astype(np.uint8)).text == "".join(str(mnist.classes[i]) for i in some)
    assert right >= 7


def test_a_page_of_what_is_mostly_no_digit_is_not_read(zoo: Zoo) -> None:
    page = PIL.Image.new("L", (900, 400), 240)
    font = PIL.ImageFont.load_default(60)
    for line in range(4):
        for place, letter in enumerate("&@#%EAFR"):
            ImageDraw.Draw(page).text((40 + 100 * place, 20 + 90 * line), letter, 30, font)
    read = zoo.read(None, np.asarray(page))
    assert (read.text, read.reason) == ("", "too_many_objects")


def test_lines_of_small_digits_below_a_large_number_stay_lines(zoo: Zoo, mnist: Labelled) -> None:
    small = [(index, 48, 30 + 54 * place, 190 + 66 * line) for line in range(3) for place, index in enumerate(FIVE)]
    large = [(index, 120, 20 + 140 * place, 10) for place, index in enumerate((0, 1, 2))]
    page = page_of(mnist, *large, *small, size=(420, 480))
    assert zoo.read(None, np.asarray(page)).text == "721\n72104\n72104\n72104"
