"""The command `zoo`. Exit codes: 0 done; 1 it could not be done; 2 the command or the settings are wrong; 130 Ctrl-C."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Callable
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
