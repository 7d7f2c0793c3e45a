"""The routes and the page, asked through HTTP by Flask's client, with the zoo of the repository."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from babel.messages.catalog import Catalog
from babel.messages.frontend import CommandLineInterface
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from flask import Flask
from flask.testing import FlaskClient
from numpy.typing import NDArray
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

import webui
from webui import create_app, pages
from zoo import Zoo, datasets

ROOT = Path(__file__).parents[1]
WEBUI = Path(webui.__file__).parent
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SEVEN, TWO, ONE, ZERO = range(4)  # the first four test digits


@pytest.fixture(scope="module")
def zoo() -> Zoo:
    return Zoo.open(ROOT)


@pytest.fixture(scope="module")
def app(zoo: Zoo) -> Flask:
    return create_app(zoo)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def own_zoo(tmp_path: Path) -> Path:
    """A copy of the zoo, to be harmed."""
    for part in ("plugins", "checkpoints"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "settings.toml", tmp_path)
    return tmp_path


def ink(index: int) -> NDArray[np.uint8]:
    """A test digit of MNIST as uint8 (28, 28), light on dark."""
    digit: NDArray[np.uint8] = datasets.test_data("mnist").images[index, ..., 0]
    return digit


def drawing(index: int = SEVEN, side: int = 280) -> PIL.Image.Image:
    """The same, dark on light and as large as people draw: mode L, side x side."""
    return PIL.Image.fromarray(255 - ink(index)).resize((side, side), PIL.Image.Resampling.BICUBIC)


def saved(picture: PIL.Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def send(client: FlaskClient, url: str, picture: bytes, name: str = "digit.png", **more: Any) -> TestResponse:
    headers = more.pop("headers", {})
    # Encoded here, since Flask's client leaves the temporary file of a large form open.
    boundary, form = encode_multipart({"file": FileStorage(io.BytesIO(picture), name), **more})
    return client.post(url, data=form, content_type=f'multipart/form-data; boundary="{boundary}"', headers=headers)


def said(answer: TestResponse) -> Any:
    """The JSON of an answer."""
    assert answer.mimetype == "application/json"
    return answer.get_json()


# The routes for programs.


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


@pytest.mark.parametrize(
    ("version", "status", "text"),
    [("9999", 404, "has no checkpoint 9999"), ("new", 400, "whole number"), ("-1", 400, "whole number")],
)
def test_a_version_that_is_not_there(client: FlaskClient, version: str, status: int, text: str) -> None:
    answer = send(client, f"/predict_cnn_5?version={version}", saved(drawing()))
    assert answer.status_code == status
    assert text in said(answer)["error"]


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
    assert said(answer) == {"error": f"{url} does not take GET. It takes: OPTIONS, POST."}
    assert client.options(url).status_code == 200
    assert client.head(url).status_code == 405


def test_an_unknown_address_names_the_routes(client: FlaskClient) -> None:
    answer = client.get("/predict/cnn")
    assert answer.status_code == 404
    assert "There is nothing at /predict/cnn." in said(answer)["error"]
    assert "/predict_<name>" in said(answer)["error"]


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
    assert client.get("/readyz").json == {"ready": True, "model": zoo.default_model}


# Bad input.


def test_no_file_says_what_came_instead(client: FlaskClient) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "the request has no content type"),
        ({"data": b"{}", "content_type": "application/json"}, "the request has application/json"),
        ({"data": {"image": (io.BytesIO(b"x"), "x.png")}}, "it has: image"),
        ({"data": {"file": "x"}, "content_type": "multipart/form-data"}, "came as text, without a filename"),
        (
            {"data": {"file": (io.BytesIO(b"x"), "")}, "content_type": "multipart/form-data"},
            "There is no picture|empty",
        ),
    ]
    for request, text in cases:
        answer = client.post("/predict_cnn", **request)
        assert answer.status_code == 400
        assert re.search(text, said(answer)["error"]), said(answer)
        assert "curl -F file=@digit.png http://localhost/predict_cnn" in said(answer)["error"]


def test_a_file_part_with_an_empty_filename_is_400(client: FlaskClient) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n\r\n--x--\r\n'
    answer = client.post("/predict_cnn", data=body, content_type="multipart/form-data; boundary=x")
    assert answer.status_code == 400
    assert "no file was chosen" in said(answer)["error"]


BAD: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "empty": (lambda: b"", 400, "empty"),
    "text named .png": (lambda: b"hello, I am text", 415, "not a picture"),
    "truncated PNG": (lambda: saved(drawing())[:900], 400, "truncated or damaged"),
    "truncated JPEG": (lambda: saved(drawing(), "JPEG")[:900], 400, "truncated or damaged"),
    "20000 x 20000 PNG": (lambda: saved(PIL.Image.new("1", (20_000, 20_000))), 413, "400 megapixels"),
    "17 MB": (lambda: saved(drawing()) + b"\0" * 17_000_000, 413, "16 MB"),
    "30 MB": (lambda: b"\0" * 30_000_000, 413, "the limit is 20 MB"),
    "PDF": (lambda: b"%PDF-1.7 and so on", 415, "PDF"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_pictures_get_their_status_as_json(client: FlaskClient, case: str) -> None:
    make, status, text = BAD[case]
    answer = send(client, "/predict_cnn", make())
    assert answer.status_code == status, answer.text
    assert text in said(answer)["error"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("case", BAD)
def test_bad_pictures_keep_the_page_and_the_chosen_model(client: FlaskClient, case: str) -> None:
    make, status, _ = BAD[case]
    answer = send(client, "/", make(), model_type="linear", headers=HTML)
    assert answer.status_code == status
    assert 'id="notice"' in answer.text
    assert 'action="/#answer"' in answer.text
    if case != "30 MB":  # a form that is too large is not read at all
        assert chosen(answer) == "linear"


def _rotated() -> bytes:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    return saved(drawing().transpose(PIL.Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=95)


def _transparent() -> bytes:
    strokes = np.zeros((280, 280, 4), np.uint8)
    strokes[..., 3] = 255 - np.asarray(drawing())
    return saved(PIL.Image.fromarray(strokes))


def _palette() -> bytes:
    indices = PIL.Image.frombytes("P", (280, 280), (np.asarray(drawing()) >= 128).astype(np.uint8).tobytes())
    indices.putpalette([20, 20, 120, 255, 255, 255])
    return saved(indices, transparency=1)


def _animated() -> bytes:
    return saved(drawing(), "GIF", save_all=True, append_images=[drawing(ZERO), drawing(ONE)], duration=100)


def _sixteen_bit() -> bytes:
    return saved(PIL.Image.fromarray(np.asarray(drawing()).astype(np.uint16) * 257))


ODD: dict[str, Callable[[], bytes]] = {
    "animated GIF, its first frame": _animated,
    "palette with transparency": _palette,
    "RGBA on a transparent ground": _transparent,
    "CMYK JPEG": lambda: saved(drawing().convert("CMYK"), "JPEG", quality=95),
    "16-bit PNG": _sixteen_bit,
    "EXIF-rotated JPEG": _rotated,
    "WebP": lambda: saved(drawing(), "WebP", quality=90),
    "BMP": lambda: saved(drawing(), "BMP"),
    "TIFF": lambda: saved(drawing(), "TIFF"),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_pictures_are_read_right(client: FlaskClient, case: str) -> None:
    answer = send(client, "/predict_cnn", ODD[case]())
    assert answer.status_code == 200, answer.text
    assert said(answer)["digit"] == 7
    assert not said(answer)["rejected"]


def test_one_pixel_is_answered_as_nothing_to_read(client: FlaskClient) -> None:
    answer = send(client, "/predict_cnn", saved(PIL.Image.new("L", (1, 1))))
    assert answer.status_code == 200
    assert said(answer)["rejected"] is True


def test_an_unexpected_fault_is_500_and_only_the_log_tells_it(
    client: FlaskClient, zoo: Zoo, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(zoo, "predict", fail)
    with caplog.at_level(logging.ERROR):
        plain, page = (send(client, "/predict_cnn", b"x"), send(client, "/", b"x", headers=HTML))
    assert plain.status_code == page.status_code == 500
    assert "secret" not in plain.text + page.text
    assert "Traceback" not in plain.text + page.text
    assert "server's log" in said(plain)["error"]
    assert "RuntimeError: secret" in caplog.text


def test_a_damaged_checkpoint_stops_its_model_only(own_zoo: Path) -> None:
    zoo = Zoo.open(own_zoo)
    owner, version = zoo.model("cnn").select()
    weights = zoo.catalogue.path(owner, version) / "model.tflite"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    client = create_app(zoo).test_client()

    answer = send(client, "/predict_cnn", saved(drawing()))
    assert answer.status_code == 503
    assert "model.tflite has changed since it was saved" in said(answer)["error"]
    assert send(client, "/predict_linear", saved(drawing())).status_code == 200
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == (503 if zoo.default_model == "cnn" else 200)
    listed = {model["name"]: model for model in client.get("/api/models").get_json()}
    assert listed["cnn"]["available"] is False
    assert "damaged" in listed["cnn"]["problem"]
    page = client.get("/")
    assert page.status_code == 200
    assert "model.tflite has changed" in page.text
    assert re.search(r'value="cnn" [^>]*\sdisabled', page.text)
    assert chosen(page) not in (None, "cnn")
    assert send(client, "/", saved(drawing()), model_type="cnn", headers=HTML).status_code == 503


def test_a_model_without_a_checkpoint_is_listed_with_the_remedy(own_zoo: Path) -> None:
    with (own_zoo / "settings.toml").open("a") as settings:
        settings.write('\n[models.fresh]\nplugin = "cnn"\n')
    client = create_app(Zoo.open(own_zoo)).test_client()
    assert "<code>zoo train fresh</code>" in client.get("/").text
    assert send(client, "/predict_fresh", saved(drawing())).status_code == 503


def test_a_zoo_without_models_has_a_page_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("")
    client = create_app(Zoo.open(tmp_path)).test_client()
    assert "There is no model in this zoo yet" in client.get("/").text
    assert client.get("/readyz").status_code == 503
    assert send(client, "/predict", saved(drawing())).status_code == 404


# The page.


def chosen(page: TestResponse) -> str | None:
    found = re.search(r'name="model_type" value="([^"]+)"[^>]*\schecked', page.text)
    return found and found[1]


def test_the_page_lists_every_model_with_its_facts(client: FlaskClient, zoo: Zoo) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert page.mimetype == "text/html"
    for name, model in zoo.models.items():
        card = model.load().card
        assert f'value="{name}"' in page.text
        assert f"{card.parameters:,} parameters" in page.text
        assert (
            f"{card.evaluation.accuracy:.2%}".replace("%", "\xa0%") if card.evaluation else "not measured"
        ) in page.text
    assert chosen(page) == zoo.default_model
    assert client.head("/").status_code == 200


@pytest.mark.parametrize("name", ["cnn", "linear"])
def test_posting_a_picture_shows_the_digit_and_what_the_model_saw(client: FlaskClient, zoo: Zoo, name: str) -> None:
    page = send(client, "/", saved(drawing()), model_type=name, headers=HTML)
    assert page.status_code == 200
    assert chosen(page) == name
    assert '<p class="digit" id="digit">7</p>' in page.text
    assert page.text.count("<rect") == 10
    assert zoo.model(name).load().card.ref in page.text
    picture = re.search(r'src="data:image/png;base64,([^"]+)"', page.text)
    assert picture is not None
    seen = PIL.Image.open(io.BytesIO(base64.b64decode(picture[1])))
    trace = zoo.predict(name, saved(drawing())).trace
    assert trace is not None
    assert np.array_equal(np.asarray(seen), trace.seen)


def test_posting_without_a_model_asks_the_default_one(client: FlaskClient, zoo: Zoo) -> None:
    assert chosen(send(client, "/", saved(drawing()), headers=HTML)) == zoo.default_model


def test_a_blank_picture_is_said_to_be_blank(client: FlaskClient) -> None:
    page = send(client, "/", saved(PIL.Image.new("L", (100, 100), 255)), headers=HTML)
    assert page.status_code == 200
    assert "Nothing to read" in page.text
    assert 'id="digit"' not in page.text


def test_an_unknown_model_on_the_page_is_404_with_the_form_kept(client: FlaskClient) -> None:
    page = send(client, "/", saved(drawing()), model_type="<b>nope</b>", headers=HTML)
    assert page.status_code == 404
    assert "There is no such model" in page.text
    assert "&lt;b&gt;nope" in page.text
    assert "<b>nope" not in page.text
    assert 'enctype="multipart/form-data"' in page.text


def test_errors_are_json_unless_the_client_names_html(client: FlaskClient) -> None:
    for accept in (None, "*/*", "application/json", "text/html;q=0, */*"):
        headers = {"Accept": accept} if accept else {}
        assert send(client, "/", saved(drawing()), model_type="nope", headers=headers).mimetype == "application/json"
        assert client.get("/nowhere", headers=headers).mimetype == "application/json"
    for url in ("/nowhere", "/predict_cnn"):
        page = client.get(url, headers=HTML)
        assert page.mimetype == "text/html"
        assert "<h1>" in page.text
        assert "Accept" in page.headers["Vary"]
    assert client.get("/predict_cnn", headers=HTML).headers["Allow"] == "OPTIONS, POST"


def test_pages_allow_nothing_inline_and_nothing_from_elsewhere(client: FlaskClient) -> None:
    for page in (
        client.get("/"),
        send(client, "/", saved(drawing()), headers=HTML),
        client.get("/nowhere", headers=HTML),
    ):
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Referrer-Policy"] == "same-origin"
        assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=", page.text)
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page.text)


def test_a_script_in_a_summary_stays_text(own_zoo: Path) -> None:
    card = next((own_zoo / "checkpoints").glob("cnn_5/*/card.json"))
    facts = json.loads(card.read_text())
    card.write_text(json.dumps(facts | {"summary": "<script>alert(1)</script> 100%s"}))
    page = create_app(Zoo.open(own_zoo)).test_client().get("/")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; 100%s" in page.text
    assert "<script>alert" not in page.text


def test_serving_imports_no_tensorflow() -> None:
    code = "import sys, webui; assert not {'tensorflow', 'keras', 'h5py'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_without_a_zoo_the_working_folders_is_served(own_zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own_zoo)
    assert send(create_app().test_client(), "/predict", saved(drawing())).status_code == 200


# The languages.


@pytest.mark.parametrize(
    ("accept", "lang"),
    [
        ("pt-BR,pt;q=0.9,en;q=0.8", "pt-BR"),
        ("pt", "pt-BR"),
        ("pt-PT", "pt-BR"),
        ("en-GB,pt;q=0.5", "en"),
        ("de,pt;q=0.3", "pt-BR"),
        ("de", "en"),
        ("*", "en"),
        ("", "en"),
    ],
)
def test_the_language_follows_the_client(client: FlaskClient, accept: str, lang: str) -> None:
    page = client.get("/", headers={"Accept-Language": accept})
    assert f'<html lang="{lang}">' in page.text
    assert ("Que dígito é este?" in page.text) == (lang == "pt-BR")
    assert {"Accept-Language", "Cookie"} <= set(page.headers["Vary"].split(", "))


def test_the_language_can_be_switched_and_is_remembered(client: FlaskClient) -> None:
    assert '<html lang="pt-BR">' in client.get("/?lang=pt-BR").text
    assert '<html lang="pt-BR">' in client.get("/").text
    assert '<html lang="pt-BR">' in client.get("/nowhere", headers=HTML).text
    assert '<html lang="pt-BR">' in client.get("/?lang=xx").text
    client.get("/?lang=en")
    assert '<html lang="en">' in client.get("/", headers={"Accept-Language": "pt-BR"}).text


def test_numbers_are_written_as_the_language_does(app: Flask, client: FlaskClient, zoo: Zoo) -> None:
    page = client.get("/?lang=pt-BR").text
    assert f"{zoo.model('cnn').load().card.parameters:,} parâmetros".replace(",", ".") in page
    with app.test_request_context("/?lang=pt-BR"):
        assert pages.percent(0.9931) == "99,31\xa0%"
        assert pages.percent(0.99999) == ">\xa099,99\xa0%"
        assert pages.percent(0.00001) == "<\xa00,01\xa0%"
        assert (pages.percent(1), pages.percent(0)) == ("100,00\xa0%", "0,00\xa0%")
    with app.test_request_context("/"):
        assert pages.percent(0.9931) == "99.31\xa0%"


def test_errors_to_programs_stay_english(client: FlaskClient) -> None:
    answer = client.post("/predict_cnn", headers={"Accept-Language": "pt-BR"})
    assert "There is no picture" in said(answer)["error"]


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The messages as they are in the code and templates now."""
    pot = tmp_path_factory.mktemp("messages") / "messages.pot"
    log = logging.getLogger("babel")
    handlers, level = list(log.handlers), log.level
    mapping = WEBUI / "translations" / "babel.cfg"
    run: Callable[[list[str]], object] = CommandLineInterface().run
    run(["pybabel", "-q", "extract", "-F", str(mapping), "-k", "lazy_gettext", "-o", str(pot), str(WEBUI)])
    log.handlers, log.level = handlers, level
    with pot.open("rb") as file:
        return read_po(file)


