"""Ranks, chances, times and optimism: right on small tables, and rarely wrong on random ones."""

import csv
import io
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, binomtest

from benchmark.errors import UsageError
from benchmark.report.metrics import OPTIMISM
from benchmark.report.plots.optimism import optimism
from benchmark.report.plots.ranks import diagram
from benchmark.report.report import report
from benchmark.report.statistics.across import over
from benchmark.report.statistics.anytime import Anytime
from benchmark.report.statistics.chances import chances
from benchmark.report.statistics.medians import median, share
from benchmark.report.statistics.optimism import Looked, at, best_at, ledger
from benchmark.report.statistics.quality import times
from benchmark.report.statistics.ranks import _dealt, _normal, ranks
from benchmark.report.statistics.sheet import Statistic, sheet, statistics
from benchmark.report.statistics.shown import _part
from benchmark.report.table import tables
from benchmark.report.verify import verify
from speed.calibration import NOISES, table
from tests.made import made


def test_ranks_are_means_over_blocks_and_equal_values_share_them():
    rows = {"a": {1: 0.0, 2: 5.0}, "b": {1: 0.0, 2: 6.0}, "c": {1: 9.0, 2: 1.0}}
    found = ranks(rows, True)
    assert found.mean == {"a": 1.75, "b": 2.25, "c": 2.0}
    assert ranks(rows, False).mean == {"a": 2.25, "b": 1.75, "c": 2.0}
    assert found.blocks == 2


def test_only_blocks_of_all_rows_count_and_one_row_has_no_rank():
    assert ranks({"a": {1: 0.0, 2: 5.0}, "b": {2: 6.0}}, True).blocks == 1
    assert ranks({"a": {1: 0.0}, "b": {2: 6.0}}, True) is None
    assert ranks({"a": {1: 0.0}}, True) is None
    assert ranks({}, True) is None


@pytest.mark.parametrize(
    ("shape", "noise"),
    [((3, 5, 1), "normal"), ((5, 5, 3), "normal"), ((5, 5, 1), "lognormal"), ((8, 5, 1), "normal")],
)
def test_equal_rows_are_rarely_further_apart_than_the_critical_difference(shape, noise):
    rng, alarms = np.random.default_rng(3), 0
    for _ in range(150):
        found = ranks(table(NOISES[noise], rng, shape), True)
        mean = found.mean.values()
        alarms += max(mean) - min(mean) > found.critical
    # of 5 %, less where few blocks allow few differences; a standard error is 0.018
    assert alarms / 150 <= 0.05 + 3 * 0.018


def test_the_critical_difference_is_nemenyis_where_blocks_are_many():
    found = ranks(table(NOISES["normal"], np.random.default_rng(0), (5, 60, 1)), True)
    # q(0.05; 5 rows, inf) / sqrt 2 = 2.728 (Demsar 2006, table 5)
    assert found.critical == pytest.approx(2.728 * math.sqrt(5 * 6 / (6 * 60)), rel=0.04)


def test_of_many_blocks_the_normal_law_is_that_of_dealt_ranks():
    rng = np.random.default_rng(1)
    # with ties, which make sums vary less
    values = np.round(rng.standard_normal((90, 6)), 0)
    twice = np.rint(2 * pd.DataFrame(values).rank(axis=1).to_numpy())
    ends = [
        np.quantile(np.ptp(deal(twice, np.random.default_rng(2)), axis=1), [0.5, 0.95])
        for deal in (_dealt, _normal)
    ]
    assert ends[1] == pytest.approx(ends[0], rel=0.03)


def test_a_row_that_always_wins_is_told_apart():
    found = ranks(table(NOISES["normal"], np.random.default_rng(0), (3, 10, 1), better=20.0), True)
    assert found.mean["row 0"] == 1.0
    assert all(
        found.mean[r] - 1 > found.critical for r in ("row 1", "row 2") if found.mean[r] > 2.4
    )
    assert max(found.mean.values()) - 1 > found.critical


def test_chances_add_up_and_follow_the_direction():
    rows = table(NOISES["normal"], np.random.default_rng(5), (4, 5, 3), better=3.0)
    found = chances(rows, True)
    assert sum(found.values()) == pytest.approx(1.0)
    assert found["row 0"] > 0.9
    assert chances(rows, False)["row 0"] < 0.02
    mirrored = {name: {c: -v for c, v in row.items()} for name, row in rows.items()}
    assert chances(mirrored, False)["row 0"] == pytest.approx(found["row 0"], abs=0.01)


