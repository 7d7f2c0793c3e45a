"""A picture as one model sees it: decoded no larger than finding its digit takes, and looked at closer if need be.

Most of what a photograph costs is its decoding, and libjpeg decodes at 1/2, 1/4 or 1/8 scale in a fraction of the time.
A digit that fills its share of the small picture is as sharp at the network's size as it would be from the large one.
"""

from __future__ import annotations

from dataclasses import dataclass

from zoo import images
from zoo.models import Loaded, Model
from zoo.settings import PictureSettings
from zoo.types import Batch, Image, Trace

GLANCE = 5  # times the side that the network takes, which the short side of a picture keeps at the least
ENOUGH = 1.25  # times that side, which the ink's long side needs for a glance to be enough


@dataclass(frozen=True, slots=True)
class Look:
    """What the network takes, float32 (…); what was done for it, in the file's own pixels; and the decoded picture."""

    seen: Batch
    trace: Trace
    image: Image


def look(model: Model, loaded: Loaded, picture: bytes | Image, limits: PictureSettings) -> Look:
    """Decode and preprocess a picture for a model. Raises a PictureError, or PluginError."""
    if not isinstance(picture, bytes):
        return Look(*model.preprocess(loaded, picture), picture)
    side = max(loaded.card.input_shape[:2])
    image, by = images.decode_reduced(picture, limits, GLANCE * side)
    seen, trace = model.preprocess(loaded, image)
    if by > 1 and not _is_enough(trace, side):
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
