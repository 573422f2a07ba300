"""The problem that a method works on: every request is charged, written down, and answered from memory on a replay."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np

from benchmark.books import Books
from benchmark.budget import Budget, OutOfBudget
from benchmark.clock import Ledger
from benchmark.errors import one_line
from benchmark.facade import Handle
from benchmark.gate import Gate
from benchmark.guard import Guard
from benchmark.journal import Journal, Line
from benchmark.protocol import Prices, Proposal, Task
from benchmark.space import Lam, Space

_LIFE = 0.2  # seconds between two signs of life
_OWN = ("proposal", "end")  # lines that are no request to an oracle


@dataclass(frozen=True)
class Incumbent:
    """A proposal, and when it was made: seconds and network evaluations of the budget."""

    proposal: Proposal[Any]
    seconds: float
    nfe: int

    def at(self, unit: str) -> float:
        return self.nfe if unit == "nfe" else self.seconds


class Metered:
    """A Problem that charges each oracle call of a task, turns NaN into inf, and ends when the budget is spent.

    The state of `init` for one seed is one value, so it is computed and charged once.
    tick: called after each request.  alive: called now and then, and when the search goes on after a replay; a watchdog
    cannot know otherwise how much of the time was writing, which no budget counts.
    prices: what a request costs, where the task knows.
    """

    def __init__(
        self,
        task: Task[Any],
        budget: Budget,
        ledger: Ledger,
        tick: Callable[[], None] = lambda: None,
        journal: Journal | None = None,
        alive: Callable[[], None] = lambda: None,
        prices: Prices | None = None,
        guard: Guard | None = None,
    ) -> None:
        self._task, self._budget, self._ledger, self._tick, self._alive = task, budget, ledger, tick, alive
        self._journal, self._guard, self._books = journal or Journal(), guard or Guard(), Books(task)
        self.gate = Gate(budget, ledger, self._journal, prices, self._guard)
        self._inits: dict[int, Handle] = {}
        self._handles: WeakValueDictionary[int, Handle] = WeakValueDictionary()
        self._inside: WeakKeyDictionary[Handle, Any] = WeakKeyDictionary()
        self._made = 0
        self._shown = -math.inf
        self.nfe = 0
        self.losses = self.not_finite = 0  # answers of F, and those of them that are no numbers
        self.longest = 0.0  # seconds of one request; of a run that was resumed, since then

    @property
    def space(self) -> Space:
        return self._task.space

    @property
    def horizon(self) -> int:
        return self._task.horizon

    @property
    def replaying(self) -> bool:
        """Whether the next request has an answer in the journal."""
        return self._journal.ahead is not None

    @property
    def over(self) -> bool:
        """Whether this is a replay that has come to where the search was over."""
        ahead = self._journal.ahead
        return ahead is not None and ahead.ask == ["end"]

    @property
    def live(self) -> bool:
        """Whether the next request is a new one, or comes after what was the end."""
        return self.over or not self.replaying

    @property
    def calls(self) -> int:
        return self.gate.calls

    def spent(self) -> float:
        """How much of the budget is gone, in its unit."""
        return self.nfe if self._budget.unit == "nfe" else self._ledger.spent()

    # what a method asks

    def init(self, seed: int) -> Handle:
        if seed not in self._inits:
            self._inits[seed] = self._state(["init", int(seed)], None, lambda _: self._task.init(seed))
        return self._inits[seed]

    def step(self, state: Handle, lam: Lam, tilt: float = 0.0) -> Handle:
        return self._state(["step", *self._where(state, lam, tilt)], state, lambda s: self._task.step(s, lam, tilt))

    def loss(self, state: Handle, lam: Lam) -> float:
        def call(inside: Any) -> float:
            value = float(self._task.loss(inside, lam))
            return math.inf if math.isnan(value) else value

        found = float(self._answer(["loss", *self._where(state, lam, 0.0)], state, call))
        self.losses += 1
        self.not_finite += not math.isfinite(found)
        return found

    def grad(self, state: Handle, lam: Lam, tilt: float = 0.0) -> Lam:
        def call(inside: Any) -> list[float]:
            return [float(v) for v in np.asarray(self._task.grad(inside, lam, tilt)).ravel()]

        return np.array(self._answer(["grad", *self._where(state, lam, tilt)], state, call), dtype=np.float64)

    # what the runner asks

    def propose(self, proposal: Proposal[Any]) -> Incumbent:
        """Stamp a proposal. Raises OutOfBudget where it comes too late."""
        loss = math.inf if math.isnan(proposal.loss) else float(proposal.loss)
        ask = ["proposal", *self._where(proposal.state, proposal.lam, loss)]
        line = self._recall(ask)
        if line is None:
            if self.spent() > self._budget.amount:
                raise OutOfBudget(f"a proposal came at {self.spent():.6g} of {self._budget}")
            line = self._write(ask, None)
        return Incumbent(proposal, line.spent, line.nfe)

    def end(self, why: str = "") -> str:
        """Write down that the search is over, and why, so that a replay of it ends there too.

        Returns why it was over the first time. Raises ReplayError where it goes on, and BooksError.
        """
        self._books.check(self.nfe)
        line = self._recall(["end"])
        if line is None:
            line = self._write(["end"], why or None)
            self._journal.flush()
        return str(line.gave or "")

    def inside(self, state: Handle) -> Any:
        """The task's own state, computed again where it was not kept."""
        if state not in self._inside:
            with self._ledger.account("paused"), self._books.own():
                self._inside[state] = self._again(state.number)
        return self._inside[state]

    def keep(self) -> None:
        """Save the states that are still in use; on a replay those that will be are not known yet, and are saved already."""
        shelf = self._journal.shelf
        if shelf is not None and not self.replaying:
            self._journal.flush()
            alive = dict(self._handles)
            new = [(n, h) for n, h in alive.items() if h in self._inside and n not in shelf.held]
            with self._books.own():
                shelf.hold(((n, self._task.pack(self._inside[h])) for n, h in new), set(alive), self._guard.disk)

    # one request

    def _state(self, ask: list[Any], of: Handle | None, call: Callable[[Any], Any]) -> Handle:
        handle = Handle(self._made)

        def make(inside: Any) -> int:
            self._inside[handle] = call(inside)
            return handle.number

        self._answer(ask, of, make)
        self._made += 1
        self._handles[handle.number] = handle
        return handle

    def _answer(self, ask: list[Any], of: Handle | None, call: Callable[[Any], Any]) -> Any:
        line = self._recall(ask)
        if line is not None:
            return self._recalled(line)
        self._books.check(self.nfe)
        seconds = self.gate.admit(ask, self.nfe, len(self._handles))
        inside = None if of is None else self.inside(of)
        before = self._task.nfe
        raised: Exception | None = None
        try:
            with self._ledger.account("objective"):
                gave = call(inside)
        except Exception as error:
            raised, gave = error, ["raised", type(error).__name__, one_line(str(error))]
        finally:
            cost = self._task.nfe - before
            self.nfe += cost
            self.gate.answered(cost)
            self._books.request(cost)
        with self._ledger.account("io"):
            line = self._write(ask, gave)
            self.longest = max(self.longest, line.spent - seconds)
            self.gate.paid(ask, cost)
            self._tick()
            if self._journal.shelf is not None and self._journal.shelf.due:
                self.keep()
            self.show_life()
        if raised is not None:
            raise raised
        return gave

    def _recalled(self, line: Line) -> Any:
        """What a request was answered the first time."""
        if not self.replaying:  # the method's own clock runs again
            self._ledger.become("method")
            self.show_life()
        return line.answer()

    def show_life(self) -> None:
        """Tell the watchdog how much of the budget is left, unless it has just been told."""
        now = time.monotonic()
        if now - self._shown > _LIFE:
            self._alive()
            self._shown = now

    def _recall(self, ask: list[Any]) -> Line | None:
        """The line of this request on a replay, whose evaluations and seconds then count as this process's."""
        if self.over and ask != ["end"]:
            raise OutOfBudget("the search was over here")
        line = self._journal.replay(ask)
        if line is not None:
            if ask[0] not in _OWN:
                self.gate.answered(line.nfe - self.nfe)
            self._books.replayed(line.nfe)
            self.nfe = line.nfe
            self.gate.asked(line.accounts["method"])  # before the ledger: no other thread may see a difference
            self._ledger.restore(line.accounts)
        return line

    def _write(self, ask: list[Any], gave: Any) -> Line:
        line = Line(ask, gave, self.nfe, self._ledger.accounts())
        self.gate.asked(line.accounts["method"])
        self._journal.write(line)
        return line

    def _again(self, number: int) -> Any:
        """A state from the nearest one that is at hand, by the steps since."""
        steps = []
        while (state := self._at_hand(number)) is None:
            ask = self._journal.recipe(number)
            if ask[0] == "init":
                state = self._task.init(ask[1])
                break
            steps.append(ask)
            number = ask[1]
        for _, _, lam, tilt in reversed(steps):
            self.show_life()
            state = self._task.step(state, np.array(lam), float(tilt))
        return state

    def _at_hand(self, number: int) -> Any:
        alive = self._handles.get(number)
        if alive is not None and alive in self._inside:
            return self._inside[alive]
        arrays = self._journal.shelf.get(number) if self._journal.shelf is not None else None
        return None if arrays is None else self._task.unpack(arrays)

    def _where(self, state: object, lam: Lam, number: float) -> list[Any]:
        """A request's arguments as they are written down."""
        if not isinstance(state, Handle):
            raise TypeError(f"a method passes on states that it got from init or step, got {type(state).__name__}")
        if self._handles.get(state.number) is not state:
            raise TypeError("a method passes on states that it got from init or step, got a handle of its own making")
        return [state.number, [float(v) for v in np.asarray(lam).ravel()], float(number)]
