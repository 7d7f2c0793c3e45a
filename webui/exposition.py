"""Metrics in Prometheus' text format: https://prometheus.io/docs/instrumenting/exposition_formats/"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from webui.tally import Tally

TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Metric:
    """A metric: name, type, help text and labels. The numbers of all processes are added, or the largest is taken.

    With `omits_zeros`, series that are 0 are left out.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    what: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    largest: bool = False
    omits_zeros: bool = False


def exposition(counted: Tally, metrics: Sequence[Metric]) -> str:
    """Return these metrics in Prometheus' text format."""
    names = {metric.name: metric for metric in metrics}
    found: dict[str, dict[tuple[str, ...], list[float]]] = {name: {} for name in names}
    for (name, *labels), numbers in counted.series():
        if name in names:
            before = found[name].setdefault(tuple(labels), [0.0] * len(numbers))
            join = max if names[name].largest else float.__add__
            found[name][tuple(labels)] = [join(old, new) for old, new in zip(before, numbers, strict=True)]
    return "\n".join(line for metric in metrics for line in _lines(metric, found[metric.name])) + "\n"


def _lines(metric: Metric, series: dict[tuple[str, ...], list[float]]) -> Iterator[str]:
    """Yield the lines of a metric and its series."""
    yield f"# HELP {metric.name} {metric.what}"
    yield f"# TYPE {metric.name} {metric.kind}"
    for values, numbers in sorted(series.items()):
        if metric.omits_zeros and not numbers[0]:
            continue
        labels = list(zip(metric.labels, values, strict=True))
        if not metric.bounds:
            yield f"{metric.name}{_labels(labels)} {_number(numbers[0])}"
            continue
        total = 0.0
        for bound, count in zip((*metric.bounds, float("inf")), numbers[:-1], strict=True):
            total += count
            yield f"{metric.name}_bucket{_labels([*labels, ('le', _number(bound))])} {_number(total)}"
        yield f"{metric.name}_sum{_labels(labels)} {_number(numbers[-1])}"
        yield f"{metric.name}_count{_labels(labels)} {_number(total)}"


def _labels(pairs: list[tuple[str, str]]) -> str:
    told = (f'{name}="{value.translate(_ESCAPES)}"' for name, value in pairs)
    return f"{{{','.join(told)}}}" if pairs else ""


_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def _number(value: float) -> str:
    if value == float("inf"):
        return "+Inf"
    return str(int(value)) if value == int(value) else repr(value)
