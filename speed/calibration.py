"""How often intervals and marks are wrong where the truth is known: tables of equal rows.

Coverage: share of 95 % intervals that hold the true mean.
Alarms: share of tables in which at least one of the equal rows is not marked.
Power: share of rows that lose their mark where one row is better by two deviations.
Bootstrap: what the suite did before, percentiles of 4,000 resampled means, for pairs as well.
BCa, studentised: other bootstraps that are often advised, of 1,000 resamples.
Ranks: share of tables in which mean ranks of equal rows are further apart than they may be.
Chances: of rows whose probability of the best mean is 80 % or more, the share that is the best;
the rows' true means are normal, with half and with all of the noise's deviation.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

from benchmark.report.statistics.chances import chances
from benchmark.report.statistics.ranks import ranks
from benchmark.report.stats import Values, best, estimate

Rng = np.random.Generator
Noise = Callable[[Rng, tuple[int, int, int]], NDArray[np.float64]]
SHAPES = ((5, 5, 3), (8, 5, 3), (6, 5, 1), (6, 3, 1), (5, 3, 3), (5, 10, 3), (6, 10, 1), (6, 2, 1))
"""(methods, seeds, prompts)."""
INTERVALS = tuple((seeds, prompts) for prompts in (1, 3) for seeds in (2, 3, 5, 10))
_RESAMPLES = 4000


def _normal(rng: Rng, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    return rng.standard_normal(shape)


def _lognormal(rng: Rng, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    # less its mean, so that the truth is 0 here too
    return np.exp(rng.standard_normal(shape)) - np.exp(0.5)


def _gamma(rng: Rng, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    return rng.gamma(4.0, 0.5, shape) - 2


def _halved(rng: Rng, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    return np.exp(0.5 * rng.standard_normal(shape)) - np.exp(0.125)


def _by_method(noise: Noise, rng: Rng, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    """Deviations from 0.1 to 3, a method each."""
    return noise(rng, shape) * np.geomspace(0.1, 3, shape[0])[:, None, None]


NOISES: dict[str, Noise] = {
    "normal": _normal,
    "lognormal": _lognormal,
    "normal, deviations 1:30 by method": lambda rng, shape: _by_method(_normal, rng, shape),
    "lognormal, deviations 1:30 by method": lambda rng, shape: _by_method(_lognormal, rng, shape),
    "normal, deviations 1:2:3 by prompt": lambda rng, shape: (
        _normal(rng, shape) * np.arange(1, shape[2] + 1)
    ),
    "gamma, skewness 1": _gamma,
    "lognormal, skewness 1.75": _halved,
}


def table(
    noise: Noise, rng: Rng, shape: tuple[int, int, int], better: float = 0.0
) -> dict[str, Values]:
    """Rows by name; the first is lower, and so better, by `better`."""
    # a common effect of each cell, as seeds and prompts have: pairing should take it out
    values = noise(rng, shape) + 2 * rng.standard_normal((1, *shape[1:]))
    values[0] -= better
    cells = [(s, f"prompt {p}") for s in range(shape[1]) for p in range(shape[2])]
    return {
        f"row {k}": dict(zip(cells, row.ravel().tolist(), strict=True))
        for k, row in enumerate(values)
    }


def covers(noise: Noise, rng: Rng, seeds: int, prompts: int) -> bool:
    """Whether the interval of one row holds its true mean, 0."""
    values = noise(rng, (1, seeds, prompts))[0]
    found = estimate({(s, f"prompt {p}"): v for (s, p), v in np.ndenumerate(values)})
    return found.low <= 0 <= found.high


def _interval(values: NDArray[np.float64], rng: Rng) -> NDArray[np.float64]:
    """values: (seeds, prompts)."""
    n, prompts = values.shape
    middle = values.mean(0)
    # resampling n values alone gives (n - 1)/n of the variance
    wide = middle + (values - middle) * np.sqrt(n / (n - 1))
    totals = sum(wide[rng.integers(0, n, (_RESAMPLES, n)), p].sum(1) for p in range(prompts))
    return np.percentile(np.asarray(totals) / values.size, [2.5, 97.5])


def _bootstrap_alarm(rows: dict[str, Values], prompts: int, rng: Rng) -> bool:
    x = np.array([list(v.values()) for v in rows.values()]).reshape(len(rows), -1, prompts)
    top = int(x.mean((1, 2)).argmin())
    limits = [_interval(x[k] - x[top], rng) for k in range(len(x)) if k != top]
    return any(low > 0 or high < 0 for low, high in limits)


def _bca(values: NDArray[np.float64], rng: Rng) -> tuple[float, float]:
    found = bootstrap((values,), np.mean, n_resamples=1000, method="BCa", rng=rng)
    return tuple(found.confidence_interval)


def _studentised(values: NDArray[np.float64], rng: Rng) -> tuple[float, float]:
    n, error = len(values), values.std(ddof=1) / np.sqrt(len(values))
    again = values[rng.integers(0, n, (1000, n))]
    spread = again.std(1, ddof=1) / np.sqrt(n)
    # of equal values there is no t: as far away as can be, on either side
    apart = again.mean(1) - values.mean()
    t = np.divide(apart, spread, out=np.copysign(np.full(1000, 1e9), apart), where=spread > 0)
    low, high = np.percentile(t, [2.5, 97.5])
    return values.mean() - high * error, values.mean() - low * error


_OTHERS = {"coverage, BCa": _bca, "coverage, studentised": _studentised}


def sure(seeds: int, width: float, times: int) -> tuple[int, float, float]:
    """How many rows seemed the best with 80 % or more, how sure on average, how often rightly."""
    rng, said, true = np.random.default_rng([seeds, int(10 * width)]), [], []
    for _ in range(times):
        means = width * rng.standard_normal(6)
        rows = table(_normal, rng, (6, seeds, 1))
        moved = {
            n: {c: v + m for c, v in rows[n].items()} for n, m in zip(rows, means, strict=True)
        }
        for k, chance in enumerate(chances(moved, True).values()):
            if chance >= 0.8:
                said.append(chance)
                true.append(k == means.argmin())
    return len(said), float(np.mean(said)), float(np.mean(true))


@dataclass(frozen=True)
class _Job:
    """What one process works out: `times` of one kind of table or interval."""

    kind: str
    noise: str
    shape: tuple[int, int, int]
    times: int

    def __call__(self) -> float:
        # a stream for each job, so that the figures do not depend on the number of processes
        rng = np.random.default_rng([self.times, *shape_key(self)])
        return sum(self._once(NOISES[self.noise], rng) for _ in range(self.times)) / self.times

    def _once(self, noise: Noise, rng: Rng) -> float:
        shape = self.shape
        if self.kind == "coverage":
            return covers(noise, rng, *shape[1:])
        if self.kind == "coverage, bootstrap":
            low, high = _interval(noise(rng, (1, *shape[1:]))[0], rng)
            return float(low <= 0 <= high)
        if self.kind in _OTHERS:
            low, high = _OTHERS[self.kind](noise(rng, (1, *shape[1:]))[0].ravel(), rng)
            return float(low <= 0 <= high)
        if self.kind == "ranks":
            found = ranks(table(noise, rng, shape), True)
            mean = found.mean.values() if found else (0.0,)
            return float(found is not None and max(mean) - min(mean) > found.critical)
        if self.kind == "alarms":
            return 0 < len(best(table(noise, rng, shape), True)) < shape[0]
        if self.kind == "alarms, bootstrap":
            return _bootstrap_alarm(table(noise, rng, shape), shape[2], rng)
        marked = best(table(noise, rng, shape, better=2.0), True)
        return (shape[0] - len(marked)) / (shape[0] - 1) if marked else 0.0


def shape_key(job: _Job) -> tuple[int, ...]:
    return (*job.shape, list(NOISES).index(job.noise), len(job.kind))


def _run(job: _Job) -> float:
    return job()


def main(intervals: int = 10_000, tables: int = 4_000, slow: int = 400) -> None:
    """slow: how many tables of the bootstrap, each of which takes a tenth of a second."""
    kinds = [("coverage", intervals), ("coverage, bootstrap", 5 * slow)]
    jobs = [
        _Job(k, noise, (1, *s), n)
        for noise in ("normal", "lognormal")
        for s in INTERVALS
        for k, n in kinds
    ]
    jobs += [
        _Job(k, noise, (1, n, 1), n_times)
        for noise in ("normal", "gamma, skewness 1", "lognormal, skewness 1.75", "lognormal")
        for n in (3, 5, 10)
        for k, n_times in (("coverage", intervals), *((k, 5 * slow) for k in _OTHERS))
    ]
    jobs += [_Job("ranks", "normal", shape, 5 * slow) for shape in SHAPES]
    jobs += [_Job("alarms", noise, shape, tables) for noise in NOISES for shape in SHAPES]
    jobs += [_Job("alarms, bootstrap", "normal", shape, slow) for shape in SHAPES]
    jobs += [_Job("power", "normal", shape, tables // 4) for shape in SHAPES]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for job, share in zip(jobs, pool.map(_run, jobs), strict=True):
            methods, seeds, prompts = job.shape
            where = (
                f"{seeds} seeds x {prompts} prompts"
                if methods == 1
                else f"{methods} x {seeds} x {prompts}"
            )
            error = (share * (1 - share) / job.times) ** 0.5
            print(
                f"{job.kind:<21} {job.noise:<37} {where:<22} {share:.4f} +- {error:.4f}", flush=True
            )
    for seeds in (3, 5, 10):
        for width in (0.5, 1.0):
            n, said, true = sure(seeds, width, 5 * slow)
            print(
                f"chances, 6 x {seeds} x 1, means {width:g} apart: of {n} said {said:.3f}, right "
                f"{true:.3f}"
            )


if __name__ == "__main__":
    main()
