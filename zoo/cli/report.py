"""Format an evaluation as plain text, 80 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from zoo import terminal
from zoo.errors import counted

if TYPE_CHECKING:
    from zoo.cards import ClassFigures, Reliability, Robustness
    from zoo.measuring import Measured, Seeds

WIDTH = 80  # columns
LISTED = 5  # mistakes listed, the worst ones
GAP = "  "  # between the columns of a table

Lines = list[str]


def evaluation(measured: Measured) -> str:
    """Format an evaluation: headline, rejections, classes and reliability, confusions, robustness, worst mistakes."""
    found = measured.evaluation
    parts = [_headline(measured)]
    if found.classes:
        parts.append(_beside(_classes(found.classes), _reliability(found.calibration)))
        parts.append(_confusion(found.confusion, measured.card.labels))
    if found.calibration is not None:
        parts.append([_calibration(found.calibration)])
    if found.robustness is not None:
        parts.append(_robustness(found.robustness))
    if found.mistakes:
        parts.append(_mistakes(measured))
    return "\n\n".join("\n".join(line.rstrip() for line in part) for part in parts)


def seeds(name: str, runs: Seeds) -> str:
    """Format the versions of different seeds: a row per version, then mean and sample standard deviation."""
    rows = [
        (
            run.card.ref,
            str(run.card.settings.get("seed", "-")),
            terminal.percent(run.evaluation.accuracy),
            f"{run.evaluation.pictures - run.evaluation.correct:,}",
        )
        for run in runs.runs
    ]
    lines = [f"{name} on {runs.runs[0].evaluation.data}"]
    lines += ["", *_table(("checkpoint", "seed", "accuracy", "mistakes"), rows), ""]
    spread = (
        "no standard deviation" if runs.deviation is None else (f"standard deviation {100 * runs.deviation:.2f} points")
    )
    lines.append(f"mean {terminal.percent(runs.mean)}, {spread} ({counted(len(rows), 'version')})")
    if runs.deviation is None:
        lines.append(f"train it with other seeds: zoo train {name} --seed 2")
    if runs.repeated:
        which = ", ".join(map(str, runs.repeated))
        lines.append(f"more than one version has seed {which}: the deviation looks smaller than it is")
    return "\n".join(lines)


def _headline(measured: Measured) -> Lines:
    """Format the accuracy with its interval, the rejections and the files left out."""
    found = measured.evaluation
    low, high = found.interval
    first = f"{measured.card.ref} on {found.data}: {terminal.percent(found.accuracy)}"
    more = f"({found.correct} of {found.pictures}; 95 % interval {100 * low:.2f}-{100 * high:.2f})"
    lines = [f"{first} {more}"] if len(first) + len(more) < WIDTH else [first, more]
    if found.classes:
        total = sum(found.rejected.values())
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in found.rejected.items())
        told = (
            f"rejected: {total:,} ({terminal.percent(total / found.pictures)}: {reasons}); "
            f"accuracy of the others {terminal.percent(found.accepted_accuracy)}"
            if total
            else "rejected: none"
        )
        lines += textwrap.wrap(told, WIDTH)
    left = {why: count for why, count in measured.left_out.counts.items() if count}
    if left:
        lines.append("left out: " + ", ".join(f"{count:,} {why}" for why, count in left.items()))
        lines += [f"  {text}" for text in measured.left_out.named]
        rest = sum(left.values()) - len(measured.left_out.named)
        lines += [f"  and {rest:,} more"] if rest else []
    return lines


def _classes(rows: Sequence[ClassFigures]) -> Lines:
    """Format recall, precision and F1 of each class, in per cent."""
    return _table(
        ("label", "pictures", "recall", "precision", "F1"),
        [
            (
                _short(row.label),
                f"{row.pictures:,}",
                *(terminal.percent(share).removesuffix(" %") for share in (row.recall, row.precision, row.f1)),
            )
            for row in rows
        ],
    )


def _reliability(found: Reliability | None) -> Lines:
    """Format the reliability bins that have answers, in per cent; no lines without a reliability."""
    if found is None:
        return []
    return _table(
        ("confidence", "answers", "right"),
        [
            (
                f"{100 * part.confidence:.2f}" if part.confidence is not None else "-",
                f"{part.count:,}",
                f"{100 * part.accuracy:.2f}" if part.accuracy is not None else "-",
            )
            for part in found.bins
            if part.count
        ],
    )


def _confusion(counts: Sequence[Sequence[int]], labels: Sequence[str]) -> Lines:
    """Format the confusion matrix if it fits into WIDTH, else the ten pairs confused most."""
    names = [_short(label) for label in labels]
    rows = [(name, *(str(count) if count else "·" for count in row)) for name, row in zip(names, counts, strict=True)]
    width = max(len(cell) for row in rows for cell in row[1:])
    drawn = _table(("label", *(name.rjust(width) for name in names)), rows)
    if max(map(len, drawn)) <= WIDTH:
        return ["confusion: one row per label, one column per answer", *drawn]
    pairs = sorted(
        ((count, i, j) for i, row in enumerate(counts) for j, count in enumerate(row) if i != j and count),
        key=lambda pair: (-pair[0], pair[1:]),
    )
    if not pairs:
        return ["confused labels: none"]
    return _table(
        ("label", "read as", "times"), [(labels[i], labels[j], f"{count:,}") for count, i, j in pairs[:10]], left=2
    )


def _calibration(found: Reliability) -> str:
    """Format the calibration error, log-loss and Brier score as one line."""
    return (
        f"calibration: error {100 * found.ece:.2f} points (ECE, {len(found.bins)} bins), "
        f"log-loss {abs(found.nll):.4f}, Brier {found.brier:.4f}"
    )


def _robustness(found: Robustness) -> Lines:
    """Format a row per kind of harder pictures, with its strengths and the accuracy at each."""
    rows = [
        (
            f"{kind.kind}, {kind.unit}",
            *(
                cell
                for strength, accuracy in zip(kind.strengths, kind.accuracy, strict=True)
                for cell in (f"{strength:g}", f"{100 * accuracy:.2f}")
            ),
        )
        for kind in found.kinds
    ]
    nothing = [
        f"{count:,} of {kind.kind} {strength:g}"
        for kind in found.kinds
        for strength, count in zip(kind.strengths, kind.rejected, strict=True)
        if count
    ]
    return [
        f"robustness, on the first {found.pictures:,} test pictures ({terminal.percent(found.plain)} unchanged)",
        *_table(("made harder", "weak", "%", "middle", "%", "strong", "%"), rows),
        *textwrap.wrap(f"rejected: {'; '.join(nothing) or 'none'}", WIDTH),
    ]


def _mistakes(measured: Measured) -> Lines:
    """Format the worst LISTED mistakes."""
    from zoo.evaluation import worst

    labels = measured.card.labels
    rows = [
        (_short(labels[m.label]), _short(labels[m.predicted]), terminal.percent(m.confidence), measured.title(m))
        for m in worst(measured.evaluation, LISTED)
    ]
    drawn = _table(("label", "read as", "confidence", "picture"), rows, left=2, last_left=True)
    return [f"the worst of {counted(len(measured.evaluation.mistakes), 'mistake')}", *drawn]


def _short(label: str) -> str:
    """Shorten a label to 12 characters."""
    return label if len(label) <= 12 else label[:11] + "…"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1, last_left: bool = False) -> Lines:
    """Format a table. The first `left` columns, and the last with `last_left`, are left-aligned, the others right."""
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    last = len(columns) - 1
    return [
        GAP.join(
            cell.ljust(width) if at < left or (at == last and last_left) else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (columns, *rows)
    ]


def _beside(one: Lines, other: Lines) -> Lines:
    """Put two tables side by side, or one below the other if they would be wider than WIDTH."""
    width = max(map(len, one))
    if width + 6 + max(map(len, other), default=0) > WIDTH:
        return [*one, "", *other]
    return [f"{a:{width}}      {b}" for a, b in zip_longest(one, other, fillvalue="")]
