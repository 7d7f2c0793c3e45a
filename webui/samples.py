"""Test pictures to try: some of MNIST's, easy and hard, in one small PNG that the page shows as a strip.

    python -m webui.samples

writes that PNG anew. Every other test picture is available by its index too, from the zoo's own copy of MNIST.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from zoo import datasets
from zoo.files import write
from zoo.types import Image, as_png

STRIP = Path(__file__).parent / "static" / "samples.png"
CHOICE = {
    3: "0", 2: "1", 1: "2", 18: "3", 4: "4", 15: "5", 11: "6", 0: "7", 61: "8", 7: "9",
    2130: "4", 2654: "6", 4176: "2", 4740: "3", 5937: "5", 9729: "5", 1014: "6", 1901: "9",
    2597: "5", 6576: "7", 2462: "2", 947: "8", 2939: "9", 3422: "6",
}  # fmt: skip
"""The strip from left to right: each picture's index in the test set, and its label. The easy ones come first."""

COUNT = 10_000  # test pictures of MNIST
SIDE = 28  # pixels


def sample(place: int) -> Image:
    """Return a test picture by its index, 0 to 9,999: uint8 (28, 28), light ink on black.

    Raises IndexError for another index, and DatasetError when MNIST cannot be read.
    """
    if not 0 <= place < COUNT:
        raise IndexError(f"there is no sample {place}")
    if place in CHOICE:
        left = SIDE * list(CHOICE).index(place)
        return _strip()[:, left : left + SIDE]
    return _unpacked(place)


@lru_cache(maxsize=1000)
def _unpacked(place: int) -> Image:
    """Return a copy of a test picture outside the strip. Cached, because reading one means reading all of them."""
    return datasets.test_data("mnist").images[place, ..., 0].copy()


@lru_cache(maxsize=1)
def _strip() -> NDArray[np.uint8]:
    """Return the strip: uint8 (28, 28 times the number of its pictures)."""
    with PIL.Image.open(STRIP) as strip:
        return np.asarray(strip)


def main() -> None:
    """Write the strip's PNG."""
    pictures = datasets.test_data("mnist").images[..., 0]
    write(STRIP, as_png(np.hstack([pictures[place] for place in CHOICE]), optimize=True))


if __name__ == "__main__":
    main()
