"""F between recorded points: a Gaussian process for each fidelity, and the recorded noise."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.space import Choice, Lam, Space
from tasks.replay.table import Recorded

Vector = NDArray[np.float64]
_FITTED = 192
"""Points that a process's length scales are fitted to; it then holds all."""
_WORST = 1.0
"""What F that was no number counts as, above the largest, in ranges of F."""


def features(space: Space, points: Vector) -> Vector:
    """The cube's points (n, d) as a process sees them: a column for each text of a Choice."""
    columns = []
    for k, axis in enumerate(space.axes):
        if isinstance(axis, Choice):
            texts = [axis.native(float(u)) for u in points[:, k]]
            columns += [[float(t == value) for t in texts] for value in axis.values]
        else:
            columns.append(points[:, k].tolist())
    return np.array(columns).T


@dataclass(frozen=True)
class Process:
    """A Gaussian process whose answers are a kernel's row times known weights.

    kernel: between features (1, c) and `at`.  scale, shift: of F as it was fitted.
    """

    kernel: Callable[[Vector, Vector], Vector]
    at: Vector
    weights: Vector
    scale: float
    shift: float

    @classmethod
    def fit(cls, at: Vector, values: Vector) -> Process:
        """at: (n, c).  values: (n,), of several trainings at a point too."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import Matern, WhiteKernel

        shift, scale = float(values.mean()), float(values.std()) or 1.0
        y = (values - shift) / scale
        kernel = Matern(np.ones(at.shape[1]), (0.05, 50.0), nu=2.5) + WhiteKernel(0.1, (1e-4, 2.0))
        some = np.random.default_rng(0).permutation(len(at))[:_FITTED]
        with warnings.catch_warnings():
            # a length scale at its bound says that an axis does not matter
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = GaussianProcessRegressor(kernel, random_state=0).fit(at[some], y[some]).kernel_
        known = found(at)
        return cls(found.k1, at, np.linalg.solve(known, y), scale, shift)

    def __call__(self, x: Vector) -> Vector:
        """The mean at features (m, c), (m,)."""
        mean: Vector = self.kernel(x, self.at) @ self.weights * self.scale + self.shift
        return mean


def _noise(
    table: Recorded,
    y: Vector,
    levels: NDArray[np.int64],
    processes: tuple[Process, ...],
    x: Vector,
) -> Vector:
    """What tells trainings at one lam apart, at each fidelity, (trainings, m).

    Where points have several seeds it is what a training has beside their mean, less what its seed
    has everywhere, which all lam of a run share. Where they have one, what it has beside the
    process, misfit included. Trainings whose F was no number have none.
    """
    order = np.lexsort((table.steps, table.training))
    # (trainings, m): each has every fidelity
    by_training = y[order].reshape(-1, len(levels))
    first = order[:: len(levels)]
    good = ~np.isnan(table.loss[order].reshape(by_training.shape)).any(1)
    _, point = np.unique(table.points[first], axis=0, return_inverse=True)
    if len(np.unique(table.seeds)) == 1:
        fitted = np.stack([process(x[first]) for process in processes], 1)
        away = (by_training - fitted)[good]
    else:
        values = pd.DataFrame(by_training[good])
        groups = values.groupby(point.ravel()[good])
        # one of n trainings lies nearer to their mean than to the truth, by root (n - 1) / n
        many = groups[0].transform("size").to_numpy()
        raw = (values - groups.transform("mean")).to_numpy()[many > 1]
        away = raw * np.sqrt(many / np.maximum(1, many - 1))[many > 1, None]
        seeds = table.seeds[first][good][many > 1]
        away = away - pd.DataFrame(away).groupby(seeds).transform("mean").to_numpy()
    return away if len(away) else np.zeros((1, len(levels)))


@dataclass(frozen=True)
class Surrogate:
    """levels: recorded fidelities, ascending, (m,).  processes: of F or of its logarithm at each.

    residuals: the noise of whole trainings, at each fidelity, (trainings, m).
    """

    space: Space
    levels: Vector
    processes: tuple[Process, ...]
    residuals: Vector
    logarithmic: bool

    @classmethod
    def of(cls, table: Recorded) -> Surrogate:
        # F such as a distance spans decades, and its noise is a share of it
        logarithmic = bool(np.nanmin(table.loss) > 0)
        y = np.log(table.loss) if logarithmic else table.loss.copy()
        low, high = np.nanmin(y), np.nanmax(y)
        y[np.isnan(y)] = high + _WORST * (high - low)
        x = features(table.space, table.points)
        levels = np.unique(table.steps)
        processes = tuple(
            Process.fit(x[table.steps == steps], y[table.steps == steps]) for steps in levels
        )
        noise = _noise(table, y, levels, processes, x)
        return cls(table.space, levels.astype(float), processes, noise, logarithmic)

    def mean(self, lam: Lam, steps: float, noise: Vector | None = None) -> float:
        """F after so many steps at lam; beyond the recorded fidelities that of the nearest.

        noise: a training's residuals, (m,), or None.
        """
        x = features(self.space, lam[None])
        at = np.log(max(steps, self.levels[0]))
        logs = np.log(np.maximum(self.levels, 1e-9))
        # the two fidelities around it are enough
        high = min(int(np.searchsorted(logs, at)), len(logs) - 1)
        near = sorted({max(0, high - 1), high})
        values = [self.processes[k](x)[0] + (0.0 if noise is None else noise[k]) for k in near]
        found = float(np.interp(at, logs[near], values))
        return float(np.exp(found)) if self.logarithmic else found

    def slope(self, lam: Lam, steps: float, width: float = 1e-3) -> Lam:
        """d mean / dlam by central differences, 0 along a Choice, (d,)."""
        found = np.zeros(len(lam))
        for k in np.flatnonzero(self.space.ordered):
            up, down = lam.copy(), lam.copy()
            up[k], down[k] = min(1.0, lam[k] + width), max(0.0, lam[k] - width)
            found[k] = (self.mean(up, steps) - self.mean(down, steps)) / (up[k] - down[k])
        return found
