"""What a user sees while runs are going on: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TextIO

from benchmark.escape import visible

# seconds between two words on how far a run is
_OFTEN = 0.25


class Progress:
    """One run's progress through its budget. quiet: show nothing."""

    def __init__(
        self, label: str, total: float, unit: str, quiet: bool = False, stream: TextIO | None = None
    ) -> None:
        self._stream = stream or sys.stderr
        self._label, self._unit, self._quiet = visible(label), unit, quiet
        self._total, self._best = total, float("inf")
        self._bar: Any = None
        if not quiet and self._stream.isatty():
            from tqdm import tqdm

            spent = "{n:.0f}/{total:.0f} " + unit
            clock = "[{elapsed}<{remaining}{postfix}]"
            form = "{desc:<52} {percentage:3.0f}%|{bar:20}| " + f"{spent} {clock}"
            self._bar = tqdm(
                total=total, desc=self._label, file=self._stream, leave=True, bar_format=form
            )

    def phase(self, text: str) -> None:
        """Show what is going on now."""
        # a terminal that was closed must not fail the run
        with suppress(OSError, ValueError):
            self._phase(visible(text))

    def _phase(self, text: str) -> None:
        if self._bar is not None:
            self._bar.set_description_str(f"{self._label}: {text}")
        elif not self._quiet:
            print(f"{self._label}: {text}", file=self._stream, flush=True)

    def spent(self, amount: float) -> None:
        if self._bar is not None:
            with suppress(OSError, ValueError):
                self._bar.n = min(amount, self._total)
                self._bar.refresh()

    def incumbent(self, loss: float) -> None:
        if loss < self._best:
            self._best = loss
            if self._bar is not None:
                with suppress(OSError, ValueError):
                    self._bar.set_postfix_str(f"best F {loss:.4g}")

    def close(self, text: str) -> None:
        self.phase(text)
        if self._bar is not None:
            with suppress(OSError, ValueError):
                self._bar.close()


class Told(Progress):
    """Tells another process how far it is, a few times a second, and shows nothing itself."""

    def __init__(self, event: Callable[[str, object], None]) -> None:
        super().__init__("", 1.0, "s", quiet=True)
        self._event = event
        self._now: list[object] = ["starting", 0.0, None]
        self._last = -math.inf

    def _tell(self) -> None:
        self._last = time.monotonic()
        self._event("progress", self._now)

    def phase(self, text: str) -> None:
        self._now[0] = text
        self._tell()

    def spent(self, amount: float) -> None:
        self._now[1] = float(amount)
        if time.monotonic() > self._last + _OFTEN:
            self._tell()

    def incumbent(self, loss: float) -> None:
        if loss < self._best:
            self._best = loss
            self._now[2] = float(loss)

    def close(self, text: str) -> None:
        """Its supervisor sees that it has ended."""
