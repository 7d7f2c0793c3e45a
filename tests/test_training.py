"""Training: exact, resumable at any moment, whole or not there. Kill tests run the real command in a real process."""

from __future__ import annotations

import csv
import datetime
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from zoo import Zoo, files, hookimpl
from zoo.cards import Card
from zoo.errors import ModelUnavailable, PluginError, SettingsError, TrainingError
from zoo.progress import Silent
from zoo.terminal import Lines

DROPOUT = '''"""A dense layer behind dropout, whose random state a resumed run has to find again."""

from zoo import hookimpl


@hookimpl
def build(settings):
    from keras import Sequential, layers

    return Sequential([layers.Input((28, 28, 1)), layers.Flatten(), layers.Dropout(0.3), layers.Dense(10)])
'''


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
def test_a_new_model_of_one_hook_predicts_right_after_training(empty_zoo: Path, picture) -> None:
    zoo = Zoo.open(empty_zoo, environ={})
    zoo.train("soft")
    answer = Zoo.open(empty_zoo, environ={}).predict("soft", picture(0))
    assert (answer.digit, answer.checkpoint) == (7, "soft/1")
    assert sum(answer.probabilities) == pytest.approx(1, abs=1e-5)


@pytest.mark.long
def test_what_cannot_be_trained_is_told_in_a_line(empty_zoo: Path) -> None:
    zoo = Zoo.open(empty_zoo, environ={})
    with pytest.raises(SettingsError, match=r'epoch: no such setting of plugin "soft"\. Did you mean "epochs"'):
        zoo.train("soft", overrides={"epoch": 3})
    with pytest.raises(SettingsError, match=r'checkpiont: no such setting of plugin "soft"\. It takes: dataset'):
        zoo.train("soft", overrides={"checkpiont": 3})
    with pytest.raises(TrainingError, match='Model "soft" has no unfinished run with these settings'):
        zoo.train("soft", resume=True)


@pytest.mark.long
def test_a_build_that_raises_or_builds_no_network_is_named(empty_zoo: Path) -> None:
    plugin = empty_zoo / "plugins/soft.py"
    plugin.write_text("from zoo import hookimpl\n@hookimpl\ndef build(settings):\n    raise ValueError('no layers')")
    with pytest.raises(PluginError, match="its build hook raised ValueError: no layers"):
        Zoo.open(empty_zoo, environ={}).train("soft")
    plugin.write_text("from zoo import hookimpl\n@hookimpl\ndef build(settings):\n    return 5")
    with pytest.raises(TrainingError, match=r"build should return a keras.Model, not int\. A model without Keras"):
        Zoo.open(empty_zoo, environ={}).train("soft")
    assert Zoo.open(empty_zoo, environ={}).catalogue.versions("soft") == []


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


class Stages(Silent):
    """Remembers what it was told of the work after the last epoch."""

    def __init__(self) -> None:
        self.stages: list[str] = []

    def stage(self, text: str) -> None:
        self.stages.append(text)


def test_a_train_hook_that_trains_nothing_may_return_no_rows(empty_zoo: Path) -> None:
    card = own_train(empty_zoo, "return []").train("soft", overrides={"validation": 100}, progress=(seen := Stages()))
    assert card.training["epochs"] == 0
    assert seen.stages == ["saving and checking", "calibrating"]


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


def own_train(folder: Path, body: str) -> Zoo:
    hook = f"import time\n\n\n@hookimpl\ndef train(model, data, settings, report):\n    {body}\n"
    (folder / "plugins/soft.py").write_text(DROPOUT + "\n\n" + hook)
    return Zoo.open(folder, environ={})


@pytest.mark.long
def test_a_train_hook_may_return_what_keras_fit_returns(empty_zoo: Path) -> None:
    fit = "model.compile('adam', 'sparse_categorical_crossentropy')\n"
    fit += "    return model.fit(data.images[:256] / 255, data.classes[:256], verbose=0)"
    card = own_train(empty_zoo, fit).train("soft")
    assert card.training["epochs"] == 1
    assert (empty_zoo / "checkpoints/soft/1/history.csv").read_text().startswith("epoch,loss,seconds\n1,")


class Rows(Silent):
    """Remembers what it was told of each epoch."""

    def __init__(self) -> None:
        self.rows: list[Mapping[str, float]] = []

    def epoch(self, row: Mapping[str, float]) -> None:
        self.rows.append(row)


