"""The command `zoo`. Exit codes: 0 done; 1 it could not be done; 2 the command or the settings are wrong; 130 Ctrl-C."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from zoo import terminal
from zoo.errors import SettingsError, UnknownModel, ZooError

INTERRUPTED = 130


class Commands(click.Group):
    """Turns what the zoo raises into one or more lines on stderr and an exit code; no traceback reaches a user."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ZooError as error:
            click.echo(f"zoo: {error}" if "\n" not in str(error) else f"zoo:\n{error}", err=True)
            ctx.exit(2 if isinstance(error, (SettingsError, UnknownModel)) else 1)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--zoo", "folder", type=click.Path(path_type=Path), help="Folder of the zoo (default: this one).")
@click.option("-v", "--verbose", is_flag=True, help="Show the log.")
@click.version_option(package_name="flask-model-zoo", prog_name="zoo")
@click.pass_context
def main(ctx: click.Context, folder: Path | None, verbose: bool) -> None:
    """A zoo of models that read handwritten digits.

    \b
    Serve the page and the API:      zoo serve
    Read a picture:                  zoo predict seven.png
    See what is in the zoo:          zoo models
    Train a model:                   zoo train cnn
    Start a zoo of your own:         zoo init my-zoo

    In a folder with a settings.toml that zoo is used, elsewhere the starter zoo that comes with the package.
    """
    logging.basicConfig(level=logging.INFO if verbose else logging.CRITICAL, format="%(levelname)s %(name)s: %(message)s")
    if folder is not None and not (folder / "settings.toml").is_file():
        raise click.BadParameter(f"{folder} has no settings.toml. Make a zoo: zoo init {folder}", param_hint="--zoo")
    ctx.obj = folder


as_json = click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")


def echo_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def open_zoo(ctx: click.Context, **how: Any) -> Any:
    from zoo.zoo import Zoo

    return Zoo.open(ctx.obj, **how)


@main.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes any free one.")
@click.option("--workers", type=click.IntRange(1, 64), help="Worker processes.")
@click.pass_context
def serve(ctx: click.Context, **options: Any) -> None:
    """Serve the page and the API."""
    from webui.server import serve_zoo

    flags = {("server", name): (f"--{name}", value) for name, value in options.items() if value is not None}
    logging.getLogger().setLevel(min(logging.getLogger().level, logging.WARNING))
    zoo = open_zoo(ctx, flags=flags)
    serve_zoo(zoo, click.echo)


@main.command()
@as_json
@click.pass_context
def models(ctx: click.Context, as_json: bool) -> None:
    """List the models, with what each one is and how accurate."""
    zoo = open_zoo(ctx)
    rows = [_model(zoo, name) for name in zoo.models]
    if as_json:
        echo_json(rows)
        return
    terminal.table(
        ("model", "checkpoint", "test accuracy", "epochs", "parameters", "what it is"),
        [
            (
                f"{row['name']} (default)" if row["default"] else row["name"],
                row["checkpoint"] or "-",
                terminal.percent(row["accuracy"]),
                str(row["epochs"] or "-"),
                f"{row['parameters']:,}" if row["parameters"] else "-",
                f"cannot answer: {row['problem']}" if row["problem"] else row["summary"],
            )
            for row in rows
        ],
    )


def _model(zoo: Any, name: str) -> dict[str, Any]:
    model = zoo.models[name]
    card = model.card()
    return {
        "name": name,
        "plugin": model.plugin,
        "default": name == zoo.default_model,
        "summary": model.family.summary if model.family else "",
        "checkpoint": card.ref if card else None,
        "accuracy": card.evaluation.accuracy if card and card.evaluation else None,
        "interval": card.evaluation.interval if card and card.evaluation else None,
        "epochs": card.training.get("epochs") if card else None,
        "parameters": card.parameters if card else None,
        "problem": model.trouble(),
    }


