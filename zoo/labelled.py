"""Read a user's labelled pictures: a folder with a sub-folder for each label, or a CSV file with path and label."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import DatasetError, closest
from zoo.sources import inside

LIST = "labels.csv"
COLUMNS = ("path", "label")


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that selects rows of a CSV file: `column` is `value`, or with `negated` is not."""

    column: str
    value: str
    negated: bool

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Parse `column=value` or `column!=value`. Raises ValueError for anything else."""
        match = re.fullmatch(r"([^=!]+)(!?)=(.*)", text, re.DOTALL)
        if match is None:
            raise ValueError(f"{text!r} should be COLUMN=VALUE or COLUMN!=VALUE.")
        return cls(match[1].strip(), match[3].strip(), bool(match[2]))

    def __str__(self) -> str:
        return f"{self.column}{'!=' if self.negated else '='}{self.value}"

    def holds(self, row: dict[str, str]) -> bool:
        """Whether a row meets the condition."""
        return (row[self.column] == self.value) != self.negated


def read(source: Path, labels: Sequence[str], where: Sequence[Condition] = ()) -> list[tuple[Path, str]]:
    """Return the paths and labels of the pictures in `source`, in its order; neither is checked here.

    `source` is a CSV file, or a folder with labels.csv, with sub-folders named by `labels`, or with exactly one CSV
    file, in this order. Paths in a CSV file are relative to it, and only rows that meet every condition of `where` are
    taken. Raises DatasetError when there is no such source, or nothing in it.
    """
    try:
        return _read(source, labels, where)
    except OSError as error:
        raise DatasetError(f"{error.filename or source} cannot be read: {error.strerror}.") from error


def _read(source: Path, labels: Sequence[str], where: Sequence[Condition]) -> list[tuple[Path, str]]:
    """Read `source` as `read` does; also raises OSError."""
    if source.is_file():
        return _listed(source, where)
    if not source.is_dir():
        raise DatasetError(f"{source}: no such folder or file. {_expected(labels)}")
    lists = sorted(path for path in source.iterdir() if path.suffix.lower() == ".csv" and path.is_file())
    folders = sorted(path for path in source.iterdir() if _is_folder(path, labels) and not path.name.startswith("."))
    if source / LIST in lists:
        return _listed(source / LIST, where)
    if any(folder.name in labels for folder in folders):
        return _in_folders(source, folders, labels, where)
    if len(lists) == 1:
        return _listed(lists[0], where)
    if lists:
        raise DatasetError(
            f"{source} has {len(lists)} CSV files but no {LIST}. Choose one: {', '.join(map(str, lists))}."
        )
    names = ", ".join(folder.name for folder in folders[:10])
    raise DatasetError(
        f"{source}: no labelled pictures{f', only the folders {names}' if names else ''}. {_expected(labels)}"
    )


def _in_folders(
    source: Path, folders: Sequence[Path], labels: Sequence[str], where: Sequence[Condition]
) -> list[tuple[Path, str]]:
    """Return the paths in the folders of `source`, labelled with the folders' names. Raises DatasetError."""
    if where:
        raise DatasetError(f"{source} has a folder for each label but no {LIST}, so there are no columns to select by.")
    pictures = [(path, folder.name) for folder in folders for path in inside(folder)]
    if not pictures:
        raise DatasetError(f"{source}: its folders are empty. {_expected(labels)}")
    return pictures


def _expected(labels: Sequence[str]) -> str:
    """Return the sentence of an error message that says what a source should contain."""
    return (
        f"Expected: a folder for each label ({', '.join(labels)}) with pictures in it, or a CSV file with the columns "
        f"{' and '.join(COLUMNS)}."
    )


def _is_folder(path: Path, labels: Sequence[str]) -> bool:
    """Whether a path is a folder, or a label's broken link."""
    return path.is_dir() or (path.name in labels and path.is_symlink() and not path.exists())


def _listed(path: Path, where: Sequence[Condition]) -> list[tuple[Path, str]]:
    """Return paths and labels from the rows of a CSV file that meet every condition. Raises DatasetError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns = list(reader.fieldnames or ())
            rows = [{name: (row[name] or "").strip() for name in columns} for row in reader]
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(
            f"{path} is not a CSV file in UTF-8 ({error}). Expected one with the columns {' and '.join(COLUMNS)}."
        ) from error
    have = ", ".join(columns) or "-"
    for column in (*COLUMNS, *(condition.column for condition in where)):
        if column not in columns:
            raise DatasetError(f'{path} has no column "{column}".{closest(column, columns)} Its columns are: {have}.')
        if columns.count(column) > 1:
            raise DatasetError(f'{path} has the column "{column}" more than once. Its columns are: {have}.')
    taken = [row for row in rows if all(condition.holds(row) for condition in where)]
    if not rows:
        raise DatasetError(f"{path} has no rows below the column names.")
    if not taken:
        conditions = " and ".join(map(str, where))
        values = "; ".join(f"{c.column} is one of {_some({row[c.column] for row in rows})}" for c in where)
        raise DatasetError(f"{path}: none of its {len(rows)} rows matches {conditions}. {values}.")
    return [(path.parent / row["path"], row["label"]) for row in taken]


def _some(values: set[str]) -> str:
    """List up to ten values for an error message."""
    return ", ".join(sorted(values)[:10]) + (", …" if len(values) > 10 else "")
