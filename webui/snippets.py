"""Code to copy and paste: one model asked about `digit.png`, with curl, Python and JavaScript, and by each protocol.

A test runs each of them, for every model.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Protocol = Literal["native", "tensorflow_serving", "inference_v2", "huggingface"]
Language = Literal["curl", "python", "javascript", "browser"]

PICTURE = "digit.png"
"""The picture that the code sends, in the folder where it runs."""

KEY = "KEY"
"""The environment variable that holds the key, where the server asks for one; names with ZOO_ are settings."""


@dataclass(frozen=True, slots=True)
class Call:
    """Code that asks a model. `javascript` is an ES module for Node.js 18 or later; `browser` is for a page of this
    server where a file was chosen in an `<input type="file">`."""

    protocol: Protocol
    language: Language
    code: str


def calls(model: str, base: str, keyed: bool = False) -> list[Call]:
    """Return the code that asks a model of the server at `base`, such as `http://127.0.0.1:5000`.

    The zoo's own protocol comes first. `keyed` says that the server asks for a key, which the code takes from the
    environment variable `KEY`. The code for a page sends the page's token instead, because somebody has signed in
    there.
    """
    base = base.rstrip("/")
    return [Call(protocol, language, write(base, model, keyed)) for (protocol, language), write in _CALLS.items()]


def _header(keyed: bool) -> str:
    return f'-H "Authorization: Bearer ${KEY}" ' if keyed else ""


def _curl(base: str, model: str, keyed: bool) -> str:
    return f"curl {_header(keyed)}-F file=@{PICTURE} {shlex.quote(f'{base}/predict_{model}')}"


def _python(base: str, model: str, keyed: bool) -> str:
    url = json.dumps(f"{base}/predict_{model}")
    if not keyed:
        return f"""\
import requests

with open("{PICTURE}", "rb") as picture:
    answer = requests.post({url}, files={{"file": picture}}, timeout=30)
answer.raise_for_status()
print(answer.json()["label"])"""
    return f"""\
import os

import requests

key = {{"Authorization": f"Bearer {{os.environ['{KEY}']}}"}}
with open("{PICTURE}", "rb") as picture:
    answer = requests.post({url}, files={{"file": picture}}, headers=key, timeout=30)
answer.raise_for_status()
print(answer.json()["label"])"""


def _node(base: str, model: str, keyed: bool) -> str:
    return f"""\
import {{ readFile }} from "node:fs/promises";

const picture = new Blob([await readFile("{PICTURE}")]);
{_fetch(base, model, f"{{ Authorization: `Bearer ${{process.env.{KEY}}}` }}" if keyed else "")}"""


def _browser(base: str, model: str, keyed: bool) -> str:
    token = """{ "X-CSRF-Token": document.querySelector('meta[name="csrf-token"]').content }"""
    return f"""\
const [picture] = document.querySelector("input[type=file]").files;
{_fetch(base, model, token if keyed else "")}"""


def _fetch(base: str, model: str, headers: str) -> str:
    said = f"const headers = {headers};\n" if headers else ""
    options = f'{{ method: "POST", {"headers, " if headers else ""}body: form }}'
    return f"""\
const form = new FormData();
form.append("file", picture);
{said}const answer = await fetch({json.dumps(f"{base}/predict_{model}")}, {options});
const told = await answer.json();
if (!answer.ok) throw new Error(told.error);
console.log(told.label);"""


def _tensorflow_serving(base: str, model: str, keyed: bool) -> str:
    return _base64('{\\"instances\\": [{\\"b64\\": \\"%s\\"}]}', f"{base}/v1/models/{model}:predict", keyed)


def _inference_v2(base: str, model: str, keyed: bool) -> str:
    tensor = '{\\"name\\": \\"images\\", \\"shape\\": [1], \\"datatype\\": \\"BYTES\\", \\"data\\": [\\"%s\\"]}'
    return _base64('{\\"inputs\\": [' + tensor + "]}", f"{base}/v2/models/{model}/infer", keyed)


def _huggingface(base: str, model: str, keyed: bool) -> str:
    sent = f"--data-binary @{PICTURE} -H 'Content-Type: image/png'"
    return f"curl {_header(keyed)}{sent} {shlex.quote(f'{base}/hf/{model}')}"


def _base64(body: str, url: str, keyed: bool) -> str:
    filled = body % f"$(base64 < {PICTURE} | tr -d '\\n')"
    return f'echo "{filled}" |\n  curl {_header(keyed)}--json @- {shlex.quote(url)}'


_CALLS: dict[tuple[Protocol, Language], Callable[[str, str, bool], str]] = {
    ("native", "curl"): _curl,
    ("native", "python"): _python,
    ("native", "javascript"): _node,
    ("native", "browser"): _browser,
    ("tensorflow_serving", "curl"): _tensorflow_serving,
    ("inference_v2", "curl"): _inference_v2,
    ("huggingface", "curl"): _huggingface,
}
