"""Every built-in method passes the exported suite, and the suite can fail."""

import random

import numpy as np
import pytest

from benchmark import Proposal, fit
from benchmark.check import check_method, check_task
from benchmark.registry import METHODS, Entry
from methods import TABLE


@pytest.mark.parametrize("name", sorted(TABLE))
def test_built_in_method(name):
    results = list(check_method(name))
    assert len(results) == 14
    assert [r for r in results if r[1]] == []


@pytest.mark.parametrize("name", ["quadratic", "tilted"])
def test_toy_task(name):
    results = list(check_task(name))
    assert len(results) >= 7
    assert [r for r in results if r[1]] == []


def peeks(problem, rng):
    state = problem.init(0)
    yield Proposal(np.full(problem.space.dim, 0.6), state, float(state.mean))


def global_rng(problem, rng):
    yield fit(problem, np.full(problem.space.dim, random.random()), 0)


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


@pytest.mark.parametrize(
    ("method", "finding"),
    [
        (peeks, "opaque"),
        (global_rng, "global"),
        (leaves_the_cube, "lam is"),
        (centre, "centre"),
        (chokes_on_nan, "AssertionError"),
        (silent, "no proposal"),
    ],
)
def test_the_suite_finds(method, finding, monkeypatch):
    METHODS.complete()
    monkeypatch.setitem(METHODS.entries, "bad", Entry("bad", "test", lambda: method))
    problems = " ".join(problem for _, problem in check_method("bad") if problem)
    assert finding in problems or (finding == "global" and "different proposals" in problems)
