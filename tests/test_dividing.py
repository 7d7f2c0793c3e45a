"""Digits that touch are divided or flagged, and strokes that may be no digits are marked."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from PIL import ImageDraw
from rings import inked, ring
from rows import FIVE, ROW, page_of, png, row_of, scene

from zoo import Zoo, reading, scenes
from zoo.datasets import Labelled
from zoo.pieces import Piece


@pytest.fixture(scope="module")
def zoo(shipped: Path) -> Zoo:
    return Zoo.open(shipped, environ={})


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
