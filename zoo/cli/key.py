"""The command that makes API keys. It writes no file."""

from __future__ import annotations

import re

import click

from zoo import keys
from zoo.cli.common import as_json, echo_json, tell


@click.group()
def key() -> None:
    """Create API keys for people and programs."""


@key.command()
@click.option("--name", default="key", show_default=True, help="Name of the key: lower-case letters, digits, - and _.")
@click.option(
    "--scope",
    type=click.Choice(["predict", "admin"]),
    default="predict",
    show_default=True,
    help="predict: use the models. admin: also see and change the server.",
)
@as_json
def new(name: str, scope: str, as_json: bool) -> None:
    """Create a key.

    Prints it, only this once, with the line for settings.toml that grants it access.
    """
    from zoo.settings import KEY_NAME, KEY_NAMED

    if not re.fullmatch(KEY_NAME, name):
        raise click.BadParameter(
            f'"{name}" is not a valid key name. Use {KEY_NAMED}.',
            param_hint="--name",
        )
    fresh = keys.create()
    hashed = keys.hashed(fresh)
    line = f'{name} = {{hash = "{hashed}", scopes = ["{scope}"]}}'
    if as_json:
        echo_json({"name": name, "key": fresh, "hash": hashed, "scopes": [scope], "line": line})
        return
    tell(f"The key, shown only this once:\n\n    {fresh}\n")
    tell(f"Add this line to settings.toml under [server.keys]. It takes effect at the next start:\n\n    {line}")
