"""The command `zoo`. Exit codes: 0 done; 1 could not be done; 2 the command or the settings are wrong; 130 Ctrl-C."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from zoo.cli import evaluate, key, look, train, use
from zoo.cli.common import Commands
from zoo.errors import SettingsError


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--zoo", "folder", type=click.Path(path_type=Path), help="Folder of the zoo (see above for the default).")
@click.option("-v", "--verbose", is_flag=True, help="Show the log.")
@click.version_option(package_name="flask-model-zoo", prog_name="zoo")
@click.pass_context
def main(ctx: click.Context, folder: Path | None, verbose: bool) -> None:
    """A zoo of models that read handwritten digits.

    \b
    Serve the page and the API:      zoo serve
    Read a digit:                    zoo predict seven.png
    Read a number:                   zoo read photo.jpg
    List the models:                 zoo models
    Train a model:                   zoo train cnn
    Create a zoo of your own:        zoo init my-zoo

    Uses the zoo in the working directory if that has a settings.toml, else the starter zoo that comes with the package.

    Exit codes: 0 success; 1 failure; 2 wrong usage or settings, such as a model or version that does not exist; 130
    interrupted by Ctrl-C.
    """
    logging.basicConfig(
        level=logging.INFO if verbose else logging.CRITICAL, format="%(levelname)s %(name)s: %(message)s"
    )
    if folder is not None:
        from zoo.starter import locate

        try:
            locate(folder)
        except SettingsError as error:
            raise click.BadParameter(str(error), param_hint="--zoo") from error
    ctx.obj = folder


for command in (
    use.serve,
    use.predict,
    use.read,
    look.models,
    look.plugins,
    look.checkpoints,
    look.check,
    train.train,
    train.calibrate,
    evaluate.evaluate,
    use.init,
    key.key,
):
    main.add_command(command)
