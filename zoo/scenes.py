"""Compose synthetic photographs: ink on textured, sometimes ruled paper, unevenly lit, blurred, noisy, saved as JPEG.

Checkpoints are calibrated on them, and reading several digits is measured on them. They contain no real photograph
unless one is given as the paper.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageFilter

from zoo.types import Box, Image, Plane

_INKS = ((20, 20, 25), (25, 35, 120), (60, 60, 65), (150, 30, 30), (20, 80, 50))  # RGB: black, blue, pencil, red, green
_FAINT = 48  # of 255; a fainter ridge is no stroke
_PAPERS = ((245, 244, 240), (235, 230, 215), (225, 228, 232), (250, 240, 190), (205, 200, 195))  # RGB


@dataclass(frozen=True)
class Scene:
    """A composed picture, uint8 (h, w, 3), with its text, lines separated by line feeds, and the box of each digit."""

    picture: Image
    text: str
    boxes: tuple[Box, ...]


def paper(height: int, width: int, rng: np.random.Generator, ruled: float = 0.25) -> Plane:
    """Compose lit paper, float32 (h, w, 3), 0-255; `ruled` is the probability of lines on it."""
    colour = np.array(_PAPERS[int(rng.integers(len(_PAPERS)))], np.float32)
    light: Plane = _smooth(height, width, 2, rng) * rng.uniform(0, 0.3) + 1 - rng.uniform(0, 0.3)
    if rng.random() < 0.3:  # a soft shadow over a part of the paper
        angle, edge = rng.uniform(0, 2 * np.pi), rng.uniform(-0.3, 0.3)
        y, x = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j].astype(np.float32)
        light *= 1 - rng.uniform(0.1, 0.4) / (1 + np.exp((np.cos(angle) * x + np.sin(angle) * y - edge) * 25))
    grain = _smooth(height, width, max(height, width) // 3, rng) * rng.uniform(0, 0.03)
    sheet = colour * np.clip(light + grain, 0.15, 1.05)[:, :, None]
    if rng.random() < ruled:
        pitch = int(rng.integers(28, 60))
        line = np.array((120, 150, 200), np.float32)
        for row in range(int(rng.integers(pitch)), height, pitch):
            sheet[row : row + 1] = 0.65 * sheet[row : row + 1] + 0.35 * line * (sheet[row : row + 1] / 255)
    return np.asarray(sheet, np.float32)


def patch(photo: Image, height: int, width: int, rng: np.random.Generator) -> Plane:
    """Cut paper of any size from a photograph of it without ink, uint8 (h, w, 3), at random.

    The photograph is tiled with its mirror images. Returns float32 (height, width, 3), 0-255.
    """
    part = photo.astype(np.float32)
    part = np.concatenate([part, part[::-1]])
    part = np.concatenate([part, part[:, ::-1]], axis=1)
    down, across = -(-height // part.shape[0]) + 1, -(-width // part.shape[1]) + 1
    y, x = int(rng.integers(part.shape[0])), int(rng.integers(part.shape[1]))
    tiled: Plane = np.tile(part, (down, across, 1))[y : y + height, x : x + width]
    return tiled


def photo(digit: NDArray[np.uint8], rng: np.random.Generator, whole: bool = False) -> Image:
    """Compose a photograph of one digit, uint8 (28, 28), ink light, on paper: uint8 (h, w, 3), 50 to 250 pixels.

    With `whole`, its thinnest strokes are unbroken.
    """
    height = int(rng.integers(40, 100))
    glyph = written(unbroken(digit) if whole else _inked(digit), height, rng)
    h, w = glyph.shape
    around = rng.uniform(0.15, 0.9, 4) * max(h, w)
    top, left = int(around[0]), int(around[1])
    sheet = paper(h + top + int(around[2]), w + left + int(around[3]), rng)
    _write(sheet, glyph, left, top, np.array(_INKS[int(rng.integers(len(_INKS)))], np.float32), rng.uniform(0.55, 1))
    return _photograph(sheet, rng)


def lines(
    rows: Sequence[Sequence[NDArray[np.uint8]]],
    texts: Sequence[str],
    rng: np.random.Generator,
    *,
    gap: tuple[float, float] = (0.15, 0.6),
    slant: float = 4.0,
    ground: Plane | None = None,
) -> Scene:
    """Compose a photograph of rows of digits, each uint8 (28, 28), ink light, in one hand and pen.

    `texts` are the rows as strings. `gap` is the range of the space between two digits, in heights of a digit; a
    negative one lets digits touch. Rows rise or fall by up to `slant` degrees. `ground`, float32 (h, w, 3), is used as
    the paper, and must be large enough.
    """
    height = int(rng.integers(34, 80))
    lean, tilt = rng.normal(0, 0.12), np.tan(np.radians(rng.uniform(-slant, slant)))
    placed: list[tuple[Plane, int, int]] = []
    margin, y, widest = height, height, 0
    for row in rows:
        x = margin + int(rng.integers(0, height))
        for digit in row:
            glyph = written(unbroken(digit), round(height * rng.uniform(0.85, 1.15)), rng, lean)
            drop = round(x * tilt + height * rng.uniform(-0.08, 0.08))
            placed.append((glyph, x, y + drop))
            x += glyph.shape[1] + round(height * rng.uniform(*gap))
        widest = max(widest, x)
        y += round(height * rng.uniform(1.7, 2.3))
    rise = min(0, min(top for _, _, top in placed) - margin // 2)
    full = max(top + glyph.shape[0] for glyph, _, top in placed) - rise + margin
    size = (full, widest + margin)
    sheet = paper(*size, rng) if ground is None else ground[: size[0], : size[1]].copy()
    colour, strength = np.array(_INKS[int(rng.integers(len(_INKS)))], np.float32), rng.uniform(0.6, 1)
    boxes = []
    for glyph, left, top in placed:
        _write(sheet, glyph, left, top - rise, colour, strength)
        boxes.append((left, top - rise, left + glyph.shape[1], top - rise + glyph.shape[0]))
    return Scene(_photograph(sheet, rng), "\n".join(texts), tuple(boxes))


def written(digit: NDArray[np.uint8], height: int, rng: np.random.Generator, lean: float = 0.0) -> Plane:
    """Enlarge a digit, uint8 (h, w), in full ink, to about `height` pixels, with a pen's edges and a random variation.

    Returns float32 (h, w), 0-1, cut to its bounding box. `lean` is the shear that all digits of a hand share.
    """
    cut = _cut_out(digit)
    scale = height / cut.shape[0]
    width = max(3, round(cut.shape[1] * scale * rng.uniform(0.9, 1.1)))
    large = PIL.Image.fromarray(cut).resize((width, height), PIL.Image.Resampling.BICUBIC)
    shear = lean + rng.normal(0, 0.04)
    room = round(abs(shear) * height) + 1
    whole = PIL.Image.new("L", (width + 2 * room, height))
    whole.paste(large, (room, 0))
    whole = whole.transform(
        whole.size, PIL.Image.Transform.AFFINE, (1, shear, -shear * height / 2, 0, 1, 0), PIL.Image.Resampling.BILINEAR
    )
    # Makes MNIST's soft edges, which were enlarged, as steep as a pen's.
    level = np.clip((np.asarray(whole, np.float32) / 255 - 0.35) * 3, 0, 1)
    columns = np.flatnonzero(level.any(axis=0))
    return level[:, columns[0] : columns[-1] + 1].astype(np.float32)


def _inked(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a digit, uint8 (h, w), cut to its box, with its strokes made as full as a pen's.

    They are faint because MNIST's digits were reduced. This breaks the thinnest strokes, which `unbroken` does not; it
    is kept because the thresholds in the cards were found on such digits.
    """
    return _full(_cut_out(digit))


