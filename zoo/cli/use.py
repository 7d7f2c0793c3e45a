"""Commands that use the zoo: serve it, read pictures, start a new one."""

from __future__ import annotations

import logging
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo import terminal
from zoo.cli import drawing
from zoo.cli.common import as_json, echo_json, open_zoo, say, tell
from zoo.errors import PictureError, ZooError

if TYPE_CHECKING:
    from zoo.sources import Source
    from zoo.types import Prediction, Step
    from zoo.zoo import Zoo

BATCH = 256  # pictures predicted at a time
EXPLAINED = 40  # pictures that --explain draws, at most: 12,000 pixels high
SUFFIXES = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp"}  # of the files that are read from folders


@click.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 picks any free port.")
@click.option("--workers", type=click.IntRange(1, 64), help="Worker processes.")
@click.pass_context
def serve(ctx: click.Context, /, **options: Any) -> None:
    """Serve the page and the API."""
    from webui.logs import notice
    from webui.server import serve_zoo

    flags = {("server", name): (f"--{name}", value) for name, value in options.items() if value is not None}
    logging.getLogger().setLevel(min(logging.getLogger().level, logging.WARNING))
    zoo = open_zoo(ctx, flags=flags)
    form = zoo.settings.server.log
    for name, model in zoo.models.items():
        if trouble := model.trouble():
            say(notice(f"{name} cannot answer: {trouble}", "WARNING", form), err=True)
    which = "The starter zoo" if zoo.is_starter else "The zoo"
    serve_zoo(zoo, lambda url: say(notice(f"{which} is served at {url} (Ctrl-C to stop)", "INFO", form)))


@click.command()
@click.argument("pictures", nargs=-1, required=True)
@click.option("--model", "-m", help="Model to use (default: default_model in settings.toml).")
@click.option("--version", type=click.IntRange(1), help="Use this version instead of the selected one.")
@click.option(
    "--trace", is_flag=True, help="With --json: add what preprocessing did, and the picture that the model saw."
)
@click.option(
    "--explain",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="OUT.PNG",
    help="Also draw the steps from each picture to what the model saw, one row per picture.",
)
@as_json
@click.pass_context
def predict(
    ctx: click.Context,
    pictures: tuple[str, ...],
    model: str | None,
    version: int | None,
    trace: bool,
    explain: Path | None,
    as_json: bool,
) -> None:
    """Read the digit in each picture.

    PICTURES are files, folders, or - for a picture on standard input. In a folder, files ending in .png, .jpg, .jpeg,
    .gif, .webp or .bmp are read, except hidden ones.
    """
    if trace and not as_json:
        raise click.UsageError("--trace needs --json.")
    zoo = open_zoo(ctx)
    zoo.model(model)
    failed = 0
    rows: list[dict[str, Any]] = []
    asked = list(_pictures(pictures))
    names = [name for name, _ in asked]
    if explain is not None and len(names) > EXPLAINED:
        raise click.UsageError(f"--explain draws up to {EXPLAINED} pictures, but there are {len(names)}.")
    if explain is not None:
        drawing.refuse("--explain", explain, [name for name in (*names, *pictures) if name != "-"])
    explained: list[tuple[str, list[Step]]] = []
    with closing(_answers(zoo, model, version, [source for _, source in asked], trace)) as answers:
        for at in terminal.track(range(len(names)), "reading"):
            source, answer = next(answers)
            if isinstance(answer, ZooError):
                failed += 1
                rows.append({"file": names[at], "error": str(answer)})
            else:
                rows.append({"file": names[at], **answer.to_dict(trace=trace)})
                if explain is not None:
                    title = "   ".join(word for word in _row(rows[-1]) if word.strip("-"))
                    explained.append((title, zoo.explain(model, source, version=version)))
    if explain is not None and explained:
        from zoo import strip

        drawing.write(explain, strip.draw(explained))
    if as_json:
        echo_json({"predictions": rows})
    else:
        terminal.table(("file", "label", "confidence", ""), [_row(row) for row in rows])
    ctx.exit(1 if failed else 0)