@pytest.mark.long
def test_the_time_of_a_train_hook_that_does_not_tell_it_is_measured(empty_zoo: Path) -> None:
    weights = "model.set_weights([weight + 1 for weight in model.get_weights()])"
    hook = f"{weights}; rows = [{{'epoch': 1}}, {{'epoch': 2}}]; list(map(report.epoch, rows)); return rows"
    zoo = own_train(empty_zoo, f"began = time.monotonic()\n    while time.monotonic() < began + 0.2: pass\n    {hook}")
    card = zoo.train("soft", overrides={"validation": 1000}, progress=(seen := Rows()))
    assert 0.2 <= card.training["seconds"] < 60
    assert seen.rows[0]["seconds"] >= max(0.2, seen.rows[1]["seconds"])


@pytest.mark.parametrize("body", ["return 5", "return [1]", "pass"])
def test_a_train_hook_that_returns_no_rows_is_named(empty_zoo: Path, body: str) -> None:
    with pytest.raises(PluginError, match=r"its train hook should return one row per epoch.*nothing is kept"):
        own_train(empty_zoo, body).train("soft")


OWN = """
import numpy as np


@hookimpl
def train(model, report):
    with open(report.folder.parent / "count", "a") as file:
        file.write("x")
    model.set_weights([weight + 0.01 for weight in model.get_weights()])
    return [{"epoch": np.int64(1), "loss": np.float32(0.5), "rate": "low", "val_loss": np.array(np.nan)}]
"""


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


@pytest.mark.long
def test_a_network_for_pictures_of_another_shape_is_trained_and_saved_by_its_own_hooks(empty_zoo: Path) -> None:
    hooks = """
import numpy as np
from zoo import Trace


def larger(images):
    return np.repeat(np.pad(images, [(0, 0), (2, 2), (2, 2), (0, 0)]), 3, axis=3) / np.float32(255)


@hookimpl
def preprocess(image):
    return larger(image[None, ..., None])[0], Trace(image)


@hookimpl
def train(model, data):
    model.compile("adam", "sparse_categorical_crossentropy")
    return model.fit(larger(data.images[:256]), data.classes[:256], verbose=0)
"""
    text = DROPOUT.replace("(28, 28, 1)", "(32, 32, 3)").replace("Dense(10)", "Dense(10, activation='softmax')")
    (empty_zoo / "plugins/soft.py").write_text(text + hooks.replace("image[None", "np.resize(image, (28, 28))[None"))
    assert Zoo.open(empty_zoo, environ={}).train("soft").input_shape == [32, 32, 3]


