"""A model of the zoo: its plugin, its settings and its selected checkpoint, which is verified and loaded on demand."""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from pydantic import ValidationError

from zoo import graph, mnist_form
from zoo.answers import checked_input, checked_scores, prediction, rescaled
from zoo.cards import Card
from zoo.checkpoints import Catalogue
from zoo.contract import Family
from zoo.errors import ModelUnavailable, NoInk, UnknownCheckpoint, ZooError
from zoo.hooks import Hooks
from zoo.runtime import WEIGHTS, load_weights
from zoo.settings import ModelEntry, ModelSettings, Others
from zoo.types import Batch, Image, Input, Prediction, Reading, Scores, Trace

FRESH = 1.0  # seconds for which the result of checking or loading a checkpoint is reused
KEPT = 2  # versions requested by ?version= that stay loaded besides the selected one, for each model


@dataclass(frozen=True)
class Loaded:
    """A checkpoint ready to predict: its card, the settings in its card, the hooks, and what the `load` hook returned.

    The settings and hooks are of the model that it answers for, which may be another than the one it was trained for.
    """

    card: Card
    settings: ModelSettings
    hooks: Hooks
    handle: Any

    @property
    def name(self) -> str:
        """The name of the model that it answers for."""
        return self.settings.name

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """The shape of one picture as the network takes it."""
        return tuple(self.card.input_shape)

    @property
    def takes_mnists_form(self) -> bool:
        """Whether the settings and the input shape are those for pictures in MNIST's form."""
        return self.settings.preprocess == "ink" and self.shape == (mnist_form.SIDE, mnist_form.SIDE, 1)

    @property
    def finds_ink(self) -> bool:
        """Whether preprocessing is exactly `ink.normalise`, without a plugin's hook or wrapper."""
        return self.takes_mnists_form and self.hooks.is_default("preprocess")

    def preprocess(self, image: Image) -> tuple[Input, Trace]:
        """Return a picture as the network takes it, float32 `shape`, and the trace.

        With nothing to read the array is all 0 and the trace has the reason. Raises PluginError.
        """
        return checked_input(self.hooks, self.settings, self.shape, image)

    def preprocess_piece(self, level: Image) -> Input:
        """Preprocess a digit whose ink is already found, uint8 (h, w), light on black.

        It is brought to MNIST's form first if the model takes that form; a model with another input shape or
        preprocessing gets it as it is. Returns float32 `shape`. Raises PluginError.
        """
        if self.takes_mnists_form:
            try:
                level = mnist_form.fit(level, self.settings.ink)
            except NoInk:
                return np.zeros(self.shape, np.float32)
        return self.preprocess(level)[0]

    def probabilities(self, batch: Batch) -> Scores:
        """Return probabilities (n, k) for a batch (n, ...), at the card's temperature.

        Raises PluginError when the `predict` hook does not return probabilities.
        """
        scores = checked_scores(self.hooks, self.settings, self.handle, batch, len(self.card.labels))
        calibration = self.card.calibration
        return rescaled(scores, calibration.temperature) if calibration else scores

    def predict(self, seen: Input, trace: Trace) -> Prediction:
        """Return the answer for one preprocessed picture. Raises PluginError."""
        return prediction(self.name, self.card, self.probabilities(seen[np.newaxis])[0].tolist(), trace)

    def notify(self, answers: Sequence[Prediction | Reading | ZooError]) -> None:
        """Call the `answered` hooks with what has been answered."""
        self.hooks.tell(answers, self.settings)


