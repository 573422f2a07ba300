"""What requests cost: a method with a budget in evaluations must not be able to ask for ever."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmark.check.subject import Subject

_TILT = 0.1


def evaluations(s: Subject) -> str:
    """Each kind of request once, on an ordinary state. A price of 0 must be stated."""
    task, lam = s.task, s.task.space.default()
    asks = (("step", 0.0), ("step", _TILT), ("loss", 0.0), ("grad", 0.0), ("grad", _TILT))
    # `loss` takes no tilt
    requests: dict[tuple[str, float], Callable[[], object]] = {
        (ask, tilt): partial(getattr(task, ask), s.fitted, lam, *((tilt,) if tilt else ()))
        for ask, tilt in asks
    }
    took = {("init", 0.0): s.init_took}
    for request, call in requests.items():
        before = task.nfe
        call()
        took[request] = task.nfe - before
    wrong = [found for (ask, tilt), n in took.items() if (found := _wrong(s, ask, tilt, n))]
    if s.prices is not None and s.prices.horizon != task.horizon:
        wrong.append(
            f"prices are those of a fit of {s.prices.horizon} steps, the task's has {task.horizon}"
        )
    return "; ".join(wrong)


def _wrong(s: Subject, ask: str, tilt: float, took: int) -> str:
    name = f"tilted {ask}" if tilt else ask
    if took < 0:
        return f"{name}: the counter went back by {-took}"
    if s.prices is None:
        return "" if took else f"{name} took none, and the task has no `prices` that say so"
    price = s.prices.of(ask, tilt)
    if took > price:
        return f"{name} took {took}, more than its price {price}"
    exact = took == price or s.prices.bound
    return "" if exact else f"{name} took {took}, its price overstates that: {price}"
