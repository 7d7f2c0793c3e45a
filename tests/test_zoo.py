"""`Zoo` from Python: what it takes, what it answers, and that threads do not meet in it."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from zoo import Prediction, Zoo
from zoo.datasets import Labelled
from zoo.errors import PictureBroken, PictureTooLarge, PictureUnsupported, SettingsError, UnknownModel, ZooError


@pytest.fixture(scope="module")
def zoo(trained: Path) -> Zoo:
    return Zoo.open(trained, environ={})


def test_a_path_bytes_and_an_array_get_the_same_answer(zoo: Zoo, picture, mnist: Labelled, tmp_path: Path) -> None:
    (tmp_path / "seven.png").write_bytes(picture(0))
    sources = [
        tmp_path / "seven.png",
        str(tmp_path / "seven.png"),
        picture(0),
        bytearray(picture(0)),
        memoryview(picture(0)),
        mnist.images[0],
        mnist.images[0, ..., 0],
        io.BytesIO(picture(0)),
        PIL.Image.open(io.BytesIO(picture(0))),
    ]
    answers = [zoo.predict("soft", source) for source in sources]
    assert all(answer == answers[0] for answer in answers)
    assert isinstance(answers[0], Prediction)
    assert (answers[0].digit, answers[0].label, answers[0].checkpoint) == (7, "7", "soft/1")


def test_no_name_asks_the_default_model(zoo: Zoo, picture) -> None:
    assert zoo.predict(None, picture(0)).model == "soft"


@pytest.mark.long
def test_after_a_training_the_version_that_it_selects_answers(zoo_folder: Path, picture) -> None:
    with (zoo_folder / "plugins/soft.py").open("a") as plugin:  # what is trained does not matter here
        plugin.write('\n\n@hookimpl\ndef train(model):\n    return [{"epoch": 1}]\n')
    zoo = Zoo.open(zoo_folder, environ={})
    assert zoo.predict("soft", picture(0)).checkpoint == "soft/1"
    zoo.train("soft")
    assert zoo.predict("soft", picture(0)).checkpoint == "soft/2"
    assert zoo.model("soft").card() == zoo.catalogue.card("soft", 2)


def test_one_bad_picture_fails_in_its_place(zoo: Zoo, picture) -> None:
    answers = zoo.predict_many("soft", [picture(0), b"", picture(1)])
    assert [isinstance(answer, ZooError) for answer in answers] == [False, True, False]
    assert isinstance(answers[2], Prediction)
    assert answers[2].digit == 2


def test_the_answers_to_many_pictures_are_a_sequence(zoo: Zoo, picture) -> None:
    sent = [picture(0), b"", picture(1), np.full((50, 50), 255, np.uint8), b"x"]
    answers = zoo.predict_many("soft", sent)
    assert len(answers) == 5
    assert answers == [*answers] == answers[:] == [answers[place - 5] for place in range(5)]
    assert answers[1:4] == [answers[1], answers[2], answers[3]]
    assert [type(one) for one in answers] == [Prediction, PictureBroken, Prediction, Prediction, PictureUnsupported]
    assert answers.errors == {1: answers[1], 4: answers[4]}
    assert answers.predictions == [answers[0], answers[2], answers[3]]
    assert answers.labels == [one.label for one in answers.predictions]
    assert answers.reasons == [None, None, "blank"]
    np.testing.assert_array_equal(answers.scores, [one.probabilities for one in answers.predictions])
    for place in (5, -6):
        with pytest.raises(IndexError, match=f"^index {place} is out of range for 5 answers$"):
            answers[place]
    assert answers + answers == [*answers] * 2
    more: list[int] = [7]
    assert answers + more == [*answers, 7]
    assert more + answers == [7, *answers]
    with pytest.raises(TypeError):
        answers + tuple(more)
    assert zoo.predict_many("soft", []) == []
    assert [one.trace for one in answers.predictions] != [one.trace for one in answers.untraced().predictions]


def test_one_array_of_many_pictures_is_as_good_as_a_list_of_them(zoo: Zoo, mnist: Labelled) -> None:
    digits = mnist.images[:40, ..., 0].copy()
    assert zoo.predict_many("soft", digits) == zoo.predict_many("soft", list(digits))
    digits[7], digits[9] = 0, np.roll(digits[9], 3, axis=1)  # which are not in MNIST's form
    found, expected = zoo.predict_many("soft", digits), zoo.predict_many("soft", list(digits))
    assert found == expected
    assert found.reasons[7] == "blank"
    for one, other in zip(found.predictions, expected.predictions, strict=True):
        assert one.trace is not None
        assert other.trace is not None
        assert one.trace.to_dict() == other.trace.to_dict()


def test_what_was_seen_stays_when_the_array_changes(zoo: Zoo, mnist: Labelled) -> None:
    digits = mnist.images[:3, ..., 0].copy()
    whole = digits.copy()
    alone, many = zoo.predict("soft", digits[0]), zoo.predict_many("soft", digits).predictions
    digits[:] = 0
    for answer, digit in zip([alone, *many], [whole[0], *whole], strict=True):
        assert answer.trace is not None
        np.testing.assert_array_equal(answer.trace.seen, digit)


def test_many_pictures_get_what_each_gets_alone(zoo: Zoo, mnist: Labelled) -> None:
    pictures = list(mnist.images[:300])
    for alone, together in zip(
        [zoo.predict("soft", p) for p in pictures], zoo.predict_many("soft", pictures), strict=True
    ):
        assert isinstance(together, Prediction)
        np.testing.assert_allclose(alone.probabilities, together.probabilities, atol=1e-6)


def test_a_blank_picture_is_answered_and_said_to_be_blank(zoo: Zoo) -> None:
    answer = zoo.predict("soft", np.full((50, 50), 255, np.uint8))
    assert (answer.rejected, answer.reason) == (True, "blank")
    assert sum(answer.probabilities) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (np.zeros((3, 3), np.float32), PictureBroken),
        (np.zeros((3, 3, 2), np.uint8), PictureBroken),
        (np.zeros((0, 3), np.uint8), PictureBroken),
        ("a\0b", PictureBroken),
        ("x" * 5000, PictureBroken),
        (b"plain text", PictureUnsupported),
        (None, PictureBroken),
        ([7], PictureBroken),
        (io.StringIO("text"), PictureBroken),
    ],
)
def test_what_is_no_picture_is_refused(zoo: Zoo, source: object, error: type[ZooError]) -> None:
    with pytest.raises(error):
        zoo.predict("soft", source)  # type: ignore[arg-type]


def test_a_source_that_cannot_be_read_is_told_in_its_place(zoo: Zoo) -> None:
    closed = io.BytesIO(b"")
    closed.close()
    answers = zoo.predict_many("soft", [np.full((50, 50), 255, np.uint8), None, closed])  # type: ignore[list-item]
    assert [type(one) for one in answers] == [Prediction, PictureBroken, PictureBroken]


def test_a_file_over_the_limit_is_refused_before_it_is_read_whole(zoo: Zoo, tmp_path: Path) -> None:
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(10_000_000_000)  # a hole: it takes no room
    with pytest.raises(PictureTooLarge, match=r"more than 16 MB, the limit"):
        zoo.predict("soft", tmp_path / "large.png")


def test_the_box_of_a_large_picture_is_in_its_own_pixels(zoo: Zoo) -> None:
    large = np.full((2400, 2400), 255, np.uint8)
    large[400:2000, 1100:1300] = 0

    content = io.BytesIO()
    PIL.Image.fromarray(large).save(content, "PNG")
    trace = zoo.predict("soft", content.getvalue()).trace
    assert trace is not None
    assert trace.box is not None
    np.testing.assert_allclose(trace.box, (1100, 400, 1300, 2000), atol=40)


def test_a_picture_alone_is_not_taken_for_several(zoo: Zoo, picture, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(picture(0))
    with path.open("rb") as file, PIL.Image.open(path) as opened:
        for alone in (str(path), path, path.read_bytes(), bytearray(b"x"), file, opened):
            told = rf"this is a single one \({type(alone).__name__}\): give a list, \[picture\]"
            with pytest.raises(PictureBroken, match=told):
                zoo.predict_many("soft", alone)  # type: ignore[arg-type]
    for shape in ((28, 28), (28, 28, 1), (28, 28, 3), (28, 28, 4)):
        told = rf"this is a single one \(ndarray, uint8 {re.escape(str(shape))}\): give a list, \[picture\]"
        with pytest.raises(PictureBroken, match=told):
            zoo.predict_many("soft", np.zeros(shape, np.uint8))
    (answer,) = zoo.predict_many("soft", iter([path]))
    assert isinstance(answer, Prediction)


def test_the_settings_are_not_the_zoo_they_lie_in(trained: Path) -> None:
    with pytest.raises(SettingsError) as error:
        Zoo.open(trained / "settings.toml")
    assert str(error.value) == f"{trained}/settings.toml is a file. Name the folder of the zoo: {trained}."


def test_an_unknown_model_gets_a_close_match(zoo: Zoo) -> None:
    with pytest.raises(UnknownModel, match=r'There is no model "sotf"\. Did you mean "soft"'):
        zoo.predict("sotf", b"")
    with pytest.raises(UnknownModel, match=r'There is no model "3"\.'):
        zoo.predict(3, b"")  # type: ignore[arg-type]


def test_threads_get_their_own_answers(zoo: Zoo, mnist: Labelled) -> None:
    def ask(index: int) -> bool:
        size = 1 + index % 3
        alone = zoo.predict("soft", mnist.images[index]).probabilities
        many = zoo.predict_many("soft", list(mnist.images[index : index + size]))[0]
        return isinstance(many, Prediction) and np.allclose(alone, many.probabilities, atol=1e-6)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(200)))


def test_models_loaded_by_many_threads_leave_stderr_as_it_was(trained: Path) -> None:
    code = """
import sys
from concurrent.futures import ThreadPoolExecutor
from zoo import Zoo
zoos = [Zoo.open(sys.argv[1], environ={}) for _ in range(8)]
with ThreadPoolExecutor(8) as threads:
    list(threads.map(lambda zoo: zoo.model("soft").load(), zoos))
print("still here", file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code, str(trained)], capture_output=True, text=True, timeout=60)
    assert done.stderr == "still here\n"
