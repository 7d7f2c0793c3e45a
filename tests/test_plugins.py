"""Plugins: one hook is enough, a bad one is set aside with the reason and its place, and the others run."""

from __future__ import annotations

import json
import re
import shutil
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from webui import create_app
from zoo import Zoo, hookimpl
from zoo.arena import ask_all
from zoo.datasets import Labelled
from zoo.errors import ModelUnavailable, PictureUnsupported, PluginError, UnknownModel

BAD = {
    "raises on import": (
        "import nowhere_to_be_found",
        "plugins/bad.py:1: it raised ModuleNotFoundError: No module named",
    ),
    "does not parse": ("def build(:\n    pass", "plugins/bad.py:1: it raised SyntaxError"),
    "exits on import": ("import sys\nsys.exit(3)", "plugins/bad.py:2: it raised SystemExit: 3"),
    "misspells a hook": (
        "from zoo import hookimpl\n@hookimpl\ndef biuld(settings):\n    return 1",
        "plugins/bad.py:2: there is no hook 'biuld'. Did you mean \"build\"? The hooks are: build, train,",
    ),
    "wrong signature": (
        "from zoo import hookimpl\n@hookimpl\ndef build(setings):\n    return 1",
        "plugins/bad.py:2: build cannot take 'setings'. Did you mean \"settings\"? It may take: settings.",
    ),
    "argument with a default": (
        "from zoo import hookimpl\n@hookimpl\ndef build(settings=None):\n    return 1",
        "plugins/bad.py:2: build cannot take 'settings=None': an argument with a default never receives its value.",
    ),
    "forgets the mark": (
        "def build(settings):\n    return 1",
        "plugins/bad.py:1: build is not marked as a hook. Put @hook",
    ),
    "has no hook": ("x = 1", "plugins/bad.py: it has no hooks. A model needs build(settings)"),
    "has no build": (
        "from zoo import hookimpl\n@hookimpl\ndef predict(model, batch):\n    return 1",
        "plugins/bad.py: it has predict but no build(settings), which every model needs.",
    ),
    "takes an argument by keyword only": (
        "from zoo import hookimpl\n@hookimpl\ndef build(*, settings):\n    return 1",
        "plugins/bad.py:2: build cannot take 'settings'. ",
    ),
    "answers a hook twice": (
        "from zoo import hookimpl\n@hookimpl\ndef build(settings):\n    return 1\n"
        "@hookimpl(specname='build')\ndef other(settings):\n    return 1",
        "build is defined twice. Keep one of the two.",
    ),
    "has a setting without a default": (
        "from zoo import ModelSettings, hookimpl\nclass Settings(ModelSettings):\n    units: int\n"
        "@hookimpl\ndef build(settings):\n    return 1",
        "Settings cannot be used: units: Field required. Every setting needs a default of a JSON type.",
    ),
    "has a default that its own rules refuse": (
        "from pydantic import Field\nfrom zoo import ModelSettings, hookimpl\nclass Settings(ModelSettings):\n"
        "    units: int = Field(0, ge=1)\n@hookimpl\ndef build(settings):\n    return 1",
        "bad.py: Settings cannot be used: units: Input should be greater than or equal to 1. Every setting needs",
    ),
    "has settings that are secrets": (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "from pydantic import Field, Secret, SecretBytes, SecretStr\nfrom zoo import ModelSettings, hookimpl\n"
        "from zoo.settings import Table\n@dataclass\nclass Login:\n    password: SecretBytes = SecretBytes(b'')\n"
        "class Access(Table):\n    keys: list[SecretStr] = []\n    login: Login = Login()\n"
        "    more: dict[str, Access] = {}\nclass Settings(ModelSettings):\n    token: SecretStr = 'hunter2'\n"
        "    pin: Secret[int] | None = None\n    access: Access = Access()\n"
        "@hookimpl\ndef build(settings):\n    return 1",
        "plugins/bad.py: Settings has token as SecretStr, pin as Secret, access.keys as SecretStr, "
        "access.login.password as SecretBytes: settings are stored in every checkpoint's card. Read secrets from the "
        "environment, inside the hook that needs them.",
    ),
    "wraps and has settings": (
        "from zoo import ModelSettings, hookimpl\nclass Settings(ModelSettings):\n    turns: int = 4\n"
        "@hookimpl(wrapper=True)\ndef predict(settings):\n    return (yield)",
        "plugins/bad.py: Settings is never used: without build(settings) it only wraps other plugins' hooks, and gets "
        "their settings. Remove the class",
    ),
    "has a setting that JSON cannot tell": (
        "from collections.abc import Callable\nfrom zoo import ModelSettings, hookimpl\n"
        "class Settings(ModelSettings):\n    f: Callable[[], int] = int\n"
        "@hookimpl\ndef build(settings):\n    return 1",
        "plugins/bad.py: Settings cannot be used: ",
    ),
    "has settings by names of the zoo's own": (
        "from zoo import ModelSettings, hookimpl\nclass Settings(ModelSettings):\n    name: str = 'x'\n"
        "    plugin: int = 1\n    checkpoint: int = 1\n@hookimpl\ndef build(settings):\n    return 1",
        "bad.py: Settings cannot have name, plugin, checkpoint: the zoo uses these names itself. Choose others.",
    ),
    "has a base setting of another kind": (
        "from typing import Literal\nfrom zoo import ModelSettings, hookimpl\nclass Settings(ModelSettings):\n"
        "    dataset: Literal['mnist', 'fashion'] = 'fashion'\n    epochs: str = 'ten'\n"
        "    weights: Literal['int8'] = 'int8'\n@hookimpl\ndef build(settings):\n    return 1",
        "plugins/bad.py: Settings has dataset as Literal['mnist', 'fashion'], but the zoo expects Literal['mnist']. "
        "Change only its default, or give your setting another name.\n"
        "plugins/bad.py: Settings has epochs as str, but the zoo expects int. Change",
    ),
    "has a default of NumPy's": (
        "import numpy as np\nfrom zoo import ModelSettings, hookimpl\nclass Settings(ModelSettings):\n"
        "    top: float = np.float32(0.1)\n@hookimpl\ndef build(settings):\n    return 1",
        "numpy.float32'>. Every setting needs a default of a JSON type.",
    ),
    "misspells a setting of fast": (
        "from zoo import ModelSettings, hookimpl\nclass Settings(ModelSettings):\n    fast = {'epoch': 1}\n"
        "@hookimpl\ndef build(settings):\n    return 1",
        'plugins/bad.py: fast: epoch: no such setting. Did you mean "epochs"? It takes: dataset,',
    ),
    "has a fast that is no table": (
        "from zoo import ModelSettings, hookimpl\nclass Settings(ModelSettings):\n    fast = 3\n"
        "@hookimpl\ndef build(settings):\n    return 1",
        "plugins/bad.py: fast should be the settings that --fast changes, such as {'epochs': 3}.",
    ),
    "wraps without a yield": (
        "from zoo import hookimpl\n\n@hookimpl(wrapper=True)\ndef predict(model):\n    return 1",
        "plugins/bad.py:3: predict is a wrapper but does not yield. Add `answer = yield`, and return the answer.",
    ),
    "is async": (
        "from zoo import hookimpl\n\n@hookimpl\nasync def build(settings):\n    return 1",
        "plugins/bad.py:3: build is async, but hooks are not awaited. Make it a plain function (def).",
    ),
    "yields without the mark of a wrapper": (
        "from zoo import hookimpl\n\n@hookimpl\ndef build(settings):\n    yield 1",
        "plugins/bad.py:3: build yields but is not a wrapper. Return the result, or mark it @hook",
    ),
    "has settings of its own kind": (
        "from zoo import hookimpl\nclass Settings: pass\n@hookimpl\ndef build(settings):\n    return 1",
        "plugins/bad.py: Settings should be a class that derives from zoo.ModelSettings.",
    ),
}


