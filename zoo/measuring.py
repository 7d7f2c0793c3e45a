"""Measure a model on labelled files, or over the versions that were trained with different seeds."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from zoo import datasets
from zoo.cards import Card, Evaluation, Mistake
from zoo.errors import DatasetError, ModelUnavailable, UnknownCheckpoint, UnknownModel, ZooError
from zoo.evaluation import Track, figures
from zoo.sources import Source, found
from zoo.types import Image, Prediction
from zoo.zoo import Zoo

BATCH = 256  # files predicted at a time
NAMED = 10  # left-out files that are named with what was wrong


@dataclass(frozen=True)
class LeftOut:
    """Files that were not measured: counts by reason, and messages for the first of them."""

    counts: dict[str, int]
    named: tuple[str, ...]


@dataclass(frozen=True)
class Measured:
    """An evaluation with its checkpoint's card.

    For labelled files, `paths` are the files that its indices refer to, and `left_out` those not measured.
    """

    card: Card
    evaluation: Evaluation
    paths: tuple[Path, ...] = ()
    left_out: LeftOut = field(default_factory=lambda: LeftOut({}, ()))

    def title(self, mistake: Mistake) -> str:
        """Return the file name of a mistake's picture, or "#" and its index; if it was rejected, also the reason."""
        picture = self.paths[mistake.index].name if self.paths else f"#{mistake.index}"
        return picture if mistake.reason is None else f"rejected ({mistake.reason}): {picture}"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; for labelled files, each mistake has its path."""
        answer = {"checkpoint": self.card.ref, **self.evaluation.model_dump(mode="json")}
        if self.paths:
            for mistake in answer["mistakes"]:
                mistake["path"] = str(self.paths[mistake["index"]])
            answer["left_out"] = {**self.left_out.counts, "named": list(self.left_out.named)}
        return answer


def on_files(
    zoo: Zoo,
    name: str,
    data: str,
    files: Sequence[tuple[Path, str]],
    *,
    version: int | None = None,
    track: Track = iter,
) -> Measured:
    """Measure a model on labelled files, predicted as any picture is. Nothing is stored.

    `data` names the files in the evaluation. Files that cannot be read, or whose label the model does not have, are
    left out. Raises DatasetError when no file is left, and what `Zoo.predict_many` raises.
    """
    card = zoo.model(name).load(version).card
    known = {label: number for number, label in enumerate(card.labels)}
    counts = {"unreadable": 0, "unknown label": 0}
    named: list[str] = []
    good: list[tuple[Path, int, Prediction]] = []
    for start in track(range(0, len(files), BATCH)):
        ours = []
        for path, label in files[start : start + BATCH]:
            if label in known:
                ours.append((path, known[label]))
            else:
                counts["unknown label"] += 1
                named.append(f'{path}: its label "{label}" is not one of {", ".join(card.labels)}')
        answers = zoo.predict_many(name, [found(path) for path, _ in ours], version=version)
        for (path, number), answer in zip(ours, answers, strict=True):
            if isinstance(answer, ZooError):
                counts["unreadable"] += 1
                text = str(answer).rstrip(".")
                named.append(text if text.startswith(str(path)) else f"{path}: {text}")
            else:
                good.append((path, number, answer))
    if not good:
        raise DatasetError(
            f"{data}: none of its {len(files)} pictures can be used: "
            f"{counts['unreadable']} cannot be read, and {counts['unknown label']} have a label that {card.ref} does "
            f"not have. Expected pictures labelled {', '.join(card.labels)}. The first: {named[0]}."
        )
    evaluation = figures(
        data,
        np.array([number for _, number, _ in good]),
        np.array([answer.probabilities for _, _, answer in good], np.float32),
        card.labels,
        [answer.reason if answer.rejected else None for _, _, answer in good],
    )
    return Measured(card, evaluation, tuple(path for path, _, _ in good), LeftOut(counts, tuple(named[:NAMED])))


def seen(
    zoo: Zoo, name: str, measured: Measured, mistakes: Sequence[Mistake], *, version: int | None = None
) -> list[Image]:
    """Return what the model saw in each of the given mistakes, uint8 (h, w): the trace's `seen`."""
    sources: list[Source]
    if measured.paths:
        sources = [measured.paths[mistake.index] for mistake in mistakes]
    else:
        images = datasets.test_data(zoo.model(name).load(version).settings.dataset).images
        sources = [images[mistake.index] for mistake in mistakes]
    answers = zoo.predict_many(name, sources, version=version)
    return [answer.trace.seen for answer in answers if isinstance(answer, Prediction) and answer.trace is not None]


@dataclass(frozen=True)
class Seeds:
    """The evaluations of versions that differ only in their seed, oldest first."""

    runs: tuple[Measured, ...]

    @property
    def mean(self) -> float:
        """Mean accuracy, 0-1."""
        return statistics.mean(run.evaluation.accuracy for run in self.runs)

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation (n - 1) of the accuracy, 0-1, or None for a single version."""
        if len(self.runs) < 2:
            return None
        return statistics.stdev(run.evaluation.accuracy for run in self.runs)

    @property
    def repeated(self) -> list[int]:
        """Seeds that several versions were trained with. Such repetitions make the deviation look too small."""
        counts = Counter(run.card.settings.get("seed") for run in self.runs)
        return sorted(seed for seed, count in counts.items() if seed is not None and count > 1)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, with every evaluation in full."""
        return {
            "versions": [{"seed": run.card.settings.get("seed"), **run.to_dict()} for run in self.runs],
            "mean": round(self.mean, 6),
            "deviation": None if self.deviation is None else round(self.deviation, 6),
        }


def over_seeds(zoo: Zoo, name: str, measure: Callable[[int], Measured], *, version: int | None = None) -> Seeds:
    """Call `measure` for each version whose settings differ only in the seed from `version`, or from the selected one.

    Raises ModelUnavailable when the selected checkpoint belongs to another model, and what `measure` raises.
    """
    return Seeds(tuple(measure(number) for number in _siblings(zoo, name, version)))


def _siblings(zoo: Zoo, name: str, version: int | None) -> list[int]:
    """Return the versions of a model, oldest first, that differ from one of them only in the seed, with that one."""
    model = zoo.model(name)
    card = model.load(version).card
    if card.model != name:
        raise ModelUnavailable(
            f'Model "{name}" uses {card.ref}, a version of another model. '
            f"Compare the seeds of that model: zoo evaluate {card.model} --version {card.version} --seeds."
        )
    own = _but_for_seed(zoo, card)
    found = []
    for number in zoo.catalogue.versions(name):
        other = zoo.catalogue.card(name, number)
        alike = other.plugin == card.plugin and own is not None and _but_for_seed(zoo, other) == own
        if alike or number == card.version:
            found.append(number)
    return found


def _but_for_seed(zoo: Zoo, card: Card) -> dict[str, Any] | None:
    """Return a card's settings without the seed; None when its plugin no longer accepts them.

    Settings that an older card lacks get the plugin's defaults. `start` is replaced by the settings of the checkpoint
    it names, also without their seed, if that still exists.
    """
    try:
        settings = type(zoo.model(card.model).settings).model_validate_json(json.dumps(card.settings))
        told = settings.model_dump(exclude={"seed"})
        if settings.start is not None:
            with suppress(UnknownCheckpoint):
                start = zoo.catalogue.card(*zoo.catalogue.select(card.model, settings.start))
                told["start"] = _but_for_seed(zoo, start)
    except (ValidationError, UnknownModel, UnknownCheckpoint, ModelUnavailable):
        return None
    return told
