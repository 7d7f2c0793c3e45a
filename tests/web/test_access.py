"""Who may ask: keys, what each lets one do, and signing in on the page, at a real server of two workers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from guarding import BOSS, KEYS, PAGE, PHONE, picture, serving_with, signed_in, token, zoo_with
from itsdangerous import URLSafeSerializer
from serving import Served
from tritonclient import http
from tritonclient.utils import InferenceServerException

from webui import create_app
from webui.access import ADMIN, NOTHING, PREDICT, local, needed
from webui.health import UNTOLD
from webui.lost import protocol
from zoo import Zoo, keys

OPEN = ["/livez", "/readyz", "/v2/health/live", "/v2/health/ready", "/static/style.css", "/login"]
WANTING = ["/", "/api/models", "/nowhere", "/v1/models/cnn", "/v1/nowhere", "/v2", "/v2/models/cnn", "/hf/cnn"]
CHANNELS = [lambda key: {"Authorization": f"Bearer {key}"}, lambda key: {"X-API-Key": key}]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving_with(tmp_path_factory.mktemp("keys"), KEYS) as running:
        yield running


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("path", WANTING)
def test_without_a_key_every_route_is_401_and_says_what_to_do(served: Served, path: str) -> None:
    answer = requests.get(served.url + path, timeout=30)
    assert (answer.status_code, answer.headers["Content-Type"]) == (401, "application/json")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="zoo"'
    assert answer.json().get("code") == ("no_key" if protocol(path) is None else None)
    assert "Authorization: Bearer KEY" in answer.json()["error"]
    assert "cnn" not in answer.text


@pytest.mark.parametrize("path", ["/predict_cnn", "/predict", "/read", "/", "/hf/cnn", "/v1/models/cnn:predict"])
def test_without_a_key_no_picture_is_read(served: Served, path: str) -> None:
    assert requests.post(served.url + path, files=picture(), timeout=30).status_code == 401


@pytest.mark.parametrize("path", OPEN)
def test_health_files_and_the_door_need_no_key(served: Served, path: str) -> None:
    assert requests.get(served.url + path, timeout=30).status_code == 200
    assert requests.get(served.url + path, headers=bearer("wrong"), timeout=30).status_code == 200


def test_why_a_model_cannot_answer_is_told_to_those_with_a_key_alone(tmp_path: Path) -> None:
    client = create_app(
        Zoo.open(zoo_with(tmp_path, KEYS + "[models.other]\nplugin = 'cnn'\n"), environ={})
    ).test_client()

    def trouble(**how: dict[str, str]) -> str:
        told = client.get("/readyz", **how).get_json()["models"][1]
        assert (told["name"], told["version"], told["ready"]) == ("other", None, False)
        return str(told["trouble"])

    for without in ({}, bearer("wrong")):
        assert trouble(headers=without) == UNTOLD
    assert "zoo train other" in trouble(headers=bearer(PHONE))


@pytest.mark.parametrize("path", ["/readyz", "/v2/health/ready"])
def test_why_the_default_model_cannot_answer_is_told_to_those_with_a_key_alone(tmp_path: Path, path: str) -> None:
    folder = zoo_with(tmp_path, KEYS + "[models.other]\nplugin = 'cnn'\n")
    client = create_app(Zoo.open(folder, flags={("default_model",): ("--test", "other")}, environ={})).test_client()
    for without in ({}, bearer("wrong")):
        answer = client.get(path, headers=without)
        assert (answer.status_code, answer.get_json()["error"]) == (503, UNTOLD)
    assert "zoo train other" in client.get(path, headers=bearer(PHONE)).get_json()["error"]


def test_the_icon_that_browsers_look_for_is_not_refused(served: Served) -> None:
    assert requests.get(f"{served.url}/favicon.ico", timeout=30).status_code != 401


@pytest.mark.parametrize("path", ["/static/nothing.css", "/static/cnn", "/favicon.ico"])
def test_what_there_is_besides_files_is_told_to_those_with_a_key_alone(served: Served, path: str) -> None:
    for headers in ({}, bearer("wrong")):
        answer = requests.get(served.url + path, headers=headers, timeout=30)
        assert (answer.status_code, answer.json()) == (
            404,
            {"error": f"There is nothing at {path}.", "code": "no_route"},
        )
        page = requests.get(served.url + path, headers=headers | PAGE, timeout=30)
        assert page.status_code == 404
        assert "/api/models" not in page.text
        assert "The routes are" not in page.text
    known = requests.get(served.url + path, headers=bearer(PHONE), timeout=30)
    assert known.json()["error"].startswith(f"There is nothing at {path}. ")
    assert "The routes are: /, /api/models" in known.json()["error"]


@pytest.mark.parametrize("channel", CHANNELS, ids=["Authorization", "X-API-Key"])
@pytest.mark.parametrize("key", [PHONE, BOSS], ids=["predict", "admin"])
def test_a_key_lets_programs_in_without_a_token(served: Served, channel, key: str) -> None:
    headers = channel(key)
    answer = requests.post(f"{served.url}/predict_cnn", files=picture(), headers=headers, timeout=30)
    assert answer.json()["digit"] == 7
    assert "Set-Cookie" not in answer.headers
    assert requests.get(f"{served.url}/v2/models/cnn", headers=headers, timeout=30).status_code == 200
    page = requests.get(served.url, headers=headers | PAGE, timeout=30)
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.status_code == 200


@pytest.mark.parametrize("channel", CHANNELS, ids=["Authorization", "X-API-Key"])
@pytest.mark.parametrize(
    "key",
    ["", "wrong", PHONE[:-1], f"{PHONE}x", keys.hashed(PHONE), keys.hashed(PHONE)[7:], "x" * 5000, "phone"],
    ids=["empty", "wrong", "short", "long", "hash", "bare hash", "very long", "name"],
)
def test_a_wrong_key_is_401(served: Served, channel, key: str) -> None:
    for path in ("/api/models", "/v1/models/cnn", "/v2"):
        answer = requests.get(served.url + path, headers=channel(key), timeout=30)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="zoo", error="invalid_token"'
        assert "unknown or was revoked" in answer.json()["error"]


def test_tritons_own_client_sends_a_key(served: Served) -> None:
    with closing(http.InferenceServerClient(served.url.removeprefix("http://"))) as client:
        with pytest.raises(InferenceServerException, match="This server needs a key"):
            client.get_model_metadata("cnn")
        assert client.is_server_ready()
        assert client.get_model_metadata("cnn", headers=bearer(PHONE))["name"] == "cnn"


def test_another_kind_of_authorization_is_no_key(served: Served) -> None:
    answer = requests.get(f"{served.url}/api/models", headers={"Authorization": f"Basic {PHONE}"}, timeout=30)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v2/models/stats", 200), ("POST", "/v2/repository/models/cnn/unload", 501)],
)
def test_what_shows_or_changes_the_server_needs_admin(served: Served, method: str, path: str, status: int) -> None:
    refused = requests.request(method, served.url + path, headers=bearer(PHONE), timeout=30)
    assert refused.status_code == 403
    assert refused.json() == {
        "error": f'The key "phone" has the scope predict; {method} {path} needs admin. Ask the server\'s '
        "administrator for a key that has it."
    }
    assert 'error="insufficient_scope", scope="admin"' in refused.headers["WWW-Authenticate"]
    assert requests.request(method, served.url + path, headers=bearer(BOSS), timeout=30).status_code == status


def test_every_route_has_the_scope_that_is_meant(tmp_path: Path) -> None:
    """A new route that nobody has thought about asks for a key."""
    app = create_app(Zoo.open(zoo_with(tmp_path, KEYS), environ={}))
    scopes = {rule.rule: needed(app, rule.endpoint) for rule in app.url_map.iter_rules()}
    assert {rule for rule, scope in scopes.items() if scope == NOTHING} >= {"/livez", "/readyz", "/login"}
    for rule, scope in scopes.items():
        if rule.startswith("/predict") or rule in ("/", "/read", "/api/models", "/logout", "/hf/<name>"):
            assert scope == PREDICT, rule
        if "stats" in rule or "load" in rule or rule == "/metrics":
            assert scope == ADMIN, rule


def test_people_get_the_door_in_their_language(served: Served) -> None:
    answer = requests.get(f"{served.url}/?model=cnn", headers=PAGE | {"Accept-Language": "pt-BR"}, timeout=30)
    assert (answer.status_code, answer.headers["Content-Type"]) == (401, "text/html; charset=utf-8")
    assert "Entre com uma chave" in answer.text
    assert 'name="next" value="/?model=cnn"' in answer.text
    assert "csrf-token" not in answer.text


def test_signing_in_leads_on_and_keeps_no_key(served: Served) -> None:
    browser = requests.Session()
    browser.headers.update(PAGE)
    door = browser.get(f"{served.url}/?model=cnn", timeout=30)
    form = {"key": f" {PHONE} ", "csrf_token": token(door.text), "next": "/?model=cnn"}
    answer = browser.post(f"{served.url}/login", data=form, allow_redirects=False, timeout=30)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/?model=cnn")
    cookie = answer.headers["Set-Cookie"]
    assert re.search(r"zoo_session=.*; HttpOnly; Path=/; SameSite=Lax$", cookie)
    signed = cookie.removeprefix("zoo_session=").partition(";")[0]
    kept = URLSafeSerializer("").load_payload(signed.rsplit(".", 2)[0].encode())
    assert set(kept) == {"ticket"}, "and the token of the page before is no longer valid"
    assert PHONE not in kept.values()
    assert keys.hashed(PHONE)[7:] not in kept.values()
    for _ in range(8):  # whichever worker answers
        page = requests.get(served.url, headers=PAGE, cookies=browser.cookies, timeout=30)
        assert page.status_code == 200
        assert "Sign out" in page.text


def test_signing_in_over_https_needs_no_referer(tmp_path: Path) -> None:
    client = create_app(Zoo.open(zoo_with(tmp_path, KEYS))).test_client()
    door = client.get("/login", base_url="https://zoo.example", headers=PAGE).text
    form = {"key": PHONE, "csrf_token": token(door)}
    assert client.post("/login", base_url="https://zoo.example", data=form).status_code == 303


def test_a_wrong_key_on_the_page_is_told_in_place(served: Served) -> None:
    browser = requests.Session()
    browser.headers.update(PAGE)
    form = {"key": "wrong", "csrf_token": token(browser.get(f"{served.url}/login", timeout=30).text), "next": "/read"}
    answer = browser.post(f"{served.url}/login", data=form, timeout=30)
    assert answer.status_code == 401
    assert 'role="alert"' in answer.text
    assert "Key not recognised" in answer.text
    assert 'value="/read"' in answer.text
    assert "wrong" not in answer.text
    assert browser.get(served.url, timeout=30).status_code == 401


def test_a_form_with_the_cookie_needs_the_token(served: Served) -> None:
    browser = signed_in(served.url)
    home = browser.get(served.url, timeout=30).text
    meta = re.search(r'<meta name="csrf-token" content="([^"]+)">', home)
    assert meta
    assert home.count('name="csrf_token"') == home.count('method="post"')
    url, form = f"{served.url}/", {"model_type": "cnn"}
    refused = browser.post(url, data=form, files=picture(), timeout=30)
    assert refused.status_code == 403
    assert "This page is out of date" in refused.text
    assert browser.post(url, data=form | {"csrf_token": "x"}, files=picture(), timeout=30).status_code == 403
    answer = browser.post(url, data=form | {"csrf_token": token(home)}, files=picture(), timeout=30)
    assert '<p class="digit" id="digit">7</p>' in answer.text
    plain = browser.post(f"{served.url}/predict_cnn", files=picture(), headers={"Accept": "*/*"}, timeout=30)
    assert (plain.status_code, list(plain.json())) == (403, ["error", "code"])
    headers = {"X-CSRF-Token": meta[1], "Accept": "*/*"}
    answer = browser.post(f"{served.url}/predict_cnn", files=picture(), headers=headers, timeout=30)
    assert answer.json()["digit"] == 7
    headers["Content-Type"] = "image/png"
    data = picture()["file"][1]
    assert browser.post(f"{served.url}/predict_cnn", data=data, headers=headers, timeout=30).json()["digit"] == 7


def test_the_page_says_of_a_token_that_is_refused_what_the_server_says(served: Served) -> None:
    browser = signed_in(served.url)
    home = browser.get(served.url, timeout=30).text
    table = re.search("data-mishaps='([^']+)'", home)
    assert table
    told = json.loads(table[1])["403"]
    refused = browser.post(f"{served.url}/predict_cnn", files=picture(), timeout=30)
    assert refused.status_code == 403
    assert f"<h1>{told['title']}</h1>" in refused.text
    assert told["advice"] in refused.text


def test_a_page_that_the_key_does_not_allow_offers_to_sign_out(served: Served) -> None:
    refused = signed_in(served.url).get(f"{served.url}/metrics", timeout=30)
    assert refused.status_code == 403
    assert 'action="/logout"' in refused.text.partition("<main")[2]


def test_a_token_of_another_session_is_refused(served: Served) -> None:
    mine, theirs = signed_in(served.url), signed_in(served.url, BOSS)
    form = {"csrf_token": token(theirs.get(served.url, timeout=30).text)}
    assert mine.post(f"{served.url}/logout", data=form, timeout=30).status_code == 403


def test_signing_out_ends_it(served: Served) -> None:
    browser = signed_in(served.url)
    assert browser.post(f"{served.url}/logout", timeout=30).status_code == 403
    form = {"csrf_token": token(browser.get(served.url, timeout=30).text)}
    answer = browser.post(f"{served.url}/logout", data=form, allow_redirects=False, timeout=30)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login?left=1")
    assert browser.get(served.url, timeout=30).status_code == 401


def test_a_cookie_has_the_scope_of_its_key(served: Served) -> None:
    stats, browser = f"{served.url}/v2/models/stats", signed_in(served.url)
    assert browser.get(f"{served.url}/api/models", timeout=30).status_code == 200
    assert browser.get(stats, timeout=30).status_code == 403
    assert signed_in(served.url, BOSS).get(stats, timeout=30).status_code == 200


def test_a_forged_cookie_is_no_key(served: Served) -> None:
    browser = signed_in(served.url)
    value = browser.cookies["zoo_session"]
    changed = ("A" if value[0] != "A" else "B") + value[1:]
    for cookie in (changed, value.rpartition(".")[0], "x", ""):
        answer = requests.get(f"{served.url}/api/models", headers={"Cookie": f"zoo_session={cookie}"}, timeout=30)
        assert answer.status_code == 401


def test_the_door_closes_for_a_while_after_ten_wrong_keys(tmp_path: Path) -> None:
    with serving_with(tmp_path, f"workers = 1\n{KEYS}") as served:
        browser = requests.Session()
        browser.headers.update(PAGE)
        form = {"key": "wrong", "next": "/"}
        for _ in range(10):
            form["csrf_token"] = token(browser.get(f"{served.url}/login", timeout=30).text)
            assert browser.post(f"{served.url}/login", data=form, timeout=30).status_code == 401
        form["csrf_token"] = token(browser.get(f"{served.url}/login", timeout=30).text)
        for key in ("wrong", PHONE):
            answer = browser.post(f"{served.url}/login", data=form | {"key": key}, timeout=30)
            assert answer.status_code == 429
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
            assert "Too many requests" in answer.text
        assert requests.get(f"{served.url}/api/models", headers=bearer(PHONE), timeout=30).status_code == 200


@pytest.mark.long
def test_a_session_outlives_a_restart_but_not_its_key(tmp_path: Path) -> None:
    secret = f'secret = "{"s" * 40}"\nworkers = 1\n'
    with serving_with(tmp_path, secret + KEYS) as served:
        cookies = signed_in(served.url).cookies
    with serving_with(tmp_path, secret + KEYS) as served:
        assert requests.get(served.url, headers=PAGE, cookies=cookies, timeout=30).status_code == 200
    without = "\n".join(line for line in KEYS.splitlines() if not line.startswith("phone"))
    with serving_with(tmp_path, secret + without) as served:
        assert requests.get(served.url, headers=PAGE, cookies=cookies, timeout=30).status_code == 401
    with serving_with(tmp_path, "workers = 1\n" + KEYS) as served:  # signed by another secret
        assert requests.get(served.url, headers=PAGE, cookies=cookies, timeout=30).status_code == 401


@pytest.mark.parametrize(
    ("target", "is_local"),
    [
        ("/", True),
        ("/?model=cnn", True),
        ("/zoo/read", True),
        ("", False),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("https://evil.example", False),
        ("javascript:alert(1)", False),
        ("/\t/evil.example", False),
        ("/\r\nSet-Cookie: a=b", False),
        ("evil", False),
    ],
)
def test_signing_in_leads_nowhere_else(target: str, is_local: bool) -> None:
    assert local(target) == is_local


def test_signing_in_with_a_foreign_goal_leads_to_the_front_page(served: Served) -> None:
    browser = requests.Session()
    browser.headers.update(PAGE)
    door = browser.get(f"{served.url}/login?next=https://evil.example/", timeout=30).text
    assert "evil" not in door.partition("<main")[2]
    form = {"key": PHONE, "csrf_token": token(door), "next": "//evil.example/"}
    answer = browser.post(f"{served.url}/login", data=form, allow_redirects=False, timeout=30)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_without_keys_there_is_no_door_and_no_token(client) -> None:
    page = client.get("/", headers=PAGE)
    assert page.status_code == 200
    for word in ("csrf", "logout", "Sign out"):
        assert word not in page.text
    assert "Set-Cookie" not in page.headers
    assert client.get("/login").status_code == 404
