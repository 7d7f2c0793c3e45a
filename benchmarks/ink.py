"""Compare the time to bring a picture to MNIST's form with the time Pillow takes to decode it, in one thread.

    python benchmarks/ink.py            # add --runs 400 on a busy machine

Prints a Markdown table. The pictures are made from MNIST's test digits. The two are timed alternately, and the times
are the minimum of all runs on this machine; only the ratios carry over to others.
"""

from __future__ import annotations

import argparse
import functools
import io
import time
from collections.abc import Callable

import numpy as np
import PIL.Image
from pictures import encoded, photograph

from zoo import datasets, images, ink
from zoo.looking import GLANCE
from zoo.mnist_form import SIDE
from zoo.settings import PictureSettings
from zoo.types import Image

LIMITS = PictureSettings()
Work = Callable[[], object]


def drawing(digit: Image, side: int = 280) -> Image:
    """Return a digit, uint8 (28, 28), as if drawn in black on white: uint8 (side, side)."""
    page = PIL.Image.new("L", (side, side), 255)
    size = side * 5 // 7
    ink_light = PIL.Image.fromarray(255 - digit).resize((size, size), PIL.Image.Resampling.BICUBIC)
    page.paste(ink_light, ((side - size) // 2, (side - size) // 2))
    return np.asarray(page)


def decoded(content: bytes, side: int = images.DRAFT_SIDE) -> None:
    """Decode a picture with Pillow alone, at the scale at which the zoo would decode it for a short side of `side`."""
    with PIL.Image.open(io.BytesIO(content)) as picture:
        if picture.format == "JPEG" and min(picture.size) >= 2 * side:
            picture.draft(None, (side, side))
        picture.load()


def whole_way(content: bytes) -> None:
    """Decode a picture and bring it to MNIST's form, as the zoo does."""
    ink.normalise(images.decode(content, LIMITS))


def least(one: Work, other: Work, runs: int) -> tuple[float, float]:
    """Run both alternately, and return each one's least time of `runs`, in ms."""
    best = [float("inf"), float("inf")]
    for _ in range(runs):
        for place, work in enumerate((one, other)):
            start = time.perf_counter()
            work()
            best[place] = min(best[place], 1000 * (time.perf_counter() - start))
    return best[0], best[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100, help="of small pictures; of photographs a quarter as many")
    runs = parser.parse_args().runs
    digit: Image = datasets.test_data("mnist").images[0, ..., 0]
    grey = drawing(digit)
    rgb = np.dstack([grey] * 3)
    rgba = np.dstack([rgb, np.full_like(grey, 255)])
    clear = np.dstack([np.zeros_like(rgb), 255 - grey])
    print("| picture | way | ms | Pillow decodes it in ms | ratio |\n|---|---|---|---|---|")
    for name, picture in {
        "28x28, MNIST's form": digit,
        "drawing 280x280, grey": grey,
        "drawing 280x280, RGB": rgb,
        "drawing 280x280, RGBA": rgba,
        "drawing 280x280, ink on transparent": clear,
    }.items():
        content = encoded(PIL.Image.fromarray(picture), "PNG")
        reference = functools.partial(decoded, content)
        show(name, "normalise", *least(functools.partial(ink.normalise, picture), reference, runs))
        show(name, "PNG to 28x28", *least(functools.partial(whole_way, content), reference, runs))
    # The server's first look at a photograph.
    content, side = photograph(PIL.Image.fromarray(digit), 640, 640, noise=0, quality=60), GLANCE * SIDE
    glance = images.decode_reduced(content, LIMITS, side).pixels
    work, reference = functools.partial(ink.normalise, glance), functools.partial(decoded, content, side)
    size = f"{glance.shape[1]}x{glance.shape[0]}"
    name = f"JPEG 640x640, {len(content) / 1e3:.0f} KB, decoded to {size}"
    show(name, "normalise", *least(work, reference, runs))
    work = functools.partial(images.decode_reduced, content, LIMITS, side)
    show(name, f"JPEG to {size}", *least(work, reference, runs))
    for width, height in ((1600, 1200), (4000, 3000)):
        content = photograph(PIL.Image.fromarray(digit), width, height, noise=7, quality=85)  # 0.25 bytes a pixel
        name = f"JPEG {width}x{height}, {len(content) / 1e6:.1f} MB"
        reference = functools.partial(decoded, content)
        show(name, "JPEG to 28x28", *least(functools.partial(whole_way, content), reference, max(1, runs // 4)))


def show(name: str, way: str, own: float, reference: float) -> None:
    """Print a row of the table; times are in ms."""
    print(f"| {name} | {way} | {own:.3f} | {reference:.3f} | {own / reference:.2f} |")


if __name__ == "__main__":
    main()
