"""What a method can come by, on stand-ins for the object that it is given; and signs of life of a
long check.
"""

import io
import time
from types import SimpleNamespace

import numpy as np
import pytest

from benchmark.check import Still
from benchmark.check.hidden import problem_hides_the_task
from benchmark.check.reach import numbers, reached, ways


class Task:
    def __init__(self):
        self.nfe = 0

    def step(self, state):
        self.nfe += 1
        return state + 1

    def test(self, state):
        return 0.0


class Slots:
    __slots__ = ("__hidden", "horizon", "step")

    def __init__(self, hidden, step):
        self.__hidden, self.horizon, self.step = hidden, 3, step


class Facade:
    __slots__ = ("horizon", "step")

    def __init__(self, step):
        self.horizon, self.step = 3, step


class Meter:
    """Reachable: counts, and can be set."""

    def __init__(self, task):
        self._task, self.nfe = task, 0

    def step(self, state):
        self.nfe += 1
        return self._task.step(state)


class Shut(Meter):
    """Counts where it can be read but not set."""

    def __setattr__(self, name, value):
        if "nfe" in vars(self) and name == "nfe" and value != self.nfe + 1:
            raise AttributeError(name)
        super().__setattr__(name, value)


def closed(task):
    count = 0

    def step(state):
        nonlocal count
        count += 1
        return task.step(state)

    return Facade(step)


def found(problem, task, ask=lambda problem: problem.step(1)):
    before = numbers(reached({"problem": problem}))
    ask(problem)
    return ways({"problem": problem}, [("the task", task)], before)


def test_a_facade_of_closures_hides_the_task():
    task = Task()
    assert found(closed(task), task) == []
    assert task.nfe == 1


def test_an_attribute_is_found_with_its_test_and_its_counters():
    task = Task()
    assert found(Meter(task), task) == [
        "problem._task is the task",
        "problem._task.test can be called",
        "problem.nfe counts and can be set",
        "problem._task.nfe counts and can be set",
    ]


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda t: Facade(t.step), "problem.step.__self__"),
        (lambda t: Slots(t, closed(t).step), "problem._Slots__hidden"),
        (
            lambda t: Facade((lambda state, task=t: task.step(state))),
            "problem.step.__defaults__[0]",
        ),
        (lambda t: SimpleNamespace(step=closed(t).step, kept={"of": [t]}), "problem.kept['of'][0]"),
    ],
)
def test_other_ways_are_found(make, path):
    task = Task()
    assert f"{path} is the task" in found(make(task), task)


def test_a_counter_in_a_container_is_found_and_one_that_cannot_be_set_is_not():
    def facade(count):
        def step(state):
            count["nfe"] += 1

        problem = SimpleNamespace(step=step, count=count)
        return found(problem, Task())

    assert facade({"nfe": 0}) == ["problem.count['nfe'] counts and can be set"]
    task = Task()
    assert "problem.nfe counts and can be set" not in found(Shut(task), task)


def test_the_walk_ends():
    loop = SimpleNamespace(array=np.zeros(3))
    loop.itself = loop
    assert [path for path, _ in reached({"x": loop})] == ["x", "x.array"]


def test_the_probe_looks_at_what_the_search_gives(monkeypatch):
    """Two stand-ins for the runner: one gives the meter itself, one a facade whose handles hold
    nothing.
    """
    from benchmark.protocol import Proposal

    class Handle:
        __slots__ = ()

    def gives(make):
        def search(method, metered, rng, ledger):
            yield next(method(make(metered), rng)) and Proposal(np.zeros(2), None)

        return search

    def facade(metered):
        handles = {}

        def keep(state):
            handle = Handle()
            handles[id(handle)] = (handle, state)
            return handle

        return SimpleNamespace(
            space=metered.space,
            horizon=metered.horizon,
            init=lambda seed: keep(metered.init(seed)),
            step=lambda s, lam, tilt=0.0: keep(metered.step(handles[id(s)][1], lam, tilt)),
            loss=lambda s, lam: metered.loss(handles[id(s)][1], lam),
            grad=lambda s, lam, tilt=0.0: metered.grad(handles[id(s)][1], lam, tilt),
        )

    monkeypatch.setattr("benchmark.check.hidden.search", gives(lambda metered: metered))
    said = problem_hides_the_task()
    assert "problem is the meter" in said
    assert said.endswith("ways more")
    monkeypatch.setattr("benchmark.check.hidden.search", gives(facade))
    assert problem_hides_the_task() == ""


def test_a_state_that_can_be_read_is_found(monkeypatch):
    def search(method, metered, rng, ledger):
        problem = SimpleNamespace(
            space=metered.space,
            init=metered._task.init,
            step=lambda s, lam: s,
            loss=lambda s, lam: 0.0,
            grad=lambda s, lam: 0,
        )
        yield next(method(problem, rng))

    monkeypatch.setattr("benchmark.check.hidden.search", search)
    assert "state is what the task keeps in a state" in problem_hides_the_task()


def test_slow_checks_show_that_they_go_on():
    stream = io.StringIO()
    with Still(every=0.15, stream=stream) as begun:
        begun("quick")
        begun("slow")
        time.sleep(0.5)
    lines = stream.getvalue().splitlines()
    assert 2 <= len(lines) <= 3
    assert all(line == "still checking: slow (0 s)" for line in lines)
    stream = io.StringIO()
    with Still(every=10, stream=stream) as begun:
        begun("quick")
    assert stream.getvalue() == ""
