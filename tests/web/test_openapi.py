"""The description of the API against the app: every route is in it, and what it shows is what is taken and given."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from asking import b64, drawing, files, png, saved, send
from flask import Flask
from flask.testing import FlaskClient
from guarding import BOSS, KEYS, PHONE, zoo_with
from pydantic import TypeAdapter
from werkzeug.routing import Rule
from werkzeug.test import create_environ, run_wsgi_app

from webui import Front, create_app
from webui.access import needed
from webui.environ import REFUSAL
from webui.lost import protocol
from webui.openapi import examples, schemas
from webui.openapi.operations import operations as all_operations
from zoo import Zoo

PEOPLE = {"pages", "models", "openapi", "signing", "static"}  # and the description itself
FILES = {"models.card", "models.history"}
LEFT_OUT = {
    "tensorflow_serving.other",  # says that a request is malformed
    "tensorflow_serving.unnamed",
    "inference_v2.absent",  # says what the zoo does not have
}
HERE = {"version": "1", "label": "stable", "place": "17"}
AT_ONCE = {"/livez", "/v2/health/live"}


@pytest.fixture(scope="module")
def described(app: Flask) -> dict[str, Any]:
    answer = app.test_client().get("/openapi.json")
    assert answer.status_code == 200
    document: dict[str, Any] = answer.get_json()
    return document


def operations(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Path, method, operation."""
    return [(path, method, one) for path, methods in described["paths"].items() for method, one in methods.items()]


def filled(path: str, name: str = "cnn") -> str:
    return re.sub(r"{(\w+)}", lambda found: (HERE | {"name": name})[found[1]], path)