def _cut_out(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut a digit, uint8 (h, w), to the box of its ink."""
    down, across = np.flatnonzero(digit.max(axis=1) > 40), np.flatnonzero(digit.max(axis=0) > 40)
    return digit[down[0] : down[-1] + 1, across[0] : across[-1] + 1]


def _full(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale each pixel of a digit, uint8 (h, w), by the strongest in its 3x3 neighbourhood."""
    most = np.asarray(PIL.Image.fromarray(digit).filter(ImageFilter.MaxFilter(3)), np.float32)
    return (digit * (255 / np.maximum(most, 80))).astype(np.uint8)


def unbroken(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a digit, uint8 (h, w), with its strokes as full as a pen makes them, and unbroken.

    A stroke thinner than MNIST's pixels is faint across its whole width. It is made full along its ridge, since a line
    drawn by a pen would otherwise come out as dots. Faint ink that stands apart is removed: it is not the pen's, but a
    remnant of the form that MNIST's digits were cut from.
    """
    digit = _of_the_pen(digit)
    padded = np.pad(digit.astype(np.float32), 1)
    level = padded[1:-1, 1:-1]
    ridge = np.zeros(digit.shape, np.bool_)
    rows, columns = digit.shape
    for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
        one = padded[1 + down : 1 + down + rows, 1 + across : 1 + across + columns]
        other = padded[1 - down : 1 - down + rows, 1 - across : 1 - across + columns]
        ridge |= (level > np.maximum(one, other)) & (level > one + other)
    return np.where(ridge & (level > _FAINT), 255, _full(digit)).astype(np.uint8)


def _of_the_pen(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a digit, uint8 (h, w), without the marks in which no pixel has half a pen's strength.

    Grey-scale reconstruction from the pixels that strong (Vincent, IEEE Trans. Image Process. 2 (2), 1993).
    """
    grown = np.where(digit > 127, digit, 0).astype(np.uint8)
    while True:
        spread = np.asarray(PIL.Image.fromarray(grown).filter(ImageFilter.MaxFilter(3)))
        more: NDArray[np.uint8] = np.minimum(spread, digit)
        if (more == grown).all():
            return more
        grown = more


def _write(sheet: Plane, glyph: Plane, left: int, top: int, colour: NDArray[np.float32], strength: float) -> None:
    """Lay ink on paper, in place: the paper's light is multiplied by the ink's colour, as far as ink covers it."""
    part = sheet[top : top + glyph.shape[0], left : left + glyph.shape[1]]
    cover = (strength * glyph[: part.shape[0], : part.shape[1]])[:, :, None]
    part *= 1 - cover * (1 - colour / 255)


def _photograph(sheet: Plane, rng: np.random.Generator) -> Image:
    """Add a camera's noise, blur and JPEG compression: float32 (h, w, 3) to uint8 (h, w, 3)."""
    noisy = sheet + rng.normal(0, rng.uniform(0, 5), sheet.shape[:2])[:, :, None]
    image = PIL.Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.3)))
    content = io.BytesIO()
    image.save(content, "JPEG", quality=int(rng.integers(55, 95)))
    return np.asarray(PIL.Image.open(content))


def _smooth(height: int, width: int, cells: int, rng: np.random.Generator) -> Plane:
    """Return smooth noise, float32 (height, width), mean 0, about -1 to 1.

    It varies over distances of about 1 / `cells` of the long side.
    """
    scale = cells / max(height, width)
    coarse = rng.normal(0, 0.5, (max(2, round(height * scale)), max(2, round(width * scale)))).astype(np.float32)
    resized = PIL.Image.fromarray(coarse).resize((width, height), PIL.Image.Resampling.BICUBIC)
    return np.asarray(resized, np.float32)