def test_chances_of_equal_rows_and_of_too_few_seeds():
    rows = {name: {(s, ""): 1.0 for s in range(3)} for name in "ab"}
    assert chances(rows, True) == {"a": 0.5, "b": 0.5}
    assert chances({name: {(0, ""): 1.0} for name in "ab"}, True) == {}
    assert chances({"a": {(0, ""): 1.0, (1, ""): 2.0}}, True) == {}


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_a_chance_is_how_often_such_a_row_is_the_best(seeds):
    rng, said, true = np.random.default_rng(seeds), [], []
    for _ in range(150):
        means = 0.7 * rng.standard_normal(5)
        rows = {
            f"row {k}": {c: v + means[k] for c, v in row.items()}
            for k, row in enumerate(table(NOISES["normal"], rng, (5, seeds, 1)).values())
        }
        for k, chance in enumerate(chances(rows, True).values()):
            said.append(chance)
            true.append(k == means.argmin())
    said, true = np.array(said), np.array(true)
    for low, high in ((0.0, 0.2), (0.2, 0.5), (0.5, 1.01)):
        inside = (said >= low) & (said < high)
        error = 3 * math.sqrt(0.25 / inside.sum())
        assert abs(said[inside].mean() - true[inside].mean()) <= 0.1 + error
        # never much surer than it may be
        assert said[inside].mean() <= true[inside].mean() + 0.05 + error


def test_the_mean_over_the_budget_counts_the_time_before_the_first_answer():
    a = Anytime([2.0, 6.0], [4.0, 1.0], 10.0)
    assert a.mean(9.0) == pytest.approx((2 * 9 + 4 * 4 + 4 * 1) / 10)
    assert Anytime([], [], 10.0).mean(9.0) == 9.0
    # a proposal that was made as the budget ended
    assert Anytime([10.0], [4.0], 10.0).mean(9.0) == 9.0


def test_time_to_a_quality_is_that_of_the_first_answer_so_good():
    a = Anytime([2.0, 6.0, 8.0], [4.0, 1.0, 2.0], 10.0)
    assert [a.until(q, True) for q in (5.0, 4.0, 3.0, 0.5)] == [2.0, 2.0, 6.0, math.inf]
    assert [a.until(q, False) for q in (3.0, 4.5)] == [2.0, math.inf]


@pytest.mark.parametrize("noise", ["normal", "lognormal"])
def test_an_interval_of_a_median_holds_what_it_says(noise):
    """At the sizes that people use; of few values it says that it holds less than 95 %."""
    rng, said = np.random.default_rng(5), {2: 0.5, 3: 0.75, 4: 0.875, 5: 0.9375}
    for n in (2, 3, 4, 5, 6, 10, 15, 30):
        # both laws have their median at 0 or 1; a time that is never reached is inf
        drawn = rng.standard_normal((4000, n))
        values = drawn if noise == "normal" else np.exp(drawn)
        values[drawn > 1] = np.inf
        found = np.array([median(list(v))[1:] for v in values])
        middle = 0.0 if noise == "normal" else 1.0
        held = np.mean((found[:, 0] <= middle) & (middle <= found[:, 1]))
        # a standard error is 0.008 at most
        if n in said:
            assert held == pytest.approx(said[n], abs=0.025)
        else:
            assert 0.94 <= held <= 0.99


def test_a_median_is_one_of_the_values_and_a_share_has_its_exact_interval():
    assert median([3.0, 1.0, math.inf]) == (3.0, 1.0, math.inf)
    assert median([1.0, math.inf]) == (math.inf, 1.0, math.inf)
    assert median(list(map(float, range(10)))) == (5.0, 1.0, 8.0)
    for n in range(1, 60):
        k = max(1, int(binom.ppf(0.025, n, 0.5)))
        assert median(list(map(float, range(n))))[1:] == (k - 1, n - k)
        for hits in range(n + 1):
            found = binomtest(hits, n).proportion_ci(0.95, method="exact")
            assert share(hits, n)[1:] == pytest.approx((found.low, found.high))
    # none of n: 1 - (0.05 / 2) ** (1 / n)
    assert share(0, 5) == (0.0, 0.0, pytest.approx(1 - 0.025**0.2))
    assert share(5, 5) == (1.0, pytest.approx(0.025**0.2), 1.0)


def test_an_answer_stands_from_its_own_trial_to_the_one_before_the_next():
    answers = [
        Looked((0, ""), 1, 3, searched=5.0, held_out=5.5),
        Looked((0, ""), 4, 9, searched=2.0, held_out=4.0),
        Looked((0, ""), 10, 20, searched=1.0, held_out=6.0),
    ]
    assert [at(answers, n).searched for n in (1, 3, 4, 20)] == [5.0, 5.0, 2.0, 1.0]
    assert at(answers, 21) is None
    assert answers[2].optimism == 5.0
    assert best_at(answers) == 4


def test_the_ledger_of_a_real_run(searched):
    (table_,) = tables(searched)
    for row in table_.rows:
        for run in row.stored:
            answers = ledger(run)
            assert len(answers) == len(run.tests)
            ordered = [t["loss"] for t in run.trials]
            for a in answers:
                assert a.searched == min(ordered[: a.first])
                assert a.searched == min(ordered[: a.last])
                # quadratic has no noise but for what 20 steps leave
                assert a.optimism == pytest.approx(0, abs=1e-3 * max(1, a.searched))
    assert optimism(table_) is not None
    # the column of the table is that of what stood at the end
    column = dict(zip(table_.frame["run_id"], table_.frame[OPTIMISM], strict=True))
    ends = {r.run["run_id"]: ledger(r)[-1].optimism for row in table_.rows for r in row.stored}
    assert column == pytest.approx(ends)
    assert OPTIMISM in table_.metrics


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    from benchmark import run

    return run(
        ["random", "tpe"],
        "quadratic",
        budget="800nfe",
        seeds=range(3),
        marks=["200nfe", "400nfe"],
        out=tmp_path_factory.mktemp("runs"),
        options={"random.trials": 100, "tpe.trials": 100},
        engine="in_process",
        quiet=True,
    ).runs


