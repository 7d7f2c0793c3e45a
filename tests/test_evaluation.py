"""Measuring: figures with known answers, pictures made harder, anyone's labelled files, and the seeds of a training."""

from __future__ import annotations

import io
import json
import math
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from limiting import run_limited

from zoo import Zoo, labelled, robustness
from zoo.cards import Evaluation
from zoo.datasets import Labelled
from zoo.errors import DatasetError, ModelUnavailable
from zoo.evaluation import calibration, calibration_error, class_figures, confusion, figures, reliability, worst
from zoo.labelled import Condition
from zoo.measuring import Measured, on_files, over_seeds
from zoo.types import DIGITS

Picture = Callable[..., bytes]


@pytest.fixture
def folders(tmp_path: Path, mnist: Labelled, picture: Picture) -> Path:
    """The first thirty test digits in a folder for each label, some inside further folders."""
    folder = tmp_path / "digits"
    for index in range(30):
        place = folder / str(mnist.classes[index]) / ("more" if index % 5 == 0 else "")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{index:02}.png").write_bytes(picture(index, side=60, ink_dark=index % 2 == 0))
    return folder


@pytest.fixture
def listed(tmp_path: Path, mnist: Labelled, picture: Picture) -> Path:
    """The same in one folder with a CSV file; the even ones are of ink, the odd ones of chalk."""
    folder = tmp_path / "listed"
    (folder / "pictures").mkdir(parents=True)
    rows = ["note,path,label,medium"]
    for index in range(30):
        (folder / f"pictures/{index:02}.png").write_bytes(picture(index, side=60))
        rows.append(f'"a, b",pictures/{index:02}.png, {mnist.classes[index]},{"chalk" if index % 2 else "ink"}')
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_the_calibration_error_of_two_bins() -> None:
    confidence, right = np.array([0.95, 0.95, 0.65, 0.65]), np.array([True, False, True, True])
    assert calibration_error(confidence, right, bins=10) == pytest.approx((0.45 + 0.35) / 2)
    assert calibration_error(np.array([0.5, 0.5]), np.array([True, False])) == pytest.approx(0)
    assert calibration_error(np.array([0.2]), np.array([False]), bins=1) == pytest.approx(0.2)


def test_the_bins_are_closed_above_and_hold_every_confidence() -> None:
    bins = reliability(np.array([0.0, 0.2, 0.21, 1.0]), np.array([False, True, True, True]), bins=5)
    assert [part.count for part in bins] == [2, 1, 0, 0, 1]
    assert (bins[0].confidence, bins[0].accuracy) == (0.1, 0.5)
    assert (bins[2].confidence, bins[2].accuracy) == (None, None)
    assert len(reliability(np.ones(3), np.ones(3, bool))) == 15


def test_brier_and_log_likelihood_of_two_answers() -> None:
    found = calibration(np.array([[0.7, 0.3], [0.4, 0.6]], np.float32), np.array([0, 0]))
    assert found.brier == pytest.approx((2 * 0.09 + 2 * 0.36) / 2, abs=1e-6)
    assert found.nll == pytest.approx(-(math.log(0.7) + math.log(0.4)) / 2, abs=1e-6)
    impossible = calibration(np.array([[0.0, 1.0]], np.float32), np.array([0]))
    assert (impossible.brier, impossible.ece) == (2, 1)
    assert impossible.nll == pytest.approx(-math.log(1e-12), abs=1e-6)


def test_confusion_recall_precision_and_f1() -> None:
    counts = confusion(np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0]), 4)
    assert counts.tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    rows = class_figures(counts, ("a", "b", "c", "d"))
    assert [row.pictures for row in rows] == [2, 2, 1, 0]
    assert [row.recall for row in rows] == [0.5, 1, 0, None]
    assert [row.precision for row in rows] == [0.5, 0.666667, None, None]
    assert [row.f1 for row in rows] == [0.5, 0.8, 0, None]


