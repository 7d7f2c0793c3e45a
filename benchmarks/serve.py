"""Compare what an answer costs with a do-nothing handler, for docs/performance.md: `python benchmarks/serve.py`.

Every round measures in turn, on the same machine:

- the zoo
- a Flask handler on the same server and workers that reads what is sent and answers a constant ("do-nothing")
- LitServe with the same LiteRT file, installed into its own environment in .zoo/bench at the first run
  (--without-litserve leaves it out)
- LiteRT alone, in one process per core

wrk makes the load (Debian: wrk). Read the ratios. `--plot FILE` also draws the requests/s as SVG.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import numpy as np
from load import FORM, ROOT, WORKERS, Load, Processes, Told, form, free_port, need_wrk
from pictures import digit, encoded, photograph

from zoo.checkpoints import Catalogue

STARTS = 3  # pairs of starts in each round: of the zoo with 5 models and of that with 100
DIGITS = ("1", "8", "32")  # names of the loads with small digits, by their number of connections
FIVE = ("cnn", "linear", "cnn_5", "cnn_10", "cnn_300")  # models of the repository that test zoos are made of
# The program that LitServe runs: arguments are the LiteRT file and the port.
LITSERVE = """
import io, sys
import litserve, numpy, PIL.Image
from ai_edge_litert.interpreter import Interpreter

class Digits(litserve.LitAPI):
    def setup(self, device):
        self.model = Interpreter(sys.argv[1], num_threads=1)
        self.model.allocate_tensors()
        self.into = self.model.get_input_details()[0]["index"]
        self.out = self.model.get_output_details()[0]["index"]

    def decode_request(self, request):
        picture = PIL.Image.open(request["file"].file).convert("L").resize((28, 28))
        return (numpy.asarray(picture, numpy.float32) / 255).reshape(1, 28, 28, 1)

    def predict(self, batch):
        self.model.set_tensor(self.into, batch)
        self.model.invoke()
        return self.model.get_tensor(self.out)[0]

    def encode_response(self, scores):
        return {"digit": int(scores.argmax()), "probabilities": scores.tolist()}

if __name__ == "__main__":
    server = litserve.LitServer(Digits(), accelerator="cpu", workers_per_device=2)
    server.run(port=int(sys.argv[2]), generate_client_file=False, log_level="error")
"""


class Server(Processes):
    """A server started in its own processes and in its zoo's folder; ready once `probe`, a path, is answered."""

    def __init__(self, command: list[str], probe: str, folder: Path = ROOT) -> None:
        began = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, cwd=folder
        )
        self.port = int(command[-1])
        deadline = time.monotonic() + 60
        while not self._answers(probe):
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{' '.join(command)} does not answer {probe}.")
            time.sleep(0.005)
        self.first_answer = time.perf_counter() - began

    def _answers(self, probe: str) -> bool:
        """Whether the server answers a path with a status below 500."""
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            try:
                connection.request("GET" if probe != "/predict" else "OPTIONS", probe)
                return connection.getresponse().status < 500
            except (OSError, HTTPException):
                return False

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def under(self, load: Load, seconds: float) -> Told:
        """Put the server under a load as `Processes.under` does, but exit if any response was not 2xx."""
        told = super().under(load, seconds)
        if not told.whole:
            sys.exit(f"{load.path} with {load.connections} connections: not every answer was whole.")
        return told


def zoo_of(folder: Path, count: int) -> Path:
    """Make a zoo of `count` models: `FIVE` of the repository, and copies of them with their own checkpoints."""
    folder.mkdir(parents=True)
    (folder / "plugins").mkdir()
    for plugin in ("cnn", "linear"):  # any other plugin would add a model of its own
        (folder / f"plugins/{plugin}.py").symlink_to(ROOT / f"plugins/{plugin}.py")
    shipped, catalogue = Catalogue(ROOT / "checkpoints"), Catalogue(folder / "checkpoints")
    tables = ['default_model = "cnn"', "[server]", f"workers = {WORKERS}"]
    for number in range(count):
        of = FIVE[number % len(FIVE)]
        name = of if number < len(FIVE) else f"{of}_copy_{number}"
        card = shipped.card(of, 2 if of == "cnn" else 1)
        content = shutil.copytree(shipped.path(of, card.version), folder / "content")
        catalogue.publish(content, card.model_dump(exclude={"version", "files", "seal"}) | {"model": name})
        tables += [f"[models.{name}]", f'plugin = "{card.plugin}"', "checkpoint = 1"]
    (folder / "settings.toml").write_text("\n".join(tables) + "\n")
    return folder


