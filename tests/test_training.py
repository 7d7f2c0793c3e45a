"""Training: exact, resumable at any moment, whole or not there. Kill tests run the real command in a real process."""

from __future__ import annotations

import csv
import datetime
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from plugging import DROPOUT, Stages, own_train

from zoo import Zoo, files, hookimpl
from zoo.errors import ModelUnavailable, SettingsError, TrainingError
from zoo.progress import Silent


@pytest.fixture
def dropout_zoo(empty_zoo: Path) -> Path:
    (empty_zoo / "plugins" / "soft.py").write_text(DROPOUT)
    return empty_zoo


def weights(folder: Path, version: int) -> list[bytes]:
    """Every array of the weights file, bit for bit; the file itself holds names that Keras counts up in a process."""
    import h5py

    found: list[bytes] = []
    with h5py.File(folder / f"checkpoints/soft/{version}/model.weights.h5") as file:
        file.visititems(lambda _, node: found.append(node[()].tobytes()) if isinstance(node, h5py.Dataset) else None)
    return found


class StopAfter(Silent):
    """Ctrl-C in the middle of the epoch after the given one."""

    def __init__(self, epoch: int) -> None:
        self.at = epoch + 1

    def step(self, epoch: int, step: int, steps: int, metrics: object) -> None:
        if epoch == self.at:
            raise KeyboardInterrupt


@pytest.mark.long
def test_the_same_seed_gives_the_same_weights_and_another_seed_does_not(dropout_zoo: Path) -> None:
    zoo = Zoo.open(dropout_zoo, environ={})
    for seed in (1, 1, 2):
        zoo.train("soft", overrides={"seed": seed})
    assert weights(dropout_zoo, 1) == weights(dropout_zoo, 2)
    assert weights(dropout_zoo, 1) != weights(dropout_zoo, 3)