def test_rejected_pictures_are_counted_by_reason_and_left_out_of_the_accepted() -> None:
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]], np.float32)
    found = figures("four", np.array([0, 0, 1, 1]), scores, ("no", "yes"), [None, "blank", None, "blank"])
    assert (found.correct, found.accuracy, found.accepted_accuracy) == (2, 0.5, 0.5)
    assert found.rejected == {"blank": 2}
    wrong = worst(found, 9)
    assert [(m.index, m.label, m.predicted, m.confidence, m.reason) for m in wrong] == [
        (2, 1, 0, 0.6, None),
        (1, 0, 1, 0.8, "blank"),
    ]
    assert "reason" not in wrong[0].model_dump(), "a card tells it of rejected pictures alone"
    none = figures("none", np.array([0]), scores[:1], ("no", "yes"), ["blank"])
    assert none.accepted_accuracy is None


def test_an_evaluation_of_the_first_zoos_still_loads() -> None:
    old = {
        "data": "mnist test", "pictures": 2, "correct": 1, "accuracy": 0.5, "interval": [0.1, 0.9],
        "created": "2026-01-01T00:00:00Z", "mistakes": [{"index": 0, "label": 1, "predicted": 2, "confidence": 0.7}],
    }  # fmt: skip
    found = Evaluation.model_validate_json(json.dumps(old))
    assert (found.classes, found.confusion, found.calibration, found.robustness) == ([], [], None, None)


@pytest.mark.parametrize("corruption", robustness.CORRUPTIONS, ids=lambda corruption: corruption.name)
def test_each_corruption_changes_pictures_more_with_each_severity(
    mnist: Labelled, corruption: robustness.Corruption
) -> None:
    pictures = mnist.images[:60, ..., 0]
    before = pictures.copy()
    harder = [robustness.corrupt(pictures, corruption, severity) for severity in corruption.severities]
    assert all(varied.shape == pictures.shape and varied.dtype == np.uint8 for varied in harder)
    assert (pictures == before).all()
    if corruption.name in ("inversion", "contrast"):
        spans = [int(varied.max()) - int(varied.min()) for varied in harder]
        assert spans == [pytest.approx(255 * left, abs=1) for left in corruption.severities]
    else:
        changes = [np.abs(varied.astype(int) - pictures).mean() for varied in harder]
        assert 0.5 < changes[0] < changes[1] < changes[2]


@pytest.mark.parametrize(("name", "more"), [("thick", True), ("larger", True), ("thin", False), ("smaller", False)])
def test_ink_grows_and_shrinks(mnist: Labelled, name: str, more: bool) -> None:
    (corruption,) = (one for one in robustness.CORRUPTIONS if one.name == name)
    pictures = mnist.images[:60, ..., 0]
    ink = [
        pictures.sum(),
        *(robustness.corrupt(pictures, corruption, severity).sum() for severity in corruption.severities),
    ]
    assert ink == sorted(ink, reverse=not more)


@pytest.mark.parametrize("name", ["rotation", "noise", "occlusion", "shift"])
def test_chance_depends_on_the_seed_and_the_place_alone(mnist: Labelled, name: str) -> None:
    (corruption,) = (one for one in robustness.CORRUPTIONS if one.name == name)
    pictures = mnist.images[:300, ..., 0]
    varied = robustness.corrupt(pictures, corruption, corruption.severities[1])
    np.testing.assert_array_equal(
        robustness.corrupt(pictures[:280], corruption, corruption.severities[1]), varied[:280]
    )
    assert (robustness.corrupt(pictures, corruption, corruption.severities[1], seed=1) != varied).any()


def test_turning_and_moving_are_what_they_say() -> None:
    dot = np.zeros((1, 28, 28), np.uint8)
    dot[0, 14, 20:22] = 255
    corruptions = {corruption.name: corruption for corruption in robustness.CORRUPTIONS}
    y, x = np.argwhere(robustness.corrupt(dot, corruptions["rotation"], 45)[0] > 60).mean(axis=0) - 13.5
    assert math.hypot(x, y) == pytest.approx(7, abs=0.5)
    assert abs(math.degrees(math.atan2(y, x))) == pytest.approx(45, abs=6)
    y, x = np.argwhere(robustness.corrupt(dot, corruptions["shift"], 4)[0] > 60).mean(axis=0) - (14, 20.5)
    assert math.hypot(x, y) == pytest.approx(4, abs=0.5)
    y, x = np.argwhere(robustness.corrupt(dot, corruptions["smaller"], 0.5)[0] > 60).mean(axis=0) - 13.5
    assert x == pytest.approx(3.5, abs=0.5)


