"""One picture through every model: the same answers as one by one, with the digit found only once."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from zoo import ModelSettings, Trace, Zoo, hookimpl
from zoo.arena import Verdict, Vote, ask_all
from zoo.errors import ModelUnavailable, PictureBroken, PictureUnsupported, ZooError
from zoo.types import Input, Prediction

MANY = 50


@pytest.fixture
def crowd(zoo_folder: Path) -> Zoo:
    """A zoo of 50 models, all of one checkpoint."""
    entries = "".join(f'[models.soft_{n}]\nplugin = "soft"\ncheckpoint = "soft/1"\n' for n in range(MANY - 1))
    with (zoo_folder / "settings.toml").open("a") as settings:
        settings.write(entries)
    return Zoo.open(zoo_folder, environ={})


def test_each_votes_as_it_answers_alone_and_the_digit_is_found_once(crowd: Zoo, picture) -> None:
    content = picture(0, side=200, ink_dark=True)
    alone = {name: crowd.predict(name, content) for name in crowd.models}
    verdict = ask_all(crowd, content)
    assert len(verdict.votes) == MANY
    assert {vote.model: vote.answer for vote in verdict.votes} == alone
    traces = {id(vote.answer.trace) for vote in verdict.votes if isinstance(vote.answer, Prediction)}
    assert len(traces) == 1


class Blinding:
    """Shows one model only black."""

    @hookimpl(wrapper=True)
    def preprocess(self, settings: ModelSettings) -> Generator[None, tuple[Input, Trace], tuple[Input, Trace]]:
        array, trace = yield
        return (array * 0 if settings.name == "soft_1" else array), trace


def test_a_wrapper_of_the_calling_program_sees_the_picture_of_each_model(crowd: Zoo, picture) -> None:
    before = {vote.model: vote.answer for vote in ask_all(crowd, picture(0)).votes}
    crowd.join("blinding", Blinding())
    answers = {vote.model: vote.answer for vote in ask_all(crowd, picture(0)).votes}
    assert answers == {name: crowd.predict(name, picture(0)) for name in crowd.models}
    assert [name for name in answers if answers[name] != before[name]] == ["soft_1"]


def test_a_plugins_own_preprocessing_is_not_shared(zoo_folder: Path, picture) -> None:
    plugin = zoo_folder / "plugins/soft.py"
    plugin.write_text(
        plugin.read_text() + "\n\n@hookimpl\ndef preprocess(image, settings):\n"
        "    import numpy as np\n    from zoo import Trace\n"
        "    return np.zeros((28, 28, 1), np.float32), Trace(np.full((28, 28), 9, np.uint8))\n"
    )
    (zoo_folder / "settings.toml").write_text('[models.soft]\n[models.other]\nplugin = "soft"\ncheckpoint = "soft/1"\n')
    for vote in ask_all(Zoo.open(zoo_folder, environ={}), picture(0)).votes:
        assert isinstance(vote.answer, Prediction)
        assert vote.answer.trace is not None
        assert vote.answer.trace.seen[0, 0] == 9


class Breaking:
    """Fails to load one model, and blames a picture of its own."""

    @hookimpl(wrapper=True)
    def load(self, settings: ModelSettings) -> Generator[None, object, object]:
        if settings.name == "soft_1":
            raise PictureBroken("The warm-up picture is gone.")
        return (yield)


def test_a_load_hook_that_blames_a_picture_costs_only_its_own_vote(crowd: Zoo, picture) -> None:
    crowd.join("breaking", Breaking())
    failed = [vote.model for vote in ask_all(crowd, picture(0)).votes if isinstance(vote.answer, ZooError)]
    assert failed == ["soft_1"]


def test_a_picture_that_is_none_is_nobodys_fault(crowd: Zoo) -> None:
    with pytest.raises(PictureUnsupported):
        ask_all(crowd, b"no picture at all")


def reads(label: str, rejected: bool = False) -> Vote:
    return Vote("m", Prediction("m", "m/1", label, int(label), 0.9, (), (), rejected), 0.1)


def test_the_label_is_what_most_read_and_none_when_they_are_torn() -> None:
    def label(*votes: Vote) -> str | None:
        return Verdict(votes, 0.0).label

    assert label(reads("4"), reads("9"), reads("4")) == "4"
    assert label(reads("4"), reads("9")) is None
    assert label(reads("4", rejected=True)) is None
    assert label(reads("4", rejected=True), reads("9"), Vote("m", ModelUnavailable("no"), 0.0)) == "9"


def test_every_vote_is_told_to_who_listens(crowd: Zoo, picture) -> None:
    class Listening:
        def __init__(self) -> None:
            self.heard: list[Prediction | ZooError] = []

        @hookimpl
        def answered(self, answers: list[Prediction | ZooError]) -> None:
            self.heard += answers

    listening = Listening()
    crowd.join("listening", listening)
    votes = ask_all(crowd, picture(0)).votes
    assert listening.heard == [vote.answer for vote in votes]
    with pytest.raises(PictureUnsupported):
        ask_all(crowd, b"no picture at all")
    assert isinstance(listening.heard[-1], PictureUnsupported)
    assert len(listening.heard) == MANY + 1
