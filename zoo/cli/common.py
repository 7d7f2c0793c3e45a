"""What the commands share: how the zoo is opened, how errors are shown, JSON."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

import click

from zoo.errors import PluginError, SettingsError, UnknownCheckpoint, UnknownModel, ZooError

if TYPE_CHECKING:
    from zoo.zoo import Zoo


INTERRUPTED = 130  # 128 + SIGINT, what a shell expects


class Commands(click.Group):
    """Turns what the zoo raises into one or more lines on stderr and an exit code; no traceback reaches a user."""

    def invoke(self, ctx: click.Context) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # file names may hold what the terminal cannot show
        try:
            return super().invoke(ctx)
        except ZooError as error:
            click.echo(f"zoo: {error}" if "\n" not in str(error) else f"zoo:\n{error}", err=True)
            if _is_a_hooks(error) and not ctx.params.get("verbose"):
                click.echo(f"zoo -v {ctx.invoked_subcommand} ... shows the traceback.", err=True)
            ctx.exit(2 if isinstance(error, (SettingsError, UnknownModel, UnknownCheckpoint)) else 1)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            _hush(sys.stdout)
            ctx.exit(0)
        except OSError as error:
            click.echo(f"zoo: {error.filename or 'a file'}: {error.strerror or error}", err=True)
            ctx.exit(1)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


def _is_a_hooks(error: BaseException | None) -> bool:
    """Whether it comes of what a plugin's hook raised, and the zoo did not."""
    while isinstance(error, ZooError):
        if isinstance(error, PluginError) and not isinstance(error.__cause__, ZooError | None):
            return True
        error = error.__cause__
    return False


def say(line: str, err: bool = False) -> None:
    """Tell it whoever listens: a full disk or a closed pipe is no reason not to go on."""
    try:
        click.echo(line, err=err)
    except OSError:
        _hush(sys.stderr if err else sys.stdout)


def _hush(stream: TextIO) -> None:
    """Let what could not be written, and all that follows, go nowhere, or Python would fail on it once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


_OUT = "zoo.cli.out"


def as_json(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option --json, with which nothing but the answer goes to standard output: what plugins print is a message."""

    @functools.wraps(command)
    def alone(*args: Any, as_json: bool, **words: Any) -> Any:
        if not as_json:
            return command(*args, as_json=False, **words)
        click.get_current_context().meta[_OUT] = sys.stdout
        with contextlib.redirect_stdout(sys.stderr):
            return command(*args, as_json=True, **words)

    return click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")(alone)


def echo_json(value: Any) -> None:
    """The answer of a command with the option `as_json`."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False), file=click.get_current_context().meta[_OUT])


def open_zoo(ctx: click.Context, **how: Any) -> Zoo:
    from zoo.zoo import Zoo

    return Zoo.open(ctx.obj, **how)
