"""What the commands share: opening the zoo, showing errors, and JSON output."""

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

from zoo import terminal
from zoo.errors import PluginError, SettingsError, UnknownCheckpoint, UnknownModel, ZooError

if TYPE_CHECKING:
    from zoo.zoo import Zoo


INTERRUPTED = 130  # the exit code after Ctrl-C that shells expect: 128 + SIGINT


class Commands(click.Group):
    """A command group that turns the zoo's errors into lines on stderr and an exit code, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # file names may have characters that the terminal lacks
        try:
            return super().invoke(ctx)
        except ZooError as error:
            tell(f"zoo: {error}" if "\n" not in str(error) else f"zoo:\n{error}", err=True)
            if _is_a_hooks(error) and not ctx.params.get("verbose"):
                tell(f"For the traceback, run: zoo -v {ctx.invoked_subcommand} ...", err=True)
            ctx.exit(2 if isinstance(error, (SettingsError, UnknownModel, UnknownCheckpoint)) else 1)
        except click.ClickException as error:
            error.message = terminal.escaped(error.message)  # type: ignore[misc]
            raise
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            _hush(sys.stdout)
            ctx.exit(0)
        except OSError as error:
            tell(f"zoo: {error.filename or 'a file'}: {error.strerror or error}", err=True)
            ctx.exit(1)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


def _is_a_hooks(error: BaseException | None) -> bool:
    """Whether an error was caused by something that a plugin's hook raised, other than a ZooError."""
    while isinstance(error, ZooError):
        if isinstance(error, PluginError) and not isinstance(error.__cause__, ZooError | None):
            return True
        error = error.__cause__
    return False


def tell(text: str, err: bool = False) -> None:
    """Print a text for people, its control characters escaped. All that is not a table or JSON goes through here."""
    click.echo(terminal.escaped(text), err=err)


def say(line: str, err: bool = False) -> None:
    """Print a line, and carry on if it cannot be written, as to a full disk or a closed pipe."""
    try:
        tell(line, err=err)
    except OSError:
        _hush(sys.stderr if err else sys.stdout)


def _hush(stream: TextIO) -> None:
    """Redirect a stream to the null device, because Python would fail again when it flushes what was not written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


_OUT = "zoo.cli.out"  # the key in click's context for the real standard output, see `as_json`


def as_json(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option --json to a command. With it only the answer goes to stdout; what plugins print goes to stderr."""

    @functools.wraps(command)
    def alone(*args: Any, as_json: bool, **words: Any) -> Any:
        if not as_json:
            return command(*args, as_json=False, **words)
        click.get_current_context().meta[_OUT] = sys.stdout
        with contextlib.redirect_stdout(sys.stderr):
            return command(*args, as_json=True, **words)

    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(alone)


def echo_json(value: Any) -> None:
    """Print the answer of a command decorated with `as_json`."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False), file=click.get_current_context().meta[_OUT])


def open_zoo(ctx: click.Context, **how: Any) -> Zoo:
    """Open the zoo that --zoo names, or the default one; `how` goes to `Zoo.open`. Raises SettingsError."""
    from zoo.zoo import Zoo

    return Zoo.open(ctx.obj, **how)
