"""The command that measures checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo import terminal
from zoo.cli import drawing, report
from zoo.cli.common import as_json, echo_json, open_zoo, tell
from zoo.errors import counted

if TYPE_CHECKING:
    from zoo.evaluation import Track
    from zoo.labelled import Condition
    from zoo.measuring import Measured
    from zoo.zoo import Zoo

DRAWN = 60  # mistakes that --mistakes draws, at most


@click.command()
@click.argument("name")
@click.option("--version", type=click.IntRange(1), help="Use this version instead of the selected one.")
@click.option("--quick", is_flag=True, help="Skip robustness; the card keeps its previous figures.")
@click.option("--mistakes", type=click.Path(path_type=Path), help="Draw up to 60 of the worst mistakes, as a PNG.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Measure on these pictures: a folder with a sub-folder per label, or a CSV file with columns path and label.",
)
@click.option(
    "--where",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Use only matching rows of the CSV file; also COLUMN!=VALUE. If repeated, all must match.",
)
@click.option(
    "--seeds", is_flag=True, help="Measure all versions that differ only in their seed, with mean and deviation."
)
@as_json
@click.pass_context
def evaluate(
    ctx: click.Context,
    name: str,
    version: int | None,
    quick: bool,
    mistakes: Path | None,
    data: Path | None,
    where: tuple[str, ...],
    seeds: bool,
    as_json: bool,
) -> None:
    """Measure model NAME on its test pictures.

    The result is stored in the checkpoint's card. With --data, the model is measured on your own pictures, and nothing
    is stored.
    """
    from zoo.labelled import Condition
    from zoo.measuring import over_seeds

    try:
        conditions = [Condition.parse(text) for text in where]
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--where") from error
    if where and data is None:
        raise click.UsageError("--where needs --data.")
    if seeds and mistakes is not None:
        raise click.UsageError(
            "--mistakes draws the mistakes of one version, but --seeds measures several. Leave one of them out."
        )
    if mistakes is not None:
        drawing.refuse("--mistakes", mistakes, () if data is None else (data,))
    zoo = open_zoo(ctx)
    if seeds:
        runs = over_seeds(
            zoo, name, lambda number: _measure(zoo, name, number, quick, data, conditions, stored=True), version=version
        )
        if as_json:
            echo_json(runs.to_dict())
        else:
            tell(report.seeds(name, runs))
        return
    measured = _measure(zoo, name, version, quick, data, conditions)
    if as_json:
        echo_json(measured.to_dict())
    else:
        tell(report.evaluation(measured))
    if mistakes is not None:
        drawn = _draw(zoo, name, version, measured, mistakes)
        told = f"drew {counted(drawn, 'mistake')} in {mistakes}" if drawn else "no mistakes to draw"
        tell(told, err=as_json)


def _measure(
    zoo: Zoo,
    name: str,
    version: int | None,
    quick: bool,
    data: Path | None,
    conditions: Sequence[Condition],
    stored: bool = False,
) -> Measured:
    """Measure on the files of `data`, or without it on the test pictures; `stored` reuses the card's evaluation."""
    from zoo import labelled
    from zoo.measuring import Measured, on_files

    if data is None:
        card = zoo.model(name).load(version).card
        if stored and card.evaluation is not None:
            return Measured(card, card.evaluation)
        return Measured(*zoo.evaluate(name, version=version, quick=quick, track=_track("measuring robustness")))
    files = labelled.read(data, zoo.model(name).load(version).card.labels, conditions)
    title = " ".join([str(data), *(str(condition) for condition in conditions)])
    return on_files(zoo, name, title, files, version=version, track=_track("reading"))


def _track(what: str) -> Track:
    """Return a Track that shows a progress bar labelled `what`."""

    def steps(these: Sequence[int]) -> Iterable[int]:
        return terminal.track(these, what)

    return steps


def _draw(zoo: Zoo, name: str, version: int | None, measured: Measured, path: Path) -> int:
    """Draw the worst mistakes into a file, if there are any, and return how many."""
    from zoo import gallery
    from zoo.evaluation import worst
    from zoo.measuring import seen

    labels = measured.card.labels
    mistakes = worst(measured.evaluation, DRAWN)
    captions = [
        (f"{labels[m.label]} read as {labels[m.predicted]}", terminal.percent(m.confidence), measured.title(m))
        for m in mistakes
    ]
    if mistakes:
        pictures = seen(zoo, name, measured, mistakes, version=version)
        drawing.write(path, gallery.draw(list(zip(pictures, captions, strict=True))))
    return len(mistakes)
