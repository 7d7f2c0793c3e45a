"""A model of the zoo: its plugin, its settings, and its selected checkpoint, verified and loaded when first needed."""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from zoo import graph, ink
from zoo.answers import checked_input, checked_scores, rescaled
from zoo.checkpoints import Card, Catalogue
from zoo.errors import ModelUnavailable, NoInk, UnknownCheckpoint, ZooError
from zoo.plugins import Family, Hooks
from zoo.runtime import WEIGHTS, load_weights
from zoo.settings import ModelEntry, ModelSettings, Others
from zoo.types import Image, Prediction, Reading, Scores, Trace

FRESH = 1.0  # seconds for which it is not looked again whether a checkpoint can answer
KEPT = 2  # versions of a model asked for by ?version= that stay loaded beside the selected one


@dataclass(frozen=True)
class Loaded:
    """A checkpoint ready to predict: its card, the settings of its card, and what the load hook gave."""

    card: Card
    settings: ModelSettings
    handle: Any


class Model:
    """An inhabitant of the zoo. `problem` says why it cannot answer, when its plugin is at fault."""

    def __init__(
        self,
        name: str,
        entry: ModelEntry,
        catalogue: Catalogue,
        plugin: str,
        family: Family | None = None,
        settings: ModelSettings | None = None,
        problem: str | None = None,
    ) -> None:
        self.name = name
        self.checkpoint = entry.checkpoint
        self.plugin = plugin
        self.family = family
        self.settings = settings or ModelSettings()
        self.zoo: Others | None = None
        self.problem = problem
        self.hooks: Hooks | None = None
        self._catalogue = catalogue
        self._served: Loaded | None = None
        self._versions: OrderedDict[tuple[str, int], Loaded] = OrderedDict()  # loaded besides, by model and version
        self._failed: dict[tuple[str, int], tuple[float, ZooError]] = {}  # what could not be loaded, when and why
        self._whole: dict[tuple[str, int], float] = {}  # what can be, as far as its files tell, and when they were read
        self._lock = threading.Lock()

    def select(self, version: int | None = None) -> tuple[str, int]:
        """The (model, version) of the checkpoint that the settings select by now. Raises UnknownCheckpoint."""
        return self._catalogue.select(self.name, self.checkpoint if version is None else version, self.plugin)

    def pin(self) -> None:
        """Let "latest" be the version that it is now, whatever is trained later."""
        with suppress(ZooError):  # there is none yet, or it cannot be read
            self.checkpoint = "{}/{}".format(*self.select())

    def answering(self) -> tuple[str, int]:
        """The (model, version) of the checkpoint that answers when none is named. Raises UnknownCheckpoint.

        It is the one that is loaded, and need not be what the settings select: "latest" may have come meanwhile.
        """
        served = self._served
        return (served.card.model, served.card.version) if served is not None else self.select()

    def card(self) -> Card | None:
        """The card of the checkpoint that answers, or None when there is none or it cannot be read."""
        served = self._served
        if served is not None:
            return served.card
        try:
            return self._catalogue.card(*self.select())
        except (UnknownCheckpoint, ModelUnavailable):
            return None

    def trouble(self, version: int | None = None) -> str | None:
        """Why the model cannot answer, or None when it can, as far as its files tell without loading it.

        `version` asks for another checkpoint than the selected one. What has failed to load is loaded anew, since its
        files alone do not tell whether it can be. What was found less than `FRESH` seconds ago is told again: pages and
        pollers ask often, and all files are hashed.
        """
        if self._served is not None and version is None:
            return None
        try:
            ref = self.select(version)
            if ref in self._failed:
                self.load(version)
            elif time.monotonic() - self._whole.get(ref, -FRESH) >= FRESH:
                with self._watched(ref):
                    self._inspect(*ref)
                self._whole[ref] = time.monotonic()
        except UnknownCheckpoint as error:
            return self.problem or str(error)
        except ZooError as error:
            return str(error)
        return None

    @property
    def is_untrained(self) -> bool:
        """Whether all that it lacks is its training."""
        return self.family is not None and self.checkpoint == "latest" and not self._catalogue.versions(self.name)

    def load(self, version: int | None = None) -> Loaded:
        """The checkpoint, verified and loaded once. Raises ModelUnavailable, or UnknownCheckpoint for a `version`.

        What could not be loaded less than `FRESH` seconds ago is not tried again, but raises the same.
        """
        served = self._served  # looked at once: `reselect` may take it away
        if version is None and served is not None:
            return served
        with self._lock:
            if version is None:
                if self._served is None:
                    try:
                        ref = self.select()
                    except UnknownCheckpoint as error:
                        raise ModelUnavailable(self.problem or str(error)) from error
                    self._served = self._open(*ref)
                return self._served
            ref = self.select(version)
            if self._served is not None and (self._served.card.model, self._served.card.version) == ref:
                return self._served
            if ref not in self._versions:
                self._versions[ref] = self._open(*ref)
                if len(self._versions) > KEPT:
                    self._versions.popitem(last=False)
            self._versions.move_to_end(ref)
            return self._versions[ref]

    def renew(self, card: Card) -> None:
        """Answer by a card that has been amended, where this model has loaded its checkpoint."""
        with self._lock:
            self._forget()
            if self._served is not None and self._served.card.ref == card.ref:
                self._served = replace(self._served, card=card)
            for ref, loaded in self._versions.items():
                if loaded.card.ref == card.ref:
                    self._versions[ref] = replace(loaded, card=card)

    def reselect(self) -> None:
        """Let go of what is loaded where the settings select another checkpoint by now, as after a training."""
        with self._lock:
            self._forget()
            try:
                if self._served is not None and self.answering() != self.select():
                    self._served = None
            except ZooError:  # what would be selected cannot be read; what is loaded can answer
                pass

    def _open(self, owner: str, version: int) -> Loaded:
        with self._watched((owner, version)):
            card, settings = self._inspect(owner, version)
            assert self.hooks is not None
            handle = self.hooks.call("load", folder=self._catalogue.path(owner, version), settings=settings)
        self._failed.pop((owner, version), None)
        return Loaded(card, settings, handle)

    @contextmanager
    def _watched(self, ref: tuple[str, int]) -> Iterator[None]:
        """Keep in mind that a checkpoint fails meanwhile, and why; raise that where it has failed just now."""
        at, why = self._failed.get(ref, (0.0, None))
        if why is not None and time.monotonic() - at < FRESH:
            raise why.with_traceback(None)
        try:
            yield
        except ZooError as error:
            self._failed[ref] = time.monotonic(), error
            raise

    def _forget(self) -> None:
        self._failed.clear()
        self._whole.clear()

    def _inspect(self, owner: str, version: int) -> tuple[Card, ModelSettings]:
        if self.family is None or self.hooks is None:
            raise ModelUnavailable(self.problem or f'Model "{self.name}" has no plugin.')
        card = self._catalogue.card(owner, version)
        if card.plugin != self.family.name:
            raise ModelUnavailable(
                f'Model "{self.name}" is of plugin "{self.family.name}", but checkpoint {card.ref} is of plugin '
                f'"{card.plugin}". Select a checkpoint of its own plugin.'
            )
        self._catalogue.verify(card)
        try:
            settings = self.family.settings.model_validate_json(json.dumps(card.settings))
        except ValidationError as error:
            first = error.errors()[0]
            raise ModelUnavailable(
                f'Checkpoint {card.ref}: plugin "{self.family.name}" no longer takes its card\'s settings '
                f"({'.'.join(map(str, first['loc']))}: {first['msg']}). Train again: zoo train {self.name}."
            ) from error
        if settings.runtime == "tensorflow":
            graph.check()
        return card, settings.named(self.name, self.zoo, self.hooks.build)

    def network(self, version: int | None = None) -> Any:
        """The trained keras.Model of a checkpoint: what `build` makes, with the weights of its file.

        Raises ModelUnavailable, as when `build` makes another network by now, and UnknownCheckpoint.
        """
        ref = self.select(version)
        settings = self._inspect(*ref)[1]
        assert self.hooks is not None
        network = self.hooks.call("build", settings=settings)
        load_weights(network, self._catalogue.path(*ref) / WEIGHTS)
        return network

    def preprocess(self, loaded: Loaded, image: Image) -> tuple[NDArray[np.float32], Trace]:
        """The picture as the model takes it; where there is nothing to read, an empty one and a trace that says so."""
        assert self.hooks is not None
        return checked_input(self.name, self.hooks, loaded.settings, tuple(loaded.card.input_shape), image)

    def finds_ink(self, loaded: Loaded) -> bool:
        """Whether pictures come to it by `ink.normalise` and by nothing else."""
        assert self.hooks is not None
        return _takes_mnists_form(loaded) and self.hooks.is_default("preprocess")

    def take(self, loaded: Loaded, level: Image) -> NDArray[np.float32]:
        """As `preprocess`, of ink that is known, uint8 (h, w), light on black: brought to MNIST's form without a search
        if the model takes that, given as it is to a model of another shape or preprocessing."""
        if _takes_mnists_form(loaded):
            try:
                level = ink.fit(level, loaded.settings.ink)
            except NoInk:
                return np.zeros(tuple(loaded.card.input_shape), np.float32)
        return self.preprocess(loaded, level)[0]

    def tell(self, loaded: Loaded, answers: Sequence[Prediction | Reading | ZooError]) -> None:
        """Tell the plugins that want to hear it what this model has answered."""
        assert self.hooks is not None
        self.hooks.tell(answers, loaded.settings)

    def scores(self, loaded: Loaded, batch: NDArray[np.float32]) -> Scores:
        """Probabilities (n, k) for (n, ...), at the card's temperature. Raises PluginError when they are not such."""
        assert self.hooks is not None
        scores = checked_scores(self.name, self.hooks, loaded.settings, loaded.handle, batch, len(loaded.card.labels))
        calibration = loaded.card.calibration
        return rescaled(scores, calibration.temperature) if calibration else scores


def _takes_mnists_form(loaded: Loaded) -> bool:
    return loaded.settings.preprocess == "ink" and tuple(loaded.card.input_shape) == (ink.SIDE, ink.SIDE, 1)
