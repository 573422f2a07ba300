"""Every built-in method passes the exported suite, and the suite can fail."""

import random
import re

import numpy as np
import pytest

from benchmark import Proposal, fit
from benchmark.check import Watched, check_method, check_task, searched
from benchmark.check.hidden import GIVEN, problem_hides_the_task
from benchmark.registry import METHODS, Entry
from benchmark.spec import make_method
from methods import TABLE

# a Gaussian process takes most of its time for the last points
FEWER = {"bayesian": 8, "gp": 12}


@pytest.mark.parametrize("name", sorted(TABLE))
def test_built_in_method(name, monkeypatch):
    few = {"trials": FEWER[name]} if name in FEWER else {}
    monkeypatch.setattr(searched, "make_method", lambda name, options: make_method(name, few))
    results = list(check_method(name))
    assert len(results) == 25
    assert results[0][0] == GIVEN
    assert [r for r in results[1:] if r[1]] == []


def test_what_a_method_is_given_hides_the_task():
    assert problem_hides_the_task() == ""


@pytest.mark.parametrize("name", ["quadratic", "tilted", "kinds"])
def test_toy_task(name):
    results = list(check_task(name))
    assert len(results) == 15
    assert [r for r in results if r[1]] == []


def peeks(problem, rng):
    state = problem.init(0)
    yield Proposal(np.full(problem.space.dim, 0.6), state, float(state.mean))


def global_rng(problem, rng):
    yield fit(problem, np.full(problem.space.dim, random.random()), 0)


def global_numpy(problem, rng):
    yield fit(problem, np.full(problem.space.dim, np.random.random()), 0)  # noqa: NPY002


def global_torch(problem, rng):
    import torch

    yield fit(problem, np.full(problem.space.dim, float(torch.rand(()))), 0)


def moves_global_state(problem, rng):
    """As pycma and nevergrad do: the global generators are seeded and used, and decide nothing."""
    random.seed(3)
    np.random.seed(int(rng.integers(2**31)))  # noqa: NPY002
    np.random.random()  # noqa: NPY002
    found = fit(problem, np.full(problem.space.dim, 0.5 + 0.1 * rng.random()), 0)
    yield found
    yield fit(problem, np.full(problem.space.dim, 0.65), 0)


def counts_itself(problem, rng, count=[0]):  # noqa: B006 - that it outlives a run is the fault
    count[0] += 1
    yield fit(problem, np.full(problem.space.dim, 1 / (2 + count[0])), 0)


# the toy of the latest search: how a method gets there is not the point of these tests
TOY = []


class Noted(Watched):
    def __init__(self, *args):
        super().__init__(*args)
        TOY[:] = [self]


def evaluates_behind_the_meter(problem, rng):
    best = min(
        (fit(TOY[0], rng.random(problem.space.dim), 0) for _ in range(13)), key=lambda p: p.loss
    )
    yield fit(problem, best.lam, 0)


def reads_held_out_data(problem, rng):
    for _ in range(5):
        found = fit(problem, rng.random(problem.space.dim), 0)
        yield Proposal(
            found.lam, found.state, TOY[0].inner.test(None, found.lam).metrics["objective"]
        )


def leaves_the_cube(problem, rng):
    yield Proposal(np.full(problem.space.dim, 1.5), problem.init(0))


def centre(problem, rng):
    yield fit(problem, np.full(problem.space.dim, 0.5), 0)


def chokes_on_nan(problem, rng):
    for _ in range(4):
        found = fit(problem, np.full(problem.space.dim, 0.6), 0)
        assert np.isfinite(found.loss)
        yield found


def silent(problem, rng):
    yield from ()


def findings(method, monkeypatch):
    METHODS.complete()
    monkeypatch.setitem(METHODS.entries, "bad", Entry("bad", "test", lambda: method))
    monkeypatch.setattr("benchmark.check.method.Watched", Noted)
    return {what: problem for what, problem in check_method("bad") if problem and what != GIVEN}


def leaves(problem, rng):
    yield fit(problem, np.full(problem.space.dim, 0.6), 0)
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("method", "finding"),
    [
        (peeks, "opaque"),
        (global_rng, "it reads a global random state"),
        (global_numpy, "it reads a global random state"),
        (global_torch, "it reads a global random state"),
        (counts_itself, "two runs with one seed differ: proposal 1 is lam = ["),
        (leaves_the_cube, "lam is"),
        (centre, "centre"),
        (chokes_on_nan, "AssertionError"),
        (silent, "no proposal"),
        (reads_held_out_data, "it measured on held-out data"),
        (leaves, "SystemExit"),
    ],
)
def test_the_suite_finds(method, finding, monkeypatch):
    assert finding in " ".join(findings(method, monkeypatch).values())


def test_both_proposals_are_named_where_the_global_state_is_read(monkeypatch):
    found = findings(global_rng, monkeypatch)[
        "quadratic: same seed, same records, whatever the global random state; states opaque"
    ]
    first, second = (random.Random(seed).random() for seed in (1, 2))
    assert f"proposal 1 is lam = {np.full(2, first)} at 22 evaluations in one" in found
    assert f"lam = {np.full(2, second)} at 22 in the other" in found


def test_a_method_may_move_the_global_state(monkeypatch):
    assert findings(moves_global_state, monkeypatch) == {}


def test_evaluations_behind_the_meter_are_counted(monkeypatch):
    """By the check, or by the meter itself as soon as it is asked again."""
    found = " ".join(findings(evaluates_behind_the_meter, monkeypatch).values())
    assert re.search(r"the task counted (308, the meter 22|286 .*, the meter 0)", found)


def test_an_error_names_file_and_line(monkeypatch):
    problem = findings(chokes_on_nan, monkeypatch)["quadratic: F = nan is tolerated"]
    line = chokes_on_nan.__code__.co_firstlineno + 3
    assert problem.endswith(f"(tests/methods/test_conformance.py, line {line})")


def test_the_check_gives_the_global_generators_back(monkeypatch):
    import torch

    def states():
        numpy_s = np.random.get_state()[1].tolist()  # noqa: NPY002
        return random.getstate(), numpy_s, torch.get_rng_state().tolist()

    random.seed(99)
    np.random.seed(99)  # noqa: NPY002
    torch.manual_seed(99)
    before = states()
    findings(moves_global_state, monkeypatch)
    findings(global_torch, monkeypatch)
    list(check_task("quadratic"))
    assert states() == before
