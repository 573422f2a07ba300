"""Metrics and costs that the suite does not know: in every table, described or not."""

import ast
import re
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pandas as pd
import pytest

from benchmark import (
    Cost,
    Metric,
    UsageError,
    load_results,
    register_cost,
    register_metric,
    register_plot,
)
from benchmark.check import check_task
from benchmark.command.cli import main
from benchmark.command.listing import about
from benchmark.plugins.entry import from_package
from benchmark.protocol import Test
from benchmark.registry import COSTS, METRICS, TASKS, Entry, Registry
from benchmark.report import offered
from benchmark.report.cells import heads
from benchmark.report.formats import latex, markdown, text
from benchmark.report.frame import frame
from benchmark.report.metrics import TABLE, in_order, metric_of
from benchmark.report.page import page
from benchmark.report.plots.quality_over_time import quality_over_time
from benchmark.report.preview import row_of
from benchmark.report.report import report
from benchmark.report.runs_csv import read_frame
from benchmark.report.table import tables, tables_of
from benchmark.report.verify import verify
from benchmark.store.store import Store
from tasks.quadratic import Quadratic, QuadraticTask
from tests.made import made

ROOT = Path(__file__).parent.parent
LPIPS = Metric("LPIPS", digits=3, lower=True, low=0, about="Learned perceptual distance.")
CALLS = Cost("Calls", digits=0, low=0, of=lambda run: run.get("oracle_calls"))
FOREIGN = ("lpips", "fdd")


@dataclass
class Plain:
    steps: int = 4


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    """What a test registers does not stay."""
    for registry in (METRICS, COSTS, TASKS):
        monkeypatch.setattr(registry, "entries", dict(registry.complete()))


def test_metrics_that_nobody_described_have_columns_everywhere(tmp_path):
    """Before: no column, no picture over time, and `--metric lpips` was unknown."""
    store = made(tmp_path / "runs", metrics=FOREIGN)
    ((table, folder),) = report(list(store), tmp_path / "runs" / "report", metric="lpips")
    assert table.metrics == ["fdd", "lpips"]
    for shown in (text(table), markdown(table), latex(table), page(table, "", [], Path())):
        assert re.search(r"\bfdd\b(?s:.)*\blpips\b", shown)
    value = table.rows[0].metrics["fdd"].mean
    assert f"{value:.4g} [" in text(table)
    written = pd.read_csv(folder / "table1.csv")
    assert list(written["fdd"]) == [r.metrics["fdd"].mean for r in table.rows]
    assert (folder / "quality_over_time.png").exists()
    assert quality_over_time(table).axes[0].get_ylabel() == "lpips"
    assert dict(verify(tmp_path / "runs"))["table report"] == ""
    (again,) = tables_of(read_frame(folder / "runs.csv"))
    assert again.metrics == table.metrics
    with pytest.raises(UsageError, match="unknown metric 'lpip'; did you mean 'lpips'"):
        report(list(store), tmp_path / "out", metric="lpip")


def test_a_described_metric_is_printed_marked_and_bounded(tmp_path):
    register_metric("lpips", LPIPS)
    store = made(tmp_path / "runs", metrics=(*FOREIGN, "objective"))
    ((table, _),) = report(list(store), tmp_path / "runs" / "report", metric="lpips")
    assert table.metrics == ["objective", "lpips", "fdd"]
    assert "LPIPS ↓" in text(table)
    assert re.search(r"\b\d\.\d{3} \[", text(table))
    assert table.rows[0].bold >= {"lpips"}
    assert quality_over_time(table).axes[0].get_ylabel() == "LPIPS, lower is better"
    assert dict(verify(tmp_path / "runs"))["table report"] == ""
    assert metric_of("lpips").estimate({(0, ""): 0.0, (1, ""): 0.1}).low == 0
    register_metric("fdd", Metric("FDD", high=1))
    assert any("fdd is 9" in problem for _, problem in verify(tmp_path / "runs"))


def test_the_picture_over_time_shows_the_metric_that_is_main(tmp_path):
    (table,) = tables(made(tmp_path, metrics=("fid", "lpips")))
    assert table.main == "fid"
    register_metric("lpips", replace(LPIPS, main=True))
    assert table.main == "lpips"
    assert replace(table, metric="fid").main == "fid"