def zoo(folder: Path) -> Server:
    """Start `zoo serve` in a folder."""
    return Server([sys.executable, "-m", "zoo", "serve", "--port", str(free_port())], "/livez", folder)


def nothing() -> Server:
    """Start the handler that does nothing."""
    return Server([sys.executable, __file__, "--nothing", str(free_port())], "/livez")


def serve_nothing(port: int) -> None:
    """Run the zoo's server with a Flask handler that only reads what is sent and answers a constant."""
    from flask import Flask, jsonify, request

    from webui.server import serve
    from zoo.settings import ServerSettings

    app = Flask("nothing")

    @app.route("/livez")
    @app.post("/<path:path>")
    def read(path: str = "") -> Any:
        if request.mimetype == "multipart/form-data":
            request.files["file"].read()
        else:
            request.get_data(cache=False)
        return jsonify(digit=0)

    serve(lambda: app, ServerSettings(port=port, workers=WORKERS), print)


def litserve() -> Server:
    """Start LitServe, after installing it into its own environment at the first call."""
    home = ROOT / ".zoo/bench/litserve"
    python = home / "bin/python"
    if not (home / "ready").exists():
        home.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        wanted = ["litserve==0.2.19", "ai-edge-litert>=2.3,<3", "pillow", "numpy", "python-multipart"]
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *wanted], check=True)
        (home / "ready").touch()
    script = home / "serve.py"
    script.write_text(LITSERVE)
    return Server([str(python), str(script), str(ROOT / "checkpoints/cnn/2/model.tflite"), str(free_port())], "/health")


def pictures() -> dict[str, bytes]:
    """Return one digit as a 28x28 PNG, as a photograph of about 180 KB, and as a small JPEG of 640x640."""
    picture = digit()
    return {
        "png": encoded(picture, "PNG"),
        "photo": photograph(picture, 1600, 1200, noise=3, quality=82),
        "small": photograph(picture, 640, 640, noise=0, quality=60),
    }


def batch_of(count: int) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of a v2 inference request: `count` pictures as a binary FP32 tensor, binary answer."""
    from zoo import datasets

    tensor = (datasets.test_data("mnist").images[:count] / np.float32(255)).astype("<f4")
    head = {
        "inputs": [
            {
                "name": "images",
                "datatype": "FP32",
                "shape": list(tensor.shape),
                "parameters": {"binary_data_size": tensor.nbytes},
            }
        ],
        "parameters": {"binary_data_output": True},
    }
    told = json.dumps(head).encode()
    return told + tensor.tobytes(), {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(told)),
    }


def bare(seconds: float, size: int = 256) -> float:
    """Measure pictures/s of LiteRT alone, in one process per core, with batches of `size`."""
    cores = len(os.sched_getaffinity(0))
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        return sum(pool.starmap(_bare, [(seconds, size)] * cores))


def _bare(seconds: float, size: int) -> float:
    """Measure pictures/s of LiteRT in this process."""
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(str(ROOT / "checkpoints/cnn/2/model.tflite"), num_threads=1)
    place = model.get_input_details()[0]["index"]
    model.resize_tensor_input(place, (size, 28, 28, 1))
    model.allocate_tensors()
    batch = np.random.default_rng(0).random((size, 28, 28, 1), np.float32)
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        model.set_tensor(place, batch)
        model.invoke()
        done += size
    return done / (time.perf_counter() - began)


def loads() -> dict[str, Load]:
    """Return the loads by name. "1", "8" and "32" are small digits as forms on that many connections."""
    kinds = pictures()
    png = form(kinds["png"])
    batch, batch_head = batch_of(256)
    predict = "/predict_cnn"
    return {
        "1": Load(predict, png, FORM, 1),
        "8": Load(predict, png, FORM, 8),
        "32": Load(predict, png, FORM, 32),
        "raw": Load(predict, kinds["png"], {"Content-Type": "image/png"}, 32),
        "photo": Load(predict, kinds["photo"], {"Content-Type": "image/jpeg"}, 8),
        "small": Load(predict, form(kinds["small"]), FORM, 8),
        "batch": Load("/v2/models/cnn/infer", batch, batch_head, 4),
    }


class Found:
    """All measurements, round by round: `told` by (server, load), and other `values` by name."""

    def __init__(self) -> None:
        self.told: dict[tuple[str, str], list[Told]] = defaultdict(list)
        self.values: dict[str, list[float]] = defaultdict(list)

    def median(self, server: str, load: str, what: str) -> float:
        """Return the rounds' median of a field of `Told`."""
        return statistics.median(getattr(told, what) for told in self.told[server, load])

    def ratio(self, load: str, what: str, server: str = "zoo", other: str = "nothing") -> float:
        """Return the median over the rounds of the ratio between two servers in a field of `Told`."""
        pairs = zip(self.told[server, load], self.told[other, load], strict=True)
        return statistics.median(getattr(a, what) / getattr(b, what) for a, b in pairs)

    def above(self, load: str) -> float:
        """Return the CPU time above do-nothing in µs per request, the median of the rounds."""
        pairs = zip(self.told["zoo", load], self.told["nothing", load], strict=True)
        return statistics.median(a.cpu - b.cpu for a, b in pairs)

    def value(self, name: str) -> float:
        """Return the rounds' median of another value."""
        return statistics.median(self.values[name])


