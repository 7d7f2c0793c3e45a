"""The history of a training, one row of numbers per epoch: as a `train` hook returns it, and as a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from numbers import Integral, Real
from typing import Any

import numpy as np

Row = Mapping[str, float]

LARGEST = 1e12  # of the numbers read from a file; larger ones are mistakes, and a page could not show them


def rows_of(history: Any) -> tuple[list[Row], str]:
    """Return a train hook's history as rows of int and float, and what is wrong with it, or "".

    The History that Keras' `fit` returns is accepted too, without the metrics that it did not measure in every epoch.
    No rows become one of epoch 0: nothing was trained.
    """
    if isinstance(columns := getattr(history, "history", None), dict):
        history = _rows_of_columns(columns)
    if not isinstance(history, Sequence) or not all(isinstance(row, Mapping) for row in history):
        items = "" if isinstance(history, str) or not isinstance(history, Sequence) else " of other things"
        return [], (
            "should return one row per epoch, such as [{'epoch': 1, 'loss': 0.1}], [] if it trains nothing, or what "
            f"Keras' fit returns, not {type(history).__name__}{items}."
        )
    wrong = ""
    rows: list[Row] = []
    for place, row in enumerate(list(history) or [{"epoch": 0}], 1):
        numbers = {str(name): _number(value) for name, value in row.items()}
        rows.append({name: value for name, value in numbers.items() if value is not None})
        for name, value in row.items():
            if numbers[str(name)] is None and not wrong:
                what = f"{str(value)[:80]!r} ({type(value).__name__})"
                wrong = f'returned "{name}" = {what} in row {place}; it should be a number.'
    return rows, wrong


def _rows_of_columns(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return one row per epoch from the metrics of Keras' History, without those that have fewer values than others."""
    epochs = max(map(len, columns.values()), default=0)
    whole = {name: values for name, values in columns.items() if len(values) == epochs}
    return [{"epoch": i + 1, **{name: values[i] for name, values in whole.items()}} for i in range(epochs)]


def _number(value: Any) -> int | float | None:
    """Convert a number of Python, NumPy or TensorFlow to int or float; None when it is not a number."""
    if getattr(value, "shape", None) == () and not isinstance(value, np.generic):
        value = np.asarray(value)[()]
    if isinstance(value, Integral | np.bool_):
        return int(value)
    return float(value) if isinstance(value, Real) else None


def to_csv(rows: Sequence[Row]) -> bytes:
    """Return the history as a CSV file with a column for every name in any row."""
    text = io.StringIO()
    names = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(text, fieldnames=list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: v if isinstance(v, int) else f"{v:.6g}" for k, v in row.items()} for row in rows)
    return text.getvalue().encode()


def from_csv(content: bytes) -> list[dict[str, float]]:
    """Return the rows of a CSV file without cells that are not numbers from -LARGEST to LARGEST; [] if it is none."""
    try:
        return [_numbers(row) for row in csv.DictReader(io.StringIO(content.decode(), newline=""))]
    except (ValueError, csv.Error):
        return []


def _numbers(row: Mapping[str | None, str | list[str] | None]) -> dict[str, float]:
    """Return the numbers of a CSV row from -LARGEST to LARGEST by their columns."""
    numbers = {}
    for name, text in row.items():
        with suppress(TypeError, ValueError):
            if name is not None and abs(number := float(text)) <= LARGEST:  # type: ignore[arg-type]
                numbers[name] = number
    return numbers