@main.command()
@as_json
@click.pass_context
def plugins(ctx: click.Context, as_json: bool) -> None:
    """List the plugins; for one that was set aside, what is wrong with it and where."""
    zoo = open_zoo(ctx, to_train=True)
    found = zoo.plugins
    if as_json:
        good = [
            {
                "name": family.name,
                "source": family.source,
                "summary": family.summary,
                "hooks": sorted(family.hooks),
                "settings": family.settings.model_json_schema(),
                "models": [name for name, model in zoo.models.items() if model.plugin == family.name],
                "warnings": list(family.warnings),
                "problem": None,
                "traceback": None,
            }
            for family in found.families.values()
        ]
        bad = [
            {"name": p.name, "source": p.source, "problem": p.problem, "traceback": p.traceback or None}
            for p in found.quarantined.values()
        ]
        echo_json(good + bad)
        return
    rows = []
    for family in found.families.values():
        using = ", ".join(name for name, model in zoo.models.items() if model.plugin == family.name)
        state = "; ".join(family.warnings) or "ok"
        rows.append((family.name, family.source, ", ".join(family.hooks), using or "-", state))
    rows += [(p.name, p.source, "-", "-", f"SET ASIDE: {p.problem}") for p in found.quarantined.values()]
    terminal.table(("plugin", "from", "hooks", "models", "state"), rows)
    for p in found.quarantined.values():
        if p.traceback:
            click.echo(f"\n{p.name}:\n{p.traceback.rstrip()}")


@main.command()
@as_json
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Check settings, plugins, models, and every file of every checkpoint, without serving."""
    from zoo.checking import check as look

    found = look(open_zoo(ctx))
    errors = [finding for finding in found if finding.level == "error"]
    if as_json:
        echo_json([{"level": f.level, "what": f.what, "text": f.text} for f in found])
    else:
        terminal.table(("", "", ""), [(f.level, f.what, f.text) for f in found])
        click.echo(f"{len(errors)} error{'s' * (len(errors) != 1)} in {len(found)} findings.", err=True)
    ctx.exit(1 if errors else 0)


@main.command()
@click.argument("name", required=False)
@as_json
@click.pass_context
def checkpoints(ctx: click.Context, name: str | None, as_json: bool) -> None:
    """List the checkpoints, of all models or of model NAME, and which are served."""
    zoo = open_zoo(ctx, to_train=True)
    if name is not None and name not in zoo.catalogue.models():
        zoo.model(name)
    rows = [row for row in _checkpoints(zoo) if name in (None, row["model"])]
    if as_json:
        echo_json(rows)
        return
    terminal.table(
        ("checkpoint", "served by", "epochs", "validation", "test accuracy", "size", "created", "changed for the run"),
        [
            (
                row["checkpoint"],
                ", ".join(row["served_by"]) or "-",
                str(row["epochs"] or "-"),
                terminal.percent(row["validation"]),
                terminal.percent(row["accuracy"]),
                f"{row['bytes'] / 1e6:.2f} MB",
                row["created"][:10],
                row["problem"] or ", ".join(f"{key} = {value}" for key, value in row["overrides"].items()) or "-",
            )
            for row in rows
        ],
    )


def _checkpoints(zoo: Any) -> list[dict[str, Any]]:
    served: dict[tuple[str, int], list[str]] = {}
    for model in zoo.models.values():
        try:
            served.setdefault(model.select(), []).append(model.name)
        except ZooError:
            continue
    rows = []
    for owner in zoo.catalogue.models():
        for version in zoo.catalogue.versions(owner):
            row: dict[str, Any] = {"model": owner, "checkpoint": f"{owner}/{version}"}
            row |= {"served_by": served.get((owner, version), []), "problem": None}
            try:
                card = zoo.catalogue.card(owner, version)
            except ZooError as error:
                card, row["problem"] = None, str(error)
            row |= {
                "epochs": card.training.get("epochs") if card else None,
                "validation": card.training.get("val_accuracy") if card else None,
                "accuracy": card.evaluation.accuracy if card and card.evaluation else None,
                "bytes": sum(fact.bytes for fact in card.files.values()) if card else 0,
                "created": card.created.isoformat() if card else "-",
                "overrides": card.overrides if card else {},
            }
            rows.append(row)
    return rows


@main.command()
@click.argument("pictures", nargs=-1, required=True)
@click.option("--model", "-m", help="Which model reads (default: default_model of the settings).")
@click.option("--version", type=click.IntRange(1), help="A version other than the one selected.")
@as_json
@click.pass_context
def predict(ctx: click.Context, pictures: tuple[str, ...], model: str | None, version: int | None, as_json: bool) -> None:
    """Read PICTURES: files, folders of them, or - for one on standard input."""
    zoo = open_zoo(ctx)
    zoo.model(model).load(version)
    failed = 0
    rows: list[dict[str, Any]] = []
    names = list(_pictures(pictures))
    for start in range(0, len(names), BATCH):
        part = names[start : start + BATCH]
        sources = [sys.stdin.buffer.read() if name == "-" else name for name in part]
        for name, answer in zip(part, zoo.predict_many(model, sources, version=version), strict=True):
            if isinstance(answer, ZooError):
                failed += 1
                rows.append({"file": name, "error": str(answer)})
            else:
                rows.append({"file": name, **answer.to_dict()})
    if as_json:
        echo_json({"predictions": rows})
    else:
        terminal.table(("file", "label", "confidence", ""), [_row(row) for row in rows])
    ctx.exit(1 if failed else 0)


BATCH = 256
SUFFIXES = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"}


def _pictures(names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        folder = Path(name)
        if name == "-" or not folder.is_dir():
            yield name
            continue
        inside = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        if not inside:
            raise ZooError(f"{folder} has no picture in it. Read are: {', '.join(sorted(SUFFIXES))}.")
        yield from map(str, inside)


def _row(row: dict[str, Any]) -> tuple[str, str, str, str]:
    if "error" in row:
        return row["file"], "-", "-", row["error"]
    return row["file"], row["label"], terminal.percent(row["confidence"]), row["reason"] or ""


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("."))
def init(folder: Path) -> None:
    """Make a zoo of your own in FOLDER (default: this one): the starter's settings, plugins and checkpoints."""
    from zoo.zoo import init as copy_starter

    root = copy_starter(folder)
    click.echo(f"a zoo is in {root}: settings.toml, plugins/, checkpoints/\nserve it: cd {folder} && zoo serve")


