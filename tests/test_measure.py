"""`bench measure`: other metrics of stored answers, without a search, and right ones."""

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load, save

from benchmark import Metric, UsageError, load_results, run
from benchmark.command.cli import main
from benchmark.errors import Refused
from benchmark.fitting import fit
from benchmark.metrics import scores
from benchmark.metrics.measure import check_names, later, measure, wanted
from benchmark.protocol import FeaturePairs
from benchmark.registry import METRICS, TASKS
from benchmark.report.metrics import metric_of, register_metric
from benchmark.report.table import tables
from benchmark.runs.worker import same_task
from benchmark.spec import make_task, read_spec
from benchmark.store import measured as store_measured
from benchmark.store.measured import MEASURED
from benchmark.store.stored import read, read_answer
from tasks.measure.frechet import Moments, frechet
from tasks.reward_ft.several import JOINT

PROMPT, OTHER = "a bold blue three on a yellow background", "a bold red seven on a white background"
PLUGIN = """
from dataclasses import dataclass
import numpy as np
from benchmark import FeaturePairs, register_task
from tasks.quadratic import Quadratic, QuadraticTask

class Drawing(QuadraticTask):
    def answer(self, state, lam):
        return {"y": np.asarray(state)}

    def samples(self, answer, lam):
        rng = np.random.default_rng(0)
        made = rng.standard_normal((60, 3)) + float(answer["y"].sum())
        return FeaturePairs(
            {"frechet": made}, {"frechet": rng.standard_normal((80, 3))}, {"frechet": "toy"}
        )

@register_task("drawing")
@dataclass(frozen=True)
class DrawingOptions(Quadratic):
    def open(self, seed, prompt, lower, device):
        return Drawing(seed, self.horizon, self.rate)
"""


def samples(made, real, kind="frechet"):
    return FeaturePairs({kind: made}, {kind: real}, {kind: "a network"})


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    return rng.standard_normal((40, 5)) + 0.5, rng.standard_normal((50, 5))


def unbiased_mmd(x, y):
    """Of the polynomial kernel of degree 3, in loops."""
    k = lambda a, b: (a @ b / len(a) + 1) ** 3  # noqa: E731
    n, m = len(x), len(y)
    within_x = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within_y = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within_x + within_y - 2 * sum(k(a, b) for a in x for b in y) / (n * m)


def test_kid_is_the_unbiased_kernel_distance(pair):
    value, how = scores.kid(samples(*pair))
    deviation, _ = scores.kid_deviation(samples(*pair))
    # a mean over 100 subsets of 20 of an unbiased estimate
    assert value == pytest.approx(unbiased_mmd(*pair), abs=4 * deviation / 10)
    assert "40 images against 50, a network, D = 5, 100 subsets of 20" in how


def test_kid_of_equal_distributions_is_about_0_and_may_be_below():
    rng = np.random.default_rng(1)
    found = [
        scores.kid(samples(rng.standard_normal((60, 4)), rng.standard_normal((60, 4))))[0]
        for _ in range(30)
    ]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(30)
    assert min(found) < 0


def test_precision_and_recall_are_shares_within_neighbourhoods(pair):
    made, real = pair[0], pair[1][:40]
    radius = lambda x: np.sort(np.linalg.norm(x[:, None] - x, axis=2), 1)[:, 3]  # noqa: E731
    apart = np.linalg.norm(made[:, None] - real, axis=2)
    expected = (apart <= radius(real)).any(1).mean(), (radius(made) >= apart.T).any(1).mean()
    found = scores.precision(samples(*pair))[0], scores.recall(samples(*pair))[0]
    assert found == pytest.approx(expected)
    assert min(expected) > 0


def test_cmmd_is_a_thousand_times_the_squared_mmd(pair):
    x, y = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in pair)
    k = lambda a, b: np.mean([[np.exp(-((p - q) @ (p - q)) / 200) for q in b] for p in a])  # noqa: E731
    value, how = scores.cmmd(samples(x, y, "clip"))
    assert value == pytest.approx(1000 * (k(x, x) + k(y, y) - 2 * k(x, y)))
    assert scores.cmmd(samples(x, x, "clip"))[0] == 0
    assert "sigma = 10" in how


def test_features_that_a_task_lacks_are_named(pair):
    with pytest.raises(ValueError, match="kind 'clip'"):
        scores.cmmd(samples(*pair))
    with pytest.raises(ValueError, match="4 or more finite features"):
        scores.kid(samples(pair[0][:3], pair[1]))
    with pytest.raises(ValueError, match="4 or more finite features"):
        scores.precision(samples(np.full((9, 2), np.nan), pair[1][:, :2]))


def test_unknown_metrics_are_refused():
    assert {"kid", "kid_deviation", "precision", "recall", "cmmd"} <= set(later())
    with pytest.raises(UsageError, match=r"got 'kidd'; did you mean 'kid'"):
        check_names(["kidd"])
    with pytest.raises(UsageError, match="got 'fid'"):
        check_names(["fid"])
    assert check_names(["kid", "recall", "kid"]) == ("kid", "recall")


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measure")
    (folder / "drawing.py").write_text(PLUGIN)
    words = ["--method", "default,random", "--task", "drawing", "--budget", "300nfe"]
    words += ["--seeds", "0,1", "--plugin", str(folder / "drawing.py"), "--in-process", "--quiet"]
    assert main(["run", *words, "--out", str(folder / "runs")]) == 0
    yield folder
    TASKS.entries.pop("drawing")