@pytest.mark.parametrize(("text", "problem"), BAD.values(), ids=BAD)
def test_a_bad_plugin_is_set_aside_and_the_others_run(zoo_folder: Path, picture, text: str, problem: str) -> None:
    (zoo_folder / "plugins" / "bad.py").write_text(text)
    zoo = Zoo.open(zoo_folder, environ={})
    assert problem in zoo.plugins.quarantined["bad"].problem
    with pytest.raises(ModelUnavailable, match='Plugin "bad" is set aside'):
        zoo.predict("bad", picture(0))
    assert zoo.predict("soft", picture(0)).digit == 7


def test_a_file_whose_name_no_model_can_have_is_no_model_and_told_why(zoo_folder: Path) -> None:
    names = ("My-Model", "2big", "Upper", "größe")
    for name in names:
        write(zoo_folder, name, (zoo_folder / "plugins/soft.py").read_text())
    zoo = Zoo.open(zoo_folder, environ={})
    assert list(zoo.models) == ["soft"]
    for name in names:
        says = f'There is no model "{name}": plugins/{name}.py: "{name}" is not a valid plugin name. '
        told = says + "Use lower-case letters, digits and _, starting with a letter."
        with pytest.raises(UnknownModel, match=re.escape(told)):
            zoo.model(name)


