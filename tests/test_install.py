"""The product as strangers get it: a built wheel in a scratch environment, a plugin package, a fresh clone and make."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import requests
from conftest import SOFTMAX
from serving import Served, serving

pytestmark = pytest.mark.long


def sh(*words: str | Path, cwd: Path | None = None, **more: str) -> str:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("ZOO_")} | more
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, env=environ, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def scratch(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and a third-party plugin package installed from its folder; no TensorFlow."""
    folder = tmp_path_factory.mktemp("scratch")
    sh(sys.executable, "-m", "build", "--wheel", "--outdir", folder, root)
    sh(sys.executable, "-m", "venv", folder / "env")
    package = folder / "package"
    package.mkdir()
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "zoo-far-away"\nversion = "1.2"\ndependencies = ["flask-model-zoo"]\n'
        '[project.entry-points.zoo]\nfar_away = "zoo_far_away"\nbroken = "zoo_far_away.broken"\n'
        '[tool.hatch.build.targets.wheel]\npackages = ["zoo_far_away"]\n'
    )
    (package / "zoo_far_away").mkdir()
    (package / "zoo_far_away/__init__.py").write_text(SOFTMAX)
    (package / "zoo_far_away/broken.py").write_text("raise RuntimeError('not today')\n")
    (wheel,) = folder.glob("*.whl")
    sh(pip(folder), "install", "--constraint", root / "requirements.lock", wheel, package)
    return folder


def pip(scratch: Path) -> Path:
    return scratch / "env/bin/pip"


def zoo(scratch: Path) -> Path:
    return scratch / "env/bin/zoo"


def predict(served: Served, name: str, picture: bytes) -> requests.Response:
    return requests.post(f"{served.url}/predict_{name}", files={"file": ("seven.png", picture)}, timeout=30)


def test_the_starter_zoo_serves_from_an_empty_folder(scratch: Path, tmp_path: Path, picture) -> None:
    with serving([zoo(scratch), "serve", "--port", "0"], tmp_path) as served:
        for name in ("cnn", "linear", "cnn_5", "cnn_10", "cnn_300"):
            assert predict(served, name, picture(0)).json()["digit"] == 7
    assert list(tmp_path.iterdir()) == []


def test_init_then_serve_in_an_empty_folder(scratch: Path, tmp_path: Path, picture) -> None:
    sh(zoo(scratch), "init", cwd=tmp_path)
    with serving([zoo(scratch), "serve", "--port", "0"], tmp_path) as served:
        answer = predict(served, "cnn", picture(0, side=300, ink_dark=True)).json()
        assert (answer["digit"], answer["checkpoint"]) == (7, "cnn/2")
        assert "cnn_300" in requests.get(served.url, timeout=30).text


def test_the_starter_stays_as_it_came(scratch: Path, tmp_path: Path) -> None:
    done = subprocess.run([zoo(scratch), "train", "cnn"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "This is the starter zoo, which is never changed. Create your own first: zoo init" in done.stderr


def test_an_installed_package_is_trained_and_serves_and_a_broken_one_is_set_aside(
    scratch: Path, tmp_path: Path, picture
) -> None:
    sh(zoo(scratch), "init", cwd=tmp_path)
    listed = sh(zoo(scratch), "plugins", cwd=tmp_path)
    assert "far_away\tzoo-far-away 1.2\tbuild\tfar_away\tok" in listed
    assert "SET ASIDE: zoo-far-away 1.2" in listed
    assert "RuntimeError: not today" in listed

    # This environment has TensorFlow; the scratch one lends it the packages that were installed there.
    (packages,) = (scratch / "env/lib").glob("python*/site-packages")
    quick = ("--epochs", "1", "--set", "validation=50000")
    sh(sys.executable, "-m", "zoo", "train", "far_away", *quick, cwd=tmp_path, PYTHONPATH=str(packages))
    with (tmp_path / "settings.toml").open("a") as settings:
        settings.write("\n[models.far_away]\ncheckpoint = 1\n")
    with serving([zoo(scratch), "serve", "--port", "0"], tmp_path) as served:
        assert predict(served, "far_away", picture(0)).json()["digit"] == 7
        broken = predict(served, "broken", picture(0))
        assert broken.status_code == 503
        assert "is set aside" in broken.json()["error"]
        assert predict(served, "cnn", picture(0)).json()["digit"] == 7


def test_a_serving_process_is_quick_small_and_without_tensorflow(scratch: Path, tmp_path: Path, picture) -> None:
    assert "tensorflow" not in sh(pip(scratch), "list").lower()
    sh(zoo(scratch), "models", cwd=tmp_path)  # a first start writes Python's bytecode
    with serving([zoo(scratch), "serve", "--port", "0"], tmp_path) as served:
        for name in ("cnn", "linear", "cnn_5", "cnn_10", "cnn_300"):
            assert predict(served, name, picture(0)).status_code == 200
        assert len(served.workers) == 2
        for worker in served.workers:
            assert not [mapped.path for mapped in worker.memory_maps() if "tensorflow" in mapped.path.lower()]
            assert worker.memory_full_info().pss < 120e6


def test_the_repos_own_environment_serves_without_tensorflow_too(root: Path, picture) -> None:
    """Here TensorFlow is installed, and still no serving process maps it."""
    with serving([sys.executable, "-m", "zoo", "serve", "--port", "0"], root) as served:
        assert predict(served, "cnn", picture(0)).status_code == 200
        for process in (psutil.Process(served.process.pid), *served.workers):
            assert not [mapped.path for mapped in process.memory_maps() if "/tensorflow/" in mapped.path]


def test_a_fresh_clone_serves_by_make_with_flags_passed_on(root: Path, tmp_path: Path, picture) -> None:
    sh("git", "clone", "--quiet", "--no-hardlinks", root, tmp_path / "clone")
    command = ["make", "serve", "ARGS=--port 0", f"PYTHON={sys.executable}"]
    with serving(command, tmp_path / "clone", patience=400) as served:
        assert predict(served, "cnn", picture(0)).json()["digit"] == 7
    assert not list((tmp_path / "clone/.venv/lib").glob("python*/site-packages/tensorflow"))
