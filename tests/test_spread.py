"""Many pictures read by several processes: in order, one bad file by itself, and nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from zoo import Zoo, spread
from zoo.errors import ModelUnavailable, PictureUnsupported, ZooError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems read in one process")
COUNT = 1200


@pytest.fixture(scope="module")
def zoo(root: Path) -> Zoo:
    return Zoo.open(root, environ={})


@pytest.fixture(scope="module")
def folder(mnist, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Test digits as picture files, with one that is none among them."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("many")
    for i, digit in enumerate(mnist.images[:COUNT, ..., 0]):
        Image.fromarray(digit).save(folder / f"{i:05}.png", compress_level=1)
    (folder / "00700.png").write_text("text")
    return folder


@pytest.fixture
def own_zoo(root: Path, tmp_path: Path) -> Path:
    """A copy of the zoo's smallest model, to be harmed."""
    (tmp_path / "plugins").mkdir()
    shutil.copy(root / "plugins/tiny.py", tmp_path / "plugins")
    shutil.copytree(root / "checkpoints/tiny", tmp_path / "checkpoints/tiny")
    (tmp_path / "settings.toml").write_text("[models.tiny]\n")
    return tmp_path


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "cores", lambda: 2)


def test_the_answers_are_the_zoos_own_in_order(zoo: Zoo, folder: Path, two_cores: None) -> None:
    paths = sorted(map(str, folder.iterdir()))
    expected = zoo.predict_many("tiny", paths)
    found = [one for part in spread.predict_many(zoo, "tiny", paths, trace=True) for one in part]
    assert [one for one in found if not isinstance(one, ZooError)] == [
        one for one in expected if not isinstance(one, ZooError)
    ]
    assert isinstance(found[700], PictureUnsupported)
    assert str(found[700]) == str(expected[700])
    assert found[0].trace.to_dict() == expected[0].trace.to_dict()  # type: ignore[union-attr]
    plain = next(spread.predict_many(zoo, "tiny", paths))
    assert plain[0].trace is None  # type: ignore[union-attr]


def test_this_process_loads_no_model(root: Path, folder: Path, two_cores: None) -> None:
    zoo = Zoo.open(root, environ={})
    paths = sorted(map(str, folder.iterdir()))[:300]
    parts = [len(part) for part in spread.predict_many(zoo, "tiny", paths)]
    assert parts == [128, 128, 44]
    assert zoo.models["tiny"]._served is None


def test_what_is_wrong_with_the_model_is_raised(zoo: Zoo, folder: Path, own_zoo: Path, two_cores: None) -> None:
    (own_zoo / "checkpoints/tiny/1/model.tflite").write_bytes(b"")
    with pytest.raises(ModelUnavailable, match=r"model\.tflite has 0 bytes"):
        list(spread.predict_many(Zoo.open(own_zoo, environ={}), "tiny", sorted(map(str, folder.iterdir()))))


def test_processes_end_with_the_iterator_and_when_one_is_killed(zoo: Zoo, folder: Path, two_cores: None) -> None:
    paths = sorted(map(str, folder.iterdir())) * 20
    with closing(spread.predict_many(zoo, "tiny", paths)) as answers:
        next(answers)
        workers = psutil.Process().children()
        assert len(workers) == 2
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive
    with closing(spread.predict_many(zoo, "tiny", paths)) as answers:
        next(answers)
        psutil.Process().children()[0].kill()
        with pytest.raises(ZooError, match="was killed"):
            list(answers)
    assert not psutil.Process().children()


def test_one_that_is_killed_amid_an_answer_is_told_of_as_any(zoo: Zoo, folder: Path, two_cores: None) -> None:
    paths = sorted(map(str, folder.iterdir())) * 20
    with closing(spread.predict_many(zoo, "tiny", paths, trace=True)) as answers:
        next(answers)
        worker, here = answers.gi_frame.f_locals["workers"][1]
        assert here.poll(60)  # an answer with its traces is more than a pipe holds, so that it waits amid it
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(ZooError, match="was killed"):
            list(answers)


def test_it_is_for_many_pictures_of_a_model_without_tensorflow(zoo: Zoo, own_zoo: Path, two_cores: None) -> None:
    assert spread.pays(zoo, None, 10_000)
    assert not spread.pays(zoo, None, spread.FEWEST - 1)
    assert not spread.pays(zoo, None, 10_000, version=99)
    card = own_zoo / "checkpoints/tiny/1/card.json"
    facts = json.loads(card.read_text())
    card.write_text(json.dumps(facts | {"seal": None, "settings": facts["settings"] | {"runtime": "tensorflow"}}))
    assert not spread.pays(Zoo.open(own_zoo, environ={}), "tiny", 10_000)


@pytest.mark.long
@pytest.mark.skipif(spread.cores() < 2, reason="one core reads alone")
def test_the_command_reads_a_folder_and_ctrl_c_ends_it_quietly(root: Path, folder: Path, run) -> None:
    done = run("predict", "--model", "tiny", "--json", str(folder), cwd=root)
    rows = json.loads(done.stdout)["predictions"]
    assert done.returncode == 1
    assert [Path(row["file"]).name for row in rows] == [f"{i:05}.png" for i in range(COUNT)]
    assert [i for i, row in enumerate(rows) if "error" in row] == [700]

    command = [sys.executable, "-m", "zoo", "predict", "--model", "tiny", *[str(folder)] * 30]
    process = subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    watched, deadline = psutil.Process(process.pid), time.monotonic() + 60
    while len(watched.children()) < 2:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    workers = watched.children()
    os.killpg(process.pid, signal.SIGINT)  # a terminal's Ctrl-C reaches all of its processes
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "")
    assert not psutil.wait_procs(workers, timeout=20)[1]