@click.command()
@click.argument("pictures", nargs=-1, required=True)
@click.option("--model", "-m", help="Model to use (default: default_model in settings.toml).")
@click.option("--version", type=click.IntRange(1), help="Use this version instead of the selected one.")
@as_json
@click.pass_context
def read(ctx: click.Context, pictures: tuple[str, ...], model: str | None, version: int | None, as_json: bool) -> None:
    """Read all the digits in each picture.

    PICTURES are files, folders, or - for a picture on standard input. Prints one line of text for each line of digits,
    and a note that names guessed and touching digits. --json gives boxes and confidences.
    """
    zoo = open_zoo(ctx)
    zoo.model(model).load(version)
    rows: list[dict[str, Any]] = []
    for name, source in _pictures(pictures):
        try:
            source = _taken(zoo, source)
            rows.append({"file": name, **zoo.read(model, source, version=version).to_dict()})
        except PictureError as error:
            rows.append({"file": name, "error": str(error)})
    failed = sum("error" in row for row in rows)
    if as_json:
        echo_json({"readings": rows})
    elif len(rows) == 1 and not failed:
        tell(rows[0]["text"] or f"nothing to read: {rows[0]['reason']}", err=not rows[0]["text"])
        if guessed := _guessed(rows[0]):
            tell(guessed, err=True)
    else:
        terminal.table(("file", "digits", ""), [_told(row) for row in rows])
    ctx.exit(1 if failed else 0)


def _answers(
    zoo: Zoo, model: str | None, version: int | None, sources: Sequence[Source], trace: bool
) -> Generator[tuple[Source, Prediction | ZooError]]:
    """Yield each picture with its answer, using several processes if there are many pictures."""
    from zoo import spread

    if "-" not in sources and spread.pays(zoo, model, len(sources), version):
        with closing(spread.predict_many(zoo, model, sources, version=version, trace=trace)) as found:
            yield from zip(sources, chain.from_iterable(found), strict=True)
        return
    for start in range(0, len(sources), BATCH):
        batch = [_taken(zoo, source) for source in sources[start : start + BATCH]]
        yield from zip(batch, zoo.predict_many(model, batch, version=version), strict=True)


def _taken(zoo: Zoo, source: Source) -> Source:
    """Return a source as it is, or for "-" what standard input has, up to the zoo's limit."""
    return sys.stdin.buffer.read(zoo.settings.pictures.most) if source == "-" else source


def _told(row: dict[str, Any]) -> tuple[str, str, str]:
    """Return a reading as a row of the table: file, digits, and a note or error."""
    if "error" in row:
        return row["file"], "-", row["error"]
    return row["file"], row["text"].replace("\n", " / ") or "-", row["reason"] or _guessed(row)


def _guessed(row: dict[str, Any]) -> str:
    """Name the digits of a reading that are guessed or touch another, by their places from 1; "" without any."""
    signs = list(enumerate(row["digits"], 1))
    guessed = [f"{sign['label']} (digit {n})" for n, sign in signs if sign["rejected"]]
    touching = [f"{sign['label']} (digit {n})" for n, sign in signs if sign["touching"] and not sign["rejected"]]
    kinds = (("guessed", guessed), ("touching", touching))
    return "; ".join(f"{kind}: {', '.join(told)}" for kind, told in kinds if told)


def _pictures(names: tuple[str, ...]) -> Iterator[tuple[str, Source]]:
    """Yield the given files, and the pictures inside the given folders, each with its name.

    Raises ZooError for a folder without any.
    """
    from zoo.sources import found, inside

    for name in names:
        folder = Path(name)
        if name == "-" or not folder.is_dir():
            yield name, name
            continue
        paths = list(map(str, inside(folder, SUFFIXES)))
        if not paths:
            raise ZooError(f"{folder} has no pictures. Expected files ending in {', '.join(sorted(SUFFIXES))}.")
        yield from ((path, found(path)) for path in paths)


def _row(row: dict[str, Any]) -> tuple[str, str, str, str]:
    """Return a prediction as a row of the table: file, label, confidence, and a note or error."""
    from zoo.types import NOTHING

    if "error" in row:
        return row["file"], "-", "-", row["error"]
    if row["reason"] in NOTHING:
        return row["file"], "-", "-", f"nothing to read: {row['reason']}"
    if row["rejected"]:
        return row["file"], "-", terminal.percent(row["confidence"]), f"{row['reason']} (best guess {row['label']})"
    return row["file"], row["label"], terminal.percent(row["confidence"]), ""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
def init(folder: Path) -> None:
    """Create a zoo of your own.

    Copies the settings, plugins and checkpoints of the starter zoo into FOLDER (default: the working directory).
    """
    from zoo.starter import init as copy_starter

    root = copy_starter(folder)
    enter = "" if root == Path() else f"cd {root} && "
    tell(f"created a zoo in {root}: settings.toml, plugins/, checkpoints/\nserve it: {enter}zoo serve")