def test_a_metric_that_is_not_shown_is_in_runs_csv_alone(tmp_path):
    ((table, folder),) = report(
        list(made(tmp_path / "runs", metrics=("fid", "ess"))), tmp_path / "out"
    )
    assert table.metrics == ["fid"]
    assert pd.read_csv(folder / "runs.csv")["ess"].notna().all()
    assert "ess" not in pd.read_csv(folder / "table1.csv")


def test_what_a_passport_says_of_a_metric_is_said_of_any(tmp_path):
    """Its name in the heading, its features in the footnote, and no reference in the set."""
    said = {"fdd_name": "small", "fdd_features": "judge, D = 8", "fdd_n": "64"}
    made(tmp_path / "runs", ("alpha",), metrics=FOREIGN, passport=said | {"fdd_reference": "one"})
    made(tmp_path / "runs", ("beta",), metrics=FOREIGN, passport=said | {"fdd_reference": "two"})
    from benchmark.report.notes import footnote

    (table,) = tables(Store(tmp_path / "runs"))
    assert table.heading("fdd") == "fdd (small)"
    assert "fdd: 64 images, features of judge, D = 8." in footnote(table)
    assert [r.label for r in table.rows] == ["alpha", "beta"]


@pytest.mark.parametrize("name", ["nfe", "time", "seed", "lam.a", "cost.x", "fid_name", "a b"])
def test_names_of_other_columns_are_refused(name, tmp_path):
    with pytest.raises(UsageError, match="name of a metric"):
        register_metric(name, LPIPS)
    if name != "a b":
        with pytest.raises(UsageError, match="another column's"):
            frame(made(tmp_path, metrics=(name,)))


def test_what_is_no_description_is_refused(tmp_path):
    with pytest.raises(UsageError, match="metric 'lpips': expected a benchmark.Metric, got dict"):
        register_metric("lpips", {"head": "LPIPS"})
    with pytest.raises(UsageError, match="cost 'calls': expected a benchmark.Cost, got Metric"):
        register_cost("calls", LPIPS)
    with pytest.raises(UsageError, match="registered twice: by built-in"):
        register_metric("fid", LPIPS)


def _exits():
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("load", "problem"),
    [
        (lambda: 1 // 0, "cannot be loaded: ZeroDivisionError: integer division or modulo by zero"),
        (_exits, "cannot be loaded: SystemExit: 3"),
        (lambda: "FDD", "got str"),
    ],
)
@pytest.mark.parametrize(("registry", "kind"), [(METRICS, "metric"), (COSTS, "cost")])
def test_a_broken_package_costs_a_line_and_no_table(
    registry, kind, load, problem, tmp_path, capsys, monkeypatch
):
    """Before: every table was lost, after the budget was spent."""
    monkeypatch.setattr(offered, "_SAID", set())
    registry.entries["fdd"] = Entry("fdd", "plug-in theirs:fdd", load)
    made(tmp_path / "runs", metrics=("fdd", "objective"))
    assert main(["report", str(tmp_path / "runs")]) == 0
    said = capsys.readouterr()
    assert re.search(r"\bF ↓.*\bfdd\b", said.out)
    (line,) = said.err.splitlines()
    assert line.startswith(f"bench: warning: {kind} 'fdd' (plug-in theirs:fdd)")
    assert problem in line
    found = load_results(tmp_path / "runs")
    assert found.frame["fdd"].notna().all()
    assert "fdd" in repr(found)
    assert "fdd" in found._repr_html_()
    assert capsys.readouterr().err == ""


def test_runs_without_a_table_still_have_a_repr(tmp_path):
    made(tmp_path, metrics=("seed",))
    found = load_results(tmp_path)
    assert repr(found).startswith("no table: run ")
    assert found._repr_html_().startswith("<p>no table: run ")


def test_a_package_offers_a_metric(monkeypatch):
    points = [EntryPoint("lpips", f"{__name__}:LPIPS", "bench.metrics")]
    monkeypatch.setattr(
        "benchmark.registry.entry_points", lambda group: points if group == "bench.metrics" else []
    )
    registry = Registry(METRICS.about)
    assert registry.get("lpips").head == "LPIPS"
    assert list(registry.complete())[-1] == "lpips"


