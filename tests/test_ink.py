"""zoo.ink: pictures of digits as people take and draw them come out as MNIST's digits look.

Each scene is made of an MNIST digit, so that what the model sees can be held against that digit itself.
"""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFilter
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from zoo import datasets, robustness
from zoo.datasets import Labelled
from zoo.errors import NoInk
from zoo.images import decode
from zoo.ink import normalise, resize
from zoo.mnist_form import fit, ready
from zoo.settings import InkSettings, PictureSettings
from zoo.sheets import sheets_of
from zoo.types import Polarity

Pixels = NDArray[np.uint8]
Levels = NDArray[np.float64]

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
PAPER, PEN = (225, 220, 205), (50, 50, 70)
ONE_OF_EACH = (3, 5, 1, 18, 4, 8, 11, 0, 61, 7)  # MNIST's first clear test picture of 0, 1, … 9


@pytest.fixture(scope="module", params=range(10))
def digit(request: pytest.FixtureRequest, mnist: Labelled) -> Pixels:
    """One digit of each class as MNIST has it, uint8 (28, 28)."""
    picture: Pixels = mnist.images[ONE_OF_EACH[request.param], :, :, 0]
    return picture


@pytest.fixture(scope="module")
def five(mnist: Labelled) -> Pixels:
    picture: Pixels = mnist.images[ONE_OF_EACH[5], :, :, 0]
    return picture


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(28)


def cover(digit: Pixels, side: int = 200, width: int = 280, height: int = 280) -> Levels:
    """How much ink lies where, 0-1: the digit of `side` pixels in the middle of (height, width)."""
    large = np.asarray(PIL.Image.fromarray(digit).resize((side, side), PIL.Image.Resampling.BICUBIC), np.float64) / 255
    cells = np.zeros((height, width))
    top, left = (height - side) // 2, (width - side) // 2
    cells[top : top + side, left : left + side] = large
    return cells


def write(ink: Levels, ground: tuple[int, ...] | Levels, pen: tuple[int, ...]) -> Levels:
    """RGB, (h, w, 3), of ink in a colour on a ground."""
    return np.asarray(np.asarray(ground) * (1 - ink[:, :, None]) + np.asarray(pen) * ink[:, :, None])


def pixels(levels: Levels) -> Pixels:
    return np.asarray(np.rint(np.clip(levels, 0, 255)), np.uint8)


def photographed(levels: Levels, quality: int = 75) -> Pixels:
    """As a JPEG brings it."""
    file = io.BytesIO()
    PIL.Image.fromarray(pixels(levels)).save(file, "JPEG", quality=quality)
    return decode(file.getvalue(), PictureSettings())


def shade(height: int, width: int, least: float) -> Levels:
    """Light that falls from 1 to `least` from the upper left to the lower right corner, (h, w, 1)."""
    down, across = np.linspace(0, 0.5, height)[:, None], np.linspace(0, 0.5, width)[None, :]
    return np.asarray(1 - (1 - least) * (down + across))[:, :, None]


def likeness(picture: Pixels, digit: Pixels) -> float:
    """Cosine between what the model sees of a picture and MNIST's digit, both softened by a pixel; 1 is the same."""
    seen = normalise(picture)[1].seen
    one, other = (np.asarray(PIL.Image.fromarray(p).reduce(2), np.float64).ravel() for p in (seen, digit))
    return float(one @ other / np.sqrt((one @ one) * (other @ other)))


LIKE = 0.92
"""What two pictures of one digit reach; the nearest two of the ten digits here are at 0.62."""


def test_mnists_own_test_pictures_pass_unchanged(mnist: Labelled) -> None:
    expected = mnist.images.astype(np.float32) / np.float32(255)
    changed = [
        index for index, picture in enumerate(mnist.images) if (normalise(picture[:, :, 0])[0] != expected[index]).any()
    ]
    assert changed == []


