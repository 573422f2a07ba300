"""The problem that a method works on: each request is charged, answered, and written down.

`benchmark/search/meter.py` charges, `benchmark/search/replay.py` answers what was asked before, and
`benchmark/search/states.py` has the states.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmark.budget import Budget
from benchmark.protocol import Batched, Prices, Proposal, Task
from benchmark.search.clock import Ledger
from benchmark.search.facade import Handle
from benchmark.search.guard import Guard
from benchmark.search.heartbeat import Paced
from benchmark.search.measure import Evaluation, Incumbent
from benchmark.search.meter import Meter
from benchmark.search.replay import END, PROPOSAL, REMAINING, Replay
from benchmark.search.states import Lineage, States
from benchmark.space import Lam, Space
from benchmark.store.journal import Journal, Line


class Metered:
    """A Problem that charges each oracle call, turns NaN into inf, and ends with the budget.

    tick: called after each request.  beat: called now and then while the search is live. A watchdog
        cannot know otherwise how much of the time was writing, which no budget counts.
    prices: what a request costs, where the task knows.
    evaluated: called with each evaluation of F, also on a replay.
    """

    def __init__(
        self,
        task: Task[Any],
        budget: Budget,
        ledger: Ledger,
        tick: Callable[[], None] = lambda: None,
        journal: Journal | None = None,
        beat: Callable[[], None] = lambda: None,
        prices: Prices | None = None,
        guard: Guard | None = None,
        evaluated: Callable[[Evaluation], None] = lambda evaluation: None,
    ) -> None:
        self._journal, guard = journal or Journal(), guard or Guard()
        self._task, self._ledger, self._tick = task, ledger, tick
        self._budget, self._prices, self._evaluated = budget, prices, evaluated
        self.heartbeat = Paced(beat)
        self.meter = Meter(task, budget, ledger, self._journal, prices, guard)
        self.replay = Replay(self._journal)
        self.states = States(task, self._journal, self.meter, guard.disk, self.heartbeat)
        self._inits: dict[int, Handle] = {}
        # answers of F, those of them that are no numbers, and steps
        self.losses = self.not_finite = self.steps = 0

    @property
    def space(self) -> Space:
        return self._task.space

    @property
    def budget(self) -> Budget:
        return self._budget

    @property
    def prices(self) -> Prices | None:
        return self._prices

    @property
    def horizon(self) -> int:
        return self._task.horizon

    @property
    def batch(self) -> int:
        return max(1, int(self._task.batch)) if isinstance(self._task, Batched) else 1

    # what a method asks

    def init(self, seed: int) -> Handle:
        """One value for each seed, so it is computed and charged once."""
        if seed not in self._inits:
            ask = ["init", int(seed)]
            self._inits[seed] = self.states.make(
                Lineage(int(seed)),
                lambda put: self._answer(ask, lambda: put(self._task.init(seed))),
            )
        return self._inits[seed]

    def step(self, state: Handle, lam: Lam, tilt: float = 0.0) -> Handle:
        ask = self.states.request("step", state, lam, tilt)
        made = self.states.make(
            self.states.lineage(state).longer(),
            lambda put: self._answer(ask, lambda s: put(self._task.step(s, lam, tilt)), state),
        )
        self.steps += 1
        return made

    def loss(self, state: Handle, lam: Lam) -> float:
        ask = self.states.request("loss", state, lam, 0.0)
        line = self._answer(ask, lambda inside: _plain(self._task.loss(inside, lam)), state)
        return self._counted(float(line.gave), line, state, lam)

    def _counted(self, loss: float, line: Line, state: Handle, lam: Lam) -> float:
        """F, after it is counted and passed on."""
        self.losses += 1
        self.not_finite += not math.isfinite(loss)
        of = self.states.lineage(state)
        # stamped by its line, so that a resumed run has the same trials
        self._evaluated(Evaluation(lam, loss, of.seed, of.steps, line.spent, line.nfe))
        return loss

    def grad(self, state: Handle, lam: Lam, tilt: float = 0.0) -> Lam:
        def call(inside: Any) -> list[float]:
            return [float(v) for v in np.asarray(self._task.grad(inside, lam, tilt)).ravel()]

        ask = self.states.request("grad", state, lam, tilt)
        return np.array(self._answer(ask, call, state).gave, dtype=np.float64)

    def step_many(
        self, states: Sequence[Handle], lams: Sequence[Lam], tilt: float = 0.0
    ) -> list[Handle]:
        """One request and one line where the task answers several at once, else one for each."""
        ask = self.states.request_many("step_many", states, lams, tilt)
        if not (many := self._many(len(states))):
            return [self.step(s, lam, tilt) for s, lam in zip(states, lams, strict=True)]

        def call(put: Callable[[list[Any]], list[int]], *inside: Any) -> list[int]:
            return put(_each("step_many", many.step_many(inside, lams, tilt), lams))

        made = self.states.make_many(
            [self.states.lineage(state).longer() for state in states],
            lambda put: self._answer(ask, partial(call, put), *states),
        )
        self.steps += len(made)
        return made

    def loss_many(self, states: Sequence[Handle], lams: Sequence[Lam]) -> list[float]:
        """As `step_many`."""
        ask = self.states.request_many("loss_many", states, lams, 0.0)
        if not (many := self._many(len(states))):
            return [self.loss(s, lam) for s, lam in zip(states, lams, strict=True)]

        def call(*inside: Any) -> list[float]:
            found = _each("loss_many", many.loss_many(inside, lams), lams)
            return [_plain(value) for value in found]

        line = self._answer(ask, call, *states)
        each = zip(line.gave, states, lams, strict=True)
        return [self._counted(float(loss), line, state, lam) for loss, state, lam in each]

    def _many(self, count: int) -> Batched[Any] | None:
        """The task, where it answers so many at once with a gain."""
        task = self._task
        return task if isinstance(task, Batched) and min(count, self.batch) > 1 else None

    def remaining(self) -> float:
        """A request, though no oracle: what it answers changes, so that a replay needs its line."""
        limit = self.budget.amount
        left = self._answer([REMAINING], lambda: max(0.0, 1 - self.meter.spent() / limit))
        return float(left.gave)

    # what the runner asks

    def propose(self, proposal: Proposal[Any]) -> Incumbent:
        """Stamp a proposal. Raises OutOfBudget where it comes too late."""
        loss = math.inf if math.isnan(proposal.loss) else float(proposal.loss)
        ask = self.states.request(PROPOSAL, proposal.state, proposal.lam, loss)
        # a proposal with a line has its first stamp; lateness was judged when that was written
        line = self._replayed(ask)
        if line is None:
            if self.meter.late():
                raise self.meter.out(" when a proposal came")
            line = self._write(ask, None)
        return Incumbent(proposal, line.spent, line.nfe, self.steps)

    def end(self, why: str = "") -> str:
        """Write down that the search is over, and why, so that a replay of it ends there too.

        Returns why it was over the first time. Raises ReplayError where it goes on, and AuditError.
        """
        self.meter.audit.check(self.meter.nfe)
        line = self._replayed([END])
        if line is None:
            line = self._write([END], why or None)
            self._journal.flush()
        return str(line.gave or "")

    # one request

    def _answer(self, ask: list[Any], call: Callable[..., Any], *of: Handle) -> Line:
        """From the journal, or by calling an oracle on the states behind the handles.

        Returns the line of the request, and raises what the oracle raised.
        """
        if (line := self._replayed(ask)) is not None:
            # after the last line the method computes something new, so its account runs again
            if not self.replay.on:
                self._ledger.switch("method")
                self.heartbeat()
            line.check()
            return line
        # the budget is asked before any state is restored: a refused request does no work
        seconds = self.meter.admit(ask, self.states.in_use)
        # restoring a state is charged to `paused`, so it comes before the oracle's account opens
        inside = [self.states.inside(handle) for handle in of]
        gave, cost, raised = self.meter.call(lambda: call(*inside))
        # the line is written before the method sees the answer: what it knows can be replayed
        with self._ledger.account("io"):
            line = self._write(ask, gave)
            self.meter.paid(ask, cost, line.spent - seconds)
            self._tick()
            checkpoints = self._journal.checkpoints
            if checkpoints is not None and checkpoints.due:
                self.states.save()
            self.heartbeat()
        # raised after the line is written, so that a replay raises it too
        if raised is not None:
            raise raised
        return line

    def _replayed(self, ask: list[Any]) -> Line | None:
        """The line of this request, charged again; None where it is new. Raises OutOfBudget."""
        # a method that swallowed OutOfBudget asks again: the search was over then, and is now
        if self.replay.over and ask != [END]:
            raise self.meter.out(", and the search was over here")
        line = self.replay.line(ask)
        if line is not None:
            self.meter.replayed(line, ask[0] not in (PROPOSAL, END))
        return line

    def _write(self, ask: list[Any], gave: Any) -> Line:
        line = self.meter.line(ask, gave)
        self._journal.write(line)
        return line


def _each(name: str, found: Sequence[Any], lams: Sequence[Lam]) -> list[Any]:
    """The answers of a batch. Raises ValueError where they are not one for each point."""
    if len(found) != len(lams):
        raise ValueError(f"{name}: expected {len(lams)} answers, got {len(found)}")
    return list(found)


def _plain(value: Any) -> float:
    """F as a method gets it: inf for NaN, which is neither less nor greater than an incumbent."""
    return math.inf if math.isnan(value := float(value)) else value
