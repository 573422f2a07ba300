"""What a table's columns are: metrics within their range, what a search cost, and the same table
from runs.csv.
"""

import ctypes
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from benchmark import UsageError, fit
from benchmark.budget import Budget
from benchmark.command.parse import plan_from_text as plan
from benchmark.device import peak_memory_bytes, reset_peak_memory
from benchmark.registry import METHODS, Entry
from benchmark.report.cells import heads
from benchmark.report.costs import costs
from benchmark.report.formats import latex, markdown, text
from benchmark.report.look import APART, spent_axis
from benchmark.report.metrics import metric_of
from benchmark.report.notes import footnote
from benchmark.report.page import html_table, page
from benchmark.report.plots.quality_over_time import quality_over_time
from benchmark.report.report import report, rewrite
from benchmark.report.runs_csv import read_frame
from benchmark.report.stats import estimate
from benchmark.report.table import tables, tables_of
from benchmark.report.text_table import TextTable
from benchmark.runs.runner import run_one
from benchmark.store.store import Store
from tests.made import made

DIGITS = {"fid_name": "digits", "fid_features": "some, D = 8", "fid_n": "100"}


def test_the_csv_keeps_the_contracts_order(tmp_path):
    report(list(made(tmp_path)), tmp_path / "report")
    table = pd.read_csv(tmp_path / "report" / "table1.csv")

    def spread(name):
        return [name, f"{name}_ci_low", f"{name}_ci_high"]

    assert list(table.columns) == [
        "method",
        *spread("fid"),
        *spread("clip"),
        "time",
        "runs",
        "failed",
        "lower",
        "variant",
        *spread("time")[1:],
        *spread("overrun_seconds"),
        *spread("overrun_nfe"),
        *spread("nfe"),
        *spread("peak_memory_bytes"),
        *spread("inception_score"),
        *spread("objective"),
        "bold",
        "tied",
        "no_answer",
        "incomplete",
        "comparable",
        "cells",
        "of_cells",
    ]
    assert list(table["nfe"]) == [901.0, 901.0]
    assert (table["time_ci_low"] < table["time"]).all()
    assert list(table["peak_memory_bytes"] / 2**20) == [101.0, 101.0]


def test_every_format_shows_what_a_search_cost(tmp_path):
    (table,) = tables(made(tmp_path, passport=DIGITS))
    heads = [
        "FID (digits)",
        "IS",
        "F",
        "Time (s)",
        "Evaluations (k)",
        "Memory (MiB)",
        "Runs",
        "Failed",
    ]
    wanted = "|".join(rf"\b{re.escape(head)}(?!\w)" for head in heads)
    shown = (text(table), markdown(table), latex(table), page(table, footnote(table), [], Path()))
    assert html_table(table) in shown[-1]
    for whole in shown:
        assert re.findall(wanted, whole)[:8] == heads
        assert "10.0 [7.5, 12.5]" in whole  # 9, 10, 11: t(2) = 4.303 standard errors of 0.577
        assert "101 [99, 103]" in whole  # 100, 101, 102
    assert table.rows[0].time == 10.0


def test_a_wide_table_gets_a_second_block_in_a_terminal(tmp_path):
    metrics = ("fid", "clip", "accuracy", "reward")
    (wide,) = tables(made(tmp_path / "a", ("a_method_of_21_letters", "b"), metrics=metrics))
    lines = text(wide).splitlines()
    assert max(map(len, lines)) <= 130
    assert sum(line.startswith("a_method_of_21_letters") for line in lines) == 2
    (narrow,) = tables(made(tmp_path / "b", metrics=("fid",)))
    assert len(text(narrow).splitlines()) == 5


def test_a_row_without_an_answer_is_in_every_block_and_a_line_of_reference_in_its_own(monkeypatch):
    monkeypatch.setenv("COLUMNS", "12")
    lines = [["Method", "FID", "Time"], ["a", "1.0", "2"], ["none", "-", "3"], ["real", "0.5", "-"]]
    said = TextTable("title", lines, 1, references=1).text().removeprefix("title\n")
    first, second = (
        [line.split()[0] for line in block.splitlines()[2:]] for block in said.split("\n\n")
    )
    assert first == ["a", "none", "real"]
    assert second == ["a", "none"]


@pytest.mark.parametrize(("columns", "limit"), [("300", 130), ("80", 80)])
def test_many_metrics_are_several_blocks_in_a_terminal(tmp_path, monkeypatch, columns, limit):
    """Before: lines of 380 characters."""
    monkeypatch.setenv("COLUMNS", columns)
    names = [f"metric_{k}" for k in range(12)]
    (table,) = tables(made(tmp_path, metrics=names))
    _, *lines = text(table).splitlines()
    assert max(map(len, lines)) <= limit
    shown = [word for line in lines if line.startswith("Method") for word in line.split()[1:]]
    assert [word for word in shown if word.startswith("metric_")] == sorted(names)
    assert shown[-2:] == ["Runs", "Failed"]
    for name in ("alpha", "beta"):
        assert sum(line.startswith(name) for line in lines) == lines.count("") + 1
    value = table.rows[0].metrics["metric_7"].mean
    assert f"{value:.4g} [" in text(table)


