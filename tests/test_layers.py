"""Every import points one way, and TensorFlow stays out of the command's help and of serving."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"tensorflow", "keras"}


def levels(root: Path, table: str) -> dict[str, int]:
    """The levels of the rooms in a table of docs/architecture.md."""
    text = (root / "docs/architecture.md").read_text()
    rows = text.partition(f"<!-- {table} -->")[2].partition(f"<!-- /{table} -->")[0]
    found = {room: int(level) for level, room in re.findall(r"^\| (\d+) \| `(\w+)` \|", rows, re.MULTILINE)}
    assert len(set(found.values())) > 5
    assert len(found) == len(rows.strip().splitlines()) - 2
    return found


@pytest.fixture(scope="module")
def level(root: Path) -> dict[str, int]:
    return levels(root, "rooms")


def modules(root: Path) -> list[Path]:
    return sorted([*(root / "zoo").rglob("*.py"), *(root / "webui").rglob("*.py")])


def room(root: Path, path: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return "webui" if parts[0] == "webui" else parts[1]


def imports(tree: ast.AST, top_only: bool) -> list[str]:
    """Dotted names that a module imports; with `top_only` those that run when it is imported."""
    found: list[str] = []
    nodes = [tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute, so that a reader sees where a name lives"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            nodes += node.orelse
        elif not (top_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)):
            nodes += list(ast.iter_child_nodes(node))
    return found


def test_every_import_points_down(root: Path, level: dict[str, int]) -> None:
    wrong = []
    for path in modules(root):
        here = room(root, path)
        if here == "__init__":
            continue
        for name in imports(ast.parse(path.read_text()), top_only=False):
            parts = name.split(".")
            there = "webui" if parts[0] == "webui" else parts[1] if parts[0] == "zoo" and len(parts) > 1 else ""
            if there in level and level[there] > level[here]:
                wrong.append(f"{path.relative_to(root)} imports {name}, which stands above it")
    assert not wrong, "\n".join(wrong)


def test_every_import_within_webui_points_down(root: Path) -> None:
    level, found, wrong = levels(root, "webui"), set(), []
    for path in modules(root):
        package, here, *_ = path.relative_to(root).with_suffix("").parts
        if package != "webui" or here == "frontend":
            continue
        found.add(here)
        for name in imports(ast.parse(path.read_text()), top_only=False):
            if name.startswith("webui."):
                there = name.split(".")[1]
                if level.get(there, level["__init__"]) > level[here]:
                    wrong.append(f"{path.relative_to(root)} imports {name}, which stands above it")
    assert not wrong, "\n".join(wrong)
    assert found == set(level), "give a new room its place in docs/architecture.md"


def test_every_room_has_its_place(root: Path, level: dict[str, int]) -> None:
    rooms = {room(root, path) for path in modules(root)} - {"__init__"}
    assert rooms == set(level), "give a new room its place in docs/architecture.md"


def test_only_webui_knows_flask(root: Path) -> None:
    flask = {"flask", "werkzeug", "flask_babel", "flask_wtf", "limits", "granian"}
    wrong = [
        f"{path.relative_to(root)}: {name}"
        for path in modules(root)
        if room(root, path) != "webui"
        for name in imports(ast.parse(path.read_text()), top_only=False)
        if name.split(".")[0] in flask
    ]
    assert not wrong


def test_no_module_imports_tensorflow_at_its_top(root: Path) -> None:
    files = [*modules(root), *sorted((root / "plugins").glob("*.py"))]
    wrong = [
        f"{path.relative_to(root)}: move `{name}` into the function that needs it"
        for path in files
        for name in imports(ast.parse(path.read_text()), top_only=True)
        if name.split(".")[0] in HEAVY
    ]
    assert not wrong, "\n".join(wrong)


WATCH = """
import sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {heavy}:
            sys.exit(f"{{name}} was imported")
sys.meta_path.insert(0, Watch())
"""


def watched(code: str, root: Path, *heavy: str) -> subprocess.CompletedProcess[str]:
    """Run code that ends as soon as it imports one of these packages."""
    command = [sys.executable, "-c", WATCH.format(heavy=heavy) + code]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)


LISTED = "from zoo.cli import main; main(['models'], standalone_mode=False)"
SERVED = """
import webui, zoo
here = zoo.Zoo.open()
here.warm()
client = webui.create_app(here).test_client()
assert client.get("/").status_code == 200
for name in here.models:
    answer = client.post(f"/predict_{name}", data=open("docs/seven.png", "rb"), content_type="image/png")
    assert answer.get_json()["label"] == "7", answer.text
"""


@pytest.mark.parametrize("code", [LISTED, SERVED], ids=["the command", "serving a page and predictions"])
def test_tensorflow_is_not_imported_by(code: str, root: Path) -> None:
    done = watched(code, root, *HEAVY, "h5py")
    assert done.returncode == 0, done.stderr


def test_help_comes_without_numpy_and_pydantic_too(root: Path) -> None:
    """Or each of its lines, and each key of a shell that completes commands, would wait for a third of a second."""
    code = "from zoo.cli import main; main([*command, '--help'], standalone_mode=False)"
    for command in ([], ["predict"], ["train"], ["evaluate"]):
        done = watched(f"command = {command}; {code}", root, *HEAVY, "numpy", "pydantic", "PIL")
        assert done.returncode == 0, done.stderr


def test_the_watch_itself_notices(root: Path) -> None:
    done = watched("import keras", root, *HEAVY)
    assert done.returncode == 1
    assert "keras was imported" in done.stderr
