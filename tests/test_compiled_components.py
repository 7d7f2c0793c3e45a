"""The compiled connected components, compared with plain statements of the same things."""

from __future__ import annotations

import numpy as np
import pytest
from masking import masks

from zoo.compiled.components import Components
from zoo.ruling import without_lines
from zoo.types import Mask, Plane

Cell = tuple[int, int]


def neighbours(cell: Cell) -> list[Cell]:
    return [(cell[0] + down, cell[1] + across) for down in (-1, 0, 1) for across in (-1, 0, 1)]


def flooded(mask: Mask) -> list[list[Cell]]:
    """The components of a mask by flooding, in the order of their first cells, and each with its cells in order."""
    left = {(int(row), int(column)): None for row, column in np.argwhere(mask)}
    found = []
    while left:
        first = next(iter(left))
        del left[first]
        component = [first]
        for cell in component:
            for near in neighbours(cell):
                if near in left:
                    del left[near]
                    component.append(near)
        found.append(sorted(component))
    return found


def inked(mask: Mask) -> Plane:
    return np.where(mask, np.random.default_rng(1).uniform(5, 250, mask.shape), 7).astype(np.float32)


def test_components_are_those_of_flooding() -> None:
    for mask in masks():
        ink, expected = inked(mask), flooded(mask)
        found = Components(mask, ink)
        labels = np.full(mask.shape, -1)
        for number, component in enumerate(expected):
            rows, columns = np.array(component).T
            labels[rows, columns] = number
            box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            measured = [side[number] for side in (found.left, found.top, found.right, found.bottom)]
            assert measured == box
            assert found.sides[number] == sum(
                a == b for a, b in zip(box, (0, 0, mask.shape[1], mask.shape[0]), strict=True)
            )
            assert found.area[number] == len(component)
            assert found.mass[number] == pytest.approx(ink[rows, columns].sum(dtype=np.float64), rel=1e-12)
            body = found.body(number)
            np.testing.assert_array_equal(body, labels[box[1] : box[3], box[0] : box[2]] == number)
        np.testing.assert_array_equal(found.label(), labels)
        chosen = np.random.default_rng(2).random(len(expected)) < 0.5
        np.testing.assert_array_equal(found.paint(chosen), np.isin(labels, chosen.nonzero()[0]))
        assert len(found.mass) == len(expected)


def test_many_runs_that_join_late_are_one_component() -> None:
    comb = np.zeros((40, 401), np.bool_)
    comb[:, ::2] = True
    comb[-1] = True
    found = Components(np.vstack([comb, np.zeros_like(comb), comb[::-1]]), np.ones((120, 401), np.float32))
    assert found.area.tolist() == [comb.sum(), comb.sum()]


def test_ink_of_any_layout_is_measured() -> None:
    ink = np.arange(12, dtype=np.float32).reshape(3, 4)
    mask = ink > 5
    for other in (np.asfortranarray(ink), np.repeat(ink, 2, axis=1)[:, ::2]):
        assert Components(mask, other).mass.tolist() == [ink[mask].sum()]
    assert Components(mask.T, ink.T).mass.tolist() == [ink[mask].sum()]


def test_what_does_not_fit_is_refused() -> None:
    mask = np.ones((4, 5), np.bool_)
    with pytest.raises(ValueError, match="4x5 cells and ink of 5x4"):
        Components(mask, np.ones((5, 4), np.float32))
    with pytest.raises(ValueError, match="dtype"):
        Components(mask, np.ones((4, 5)))  # type: ignore[arg-type]
    found = Components(mask, np.ones((4, 5), np.float32))
    with pytest.raises(ValueError, match="1 marks, not 2"):
        found.paint(np.ones(2, np.bool_))
    for number in (-1, 1):
        with pytest.raises(IndexError, match=r"no mark -?1, but 1"):
            found.body(number)
    for call, numbers in [
        (found.held, 3),
        (found.rivals, 4),
        (found.parts, 4),
        (found.underlines, 3),
        (found.rings, 4),
        (found.heaviest_within, 4),
    ]:
        for number in (-1, 1):
            with pytest.raises(IndexError, match="no mark"):
                call(number, *[0.0] * numbers)  # type: ignore[operator]
    empty = Components(np.zeros((0, 3), np.bool_), np.zeros((0, 3), np.float32))
    assert empty.label().shape == (0, 3)
    with pytest.raises(ValueError, match="no marks in 0x3"):
        empty.heaviest(1)


def test_ink_that_is_no_number_is_survived() -> None:
    mask = np.eye(5, dtype=np.bool_)[:, ::-1].copy()
    mask[0, 0] = True
    found = Components(mask, np.full((5, 5), np.nan, np.float32))
    assert found.heaviest(0.5) in (0, 1)
    assert found.parts(0, 1, 1, 1, 1).tolist() == [True, False]


def boxes(*corners: tuple[int, int, int, int], size: tuple[int, int] = (100, 100)) -> Components:
    """Filled marks: left, top, right, bottom each."""
    mask = np.zeros(size, np.bool_)
    for left, top, right, bottom in corners:
        mask[top:bottom, left:right] = True
    return Components(mask, np.where(mask, 100, 0).astype(np.float32))