def test_intervals_stay_within_the_range_of_the_metric():
    values = {(s, ""): v for s, v in enumerate((1.0, 1.0, 1.0, 0.0, 1.0))}
    assert estimate(values).high > 1
    assert metric_of("accuracy").estimate(values).high == 1.0
    near = {(s, ""): v for s, v in enumerate((0.0, 0.0, 0.0, 1.0, 0.0))}
    assert estimate(near).low < 0 == metric_of("fid").estimate(near).low
    assert metric_of("inception_score").estimate({k: 1 + v for k, v in near.items()}).low == 1.0
    assert metric_of("objective").estimate(near) == estimate(near)
    assert np.isnan(metric_of("fid").estimate({(0, ""): 1.0}).low)
    assert costs()["nfe"].text(estimate({(0, ""): 12345.0})) == "12.3"
    assert costs()["nfe"].text(None) == "-"


def test_the_table_of_runs_csv_is_the_table_of_the_runs(tmp_path):
    runs = made(tmp_path, passport=DIGITS)
    ((table, folder),) = report(list(runs), tmp_path / "report")
    (again,) = tables_of(read_frame(folder / "runs.csv"))
    assert (again.title, again.unit, again.metrics) == (
        "schedule, small, budget 1000nfe",
        "nfe",
        table.metrics,
    )
    assert again.names == {"fid": "digits"}
    for one, other in zip(table.rows, again.rows, strict=True):
        assert (one.label, one.runs, one.failed, one.bold, one.tied) == (
            other.label,
            other.runs,
            other.failed,
            other.bold,
            other.tied,
        )
        for mine, theirs in ((one.metrics, other.metrics), (one.costs, other.costs)):
            assert mine.keys() == theirs.keys()
            for name in mine:
                assert vars(mine[name]) == pytest.approx(vars(theirs[name]), rel=1e-4)


def test_tables_are_written_again_from_runs_csv(tmp_path):
    formats = ("md", "csv", "latex", "html")
    ((_, folder),) = report(
        list(made(tmp_path, passport=DIGITS)), tmp_path / "report", formats=formats
    )
    names = ("table1.md", "table1.tex", "report.html")
    before = {name: (folder / name).read_text() for name in names}
    for name in names[:2]:
        (folder / name).write_text(before[name].replace("Evaluations", "Something"))
    rewrite(folder)
    assert before == {name: (folder / name).read_text() for name in names}
    runs = pd.read_csv(folder / "runs.csv")
    pd.concat([runs, runs.assign(passport="other")]).to_csv(folder / "runs.csv", index=False)
    with pytest.raises(UsageError, match="found 2"):
        rewrite(folder)
    runs.drop(columns="nfe").to_csv(folder / "runs.csv", index=False)
    with pytest.raises(UsageError, match="no column nfe"):
        rewrite(folder)
    with pytest.raises(UsageError, match=r"runs.csv"):
        rewrite(tmp_path)


def test_an_ablation_of_the_task_is_a_table_only_when_asked_for(tmp_path):
    for theta, seeds in (("none", 4), ("truncated", 3)):
        made(
            tmp_path / "runs",
            methods=("alpha",),
            seeds=seeds,
            options={"theta": theta, "steps": 5},
            passport=DIGITS,
        )
    runs = list(Store(tmp_path / "runs"))
    assert len(tables(runs)) == 2
    (table,) = tables(runs, across=True)
    assert [r.label for r in table.rows] == ["alpha", "alpha (theta=truncated)"]
    assert "Where a row does not say otherwise: theta=none." in footnote(table)
    made(
        tmp_path / "runs",
        methods=("beta",),
        options={"theta": "none"},
        passport={**DIGITS, "fid_n": "200"},
    )
    assert len(tables(list(Store(tmp_path / "runs")), across=True)) == 2, (
        "what was measured otherwise stays apart"
    )


def test_other_features_never_share_a_table(tmp_path):
    runs = [
        r
        for k, name in enumerate(("digits", "inception"))
        for r in made(
            tmp_path / name, (f"method{k}",), passport={"fid_name": name, "fid_features": name}
        )
    ]
    found = tables(runs)
    assert sorted(t.heading("fid") for t in found) == ["FID (digits)", "FID (inception)"]
    assert [t.heading("objective") for t in found] == ["F", "F"]


@pytest.mark.parametrize(
    ("metrics", "shown"),
    [
        (("objective", "inception_score", "fid"), "fid"),
        (("fid", "clip"), "clip"),
        (("objective",), "objective"),
    ],
)
def test_the_picture_over_time_shows_clip_else_the_first_column(tmp_path, metrics, shown):
    (table,) = tables(made(tmp_path, metrics=metrics))
    (axes,) = quality_over_time(table).axes
    assert axes.get_ylabel().removesuffix(", lower is better") == table.heading(shown)