def test_a_folder_for_each_label_is_measured_and_told_within_80_columns(
    trained: Path, folders: Path, mnist: Labelled, run
) -> None:
    done = run("--zoo", str(trained), "evaluate", "soft", "--data", ".", "--mistakes", "../m.png", cwd=folders)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^soft/1 on \.: [\d.]+ % \(\d+ of 30; 95 % interval", done.stdout)
    assert "rejected: none" in done.stdout
    assert "confusion: one row per label, one column per answer" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    zeros = int((mnist.classes[:30] == 0).sum())
    assert re.search(rf"^0 +{zeros} ", done.stdout, re.MULTILINE)
    mistakes = int(re.search(r"drew (\d+) mistakes? in \.\./m\.png", done.stdout)[1])
    with PIL.Image.open(folders.parent / "m.png") as drawn:
        assert drawn.width >= 112 * min(mistakes, 10)
    assert json.loads((trained / "checkpoints/soft/1/card.json").read_text())["evaluation"] is None


def test_the_rows_of_a_csv_file_are_chosen_and_all_is_told_in_json(trained: Path, listed: Path, run) -> None:
    done = run("evaluate", "soft", "--data", str(listed), "--where", "medium!=ink", "--json", cwd=trained)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["checkpoint"], found["pictures"]) == ("soft/1", 15)
    assert found["left_out"] == {"unreadable": 0, "unknown label": 0, "named": []}
    assert sum(map(sum, found["confusion"])) == sum(part["count"] for part in found["calibration"]["bins"]) == 15
    assert found["robustness"] is None
    assert all(int(Path(mistake["path"]).stem) % 2 for mistake in found["mistakes"])
    zoo = Zoo.open(trained, environ={})
    for mistake in found["mistakes"]:
        assert zoo.predict("soft", mistake["path"]).digit == mistake["predicted"]


def test_bad_rows_are_counted_named_and_left_out(trained: Path, listed: Path, run) -> None:
    with (listed / "labels.csv").open("a") as file:
        file.write("x,pictures/00.png,seven,ink\nx,absent.png,1,ink\nx,labels.csv,2,ink\nx\n")
    done = run("evaluate", "soft", "--data", str(listed / "labels.csv"), cwd=trained)
    assert done.returncode == 0, done.stderr
    assert "of 30; 95 % interval" in done.stdout
    assert "left out: 2 unreadable, 2 unknown label" in done.stdout
    assert 'pictures/00.png: its label "seven" is not one of 0, 1' in done.stdout
    assert "absent.png cannot be read: No such file or directory" in done.stdout
    assert "labels.csv: " in done.stdout


def test_a_rejected_picture_is_told_as_such(zoo_folder: Path, tmp_path: Path, run) -> None:
    for label in ("3", "4"):  # at least one of them is not what an empty picture is answered with
        (tmp_path / "blank" / label).mkdir(parents=True)
        PIL.Image.new("L", (60, 60), 255).save(tmp_path / "blank" / label / "paper.png")
    long = f"{'x' * 248}.png"  # with what is put before it while it is written, too long a name
    done = run("evaluate", "soft", "--data", str(tmp_path / "blank"), "--mistakes", long, cwd=zoo_folder)
    assert "rejected: 2 (100.00 %: 2 blank); accuracy of the others -" in done.stdout
    assert "rejected (blank): paper.png" in done.stdout
    assert done.returncode == 1
    assert "x.png cannot be written: " in done.stderr


@pytest.mark.long
def test_mistakes_are_not_drawn_over_what_is_measured(trained: Path, folders: Path, listed: Path, run) -> None:
    def refused(told: str, data: Path, place: str) -> None:
        words = ("evaluate", "soft", "--data", str(data), "--mistakes", place)
        done = run("--zoo", str(trained), *words, cwd=folders.parent)
        assert (done.returncode, done.stdout) == (2, "")
        assert told in " ".join(done.stderr.split())

    before = {path: path.read_bytes() for path in folders.parent.rglob("*.png")}
    refused("digits/7/more/00.png is inside ", folders, "digits/7/more/00.png")
    refused("digits/new.png is inside ", folders, "digits/new.png")
    refused("listed/pictures/00.png already exists", listed / "labels.csv", "listed/pictures/00.png")
    refused("there is no folder absent", folders, "absent/new.png")
    assert {path: path.read_bytes() for path in folders.parent.rglob("*.png")} == before


