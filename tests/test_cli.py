"""The command, as a person and as a program use it: what it prints, and its exit codes."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import PLUGINS, SOFTMAX, flip_byte
from limiting import run_limited

from zoo.errors import ZooError
from zoo.starter import init


def test_help_names_every_command_and_how_to_begin(run) -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in ("serve", "models", "plugins", "check", "train", "evaluate", "predict", "checkpoints", "init"):
        assert re.search(rf"^  {command} ", done.stdout, re.MULTILINE), command
    assert "zoo predict seven.png" in done.stdout
    assert "Exit codes: 0 success; 1 failure; 2 wrong usage or settings" in " ".join(done.stdout.split())


def test_predict_reads_files_folders_and_standard_input(trained: Path, tmp_path: Path, picture, run) -> None:
    (tmp_path / "a.png").write_bytes(picture(0, side=200, ink_dark=True))
    (tmp_path / "more/deep").mkdir(parents=True)
    (tmp_path / "more/b.jpg").write_bytes(picture(1, side=100, format="JPEG"))
    (tmp_path / "more/deep/c.webp").write_bytes(picture(2, format="WEBP"))
    (tmp_path / "more/notes.txt").write_text("not a picture")
    done = run("predict", str(tmp_path / "a.png"), str(tmp_path / "more"), "-", "--json", cwd=trained, stdin=picture(3))
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)["predictions"]
    assert [Path(answer["file"]).name for answer in answers] == ["a.png", "b.jpg", "c.webp", "-"]
    assert [answer["digit"] for answer in answers] == [7, 2, 1, 0]


def test_predict_leaves_nothing_of_a_folder_out_in_silence(trained: Path, tmp_path: Path, picture) -> None:
    folder = tmp_path / "shown"
    (folder / "shut").mkdir(parents=True)
    for name in ("a.png", ".hidden.png", "shut/b.png"):
        (folder / name).write_bytes(picture(0))
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "shut").chmod(0)
    try:
        done = run_limited("--zoo", str(trained), "predict", "shown", cwd=tmp_path)
        alone = run_limited("--zoo", str(trained), "predict", "shown/shut", cwd=tmp_path)
    finally:
        (folder / "shut").chmod(0o700)
    assert [line.split("\t")[0] for line in done.stdout.splitlines()[1:]] == [
        "shown/a.png",
        "shown/gone.png",
        "shown/shut",
    ]
    assert "shown/gone.png cannot be read: No such file or directory." in done.stdout
    assert "shown/shut cannot be read: Permission denied." in done.stdout
    assert (done.returncode, alone.returncode) == (1, 1)
    assert "shown/shut cannot be read: Permission denied." in alone.stdout


def test_a_folder_of_plugins_that_cannot_be_read_is_told_as_such(zoo_folder: Path) -> None:
    (zoo_folder / "plugins").chmod(0)
    try:
        done = run_limited("models", cwd=zoo_folder)
    finally:
        (zoo_folder / "plugins").chmod(0o700)
    told = f"zoo: {zoo_folder}/plugins: the folder of plugins cannot be read: Permission denied.\n"
    assert (done.returncode, done.stderr) == (2, told)


def test_a_folder_of_checkpoints_that_cannot_be_listed_costs_one_model_its_answers(zoo_folder: Path) -> None:
    with (zoo_folder / "settings.toml").open("a") as settings:
        settings.write('[models.lost]\nplugin = "soft"\ncheckpoint = "gone/1"\n')
    (zoo_folder / "checkpoints").chmod(0o300)
    try:
        done = run_limited("models", "--json", cwd=zoo_folder)
    finally:
        (zoo_folder / "checkpoints").chmod(0o700)
    assert done.returncode == 0, done.stderr
    problems = {row["name"]: row["problem"] for row in json.loads(done.stdout)}
    assert problems == {"soft": None, "lost": f"{zoo_folder}/checkpoints cannot be read: Permission denied."}


def test_the_trace_comes_when_asked_for(trained: Path, picture, run) -> None:
    done = run("predict", "-", "--json", "--trace", cwd=trained, stdin=picture(0, side=140, ink_dark=True))
    (answer,) = json.loads(done.stdout)["predictions"]
    assert (answer["trace"]["polarity"], answer["trace"]["reason"]) == ("dark-on-light", None)
    assert run("predict", "-", "--trace", cwd=trained, stdin=picture(0)).returncode == 2


def test_one_bad_picture_fails_in_its_place_and_the_others_are_read(
    trained: Path, tmp_path: Path, picture, run
) -> None:
    (tmp_path / "good.png").write_bytes(picture(0))
    (tmp_path / "bad.png").write_text("text")
    done = run("predict", "good.png", "bad.png", "absent.png", "--zoo-is-elsewhere", cwd=tmp_path)
    assert done.returncode == 2
    done = run("--zoo", str(trained), "predict", "good.png", "bad.png", "absent.png", cwd=tmp_path)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[1].startswith("good.png\t7\t")
    assert "not a picture" in lines[2]
    assert lines[3].startswith("absent.png\t-\t-\tabsent.png cannot be read: No such file or directory.")


ODD = "odd\x1b[31m\x1b]0;t\x07\x9b.png"
SHOWN = r"odd\x1b[31m\x1b]0;t\x07\x9b.png"


@pytest.mark.long
def test_control_characters_in_names_do_not_reach_the_terminal(trained: Path, tmp_path: Path, picture, run) -> None:
    for label in ("7", "1"):
        (tmp_path / "in" / label).mkdir(parents=True)
        (tmp_path / "in" / label / ODD).write_bytes(picture(0))
    (tmp_path / "in/7" / f"broken {ODD}").write_text("")
    for words in (
        ["predict", "in"],
        ["read", "in/7", "--model", ODD],
        ["evaluate", "soft", "--data", "in"],
        ["predict", "in", "--explain", f"in/{ODD}"],
    ):
        done = run("--zoo", str(trained), *words, cwd=tmp_path)
        assert SHOWN in done.stdout + done.stderr, words
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", done.stdout + done.stderr), words
    found = json.loads(run("--zoo", str(trained), "predict", f"in/7/{ODD}", "--json", cwd=tmp_path).stdout)
    assert found["predictions"][0]["file"] == f"in/7/{ODD}"


def test_control_characters_in_names_are_escaped_in_the_table_on_a_terminal(
    trained: Path, tmp_path: Path, picture
) -> None:
    (tmp_path / ODD).write_bytes(picture(0))
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "zoo", "--zoo", str(trained), "predict", ODD]
    done = subprocess.run(words, cwd=tmp_path, stdout=theirs, timeout=300, env=os.environ | {"COLUMNS": "200"})
    os.close(theirs)
    told = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.returncode == 0
    assert SHOWN in told
    assert "\x1b]0" not in told
    assert "\x07" not in told


def test_a_fifo_is_read_where_it_is_named_and_refused_where_it_is_found(
    trained: Path, tmp_path: Path, picture, run
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.png").write_bytes(picture(0))
    os.mkfifo(tmp_path / "in/b.png")
    for word, key, answered in (("predict", "predictions", "label"), ("read", "readings", "text")):
        done = run("--zoo", str(trained), word, "in", "--json", cwd=tmp_path)
        assert done.returncode == 1
        whole, refused = json.loads(done.stdout)[key]
        assert whole[answered] == "7"
        assert refused == {"file": "in/b.png", "error": "in/b.png cannot be read: it is not a file."}
    with ThreadPoolExecutor() as pool:
        pool.submit((tmp_path / "in/b.png").write_bytes, picture(0))
        named = run("--zoo", str(trained), "predict", "in/b.png", "--json", cwd=tmp_path)
    assert json.loads(named.stdout)["predictions"][0]["label"] == "7"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ["predict", "x.png", "-m", "sofft"],
            2,
            'There is no model "sofft". Did you mean "soft"? The models are: soft.',
        ),
        (["predict", "x.png", "--version", "9"], 2, 'Model "soft" has no checkpoint 9. It has: 1.'),
        (["predict"], 2, "Missing argument 'PICTURES...'"),
        (
            ["predict", "x.png", "-m", "soft/1"],
            2,
            'There is no model "soft/1". Name the model "soft" and its version separately: --version 1, or version=1',
        ),
        (["plugins", "sotf"], 2, 'there is no plugin "sotf". Did you mean "soft"? The plugins are: soft.'),
        (["train", "sofft"], 2, 'There is no model "sofft"'),
        (["train", "soft", "--set", "epochs"], 2, "'epochs' should be KEY=VALUE"),
        (["train", "soft", "--epochs", "1", "--set", "epochs=2"], 2, "twice: --epochs 1 and --set epochs=2. Keep one"),
        (
            ["train", "soft", "--set", "seed=1", "--set", "seed=2"],
            2,
            "seed is set twice: --set seed=1 and --set seed=2",
        ),
        (["train", "soft", "--set", "ink.speck=1", "--set", "ink={}"], 2, "ink is set twice: --set ink.speck=1 and"),
        (["serve", "--port", "70000"], 2, "70000 is not in the range"),
        (["nonsense"], 2, "No such command 'nonsense'"),
        (["--zoo", "settings.toml", "models"], 2, "settings.toml is a file. Name the folder of the zoo: ."),
        (["--zoo", "/nowhere", "models"], 2, "/nowhere has no settings.toml. Create a zoo there: zoo init /nowhere"),
    ],
)
def test_what_is_asked_wrongly_is_told_in_lines_with_its_exit_code(trained, run, words, code, message) -> None:
    done = run(*words, cwd=trained)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_a_settings_mistake_ends_every_command_with_2(zoo_folder: Path, run) -> None:
    (zoo_folder / "settings.toml").write_text("[models.soft]\nepoch = 5\n")
    for command in (["models"], ["check"], ["serve"], ["predict", "x.png"], ["train", "soft"]):
        done = run(*command, cwd=zoo_folder)
        assert done.returncode == 2
        assert 'settings.toml: [models.soft] epoch: no such setting of plugin "soft". Did you mean' in done.stderr


def test_check_passes_a_whole_zoo_and_names_a_changed_file(zoo_folder: Path, run) -> None:
    assert run("check", cwd=zoo_folder).returncode == 0
    flip_byte(zoo_folder / "checkpoints/soft/1/model.weights.h5")
    done = run("check", cwd=zoo_folder)
    assert done.returncode == 1
    assert "model.weights.h5 has changed since it was saved" in done.stdout
    levels = {row["level"] for row in json.loads(run("check", "--json", cwd=zoo_folder).stdout)}
    assert levels == {"error"}


def test_plugins_shows_what_is_wrong_and_where(zoo_folder: Path, run) -> None:
    (zoo_folder / "plugins/bad.py").write_text("x = 1\nimport nowhere_to_be_found\n")
    done = run("plugins", cwd=zoo_folder)
    assert done.returncode == 0
    assert "SET ASIDE: plugins/bad.py:2: it raised ModuleNotFoundError" in done.stdout
    assert "Traceback (most recent call last)" in done.stdout
    rows = {row["name"]: row for row in json.loads(run("plugins", "--json", cwd=zoo_folder).stdout)}
    assert rows["soft"]["problem"] is None
    assert "epochs" in rows["soft"]["settings"]["properties"]
    assert rows["bad"]["problem"].startswith("plugins/bad.py:2")


def test_plugins_shows_one_plugin_with_its_settings(zoo_folder: Path, run) -> None:
    own = """
