"""Keys: how they are made, how settings name them, and where a server without any may listen."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import requests
from guarding import KEYS, PHONE, serving_with, zoo_with

from zoo import Zoo, keys
from zoo.errors import SettingsError

HASH = keys.hashed(PHONE)


def test_keys_are_long_and_each_another() -> None:
    made = {keys.create() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"zoo_[A-Za-z0-9_-]{43}", key) for key in made)


def test_a_key_is_known_by_its_hash_alone() -> None:
    hashes = {"one": keys.hashed("zoo_1"), "two": keys.hashed("zoo_2")}
    assert (keys.recognised("zoo_1", hashes), keys.recognised("zoo_2", hashes)) == ("one", "two")
    for other in ("", "zoo_3", "zoo_1 ", "ZOO_1", hashes["one"], "\udcff", "é" * 9999):
        assert keys.recognised(other, hashes) is None


@pytest.mark.parametrize("scope", ["predict", "admin"])
def test_the_command_prints_a_key_and_the_line_that_lets_it_in(tmp_path: Path, run, scope: str) -> None:
    done = run("key", "new", "--name", "phone-2", "--scope", scope, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
    key = re.search(r"^ +(zoo_\S+)$", done.stdout, re.MULTILINE)
    line = re.search(r"^ +(phone-2 = .*)$", done.stdout, re.MULTILINE)
    assert key
    assert line
    assert done.stdout.count(key[1]) == 1
    assert tomllib.loads(line[1]) == {"phone-2": {"hash": keys.hashed(key[1]), "scopes": [scope]}}
    settings = Zoo.open(zoo_with(tmp_path, f"[server.keys]\n{line[1]}"), environ={}).settings
    assert settings.server.keys["phone-2"].scopes == [scope]


def test_the_command_answers_programs_in_json(run) -> None:
    told = json.loads(run("key", "new", "--json").stdout)
    assert told["hash"] == keys.hashed(told["key"])
    assert tomllib.loads(told["line"])["key"]["scopes"] == ["predict"]


def test_a_name_that_no_variable_could_have_is_refused(run) -> None:
    done = run("key", "new", "--name", "My Key")
    assert done.returncode == 2
    assert '"My Key" is not a valid key name. Use lower-case letters' in done.stderr


@pytest.mark.parametrize(
    "environ",
    [
        {"ZOO_SERVER__KEYS__PHONE": f'{{hash = "{HASH}", scopes = ["admin"]}}'},
        {"ZOO_SERVER__KEYS__PHONE__HASH": HASH, "ZOO_SERVER__KEYS__PHONE__SCOPES": '["admin"]'},
    ],
    ids=["table", "its values"],
)
def test_the_environment_can_bring_a_key(tmp_path: Path, environ: dict[str, str]) -> None:
    found = Zoo.open(zoo_with(tmp_path, "workers = 1"), environ=environ).settings.server.keys
    assert {name: (key.hash, key.scopes) for name, key in found.items()} == {"phone": (HASH, ["admin"])}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        pytest.param(
            f'[server.keys]\nphone = {{hash = "{PHONE}"}}', "[server.keys.phone] hash = ", id="a key, not its hash"
        ),
        (f'[server.keys]\nphone = {{hash = "{HASH}", scopes = ["read"]}}', "it should be 'predict' or 'admin'"),
        (f'[server.keys]\nphone = {{hash = "{HASH}", scopes = []}}', "[server.keys.phone] scopes = []"),
        (f'[server.keys]\nphone = {{hash = "{HASH}", scope = 1}}', "It takes: hash, scopes."),
        (f'[server.keys]\nPhone = {{hash = "{HASH}"}}', "[server.keys] Phone: not a valid key name. Use lower"),
        ("[server.keys]\nphone = 1", "[server.keys] phone = 1"),
        ('secret = "too short"', "it has 9 characters; it should have at least 32"),
        ('rate = "often"', '[server] rate = "often": it should be a number per second, minute, hour or day'),
        ('rate = "0 per minute"', '[server] rate = "0 per minute"'),
        ('cors_origins = ["https://a.example/"]', '"https://a.example/" is not an origin'),
        ('cors_origins = ["null"]', '"null" is not an origin'),
        (f'cors_origins = ["*"]\n{KEYS}', '"*" is only for a server without keys'),
        ('prefix = "/zoo/"', "prefix"),
        ('prefix = "zoo"', "prefix"),
        ('prefix = "//evil.example"', "prefix"),
        ("proxies = -1", "proxies = -1"),
    ],
)
def test_a_mistake_in_what_guards_the_server_is_told(tmp_path: Path, lines: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Zoo.open(zoo_with(tmp_path, lines), environ={})
    assert message in str(caught.value)
    assert "too short" not in str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_beyond_this_machine_a_server_without_keys_is_refused_in_one_line(tmp_path: Path, run, host: str) -> None:
    done = run("serve", "--host", host, "--port", "0", cwd=zoo_with(tmp_path, ""))
    assert done.returncode == 1
    assert done.stderr == (
        f"zoo: {host} can be reached from other machines, so anyone there could use it. Require a key, with what "
        "`zoo key new` prints, or let everyone in, with server.allow_anonymous = true in settings.toml.\n"
    )


@pytest.mark.parametrize(
    ("lines", "host", "status"),
    [
        ("allow_anonymous = true", "0.0.0.0", 200),
        (KEYS, "0.0.0.0", 401),
        ("", "localhost", 200),
        ("", "127.0.0.2", 200),
    ],
    ids=["anonymous", "keys", "localhost", "another loopback"],
)
def test_it_listens_where_it_may(tmp_path: Path, lines: str, host: str, status: int) -> None:
    with serving_with(tmp_path, f"workers = 1\n{lines}", "--host", host) as served:
        assert requests.get(f"{served.url}/api/models", timeout=30).status_code == status
