"""What all worker processes were asked by the Open Inference Protocol, counted by model and version."""

from __future__ import annotations

import time
from typing import Any

from webui import tally
from zoo.zoo import Zoo

NAME = "v2"  # of the series, which `/metrics` does not tell


class Statistics:
    """What the server was asked by this protocol, by model and version."""

    def __init__(self, zoo: Zoo) -> None:
        self._tally = tally.of(zoo)
        self._sheet = self._tally.own

    def add(self, name: str, version: str, pictures: int, nanoseconds: int, success: bool) -> None:
        """Count one request."""
        how = "success" if success else "fail"
        told = {"pictures": pictures, "runs": int(success), f"{how}.count": 1, f"{how}.ns": nanoseconds}
        for what, count in told.items():
            self._sheet.add((NAME, name, version, what), count)
        if success:
            self._sheet.put((NAME, name, version, "last"), int(time.time() * 1000))

    def of(self, name: str, version: str) -> dict[str, Any]:
        """The counts of one version in all processes, as the protocol tells them."""
        found: dict[str, list[int]] = {}
        for key, numbers in self._tally.series():
            if key[:3] == (NAME, name, version):
                found.setdefault(key[3], []).append(int(numbers[0]))
        count = {what: sum(counts) for what, counts in found.items()}
        return {
            "name": name,
            "version": version,
            "last_inference": max(found.get("last", [0])),
            "inference_count": count.get("pictures", 0),
            "execution_count": count.get("runs", 0),
            "inference_stats": {
                how: {what: count.get(f"{how}.{what}", 0) for what in ("count", "ns")} for how in ("success", "fail")
            },
            "batch_stats": [],
        }