def measured(rounds: int, seconds: float, with_litserve: bool) -> Found:
    """Run all servers under all loads, `seconds` for each load in each round."""
    asked, found = loads(), Found()
    with tempfile.TemporaryDirectory() as scratch:
        five, hundred = zoo_of(Path(scratch, "five"), 5), zoo_of(Path(scratch, "hundred"), 100)
        for _ in range(rounds):
            servers: dict[str, Any] = {"zoo": lambda: zoo(five), "nothing": nothing}
            if with_litserve:
                servers["litserve"] = litserve
            for name, start in servers.items():
                with start() as server:
                    for key, load in asked.items():
                        if name == "litserve" and key not in DIGITS:
                            continue
                        if name == "litserve":
                            load = Load("/predict", load.body, load.headers, load.connections)
                        if name == "nothing" and key == "batch":
                            continue
                        server.under(load, 1)
                        found.told[name, key].append(server.under(load, seconds))
                        if key == DIGITS[-1]:
                            found.values[f"memory {name}"].append(server.pss_mb())
                    found.values[f"start {name}"].append(server.first_answer)
                    found.values[f"memory in the end {name}"].append(server.pss_mb())
            found.values["bare"].append(bare(seconds))
            few, many = [], []
            with zoo(five) as small, zoo(hundred) as large:
                for _ in range(5):
                    few.append(small.under(asked["1"], 1).p50)
                    many.append(large.under(asked["1"], 1).p50)
            found.values["growth"].append(statistics.median(b / a for a, b in zip(few, many, strict=True)))
            for _ in range(STARTS):
                times = []
                for folder in (five, hundred):
                    with zoo(folder) as alone:
                        times.append(alone.first_answer)
                found.values["start of a model"].append(1000 * (times[1] - times[0]) / 95)
    return found


