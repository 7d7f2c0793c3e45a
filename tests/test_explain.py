"""Every step from a picture to what the model saw: told by the preprocessing itself, and drawn by the command."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from zoo import Zoo, strip
from zoo.errors import NoInk, PictureBroken, UnknownModel
from zoo.ink import normalise
from zoo.steps import STEPS, watching
from zoo.types import Image, Step

ALL = ["picture", "contrast", "ink", "marks", "box", "fitted", "seen"]


def named(steps: list[Step]) -> dict[str, Image]:
    return {step.name: step.picture for step in steps}


@pytest.fixture(scope="module")
def zoo(trained: Path) -> Zoo:
    return Zoo.open(trained, environ={})


def test_a_drawing_has_every_step_in_order(zoo: Zoo, picture) -> None:
    steps = zoo.explain("soft", picture(0, side=200, ink_dark=True))
    assert [step.name for step in steps] == ALL == list(STEPS)
    assert {step.picture.dtype for step in steps} == {np.dtype(np.uint8)}


def test_the_last_step_is_what_the_prediction_saw(zoo: Zoo, picture) -> None:
    content = picture(3, side=150, ink_dark=True)
    trace = zoo.predict("soft", content).trace
    assert trace is not None
    np.testing.assert_array_equal(zoo.explain("soft", content)[-1].picture, trace.seen)


def test_ink_is_white_whatever_its_polarity(zoo: Zoo, picture) -> None:
    dark = named(zoo.explain("soft", picture(0, side=200, ink_dark=True)))
    light = named(zoo.explain("soft", picture(0, side=200)))
    np.testing.assert_allclose(dark["ink"].astype(int), light["ink"], atol=6)
    assert dark["contrast"].min() < 10
    assert dark["contrast"].max() < 140
    assert light["contrast"].max() > 245


def test_dirt_is_marked_otherwise_than_the_digit(mnist) -> None:
    page = np.zeros((280, 280), np.uint8)
    page[40:240, 40:240] = np.asarray(PIL.Image.fromarray(mnist.images[0, ..., 0]).resize((200, 200)))
    page[262:268, 262:268] = 255
    with watching() as told:
        normalise(page)
    marks = told["marks"].reshape(-1, 3)
    assert len(np.unique(marks[marks.any(axis=1)], axis=0)) == 2
    assert told["marks"][264 // 3, 264 // 3].any()


def test_the_box_is_drawn_where_the_trace_tells(picture) -> None:
    page = np.asarray(PIL.Image.open(io.BytesIO(picture(0, side=300))))
    with watching() as told:
        box = normalise(page)[1].box
    assert box is not None
    down, across = np.nonzero((told["box"] != told["picture"]).any(axis=2))
    drawn = (across.min(), down.min(), across.max() + 1, down.max() + 1)
    np.testing.assert_allclose(drawn, box, atol=4)


def test_a_transparent_picture_is_shown_on_its_ground(zoo: Zoo, mnist) -> None:
    ink = np.asarray(PIL.Image.fromarray(mnist.images[0, ..., 0]).resize((200, 200)))
    clear = np.dstack([np.zeros((200, 200, 3), np.uint8), ink])
    assert named(zoo.explain("soft", clear))["picture"][0, 0].tolist() == [255, 255, 255]


def test_a_small_digit_is_shown_from_nearer(mnist) -> None:
    page = np.full((1200, 1600), 255, np.uint8)
    page[500:640, 700:840] -= np.asarray(PIL.Image.fromarray(mnist.images[0, ..., 0]).resize((140, 140)))
    with watching() as told:
        normalise(page)
    assert (told["ink"] > 128).mean() > 10 * (told["picture"] < 128).mean()


def test_a_picture_in_mnists_form_needs_no_steps(zoo: Zoo, picture) -> None:
    steps = zoo.explain("soft", picture(0))
    assert [step.name for step in steps] == ["picture", "seen"]
    np.testing.assert_array_equal(steps[0].picture[..., 0], steps[1].picture)


def test_a_model_that_only_resizes_has_the_picture_and_what_it_saw(zoo_folder: Path, picture) -> None:
    card = zoo_folder / "checkpoints/soft/1/card.json"
    content = json.loads(card.read_text())
    content["settings"]["preprocess"] = "resize"
    card.write_text(json.dumps({**content, "seal": None}))
    steps = Zoo.open(zoo_folder, environ={}).explain("soft", picture(0, side=200, ink_dark=True))
    assert [step.name for step in steps] == ["picture", "seen"]


def test_a_plugin_with_its_own_preprocessing_has_the_picture_and_what_it_saw(zoo_folder: Path, picture) -> None:
    plugin = zoo_folder / "plugins/soft.py"
    hook = "def preprocess(image):\n    from zoo import ink\n\n    return ink.resize(image)\n"
    plugin.write_text(f"{plugin.read_text()}\n\n@hookimpl\n{hook}")
    steps = Zoo.open(zoo_folder, environ={}).explain("soft", picture(0, side=200, ink_dark=True))
    assert [step.name for step in steps] == ["picture", "seen"]


def test_a_rejected_picture_has_the_steps_so_far(zoo: Zoo) -> None:
    noise = np.random.default_rng(28).integers(0, 256, (300, 300, 3), np.uint8)
    blank = np.full((100, 100), 255, np.uint8)
    for nothing in (noise, blank):
        assert [step.name for step in zoo.explain("soft", nothing)] == ["picture", "contrast"]


def test_what_cannot_be_read_raises_as_prediction_does(zoo: Zoo, picture) -> None:
    with pytest.raises(PictureBroken):
        zoo.explain("soft", b"")
    with pytest.raises(UnknownModel):
        zoo.explain("sofft", picture(0))


def test_nothing_is_told_when_nobody_watches_any_more() -> None:
    with watching() as told:
        pass
    with pytest.raises(NoInk):
        normalise(np.zeros((50, 50), np.uint8))
    assert told == {}


def test_the_strip_has_a_row_for_each_picture(zoo: Zoo, picture) -> None:
    steps = zoo.explain("soft", picture(0, side=200))
    one = PIL.Image.open(io.BytesIO(strip.draw([("seven", steps)])))
    two = PIL.Image.open(io.BytesIO(strip.draw([("seven", steps), ("x" * 1000, steps[:2])])))
    assert one.width == two.width > 1200
    assert 1.7 * one.height < two.height < 2 * one.height


def test_predict_draws_the_steps(trained: Path, tmp_path: Path, picture, run) -> None:
    (tmp_path / "a.png").write_bytes(picture(0, side=200, ink_dark=True))
    (tmp_path / "bad.png").write_text("text")
    words = ("predict", "a.png", "bad.png", "-", "--explain", "out.png")
    done = run("--zoo", str(trained), *words, cwd=tmp_path, stdin=picture(1, side=100))
    assert done.returncode == 1
    assert done.stdout.splitlines()[1].startswith("a.png\t7\t")
    with PIL.Image.open(tmp_path / "out.png") as drawn:
        assert drawn.format == "PNG"
        assert drawn.width > drawn.height > 500
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "bad.png", "out.png"]


def test_too_many_pictures_are_not_drawn(trained: Path, tmp_path: Path, picture, run) -> None:
    for index in range(41):
        (tmp_path / f"{index}.png").write_bytes(picture(index))
    done = run("predict", str(tmp_path), "--explain", str(tmp_path / "out.png"), cwd=trained)
    assert done.returncode == 2
    assert "--explain draws up to 40 pictures, but there are 41." in done.stderr
    assert not (tmp_path / "out.png").exists()


def test_a_place_that_cannot_be_written_is_told(trained: Path, tmp_path: Path, picture, run) -> None:
    long = tmp_path / f"{'x' * 248}.png"  # with what is put before it while it is written, too long a name
    done = run("predict", "-", "--explain", str(long), cwd=trained, stdin=picture(0))
    assert done.returncode == 1
    assert "x.png cannot be written: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["a.png", "--explain", "a.png"], "a.png is one of the pictures to read and would be overwritten."),
        (["a.png", "--explain", "./more/../a.png"], "a.png is one of the pictures to read and would be overwritten."),
        (["--explain", "a.png", "more/b.png"], "a.png already exists and was not drawn by zoo."),
        (["more", "--explain", "more/new.png"], "more/new.png is inside more, whose pictures are read."),
        (["a.png", "--explain", "absent/new.png"], "absent/new.png: there is no folder absent."),
        (["a.png", "--explain", "a.png/new.png"], "a.png/new.png: there is no folder a.png."),
        (["a.png", "--explain", "new.jpg"], "new.jpg should end in .png."),
    ],
)
def test_no_picture_of_the_users_own_is_drawn_over(trained: Path, tmp_path: Path, picture, run, words, told) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "a.png").write_bytes(picture(0))
    (tmp_path / "more/b.png").write_bytes(picture(1))
    done = run("--zoo", str(trained), "predict", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert (tmp_path / "a.png").read_bytes() == picture(0)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == ["a.png", "more", "more/b.png"]


def test_a_drawing_is_drawn_over_by_the_next(trained: Path, tmp_path: Path, picture, run) -> None:
    for index in range(2):
        (tmp_path / "a.png").write_bytes(picture(index))
        done = run("--zoo", str(trained), "predict", "a.png", "--explain", "steps.png", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
