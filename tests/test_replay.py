"""`design`, `bench record` and the task `replay`: recorded trials behind the same interface."""

import hashlib
import json
import re
import time

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet
from scipy.stats import kendalltau

from benchmark import UsageError, run
from benchmark.check import check_task
from benchmark.command.parse import plan_from_text as plan
from benchmark.export.recording import write_recording
from benchmark.recorded import digest
from benchmark.registry import TASKS, Entry
from benchmark.runs.forecast import Probe
from benchmark.runs.runner import run_one
from benchmark.search.clock import Ledger
from benchmark.spec import LAST_SEED
from benchmark.store.store import Store
from speed.replay import interval
from tasks.quadratic import Quadratic, QuadraticTask
from tasks.replay import ReplayMaker
from tasks.replay.surrogate import Surrogate, features
from tests.test_cli import bench


def designed(task, where, points=64, seeds=3):
    settings = [f"design.points={points}", "design.rungs=4"]
    specs = plan("design", task, budget="1000000nfe", seeds=f"0-{seeds - 1}", settings=settings)
    store = Store(where)
    for spec in specs:
        assert run_one(spec, store, quiet=True) == "ok"
    return list(store)


def altered(path, to, signed=False, **values):
    """signed: whether the table says of itself what it now is."""
    table = parquet.read_table(path)
    about = json.loads(table.schema.metadata[b"bench"]) | values
    if signed:
        about["digest"] = digest(table.to_pandas().astype({"loss": float}), about)
    parquet.write_table(table.replace_schema_metadata({b"bench": json.dumps(about)}), to)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return designed("quadratic", tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def path(runs, tmp_path_factory):
    found = tmp_path_factory.mktemp("table") / "quadratic.parquet"
    assert write_recording(runs, found, False) == 64 * 4 * 3
    return found


@pytest.fixture(scope="module")
def options(path):
    return ReplayMaker(table=str(path), stride=1)


def test_a_design_has_the_same_points_in_every_run_and_f_after_each_rung(runs):
    tables = [pd.DataFrame(r.trials) for r in runs]
    steps = tables[0]["steps"].to_numpy().reshape(-1, 4)
    assert (steps == [2, 5, 10, 20]).all()
    lams = [[t["lam"] for t in r.trials] for r in runs]
    assert lams[0] == lams[1] == lams[2]
    assert len({json.dumps(lam) for lam in lams[0]}) == 64
    assert tables[0]["loss"].tolist() != tables[1]["loss"].tolist()
    # a quarter of each axis holds a quarter of the points
    a = np.array([lam["a"] for lam in lams[0]])[::4]
    space = QuadraticTask.space.axes[0]
    counts, _ = np.histogram([space.unit(v) for v in a], bins=4, range=(0, 1))
    assert counts.tolist() == [16] * 4


def test_the_process_is_near_the_task_between_its_points(options):
    task, live = options.open(0, "", "", "cpu"), Quadratic().open(0, "", "", "cpu")
    rng = np.random.default_rng(1)
    truth, found = [], []
    for lam in rng.random((40, 2)):
        state, own = live.init(0), task.init(0)
        for _ in range(20):
            state, own = live.step(state, lam), task.step(own, lam)
        truth.append(live.loss(state, lam))
        found.append(task._known.mean(lam, 20))
    both = np.argsort(np.argsort(truth)), np.argsort(np.argsort(found))
    assert np.corrcoef(*both)[0, 1] > 0.97


def test_a_fidelity_between_two_lies_between_them(options):
    known = options.open(0, "", "", "cpu")._known
    lam = np.array([0.3, 0.6])
    five, seven, ten = (known.mean(lam, s) for s in (5, 7, 10))
    assert min(five, ten) <= seven <= max(five, ten)
    assert known.mean(lam, 20) == known.mean(lam, 500)
    assert known.mean(lam, 0) == known.mean(lam, 2)


def test_noise_is_a_recorded_trainings_and_the_same_for_the_same_start(options):
    one, other = (options.open(seed, "", "", "cpu") for seed in (0, 1))
    lam = np.array([0.3, 0.6])

    def trained(task, steps):
        state = task.init(0)
        for _ in range(steps):
            state = task.step(state, lam)
        return task.loss(state, lam)

    assert trained(one, 10) == trained(one, 10) != trained(other, 10)
    ratio = np.log(trained(one, 10) / one._known.mean(lam, 10))
    assert np.isclose(one._known.residuals[:, 2], ratio).any()
    # what a seed has everywhere is no noise between the lam of one run
    assert abs(one._known.residuals.mean()) < 1e-9
    calm = ReplayMaker(table=options.table, stride=1, noise=False).open(0, "", "", "cpu")
    assert trained(calm, 10) == pytest.approx(one._known.mean(lam, 10))


def test_the_slope_is_that_of_the_mean_and_prices_those_of_the_task(options):
    task = options.open(0, "", "", "cpu")
    lam, state = np.array([0.4, 0.5]), task.step(task.init(0), np.array([0.4, 0.5]))
    assert not task.grad(state, lam).any()
    h = 1e-3 * np.eye(2)
    exact = [(task._known.mean(lam + e, 1) - task._known.mean(lam - e, 1)) / 2e-3 for e in h]
    np.testing.assert_allclose(task.grad(state, lam, 0.5), 0.5 * np.array(exact), rtol=1e-6)
    prices = options.prices("")
    assert task.nfe == prices.init + prices.step + prices.grad + prices.tilted_grad
    assert task.seconds == task.nfe * options.recorded().rate > 0


def test_a_stride_makes_a_step_of_several_recorded_ones_at_their_price(path, options):
    wide, lam = ReplayMaker(table=str(path)), np.array([0.4, 0.5])
    assert (wide.step_of, wide.prices("").horizon, wide.prices("").step) == (2, 10, 2)
    assert wide.prices("").fit == options.prices("").fit
    tasks = [o.open(0, "", "", "cpu") for o in (options, wide)]
    found = []
    for task, steps in zip(tasks, (6, 3), strict=True):
        state = task.init(0)
        for _ in range(steps):
            state = task.step(state, lam)
        found.append(task.loss(state, lam))
    assert found[0] == found[1]
    assert tasks[0].nfe == tasks[1].nfe


def test_a_ledger_counts_simulated_seconds_beside_its_own():
    now, simulated = [0.0], [0.0]
    ledger = Ledger(lambda: now[0])
    ledger.simulate(lambda: simulated[0])
    with ledger.account("objective"):
        now[0], simulated[0] = 1.0, 50.0
        assert ledger.worked("objective") == 51
    assert ledger.accounts()["objective"] == ledger.spent() == ledger.elapsed() == 51


def test_a_budget_in_seconds_is_spent_in_simulated_ones(path, tmp_path):
    """At 10 seconds an evaluation nobody could wait for it."""
    slow = tmp_path / "slow.parquet"
    altered(path, slow, signed=True, seconds_per_evaluation=10.0)
    words = {"budget": "2000s", "settings": [f"replay.table={slow}", "random.trials=1000"]}
    (spec,) = plan("random", "replay", **words)
    began = time.monotonic()
    assert run_one(spec, Store(tmp_path / "runs"), quiet=True) == "budget_exhausted"
    assert time.monotonic() - began < 60
    (found,) = Store(tmp_path / "runs")
    assert found.run["ledger"]["objective"] == pytest.approx(10 * found.run["nfe"], abs=5)
    assert 2000 <= found.run["search_seconds"] < 2020
    assert 190 <= found.run["nfe"] <= 201


def test_it_conforms(options, monkeypatch):
    class Here(ReplayMaker):
        smallest = {"table": options.table}

    TASKS.complete()
    monkeypatch.setitem(TASKS.entries, "here", Entry("here", "test", lambda: Here))
    results = list(check_task("here"))
    assert len(results) >= 12
    assert [r for r in results if r[1]] == []


def test_better_methods_on_the_task_are_better_on_its_record(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = {"budget": "460nfe", "seeds": range(5), "engine": "in_process"}
    live = run("default,random,bilevel", "quadratic", out="live", **words)
    replay = run(
        "default,random,bilevel",
        "replay",
        out="replay",
        options={"replay.table": str(path)},
        **words,
    )
    means = [r.frame.groupby("method")["objective"].mean() for r in (live, replay)]
    assert list(means[0].sort_values().index) == list(means[1].sort_values().index)


def test_a_choice_has_a_column_for_each_text(tmp_path):
    found = designed("kinds", tmp_path / "runs", points=32, seeds=2)
    write_recording(found, tmp_path / "kinds.parquet", False)
    options = ReplayMaker(table=str(tmp_path / "kinds.parquet"))
    table = options.recorded()
    x = features(table.space, table.points)
    assert x.shape[1] == 3 + 3
    assert (x[:, 3:].sum(1) == 1).all()
    known = Surrogate.of(table)
    lam = table.space.default()
    best = {}
    for text in ("high", "low", "middle"):
        here = lam.copy()
        here[3] = table.space.axes[3].unit(text)
        best[text] = known.mean(here, 20)
    assert min(best, key=best.get) == "high"
    assert max(best, key=best.get) == "low"
    assert known.slope(lam, 20)[3] == 0


def test_what_cannot_be_recorded_is_refused(runs, tmp_path):
    other = designed("tilted", tmp_path / "other", points=16, seeds=1)
    few = designed("tilted", tmp_path / "few", points=8, seeds=1)
    with pytest.raises(UsageError, match="at 16 points or more, as the method design makes them"):
        write_recording(few, tmp_path / "t.parquet", False)
    (spec,) = plan("hyperband", "quadratic", budget="3000nfe")
    run_one(spec, Store(tmp_path / "moves"), quiet=True)
    with pytest.raises(UsageError, match="expected trainings at one lam each"):
        write_recording(list(Store(tmp_path / "moves")), tmp_path / "t.parquet", False)
    with pytest.raises(UsageError, match="with the same settings, got task 'quadratic' and 'tilt"):
        write_recording([*runs, *other], tmp_path / "t.parquet", False)
    write_recording(other, tmp_path / "t.parquet", False)
    with pytest.raises(UsageError, match="expected a file that is not there yet"):
        write_recording(other, tmp_path / "t.parquet", False)
    assert write_recording(other, tmp_path / "t.parquet", True)


def test_the_largest_seed_is_recorded(tmp_path):
    settings = ["design.points=16", "design.rungs=1"]
    (spec,) = plan("design", "tilted", budget="100000nfe", seeds=str(LAST_SEED), settings=settings)
    assert run_one(spec, Store(tmp_path / "runs"), quiet=True) == "ok"
    write_recording(list(Store(tmp_path / "runs")), tmp_path / "t.parquet", False)
    # it sees whether the table is as it was recorded
    assert ReplayMaker(table=str(tmp_path / "t.parquet"), stride=1)
    assert set(parquet.read_table(tmp_path / "t.parquet").to_pandas()["seed"]) == {LAST_SEED}


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (lambda p, to: to.write_text("no table"), "expected a table of `bench record`, got .*: "),
        (
            lambda p, to: parquet.write_table(
                parquet.read_table(p).replace_schema_metadata(None), to
            ),
            "KeyError",
        ),
        (lambda p, to: altered(p, to, format=9), "expected format 1, got 9; record it again"),
        (lambda p, to: altered(p, to, signed=True, space=[]), "ValueError"),
        (lambda p, to: altered(p, to, seconds_per_evaluation=9.0), "it was altered"),
        (
            lambda p, to: altered(p, to, signed=True, task_version=0),
            "expected a record of version 1 of task 'quadratic', got one of version 0",
        ),
        (
            lambda p, to: parquet.write_table(parquet.read_table(p).drop_columns("a"), to),
            "it was altered|expected a column a",
        ),
    ],
    ids=["no parquet", "no metadata", "format", "no axes", "altered", "version", "no column"],
)
def test_a_file_that_is_no_table_is_one_line(how, says, path, tmp_path):
    to = tmp_path / "t.parquet"
    how(path, to)
    with pytest.raises(UsageError, match=says) as error:
        ReplayMaker(table=str(to)).fingerprint()
    assert "\n" not in str(error.value)