INSTALLED = {
    "names a function": (
        "named",
        "from zoo import hookimpl\n\n@hookimpl\ndef build(settings): ...",
        'its entry point names my_package.named:build, a single hook. Name the module with all of them: named = "my',
    ),
    "does not parse": ("wide", "x = 1\ndef build(:", "my-package 0.3 (my_package/wide.py:2): it raised SyntaxError"),
    "raises in a part of it": (
        "parted",
        "from my_package import part",
        "my-package 0.3 (my_package/part.py:2): it raised ZeroDivisionError",
    ),
    "misspells a hook": (
        "misspelt",
        "from zoo import hookimpl\n\n@hookimpl\ndef biuld(): ...",
        "my-package 0.3 (my_package/misspelt.py:3): there is no hook 'biuld'.",
    ),
}


@pytest.mark.parametrize(("name", "text", "problem"), INSTALLED.values(), ids=INSTALLED)
def test_a_mistake_in_an_installed_package_is_told_with_file_and_line(
    zoo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, problem: str
) -> None:
    value = f"my_package.{name}" + (":build" if name == "named" else "")
    facts = {
        "my_package-0.3.dist-info/METADATA": "Metadata-Version: 2.1\nName: my-package\nVersion: 0.3\n",
        "my_package-0.3.dist-info/entry_points.txt": f"[zoo]\n{name} = {value}\n",
        "my_package/__init__.py": "",
        "my_package/part.py": "\n1 / 0\n",
        f"my_package/{name}.py": text,
    }
    for file, content in facts.items():
        (tmp_path / "site" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "site" / file).write_text(content)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(sys.modules, "my_package", raising=False)
    assert problem in Zoo.open(zoo_folder, environ={}).plugins.quarantined[name].problem
    monkeypatch.delitem(sys.modules, "my_package", raising=False)


def test_a_folder_of_a_plugin_is_told_and_one_of_helpers_is_not(zoo_folder: Path, run) -> None:
    for name, text in (("pk", "from zoo import hookimpl\n"), ("_own", ""), ("parts", "ten = 10\n")):
        (zoo_folder / "plugins" / name).mkdir()
        (zoo_folder / "plugins" / name / "__init__.py").write_text(text)
    (zoo_folder / "plugins/_helper.py").write_text("from .parts import ten\n")
    plugin = zoo_folder / "plugins/soft.py"
    plugin.write_text(f"{plugin.read_text()}\nfrom . import _own\nfrom ._helper import ten\n")
    zoo = Zoo.open(zoo_folder, environ={})
    assert (list(zoo.plugins.families), list(zoo.plugins.quarantined)) == (["soft"], ["pk"])
    assert (
        "SET ASIDE: plugins/pk/: a plugin is a file, not a folder. Move the code in __init__.py to plugins/pk.py"
        in (run("plugins", cwd=zoo_folder).stdout)
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def preproces(image): ...", "preproces is not used as hook preprocess; rename it and add @hookimpl"),
        ("def predicts(model, batch): ...", "predicts is not used as hook predict; rename it and add @hookimpl"),
        ("class settings: ...", "class settings is not used for its settings; declare them as class Settings"),
        ("from zoo import ModelSettings\nclass Setting(ModelSettings): ...", "class Setting is not used for its"),
        ("def _preproces(image): ...", None),
        ("def loads(text): ...", None),
        ("from zoo import ModelSettings\nclass Base(ModelSettings): ...\nclass Settings(Base): ...", None),
    ],
)
def test_what_is_nearly_a_part_of_a_plugin_is_warned_of(zoo_folder: Path, text: str, told: str | None) -> None:
    plugin = zoo_folder / "plugins/soft.py"
    plugin.write_text(f"{plugin.read_text()}\n{text}\n")
    warned = Zoo.open(zoo_folder, environ={}).plugins.families["soft"].warnings
    assert [warning[: len(told)] for warning in warned] == [told] if told else not warned


