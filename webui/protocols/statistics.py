"""What all worker processes were asked by the Open Inference Protocol, counted by model and version."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from webui import tally
from zoo.zoo import Zoo

NAME = "v2"  # of the series, which `/metrics` does not show
STEPS = ("compute_input", "compute_infer", "compute_output")
"""The steps of a successful request: read its tensors, predict, write the outputs."""


class Statistics:
    """What the server was asked by this protocol, by model and version."""

    def __init__(self, zoo: Zoo) -> None:
        self._tally = tally.of(zoo)
        self._sheet = self._tally.own

    def add(self, name: str, version: str, pictures: int, nanoseconds: int, steps: Mapping[str, int] | None) -> None:
        """Count one request; `steps` has the nanoseconds of each of STEPS, or is None for a request that failed."""
        how = "fail" if steps is None else "success"
        told = {"pictures": pictures, f"{how}.count": 1, f"{how}.ns": nanoseconds}
        told |= {f"{step}.ns": taken for step, taken in (steps or {}).items()}
        for what, count in told.items():
            self._sheet.add((NAME, name, version, what), count)
        if steps is not None:
            self._sheet.put((NAME, name, version, "last"), int(time.time() * 1000))

    def of(self, name: str, version: str) -> dict[str, Any]:
        """Return the counts of one version over all processes, in the protocol's form."""
        found: dict[str, list[int]] = {}
        for key, numbers in self._tally.series():
            if key[:3] == (NAME, name, version):
                found.setdefault(key[3], []).append(int(numbers[0]))
        count = {what: sum(numbers) for what, numbers in found.items()}
        good = count.get("success.count", 0)
        counts = {"success": good, "fail": count.get("fail.count", 0)}
        counts |= dict.fromkeys(("queue", *STEPS), good)  # the time that each waited for a thread is not known
        counts |= {"cache_hit": 0, "cache_miss": 0}
        return {
            "name": name,
            "version": version,
            "last_inference": max(found.get("last", [0])),
            "inference_count": count.get("pictures", 0),
            "execution_count": good,
            "inference_stats": {
                what: {"count": number, "ns": count.get(f"{what}.ns", 0)} for what, number in counts.items()
            },
            "batch_stats": [],
        }
