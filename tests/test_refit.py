"""`bench refit`: what an answer is worth by itself, apart from the search that found it."""

import json
import shutil
from pathlib import Path
from statistics import fmean

import pytest

from benchmark import UsageError
from benchmark.api.results import load_results
from benchmark.fitting import advance
from benchmark.protocol import Refit
from benchmark.report.metrics import in_order, metric_of
from benchmark.report.reading import reading
from benchmark.report.table import tables
from benchmark.runs.refit import jobs, refit
from benchmark.seeds import substream
from benchmark.store.refits import write_refit
from benchmark.store.store import Store
from tests.test_cli import bench

PLUGIN = """
from dataclasses import dataclass
from benchmark import Refit, Test, option, register_task
from tasks.quadratic import Quadratic, QuadraticTask
import numpy as np

class Noisy(QuadraticTask):
    def test(self, state, lam):
        return Test({"objective": self.loss(state, lam), "sharp": float(np.sum(state**2))})

class Nan(Noisy):
    def test(self, state, lam):
        return Test({"objective": float("nan"), "sharp": 0.0})

@register_task("noisy")
@dataclass(frozen=True)
class NoisyOptions(Quadratic):
    fails: str = option("", "how a refit fails", choices=("", "raises", "nan"))
    @property
    def refit(self):
        return Refit((4, 10), 2, ("objective", "sharp"))
    def open(self, seed, prompt, lower, device):
        if self.fails == "raises" and seed > 10:
            raise OSError("no such disk")
        kind = Nan if self.fails == "nan" and seed > 10 else Noisy
        return kind(seed, self.horizon, self.rate)
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Two methods and two seeds of a task whose start hangs on the seed."""
    folder = tmp_path_factory.mktemp("refit")
    (folder / "noisy.py").write_text(PLUGIN)
    done = bench(
        *[
            "run",
            "--method",
            "default,random",
            "--task",
            "noisy",
            "--budget",
            "100nfe",
            "--seeds",
            "0-1",
            "--in-process",
        ],
        *("--quiet", "--plugin", "noisy.py", "--out", "runs", "--set", "random.trials=2"),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def here(stored, tmp_path):
    shutil.copytree(stored, tmp_path, dirs_exist_ok=True)
    return tmp_path


def again(here, *words, **kwargs):
    return bench("refit", "runs", "--plugin", "noisy.py", *words, cwd=here, **kwargs)


def test_each_lam_is_trained_anew_on_seeds_of_its_run(here):
    runs = {p: p.read_bytes() for p in here.glob("runs/*/*/*/*") if p.is_file()}
    assert "8 trainings are missing, of 4 lam" in again(here, "--dry-run").stdout
    assert not (here / "runs" / "refits").exists()
    done = again(here)
    assert done.returncode == 0, done.stderr
    assert "8 trainings of 4 lam" in done.stdout
    assert {p: p.read_bytes() for p in runs} == runs
    namespace = {}
    exec(PLUGIN.replace("@register_task", "lambda x: None\n#"), namespace)
    for run in Store(here / "runs"):
        test = run.tests[-1]
        for steps, end in ((10, ""), (4, "_4")):
            expected = []
            for k in range(2):
                seed = substream(run.run["spec"]["seed"], "refit", k) % 2**31
                task = namespace["Noisy"](seed, 20, 0.5)
                lam = task.space.point(test["lam"])
                state = advance(task, task.init(0), lam, steps)
                expected.append(task.test(state, lam).metrics["objective"])
            assert test["metrics"][f"objective_refit{end}"] == pytest.approx(fmean(expected))
            assert expected[0] != expected[1]


def test_processes_give_what_one_gives_and_what_is_there_is_not_done_again(here):
    assert again(here).returncode == 0
    one = {p.name: json.loads(p.read_text())["trainings"] for p in here.glob("runs/refits/*.json")}
    shutil.rmtree(here / "runs" / "refits")
    assert again(here, "--jobs", "2").returncode == 0
    for name, trainings in one.items():
        found = json.loads((here / "runs" / "refits" / name).read_text())["trainings"]
        assert [t["measured"] for t in found] == [t["measured"] for t in trainings]
    assert "0 trainings are missing" in again(here).stdout
    # of one that was cut short the rest is done
    path = here / "runs" / "refits" / next(iter(one))
    path.unlink()
    assert "2 trainings of 1 lam" in again(here).stdout


def test_a_table_has_refits_first_and_says_how(here):
    before = tables(Store(here / "runs"))[0]
    assert again(here).returncode == 0
    (table,) = tables(Store(here / "runs"))
    assert table.metrics[:4] == [
        "objective_refit",
        "sharp_refit",
        "objective_refit_4",
        "sharp_refit_4",
    ]
    assert table.heading("objective_refit") == "F refit"
    assert table.heading("objective_refit_4") == "F refit, 4 steps"
    assert table.heading("objective") == "F as found"
    assert before.heading("objective") == "F"
    assert table.main == before.main == "objective"
    assert metric_of("objective_refit").lower is True
    done = bench("report", "runs", "--plugin", "noisy.py", cwd=here)
    assert "the mean of 2 fresh trainings of 4 and 10 steps at its lam" in done.stdout
    assert bench("verify", "runs", "--plugin", "noisy.py", cwd=here).returncode == 0
    rows = load_results(here / "runs").frame
    assert rows["objective_refit"].notna().all()


def test_refits_have_columns_once_all_runs_have_them(here):
    assert again(here).returncode == 0
    next((here / "runs" / "refits").glob("*.json")).unlink()
    (table,) = tables(Store(here / "runs"))
    assert len(table.runs) == 4
    assert not [m for m in table.metrics if "refit" in m]
    assert "Refits are there for 3 of 4 runs: `bench refit` goes on." in reading(table)


def test_an_altered_refit_is_refused(here):
    assert again(here).returncode == 0
    path = next((here / "runs" / "refits").glob("*.json"))
    path.write_text(path.read_text().replace('"objective": ', '"objective": 1'))
    done = again(here)
    assert f"refits/{path.name}: expected the record of a refit; it is not as it was" in done.stderr
    assert "passed over" in done.stderr
    assert "remove it" in done.stderr
    verified = bench("verify", "runs", "--plugin", "noisy.py", cwd=here)
    assert verified.returncode == 1
    assert path.name in verified.stdout + verified.stderr


def _record(here):
    path = sorted((here / "runs" / "refits").glob("*.json"))[0]
    return path, json.loads(path.read_text())


def test_a_refit_of_another_lam_is_refused(here):
    """It is whole by its own hash, and under a name that is not its own."""
    assert again(here).returncode == 0
    first, second, *_ = sorted((here / "runs" / "refits").glob("*.json"))
    second.write_bytes(first.read_bytes())
    done = again(here)
    wanted = f"{second.name}: expected the refit that its name says, got that of {first.name};"
    assert wanted in done.stderr
    assert "Traceback" not in done.stderr
    verified = bench("verify", "runs", "--plugin", "noisy.py", cwd=here)
    assert verified.returncode == 1
    assert wanted in verified.stdout + verified.stderr


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["trainings"][0]["measured"].pop(),
        lambda record: record["trainings"][0]["measured"][0]["metrics"].clear(),
        lambda record: record["trainings"].append(record["trainings"][0]),
        lambda record: record.update(wanted=0),
    ],
    ids=["a length", "a metric", "one more", "none wanted"],
)
def test_a_refit_of_another_shape_is_one_line(change, here):
    assert again(here).returncode == 0
    path, record = _record(here)
    change(record)
    write_refit(path, {k: v for k, v in record.items() if k != "hash"})
    for command in ("refit", "report"):
        done = bench(command, "runs", "--plugin", "noisy.py", cwd=here)
        assert f"{path.name}: expected the record of a refit" in done.stderr
        assert "unexpected" not in done.stderr
    assert bench("verify", "runs", "--plugin", "noisy.py", cwd=here).returncode == 1