@pytest.mark.parametrize(
    ("box", "foreign"),
    [
        ((0, 0, 20, 20), True),  # solid, at two sides
        ((0, 0, 15, 15), False),  # too small for that
        ((0, 0, 100, 3), True),  # in two corners
        ((0, 0, 70, 3), True),  # a wedge
        ((0, 0, 50, 3), False),  # too short for a wedge
        ((20, 0, 70, 40), False),  # at one side
        ((20, 1, 70, 2), True),  # within the rim
        ((20, 1, 70, 3), False),
        ((98, 20, 99, 70), True),
        ((20, 20, 70, 70), False),
    ],
)
def test_foreign_marks(box: tuple[int, int, int, int], foreign: bool) -> None:
    found = boxes(box)
    found.set_foreign(2, 0.45, 0.03, 0.01, slight=0.3, wedge=0.4, along=0.6)
    assert found.foreign.tolist() == [foreign]
    if foreign:
        found.set_foreign(0, 2, 2, 2, slight=0.3, wedge=0.4, along=0.6)
        assert found.foreign.tolist() == [False]


def test_the_heaviest_mark_unless_it_is_foreign() -> None:
    found = boxes((10, 10, 20, 20), (30, 30, 50, 50), (60, 60, 75, 75))
    assert found.heaviest(0.5) == 1
    found.foreign[1] = True
    assert found.heaviest(0.5) == 2
    assert found.heaviest(0.9) == 1


def test_spanning_marks_are_the_first_large_and_open_ones() -> None:
    mask = np.zeros((40, 40), np.bool_)
    for edge in (0, 3, 6, 14):
        mask[edge, edge : 40 - edge] = mask[39 - edge, edge : 40 - edge] = True
        mask[edge : 40 - edge, edge] = mask[edge : 40 - edge, 39 - edge] = True
    found = Components(mask, mask.astype(np.float32))
    assert found.spanning(0.5, 0.6, 12) == [0, 1, 2]
    assert found.spanning(0.5, 0.6, 2) == [0, 1]
    assert found.spanning(0.5, 0.1, 12) == [0]


def test_what_is_held_and_what_is_a_ring() -> None:
    mask = np.zeros((50, 50), np.bool_)
    mask[5:45, 5:45] = True
    mask[7:43, 7:43] = False
    mask[10:35, 20:25] = True
    mask[8:12, 40:42] = True
    found = Components(mask, mask.astype(np.float32))
    digit = 2
    assert found.area.tolist() == [40**2 - 36**2, 8, 125]
    assert found.held(0, 0.35, 3, 3) == [digit]
    assert found.held(0, 0.05, 2, 2) == [1, digit]
    assert found.held(0, 0.05, 3, 2) == [digit]
    assert found.held(0, 0.35, 3, 5) == []
    assert found.rings(digit, 0.75, 0.35, 0.08, 0.35) == [0]
    assert found.rings(digit, 0.75, 0.15, 0.08, 0.35) == []
    assert found.rings(digit, 0.75, 0.35, 0.13, 0.35) == []
    assert found.heaviest_within(0, 0.75, 0.35, 0.08, 0.35) == digit
    assert found.heaviest_within(0, 0.75, 0.35, 0.04, 0.05) == digit  # not the lighter mark before it
    assert found.heaviest_within(0, 0.75, 0.15, 0.08, 0.35) == -1
    assert found.heaviest_within(0, 0.75, 0.35, 0.13, 0.35) == -1
    assert found.heaviest_within(digit, 0.75, 2, 0, 0) == -1


def test_what_the_loops_trust_cannot_be_written() -> None:
    found = boxes((10, 10, 20, 20), (30, 30, 50, 50))
    for table in (found.mass, found.area, found.left, found.top, found.right, found.bottom, found.sides):
        with pytest.raises(ValueError, match="read-only"):
            table[0] = -(10**9)
    found.foreign[:] = True
    assert found.left.tolist() == [10, 30]
    assert found.body(0).all()


@pytest.mark.parametrize(
    ("other", "rivals"),
    [
        ((50, 20, 60, 50), True),  # beside
        ((20, 60, 30, 95), True),  # below
        ((50, 20, 60, 34), False),  # too low
        ((50, 20, 53, 40), False),  # too light
    ],
)
def test_rivals(other: tuple[int, int, int, int], rivals: bool) -> None:
    found = boxes((20, 20, 30, 52), other)
    assert found.rivals(0, mass=0.25, tall=0.5, long=0.5, overlap=0.2) is rivals
    found.foreign[1] = True
    assert not found.rivals(0, mass=0.25, tall=0.5, long=0.5, overlap=0.2)


def test_parts_and_underlines() -> None:
    near, far, heavy, speck, line = (
        (32, 20, 36, 26),
        (60, 20, 64, 26),
        (70, 20, 80, 52),
        (31, 50, 32, 51),
        (18, 56, 34, 58),
    )
    found = boxes((20, 20, 30, 52), near, far, heavy, speck, line)
    assert found.left.tolist() == [20, 32, 60, 70, 31, 18]
    assert found.parts(0, 0.35, 0.5, 0.02, 50).tolist() == [True, True, False, True, False, True]
    assert found.parts(0, 0.35, 0.5, 0.02, 101).tolist() == [True, *[False] * 5]
    found.foreign[1] = True
    assert found.parts(0, 0.35, 0.5, 0, 50).tolist() == [True, False, False, True, True, True]
    assert found.underlines(0, 0.25, wide=0.6, clear=0.5) == [5]
    assert found.underlines(0, 0.1, wide=0.6, clear=0.5) == []
    assert found.underlines(0, 0.25, wide=1.6, clear=0.5) == []
    assert found.underlines(0, 0.25, wide=0.6, clear=2.5) == []


def test_a_mask_without_lines_is_returned_itself() -> None:
    mask = np.zeros((50, 50), np.bool_)
    mask[10:40, 20:24] = True
    assert without_lines(mask) is mask
    ruled = mask.copy()
    ruled[30] = True
    rest = without_lines(ruled)
    assert rest[:30].sum() == mask[:30].sum()
    assert not rest[30, :20].any()
