"""What surrounds every answer: strict headers, other origins, a rate for each client, proxies and a path of its own."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from contextvars import Context
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from guarding import KEYS, PAGE, PHONE, picture, serving_with, signed_in, token, zoo_with
from serving import Served
from werkzeug.test import create_environ

from webui import create_app
from webui.cors import shared
from webui.environ import REFUSAL, ROUTE
from webui.headers import PAGE_POLICY, strict
from webui.metrics import answering
from webui.mounting import mounted
from webui.rate import Rate, network
from zoo import Zoo

SITE = "https://site.example"
STRICT = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
}
PREFLIGHT = {
    "Origin": SITE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "x-api-key",
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With keys, one other origin, a limit of 1 MB to a body."""
    with serving_with(tmp_path_factory.mktemp("edges"), f'max_body_mb = 1\ncors_origins = ["{SITE}"]\n{KEYS}') as one:
        yield one


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Behind a proxy, under /zoo, with keys."""
    folder = tmp_path_factory.mktemp("placed")
    with serving_with(folder, f'max_body_mb = 1\nworkers = 1\nproxies = 1\nprefix = "/zoo"\n{KEYS}') as one:
        yield one


@pytest.mark.parametrize(
    ("method", "path", "status", "page"),
    [
        ("GET", "/livez", 200, False),
        ("GET", "/", 401, True),
        ("GET", "/static/style.css", 200, True),
        ("GET", "/static/nothing.css", 404, False),
        ("POST", "/v1/models/cnn:predict", 401, False),
        ("POST", "/predict_cnn", 413, True),
        ("POST", "/predict_cnn", 413, False),
    ],
)
def test_every_answer_has_the_strict_headers(served: Served, method: str, path: str, status: int, page: bool) -> None:
    body = bytes(3_000_000) if status == 413 else None
    headers = PAGE if page else {}
    answer = requests.request(method, served.url + path, data=body, headers=headers, timeout=30)
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in STRICT} == STRICT
    policy = answer.headers["Content-Security-Policy"]
    assert policy == (PAGE_POLICY if page else "default-src 'none'; frame-ancestors 'none'")
    assert "unsafe" not in policy


def test_a_body_that_never_comes_is_refused_with_the_strict_headers(tmp_path: Path) -> None:
    with serving_with(tmp_path, "workers = 1\nbody_seconds = 1.0") as served:
        place = urlsplit(served.url)
        with socket.create_connection((place.hostname or "", place.port or 0), timeout=30) as client:
            client.sendall(b"POST /predict HTTP/1.1\r\nHost: zoo\r\nContent-Length: 9\r\n\r\nhalf")
            answer = b"".join(iter(lambda: client.recv(65536), b"")).decode()
    assert answer.startswith("HTTP/1.1 408")
    assert "content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n" in answer


@pytest.mark.parametrize("name", ["Content-Security-Policy", "content-security-policy"])
def test_an_answer_with_a_policy_of_its_own_keeps_it(name: str) -> None:
    told: list[tuple[str, str]] = []

    def app(environ, start_response) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html"), (name, "default-src 'self'")])
        return []

    strict(app)({}, lambda status, headers: told.extend(headers))  # type: ignore[arg-type, return-value]
    assert [value for header, value in told if header.lower() == "content-security-policy"] == ["default-src 'self'"]
    assert dict(told).items() >= STRICT.items()


def test_the_answer_to_a_preflight_tells_no_length() -> None:
    """RFC 9110, 8.6: a 204 has none. Not every server takes it off."""
    told: list[tuple[str, str]] = []
    asked = {"REQUEST_METHOD": "OPTIONS", "HTTP_ORIGIN": SITE, "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"}
    app = shared(lambda environ, start_response: [], [SITE])
    app(asked, lambda status, headers: told.extend([("", status), *headers]))  # type: ignore[arg-type, return-value]
    assert told[0] == ("", "204 No Content")
    assert "Content-Length" not in dict(told)


def test_a_listed_origin_may_ask_and_read(served: Served) -> None:
    preflight = requests.options(f"{served.url}/predict_cnn", headers=PREFLIGHT, timeout=30)
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == SITE
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert {"X-API-Key", "Authorization", "Content-Type", "Traceparent", "Tracestate", "Baggage"} <= set(
        preflight.headers["Access-Control-Allow-Headers"].split(", ")
    )
    headers = {"Origin": SITE, "X-API-Key": PHONE}
    answer = requests.post(f"{served.url}/predict_cnn", files=picture(), headers=headers, timeout=30)
    assert answer.json()["digit"] == 7
    assert answer.headers["Access-Control-Allow-Origin"] == SITE
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("status", [401, 413])
def test_a_listed_origin_can_read_why_it_is_refused(served: Served, status: int) -> None:
    body = bytes(3_000_000) if status == 413 else b""
    answer = requests.post(f"{served.url}/predict_cnn", data=body, headers={"Origin": SITE}, timeout=30)
    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == SITE


@pytest.mark.parametrize(
    "origin", ["https://other.example", f"{SITE}.evil.example", "http://site.example", "null", "*"]
)
def test_no_other_origin_is_let_in(served: Served, origin: str) -> None:
    for method, headers in (("OPTIONS", PREFLIGHT | {"Origin": origin}), ("GET", {"Origin": origin})):
        answer = requests.request(method, f"{served.url}/livez", headers=headers, timeout=30)
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
        assert "Origin" in answer.headers["Vary"]


def test_without_origins_nothing_is_said_of_them(client) -> None:
    answer = client.get("/livez", headers={"Origin": SITE})
    assert not [name for name in answer.headers.keys() if name.lower().startswith("access-control")]  # noqa: SIM118
    assert "Vary" not in answer.headers


def test_a_client_that_asks_too_often_is_429_in_every_protocol(tmp_path: Path) -> None:
    with serving_with(tmp_path, 'workers = 1\nrate = "12 per hour"\nproxies = 1') as served:

        def ask(path: str, address: str = "192.0.2.1", **headers: str) -> requests.Response:
            headers |= {"X-Forwarded-For": address}
            return requests.get(served.url + path, headers=headers, timeout=30)

        for path in ("/livez", "/readyz", "/static/style.css") * 6:
            assert ask(path).status_code == 200
        assert [ask("/nowhere").status_code for _ in range(12)] == [404] * 12
        for path in ("/api/models", "/v1/models/cnn", "/v2", "/hf/cnn", "/"):
            answer = ask(path)
            own = {} if path.startswith(("/v1", "/v2", "/hf")) else {"code": "rate_limited"}
            assert (answer.status_code, answer.json()) == (429, {"error": answer.json()["error"]} | own)
            assert "the limit is 12 per hour (server.rate)" in answer.json()["error"]
            assert 3500 < int(answer.headers["Retry-After"]) <= 3600
        page = ask("/", **PAGE)
        assert page.status_code == 429
        assert "Too many requests" in page.text
        assert ask("/livez").status_code == 200
        assert ask("/api/models", "192.0.2.2").status_code == 200
        assert ask("/api/models", "192.0.2.1, 192.0.2.3").status_code == 200  # the proxy's word is the last


def test_a_client_is_the_same_from_every_port(tmp_path: Path) -> None:
    with serving_with(tmp_path, f'workers = 1\nrate = "3 per hour"\nproxies = 1\nlog = "json"\n{KEYS}') as served:

        def ask(address: str) -> int:
            headers = {"X-Forwarded-For": address, "X-API-Key": PHONE}
            return requests.get(f"{served.url}/api/models", headers=headers, timeout=30).status_code

        for form in ("192.0.2.1:{}", "[2001:db8::9]:{}"):
            assert [ask(form.format(port)) for port in (99, 100, 101, 102)] == [200, 200, 200, 429]
        assert [ask(address) for address in ("192.0.2.1", "2001:db8::9", "192.0.2.2:99")] == [429, 429, 200]
        assert served.process.stdout is not None
        lines = [json.loads(served.process.stdout.readline()) for _ in range(11)]
    assert [line["client"] for line in lines][:8] == ["192.0.2.1"] * 4 + ["2001:db8::9"] * 4


def test_the_log_names_the_model_of_the_address_whatever_becomes_of_the_request(tmp_path: Path) -> None:
    large = {"data": bytes(3_000_000)}
    requested: list[tuple[str, str, dict[str, Any], int, str | None]] = [
        ("POST", "/predict_cnn", {"files": picture()}, 200, "cnn"),
        ("POST", "/predict_cnn", {"json": {"image": ""}}, 400, "cnn"),
        ("POST", "/predict_cnn", {"json": {"image": "x"}}, 400, "cnn"),
        ("POST", "/predict_cnn", {"data": "x", "headers": {"Content-Type": "text/plain"}}, 415, "cnn"),
        ("POST", "/api/models/cnn/predict", large, 413, "cnn"),
        ("GET", "/predict_cnn", {}, 405, "cnn"),
        ("POST", "/v1/models/cnn:predict", {"json": {}}, 400, "cnn"),
        ("POST", "/v2/models/cnn/infer", {"json": {}}, 400, "cnn"),
        ("POST", "/hf/cnn", {}, 400, "cnn"),
        ("POST", "/read?model=cnn", {}, 400, "cnn"),
        ("POST", "/read", {}, 400, None),
        ("POST", "/predict_nobody", {"files": picture()}, 404, None),
        ("GET", "/cnn", {}, 404, None),
        ("POST", "/why", {"files": picture()}, 200, "cnn"),
        ("POST", "/explain", {"files": picture()}, 200, "cnn"),
        ("POST", "/arena", {"files": picture()}, 200, None),
        ("POST", "/arena?model=cnn", {"files": picture()}, 200, None),
        ("POST", "/arena", {"data": b"x", "headers": {"Content-Type": "image/png"}}, 415, None),
    ]
    with serving_with(tmp_path, 'workers = 1\nmax_body_mb = 1\nlog = "json"') as served:
        for method, path, more, status, _ in requested:
            assert requests.request(method, served.url + path, timeout=30, **more).status_code == status, path
        assert served.process.stdout is not None
        lines = [json.loads(served.process.stdout.readline()) for _ in requested]
    logged = [(line["path"], line["status"], line["model"]) for line in lines]  # the 413 after what it did not wait for
    expected = [(path.partition("?")[0], status, model) for _, path, _, status, model in requested]
    assert sorted(logged, key=str) == sorted(expected, key=str)


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_a_client_sends_makes_no_long_line_of_the_log(tmp_path: Path, form: str) -> None:
    with serving_with(tmp_path, f'workers = 1\nproxies = 1\nlog = "{form}"') as served:
        headers = {"X-Forwarded-For": "1" * 9_000}
        answer = requests.request("M" * 9_000, f"{served.url}/{'p' * 9_000}", headers=headers, timeout=30)
        assert answer.status_code == 404
        assert f"There is nothing at /{'p' * 79}…." in answer.json()["error"]
        assert served.process.stdout is not None
        line = served.process.stdout.readline()
    assert [line.count(letter * 64) for letter in "1M"] == [1, 1]
    assert len(line) < 700


def test_wrong_keys_are_counted_from_every_port(tmp_path: Path) -> None:
    with serving_with(tmp_path, f"workers = 1\nproxies = 1\n{KEYS}") as served:
        browser = requests.Session()
        form = {"csrf_token": token(browser.get(f"{served.url}/login", headers=PAGE, timeout=30).text), "key": "wrong"}
        tried = [
            browser.post(
                f"{served.url}/login", data=form, headers={"X-Forwarded-For": f"192.0.2.1:{port}"}, timeout=30
            ).status_code
            for port in range(100, 111)
        ]
    assert tried == [401] * 10 + [429]


def test_a_rate_tells_networks_apart() -> None:
    assert network("192.0.2.1") == network("::ffff:192.0.2.1") == "192.0.2.1"
    assert network("2001:db8::1") == network("2001:db8::ffff:2%eth0") != network("2001:db8:0:1::1")
    assert network(None) == ""
    assert network("192.0.2.1:99") == network("[::ffff:192.0.2.1]:5") == "192.0.2.1"
    assert network("[2001:db8::9]:123") == network("[2001:db8::9]") == network("2001:db8::9") != network("192.0.2.1")
    Rate("3 per 2 hours", "x").count("no address")


def test_links_forms_and_files_are_under_the_prefix(placed: Served) -> None:
    browser = requests.Session()
    browser.headers.update(PAGE)
    for path in ("/zoo/", "/zoo"):
        door = browser.get(placed.url + path, timeout=30)
        assert door.status_code == 401
        assert 'action="/zoo/login"' in door.text
    form = {"key": PHONE, "csrf_token": token(door.text), "next": "/zoo/?model=cnn"}
    home = browser.post(f"{placed.url}/zoo/login", data=form, timeout=30)
    assert (home.status_code, home.url) == (200, f"{placed.url}/zoo/?model=cnn")
    links = re.findall(r'(?:href|src|action)="([^"#][^"]*)"', home.text)
    assert len(links) > 8
    for link in links:
        assert link.startswith("/zoo/"), link
    for link in {link for link in links if "logout" not in link}:
        assert browser.get(placed.url + link.replace("&amp;", "&"), timeout=30).status_code == 200
    answer = browser.post(
        f"{placed.url}/zoo/", data={"csrf_token": token(home.text)}, files=picture(), allow_redirects=False, timeout=30
    )
    assert '<p class="digit" id="digit">7</p>' in answer.text
    form = {"csrf_token": token(home.text)}
    out = browser.post(f"{placed.url}/zoo/logout", data=form, allow_redirects=False, timeout=30)
    assert out.headers["Location"] == "/zoo/login?left=1"
    assert browser.get(f"{placed.url}/zoo/", timeout=30).status_code == 401


@pytest.mark.parametrize("path", ["/", "/livez", "/api/models", "/zoolander", "/Zoo/", "/v1/models/cnn", "//zoo/"])
def test_outside_the_prefix_there_is_nothing(placed: Served, path: str) -> None:
    with closing(HTTPConnection(placed.url.removeprefix("http://"), timeout=30)) as connection:
        connection.request("GET", path, headers={"X-API-Key": PHONE})
        answer = connection.getresponse()
        told = json.loads(answer.read())
    assert answer.status == 404
    own = {} if path.startswith("/v1") else {"code": "no_route"}
    assert told == {"error": f"There is nothing at {path}. The zoo is at /zoo/ (server.prefix)."} | own
    page = requests.get(f"{placed.url}/nowhere", headers=PAGE, timeout=30)
    assert page.status_code == 404
    assert 'href="/zoo/static/style.css"' in page.text


@pytest.mark.parametrize("refusal", [None, (413, "The body is too large.")], ids=["asked", "refused"])
def test_outside_the_prefix_no_route_is_counted_and_no_model_logged(
    tmp_path: Path, refusal: tuple[int, str] | None
) -> None:
    app = create_app(Zoo.open(zoo_with(tmp_path, 'prefix = "/zoo"'), environ={}))
    environ = create_environ("/predict_cnn", method="POST")
    if refusal is not None:
        environ[REFUSAL] = refusal
    context = Context()
    body = context.run((app if refusal is None else app.refusals), environ, lambda *_: print)
    code = json.loads(b"".join(body))["code"]
    assert code == ("no_route" if refusal is None else "body_too_large")
    assert (environ[ROUTE], context.get(answering, "")) == ("other", "")


def test_programs_ask_under_the_prefix(placed: Served) -> None:
    headers = {"X-API-Key": PHONE}
    for path in ("/zoo/predict_cnn", "/zoo/api/models/cnn/predict"):
        answer = requests.post(placed.url + path, files=picture(), headers=headers, timeout=30)
        assert answer.json()["digit"] == 7
    assert requests.get(f"{placed.url}/zoo/livez", timeout=30).status_code == 200
    lost = requests.get(f"{placed.url}/zoo/nowhere", headers=headers, timeout=30).json()["error"]
    assert lost.startswith("There is nothing at /zoo/nowhere.")
    routes = lost.partition(" The routes are: ")[2].removesuffix(".").split(", ")
    assert "/zoo/api/models" in routes
    assert all(route.startswith("/zoo/") for route in routes)
    assert (
        requests.post(f"{placed.url}/zoo/predict", data=bytes(3_000_000), headers=headers, timeout=30).status_code
        == 413
    )


def test_the_proxys_words_make_the_addresses(placed: Served) -> None:
    headers = PAGE | {"X-API-Key": PHONE, "X-Forwarded-Proto": "https", "X-Forwarded-Host": "digits.example"}
    page = requests.get(f"{placed.url}/zoo/", headers=headers, timeout=30).text
    assert re.search(r"curl [^<]*https://digits\.example/zoo/", page)
    door = requests.get(f"{placed.url}/zoo/?lang=pt-BR", headers=headers | {"X-API-Key": ""}, timeout=30)
    cookies = door.raw.headers.getlist("Set-Cookie")
    assert {cookie.partition("=")[0] for cookie in cookies} == {"zoo_session", "lang"}
    for cookie in cookies:
        assert {"Secure", "HttpOnly", "Path=/zoo", "SameSite=Lax"} <= set(cookie.split("; "))


@pytest.mark.parametrize(
    ("page", "status"), [("https://digits.example/zoo/login", 303), ("https://evil.example/", 403)]
)
def test_over_https_a_form_comes_from_a_page_of_this_site(placed: Served, page: str, status: int) -> None:
    headers = PAGE | {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "digits.example", "Referer": page}
    door = requests.get(f"{placed.url}/zoo/login", headers=headers, timeout=30)
    headers["Cookie"] = door.headers["Set-Cookie"].partition(";")[0]
    form = {"key": PHONE, "csrf_token": token(door.text)}
    answer = requests.post(f"{placed.url}/zoo/login", data=form, headers=headers, allow_redirects=False, timeout=30)
    assert answer.status_code == status


@pytest.mark.parametrize("name", ["Proto", "Host", "Prefix"])
def test_without_a_proxy_nobodys_word_is_taken(client, name: str) -> None:
    page = client.get("/", headers={f"X-Forwarded-{name}": "evil"})
    assert page.status_code == 200
    assert "evil" not in page.text


@pytest.mark.parametrize(
    ("header", "key", "sent", "used"),
    [
        *(
            ("HTTP_X_FORWARDED_PREFIX", "SCRIPT_NAME", *case)
            for case in (("/a/b", "/a/b"), ("/a/", "/a"), ("//evil.example", ""), ("javascript:", ""), ("/a b", ""))
        ),
        ("HTTP_X_FORWARDED_PREFIX", "SCRIPT_NAME", "/x, /y", "/y"),
        *(
            ("HTTP_X_FORWARDED_HOST", "HTTP_HOST", *case)
            for case in (("digits.example", "digits.example"), ("a, b:80", "b:80"), ("a..b", "x"), ("a:99999", "x"))
        ),
        ("HTTP_X_FORWARDED_HOST", "HTTP_HOST", "a, [::1", "x"),
        *(
            ("HTTP_X_FORWARDED_PROTO", "wsgi.url_scheme", *case)
            for case in (("https", "https"), ("http, https", "https"), ("javascript", "http"), ("https://x", "http"))
        ),
    ],
)
def test_what_a_proxy_forwards_is_what_it_may_be_or_nothing(header: str, key: str, sent: str, used: str) -> None:
    found: list[str] = []

    def app(environ, start_response) -> list[bytes]:
        found.append(environ[key])
        return []

    environ = {"PATH_INFO": "/", "REMOTE_ADDR": "127.0.0.1", "SCRIPT_NAME": "", "HTTP_HOST": "x"}
    environ |= {"wsgi.url_scheme": "http", header: sent}
    mounted(app, 1, "", app)(environ, lambda *_: None)  # type: ignore[arg-type, return-value]
    assert found == [used]


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("xn--mnchen-3ya.de:81", "münchen.de:81"),
        ("xn--fa-hia.de", "xn--fa-hia.de"),
        ("xn--", "xn--"),
        ("[::1]", "[::1]"),
    ],
)
def test_calls_name_the_server_as_the_client_does(served: Served, host: str, told: str) -> None:
    """Python decodes IDNA 2003; a name of IDNA 2008, such as that of faß.de, is told as it came."""
    headers = {"Host": host, "X-API-Key": PHONE}
    calls = requests.get(f"{served.url}/api/models/cnn/calls", headers=headers, timeout=30)
    assert f"http://{told}/predict_cnn" in calls.json()["calls"][0]["code"]
    nothing = requests.post(f"{served.url}/predict_cnn", headers=headers, timeout=30)
    assert nothing.status_code == 400
    assert nothing.json()["error"].endswith(f"as in: curl -F file=@digit.png http://{told}/predict_cnn.")
    assert f"http://{told}/" in requests.get(f"{served.url}/", headers=headers | PAGE, timeout=30).text


def test_signed_in_under_another_zoos_prefix_is_signed_in_there_alone(placed: Served, served: Served) -> None:
    cookies = signed_in(served.url).cookies
    assert {cookie.path for cookie in cookies} == {"/"}
    assert requests.get(f"{placed.url}/zoo/", headers=PAGE, cookies=cookies, timeout=30).status_code == 401
