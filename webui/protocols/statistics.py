"""What one worker process was asked by the Open Inference Protocol, counted by model and version."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any


class Statistics:
    """What this process was asked by this protocol, by model and version."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._last: dict[tuple[str, str], int] = {}

    def add(self, name: str, version: str, pictures: int, nanoseconds: int, success: bool) -> None:
        """Count one request."""
        how = "success" if success else "fail"
        told = {"pictures": pictures, "runs": int(success), f"{how}.count": 1, f"{how}.ns": nanoseconds}
        with self._lock:
            self._counts.update({(name, version, what): count for what, count in told.items()})
            if success:
                self._last[name, version] = int(time.time() * 1000)

    def of(self, name: str, version: str) -> dict[str, Any]:
        """The counts of one version, as the protocol tells them."""
        with self._lock:
            counts = {what: self._counts[name, version, what] for what in ("pictures", "runs")}
            ends = {
                how: {what: self._counts[name, version, f"{how}.{what}"] for what in ("count", "ns")}
                for how in ("success", "fail")
            }
            last = self._last.get((name, version), 0)
        return {
            "name": name,
            "version": version,
            "last_inference": last,
            "inference_count": counts["pictures"],
            "execution_count": counts["runs"],
            "inference_stats": ends,
            "batch_stats": [],
        }
