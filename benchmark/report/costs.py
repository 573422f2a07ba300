"""What a search cost: the columns beside the metrics.

    from benchmark import Cost, register_cost

    register_cost("calls", Cost("Calls", digits=0, low=0, of=lambda run: run.get("oracle_calls")))

A package offers one by the entry-point group `bench.costs`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import KW_ONLY, dataclass
from typing import Any

from benchmark.budget import Budget, Unit
from benchmark.errors import UsageError
from benchmark.plugins.entry import blamed
from benchmark.plugins.load import at_work
from benchmark.registry import COSTS
from benchmark.report.columns import Column, is_real
from benchmark.report.offered import offered, warn


class _Wrong(UsageError):
    """What a cost returned is no number."""


PREFIX = "cost."
"""Before the name of a cost in runs.csv, for those that are not derived."""
When = Callable[[Unit, Sequence[float]], bool]
"""Whether a table has the column: from its budget's unit, and its rows' means."""


def known(unit: Unit, means: Sequence[float]) -> bool:
    """Where some row has it."""
    return len(means) > 0


def always(unit: Unit, means: Sequence[float]) -> bool:
    """In every table, and in every table1.csv."""
    return True


def in_seconds(unit: Unit, means: Sequence[float]) -> bool:
    """Where the budget is one of seconds, and some row has it."""
    return unit == "s" and known(unit, means)


def positive(unit: Unit, means: Sequence[float]) -> bool:
    """Where it is more than nothing."""
    return any(mean > 0 for mean in means)


@dataclass(frozen=True)
class Cost(Column):
    """of: the value of one run, None where it has none, from its run.json as a mapping.

    derived: `of` reads a row of runs.csv instead, and nothing more is stored; for built-in costs.
    when: whether a table has the column.  fixed: every table1.csv has it.
    """

    _: KW_ONLY
    of: Callable[[Mapping[str, Any]], float | None]
    derived: bool = False
    when: When = known
    fixed: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("of", "when"):
            self.check(name, "a function", callable(getattr(self, name)))
        for name in ("derived", "fixed"):
            self.check(name, "True or False", isinstance(getattr(self, name), bool))


def _own(head: str, of: Callable[[Mapping[str, Any]], float | None], **more: Any) -> Cost:
    return Cost(head, of=of, low=0, derived=True, fixed=True, **more)


def _over(row: Mapping[str, Any]) -> float | None:
    """Evaluations past a budget in evaluations."""
    budget = Budget.parse(row["budget"])
    return max(float(row["nfe"]) - budget.amount, 0.0) if budget.unit == "nfe" else None


TABLE = {
    "time": _own(
        "Time (s)",
        lambda row: row["search_seconds"],
        when=always,
        about="Seconds of search: method and objective.",
    ),
    "overrun_seconds": _own(
        "Over (s)",
        lambda row: row["overrun_seconds"],
        digits=2,
        when=in_seconds,
        about="Seconds past a budget in seconds: the tail of the last call.",
    ),
    "overrun_nfe": _own(
        "Over (k)",
        _over,
        digits=2,
        scale=1e3,
        when=positive,
        about="Network evaluations past a budget in evaluations, in thousands.",
    ),
    "nfe": _own(
        "Evaluations (k)",
        lambda row: row["nfe"],
        scale=1e3,
        when=always,
        about="Network evaluations of the search, in thousands.",
    ),
    "peak_memory_bytes": _own(
        "Memory (MiB)",
        lambda row: row["peak_memory_bytes"],
        digits=0,
        scale=2**20,
        when=known,
        about="Peak memory of the search.",
    ),
}


def costs() -> dict[str, Cost]:
    """Every cost by its name, as they were registered, but for those of broken packages."""
    found = {name: offered(COSTS, name, Cost) for name in COSTS.complete()}
    return {name: cost for name, cost in found.items() if cost is not None}


def recorded(records: Sequence[Mapping[str, Any]]) -> dict[str, list[float | None]]:
    """The costs that runs' records give, by their columns of runs.csv."""
    stored = {name: cost for name, cost in costs().items() if not cost.derived}
    found = {f"{PREFIX}{name}": _values(name, cost, records) for name, cost in stored.items()}
    return {column: values for column, values in found.items() if values is not None}


def spent(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[float | None]]:
    """By the name of a cost, its values in some rows of runs.csv."""
    found = {
        name: _values(name, cost, rows)
        if cost.derived
        else [row.get(f"{PREFIX}{name}") for row in rows]
        for name, cost in costs().items()
    }
    return {name: values for name, values in found.items() if values is not None}


def has_column(name: str, cost: Cost, unit: Unit, means: Sequence[float]) -> bool:
    """Whether a table has the cost's column."""
    try:
        return bool(cost.when(unit, means))
    # a plug-in may raise anything
    except (Exception, SystemExit) as error:
        warn(f"{_who(name)}: `when`: {_blamed(name, error, cost.when)}; left out")
        return False


def _blamed(name: str, error: BaseException, function: Callable[..., Any]) -> str:
    own = isinstance(error, _Wrong)
    return str(error) if own else blamed(error, COSTS.entries[name], function)


def _who(name: str) -> str:
    return f"cost {name!r} ({COSTS.entries[name].origin})"


def _values(
    name: str, cost: Cost, records: Sequence[Mapping[str, Any]]
) -> list[float | None] | None:
    """The cost of each record; None, and a warning, where it fails for one."""
    # of a built-in a failure is a fault of the suite, or of an altered runs.csv
    if COSTS.entries[name].built_in:
        return [_number(cost.of(record), cost.derived) for record in records]
    values = []
    for record in records:
        try:
            # a copy, since what a plug-in takes away would be missed by the others
            values.append(_number(cost.of(deepcopy(dict(record))), cost.derived))
        # and it may raise anything
        except (Exception, SystemExit) as error:
            problem = _blamed(name, error, cost.of)
            warn(f"{_who(name)}, of run {record.get('run_id')}: {problem}; left out")
            return None
    return values


def _number(value: object, derived: bool) -> float | None:
    """Raises _Wrong for what is no finite number."""
    if value is None:
        return None
    if is_real(value):
        # an empty cell of runs.csv is read as nan
        if derived and math.isnan(value):
            return None
        if math.isfinite(value):
            return float(value)
    raise _Wrong(f"expected a finite number or None, got {value!r}")


def register_cost(name: str, cost: Cost) -> Cost:
    """Give tables a column of what a search cost.

    Raises UsageError for what is no name or no `Cost`, and for a name that is taken.
    """
    if not isinstance(cost, Cost):
        raise UsageError(f"cost {name!r}: expected a benchmark.Cost, got {type(cost).__name__}")
    COSTS.register(name, cost, f"register_cost in {at_work() or 'this process'}")
    return cost
