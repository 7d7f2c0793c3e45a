"""zoo.comparing: what two checkpoints' mistakes say of them."""

from __future__ import annotations

import math
import time

import pytest

from zoo.comparing import chance


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 9), (1, 9), (40, 60), (7, 7), (300, 200)])
def test_chance_is_mcnemars(first: int, second: int) -> None:
    few, n = min(first, second), first + second
    expected = 2 * sum(math.comb(n, k) for k in range(few + 1)) / 2**n
    assert chance(first, second) == pytest.approx(min(1.0, expected), rel=1e-12)


def test_models_that_differ_in_thousands_of_pictures_are_compared_as_quickly() -> None:
    began = time.process_time()
    assert chance(3900, 4100) == pytest.approx(0.02608, abs=1e-5)
    assert time.process_time() - began < 0.5