@pytest.mark.parametrize(
    ("budget", "marks", "label", "x"),
    [
        ("1000nfe", ("500nfe",), "network evaluations of search", [500, 901]),
        ("60s", ("5s",), "seconds of search (method + objective)", [5, 10]),
    ],
)
def test_the_abscissa_is_the_budgets_unit(tmp_path, budget, marks, label, x):
    (table,) = tables(made(tmp_path, budget=budget, marks=marks))
    (axes,) = quality_over_time(table).axes
    assert axes.get_xlabel() == label
    assert axes.get_ylabel() == "FID, lower is better"
    drawn = next(line for line in axes.lines if line.get_label() == "alpha")
    # two rows stand a little apart
    assert list(drawn.get_xdata() * APART**0.5) == pytest.approx(x)


@pytest.mark.parametrize(
    ("low", "high", "unit", "ticks"),
    [
        (4, 70, "s", ["5", "10", "20", "30", "60"]),
        (1e4, 2.1e6, "nfe", ["10k", "100k", "1M"]),
        (4e5, 2.1e6, "nfe", ["500k", "1M", "2M"]),
        (18, 660, "nfe", ["20", "50", "100", "200", "500"]),
    ],
)
def test_ticks_are_numbers_that_a_reader_knows(low, high, unit, ticks):
    figure, axes = plt.subplots()
    spent_axis(axes, low, high, unit)
    figure.canvas.draw()
    assert [label.get_text() for label in axes.get_xticklabels()] == ticks
    plt.close(figure)


def test_at_a_mark_the_costs_are_those_until_then(tmp_path):
    (table,) = tables(made(tmp_path), Budget.parse("500nfe"))
    costs = table.rows[0].costs
    assert (costs["nfe"].mean, costs["time"].mean) == (500, 5.0)
    (table,) = tables(made(tmp_path / "s", budget="60s", marks=("5s",)), Budget.parse("5s"))
    costs = table.rows[0].costs
    assert (costs["nfe"].mean, costs["time"].mean) == (500, 5.0)
    # these are known of the whole search alone
    assert not {"overrun_seconds", "peak_memory_bytes"} & set(costs)
    assert not {"Over (s)", "Memory (MiB)"} & set(heads(table))


def resets():
    return sys.platform == "linux" and reset_peak_memory("cpu")


@pytest.mark.skipif(not resets(), reason="this system cannot reset a process's peak of memory")
def test_the_peak_of_memory_is_that_of_the_search_alone(tmp_path, monkeypatch):
    def hungry(problem, rng):
        block = np.ones(2**25)  # 256 MiB
        yield fit(problem, np.zeros(2), int(block[0]))

    def modest(problem, rng):
        yield fit(problem, np.zeros(2), 0)

    METHODS.complete()
    store, peaks = Store(tmp_path), []
    for method in (modest, hungry, modest):
        monkeypatch.setitem(
            METHODS.entries, "mine", Entry("mine", "test", lambda method=method: method)
        )
        (spec,) = plan("mine", "quadratic", budget="99nfe")
        assert run_one(spec, store, quiet=True) == "ok"
        run = store.find(spec).run
        assert run["peak_memory_of"] == "search"
        peaks.append(run["peak_memory_bytes"] / 2**20)
    assert peaks[1] > peaks[0] + 240
    assert abs(peaks[2] - peaks[0]) < 40


@pytest.mark.skipif(
    not resets() or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc"
)
def test_what_was_freed_in_small_pieces_does_not_count_either():
    before = peak_memory_bytes("cpu")
    pieces = [bytes(50_000) for _ in range(5000)]  # below the size that malloc hands back by itself
    pin = bytes(50_000)  # on top of the heap, so that its end stays in use
    del pieces
    assert peak_memory_bytes("cpu") > before + 200 * 2**20
    assert reset_peak_memory("cpu")
    assert peak_memory_bytes("cpu") < before + 40 * 2**20
    assert len(pin) == 50_000


def test_where_the_peak_cannot_be_reset_the_report_says_so(tmp_path, monkeypatch):
    runs = [*made(tmp_path / "a"), *made(tmp_path / "b", ("gamma",), peak_memory_of="process")]
    (table,) = tables(runs)
    assert "Memory: in 3 of 9 runs the peak of their whole process until then." in footnote(table)
    (table,) = tables(made(tmp_path / "a"))
    assert "Memory" not in footnote(table)

    def refuse(self, *rest, **more):
        raise OSError("read-only")

    monkeypatch.setattr(Path, "write_text", refuse)
    held = np.ones(2**23)
    del held
    assert not reset_peak_memory("cpu")
    assert peak_memory_bytes("cpu") > 0
