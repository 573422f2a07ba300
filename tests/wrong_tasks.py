"""Tasks that are wrong in one way each, made of the two toys, and right ones in the forms that a
task may have.
"""

import random
from dataclasses import dataclass

import numpy as np

from benchmark import Prices
from tasks.quadratic import Quadratic, QuadraticTask
from tasks.tilted import TiltedTask

MATRIX = np.array([[1.0, 0.3], [-0.2, 0.5]])


class Plain(QuadraticTask):
    """The quadratic, with nothing that the waist does not ask for."""

    lower = None  # to isinstance a protocol's method that is None is one that is not there


class PlainTilted(TiltedTask):
    lower = None


class Observed(Plain):
    """The quadratic whose G can be read."""

    def lower(self, state, lam):
        return float(np.sum((state - MATRIX @ self._native(lam)) ** 2) / 2)


class ObservedTilted(PlainTilted):
    def lower(self, state, lam):
        with np.errstate(invalid="ignore"):  # steps against F have no variance in the end
            kl = (state.variance + state.mean**2 - 1 - np.log(state.variance)) / 2
        return self.space.native(lam)["lam"] * kl - state.mean


def wrong(base, **changed):
    """A task class in which oracles are replaced: name=lambda right, self, *args, where right is
    the base's oracle.
    """

    def replaced(name, change):
        right = getattr(base, name)
        return lambda self, *args: change(lambda *a: right(self, *a), self, *args)

    return type(
        "Wrong", (base,), {name: replaced(name, change) for name, change in changed.items()}
    )


GRADS = {
    "times -7": lambda right, self, s, lam, t=0.0: -7 * right(s, lam, t),
    "times 1.1": lambda right, self, s, lam, t=0.0: 1.1 * right(s, lam, t),
    "not pulled back": lambda right, self, s, lam, t=0.0: (
        right(s, lam, t)
        / np.array([axis.slope(u) for axis, u in zip(self.space.axes, lam, strict=True)])
    ),
    "one axis": lambda right, self, s, lam, t=0.0: (
        right(s, lam, t) * np.where(np.arange(self.space.dim) == 0, -1, 1)
    ),
}
STEPS = {
    "ignores tilt": lambda right, self, s, lam, t=0.0: right(s, lam, 0.0),
    "at 1 - lam": lambda right, self, s, lam, t=0.0: right(s, 1 - lam, t),
    "against F": lambda right, self, s, lam, t=0.0: right(s, lam, -t),
    "half the tilt": lambda right, self, s, lam, t=0.0: right(s, lam, t / 2),
}


def unseeded(self, seed):
    self.nfe += 1
    return np.array([random.gauss(0, 1) for _ in range(2)])


def unseeded_numpy(self, seed):
    self.nfe += 1
    return np.random.normal(size=2)  # noqa: NPY002


def unseeded_torch(self, seed):
    import torch

    self.nfe += 1
    return torch.randn(2).double().numpy()


def free(base, name):
    """An oracle that is not counted."""

    def oracle(right, self, *args):
        before = self.nfe
        found = right(*args)
        self.nfe = before
        return found

    return wrong(base, **{name: oracle})


PRICES = {
    "init": 1,
    "step": 1,
    "loss": 1,
    "grad": 1,
    "tilted_step": 1,
    "tilted_grad": 1,
    "horizon": 20,
}


def made(task, kind=Quadratic, prices=None, tolerance=()):
    """A maker of it. prices: of another task than the toy's; tolerance: what `Tolerant` says."""
    extra = {
        "open": lambda self, seed, prompt, lower, device: (
            task(seed, 20, 0.5) if kind is Quadratic else task()
        ),
        "prices": None,
        "tolerance": None,
    }
    if prices is not None:
        extra |= {
            "counted": "a toy's request",
            "prices": lambda self, lower: Prices(**{**PRICES, **prices}),
        }
    if tolerance != ():
        extra["tolerance"] = lambda self, lower: tolerance
    return dataclass(frozen=True)(type("Made", (kind,), extra))