def fits(described: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    jsonschema_rs.validate({**schema, "components": described["components"]}, value)


def test_it_is_openapi_3_1(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(described).validate()
    broken = json.loads(json.dumps(described))
    broken["paths"]["/predict"]["post"]["responses"] = []
    with pytest.raises(Exception, match="is not of type"):
        schemathesis.openapi.from_dict(broken).validate()


def test_every_route_for_programs_is_described(app: Flask, described: dict[str, Any]) -> None:
    adapter = app.url_map.bind("localhost")
    found: list[Rule] = []
    for path, method, _ in operations(described):
        rule, _ = adapter.match(filled(path), method.upper(), return_rule=True)
        found.append(rule)
    missing = [
        rule.rule
        for rule in app.url_map.iter_rules()
        if (rule.endpoint.partition(".")[0] not in PEOPLE or rule.endpoint in FILES)
        and rule.endpoint not in LEFT_OUT
        and rule not in found
        and rule.rule != "/v2/"  # the same as /v2
    ]
    assert not missing, "describe them in webui/openapi/operations.py or protocol_operations.py"


def test_names_are_the_zoos(described: dict[str, Any], zoo: Zoo) -> None:
    others = [name for name in zoo.models if name != zoo.default_model]
    (name,) = described["paths"]["/predict_{name}"]["post"]["parameters"][:1]
    assert name["schema"] == {"type": "string", "examples": [zoo.default_model, *others]}
    assert described["servers"] == [{"url": "http://localhost"}]
    assert described["components"]["schemas"]["Pixels"]["anyOf"][0]["minItems"] == 28
    assert described["components"]["schemas"]["Row"]["anyOf"][0]["minItems"] == 784


def test_the_example_is_a_picture_that_every_model_reads(zoo: Zoo) -> None:
    for name in zoo.models:
        assert zoo.predict(name, base64.b64decode(examples.SEVEN)).label == "7"


def test_every_example_fits_its_schema_and_requests_are_answered_as_described(
    described: dict[str, Any], client: FlaskClient
) -> None:
    asked = 0
    for path, method, one in operations(described):
        for answer in one["responses"].values():
            for content in answer["content"].values():
                for example in content.get("examples", {}).values():
                    fits(described, content["schema"], example["value"])
        content = one.get("requestBody", {}).get("content", {}).get("application/json", {})
        for example in content.get("examples", {}).values():
            fits(described, content["schema"], example["value"])
            told = client.open(filled(path), method=method.upper(), json=example["value"])
            assert told.status_code == 200, (path, told.text)
            fits(described, one["responses"]["200"]["content"]["application/json"]["schema"], told.json)
            asked += 1
    assert asked > 30


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of the description, from the outside in."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for one in node:
            yield from nodes(one)


def test_what_may_be_one_of_several_has_a_type_for_each(described: dict[str, Any]) -> None:
    """Programs that make clients take a branch that says no more than what is required as anything at all."""
    schemas = [node for node in nodes(described) if "anyOf" in node or "oneOf" in node]
    assert len(schemas) > 30
    for schema in schemas:
        for branch in schema.get("anyOf", schema.get("oneOf")):
            assert branch.keys() & {"$ref", "type", "anyOf"}, schema


@pytest.mark.parametrize("path", ["/predict", "/arena", "/v1/models/{name}:predict"])
def test_one_way_to_send_a_picture_is_wanted_and_not_two(
    described: dict[str, Any], client: FlaskClient, path: str
) -> None:
    schema = described["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    image = b64(png())
    bodies: list[tuple[dict[str, Any], int]] = [
        ({"image": image, "more": 1}, 200),
        ({}, 400),
        ({"image": image, "pixels": None}, 400),
        ({"image": image, "images": [image]}, 400),
    ]
    if path.startswith("/v1"):
        row, column = {"image_bytes": {"b64": image}}, {"image_bytes": [{"b64": image}]}
        bodies = [
            ({"instances": [row], "more": 1}, 200),
            ({"inputs": column}, 200),
            ({}, 400),
            ({"instances": [row], "inputs": None}, 400),
            ({"instances": [{}]}, 400),
            ({"instances": [row | {"images": {"b64": image}}]}, 400),
            ({"inputs": column | {"images": [{"b64": image}]}}, 400),
        ]
    for body, status in bodies:
        assert client.post(filled(path), json=body).status_code == status, body
        valid = jsonschema_rs.is_valid({**schema, "components": described["components"]}, body)
        assert valid == (status == 200), body


def test_what_is_got_fits_its_schema(described: dict[str, Any], client: FlaskClient) -> None:
    for path, method, one in operations(described):
        if method == "get":
            told = client.get(filled(path))
            assert told.status_code == 200, (path, told.text)
            schema = one["responses"]["200"]["content"][told.mimetype]["schema"]
            if told.is_json:
                fits(described, schema, told.json)
            else:
                assert schema["type"] == "string"


@pytest.mark.parametrize("name", ["cnn", "tiny", "linear", "deep"])
def test_every_card_fits_its_schema(described: dict[str, Any], client: FlaskClient, name: str) -> None:
    one = described["paths"]["/models/{name}/card.json"]["get"]
    told = client.get(f"/models/{name}/card.json")
    fits(described, one["responses"]["200"]["content"]["application/json"]["schema"], told.json)


def test_a_server_that_is_too_busy_is_described_wherever_a_request_waits(app: Front, described: dict[str, Any]) -> None:
    for path, method, one in operations(described):
        assert ("503" in one["responses"]) == (path not in AT_ONCE), path
        if path in AT_ONCE:
            continue
        busy = one["responses"]["503"]
        assert busy["headers"]["Retry-After"]["schema"] == {"type": "integer"}
        environ = create_environ(filled(path), method=method.upper(), headers={"Accept": "application/json"})
        body, status, headers = run_wsgi_app(app.refusals, environ | {REFUSAL: (503, "Try again shortly.")})
        assert (status[:4], headers["Content-Type"]) == ("503 ", "application/json")
        fits(described, busy["content"]["application/json"]["schema"], json.loads(b"".join(body)))


def test_errors_are_json_unless_a_page_is_asked_for(described: dict[str, Any], client: FlaskClient) -> None:
    responses = [answer for _, _, one in operations(described) for answer in one["responses"].items()]
    assert {tuple(answer["content"]) for status, answer in responses if status != "200"} == {("application/json",)}
    assert "text/html" in described["info"]["description"]
    for accept in ("application/json", "*/*", "text/html, application/json", "text/html, */*"):
        assert client.post("/predict", headers={"Accept": accept}).mimetype == "application/json"
    for accept in ("text/html", "text/html,application/xhtml+xml,*/*;q=0.8"):
        assert client.post("/predict", headers={"Accept": accept}).mimetype == "text/html"


def test_the_headers_of_responses_are_described(described: dict[str, Any], client: FlaskClient) -> None:
    infer = described["paths"]["/v2/models/{name}/infer"]["post"]["responses"]
    tensor = {"name": "images", "shape": [1], "datatype": "BYTES", "data": [b64(png())]}
    raw = {"inputs": [tensor], "parameters": {"binary_data_output": True}}
    answer = client.post("/v2/models/cnn/infer", json=raw)
    (length,) = [name for name in infer["200"]["headers"] if name != "X-Request-ID"]
    assert json.loads(answer.data[: int(answer.headers[length])])["model_name"] == "cnn"
    for _, _, one in operations(described):
        for status, response in one["responses"].items():
            assert response["headers"]["X-Request-ID"] == {"$ref": "#/components/headers/X-Request-ID"}
            assert ("WWW-Authenticate" in response["headers"]) == (status in ("401", "403"))
            assert ("Retry-After" in response["headers"]) == (status in ("429", "503"))
    assert described["components"]["headers"]["X-Request-ID"]["schema"] == {"type": "string"}


def test_what_a_route_asks_of_a_key_is_known_to_its_description(app: Flask) -> None:
    adapter = app.url_map.bind("localhost")
    for one in all_operations(examples.Examples("cnn", "cnn/1", ("0",), ("cnn",), ("0",))):
        endpoint, _ = adapter.match(filled(one.path), one.method.upper())
        assert one.scope == needed(app, endpoint), one.path


def test_without_keys_nothing_asks_for_one(described: dict[str, Any]) -> None:
    assert described["security"] == []
    assert "securitySchemes" not in described["components"]
    assert not [path for path, _, one in operations(described) if "security" in one]


def test_with_keys_it_says_how_to_send_one_and_where_none_is_needed(tmp_path: Path) -> None:
    client = create_app(Zoo.open(zoo_with(tmp_path, KEYS), environ={})).test_client()
    described = client.get("/openapi.json", headers={"X-API-Key": PHONE}).get_json()
    schemathesis.openapi.from_dict(described).validate()
    schemes = described["components"]["securitySchemes"]
    for path, method, one in operations(described):
        url, ways = filled(path), one.get("security", described["security"])
        if method != "get":
            continue
        assert (client.get(url).status_code == 401) == bool(ways), path
        for way in ways:
            ((name, scopes),) = way.items()
            for key, may in ((PHONE, scopes == []), (BOSS, True)):
                told = client.get(url, headers=sent_as(schemes[name], key))
                assert told.status_code == (200 if may else 403), (path, name)


def sent_as(scheme: dict[str, str], key: str) -> dict[str, str]:
    """The header that a described way to send a key means."""
    if scheme["type"] == "http":
        return {"Authorization": f"{scheme['scheme']} {key}"}
    assert scheme["in"] == "header"
    return {scheme["name"]: key}


@pytest.mark.parametrize("kind", ["multipart/form-data", "image/*", "image/png", "application/octet-stream"])
@pytest.mark.parametrize(
    "path",
    [
        *("/predict", "/predict_{name}", "/api/models/{name}/predict", "/read", "/hf/{name}"),
        *("/arena", "/why", "/explain"),
    ],
)
def test_pictures_are_taken_as_each_described_content_type(
    described: dict[str, Any], client: FlaskClient, path: str, kind: str
) -> None:
    one = described["paths"][path]["post"]
    if kind.replace("image/png", "image/*") not in one["requestBody"]["content"]:
        assert (path, kind) == ("/hf/{name}", "multipart/form-data")
        return
    if kind == "multipart/form-data":
        told = send(client, filled(path), png())
    else:
        told = client.post(filled(path), data=png(), content_type=kind)
    assert told.status_code == 200
    fits(described, one["responses"]["200"]["content"]["application/json"]["schema"], told.json)


def test_the_query_adds_what_is_described(described: dict[str, Any], client: FlaskClient) -> None:
    schema = described["paths"]["/predict"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    told = send(client, "/predict_cnn?top=3&trace=1&version=1", saved(drawing()))
    fits(described, schema, told.json)
    closed = dict(told.get_json(), surprise=1)
    with pytest.raises(jsonschema_rs.ValidationError):
        fits(described, schema, closed)


def asked_wrongly(client: FlaskClient) -> list[tuple[str, int, Any]]:
    big = b"\0" * 16_000_001
    brotli = {"data": b"?", "content_type": "application/json", "headers": {"Content-Encoding": "br"}}
    tensor = {"name": "images", "shape": [1, 3, 3], "datatype": "FP32", "data": [0] * 9}
    shared = tensor | {"parameters": {"shared_memory_region": "mine"}}
    return [
        ("/predict", 400, client.post("/predict")),
        ("/predict_{name}", 404, send(client, "/predict_nobody", png())),
        ("/predict_{name}", 413, client.post("/predict_cnn", data=big, content_type="image/png")),
        ("/predict_{name}", 415, client.post("/predict_cnn", data="hello", content_type="text/plain")),
        ("/predict_{name}", 415, send(client, "/predict_cnn", b"%PDF-1.7 and so on")),
        ("/arena", 400, files(client, "/arena", png(), png())),
        ("/arena", 415, send(client, "/arena", b"%PDF-1.7 and so on")),
        ("/why", 400, send(client, "/why?label=12", png())),
        ("/explain", 404, send(client, "/explain?model=nobody", png())),
        ("/samples/{place}.png", 404, client.get("/samples/10000.png")),
        ("/models/{name}/{version}/history.csv", 404, client.get("/models/cnn/999/history.csv")),
        ("/read", 413, client.post("/read", json={"images": [b64(png())] * 257})),
        ("/api/models/{name}", 404, client.get("/api/models/nobody")),
        ("/api/models/{name}/calls", 404, client.get("/api/models/nobody/calls")),
        ("/v1/models/{name}", 404, client.get("/v1/models/nobody")),
        ("/v1/models/{name}:predict", 400, client.post("/v1/models/cnn:predict", data=b"{")),
        ("/v1/models/{name}:predict", 415, client.post("/v1/models/cnn:predict", **brotli)),
        ("/v1/models/{name}/labels/{label}", 400, client.get("/v1/models/cnn/labels/oldest")),
        ("/v2/models/{name}/infer", 400, client.post("/v2/models/cnn/infer", json={"inputs": [tensor]})),
        ("/v2/models/{name}/infer", 501, client.post("/v2/models/cnn/infer", json={"inputs": [shared]})),
        ("/v2/models/{name}/infer", 415, client.post("/v2/models/cnn/infer", **brotli)),
        ("/v2/repository/index", 415, client.post("/v2/repository/index", **brotli)),
        ("/v2/models/{name}/versions/{version}", 404, client.get("/v2/models/cnn/versions/999")),
        ("/v2/repository/models/{name}/load", 501, client.post("/v2/repository/models/cnn/load")),
        ("/hf/{name}", 400, client.post("/hf/cnn", json={})),
        ("/hf/{name}", 415, client.post("/hf/cnn", data=b"hello", content_type="image/png")),
    ]


def test_errors_are_described_and_have_their_shape(described: dict[str, Any], client: FlaskClient) -> None:
    for path, status, told in asked_wrongly(client):
        assert told.status_code == status, (path, told.text)
        (one,) = described["paths"][path].values()
        fits(described, one["responses"][str(status)]["content"][told.mimetype]["schema"], told.json)


def test_what_the_server_says_of_any_body_is_described_wherever_one_is_sent(described: dict[str, Any]) -> None:
    sent = [one["post"] for one in described["paths"].values() if "post" in one]
    assert len(sent) > 15
    assert [one["operationId"] for one in sent if not {"408", "413", "501"} <= set(one["responses"])] == []


def test_a_model_that_cannot_answer_is_as_described(empty_zoo: Path) -> None:
    client = create_app(Zoo.open(empty_zoo, environ={})).test_client()
    described = client.get("/openapi.json").get_json()
    for path, method in [
        ("/readyz", "get"),
        ("/predict", "post"),
        ("/predict_{name}", "post"),
        ("/v2/health/ready", "get"),
        ("/v2/models/{name}/ready", "get"),
        ("/v2/models/{name}", "get"),
        ("/v1/models/{name}/metadata", "get"),
    ]:
        told = client.open(filled(path, "soft"), method=method.upper(), data=png(), content_type="image/png")
        assert told.status_code == 503, (path, told.text)
        content = described["paths"][path][method]["responses"]["503"]["content"]
        fits(described, content[told.mimetype]["schema"], told.json)
    details = described["paths"]["/api/models/{name}"]["get"]["responses"]["200"]["content"]["application/json"]
    fits(described, details["schema"], client.get("/api/models/soft").json)


@pytest.mark.parametrize("path", ["/predict_cnn", "/v2/models/cnn", "/hf/cnn", "/openapi.json", "/livez"])
def test_another_method_is_405_with_allow(client: FlaskClient, path: str) -> None:
    told = client.delete(path)
    assert told.status_code == 405
    assert "OPTIONS" in told.headers["Allow"]
    assert set(told.get_json()) == ({"error", "code"} if protocol(path) is None else {"error"})


def test_a_zoo_without_models_describes_itself(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "settings.toml").write_text("")
    described = create_app(Zoo.open(tmp_path, environ={})).test_client().get("/openapi.json").get_json()
    schemathesis.openapi.from_dict(described).validate()
    assert described["paths"]["/predict_{name}"]["post"]["parameters"][0]["schema"] == {"type": "string"}


def test_the_types_read_the_answers_in_python_too(client: FlaskClient) -> None:
    told = send(client, "/predict_cnn?trace=1", png()).get_json()
    assert TypeAdapter(schemas.Prediction).validate_python(told, strict=True) == told


def test_a_tensor_may_have_as_many_sizes_as_is_said(described: dict[str, Any], client: FlaskClient) -> None:
    most = described["components"]["schemas"]["InputTensor"]["properties"]["shape"]["maxItems"]
    for sizes in (most, most + 1):
        tensor = {"name": "images", "datatype": "FP32", "shape": [1] * sizes, "data": [0.5]}
        answer = client.post("/v2/models/cnn/infer", json={"inputs": [tensor]})
        assert answer.status_code == 400
        assert ("Give one to eight whole numbers" in answer.get_json()["error"]) == (sizes > most)