def test_many_are_known_to_be_in_mnists_form_at_once(mnist: Labelled) -> None:
    digits = mnist.images[:500, ..., 0].copy()
    digits[::3] = 255 - digits[::3]
    digits[5], digits[7], digits[11] = 0, 90, np.roll(digits[11], 3, axis=1)
    batch, known = ready(digits)
    assert [place for place, box in enumerate(known.boxes) if box is None] == [5, 7, 11]
    for place in set(range(500)) - {5, 7, 11}:
        alone, trace = normalise(digits[place])
        one = known.trace(place)
        np.testing.assert_array_equal(batch[place], alone)
        np.testing.assert_array_equal(one.seen, trace.seen)
        assert (one.polarity, one.box, one.scale) == (trace.polarity, trace.box, trace.scale)
    assert ready(digits[:0])[1].boxes == []


def test_transposed_pictures_are_known_too(mnist: Labelled) -> None:
    # As archives keep them in another order: their columns lie together in memory.
    digits = mnist.images[:20, ..., 0]
    turned = np.ascontiguousarray(digits.transpose(0, 2, 1)).transpose(0, 2, 1)
    np.testing.assert_array_equal(ready(turned)[0], ready(digits)[0])
    assert None not in ready(255 - turned)[1].boxes


def test_a_picture_in_mnists_form_is_traced_as_seen(five: Pixels) -> None:
    trace = normalise(five)[1]
    np.testing.assert_array_equal(trace.seen, five)


def test_a_negative_of_mnists_form_passes_unchanged(digit: Pixels) -> None:
    np.testing.assert_array_equal(normalise(255 - digit)[1].seen, digit)


def test_mnists_form_saved_in_colour_passes_unchanged(digit: Pixels) -> None:
    opaque = np.dstack([digit, digit, digit, np.full_like(digit, 255)])
    np.testing.assert_array_equal(normalise(opaque)[1].seen, digit)


def test_the_answer_is_what_models_take(five: Pixels) -> None:
    array, trace = normalise(pixels(write(cover(five), WHITE, BLACK)))
    np.testing.assert_array_equal(array, trace.seen.astype(np.float32)[:, :, None] / np.float32(255))


def test_ink_fits_mnists_box_and_its_centre_of_mass_is_in_the_middle(digit: Pixels) -> None:
    seen = normalise(pixels(write(cover(digit), WHITE, BLACK)))[1].seen.astype(float)
    down, across = np.flatnonzero((seen > 64).any(axis=1)), np.flatnonzero((seen > 64).any(axis=0))
    assert 19 <= max(np.ptp(down), np.ptp(across)) + 1 <= 21
    assert abs((seen.sum(axis=1) @ np.arange(28)) / seen.sum() - 14) < 0.5
    assert abs((seen.sum(axis=0) @ np.arange(28)) / seen.sum() - 14) < 0.5


def test_dark_ink_on_white_is_read(digit: Pixels) -> None:
    assert likeness(pixels(write(cover(digit), WHITE, BLACK)), digit) > LIKE


def test_light_ink_on_a_blackboard_is_read(digit: Pixels, random: np.random.Generator) -> None:
    board = write(cover(digit), (45, 70, 55), (215, 220, 215)) * shade(280, 280, 0.7)
    assert likeness(photographed(board + random.normal(0, 6, (280, 280, 1))), digit) > LIKE


@pytest.mark.parametrize("colour", [BLACK, WHITE, (220, 0, 0)], ids=["black", "white", "red"])
def test_ink_on_transparent_ground_is_read(colour: tuple[int, ...], digit: Pixels) -> None:
    ink = cover(digit)
    drawn = np.dstack([(ink > 0)[:, :, None] * np.array(colour), ink * 255])
    assert likeness(pixels(drawn), digit) > LIKE


@pytest.mark.parametrize("side", [28, 56, 100, 280])
@pytest.mark.parametrize("key", [0, 255])
def test_a_ground_that_was_made_transparent_is_the_same_ground(mnist: Labelled, key: int, side: int) -> None:
    """As transparent GIFs have it: the soft rims of strokes keep what is left of the ground's colour."""
    for index in range(10):
        ink = np.asarray(
            PIL.Image.fromarray(mnist.images[index, ..., 0]).resize((side, side), PIL.Image.Resampling.BICUBIC)
        )
        level = 255 - ink if key else ink
        rgba = np.dstack([level, level, level, np.where(level == key, 0, 255).astype(np.uint8)])
        assert likeness(rgba, mnist.images[index, ..., 0]) > LIKE