class Model:
    """One model of the zoo. `problem` says why it cannot answer if its plugin is at fault.

    `family` and `hooks` are those of its plugin; both are None when the plugin is at fault. `others` is the access to
    the other models.
    """

    def __init__(
        self,
        name: str,
        entry: ModelEntry,
        catalogue: Catalogue,
        plugin: str,
        others: Others,
        *,
        family: Family | None = None,
        hooks: Hooks | None = None,
        settings: ModelSettings | None = None,
        problem: str | None = None,
    ) -> None:
        self.name = name
        self.checkpoint = entry.checkpoint
        self.plugin = plugin
        self.family = family
        self.hooks = hooks
        self.settings = (settings or ModelSettings()).named(name, others)
        self.others = others
        self.problem = problem
        self.catalogue = catalogue
        self._served: Loaded | None = None
        self._versions: OrderedDict[tuple[str, int], Loaded] = OrderedDict()  # others, by (model, version)
        self._failed: dict[tuple[str, int], tuple[float, ZooError]] = {}  # when and why loading failed
        self._whole: dict[tuple[str, int], float] = {}  # when the files were verified, by time.monotonic
        self._lock = threading.Lock()

    def select(self, version: int | None = None) -> tuple[str, int]:
        """Return the (model, version) of the checkpoint that the settings select now, or of the given version.

        Raises UnknownCheckpoint, or ModelUnavailable when a card cannot be read.
        """
        return self.catalogue.select(self.name, self.checkpoint if version is None else version, self.plugin)

    def pin(self) -> None:
        """Fix "latest" to the version that it means now, whatever is trained later."""
        with suppress(ZooError):  # there is none yet, or it cannot be read
            self.checkpoint = "{}/{}".format(*self.select())

    def answering(self) -> tuple[str, int]:
        """Return the (model, version) of the checkpoint that answers when none is named.

        It is the loaded one, even if the settings now select another because a newer "latest" has been published
        meanwhile. Raises what `select` does.
        """
        served = self._served
        return (served.card.model, served.card.version) if served is not None else self.select()

    def card(self) -> Card | None:
        """Return the card of the checkpoint that answers, or None when there is none or it cannot be read."""
        served = self._served
        if served is not None:
            return served.card
        try:
            return self.catalogue.card(*self.select())
        except (UnknownCheckpoint, ModelUnavailable):
            return None

    def trouble(self, version: int | None = None) -> str | None:
        """Return why the model cannot answer, or None if it can as far as its files show, without loading it.

        `version` asks about another checkpoint than the selected one. A checkpoint that has failed to load is loaded
        again, since its files alone do not show whether it can be. Results are reused for `FRESH` seconds, because
        pages and health checks ask often and every file is hashed.
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
    def loaded(self) -> Loaded | None:
        """The selected checkpoint if it is loaded, else None."""
        return self._served

    @property
    def is_untrained(self) -> bool:
        """Whether the model only needs to be trained: it has a plugin and selects "latest", but has no versions."""
        return self.family is not None and self.checkpoint == "latest" and not self.catalogue.versions(self.name)

    def load(self, version: int | None = None) -> Loaded:
        """Return the selected checkpoint, or the given version, verified and loaded on first use.

        A failure is raised again for `FRESH` seconds before loading is retried. Raises ModelUnavailable, and
        UnknownCheckpoint for a `version` that does not exist.
        """
        served = self._served  # read once, because `reselect` may set it to None
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

    def preload(self) -> None:
        """Load the selected checkpoint if the processes that this one forks can share it; else leave it to `load`.

        They can share what the zoo's own hook loads into LiteRT, which has no threads and no open files.
        """
        if self.hooks is None or not self.hooks.is_default("load"):
            return
        with suppress(ZooError):  # `load` will tell
            if self.catalogue.card(*self.select()).runs_in_litert:
                self.load()

    def renew(self, card: Card) -> None:
        """Use a changed card from now on, if this model has loaded its checkpoint."""
        with self._lock:
            self._forget()
            if self._served is not None and self._served.card.ref == card.ref:
                self._served = replace(self._served, card=card)
            for ref, loaded in self._versions.items():
                if loaded.card.ref == card.ref:
                    self._versions[ref] = replace(loaded, card=card)

    def reselect(self) -> None:
        """Unload the checkpoint if the settings now select another one, as after training."""
        with self._lock:
            self._forget()
            try:
                if self._served is not None and self.answering() != self.select():
                    self._served = None
            except ZooError:  # keep the loaded one, since the one to select cannot be read
                pass

    def _open(self, owner: str, version: int) -> Loaded:
        """Verify a checkpoint and call the `load` hook on it. Raises ZooError, which is remembered as the failure."""
        with self._watched((owner, version)):
            card, settings, hooks = self._inspect(owner, version)
            handle = hooks.call("load", folder=self.catalogue.path(owner, version), settings=settings)
        self._failed.pop((owner, version), None)
        return Loaded(card, settings, hooks, handle)

    @contextmanager
    def _watched(self, ref: tuple[str, int]) -> Iterator[None]:
        """Remember when and why a checkpoint fails in this context; raise again what it raised a moment ago."""
        at, why = self._failed.get(ref, (0.0, None))
        if why is not None and time.monotonic() - at < FRESH:
            raise why.with_traceback(None)
        try:
            yield
        except ZooError as error:
            self._failed[ref] = time.monotonic(), error
            raise

    def _forget(self) -> None:
        """Forget which checkpoints failed or were verified recently."""
        self._failed.clear()
        self._whole.clear()

    def _inspect(self, owner: str, version: int) -> tuple[Card, ModelSettings, Hooks]:
        """Verify a checkpoint without loading it; return its card and settings, and the hooks for it.

        Raises ModelUnavailable or similar.
        """
        if self.family is None or self.hooks is None:
            raise ModelUnavailable(self.problem or f'Model "{self.name}" has no plugin.')
        card = self.catalogue.card(owner, version)
        if card.plugin != self.family.name:
            raise ModelUnavailable(
                f'Model "{self.name}" uses plugin "{self.family.name}", but checkpoint {card.ref} is of plugin '
                f'"{card.plugin}". Select a checkpoint of its own plugin.'
            )
        self.catalogue.verify(card)
        try:
            settings = self.family.settings.model_validate_json(json.dumps(card.settings))
        except ValidationError as error:
            first = error.errors()[0]
            raise ModelUnavailable(
                f'Checkpoint {card.ref}: plugin "{self.family.name}" no longer accepts its card\'s settings '
                f"({'.'.join(map(str, first['loc']))}: {first['msg']}). Train again: zoo train {self.name}."
            ) from error
        if settings.runtime == "tensorflow":
            graph.check()
        return card, settings.named(self.name, self.others, self.hooks.build), self.hooks

    def network(self, version: int | None = None) -> Any:
        """Return the trained keras.Model of a checkpoint: what `build` makes, with the checkpoint's weights.

        Raises UnknownCheckpoint, and ModelUnavailable, also when `build` now makes a network that the weights do not
        fit.
        """
        ref = self.select(version)
        card, settings, hooks = self._inspect(*ref)
        if WEIGHTS not in card.files:
            raise ModelUnavailable(
                f"{card.ref} has no weights of a Keras network ({WEIGHTS}): its plugin's save hook writes other files. "
                "It cannot be a member of another model."
            )
        network = hooks.call("build", settings=settings)
        load_weights(network, self.catalogue.path(*ref) / WEIGHTS)
        return network
