"""The commands that train and calibrate checkpoints."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from zoo import terminal
from zoo.cli.common import INTERRUPTED, as_json, echo_json, open_zoo, tell
from zoo.errors import counted


@click.command()
@click.argument("name")
@click.option("--epochs", type=click.IntRange(1), help="Number of epochs, for this run only.")
@click.option("--seed", type=click.IntRange(0), help="Seed, for this run only.")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any other setting, for this run only, such as augment.rotate=12.",
)
@click.option(
    "--fast", is_flag=True, help="Use the plugin's quick settings: a smaller or shorter run of about a minute."
)
@click.option("--resume", is_flag=True, help="Continue the unfinished run with the same settings.")
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
    """Train model NAME and publish the next version.

    Ctrl-C loses at most the current epoch, unless the plugin has its own train hook; --resume continues. A version
    trained with settings that --fast, --epochs, --seed or --set changed is never `latest`: to serve it, name it in
    settings.toml.
    """
    from zoo.configuration import parse_variable, set_in

    overrides: dict[str, Any] = {}
    flags = {(key,): (f"--{key}", value) for key, value in (("epochs", epochs), ("seed", seed)) if value is not None}
    words: dict[tuple[str, ...], str] = {key: f"{flag} {value}" for key, (flag, value) in flags.items()}
    for change in changes:
        name_of, found, text = change.partition("=")
        if not found:
            raise click.BadParameter(f"{change!r} should be KEY=VALUE.", param_hint="--set")
        key = tuple(name_of.strip().split("."))
        for other, word in words.items():
            if key[: len(other)] == other[: len(key)]:
                raise click.UsageError(f"{name_of.strip()} is set twice: {word} and --set {change}. Keep one of them.")
        words[key] = f"--set {change}"
        set_in(overrides, key, parse_variable(text.strip()), words[key])
    overrides |= {key: value for (key,), (_, value) in flags.items()}
    zoo = open_zoo(ctx, to_train=True)
    progress = terminal.Bar() if sys.stderr.isatty() else terminal.Lines()
    with _interruptible(progress.close):
        card = zoo.train(name, fast=fast, overrides=overrides, resume=resume, progress=progress)
    if as_json:
        echo_json(card.model_dump(mode="json"))
        return
    facts = card.training
    tell(
        f"checkpoint {card.ref}: {counted(facts['epochs'], 'epoch')} in {terminal.duration(facts['seconds'])}, "
        f"validation {terminal.percent(facts.get('val_accuracy'))}\n"
        f"measure it on the test pictures: zoo evaluate {name} --version {card.version}"
    )
    if (served := zoo.model(name).card()) is None or served.ref != card.ref:
        tell(f"serve it: set checkpoint = {card.version} under [models.{name}] in settings.toml")


@contextmanager
def _interruptible(close: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C or SIGTERM end the training in this context with a line that says how to continue."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a shell's background jobs ignore SIGINT
    try:
        yield
    except KeyboardInterrupt as stop:
        close()
        tell(f"stopped; {str(stop) or 'training had not begun'}", err=True)
        sys.exit(INTERRUPTED)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        close()


@click.command()
@click.argument("name")
@click.option("--version", type=click.IntRange(1), help="Use this version instead of the selected one.")
@as_json
@click.pass_context
def calibrate(ctx: click.Context, name: str, version: int | None, as_json: bool) -> None:
    """Recalibrate model NAME.

    Finds the temperature and rejection threshold again, as training does: for checkpoints made by an earlier version of
    the zoo. If they change, the card's evaluation is removed: measure again with zoo evaluate.
    """
    card = open_zoo(ctx).calibrate(name, version=version)
    assert card.calibration is not None
    if as_json:
        echo_json({"checkpoint": card.ref, **card.calibration.model_dump(mode="json")})
        return
    shares = ", ".join(f"{terminal.percent(share)} of {kind}" for kind, share in card.calibration.rejected.items())
    tell(
        f"{card.ref}: temperature {card.calibration.temperature:.2f}; "
        f"below {terminal.percent(card.calibration.threshold)} confidence an answer is rejected. Rejected: {shares}."
    )