def test_the_sheet_says_of_each_number_how_many_it_is_of_and_how(searched):
    (table_,) = tables(searched)
    lines = list(csv.DictReader(io.StringIO(sheet(statistics(table_)))))
    kinds = {line["statistic"].split(" after ")[0] for line in lines}
    assert {
        "mean rank",
        "probability of the best mean",
        "mean while searching",
        "time to quality",
        "share that reached it",
        "speed-up over random search",
        "optimism",
    } <= kinds
    assert all(int(line["n"]) >= 1 and len(line["how"]) > 20 for line in lines)
    reached = {
        line["row"]: float(line["value"]) for line in lines if line["statistic"].startswith("share")
    }
    assert reached["random"] == 1.0
    (stopped,) = [
        s for s in statistics(table_) if s.row == "tpe" and s.statistic == "mean while searching"
    ]
    assert stopped.low <= stopped.value <= stopped.high


def test_numbers_of_trials_are_in_their_order_on_the_page():
    """A row that ended early lacks some."""
    own = [
        Statistic("F", row, what, 1.0, math.nan, math.nan, 3, "how")
        for row, whats in (("a", ("2", "10")), ("b", ("2", "5", "10", "20")))
        for what in (*(f"optimism after {n}" for n in whats), "best after")
    ]
    heads = _part("F", own).heads
    assert heads == [*(f"optimism after {n}" for n in (2, 5, 10, 20)), "best after"]
    means = [replace(s, statistic=name) for s in own[:1] for name in ("p", "mean rank", "chance")]
    assert _part("FID", means).heads == ["p", "mean rank", "chance"]


def test_a_target_replaces_random_search(tmp_path):
    from dataclasses import replace

    (found,) = tables(made(tmp_path))
    assert times(found) is None
    # alpha has about 9 and 8, beta 10 and 9, at 400 and 800 evaluations
    some = times(replace(found, target=8.5))
    assert set(some.rows["alpha"].values()) == {800.0}
    assert set(some.rows["beta"].values()) == {math.inf}
    assert "8.5" in some.what
    with pytest.raises(UsageError, match="--target: expected a finite number, got nan"):
        report(found.runs, tmp_path / "out", target=math.nan)


def test_several_tables_are_compared_over_tables_and_prompts(tmp_path):
    runs = [*made(tmp_path / "a"), *made(tmp_path / "b", budget="2000nfe", marks=("700nfe",))]
    written = report(runs, tmp_path / "out")
    assert len(written) == 2
    found = over([t for t, _ in written])
    assert found.blocks == 2
    assert found.mean == {"alpha": 1.0, "beta": 2.0}
    lines = list(csv.DictReader((tmp_path / "out" / "across.csv").open()))
    assert [line["method"] for line in lines] == ["alpha", "beta"]
    assert (tmp_path / "out" / "across.png").stat().st_size > 1000
    checked = dict(verify(tmp_path / "out"))
    assert checked["sheet across.csv"] == ""
    path = tmp_path / "out" / "across.csv"
    path.write_text(path.read_text().replace("beta,2.0", "beta,0.5"))
    assert "does not follow" in dict(verify(tmp_path / "out"))["sheet across.csv"]
    # of one table there is nothing to compare, and nothing old stays
    report(list(made(tmp_path / "a")), tmp_path / "out")
    assert not (tmp_path / "out" / "across.csv").exists()


def test_a_bar_joins_rows_that_may_be_equal():
    from benchmark.report.plots.ranks import _alike
    from benchmark.report.statistics.ranks import Ranks

    assert _alike([1.0, 2.0, 4.0], 1.5) == [(0, 1)]
    assert _alike([1.0, 2.0, 3.0], 1.5) == [(0, 1), (1, 2)]
    assert _alike([1.0, 2.0], 0.5) == []
    figure = diagram(Ranks({"a": 1.0, "b": 2.0, "c": 4.0}, 5, 1.5), "title")
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["a", "b", "c"]


def test_a_users_sheet_of_the_same_name_stays(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "across.csv").write_text("mine\n1\n")
    report(list(made(tmp_path / "a")), tmp_path / "out")
    assert (tmp_path / "out" / "across.csv").read_text() == "mine\n1\n"


def test_a_sheet_of_an_earlier_version_is_one_of_ours(tmp_path):
    (tmp_path / "out").mkdir()
    head = "method,mean_rank,blocks,critical_difference\n"
    (tmp_path / "out" / "across.csv").write_text(f"{head}a,1.0,3,0.5\n")
    # of one table there is none
    report(list(made(tmp_path / "a")), tmp_path / "out")
    assert not (tmp_path / "out" / "across.csv").exists()