def test_what_cannot_be_looked_into_is_counted_and_named(trained: Path, folders: Path, mnist: Labelled) -> None:
    shut = folders / str(mnist.classes[0])
    within = sum(path.is_file() for path in shut.rglob("*"))
    (folders / "0/gone.png").symlink_to("nowhere.png")
    (folders / "0/again").symlink_to(".")
    (folders / "0/more/elsewhere").symlink_to(folders / "1")
    others = sum(path.is_file() for path in (folders / "1").rglob("*"))
    shutil.rmtree(folders / "4")
    (folders / "4").symlink_to("nowhere")
    fours = int((mnist.classes[:30] == 4).sum())
    shut.chmod(0)
    try:
        done = run_limited("--zoo", str(trained), "evaluate", "soft", "--data", ".", "--json", cwd=folders)
        folders.chmod(0o400)
        whole = run_limited("--zoo", str(trained), "evaluate", "soft", "--data", "digits", cwd=folders.parent)
    finally:
        folders.chmod(0o700)
        shut.chmod(0o700)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    told = "\n".join(found["left_out"]["named"])
    assert found["pictures"] == 30 - within - fours + others
    assert found["left_out"]["unreadable"] == 4, told
    for message in (
        f"{shut.name} cannot be read: Permission denied",
        "0/gone.png cannot be read: No such file or directory",
        "4 cannot be read: No such file or directory",
        "0/again cannot be read: Is a directory",
    ):
        assert message in told
    assert whole.returncode == 1
    assert re.fullmatch(r"zoo: digits/\d cannot be read: Permission denied\.\n", whole.stderr)


def test_what_is_not_a_file_is_counted_and_named_without_waiting_for_it(
    trained: Path, tmp_path: Path, picture: Picture
) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7/a.png").write_bytes(picture(0))
    os.mkfifo(tmp_path / "7/b.png")
    (tmp_path / "some.csv").write_text("path,label\n7/a.png,7\n7/b.png,7\n/dev/zero,7\n")
    zoo = Zoo.open(trained, environ={})
    for data, refused in (("some.csv", ("7/b.png", "/dev/zero")), (".", ("7/b.png",))):
        found = on_files(zoo, "soft", data, labelled.read(tmp_path / data, DIGITS))
        assert found.evaluation.pictures == 1
        assert found.left_out.named == tuple(f"{tmp_path / name} cannot be read: it is not a file" for name in refused)


def test_when_nothing_can_be_used_it_says_what_was_expected(trained: Path, listed: Path) -> None:
    files = [(listed / "pictures/00.png", "seven"), (listed / "absent.png", "7")]
    with pytest.raises(DatasetError, match=r"none of its 2 pictures can be used: 1 cannot be read, and 1 have a label"):
        on_files(Zoo.open(trained, environ={}), "soft", "two", files)


def test_what_is_no_labelled_data_is_refused(tmp_path: Path) -> None:
    def refused(message: str, source: Path = tmp_path, *where: str) -> None:
        with pytest.raises(DatasetError, match=message):
            labelled.read(source, DIGITS, [Condition.parse(text) for text in where])

    refused("no such folder or file. Expected: a folder for each label", tmp_path / "absent")
    refused("no labelled pictures. Expected: a folder for each label")
    (tmp_path / "cats").mkdir()
    refused("no labelled pictures, only the folders cats")
    (tmp_path / "7").mkdir()
    refused("its folders are empty")
    (tmp_path / "7/a.png").write_bytes(b"x")
    (tmp_path / "7/.hidden").write_bytes(b"x")
    assert labelled.read(tmp_path, DIGITS) == [(tmp_path / "7/a.png", "7")]
    refused("so there are no columns to select by", tmp_path, "medium=ink")
    shutil.rmtree(tmp_path / "7")
    one = tmp_path / "one.csv"
    for content, message in (
        (b"", r'has no column "path"\. Its columns are: -\.'),
        (b"path,lable\na.png,1\n", r'no column "label"\. Did you mean "lable"\? Its columns are: path, lable'),
        (b"path,label\n", "has no rows below the column names"),
        (b"path,label,label\na.png,7,3\n", 'has the column "label" more than once'),
        (b"path,label\n\xff,1\n", "is not a CSV file in UTF-8"),
    ):
        one.write_bytes(content)
        refused(message)
    one.write_text("path,label,medium\na.png,1,ink\nb.png,2,chalk\n")
    refused("none of its 2 rows matches medium=pen. medium is one of chalk, ink", one, "medium=pen")
    refused(r'no column "medum"\. Did you mean "medium"', one, "medum=pen")
    assert labelled.read(one, DIGITS, [Condition.parse("medium != ink")]) == [(tmp_path / "b.png", "2")]
    (tmp_path / "two.csv").write_text("path,label\n")
    refused("has 2 CSV files but no labels.csv. Choose one: .*one.csv, .*two.csv")


