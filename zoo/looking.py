"""A picture as one model sees it: decoded no larger than finding its digit takes, and looked at closer if need be.

Most of what a photograph costs is its decoding, and libjpeg decodes at 1/2, 1/4 or 1/8 scale in a fraction of the time.
A digit that fills its share of the small picture is as sharp at the network's size as it would be from the large one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from zoo import images, ink
from zoo.errors import PluginError, ZooError
from zoo.models import Loaded, Model
from zoo.settings import PictureSettings
from zoo.sources import Source
from zoo.types import Batch, Image, Trace

Given = Callable[[Source], "bytes | Image"]
GLANCE = 5  # times the side that the network takes, which the short side of a picture keeps at the least
ENOUGH = 1.25  # times that side, which the ink's long side needs for a glance to be enough


@dataclass(frozen=True, slots=True)
class Look:
    """What the network takes, float32 (…), what was done for it, in the file's own pixels, and the decoded picture."""

    seen: Batch
    trace: Trace
    image: Image


def look(model: Model, loaded: Loaded, picture: bytes | Image, limits: PictureSettings) -> Look:
    """Decode and preprocess a picture for a model. Raises a PictureError, or PluginError."""
    return _settled(model, loaded, picture, *_glance(loaded, picture, limits), limits)


def looks(
    model: Model, loaded: Loaded, pictures: Iterable[Source], given: Given, limits: PictureSettings
) -> tuple[Batch, list[Trace | ZooError]]:
    """What `look` sees of many pictures, and what was done for each, or what is wrong with it.

    The batch (n, ...) is of those with which nothing is wrong, in their order; `given` tells a picture's content. Those
    in MNIST's form, where that is what the model takes, are known to be so all at once. Raises PluginError.
    """
    told: dict[int, Trace | ZooError] = {}
    seen: dict[int, Batch] = {}
    small: dict[int, Image] = {}
    finds_ink = model.finds_ink(loaded)
    for place, picture in enumerate(pictures):
        try:
            content = given(picture)
            image, by = _glance(loaded, content, limits)
            if finds_ink and image.shape == (ink.SIDE, ink.SIDE):
                small[place] = image
            else:
                look = _settled(model, loaded, content, image, by, limits)
                seen[place], told[place] = look.seen, look.trace
        except PluginError:
            raise
        except ZooError as error:
            told[place] = error
    if small:
        batch, traces = ink.ready(np.concatenate([*small.values()]).reshape(-1, ink.SIDE, ink.SIDE))
        passed = [trace for trace in traces if trace is not None]
        if not told and len(passed) == len(traces):
            return batch, [*passed]
        for (place, image), level, trace in zip(small.items(), batch, traces, strict=True):
            seen[place], told[place] = (level, trace) if trace is not None else model.preprocess(loaded, image)
    of_all = [seen[place] for place in sorted(seen)]
    batch = np.stack(of_all) if of_all else np.empty((0, *loaded.card.input_shape), np.float32)
    return batch, [told[place] for place in range(len(told))]


def _glance(loaded: Loaded, picture: bytes | Image, limits: PictureSettings) -> tuple[Image, int]:
    """The picture decoded for a first look, and by how much it is smaller than the file says."""
    if not isinstance(picture, bytes):
        return picture, 1
    return images.decode_reduced(picture, limits, GLANCE * max(loaded.card.input_shape[:2]))


def _settled(
    model: Model, loaded: Loaded, picture: bytes | Image, image: Image, by: int, limits: PictureSettings
) -> Look:
    """A picture by its first look, `image`, or by a closer one if that shows too little."""
    seen, trace = model.preprocess(loaded, image)
    if by > 1 and not _is_enough(trace, max(loaded.card.input_shape[:2])):
        assert isinstance(picture, bytes)
        image, nearer = images.decode_reduced(picture, limits, again=True)
        if nearer < by:
            seen, trace = model.preprocess(loaded, image)
        by = nearer
    return Look(seen, trace if by == 1 else trace.enlarged(by), image)


def _is_enough(trace: Trace, side: int) -> bool:
    if trace.reason is not None or trace.box is None:
        return False
    left, top, right, bottom = trace.box
    return max(right - left, bottom - top) >= ENOUGH * side
