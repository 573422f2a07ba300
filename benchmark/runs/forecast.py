"""`bench run --dry-run`: what would run, and from a short probe of each task what it would cost."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmark.budget import Budget
from benchmark.protocol import Prices, Remeasured, Simulated
from benchmark.runs.afford import distinct, prices, shortfall, warnings, where
from benchmark.runs.child import label
from benchmark.runs.measuring import MeasuringTime, kind, tried
from benchmark.runs.preflight import needs
from benchmark.runs.words import seconds
from benchmark.spec import RunSpec
from benchmark.store.store import Store, Stored

_PROBE = 3.0  # seconds
# bytes of a line of the journal
_LINE = 250


@dataclass(frozen=True)
class Probe:
    """What a short trial of a task cost.

    setup: seconds until a search begins.  rate: network evaluations a second.  state: bytes of a
        state.  nfe: network evaluations of a step.  kept: bytes that a run keeps of its answer.
    start, fit: (seconds, network evaluations) of an `init`, and of that with all steps, without F.
    measuring: seconds of a measurement, inf where it was given up, None where none was tried.
    """

    setup: float
    rate: float
    state: int
    nfe: float
    start: tuple[float, float]
    fit: tuple[float, float]
    kept: int
    measuring: float | None = None

    @classmethod
    def of(cls, spec: RunSpec, device: str, measure: bool = False) -> Probe:
        """Try a task for a few seconds. measure: whether a measurement is tried too."""
        began = time.monotonic()
        task = spec.maker().open(spec.seed, spec.prompt, spec.lower, device)
        task.warm_up()
        ready = time.monotonic()
        lam, before, steps = task.space.default(), task.nfe, 0
        state = task.init(0)
        start = (time.monotonic() - ready, float(task.nfe - before))
        # steps are what is timed, for full fits are steps above all
        while steps < task.horizon and time.monotonic() < ready + _PROBE:
            state, steps = task.step(state, lam), steps + 1
        if task.nfe == before:
            # all that such a task takes it takes for F
            task.loss(state, lam)
        simulated = task.seconds if isinstance(task, Simulated) else 0.0
        spent = max(time.monotonic() - ready + simulated, 1e-6)
        nfe = task.nfe - before
        size = sum(a.nbytes for a in task.pack(state).values())
        times = task.horizon / max(1, steps)
        fit = (start[0] + times * (spent - start[0]), start[1] + times * (nfe - start[1]))
        answer = task.answer(state, lam) if isinstance(task, Remeasured) else {}
        kept = sum(a.nbytes for a in answer.values())
        measuring = tried(lambda: task.test(state, lam)) if measure else None
        return cls(
            ready - began, nfe / spent, size, nfe / max(1, steps), start, fit, kept, measuring
        )

    def shortfall(self, spec: RunSpec, stated: Prices | None) -> str:
        """The warning for a budget that is too small, or ""."""
        counted = Budget.parse(spec.budget).unit == "nfe"
        # stated prices are exact, so they come before what was measured
        if counted and stated is not None:
            return "".join(warnings([spec]))
        if counted:
            (start, fit), unit = (self.start[1], self.fit[1]), "evaluations"
        elif stated is not None and self.rate > 0:
            (start, fit), unit = (stated.init / self.rate, stated.fit / self.rate), "s"
        else:
            (start, fit), unit = (self.start[0], self.fit[0]), "s"
        digits = 0 if counted else 1
        detail = f"about {fit:,.{digits}f} {unit}, of which {start:,.{digits}f} to start"
        return shortfall(spec.budget, where(spec), start, fit, detail)


def _bytes(value: float) -> str:
    return f"{value / 2**20:.1f} MiB" if value < 2**30 else f"{value / 2**30:.1f} GiB"


def _state(found: Stored | None) -> str:
    if found is None:
        return "would run"
    if found.open:
        return "goes on  "
    return "is stored" if found.done else "is failed"


def forecast(
    specs: Sequence[RunSpec], store: Store, device: str, slots: int, retry_failed: bool = False
) -> Iterator[str]:
    """Lines for a terminal. The last ones are sums, and upper limits: a run may end early."""
    todo, took = [], MeasuringTime()
    for spec in specs:
        stored = store.find(spec)
        took.add(spec, stored)
        yield f"{_state(stored)} {spec.run_id} {label(spec)}, budget {spec.budget}"
        if stored is None or stored.open or (retry_failed and not stored.done):
            todo.append(spec)
    for need in needs(todo):
        yield f"{need.task}: about {_bytes(need.needed)} of memory at a run's peak"
    probes: dict[str, Probe] = {}
    unknown = took.unknown(todo)
    evaluations = whole = disk = stays = 0.0
    short = {spec.run_id for spec in distinct(todo)}
    for spec in todo:
        name = f"{spec.task}, {spec.preset}{', ' if spec.lower else ''}{spec.lower}"
        if (key := kind(spec)) not in probes:
            p = probes[key] = Probe.of(spec, device, key in unknown)
            if p.measuring is not None:
                took.probed(spec, p.measuring)
            yield (
                f"{name}: {seconds(p.setup)} until a search begins, then about {p.rate:,.0f} "
                f"network evaluations a second (probed on {device}); a state is {_bytes(p.state)}"
            )
        p, budget = probes[key], Budget.parse(spec.budget)
        if spec.run_id in short and (line := p.shortfall(spec, prices(spec))):
            yield line
        search = budget.amount if budget.unit == "s" else budget.amount / max(p.rate, 1e-9)
        nfe = budget.amount if budget.unit == "nfe" else budget.amount * p.rate
        evaluations, whole = evaluations + nfe, whole + p.setup + search
        stays += 2e5 + p.kept
        # while a run lasts: its journal, and at most about three states at once
        disk = max(disk, _LINE * nfe / max(1.0, p.nfe) + 3 * p.state)
    at_work = disk * min(slots, max(1, len(todo)))
    yield (
        f"{len(todo)} of {len(specs)} runs, at most {evaluations:,.0f} network evaluations and "
        f"{seconds(whole / slots)} ({slots} at a time), {took.of(todo, slots)}; disk: at most "
        f"{_bytes(at_work)} at work, about {_bytes(stays)} stored"
    )
