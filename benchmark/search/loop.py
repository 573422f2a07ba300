"""A search: a method spends the budget, and its proposals are checked and stamped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmark.protocol import Method, Proposal
from benchmark.search.clock import Ledger
from benchmark.search.facade import facade
from benchmark.search.measure import Incumbent
from benchmark.search.metered import Metered

# proposals in a row without an oracle call: such a method would never end
_IDLE = 1000


def checked(proposal: object, dim: int) -> Proposal[Any]:
    """The proposal, with a lam of its own, or ValueError where a method yields anything else."""
    if not isinstance(proposal, Proposal):
        raise ValueError(f"a method yields Proposals, got {type(proposal).__name__}")
    lam = np.asarray(proposal.lam)
    if lam.shape != (dim,) or not np.all(np.isfinite(lam)) or np.any(lam < 0) or np.any(lam > 1):
        raise ValueError(f"a proposal's lam is {dim} numbers in [0, 1], got {proposal.lam}")
    # a copy, for a method may go on working in the array that it yielded
    return Proposal(np.array(lam, dtype=np.float64), proposal.state, proposal.loss)


def search(
    method: Method, metered: Metered, rng: np.random.Generator, ledger: Ledger
) -> Iterator[Incumbent]:
    """The proposals within the budget, stamped. While this is suspended the clock stands still."""
    proposals = iter(method(facade(metered), rng))
    idle = 0
    while True:
        calls = metered.meter.gate.calls
        if metered.replay.live:
            metered.heartbeat()
        # on a replay the method computes what it had computed and been charged for before
        with ledger.account("paused" if metered.replay.on else "method"):
            try:
                proposal = next(proposals)
            except StopIteration:
                return
        incumbent = metered.propose(checked(proposal, metered.space.dim))
        idle = idle + 1 if metered.meter.gate.calls == calls else 0
        if idle >= _IDLE:
            raise ValueError(
                f"a method must end or call an oracle; it yielded {_IDLE} times without one"
            )
        yield incumbent