def table(found: Found, with_litserve: bool) -> Iterator[str]:
    """Yield the lines of two Markdown tables: figures with their aims, and requests/s of each server."""
    images = statistics.median(
        256 * told.rate / bare for told, bare in zip(found.told["zoo", "batch"], found.values["bare"], strict=True)
    )
    form, many = "28x28 PNG as a form", "32 connections"
    rows = [
        (f"{form}, {many}: requests/s of do-nothing", 0.75, found.ratio("32", "rate"), "", 1),
        (f"28x28 PNG as the body, {many}: CPU above do-nothing", 100, found.above("raw"), " µs", -1),
        ("1600x1200 JPEG, 8 connections: CPU above do-nothing", 5, found.above("photo") / 1000, " ms", -1),
        ("640x640 JPEG, 8 connections: requests/s of do-nothing", 0.40, found.ratio("small", "rate"), "", 1),
        (f"{form}, one connection: median latency of do-nothing", 1.4, found.ratio("1", "p50"), "", -1),
        (f"{many}: p99 of p50", 3, found.median("zoo", "32", "p99") / found.median("zoo", "32", "p50"), "", -1),
        ("v2 binary, 256 pictures: pictures/s of bare LiteRT, a process a core", 0.6, images, "", 1),
        ("process start to first answer", 1.5, found.value("start zoo"), " s", -1),
        ("memory of all processes, 2 workers, five models, after digits", 130, found.value("memory zoo"), " MB", -1),
        ("latency with 100 models of that with 5", 1.1, found.value("growth"), "", -1),
        ("start-up for each model more", 5, found.value("start of a model"), " ms", -1),
    ]
    if with_litserve:
        other = found.ratio("32", "rate", "zoo", "litserve")
        rows.insert(4, (f"{form}, {many}: requests/s of LitServe", 4, other, "", 1))
    yield "| what | aim | found | |"
    yield "|---|---|---|---|"
    for what, aim, value, unit, sign in rows:
        aimed, held = f"{'≥' if sign > 0 else '≤'} {aim:g}{unit}", sign * (value - aim) >= 0
        yield f"| {what} | {aimed} | {value:.3g}{unit} | {'' if held else 'missed'} |"
    end = found.value("memory in the end zoo")
    yield f"| the same, after photographs and batches of tensors | | {end:.3g} MB | |"
    yield ""
    yield "| requests/s | 1 conn. | 8 conn. | 32 conn. | p50 at 32 | p99 at 32 | CPU a request at 32 | memory |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, label in (("zoo", "the zoo"), ("nothing", "do-nothing"), ("litserve", "LitServe")):
        if (name, "32") in found.told:
            rates = " | ".join(f"{found.median(name, key, 'rate'):,.0f}" for key in ("1", "8", "32"))
            late = " | ".join(f"{found.median(name, '32', share):.1f} ms" for share in ("p50", "p99"))
            cpu, memory = found.median(name, "32", "cpu"), found.value(f"memory {name}")
            yield f"| {label} | {rates} | {late} | {cpu:,.0f} µs | {memory:.0f} MB |"


def plot(found: Found) -> str:
    """Return an SVG with bars of requests/s by number of connections, for light and dark colour schemes."""
    names = [
        (n, label)
        for n, label in (("nothing", "do-nothing"), ("zoo", "zoo"), ("litserve", "LitServe"))
        if (n, "32") in found.told
    ]
    most = max(found.median(name, key, "rate") for name, _ in names for key in ("1", "8", "32"))
    parts = []
    for group, key in enumerate(("1", "8", "32")):
        top = 20 + group * (26 * len(names) + 30)
        parts.append(f'<text x="0" y="{top + 12}" class="head">{key} connection{"s" if key != "1" else ""}</text>')
        for row, (name, label) in enumerate(names):
            rate, y = found.median(name, key, "rate"), top + 20 + 26 * row
            wide = 380 * rate / most
            parts.append(f'<text x="0" y="{y + 14}">{label}</text>')
            parts.append(f'<rect x="90" y="{y}" width="{wide:.1f}" height="20" class="{name}"/>')
            parts.append(f'<text x="{96 + wide:.1f}" y="{y + 14}">{rate:,.0f}/s</text>')
    height = 30 + 3 * (26 * len(names) + 30)
    style = (
        "text{font:13px system-ui,sans-serif;fill:#222}.head{font-weight:600}.zoo{fill:#0b6e99}.nothing{fill:#a9b4bd}"
        ".litserve{fill:#c98a2b}@media(prefers-color-scheme:dark){text{fill:#eee}}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 560 {height}" role="img" '
        f'aria-label="Requests per second"><style>{style}</style>{"".join(parts)}</svg>\n'
    )


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rounds", type=int, default=5, help="of which the medians are given")
    words.add_argument("--seconds", type=float, default=3, help="of each load in each round")
    words.add_argument("--without-litserve", action="store_true")
    words.add_argument("--plot", type=Path)
    words.add_argument("--nothing", type=int, help=argparse.SUPPRESS)
    asked = words.parse_args()
    sys.path.insert(0, str(ROOT))
    if asked.nothing:
        serve_nothing(asked.nothing)
        return
    need_wrk()
    found = measured(asked.rounds, asked.seconds, not asked.without_litserve)
    for line in table(found, not asked.without_litserve):
        print(line)
    if asked.plot:
        asked.plot.write_text(plot(found))


if __name__ == "__main__":
    main()
