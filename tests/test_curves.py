"""Curves of lam, from the task's measurement to the picture; and lam over time with several
axes.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba

from benchmark import UsageError
from benchmark.budget import Budget
from benchmark.command.parse import plan_from_text as plan
from benchmark.protocol import Test
from benchmark.report.look import STYLE, value_axis
from benchmark.report.plots.curves import curves
from benchmark.report.plots.lam_over_time import lam_over_time
from benchmark.report.table import tables
from benchmark.runs.runner import run_one
from benchmark.store.store import Store, read
from tasks.quadratic import QuadraticTask
from tests.legible import faults
from tests.made import AXES, T, made


def measured_with(tmp_path, monkeypatch, values):
    found = Test({"objective": 1.0}, {}, curves={"beta(t)": values})
    monkeypatch.setattr(QuadraticTask, "test", lambda self, state, lam: found)
    (spec,) = plan("default", "quadratic", budget="100nfe")
    store = Store(tmp_path)
    return run_one(spec, store, quiet=True), store.find(spec)


def test_curves_are_stored_to_six_digits(tmp_path, monkeypatch):
    values = np.array([[0.0, 1.0], [1 / 3, 1e-9 / 3], [2e5 / 3, -1.0]])
    status, found = measured_with(tmp_path, monkeypatch, values)
    assert status == "ok"
    assert "0.333333," in (found.folder / "final.json").read_text().replace("\n", "")
    stored = found.tests[-1]["curves"]["beta(t)"]
    assert stored == pytest.approx(values, rel=1e-5)


@pytest.mark.parametrize(
    "bad", [np.full((3, 4), np.nan), np.zeros((2, 4)), np.zeros(3), np.zeros((3, 0))]
)
def test_a_curve_that_cannot_be_drawn_is_refused(tmp_path, monkeypatch, bad):
    status, found = measured_with(tmp_path, monkeypatch, bad)
    assert status == "failed"
    assert "curve 'beta(t)'" in found.run["error"]


def test_runs_from_before_there_were_curves_are_read(tmp_path):
    store = made(tmp_path)
    (first, *_) = (r.folder for r in store)
    final = json.loads((first / "final.json").read_text())
    for test in final["tests"]:
        del test["curves"]
    (first / "final.json").write_text(json.dumps(final))
    assert read(first).tests[-1]["curves"] == {}
    final["tests"][0]["curves"] = {"beta(t)": [[0.0], [1.0]]}
    (first / "final.json").write_text(json.dumps(final))
    with pytest.raises(UsageError, match=r"final.json"):
        read(first)


def lines(axes):
    return [
        segments
        for c in axes.collections
        if isinstance(c, LineCollection)
        for segments in c.get_segments()
    ]


def test_every_seed_is_a_line_in_its_methods_column_and_the_default_is_dashed(tmp_path):
    (table,) = tables(made(tmp_path, ("alpha", "beta", "gamma"), seeds=4))
    figure = curves(table)
    grid = np.reshape(figure.axes, (2, 3))
    assert [axes.get_title() for axes in grid[0]] == ["alpha", "beta", "gamma"]
    assert [axes.get_ylabel() for axes in grid[:, 0]] == ["abar(t)", "log-SNR(t)"]
    assert {axes.get_xlabel() for axes in figure.axes} == {"t"}
    for axes in figure.axes:
        assert len(lines(axes)) == 4
        assert lines(axes)[0] == pytest.approx(np.column_stack([T, T**2]))
        (default,) = axes.lines
        assert default.get_linestyle() == "--"
        assert to_rgba(default.get_color()) == to_rgba("black")
        assert default.get_ydata() == pytest.approx(T)
    assert len({tuple(axes.collections[0].get_colors()[0]) for axes in grid[0]}) == 3


def test_the_curves_are_of_what_stood_then(tmp_path):
    (table,) = tables(made(tmp_path), Budget.parse("500nfe"))
    assert lines(curves(table).axes[0])[0] == pytest.approx(np.column_stack([T, T]))


def test_without_curves_there_is_no_picture_of_them(tmp_path):
    (table,) = tables(made(tmp_path, curves=False))
    assert curves(table) is None


def test_several_axes_are_rows_and_methods_columns(tmp_path):
    methods = ("alpha", "beta", "delta", "gamma", "omega")
    (table,) = tables(made(tmp_path, methods))
    figure = lam_over_time(table)
    grid = np.reshape(figure.axes, (4, 5))
    assert [axes.get_title() for axes in grid[0]] == list(methods)
    assert [axes.get_ylabel() for axes in grid[:, 0]] == list(AXES)
    assert {axes.get_xlabel() for axes in grid[-1]} == {"network evaluations"}
    for row in grid:
        assert len({axes.get_ylim() for axes in row}) == 1
        assert all(len(lines(axes)) == 3 for axes in row)
    assert lines(grid[0][0])[0][0][0] == 400


def test_more_methods_than_a_page_has_room_for_go_on_below(tmp_path):
    """Before: 21 methods were 6,057 pixels wide."""
    methods = tuple(f"method{k}" for k in range(17))
    (table,) = tables(made(tmp_path, methods))
    figure = lam_over_time(table)
    grid = np.reshape(figure.axes, (3 * 4, 6))
    titles = [axes.get_title() for band in grid[::4] for axes in band]
    assert titles == [*sorted(methods), ""]
    assert [axes.get_ylabel() for axes in grid[:, 0]] == list(AXES) * 3
    assert {axes.get_xlabel() for axes in grid[3::4].flat if axes.axison} == {"network evaluations"}
    assert not faults(figure)


def test_methods_with_other_axes_share_a_picture(tmp_path):
    """An ablation over families of schedules: one family has an axis more."""
    made(
        tmp_path / "runs",
        methods=("alpha",),
        axes=("start", "end", "tau", "eps"),
        options={"schedule": "cosine"},
    )
    made(
        tmp_path / "runs",
        methods=("alpha",),
        axes=("start", "end", "tau"),
        options={"schedule": "sigmoid"},
    )
    (table,) = tables(list(Store(tmp_path / "runs")), across=True)
    assert lam_over_time(table) is not None


def test_one_axis_has_four_panels_in_a_line_at_most(tmp_path):
    (table,) = tables(
        made(
            tmp_path,
            ("alpha", "beta", "delta", "gamma", "omega"),
            axes=("lam",),
            budget="60s",
            marks=(),
        )
    )
    figure = lam_over_time(table)
    used = [axes for axes in figure.axes if axes.get_title()]
    assert (len(figure.axes), len(used)) == (6, 5)
    assert [axes.get_xlabel() for axes in used] == ["seconds"] * 5
    assert lines(used[0])[0][0][0] == 4.0


def test_a_logarithmic_axis_has_plain_numbers():
    """The style leaves mathematics raw, so that the default labels read
    `$\\mathdefault{10^{1}}$`.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots()
        value_axis(axes, 0.01, 100.0)
        figure.canvas.draw()
        shown = [
            label.get_text() for label in axes.get_yticklabels(which="both") if label.get_text()
        ]
    assert {"0.01", "0.1", "1", "10", "100"} <= set(shown)
    assert not any("$" in text for text in shown)
    plt.close(figure)


