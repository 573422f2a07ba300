"""What the harness itself costs.

Targets: at most 1 ms for each stored proposal on a task without work; at most 1 % of a reward_ft
run outside the accounts method, objective, report and setup.
"""

import tempfile
from pathlib import Path

from benchmark.command.parse import plan_from_text as plan
from benchmark.registry import METHODS, Entry
from benchmark.runs.runner import run_one
from benchmark.store.store import Store
from speed.timing import seconds

PROPOSALS = 5000


def chatty(problem, rng):  # type: ignore[no-untyped-def]
    from benchmark import Proposal

    lam, state = problem.space.default(), problem.init(0)
    for _ in range(PROPOSALS):
        yield Proposal(lam, state, problem.loss(state, lam))


def main() -> None:
    METHODS.complete()
    METHODS.entries["chatty"] = Entry("chatty", "speed", lambda: chatty)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        (spec,) = plan("chatty", "tilted", budget="1h")
        spent = seconds(lambda: run_one(spec, store, quiet=True))
        print(
            f"free oracles: {1000 * spent / PROPOSALS:.3f} ms for each stored proposal "
            f"({PROPOSALS} proposals)"
        )
        for method in ("bilevel", "random"):
            spec = plan(method, "reward_ft", budget="20s")[0]
            run_one(spec, store, quiet=True)
            stored = store.find(spec)
            assert stored is not None
            ledger = stored.run["ledger"]
            rest = sum(
                v for k, v in ledger.items() if k not in ("method", "objective", "report", "setup")
            )
            print(
                f"reward_ft {method}: {100 * rest / sum(ledger.values()):.2f} % of "
                f"{sum(ledger.values()):.1f} s in warmup and io"
            )
