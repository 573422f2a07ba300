"""run.json while a run lasts: its clock, its notes, and what becomes of them at the end."""

from __future__ import annotations

import time
from typing import Any

from benchmark.beats import SUPPORTED, Beats
from benchmark.budget import Budget
from benchmark.clock import Clock, Ledger
from benchmark.company import Company
from benchmark.device import environment
from benchmark.plan import SCHEMA, RunSpec
from benchmark.remarks import Notes
from benchmark.store import Writer


class Record:
    """values: what is stored, to which the run adds.  jobs: how many runs are known to share the machine."""

    def __init__(self, spec: RunSpec, writer: Writer, clock: Clock, jobs: int) -> None:
        began = time.time()
        lines = writer.journal.lines
        down = max(0.0, began - writer.stopped) if lines else 0.0
        earlier = lines[-1].accounts if lines else {}
        self.writer, self.lost, self.budget = writer, writer.lost, Budget.parse(spec.budget)
        self._beats = Beats() if clock is time.monotonic and SUPPORTED else None
        self.ledger = Ledger(clock, "paused" if lines else "setup", earlier.get("paused", 0.0) + down, self._beats)
        self._earlier = down + sum(earlier.values())
        self.company = Company(self.ledger, max(jobs, writer.before.get("jobs", 1)))
        self.notes = Notes([*writer.before.get("notes", ()), *filter(None, [writer.lost])])
        self.values: dict[str, Any] = {
            "schema": SCHEMA, "run_id": spec.run_id, "spec": spec.as_json(), "status": "running", "error": "",
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began)), "ledger": {}, "resumed": writer.resumed,
        }  # fmt: skip

    @property
    def status(self) -> str:
        return str(self.values["status"])

    @property
    def wall(self) -> float:
        """Seconds by the clock, up to the ledger's latest reading, with those of earlier processes and between them."""
        return self.ledger.elapsed() + self._earlier

    @property
    def summary(self) -> str:
        error = self.values["error"]
        return f"{self.status}{': ' if error else ''}{error} ({sum(self.ledger.accounts().values()):.1f} s)"

    def stop(self) -> None:
        """The last that is charged."""
        self.ledger.accounts()
        if self._beats is not None:
            self._beats.stop()
            if note := self._beats.note:
                self.notes.texts = [note, *self.notes.texts]

    def write(self) -> None:
        """Raises StorageError."""
        self.company.look(now=True)
        self.values |= {"jobs": self.company.most, "notes": self.notes.texts}
        self.writer.run(self.values)

    def end(self) -> None:
        """Raises StorageError."""
        accounts = self.ledger.accounts()
        self.values |= {
            "ledger": {name: max(0.0, seconds) for name, seconds in accounts.items()},  # cooked books are stored too
            "wall_seconds": self.wall,
            "ended": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "environment": environment(),
        }
        self.write()
