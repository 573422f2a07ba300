"""Whether a stored run is what it says it is. Runs nothing."""

from __future__ import annotations

import calendar
import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmark.budget import SPENT, Budget
from benchmark.errors import UsageError
from benchmark.report.findings import Finding
from benchmark.report.metrics import metric_of
from benchmark.spec import identity
from benchmark.store.bounded import read_bounded
from benchmark.store.seal import hashes
from benchmark.store.store import LIMIT, Stored, read
from benchmark.store.stored import read_trials

# of the wall time, by which the accounts may miss it
_SUM = 0.01
# the same of the search, in records of this version
_EXACT = 0.001
# seconds by which a calendar may be set meanwhile
_STEP = 5.0


def _spec(run: Stored, found: Finding) -> None:
    spec, name = run.run["spec"], run.folder
    found.expect(
        run.run["run_id"] == identity(spec, run.run["schema"]),
        "its name is not its specification's hash",
    )
    found.expect(
        name.name == run.run["run_id"],
        f"its folder is called {name.name}, the run {run.run['run_id']}",
    )
    found.expect(
        (name.parent.name, name.parent.parent.name) == (spec["method"], spec["task"]),
        "it lies in another's folder",
    )


def _ledger(run: Stored, found: Finding, sealed: bool) -> None:
    ledger, wall = run.run["ledger"], run.run.get("wall_seconds")
    total = sum(ledger.values())
    if wall is not None:
        found.expect(
            abs(total - wall) <= _SUM * max(wall, 1.0),
            f"its accounts sum to {total:.2f} s of {wall:.2f} s",
        )
    spent = sum(ledger[name] for name in SPENT)
    search = run.run["search_seconds"]
    slack = (_EXACT if sealed else _SUM) * max(search, 1.0)
    found.expect(
        abs(spent - search) <= slack,
        f"method + objective are {spent:.3f} s, the search {search:.3f} s",
    )


def _within(run: Stored, found: Finding) -> None:
    budget = Budget.parse(run.run["spec"]["budget"])
    unit = "nfe" if budget.unit == "nfe" else "seconds"
    at = [p[unit] for p in run.proposals]
    found.expect(at == sorted(at), "its proposals are out of order")
    found.expect(not at or at[-1] <= budget.amount, f"a proposal came after the budget, {budget}")
    stamps = {(p["seconds"], p["nfe"], json.dumps(p["lam"], sort_keys=True)) for p in run.proposals}
    for test in run.tests:
        known = (test["seconds"], test["nfe"], json.dumps(test["lam"], sort_keys=True)) in stamps
        # earlier versions measured the default at 0 where nothing had been proposed
        found.expect(
            known or (test["seconds"], test["nfe"]) == (0.0, 0),
            "something was measured that was not proposed",
        )
    measured = (
        bool(run.tests) and bool(run.proposals) and run.tests[-1]["nfe"] == run.proposals[-1]["nfe"]
    )
    found.expect(measured or not run.proposals, "its last proposal was not measured")


def _costs(run: Stored, found: Finding, sealed: bool) -> None:
    """What a run cost, against its budget and the calendar. sealed: of this version."""
    record, budget = run.run, Budget.parse(run.run["spec"]["budget"])
    unit = "nfe" if budget.unit == "nfe" else "seconds"
    spent = record["nfe"] if unit == "nfe" else record["search_seconds"]
    over, slack = record[f"overrun_{unit}"], 0.0 if unit == "nfe" else _SUM * max(spent, 1.0)
    # earlier versions stored no overrun in evaluations
    known = sealed or unit == "seconds"
    found.expect(
        not known or abs(max(0.0, spent - budget.amount) - over) <= slack,
        f"it spent {spent:g}, {over:g} over {budget}",
    )
    found.expect(record["nfe"] == 0 or record["search_seconds"] > 0, "it evaluated in no time")
    for line in (*run.proposals, *run.tests):
        late = (
            line["nfe"] > record["nfe"]
            or line["seconds"] > record["search_seconds"] * (1 + _SUM) + _SUM
        )
        found.expect(not late, "something was proposed after its end")
    longest = record.get("longest_call_seconds", 0.0)
    found.expect(
        longest <= record["search_seconds"] * (1 + _SUM) + _SUM,
        "one call took longer than its search",
    )
    # a resumed run lay still for a while, which the calendar counts
    if record.get("ended") and record["started"] and not record["resumed"]:
        lasted = _seconds(record["ended"]) - _seconds(record["started"])
        wall = sum(record["ledger"].values())
        found.expect(
            wall <= lasted * (1 + _SUM) + _STEP,
            f"its accounts are {wall:.0f} s, by the calendar {lasted:.0f} s",
        )


