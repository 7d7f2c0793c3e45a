"""A version that is published while a server runs, as by a training elsewhere: whoever names it is answered by it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from asking import b64, png, said
from flask.testing import FlaskClient
from protocols import LENGTH

from webui import create_app
from zoo import Zoo


def publish(folder: Path) -> str:
    """What a training does at its end: here with the files of the version that there is."""
    shutil.copytree(folder / "checkpoints/linear/1", folder / "new")
    (folder / "new/card.json").unlink()
    facts = json.loads((folder / "checkpoints/linear/1/card.json").read_text())
    kept = {key: fact for key, fact in facts.items() if key not in ("version", "files", "seal")}
    return Zoo.open(folder, environ={}).catalogue.publish(folder / "new", kept).ref


@pytest.fixture
def zoo(own_zoo: Path) -> Zoo:
    """One that has loaded linear/1 and has linear/2 on its disk, which is `latest` and so selected by now."""
    settings = own_zoo / "settings.toml"
    one = "[models.linear]\ncheckpoint = "
    assert f"{one}1" in settings.read_text()
    settings.write_text(settings.read_text().replace(f"{one}1", f'{one}"latest"'))
    zoo = Zoo.open(own_zoo, environ={})
    zoo.model("linear").load()
    assert publish(own_zoo) == "linear/2"
    assert zoo.model("linear").select() == ("linear", 2)
    return zoo


@pytest.fixture
def client(zoo: Zoo) -> FlaskClient:
    return create_app(zoo).test_client()


@pytest.mark.parametrize("version", [1, 2])
def test_a_version_that_is_named_is_the_one_that_answers(client: FlaskClient, version: int) -> None:
    v1, v2 = (f"/{name}/models/linear/versions/{version}" for name in ("v1", "v2"))
    assert said(client.post(f"/predict_linear?version={version}", data=png()))["checkpoint"] == f"linear/{version}"
    assert said(client.post(f"{v2}/infer", data=png(), headers={LENGTH: "0"}))["model_version"] == str(version)
    assert said(client.get(f"{v2}/ready"))["ready"] is True
    assert said(client.get(f"{v1}/metadata"))["model_spec"]["version"] == str(version)
    assert said(client.get(v1))["model_version_status"][0]["state"] == "AVAILABLE"
    assert client.post(f"{v1}:predict", json={"instances": [{"b64": b64(png())}]}).status_code == 200


def test_without_a_name_the_one_that_is_loaded_answers_and_all_lists_say_so(client: FlaskClient) -> None:
    assert said(client.post("/predict_linear", data=png()))["checkpoint"] == "linear/1"
    named = {"stable": "1", "latest": "2"}
    for label, version in named.items():
        spec = said(client.get(f"/v1/models/linear/labels/{label}/metadata"))["model_spec"]
        assert spec["version"] == version, label
    told = said(client.get("/api/models/linear"))
    served_by = {row["checkpoint"]: row["served_by"] for row in told["checkpoints"]}
    assert (told["checkpoint"], served_by) == ("linear/1", {"linear/1": ["linear"], "linear/2": []})
    assert said(client.get("/models/linear/card.json"))["version"] == 1
    assert said(client.get("/v2/models/linear"))["versions"] == ["1", "2"]


def test_what_is_selected_anew_answers_once_what_was_loaded_is_let_go(zoo: Zoo, client: FlaskClient) -> None:
    card = zoo.model("cnn").load().card
    for model in zoo.models.values():
        model.reselect()
    assert said(client.post("/predict_linear", data=png()))["checkpoint"] == "linear/2"
    assert zoo.model("cnn").load().card is card


def test_what_is_loaded_answers_on_when_what_is_selected_cannot_be_read(zoo: Zoo, own_zoo: Path) -> None:
    (own_zoo / "checkpoints/linear/2/card.json").write_text("{")
    zoo.model("linear").reselect()
    assert zoo.predict("linear", png()).checkpoint == "linear/1"
