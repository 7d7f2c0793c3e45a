"""The catalogue of checkpoints: folders `<model>/<version>/` with card, weights, compiled form and history.

A version is a whole number from 1. It is published by a single rename and never overwritten; only its card may get a
new evaluation or calibration. A folder that is empty, or whose name starts with a dot, is not a checkpoint; a folder
with files but no card is a damaged one.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from zoo import cards, files
from zoo.cards import Card, FileFact
from zoo.errors import CardChanged, ModelUnavailable, SettingsError, UnknownCheckpoint, closest, cut
from zoo.history import from_csv
from zoo.settings import MODEL_NAME

CARD = "card.json"
HISTORY = "history.csv"
VERSION = re.compile(r"[1-9][0-9]{0,17}")


class Catalogue:
    """The checkpoints under one folder, which need not exist yet. Raises SettingsError if it is a file."""

    def __init__(self, folder: Path) -> None:
        if folder.exists() and not folder.is_dir():
            raise SettingsError([f"{folder} is a file, and should be the folder of checkpoints. Move it away."])
        self.folder = folder

    def versions(self, model: str) -> list[int]:
        """Return the versions of a model that have a card, oldest first."""
        return [version for version in self.found(model) if (self.path(model, version) / CARD).is_file()]

    def found(self, model: str) -> list[int]:
        """Return all versions of a model, oldest first, including damaged ones without a card."""
        return sorted(
            int(name) for name in _names(self.folder / model) if VERSION.fullmatch(name) and self.has(model, int(name))
        )

    def has(self, model: str, version: int) -> bool:
        """Whether there is such a version, be it damaged. Raises ModelUnavailable when its folder cannot be read."""
        return bool(_names(self.path(model, version)))

    def models(self) -> list[str]:
        """Return the names of the folders that may hold versions. Raises ModelUnavailable when unreadable."""
        names = _names(self.folder)
        return sorted(name for name in names if MODEL_NAME.fullmatch(name) and (self.folder / name).is_dir())

    def path(self, model: str, version: int) -> Path:
        """Return a checkpoint's folder, whether it exists or not."""
        return self.folder / model / str(version)

    def card(self, model: str, version: int) -> Card:
        """Read a card. Raises UnknownCheckpoint when there is none, ModelUnavailable when it is damaged."""
        path = self.path(model, version) / CARD
        try:
            with files.opened(path) as file:
                card, sealed = cards.parse(file.read())
        except FileNotFoundError as error:
            if self.has(model, version):
                raise ModelUnavailable(
                    f"Checkpoint {model}/{version} is damaged: its {CARD} is missing. Restore it from a copy, "
                    "or select another version."
                ) from error
            raise UnknownCheckpoint(self._no_such(model, str(version))) from error
        except OSError as error:
            raise ModelUnavailable(
                f"Checkpoint {model}/{version}: its card cannot be read: {error.strerror}."
            ) from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            raise ModelUnavailable(
                f"Checkpoint {model}/{version}: its {CARD} is damaged ({where}: {first['msg']}). "
                f"Restore {model}/{version} from a copy, or select another version."
            ) from error
        if not sealed:
            raise ModelUnavailable(
                f"Checkpoint {model}/{version}: its {CARD} has changed since it was written. Restore it from a copy."
            )
        if (card.model, card.version) != (model, version):
            raise ModelUnavailable(
                f"Checkpoint {model}/{version}: its {CARD} is that of {card.ref}. A checkpoint keeps its number: "
                f"rename the folder to {card.ref}. If another checkpoint has that name here, set model and version in "
                f'this {CARD} to "{model}" and {version}, and delete its seal. '
                f'Another model of the plugin can use the checkpoint without a copy: checkpoint = "{card.ref}".'
            )
        return card

    def history(self, card: Card) -> list[dict[str, float]]:
        """Return the history of a checkpoint's training, one row per epoch; empty when there is none.

        A row has numbers such as epoch, loss, accuracy, val_loss, val_accuracy, learning_rate and seconds. Cells that
        are not numbers, or are absurdly large, are left out.
        """
        try:
            return from_csv(self.content(card, HISTORY))
        except OSError:
            return []

    def select(self, model: str, wanted: int | str, plugin: str | None = None) -> tuple[str, int]:
        """Return the (model, version) that a setting such as 3, "latest" or "cnn/3" names.

        `latest` is the newest version trained with the model's own settings as they were then; with `plugin`, the
        newest such version of that plugin. Raises UnknownCheckpoint, or ModelUnavailable when a card cannot be read.
        """
        if wanted == "latest":
            for version in reversed(self.versions(model)):
                card = self.card(model, version)
                if not card.overrides and plugin in (None, card.plugin):
                    return model, version
            raise UnknownCheckpoint(self._no_latest(model, plugin))
        owner, _, number = str(wanted).rpartition("/")
        owner = owner or model
        if not VERSION.fullmatch(number) or not self.has(owner, int(number)):
            raise UnknownCheckpoint(self._no_such(owner, str(wanted), plugin))
        return owner, int(number)

    def _no_latest(self, model: str, plugin: str | None) -> str:
        """Return the message that a model has no version trained with its own settings."""
        versions = self._of(plugin, model)
        if not versions:
            return self._untrained(model, plugin)
        return (
            f'Model "{model}" has no version trained with its own settings, only quick or changed runs '
            f"({_listed(versions)}). Name one of them as its checkpoint, or train: zoo train {model}."
        )

    def _untrained(self, model: str, plugin: str | None) -> str:
        """Return the message that a model has no checkpoint of its plugin."""
        others = self.versions(model)
        rest = f' of its plugin "{plugin}", only of another ({_listed(others)})' if others else " yet"
        return f'Model "{model}" has no checkpoint{rest}. Train one: zoo train {model}.'

    def _no_such(self, model: str, wanted: str, plugin: str | None = None) -> str:
        """Return the message that a checkpoint with this number or name does not exist, with those that do."""
        numbered, other = wanted.rpartition("/")[2].isdecimal(), "/" in wanted
        form = "" if numbered else f" {self._form(model if other else wanted)}"
        wanted = cut(wanted)
        if versions := self._of(plugin, model):
            near = "" if numbered or other else closest(wanted, ["latest"])
            return f'Model "{model}" has no checkpoint {wanted}.{near} It has: {_listed(versions)}.{form}'
        if not other:
            return self._untrained(model, plugin) + form
        owners = [owner for owner in self.models() if self.versions(owner)]
        return (
            f"There is no checkpoint {wanted}.{closest(model, owners)} Models with checkpoints: "
            f"{', '.join(owners) or '-'}.{form}"
        )

    def _of(self, plugin: str | None, model: str) -> list[int]:
        """Return the versions of a model that are of a plugin, oldest first."""
        return [version for version in self.versions(model) if self._is_of(plugin, model, version)]

    def _is_of(self, plugin: str | None, model: str, version: int) -> bool:
        """Whether a version is of a plugin, which is assumed when its card cannot be read or `plugin` is None."""
        try:
            return plugin in (None, self.card(model, version).plugin)
        except ModelUnavailable:
            return True

    def _form(self, meant: str) -> str:
        """Return a sentence on the form of a checkpoint's name, with an example of the model probably meant."""
        known = self.versions(meant) if MODEL_NAME.fullmatch(meant) else []
        such = f", such as {meant}/{known[-1]}" if known else ""
        return f'It should be a version such as 1, "latest", or MODEL/VERSION{such}.'

    def verify(self, card: Card) -> None:
        """Hash every file of a checkpoint. Raises ModelUnavailable naming each file that is missing or changed."""
        if wrong := [problem for name in card.files if (problem := self._damage(card, name))]:
            raise ModelUnavailable(
                f"Checkpoint {card.ref} is damaged: {'; '.join(wrong)}. "
                f"Restore it from a copy, select another version, or train again: zoo train {card.model}."
            )

    def content(self, card: Card, name: str) -> bytes:
        """Return a file of a checkpoint. Raises OSError when it cannot be read or is not what its card says."""
        if problem := self._damage(card, name):
            raise OSError(errno.EIO, problem)
        with files.opened(self.path(card.model, card.version) / name) as file:
            return file.read()

    def _damage(self, card: Card, name: str) -> str | None:
        """Return how a file differs from what its card says, or None if it does not, or the card does not list it."""
        path, fact = self.path(card.model, card.version) / name, card.files.get(name)
        if fact is None:
            return None
        try:
            with files.opened(path) as file:
                size = os.fstat(file.fileno()).st_size
                if size != fact.bytes:
                    return f"{name} has {size} bytes, but its card says {fact.bytes}"
                if hashlib.file_digest(file, "sha256").hexdigest() != fact.sha256:
                    return f"{name} has changed since it was saved (SHA-256 differs from its card)"
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
        return None

    def facts(self, folder: Path) -> dict[str, FileFact]:
        """Return size and hash of every file in a folder except the card, by its path relative to the folder."""
        paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / CARD)
        return {
            path.relative_to(folder).as_posix(): FileFact(sha256=files.sha256(path), bytes=path.stat().st_size)
            for path in paths
        }

    def make_ready(self, model: str) -> None:
        """Check that a version of the model can be published later. Creates nothing. Raises OSError."""
        folder = self.folder / model
        while not os.path.lexists(folder):  # a broken link, as to an unmounted disk, counts as existing
            folder = folder.parent
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))

    def publish(self, folder: Path, facts: Mapping[str, Any]) -> Card:
        """Write the card into a folder of finished files, and rename it to the next free version of `facts["model"]`.

        Returns the card. Raises OSError.
        """
        model = str(facts["model"])
        while True:
            taken = [int(path.name) for path in (self.folder / model).glob("[1-9]*") if path.name.isdecimal()]
            version = max(taken, default=0) + 1
            target = self.path(model, version)
            card = Card(version=version, files=self.facts(folder), **facts)
            files.write(folder / CARD, cards.to_json(card))
            try:
                files.move_folder(folder, target)
            except FileExistsError:
                if not target.exists():
                    raise
                continue  # another run has taken the number meanwhile
            return card

    def amend(self, card: Card, **facts: Any) -> Card:
        """Set `evaluation` or `calibration` in a checkpoint's card on disk, and return the new card.

        Raises CardChanged when an evaluation was measured with a calibration that the card on disk no longer has, and
        what `card` raises.
        """
        self.card(card.model, card.version)  # raises if there is no folder to lock
        folder = self.path(card.model, card.version)
        with files.alone(folder):
            now = self.card(card.model, card.version)
            if "calibration" not in facts and now.calibration != card.calibration:
                raise CardChanged(
                    f"Checkpoint {card.ref} was recalibrated while it was measured, so the measurement was discarded "
                    "and the card not changed. Measure it again: "
                    f"zoo evaluate {card.model} --version {card.version}."
                )
            card = now.model_copy(update=facts)
            files.write(folder / CARD, cards.to_json(card))
        return card


def _names(folder: Path) -> list[str]:
    """Return the names in a folder, none if there is no such folder. Raises ModelUnavailable when it cannot be read."""
    try:
        return [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ModelUnavailable(f"{error.filename or folder} cannot be read: {error.strerror}.") from error


def _listed(versions: Sequence[int]) -> str:
    """Join versions for a message: `1, 2`."""
    return ", ".join(map(str, versions))
