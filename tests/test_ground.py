"""zoo.ground and zoo.marks: quick ways of averaging and labelling give what the plain ways do."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest

from zoo.ground import contrast_to, grounds_of, reduce, table_of
from zoo.marks import Marks
from zoo.types import Image, Mask


def colours(*shape: int) -> Image:
    return np.random.default_rng(28).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("step", [1, 3, 8, 25, 62])
@pytest.mark.parametrize("shape", [(200, 300, 3), (199, 301, 3), (7, 500, 3), (500, 7, 3)])
def test_colours_are_averaged_as_pillow_does(shape: tuple[int, ...], step: int) -> None:
    picture = colours(*shape)
    expected = np.asarray(PIL.Image.fromarray(picture).reduce(step), np.float32)
    np.testing.assert_allclose(reduce(picture, step), expected, atol=1)
    opaque = np.dstack([picture, np.full(shape[:2], 255, np.uint8)])
    np.testing.assert_array_equal(reduce(opaque, step), reduce(picture, step))


@pytest.mark.parametrize("step", [1, 3, 25])
def test_grey_is_averaged_alike_in_whatever_channels_it_comes(step: int) -> None:
    grey = colours(199, 301)
    expected = np.asarray(PIL.Image.fromarray(grey).reduce(step), np.float32)[:, :, None]
    rgb = np.dstack([grey] * 3)
    for picture in (grey, rgb, np.dstack([rgb, np.full_like(grey, 255)])):
        np.testing.assert_allclose(reduce(picture, step), expected, atol=1)


@pytest.mark.parametrize("hidden", [0, 255, 90], ids=lambda level: f"{level} where nothing is seen")
@pytest.mark.parametrize(("ink", "ground"), [(0, 255), (255, 0), (1, 255), (254, 0)])
@pytest.mark.parametrize("step", [1, 3])
def test_ink_on_transparent_ground_is_laid_on_what_is_farthest(step: int, ink: int, ground: int, hidden: int) -> None:
    alpha = np.where(colours(199, 301) > 128, colours(199, 301), 0).astype(np.uint8)
    colour = np.where(alpha > 0, ink, hidden).astype(np.uint8)
    picture = PIL.Image.fromarray(np.dstack([colour, colour, colour, alpha]))
    laid = PIL.Image.new("RGBA", picture.size, (ground, ground, ground, 255))
    laid.alpha_composite(picture)
    expected = np.asarray(laid.convert("L").reduce(step), np.float32)[:, :, None]
    np.testing.assert_allclose(reduce(np.asarray(picture), step), expected, atol=2)


def test_a_part_of_a_picture_is_averaged_as_its_copy() -> None:
    part = colours(300, 400, 3)[20:280, 30:390]
    np.testing.assert_array_equal(reduce(part, 10), reduce(part.copy(), 10))


def test_a_part_stands_out_from_the_ground_of_the_whole_as_it_did_there() -> None:
    light = np.linspace(120, 230, 160)[:, None, None] * np.linspace(1, 0.8, 120)[:, None]
    page = (light * (1, 0.95, 0.9)).astype(np.float32)
    page[60:100, 50:60] *= (0.3, 0.3, 0.6)
    ground, _ = next(grounds_of(page))
    assert ground.levels.shape == (24, 18)
    whole, _ = contrast_to(page, ground)
    part, _ = contrast_to(page[40:120, 30:90], ground, (30 / 120, 40 / 160, 90 / 120, 120 / 160))
    np.testing.assert_allclose(part, whole[40:120, 30:90], atol=0.1)
    assert np.abs(part[:15]).max() < 4 < 60 < -part[20:60, 20:30].max()


def flooded(mask: Mask) -> list[set[tuple[int, int]]]:
    """The 8-connected pieces of a mask, in the order of their first cells."""
    left = {(int(row), int(column)) for row, column in np.argwhere(mask)}
    pieces = []
    for cell in sorted(left):
        if cell not in left:
            continue
        left.remove(cell)
        piece, ahead = {cell}, [cell]
        while ahead:
            row, column = ahead.pop()
            near = {(row + down, column + across) for down in (-1, 0, 1) for across in (-1, 0, 1)} & left
            left -= near
            piece |= near
            ahead += near
        pieces.append(piece)
    return pieces


@pytest.mark.parametrize("share", [0.1, 0.3, 0.45, 0.7, 1.0])
def test_marks_are_the_connected_pieces(share: float) -> None:
    random = np.random.default_rng(28)
    for _ in range(20):
        mask = random.random((17, 23)) < share
        mask[8, 11] = True
        ink = random.random(mask.shape, np.float32) * 200
        marks, pieces = Marks(mask, ink, 0.02), flooded(mask)
        assert len(marks.mass) == len(pieces)
        for index, piece in enumerate(pieces):
            rows, columns = np.array(sorted(piece)).T
            painted = np.zeros_like(mask)
            painted[rows, columns] = True
            np.testing.assert_array_equal(marks.paint(marks.numbers == index), painted)
            box = (marks.left[index], marks.top[index], marks.right[index], marks.bottom[index])
            assert box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert marks.area[index] == len(piece)
            assert marks.mass[index] == pytest.approx(ink[painted].sum(), rel=1e-5)


def test_a_picture_that_is_hardly_opaque_anywhere_is_averaged_all_the_same() -> None:
    faint = np.dstack([colours(60, 80, 3), np.full((60, 80), 9, np.uint8)])
    assert np.isfinite(reduce(faint, 1)).all()


def test_a_table_goes_on_evenly_beneath_its_papers() -> None:
    down, across = np.mgrid[:60, :80]
    table = (90 + 0.5 * across + 0.3 * down)[:, :, None].astype(np.float32)
    scene = table.copy()
    scene[10:40, 0:30] = scene[20:50, 45:70] = 240
    contrast, _ = contrast_to(scene, table_of(scene))
    np.testing.assert_allclose(contrast, (scene - table)[:, :, 0], atol=3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 2), (5, 5, 3)])
def test_every_picture_has_a_table(shape: tuple[int, ...]) -> None:
    small = reduce(colours(*shape), 1)
    assert np.isfinite(contrast_to(small, table_of(small))[0]).all()