def test_values_that_are_texts_are_categories(tmp_path):
    (table,) = tables(made(tmp_path, axes=("tau",)))

    def with_kind(run):
        kinds = ("sigmoid", "cosine")
        pairs = zip(run.proposals, kinds, strict=True)
        return replace(run, proposals=[p | {"lam": p["lam"] | {"kind": k}} for p, k in pairs])

    rows = [replace(row, stored=list(map(with_kind, row.stored))) for row in table.rows]
    figure = lam_over_time(replace(table, rows=rows, runs=list(map(with_kind, table.runs))))
    tau, _, kind, _ = figure.axes
    assert [label.get_text() for label in kind.get_yticklabels()] == ["cosine", "sigmoid"]
    assert {tuple(line[:, 1]) for line in lines(kind)} == {(1, 1, 0, 0)}
    assert lines(tau)[0][0][1] == pytest.approx(table.rows[0].stored[0].proposals[0]["lam"]["tau"])


def test_a_proposal_at_the_very_end_is_a_point(tmp_path):
    """Before: an empty panel, as of `default` under a budget in evaluations."""
    (spec,) = plan("default", "quadratic", budget="30nfe")
    store = Store(tmp_path)
    assert run_one(spec, store, quiet=True) == "ok"
    (table,) = tables(store)
    (proposal,) = table.runs[0].proposals
    for axes, value in zip(lam_over_time(table).axes, proposal["lam"].values(), strict=True):
        (point,) = axes.lines
        assert point.get_ydata() == [value]
        assert point.get_xdata() == pytest.approx([proposal["nfe"]], rel=0.02)
        assert point.get_marker() == "o"
    (table,) = tables(made(tmp_path / "made"))
    assert not any(a.lines for a in lam_over_time(table).axes)
