"""A photograph is decoded no larger than its digit asks for, and the answer does not tell how large that was."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest

from zoo import Zoo, images
from zoo.errors import PictureTooLarge
from zoo.looking import ENOUGH, GLANCE
from zoo.settings import PictureSettings


@pytest.fixture(scope="module")
def zoo(root) -> Zoo:
    return Zoo.open(root, environ={})


def photograph(digit: np.ndarray, size: int, at: tuple[int, int], kind: str = "JPEG") -> bytes:
    """A dark digit of `size` pixels on light paper of 2400 x 1800, its corner `at` (left, top)."""
    paper = np.full((1800, 2400), 214, np.float32)
    paper += np.random.default_rng(3).normal(0, 2, paper.shape)
    large = np.asarray(PIL.Image.fromarray(digit).resize((size, size), PIL.Image.Resampling.BICUBIC), np.float32)
    paper[at[1] : at[1] + size, at[0] : at[0] + size] -= 150 * large / 255
    file = io.BytesIO()
    PIL.Image.fromarray(paper.clip(0, 255).astype(np.uint8)).save(file, kind, quality=85)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_large_digit_takes_a_glance_and_a_small_one_a_closer_look(zoo: Zoo, mnist, kind: str) -> None:
    loaded = zoo.model("cnn").load()
    sides = []
    for size in (1200, 90):
        content = photograph(mnist.images[0, ..., 0], size, (1000, 300), kind)
        found = zoo.look(loaded, content)
        answer = zoo.predict("cnn", content)
        assert answer.digit == 7
        assert answer.trace is not None
        assert answer.trace.box == found.trace.box
        left, top, right, bottom = found.trace.box or (0, 0, 0, 0)
        assert 1000 <= left < right <= 1000 + size
        assert 300 <= top < bottom <= 300 + size
        assert bottom - top == pytest.approx(size * 20 / 28, rel=0.15)  # MNIST's digits are 20 of 28 high
        sides.append(min(found.image.shape[:2]))
    large, small = sides
    assert GLANCE * 28 <= large < 2 * GLANCE * 28
    assert small >= 900


def test_the_digit_is_as_sharp_after_a_glance(zoo: Zoo, mnist) -> None:
    """What the model sees of a photograph, decoded small, is what it sees of it decoded whole, to a shade."""
    loaded = zoo.model("cnn").load()
    for index in range(6):
        content = photograph(mnist.images[index, ..., 0], 1000, (700, 400))
        near, _ = loaded.preprocess(images.decode(content, PictureSettings()))
        assert np.abs(zoo.look(loaded, content).seen - near).mean() < 0.03


def test_a_picture_without_a_digit_is_looked_at_closely_before_it_is_called_blank(zoo: Zoo) -> None:
    found = zoo.look(zoo.model("cnn").load(), photograph(np.zeros((28, 28), np.uint8), 100, (0, 0)))
    assert found.trace.reason in ("blank", "no_contrast")
    assert min(found.image.shape[:2]) >= 900


def test_a_second_look_does_not_count_among_the_pictures_of_a_request(zoo: Zoo, mnist) -> None:
    loaded = zoo.model("cnn").load()
    content = photograph(mnist.images[0, ..., 0], 90, (1000, 300))
    limits = PictureSettings(max_total_megapixels=2 * 2.4 * 1.8)
    from zoo.looking import look

    with images.together():
        for _ in range(2):
            assert look(loaded, content, limits).trace.box is not None
        with pytest.raises(PictureTooLarge):
            look(loaded, content, limits)


@pytest.mark.parametrize("turn", [1, 6])
def test_boxes_end_where_the_picture_does(zoo: Zoo, mnist, turn: int) -> None:
    page = PIL.Image.new("L", (2999, 2501), 230)  # no multiples of what it is made smaller by
    digit = np.asarray(PIL.Image.fromarray(mnist.images[0, ..., 0]).resize((1000, 1000)))
    _, _, right, bottom = PIL.Image.fromarray(digit).getbbox()
    page.paste(40, (2999 - right + 60, 2501 - bottom + 60), PIL.Image.fromarray(digit))  # cut by the corner
    exif = PIL.Image.Exif()
    exif[0x0112] = turn
    file = io.BytesIO()
    page.save(file, "JPEG", exif=exif)
    boxes = [
        zoo.predict("linear", file.getvalue()).trace.box,
        *(sign.box for sign in zoo.read("linear", file.getvalue()).signs),
    ]
    width, height = page.size if turn == 1 else page.size[::-1]
    assert all(right <= width and bottom <= height for _, _, right, bottom in boxes)
    assert max(bottom for _, _, _, bottom in boxes) == height


def test_enough_is_less_than_a_glance_shows_of_a_digit_that_fills_half_of_it() -> None:
    assert ENOUGH < GLANCE / 2


@pytest.mark.long
def test_a_plain_png_is_read_as_pillow_reads_it_and_a_damaged_one_is_told_as_before() -> None:
    limits = PictureSettings()
    rng = np.random.default_rng(5)
    for side in (1, 2, 28, 300, 2200):
        pixels = rng.integers(0, 256, (side, side + 1), np.uint8)
        file = io.BytesIO()
        PIL.Image.fromarray(pixels).save(file, "PNG", dpi=(72, 72))
        found, by, size = images.decode_reduced(file.getvalue(), limits)
        assert size == (side + 1, side)
        expected = pixels if by == 1 else np.asarray(PIL.Image.fromarray(pixels).reduce(by))
        assert (found == expected).all()
        assert by == (2 if side == 2200 else 1)
    good = file.getvalue()
    for at in range(33, len(good), len(good) // 40):
        broken = good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :]
        with pytest.raises(images.PictureError):
            images.decode(broken, limits)
    with pytest.raises(PictureTooLarge):
        images.decode(good, PictureSettings(max_megapixels=1))


@pytest.mark.parametrize(
    ("side", "by", "kind"),
    [
        *((side, by, "PNG") for side, by in ((1, 1), (199, 1), (200, 2), (399, 2), (400, 4), (799, 4), (800, 8))),
        *((side, by, "GIF") for side, by in ((199, 1), (200, 2), (1700, 8))),
        *((side, by, "JPEG") for side, by in ((199, 1), (200, 2), (800, 8), (1500, 8), (1700, 16))),
    ],
)
def test_a_picture_is_reduced_as_far_as_its_short_side_keeps_enough(side: int, by: int, kind: str) -> None:
    file = io.BytesIO()
    PIL.Image.new("L", (side + 9, side)).save(file, kind)
    reduced = images.decode_reduced(file.getvalue(), PictureSettings(), 100)
    assert (reduced.by, reduced.size) == (by, (side + 9, side))
    assert reduced.pixels.shape[:2] == (-(-side // by), -(-(side + 9) // by))