@pytest.fixture(scope="module", params=[tag for tag in pages.LANGUAGES if tag != "en"])
def translated(request: pytest.FixtureRequest) -> Iterator[tuple[Path, Catalog]]:
    folder = WEBUI / "translations" / request.param.replace("-", "_") / "LC_MESSAGES"
    with (folder / "messages.po").open("rb") as file:
        yield folder, read_po(file, locale=request.param.replace("-", "_"))


def strings(catalog: Catalog) -> dict[Any, Any]:
    def plain(forms: Any) -> Any:
        return tuple(forms) if isinstance(forms, list | tuple) else forms

    return {plain(message.id): plain(message.string) for message in catalog if message.id}


def test_every_string_is_translated(extracted: Catalog, translated: tuple[Path, Catalog]) -> None:
    catalog = translated[1]
    assert strings(catalog).keys() == strings(extracted).keys()
    assert not [message.id for message in catalog if message.id and message.fuzzy]
    for message in catalog:
        forms = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(forms), f"{message.id!r} is not translated"
        assert not list(message.check(catalog)), f"{message.id!r}: its placeholders differ"


def test_the_compiled_messages_are_up_to_date(translated: tuple[Path, Catalog]) -> None:
    folder, catalog = translated
    with (folder / "messages.mo").open("rb") as file:
        assert strings(read_mo(file)) == strings(catalog)


def test_what_the_zoos_own_plugins_say_is_translated(zoo: Zoo, translated: tuple[Path, Catalog]) -> None:
    summaries = {family.summary for family in zoo.plugins.families.values() if not family.addon}
    assert summaries <= strings(translated[1]).keys()


# The colours.


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2) of #rrggbb."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_have_the_contrast_of_wcag_aa(scheme: int) -> None:
    css = (WEBUI / "static" / "style.css").read_text()
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", css.split(":root {")[scheme + 1].split("}")[0]))

    def contrast(one: str, other: str) -> float:
        low, high = sorted((luminance(colours[one]), luminance(colours[other])))
        return (high + 0.05) / (low + 0.05)

    for text in ("text", "soft", "blue", "answer"):
        for ground in ("paper", "sheet", "tint"):
            assert contrast(text, ground) >= 4.5, f"{text} on {ground}"
    assert contrast("on-blue", "blue") >= 4.5
    assert contrast("on-blue", "blue-deep") >= 4.5
    assert contrast("soft", "line") >= 4.5
    for ground in ("paper", "sheet", "tint"):
        assert contrast("edge", ground) >= 3, f"edge on {ground}"
