"""Read many digits from one picture: a model classifies the pieces of `zoo.pieces`, separated where digits touch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from zoo.dividing import Asked, Found, Recognise, divide, extent
from zoo.errors import NoInk
from zoo.images import Reduced
from zoo.models import Loaded
from zoo.oddities import cut_off, odd_ones
from zoo.parting import INK
from zoo.pieces import Piece, find, in_lines
from zoo.types import Image, Mask, Reading, Scores, Sign, enlarged

# Chosen on composed scenes of MNIST's training digits, touching ones among them. Confidences are 0-1.
_SURE = 0.85  # confidence below which a piece cut by the picture's edge is no digit
_PATTERN = 20  # digits in a picture from which it may be a pattern or noise
_MOSTLY = 0.6  # of the digits: how many of them are guessed in such a picture, at least
LEAST = 0.85  # confidence below which a digit of several is rejected, whatever the card asks of a single one
_STRANGE = 0.6  # confidence below which a piece may be part of another; a digit joined with dirt needs as much

# For joining two pieces. Heights are the median height of the pieces' ink.
_APART = 0.25  # heights between two pieces that may be one digit, at most
_BROAD = 1.7  # heights that both together are wide, at most
_HIGH = 1.5  # heights that both together are high, at most
_OVER = 0.1  # of the narrower width: horizontal overlap of a piece and one above or below it that it may belong to
_SURELY_ONE = 0.9  # confidence from which the two are one digit
_LITTLE = 0.25  # of a digit's ink; a piece with less, which does not change the digit's label, is dirt

_STEADY = 0.99  # confidence below which a digit is looked at from several views
_VIEWS = ((-0.1, -8.0), (-0.1, 8.0), (0.1, -8.0), (0.1, 8.0))  # shear as a share of the height, rotation in degrees


def read_picture(loaded: Loaded, picture: Reduced) -> Reading:
    """Return all the digits in a decoded picture as a model reads them. Raises PluginError."""
    image, by, size = picture
    card = loaded.card
    threshold = max(LEAST, card.calibration.threshold if card.calibration else 0.0)

    def recognise(levels: Sequence[Image]) -> Scores:
        return loaded.probabilities(np.stack([loaded.preprocess_piece(level) for level in levels]))

    try:
        digits = read(find(image, loaded.settings.ink), recognise)
    except NoInk as nothing:
        return Reading(loaded.name, card.ref, (), nothing.reason)
    signs = []
    for digit in digits:
        best = int(digit.scores.argmax())
        signs.append(
            Sign(
                label=card.labels[best],
                confidence=float(digit.scores[best]),
                box=enlarged(digit.box, by, size),
                line=digit.line,
                rejected=digit.odd or bool(digit.scores[best] < threshold),
                touching=digit.touching,
            )
        )
    return Reading(loaded.name, card.ref, tuple(signs), None if signs else "blank")


def read(pieces: Sequence[Piece], recognise: Recognise) -> list[Found]:
    """Read the digits of the pieces, in reading order.

    Raises NoInk with `reason` "too_many_objects" when they fall into more parts than a picture may have digits, or into
    many that mostly look like none.
    """
    pieces = [piece for piece in pieces if extent(piece.level)[0]]  # the others are too faint to read
    if not pieces:
        return []
    recognise = _steady(recognise)
    whole = recognise([piece.level for piece in pieces])
    tall = float(np.median([extent(piece.level)[1] for piece in pieces]))
    pieces, whole = _whole_again(pieces, whole, recognise, tall)
    asked: list[Asked] = []
    for number, line in enumerate(in_lines(pieces)):
        row = [pieces[i] for i in line]
        for i, is_odd, rest in zip(line, odd_ones(row), cut_off(row), strict=True):
            if rest or not (pieces[i].edge and whole[i].max() < _SURE):  # else a shadow or the table
                asked.append(Asked(pieces[i], whole[i], number, is_odd, rest))
    found = divide(asked, recognise, tall)
    guessed = sum(digit.odd or digit.scores.max() < LEAST for digit in found)
    if len(found) >= _PATTERN and guessed > _MOSTLY * len(found):
        raise NoInk(
            f"The picture shows {len(found)} marks, and {guessed} of them look like no digit: it may be a pattern or "
            "noise. Send a part of it, or a picture with more contrast.",
            "too_many_objects",
        )
    return found


def _whole_again(
    pieces: Sequence[Piece], scores: NDArray[np.float32], recognise: Recognise, tall: float
) -> tuple[Sequence[Piece], NDArray[np.float32]]:
    """Join pieces with a neighbour where both together are surely one digit; return the pieces and their scores.

    So a 5 gets its bar, and a digit the speck or trace of a ruled line beside it.
    """
    strange = scores.max(axis=1) < _STRANGE
    pairs = _pairs(pieces, strange, tall)
    if not pairs:
        return pieces, scores
    joined = [pieces[j].with_(pieces[i]) for i, j in pairs]
    told = recognise([piece.level for piece in joined])
    pieces, rows = list(pieces), list(scores)
    used: set[int] = set()
    gone: set[int] = set()
    for k in np.argsort(-told.max(axis=1)).tolist():
        i, j = pairs[k]
        dirt = _amount(pieces[i]) < _LITTLE * _amount(pieces[j]) and told[k].argmax() == scores[j].argmax()
        if told[k].max() >= (_STRANGE if dirt else _SURELY_ONE) and not {i, j} & used:
            used |= {i, j}
            gone.add(i)
            pieces[j], rows[j] = joined[k], told[k]
    kept = [i for i in range(len(pieces)) if i not in gone]
    return [pieces[i] for i in kept], np.stack([rows[i] for i in kept])


def _amount(piece: Piece) -> int:
    """Return how many pixels of ink a piece has."""
    return int(np.count_nonzero(piece.level > INK))


def _pairs(pieces: Sequence[Piece], strange: Mask, tall: float) -> list[tuple[int, int]]:
    """Return the pairs (i, j) of pieces of which i may belong to j, by their positions.

    A piece that is `strange`, bool (n,), may belong to any that is near; another only to a larger one that it stands
    partly above or below.
    """
    left, top, right, bottom = np.array([piece.box for piece in pieces]).T[:, :, None]
    height = tall * np.array([piece.scale for piece in pieces])[:, None]
    over = np.minimum(right, right.T) - np.maximum(left, left.T)
    apart = np.maximum(top, top.T) - np.minimum(bottom, bottom.T)
    near = (-over < _APART * height) & (apart < _APART * height)
    near &= np.maximum(right, right.T) - np.minimum(left, left.T) < _BROAD * height
    near &= np.maximum(bottom, bottom.T) - np.minimum(top, top.T) < _HIGH * height
    wide, area = right - left, (right - left) * (bottom - top)
    above = (area < area.T) & (over > _OVER * np.minimum(wide, wide.T))
    near &= strange[:, None] | above
    np.fill_diagonal(near, False)
    return [(int(i), int(j)) for i, j in np.argwhere(near)]


def _steady(recognise: Recognise) -> Recognise:
    """Wrap `recognise` to average the probabilities of uncertain digits over several views, sheared and rotated.

    Handwriting slants and turns, and models are sensitive to it. The mean is right no more often than the first look,
    but less confident where views differ, so fewer mistakes are confident.
    """

    def told(levels: Sequence[Image]) -> NDArray[np.float32]:
        scores = recognise(levels)
        unsure = np.flatnonzero(scores.max(axis=1) < _STEADY)
        if len(unsure):
            more = recognise([_seen_from(levels[int(i)], *view) for i in unsure for view in _VIEWS])
            views = np.concatenate([scores[unsure, None], more.reshape(len(unsure), len(_VIEWS), -1)], axis=1)
            scores = scores.copy()
            scores[unsure] = views.mean(axis=1)
        return scores

    return told


def _seen_from(level: Image, slant: float, degrees: float) -> Image:
    """Shear a picture, uint8 (h, w), by `slant` of its height and rotate it by `degrees`; it is padded to fit."""
    height, width = level.shape
    angle = np.radians(degrees)
    room = 1 + round((abs(slant) * height + abs(np.sin(angle)) * max(height, width)) / 2)
    image = PIL.Image.fromarray(np.pad(level, room))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) @ [[1, slant], [0, 1]]
    middle = np.array(image.size) / 2
    (a, b), (d, e) = turn.tolist()
    c, f = (middle - turn @ middle).tolist()
    return np.asarray(
        image.transform(image.size, PIL.Image.Transform.AFFINE, (a, b, c, d, e, f), PIL.Image.Resampling.BILINEAR)
    )
