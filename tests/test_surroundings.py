"""Many digits among what is no digit: forms, frames, lines, tables, notes, shadows and patterns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from PIL import ImageDraw
from rows import ROW, page_of, row_of, scene

from zoo import Zoo, scenes
from zoo.datasets import Labelled
from zoo.pieces import find
from zoo.settings import InkSettings


@pytest.fixture(scope="module")
def zoo(shipped: Path) -> Zoo:
    return Zoo.open(shipped, environ={})


def pen_row(mnist: Labelled, places: Sequence[int], random: np.random.Generator, width: int) -> np.ndarray:
    """A row of test digits in one pen, 60 pixels high, as ink float64 0-1 on a page of 190 x `width`."""
    page = np.zeros((190, width))
    left = 50
    for place in places:
        ink = scenes.written(scenes.unbroken(mnist.images[place, ..., 0]), 60, random)
        page[70 : 70 + len(ink), left : left + ink.shape[1]] = ink
        left += ink.shape[1] + 24
    return page


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
