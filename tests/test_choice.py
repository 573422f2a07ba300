"""An axis of texts, from the method's point in the cube to the report's column and back."""

import json

import numpy as np
import pandas as pd
import pytest

from benchmark.command.parse import plan_from_text as plan
from benchmark.registry import TASKS, Entry
from benchmark.report.verify_run import check_run
from benchmark.space import Choice, Float, Space
from benchmark.store.store import Store
from tests.faults.test_methods import bench
from tests.mixed import SHIFTS, Mixed, MixedTask
from tests.test_resume import both_ways

FIVE = ("bilevel", "default", "grid", "random", "bayesian")

SHAPE = MixedTask.space.axes[2]


def test_a_choice_has_equal_cells_and_inverts():
    assert [SHAPE.native(u) for u in (0, 0.33, 0.34, 0.66, 0.67, 1)] == [
        *("low", "low", "middle", "middle", "high", "high")
    ]
    assert [SHAPE.native(SHAPE.unit(v)) for v in SHIFTS] == list(SHIFTS)
    assert SHAPE.slope(0.4) == 0.0


def test_a_space_with_a_choice_gives_texts_and_numbers():
    space = MixedTask.space
    lam = space.default()
    assert space.native(lam) == {"a": 0.0, "n": 1.0, "shape": "middle"}
    assert space.numbers(lam) == {"a": 0.0, "n": 1.0}
    assert space.texts(lam) == {"shape": "middle"}
    assert np.array_equal(space.point(space.native(lam)), lam)
    assert list(space.pullback(lam, {"a": 1.0, "n": 1.0})) == [2.0, 5.0, 0.0]
    grid = [space.native(p) for p in space.grid()]
    assert len(grid) == 3 * 3 * 3
    assert {p["shape"] for p in grid} == set(SHIFTS)


def test_a_choice_may_have_a_grid_of_its_own():
    space = Space((Choice("c", ("x", "y", "z"), "x", grid=("z", "x")), Float("a", 0, 1, 0.5)))
    assert [space.native(p)["c"] for p in space.grid(2)] == ["z", "z", "x", "x"]


@pytest.mark.parametrize(
    ("values", "default", "grid", "message"),
    [
        ((), "a", (), "two texts or more"),
        (("a",), "a", (), "two texts or more"),
        (("a", "a"), "a", (), "two texts or more"),
        (("a", ""), "a", (), "expected a name such"),
        (("a", "b,c"), "a", (), "expected a name such"),
        (("a", "8"), "a", (), "expected a name such"),
        (("a", "NaN"), "a", (), "expected a name such"),
        (("a", "b"), "c", (), "'c' is not one of a, b"),
        (("a", "b"), "a", ("c",), "'c' is not one of a, b"),
    ],
)
def test_bad_choices_are_refused(values, default, grid, message):
    with pytest.raises(ValueError, match=message):
        Choice("kind", values, default, grid)


def test_values_of_another_kind_are_refused():
    with pytest.raises(ValueError, match="axis a: expected a number, got 'low'"):
        MixedTask.space.point({"a": "low", "n": 1, "shape": "low"})
    with pytest.raises(ValueError, match="axis shape: '1' is not one of low, middle, high"):
        MixedTask.space.point({"a": 0, "n": 1, "shape": 1})


@pytest.fixture
def mixed(monkeypatch):
    TASKS.complete()
    monkeypatch.setitem(TASKS.entries, "mixed", Entry("mixed", "test", lambda: Mixed))


@pytest.mark.usefixtures("mixed")
@pytest.mark.parametrize("method", sorted(FIVE))
def test_a_run_over_a_choice_is_resumed(method, tmp_path, monkeypatch):
    (spec,) = plan(method, "mixed", budget="150nfe")
    found = both_ways(spec, tmp_path, monkeypatch, 0.5)
    shapes = {p["lam"]["shape"] for p in found.proposals}
    assert shapes <= set(SHIFTS)
    if method in ("bilevel", "default"):
        assert shapes == {"middle"}, "no gradient leads along a choice"


PLUGIN = "from benchmark import register_task\nfrom tests.mixed import Mixed\n"
PLUGIN += "register_task('mixed')(Mixed)\n"


def test_a_task_with_a_choice_from_check_to_report(tmp_path):
    (tmp_path / "mine.py").write_text(PLUGIN)
    listed = bench("list", "mixed", "--plugin", "mine.py", cwd=tmp_path)
    assert "shape: one of low, middle, high, default middle, grid all" in listed.stdout
    checked = bench("check", "mixed", "--plugin", "mine.py", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    words = ["--task", "mixed", "--plugin", "mine.py", "--budget", "300nfe", "--out", "runs"]
    done = bench(
        "run",
        "--method",
        "bilevel,default,grid,random,bayesian",
        "--in-process",
        "--quiet",
        *words,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    made = bench("report", "runs", "--out", "out", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    verified = bench("verify", "runs", cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout
    rows = pd.read_csv(tmp_path / "out" / "runs.csv").set_index("method")
    assert set(rows.index) == set(FIVE)
    assert rows.loc["grid", "lam.shape"] == "high"
    assert rows.loc["bilevel", "lam.shape"] == "middle"
    objective = pd.read_csv(tmp_path / "out" / "table1.csv")["objective"]
    assert list(objective.notna()) == [True] * len(FIVE)
    assert rows.loc["grid", "objective"] < rows.loc["default", "objective"]


@pytest.mark.usefixtures("mixed")
def test_a_text_that_no_axis_has_is_found(tmp_path):
    from benchmark.runs.executor import ExecutorSettings
    from benchmark.runs.inprocess import InProcessExecutor

    (spec,), store = plan("default", "mixed", budget="50nfe"), Store(tmp_path)
    InProcessExecutor(ExecutorSettings(quiet=True))([spec], store).check()
    folder = store.folder(spec)
    assert check_run(folder)[1] == ""
    for name in ("final.json", "proposals.jsonl"):
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace('"shape": "middle"', '"shape": "round"'))
    problems = check_run(folder)[1]
    assert "lam.shape is 'round', not one of low, middle, high" in problems
    record = json.loads((folder / "final.json").read_text())
    record["tests"][0]["lam"]["a"] = "middle"
    (folder / "final.json").write_text(json.dumps(record))
    assert "lam.a is 'middle', not a number" in check_run(folder)[1]