def test_a_plugin_that_raises_keeps_its_traceback(zoo_folder: Path) -> None:
    (zoo_folder / "plugins" / "bad.py").write_text("def f():\n    return 1 / 0\nf()")
    bad = Zoo.open(zoo_folder, environ={}).plugins.quarantined["bad"]
    assert bad.problem == "plugins/bad.py:2: it raised ZeroDivisionError: division by zero"
    assert "in f" in bad.traceback


def write(folder: Path, name: str, text: str) -> None:
    (folder / "plugins" / f"{name}.py").write_text(textwrap.dedent(text))


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


@pytest.mark.parametrize("default", ["'many'", "None", "[1]"])
def test_a_default_that_is_not_of_its_settings_type_is_the_plugins_own_mistake(zoo_folder: Path, default: str) -> None:
    write(
        zoo_folder,
        "soft",
        f"""
        from zoo import ModelSettings, hookimpl

        class Settings(ModelSettings):
            units: int = {default}

        @hookimpl
        def build(settings): ...
        """,
    )
    zoo = Zoo.open(zoo_folder, environ={})
    assert "plugins/soft.py: Settings cannot be used" in zoo.plugins.quarantined["soft"].problem


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


@pytest.mark.long
def test_a_plugin_that_imports_tensorflow_at_its_top_is_warned(zoo_folder: Path, run) -> None:
    write(
        zoo_folder,
        "heavy",
        """
        import keras
        from zoo import hookimpl

        @hookimpl
        def build(settings): ...
        """,
    )
    done = run("plugins", cwd=zoo_folder)
    assert "imports keras, tensorflow at the top of the file; import it inside the hooks" in done.stdout


def test_two_plugins_of_one_name_are_told_apart(zoo_folder: Path) -> None:
    from zoo.plugins import Plugins

    found = Plugins()
    found.add("soft", "plugins/soft.py", "zoo_plugins.soft", lambda: None)
    found.add("soft", "other-package 1.0", "other_package", lambda: None)
    assert 'the name "soft" is taken by plugins/soft.py' in found.quarantined["soft (other-package 1.0)"].problem


def test_preprocess_may_be_the_plugins_own(zoo_folder: Path) -> None:
    sees_nothing(zoo_folder, "uint8")
    zoo = Zoo.open(zoo_folder, environ={})
    answers = {zoo.predict("soft", np.full((9, 9), value, np.uint8)).probabilities for value in (0, 99)}
    assert len(answers) == 1


def test_a_plugin_that_wraps_build_alone_is_an_addon_and_no_model(zoo_folder: Path) -> None:
    write(
        zoo_folder,
        "watching",
        """
        from zoo import hookimpl

        @hookimpl(wrapper=True)
        def build(settings):
            return (yield)
        """,
    )
    zoo = Zoo.open(zoo_folder, environ={})
    assert zoo.plugins.families["watching"].addon
    assert "watching" not in zoo.models


def test_no_plugins_name_is_in_the_way_of_the_zoos_own(zoo_folder: Path, picture) -> None:
    for name in ("defaults", "json", "zoo", "numpy"):
        write(zoo_folder, name, (zoo_folder / "plugins/soft.py").read_text())
    zoo = Zoo.open(zoo_folder, environ={})
    assert not zoo.plugins.quarantined
    assert zoo.predict("soft", picture(0)).digit == 7