def test_a_picture_with_transparent_corners_is_read(five: Pixels) -> None:
    down, across = np.mgrid[-1:1:280j, -1:1:280j]
    rounded = np.where(down**4 + across**4 < 1, 255.0, 0.0)
    assert likeness(pixels(np.dstack([write(cover(five, 160), PAPER, PEN), rounded])), five) > LIKE


@pytest.mark.parametrize(
    ("paper", "pen"),
    [((250, 240, 150), (40, 40, 160)), ((70, 130, 200), (200, 60, 60)), ((120, 150, 110), (205, 110, 120))],
    ids=["blue on yellow", "red on blue", "red on green as bright"],
)
def test_coloured_ink_on_coloured_paper_is_read(paper: tuple[int, ...], pen: tuple[int, ...], digit: Pixels) -> None:
    assert likeness(photographed(write(cover(digit), paper, pen), 90), digit) > LIKE


def test_faint_pencil_in_uneven_light_is_read(digit: Pixels, random: np.random.Generator) -> None:
    page = write(cover(digit), (225, 220, 215), (185, 182, 180)) * shade(280, 280, 0.7)
    assert likeness(photographed(page + random.normal(0, 5, (280, 280, 1))), digit) > LIKE


def test_a_shadow_across_the_paper_is_not_ink(digit: Pixels, random: np.random.Generator) -> None:
    edge = 0.6 + 0.4 / (1 + np.exp(-(np.arange(280) - 60) / 4.0))
    page = write(cover(digit, 180), PAPER, PEN) * edge[None, :, None]
    assert likeness(photographed(page + random.normal(0, 4, (280, 280, 1))), digit) > LIKE


def test_the_grain_of_paper_is_not_ink(digit: Pixels, random: np.random.Generator) -> None:
    grain = random.normal(0, 20, (280, 280, 1))
    assert likeness(pixels(write(cover(digit), (200, 195, 180), (80, 80, 80)) + grain), digit) > LIKE


def test_the_noise_of_a_poor_jpeg_is_not_ink(digit: Pixels) -> None:
    assert likeness(photographed(write(cover(digit), (240, 240, 240), (30, 30, 60)), 10), digit) > LIKE


@pytest.mark.parametrize("colour", [(150, 180, 225), (90, 90, 90)], ids=["blue", "grey"])
def test_ruled_lines_are_not_ink(colour: tuple[int, ...], digit: Pixels) -> None:
    paper = np.full((280, 280, 3), 245.0)
    for first in range(20, 280, 60):
        paper[first : first + 2] = colour
    assert likeness(pixels(write(cover(digit), paper, PEN)), digit) > 0.9


def test_squared_paper_is_not_ink(five: Pixels) -> None:
    paper = np.full((280, 280, 3), 245.0)
    paper[10::40] = paper[11::40] = paper[:, 10::40] = paper[:, 11::40] = (150, 180, 225)
    assert likeness(pixels(write(cover(five), paper, PEN)), five) > 0.9


def test_a_frame_around_the_digit_is_not_ink(digit: Pixels) -> None:
    picture = PIL.Image.fromarray(pixels(write(cover(digit, 160), WHITE, BLACK)))
    PIL.ImageDraw.Draw(picture).rectangle((6, 6, 273, 273), outline=BLACK, width=6)
    assert likeness(np.asarray(picture), digit) > LIKE


def ringed(digit: Pixels, shape: str) -> Pixels:
    """A digit with a circle or a box around it, dark on paper."""
    sheet = PIL.Image.fromarray(pixels(write(cover(digit, 170, 300, 300), PAPER, PEN)))
    draw = PIL.ImageDraw.Draw(sheet)
    getattr(draw, shape)((40, 40, 260, 260), outline=PEN, width=6)
    return np.asarray(sheet)


