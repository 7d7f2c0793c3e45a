"""The pages of models that are untrained, damaged, or whose cards lack figures: each says what is missing."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import flip_byte
from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from paging import opened, section, text

COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds", "own")
CELLS = (
    st.floats(allow_nan=True).map(repr)
    | st.integers(-(10**400), 10**400).map(str)
    | st.sampled_from(["", "1e308", "-1e308", "5e-324", "-0.0", "0.5", "0.99999999", "1e12", "3"])
    | st.text(max_size=4)
)
HISTORIES = st.tuples(st.lists(st.sampled_from(COLUMNS), max_size=8), st.lists(st.lists(CELLS, max_size=9), max_size=4))


def test_an_untrained_model_says_so(own_zoo: Path) -> None:
    with (own_zoo / "settings.toml").open("a") as settings:
        settings.write('\n[models.fresh]\nplugin = "cnn"\nepochs = 7\n')
    client = opened(own_zoo)
    page = client.get("/models/fresh")
    assert page.status_code == 200
    assert "Not trained yet" in page.text
    assert "<code>zoo train fresh</code>" in page.text
    assert " epochs 7 " in text(section(page.text, "settings"))
    assert "zoo train fresh" in client.get("/models").text
    assert "has no checkpoint yet" in text(client.get("/compare?m=fresh&m=cnn&m=deep").text)
    assert client.get("/models/fresh/card.json").status_code == 404


def harm_weights(folder: Path) -> None:
    flip_byte(folder / "checkpoints/tiny/1/model.tflite")


def harm_card(folder: Path) -> None:
    (folder / "checkpoints/tiny/1/card.json").write_text("{")


def harm_plugin(folder: Path) -> None:
    (folder / "plugins/tiny.py").write_text("import nothing_of_this_name\n")


def harm_folder(folder: Path) -> None:
    for path in (folder / "checkpoints/tiny/1").iterdir():
        if path.name != "card.json":
            path.unlink()


@pytest.mark.parametrize("harm", [harm_weights, harm_card, harm_plugin, harm_folder])
def test_a_broken_model_says_what_is_wrong_and_the_others_stay(own_zoo: Path, harm) -> None:
    harm(own_zoo)
    client = opened(own_zoo)
    for url in ("/models/tiny", "/models/tiny/1"):
        page = client.get(url)
        assert page.status_code == 200
        assert "Cannot answer" in page.text
        problem = re.search(r'<span lang="en">([^<]+)</span>', page.text)
        assert problem is not None
        assert len(problem[1]) > 30
    assert text(client.get("/models").text).count("Cannot answer now.") == 1
    assert client.get("/models/cnn").status_code == 200
    assert client.get("/compare?m=tiny&m=cnn&m=deep").status_code == 200


def test_a_card_without_figures_has_a_page_too(own_zoo: Path) -> None:
    path = own_zoo / "checkpoints/tiny/1/card.json"
    card = json.loads(path.read_text())
    path.write_text(json.dumps(card | {"evaluation": None, "calibration": None, "seal": None, "training": {}}))
    (own_zoo / "checkpoints/tiny/1/history.csv").unlink()
    client = opened(own_zoo)
    page = client.get("/models/tiny")
    assert page.status_code == 200
    assert "zoo evaluate tiny --version 1" in page.text
    assert "No training history is available" in page.text
    assert "accuracy not measured" in client.get("/models").text
    assert client.get("/compare?m=tiny&m=cnn").status_code == 200


@pytest.mark.parametrize("file", ["card.json", "history.csv"])
@pytest.mark.parametrize("odd", ["link", "fifo", "folder", "other"])
def test_only_a_checkpoints_own_files_are_sent(zoo_folder: Path, file: str, odd: str) -> None:
    path = zoo_folder / "checkpoints/soft/1" / file
    client = opened(zoo_folder)
    assert client.get(f"/models/soft/{file}").status_code == 200
    whole = path.read_bytes()
    path.unlink()
    if odd == "link":
        (zoo_folder / "kept").write_bytes(whole)
        path.symlink_to(zoo_folder / "kept")
    elif odd == "fifo":
        os.mkfifo(path)
    elif odd == "folder":
        path.mkdir()
    else:
        path.write_text("root:x:0:0:root:/root:/bin/sh\n")
    for url in (f"/models/soft/{file}", f"/models/soft/1/{file}"):
        answer = client.get(url)
        assert answer.status_code == (503 if (file, odd) == ("card.json", "other") else 404)
        assert b"root:x" not in answer.data
    assert client.get("/models/soft").status_code == 200


@pytest.fixture
def soft(zoo_folder: Path) -> FlaskClient:
    return opened(zoo_folder)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HISTORIES)
@example((list(COLUMNS[:5]), [["1", "0.5", "0.3", "0.4", "-1e308"], ["2", "0.4", "0.4", "1e308", "0.4"]]))
@example((["epoch", "loss"], [["1e308", "1"], ["-1e308", "5e-324"]]))
@example((["epoch", "loss"], [["1", "0.99999999"]]))
@example((["epoch", "accuracy"], [[str(epoch), str(epoch / 1000)] for epoch in range(1000)]))
def test_a_model_has_its_page_whatever_its_history_says(
    zoo_folder: Path, soft: FlaskClient, history: tuple[Any, Any]
) -> None:
    columns, rows = history
    file = io.StringIO()
    csv.writer(file).writerows([columns, *rows])
    content = file.getvalue().encode(errors="surrogatepass")
    folder = zoo_folder / "checkpoints/soft/1"
    (folder / "history.csv").write_bytes(content)
    card = json.loads((folder / "card.json").read_text())
    card["files"]["history.csv"] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (folder / "card.json").write_text(json.dumps(card | {"seal": None}))
    for url in ("/models/soft", "/compare?m=soft&m=soft/1"):
        page = soft.get(url)
        assert page.status_code == 200
        assert not re.search(r"\b(nan|inf)\b", " ".join(re.findall(r' d="[^"]*"|<td>[^<]*', page.text)))
        assert max(map(len, re.findall(r"<td>([^<]*)", page.text)), default=0) < 30


@pytest.mark.parametrize("odd", [1e308, -1e308, 10**400, -1, 5e-324, math.nan], ids=lambda odd: str(odd)[:6])
def test_a_card_with_impossible_figures_has_a_page_too(own_zoo: Path, odd: float) -> None:
    path = own_zoo / "checkpoints/tiny/1/card.json"
    card = json.loads(path.read_text())
    found = card["evaluation"]
    odd_float = 1e308 if odd == 10**400 else float(odd)
    card["training"] |= {"epochs": odd, "seconds": odd}
    card["settings"]["validation"] = odd
    card["calibration"]["rejected"]["validation"] = odd_float
    found |= {"accuracy": odd_float, "interval": [odd_float, odd_float]}
    found["calibration"] |= {"ece": odd_float, "nll": odd_float, "brier": odd_float}
    found["mistakes"][0]["confidence"] = found["classes"][0]["recall"] = odd_float
    found["accepted_accuracy"] = odd_float
    found["robustness"]["plain"] = found["robustness"]["kinds"][0]["strengths"][0] = odd_float
    if isinstance(odd, int):
        card["parameters"] = found["pictures"] = found["confusion"][0][1] = found["classes"][0]["pictures"] = odd
    path.write_text(json.dumps(card | {"seal": None}))
    client = opened(own_zoo)
    for url in ("/models/tiny", "/models/tiny/1", "/models", "/compare?m=tiny&m=cnn"):
        page = client.get(url)
        assert page.status_code == 200, url
        assert "best guess right" not in page.text


def test_a_card_of_the_first_zoos_has_a_page_too(own_zoo: Path) -> None:
    path = own_zoo / "checkpoints/tiny/1/card.json"
    card = json.loads(path.read_text())
    kept = ("data", "pictures", "correct", "accuracy", "interval", "created", "mistakes")
    card["evaluation"] = {key: card["evaluation"][key] for key in kept}
    path.write_text(json.dumps(card | {"seal": None}))
    client = opened(own_zoo)
    assert "Worst mistakes" in client.get("/models/tiny").text
    assert "Where they differ" in client.get("/compare?m=tiny&m=cnn").text


def test_where_a_network_takes_no_rows_of_pixels_pictures_are_sent_as_files(own_zoo: Path) -> None:
    path = own_zoo / "checkpoints/linear/1/card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"input_shape": [784], "seal": None}))
    client = opened(own_zoo)
    sent = ([[0] * 28] * 28, [[0] * 784] * 2, [0] * 784, [[[0]]], [[]])
    for value in sent:
        for url, body, where in (
            ("/predict_linear", {"pixels": value}, "pixels"),
            ("/v1/models/linear:predict", {"instances": [value]}, "instances[0]"),
        ):
            answer = client.post(url, json=body)
            assert answer.status_code == 400, (url, value)
            assert answer.get_json()["error"] == (
                f"{where} cannot be used: the model's input shape [784] has no rows of pixels. Send a picture file."
            )


def test_those_measured_on_other_pictures_are_not_set_against_each_other(own_zoo: Path) -> None:
    path = own_zoo / "checkpoints/tiny/1/card.json"
    card = json.loads(path.read_text())
    card["evaluation"] |= {"data": "other test"}
    path.write_text(json.dumps(card | {"seal": None}))
    client = opened(own_zoo)
    assert "not measured on the same pictures" in client.get("/compare?m=tiny&m=cnn").text
    page = client.get("/models/tiny").text
    assert "The pictures are not available here" in page
    assert "data:image/png" not in section(page, "mistakes")


def test_a_script_in_a_card_stays_text(own_zoo: Path) -> None:
    path = own_zoo / "checkpoints/tiny/1/card.json"
    card = json.loads(path.read_text())
    bad = "<script>alert(1)</script> 100%s"
    card["settings"][bad] = bad
    card["data"]["name"] = card["software"]["machine"] = card["evaluation"]["robustness"]["kinds"][0]["kind"] = bad
    path.write_text(json.dumps(card | {"seal": None}))
    client = opened(own_zoo)
    for url in ("/models/tiny/1", "/compare?m=tiny&m=cnn"):
        page = client.get(url)
        assert page.status_code == 200
        assert "&lt;script&gt;alert(1)" in page.text
        assert "<script>alert" not in page.text


def test_an_empty_zoo_has_a_page(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "settings.toml").write_text("")
    client = opened(tmp_path)
    assert "This zoo has no models yet" in client.get("/models").text
    assert client.get("/compare").status_code == 200


def test_a_plugin_that_is_not_there_leaves_no_settings_to_show(own_zoo: Path) -> None:
    (own_zoo / "plugins/odd.py").write_text("import nothing_of_this_name\n")
    shown = text(section(opened(own_zoo).get("/models/odd").text, "settings"))
    assert shown.split() == ["Settings", "plugin", "odd"]


def test_what_the_zoos_own_hook_raises_is_not_placed_where_the_server_counts(zoo_folder: Path, picture) -> None:
    with (zoo_folder / "plugins/soft.py").open("a") as plugin:
        plugin.write("\n\n@hookimpl\ndef load(folder, settings):\n    return object()\n")
    answer = opened(zoo_folder).post("/predict_soft", data=picture(0), content_type="image/png")
    assert answer.status_code == 503
    assert answer.get_json()["error"].endswith("raised AttributeError: 'object' object has no attribute 'predict'.")
