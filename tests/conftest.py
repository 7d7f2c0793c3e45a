"""What the tests share: the repo's own zoo, small zoos in their own folders, MNIST, and the command as users run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from zoo import datasets
from zoo.datasets import Labelled

ROOT = Path(__file__).resolve().parent.parent

PLUGINS = ("cnn", "deep", "ensemble", "linear", "tiny")  # those that the repo ships

SOFTMAX = '''"""One dense layer on the bare pixels."""

from zoo import hookimpl


@hookimpl
def build(settings):
    from keras import Sequential, layers

    return Sequential([layers.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10, activation="softmax")])
'''

QUICK = """
epochs = 1
batch_size = 256
validation = 50000
"""

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repo, which is itself a zoo."""
    return ROOT


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without what its user may have put into `plugins` since, which need not be able to answer."""
    folder = tmp_path_factory.mktemp("shipped")
    for name in ("settings.toml", "README.md", "docs", "checkpoints", *(f"plugins/{plugin}.py" for plugin in PLUGINS)):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.fixture(scope="session")
def mnist() -> Labelled:
    """The 10,000 test pictures."""
    return datasets.test_data("mnist")


@pytest.fixture
def empty_zoo(tmp_path: Path) -> Path:
    """A zoo of one model, `soft`, whose plugin has only `build`, not trained yet; its epochs take under a second."""
    folder = tmp_path / "zoo"
    (folder / "plugins").mkdir(parents=True)
    (folder / "plugins" / "soft.py").write_text(SOFTMAX)
    (folder / "settings.toml").write_text(f"[models.soft]{QUICK}")
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zoo with `soft` trained for one epoch, the same in all processes. Read only; copy it to change it."""
    from filelock import FileLock

    from zoo import Zoo

    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder = shared / "trained"
    with FileLock(shared / "trained.lock"):
        if not (folder / "checkpoints/soft/1").exists():
            (folder / "plugins").mkdir(parents=True)
            (folder / "plugins" / "soft.py").write_text(SOFTMAX)
            (folder / "settings.toml").write_text(f"[models.soft]{QUICK}")
            Zoo.open(folder, environ={}).train("soft")
    return folder


@pytest.fixture
def zoo_folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained zoo, free to be changed or damaged."""
    import shutil

    return Path(shutil.copytree(trained, tmp_path / "zoo"))


@pytest.fixture
def run() -> Command:
    """The command `zoo` in a process of its own, without any ZOO_ variable of this one."""

    def call(*words: str, cwd: Path | None = None, stdin: bytes | None = None, **more: str):
        environ = {key: value for key, value in os.environ.items() if not key.startswith("ZOO_")} | more
        done = subprocess.run(
            [sys.executable, "-m", "zoo", *words], cwd=cwd, env=environ, input=stdin, capture_output=True, timeout=300
        )
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    return call


@pytest.fixture(scope="session")
def picture(mnist: Labelled) -> Callable[..., bytes]:
    """A test digit as bytes of a picture file: `picture(index, side=28, format="PNG", ink_dark=False)`."""
    import io

    from PIL import Image

    def make(index: int = 0, side: int = 28, format: str = "PNG", ink_dark: bool = False) -> bytes:
        pixels = mnist.images[index, ..., 0]
        drawn = Image.fromarray(255 - pixels if ink_dark else pixels).resize((side, side), Image.Resampling.BICUBIC)
        content = io.BytesIO()
        drawn.save(content, format)
        return content.getvalue()

    return make


def flip_byte(path: Path, at: int = -1000) -> None:
    """Change one byte of a file, as bad memory or a bad disk would."""
    content = np.fromfile(path, np.uint8)
    content[at] ^= 1
    content.tofile(path)
