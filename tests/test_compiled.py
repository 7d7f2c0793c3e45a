"""The compiled loops never reach outside their memory nor leave C's rules; without them the zoo says what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# All that gcc can check, with NaN cast to int, which is not among the undefined behaviour of -fsanitize=undefined.
SANITIZED = "-fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=undefined,float-cast-overflow"
ABOUT = ("test_compiled_*.py", "test_ground.py", "test_ink.py", "test_ruling.py")


def runs(command: list[str | Path], folder: Path, **more: str) -> str:
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, env=os.environ | more, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[:4000]
    return done.stdout


@pytest.mark.long
@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc's sanitizers")
def test_the_loops_stay_within_their_memory_and_the_rules_of_c(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "zoo", tmp_path / "zoo", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    shutil.copy(root / "hatch_build.py", tmp_path)
    build = "import hatch_build, pathlib; hatch_build.compile_modules(pathlib.Path.cwd())"
    runs([sys.executable, "-c", build], tmp_path, PYTHONPATH=str(tmp_path), CFLAGS=SANITIZED, CC="gcc")
    checked = {
        "PYTHONPATH": str(tmp_path),
        "LD_PRELOAD": runs(["gcc", "-print-file-name=libasan.so"], tmp_path).strip(),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python frees little at its end
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    where = runs([sys.executable, "-c", "import zoo.compiled.levels as m; print(m.__file__)"], tmp_path, **checked)
    assert Path(where.strip()).is_relative_to(tmp_path)
    tests = sorted(path for pattern in ABOUT for path in (root / "tests").glob(pattern))
    runs(
        [sys.executable, "-m", "pytest", "--capture=no", "-m", "not long", "-p", "no:cacheprovider", *tests],
        root / "tests",
        **checked,
    )


def test_without_compiled_modules_the_command_says_what_to_do_in_one_line(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "zoo", tmp_path / "zoo", ignore=shutil.ignore_patterns("codes.*.so", "__pycache__"))
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "--zoo", root, "predict", root / "docs/seven.png"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"zoo: The compiled modules codes are missing in {tmp_path}")
    assert done.stderr.count("\n") == 1
    assert "make serve, or pip install --editable ." in done.stderr
