"""Commands that only read the zoo: list what is in it, and check it for errors."""

from __future__ import annotations

from dataclasses import asdict

import click

from zoo import terminal
from zoo.cli.common import as_json, echo_json, open_zoo, tell
from zoo.errors import closest, counted, cut


@click.command()
@as_json
@click.pass_context
def models(ctx: click.Context, as_json: bool) -> None:
    """List the models with their descriptions and accuracies."""
    from zoo import listings

    rows = listings.models(open_zoo(ctx))
    if as_json:
        echo_json([asdict(row) for row in rows])
        return
    terminal.table(
        ("model", "checkpoint", "test accuracy", "epochs", "parameters", "description"),
        [
            (
                f"{row.name} (default)" if row.default else row.name,
                row.checkpoint or "-",
                terminal.percent(row.accuracy),
                str(row.epochs or "-"),
                f"{row.parameters:,}" if row.parameters else "-",
                f"cannot answer: {row.problem}" if row.problem else row.summary,
            )
            for row in rows
        ],
    )


@click.command()
@click.argument("name", required=False)
@as_json
@click.pass_context
def plugins(ctx: click.Context, name: str | None, as_json: bool) -> None:
    """List the plugins, and what is wrong with those set aside; or show plugin NAME with its settings.

    Settings go into a model's table in settings.toml, or for one run into zoo train --set.
    """
    from zoo import listings

    zoo = open_zoo(ctx, to_train=True)
    rows = [row for row in listings.plugins(zoo) if name in (None, row.name)]
    if name is not None and not rows:
        known = [*zoo.plugins.families, *zoo.plugins.quarantined]
        raise click.BadParameter(
            f'there is no plugin "{cut(name)}".{closest(name, known)} The plugins are: {", ".join(known) or "none"}.',
            param_hint="NAME",
        )
    if as_json:
        echo_json([asdict(row) for row in rows])
        return
    cells = [
        (
            row.name,
            row.source,
            ", ".join(row.hooks) or "-",
            ", ".join(row.models) or "-",
            f"SET ASIDE: {row.problem}" if row.problem else "; ".join(row.warnings) or "ok",
        )
        for row in rows
    ]
    columns = ("plugin", "from", "hooks", "models", "state")
    if name is None:
        terminal.table(columns, cells)
    else:
        facts = [*zip(columns, cells[0], strict=True), ("what it is", rows[0].summary or "-")]
        terminal.table(("", ""), facts)
    family = zoo.plugins.families.get(name or "")
    if family is not None and not family.addon:
        tell("")
        terminal.table(
            ("setting", "default", "takes", "what it is"),
            [(one.key, one.default, one.takes, one.description) for one in listings.settings(family.settings)],
        )
    for row in rows:
        if row.traceback:
            tell(f"\n{row.name}:\n{row.traceback.rstrip()}")


@click.command()
@as_json
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Check settings, plugins, models and all files of checkpoints."""
    from zoo.checking import check as look

    found = look(open_zoo(ctx))
    errors = sum(finding.level == "error" for finding in found)
    warnings = sum(finding.level == "warning" for finding in found)
    if as_json:
        echo_json([{"level": f.level, "what": f.what, "text": f.text} for f in found])
    else:
        terminal.table(("", "", ""), [(f.level, f.what, f.text) for f in found])
        tell(f"{counted(errors, 'error')}, {counted(warnings, 'warning')}.", err=True)
    ctx.exit(1 if errors else 0)


@click.command()
@click.argument("name", required=False)
@as_json
@click.pass_context
def checkpoints(ctx: click.Context, name: str | None, as_json: bool) -> None:
    """List the checkpoints of all models, or of model NAME."""
    from zoo import listings
    from zoo.configuration import as_text

    zoo = open_zoo(ctx, to_train=True)
    if name is not None and name not in zoo.catalogue.models():
        zoo.model(name)
    rows = [row for row in listings.checkpoints(zoo) if name in (None, row["model"])]
    if as_json:
        echo_json(rows)
        return
    terminal.table(
        ("checkpoint", "served by", "epochs", "validation", "test accuracy", "size", "created", "changed settings"),
        [
            (
                row["checkpoint"],
                ", ".join(row["served_by"]) or "-",
                *(
                    ("-", "-", "-", "-", "-", row["problem"])
                    if row["problem"]
                    else (
                        str(row["epochs"] or "-"),
                        terminal.percent(row["validation"]),
                        terminal.percent(row["accuracy"]),
                        f"{row['bytes'] / 1e6:.2f} MB",
                        row["created"][:10],
                        ", ".join(f"{key} = {as_text(value)}" for key, value in row["overrides"].items()) or "-",
                    )
                ),
            )
            for row in rows
        ],
    )