def test_a_spreadsheets_byte_order_mark_is_no_part_of_a_column(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("path,label\r\na.png,1\r\n", encoding="utf-8-sig", newline="")
    assert labelled.read(tmp_path, DIGITS) == [(tmp_path / "a.png", "1")]


def test_labels_may_be_any_names(zoo_folder: Path, tmp_path: Path, picture: Picture, run) -> None:
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine, the last of all the digits"]
    change_card(zoo_folder / "checkpoints/soft/1", labels=names)
    for index, name in ((0, "seven"), (1, "two"), (2, "one"), (3, "7")):
        (tmp_path / "named" / name).mkdir(parents=True)
        (tmp_path / "named" / name / "a.png").write_bytes(picture(index))
    done = run("evaluate", "soft", "--data", str(tmp_path / "named"), cwd=zoo_folder)
    assert done.returncode == 0, done.stderr
    assert "of 3; 95 % interval" in done.stdout
    assert "left out: 1 unknown label" in done.stdout
    assert re.search(r"^seven +1 ", done.stdout, re.MULTILINE)
    assert max(len(line) for line in done.stdout.splitlines()[5:]) <= 80


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--where", "medium=ink"], "--where needs --data"),
        (["--data", ".", "--where", "medium"], "'medium' should be COLUMN=VALUE or COLUMN!=VALUE"),
        (["--mistakes", "out.jpg"], "out.jpg should end in .png"),
        (["--seeds", "--mistakes", "out.png"], "Leave one of them out"),
    ],
)
def test_options_that_do_not_go_together_are_refused(trained: Path, run, words: list[str], message: str) -> None:
    done = run("evaluate", "soft", *words, cwd=trained)
    assert done.returncode == 2
    assert message in done.stderr


def change_card(folder: Path, **facts: object) -> None:
    card = json.loads((folder / "card.json").read_text())
    del card["seal"]
    (folder / "card.json").write_text(json.dumps(card | facts))


def test_a_quick_evaluation_is_stored_keeps_robustness_and_is_the_same_again(zoo_folder: Path) -> None:
    card, found = Zoo.open(zoo_folder, environ={}).evaluate("soft", quick=True)
    assert (card.evaluation, found.robustness, found.pictures) == (found, None, 10_000)
    assert sum(map(sum, found.confusion)) == 10_000
    assert sum(found.confusion[i][i] for i in range(10)) == found.correct
    hard = {"pictures": 5, "seed": 1, "plain": 1.0, "kinds": []}
    stored = found.model_dump(mode="json") | {"robustness": hard, "created": "2020-01-01T00:00:00Z"}
    change_card(zoo_folder / "checkpoints/soft/1", evaluation=stored)
    before = (zoo_folder / "checkpoints/soft/1/card.json").read_bytes()
    _, again = Zoo.open(zoo_folder, environ={}).evaluate("soft", quick=True)
    assert again.model_dump(mode="json") == stored
    assert (zoo_folder / "checkpoints/soft/1/card.json").read_bytes() == before


