"""The calls to copy: every one is run, for every model, against a real server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from asking import ROOT
from flask import Flask, render_template
from flask.testing import FlaskClient
from guarding import KEYS, PHONE, serving_with, signed_in
from markupsafe import escape
from playwright.sync_api import Page, sync_playwright
from serving import serving

from webui import snippets
from webui.snippets import Call
from zoo import Zoo

NAMES = list(Zoo.open(ROOT, environ={}).models)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving([sys.executable, "-m", "zoo", "serve", "--port", "0"], ROOT) as served:
        yield served.url


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calls")
    shutil.copy(ROOT / "docs/seven.png", folder / snippets.PICTURE)
    return folder


@pytest.fixture(scope="module")
def page(address: str, folder: Path) -> Iterator[Page]:
    """A page of the server with a file input of one's own, and the picture chosen."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{address}/models")
        page.evaluate("document.body.append(Object.assign(document.createElement('input'), {type: 'file'}))")
        page.set_input_files("input[type=file]", folder / snippets.PICTURE)
        yield page
        browser.close()


def output(call: Call, folder: Path, **environ: str) -> str:
    """What a call prints when it is run as the documentation says."""
    if call.language == "curl":
        command = ["sh", "-c", call.code.replace("curl ", "curl --silent --show-error --fail-with-body ")]
    elif call.language == "python":
        command = [sys.executable, "-c", call.code]
    else:
        (folder / "call.mjs").write_text(call.code)
        command = ["node", "call.mjs"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, env=os.environ | environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def logged(call: Call, page: Page) -> str:
    """What a call logs when it is run in a page."""
    with page.expect_console_message() as message:
        page.evaluate(f"async () => {{ {call.code} }}")
    return message.value.text


def digit(call: Call, printed: str) -> str:
    """The digit that a protocol's answer tells."""
    if call.language != "curl":
        return printed.strip()
    told = json.loads(printed)
    if call.protocol == "native":
        return told["label"]
    if call.protocol == "tensorflow_serving":
        (scores,) = told["predictions"]
        return str(scores.index(max(scores)))
    if call.protocol == "inference_v2":
        return next(one["data"][0] for one in told["outputs"] if one["name"] == "labels")
    return told[0]["label"]


def check(call: Call, folder: Path, **environ: str) -> None:
    if call.language == "javascript" and not shutil.which("node"):
        pytest.skip("there is no Node.js here")
    assert digit(call, output(call, folder, **environ)) == "7", call


@pytest.mark.parametrize("call", snippets.calls("cnn", "http://zoo.invalid"), ids=lambda one: one.language)
def test_the_calls_name_the_model_and_the_server(call: Call) -> None:
    assert re.search(r"http://zoo\.invalid/(predict_cnn|v1/models/cnn:predict|v2/models/cnn/infer|hf/cnn)", call.code)
    assert (snippets.PICTURE in call.code) == (call.language != "browser")


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_every_call_of_every_model_reads_the_digit(address: str, folder: Path, page: Page, name: str) -> None:
    for call in snippets.calls(name, address):
        if call.language == "browser":
            assert digit(call, logged(call, page)) == "7"
        else:
            check(call, folder)


@pytest.mark.long
def test_the_servers_own_calls_are_those_that_work(address: str, folder: Path) -> None:
    told = requests.get(f"{address}/api/models/cnn/calls", timeout=10).json()
    assert told["model"] == "cnn"
    calls = [Call(**one) for one in told["calls"]]
    assert calls == snippets.calls("cnn", address)
    check(calls[0], folder)


@pytest.mark.long
def test_where_a_key_is_asked_for_the_page_tells_how_each_call_sends_it(folder: Path, tmp_path: Path) -> None:
    with serving_with(tmp_path, KEYS) as served:
        told = signed_in(served.url).get(f"{served.url}/models/cnn", timeout=30).text
        assert f"export {snippets.KEY}=" in told
        for call in snippets.calls("cnn", served.url, keyed=True):
            assert str(escape(call.code)) in told
            if call.language != "browser":  # a page sends the token of who has signed in
                check(call, folder, **{snippets.KEY: PHONE})


def test_an_address_cannot_get_out_of_its_quotes(folder: Path) -> None:
    for call in snippets.calls("cnn", "http://zoo.invalid/$(touch got-out)`touch got-out`\"';touch got-out;'"):
        if call.language == "curl":
            subprocess.run(["sh", "-c", call.code], cwd=folder, capture_output=True, timeout=60)
        elif call.language == "python":
            compile(call.code, "call", "exec")
    assert not (folder / "got-out").exists()


def test_the_calls_of_an_unknown_model_are_404(client: FlaskClient) -> None:
    answer = client.get("/api/models/cnnn/calls")
    assert answer.status_code == 404
    assert 'Did you mean "cnn"?' in answer.get_json()["error"]


@pytest.mark.parametrize(("lang", "heading"), [("en", "Code samples"), ("pt-BR", "Exemplos de código")])
def test_the_partial_shows_every_call_without_script(app: Flask, lang: str, heading: str) -> None:
    calls = snippets.calls("cnn", "http://127.0.0.1:5000")
    with app.test_request_context(f"/?lang={lang}"):
        html = render_template("_calls.html", calls=calls)
    assert heading in html
    assert html.count("<details") == len(calls)
    for call in calls:
        assert str(escape(call.code)) in html
    assert not re.search(r"<script|<style|style=|\son\w+=", html)
