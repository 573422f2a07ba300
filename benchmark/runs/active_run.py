"""One run while it lasts: open the task, let the method spend its budget, measure its answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from benchmark.budget import Budget, OutOfBudget
from benchmark.device import in_use, peak_memory_bytes, reset_peak_memory, use
from benchmark.errors import Refused, StorageError, UsageError
from benchmark.maker import Priced
from benchmark.protocol import Prices, Remeasured, Simulated, Task
from benchmark.runs.interrupts import Interrupts, Terminated
from benchmark.runs.progress import Progress
from benchmark.runs.record import Record
from benchmark.search.clock import Ledger
from benchmark.search.guard import Guard
from benchmark.search.heartbeat import Heartbeat
from benchmark.search.loop import search
from benchmark.search.measure import Evaluation, Incumbents, measured, stamp, trial, why_none
from benchmark.search.metered import Metered
from benchmark.seeds import generator
from benchmark.space import as_json
from benchmark.spec import RunSpec, make_method
from benchmark.store.writer import Writer

LOG = logging.getLogger("benchmark")
# images of samples.png
_STRIP = 8


@dataclass(frozen=True)
class ActiveRun:
    """event: called with what begins and the seconds that are left, for a watchdog."""

    spec: RunSpec
    device: str
    record: Record
    progress: Progress
    event: Callable[[str, object], None]
    guard: Guard
    interrupts: Interrupts

    @property
    def budget(self) -> Budget:
        return self.record.budget

    @property
    def ledger(self) -> Ledger:
        return self.record.ledger

    @property
    def writer(self) -> Writer:
        return self.record.writer

    def _left(self) -> float:
        return self.budget.amount - self.ledger.spent()

    def _beat(self) -> None:
        self.interrupts.again()
        if self.budget.unit == "s":
            self.event("search", self._left())
        self.record.neighbours.look()

    def _watched(self, metered: Metered) -> AbstractContextManager[object]:
        if self.budget.unit == "nfe":
            return Heartbeat(
                metered.meter.gate.computing,
                lambda: metered.replay.over,
                self.guard.idle,
                lambda left: self.event("search", left),
            )
        # the whole budget, also for a resumed run: a replay takes no longer than the search did
        self.event("search", self.budget.amount)
        return nullcontext()

    def _warm(self) -> Task[Any]:
        spec = self.spec
        use(self.device)
        if note := in_use(self.device):
            LOG.warning(note)
            self.progress.phase(note)
        task = spec.maker().open(spec.seed, spec.prompt, spec.lower, self.device)
        # a resumed run has its warm-up in the ledger already
        with self.ledger.account("paused" if self.writer.journal.lines else "warmup"):
            task.warm_up()
        if isinstance(task, Simulated):
            self.ledger.simulate(lambda: task.seconds)
        self.interrupts.again()
        return task

    def _search(self, metered: Metered, task: Task[Any], found: Incumbents) -> tuple[str, str]:
        """Spend the budget; returns the status, and the guard that ended it or ""."""
        status = "ok"
        try:
            with self._watched(metered):
                self._propose(metered, task, found)
        except OutOfBudget:
            status = "budget_exhausted"
        except (KeyboardInterrupt, Terminated) as error:
            self.interrupts.heard = True
            if isinstance(error, Terminated) and self._at_its_end(metered):
                status = "budget_exhausted"
            else:
                # without these checkpoints the run can be resumed all the same, only later
                with suppress(Exception, StorageError), self.ledger.account("io"):
                    metered.states.save()
                raise
        # written before the measurement: a run that is cut short there does not search on
        with self.ledger.account("io"):
            guarded = metered.end(metered.meter.gate.guarded)
        if guarded:
            LOG.warning(f"the search was ended by its {guarded}")
        return ("budget_exhausted" if guarded else status), guarded

    def _propose(self, metered: Metered, task: Task[Any], found: Incumbents) -> None:
        """Store the proposals as they come. Raises OutOfBudget."""
        spec = self.spec
        # by prompt too, so that the cells of a table are independent
        rng = generator(spec.seed, "method", spec.method, spec.prompt)
        method = make_method(spec.method, spec.method_options)
        for incumbent in search(method, metered, rng, self.ledger):
            found.add(incumbent)
            with self.ledger.account("io"):
                self.writer.proposal(stamp(incumbent, task))
                self.progress.incumbent(incumbent.proposal.loss)

    def _evaluated(self, task: Task[Any], evaluation: Evaluation) -> None:
        """Store an evaluation of F."""
        with self.ledger.account("io"):
            if (line := trial(evaluation, task.space)) is not None:
                self.writer.trial(line)

    def _at_its_end(self, metered: Metered) -> bool:
        """Whether a SIGTERM ends the search and not the run."""
        # the watchdog sends one past the budget, or to an idle method; anybody else before that
        if self.budget.unit == "s":
            return self._left() <= 0
        return metered.replay.over or metered.meter.gate.idled()

    def __call__(self) -> dict[str, Any]:
        """The record of the search, after its incumbents at the marks and the end are measured."""
        task, prices, counted = self._set_up()
        metered = Metered(
            task,
            self.budget,
            self.ledger,
            lambda: self.progress.spent(metered.meter.spent()),
            self.writer.journal,
            self._beat,
            prices,
            self.guard,
            lambda evaluation: self._evaluated(task, evaluation),
        )
        self.record.values["space"] = as_json(task.space)
        found = Incumbents([Budget.parse(m).amount for m in self.spec.marks], self.budget.unit)
        self.progress.phase("search")
        # set-up loads some things once a process: their memory is not the method's. Of an answer
        # from a record there is none to tell, and to forget the peak takes longer than a search
        own = not isinstance(task, Simulated) and reset_peak_memory(self.device)
        status, guarded = self._search(metered, task, found)
        result = self._result(metered, found, status, guarded)
        result |= {"counted": counted, "peak_memory_of": "search" if own else "process"}
        self.progress.phase("measuring")
        with self.ledger.account("report"):
            tests, images = self._measure(metered, task, found)
            answer = self._answer(metered, task, found)
        with self.ledger.account("io"):
            self.writer.final(tests, images)
            if answer is not None:
                self.writer.answer(answer)
        return result

    def _answer(
        self, metered: Metered, task: Task[Any], found: Incumbents
    ) -> Mapping[str, NDArray[Any]] | None:
        """What a later measurement needs of the last answer; None where the task has no such."""
        if not isinstance(task, Remeasured) or found.last is None:
            return None
        last = found.last.proposal
        return task.answer(metered.states.inside(last.state), last.lam)

    def _set_up(self) -> tuple[Task[Any], Prices | None, str]:
        """The task, its prices, and what is counted. Raises Refused."""
        self.progress.phase("set-up")
        maker = self.spec.maker()
        priced = maker if isinstance(maker, Priced) else None
        try:
            task = self._warm()
            prices = priced.prices(self.spec.lower) if priced is not None else None
        except UsageError as error:
            # bad files are no failure of the method, so nothing is stored
            raise Refused(str(error)) from error
        return task, prices, priced.counted if priced is not None else ""

    def _result(
        self, metered: Metered, found: Incumbents, status: str, guarded: str
    ) -> dict[str, Any]:
        """What the search cost, for run.json."""
        no_answer, meter, budget = found.last is None, metered.meter, self.budget
        why = why_none(status, guarded, metered.losses, metered.not_finite) if no_answer else ""
        if why:
            LOG.warning(f"no answer: {why}")
        self.event("measure", None)
        seconds, by = self.ledger.spent(), budget.unit
        return {
            "status": status,
            "nfe": meter.nfe,
            "oracle_calls": meter.gate.calls,
            "search_seconds": seconds,
            "longest_call_seconds": meter.longest,
            "ended_by": guarded,
            "overrun_seconds": max(0.0, seconds - budget.amount) if by == "s" else 0.0,
            "overrun_nfe": max(0, meter.nfe - int(budget.amount)) if by == "nfe" else 0,
            "no_incumbent": no_answer,
            "losses": metered.losses,
            "trials": self.writer.trials,
            "not_finite": metered.not_finite,
            "why_none": why,
            "peak_memory_bytes": peak_memory_bytes(self.device),
        }

    def _measure(
        self, metered: Metered, task: Task[Any], found: Incumbents
    ) -> tuple[list[dict[str, Any]], list[NDArray[Any]]]:
        """The incumbents at the marks and at the end, on held-out data; [] where there are none.

        Beside them the first images of each.
        """
        tests, images = [], []
        # all states first: restoring them is charged to paused, and must not count as measuring
        states = [(i, metered.states.inside(i.proposal.state)) for i in found.to_measure]
        for incumbent, state in states:
            test = task.test(state, incumbent.proposal.lam)
            self.interrupts.again()
            try:
                tests.append(measured(incumbent, task, test))
            except ValueError as error:
                raise ValueError(f"task {self.spec.task!r}: {error}") from error
            images.append(test.images[:_STRIP])
        return tests, images
