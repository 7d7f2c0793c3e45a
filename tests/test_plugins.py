"""Plugins: a bad one is set aside with the reason and its place, and the others run."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from plugging import write

from zoo import Zoo, hookimpl
from zoo.errors import ModelUnavailable, PluginError, UnknownModel

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
