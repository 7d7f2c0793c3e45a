"""What all worker processes were asked by the Open Inference Protocol, counted by model and version."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from webui import tally
from zoo.zoo import Zoo

NAME = "v2"  # of the series, which `/metrics` does not tell
STEPS = ("compute_input", "compute_infer", "compute_output")
"""What a request that succeeds goes through: its tensor is read, its pictures are answered, the outputs written."""

ENDS = ("success", "fail", "queue", *STEPS, "cache_hit", "cache_miss")
"""Each with a count and a time; requests wait before they are the protocol's, and no answer is kept."""


class Statistics:
    """What the server was asked by this protocol, by model and version."""

    def __init__(self, zoo: Zoo) -> None:
        self._tally = tally.of(zoo)
        self._sheet = self._tally.own

    def add(self, name: str, version: str, pictures: int, clock: Sequence[int]) -> None:
        """Count one request, by when it began and when each of `STEPS` was done; with fewer of them it failed.

        The clock is in nanoseconds.
        """
        done = len(clock) > len(STEPS)
        if done:
            told = {"pictures": pictures, "success.count": 1}
            told |= {step: end - start for step, (start, end) in zip(STEPS, pairwise(clock), strict=True)}
            self._sheet.put((NAME, name, version, "last"), int(time.time() * 1000))
        else:
            told = {"fail.count": 1, "fail.ns": time.monotonic_ns() - clock[0]}
        for what, count in told.items():
            self._sheet.add((NAME, name, version, what), count)

    def of(self, name: str, version: str) -> dict[str, Any]:
        """The counts of one version in all processes, as the protocol tells them."""
        found: dict[str, list[int]] = {}
        for key, numbers in self._tally.series():
            if key[:3] == (NAME, name, version):
                found.setdefault(key[3], []).append(int(numbers[0]))
        count = {what: sum(counts) for what, counts in found.items()}
        steps = {step: count.get(step, 0) for step in STEPS}
        successes = count.get("success.count", 0)
        ends = {end: {"count": 0, "ns": 0} for end in ENDS}
        ends["success"] = {"count": successes, "ns": sum(steps.values())}
        ends["fail"] = {"count": count.get("fail.count", 0), "ns": count.get("fail.ns", 0)}
        ends["queue"]["count"] = successes
        ends |= {step: {"count": successes, "ns": taken} for step, taken in steps.items()}
        return {
            "name": name,
            "version": version,
            "last_inference": max(found.get("last", [0])),
            "inference_count": count.get("pictures", 0),
            "execution_count": successes,
            "inference_stats": ends,
            "batch_stats": [],
        }