from typing import Literal

from pydantic import Field
from zoo import ModelSettings

class Settings(ModelSettings):
    units: int = Field(64, ge=1, lt=4096, description="units of the hidden layer")
    act: Literal["relu", "tanh"] | None = None
    blocks: list[dict[str, float]] = []
"""
    with (zoo_folder / "plugins/soft.py").open("a") as plugin:
        plugin.write(own)
    (zoo_folder / "plugins/bad.py").write_text("x = 1\nimport nowhere_to_be_found\n")
    lines = run("plugins", "soft", cwd=zoo_folder).stdout.splitlines()
    for line in (
        "plugin\tsoft",
        "what it is\tOne dense layer on the bare pixels",
        "setting\tdefault\ttakes\twhat it is",
        "units\t64\twhole number >= 1, < 4096\tunits of the hidden layer",
        "act\tnull\trelu or tanh or null\t",
        "blocks\t[]\tlist of table of number\t",
        "augment.rotate\t0.0\tnumber >= 0, <= 90\tdegrees to either side",
    ):
        assert line in lines
    (row,) = json.loads(run("plugins", "soft", "--json", cwd=zoo_folder).stdout)
    assert (row["name"], row["settings"]["properties"]["units"]["default"]) == ("soft", 64)
    shown = run("plugins", "bad", cwd=zoo_folder).stdout
    assert "state\tSET ASIDE: plugins/bad.py:2" in shown
    assert "Traceback (most recent call last)" in shown


def test_models_and_checkpoints_list_what_is_there(zoo_folder: Path, run) -> None:
    (zoo_folder / "plugins/fresh.py").write_text(SOFTMAX)
    models = {row["name"]: row for row in json.loads(run("models", "--json", cwd=zoo_folder).stdout)}
    assert models["soft"]["checkpoint"] == "soft/1"
    assert models["fresh"]["problem"] == 'Model "fresh" has no checkpoint yet. Train one: zoo train fresh.'
    (row,) = json.loads(run("checkpoints", "--json", cwd=zoo_folder).stdout)
    assert (row["checkpoint"], row["served_by"], row["overrides"]) == ("soft/1", ["soft"], {})
    assert run("checkpoints", "nope", cwd=zoo_folder).returncode == 2


@pytest.mark.long
def test_what_latest_takes_is_served_without_a_line_in_the_settings(zoo_folder: Path, run) -> None:
    done = run("train", "soft", "--epochs", "1", cwd=zoo_folder)  # as the settings say it
    assert "checkpoint soft/2:" in done.stdout, done.stderr
    assert "serve it" not in done.stdout
    done = run("train", "soft", "--seed", "2", cwd=zoo_folder)
    assert "serve it: set checkpoint = 3 under [models.soft] in settings.toml" in done.stdout, done.stderr


@pytest.mark.long
def test_a_new_file_in_plugins_is_trained_measured_and_read_with(zoo_folder: Path, picture, run) -> None:
    (zoo_folder / "plugins/fresh.py").write_text(SOFTMAX)
    trained = run("train", "fresh", "--epochs", "1", "--set", "validation=50000", cwd=zoo_folder)
    assert trained.returncode == 0, trained.stderr
    assert "checkpoint fresh/1: 1 epoch in" in trained.stdout
    assert re.search(r"^epoch 1/1  loss [\d.]+  accuracy [\d.]+ %  validation [\d.]+ %", trained.stderr, re.MULTILINE)
    measured = run("evaluate", "fresh", "--version", "1", "--quick", cwd=zoo_folder)
    assert re.search(r"^fresh/1 on mnist test: 7\d\.\d\d % \(\d{4} of 10000; 95 % interval", measured.stdout)
    card = json.loads((zoo_folder / "checkpoints/fresh/1/card.json").read_text())
    assert card["evaluation"]["pictures"] - card["evaluation"]["correct"] == len(card["evaluation"]["mistakes"])
    read = run("predict", "-", "-m", "fresh", "--version", "1", "--json", cwd=zoo_folder, stdin=picture(0))
    assert json.loads(read.stdout)["predictions"][0]["digit"] == 7


def test_init_starts_a_zoo_and_never_overwrites_one(tmp_path: Path, root: Path, run) -> None:
    done = run("init", "mine", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mine/settings.toml").read_bytes() == (root / "settings.toml").read_bytes()
    checked = run("check", cwd=tmp_path / "mine").stdout
    for plugin in PLUGINS:
        assert f"ok\tmodel {plugin}\t" in checked
    again = run("init", "mine", cwd=tmp_path)
    assert again.returncode == 1
    assert "mine/settings.toml already exists; nothing was changed" in again.stderr


def test_of_several_inits_of_one_folder_one_makes_it_whole(tmp_path: Path, root: Path) -> None:
    start = threading.Barrier(8)

    class Folder(type(tmp_path)):  # type: ignore[misc]
        def mkdir(self, *how: Any, **more: Any) -> None:
            if self.name == "mine":  # which all have found empty by now
                start.wait(30)
            super().mkdir(*how, **more)

    def begin(_: int) -> bool:
        try:
            init(Folder(tmp_path) / "mine")
        except ZooError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(begin, range(8)))
    assert sum(done) == 1
    for name in ("settings.toml", *(f"plugins/{plugin}.py" for plugin in PLUGINS)):
        assert (tmp_path / "mine" / name).read_bytes() == (root / name).read_bytes()
    copied, whole = (
        {path.relative_to(at) for path in (at / "checkpoints").rglob("*")} for at in (tmp_path / "mine", root)
    )
    assert copied == whole


def test_without_tensorflow_train_says_what_to_install(empty_zoo: Path, root: Path) -> None:
    hide = (
        "import importlib.util as u, sys; find = u.find_spec;"
        "u.find_spec = lambda name, *a: None if name == 'tensorflow' else find(name, *a);"
        "from zoo.cli import main; main(['train', 'soft'])"
    )
    done = subprocess.run([sys.executable, "-c", hide], cwd=empty_zoo, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    install = f"{sys.executable} -m pip install --editable '{root}[train]'"
    assert done.stderr == f"zoo: Training needs TensorFlow. Install it: {install}\n"


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted as Linux tells them")
def test_small_matrices_are_not_shared_among_threads(root: Path) -> None:
    count = (
        "import contextlib, os, sys; from zoo.__main__ import main; sys.argv[1:] = ['--help']\n"
        "with contextlib.suppress(SystemExit): main()\n"
        "import numpy; print('threads', len(os.listdir('/proc/self/task')))"
    )
    done = subprocess.run([sys.executable, "-c", count], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "threads 1", done.stderr


def test_a_reader_that_stops_early_is_no_error(trained: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m zoo plugins --json | head -c 1", shell=True, cwd=trained, capture_output=True, timeout=60
    )
    assert done.stderr == b""


@pytest.mark.long
def test_on_a_terminal_training_shows_one_live_line_with_time_left(empty_zoo: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(empty_zoo)
        os.execve(
            sys.executable,
            [sys.executable, "-m", "zoo", "train", "soft", "--epochs", "3"],
            {**os.environ, "TERM": "xterm", "COLUMNS": "80"},
        )
    shown = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    _, status = os.waitpid(pid, 0)
    text = shown.decode()
    assert os.waitstatus_to_exitcode(status) == 0, text
    assert "epoch 3/3" in text
    assert "left" in text
    assert "val " in text
    assert "\r" in text


@pytest.mark.long
@pytest.mark.parametrize("moment", ["_multiarray_umath", "_imaging", "_pywrap_litert_interpreter_wrapper"])
def test_ctrl_c_is_clean_while_the_command_starts_and_while_it_reads(trained, tmp_path, picture, moment: str) -> None:
    """Interrupted as soon as the named library is mapped into the process."""
    for index in range(40):
        (tmp_path / f"{index}.png").write_bytes(picture(index, side=600))
    process = subprocess.Popen(
        [sys.executable, "-m", "zoo", "--zoo", str(trained), "predict", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    until = time.monotonic() + 30
    while moment not in Path(f"/proc/{process.pid}/maps").read_text():
        assert time.monotonic() < until
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert stderr == b""
    # Python ends itself by the signal if it came within an `exec`, as dataclasses are made; a shell tells both as 130.
    assert process.returncode in (130, -signal.SIGINT)


def test_what_plugins_print_does_not_spoil_json(zoo_folder: Path, picture, run) -> None:
    plugin = zoo_folder / "plugins/soft.py"
    talk = "@hookimpl(wrapper=True)\ndef predict(model, batch):\n    print('asked')\n    return (yield)\n"
    plugin.write_text(f"{plugin.read_text()}\nprint('opened')\n{talk}")
    (zoo_folder / "seven.png").write_bytes(picture(0))
    done = run("predict", "seven.png", "--json", cwd=zoo_folder)
    assert json.loads(done.stdout)["predictions"][0]["label"] == "7"
    assert {"opened", "asked"} <= set(done.stderr.split())