@pytest.mark.long
def test_a_train_hook_of_its_own_is_told_to_resume_from_its_own_files(empty_zoo: Path) -> None:
    zoo = own_train(empty_zoo, "(report.folder / 'mine').touch(); raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        zoo.train("soft")
    zoo = own_train(empty_zoo, "assert report.resume and (report.folder / 'mine').exists(); return [{'epoch': 1}]")
    assert zoo.train("soft", resume=True).version == 1


@pytest.mark.long
def test_a_network_without_an_input_layer_trains(empty_zoo: Path) -> None:
    (empty_zoo / "plugins/soft.py").write_text(DROPOUT.replace("layers.Input((28, 28, 1)), ", ""))
    assert Zoo.open(empty_zoo, environ={}).train("soft").input_shape == [28, 28, 1]


@pytest.mark.long
def test_a_save_hook_may_write_folders(empty_zoo: Path) -> None:
    hook = (
        "@hookimpl\ndef save(folder):\n    (folder / 'deep').mkdir()\n    (folder / 'deep/a').touch()\n    return True"
    )
    hook += "\n\n@hookimpl\ndef load(folder):\n    return 1"
    hook += "\n\n@hookimpl\ndef predict(batch):\n    return [[0.1] * 10] * len(batch)"
    (empty_zoo / "plugins/soft.py").write_text(DROPOUT + "\n\n" + hook)
    assert set(Zoo.open(empty_zoo, environ={}).train("soft").files) == {"deep/a", "history.csv"}


class Told(Silent):
    """Remembers what it was told."""

    notes = ""

    def note(self, text: str) -> None:
        self.notes += text


MUTE = {
    "def save(folder):\n    return True": "its save hook wrote no model.tflite.*Give the plugin a load hook",
    "def load(folder):\n    raise ValueError('no such file')": "its load hook raised ValueError: no such file",
    "def predict(batch):\n    return [[1, 0]] * len(batch)": "predict returned shape",
}


@pytest.mark.long
def test_what_cannot_answer_is_no_version_and_what_is_trained_is_not_trained_again(empty_zoo: Path, capsys) -> None:
    plugin, progress = empty_zoo / "plugins/soft.py", Lines()
    changes = {"seed": 3, "augment": {"rotate": 2.0}, "optimizer": "sgd"}
    again = r"zoo --zoo \S+ train soft --fast --seed 3 --set augment\.rotate=2\.0 --set optimizer=sgd --resume$"

    def train(hook: str, resume: bool = True) -> Card:
        plugin.write_text(DROPOUT + OWN + hook)
        zoo = Zoo.open(empty_zoo, environ={})
        return zoo.train("soft", fast=True, overrides=changes, resume=resume, progress=progress)

    with pytest.raises(
        PluginError, match=rf"""returned "rate" = 'low' \(str\) in row 1; it should be a number.*{again}"""
    ):
        train("", resume=False)
    for hook, says in MUTE.items():
        told = rf"{says}(.|\n)*\. The network is trained but cannot answer yet; the trained network is kept.*{again}"
        with pytest.raises(TrainingError, match=told):
            train("\n\n@hookimpl\n" + hook)
        assert not (empty_zoo / "checkpoints").exists()
    capsys.readouterr()
    card = train("")
    assert capsys.readouterr().err.startswith("training soft: 3 epochs, all done\n")
    assert (empty_zoo / ".zoo/training/count").read_text() == "x"
    assert card.training == {"epochs": 1, "seconds": 0, "loss": 0.5}
    history = (empty_zoo / "checkpoints/soft/1/history.csv").read_text()
    assert re.fullmatch(r"epoch,loss,val_loss,seconds\n1,0.5,nan,[0-9.e-]+\n", history)


@pytest.mark.long
def test_pictures_that_are_given_otherwise_than_trained_are_told(empty_zoo: Path) -> None:
    hook = "\n\n@hookimpl\ndef preprocess(image):\n    import numpy as np\n    from zoo import Trace\n"
    hook += "    return np.ones((28, 28, 1), np.float32), Trace(image)\n"
    (empty_zoo / "plugins/soft.py").write_text(DROPOUT + hook)
    progress = Told()
    Zoo.open(empty_zoo, environ={}).train("soft", progress=progress)
    assert "validation pictures correctly, but training reported" in progress.notes
    assert "light ink on black, as floats in 0-1" in progress.notes


SUBCLASS = """import keras

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(10)

        def call(self, batch):
            return self.dense(layers.Flatten()(batch))

    return Own()
    """
TWO = """import keras

    picture = layers.Input((28, 28, 1))
    flat = layers.Flatten()(picture)
    return keras.Model(picture, [layers.Dense(10)(flat), layers.Dense(2)(flat)])
    """
ONE = """import keras

    picture = layers.Input((28, 28, 1))
    digits = layers.Dense(10)(layers.Flatten()(picture))
    return keras.Model({ends})
    """
OTHER = """

@hookimpl
def preprocess(image):
    import numpy as np
    from zoo import Trace
    return np.zeros((32, 32, 1), np.float32), Trace(np.zeros((32, 32), np.uint8))
"""
UNFIT = {
    "larger": (
        "(28, 28, 1)",
        "(32, 32, 1)",
        "",
        r"but the data has pictures of shape \(28, 28, 1\)\. Start build",
    ),
    "coloured": ("(28, 28, 1)", "(28, 28, 3)", "", "but the data has pictures"),
    "without a channel": (
        "(28, 28, 1)",
        "(28, 28)",
        "",
        r"of shape \(28, 28\), .* Start build with Input.*, or add preprocess and train hooks .*\.$",
    ),
    "of any size": (
        "layers.Input((28, 28, 1)), layers.Flatten()",
        "layers.Input((None, None, 1)), layers.GlobalAveragePooling2D()",
        "",
        "which is not a fixed shape. Start build with Input",
    ),
    "larger, as preprocess": ("(28, 28, 1)", "(32, 32, 1)", OTHER, "Add a train hook that converts them"),
    "preprocess": (
        "x",
        "x",
        OTHER,
        r"of shape \(28, 28, 1\), but its preprocess hook returns shape \(32, 32, 1\)\. ",
    ),
    "no Flatten": ("layers.Flatten(), ", "", "", r"an array of shape \(28, 28, 10\) .* with Flatten or"),
    "five outputs": (
        "Dense(10)",
        "Dense(5)",
        "",
        "5 outputs; the data has 10 classes. End the network in one layer of 10",
    ),
    "outputs in a list": (
        "return",
        ONE.format(ends="picture, [digits]") + "return",
        "",
        r"a list of one tensor as its outputs, .* Return keras.Model\(inputs, outputs\) with the tensors themselves",
    ),
    "outputs by name": (
        "return",
        ONE.format(ends="picture, {'digits': digits}") + "return",
        "",
        "a dict of one tensor as its outputs",
    ),
    "inputs in a list": (
        "return",
        ONE.format(ends="[picture], digits") + "return",
        "",
        "a list of one tensor as its inputs",
    ),
    "two results": ("return", TWO + "return", "", "the network has 2 outputs; it should have one"),
    "a subclass": (
        "return",
        SUBCLASS + "return",
        "",
        r"\(Own\) has no input_shape .* Return keras.Model",
    ),
    "no layer fits": (
        "layers.Input((28, 28, 1)), layers.Flatten()",
        "layers.Dense(3), layers.MaxPooling2D(99)",
        "",
        r"cannot be called with a picture of shape \(28, 28, 1\)\. Keras says: .*zero or negative",
    ),
}


@pytest.mark.parametrize(("old", "new", "hook", "says"), UNFIT.values(), ids=UNFIT)
def test_a_network_that_does_not_fit_is_told_before_training(
    empty_zoo: Path, old: str, new: str, hook: str, says: str
) -> None:
    (empty_zoo / "plugins/soft.py").write_text(DROPOUT.replace(old, new, 1) + hook)
    with pytest.raises(TrainingError, match=says):
        Zoo.open(empty_zoo, environ={}).train("soft")


STANDARDISED = """

@hookimpl
def preprocess(image):
    from zoo import Trace
    return ((image[..., None] - 33.3) / 78.6).astype("float32"), Trace(image)
"""
TRAIN = """

@hookimpl
def train(model):
    raise RuntimeError("begun")
"""


@pytest.mark.parametrize(
    ("hooks", "says"),
    [
        (
            STANDARDISED,
            r"its preprocess hook returns values from -0\.424 to 2\.82, but the training data is in 0-1\. Ret",
        ),
        (STANDARDISED + TRAIN, "its train hook raised RuntimeError: begun"),
    ],
    ids=["the zoo's training", "the plugin's own training"],
)
def test_pictures_of_another_scale_than_the_training_datas_are_told_before_training(
    empty_zoo: Path, hooks: str, says: str
) -> None:
    (empty_zoo / "plugins/soft.py").write_text(DROPOUT + hooks)
    with pytest.raises(PluginError, match=says):
        Zoo.open(empty_zoo, environ={}).train("soft")


@pytest.mark.long
def test_a_network_without_a_litert_form_is_told_the_way_and_trains_no_second_time(empty_zoo: Path, capfd) -> None:
    plugin = empty_zoo / "plugins/soft.py"
    plugin.write_text(DROPOUT.replace("layers.Flatten()", "layers.Reshape((28, 28)), layers.GRU(4)"))
    says = r'cannot be converted to LiteRT: LiteRT lacks .*TensorListReserve.*runtime = "tensorflow" for the model\.'
    with pytest.raises(
        TrainingError, match=says + r" The network is trained .*; the trained network is kept\. .* train soft --resume$"
    ):
        Zoo.open(empty_zoo, environ={}).train("soft")
    assert "error:" not in capfd.readouterr().err
    progress = Told()
    Zoo.open(empty_zoo, environ={}).train("soft", overrides={"runtime": "tensorflow"}, resume=True, progress=progress)
    assert progress.notes == ""


@pytest.mark.parametrize("where", ["checkpoints", "checkpoints/soft"])
def test_a_file_in_the_way_of_the_checkpoint_is_told_before_training(empty_zoo: Path, where: str) -> None:
    zoo = Zoo.open(empty_zoo, environ={})
    (empty_zoo / where).parent.mkdir(exist_ok=True)
    (empty_zoo / where).touch()
    with pytest.raises(TrainingError, match="no checkpoint can be saved there: Not a directory"):
        zoo.train("soft", progress=StopAfter(0))


# The real command, stopped in the ways the world stops it.


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


def test_a_hook_that_reads_what_is_not_there_is_no_full_disk(empty_zoo: Path) -> None:
    with pytest.raises(PluginError, match=r"its train hook raised FileNotFoundError: .*weights\.bin"):
        own_train(empty_zoo, "open('weights.bin')").train("soft")


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
