"""Bring a picture of one digit to MNIST's form, which digit models expect, and trace what was done.

The steps of `normalise` for photographs, scans and drawings:

    reduce -> background -> contrast -> connected components of both polarities
    -> the digit; or a sheet of paper, which is then searched alone
    -> a closer look if the digit is small -> fit

In the code the background is `ground` (`zoo.ground`) and the connected components are `marks` (`zoo.marks`).
`zoo.finding` finds the digit among them, `zoo.sheets` searches paper, and `zoo.mnist_form` fits the ink.

The loops over pixels in these rooms are compiled (`zoo.compiled`).
"""

from __future__ import annotations

import numpy as np
import PIL.Image

from zoo import steps
from zoo.errors import NoInk
from zoo.finding import find_ink, look_closer, outward
from zoo.marks import SHOWS_SHEETS
from zoo.masks import is_solid
from zoo.mnist_form import SIDE, fitted, plain_grey, ready
from zoo.settings import InkSettings
from zoo.sheets import search_sheet
from zoo.steps import tell
from zoo.types import Box, Image, Input, Trace

# Chosen together with the defaults of `InkSettings`, and with the constants of the rooms named above, on the same
# pictures and on scenes composed from MNIST's training digits: shadows, ruled paper, frames, dirt, a table around the
# paper. A cell is one pixel of the reduced picture.
_ENOUGH = 30  # cells on the long side of the ink's bounding box; a smaller digit gets a closer look
_PLAIN = 12  # cells on the same side; a digit smaller than this is searched for anew, background included

DEFAULT = InkSettings()


def normalise(picture: Image, settings: InkSettings = DEFAULT) -> tuple[Input, Trace]:
    """Bring `picture`, uint8 grey (h, w), RGB (h, w, 3) or RGBA (h, w, 4), to MNIST's form: float32 (28, 28, 1), 0-1.

    A picture already in that form is only divided by 255, and its negative is inverted first. Raises `NoInk` with
    `reason` "blank" when the picture has one colour or shows only lines, and with "no_contrast" when what varies is too
    faint or is noise. The trace's `reason` is "several_objects" or, for a filled shape without strokes, "not_a_digit".
    """
    grey = plain_grey(picture) if picture.shape[:2] == (SIDE, SIDE) else None
    if grey is not None:
        batch, known = ready(grey[None])
        if known.boxes[0] is not None:
            return batch[0], known.trace(0)
    tell("picture", lambda: steps.on_ground(picture))
    height, width = picture.shape[:2]
    view: Box = (0, 0, width, height)
    found, step = find_ink(picture, settings)
    on_sheet = None if found.sheet is None else search_sheet(picture, found.sheet, found.high, step, settings)
    if on_sheet is not None:
        found, step, view = on_sheet[0], on_sheet[1], on_sheet[2].box
    within = view
    reason = "several_objects" if found.several else None
    # After a second look the digit takes at least a third of its view. A third look is for a digit that was only a few
    # pixels in the first.
    for _ in range(2):
        left, top, right, bottom = outward(found.box, view, step)
        long = max(right - left, bottom - top)
        margin = long // 3 + 2 * step
        nearer = (
            max(within[0], left - margin),
            max(within[1], top - margin),
            min(within[2], right + margin),
            min(within[3], bottom + margin),
        )
        if step == 1 or long >= _ENOUGH * step or nearer == view:
            break
        part = picture[nearer[1] : nearer[3], nearer[0] : nearer[2]]
        try:
            if long >= _PLAIN * step and part.shape[2:] != (4,):
                found, step = look_closer(found, step, part, (nearer[0] - view[0], nearer[1] - view[1]), settings)
            else:
                found, step = find_ink(part, settings)
        except NoInk:
            break
        view = nearer
    # In a picture of a few dozen pixels a bold digit may look filled.
    if reason is None and max(height, width) >= SHOWS_SHEETS and is_solid(found.level):
        reason = "not_a_digit"
    box = outward(found.box, view, step)
    tell("contrast", lambda: steps.lighter_or_darker(found.ink if found.polarity == "light-on-dark" else -found.ink))
    tell("ink", lambda: steps.light(found.ink, found.high))
    tell("marks", lambda: steps.coloured(found.marks, found.digit))
    tell("box", lambda: steps.boxed(picture, box))
    seen, scale, shift = fitted(found.level, settings)
    return _batch(seen), Trace(seen, found.polarity, box, scale / step, shift, reason)


def resize(picture: Image) -> tuple[Input, Trace]:
    """Convert `picture` to grey and resize it to 28x28, whatever its aspect and polarity; alpha is ignored.

    Returns float32 (28, 28, 1), 0-1, and a trace whose `scale` is that of the picture's long side.
    """
    image = PIL.Image.fromarray(picture).convert("L")
    seen = np.asarray(image.resize((SIDE, SIDE), PIL.Image.Resampling.BICUBIC))
    return _batch(seen), Trace(seen, box=(0, 0, *image.size), scale=SIDE / max(image.size))


def _batch(seen: Image) -> Input:
    """Convert what the model sees, uint8 (28, 28), to its input, float32 (28, 28, 1), 0-1."""
    return (seen.astype(np.float32) / np.float32(255))[:, :, None]  # (28, 28) -> (28, 28, 1)