def test_a_task_that_changed_is_refused(here):
    plugin, base = here / "noisy.py", "class NoisyOptions(Quadratic):"
    plugin.write_text(PLUGIN.replace(base, f"{base}\n    version = 2"))
    done = again(here)
    assert done.returncode == 2
    assert "expected version 2 of task 'noisy', it was made with 1; run it again" in done.stderr
    plugin.write_text(PLUGIN + "# another\n")
    done = again(here)
    assert done.returncode == 2
    assert "task code was changed" in done.stderr
    assert not list(here.glob("runs/refits/*.json"))
    # run again beside the earlier ones, those are left out with a line
    words = "run --method default --task noisy --budget 100nfe --in-process --quiet --out runs"
    assert bench(*words.split(), "--plugin", "noisy.py", cwd=here).returncode == 0
    done = again(here)
    assert done.returncode == 1
    assert done.stderr.count("task code was changed") == 4
    assert len(list(here.glob("runs/refits/*.json"))) == 1


def test_what_has_no_refits_is_refused_before_anything_runs(here):
    words = [
        "run",
        "--method",
        "default",
        "--task",
        "tilted",
        "--budget",
        "9nfe",
        "--out",
        "t",
        "--quiet",
    ]
    done = bench(*words, "--refit", cwd=here)
    assert done.returncode == 2
    assert "expected runs of a task that trains at a lam, got tilted" in done.stderr
    assert not (here / "t").exists()
    assert bench(*words, cwd=here).returncode == 0
    done = bench("refit", "t", cwd=here)
    assert done.returncode == 2
    assert "task 'tilted' has no refits" in done.stderr
    assert bench("refit", "nothing", cwd=here).returncode == 2