@pytest.mark.parametrize("name", ["seed", "lam.a", "fid_name"])
def test_a_package_cannot_take_the_name_of_another_column(name, monkeypatch):
    points = [EntryPoint(name, f"{__name__}:LPIPS", "bench.metrics")]
    monkeypatch.setattr("benchmark.registry.entry_points", lambda group: points)
    registry = Registry(METRICS.about)
    assert name not in registry
    (line,) = registry.warnings
    assert f"expected another than {name!r}" in line
    assert line.endswith(f"(plug-in {__name__}:LPIPS)")


NONE = {"of": lambda run: None}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Metric("A", digits=-2), "Metric: digits: expected 0 to 15, or None, got -2"),
        (lambda: Metric("A", digits=2.5), "digits: expected 0 to 15, or None, got 2.5"),
        (lambda: Metric("A", low="a"), "low: expected a number, got 'a'"),
        (lambda: Metric("A", high=float("nan")), "high: expected a number, got nan"),
        (lambda: Metric("A", low=5, high=1), "low: expected a number below high, 1, got 5"),
        (lambda: Metric("A", scale=0), "scale: expected a finite number above 0, got 0"),
        (lambda: Metric("A", scale=float("nan")), "scale: expected a finite number above 0"),
        (lambda: Metric(" "), "head: expected a text, got ' '"),
        (lambda: Metric("A", about=1), "about: expected a text, got 1"),
        (lambda: Metric("A", lower="yes"), "lower: expected True, False or None, got 'yes'"),
        (lambda: Metric("A", main=1), "main: expected True or False, got 1"),
        (lambda: Metric("A", always=("table9",)), "always: expected a tuple of 'table1' and 'ru"),
        (lambda: Metric("A", always="runs"), "always: expected a tuple of 'table1' and 'runs'"),
        (lambda: Cost("A", of="calls"), "Cost: of: expected a function, got 'calls'"),
        (lambda: Cost("A", when="s", **NONE), "Cost: when: expected a function, got 's'"),
        (lambda: Cost("A", fixed=1, **NONE), "Cost: fixed: expected True or False, got 1"),
        (lambda: Cost("", **NONE), "Cost: head: expected a text, got ''"),
    ],
)
def test_a_field_of_another_kind_is_refused(make, said):
    """Before: a table broke once its runs were paid for, or showed no number."""
    with pytest.raises(UsageError) as caught:
        make()
    assert said in str(caught.value)


def test_a_value_out_of_range_lies_in_its_interval(tmp_path):
    register_cost("calls", replace(CALLS, of=lambda run: -5.0))
    (table,) = tables(made(tmp_path))
    found = table.rows[0].costs["calls"]
    assert (found.mean, found.low, found.high) == (-5, -5, -5)
    assert "-5 [-5, -5]" in text(table)


def test_a_plug_ins_cost_is_a_column(tmp_path):
    register_cost("calls", CALLS)
    store = made(tmp_path / "runs", oracle_calls=321)
    ((table, folder),) = report(list(store), tmp_path / "runs" / "report")
    assert table.rows[0].costs["calls"].mean == 321
    assert "Calls" in text(table)
    written = pd.read_csv(folder / "table1.csv")
    assert list(written["calls"]) == [321, 321]
    assert list(written["calls_ci_low"]) == [321, 321]
    assert dict(verify(tmp_path / "runs"))["table report"] == ""
    (again,) = tables_of(read_frame(folder / "runs.csv"))
    assert again.rows[0].costs["calls"].mean == 321
    assert again.metrics == table.metrics
    del COSTS.entries["calls"]
    said = dict(verify(tmp_path / "runs"))["table report"]
    assert said.count("no cost 'calls' is registered; give its --plugin") == 1
    assert "has another" not in said


def test_verify_says_which_plug_in_is_missing_or_too_many(tmp_path):
    """Before: `table1.md does not follow from runs.csv`, without a word on the cause."""
    runs = tmp_path / "runs"
    report(list(made(runs, metrics=("lpips",), oracle_calls=321)), runs / "report")
    assert dict(verify(runs))["table report"] == ""
    register_metric("lpips", LPIPS)
    register_cost("calls", CALLS)
    said = dict(verify(runs))["table report"]
    assert said.count("cost 'calls' was not registered when it was made; leave out its") == 1
    assert said.count("metric 'lpips' is described by a plug-in; leave it out if") == 1
    assert "cost.calls" not in said
    report(list(Store(runs)), runs / "report")
    assert dict(verify(runs))["table report"] == ""
    del METRICS.entries["lpips"]
    said = dict(verify(runs))["table report"]
    assert said.count("no metric 'lpips' is described; give its --plugin if it was made with") == 1


