"""Whether a stored run is what it says it is. Runs nothing."""

from __future__ import annotations

import calendar
import json
import time
from pathlib import Path
from typing import Any

from benchmark.bounded import read_bounded
from benchmark.budget import Budget
from benchmark.clock import SPENT
from benchmark.columns import METRICS
from benchmark.errors import UsageError
from benchmark.findings import Finding
from benchmark.plan import identity
from benchmark.seal import hashes
from benchmark.store import LIMIT, Stored, read

_SUM = 0.01  # of the wall time, by which the accounts may miss it
_EXACT = 0.001  # the same of the search, in records of this version
_STEP = 5.0  # seconds by which a calendar may be set meanwhile


def _spec(run: Stored, found: Finding) -> None:
    spec, name = run.run["spec"], run.folder
    found.expect(run.run["run_id"] == identity(spec, run.run["schema"]), "its name is not its specification's hash")
    found.expect(name.name == run.run["run_id"], f"its folder is called {name.name}, the run {run.run['run_id']}")
    found.expect(
        (name.parent.name, name.parent.parent.name) == (spec["method"], spec["task"]), "it lies in another's folder"
    )


def _ledger(run: Stored, found: Finding, sealed: bool) -> None:
    ledger, wall = run.run["ledger"], run.run.get("wall_seconds")
    total = sum(ledger.values())
    if wall is not None:
        found.expect(abs(total - wall) <= _SUM * max(wall, 1.0), f"its accounts sum to {total:.2f} s of {wall:.2f} s")
    spent = sum(ledger[name] for name in SPENT)
    said = run.run["search_seconds"]
    slack = (_EXACT if sealed else _SUM) * max(said, 1.0)
    found.expect(abs(spent - said) <= slack, f"method + objective are {spent:.3f} s, the search {said:.3f} s")


def _within(run: Stored, found: Finding) -> None:
    budget = Budget.parse(run.run["spec"]["budget"])
    unit = "nfe" if budget.unit == "nfe" else "seconds"
    at = [p[unit] for p in run.proposals]
    found.expect(at == sorted(at), "its proposals are out of order")
    found.expect(not at or at[-1] <= budget.amount, f"a proposal came after the budget, {budget}")
    stamps = {(p["seconds"], p["nfe"], json.dumps(p["lam"], sort_keys=True)) for p in run.proposals}
    for test in run.tests:
        known = (test["seconds"], test["nfe"], json.dumps(test["lam"], sort_keys=True)) in stamps
        found.expect(
            known or (test["seconds"], test["nfe"]) == (0.0, 0), "something was measured that was not proposed"
        )
    measured = bool(run.tests) and bool(run.proposals) and run.tests[-1]["nfe"] == run.proposals[-1]["nfe"]
    found.expect(measured or not run.proposals, "its last proposal was not measured")


def _costs(run: Stored, found: Finding, sealed: bool) -> None:
    """What it cost, against its budget and the calendar. sealed: of this version, so that it knows an overrun in evaluations."""
    record, budget = run.run, Budget.parse(run.run["spec"]["budget"])
    unit = "nfe" if budget.unit == "nfe" else "seconds"
    spent = record["nfe"] if unit == "nfe" else record["search_seconds"]
    over, slack = record[f"overrun_{unit}"], 0.0 if unit == "nfe" else _SUM * max(spent, 1.0)
    known = sealed or unit == "seconds"
    found.expect(
        not known or abs(max(0.0, spent - budget.amount) - over) <= slack, f"it spent {spent:g}, {over:g} over {budget}"
    )
    found.expect(record["nfe"] == 0 or record["search_seconds"] > 0, "it evaluated in no time")
    for line in (*run.proposals, *run.tests):
        late = line["nfe"] > record["nfe"] or line["seconds"] > record["search_seconds"] * (1 + _SUM) + _SUM
        found.expect(not late, "something was proposed after its end")
    longest = record.get("longest_call_seconds", 0.0)
    found.expect(longest <= record["search_seconds"] * (1 + _SUM) + _SUM, "one call took longer than its search")
    if record.get("ended") and record["started"] and not record["resumed"]:
        lasted = _seconds(record["ended"]) - _seconds(record["started"])
        wall = sum(record["ledger"].values())
        found.expect(
            wall <= lasted * (1 + _SUM) + _STEP, f"its accounts are {wall:.0f} s, by the calendar {lasted:.0f} s"
        )


def _seconds(text: object) -> int:
    return calendar.timegm(time.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ"))


def _ranges(run: Stored, found: Finding) -> None:
    """Metrics within their columns' ranges, lam within the task's space."""
    space: dict[str, Any] = next((t["space"] for t in run.tests if t.get("space")), {})
    for name, value in ((n, v) for t in run.tests for n, v in t["metrics"].items() if n in METRICS):
        low, high = METRICS[name].low, METRICS[name].high
        found.expect(low <= value <= high, f"{name} is {value:g}, outside of [{low:g}, {high:g}]")
    found.expect(all(t.get("space", space) == space for t in run.tests), "its measurements are of different spaces")
    if not space:  # of a run from before it was stored
        return
    for line in (*run.proposals, *run.tests):
        found.expect(set(line["lam"]) == set(space), "lam has other axes than the task's space")
        for name, value in line["lam"].items():
            low, high = space.get(name, (value, value))
            found.expect(low <= value <= high, f"lam.{name} is {value:g}, outside of [{low:g}, {high:g}]")


def _sealed(run: Stored, found: Finding) -> bool:
    """Whether its record has the hashes of its files; they are compared."""
    said = run.run.get("hashes")
    if said is None:
        return False
    there = hashes(json.loads(read_bounded(run.folder / "run.json", LIMIT)), run.folder)
    for name in sorted({*said, *there}):
        missing = "is missing" if name not in there else "was added since"
        found.expect(name in said and name in there, f"{name} {missing}")
        if name in said and name in there:
            found.expect(said[name] == there[name], f"{name} was changed since it was written")
    return True


def check_run(folder: Path) -> tuple[Stored | None, str, bool]:
    """The run, what is wrong with it or "", and whether hashes of its files could be compared."""
    found, sealed = Finding(), True
    try:
        run = read(folder)
        _spec(run, found)
        if not run.open:
            sealed = _sealed(run, found)
            found.expect(run.done or bool(run.run["error"]), "it failed without a word")
        if run.done:
            _ledger(run, found, sealed)
            _within(run, found)
            _costs(run, found, sealed)
            _ranges(run, found)
    except UsageError as error:
        return None, str(error), True
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        return None, f"its record is not as this version writes it: {type(error).__name__}: {error}", True
    return run, str(found), sealed
