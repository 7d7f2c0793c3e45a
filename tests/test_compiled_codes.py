"""zoo.compiled.codes counts what bytes.count does."""

from __future__ import annotations

import random

import pytest

from zoo.compiled.codes import count_pairs


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"\xda", b"\xff\xda", b"\xff\xff\xda", b"\xda\xff", b"\xff\xda\xff\xda\xff"]
)
def test_pairs_at_the_ends_are_counted(data: bytes) -> None:
    assert count_pairs(data, 0xFF, 0xDA) == data.count(b"\xff\xda")


def test_pairs_in_any_bytes_are_counted() -> None:
    generator = random.Random(8)
    for _ in range(500):
        data = bytes(generator.choice((0xFF, 0xDA, 1)) for _ in range(generator.randrange(300)))
        assert count_pairs(data, 0xFF, 0xDA) == data.count(b"\xff\xda")