@pytest.fixture
def folder(made_once, tmp_path):
    shutil.copytree(made_once / "runs", tmp_path / "runs")
    return tmp_path


@pytest.fixture
def command(folder, capsys):
    """`bench NAME` on the runs: exit status, standard output and standard error."""

    def call(name, *words):
        capsys.readouterr()
        status = main([name, str(folder / "runs"), *words])
        return SimpleNamespace(status=status, **capsys.readouterr()._asdict())

    return call


def test_measured_later_and_shown_by_the_report(folder, command):
    before = {p: p.read_bytes() for p in (folder / "runs" / "drawing").rglob("*") if p.is_file()}
    assert (
        "4 of 4 runs lack kid, recall"
        in command("measure", "--metrics", "kid,recall", "--dry-run").out
    )
    done = command("measure", "--metrics", "kid,recall")
    assert done.status == 0, done.err
    assert "4 of 4 answers were measured" in done.out
    # the runs stay as they were sealed
    assert before == {
        p: p.read_bytes() for p in (folder / "runs" / "drawing").rglob("*") if p.is_file()
    }
    assert "0 of 4 runs lack kid" in command("measure", "--metrics", "kid", "--dry-run").out
    (table,) = tables(load_results(folder / "runs").runs)
    assert {"kid", "recall"} <= set(table.metrics)
    report = command("report")
    text = (folder / "runs" / "report" / "table1.md").read_text()
    assert report.status == 0
    assert "KID ↓" in text
    assert "Measured after the runs" in text
    assert "60 images against 80, toy" in text
    verified = command("verify")
    assert verified.status == 0, verified.out + verified.err


def test_the_value_is_that_of_the_stored_answer(folder, command):
    command("measure", "--metrics", "kid")
    for one in load_results(folder / "runs").runs:
        y = read_answer(one.folder)["y"]
        rng = np.random.default_rng(0)
        made = rng.standard_normal((60, 3)) + float(y.sum())
        expected, _ = scores.kid(samples(made, rng.standard_normal((80, 3))))
        assert one.tests[-1]["metrics"]["kid"] == pytest.approx(expected)


def test_another_version_of_the_suite_measures_what_one_before_it_stored(folder, command):
    """The task's code and files decide the samples, not the harness."""
    for path in (folder / "runs").glob("drawing/*/*/run.json"):
        record = json.loads(path.read_text())
        record["spec"]["fingerprint"]["suite"] = "0.1.0 another"
        path.write_text(json.dumps(record))
    done = command("measure", "--metrics", "kid")
    assert "changed after" not in done.err
    record["spec"]["fingerprint"]["task code"] = "another"
    with pytest.raises(Refused, match="task code was changed"):
        same_task(read_spec(record["spec"]), harness=False)
    with pytest.raises(Refused, match="was changed"):
        same_task(read_spec(json.loads(path.read_text())["spec"]))


def test_those_that_measure_other_metrics_wait_for_each_other(folder, monkeypatch):
    """Else the record of the one that is faster is written over."""
    run_folder = next((folder / "runs").glob("drawing/*/*"))
    measured_, order = store_measured.measured, []

    def slow(place):
        found = measured_(place)
        order.append("read")
        time.sleep(0.2)
        return found

    monkeypatch.setattr(store_measured, "measured", slow)
    with ThreadPoolExecutor(2) as pool:
        for name in ("a", "b"):
            pool.submit(store_measured.add_measured, run_folder, {name: 1.0}, {name: "toy"})
    assert order == ["read", "read"]
    assert set(measured_(run_folder)[0]) == {"a", "b"}


def test_results_are_measured_in_python_too(folder, command):
    command("measure", "--metrics", "recall")
    kept = load_results(folder / "runs").frame["recall"]
    results = load_results(folder / "runs").measure("kid,recall")
    assert results.frame["kid"].notna().all()
    assert list(results.frame["recall"]) == list(kept)
    with pytest.warns(UserWarning, match="CMMD: expected features of kind 'clip'"):
        results.measure()
    with pytest.raises(UsageError, match="did you mean 'kid'"):
        results.measure(["kidd"])


def test_what_cannot_be_measured_is_said_once_and_the_rest_is_stored(folder, command):
    done = command("measure")
    assert done.status == 1
    (line,) = [x for x in done.err.splitlines() if x.startswith("bench:")]
    assert "not measured" in line
    assert "and 3 more: CMMD: expected features of kind 'clip'" in line
    assert "4 of 4 answers were measured" in done.out
    alone = command("measure", "--metrics", "cmmd")
    assert alone.status == 2
    assert "CMMD: expected features of kind 'clip'" in alone.err