@pytest.mark.parametrize("shape", ["ellipse", "rectangle"])
def test_a_circle_or_a_box_around_the_digit_is_not_ink(digit: Pixels, shape: str) -> None:
    assert likeness(ringed(digit, shape), digit) > LIKE


def test_a_1_in_a_circle_may_be_a_0_with_a_stroke_through_it(mnist: Labelled) -> None:
    one, eight = (mnist.images[ONE_OF_EACH[number], :, :, 0] for number in (1, 8))
    assert normalise(ringed(one, "ellipse"))[1].reason == "several_objects"
    assert normalise(ringed(eight, "ellipse"))[1].reason is None


def test_a_0_with_a_dot_in_it_is_a_0(mnist: Labelled) -> None:
    zero: Pixels = mnist.images[ONE_OF_EACH[0], :, :, 0]
    ink = cover(zero)
    ink[132:148, 132:148] = 1
    assert normalise(pixels(write(ink, WHITE, BLACK)))[1].box[3] > 190  # type: ignore[index]


@pytest.mark.parametrize("gap", [8, 20, 40])
def test_a_line_below_the_digit_is_not_ink(digit: Pixels, gap: int) -> None:
    ink = cover(digit)
    bottom = int(np.flatnonzero(ink.max(axis=1) > 0.2)[-1])
    ink[bottom + gap : bottom + gap + 7, 60:220] = 1
    assert likeness(pixels(write(ink, PAPER, PEN)), digit) > LIKE


def test_specks_are_not_ink(digit: Pixels, random: np.random.Generator) -> None:
    page = write(cover(digit), WHITE, BLACK)
    for top, left in random.integers(0, 276, (25, 2)):
        page[top : top + 3, left : left + 3] = 60
    assert likeness(pixels(page), digit) > LIKE


def test_the_table_beside_the_paper_is_not_ink(digit: Pixels, random: np.random.Generator) -> None:
    page = write(cover(digit, 160), PAPER, PEN)
    page[:, :30] = (80, 55, 40)
    assert likeness(photographed(page + random.normal(0, 4, (280, 280, 1))), digit) > LIKE


def test_a_sheet_of_paper_on_a_dark_table_is_looked_into(digit: Pixels, random: np.random.Generator) -> None:
    scene = np.full((400, 400, 3), (95.0, 70.0, 50.0))
    scene[60:340, 70:350] = write(cover(digit, 160), PAPER, PEN)
    assert likeness(photographed(scene + random.normal(0, 4, (400, 400, 1))), digit) > LIKE


