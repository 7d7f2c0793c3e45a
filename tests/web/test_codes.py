"""Every error of the zoo's own routes has a code, and every code a meaning."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import get_args

import pytest
from asking import ROOT
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from webui import create_app, faults
from webui.faults import CODES, FAULTS, BadRequest, Refused, code_of, status_of
from webui.openapi.operation import WHY
from zoo import Zoo, errors
from zoo.errors import PictureTooLarge, ZooError

ABSTRACT = {faults.Barred, errors.PictureError, errors.ServerError}
"""Classes of which only subclasses are raised, in this server or at all."""
INNER = {
    *(errors.SettingsError, errors.DatasetError, errors.TrainingError, errors.CardChanged, errors.NoInk),
    *(errors.ServerUnreachable, errors.ServerBusy, errors.KeyRefused, errors.NotCompiled),
}
"""Errors that no request meets, unless the server is at fault."""


def kinds(kind: type[ZooError]) -> set[type[ZooError]]:
    """Every subclass of an error that the zoo or its server defines for itself."""
    found = {one for one in kind.__subclasses__() if one.__module__ in ("zoo.errors", "webui.faults")}
    return found.union(*(kinds(one) for one in found))


def test_every_fault_has_a_status_and_a_code() -> None:
    assert kinds(ZooError) - ABSTRACT - INNER - {Refused} == set(FAULTS)


def test_every_status_that_is_described_has_a_code() -> None:
    assert set(WHY) - {status for status, _ in FAULTS.values()} - set(CODES) == set()


def test_every_code_is_used_and_no_two_faults_share_one() -> None:
    own = [code for _, code in FAULTS.values()]
    assert len(set(own)) == len(own)
    assert {*own, *CODES.values()} == set(get_args(faults.Code))


def test_the_documentation_has_every_code_with_its_status() -> None:
    table = (ROOT / "docs/api.md").read_text().partition("| status | code | why |")[2].partition("\n\n")[0]
    told, status = set(), ""
    for row in table.splitlines()[2:]:
        _, first, code, *_ = row.split("|")
        status = first.strip() or status
        told |= {(int(status), name) for name in re.findall("`(.*)`", code)}
    assert told == {*FAULTS.values(), *CODES.items()}


def test_an_error_has_the_code_of_its_closest_class() -> None:
    class Odd(BadRequest):
        pass

    assert (status_of(Odd("")), code_of(Odd(""))) == (400, "bad_request")
    assert code_of(PictureTooLarge("")) == "picture_too_large"
    assert (status_of(ZooError("")), code_of(ZooError(""))) == (500, "server_fault")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused(418, ""), "bad_request"),
        (Refused(507, ""), "server_fault"),
        (RequestEntityTooLarge(), "body_too_large"),
    ],
)
def test_refusals_and_flasks_errors_have_the_code_of_their_status(error: ZooError | HTTPException, code: str) -> None:
    assert code_of(error) == code


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/predict_cnm", 404, "unknown_model"),
        ("POST", "/predict_cnn?version=99", 404, "unknown_checkpoint"),
        ("GET", "/samples/99999.png", 404, "unknown_sample"),
        ("POST", "/why?label=none", 400, "unknown_label"),
        ("GET", "/nothing", 404, "no_route"),
        ("GET", "/predict_cnn", 405, "wrong_method"),
        ("POST", "/predict_cnn?trace=2", 400, "bad_request"),
    ],
)
def test_routes_send_codes(client: FlaskClient, picture: bytes, method: str, path: str, status: int, code: str) -> None:
    answer = client.open(path, method=method, data=picture if method == "POST" else b"", content_type="image/png")
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    assert list(answer.get_json()) == ["error", "code"]


@pytest.fixture(scope="module")
def picture() -> bytes:
    return (ROOT / "docs/seven.png").read_bytes()


@pytest.mark.parametrize("path", ["/v1/models/none:predict", "/v2/models/none/infer", "/hf/none", "/hf", "/v1/none"])
def test_other_servers_protocols_have_no_codes(client: FlaskClient, path: str) -> None:
    assert list(client.post(path, json={}).get_json()) == ["error"]


def test_limits_of_a_request_are_told_apart(own_zoo: Path, picture: bytes) -> None:
    limits = {"ZOO_SERVER__MAX_BATCH": "2", "ZOO_PICTURES__MAX_TOTAL_MEGAPIXELS": "0.1"}
    client = create_app(Zoo.open(own_zoo, environ=limits)).test_client()

    def sent(count: int) -> dict[str, object]:
        files = [(io.BytesIO(picture), f"{place}.png") for place in range(count)]
        answer: dict[str, object] = client.post("/predict_cnn", data={"file": files}).get_json()
        return answer

    refused = sent(3)
    assert (refused["code"], refused["limit"]) == ("too_many_pictures", 2)
    rows = sent(2)["predictions"]
    assert [(row.get("code"), row.get("status")) for row in rows] == [(None, None), ("too_many_megapixels", 413)]