def _trials(run: Stored, found: Finding) -> None:
    """The evaluations of F, against the search that made them."""
    trials, torn = read_trials(run.folder)
    found.expect(not torn, f"{torn} lines of its trials cannot be read")
    # earlier versions kept none
    count = run.run["trials"] or 0
    found.expect(len(trials) == count, f"it has {len(trials)} trials, its record says {count}")
    for unit, last in (("nfe", run.run["nfe"]), ("seconds", run.run["search_seconds"])):
        at = [t[unit] for t in trials]
        found.expect(at == sorted(at), "its trials are out of order")
        found.expect(
            not at or at[-1] <= last * (1 + _SUM) + _SUM, "a trial came after the search's end"
        )
    if trials and not (axes := run.run["space"]):
        found.expect(False, "it has trials and no space")
    elif trials:
        _inside(trials, {a["name"]: a["values"] or [a["low"], a["high"]] for a in axes}, found)


def _seconds(text: object) -> int:
    return calendar.timegm(time.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ"))


def _ranges(run: Stored, found: Finding) -> None:
    """Metrics within their columns' ranges, lam within the task's space."""
    for name, value in ((n, v) for t in run.tests for n, v in t["metrics"].items()):
        low, high = metric_of(name).low, metric_of(name).high
        found.expect(low <= value <= high, f"{name} is {value:g}, outside of [{low:g}, {high:g}]")
    space: dict[str, Any] = next((t["space"] for t in run.tests if t.get("space")), {})
    found.expect(
        all(t.get("space", space) == space for t in run.tests),
        "its measurements are of different spaces",
    )
    # earlier versions stored no space, and had no axes of texts
    if not space:
        numbers = (v for line in (*run.proposals, *run.tests) for v in line["lam"].values())
        found.expect(not any(isinstance(v, str) for v in numbers), "lam has a text")
        return
    _inside((*run.proposals, *run.tests), space, found)


def _inside(
    lines: Iterable[Mapping[str, Any]], space: Mapping[str, list[Any]], found: Finding
) -> None:
    """lam of proposals, measurements or trials, within the space."""
    for line in lines:
        found.expect(set(line["lam"]) == set(space), "lam has other axes than the task's space")
        for name, value in line["lam"].items():
            if name in space and (wrong := _outside(value, space[name])):
                found.expect(False, f"lam.{name} is {wrong}")


def _outside(value: float | str, allowed: list[Any]) -> str:
    """What is wrong with a value of lam, or "". allowed: [low, high], or the texts of a Choice."""
    if any(isinstance(v, str) for v in allowed):
        return "" if value in allowed else f"{value!r}, not one of {', '.join(allowed)}"
    low, high = allowed
    if isinstance(value, str):
        return f"{value!r}, not a number"
    return "" if low <= value <= high else f"{value:g}, outside of [{low:g}, {high:g}]"


def _sealed(run: Stored, found: Finding) -> bool:
    """Compare the files with their hashes. Returns whether the record has any."""
    stored = run.run.get("hashes")
    if stored is None:
        return False
    # read once more: what `read` gives has defaults added, and another hash
    there = hashes(json.loads(read_bounded(run.folder / "run.json", LIMIT)), run.folder)
    for name in sorted({*stored, *there}):
        missing = "is missing" if name not in there else "was added since"
        found.expect(name in stored and name in there, f"{name} {missing}")
        if name in stored and name in there:
            found.expect(stored[name] == there[name], f"{name} was changed since it was written")
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
            _trials(run, found)
    except UsageError as error:
        return None, str(error), True
    # the schema checks types; a record that somebody altered may still contradict itself
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        problem = f"its record is not as this version writes it: {type(error).__name__}: {error}"
        return None, problem, True
    return run, str(found), sealed
