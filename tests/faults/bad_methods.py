"""A plug-in of methods that misbehave, each in its own way, after one good proposal."""

import collections
import contextlib
import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmark import Proposal, fit, register_method
from tasks.quadratic import QuadraticTask


def good(problem):
    return fit(problem, problem.space.default(), 0)


def bad(name):
    def register(misbehave):
        @register_method(name)
        def method(problem, rng):
            yield good(problem)
            yield misbehave(problem)
            while True:
                yield good(problem)

        return misbehave

    return register


@bad("raises")
def _(problem):
    raise RuntimeError("boom")


@bad("garbage")
def _(problem):
    return "garbage"


@bad("nan")
def _(problem):
    return Proposal(np.full(problem.space.dim, np.nan), problem.init(0), float("nan"))


@bad("hangs_in_python")
def _(problem):
    while True:
        pass


@bad("swallows")
def _(problem):
    while True:
        with contextlib.suppress(
            BaseException
        ):  # twice, for what comes between two rounds of the inner loop
            while True:
                with contextlib.suppress(BaseException):
                    good(problem)


@bad("hangs_in_native_code")
def _(problem):
    if "HANGS" in os.environ:
        Path(os.environ["HANGS"]).touch()
    collections.deque(itertools.repeat(0), maxlen=0)


@bad("exits")
def _(problem):
    os._exit(7)


@bad("segfault")
def _(problem):
    os.kill(os.getpid(), 11)


@bad("allocates")
def _(problem):
    kept = []
    while True:
        kept.append(np.ones(2**22))


@bad("leaves_a_child")
def _(problem):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with open(os.environ["CHILD_PID"], "w") as file:
        file.write(str(child.pid))
    return good(problem)


@register_method("never_yields")
def never_yields(problem, rng):
    while True:
        good(problem)
    yield


@register_method("prints")
def prints(problem, rng):
    print("a method that talks")
    yield good(problem)


@register_method("counted")
def counted(problem, rng):
    with open(os.environ["STARTS"], "a") as file:
        file.write("x")
    for _ in range(20):
        time.sleep(0.02)
        yield good(problem)


@register_method("slow")
def slow(problem, rng):
    while True:
        time.sleep(0.05)
        yield good(problem)


@register_method("long_call")
def long_call(problem, rng):
    """Its time goes in one oracle call, as that of a large model may."""
    found = good(problem)
    yield found
    QuadraticTask.step = lambda *a: time.sleep(100)
    yield good(problem)
