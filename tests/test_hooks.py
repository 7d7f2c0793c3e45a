"""The hooks of plugins: one is enough, those that break their contract are named, and wrappers go around any."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from plugging import write

from webui import create_app
from zoo import Zoo
from zoo.arena import ask_all
from zoo.datasets import Labelled
from zoo.errors import ModelUnavailable, PictureUnsupported, PluginError


def test_a_plugin_may_keep_a_format_of_its_own(zoo_folder: Path, picture) -> None:
    write(
        zoo_folder,
        "soft",
        """
        import numpy as np
        from zoo import hookimpl

        @hookimpl
        def build(settings): ...

        @hookimpl
        def load(folder, settings):
            return 3

        @hookimpl
        def predict(model, batch):
            return np.eye(10, dtype="float32")[[model] * len(batch)]
        """,
    )
    assert Zoo.open(zoo_folder, environ={}).predict("soft", picture(0)).digit == 3


BROKEN_PREDICT = {
    "raises": ("raise RuntimeError('out of order')", "its predict hook raised RuntimeError: out of order"),
    "answers None": ("return None", "its predict hook returned None. It should return its result"),
    "exits": ("raise SystemExit(5)", "its predict hook raised SystemExit: 5"),
    "text": ("return 'seven'", "predict returned str that is not an array of numbers"),
    "ragged": ("return [[0.1] * 10, [1]]", "predict returned list that is not an array of numbers"),
    "wrong shape": ("return np.ones((len(batch), 3))", r"predict returned shape \(1, 3\), expected \(1, 10\)"),
    "not probabilities": ("return np.ones((len(batch), 10))", "rows sum to 1"),
    "nan": ("return np.full((len(batch), 10), np.nan)", "predict returned NaN"),
}


@pytest.mark.parametrize(("body", "message"), BROKEN_PREDICT.values(), ids=BROKEN_PREDICT)
def test_a_predict_hook_that_breaks_the_contract_is_found_out(
    zoo_folder: Path, picture, body: str, message: str
) -> None:
    write(
        zoo_folder,
        "soft",
        f"""
        import numpy as np
        from zoo import hookimpl

        @hookimpl
        def build(settings): ...

        @hookimpl
        def predict(model, batch):
            {body}
        """,
    )
    zoo = Zoo.open(zoo_folder, environ={})
    with pytest.raises(PluginError, match=message):
        zoo.predict("soft", picture(0))
    (vote,) = ask_all(zoo, picture(0)).votes
    assert isinstance(vote.answer, PluginError), "the others' votes are not lost"


def test_an_addon_wraps_the_hooks_of_every_model_and_knows_which(zoo_folder: Path, picture) -> None:
    (zoo_folder / "settings.toml").write_text('[models.soft]\n[models.twin]\nplugin = "soft"\ncheckpoint = "soft/1"\n')
    write(
        zoo_folder,
        "counting",
        """
        from zoo import hookimpl
        counts = {}

        @hookimpl(wrapper=True)
        def predict(model, batch, settings):
            counts[settings.name] = counts.get(settings.name, 0) + len(batch)
            return (yield)
        """,
    )
    zoo = Zoo.open(zoo_folder, environ={})
    zoo.predict("soft", picture(0))
    zoo.predict_many("twin", [picture(0), picture(1)])
    counts = zoo.plugins.families["counting"].hooks["predict"].__globals__["counts"]
    assert counts == {"soft": 1, "twin": 2}
    assert "counting" not in zoo.models


def test_pictures_in_the_models_form_do_not_pass_by_a_wrapper_of_preprocessing(
    zoo_folder: Path, mnist: Labelled
) -> None:
    digits = list(mnist.images[:20, ..., 0])
    plain = Zoo.open(zoo_folder, environ={})
    alone = [plain.predict("soft", digit) for digit in digits]
    assert plain.predict_many("soft", digits) == alone
    write(
        zoo_folder,
        "mirror",
        """
        from zoo import hookimpl

        @hookimpl(wrapper=True)
        def preprocess(image, settings):
            array, trace = yield
            return array[:, ::-1], trace
        """,
    )
    mirrored = Zoo.open(zoo_folder, environ={})
    assert mirrored.predict_many("soft", digits) == [mirrored.predict("soft", digit) for digit in digits] != alone


def test_a_wrapper_that_raises_is_named_and_not_the_model(zoo_folder: Path, picture) -> None:
    write(
        zoo_folder,
        "watching",
        """
        from zoo import hookimpl

        @hookimpl(wrapper=True)
        def predict(model, batch):
            answer = yield
            raise KeyError("lost")
        """,
    )
    with pytest.raises(PluginError, match='"soft": the predict hook of plugin "watching", which wraps it, raised KeyE'):
        Zoo.open(zoo_folder, environ={}).predict("soft", picture(0))
    write(
        zoo_folder,
        "watching",
        """
        from zoo import hookimpl

        @hookimpl(wrapper=True)
        def load(folder):
            return (yield)
        """,
    )
    write(
        zoo_folder,
        "soft",
        """
        from zoo import hookimpl

        @hookimpl
        def build(settings): ...

        @hookimpl
        def load(folder):
            raise KeyError("gone")
        """,
    )
    with pytest.raises(PluginError, match='"soft": its load hook raised KeyError'):
        Zoo.open(zoo_folder, environ={}).predict("soft", picture(0))


def test_what_a_hook_raises_is_told_with_file_and_line(zoo_folder: Path, picture) -> None:
    (zoo_folder / "plugins/_helper.py").write_text("def divided(n):\n    return 1 / n\n")
    hook = "@hookimpl\ndef preprocess(image):\n    from ._helper import divided\n    return divided(0)\n"
    with (zoo_folder / "plugins/soft.py").open("a") as plugin:
        plugin.write(hook)
    with pytest.raises(PluginError) as caught:
        Zoo.open(zoo_folder, environ={}).predict("soft", picture(0))
    told = 'Model "soft": its preprocess hook raised ZeroDivisionError: division by zero (plugins/_helper.py:2).'
    assert str(caught.value) == told


@pytest.mark.long
def test_the_command_tells_how_to_see_a_hooks_traceback(zoo_folder: Path, run) -> None:
    write(zoo_folder, "bad", "from zoo import hookimpl\n\n@hookimpl\ndef build(settings):\n    return 1 / 0\n")
    done = run("train", "bad", cwd=zoo_folder)
    says = 'zoo: Model "bad": its build hook raised ZeroDivisionError: division by zero (plugins/bad.py:5).'
    assert done.stderr.splitlines()[-2:] == [says, "For the traceback, run: zoo -v train ..."]
    shown = run("-v", "train", "bad", cwd=zoo_folder).stderr
    assert "Traceback" in shown
    assert "zoo -v" not in shown


def sees_nothing(folder: Path, dtype: str) -> None:
    """A plugin whose own preprocessing shows black for every picture, in a trace of that type."""
    write(
        folder,
        "soft",
        f"""
        import numpy as np
        from zoo import Trace, hookimpl

        @hookimpl
        def build(settings): ...

        @hookimpl
        def preprocess(image):
            seen = np.zeros((28, 28), np.{dtype})
            return seen[..., None].astype("float32"), Trace(seen)
        """,
    )


def test_a_trace_of_another_kind_is_told(zoo_folder: Path, picture) -> None:
    sees_nothing(zoo_folder, "float32")
    with pytest.raises(PluginError, match=r"has `seen` of float32; it should be .* an array of uint8"):
        Zoo.open(zoo_folder, environ={}).predict("soft", picture(0))


@pytest.mark.parametrize("answer", ["image[..., None]", "(image[..., None] > 127)"])
def test_a_preprocess_hook_that_gives_levels_and_not_floats_is_named(zoo_folder: Path, picture, answer: str) -> None:
    plugin = zoo_folder / "plugins/soft.py"
    hook = f"from zoo import Trace\n\n@hookimpl\ndef preprocess(image):\n    return {answer}, Trace(image)\n"
    plugin.write_text(plugin.read_text() + "\n\n" + hook)
    with pytest.raises(
        PluginError, match=r"preprocess hook returned an array of (uint8|bool); the network takes float32 in 0"
    ):
        Zoo.open(zoo_folder, environ={}).predict("soft", picture(0))


def returns(folder: Path, answer: str) -> Zoo:
    """The zoo with a plugin whose own preprocessing returns that expression of `image` as its array."""
    hook = f"@hookimpl\ndef preprocess(image):\n    return {answer}, Trace(image)\n"
    with (folder / "plugins/soft.py").open("a") as plugin:
        plugin.write("\n\nimport numpy as np\nfrom zoo import Trace\n\n\n" + hook)
    return Zoo.open(folder, environ={})


SCALED = "(image[..., None] / np.float32(255))"


@pytest.mark.parametrize("form", [".tolist()", ".astype(np.float64)", ".astype(np.float16)"])
def test_preprocessed_levels_may_be_in_lists_or_of_another_precision(zoo_folder: Path, picture, form: str) -> None:
    content = picture(0)
    alone = Zoo.open(zoo_folder, environ={}).predict("soft", content)
    zoo = returns(zoo_folder, SCALED + form)
    answer = zoo.predict("soft", content)
    assert answer.probabilities == pytest.approx(alone.probabilities, abs=2e-3)
    assert [vote.answer for vote in ask_all(zoo, content).votes] == [answer]
    assert zoo.why("soft", content).heat.any()
    seen = zoo.look(zoo.model("soft").load(), content).seen
    assert (seen.dtype, seen.shape) == (np.float32, (28, 28, 1))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("[[[0.5]], [[0.5], [0.5]]]", "returned list that is not an array of numbers"),
        (f"{SCALED} * np.nan", "returned NaN or infinity; the network takes float32 in 0-1"),
        (f"{SCALED}.astype(np.float64) + np.inf", "returned NaN or infinity; the network takes float32 in 0-1"),
    ],
)
def test_levels_that_are_no_numbers_are_the_hooks_fault_alone(
    zoo_folder: Path, picture, answer: str, says: str
) -> None:
    zoo = returns(zoo_folder, answer)
    with pytest.raises(PluginError, match=f"its preprocess hook {says}"):
        zoo.predict("soft", picture(0))
    with pytest.raises(PluginError, match=f"its preprocess hook {says}"):
        zoo.why("soft", picture(0))
    (vote,) = ask_all(zoo, picture(0)).votes
    assert isinstance(vote.answer, PluginError)


def test_huge_levels_are_numbers(zoo_folder: Path, picture) -> None:
    zoo = returns(zoo_folder, f"{SCALED} * np.float32(1e30)")
    assert zoo.look(zoo.model("soft").load(), picture(0)).seen.max() > 1e29


def test_a_wrapper_that_forgets_its_answer_is_named(zoo_folder: Path, picture) -> None:
    write(
        zoo_folder,
        "forgetful",
        """
        from zoo import hookimpl

        @hookimpl(wrapper=True)
        def predict(model, batch, settings):
            yield
        """,
    )
    says = r'its predict hook \(which plugin "forgetful" wraps\) returned None\. A wrapper should return'
    with pytest.raises(PluginError, match=says):
        Zoo.open(zoo_folder, environ={}).predict("soft", picture(0))


WRAPS = r' \(which plugin "altering" wraps\) '


ALTERED = {
    "one": ("predict", "1", f"predict{WRAPS}returned shape .*, expected"),
    "part": ("predict", "answer[:, :5]", f"predict{WRAPS}returned shape .1, 5.*, expected"),
    "twice": ("predict", "answer * 2", f"predict{WRAPS}should return probabilities whose rows"),
    "text": ("predict", "'seven'", f"predict{WRAPS}returned str that is not an array"),
    "bare": ("preprocess", "answer[0]", f"its preprocess hook{WRAPS}should return"),
    "small": ("preprocess", "(answer[0][1:], answer[1])", f"its preprocess hook{WRAPS}returned shape .27, 28, 1"),
}


@pytest.mark.parametrize(("hook", "given", "says"), ALTERED.values(), ids=ALTERED)
def test_a_wrapper_is_named_where_what_it_returns_is_wrong(
    zoo_folder: Path, picture, hook: str, given: str, says: str
) -> None:
    body = f"@hookimpl(wrapper=True)\ndef {hook}():\n    answer = yield\n    return {given}\n"
    (zoo_folder / "plugins/altering.py").write_text(f"from zoo import hookimpl\n\n\n{body}")
    with pytest.raises(PluginError, match=says):
        Zoo.open(zoo_folder, environ={}).predict("soft", picture(0))


def test_a_model_never_asks_its_rivals(zoo_folder: Path, picture) -> None:
    for name in ("aaa", "zzz"):
        write(
            zoo_folder,
            name,
            """
            from zoo import hookimpl

            @hookimpl
            def build(settings): ...

            @hookimpl
            def predict(model, batch):
                raise AssertionError("asked for another model")
            """,
        )
    assert Zoo.open(zoo_folder, environ={}).predict("soft", picture(0)).digit == 7


def test_preprocess_may_be_the_plugins_own(zoo_folder: Path) -> None:
    sees_nothing(zoo_folder, "uint8")
    zoo = Zoo.open(zoo_folder, environ={})
    answers = {zoo.predict("soft", np.full((9, 9), value, np.uint8)).probabilities for value in (0, 99)}
    assert len(answers) == 1


def test_a_load_hook_that_raises_shows_in_what_the_model_says_of_itself(zoo_folder: Path, picture) -> None:
    plugin = zoo_folder / "plugins/soft.py"
    whole = plugin.read_text()
    plugin.write_text(whole + "\n\n@hookimpl\ndef load(folder):\n    raise OSError('no such device')\n")
    zoo = Zoo.open(zoo_folder, environ={})
    zoo.warm()
    assert "its load hook raised OSError: no such device" in (zoo.models["soft"].trouble() or "")


def test_a_model_that_will_not_load_is_not_loaded_anew_by_everybody_who_asks(
    zoo_folder: Path, tmp_path: Path, picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin, tries = zoo_folder / "plugins/soft.py", tmp_path / "tries"
    body = f"    with open({str(tries)!r}, 'a') as file:\n        file.write('x')\n    raise OSError('no such device')"
    hook = f"@hookimpl\ndef load(folder):\n{body}\n"
    plugin.write_text(plugin.read_text() + "\n\n" + hook)
    monkeypatch.setattr("zoo.models.FRESH", 3600.0)
    zoo = Zoo.open(zoo_folder, environ={})
    zoo.warm()
    client = create_app(zoo).test_client()
    for path in ("/", "/models", "/api/models", "/readyz", "/models/soft", "/v2/models/soft/ready"):
        assert client.get(path).status_code in (200, 503)
    for _ in range(3):
        with pytest.raises(PluginError, match="its load hook raised OSError: no such device"):
            zoo.predict("soft", picture(0))
    assert tries.read_text() == "x"
    monkeypatch.setattr("zoo.models.FRESH", 0.0)
    assert "no such device" in (zoo.model("soft").trouble() or "")
    assert tries.read_text() == "xx", "what files do not tell is tried anew"


def test_what_forked_processes_can_share_is_loaded_before(zoo_folder: Path, picture) -> None:
    zoo = Zoo.open(zoo_folder, environ={})
    zoo.model("soft").preload()
    shutil.rmtree(zoo_folder / "checkpoints")
    assert zoo.predict("soft", picture(0)).digit == 7


def test_what_tensorflow_or_a_plugin_loads_is_left_to_each_process(zoo_folder: Path, tmp_path: Path) -> None:
    card = zoo_folder / "checkpoints/soft/1/card.json"
    told = json.loads(card.read_text())
    plugin, loaded = zoo_folder / "plugins/soft.py", tmp_path / "loaded"
    hook = f"\n\n@hookimpl\ndef load(folder):\n    open({str(loaded)!r}, 'x').close()\n    return 1\n"
    for runtime, added in (("tensorflow", ""), ("litert", hook)):
        told["settings"]["runtime"], told["seal"] = runtime, None
        card.write_text(json.dumps(told))
        plugin.write_text(plugin.read_text() + added)
        model = Zoo.open(zoo_folder, environ={}).model("soft")
        model.preload()
        assert not loaded.exists()
        shutil.move(card.parent, tmp_path / runtime)
        with pytest.raises(ModelUnavailable, match="no checkpoint"):
            model.load()
        shutil.move(tmp_path / runtime, card.parent)
    model.load()
    assert loaded.exists()


def test_a_version_that_will_not_load_says_nothing_of_another(zoo_folder: Path, picture) -> None:
    shutil.copytree(zoo_folder / "checkpoints/soft/1", zoo_folder / "checkpoints/soft/2")
    card = json.loads((zoo_folder / "checkpoints/soft/1/card.json").read_text())
    (zoo_folder / "checkpoints/soft/2/card.json").write_text(json.dumps(card | {"version": 2, "seal": None}))
    hook = """
