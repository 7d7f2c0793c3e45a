"""The documents are true: their tables are printed from the code, their code runs, their files are there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from serving import serving
from tables import TABLES, replaced

DOCS = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *(f"docs/{name}.md" for name in ("api", "python", "plugins", "training", "evaluating", "serving", "performance")),
]
DOCS += ["docs/architecture.md"]

WHOLE = r'"([a-z_]+)": ("[^"…]*"|\d+|true|false|null|\[[\d, ]+\])(?=[,}\]])'
"""What is shown of an answer as it is: texts without …, whole numbers, lists of such; no shares, which are rounded."""


def blocks(root: Path, document: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (root / document).read_text(), re.DOTALL)


@pytest.mark.parametrize(("document", "mark"), TABLES)
def test_a_generated_table_is_up_to_date(root: Path, document: str, mark: str) -> None:
    text = (root / document).read_text()
    assert replaced(text, mark, TABLES[document, mark](root)) == text, "run: make docs"


@pytest.mark.parametrize("document", DOCS)
def test_every_link_leads_to_a_file(root: Path, document: str) -> None:
    path = root / document
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), f"{document} links to {target}"


@pytest.mark.parametrize("document", ["README.md", "docs/training.md", "docs/evaluating.md"])
def test_every_zoo_command_has_its_words(root: Path, document: str, run) -> None:
    commands = {
        (line.split()[1], *re.findall(r" (--[a-z]+)", line.split("#")[0]))
        for block in blocks(root, document, "sh")
        for line in block.splitlines()
        if line.startswith("zoo ")
    }
    assert commands
    for command, *options in commands:
        shown = run(command, "--help").stdout
        for option in options:
            assert option in shown, f"zoo {command} does not take {option}"


def test_the_readmes_first_commands_are_makes(root: Path) -> None:
    makefile = (root / "Makefile").read_text()
    for command in re.findall(r"^make ([a-z-]+)", blocks(root, "README.md", "sh")[0], re.MULTILINE):
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)


def test_the_readmes_settings_open_a_zoo_that_can_be_trained(root: Path, tmp_path: Path) -> None:
    from zoo import Zoo

    (text,) = blocks(root, "README.md", "toml")
    assert tomllib.loads(text)
    (tmp_path / "settings.toml").write_text(text)
    (tmp_path / "plugins").symlink_to(root / "plugins")
    zoo = Zoo.open(tmp_path, environ={}, to_train=True)
    assert zoo.model("cnn_20").settings.epochs == 20


def test_the_readmes_python_says_what_its_comment_says(root: Path) -> None:
    code = next(block for block in blocks(root, "README.md", "python") if "Zoo.open()" in block)
    comment = code.rsplit("#", 1)[1].strip()
    expression = code.strip().splitlines()[-1].split("#")[0].strip()
    code = code.replace(expression, f"print({expression})")
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == comment, done.stderr


@pytest.mark.parametrize("trains", [False, pytest.param(True, marks=pytest.mark.long)], ids=["asks", "trains"])
def test_the_documented_python_prints_what_its_comments_say(root: Path, tmp_path: Path, trains: bool) -> None:
    from zoo.starter import init

    for name in ("docs", "README.md"):
        (tmp_path / name).symlink_to(root / name)
    init(tmp_path / "my-zoo")
    found = [block for block in blocks(root, "docs/python.md", "python") if trains or ".train(" not in block]
    code = "".join(found)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.stdout.splitlines() == re.findall(r"^print\(.*\)  # (.*)$", code, re.MULTILINE), done.stderr


@pytest.mark.long
def test_the_readmes_curl_gets_the_answer_shown(root: Path) -> None:
    command = next(block for block in blocks(root, "README.md", "sh") if block.startswith("curl")).strip()
    with serving([sys.executable, "-m", "zoo", "serve", "--port", "0"], root) as served:
        command = command.replace("http://127.0.0.1:5000", served.url).replace("curl ", "curl --silent ")
        done = subprocess.run(command, shell=True, cwd=root, capture_output=True, text=True, timeout=30)
    shown, *_ = blocks(root, "README.md", "json")
    for key in re.findall(r'"([a-z_]+)":', shown):
        assert f'"{key}":' in done.stdout
    assert '"digit":7' in done.stdout


@pytest.mark.long
def test_the_documented_requests_get_the_answers_shown(root: Path, shipped: Path) -> None:
    text = (root / "docs/api.md").read_text()
    steps = re.findall(r"```(sh|json|python)\n(.*?)```", text, re.DOTALL)
    with serving([sys.executable, "-m", "zoo", "serve", "--port", "0"], shipped) as served:
        answer = ""
        for language, block in steps:
            if language == "json":
                for key in re.findall(r'"([a-z_]+)":', block):
                    assert f'"{key}":' in answer, f"{block}\nis not\n{answer}"
                for key, value in re.findall(WHOLE, block):
                    assert f'"{key}":{value.replace(", ", ",")}' in answer, f"{key} is not {value} in\n{answer}"
                continue
            block = block.replace("http://127.0.0.1:5000", served.url).replace("curl ", "curl --silent --show-error ")
            block = block.replace("127.0.0.1:5000", served.url.removeprefix("http://"))
            command = ["sh", "-c", block] if language == "sh" else [sys.executable, "-c", block]
            done = subprocess.run(command, cwd=shipped, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            answer = done.stdout
            if language == "sh":
                assert ('"error"' in answer) == ("README.md" in block), answer
            else:
                assert answer.strip() == block.rsplit("#", 1)[1].strip()


def test_every_reason_is_documented(root: Path) -> None:
    from zoo.types import NOTHING, REASONS

    text = (root / "docs/api.md").read_text()
    assert not [reason for reason in {*REASONS, *NOTHING} if f"`{reason}`" not in text]


@pytest.mark.long
@pytest.mark.parametrize(
    ("document", "at"), [("README.md", 0), ("docs/plugins.md", 0), ("docs/plugins.md", 1), ("docs/plugins.md", 2)]
)
def test_the_documented_plugin_trains_and_reads(root: Path, empty_zoo: Path, picture, document: str, at: int) -> None:
    from zoo import Zoo

    (empty_zoo / "plugins/wide.py").write_text(blocks(root, document, "python")[at if document != "README.md" else 1])
    zoo = Zoo.open(empty_zoo, environ={})
    zoo.train("wide", overrides={"epochs": 1, "validation": 50000})
    assert zoo.predict("wide", picture(0), version=1).digit == 7


@pytest.mark.long
def test_the_documented_test_of_a_plugin_passes(root: Path, tmp_path: Path) -> None:
    plugin, *others = blocks(root, "docs/plugins.md", "python")
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins/wide.py").write_text(plugin)
    (tmp_path / "test_wide.py").write_text(next(block for block in others if "def test_" in block))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_wide.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout


def test_the_documented_wrapper_sees_every_batch(root: Path, zoo_folder: Path, picture, capsys) -> None:
    from zoo import Zoo

    wrapper = next(block for block in blocks(root, "docs/plugins.md", "python") if "wrapper=True" in block)
    (zoo_folder / "plugins/watching.py").write_text(wrapper)
    Zoo.open(zoo_folder, environ={}).predict("soft", picture(0))
    assert capsys.readouterr() == ("", "soft 1\n")