@pytest.mark.parametrize("turn", [0, 12, 40])
@pytest.mark.parametrize(("width", "height"), [(150, 150), (300, 140)])
def test_a_note_that_is_far_from_filling_its_picture_is_looked_into(
    digit: Pixels, random: np.random.Generator, width: int, height: int, turn: float
) -> None:
    note = pixels(write(cover(digit, 110, width, height), PAPER, PEN))
    table = PIL.Image.new("RGB", (600, 600), (60, 45, 35))
    table.paste(PIL.Image.fromarray(note), (230 - width // 4, 260))
    scene = np.asarray(table.rotate(turn, PIL.Image.Resampling.BICUBIC, fillcolor=(60, 45, 35)), np.float64)
    alone = PIL.Image.fromarray(pixels(255 * cover(digit))).rotate(turn, PIL.Image.Resampling.BICUBIC)
    expected = normalise(np.asarray(alone))[1].seen
    assert likeness(photographed(scene + random.normal(0, 5, (600, 600, 1))), expected) > LIKE


def grained(height: int, width: int, colour: tuple[int, ...]) -> Levels:
    """A wooden table, (h, w, 3), whose grain waves across, in uneven light."""
    down, across = np.mgrid[:height, :width]
    waves = 1 + 0.08 * np.sin(0.15 * down + 2 * np.sin(across / 60))
    light = 1 + 0.2 * np.sin(down / 90 + 1) * np.cos(across / 110)
    return np.asarray(np.array(colour) * (waves * light)[:, :, None])


@pytest.mark.parametrize(
    ("table", "height", "width"),
    [((150, 115, 85), 330, 420), ((95, 70, 50), 280, 320)],
    ids=["light", "dark and small"],
)
def test_a_note_on_a_table_with_a_grain_is_looked_into(
    digit: Pixels, random: np.random.Generator, table: tuple[int, ...], height: int, width: int
) -> None:
    """The ground of such a table went up to the paper inside of the note, and its rim was a 0, or a frame."""
    scene = grained(height, width, table)
    scene[50:230, 70:250] = write(cover(digit, 110, 180, 180), PAPER, PEN)
    assert likeness(photographed(scene + random.normal(0, 3, (height, width, 1))), digit) > LIKE


def test_a_bold_0_is_no_note_though_it_is_as_square(random: np.random.Generator) -> None:
    table = grained(330, 420, (150, 115, 85))
    scene = table.copy()
    scene[50:230, 70:250] = PAPER
    scene[90:190, 110:210] = table[90:190, 110:210]
    trace = normalise(photographed(scene + random.normal(0, 3, (330, 420, 1))))[1]
    assert trace.polarity == "light-on-dark"
    assert trace.box == pytest.approx((70, 50, 250, 230), abs=8)


@pytest.mark.parametrize("count", [1, 2])
def test_each_note_on_a_table_with_a_grain_is_found(five: Pixels, random: np.random.Generator, count: int) -> None:
    scene = grained(260, 210 * count, (120, 120, 118))
    for left in range(15, 210 * count, 210):
        scene[30:210, left : left + 180] = write(cover(five, 110, 180, 180), (250, 235, 120), PEN)
    scene += random.normal(0, 3, (*scene.shape[:2], 1))
    boxes = sorted(sheet.box for sheet in sheets_of(photographed(scene), InkSettings()))
    assert len(boxes) == count
    for place, box in enumerate(boxes):
        assert box == pytest.approx((15 + 210 * place, 30, 195 + 210 * place, 210), abs=20)


@pytest.mark.parametrize(
    ("colour", "digits"),
    [((150, 240, 120), (94, 102, 151, 190, 6, 28)), ((250, 240, 60), (155, 191, 52, 41, 158, 165))],
    ids=["green", "yellow"],
)
def test_the_strip_of_a_highlighter_is_no_paper(
    mnist: Labelled, random: np.random.Generator, colour: tuple[int, ...], digits: tuple[int, ...]
) -> None:
    """The gaps between its digits look like light ink on it."""
    ink = np.zeros((119, 318))
    for place, index in enumerate(digits):
        left = 24 + 42 * place
        ink[31:87, left : left + 56] = np.maximum(
            ink[31:87, left : left + 56], cover(mnist.images[index, :, :, 0], 56, 56, 56)
        )
    down, across = np.nonzero(ink > 0.3)
    page = np.full((119, 318, 3), PAPER, np.float64)
    page[down.min() - 4 : down.max() + 5, across.min() - 4 : across.max() + 5] *= np.array(colour) / 255
    assert sheets_of(photographed(write(ink, page, PEN) + random.normal(0, 2.5, (119, 318, 1))), InkSettings()) == []


def test_a_note_with_nothing_on_it_is_no_paper_but_a_mark() -> None:
    scene = np.full((400, 400), 60, np.uint8)
    scene[150:250, 120:280] = 220
    assert normalise(scene)[1].box == (120, 150, 280, 250)


def test_a_closed_stroke_that_fills_its_note_is_ink() -> None:
    picture = PIL.Image.new("L", (400, 400), 50)
    PIL.ImageDraw.Draw(picture).rectangle((100, 100, 300, 300), fill=230)
    PIL.ImageDraw.Draw(picture).ellipse((115, 115, 285, 285), outline=60, width=22)
    trace = normalise(np.asarray(picture))[1]
    assert trace.polarity == "dark-on-light"
    assert trace.seen[14, 14] < 30


def test_a_bold_digit_that_fills_its_picture_is_no_paper(mnist: Labelled) -> None:
    seen = []
    for picture in mnist.images[:100, :, :, 0]:
        down, across = np.nonzero(picture > 40)
        large = PIL.Image.fromarray(picture[down.min() : down.max() + 1, across.min() : across.max() + 1])
        large = large.resize((8 * large.width, 8 * large.height), PIL.Image.Resampling.BICUBIC)
        page = PIL.Image.new("L", (large.width + 32, large.height + 32))
        page.paste(large, (16, 16))
        for _ in range(2):
            page = page.filter(PIL.ImageFilter.MaxFilter(9))
        seen.append(normalise(np.asarray(page))[1].polarity)
    assert seen.count("light-on-dark") >= 95


@pytest.mark.parametrize("wide", [6, 30])
@pytest.mark.parametrize("turn", [0.5, 2.0, 4.0])
def test_the_edge_of_a_shadow_is_not_ink(digit: Pixels, random: np.random.Generator, turn: float, wide: float) -> None:
    down, across = np.mgrid[-140:140, -140:140]
    edge = across * np.cos(turn) + down * np.sin(turn)
    light = 1 - 0.45 / (1 + np.exp(-edge * 4 / wide))
    scene = write(cover(digit, 160), PAPER, PEN) * light[:, :, None]
    assert likeness(photographed(scene + random.normal(0, 3, (280, 280, 1))), digit) > 0.9


def test_a_small_digit_in_a_large_photograph_is_found(digit: Pixels, random: np.random.Generator) -> None:
    page = write(np.roll(cover(digit, 200, 1600, 1200), (150, -400), (0, 1)), PAPER, PEN) * shade(1200, 1600, 0.6)
    assert likeness(pixels(page + random.normal(0, 5, (1200, 1600, 1))), digit) > LIKE


def test_a_digit_that_fills_its_picture_is_read(digit: Pixels) -> None:
    down, across = np.nonzero(digit > 60)
    tight = digit[down.min() : down.max() + 1, across.min() : across.max() + 1]
    large = PIL.Image.fromarray(255 - tight).resize(
        (8 * tight.shape[1], 8 * tight.shape[0]), PIL.Image.Resampling.BICUBIC
    )
    assert likeness(np.asarray(large), digit) > 0.9


def stroke(picture: Pixels) -> float:
    """Mean level of what is seen: it grows with the width of the strokes."""
    return float(normalise(picture)[1].seen.mean())


def test_hair_thin_strokes_are_thickened_to_mnists(mnist: Labelled) -> None:
    picture = PIL.Image.new("L", (600, 600), 255)
    PIL.ImageDraw.Draw(picture).arc((150, 100, 450, 500), 0, 360, fill=0, width=4)
    seen = normalise(np.asarray(picture))[1].seen
    assert (seen > 200).sum() > 40


def test_strokes_that_would_clog_are_thinned() -> None:
    picture = PIL.Image.new("L", (280, 280), 255)
    PIL.ImageDraw.Draw(picture).arc((50, 30, 230, 250), 0, 360, fill=0, width=75)
    as_drawn = normalise(np.asarray(picture), InkSettings(thick=20))[1].seen
    assert normalise(np.asarray(picture))[1].seen.mean() < 0.85 * as_drawn.mean()


@pytest.mark.parametrize(
    ("ground", "pen", "polarity"), [(WHITE, BLACK, "dark-on-light"), (BLACK, WHITE, "light-on-dark")]
)
def test_the_trace_tells_the_polarity(
    ground: tuple[int, ...], pen: tuple[int, ...], polarity: Polarity, five: Pixels
) -> None:
    assert normalise(pixels(write(cover(five), ground, pen)))[1].polarity == polarity


def test_the_trace_tells_where_the_ink_is_in_the_picture() -> None:
    picture = np.full((600, 900), 255, np.uint8)
    picture[200:320, 500:560] = 0
    box = normalise(picture)[1].box
    assert box is not None
    np.testing.assert_allclose(box, (500, 200, 560, 320), atol=6)


def test_the_trace_tells_the_scale() -> None:
    picture = np.full((600, 900), 255, np.uint8)
    picture[200:320, 500:560] = 0
    assert normalise(picture, InkSettings(thick=20))[1].scale == pytest.approx(20 / 120, rel=0.1)


BLANK = {
    "black": np.zeros((28, 28), np.uint8),
    "white": np.full((280, 280, 4), 255, np.uint8),
    "transparent": np.zeros((50, 50, 4), np.uint8),
    "one pixel": np.full((1, 1), 7, np.uint8),
    "a tint": np.where(np.arange(100) < 50, 200, 202).astype(np.uint8)[None, :].repeat(100, axis=0),
}


@pytest.mark.parametrize("picture", BLANK.values(), ids=BLANK.keys())
def test_a_blank_picture_has_no_ink(picture: Pixels) -> None:
    with pytest.raises(
        NoInk, match="The picture is blank: nothing in it differs from its background by 4 of 255"
    ) as caught:
        normalise(picture)
    assert caught.value.reason == "blank"


def test_noise_has_no_contrast(random: np.random.Generator) -> None:
    with pytest.raises(
        NoInk, match=r"no ink that stands out from its background: .* Send one with more contrast"
    ) as caught:
        normalise(random.integers(0, 256, (300, 300, 3), np.uint8))
    assert caught.value.reason == "no_contrast"


def test_an_empty_sheet_in_uneven_light_has_no_ink(random: np.random.Generator) -> None:
    sheet = np.full((600, 800, 3), 220.0) * shade(600, 800, 0.5) + random.normal(0, 5, (600, 800, 1))
    with pytest.raises(NoInk):
        normalise(photographed(sheet))


def test_an_empty_lined_page_has_no_ink(random: np.random.Generator) -> None:
    """A speck was left at the border, and was a 0."""
    page = np.full((300, 400, 3), PAPER, np.float64)
    for top in range(20, 300, 40):
        page[top : top + 2] = (180, 190, 205)
    page[5:9, 70:75] = 180
    with pytest.raises(NoInk, match="no ink except lines from border to border") as caught:
        normalise(photographed(page + random.normal(0, 2.5, (300, 400, 1))))
    assert caught.value.reason == "blank"


@pytest.mark.parametrize(
    "shape", [(1, 500), (500, 1, 3), (2, 2), (3, 3, 4), (27, 28), (28, 28), (5000, 7), (64, 64, 4)]
)
def test_any_picture_gives_28_by_28_or_no_ink(shape: tuple[int, ...], random: np.random.Generator) -> None:
    for top in (2, 20, 256):
        try:
            array, _ = normalise(random.integers(0, top, shape, np.uint8))
        except NoInk:
            continue
        assert array.shape == (28, 28, 1)


def test_the_picture_itself_is_left_alone(five: Pixels) -> None:
    picture = pixels(write(cover(five), WHITE, BLACK))
    before = picture.copy()
    normalise(picture)
    np.testing.assert_array_equal(picture, before)


def test_resize_only_squeezes(five: Pixels) -> None:
    seen = resize(np.dstack([255 - five] * 3))[1].seen
    np.testing.assert_array_equal(seen, 255 - five)


def test_resize_gives_what_models_take() -> None:
    array, _ = resize(np.full((40, 90, 4), 51, np.uint8))
    np.testing.assert_array_equal(array, np.full((28, 28, 1), 51 / 255, np.float32))


def test_a_misspelt_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="min_contrst"):
        InkSettings.model_validate({"min_contrst": 3})


def test_a_higher_contrast_can_be_asked_for(five: Pixels) -> None:
    pale = pixels(write(cover(five), (200, 200, 200), (170, 170, 170)))
    with pytest.raises(NoInk, match="40 levels"):
        normalise(pale, InkSettings(min_contrast=40))


def test_importing_the_zoo_does_not_import_pillow() -> None:
    code = "import sys, zoo; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("degrees", [3, -3])
def test_the_corners_of_a_straightened_scan_are_no_ink(
    degrees: int, digit: Pixels, random: np.random.Generator
) -> None:
    paper = write(cover(digit, 200, 400, 400), (235, 232, 225), (30, 30, 60)) + random.normal(0, 2, (400, 400, 1))
    turned = PIL.Image.fromarray(pixels(paper)).rotate(degrees, PIL.Image.Resampling.BICUBIC, expand=True)  # on black
    assert likeness(np.asarray(turned), digit) > 0.85


def test_known_ink_is_fitted_as_mnist_has_it(digit: Pixels) -> None:
    large = np.asarray(PIL.Image.fromarray(digit).resize((112, 112), PIL.Image.Resampling.BICUBIC))
    known = fit(large, InkSettings())
    assert (known.shape, known.dtype) == ((28, 28), np.uint8)
    assert np.corrcoef(known.ravel(), digit.ravel())[0, 1] > 0.75, "one whole pixel aside is 0.8 of a thin 4"
    np.testing.assert_array_equal(normalise(known)[1].seen, known, "it is in MNIST's form")


def test_a_bold_digit_that_fills_its_piece_is_no_paper() -> None:
    piece = PIL.Image.new("L", (84, 84))
    pen = PIL.ImageDraw.Draw(piece)
    pen.ellipse((4, 4, 79, 79), fill=255)
    pen.ellipse((32, 26, 50, 56), fill=0)
    seen = fit(np.asarray(piece), InkSettings())
    assert min(seen[14, :12].max(), seen[14, 16:].max()) > 200
    assert seen[13, 13] < 60, "the hole is a hole"


def test_a_piece_without_ink_is_told() -> None:
    with pytest.raises(NoInk, match="no ink in it is stronger than 80") as told:
        fit(np.full((30, 20), 40, np.uint8), InkSettings())
    assert told.value.reason == "blank"


def test_a_photographed_number_is_several_digits_and_not_the_paper_between_them(root: Path) -> None:
    trace = normalise(decode((root / "docs/number.jpg").read_bytes(), PictureSettings()))[1]
    assert (trace.reason, trace.polarity) == ("several_objects", "dark-on-light")
    small = PIL.Image.open(root / "docs/number.jpg").reduce(2)
    trace = normalise(np.asarray(small))[1]
    assert (trace.reason, trace.polarity) == ("several_objects", "dark-on-light")


@pytest.mark.parametrize("kind", ["rectangle", "ellipse"])
@pytest.mark.parametrize("size", [(8, 8), (40, 40), (120, 120), (100, 140)])
def test_a_filled_shape_is_no_digit(kind: str, size: tuple[int, int]) -> None:
    sheet = PIL.Image.new("L", (280, 280), 250)
    box = (140 - size[0] // 2, 140 - size[1] // 2, 140 + size[0] // 2, 140 + size[1] // 2)
    getattr(PIL.ImageDraw.Draw(sheet), kind)(box, fill=20)
    assert normalise(np.asarray(sheet))[1].reason == "not_a_digit"


def test_an_empty_note_is_no_digit() -> None:
    table = PIL.Image.new("RGB", (640, 480), (115, 85, 60))
    note = PIL.Image.new("RGBA", (240, 230), (245, 230, 120)).rotate(8, expand=True)
    table.paste(note, (180, 110), note)
    assert normalise(np.asarray(table))[1].reason == "not_a_digit"


@pytest.mark.parametrize(("corruption", "severity"), [("thick", 1.5), ("blur", 1.8)])
def test_a_bold_or_blurred_digit_is_no_filled_shape(corruption: str, severity: float) -> None:
    """Of 200 eights, zeros and threes hardly one may look filled, however faint their holes are."""
    data = datasets.test_data("mnist")
    some = data.images[np.isin(data.classes, (0, 3, 8))][:200, ..., 0]
    kind = next(kind for kind in robustness.CORRUPTIONS if kind.name == corruption)
    large = (np.kron(one, np.ones((4, 4), np.uint8)) for one in robustness.corrupt(some, kind, severity))
    assert sum(normalise(picture)[1].reason == "not_a_digit" for picture in large) <= 2
