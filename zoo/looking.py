"""Decode and preprocess a picture for one model: at a reduced size first, and larger only if the digit is too small.

Decoding is most of a photograph's cost, and libjpeg decodes at 1/2, 1/4 or 1/8 scale in a fraction of the time. A digit
that is large enough in the reduced picture is as sharp at the network's size as it would be from the full picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zoo import images, mnist_form
from zoo.errors import PluginError, ZooError
from zoo.images import Reduced
from zoo.models import Loaded
from zoo.settings import PictureSettings
from zoo.sources import Source
from zoo.types import Batch, Image, Input, Trace

Given = Callable[[Source], "bytes | Image"]
FORM = (mnist_form.SIDE, mnist_form.SIDE)
GLANCE = 5  # times the network's side: the short side of a picture at the first look, at least
ENOUGH = 1.25  # times the network's side: the long side of the ink for the first look to be enough, at least


@dataclass(frozen=True, slots=True)
class Look:
    """The network's input, float32 (…), its trace, in the file's own pixels, and the decoded picture."""

    seen: Input
    trace: Trace
    image: Image


def look(loaded: Loaded, picture: bytes | Image, limits: PictureSettings) -> Look:
    """Decode and preprocess a picture for a model. Raises a PictureError, or PluginError."""
    return _from_glance(loaded, picture, _glance(loaded, picture, limits), limits)


@dataclass(frozen=True, slots=True)
class LookedAt:
    """The network's input, float32 (m, ...), for the m of many pictures without an error, in order.

    By their index among the m, `reasons` are those of the traces, and `trace` returns a picture's trace.
    `errors` are those of the other pictures, by their index among all.
    """

    batch: Batch
    reasons: Sequence[str | None]
    trace: Callable[[int], Trace]
    errors: Mapping[int, ZooError]


def look_at_many(loaded: Loaded, pictures: Iterable[Source], given: Given, limits: PictureSettings) -> LookedAt:
    """Decode and preprocess many pictures as `look` does; `given` returns a picture's content.

    If the model takes MNIST's form, the pictures already in that form are recognised in one batch; one array of all
    pictures, uint8 (n, 28, 28), is the fastest. Raises PluginError.
    """
    finds_ink = loaded.finds_ink
    errors: dict[int, ZooError] = {}
    seen: dict[int, tuple[Input, Trace]] = {}
    small: dict[int, Image] = {}
    if finds_ink and isinstance(pictures, np.ndarray) and pictures.dtype == np.uint8 and pictures.shape[1:] == FORM:
        small, pictures = dict(enumerate(pictures)), ()
    for place, picture in enumerate(pictures):
        try:
            content = given(picture)
            glance = _glance(loaded, content, limits)
            if finds_ink and glance.pixels.shape == FORM:
                small[place] = glance.pixels
            else:
                look = _from_glance(loaded, content, glance, limits)
                seen[place] = look.seen, look.trace
        except PluginError:
            raise
        except ZooError as error:
            errors[place] = error
    if small:
        batch, known = mnist_form.ready(np.concatenate([*small.values()]).reshape(-1, *FORM))
        if None not in known.boxes and not seen:
            return LookedAt(batch, [None] * len(batch), known.trace, errors)
        for row, (place, image) in enumerate(small.items()):
            is_ready = known.boxes[row] is not None
            seen[place] = (batch[row], known.trace(row)) if is_ready else loaded.preprocess(image)
    ordered = [seen[place] for place in sorted(seen)]
    traces = [trace for _, trace in ordered]
    none = np.empty((0, *loaded.shape), np.float32)
    batch = np.stack([level for level, _ in ordered]) if ordered else none
    return LookedAt(batch, [trace.reason for trace in traces], traces.__getitem__, errors)


def _glance(loaded: Loaded, picture: bytes | Image, limits: PictureSettings) -> Reduced:
    """Decode the picture for a first look."""
    if not isinstance(picture, bytes):
        return Reduced.whole(picture)
    return images.decode_reduced(picture, limits, GLANCE * max(loaded.shape[:2]))


def _from_glance(loaded: Loaded, picture: bytes | Image, glance: Reduced, limits: PictureSettings) -> Look:
    """Preprocess a picture as decoded for the first look, or decode it larger if its digit is too small there."""
    image, by, size = glance
    seen, trace = loaded.preprocess(image)
    if by > 1 and not _is_enough(trace, max(loaded.shape[:2])):
        assert isinstance(picture, bytes)
        image, nearer, _ = images.decode_reduced(picture, limits, again=True)
        if nearer < by:
            seen, trace = loaded.preprocess(image)
        by = nearer
    return Look(seen, trace if by == 1 else trace.enlarged(by, size), image)


def _is_enough(trace: Trace, side: int) -> bool:
    """Whether ink was found that is large enough for a network that takes `side` pixels."""
    if trace.reason is not None or trace.box is None:
        return False
    left, top, right, bottom = trace.box
    return max(right - left, bottom - top) >= ENOUGH * side