@pytest.mark.long
def test_a_run_stopped_in_an_epoch_and_resumed_ends_where_an_unbroken_one_does(dropout_zoo: Path) -> None:
    zoo = Zoo.open(dropout_zoo, environ={})
    changes = {"epochs": 3, "schedule": "one_cycle", "optimizer": "adamw", "weight_decay": 0.01}
    zoo.train("soft", overrides=changes)
    with pytest.raises(KeyboardInterrupt):
        zoo.train("soft", overrides=changes, progress=StopAfter(2))
    assert zoo.catalogue.versions("soft") == [1]
    card = zoo.train("soft", overrides=changes, resume=True)
    assert card.version == 2
    assert weights(dropout_zoo, 1) == weights(dropout_zoo, 2)
    rows = list(csv.DictReader((dropout_zoo / "checkpoints/soft/2/history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]


@pytest.mark.long
@pytest.mark.parametrize(("optimizer", "schedule"), [("adam", "constant"), ("sgd", "cosine"), ("adamw", "one_cycle")])
def test_every_optimizer_and_schedule_learns(empty_zoo: Path, optimizer: str, schedule: str) -> None:
    zoo = Zoo.open(empty_zoo, environ={})
    card = zoo.train("soft", overrides={"optimizer": optimizer, "schedule": schedule, "learning_rate": 0.03})
    assert card.training["val_accuracy"] > 0.8


@pytest.mark.long
def test_smoothed_labels_train_too(empty_zoo: Path) -> None:
    card = Zoo.open(empty_zoo, environ={}).train("soft", overrides={"label_smoothing": 0.1, "learning_rate": 0.01})
    assert card.training["val_accuracy"] > 0.8


def test_the_card_tells_how_the_checkpoint_was_made(trained: Path) -> None:
    card = Zoo.open(trained, environ={}).catalogue.card("soft", 1)
    assert (card.model, card.version, card.plugin, card.overrides) == ("soft", 1, "soft", {})
    assert card.settings["batch_size"] == 256
    assert card.settings["seed"] == 1
    assert card.parameters == 7850
    assert card.labels == list("0123456789")
    assert set(card.files) == {"model.weights.h5", "model.tflite", "history.csv"}
    assert card.software["tensorflow"].startswith("2.")
    assert not any((trained / ".zoo/training").glob("*/"))


@pytest.mark.long
def test_a_quick_run_is_a_version_but_not_latest(empty_zoo: Path) -> None:
    zoo = Zoo.open(empty_zoo, environ={})
    zoo.train("soft")
    card = zoo.train("soft", overrides={"seed": 5})
    assert (card.version, card.overrides) == (2, {"seed": 5})
    assert zoo.model("soft").select() == ("soft", 1)


@pytest.mark.long
def test_what_cannot_be_trained_is_told_in_a_line(empty_zoo: Path) -> None:
    zoo = Zoo.open(empty_zoo, environ={})
    with pytest.raises(SettingsError, match=r'epoch: no such setting of plugin "soft"\. Did you mean "epochs"'):
        zoo.train("soft", overrides={"epoch": 3})
    with pytest.raises(SettingsError, match=r'checkpiont: no such setting of plugin "soft"\. It takes: dataset'):
        zoo.train("soft", overrides={"checkpiont": 3})
    with pytest.raises(TrainingError, match='Model "soft" has no unfinished run with these settings'):
        zoo.train("soft", resume=True)


def test_a_loss_that_is_no_number_ends_the_run(empty_zoo: Path) -> None:
    (empty_zoo / "plugins/soft.py").write_text(
        DROPOUT.replace("layers.Dense(10)", "layers.Rescaling(1e38), layers.Dense(10)")
    )
    with pytest.raises(
        TrainingError, match=r"The loss of epoch 1 is (nan|inf): training has diverged. Lower learning_"
    ):
        Zoo.open(empty_zoo, environ={}).train("soft")


class Notes(StopAfter):
    """Remembers where a run began and what it was told."""

    def __init__(self, epoch: int) -> None:
        super().__init__(epoch)
        self.done, self.notes = -1, ""

    def begin(self, model: str, epochs: int, done: int) -> None:
        self.done = done

    def note(self, text: str) -> None:
        self.notes += text


@pytest.mark.long
def test_a_run_begun_anew_loses_nothing_of_the_unfinished_one(dropout_zoo: Path) -> None:
    zoo = Zoo.open(dropout_zoo, environ={})
    for stop in (3, 1):
        with pytest.raises(KeyboardInterrupt):
            zoo.train("soft", overrides={"epochs": 4}, progress=(seen := Notes(stop)))
    assert seen.done == 0
    assert seen.notes == "Starting over. An unfinished run at epoch 3 is kept: --resume continues it."
    zoo.train("soft", overrides={"epochs": 4}, resume=True, progress=(seen := Notes(9)))
    assert seen.done == 3


@pytest.mark.parametrize(("fast", "pictures"), [(False, 100 + 100 + 500), (True, 25 + 25 + 125)])
def test_a_quick_run_is_calibrated_on_a_quarter_of_the_pictures(empty_zoo: Path, fast: bool, pictures: int) -> None:
    zoo, progress, counted = own_train(empty_zoo, "return []"), Stages(), []

    class Counting:
        @hookimpl(wrapper=True)
        def preprocess(self):
            counted.append(progress.stages[-1:])
            return (yield)

    zoo.join("counting", Counting())
    zoo.train("soft", fast=fast, overrides={"validation": 100}, progress=progress)
    assert counted.count(["calibrating"]) == pictures


TWO_LAYERS = """
from zoo import hookimpl


@hookimpl
def build(settings):
    import keras
    from keras import layers

    picture = keras.Input((28, 28, 1))
    hidden = layers.Dense(4, activation="relu")(layers.Dropout(0.1)(layers.Flatten()(picture)))
    return keras.Model(picture, layers.Dense(10)(layers.concatenate([hidden, hidden])))
"""


def test_a_run_is_not_resumed_with_another_network_of_the_same_shapes(empty_zoo: Path) -> None:
    plugin = empty_zoo / "plugins/soft.py"
    plugin.write_text(TWO_LAYERS)
    with pytest.raises(KeyboardInterrupt):
        Zoo.open(empty_zoo, environ={}).train("soft", overrides={"epochs": 3}, progress=StopAfter(1))
    with pytest.raises(KeyboardInterrupt):  # the same network, whose layers Keras names otherwise by now
        Zoo.open(empty_zoo, environ={}).train("soft", overrides={"epochs": 3}, resume=True, progress=StopAfter(2))
    plugin.write_text(TWO_LAYERS.replace("relu", "tanh"))
    with pytest.raises(TrainingError, match="is of another network: the plugin has changed since"):
        Zoo.open(empty_zoo, environ={}).train("soft", overrides={"epochs": 3}, resume=True)
    with pytest.raises(TrainingError, match=r"there is one at epoch 2 \(zoo .* train soft --epochs 3 --resume\)\."):
        Zoo.open(empty_zoo, environ={}).train("soft", resume=True)


def test_a_stop_tells_what_is_kept_and_promises_nothing_else(empty_zoo: Path) -> None:
    zoo = Zoo.open(empty_zoo, environ={})
    with pytest.raises(KeyboardInterrupt, match=r"^no epoch was completed\. To start again: zoo \S+ \S+ train soft$"):
        zoo.train("soft", progress=StopAfter(0))
    with pytest.raises(
        KeyboardInterrupt, match=r"^nothing is kept: there is no .* To start again: zoo \S+ \S+ train soft$"
    ):
        own_train(empty_zoo, "raise KeyboardInterrupt").train("soft")
    with pytest.raises(
        KeyboardInterrupt, match=r"^the files that the plugin's train hook saved are in .* train soft --resume$"
    ):
        own_train(empty_zoo, "(report.folder / 'mine').touch(); raise KeyboardInterrupt").train("soft")
    plugin = empty_zoo / "plugins/soft.py"
    own_train(empty_zoo, "(report.folder / 'mine').unlink(); return [{'epoch': 1}]")
    plugin.write_text(plugin.read_text() + "\n\n@hookimpl\ndef save(model):\n    raise KeyError('later')")
    with pytest.raises(TrainingError, match="cannot answer yet; nothing is kept"):  # the network is as it was
        Zoo.open(empty_zoo, environ={}).train("soft")


def test_the_command_to_begin_again_takes_what_was_changed_from_python(empty_zoo: Path) -> None:
    own = (
        "import datetime\n\nfrom zoo import ModelSettings\n\n\nclass Settings(ModelSettings):\n"
        "    day: datetime.date = datetime.date(2020, 1, 2)\n    blocks: list[dict[str, int]] = []\n"
    )
    plugin = empty_zoo / "plugins/soft.py"
    plugin.write_text(
        f"{plugin.read_text()}\n\n{own}\n\n@hookimpl\ndef train(settings):\n    raise KeyboardInterrupt\n"
    )
    overrides = {
        "start": None,
        "epochs": np.int64(2),
        "learning_rate": np.float32(0.5),
        "day": datetime.date(2021, 3, 4),
        "blocks": [{"units": 3}],
    }
    with pytest.raises(KeyboardInterrupt) as stopped:
        Zoo.open(empty_zoo, environ={}).train("soft", overrides=overrides)
    assert str(stopped.value).endswith(
        "train soft --set start=null --epochs 2 --set learning_rate=0.5 --set day=2021-03-04 "
        """--set 'blocks=[{"units": 3}]'"""
    )


DROPPED = """
class Held:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

Held()
report.step(1, 1, 1, {})"""


SWALLOWED = """
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    pass
return [{'epoch': 1}]"""


CHANGED = """
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    raise ValueError('no tensor') from None"""


@pytest.mark.long
@pytest.mark.parametrize("fate", [DROPPED, SWALLOWED, CHANGED])
def test_a_stop_that_other_code_drops_or_makes_an_error_of_is_one_all_the_same(
    empty_zoo: Path, fate: str, capfd: pytest.CaptureFixture[str]
) -> None:
    zoo = own_train(empty_zoo, textwrap.indent("import signal" + fate, "    ").lstrip())
    with pytest.raises(KeyboardInterrupt, match=r"^nothing is kept: "):
        zoo.train("soft")
    assert capfd.readouterr().err == ""
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert own_train(empty_zoo, "return [{'epoch': 1}]").train("soft").version == 1  # it is not for the next run


class StopDuring(StopAfter):
    """The signal itself, in the middle of the epoch after the given one; tells what came after it."""

    after = 0

    def step(self, epoch: int, step: int, steps: int, metrics: object) -> None:
        if epoch == self.at:
            signal.raise_signal(signal.SIGINT)
            self.after += 1


@pytest.mark.long
def test_ctrl_c_while_a_version_is_published_leaves_it_and_nothing_to_go_on_with(
    empty_zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo = own_train(empty_zoo, "return [{'epoch': 1}]")

    def move(folder: Path, target: Path) -> None:
        move_folder(folder, target)
        signal.raise_signal(signal.SIGINT)

    move_folder = files.move_folder
    monkeypatch.setattr(files, "move_folder", move)
    assert zoo.train("soft").version == 1
    assert zoo.catalogue.versions("soft") == [1]
    with pytest.raises(TrainingError, match="no unfinished run"):
        zoo.train("soft", resume=True)


def test_ctrl_c_waits_for_a_good_place_in_the_zoos_own_training(empty_zoo: Path) -> None:
    progress = StopDuring(0)
    with pytest.raises(KeyboardInterrupt, match=r"^no epoch was completed\."):
        Zoo.open(empty_zoo, environ={}).train("soft", progress=progress)
    assert progress.after == 1


@pytest.mark.parametrize("where", ["checkpoints", "checkpoints/soft"])
def test_a_file_in_the_way_of_the_checkpoint_is_told_before_training(empty_zoo: Path, where: str) -> None:
    zoo = Zoo.open(empty_zoo, environ={})
    (empty_zoo / where).parent.mkdir(exist_ok=True)
    (empty_zoo / where).touch()
    with pytest.raises(TrainingError, match="no checkpoint can be saved there: Not a directory"):
        zoo.train("soft", progress=StopAfter(0))


def start(folder: Path, *words: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "zoo", "train", "soft", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={key: value for key, value in os.environ.items() if not key.startswith("ZOO_")},
        **options,  # type: ignore[call-overload]
    )


def deaf_to_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def wait_for(found, process: subprocess.Popen[str], seconds: float = 90) -> None:
    """Until `found()` is true; fails when the process ends first or time is up."""
    until = time.monotonic() + seconds
    while not found():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "it took too long"
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.01)


def states(folder: Path) -> list[Path]:
    return list((folder / ".zoo/training").glob("*/state.npz"))


@pytest.mark.long
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_killed_at_any_moment_leaves_nothing_half_and_goes_on(dropout_zoo: Path, run, by: signal.Signals) -> None:
    words = ("--epochs", "40")
    # A shell's background job ignores SIGINT; SIGTERM ends it all the same.
    process = start(dropout_zoo, *words, preexec_fn=deaf_to_ctrl_c if by == signal.SIGTERM else None)
    wait_for(lambda: states(dropout_zoo), process)
    process.send_signal(by)
    _, stderr = process.communicate(timeout=60)
    assert not (dropout_zoo / "checkpoints").exists()
    if by != signal.SIGKILL:
        assert process.returncode == 130, stderr
        assert "stopped; every completed epoch is kept. To continue: zoo train soft --epochs 40 --resume" in stderr
        assert "Traceback" not in stderr
    resumed = run("train", "soft", *words, "--resume", cwd=dropout_zoo)
    assert resumed.returncode == 0, resumed.stderr
    assert "training soft for 40 epochs, from epoch" in resumed.stderr
    unbroken = run("train", "soft", *words, cwd=dropout_zoo)
    assert unbroken.returncode == 0, unbroken.stderr
    assert weights(dropout_zoo, 1) == weights(dropout_zoo, 2)


@pytest.mark.long
def test_ctrl_c_while_tensorflow_starts_is_clean(empty_zoo: Path) -> None:
    process = start(empty_zoo)
    wait_for(lambda: (empty_zoo / ".zoo/training").exists() or _maps(process.pid, "tensorflow"), process)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr


def _maps(pid: int, name: str) -> bool:
    try:
        return name in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return False


@pytest.mark.long
def test_no_room_left_is_told_in_a_line_and_loses_nothing(dropout_zoo: Path, run) -> None:
    words = ("--epochs", "2")
    full = start(dropout_zoo, *words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)))
    _, stderr = full.communicate(timeout=120)
    assert full.returncode == 1
    assert (
        "cannot be written: File too large. Of this run, no epoch was completed. Free some space, then run: zoo train"
        in stderr
    )
    assert "Traceback" not in stderr
    assert not (dropout_zoo / "checkpoints").exists()
    assert run("train", "soft", *words, cwd=dropout_zoo).returncode == 0


@pytest.mark.long
def test_no_room_for_the_finished_files_keeps_the_finished_epochs(dropout_zoo: Path, run) -> None:
    process = start(dropout_zoo, "--epochs", "5")
    wait_for(lambda: states(dropout_zoo), process)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (50_000, 50_000))
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 1, stderr
    assert (
        "cannot be written: File too large. Of this run, every completed epoch is kept. Free some space, then run: "
        in stderr
    )
    assert "zoo train soft --epochs 5 --resume" in stderr
    assert "Traceback" not in stderr
    assert not (dropout_zoo / "checkpoints").exists()
    resumed = run("train", "soft", "--epochs", "5", "--resume", cwd=dropout_zoo)
    assert resumed.returncode == 0, resumed.stderr
    assert "from epoch" in resumed.stderr