def test_versions_that_differ_by_their_seed_alone_are_told_with_mean_and_deviation(zoo_folder: Path, run) -> None:
    first = zoo_folder / "checkpoints/soft/1"
    settings = json.loads((first / "card.json").read_text())["settings"]
    given = {"data": "mnist test", "pictures": 10, "correct": 0, "interval": [0, 1], "mistakes": []}
    given["created"] = "2026-01-01T00:00:00Z"
    for version, accuracy, changes in ((2, 0.7, {"seed": 2}), (3, 0.9, {"epochs": 9}), (4, 0.6, {"seed": 4})):
        copy = shutil.copytree(first, first.with_name(str(version)))
        measured = given | {"accuracy": accuracy}
        change_card(copy, version=version, settings=settings | changes, evaluation=measured)
    change_card(first, evaluation=given | {"accuracy": 0.8})
    done = run("evaluate", "soft", "--version", "1", "--seeds", cwd=zoo_folder)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("soft/")]
    assert [(row[0], row[1], row[2]) for row in rows] == [
        ("soft/1", "1", "80.00"),
        ("soft/2", "2", "70.00"),
        ("soft/4", "4", "60.00"),
    ]
    assert "mean 70.00 %, standard deviation 10.00 points (3 versions)" in done.stdout


@pytest.mark.long
def test_a_version_whose_start_is_gone_is_still_among_its_own_seeds(zoo_folder: Path) -> None:
    first = zoo_folder / "checkpoints/soft/1"
    settings = json.loads((first / "card.json").read_text())["settings"]
    for version, start in ((2, "soft/8"), (3, "soft/8"), (4, "soft/9")):
        copy = shutil.copytree(first, first.with_name(str(version)))
        change_card(copy, version=version, settings=settings | {"seed": version, "start": start})
    zoo = Zoo.open(zoo_folder, environ={})
    runs = over_seeds(
        zoo, "soft", lambda number: Measured(*zoo.evaluate("soft", version=number, quick=True)), version=2
    )
    assert [run.card.version for run in runs.runs] == [2, 3]


def test_the_seeds_of_another_models_version_are_asked_for_there(zoo_folder: Path) -> None:
    (zoo_folder / "settings.toml").write_text('[models.twin]\nplugin = "soft"\ncheckpoint = "soft/1"\n')
    zoo = Zoo.open(zoo_folder, environ={})
    with pytest.raises(ModelUnavailable, match="zoo evaluate soft --version 1 --seeds"):
        over_seeds(zoo, "twin", lambda version: Measured(*zoo.evaluate("twin", version=version)))


@pytest.mark.long
def test_two_trainings_by_two_seeds_are_evaluated_where_they_were_not(zoo_folder: Path, folders: Path, run) -> None:
    Zoo.open(zoo_folder, environ={}).train("soft", overrides={"seed": 2})
    done = run("evaluate", "soft", "--seeds", "--quick", "--json", cwd=zoo_folder)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    one, two = (row["accuracy"] for row in found["versions"])
    assert [row["seed"] for row in found["versions"]] == [1, 2]
    assert found["mean"] == pytest.approx((one + two) / 2, abs=1e-6)
    assert found["deviation"] == pytest.approx(abs(one - two) / math.sqrt(2), abs=1e-6)
    stored = [json.loads((zoo_folder / f"checkpoints/soft/{v}/card.json").read_text()) for v in (1, 2)]
    assert [card["evaluation"]["accuracy"] for card in stored] == [one, two]
    done = run("evaluate", "soft", "--seeds", "--data", str(folders), cwd=zoo_folder)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^soft/\d ", done.stdout, re.MULTILINE)) == 2


@pytest.mark.long
def test_robustness_is_measured_through_the_whole_way_and_stored(zoo_folder: Path, run) -> None:
    done = run("evaluate", "soft", "--mistakes", "m.png", cwd=zoo_folder)
    assert done.returncode == 0, done.stderr
    assert "robustness, on the first 2,000 test pictures" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    stored = json.loads((zoo_folder / "checkpoints/soft/1/card.json").read_text())["evaluation"]["robustness"]
    assert [kind["kind"] for kind in stored["kinds"]] == [corruption.name for corruption in robustness.CORRUPTIONS]
    (inverted,) = (kind for kind in stored["kinds"] if kind["kind"] == "inversion")
    assert inverted["accuracy"][0] == stored["plain"], "dark on light in full contrast is MNIST's own form"
    with PIL.Image.open(io.BytesIO((zoo_folder / "m.png").read_bytes())) as drawn:
        assert drawn.width > 1_200
