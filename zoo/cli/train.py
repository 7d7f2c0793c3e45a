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


@click.command()
@click.argument("name")
@click.option("--epochs", type=click.IntRange(1), help="For this run only.")
@click.option("--seed", type=click.IntRange(0), help="For this run only.")
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Any other, for this run only: augment.rotate=12."
)
@click.option("--fast", is_flag=True, help="The plugin's quick settings: smaller or shorter, about a minute.")
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
    """Train model NAME by its settings and publish the next version of its checkpoint.

    Ctrl-C loses at most the current epoch, unless the plugin has its own train hook; --resume continues. A run in which
    --fast, --epochs, --seed or --set changed something makes a version that is never `latest`: name it in settings.toml
    to serve it.
    """
    from zoo.settings import put, variable

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
                raise click.UsageError(f"{name_of.strip()} is said twice: {word} and --set {change}. Keep one of them.")
        words[key] = f"--set {change}"
        put(overrides, key, variable(text.strip()), words[key])
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
        f"checkpoint {card.ref}: {terminal.count(facts['epochs'], 'epoch')} in {terminal.duration(facts['seconds'])}, "
        f"validation {terminal.percent(facts.get('val_accuracy'))}\n"
        f"measure it on the test pictures: zoo evaluate {name} --version {card.version}"
    )
    if (served := zoo.model(name).card()) is None or served.ref != card.ref:
        tell(f"serve it: in settings.toml, [models.{name}] checkpoint = {card.version}")


@contextmanager
def _interruptible(close: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C or SIGTERM end the training in this context with a line that says how to continue."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a shell's background jobs ignore SIGINT
    try:
        yield
    except KeyboardInterrupt as stop:
        close()
        tell(f"stopped; {str(stop) or 'it had not begun'}", err=True)
        sys.exit(INTERRUPTED)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        close()


@click.command()
@click.argument("name")
@click.option("--version", type=click.IntRange(1), help="A version other than the one selected.")
@as_json
@click.pass_context
def calibrate(ctx: click.Context, name: str, version: int | None, as_json: bool) -> None:
    """Calibrate the confidence and rejection threshold of model NAME again, as training does.

    For checkpoints made by an earlier zoo. If they change, the card's evaluation is removed: measure again with zoo
    evaluate.
    """
    card = open_zoo(ctx).calibrate(name, version=version)
    assert card.calibration is not None
    if as_json:
        echo_json({"checkpoint": card.ref, **card.calibration.model_dump(mode="json")})
        return
    shares = ", ".join(f"{terminal.percent(share)} of {kind}" for kind, share in card.calibration.rejected.items())
    tell(
        f"{card.ref}: temperature {card.calibration.temperature:.2f}; "
        f"below {terminal.percent(card.calibration.threshold)} confidence it is no digit. Rejected: {shares}."
    )
