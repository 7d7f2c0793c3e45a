"""The `Zoo` class, which the command line, the web server and notebooks use."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo import images, inhabitants, looking, plugins
from zoo.answers import Answers
from zoo.cards import Card, Evaluation
from zoo.checkpoints import Catalogue
from zoo.configuration import read
from zoo.errors import PictureError, SettingsError, TrainingError, UnknownModel, ZooError
from zoo.looking import Look
from zoo.members import Members
from zoo.mistakes import Key, Origins
from zoo.models import Loaded, Model
from zoo.plugins import Plugins
from zoo.settings import Settings
from zoo.sources import Source, content, several
from zoo.starter import CARRIED, locate
from zoo.types import Image, Prediction, Reading, Step, Why

if TYPE_CHECKING:
    import keras

    from zoo import evaluation
    from zoo.progress import Progress

log = logging.getLogger("zoo")


class Zoo:
    """An open zoo: a folder of plugins, checkpoints and settings. Use `Zoo.open`."""

    def __init__(
        self, root: Path, settings: Settings, found: Plugins, origins: Origins, *, to_train: bool = False
    ) -> None:
        """Make the models, as `Zoo.open` does. Raises SettingsError with every mistake."""
        self.root = root
        self.settings = settings
        self.plugins = found
        self.catalogue = Catalogue(root / settings.checkpoints_folder)
        self._members = Members(self.model)
        self.models, self._manager, mistakes = inhabitants.make_models(
            root, settings, found, self.catalogue, origins, self._members
        )
        if not to_train:
            mistakes += inhabitants.without_version(self.models.values(), self.catalogue, origins)
        if mistakes:
            raise SettingsError(mistakes)

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike[str] | None = None,
        *,
        flags: Mapping[Key, tuple[str, Any]] | None = None,
        environ: Mapping[str, str] | None = None,
        to_train: bool = False,
    ) -> Zoo:
        """Open the zoo in a folder; by default the working directory, or the starter zoo if that has no settings.toml.

        `flags` maps keys such as ("server", "port") to the name and value of a command-line flag; `environ` replaces
        the process' environment. `to_train` skips the check that the settings' checkpoints are versions of the right
        plugin. Raises SettingsError with every mistake.
        """
        root = locate(Path(folder) if folder is not None else None).resolve()
        settings, origins = read(root, os.environ if environ is None else environ, flags)
        return cls(root, settings, plugins.find(root / settings.plugins_folder), origins, to_train=to_train)

    def join(self, name: str, plugin: Any) -> None:
        """Register a plugin of the calling program that wraps all models' hooks, like an addon in the plugins folder.

        Does nothing if one of that name has joined already. Raises PluginError when it breaks the contract.
        """
        plugins.join(self._manager, name, plugin)

    @property
    def is_starter(self) -> bool:
        """Whether this is the starter zoo inside an installed package, which is never changed."""
        return self.root == CARRIED.resolve()

    @property
    def default_model(self) -> str:
        """The name of the model that answers when none is named. Raises UnknownModel when there are no models."""
        if self.settings.default_model is not None:
            return self.settings.default_model
        if not self.models:
            raise UnknownModel(f"There is no model in {self.root}. Add a plugin to {self.settings.plugins_folder}/.")
        return next(iter(self.models))

    def model(self, name: str | None = None) -> Model:
        """Return the model of that name, or the default model. Raises UnknownModel."""
        name = self.default_model if name is None else str(name)
        if name not in self.models:
            raise inhabitants.unknown_model(name, self.models, self.plugins)
        return self.models[name]

    def warm(self) -> None:
        """Load every model that can be loaded, so that the first requests need not wait."""
        for name, model in self.models.items():
            try:
                model.load()
            except ZooError as error:
                log.info('model "%s" cannot answer: %s', name, error)

    def predict(self, model: str | None, picture: Source, *, version: int | None = None) -> Prediction:
        """Return one model's answer for one picture; None for `model` is the default model.

        Raises UnknownModel, UnknownCheckpoint, ModelUnavailable, PluginError, or a PictureError.
        """
        loaded = self.model(model).load(version)
        try:
            look = self.look(loaded, picture)
        except PictureError as error:
            loaded.notify([error])
            raise
        answer = loaded.predict(look.seen, look.trace)
        loaded.notify([answer])
        return answer

    def predict_many(self, model: str | None, pictures: Iterable[Source], *, version: int | None = None) -> Answers:
        """Return one model's answers for many pictures, in order; an unreadable picture has its error instead.

        Raises UnknownModel, UnknownCheckpoint, ModelUnavailable or PluginError, and PictureBroken when given a single
        picture instead of several.
        """
        loaded = self.model(model).load(version)
        seen = looking.look_at_many(loaded, several(pictures), self.given, self.settings.pictures)
        none = np.empty((0, len(loaded.card.labels)), np.float32)
        scores = loaded.probabilities(seen.batch) if len(seen.batch) else none
        answers = Answers.by(loaded.name, loaded.card, scores, seen.reasons, seen.trace, seen.errors)
        loaded.notify(answers)
        return answers

    def read(self, model: str | None, picture: Source, *, version: int | None = None) -> Reading:
        """Return all the digits in a picture, in reading order: a number on paper, drawn digits, lines of digits.

        A picture with nothing to read gives an empty reading with the reason. Raises what `predict` does.
        """
        from zoo import reading

        loaded = self.model(model).load(version)
        try:
            answer = reading.read_picture(loaded, self._decode(picture))
        except PictureError as error:
            loaded.notify([error])
            raise
        loaded.notify([answer])
        return answer

    def explain(self, model: str | None, picture: Source, *, version: int | None = None) -> list[Step]:
        """Return the steps from a picture to what one model saw, as its own preprocessing takes them.

        The step "seen" is missing if there is nothing to read. For a model that does not use `zoo.ink`, or a picture
        that does not need it, the only steps are "picture" and "seen". Raises what `predict` does.
        """
        from zoo import steps

        loaded = self.model(model).load(version)
        with steps.watching() as pictures:
            look = self.look(loaded, picture)
        pictures.setdefault("picture", steps.on_ground(look.image))
        if not look.trace.is_empty:
            pictures["seen"] = look.trace.seen
        return [Step(name, pictures[name]) for name in steps.STEPS if name in pictures]

    def why(
        self, model: str | None, picture: Source, *, label: str | int | None = None, version: int | None = None
    ) -> Why:
        """Return which pixels of what the model saw speak for its answer, or for another `label`; see `zoo.saliency`.

        `label` may be a number, which means its decimal text. The map, float32 (h, w), is 0 when there is nothing to
        read. Raises what `predict` does, and UnknownLabel.
        """
        from zoo import saliency

        loaded = self.model(model).load(version)
        return saliency.why(loaded, self.look(loaded, picture), label)

    def given(self, picture: Source) -> bytes | Image:
        """Return a picture file's bytes, or a decoded picture's pixels. Raises PictureBroken if it is unreadable."""
        return content(picture, self.settings.pictures.most)

    def look(self, loaded: Loaded, picture: Source) -> Look:
        """Return a picture as one model sees it. Raises PictureError or PluginError."""
        return looking.look(loaded, self.given(picture), self.settings.pictures)

    def decode(self, picture: Source) -> Image:
        """Decode a picture for `preprocess` hooks: uint8, upright, within the settings' limits. Raises PictureError."""
        return self._decode(picture).pixels

    def _decode(self, picture: Source) -> images.Reduced:
        """Decode a picture, and return its pixels with the scale at which it was decoded. Raises PictureError."""
        given = self.given(picture)
        if isinstance(given, bytes):
            return images.decode_reduced(given, self.settings.pictures)
        return images.Reduced.whole(given)

    def train(
        self,
        name: str,
        *,
        fast: bool = False,
        overrides: Mapping[str, Any] | None = None,
        resume: bool = False,
        progress: Progress | None = None,
    ) -> Card:
        """Train a model by its settings, publish the next version and return its card.

        If the settings now select the new version, it answers from now on. `fast` uses the plugin's quick settings and
        `overrides` changes single ones; a version trained with changed settings is never `latest`. `resume` continues
        the unfinished run with the same settings.

        Raises SettingsError for settings that do not exist or are not valid, UnknownModel, ModelUnavailable when the
        plugin is missing or quarantined, TrainingError, and PluginError. Ctrl-C raises `training.Stopped`.
        """
        from zoo import preparing, training
        from zoo.progress import Silent

        model = self.model(name)
        self._refuse_starter()
        run = preparing.prepare(self.root, model, fast, overrides or {})
        card = training.train(run, resume, progress or Silent())
        for other in self.models.values():
            other.reselect()
        return card

    def _refuse_starter(self) -> None:
        """Raise TrainingError in the starter zoo, which nothing may change."""
        if self.is_starter:
            raise TrainingError(
                "This is the starter zoo, which is never changed. Create your own first: zoo init my-zoo && cd my-zoo."
            )

    def calibrate(self, name: str, *, version: int | None = None) -> Card:
        """Find a checkpoint's temperature and threshold again, as training does, store them and return the card.

        If they change, the card's evaluation is removed, because it measured other answers. Raises TrainingError in
        the starter zoo, which is never changed, and what `predict` raises for the model and version.
        """
        from zoo import calibration, datasets

        self._refuse_starter()
        loaded = self.model(name).load(version)
        data = datasets.training_data(loaded.settings.dataset, loaded.settings.validation)
        found = calibration.calibrate(loaded.hooks, loaded.settings, loaded.shape, loaded.handle, data)
        card = self.catalogue.card(loaded.card.model, loaded.card.version)
        if found == card.calibration:
            return card
        return self._amended(card, calibration=found, evaluation=None)

    def _amended(self, card: Card, **facts: Any) -> Card:
        """Change fields of a card, on disk and in every model that has loaded it, and return the new card."""
        card = self.catalogue.amend(card, **facts)
        for model in self.models.values():
            model.renew(card)
        return card

    def network(self, name: str) -> keras.Model:
        """Return the trained network of a model, "cnn", or of one of its versions, "cnn/2".

        Raises UnknownModel, UnknownCheckpoint, and ModelUnavailable, also for a model that is a member of itself and
        without TensorFlow.
        """
        return self._members.network(name)

    def temperature(self, name: str) -> float:
        """Return the temperature in the card of a model, "cnn", or of a version, "cnn/2"; 1 without a calibration.

        Raises UnknownModel, UnknownCheckpoint, or ModelUnavailable when the card cannot be read.
        """
        return self._members.temperature(name)

    def evaluate(
        self, name: str, *, version: int | None = None, quick: bool = False, track: evaluation.Track = iter
    ) -> tuple[Card, Evaluation]:
        """Measure a checkpoint on its dataset's test pictures, store the result in its card and return both.

        `quick` does not measure robustness again and keeps the card's. The card is not written if its figures stay the
        same, nor in the starter zoo. Raises UnknownModel, UnknownCheckpoint, ModelUnavailable, PluginError,
        DatasetError, or CardChanged when the card was recalibrated meanwhile.
        """
        from zoo import evaluation

        loaded = self.model(name).load(version)
        measured = evaluation.on_test_pictures(loaded, robust=not quick, track=track)
        stored = loaded.card.evaluation
        if self.is_starter:
            return loaded.card, measured
        if stored is None or stored.model_dump(exclude={"created"}) != measured.model_dump(exclude={"created"}):
            return self._amended(loaded.card, evaluation=measured), measured
        return loaded.card, stored
