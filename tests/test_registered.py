"""What is registered and lacks a part, or fails when it is asked: one line, before any run."""

from dataclasses import make_dataclass

import pytest

from benchmark import UsageError, register_executor, register_method, register_plot, register_task
from benchmark.command.cli import main
from benchmark.command.parse import plan_from_text as plan
from benchmark.registry import EXECUTORS, METHODS, PLOTS, TASKS
from tasks.quadratic import Quadratic
from tests.mixed import Mixed


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    for registry in (METHODS, TASKS, EXECUTORS, PLOTS):
        registry.complete()
        monkeypatch.setattr(registry, "entries", dict(registry.entries))


def task(**changed):
    return type("T", (Quadratic,), changed)


def raises(*args):
    raise RuntimeError("out of paper")


WRONG_TASKS = {
    "a text": ("abc", "expected a class of options, got 'abc'"),
    "a function": (raises, "expected a class of options, got <function raises at"),
    "an instance": (Quadratic(), "expected a class of options, got Quadratic"),
    "empty": (type("T", (), {}), ".*got one without version, presets, lowers, smal"),
    "version": (task(version="one"), "version: expected a whole number, got 'one'"),
    "no preset": (task(presets={}), "presets: expected option values by name .* got {}"),
    "a preset": (task(presets={"toy": 3}), "presets: expected option values by name"),
    "no lower": (task(lowers=()), r"lowers: expected a tuple of names, .* got \(\)"),
    "a lower": (task(lowers="abc"), "lowers: expected a tuple of names, .* got 'abc'"),
    "smallest": (task(smallest=None), "smallest: expected option values by name, got None"),
}


@pytest.mark.parametrize("kind", WRONG_TASKS)
def test_a_task_that_lacks_a_part_is_refused_when_it_is_registered(kind):
    thing, message = WRONG_TASKS[kind]
    with pytest.raises(UsageError, match=f"^task 'tt': {message}"):
        register_task("tt")(thing)
    assert "tt" not in TASKS


def test_so_is_a_method_and_what_is_called_otherwise():
    needs = make_dataclass("Needs", [("trials", int)], namespace={"__call__": raises})
    wrong = {
        (register_method, "method"): (3, "text", type("M", (), {})),
        (register_executor, "executor"): (None,),
        (register_plot, "plot"): ("text",),
    }
    for (register, kind), things in wrong.items():
        for thing in things:
            with pytest.raises(UsageError, match=f"^{kind} 'nm': expected what is called with"):
                register("nm")(thing)
    with pytest.raises(UsageError, match="^method 'nm': field 'trials': expected a default"):
        register_method("nm")(needs)
    with pytest.raises(UsageError, match="^task 'tt': field 'x': expected a default"):
        register_task("tt")(make_dataclass("T", [("x", int)], bases=(Plain,)))


class Plain:
    """The parts of a task, in no dataclass."""

    version, presets, lowers, smallest = 1, {"toy": {}}, ("",), {}
    prompts = check_prompt = fingerprint = open = raises


WRONG_ANSWERS = {
    "prompts is empty": ({"prompts": lambda self: ()}, r"prompts\(\): expected \(\"\",\)"),
    "prompts is a text": ({"prompts": lambda self: "ab"}, "expected a tuple or list, got 'ab'"),
    "prompts raises": ({"prompts": raises}, r"prompts\(\) failed: RuntimeError: out of paper"),
    "a prompt is no text": ({"prompts": lambda self: (3,)}, ".*prompt: Input should be a valid"),
    "fingerprint raises": ({"fingerprint": raises}, r"fingerprint\(\) failed: RuntimeError"),
    "fingerprint is a list": ({"fingerprint": lambda self: []}, "expected a Mapping, got \\[\\]"),
    "a hash is no text": ({"fingerprint": lambda self: {"f": 3}}, ".*fingerprint.f: Input should"),
    "it cannot be made": ({"__init__": raises}, "its options failed: RuntimeError: out of paper"),
}


@pytest.mark.parametrize("kind", WRONG_ANSWERS)
def test_a_task_that_answers_wrongly_is_refused_when_runs_are_planned(kind):
    changed, message = WRONG_ANSWERS[kind]
    register_task("tt")(task(**changed))
    with pytest.raises(UsageError, match=f"^task 'tt'.*{message}") as caught:
        plan("random", "tt")
    assert "\n" not in str(caught.value)


def test_a_method_that_cannot_be_made_is_too():
    register_method("nm")(type("M", (), {"__init__": raises, "__call__": raises}))
    with pytest.raises(UsageError, match="^method 'nm': its options failed: RuntimeError"):
        plan("nm", "quadratic")


@pytest.mark.parametrize(
    ("base", "changed", "message"),
    [
        (Mixed, {"open": raises}, "its search space failed: RuntimeError: out of paper"),
        (Mixed, {"open": lambda self, *a: None}, "its search space failed: AttributeError"),
        (Quadratic, {"space": property(raises)}, "its search space failed: RuntimeError"),
        (Quadratic, {"space": None}, "its search space: expected a Space, got None"),
    ],
)
def test_a_task_without_a_space_is_one_line_when_it_is_listed(base, changed, message, capsys):
    register_task("tt")(type("T", (base,), changed))
    assert main(["list", "tt"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"bench: task 'tt': {message}")