@hookimpl
def load(folder, settings):
    from zoo import defaults

    if folder.name == "2":
        raise OSError("no such device")
    return defaults.load(folder, settings)
"""
    with (zoo_folder / "plugins/soft.py").open("a") as plugin:
        plugin.write(hook)
    zoo = Zoo.open(zoo_folder, environ={})
    client = create_app(zoo).test_client()
    zoo.warm()
    assert client.get("/readyz").status_code == 503
    assert zoo.predict("soft", picture(0), version=1).digit == 7
    assert client.get("/readyz").status_code == 503
    assert "no such device" in (zoo.model("soft").trouble() or "")
    (zoo_folder / "settings.toml").write_text("[models.soft]\ncheckpoint = 1\n")
    model = Zoo.open(zoo_folder, environ={}).model("soft")
    with pytest.raises(PluginError):
        model.load(2)
    assert model.trouble() is None
    assert "no such device" in (model.trouble(2) or "")


def test_a_preprocess_hook_that_gives_another_shape_is_named(zoo_folder: Path, picture) -> None:
    plugin = zoo_folder / "plugins/soft.py"
    hook = "from zoo import Trace\n\n@hookimpl\ndef preprocess(image):\n    return image, Trace(image)\n"
    plugin.write_text(plugin.read_text() + "\n\n" + hook)
    with pytest.raises(
        PluginError, match=r"its preprocess hook returned shape \(28, 28\); the network takes \(28, 28, 1\)"
    ):
        Zoo.open(zoo_folder, environ={}).predict("soft", picture(0))


def test_an_addon_hears_what_every_picture_was_answered(zoo_folder: Path, picture, capsys) -> None:
    write(
        zoo_folder,
        "hearing",
        """
        from zoo import hookimpl

        @hookimpl
        def answered(answers, settings):
            for answer in answers:
                print(settings.name, getattr(answer, "label", None) or getattr(answer, "text", type(answer).__name__))
        """,
    )
    zoo = Zoo.open(zoo_folder, environ={})
    assert zoo.plugins.families["hearing"].addon
    zoo.predict_many("soft", [picture(0), b"no picture", picture(0)])
    zoo.read("soft", picture(0))
    with pytest.raises(PictureUnsupported):
        zoo.read("soft", b"no picture")
    assert capsys.readouterr().out.split("\n") == [
        "soft 7",
        "soft PictureUnsupported",
        "soft 7",
        "soft 7",
        "soft PictureUnsupported",
        "",
    ]


RAISED = 'plugin "zz_deaf": its answered hook raised {}; the answers are returned all the same'


WRAPPER = 'Model "soft": the answered hook of plugin "zz_deaf", which wraps it, raised {} (plugins/zz_deaf.py:6).'


@pytest.mark.parametrize(
    ("mark", "mistake", "logged"),
    [
        ("@hookimpl", "1 / 0", RAISED.format("division by zero")),
        ("@hookimpl", "raise PluginError('no')", RAISED.format("no")),
        ("@hookimpl", "raise SystemExit(3)", RAISED.format("3")),
        ("@hookimpl(wrapper=True)", "1 / 0", WRAPPER.format("ZeroDivisionError: division by zero")),
        ("@hookimpl(wrapper=True)", "raise PluginError('no')", "no"),
        ("@hookimpl(wrapper=True)", "raise SystemExit(3)", WRAPPER.format("SystemExit: 3")),
    ],
)
def test_what_hears_answers_takes_none_away(
    zoo_folder: Path, picture, capsys, caplog, mark: str, mistake: str, logged: str
) -> None:
    hook = "{}\ndef answered(answers):\n    {}\n"
    head = "from zoo import hookimpl\nfrom zoo.errors import PluginError\n"
    body = mistake if mark == "@hookimpl" else f"yield\n    {mistake}"
    (zoo_folder / "plugins/zz_deaf.py").write_text(head + hook.format(mark, body))
    (zoo_folder / "plugins/hearing.py").write_text(head + hook.format("@hookimpl", "print('heard', len(answers))"))
    zoo = Zoo.open(zoo_folder, environ={})
    assert zoo.predict("soft", picture(0)).digit == 7
    assert zoo.read("soft", picture(0)).text == "7"
    assert zoo.predict_many("soft", [picture(0), picture(0)]).labels == ["7", "7"]
    with pytest.raises(PictureUnsupported):
        zoo.predict("soft", b"no picture")
    assert capsys.readouterr().out.split("\n") == ["heard 1", "heard 1", "heard 2", "heard 1", ""]
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"].count(logged) == 4