def test_a_report_of_before_stays_verified(here):
    plugin = ("--plugin", "noisy.py")
    assert bench("report", "runs", *plugin, cwd=here).returncode == 0
    assert again(here).returncode == 0
    done = bench("verify", "runs", *plugin, cwd=here)
    assert done.returncode == 0, done.stdout
    # and what was altered in it is seen all the same
    table = here / "runs" / "report" / "runs.csv"
    text = table.read_text()
    table.write_text(text.replace(text.splitlines()[1].split(",")[7], "0.123", 1))
    assert bench("verify", "runs", *plugin, cwd=here).returncode == 1


@pytest.mark.parametrize(
    ("how", "says"), [("raises", "no such disk"), ("nan", "not finite: objective")]
)
def test_a_training_that_fails_is_a_line_and_the_table_is_there(how, says, here):
    done = bench(
        *[
            "run",
            "--method",
            "random",
            "--task",
            "noisy",
            "--budget",
            "100nfe",
            "--in-process",
            "--quiet",
            "--refit",
        ],
        *("--plugin", "noisy.py", "--out", "runs", "--set", f"noisy.fails={how}"),
        cwd=here,
    )
    assert done.returncode == 1
    assert "refit of run" in done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "noisy, toy, budget 100nfe" in done.stdout
    done = again(here)
    assert done.returncode == 1
    assert len(list(here.glob("runs/refits/*.json"))) == 4


def test_from_python(here):
    found = load_results(here / "runs").refit(plugins=here / "noisy.py")
    assert {"objective_refit", "sharp_refit_4"} <= set(found.frame.columns)
    with pytest.raises(UsageError, match="jobs"):
        found.refit(jobs=0)
    shutil.rmtree(here / "runs" / "refits")
    elsewhere = load_results(here / "runs").refit(jobs=2, plugins=here / "noisy.py")
    assert elsewhere.frame["objective_refit"].tolist() == found.frame["objective_refit"].tolist()
    runs = [run for run in found.runs if run.done]
    assert jobs(runs, here / "runs", marks=False) == ([], [])
    # nothing to do is nothing done
    assert refit([], here / "runs") == []


@pytest.mark.parametrize("lengths", [(), (0,), (5, 3), (3, 3)])
def test_lengths_that_cannot_be_are_refused(lengths):
    with pytest.raises(UsageError, match="from short to long"):
        Refit(lengths, 2, ("fid",))


def test_order_of_columns():
    names = {"fid", "fid_refit_300", "fid_refit", "inception_score_refit", "mine", "mine_refit_20"}
    assert in_order(names) == [
        "fid_refit",
        "inception_score_refit",
        "fid_refit_300",
        "mine_refit_20",
        "fid",
        "mine",
    ]


def test_two_at_once_is_refused(here):
    import fcntl

    folder = Path(here / "runs" / "refits")
    folder.mkdir()
    with open(folder / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = again(here)
    assert done.returncode == 2
    assert "another process is at work on its refits" in done.stderr