@pytest.mark.long
def test_two_processes_never_train_the_same_settings_at_once(dropout_zoo: Path, run) -> None:
    process = start(dropout_zoo, "--epochs", "500")
    try:
        wait_for(lambda: states(dropout_zoo), process)
        second = run("train", "soft", "--epochs", "500", cwd=dropout_zoo)
        assert second.returncode == 1
        assert 'Model "soft" is being trained with these settings by another process.' in second.stderr
    finally:
        process.kill()
        process.communicate()


@pytest.mark.long
def test_fast_training_of_the_cnn_passes_99_percent_on_the_test_set(root: Path, tmp_path: Path, run) -> None:
    shutil.copytree(root / "plugins", tmp_path / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "settings.toml").write_text("[models.cnn]\n")
    done = run("train", "cnn", "--fast", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    measured = run("evaluate", "cnn", "--version", "1", "--quick", "--json", cwd=tmp_path)
    assert json.loads(measured.stdout)["accuracy"] >= 0.99


def test_a_start_whose_build_has_changed_is_told_in_a_line(zoo_folder: Path) -> None:
    (zoo_folder / "plugins/soft.py").write_text(
        DROPOUT.replace("layers.Dense(10)", "layers.Dense(5), layers.Dense(10)")
    )
    with pytest.raises(ModelUnavailable, match=r"soft/1/model\.weights\.h5 does not fit the network"):
        Zoo.open(zoo_folder, environ={}).train("soft", overrides={"start": "soft/1"})


@pytest.mark.long
def test_a_change_within_a_table_leaves_the_rest_of_the_settings(empty_zoo: Path) -> None:
    with (empty_zoo / "settings.toml").open("a") as settings:
        settings.write("\n[models.soft.augment]\nshift = 1.5\n")
    card = Zoo.open(empty_zoo, environ={}).train("soft", overrides={"augment": {"rotate": 5}})
    assert (card.settings["augment"]["shift"], card.settings["augment"]["rotate"]) == (1.5, 5.0)


def test_a_mistake_within_a_table_is_named_by_its_place(empty_zoo: Path) -> None:
    with pytest.raises(SettingsError, match=r"^augment\.rotat: no such setting"):
        Zoo.open(empty_zoo, environ={}).train("soft", overrides={"augment": {"rotat": 5}})
