"""What each method does on axes of every kind: reals, whole numbers of both scales, and texts."""

import numpy as np
import pytest
from optuna.distributions import IntDistribution

from benchmark.check import Watched
from benchmark.check.searched import search_once
from benchmark.space import Integer
from benchmark.spec import make_method
from benchmark.store.schema import PROPOSAL, check
from methods import TABLE
from methods.hypergradients.es import EvolutionStrategy
from methods.hypergradients.unrolled import Unrolled
from methods.optuna_study import _distribution
from tasks.kinds import SHIFTS, Kinds, KindsTask

SPACE = KindsTask.space
DESCENT = ("bilevel", "t1t2", "neumann", "cg", "unrolled", "f2sa", "es")


def answers(name):
    """Native values of what a method proposes within the check's budget."""
    return [SPACE.native(p.lam) for _, p in search_once(name, Watched("kinds", 0), 0).records]


@pytest.mark.parametrize("name", sorted(set(TABLE) - {"gp"}))
def test_values_have_their_types(name):
    found = answers(name)
    assert found
    for native in found:
        assert [type(v) for v in native.values()] == [float, int, int, str]
        assert native["shape"] in SHIFTS


@pytest.mark.parametrize("name", DESCENT)
def test_a_gradient_moves_numbers_and_keeps_the_text(name):
    """Along whole numbers as well: those of the unrounded value lead to the optimum."""
    task = Kinds().open(0, "", "", "cpu")
    found = list(make_method(name, {})(task, np.random.default_rng(0)))
    first, last = (SPACE.native(p.lam) for p in (found[0], found[-1]))
    assert last["shape"] == "middle"
    assert last["n"] > 4, "from the default 4 towards 6"
    assert last["k"] > 60, "from the default 60 towards 100"
    ends = [task.test(0.0, SPACE.point(p)).metrics["objective"] for p in (first, last)]
    assert ends[1] < ends[0] / 2


@pytest.mark.parametrize("name", ["random", "grid", "bayesian", "tpe", "qmc", "pbt"])
def test_a_black_box_search_tries_every_text_and_many_numbers(name):
    task = Watched("kinds", 0)
    search_once(name, task, 0)
    asked = [SPACE.native(lam) for lam in task.asked]
    assert {a["shape"] for a in asked} == set(SHIFTS)
    assert len({a["n"] for a in asked}) >= 2
    assert len({a["k"] for a in asked}) >= 2


@pytest.mark.parametrize("kind", [Unrolled, EvolutionStrategy])
def test_differences_reach_the_neighbours_of_a_whole_number(kind):
    task = Watched("kinds", 0)
    # with lr = 0 lam stays, and all that is asked beside it is the differences'
    list(kind(lr=0.0, iterations=10)(task, np.random.default_rng(0)))
    assert {3, 4, 5} <= {SPACE.native(lam)["n"] for lam in task.asked}


def test_optuna_draws_whole_numbers_on_their_scale():
    assert _distribution(SPACE.axes[2], False) == IntDistribution(1, 1000, log=True)
    assert _distribution(Integer("n", 0, 8, 4), False) == IntDistribution(0, 8)


def test_whole_numbers_are_read_as_they_were_stored():
    """As 4 today, and as the 4.0 of an earlier version."""
    for lam in ({"n": 4, "a": 0.5, "c": "s"}, {"n": 4.0, "a": 0.5, "c": "s"}):
        read = check(PROPOSAL, {"seconds": 0.0, "nfe": 1, "lam": lam, "loss": 1.0})["lam"]
        assert read == lam
        assert [type(v) for v in read.values()] == [type(v) for v in lam.values()]
