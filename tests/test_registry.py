"""Three doors, and what is said when one jams."""

from importlib.metadata import EntryPoint

import pytest

import benchmark
from benchmark import UsageError, register_method
from benchmark.options import check, describe, option, values
from benchmark.plugins.load import load_plugin
from benchmark.registry import ALL, METHODS, Registry
from methods.bilevel import Bilevel


def test_built_ins_are_lazy_and_complete():
    registry = Registry(METHODS.about)
    assert set(registry.complete()) >= {"bilevel", "grid", "random", "bayesian", "default"}
    assert registry.get("bilevel") is Bilevel


def test_entry_points_are_found_and_a_broken_one_is_a_clear_error(monkeypatch):
    points = [
        EntryPoint("theirs", "json:dumps", "bench.methods"),
        EntryPoint("lost", "no_such_module:f", "bench.methods"),
        EntryPoint("grid", "json:loads", "bench.methods"),
    ]
    monkeypatch.setattr(
        "benchmark.registry.entry_points", lambda group: points if group == "bench.methods" else []
    )
    registry = Registry(METHODS.about)
    import json

    assert registry.get("theirs") is json.dumps
    with pytest.raises(UsageError, match="'lost' .*cannot be loaded"):
        registry.get("lost")
    assert "registered twice" in registry.warnings[0]
    assert "json:loads" in registry.warnings[0]
    assert "methods.grid_search" in registry.warnings[0]


def test_the_decorator_registers_and_refuses_a_taken_name(monkeypatch):
    METHODS.complete()
    monkeypatch.setattr(METHODS, "entries", dict(METHODS.entries))

    @register_method("mine")
    def mine(problem, rng):
        yield

    assert METHODS.get("mine") is mine

    def other(problem, rng):
        yield

    with pytest.raises(
        UsageError, match="registered twice: by decorator in .*test_registry and by"
    ):
        register_method("mine")(other)


def test_a_definition_that_is_run_again_replaces_the_earlier_one(monkeypatch):
    METHODS.complete()
    monkeypatch.setattr(METHODS, "entries", dict(METHODS.entries))
    found = []
    for _ in range(2):

        @register_method("mine")
        def mine(problem, rng):
            yield

        found.append(mine)
    assert METHODS.get("mine") is found[1] is not found[0]


def test_a_plug_in_that_raises_is_one_error(tmp_path):
    path = tmp_path / "bad.py"
    path.write_text("1 / 0")
    with pytest.raises(UsageError, match="ZeroDivisionError"):
        load_plugin(path)
    with pytest.raises(UsageError, match="no such file"):
        load_plugin(tmp_path)


def test_options_are_typed_checked_and_described():
    assert check("bilevel", Bilevel, {"gamma": "inf", "iterations": "7"}) == {
        "gamma": float("inf"),
        "iterations": 7,
    }
    assert values(Bilevel(lr=0.5))["lr"] == 0.5
    assert values(len) == {}
    for bad, message in (
        ({"gamma": "x"}, "a number"),
        ({"gamma": "-1"}, r"\[1e-06, inf\]"),
        ({"iterations": "1.5"}, "whole"),
        ({"gama": "1"}, "'gamma'"),
    ):
        with pytest.raises(UsageError, match=message):
            check("bilevel", Bilevel, bad)
    assert {name for name, *_ in describe(Bilevel)} == {
        "gamma",
        "lr",
        "iterations",
        "steps_y",
        "steps_z",
        "schedule",
        "control",
    }


def test_choices_and_flags():
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Kind:
        mode: str = option("fast", "which", choices=("fast", "slow"))
        flag: bool = option(False, "whether")

    assert check("k", Kind, {"mode": "slow", "flag": "true"}) == {"mode": "slow", "flag": True}
    with pytest.raises(UsageError, match="did you mean 'slow'"):
        check("k", Kind, {"mode": "slw"})
    with pytest.raises(UsageError, match="true or false"):
        check("k", Kind, {"flag": "maybe"})


def test_each_kind_has_something_that_registers_it():
    names = {name.removeprefix("register_").replace("_", " ") for name in dir(benchmark)}
    assert {registry.kind for registry in ALL} <= names