def test_settings_of_a_plugin_may_be_tuples_and_choices(zoo_folder: Path) -> None:
    settings = """
        from enum import StrEnum
        from zoo import ModelSettings

        class Colour(StrEnum):
            RED = "red"

        class Settings(ModelSettings):
            sizes: tuple[int, ...] = (1,)
            colour: Colour = Colour.RED
    """
    write(zoo_folder, "many", textwrap.dedent(settings) + (zoo_folder / "plugins/soft.py").read_text().split('"""')[2])
    (zoo_folder / "settings.toml").write_text('[models.many]\nsizes = [3, 4]\ncolour = "red"\n')
    assert Zoo.open(zoo_folder, environ={}).models["many"].settings.sizes == (3, 4)  # type: ignore[attr-defined]


def test_a_second_zoo_in_one_process_has_its_own_plugins(zoo_folder: Path, tmp_path: Path) -> None:
    second = Path(shutil.copytree(zoo_folder, tmp_path / "second"))
    for folder, value in ((zoo_folder, 1), (second, 2)):
        (folder / "plugins/shared.py").write_text(f"from zoo import hookimpl\nVALUE = {value}\n" + SHARED)
        (folder / "plugins/using.py").write_text("from .shared import VALUE, build\n")
        using = Zoo.open(folder, environ={}).plugins.families["using"]
        assert using.hooks["build"].__globals__["VALUE"] == value


def test_hooks_of_two_zoos_import_each_its_own_helpers_and_a_folder_opened_anew_its_files_as_they_are(
    zoo_folder: Path, tmp_path: Path, picture
) -> None:
    hook = """
@hookimpl
def predict(batch):
    import numpy as np
    from ._helper import DIGIT

    return np.eye(10, dtype="float32")[[DIGIT] * len(batch)]
"""
    with (zoo_folder / "plugins/soft.py").open("a") as plugin:
        plugin.write(hook)
    second = Path(shutil.copytree(zoo_folder, tmp_path / "second"))
    for folder, digit in ((zoo_folder, 1), (second, 2)):
        (folder / "plugins/_helper.py").write_text(f"DIGIT = {digit}\n")
    zoos = [Zoo.open(folder, environ={}) for folder in (zoo_folder, second)]
    assert [zoo.predict("soft", picture(0)).digit for zoo in zoos] == [1, 2]
    (second / "plugins/_helper.py").write_text("DIGIT = 30 // 10\n")
    again = Zoo.open(second, environ={})
    assert [zoo.predict("soft", picture(0)).digit for zoo in (zoos[0], again)] == [1, 3]
    names = {zoo.plugins.families["soft"].hooks["predict"].__module__ for zoo in (*zoos, again)}
    assert len(names) == 2
    assert all(re.fullmatch(r"zoo_plugins(_[0-9a-f]{8})?\.soft", name) for name in names)


SHARED = "@hookimpl\ndef build(settings): ...\n"


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


def test_a_program_may_join_a_plugin_of_its_own_once(zoo_folder: Path, picture) -> None:
    class Counting:
        heard = 0

        @hookimpl
        def answered(self, answers: Any) -> None:
            self.heard += len(answers)

    class Misspelt:
        @hookimpl
        def answred(self, answers: Any) -> None: ...

    zoo, first, second = Zoo.open(zoo_folder, environ={}), Counting(), Counting()
    zoo.join("counting", first)
    zoo.join("counting", second)
    zoo.predict("soft", picture(0))
    assert (first.heard, second.heard) == (1, 0)
    with pytest.raises(PluginError, match="there is no hook 'answred'"):
        zoo.join("misspelt", Misspelt())


def test_a_file_of_the_same_name_is_not_in_the_way_of_a_joined_plugin(zoo_folder: Path, picture) -> None:
    write(zoo_folder, "counting", "from zoo import hookimpl\n\n\n@hookimpl\ndef answered(answers):\n    pass\n")

    class Counting:
        heard = 0

        @hookimpl
        def answered(self, answers: Any) -> None:
            self.heard += len(answers)

    zoo, counting = Zoo.open(zoo_folder, environ={}), Counting()
    assert "counting" in zoo.plugins.families
    zoo.join("counting", counting)
    zoo.predict("soft", picture(0))
    assert counting.heard == 1
