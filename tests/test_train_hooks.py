"""Training what plugins give: networks of any shape, train and save hooks, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from plugging import DROPOUT, Stages, own_train

from zoo import Zoo
from zoo.cards import Card
from zoo.errors import PluginError, TrainingError
from zoo.progress import Silent
from zoo.terminal import Lines


@pytest.mark.long
def test_a_new_model_of_one_hook_predicts_right_after_training(empty_zoo: Path, picture) -> None:
    zoo = Zoo.open(empty_zoo, environ={})
    zoo.train("soft")
    answer = Zoo.open(empty_zoo, environ={}).predict("soft", picture(0))
    assert (answer.digit, answer.checkpoint) == (7, "soft/1")
    assert sum(answer.probabilities) == pytest.approx(1, abs=1e-5)


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


def test_a_train_hook_that_trains_nothing_may_return_no_rows(empty_zoo: Path) -> None:
    card = own_train(empty_zoo, "return []").train("soft", overrides={"validation": 100}, progress=(seen := Stages()))
    assert card.training["epochs"] == 0
    assert seen.stages == ["saving and checking", "calibrating"]


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


def test_a_hook_that_reads_what_is_not_there_is_no_full_disk(empty_zoo: Path) -> None:
    with pytest.raises(PluginError, match=r"its train hook raised FileNotFoundError: .*weights\.bin"):
        own_train(empty_zoo, "open('weights.bin')").train("soft")
