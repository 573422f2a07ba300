"""Every kind of name that becomes a folder, a column or a word of a command: checked before
anything runs.
"""

import json
from dataclasses import dataclass, make_dataclass
from importlib.metadata import EntryPoint

import pytest

from benchmark import UsageError, register_method, register_task
from benchmark.command.parse import plan_from_text as plan
from benchmark.names import is_name
from benchmark.options import option
from benchmark.protocol import Proposal, Test
from benchmark.registry import ALL, METHODS, TASKS, Registry
from benchmark.search.measure import Incumbent, measured
from benchmark.store.store import Store, read
from tasks.quadratic import Quadratic, QuadraticTask
from tests.made import made
from tests.test_cli import bench

BAD = [
    "lab/tpe",
    "a\\b",
    "x" * 101,
    "..",
    ".hidden",
    "/tmp/x",
    "../../../outside",
    "",
    " ",
    "a b",
    "a\n",
    "a\0",
    "1st",
    "\x1b[2J",
    "a,b",
    "=cmd()",
    "é",
    None,
    len,
]
GOOD = ["tpe2", "lab.tpe", "A-b_c.1", "x" * 100]


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    for registry in (METHODS, TASKS):
        registry.complete()
        monkeypatch.setattr(registry, "entries", dict(registry.entries))


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_name_is_refused_for_every_kind(name):
    def method(problem, rng):
        yield

    for register, thing in ((register_method, method), (register_task, Quadratic)):
        with pytest.raises(
            UsageError,
            match=r"(?s)expected a name (of at most 100 letters.*choose another name|as text)",
        ):
            register(name)(thing)
    with pytest.raises(UsageError, match="preset of task 'mine': expected a name"):
        register_task("mine")(type("T", (Quadratic,), {"presets": {"toy": {}, name: {}}}))
    if name != "":
        with pytest.raises(UsageError, match="lower-level solver of task 'mine': expected a name"):
            register_task("mine")(type("T", (Quadratic,), {"lowers": ("", name)}))
    with pytest.raises(ValueError, match="name of a metric: expected a name"):
        measured(*answer({name: 1.0}))
    pytest.importorskip("torch")
    from tasks.reward_ft.rewards import register_reward

    with pytest.raises(UsageError, match="(name of a |@register_)reward: expected a name"):
        register_reward(name)(type("Reward", (), {}))
    assert "mine" not in TASKS.entries


def answer(metrics):
    task = QuadraticTask(0, 20, 0.5)
    lam = task.space.default()
    return Incumbent(Proposal(lam, None, 0.0), 1.0, 1, 1), task, Test(metrics)


@pytest.mark.parametrize("name", GOOD)
def test_good_names_run_and_are_read_again(name, tmp_path):
    register_method(name)(METHODS.get("random"))
    (spec,) = plan(name, "quadratic", budget="100nfe", settings=[f"{name}.trials=7"])
    assert spec.method_options == {"trials": 7}
    made(tmp_path, methods=(name,), seeds=1)
    (found,) = Store(tmp_path)
    assert found.run["spec"]["method"] == name


def test_options_too():
    kind = make_dataclass("Kind", [("λ", float, option(1.0, "a weight"))], frozen=True)
    with pytest.raises(UsageError, match="option of method 'mine': expected a name .* got 'λ'"):
        register_method("mine")(kind)


def test_the_word_for_all_methods_is_no_name():
    with pytest.raises(UsageError, match="expected another than 'all'"):
        register_method("all")(METHODS.get("random"))


@pytest.mark.parametrize("name", ["seed", "run_id", "passport"])
def test_a_metric_takes_no_other_columns_name(name):
    with pytest.raises(ValueError, match=f"{name!r}, which is a column of its own"):
        measured(*answer({"objective": 1.0, name: 1.0}))


def test_an_entry_point_with_a_bad_name_is_a_warning(monkeypatch):
    points = [
        EntryPoint("lab/tpe", "json:dumps", "bench.methods"),
        EntryPoint("theirs", "json:dumps", "bench.methods"),
    ]
    monkeypatch.setattr("benchmark.registry.entry_points", lambda group: points)
    registry = Registry(METHODS.about)
    assert {"theirs", "random"} <= set(registry.complete())
    assert "lab/tpe" not in registry.complete()
    (warning,) = registry.warnings
    assert "got 'lab/tpe'; choose another name (plug-in json:dumps)" in warning


def test_an_installed_task_with_a_bad_preset_is_one_line_when_it_is_asked_for(monkeypatch):
    @dataclass(frozen=True)
    class Bad(Quadratic):
        presets = {"../up": {}}

    monkeypatch.setattr("tests.test_names.Bad", Bad, raising=False)
    points = [EntryPoint("bad", "tests.test_names:Bad", "bench.tasks")]
    monkeypatch.setattr("benchmark.registry.entry_points", lambda group: points)
    registry = Registry(TASKS.about)
    assert "bad" in registry.complete()
    with pytest.raises(
        UsageError, match="'bad' .*cannot be loaded: .*preset of task 'bad': expected a name"
    ):
        registry.get("bad")


@pytest.mark.parametrize("name", ["lab/tpe", "../../../outside"])
def test_the_command_refuses_it_and_writes_nothing(name, tmp_path):
    (tmp_path / "plug.py").write_text(
        "from benchmark import fit, register_method\n"
        f"@register_method({name!r})\ndef m(problem, rng):\n    yield fit(problem, "
        f"problem.space.default(), 0)\n"
    )
    before = sorted(tmp_path.rglob("*"))
    done = bench(
        "run",
        "--plugin",
        "plug.py",
        "--method",
        name,
        "--task",
        "quadratic",
        "--budget",
        "50nfe",
        "--out",
        "a/b/runs",
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "bench: plug-in plug.py: name of a method: expected a name of at most 100 letters, "
        "digits, _, - and . that begins with "
        f"a letter, got {name!r}; choose another name\n"
    )
    assert [p for p in sorted(tmp_path.rglob("*")) if "__pycache__" not in p.parts] == before


@pytest.mark.parametrize(
    ("part", "name"), [("method", "a b"), ("preset", "é"), ("task", "x,y"), ("lower", "1")]
)
def test_the_reader_takes_what_the_writer_takes_and_what_earlier_ones_took(part, name, tmp_path):
    made(tmp_path, methods=("alpha",), seeds=1)
    (path,) = tmp_path.glob("*/*/*/run.json")
    record = json.loads(path.read_text())
    record["spec"][part] = name
    path.write_text(json.dumps(record))
    with pytest.raises(UsageError, match=f"spec.{part}: '{name}' is no name"):
        read(path.parent)
    path.write_text(json.dumps(record | {"schema": 1}))
    assert read(path.parent).run["spec"][part] == name


def test_every_name_of_the_suite_is_one():
    for registry in ALL:
        for name in registry.complete():
            assert is_name(name)
            registry.get(name)
