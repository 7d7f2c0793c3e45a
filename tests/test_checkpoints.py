"""The catalogue: versions are whole or not there, selected by name or number, and hashed before they answer."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
from pathlib import Path

import pytest
from conftest import flip_byte
from limiting import python_limited

from zoo import Zoo, files, listings
from zoo.cards import Card
from zoo.checking import check
from zoo.checkpoints import Catalogue
from zoo.errors import ModelUnavailable, SettingsError, UnknownCheckpoint


def versions(folder: Path, *numbers: int, overridden: tuple[int, ...] = ()) -> Catalogue:
    """Copies of soft/1 under other numbers, some of them as runs with changed settings."""
    for number in numbers:
        copy = shutil.copytree(folder / "checkpoints/soft/1", folder / f"checkpoints/soft/{number}")
        card = json.loads((copy / "card.json").read_text())
        del card["seal"]
        card |= {"version": number, "overrides": {"epochs": 1} if number in overridden else {}}
        (copy / "card.json").write_text(json.dumps(card))
    return Catalogue(folder / "checkpoints")


def test_latest_is_the_newest_number_not_the_last_in_the_alphabet(zoo_folder: Path) -> None:
    assert versions(zoo_folder, 2, 10).select("soft", "latest") == ("soft", 10)


def test_a_run_with_changed_settings_is_never_latest(zoo_folder: Path) -> None:
    assert versions(zoo_folder, 2, 3, overridden=(3,)).select("soft", "latest") == ("soft", 2)


def test_a_number_and_another_models_version_can_be_named(zoo_folder: Path) -> None:
    catalogue = versions(zoo_folder, 2)
    assert catalogue.select("soft", 2) == ("soft", 2)
    assert catalogue.select("twin", "soft/2") == ("soft", 2)


def test_only_changed_runs_are_told_apart_from_no_runs(zoo_folder: Path) -> None:
    catalogue = versions(zoo_folder, 2, overridden=(2,))
    shutil.rmtree(zoo_folder / "checkpoints/soft/1")
    with pytest.raises(UnknownCheckpoint, match=r"only quick or changed runs \(2\)"):
        catalogue.select("soft", "latest")
    with pytest.raises(UnknownCheckpoint, match=r'Model "other" has no checkpoint yet\. Train one: zoo train other'):
        catalogue.select("other", "latest")


def test_what_is_half_or_hidden_is_no_version(zoo_folder: Path) -> None:
    folder = zoo_folder / "checkpoints/soft"
    for name in ("2", ".3.part", "03", "notes"):
        (folder / name).mkdir()
    (folder / ".3.part/card.json").write_text("{}")
    (folder / "03/card.json").write_text("{}")
    assert Catalogue(zoo_folder / "checkpoints").versions("soft") == [1]


@pytest.mark.parametrize("wanted", ["7", '"soft/7"', '"gone/1"', f'"{"9" * 5000}"'], ids=lambda wanted: wanted[:9])
def test_a_version_that_is_not_there_costs_no_other_model_its_answers(zoo_folder: Path, picture, wanted: str) -> None:
    with (zoo_folder / "settings.toml").open("a") as settings:
        settings.write(f'[models.lost]\nplugin = "soft"\ncheckpoint = {wanted}\n')
    zoo = Zoo.open(zoo_folder, environ={})
    assert zoo.predict("soft", picture(0)).digit == 7
    with pytest.raises(ModelUnavailable, match=r"no checkpoint"):
        zoo.predict("lost", picture(0))
    assert [finding.what for finding in check(zoo) if finding.level == "error"] == ["model lost"]


def test_a_version_that_has_lost_its_card_is_listed_as_damaged(zoo_folder: Path) -> None:
    (zoo_folder / "checkpoints/soft/1/card.json").unlink()
    (zoo_folder / "settings.toml").write_text("[models.soft]\ncheckpoint = 1\n")
    zoo = Zoo.open(zoo_folder, environ={})
    says = "Checkpoint soft/1 is damaged: its card.json is missing. Restore it from a copy, or select another version."
    with pytest.raises(ModelUnavailable, match=says):
        zoo.model("soft").load()
    errors = {finding.what: finding.text for finding in check(zoo) if finding.level == "error"}
    assert errors == {"model soft": says, "checkpoint soft/1": says}
    (row,) = listings.checkpoints(zoo)
    assert (row["checkpoint"], row["served_by"], row["problem"]) == ("soft/1", ["soft"], says)


def test_latest_is_of_the_models_own_plugin(zoo_folder: Path) -> None:
    catalogue = versions(zoo_folder, 2, 3, overridden=(2,))
    path = zoo_folder / "checkpoints/soft/3/card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"plugin": "cnn"}))
    assert catalogue.select("soft", "latest", "soft") == ("soft", 1)
    assert Zoo.open(zoo_folder, environ={}).model("soft").load().card.version == 1
    with pytest.raises(UnknownCheckpoint, match=r"no checkpoint 9\. It has: 1, 2\."):
        catalogue.select("soft", 9, "soft")
    shutil.rmtree(zoo_folder / "checkpoints/soft/1")
    with pytest.raises(UnknownCheckpoint, match=r"only quick or changed runs \(2\)\. Name one of them"):
        catalogue.select("soft", "latest", "soft")
    shutil.rmtree(zoo_folder / "checkpoints/soft/2")
    with pytest.raises(UnknownCheckpoint, match=r'no checkpoint of its plugin "soft", only of another \(3\)\. Train'):
        catalogue.select("soft", "latest", "soft")


@pytest.mark.parametrize("name", ["model.weights.h5", "model.tflite", "history.csv"])
def test_a_changed_byte_in_any_file_is_noticed_before_it_answers(zoo_folder: Path, picture, name: str) -> None:
    flip_byte(zoo_folder / "checkpoints/soft/1" / name, at=40)
    zoo = Zoo.open(zoo_folder, environ={})
    with pytest.raises(ModelUnavailable, match=f"Checkpoint soft/1 is damaged: {name} has changed since it was saved"):
        zoo.predict("soft", picture(0))
    assert any(name in finding.text and finding.level == "error" for finding in check(zoo))


def test_a_missing_file_and_a_cut_file_are_named(zoo_folder: Path) -> None:
    folder = zoo_folder / "checkpoints/soft/1"
    (folder / "history.csv").unlink()
    (folder / "model.tflite").write_bytes((folder / "model.tflite").read_bytes()[:100])
    with pytest.raises(
        ModelUnavailable, match=r"history.csv cannot be read .*model.tflite has 100 bytes, but its card says"
    ):
        Zoo.open(zoo_folder, environ={}).model("soft").load()


def test_a_model_answers_again_once_its_checkpoint_is_restored(
    zoo_folder: Path, picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo.models.FRESH", 0.0)
    path = zoo_folder / "checkpoints/soft/1/model.tflite"
    whole = path.read_bytes()
    flip_byte(path)
    zoo = Zoo.open(zoo_folder, environ={})
    with pytest.raises(ModelUnavailable):
        zoo.predict("soft", picture(0))
    path.write_bytes(whole)
    assert zoo.predict("soft", picture(0)).digit == 7


@pytest.mark.parametrize(
    "name", ["../../../plugins/soft.py", "/dev/zero", "", ".", "sub/../../x", "..\\x", "C:x", "a\0b"]
)
def test_a_card_that_lists_files_outside_its_folder_is_damaged(zoo_folder: Path, name: str) -> None:
    path = zoo_folder / "checkpoints/soft/1/card.json"
    card = json.loads(path.read_text())
    card["files"][name] = {"sha256": "0" * 64, "bytes": 0}
    path.write_text(json.dumps(card | {"seal": None}))
    (finding,) = [one for one in check(Zoo.open(zoo_folder, environ={})) if one.what == "checkpoint soft/1"]
    assert finding.level == "error"
    assert f'"{name}" is not the name of a file in the folder of the checkpoint' in finding.text


def test_a_file_that_is_no_regular_one_is_damage_and_is_not_read(zoo_folder: Path) -> None:
    folder = zoo_folder / "checkpoints/soft/1"
    card = json.loads((folder / "card.json").read_text())
    for name, fact in card["files"].items():
        (folder / name).unlink()
        fact |= {"bytes": 0}
    os.mkfifo(folder / "history.csv")
    (folder / "model.tflite").symlink_to("/dev/zero")
    (folder / "model.weights.h5").mkdir()
    (folder / "card.json").write_text(json.dumps(card | {"seal": None}))
    catalogue = Catalogue(zoo_folder / "checkpoints")
    with pytest.raises(ModelUnavailable) as raised:
        catalogue.verify(catalogue.card("soft", 1))
    assert str(raised.value).count("cannot be read (it is not a regular file)") == 3
    assert catalogue.history(catalogue.card("soft", 1)) == []
    (folder / "card.json").unlink()
    os.mkfifo(folder / "card.json")
    with pytest.raises(ModelUnavailable, match=r"its card cannot be read: it is not a regular file\."):
        catalogue.card("soft", 1)


def test_a_file_may_lie_in_a_folder_of_its_own_and_be_a_link_to_what_the_card_lists(zoo_folder: Path) -> None:
    folder = zoo_folder / "checkpoints/soft/1"
    (folder / "deep").mkdir()
    (folder / "history.csv").rename(folder / "deep/rows.csv")
    (folder / "history.csv").symlink_to("deep/rows.csv")
    card = json.loads((folder / "card.json").read_text())
    card["files"]["deep/rows.csv"] = card["files"]["history.csv"]
    (folder / "card.json").write_text(json.dumps(card | {"seal": None}))
    catalogue = Catalogue(zoo_folder / "checkpoints")
    catalogue.verify(catalogue.card("soft", 1))
    assert catalogue.history(catalogue.card("soft", 1))


@pytest.mark.parametrize("text", ["", "{", '{"format": 1}', "[]", "\x00"])
def test_a_damaged_card_makes_its_model_unavailable_not_the_zoo(zoo_folder: Path, text: str) -> None:
    (zoo_folder / "checkpoints/soft/1/card.json").write_text(text)
    zoo = Zoo.open(zoo_folder, environ={})
    with pytest.raises(ModelUnavailable, match=r"Checkpoint soft/1: its card.json is damaged"):
        zoo.model("soft").load()


def test_a_file_where_the_checkpoints_should_be_is_refused_in_one_line(zoo_folder: Path) -> None:
    shutil.rmtree(zoo_folder / "checkpoints")
    (zoo_folder / "checkpoints").write_text("")
    with pytest.raises(SettingsError, match="is a file, and should be the folder of checkpoints"):
        Zoo.open(zoo_folder, environ={})


def test_another_plugins_checkpoint_is_refused_at_start(zoo_folder: Path) -> None:
    shutil.copy(zoo_folder / "plugins/soft.py", zoo_folder / "plugins/other.py")
    (zoo_folder / "settings.toml").write_text('[models.other]\ncheckpoint = "soft/1"\n')
    with pytest.raises(SettingsError, match='this is a checkpoint of plugin "soft", but the model uses plugin "other"'):
        Zoo.open(zoo_folder, environ={})


def test_a_served_checkpoint_keeps_its_cards_settings_and_check_reports_the_difference(zoo_folder: Path) -> None:
    (zoo_folder / "settings.toml").write_text('[models.soft]\nepochs = 9\npreprocess = "resize"\n')
    zoo = Zoo.open(zoo_folder, environ={})
    assert zoo.model("soft").load().settings.preprocess == "ink"
    texts = [finding.text for finding in check(zoo) if finding.level == "warning"]
    assert any(text.startswith("the settings have epochs = 9, but checkpoint soft/1 was") for text in texts)


def test_check_reports_what_an_older_card_does_not_tell(zoo_folder: Path) -> None:
    path = zoo_folder / "checkpoints/soft/1/card.json"
    card = json.loads(path.read_text())
    del card["seal"], card["settings"]["coarse"]
    path.write_text(json.dumps(card))
    with (zoo_folder / "settings.toml").open("a") as settings:
        settings.write("coarse = 5\n")
    (text,) = [finding.text for finding in check(Zoo.open(zoo_folder, environ={})) if finding.level == "warning"]
    assert text.startswith("the settings have coarse = 5, but checkpoint soft/1 was trained with 0")


def test_check_reports_a_plugin_that_has_changed_since_it_trained_a_checkpoint(zoo_folder: Path) -> None:
    def warnings() -> list[str]:
        return [finding.text for finding in check(Zoo.open(zoo_folder, environ={})) if finding.level == "warning"]

    assert warnings() == []
    plugin = zoo_folder / "plugins/soft.py"
    plugin.write_text(plugin.read_text().replace("softmax", "sigmoid"))
    says = "soft/1 was trained by another version of plugins/soft.py; if build or preprocess changed, train again: "
    assert warnings() == [f"{says}zoo train soft"]
    path = zoo_folder / "checkpoints/soft/1/card.json"
    card = json.loads(path.read_text())
    del card["seal"], card["plugin_sha256"]
    path.write_text(json.dumps(card))
    assert warnings() == [], "an older card does not say"
    assert "plugin_sha256" not in Catalogue(zoo_folder / "checkpoints").card("soft", 1).model_dump()


def test_check_writes_values_as_they_are_set(zoo_folder: Path) -> None:
    with (zoo_folder / "plugins/soft.py").open("a") as plugin:
        plugin.write("from zoo import ModelSettings\nclass Settings(ModelSettings):\n    dropout: float | None = 0.5\n")
    texts = [finding.text for finding in check(Zoo.open(zoo_folder, environ={"ZOO_MODELS__SOFT__DROPOUT": "null"}))]
    assert any(text.startswith("the settings have dropout = null, but checkpoint soft/1 was trained") for text in texts)


def test_publishing_never_overwrites_and_takes_the_next_number(zoo_folder: Path, tmp_path: Path) -> None:
    catalogue = versions(zoo_folder, 4)
    facts = catalogue.card("soft", 4).model_dump(exclude={"version", "files"})
    (tmp_path / "new").mkdir()
    (tmp_path / "new/model.tflite").write_bytes(b"x")
    assert catalogue.publish(tmp_path / "new", facts).version == 5
    assert not (tmp_path / "new").exists()
    assert catalogue.card("soft", 5).files["model.tflite"].bytes == 1


def test_publishing_to_where_no_folder_can_be_made_ends_in_the_reason(zoo_folder: Path, tmp_path: Path) -> None:
    catalogue = Catalogue(zoo_folder / "checkpoints")
    link = zoo_folder / "checkpoints/far"
    link.symlink_to(tmp_path / "a disk that is not there")
    with pytest.raises(NotADirectoryError, match="checkpoints/far"):
        catalogue.make_ready("far")
    facts = catalogue.card("soft", 1).model_dump(exclude={"version", "files"}) | {"model": "far"}
    (tmp_path / "new").mkdir()
    with pytest.raises(FileExistsError, match="checkpoints/far"):
        catalogue.publish(tmp_path / "new", facts)
    assert (tmp_path / "new").is_dir()


def test_files_that_nobody_may_write_are_published(zoo_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new/model.tflite").write_bytes(b"x")
    (tmp_path / "new/model.tflite").chmod(0o444)
    move = "import sys; from pathlib import Path; from zoo import files; files.move_folder(*map(Path, sys.argv[1:]))"
    done = python_limited("-c", move, str(tmp_path / "new"), str(zoo_folder / "checkpoints/soft/2"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (zoo_folder / "checkpoints/soft/2/model.tflite").read_bytes() == b"x"


def test_a_figure_changed_by_hand_in_a_card_is_noticed(zoo_folder: Path) -> None:
    path = zoo_folder / "checkpoints/soft/1/card.json"
    path.write_text(path.read_text().replace('"parameters": 7850', '"parameters": 7851'))
    with pytest.raises(ModelUnavailable, match=r"its card\.json has changed since it was written"):
        Catalogue(zoo_folder / "checkpoints").card("soft", 1)


def test_a_card_keeps_facts_that_a_later_zoo_wrote_into_it(zoo_folder: Path) -> None:
    catalogue = Catalogue(zoo_folder / "checkpoints")
    text = (zoo_folder / "checkpoints/soft/1/card.json").read_text()
    card = Card.model_validate({**json.loads(text), "robustness": {"blur": 0.9}})
    assert json.loads(card.model_dump_json())["robustness"] == {"blur": 0.9}
    assert catalogue.card("soft", 1).ref == "soft/1"


def test_another_version_can_be_asked_for_beside_the_selected_one(zoo_folder: Path, picture) -> None:
    versions(zoo_folder, 2)
    zoo = Zoo.open(zoo_folder, environ={})
    assert zoo.predict("soft", picture(0)).checkpoint == "soft/2"
    assert zoo.predict("soft", picture(0), version=1).checkpoint == "soft/1"
    model = zoo.model("soft")
    assert model.load(2) is model.load(), "what is served is not loaded twice"
    with pytest.raises(UnknownCheckpoint, match=r"has no checkpoint 3\. It has: 1, 2"):
        zoo.predict("soft", picture(0), version=3)


def test_a_copied_folder_that_keeps_its_old_card_is_refused(zoo_folder: Path) -> None:
    shutil.copytree(zoo_folder / "checkpoints/soft/1", zoo_folder / "checkpoints/soft/7")
    zoo = Zoo.open(zoo_folder, environ={})
    with pytest.raises(ModelUnavailable, match=r'card.json is that of soft/1. .*: checkpoint = "soft/1"'):
        zoo.model("soft").load(7)
    assert [finding.what for finding in check(zoo) if finding.level == "error"] == ["model soft", "checkpoint soft/7"]
    path = zoo_folder / "checkpoints/soft/7/card.json"
    card = json.loads(path.read_text()) | {"version": 7}  # as the message says
    del card["seal"]
    path.write_text(json.dumps(card))
    assert Zoo.open(zoo_folder, environ={}).model("soft").load(7).card.ref == "soft/7"


def test_a_misspelt_checkpoint_gets_a_close_match(zoo_folder: Path) -> None:
    catalogue = Catalogue(zoo_folder / "checkpoints")
    with pytest.raises(UnknownCheckpoint, match=r'has no checkpoint lastest\. Did you mean "latest"\? It has: 1'):
        catalogue.select("soft", "lastest")
    with pytest.raises(UnknownCheckpoint, match=r'There is no checkpoint sofft/1\. Did you mean "soft"\?'):
        catalogue.select("soft", "sofft/1")


def test_a_file_for_which_there_is_no_room_is_named_and_the_old_one_stays(tmp_path: Path) -> None:
    card = tmp_path / "card.json"
    files.write(card, b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match=r"card\.json"):
            files.write(card, bytes(100))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert card.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["card.json"]


def test_a_version_whose_last_flush_fails_is_there_once(
    zoo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = versions(zoo_folder, 4)
    facts = catalogue.card("soft", 4).model_dump(exclude={"version", "files"})
    (tmp_path / "new").mkdir()
    (tmp_path / "new/model.tflite").write_bytes(b"x")
    flush = files.sync_folder

    def failing(folder: Path) -> None:
        if (zoo_folder / "checkpoints/soft/5").exists():
            raise OSError(errno.EIO, "Input/output error", str(folder))
        flush(folder)

    monkeypatch.setattr(files, "sync_folder", failing)
    with pytest.raises(OSError, match="Input/output error"):
        catalogue.publish(tmp_path / "new", facts)
    assert catalogue.versions("soft")[-1] == 5
    assert set(catalogue.card("soft", 5).files) == {"model.tflite"}