def test_a_column_is_shown_once_all_runs_have_it(folder, command):
    command("measure", "--metrics", "kid")
    gone = sorted((folder / "runs" / MEASURED).glob("*.json"))[0]
    gone.unlink()
    (table,) = tables(load_results(folder / "runs").runs)
    assert "kid" not in table.metrics
    from benchmark.report.reading import reading

    assert "KID is there for 3 of 4 runs: `bench measure` goes on." in reading(table)


def test_an_altered_record_is_refused_and_one_of_another_run_passed_over(folder, command):
    command("measure", "--metrics", "kid")
    first, second = sorted((folder / "runs" / MEASURED).glob("*.json"))[:2]
    (run_folder,) = (folder / "runs").glob(f"drawing/*/{first.stem}")
    shutil.copy(second, first)
    assert "kid" not in read(run_folder).tests[-1]["metrics"]
    record = json.loads(second.read_text())
    record["metrics"]["kid"] = 0.0
    second.write_text(json.dumps(record))
    (other,) = (folder / "runs").glob(f"drawing/*/{second.stem}")
    with pytest.raises(UsageError, match=r"not as it was written; remove it, and `bench measure`"):
        read(other)


def test_a_run_without_its_answer_is_named(folder, command):
    for path in (folder / "runs").rglob("answer.safetensors"):
        path.unlink()
    done = command("measure", "--metrics", "kid")
    assert done.status == 2
    assert "answer.safetensors: expected what a measurement needs" in done.err
    assert "Traceback" not in done.err


def test_a_task_that_keeps_nothing_and_no_runs(tmp_path, capsys):
    run("default", "quadratic", budget="100nfe", out=tmp_path / "r", quiet=True)
    assert main(["measure", str(tmp_path / "r"), "--metrics", "kid"]) == 2
    assert "keeps nothing that other metrics could be made of" in capsys.readouterr().err
    assert main(["measure", str(tmp_path / "none")]) == 2
    assert "expected finished runs with an answer" in capsys.readouterr().err


def test_a_metric_of_the_users(folder):
    width = Metric("Width", measure=lambda s: (float(s.made["frechet"].shape[1]), "counted"))
    register_metric("width", width)
    try:
        runs = list(load_results(folder / "runs").runs)
        done, lines = measure(wanted(runs, ("width",)))
        assert (done, lines) == (4, [])
        again = load_results(folder / "runs").runs
        assert {r.tests[-1]["metrics"]["width"] for r in again} == {3.0}
        assert again[0].tests[-1]["passport"][MEASURED] == "width: counted"
        assert wanted(again, ("width",)) == []
        assert metric_of("width").function() is width.measure
    finally:
        METRICS.entries.pop("width")


@pytest.mark.parametrize(
    ("measure_", "problem"),
    [
        (lambda s: (float("nan"), ""), "Bad: expected a finite number, got nan"),
        (lambda s: 1 / 0, "Bad: ZeroDivisionError"),
        (lambda s: None, "Bad: TypeError"),
    ],
)
def test_a_broken_metric_of_the_users_is_named(folder, measure_, problem):
    register_metric("bad", Metric("Bad", measure=measure_))
    try:
        with pytest.raises(UsageError, match=problem):
            measure(wanted(list(load_results(folder / "runs").runs), ("bad",)))
    finally:
        METRICS.entries.pop("bad")


def test_measure_must_be_a_function():
    with pytest.raises(UsageError, match=r"measure: expected a function, or 'module:name', got 3"):
        Metric("X", measure=3)
    with pytest.raises(TypeError, match="nothing computes it"):
        Metric("X").function()


REWARDS = {"rewards": "quality,bright"}


@pytest.mark.parametrize(
    ("name", "options", "lower"),
    [
        ("noise_schedule", {}, ""),
        ("sampling", {}, ""),
        ("reward_ft", {}, "importance"),
        ("reward_ft", REWARDS, "staged"),
        ("reward_ft", {"together": 2}, "guided"),
    ],
)
def test_a_tasks_samples_are_those_of_its_own_measurement(name, options, lower):
    maker = make_task(name, {**TASKS.get(name).smallest, **options})
    prompt = PROMPT if name == "reward_ft" else ""
    if "together" in options:
        prompt = JOINT.join((PROMPT, OTHER))
    task = maker.open(0, prompt, lower, "cpu")
    lam = task.space.default()
    state = fit(task, lam, 0).state
    measured = task.test(state, lam).metrics
    # through a file, as the run keeps it, and by a task that was opened anew
    arrays = load(save({k: np.ascontiguousarray(v) for k, v in task.answer(state, lam).items()}))
    found = maker.open(0, prompt, lower, "cpu").samples(arrays, lam)
    assert set(found.made) == set(found.real) == set(found.names)
    for kind in found.made:
        assert found.made[kind].shape[1] == found.real[kind].shape[1]
    if "together" not in options:
        distance = frechet(found.made["frechet"], Moments.of(found.real["frechet"]))
        assert distance == pytest.approx(measured["fid"], rel=1e-4)
    if "clip" in found.made:
        assert np.linalg.norm(found.made["clip"], axis=1) == pytest.approx(1, rel=1e-4)
    assert np.isfinite(scores.kid(found)[0])
