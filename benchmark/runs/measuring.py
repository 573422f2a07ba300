"""How long the measurement of runs will take, from stored runs or from one that is tried."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import fmean

from benchmark.runs.words import seconds
from benchmark.spec import RunSpec
from benchmark.store.stored import Stored

TRIED = 30.0
"""Seconds after which a measurement that is tried is given up."""


class _TooLong(BaseException):
    """No Exception, which a task might swallow."""


@contextmanager
def _at_most(limit: float) -> Iterator[None]:
    """Raises _TooLong within; where signals cannot be had, nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def tried(measure: Callable[[], object], limit: float = TRIED) -> float:
    """Seconds of one measurement; inf where it takes longer than the limit."""
    began = time.monotonic()
    try:
        with _at_most(limit):
            measure()
    except _TooLong:
        return math.inf
    return time.monotonic() - began


@dataclass
class MeasuringTime:
    """Seconds that measurements take: all of a stored run's, or one of a kind that was tried."""

    _stored: dict[str, list[float]] = field(default_factory=dict)
    _tried: dict[str, float] = field(default_factory=dict)

    def add(self, spec: RunSpec, stored: Stored | None) -> None:
        if stored is not None and stored.done and stored.tests:
            self._stored.setdefault(_alike(spec), []).append(stored.run["ledger"]["report"])

    def unknown(self, todo: Sequence[RunSpec]) -> set[str]:
        """The kinds of which some run's measurement is known from no stored one."""
        return {kind(spec) for spec in todo if _alike(spec) not in self._stored}

    def probed(self, spec: RunSpec, took: float) -> None:
        """took: of one measurement of its kind; inf where that is more than `TRIED`."""
        self._tried[kind(spec)] = took

    def of(self, todo: Sequence[RunSpec], slots: int) -> str:
        """For a sum of all runs."""
        known, most, more = 0.0, 0.0, False
        for spec in todo:
            if own := self._stored.get(_alike(spec)):
                known += fmean(own)
                continue
            # at the end, and at each mark where another answer stood
            took, count = self._tried[kind(spec)], len(spec.marks) + 1
            more |= math.isinf(took)
            most += count * min(took, TRIED)
        text = seconds((known + most) / slots)
        if more:
            return f"and more than {text} for their measurement, of which one was given up"
        if most:
            return f"and at most {text} for their measurement, by one that was tried"
        stored = ", as that of stored runs" if todo else ""
        return f"and {text} for their measurement{stored}"


def kind(spec: RunSpec) -> str:
    """What decides how long one measurement takes, and all that a probe tells."""
    return str((spec.task, spec.preset, spec.lower, sorted(spec.task_options.items())))


def _alike(spec: RunSpec) -> str:
    """What decides how long all measurements of a run take."""
    return f"{kind(spec)} {spec.marks}"
