"""The `Zoo` class, which the command line, the web server and notebooks use."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo import defaults, images, inhabitants, looking, plugins
from zoo.answers import Answers, prediction
from zoo.checkpoints import VERSION, Card, Catalogue, Evaluation
from zoo.configuration import FILE, as_text, keys_of, merged, read, to_json, validate
from zoo.errors import (
    ModelUnavailable,
    NoInk,
    PictureError,
    SettingsError,
    TrainingError,
    UnknownCheckpoint,
    UnknownLabel,
    UnknownModel,
    ZooError,
    closest,
    cut,
)
from zoo.looking import Look
from zoo.mistakes import Key, Origins
from zoo.models import Loaded, Model
from zoo.plugins import Plugins
from zoo.settings import Settings
from zoo.sources import Source, content, several
from zoo.starter import CARRIED, locate
from zoo.types import Image, Prediction, Reading, Scores, Sign, Step, Why, enlarged

if TYPE_CHECKING:
    import keras

    from zoo import evaluation, training

log = logging.getLogger("zoo")

_building: ContextVar[tuple[str, ...]] = ContextVar("building", default=())
"""The checkpoints whose networks are being built, each as a member of the one before; to detect cycles."""


class Zoo:
    """An open zoo: a folder of plugins, checkpoints and settings. Use `Zoo.open`."""

    def __init__(self, root: Path, settings: Settings, found: Plugins, catalogue: Catalogue) -> None:
        self.root = root
        self.settings = settings
        self.plugins = found
        self.catalogue = catalogue
        self.models: dict[str, Model] = {}

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
        found = plugins.find(root / settings.plugins_folder)
        zoo = cls(root, settings, found, Catalogue(root / settings.checkpoints_folder))
        zoo.models, problems = inhabitants.settled(root, settings, found, zoo.catalogue, origins)
        if not to_train:
            problems += inhabitants.without_version(zoo.models.values(), zoo.catalogue, origins)
        if problems:
            raise SettingsError(problems)
        zoo._settle()
        return zoo

    def _settle(self) -> None:
        """Give every model its hooks and access to the other models."""
        ready = {name: model.family for name, model in self.models.items() if model.family is not None}
        addons = [family for family in self.plugins.families.values() if family.addon]
        self._manager, hooks = plugins.register(ready, addons, defaults)
        for name in hooks:
            self.models[name].hooks = hooks[name]
        for name, model in self.models.items():
            model.settings = model.settings.named(name, self)
            model.zoo = self

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
            if name in self.plugins.quarantined:  # under a name that no model can have
                raise UnknownModel(f'There is no model "{name}": {self.plugins.quarantined[name].problem}')
            if others := inhabitants.called_otherwise(name, self.models, self.plugins):
                raise UnknownModel(f'There is no model "{name}": {others}')
            model, _, version = name.partition("/")
            if model in self.models and version.isdecimal():
                raise UnknownModel(
                    f'There is no model "{cut(name)}". Name the model "{model}" and its version separately: '
                    f"--version {cut(version)}, or version={cut(version)} in the API and in Python."
                )
            raise UnknownModel(
                f'There is no model "{cut(name)}".{closest(name, self.models)} '
                f"The models are: {', '.join(self.models)}."
            )
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
        chosen = self.model(model)
        loaded = chosen.load(version)
        try:
            look = self.look(chosen, loaded, picture)
        except PictureError as error:
            chosen.tell(loaded, [error])
            raise
        scores = chosen.scores(loaded, look.seen[np.newaxis])
        answer = prediction(chosen.name, loaded.card, scores[0].tolist(), look.trace)
        chosen.tell(loaded, [answer])
        return answer

    def predict_many(self, model: str | None, pictures: Iterable[Source], *, version: int | None = None) -> Answers:
        """Return one model's answers for many pictures, in order; an unreadable picture has its error instead.

        Raises UnknownModel, UnknownCheckpoint, ModelUnavailable or PluginError, and PictureBroken when given a single
        picture instead of several.
        """
        chosen = self.model(model)
        loaded = chosen.load(version)
        seen = looking.look_at_many(chosen, loaded, several(pictures), self.given, self.settings.pictures)
        none = np.empty((0, len(loaded.card.labels)), np.float32)
        scores = chosen.scores(loaded, seen.batch) if len(seen.batch) else none
        answers = Answers.by(chosen.name, loaded.card, scores, seen.reasons, seen.trace, seen.errors)
        chosen.tell(loaded, answers)
        return answers

    def read(self, model: str | None, picture: Source, *, version: int | None = None) -> Reading:
        """Return all the digits in a picture, in reading order: a number on paper, drawn digits, lines of digits.

        A picture with nothing to read gives an empty reading with the reason. Raises what `predict` does.
        """
        chosen = self.model(model)
        loaded = chosen.load(version)
        try:
            answer = self._read(chosen, loaded, picture)
        except PictureError as error:
            chosen.tell(loaded, [error])
            raise
        chosen.tell(loaded, [answer])
        return answer

    def _read(self, chosen: Model, loaded: Loaded, picture: Source) -> Reading:
        """Return the reading of a picture by a loaded model. Raises a PictureError or PluginError."""
        from zoo import pieces, reading

        image, by, size = self._decode(picture)
        card = loaded.card
        threshold = max(reading.LEAST, card.calibration.threshold if card.calibration else 0.0)

        def recognise(levels: Sequence[Image]) -> Scores:
            return chosen.scores(loaded, np.stack([chosen.take(loaded, level) for level in levels]))

        try:
            found = reading.read(pieces.find(image, loaded.settings.ink), recognise)
        except NoInk as nothing:
            return Reading(chosen.name, card.ref, (), nothing.reason)
        signs = []
        for one in found:
            best = int(one.scores.argmax())
            signs.append(
                Sign(
                    label=card.labels[best],
                    confidence=float(one.scores[best]),
                    box=enlarged(one.box, by, size),
                    line=one.line,
                    rejected=one.odd or bool(one.scores[best] < threshold),
                    touching=one.touching,
                )
            )
        return Reading(chosen.name, card.ref, tuple(signs), None if signs else "blank")

    def explain(self, model: str | None, picture: Source, *, version: int | None = None) -> list[Step]:
        """Return the steps from a picture to what one model saw, as its own preprocessing takes them.

        The step "seen" is missing if there is nothing to read. For a model that does not use `zoo.ink`, or a picture
        that does not need it, the only steps are "picture" and "seen". Raises what `predict` does.
        """
        from zoo import steps

        chosen = self.model(model)
        loaded = chosen.load(version)
        with steps.watching() as told:
            look = self.look(chosen, loaded, picture)
        told.setdefault("picture", steps.on_ground(look.image))
        if look.trace.reason is None or look.trace.box is not None:
            told["seen"] = look.trace.seen
        return [Step(name, told[name]) for name in steps.STEPS if name in told]

    def why(
        self, model: str | None, picture: Source, *, label: str | int | None = None, version: int | None = None
    ) -> Why:
        """Return which pixels of what the model saw speak for its answer, or for another `label`; see `zoo.saliency`.

        `label` may be a number, which means its decimal text. The map, float32 (h, w), is 0 when there is nothing to
        read. Raises what `predict` does, and UnknownLabel.
        """
        from zoo import saliency

        chosen = self.model(model)
        loaded = chosen.load(version)
        look = self.look(chosen, loaded, picture)
        seen = look.seen
        scores = chosen.scores(loaded, seen[np.newaxis])
        answer = prediction(chosen.name, loaded.card, scores[0].tolist(), look.trace)
        asked = answer.label if label is None else str(label)
        if asked not in answer.labels:
            raise UnknownLabel(
                f'Model "{chosen.name}" has no label "{cut(asked)}".{closest(asked, answer.labels)} '
                f"Its labels are: {', '.join(answer.labels)}."
            )
        way = loaded.settings.why
        if look.trace.reason is not None and look.trace.box is None:
            return Why(answer, asked, way, np.zeros(seen.shape[:2], np.float32))
        find = saliency.weights if way == "weights" else saliency.occlusion
        return Why(answer, asked, way, find(seen, partial(chosen.scores, loaded), answer.labels.index(asked)))

    def given(self, picture: Source) -> bytes | Image:
        """Return a picture file's bytes, or a decoded picture's pixels. Raises PictureBroken if it is unreadable."""
        return content(picture, self.settings.pictures.most)

    def look(self, model: Model, loaded: Loaded, picture: Source) -> Look:
        """Return a picture as one model sees it. Raises PictureError or PluginError."""
        return looking.look(model, loaded, self.given(picture), self.settings.pictures)

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
        progress: training.Progress | None = None,
    ) -> Card:
        """Train a model by its settings, publish the next version and return its card.

        If the settings now select the new version, it answers from now on. `fast` uses the plugin's quick settings and
        `overrides` changes single ones; a version trained with changed settings is never `latest`. `resume` continues
        the unfinished run with the same settings.

        Raises SettingsError for settings that do not exist or are not valid, UnknownModel, ModelUnavailable when the
        plugin is missing or quarantined, TrainingError, and PluginError. Ctrl-C raises `training.Stopped`.
        """
        from zoo import training

        model = self.model(name)
        if model.family is None or model.hooks is None:
            raise ModelUnavailable(model.problem or f'Model "{name}" has no plugin.')
        self._refuse_starter()
        asked: dict[str, Any] = to_json(dict(overrides or {}))
        changes = merged(to_json(dict(model.family.settings.fast)) if fast else {}, asked)
        own = model.settings.model_dump(mode="json")
        settings, wrong = validate(
            model.family.settings,
            merged(own, changes),
            Origins(FILE, {("models", name, *key): ".".join(key) for key in keys_of(changes)}),
            ("models", name),
            f'plugin "{model.plugin}"',
        )
        if settings is None:
            raise SettingsError(wrong)
        departing = {key: value for key, value in settings.model_dump(mode="json").items() if value != own.get(key)}
        of_this_run = {key: departing[key] for key in changes if key in departing}
        run = training.Run(
            model=name,
            family=model.family,
            hooks=model.hooks,
            settings=settings.named(name, self, model.hooks.build),
            overrides=of_this_run,
            catalogue=self.catalogue,
            work=self.root / ".zoo",
            command=self._command(name, fast, asked),
            quick=fast and bool(of_this_run),
        )
        card = training.train(run, resume, progress or training.Silent())
        for one in self.models.values():
            one.reselect()
        return card

    def _command(self, name: str, fast: bool, overrides: Mapping[str, Any]) -> str:
        """Return the shell command that starts the same training from the working directory."""
        words = ["zoo", *([] if self.root == locate().resolve() else ["--zoo", str(self.root)]), "train", name]
        words += ["--fast"] if fast else []
        for key in keys_of(overrides):
            value: Any = overrides
            for part in key:
                value = value[part]
            flag = key[0] in ("epochs", "seed") and isinstance(value, int)
            words += [f"--{key[0]}", str(value)] if flag else ["--set", f"{'.'.join(key)}={as_text(value)}"]
        return shlex.join(words)

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
        model = self.model(name)
        loaded = model.load(version)
        assert model.hooks is not None
        data = datasets.training_data(loaded.settings.dataset, loaded.settings.validation)
        found = calibration.calibrate(model.hooks, loaded.settings, tuple(loaded.card.input_shape), loaded.handle, data)
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

        Raises UnknownModel, UnknownCheckpoint, ModelUnavailable (also for a model that is a member of itself), and
        TrainingError without TensorFlow.
        """
        from zoo import training

        model, version = self._version(name)
        ref = "{}/{}".format(*model.select(version))
        around = _building.get()
        if ref in around:
            parts = ", which is made of ".join((*around[around.index(ref) + 1 :], ref))
            raise ModelUnavailable(f"{ref} is made of {parts}: a cycle. Ask for another member in build.")
        training.start_tensorflow()
        token = _building.set((*around, ref))
        try:
            network: keras.Model = model.network(version)
        finally:
            _building.reset(token)
        return network

    def temperature(self, name: str) -> float:
        """Return the temperature in the card of a model, "cnn", or of a version, "cnn/2"; 1 without a calibration.

        Raises UnknownModel, UnknownCheckpoint, or ModelUnavailable when the card cannot be read.
        """
        model, version = self._version(name)
        found = self.catalogue.card(*model.select(version)).calibration
        return found.temperature if found else 1.0

    def _version(self, name: str) -> tuple[Model, int | None]:
        """Split "cnn/2" into model and version; the version of "cnn" is None, which means the selected one."""
        name, _, version = name.partition("/")
        if version and not VERSION.fullmatch(version):
            raise UnknownCheckpoint(f'"{name}/{cut(version)}" names no version. Use a whole number, as in {name}/1.')
        return self.model(name), int(version) if version else None

    def evaluate(
        self, name: str, *, version: int | None = None, quick: bool = False, track: evaluation.Track = iter
    ) -> tuple[Card, Evaluation]:
        """Measure a checkpoint on its dataset's test pictures, store the result in its card and return both.

        `quick` does not measure robustness again and keeps the card's. The card is not written if its figures stay the
        same, nor in the starter zoo. Raises UnknownModel, UnknownCheckpoint, ModelUnavailable, PluginError,
        DatasetError, or CardChanged when the card was recalibrated meanwhile.
        """
        from zoo import evaluation

        model = self.model(name)
        loaded = model.load(version)
        measured = evaluation.on_test_pictures(model, loaded, robust=not quick, track=track)
        stored = loaded.card.evaluation
        if self.is_starter:
            return loaded.card, measured
        if stored is None or stored.model_dump(exclude={"created"}) != measured.model_dump(exclude={"created"}):
            return self._amended(loaded.card, evaluation=measured), measured
        return loaded.card, stored