def test_a_cost_that_no_run_has_is_no_column(tmp_path):
    register_cost("calls", replace(CALLS, of=lambda run: run.get("calls")))
    ((table, folder),) = report(list(made(tmp_path / "runs")), tmp_path / "report")
    assert "Calls" not in text(table)
    assert "calls" not in (folder / "table1.csv").read_text()
    assert "calls" not in (folder / "runs.csv").read_text()


@pytest.mark.parametrize(
    ("of", "problem"),
    [
        (lambda run: run["calls"], "KeyError: 'calls' (tests/test_open_metrics.py, line"),
        (lambda: 1, "takes 0 positional arguments but 1 was given (tests/test_open_metrics.py)"),
        (lambda run: "many", "expected a finite number or None, got 'many'"),
        (lambda run: float("inf"), "expected a finite number or None, got inf"),
        (lambda run: [1], "expected a finite number or None, got [1]"),
    ],
)
@pytest.mark.parametrize("derived", [False, True])
def test_a_cost_that_fails_is_one_line_and_no_column(
    of, problem, derived, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(offered, "_SAID", set())
    register_cost("calls", replace(CALLS, of=of, derived=derived))
    made(tmp_path)
    assert main(["report", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "Memory (MiB)" in said.out
    assert "Calls" not in said.out
    (line,) = said.err.splitlines()
    start = "bench: warning: cost 'calls' (register_cost in this process), of run "
    assert line.startswith(start)
    assert problem in line
    assert dict(verify(tmp_path))["table report"] == ""


@pytest.mark.parametrize("derived", [False, True])
def test_a_cost_that_fails_for_one_run_is_in_no_row(derived, tmp_path, capsys, monkeypatch):
    """A mean over the runs that it did not fail for would not be that of the row."""
    monkeypatch.setattr(offered, "_SAID", set())
    one = next(iter(made(tmp_path))).run["run_id"]
    of = lambda run: 1 / (run["run_id"] != one)  # noqa: E731
    register_cost("calls", replace(CALLS, of=of, derived=derived))
    assert main(["report", str(tmp_path)]) == 0
    assert "Calls" not in capsys.readouterr().out
    assert dict(verify(tmp_path))["table report"] == ""


def test_a_cost_cannot_change_a_run(tmp_path):
    before = text(*tables(made(tmp_path)))
    register_cost("calls", replace(CALLS, of=lambda run: run["ledger"].clear() or run.clear()))
    register_cost("again", replace(CALLS, of=lambda row: row.clear(), derived=True))
    assert text(*tables(made(tmp_path))) == before


@pytest.mark.parametrize(
    ("when", "problem"),
    [
        (lambda unit, means: 1 // 0, "ZeroDivisionError: integer division or modulo by zero"),
        (lambda unit: True, "TypeError: "),
    ],
)
def test_a_cost_that_cannot_say_when_is_left_out(when, problem, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(offered, "_SAID", set())
    register_cost("calls", replace(CALLS, when=when))
    made(tmp_path, oracle_calls=321)
    assert main(["report", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "Calls" not in said.out
    (line,) = said.err.splitlines()
    assert f"cost 'calls' (register_cost in this process): `when`: {problem}" in line


PLUGIN = """
from benchmark import Metric, register_metric

register_metric("lpips", Metric("LPIPS", digits=3, lower=True, low=0))
"""


def test_report_and_verify_take_a_plug_in(tmp_path, capsys):
    plugin = tmp_path / "plug.py"
    plugin.write_text(PLUGIN)
    made(tmp_path / "runs", metrics=FOREIGN)
    words = [str(tmp_path / "runs"), "--plugin", str(plugin)]
    assert main(["report", *words]) == 0
    assert "LPIPS ↓" in capsys.readouterr().out
    assert f"register_metric in {plugin}" in METRICS.entries["lpips"].origin
    del METRICS.entries["lpips"]
    main(["verify", *words])
    assert "ok   table report" in capsys.readouterr().out


def test_the_row_that_a_measurement_makes():
    said = row_of(Test({"fdd": 0.02, "fid": 12.345, "ess": 9.0}, {"fid_name": "digits"}))
    assert said == (
        "FID (digits) ↓ 12.35, fdd 0.02; fdd: no description, shown with a default column; "
        "register_metric describes it; in runs.csv alone: ess"
    )
    assert row_of(Test({"objective": 0.5})) == "F ↓ 0.5000"


def test_check_shows_the_row_of_a_task(monkeypatch):
    found = Test({"lpips": 0.3, "fdd": 0.02})
    monkeypatch.setattr(QuadraticTask, "test", lambda self, state, lam: found)
    TASKS.entries["mine"] = Entry("mine", "test", lambda: Quadratic)
    rows = [(what, bad) for what, bad in check_task("mine") if "a row of a table" in what]
    assert rows == [(f"test makes a row of a table: {row_of(found)}", "")]
    assert "fdd 0.02, lpips 0.3; fdd: no description" in rows[0][0]


def test_every_built_in_says_what_it_is():
    for registry in (METRICS, COSTS):
        for name in registry.complete():
            assert len(registry.entries[name].summary) > 15, name
            assert any(registry.get(name).about.rstrip(".") in line for line in about(name))
    shown = list(about("fid"))
    for line in ("heading: FID", "range: [0, inf]", "digits: 2 after the point", "better: less"):
        assert any(line in each for each in shown), line
    assert in_order({"zzz", "clip", "fid", "aaa"}) == ["fid", "clip", "aaa", "zzz"]


def test_the_list_says_what_a_package_offers(monkeypatch, capsys):
    """Before: no description, and what is no `Metric` was listed as if it were one."""
    monkeypatch.setattr(offered, "_SAID", set())
    for name, target in (("lpips", "LPIPS"), ("fdd", "_exits")):
        point = EntryPoint(name, f"{__name__}:{target}", "bench.metrics")
        METRICS.entries[name] = from_package(point)
    TASKS.entries["plain"] = Entry("plain", f"decorator in {'/long' * 40}", lambda: Plain)
    assert main(["list"]) == 0
    said = capsys.readouterr()
    assert re.search(r"^  lpips +Learned perceptual distance \(plug-in ", said.out, re.MULTILINE)
    assert "expected a benchmark.Metric, got function" in said.err
    assert re.search(r"^  plain\n +\(decorator in /long", said.out, re.MULTILINE)
    assert main(["list", "fdd"]) == 2
    assert "expected a benchmark.Metric, got function" in capsys.readouterr().err
    assert any("printed in units of 1048576" in line for line in about("peak_memory_bytes"))


def test_equal_headings_are_told_apart(tmp_path):
    register_metric("lpips", replace(LPIPS, head="FID", digits=2))
    (table,) = tables(made(tmp_path, metrics=("fid", "lpips", "fdd")))
    assert heads(table)[1:4] == ["FID ↓ [fid]", "FID ↓ [lpips]", "fdd"]


@pytest.mark.parametrize("name", ["table1", "runs", "differences"])
def test_a_plot_cannot_have_the_name_of_a_table(name):
    with pytest.raises(UsageError, match="which means something else"):
        register_plot(name)(lambda table: None)


def test_no_file_but_the_tables_names_a_metric():
    """Of the harness; `objective` is also an account of the ledger, and `reward` a kind."""
    # plain words too
    names = set(TABLE) - {"objective", "reward", "precision", "recall"}
    word = re.compile(rf"(?<![A-Za-z_])({'|'.join(names)})(?![A-Za-z])")
    report = ROOT / "benchmark" / "report"
    scores = ROOT / "benchmark" / "metrics" / "scores.py"
    tables_ = {report / "metrics.py", report / "plots" / "__init__.py", scores}
    for path in set((ROOT / "benchmark").rglob("*.py")) - tables_:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        prose = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
        strings = (
            n
            for n in ast.walk(tree)
            if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in prose
        )
        found = {n.value for n in strings if word.search(n.value)}
        assert not found, f"{path.name} names {found}"
