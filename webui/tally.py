"""Counters in memory that all processes of the server share: each writes to its own sheet, any can read them all.

A worker that replaces a dead one goes on with its sheet, so that no count is lost or counted twice. prometheus_client
does the same with files, at ten times the cost per request, and leaves the files behind.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

Key = tuple[str, ...]  # the name of a series, and the values of its labels

SIZE = 1 << 15  # numbers of 8 bytes in a sheet; a few hundred are used
SPARE = 64  # numbers at its end, for a series that finds no room
COUNT, GAUGE = 0.0, 1.0  # kinds of series: it only grows, or it ends with its process
HEAD = 3  # numbers before an entry's key: bytes of the key, numbers of the series, COUNT or GAUGE

log = logging.getLogger("zoo.server")


class Sheet:
    """The counters of one process. Any of its threads may write.

    An entry is HEAD numbers, the key as JSON, and the numbers of the series. The sheet's first number is where the next
    entry goes. It moves only once an entry is complete, so that nobody reads one that is half written.
    """

    def __init__(self, numbers: Any) -> None:  # a memoryview of float64
        self._numbers = numbers
        self._bytes = numbers.cast("B")
        self._lock = threading.Lock()
        self._at = {key: at for key, at, _, _ in self._entries()}
        self._full = False

    def add(self, key: Key, amount: float = 1.0, kind: float = COUNT) -> None:
        """Add to a series of one number."""
        with self._lock:
            at = self._at.get(key) or self._new(key, 1, kind)
            self._numbers[at] += amount

    def put(self, key: Key, value: float, kind: float = COUNT) -> None:
        """Set a series of one number."""
        with self._lock:
            self._numbers[self._at.get(key) or self._new(key, 1, kind)] = value

    def observe(self, key: Key, bounds: Sequence[float], value: float) -> None:
        """Count a value in a histogram.

        Its numbers are a count for each upper bound, a count for values above all bounds, and the sum of the values.
        """
        with self._lock:
            at = self._at.get(key) or self._new(key, len(bounds) + 2, COUNT)
            self._numbers[at + bisect_left(bounds, value)] += 1
            self._numbers[at + len(bounds) + 1] += value

    def series(self) -> Iterator[tuple[Key, list[float]]]:
        """Yield all series with their current numbers."""
        for key, at, width, _ in self._entries():
            yield key, self._numbers[at : at + width].tolist()

    def clear_gauges(self) -> None:
        """Set to 0 what was true of a process only while it lived."""
        for _, at, width, kind in self._entries():
            if kind == GAUGE:
                for place in range(at, at + width):
                    self._numbers[place] = 0.0

    def _entries(self) -> Iterator[tuple[Key, int, int, float]]:
        """Yield the key, the index of the first number, the length and the kind of every series."""
        at, end = 1, max(1, int(self._numbers[0]))
        while at < end:
            length, width, kind = self._numbers[at : at + HEAD].tolist()
            start = (at + HEAD) * 8
            first = at + HEAD + (int(length) + 7) // 8
            yield tuple(json.loads(bytes(self._bytes[start : start + int(length)]))), first, int(width), kind
            at = first + int(width)

    def _new(self, key: Key, width: int, kind: float) -> int:
        """Add a series and return the index of its first number, which is in the spare part if the sheet is full."""
        text = json.dumps(key).encode()
        at = max(1, int(self._numbers[0]))
        first = at + HEAD + (len(text) + 7) // 8
        if first + width > len(self._numbers) - SPARE:
            if not self._full:
                self._full = True
                log.warning("There are more series than /metrics has room for; new ones are not counted.")
            return len(self._numbers) - SPARE
        start = (at + HEAD) * 8
        self._bytes[start : start + len(text)] = text
        for place in range(first, first + width):
            self._numbers[place] = 0.0
        for place, number in enumerate((len(text), width, kind)):
            self._numbers[at + place] = number
        self._numbers[0] = first + width
        self._at[key] = first
        return first


class Tally:
    """The sheets of all processes; `own` is this process's. Without a multiprocessing context they are not shared."""

    own: Sheet

    def __init__(self, sheets: int = 1, context: Any = None) -> None:
        self._sheets = sheets
        self._memory = np.zeros(sheets * SIZE) if context is None else context.RawArray("d", sheets * SIZE)

    def sheet(self, place: int) -> Sheet:
        """Return the sheet of a place, without the gauges of a process that is gone."""
        sheet = self._sheet(place)
        sheet.clear_gauges()
        return sheet

    def series(self) -> Iterator[tuple[Key, list[float]]]:
        """Yield the series of all sheets; one that several processes have comes several times."""
        for place in range(self._sheets):
            yield from self._sheet(place).series()

    def _sheet(self, place: int) -> Sheet:
        numbers = np.frombuffer(self._memory, np.float64)[place * SIZE : (place + 1) * SIZE]
        return Sheet(memoryview(numbers))  # type: ignore[arg-type]


STARTED = ("process_start_time_seconds",)

_served: list[Tally] = []  # the server's, in a worker
_alone: WeakKeyDictionary[object, Tally] = WeakKeyDictionary()


def take(tally: Tally, place: int) -> Sheet:
    """Make the sheet of a place this process's own, and the tally the one that `of` returns here."""
    tally.own = tally.sheet(place)
    _served[:] = [tally]
    return tally.own


def of(owner: object) -> Tally:
    """Return the tally of the server that this process is a worker of; outside a server, the owner's own."""
    if _served:
        return _served[0]
    if owner not in _alone:
        _alone[owner] = tally = Tally()
        tally.own = tally.sheet(0)
        tally.own.put(STARTED, time.time())
    return _alone[owner]