@main.command()
@click.argument("name")
@click.option("--epochs", type=click.IntRange(1), help="For this run only.")
@click.option("--seed", type=click.IntRange(0), help="For this run only.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Any other setting, for this run only.")
@click.option("--fast", is_flag=True, help="The plugin's quick settings: a good model in under a minute.")
@click.option("--resume", is_flag=True, help="Go on with the unfinished run of the same settings.")
@as_json
@click.pass_context
def train(
    ctx: click.Context,
    name: str,
    epochs: int | None,
    seed: int | None,
    changes: tuple[str, ...],
    fast: bool,
    resume: bool,
    as_json: bool,
) -> None:
    """Train model NAME by its settings; makes the next version of its checkpoint.

    Ctrl-C loses at most the epoch in hand; --resume goes on. A run with --fast, --epochs, --seed or --set makes a
    version that is not `latest`: name it in settings.toml to serve it.
    """
    from zoo.settings import variable

    overrides: dict[str, Any] = {}
    for change in changes:
        key, found, text = change.partition("=")
        if not found:
            raise click.BadParameter(f"{change!r} should be KEY=VALUE.", param_hint="--set")
        overrides[key.strip()] = variable(text.strip())
    overrides |= {key: value for key, value in (("epochs", epochs), ("seed", seed)) if value is not None}
    zoo = open_zoo(ctx, to_train=True)
    progress = terminal.Bar() if sys.stderr.isatty() else terminal.Lines()
    with _interruptible(f"zoo train {name}", progress.close):
        card = zoo.train(name, fast=fast, overrides=overrides, resume=resume, progress=progress)
    if as_json:
        echo_json(card.model_dump(mode="json"))
        return
    facts = card.training
    click.echo(
        f"checkpoint {card.ref}: {facts['epochs']} epochs in {terminal.duration(facts['seconds'])}, validation accuracy "
        f"{terminal.percent(facts.get('val_accuracy'))}\n"
        f"measure it on the test pictures: zoo evaluate {name} --version {card.version}"
    )


class _interruptible:
    """Around a training: Ctrl-C and SIGTERM end it with a line that says how to go on."""

    def __init__(self, command: str, close: Callable[[], None]) -> None:
        self._command, self._close = command, close

    def __enter__(self) -> None:
        signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._close()
        if kind is KeyboardInterrupt:
            click.echo(f"stopped; every whole epoch is kept. To go on, the same command with --resume: {self._command} --resume", err=True)
            sys.exit(INTERRUPTED)


@main.command()
@click.argument("name")
@click.option("--version", type=click.IntRange(1), help="A version other than the one selected.")
@as_json
@click.pass_context
def evaluate(ctx: click.Context, name: str, version: int | None, as_json: bool) -> None:
    """Measure model NAME on its test pictures and store the result in the checkpoint's card."""
    card, evaluation = open_zoo(ctx).evaluate(name, version=version)
    if as_json:
        echo_json({"checkpoint": card.ref, **evaluation.model_dump(mode="json")})
        return
    low, high = evaluation.interval
    click.echo(
        f"{card.ref} on {evaluation.data}: {terminal.percent(evaluation.accuracy)} "
        f"({evaluation.correct} of {evaluation.pictures}; 95 % interval {100 * low:.2f}-{100 * high:.2f})"
    )


if __name__ == "__main__":
    main()
