"""Many digits in one picture: found, in reading order, divided where they touch, told or flagged."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageFont
import pytest
from PIL import ImageDraw
from rings import inked, ring

from zoo import Zoo, reading, scenes
from zoo.datasets import Labelled
from zoo.pieces import PAD, Piece, find
from zoo.settings import InkSettings


@pytest.fixture(scope="module")
def zoo(shipped: Path) -> Zoo:
    return Zoo.open(shipped, environ={})


def scene(mnist: Labelled, rng: np.random.Generator, lines: int = 1, digits: int = 10, **how: object) -> scenes.Scene:
    rows = [rng.integers(0, len(mnist.images), digits) for _ in range(lines)]
    return scenes.lines(
        [mnist.images[row, :, :, 0] for row in rows],
        ["".join(str(mnist.classes[i]) for i in row) for row in rows],
        rng,
        **how,  # type: ignore[arg-type]
    )


def png(picture: np.ndarray) -> bytes:
    content = io.BytesIO()
    PIL.Image.fromarray(picture).save(content, "PNG")
    return content.getvalue()


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


def test_touching_digits_are_divided_and_flagged(zoo: Zoo, mnist: Labelled) -> None:
    rng = np.random.default_rng(5)
    silent = several = 0
    for _ in range(20):
        one = scene(mnist, rng, digits=4, gap=(-0.12, 0.0), slant=1.0)
        reading = zoo.read(None, one.picture)
        several += any(sign.touching for sign in reading.signs)
        flagged = any(sign.touching or sign.rejected for sign in reading.signs)
        silent += reading.text != one.text and not flagged
    assert several >= 8
    assert silent == 0


def test_a_digit_in_two_parts_is_one(zoo: Zoo) -> None:
    """A 5 whose bar stands apart, beside it and higher, in a row of others."""
    sheet = PIL.Image.new("L", (420, 140), 250)
    pen = ImageDraw.Draw(sheet)
    for x in (40, 120, 340):
        pen.line([(x, 40), (x + 40, 40), (x + 12, 110)], fill=20, width=7, joint="curve")
    pen.line([(212, 66), (235, 70), (242, 90), (228, 108), (205, 106)], fill=20, width=7, joint="curve")
    pen.line([(236, 58), (278, 26)], fill=20, width=7)
    reading = zoo.read(None, np.asarray(sheet))
    assert reading.text == "7757"
    assert reading.signs[2].box[0] < 210
    assert reading.signs[2].box[2] > 262


@pytest.mark.parametrize("width", [5, 7, 9])
def test_the_bar_of_a_5_that_touches_the_next_digit_is_the_5s(zoo: Zoo, width: int) -> None:
    """The bar is written last and ends on the 0: both are one mark, and the rest of the 5 was read as a 7 or a 2."""
    sheet = PIL.Image.new("L", (460, 150), 250)
    pen = ImageDraw.Draw(sheet)
    for x in (40, 120, 350):
        pen.line([(x, 40), (x + 40, 40), (x + 12, 110)], fill=20, width=width, joint="curve")
    pen.line([(212, 66), (235, 70), (242, 90), (228, 108), (205, 106)], fill=20, width=width, joint="curve")
    pen.line([(226, 46), (278, 42)], fill=20, width=width)
    pen.ellipse((256, 38, 302, 110), outline=20, width=width)
    reading = zoo.read(None, np.asarray(sheet))
    assert reading.text == "77507"
    assert [sign.touching for sign in reading.signs] == [False, False, True, True, False]
    five, zero = reading.signs[2].box, reading.signs[3].box
    assert five[2] > 250, "the bar is in the box of the 5"
    assert zero[0] > 245, "and not in that of the 0"


def test_the_bar_of_a_5_is_not_that_of_the_slanting_1_beside_it(zoo: Zoo) -> None:
    picture = PIL.Image.new("L", (420, 220), "white")
    draw = ImageDraw.Draw(picture)
    draw.line([(100, 78), (100, 105), (135, 112), (140, 140), (118, 160), (92, 155)], 0, 11, joint="curve")
    draw.line([(122, 64), (196, 58)], 0, 11)  # in the box of the 1, whose ink is farther away than the 5's
    draw.line([(240, 48), (198, 162)], 0, 11)
    draw.line([(300, 52), (272, 108), (330, 106)], 0, 11)
    draw.line([(320, 60), (306, 162)], 0, 11)
    assert zoo.read(None, png(np.asarray(picture))).text == "514"


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


def test_what_lies_among_digits_that_touch_makes_no_frame_of_them() -> None:
    page = PIL.Image.new("L", (700, 240), 250)
    draw = ImageDraw.Draw(page)
    sevens = [(x, 70, 90) for x in (40, 130, 520, 600)]
    for x, y, tall in [*sevens, (330, 90, 45)]:
        draw.line([(x, y), (x + 0.6 * tall, y), (x + 0.25 * tall, y + tall)], fill=20, width=8, joint="curve")
    joined = [(230, 70), (285, 70), (250, 160), (440, 165), (470, 65)]  # open above the small 7
    draw.line(joined, fill=20, width=7, joint="curve")
    found = sorted(piece.box for piece in find(np.asarray(page), InkSettings()))
    assert [abs(box[0] - left) < 8 for box, left in zip(found, (40, 130, 230, 520, 600), strict=True)] == [True] * 5


@pytest.mark.long
def test_a_single_digit_is_read_though_its_strokes_are_thick(zoo: Zoo, mnist: Labelled) -> None:
    rng = np.random.default_rng(2)
    right = 0
    for i in range(30):
        small = PIL.Image.fromarray(scenes.photo(mnist.images[i, :, :, 0], rng))
        large = small.resize((3 * small.width, 3 * small.height), PIL.Image.Resampling.BICUBIC)
        right += zoo.read(None, np.asarray(large)).text == str(mnist.classes[i])
    assert right >= 27


def test_faint_broken_ruling_is_no_digit(zoo: Zoo, mnist: Labelled) -> None:
    """Lines that pale ink barely exceeds come out as dashes, which would tie a whole row together."""
    canvas = np.full((130, 560), 235.0)
    for row, start in ((30, 0), (62, 7), (94, 3)):
        for left in range(start, 560, 46):
            canvas[row : row + 2, left : left + 40] -= 42
    for place, index in enumerate((0, 1, 2, 3, 4)):
        digit = np.asarray(PIL.Image.fromarray(mnist.images[index, :, :, 0]).resize((64, 64)), float)
        canvas[30:94, 30 + 100 * place : 94 + 100 * place] -= 100 * digit / 255
    reading = zoo.read(None, canvas.clip(0, 255).astype(np.uint8))
    assert reading.text == "72104"
    assert all(sign.box[2] - sign.box[0] < 70 for sign in reading.signs)


def test_a_row_half_in_a_shadow_is_read_whole(zoo: Zoo, mnist: Labelled) -> None:
    canvas = np.full((90, 500), 245.0)
    for place, index in enumerate((0, 1, 2, 3, 4)):
        digit = np.asarray(PIL.Image.fromarray(mnist.images[index, :, :, 0]).resize((56, 56)), float)
        canvas[14:70, 20 + 90 * place : 76 + 90 * place] *= 1 - 0.6 * digit / 255
    canvas *= 1 - 0.35 / (1 + np.exp((340 - np.arange(500)) / 8))
    assert zoo.read(None, canvas.astype(np.uint8)).text == "72104"


@pytest.mark.long
def test_the_hard_edge_of_a_shadow_is_no_ink_in_rows(zoo: Zoo, mnist: Labelled) -> None:
    rng = np.random.default_rng(3)
    right = 0
    for _ in range(8):
        some = rng.integers(0, len(mnist.images), 6)
        page = page_of(mnist, *[(int(i), 90, 60 + 130 * k, 190) for k, i in enumerate(some)], size=(500, 900))
        shaded = np.array(page, float)
        shaded[:, int(rng.integers(250, 650)) :] *= 0.65
        right += zoo.read(None, shaded.astype(np.uint8)).text == "".join(str(mnist.classes[i]) for i in some)
    assert right == 8


@pytest.mark.long
def test_the_hard_edge_of_a_shadow_is_no_ink_among_lines(zoo: Zoo, mnist: Labelled) -> None:
    rng = np.random.default_rng(3)
    right = 0
    for _ in range(8):
        some = rng.integers(0, len(mnist.images), 18)
        places = [(int(i), 90, 60 + 130 * (k % 6), 60 + 130 * (k // 6)) for k, i in enumerate(some)]
        shaded = np.array(page_of(mnist, *places, size=(500, 900)), float)
        shaded[:, int(rng.integers(250, 650)) :] *= 0.5
        text = zoo.read(None, shaded.astype(np.uint8)).text.replace("\n", "")
        right += text == "".join(str(mnist.classes[i]) for i in some)
    assert right >= 6


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


@pytest.mark.parametrize("turn", [0, 6])
def test_a_row_on_a_note_on_a_table_is_read(zoo: Zoo, mnist: Labelled, turn: float) -> None:
    rng = np.random.default_rng(9)
    right = 0
    for _ in range(8):
        one = scene(mnist, rng, digits=6)
        height, width = one.picture.shape[:2]
        table = PIL.Image.new("RGB", (width * 7 // 5, height + width * 2 // 5), (60, 45, 35))
        table.paste(PIL.Image.fromarray(one.picture), (width // 5, width // 5))
        picture = np.asarray(table.rotate(turn, PIL.Image.Resampling.BICUBIC, fillcolor=(60, 45, 35)))
        reading = zoo.read(None, picture)
        right += reading.text == one.text
        if turn == 0 and reading.text == one.text:
            boxes = zip(reading.signs, one.boxes, strict=True)
            assert all(abs(sign.box[0] - box[0] - width // 5) <= 8 for sign, box in boxes)
    assert right >= 6


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


def test_the_command_names_what_touches_and_what_is_guessed(
    zoo: Zoo, mnist: Labelled, root: Path, tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    rng, file = np.random.default_rng(5), tmp_path / "number.png"
    touching: list[str] = []
    guessed: list[str] = []
    while not (touching and guessed):
        picture = scene(mnist, rng, digits=4, gap=(-0.12, 0.0), slant=1.0).picture
        signs = list(enumerate(zoo.read(None, picture).signs, 1))
        touching = [f"{sign.label} (digit {n})" for n, sign in signs if sign.touching and not sign.rejected]
        guessed = [f"{sign.label} (digit {n})" for n, sign in signs if sign.rejected]
    file.write_bytes(png(picture))
    told = run("read", str(file), cwd=root)
    assert told.stderr.strip().endswith(f"guessed: {', '.join(guessed)}; touching: {', '.join(touching)}")


def test_bad_requests_are_told(zoo: Zoo) -> None:
    from webui import create_app

    client = create_app(zoo).test_client()
    assert client.post("/read").status_code == 400
    assert client.post("/read", data={"file": (io.BytesIO(b"no picture"), "x.png")}).status_code == 415
    assert client.post("/read?model=nobody", data={"file": (io.BytesIO(b""), "x.png")}).status_code == 404


def test_a_pattern_is_not_read_mark_by_mark(zoo: Zoo) -> None:
    pattern = np.full((700, 900), 250, np.uint8)
    for y in range(10, 690, 20):
        for x in range(10, 890, 20):
            pattern[y : y + 9, x : x + 5] = 20
    reading = zoo.read(None, pattern)
    assert (reading.signs, reading.reason) == ((), "too_many_objects")


def test_a_pattern_of_thousands_of_dots_is_refused_before_they_are_compared(zoo: Zoo) -> None:
    dots = np.full((1400, 1400), 255, np.uint8)  # one with another, that takes many minutes
    for row in range(5):
        for column in range(5):
            dots[4 + row : 1390 : 12, 4 + column : 1390 : 12] = 0
    reading = zoo.read("linear", dots)
    assert (reading.signs, reading.reason) == ((), "too_many_objects")


def test_digits_of_dots_are_a_pattern(zoo: Zoo) -> None:
    sheet = PIL.Image.new("L", (420, 160), 250)
    seven = [(x, 0) for x in range(4)] + [(3, 1), (2, 2), (2, 3), (1, 4), (1, 5)]
    for left in (30, 130, 230, 330):
        for x, y in seven:
            ImageDraw.Draw(sheet).ellipse((left + 18 * x, 30 + 18 * y, left + 18 * x + 12, 42 + 18 * y), fill=20)
    reading = zoo.read(None, np.asarray(sheet))
    assert (reading.signs, reading.reason) == ((), "too_many_objects")


def test_squared_paper_that_falls_into_parts_is_a_pattern(zoo: Zoo, mnist: Labelled) -> None:
    paper = np.full((500, 800), 235, np.uint8)
    for at in range(0, 800, 42):
        paper[at : at + 3] = paper[:, at : at + 3] = 180
    noise = np.random.default_rng(4).normal(0, 3, paper.shape)
    reading = zoo.read("linear", (paper + noise).clip(0, 255).astype(np.uint8))
    assert (reading.signs, reading.reason) == ((), "too_many_objects")


def page_of(mnist: Labelled, *digits: tuple[int, int, int, int], size: tuple[int, int] = (700, 900)) -> PIL.Image.Image:
    """Paper with test digits on it, each by its place in the test set, its side and its left upper corner in pixels."""
    paper = PIL.Image.new("L", (size[1], size[0]), 240)
    for place, side, left, top in digits:
        ink = PIL.Image.fromarray(mnist.images[place, :, :, 0]).resize((side, side), PIL.Image.Resampling.BICUBIC)
        paper.paste(PIL.Image.new("L", ink.size, 40), (left, top), ink)
    return paper


ROW = (4, 3, 1, 2, 18)  # test digits 4, 0, 2, 1, 3


@pytest.mark.parametrize("side", [150, 250, 350])
def test_a_row_is_read_beside_a_much_larger_digit(zoo: Zoo, mnist: Labelled, side: int) -> None:
    row = [(place, 90, 60 + 95 * k, 480) for k, place in enumerate(ROW)]
    reading = zoo.read(None, np.asarray(page_of(mnist, (61, side, 60, 40), *row)))
    assert reading.text == "8\n40213"


def test_the_bar_of_a_screen_does_not_tell_how_high_digits_are(zoo: Zoo, mnist: Labelled) -> None:
    page = page_of(mnist, *[(place, 90, 60 + 95 * k, 480) for k, place in enumerate(ROW)], size=(1200, 700))
    ImageDraw.Draw(page).rectangle((0, 0, 700, 170), fill=90)
    assert zoo.read(None, np.asarray(page)).text == "40213"


@pytest.mark.parametrize("gap", [0, 20])
@pytest.mark.parametrize("ink", [40, 120])
def test_the_boxes_of_a_form_are_no_digits(zoo: Zoo, mnist: Labelled, gap: int, ink: int) -> None:
    """One box a digit, apart or side by side with an edge in common."""
    side = 110
    places = [(place, 84, 73 + (side + gap) * k, 113) for k, place in enumerate(ROW)]
    page = page_of(mnist, *places, size=(320, 900))
    for k in range(len(ROW)):
        left = 60 + (side + gap) * k
        ImageDraw.Draw(page).rectangle((left, 100, left + side, 100 + side), outline=ink, width=3)
    reading = zoo.read(None, np.asarray(page))
    assert reading.text == "40213"
    assert not any(sign.rejected or sign.touching for sign in reading.signs)


def test_a_digit_that_runs_into_a_frame_is_read_and_marked(zoo: Zoo, mnist: Labelled) -> None:
    page = page_of(mnist, *[(place, 84, 73 + 95 * k, 113) for k, place in enumerate(ROW)], size=(320, 700))
    right = np.flatnonzero((np.asarray(page) < 128).any(axis=0))[-1]
    ImageDraw.Draw(page).rectangle((50, 90, right + 1, 215), outline=40, width=4)
    reading = zoo.read(None, np.asarray(page))
    assert reading.text == "40213"
    assert [sign.touching for sign in reading.signs] == [False] * 4 + [True]


def test_a_ring_through_a_row_takes_no_digits_along(zoo: Zoo, mnist: Labelled) -> None:
    page = page_of(mnist, *[(place, 84, 73 + 95 * k, 133) for k, place in enumerate(ROW)], size=(360, 700))
    ImageDraw.Draw(page).arc((148, 115, 368, 335), 150, 400, fill=110, width=3)
    signs = zoo.read(None, np.asarray(page)).signs
    assert "".join(sign.label for sign in signs if sign.box[3] - sign.box[1] < 100) == "40213"


def test_what_is_left_of_a_pale_margin_is_no_1(zoo: Zoo, mnist: Labelled) -> None:
    """It comes out in pieces as high as digits, where the ruled lines beside it are too pale to be seen."""
    page = np.array(page_of(mnist, *[(place, 60, 120 + 80 * k, 60) for k, place in enumerate(ROW)], size=(300, 560)))
    page[0:64, 70:72] = page[68:126, 70:72] = page[150:215, 70:72] = 160
    assert zoo.read(None, page).text == "40213"


def test_the_holes_of_very_thick_digits_are_no_ink(zoo: Zoo) -> None:
    """A ground that goes smoothly through black ink is near 0 there, and contrast to it was without bounds."""
    sheet = PIL.Image.new("L", (510, 260), 255)
    for left in (50, 200, 350):
        ImageDraw.Draw(sheet).ellipse((left, 50, left + 110, 210), outline=0, width=34)
    assert zoo.read(None, np.asarray(sheet)).text == "000"


@pytest.mark.parametrize("form", ["gap", "open"])
def test_forms_whose_boxes_are_not_closed_are_no_digits(zoo: Zoo, mnist: Labelled, form: str) -> None:
    side, left, top = 110, 60, 100
    page = page_of(
        mnist, *[(place, 84, left + 13 + side * k, top + 13) for k, place in enumerate(ROW)], size=(320, 900)
    )
    draw = ImageDraw.Draw(page)
    right, low = left + side * len(ROW), top + side
    draw.line((left, low, right, low), fill=60, width=3)
    for k in range(len(ROW) + 1):
        draw.line((left + side * k, top, left + side * k, low), fill=60, width=3)
        if form == "gap" and k < len(ROW):
            draw.line((left + side * k, top, left + side * k + 70, top), fill=60, width=3)
    assert zoo.read(None, np.asarray(page)).text == "40213"


@pytest.mark.parametrize("line", [1, 3, 5])
@pytest.mark.parametrize("side", [80, 140])
def test_the_cells_of_a_table_are_no_paper_and_no_digits(zoo: Zoo, mnist: Labelled, side: int, line: int) -> None:
    """Of a grid the white between the lines won, or one cell was taken for a sheet, and all else was left out."""
    rows, ink = ("402", "134", "210"), side * 11 // 20
    at = {mnist.labels[int(mnist.classes[place])]: place for place in ROW}
    off = 30 + (side - ink) // 2
    places = [
        (at[digit], ink, off + side * x, off + side * y) for y, row in enumerate(rows) for x, digit in enumerate(row)
    ]
    page = page_of(mnist, *places, size=(3 * side + 60, 3 * side + 60))
    for k in range(4):
        at_line, end = 30 + side * k, 30 + 3 * side
        ImageDraw.Draw(page).line((30, at_line, end, at_line), fill=40, width=line)
        ImageDraw.Draw(page).line((at_line, 30, at_line, end), fill=40, width=line)
    reading = zoo.read(None, np.asarray(page))
    assert reading.text == "\n".join(rows)


@pytest.mark.parametrize("margin", [4, 30])
def test_a_long_row_keeps_its_first_digits_however_closely_it_is_cut(zoo: Zoo, mnist: Labelled, margin: int) -> None:
    page = page_of(mnist, *[(ROW[k % 5], 72, 40 + 80 * k, 40) for k in range(20)], size=(152, 1680))
    ink = np.asarray(page) < 200
    top, bottom = np.flatnonzero(ink.any(axis=1))[[0, -1]]
    left, right = np.flatnonzero(ink.any(axis=0))[[0, -1]]
    cut = np.asarray(page)[top - margin : bottom + margin, left - margin : right + margin]
    assert zoo.read(None, cut).text == "40213" * 4


def test_slashes_and_brackets_are_marked(zoo: Zoo, mnist: Labelled) -> None:
    page = page_of(mnist, *[(place, 90, 100 + 120 * k, 200) for k, place in enumerate(ROW)], size=(500, 900))
    draw = ImageDraw.Draw(page)
    draw.line((345, 185, 315, 305), fill=40, width=7)
    draw.arc((60, 180, 110, 310), 110, 250, fill=40, width=7)
    reading = zoo.read(None, np.asarray(page))
    marked = [sign.rejected for sign in reading.signs]
    assert (len(marked), marked[0], marked[3]) == (7, True, True)
    assert not any(marked[1:3] + marked[4:])


def test_a_short_stroke_close_to_a_digit_is_marked(zoo: Zoo, mnist: Labelled) -> None:
    page = page_of(mnist, *[(place, 90, 100 + 120 * k, 200) for k, place in enumerate(ROW)], size=(500, 900))
    close, free = page.copy(), page
    for sheet, x in ((close, 353), (free, 330)):
        ImageDraw.Draw(sheet).line((x, 205, x - 3, 238), fill=40, width=7)
    marked, told = ([s.rejected for s in zoo.read(None, np.asarray(sheet)).signs] for sheet in (close, free))
    assert (len(marked), sum(marked)) == (6, 1)
    assert (len(told), sum(told)) == (6, 0)


@pytest.mark.long
def test_clear_rows_are_not_marked_for_nothing(zoo: Zoo, mnist: Labelled) -> None:
    rng = np.random.default_rng(8)
    marked = 0
    for _ in range(20):
        reading = zoo.read(None, scene(mnist, rng).picture)
        marked += any(sign.touching for sign in reading.signs)
    assert marked <= 2


def test_a_1_that_runs_into_its_neighbour_is_read(zoo: Zoo, mnist: Labelled) -> None:
    """Both together look like another digit for certain: a 1 and a 0 like a 0, a 4 and a 1 like a 4."""
    rng = np.random.default_rng(4)
    right = 0
    for digit in range(10):
        other = int(rng.choice(np.flatnonzero(mnist.classes == digit)))
        row = [int(rng.choice(np.flatnonzero(mnist.classes == 1))), other]
        for pair in (row, row[::-1]):
            text = "".join(str(mnist.classes[i]) for i in pair)
            one = scenes.lines([mnist.images[pair, ..., 0]], [text], rng, gap=(-0.1, -0.04), slant=1.0)
            right += zoo.read(None, one.picture).text == text
    assert right >= 16


def piece(*strokes: list[tuple[int, int]]) -> Piece:
    return Piece(np.pad(inked(*strokes), 4), (300, 100, 500, 200), 1, "dark-on-light", False)


def told(whole: float, part: float, wide: int) -> Callable[[Sequence[np.ndarray]], np.ndarray]:
    """A model that is so sure of a 5 in what is wider than `wide`, and of a 0 in the rest."""

    def recognise(levels: Sequence[np.ndarray]) -> np.ndarray:
        rows = []
        for level in levels:
            is_whole = np.count_nonzero((level > 60).any(axis=0)) > wide
            sure = whole if is_whole else part
            row = np.full(10, (1 - sure) / 9, np.float32)
            row[5 if is_whole else 0] = sure
            rows.append(row)
        return np.stack(rows)

    return recognise


def test_pieces_too_faint_to_be_told_are_none() -> None:
    faint = piece(ring(10))
    faint = Piece(faint.level // 5, faint.box, 1, "dark-on-light", False)
    assert reading.read([faint, faint], told(0.9, 0.9, 60)) == []
    assert len(reading.read([faint, piece(ring(10)), faint], told(0.9, 0.9, 60))) == 1


def test_three_that_touch_are_three_in_their_places() -> None:
    found = reading.read([piece(ring(10), ring(48), ring(86))], told(0.9, 0.95, 60))
    assert [int(one.scores.argmax()) for one in found] == [0, 0, 0]
    assert all(one.touching for one in found)
    for one, (left, right) in zip(found, ((306, 356), (344, 394), (382, 432)), strict=True):
        assert abs(one.box[0] - left) <= 6
        assert abs(one.box[2] - right) <= 6
        assert (abs(one.box[1] - 116) <= 4, abs(one.box[3] - 184) <= 4) == (True, True)


@pytest.mark.parametrize(
    ("whole", "part", "digits", "touching"),
    [
        (0.3, 0.97, [0, 0], True),  # the whole says nothing
        (0.9999, 0.3, [5], True),  # its parts say nothing: one digit, most likely
        (0.99, 0.99, [0, 0], True),  # the ink itself decides
    ],
)
def test_what_the_model_says_of_the_parts_counts(whole: float, part: float, digits: list[int], touching: bool) -> None:
    found = reading.read([piece(ring(10), ring(48))], told(whole, part, 60))
    assert [int(one.scores.argmax()) for one in found] == digits
    assert all(one.touching is touching for one in found)


def test_one_digit_stays_one_though_a_model_takes_its_halves_for_digits() -> None:
    found = reading.read([piece(ring(10))], told(0.6, 0.99, 40))
    assert [int(one.scores.argmax()) for one in found] == [5]
    assert not found[0].touching
    assert found[0].box == (300, 100, 500, 200)


def test_the_long_bar_of_a_digit_is_not_taken_off_as_another() -> None:
    bar = [(10, 22), (95, 20)]
    five = [(12, 22), (10, 48), (30, 46), (46, 60), (40, 76), (22, 82), (8, 76)]
    found = reading.read([piece(bar, five)], told(0.8, 0.95, 60))
    assert [int(one.scores.argmax()) for one in found] == [5]


FIVE = (0, 1, 2, 3, 4)  # of the test pictures: 7, 2, 1, 0, 4


def row_of(mnist: Labelled, size: tuple[int, int], top: int = 60) -> np.ndarray:
    """The row 72104 as dark ink on light paper of a size (height, width)."""
    places = [(index, 64, 40 + 77 * place, top) for place, index in enumerate(FIVE)]
    return np.array(page_of(mnist, *places, size=size))


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


def pen_row(mnist: Labelled, places: Sequence[int], random: np.random.Generator, width: int) -> np.ndarray:
    """A row of test digits in one pen, 60 pixels high, as ink float64 0-1 on a page of 190 x `width`."""
    page = np.zeros((190, width))
    left = 50
    for place in places:
        ink = scenes.written(scenes.unbroken(mnist.images[place, ..., 0]), 60, random)
        page[70 : 70 + len(ink), left : left + ink.shape[1]] = ink
        left += ink.shape[1] + 24
    return page


@pytest.mark.parametrize("paper", ["ruled", "ruled dark", "squared", "squared small"])
def test_rows_across_the_lines_of_the_paper_are_read(zoo: Zoo, mnist: Labelled, paper: str) -> None:
    """Between the strokes only short dashes of a line are left, which joined the digits into one mark."""
    pitch, level = {"ruled": (78, 175), "ruled dark": (78, 140), "squared": (78, 165), "squared small": (40, 175)}[
        paper
    ]
    right = 0
    for seed in range(6):
        random = np.random.default_rng(seed)
        some = [4, 3, 1, 2, 18, *random.integers(0, 1000, 3)]
        light = np.full((190, 800), 244.0)
        light[random.integers(12) + 8 :: pitch] *= level / 244
        light[random.integers(12) + 9 :: pitch] *= level / 244
        if paper.startswith("squared"):
            light[:, random.integers(pitch) :: pitch] *= level / 244
        page = light * (1 - 0.8 * pen_row(mnist, some, random, 800)) + random.normal(0, 2, light.shape)
        read = zoo.read(None, page.clip(0, 255).astype(np.uint8))
        right += read.text == "".join(str(mnist.classes[place]) for place in some)
    assert right >= 5


@pytest.mark.parametrize("radius", [64, 72, 88])
def test_a_single_digit_in_a_circle_is_read(zoo: Zoo, mnist: Labelled, radius: int) -> None:
    """The light inside of the circle was taken for the ink, and read as a 0."""
    page = page_of(mnist, (0, 110, 85, 85), size=(280, 280))
    ImageDraw.Draw(page).ellipse((140 - radius, 140 - radius, 140 + radius, 140 + radius), outline=30, width=5)
    assert zoo.read(None, np.asarray(page)).text == "7"


@pytest.mark.parametrize(("side", "share"), [("left", 0.3), ("right", 0.3), ("right", 0.5)])
def test_a_digit_cut_off_at_the_side_is_marked(zoo: Zoo, mnist: Labelled, side: str, share: float) -> None:
    """A number photographed too tightly looked complete: what was left of the digit was dropped, or read as a 1."""
    page = row_of(mnist, size=(200, 460))
    columns = np.flatnonzero((page < 128).any(axis=0))
    if side == "left":
        second = columns[np.flatnonzero(np.diff(columns) > 10)[0] + 1]
        page = page[:, round(columns[0] + share * (second - 20 - columns[0])) :]
    else:
        last = columns[np.flatnonzero(np.diff(columns) > 10)[-1] + 1]
        page = page[:, : round(columns[-1] - share * (columns[-1] - last))]
    read = zoo.read(None, np.ascontiguousarray(page))
    assert len(read.signs) == 5
    assert [sign.rejected for sign in read.signs] == ([True] + 4 * [False] if side == "left" else 4 * [False] + [True])


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


@pytest.mark.parametrize("gap", [6, 12])
def test_an_underline_close_to_a_row_is_none_of_it(zoo: Zoo, mnist: Labelled, gap: int) -> None:
    page = row_of(mnist, size=(220, 560))
    below = np.flatnonzero((page < 128).any(axis=1))[-1] + gap
    page[below : below + 4, 40:430] = 20
    assert zoo.read(None, page).text == "72104"


def test_the_comb_of_a_form_is_no_digit(zoo: Zoo, mnist: Labelled) -> None:
    page = row_of(mnist, size=(200, 560))
    below = np.flatnonzero((page < 128).any(axis=1))[-1] + 10
    page[below : below + 3, 30:427] = 60
    for tooth in range(6):
        page[below - 18 : below, 30 + 79 * tooth : 32 + 79 * tooth] = 60
    assert zoo.read(None, page).text == "72104"


def test_sevens_that_touch_at_their_bars_are_no_comb(zoo: Zoo) -> None:
    """They were left out without a sign: their bars make a line, and their stems are strokes down from it."""
    sheet = PIL.Image.new("L", (420, 150), 250)
    pen = ImageDraw.Draw(sheet)
    for x in (40, 120, 166, 212, 258):
        pen.line([(x, 44), (x + (40 if x == 40 else 46), 38), (x + 18, 100)], fill=20, width=7, joint="curve")
    reading = zoo.read(None, np.asarray(sheet))
    assert reading.text == "77777"
    assert all(sign.touching for sign in reading.signs[1:])


@pytest.mark.parametrize("table", [(110, 80, 60), (150, 115, 85), (60, 90, 130)])
@pytest.mark.parametrize("count", [1, 2])
def test_notes_on_a_table_of_any_shade_are_read(
    zoo: Zoo, mnist: Labelled, table: tuple[int, int, int], count: int
) -> None:
    note = np.repeat(row_of(mnist, size=(190, 460))[:, :, None], 3, axis=2)
    scene = np.full((420, 540 * count, 3), table, np.uint8)
    for place in range(count):
        scene[110:300, 40 + 540 * place : 500 + 540 * place] = note
    scene = (scene + np.random.default_rng(4).normal(0, 3, scene.shape)).clip(0, 255).astype(np.uint8)
    assert zoo.read(None, scene).text == "72104" * count


@pytest.mark.parametrize(
    ("margin", "colour", "light"), [(10, (245, 245, 80), 1), (14, (245, 245, 80), 1), (6, (150, 240, 130), 0.65)]
)
def test_a_highlighter_cuts_no_digits(
    zoo: Zoo, mnist: Labelled, margin: int, colour: tuple[int, int, int], light: float
) -> None:
    """Neither its strip is paper, nor is it ink where light falls off and ink is looked for again."""
    page = np.repeat(row_of(mnist, size=(190, 560))[:, :, None], 3, axis=2).astype(float)
    rows, columns = (np.flatnonzero((page[..., 0] < 128).any(axis=axis)) for axis in (1, 0))
    strip = np.s_[rows[0] - margin : rows[-1] + margin, columns[0] - margin : columns[-1] + margin]
    page[strip] *= np.array(colour) / 255
    page *= np.linspace(1, light, 560)[:, None]
    assert zoo.read(None, page.astype(np.uint8)).text == "72104"


@pytest.mark.parametrize("side", [1, -1])
def test_the_bracket_of_a_list_is_marked_though_it_is_as_high_as_its_digits(
    zoo: Zoo, mnist: Labelled, side: int
) -> None:
    page = page_of(mnist, *[(index, 64, 130 + 77 * place, 60) for place, index in enumerate(FIVE)], size=(200, 620))
    around = 80 - 76 * side  # the middle of its circle
    ImageDraw.Draw(page).arc(
        (around - 76, 16, around + 76, 168), -26 + 90 - 90 * side, 26 + 90 - 90 * side, 20, width=4
    )
    signs = zoo.read(None, np.asarray(page)).signs
    assert [sign.rejected for sign in signs] == [True] + [False] * 5


def test_brackets_and_boxes_to_tick_are_marked(zoo: Zoo, mnist: Labelled) -> None:
    page = page_of(mnist, *[(index, 64, 110 + 77 * place, 60) for place, index in enumerate(FIVE)], size=(200, 620))
    for shape in ("bracket", "box"):
        with_it = page.copy()
        draw = ImageDraw.Draw(with_it)
        if shape == "bracket":
            draw.arc([60, 66, 96, 120], 110, 250, fill=20, width=5)
        else:
            draw.rectangle([50, 72, 88, 110], outline=20, width=3)
        signs = zoo.read(None, np.asarray(with_it)).signs
        assert [sign.rejected for sign in signs] == [True] + [False] * 5
        assert "".join(sign.label for sign in signs[1:]) == "72104"
