"""settings.toml: what it may say, and how a mistake in it is told."""

from __future__ import annotations

import datetime
import enum
import re
import textwrap
import tomllib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from pydantic import Field, ValidationError

from zoo import Zoo
from zoo.checking import check
from zoo.configuration import as_text, keys_of, parse_variable, read, set_in, to_json
from zoo.errors import SettingsError, UnknownModel
from zoo.settings import ModelSettings, PictureSettings, ServerSettings, Settings, Table

MISTAKES = {
    "unknown plugin setting": (
        "[models.soft]\nepoch = 5",
        'settings.toml: [models.soft] epoch: no such setting of plugin "soft". Did you mean "epochs"? It takes: ',
    ),
    "out of bounds": (
        "[models.soft]\nepochs = 0",
        "settings.toml: [models.soft] epochs = 0: it should be greater than",
    ),
    "wrong type": (
        '[models.soft]\nepochs = "many"',
        'settings.toml: [models.soft] epochs = "many": it should be a valid',
    ),
    "true is no number": ("[models.soft]\nepochs = true", "settings.toml: [models.soft] epochs = true: it should be"),
    "not a choice": (
        '[models.soft]\noptimizer = "adm"',
        "settings.toml: [models.soft] optimizer = \"adm\": it should be 'adam', 'adamw' or 'sgd'. Did you mean \"adam",
    ),
    "unknown table": ("[sever]\nport = 1", 'settings.toml: sever: no such setting. Did you mean "server"? It takes: '),
    "unknown server key": (
        "[server]\nprot = 1",
        'settings.toml: [server] prot: no such setting. Did you mean "port"? It takes: host, port,',
    ),
    "misspelt secret": (
        '[server]\nsecrett = "hunter2"',
        'settings.toml: [server] secrett: no such setting. Did you mean "secret"? It takes: host, port,',
    ),
    "misspelt table in one line": (
        'server = {secrett = "hunter2"}',
        'settings.toml: [server] secrett: no such setting. Did you mean "secret"?',
    ),
    "port out of bounds": ("[server]\nport = 70000", "settings.toml: [server] port = 70000: it should be less than or"),
    "unknown plugin": (
        '[models.other]\nplugin = "sofft"',
        'settings.toml: [models.other] plugin = "sofft": there is no plugin "sofft". Did you mean "soft"? The plugins',
    ),
    "model without plugin": (
        "[models.other]",
        'settings.toml: [models] other: there is no plugin "other". The plugins',
    ),
    "bad model name": ('[models."Soft 2"]\nplugin = "soft"', "settings.toml: [models] Soft 2: not a valid model name."),
    "a name that is taken": (
        '[models.stats]\nplugin = "soft"',
        "settings.toml: [models] stats: no model may have this name, because /v2/models/stats gives the",
    ),
    "odd version": (
        '[models.soft]\ncheckpoint = "newest"',
        'settings.toml: [models.soft] checkpoint = "newest": Model "soft" has no checkpoint newest. It has: 1.',
    ),
    "a model in place of a version": (
        '[models.twin]\nplugin = "soft"\ncheckpoint = "soft"',
        'It should be a version such as 1, "latest", or MODEL/VERSION, such as soft/1.',
    ),
    "latest of another model": (
        '[models.twin]\nplugin = "soft"\ncheckpoint = "soft/latest"',
        'no checkpoint soft/latest. It has: 1. It should be a version such as 1, "latest", or MODEL/VERSION, such as s',
    ),
    "table without its plugin": (
        "[models.soft_20]\nepochs = 20",
        'The plugins are: soft. To use one of them, add to the table: plugin = "soft".',
    ),
    "wrong type of version": (
        "[models.soft]\ncheckpoint = 1.5",
        '[models.soft] checkpoint = 1.5: it should be a version such as 1, "latest", or "MODEL/VERSION".',
    ),
    "no version": (
        '[models.soft]\ncheckpoint = ""',
        'settings.toml: [models.soft] checkpoint = "": it should be a version such as 1, "latest", or "MODEL/VERSION".',
    ),
    "misspelt checkpoint": (
        "[models.soft]\ncheckpiont = 1",
        '[models.soft] checkpiont: no such setting of plugin "soft". Did you mean "checkpoint"? It takes: plugin,',
    ),
    "value for a table": ("[models]\nsoft = 3", "settings.toml: [models] soft = 3: it should be a table."),
    "text of another form": (
        '[models.soft]\nstart = "foo"',
        'start = "foo": it should be: version of a model with the same network whose weights',
    ),
    "unknown default": (
        'default_model = "sotf"',
        'settings.toml: default_model = "sotf": there is no such model. Did you mean "soft"? The models are: soft.',
    ),
    "not TOML": ("[models", "settings.toml: not valid TOML: "),
    "a number of too many digits": (f"[models.soft]\nepochs = {'9' * 5000}", "settings.toml: not valid TOML: "),
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_place_value_and_remedy(zoo_folder: Path, text: str, message: str) -> None:
    (zoo_folder / "settings.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        Zoo.open(zoo_folder, environ={})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "place"),
    [("[models.tta]", "[models] tta"), ('[models.other]\nplugin = "tta"', '[models.other] plugin = "tta"')],
)
def test_a_table_for_a_plugin_that_only_wraps_is_told_that_it_is_no_model(
    zoo_folder: Path, text: str, place: str
) -> None:
    (zoo_folder / "plugins/tta.py").write_text(
        "from zoo import hookimpl\n\n\n@hookimpl(wrapper=True)\ndef predict():\n    return (yield)\n"
    )
    (zoo_folder / "settings.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        Zoo.open(zoo_folder, environ={})
    assert str(caught.value) == (
        f'settings.toml: {place}: plugin "tta" only wraps other plugins\' hooks, so it is not a model and takes '
        "no table. The plugins with models are: soft."
    )


NESTED = """
from typing import Annotated, Literal
from pydantic import Field
from zoo import ModelSettings, Table

class Sub(Table):
    a: int = 1

class Circle(Table):
    kind: Literal["circle"] = "circle"
    radius: float = Field(1, gt=0)

class Square(Table):
    kind: Literal["square"] = "square"
    side: float = 1

class Need(Table):
    this: int

class Settings(ModelSettings):
    ratio: int | float = 1
    choice: str | bool = ""
    extra: Sub | None = None
    mode: Literal["auto", "off"] | int = "auto"
    word: Annotated[str, Field(min_length=2)] | int = 1
    code: Annotated[str, Field(pattern="^[a-z]")] | int = Field("a1", description="a number, or a letter and digits")
    stages: list[Sub] = []
    each: dict[str, Sub] = {}
    marks: dict[Annotated[str, Field(pattern="^m")], int] = {}
    sizes: list[int] | int = 1
    one_or_more: list[Sub] | Sub = []
    shape: Circle | Square = Field(Circle(), discriminator="kind")
    figure: Circle | Square = Circle(radius=2)
    need: Need | None = None
"""

NESTED_MISTAKES = {
    "a number of either kind": ('ratio = "x"', '] ratio = "x": it should be a valid integer or a valid number.'),
    "a text or a switch": ("choice = 5", "] choice = 5: it should be a valid string or a valid boolean."),
    "a table or nothing": ("extra = {b = 1}", '.extra] b: no such setting of plugin "nested". It takes: a.'),
    "no table": ("extra = 3", "] extra = 3: it should be a table."),
    "a choice or a number": (
        'mode = "aut"',
        "] mode = \"aut\": it should be 'auto' or 'off' or a valid integer. Did you mean \"auto\"?",
    ),
    "a text that is too short": (
        'word = "a"',
        '] word = "a": it should have at least 2 characters, or it should be a valid integer.',
    ),
    "a text of another form": (
        'code = "1"',
        '] code = "1": it should be: a number, or a letter and digits.',
    ),
    "a table in a list": ("stages = [{b = 1}]", '.stages.0] b: no such setting of plugin "nested". It takes: a.'),
    "a table under a name": ("each.x.b = 1", '.each.x] b: no such setting of plugin "nested". It takes: a.'),
    "a name of another form": ("marks.x = 1", ".marks] x: not a valid name: it should match pattern '^m'."),
    "a list or a number": ('sizes = ["x"]', '.sizes] 0 = "x": it should be a valid integer.'),
    "a list of tables or one": (
        "one_or_more = [{b = 1}]",
        '.one_or_more.0] b: no such setting of plugin "nested". It takes: a.',
    ),
    "a kind of table": (
        'shape = {kind = "square", sid = 1}',
        '.shape] sid: no such setting of plugin "nested". Did you mean "side"? It takes: kind, side.',
    ),
    "no kind of table": ('shape.kind = "line"', ".shape] kind = \"line\": it should be 'circle' or 'square'."),
    "the kind of the default": ("shape.radius = 0", ".shape] radius = 0: it should be greater than 0."),
    "a table of another kind than the default": (
        'figure.side = "x"',
        '.figure] side = "x": it should be a valid number.',
    ),
    "a key that is missing": ("need = {}", ".need] this: it is required."),
}


@pytest.mark.parametrize(("text", "says"), NESTED_MISTAKES.values(), ids=NESTED_MISTAKES)
def test_a_mistake_in_a_setting_of_several_types_is_told_once_and_with_its_key(
    zoo_folder: Path, text: str, says: str
) -> None:
    plugin = (zoo_folder / "plugins/soft.py").read_text()
    (zoo_folder / "plugins/nested.py").write_text(f"{plugin}{NESTED}")
    (zoo_folder / "settings.toml").write_text(f"[models.nested]\n{text}")
    with pytest.raises(SettingsError) as caught:
        Zoo.open(zoo_folder, environ={})
    assert str(caught.value) == f"settings.toml: [models.nested{says}"


def test_a_setting_that_takes_tables_of_several_kinds_may_be_another_kind_than_its_default(zoo_folder: Path) -> None:
    plugin = (zoo_folder / "plugins/soft.py").read_text()
    (zoo_folder / "plugins/nested.py").write_text(f"{plugin}{NESTED}")
    (zoo_folder / "settings.toml").write_text(
        '[models.nested]\nshape = {kind = "square", side = 2}\nfigure.side = 3\n'
        "[models.same]\nplugin = 'nested'\nshape.radius = 3\nfigure = {}\n"
    )
    zoo = Zoo.open(zoo_folder, environ={})
    kinds = {name: zoo.model(name).settings.model_dump(include={"shape", "figure"}) for name in ("nested", "same")}
    assert kinds["nested"] == {"shape": {"kind": "square", "side": 2}, "figure": {"kind": "square", "side": 3}}
    assert kinds["same"] == {"shape": {"kind": "circle", "radius": 3}, "figure": {"kind": "circle", "radius": 2}}


STAGED = """
from pydantic import BaseModel, Field, model_validator
from zoo import ModelSettings

class Stage(BaseModel):
    units: int = Field(8, ge=1)
    most: int = 99

    @model_validator(mode="after")
    def _few(self):
        if self.units > self.most:
            raise ValueError("units should be at most most")
        return self

class Settings(ModelSettings):
    stages: list[Stage] = []
    head: Stage = Stage()

    @model_validator(mode="after")
    def _some(self):
        if len(self.stages) > 3:
            raise ValueError("there should be at most 3 stages")
        return self
"""


def staged(folder: Path, settings: str, environ: dict[str, str] | None = None) -> Zoo:
    """A zoo whose model `soft` has settings in tables within a list, and validators of whole tables."""
    with (folder / "plugins/soft.py").open("a") as plugin:
        plugin.write(STAGED)
    with (folder / "settings.toml").open("a") as file:
        file.write(settings)
    return Zoo.open(folder, environ=environ or {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("stages = [{}, {}, {}, {}]", "settings.toml: [models.soft]: there should be at most 3 stages."),
        ("head.units = 100", "settings.toml: [models.soft.head]: units should be at most most."),
        ("stages = [{units = 0}]", "settings.toml: [models.soft.stages.0] units = 0: it should be greater than"),
    ],
)
def test_a_mistake_of_a_whole_table_is_told_with_the_table(zoo_folder: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=f"^{re.escape(says)}"):
        staged(zoo_folder, text)


def test_a_mistake_inside_what_a_variable_or_the_run_gave_is_not_blamed_on_the_file(zoo_folder: Path) -> None:
    zoo = staged(zoo_folder, "")
    with pytest.raises(SettingsError, match=r"^stages\.0\.units = 0: it should be greater than"):
        zoo.train("soft", overrides={"stages": [{"units": 0}]})
    with pytest.raises(SettingsError, match=r"^ZOO_MODELS__SOFT__STAGES\.0\.units = 0: it should be greater than"):
        Zoo.open(zoo_folder, environ={"ZOO_MODELS__SOFT__STAGES": "[{units = 0}]"})
    with pytest.raises(SettingsError, match=r"^ZOO_SERVER\.secret = …: it has 5 characters"):
        Zoo.open(zoo_folder, environ={"ZOO_SERVER": '{secret = "short"}'})


def test_a_plugin_without_a_table_makes_no_model_whose_name_is_taken(zoo_folder: Path, picture) -> None:
    plugin = zoo_folder / "plugins" / "soft.py"
    plugin.with_name("stats.py").write_text(plugin.read_text())
    zoo = Zoo.open(zoo_folder, environ={})
    assert zoo.predict("soft", picture(0)).digit == 7
    assert zoo.models["stats"].trouble() == (
        'Plugin "stats": no model may have this name, because /v2/models/stats gives the statistics of all models. '
        'Add a table of another name to settings.toml, with plugin = "stats".'
    )
    with (zoo_folder / "settings.toml").open("a") as settings:
        settings.write('\n[models.mine]\nplugin = "stats"\n')
    assert set(Zoo.open(zoo_folder, environ={}).models) == {"soft", "mine"}


def test_a_plugin_whose_own_model_is_not_there_for_a_table_of_another_name_is_told_of(zoo_folder: Path) -> None:
    settings = zoo_folder / "settings.toml"
    settings.write_text('[models.soft_20]\nplugin = "soft"\ncheckpoint = "soft/1"\n')
    zoo = Zoo.open(zoo_folder, environ={})
    says = (
        'its plugin is used only by [models.soft_20] in the settings. To have it as well, add a table "[models.soft]".'
    )
    with pytest.raises(UnknownModel, match=re.escape(f'There is no model "soft": {says}')):
        zoo.model("soft")
    told = [finding.text for finding in check(zoo) if finding.level == "warning" and finding.what == "plugin soft"]
    assert told == [f'model "soft" has checkpoints but does not exist: {says}']
    settings.write_text(f'default_model = "soft"\n{settings.read_text()}')
    with pytest.raises(SettingsError, match=re.escape(f"there is no such model: {says} The models are: soft_20.")):
        Zoo.open(zoo_folder, environ={})
    settings.write_text(f"{settings.read_text()}[models.soft]\n")
    assert set(Zoo.open(zoo_folder, environ={}).models) == {"soft_20", "soft"}


def test_all_mistakes_are_told_at_once(zoo_folder: Path) -> None:
    (zoo_folder / "settings.toml").write_text("[models.soft]\nepoch = 5\nseeed = 1\nbatch_size = 0")
    with pytest.raises(SettingsError) as caught:
        Zoo.open(zoo_folder, environ={})
    assert len(caught.value.problems) == 3


def test_settings_that_are_not_text_are_told(zoo_folder: Path) -> None:
    (zoo_folder / "settings.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not UTF-8 text"):
        Zoo.open(zoo_folder, environ={})


def test_the_environment_overrides_the_file_and_a_flag_overrides_both(zoo_folder: Path) -> None:
    environ = {"ZOO_SERVER__PORT": "6000", "ZOO_SERVER__HOST": "0.0.0.0", "ZOO_MODELS__SOFT__EPOCHS": "6"}
    zoo = Zoo.open(zoo_folder, environ=environ, flags={("server", "port"): ("--port", 7000)})
    assert (zoo.settings.server.host, zoo.settings.server.port) == ("0.0.0.0", 7000)
    assert zoo.models["soft"].settings.epochs == 6


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"ZOO_SERVER__PORT": "many"}, 'ZOO_SERVER__PORT = "many": it should be a valid integer'),
        ({"ZOO_MODELS__SOFT__EPOCH": "6"}, 'ZOO_MODELS__SOFT__EPOCH: no such setting of plugin "soft"'),
        (
            {"ZOO_MODELS__SOFT__PLUGN": "6"},
            'ZOO_MODELS__SOFT__PLUGN: no such setting of plugin "soft". Did you mean "p',
        ),
        ({"ZOO_DEFAULT_MODEL__X": "1"}, "ZOO_DEFAULT_MODEL__X"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(zoo_folder: Path, environ: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        Zoo.open(zoo_folder, environ=environ)


def test_the_repos_settings_say_every_setting_at_its_default(root: Path) -> None:
    text = (root / "settings.toml").read_text()
    said = tomllib.loads(text)
    settings, _ = read(root, {})
    for name, field in Settings.model_fields.items():
        assert name in said, f"settings.toml does not say {name}"
        if name in ("server", "pictures"):
            table = getattr(settings, name)
            assert said[name] == type(table)().model_dump(), f"[{name}] is not at its defaults"
        elif name not in ("default_model", "models"):
            assert said[name] == field.default


def test_every_setting_has_a_description() -> None:
    for kind in (ModelSettings, PictureSettings, ServerSettings):
        assert not [name for name, field in kind.model_fields.items() if not field.description]


class Longer(ModelSettings):
    epochs: int = 100
    optimizer: Literal["adam", "sgd"] = "sgd"
    seed: int = Field(2, le=10)
    drawn: int = Field(5, description="more digits")
    later: Later | None = None


class Longest(Longer):
    epochs: int = 1000


class Later(Table):
    """Defined after the class that names it, so that pydantic completes that class only when it is used."""


def test_a_default_that_a_class_changes_keeps_bounds_and_description() -> None:
    for kind in (Longest, Longer):
        for wrong in ({"epochs": 0}, {"epochs": 100_001}, {"seed": 11}, {"drawn": -1}):
            with pytest.raises(ValidationError):
                kind(**wrong)
        assert kind(seed=-1).seed == -1  # bounds of its own replace the others
        schema, base = (one.model_json_schema()["properties"] for one in (kind, ModelSettings))
        assert schema["epochs"] == base["epochs"] | {"default": kind().epochs}
        assert schema["optimizer"]["description"] == base["optimizer"]["description"]
        assert schema["drawn"]["description"] == "more digits"


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(zoo_folder: Path) -> None:
    (zoo_folder / "settings.toml").write_bytes(b"\xef\xbb\xbf[models.soft]\r\nepochs = 4\r\n")
    assert Zoo.open(zoo_folder, environ={}).models["soft"].settings.epochs == 4


def test_an_empty_file_is_a_zoo_of_every_plugin_at_its_defaults(zoo_folder: Path) -> None:
    (zoo_folder / "settings.toml").write_text("")
    assert list(Zoo.open(zoo_folder, environ={}).models) == ["soft"]


def test_a_folder_that_is_named_and_is_no_zoo_is_not_taken_for_the_starter(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"has no settings.toml. Create a zoo there: zoo init"):
        Zoo.open(tmp_path, environ={})


def test_a_part_of_a_table_leaves_the_rest_as_the_plugin_has_it(root: Path) -> None:
    zoo = Zoo.open(root, environ={"ZOO_MODELS__TINY__AUGMENT__ROTATE": "12"})
    assert zoo.model("tiny").settings.augment == Zoo.open(root, environ={}).model("tiny").settings.augment.model_copy(
        update={"rotate": 12.0}
    )
    assert zoo.model("tiny").settings.augment.shear > 0


def test_a_part_of_a_plugins_own_table_leaves_the_rest_too(zoo_folder: Path) -> None:
    own = """
        import enum

        from pydantic import BaseModel, Field
        from zoo import ModelSettings

        class Act(enum.Enum):
            TANH = "tanh"

        class Block(BaseModel):
            units: int = 8
            drop: float = 0.0
            act: Act = Act.TANH

        class Settings(ModelSettings):
            one: Block = Block(units=99)
            made: Block = Field(default_factory=lambda: Block(units=7))
            shares: dict[str, float] = {"a": 0.5}
    """
    with (zoo_folder / "plugins/soft.py").open("a") as plugin:
        plugin.write(textwrap.dedent(own))
    with (zoo_folder / "settings.toml").open("a") as file:
        file.write("one.drop = 0.2\nmade.drop = 0.3\nshares.b = 0.25\n")
    settings = Zoo.open(zoo_folder, environ={}).model("soft").settings.model_dump(mode="json")
    assert settings["one"] == {"units": 99, "drop": 0.2, "act": "tanh"}
    assert settings["made"] == {"units": 7, "drop": 0.3, "act": "tanh"}
    assert settings["shares"] == {"a": 0.5, "b": 0.25}


class Act(enum.Enum):
    RELU = "relu"


SAID: dict[str, tuple[Any, str]] = {
    "none": (None, "null"),
    "the word for none": ("null", '"null"'),
    "a word": ("cosine", "cosine"),
    "a text that reads as a number": ("1", '"1"'),
    "a text with room around": (" a ", '" a "'),
    "a sign beyond the BMP": ([chr(0x1F600)], '["\\ud83d\\ude00"]'),
    "tables in a list": ([{"units": 3, "drop": None}], '[{"units": 3, "drop": null}]'),
    "a date": (datetime.date(2020, 2, 3), "2020-02-03"),
    "a time": (datetime.datetime(2020, 2, 3, 4, 5, tzinfo=datetime.UTC), "2020-02-03T04:05:00Z"),
    "no end": (float("inf"), "Infinity"),
    "a choice": (Act.RELU, "relu"),
    "NumPy's whole number": (np.int64(3), "3"),
    "NumPy's number": (np.float32(0.5), "0.5"),
    "NumPy's array": (np.arange(2), "[0, 1]"),
}


@pytest.mark.parametrize(("value", "text"), SAID.values(), ids=SAID)
def test_what_is_said_of_a_value_can_be_typed_again(value: Any, text: str) -> None:
    assert as_text(to_json(value)) == text
    assert to_json(parse_variable(text)) == to_json(value)


def test_a_key_with_a_dot_is_said_in_its_table() -> None:
    values = {"augment": {"rotate": 5}, "names": {"a.b": 2.5}}
    again: dict[str, Any] = {}
    for key in keys_of(values):
        value: Any = values
        for part in key:
            value = value[part]
        set_in(again, tuple(".".join(key).split(".")), parse_variable(as_text(value)), "--set")
    assert again == values


def test_a_variable_may_say_that_there_is_none(zoo_folder: Path) -> None:
    with (zoo_folder / "settings.toml").open("a") as file:
        file.write('start = "soft/1"\n')
    zoo = Zoo.open(zoo_folder, environ={"ZOO_MODELS__SOFT__START": "null"})
    assert zoo.model("soft").settings.start is None
