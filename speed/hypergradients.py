"""The shoot-out of hypergradients: every estimate against a difference of F(lam, y(lam)), over
seconds, evaluations and memory. Writes results/hypergradients/.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.seeds import generator
from benchmark.space import Lam
from methods.bilevel import Bilevel
from methods.hypergradients.cg import ConjugateGradients
from methods.hypergradients.descent import Descent
from methods.hypergradients.es import EvolutionStrategy
from methods.hypergradients.f2sa import F2SA
from methods.hypergradients.neumann import Neumann
from methods.hypergradients.t1t2 import T1T2
from methods.hypergradients.unrolled import Unrolled
from speed.bowl import Bowl
from speed.hypergradients_report import write
from speed.shoot_out import Truth, compared, measured
from tasks.noise_schedule import NoiseSchedule
from tasks.quadratic import Quadratic
from tasks.tilted import Tilted

FOLDER = Path("results/hypergradients")
_SMALL = NoiseSchedule(
    channels="8,16",
    horizon=40,
    batch=32,
    steps=3,
    samples=128,
    grad_samples=64,
    directions=0,  # F_lam by all four coordinates: one random direction would hide the rest
)
_BY_LAM = ("unrolled", "es")


def rivals(horizon: int) -> dict[str, Descent]:
    """By the label of a row; without those whose window is longer than a full fit."""
    found: dict[str, Descent] = {
        "bilevel": Bilevel(),
        "bilevel (gamma=10)": Bilevel(gamma=10.0),
        "t1t2": T1T2(),
        **{f"neumann (terms={k})": Neumann(terms=k) for k in (5, 20)},
        **{f"cg (order={k})": ConjugateGradients(order=k) for k in (1, 2, 4)},
        **{f"unrolled (unroll={k})": Unrolled(unroll=k) for k in (1, 5, 20, 40)},
        "es (unroll=1)": EvolutionStrategy(unroll=1),
        "es": EvolutionStrategy(),
        "es (directions=16)": EvolutionStrategy(directions=16),
        "f2sa": F2SA(),
    }
    return {
        # y takes no more steps than the estimate looks through, so that costs are the estimate's
        label: method if isinstance(method, F2SA) else replace(method, steps_y=method.window)
        for label, method in found.items()
        if method.window <= max(2, horizon)
    }


@dataclass(frozen=True)
class Arena:
    """A task and the ways to open it, by the text that follows the row's label. The first is the
    truth's; the others are for estimates over the tilt alone.
    """

    name: str
    ways: dict[str, Callable[[int], Any]]
    seeds: int
    points: int
    widths: tuple[float, ...] = (0.01, 0.003, 0.001)


def _toy(kind: Any) -> Callable[[int], Any]:
    return lambda seed: kind().open(seed, "", "", "cpu")


def _schedule(theta: str) -> Callable[[int], Any]:
    return lambda seed: replace(_SMALL, theta=theta).open(seed, "", "", "cpu")


ARENAS = (
    Arena("tilted", {"": _toy(Tilted)}, 1, 5),
    Arena("quadratic", {"": _toy(Quadratic)}, 5, 5),
    Arena("bowl", {"": Bowl}, 5, 5),
    Arena(
        "noise_schedule",
        {f"theta={t}": _schedule(t) for t in ("none", "zeroth_order", "truncated")},
        3,
        1,
        (0.04, 0.02),  # a training is too rugged for less
    ),
)


def points(default: Lam, count: int) -> list[Lam]:
    """The default, as far inside the cube as differences need, and points drawn in it."""
    rng = generator(0, "hypergradients")
    drawn = [0.1 + 0.8 * rng.random(len(default)) for _ in range(count - 1)]
    return [np.clip(default, 0.1, 0.9), *drawn]


def cell(arena: Arena, seed: int, point: int) -> Iterator[dict[str, object]]:
    """A row for each estimate at one point and seed."""
    first, *others = arena.ways
    task = arena.ways[first](seed)
    lam = points(task.space.default(), arena.points)[point]
    where: dict[str, object] = {"task": arena.name, "seed": seed, "point": point}
    truth = Truth.at(task, lam, arena.widths)
    for name, known in (("the next wider difference", truth.wider), ("F_lam", truth.own)):
        yield {**where, "estimate": name, **compared(known, truth)}
    for label, method in rivals(task.horizon).items():
        by_lam = label.split()[0] in _BY_LAM
        for way in (first,) if by_lam or not others else others:
            opened = partial(arena.ways[way], seed)
            calls = 4 if isinstance(method, F2SA) and task.horizon > 1 else 1
            found = measured(method, opened, lam, truth, 1000 * seed + point, calls)
            name = label if by_lam or not way else f"{label} {way}"
            yield {**where, "estimate": name, **found}


def measure(arena: Arena) -> Iterator[dict[str, object]]:
    """Every row of an arena."""
    for seed in range(arena.seeds):
        for point in range(arena.points):
            yield from cell(arena, seed, point)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    gc.freeze()  # else each reset of the peak memory walks through all that was imported
    rows = []
    for arena in ARENAS:
        for row in measure(arena):
            rows.append(row)
            # each time, so that a long run that is cut short leaves what it has
            frame = pd.DataFrame(rows)
            frame.to_csv(FOLDER / "hypergradients.csv", index=False, float_format="%.6g")
        print(f"{arena.name}: {len(rows)} rows so far", flush=True)
    write(FOLDER)
