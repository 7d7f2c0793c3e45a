"""Models that answer by TensorFlow: as LiteRT does, without tracing anew, and only in the processes that ask them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import requests
from serving import serving

from zoo import Zoo, graph
from zoo.checking import check
from zoo.datasets import Labelled
from zoo.errors import ModelUnavailable
from zoo.runtime import WEIGHTS, LiteRT
from zoo.settings import Views

TELL = """
import json, sys
from zoo import Zoo, listings
zoo = Zoo.open(environ={})
rows = {row.name: row.problem for row in listings.models(zoo)}
try:
    zoo.predict("slow", sys.argv[1])
except Exception as error:
    rows["error"] = f"{type(error).__name__}: {error}"
rows["digit"] = zoo.predict("soft", sys.argv[1]).digit
print(json.dumps(rows))
"""


@pytest.fixture(scope="module")
def trained_slow(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zoo of `soft`, with `slow` beside it: the same, but answered by TensorFlow."""
    folder = Path(shutil.copytree(trained, tmp_path_factory.mktemp("slow") / "zoo"))
    (folder / "plugins/slow.py").write_text((folder / "plugins/soft.py").read_text())
    with (folder / "settings.toml").open("a") as settings:
        settings.write('\n[models.slow]\nepochs = 1\nbatch_size = 256\nvalidation = 50000\nruntime = "tensorflow"\n')
    Zoo.open(folder, environ={}).train("slow")
    return folder


@pytest.fixture
def slow(trained_slow: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(trained_slow, tmp_path / "zoo"))


@pytest.mark.long
@pytest.mark.parametrize("name", ["cnn", "deep"])
def test_it_answers_as_litert_does_and_is_never_traced_anew(root: Path, mnist: Labelled, name: str) -> None:
    zoo = Zoo.open(root, environ={})
    loaded = zoo.model(name).load()
    assert isinstance(loaded.handle, LiteRT)
    calls = []

    def build() -> object:
        network = loaded.settings.untrained()
        call = network.layers[-1].call
        network.layers[-1].call = lambda *inputs, **options: (calls.append(1), call(*inputs, **options))[1]
        return network

    weights = zoo.catalogue.path(*zoo.model(name).select()) / WEIGHTS
    found = graph.load(build, weights, loaded.settings.views)
    traced = len(calls)
    assert traced >= len(graph.SIZES)
    batch = mnist.images[:300].astype(np.float32) / np.float32(255)
    expected, exact = loaded.handle.predict(batch), found.predict(batch)
    for size in (1, 2, 7, 8, 9, 63, 64, 65, 200, 255, 256, 257, 300):
        scores = found.predict(batch[:size])
        assert scores.shape == (size, 10)
        assert scores.dtype == np.float32
        np.testing.assert_allclose(scores, exact[:size], atol=1e-5)
        assert np.abs(scores - expected[:size]).mean() < 1e-3, "LiteRT's weights are in 8 bits"
    assert len(calls) == traced
    with pytest.raises(ValueError, match=r"\(28, 28, 1\), got \(32, 32, 1\)"):
        found.predict(np.zeros((1, 32, 32, 1), np.float32))


@pytest.mark.long
def test_a_model_is_trained_for_it_and_follows_its_card(slow: Path, mnist: Labelled) -> None:
    folder = slow / "checkpoints/slow/1"
    assert not (folder / "model.tflite").exists()
    assert json.loads((folder / "card.json").read_text())["calibration"] is not None
    expected = Zoo.open(slow, environ={}).predict_many("soft", list(mnist.images[:300, ..., 0]))  # in 8 bits
    text = (slow / "settings.toml").read_text()
    for runtime in ("tensorflow", "litert"):
        (slow / "settings.toml").write_text(text.replace('runtime = "tensorflow"', f'runtime = "{runtime}"'))
        zoo = Zoo.open(slow, environ={})
        assert isinstance(zoo.model("slow").load().handle, graph.Graph)
        found = zoo.predict_many("slow", list(mnist.images[:300, ..., 0]))
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one.probabilities, other.probabilities, atol=0.05)  # type: ignore[union-attr]
    (warning,) = [one.text for one in check(zoo) if one.level == "warning"]
    assert "the settings have runtime = litert, but checkpoint slow/1 was trained with tensorflow" in warning


@pytest.mark.long
def test_without_tensorflow_it_alone_cannot_answer(slow: Path, picture) -> None:
    seven = slow / "seven.png"
    seven.write_bytes(picture(0))
    without = "import sys; sys.modules['tensorflow'] = None\n" + TELL
    done = subprocess.run([sys.executable, "-c", without, seven], cwd=slow, capture_output=True, text=True, timeout=60)
    told = json.loads(done.stdout)
    assert told["soft"] is None
    assert "which is not installed. Install it: pip install 'flask-model-zoo[train]'." in told["slow"]
    assert told["error"] == f"ModelUnavailable: {told['slow']}"
    assert told["digit"] is not None


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_only_the_servers_workers_load_tensorflow(slow: Path, picture) -> None:
    expected = Zoo.open(slow, environ={}).predict("slow", picture(0)).to_dict()
    with serving([sys.executable, "-m", "zoo", "serve", "--port", "0"], slow, patience=120) as served:
        for _ in range(8):
            answer = requests.post(f"{served.url}/predict_slow", data=picture(0), timeout=60)
            assert answer.json()["label"] == expected["label"]
            np.testing.assert_allclose(answer.json()["probabilities"], expected["probabilities"], atol=1e-5)

        def has_tensorflow(pid: int) -> bool:
            return "libtensorflow" in Path(f"/proc/{pid}/maps").read_text()

        assert not has_tensorflow(served.process.pid)
        assert all(has_tensorflow(worker.pid) for worker in served.workers)


@pytest.mark.long
def test_weights_of_another_network_are_refused(zoo_folder: Path) -> None:
    def build() -> object:
        from keras import Sequential, layers

        return Sequential([layers.Input((28, 28, 1)), layers.Flatten(), layers.Dense(7)])

    with pytest.raises(ModelUnavailable, match=r"1/model\.weights\.h5 does not fit the network"):
        graph.load(build, zoo_folder / "checkpoints/soft/1" / WEIGHTS, Views())  # type: ignore[arg-type]
