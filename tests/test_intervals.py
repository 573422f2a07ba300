"""On an axis of means with intervals no outlier squeezes what matters, and what is cut says so."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.markers import CARETDOWN, CARETUP

from benchmark.report import intervals
from benchmark.report.look import APART, SPREAD, apart
from benchmark.report.plots.quality_over_time import quality_over_time
from benchmark.report.plots.trade_off import against
from benchmark.report.stats import Estimate
from benchmark.report.table import tables
from tests.legible import faults
from tests.made import made

NAN = float("nan")


def shown(*estimates, side="y"):
    axes = Figure().subplots()
    intervals.show(axes, side, estimates)
    return axes


def test_one_wide_interval_does_not_squeeze_the_others():
    """Before: a dozen rows near 7.9 had a tenth of the axis."""
    rows = [(7.9 + 0.01 * k, 7.5, 8.3) for k in range(12)]
    axes = shown(*rows, (8.9, 4.6, 13.3))
    low, high = axes.get_ylim()
    assert 6.5 < low < 7.5
    assert 8.9 < high < 10
    cut = [
        intervals.draw(axes, "y", np.array([k]), np.array([row[1]]), np.array([row[2]]))
        for k, row in enumerate((*rows, (8.9, 4.6, 13.3)))
    ]
    assert cut == [False] * 12 + [True]
    ends = {line.get_marker(): line.get_ydata()[0] for line in axes.lines}
    assert ends[CARETDOWN] == low
    assert ends[CARETUP] == high
    assert not faults(axes.figure)


@pytest.mark.parametrize(
    "rows",
    [
        [(5, 1, 30)],
        [(5, 4, 6), (5.5, 1, 30)],
        [(5, NAN, NAN), (9, NAN, NAN)],
        [(-5, -6, 3), (0, -1, 1), (4, 3, 5)],
        [(5, 5, 5)],
    ],
)
def test_of_usual_intervals_nothing_is_cut(rows):
    low, high = shown(*rows).get_ylim()
    numbers = [v for row in rows for v in row if np.isfinite(v)]
    assert low < min(numbers)
    assert max(numbers) < high


def test_means_have_most_of_the_axis_or_as_much_as_usual_intervals():
    random = np.random.default_rng(0)
    for _ in range(200):
        mean, half = random.normal(size=9), random.exponential(size=9) ** 3
        low, high = shown(*zip(mean, mean - half, mean + half, strict=True)).get_ylim()
        room = np.ptp(mean) + 2 * max(np.ptp(mean) / 4, 2 * np.median(half))
        assert low < mean.min()
        assert mean.max() < high
        assert high - low <= 1.1 * room * (1 + 1e-9)


def test_means_far_apart_have_a_logarithmic_axis():
    axes = shown((300, 200, 400), (8, 7, 9), (7, NAN, NAN), side="x")
    assert axes.get_xscale() == "log"
    low, high = axes.get_xlim()
    assert low < 7
    assert high > 400
    assert not faults(axes.figure)


@pytest.mark.parametrize(
    "rows",
    [
        [(300, 200, 400), (20, 19, 21)],
        [(300, 200, 400), (-1, -2, 0)],
        # intervals of which the logarithm would hide the most
        [(300, -200, 400), (8, -1, 9), (7, 6, 8)],
    ],
)
def test_others_have_a_linear_one(rows):
    assert shown(*rows).get_yscale() == "linear"


def test_an_interval_to_zero_is_cut_on_a_logarithmic_axis():
    rows = [(300, 200, 400), (8, 7, 9), (7, -1, 15)]
    axes = shown(*rows)
    assert axes.get_yscale() == "log"
    assert intervals.draw(axes, "y", np.arange(3), *np.array(rows, float).T[1:])
    assert [line.get_marker() for line in axes.lines].count(CARETDOWN) == 1


@pytest.mark.parametrize("rows", [1, 2, 7, 8, 21, 200])
def test_rows_at_one_place_stay_near_it(rows):
    places = [apart(k, rows) for k in range(rows)]
    assert max(places) <= SPREAD + 1e-9
    assert min(places) >= 1 / SPREAD - 1e-9
    assert np.prod(places) == pytest.approx(1)
    if rows in (2, 7):
        assert places[1] / places[0] == pytest.approx(APART)


def test_many_rows_have_a_panel_of_what_they_ended_with(tmp_path):
    """At one place on the axis over time they would lie over each other."""
    methods = tuple(f"method{k}" for k in range(8))
    (table,) = tables(made(tmp_path, methods))
    axes, ends = quality_over_time(table).axes
    assert [t.get_text() for t in ends.get_xticklabels()] == [row.label for row in table.rows]
    assert ends.get_ylim() == axes.get_ylim()
    for k, row in enumerate(table.rows):
        over_time = next(line for line in axes.lines if line.get_label() == row.label)
        at_end = [line for line in ends.lines if list(line.get_xdata()) == [k]]
        assert over_time.get_ydata()[-1] in [line.get_ydata()[0] for line in at_end]
    (few,) = tables(made(tmp_path / "few", methods[:7]))
    assert len(quality_over_time(few).axes) == 1


def test_a_cut_interval_is_explained(tmp_path):
    methods = ("alpha", "beta", "delta", "gamma")
    (table,) = tables(made(tmp_path, methods))
    for k, row in enumerate(table.rows):
        row.metrics.update(fid=Estimate(5 + k, 4, 9), clip=Estimate(90 + k, 89, 94))
    said = [t.get_text() for t in against(table, "fid", "clip").axes[0].get_legend().get_texts()]
    assert said == list(methods)
    table.rows[0].metrics["fid"] = Estimate(5, -40, 50)
    figure = against(table, "fid", "clip")
    said = [t.get_text() for t in figure.axes[0].get_legend().get_texts()]
    assert said == [*methods, "interval goes on"]
    assert not faults(figure)
