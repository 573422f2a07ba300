"""run.json while a run lasts, with its clock and its notes."""

from __future__ import annotations

import time
from typing import Any

from benchmark.budget import Budget
from benchmark.device import environment
from benchmark.plugins.load import loaded
from benchmark.runs.neighbours import Neighbours
from benchmark.runs.remarks import Notes
from benchmark.runs.words import ended_how
from benchmark.search.clock import Clock, Ledger
from benchmark.search.standstill import SUPPORTED, Standstill
from benchmark.spec import SCHEMA, RunSpec
from benchmark.store.schema import Unreadable
from benchmark.store.writer import Writer


class Record:
    """values: what is stored, to which the run adds.  jobs: runs known to share the machine."""

    def __init__(self, spec: RunSpec, writer: Writer, clock: Clock, jobs: int) -> None:
        began = time.time()
        lines = writer.journal.lines
        down = max(0.0, began - writer.stopped) if lines else 0.0
        earlier = lines[-1].accounts if lines else {}
        self.writer, self.lost, self.budget = writer, writer.lost, Budget.parse(spec.budget)
        # a test's clock knows nothing of the time that this process stood still
        self._standstill = Standstill() if clock is time.monotonic and SUPPORTED else None
        self.ledger = Ledger(
            clock,
            "paused" if lines else "setup",
            earlier.get("paused", 0.0) + down,
            self._standstill,
        )
        self._earlier = down + sum(earlier.values())
        self.neighbours = Neighbours(self.ledger, max(jobs, writer.before.get("jobs", 1)))
        self.notes = Notes([*writer.before.get("notes", ()), *filter(None, [writer.lost])])
        self.values: dict[str, Any] = {
            "schema": SCHEMA,
            "run_id": spec.run_id,
            "spec": spec.as_json(),
            "status": "running",
            "error": "",
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began)),
            "ledger": {},
            "resumed": writer.resumed,
        }
        self._begun = dict(self.values)

    @property
    def status(self) -> str:
        return str(self.values["status"])

    @property
    def wall(self) -> float:
        """Seconds by the clock up to the ledger's latest reading, earlier processes included."""
        return self.ledger.elapsed() + self._earlier

    @property
    def summary(self) -> str:
        error = self.values["error"]
        return (
            f"{ended_how(self.status)}{': ' if error else ''}{error} "
            f"({sum(self.ledger.accounts().values()):.1f} s)"
        )

    def fail(self, error: str) -> None:
        self.values |= {"status": "failed", "error": error}

    def stop(self) -> None:
        """End the clock; nothing is charged after this."""
        # read before the thread ends, which may still find that the process stood still
        self.ledger.accounts()
        if self._standstill is not None:
            self._standstill.stop()
            if note := self._standstill.note:
                self.notes.texts = [note, *self.notes.texts]

    def write(self) -> None:
        """Raises StorageError."""
        self.neighbours.look(now=True)
        self.values |= {"jobs": self.neighbours.most, "notes": self.notes.texts}
        self.writer.run(self.values)

    def end(self) -> None:
        """Raises StorageError."""
        accounts = self.ledger.accounts()
        closing: dict[str, Any] = {
            # a run that failed its audit may have negative accounts, which no reader would take
            "ledger": {name: max(0.0, seconds) for name, seconds in accounts.items()},
            "wall_seconds": self.wall,
            "ended": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "environment": environment(),
            # by name: where they lie on this machine is nobody's business
            "plugins": loaded(),
        }
        self.values |= closing
        try:
            self.write()
        except Unreadable as error:
            # of a plug-in, such as a count that is no number: what was known before can be stored
            self.values = self._begun | closing
            self.fail(f"run.json: {error}")
            self.write()