def test_the_hash_is_that_of_pandas_text():
    table = pd.DataFrame(
        {
            "b": [1e-300, -0.0, np.inf, 0.1 + 0.2, 1e22],
            "a": ["plain", 'a "quote"', "a,comma", "", "two\nlines"],
            "seed": np.array([1, 2, 3, 4, 5], np.int32),
            "loss": [np.nan, 1.0, -np.inf, 123456789012.0, np.nan],
        }
    )
    text = table[sorted(table)].to_csv(index=False, float_format="%.9g")
    expected = hashlib.sha256(('{"x": 1}' + text).encode()).hexdigest()
    assert digest(table, {"x": 1, "digest": "?"}) == expected
    assert digest({k: table[k].tolist() for k in table}, {"x": 1}) == expected


def test_on_the_command_line(tmp_path):
    words = ["--method", "design", "--task", "quadratic", "--set", "design.points=16", "--quiet"]
    done = bench("run", *words, "--budget", "100000nfe", "--marks=", "--out", "runs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = bench("record", "runs", "--to", "t.parquet", cwd=tmp_path)
    # the default has 6 rungs, of which a fit of 20 steps leaves 5
    assert re.match(r"\d+ evaluations of 1 runs written to t.parquet", done.stdout), done.stderr
    done = bench("record", "runs", "--to", "t.parquet", cwd=tmp_path)
    assert done.returncode == 2
    done = bench("record", "nowhere", "--to", "t2.parquet", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    done = bench(
        *["run", "--method", "random", "--task", "replay", "--budget", "50nfe", "--quiet"],
        *["--set", "replay.table=none.parquet"],
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert "none.parquet is not there" in done.stderr


def test_a_forecast_is_of_the_simulated_clock(path):
    (spec,) = plan("random", "replay", budget="460nfe", settings=[f"replay.table={path}"])
    assert 0.5 < Probe.of(spec, "cpu").rate * ReplayMaker(table=str(path)).recorded().rate <= 1


def test_the_interval_of_a_rank_correlation_holds_its_value():
    rng, kept, held = np.random.default_rng(4), {}, []
    for _ in range(200):
        x, e = rng.standard_normal((2, 13))
        rho = np.sin(np.pi * 0.8 / 2)
        found = round(kendalltau(x, rho * x + np.sqrt(1 - rho**2) * e).statistic, 9)
        if found not in kept:
            kept[found] = interval(found, 13, samples=500)
        held.append(kept[found][0] <= 0.8 <= kept[found][1])
    # 0.97 of 1,000 with 2,000 samples; three standard errors below 0.95
    assert np.mean(held) >= 0.90
    assert kept[round(64 / 78, 9)][0] > 0.4
