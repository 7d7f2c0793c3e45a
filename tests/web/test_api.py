"""The routes for programs, asked through HTTP by Flask's client."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import PIL.Image
import pytest
from asking import TWO, drawing, said, saved, send
from flask.testing import FlaskClient

from zoo import Zoo, datasets


def test_a_prediction_is_json_with_an_integer_digit(client: FlaskClient, zoo: Zoo) -> None:
    answer = send(client, "/predict_cnn", saved(drawing()))
    assert answer.status_code == 200
    assert said(answer)["digit"] == 7
    assert isinstance(said(answer)["digit"], int)
    assert said(answer)["model"] == "cnn"
    assert said(answer)["checkpoint"] == zoo.model("cnn").load().card.ref
    assert said(answer)["confidence"] == max(said(answer)["probabilities"])
    assert len(said(answer)["probabilities"]) == 10
    assert sum(said(answer)["probabilities"]) == pytest.approx(1, abs=1e-5)


def test_the_route_gives_what_the_zoo_gives(client: FlaskClient, zoo: Zoo) -> None:
    picture = saved(drawing(TWO))
    assert send(client, "/predict_cnn", picture).json == zoo.predict("cnn", picture).to_dict()


def test_every_model_has_its_route(client: FlaskClient, zoo: Zoo) -> None:
    for name in zoo.models:
        answer = send(client, f"/predict_{name}", saved(drawing()))
        assert (answer.status_code, said(answer)["model"]) == (200, name)


def test_predict_without_a_name_asks_the_default_model(client: FlaskClient, zoo: Zoo) -> None:
    answer = send(client, "/predict", saved(drawing()))
    assert said(answer)["model"] == zoo.default_model


def test_predict_asks_the_model_that_is_named_and_no_two(client: FlaskClient) -> None:
    assert said(send(client, "/predict?model=cnn", saved(drawing())))["model"] == "cnn"
    assert said(send(client, "/predict_cnn?model=cnn", saved(drawing())))["model"] == "cnn"
    assert send(client, "/predict?model=nobody", saved(drawing())).status_code == 404
    told = send(client, "/predict?model=cnn/2", saved(drawing())).get_json()["error"]
    assert 'Name the model "cnn" and its version separately: --version 2, or version=2 in the API' in told
    for path in ("/predict_cnn?model=linear", "/api/models/cnn/predict?model="):
        answer = send(client, path, saved(drawing()))
        assert answer.status_code == 400
        assert "The address names the model cnn, and ?model= another" in said(answer)["error"]


def test_real_digits_are_read_right_whatever_their_size_and_polarity(client: FlaskClient) -> None:
    right = 0
    for index in range(40):
        picture = drawing(index, 64 + 16 * (index % 20))
        if index % 2:
            picture = PIL.Image.fromarray(255 - np.asarray(picture))
        answer = send(client, "/predict_cnn", saved(picture))
        right += said(answer)["digit"] == datasets.test_data("mnist").classes[index]
    assert right >= 39


def test_a_version_can_be_asked_for(client: FlaskClient, zoo: Zoo) -> None:
    version = zoo.catalogue.versions("cnn_5")[0]
    answer = send(client, f"/predict_cnn_5?version={version}", saved(drawing()))
    assert said(answer)["checkpoint"] == f"cnn_5/{version}"
    assert said(send(client, f"/predict_cnn_5?version={'0' * 50}{version}", saved(drawing()))) == said(answer)


@pytest.mark.parametrize(
    ("version", "status", "text"),
    [
        ("9999", 404, "has no checkpoint 9999"),
        ("9" * 21, 404, f"has no checkpoint {'9' * 21}."),
        ("9" * 5000, 404, f"has no checkpoint {'9' * 40}."),
        ("1" + "0" * 60, 404, f"has no checkpoint 1{'0' * 39}."),
        ("0" * 39 + "10", 404, "has no checkpoint 10."),
        ("0" * 41, 400, "whole number"),
        ("new", 400, "whole number"),
        ("-1", 400, "whole number"),
        ("0", 400, "whole number"),
        ("1&version=2", 400, "The query has version=1 and version=2. Give one of them."),
    ],
)
def test_a_version_that_is_not_there(client: FlaskClient, version: str, status: int, text: str) -> None:
    for path in ("/predict_cnn_5?", "/predict?model=cnn_5&", "/why?model=cnn_5&", "/read?model=cnn_5&"):
        answer = send(client, f"{path}version={version}", saved(drawing()))
        assert answer.status_code == status
        assert text in said(answer)["error"]
    assert client.post(f"/hf/cnn_5?version={version}", data=saved(drawing())).status_code == status


def test_of_what_the_query_says_twice_neither_is_chosen(client: FlaskClient) -> None:
    for query in ("top=1&top=2", "trace=0&trace=1", "model=cnn&model=linear"):
        answer = send(client, f"/predict?{query}", saved(drawing()))
        assert (answer.status_code, said(answer)) == (
            400,
            {"error": f"The query has {query.replace('&', ' and ')}. Give one of them.", "code": "bad_request"},
        )
    assert send(client, "/predict?model=cnn&model=cnn&top=2", saved(drawing())).status_code == 200


def test_an_unknown_model_is_404_with_the_closest_name_and_the_list(client: FlaskClient) -> None:
    answer = send(client, "/predict_cnnn", saved(drawing()))
    assert answer.status_code == 404
    assert 'Did you mean "cnn"?' in said(answer)["error"]
    assert "linear" in said(answer)["error"]


@pytest.mark.parametrize("url", ["/predict", "/predict_cnn", "/predict_nothing"])
def test_get_where_post_is_meant(client: FlaskClient, url: str) -> None:
    answer = client.get(url)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "OPTIONS, POST"
    assert said(answer) == {"error": f"{url} does not allow GET. Use: OPTIONS, POST.", "code": "wrong_method"}
    assert client.options(url).status_code == 200
    assert client.head(url).status_code == 405


def test_an_unknown_address_names_the_routes(client: FlaskClient) -> None:
    answer = client.get("/predict/cnn")
    assert answer.status_code == 404
    assert "There is nothing at /predict/cnn." in said(answer)["error"]
    assert 'Did you mean "/predict_cnn"?' in said(answer)["error"]
    assert ", /predict_NAME, " in said(answer)["error"]
    assert "<" not in said(answer)["error"]


@pytest.mark.parametrize(
    ("method", "path", "near"),
    [
        ("POST", "/predict_cnn/", "/predict_cnn"),
        ("GET", "/predict_cnn/", "/predict_cnn"),
        ("GET", "/api/models/cnn/", "/api/models/cnn"),
        ("POST", "/api/models/cnn_5/predict//", "/api/models/cnn_5/predict"),
        ("POST", "/V1/models/cnn:predict", "/v1/models/cnn:predict"),
        ("POST", "/V2/models/cnn/infer", "/v2/models/cnn/infer"),
        ("GET", "/v2/models/cnn/", "/v2/models/cnn"),
        ("POST", "/v2/models/cnn/infre", "/v2/models/cnn/infer"),
        ("POST", "/Predict", "/predict"),
        ("POST", "/predit_cnn", "/predict_cnn"),
        ("GET", "/api/model", "/api/models"),
        ("GET", "/MODELS//cnn", "/models/cnn"),
        ("POST", "/PREDICT//cnn", "/predict_cnn"),
        ("GET", "/samples/1.jpg", "/samples/PLACE.png"),
    ],
)
def test_an_address_that_is_nearly_right_is_told_the_right_one(
    client: FlaskClient, method: str, path: str, near: str
) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == 404
    assert f'There is nothing at {path}. Did you mean "{near}"? The routes are: ' in said(answer)["error"]
    assert not re.search("[<>]|REST|PART|/v1,", said(answer)["error"])


def test_a_test_picture_that_there_is_not_is_told_so(client: FlaskClient) -> None:
    answer = client.get("/samples/10000.png")
    assert (answer.status_code, said(answer)) == (
        404,
        {"error": "There is no test picture 10000. They are numbered 0 to 9999.", "code": "unknown_sample"},
    )


def test_the_list_of_models(client: FlaskClient, zoo: Zoo) -> None:
    listed = client.get("/api/models").get_json()
    assert [model["name"] for model in listed] == list(zoo.models)
    assert [model["name"] for model in listed if model["default"]] == [zoo.default_model]
    card = zoo.model("cnn").load().card
    cnn = next(model for model in listed if model["name"] == "cnn")
    assert cnn["checkpoint"] == card.ref
    assert cnn["parameters"] == card.parameters
    assert cnn["plugin"] == "cnn"
    assert cnn["accuracy"] == (card.evaluation.accuracy if card.evaluation else None)
    assert cnn["available"] is True
    assert cnn["problem"] is None


def test_health(client: FlaskClient, zoo: Zoo) -> None:
    assert client.get("/livez").json == {"live": True}
    told = client.get("/readyz").get_json()
    assert (told["ready"], told["model"]) == (True, zoo.default_model)
    assert [model["name"] for model in told["models"]] == list(zoo.models)
    assert {"name": "cnn", "version": zoo.model("cnn").select()[1], "ready": True, "trouble": None} in told["models"]


def test_the_trace_comes_when_asked_for(client: FlaskClient) -> None:
    asked = said(send(client, "/predict_cnn?trace=1", saved(drawing())))
    seen = PIL.Image.open(io.BytesIO(base64.b64decode(asked["trace"]["seen"])))
    assert (seen.size, seen.mode) == ((28, 28), "L")
    assert asked["trace"]["polarity"] == "dark-on-light"
    left, top, right, bottom = asked["trace"]["box"]
    assert 0 <= left < right <= 280
    assert 0 <= top < bottom <= 280
    assert "trace" not in said(send(client, "/predict_cnn", saved(drawing())))
    refused = send(client, "/predict_cnn?trace=yes", saved(drawing()))
    assert refused.status_code == 400
    assert said(refused)["error"].startswith("trace=yes is neither 1 nor 0.")
