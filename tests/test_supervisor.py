"""Processes, threads, several at a time, and what is said before and after."""

import json
import subprocess
import sys
import time

import pandas as pd
import pytest

from benchmark.command.parse import plan_from_text as plan
from benchmark.device import in_use
from benchmark.runs.runner import run_one
from benchmark.store.store import Store
from tasks.noise_schedule import NoiseSchedule
from tests.faults.test_methods import bench

RUN = [
    "run",
    "--method",
    "grid,random",
    "--task",
    "quadratic",
    "--budget",
    "200nfe",
    "--out",
    "runs",
]


def test_several_at_a_time_are_marked_and_give_the_same(tmp_path):
    one = bench(*RUN, "--seeds", "0-1", cwd=tmp_path)
    assert one.returncode == 0, one.stderr
    (tmp_path / "other").mkdir()
    two = bench(*RUN, "--seeds", "0-1", "--jobs", "2", cwd=tmp_path / "other")
    assert two.returncode == 0, two.stderr
    assert "4 of 4 runs shared the machine with others" in two.stdout
    assert "†" in two.stdout
    first, second = (
        pd.read_csv(p / "runs" / "report" / "runs.csv") for p in (tmp_path, tmp_path / "other")
    )
    assert list(first["run_id"]) == list(second["run_id"])
    assert list(first["objective"]) == list(second["objective"])
    assert second["jobs"].min() >= 2, "and more where other tests are at work"
    assert ("shared the machine" in one.stdout) == (first["jobs"].max() > 1)


def test_threads_are_divided_unless_the_user_has_said(tmp_path, monkeypatch):
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "import os\nfrom benchmark import fit, register_method\n@register_method('mine')\ndef "
        "mine(problem, rng):\n"
        "    open('threads', 'a').write(os.environ.get('OMP_NUM_THREADS', '-') + ' ')\n"
        "    yield fit(problem, problem.space.default(), 0)\n"
    )
    words = [
        "run",
        "--plugin",
        "mine.py",
        "--method",
        "mine",
        "--task",
        "quadratic",
        "--out",
        "runs",
        "--quiet",
    ]
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    bench(*words, "--seeds", "0", cwd=tmp_path)
    bench(*words, "--seeds", "1-2", "--jobs", "1000", cwd=tmp_path)
    bench(*words, "--seeds", "3", "--jobs", "2", cwd=tmp_path, OMP_NUM_THREADS="3")
    assert (tmp_path / "threads").read_text().split() == ["-", "1", "1", "3"]


def test_each_run_has_a_fresh_process_and_in_process_has_none(tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "import os\nfrom benchmark import fit, register_method\n@register_method('mine')\ndef "
        "mine(problem, rng):\n"
        "    open('pids', 'a').write(f'{os.getpid()} {os.getppid()}\\n')\n    yield fit(problem, "
        "problem.space.default(), 0)\n"
    )
    words = [
        "run",
        "--plugin",
        "mine.py",
        "--method",
        "mine",
        "--task",
        "quadratic",
        "--out",
        "runs",
        "--quiet",
    ]
    assert bench(*words, "--seeds", "0-1", cwd=tmp_path).returncode == 0
    first, second = (line.split() for line in (tmp_path / "pids").read_text().splitlines())
    assert first[0] != second[0]
    assert first[1] == second[1]
    (tmp_path / "pids").unlink()
    assert bench(*words, "--seeds", "2-3", "--in-process", cwd=tmp_path).returncode == 0
    assert len({line.split()[0] for line in (tmp_path / "pids").read_text().splitlines()}) == 1


def test_suite_files_and_dry_run(tmp_path):
    (tmp_path / "suite.toml").write_text(
        '[defaults]\ntask = "quadratic"\nbudget = "200nfe"\n[[runs]]\nmethod = "grid"\nseeds = '
        '"0-2"\n'
    )
    dry = bench("run", "suite.toml", "--out", "runs", "--dry-run", cwd=tmp_path)
    assert dry.returncode == 0, dry.stderr
    assert dry.stdout.count("would run") == 3
    assert "network evaluations a second" in dry.stdout
    assert "3 of 3 runs, at most 600 network evaluations" in dry.stdout
    assert "disk: at most" in dry.stdout
    assert not (tmp_path / "runs").exists()
    done = bench("run", "suite.toml", "--out", "runs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list(Store(tmp_path / "runs"))) == 3
    dry = bench("run", "suite.toml", "--out", "runs", "--dry-run", cwd=tmp_path)
    assert dry.stdout.count("is stored") == 3
    beside = bench("run", "suite.toml", "--seeds", "4", cwd=tmp_path)
    assert beside.returncode == 2
    assert "expected no --seeds beside it" in beside.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*RUN, "--jobs", "0"], "--jobs: expected a number from 1"),
        ([*RUN, "--jobs", "2", "--device", "cuda"], "cuda"),
        ([*RUN, "--device", "cpu,cpu:1"], "--device"),
        ([*RUN, "--device", "cuda:"], "--device"),
        ([*RUN, "--grace", "5nfe"], "--grace"),
        ([*RUN, "--grace", "soon"], "--grace soon: expected a time, such as 30s"),
        ([*RUN, "--idle", "5nfe"], "--idle 5nfe: expected a time, such as 10m"),
        (["run", "none.toml"], "No such file"),
        (["run"], "--method (or a suite file)"),
        (["verify", "nothing"], "expected stored runs"),
    ],
)
def test_wrong_usage_is_one_line(words, message, tmp_path):
    done = bench(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


SMALL = [x for k, v in NoiseSchedule.smallest.items() for x in ("--set", f"noise_schedule.{k}={v}")]


@pytest.mark.parametrize(
    ("task", "options", "mark", "budget", "metric"),
    [
        ("quadratic", [], "120nfe", "300nfe", "objective"),
        (
            "noise_schedule",
            [*SMALL, "--method", "bilevel,random", "--seeds", "0"],
            "1200nfe",
            "2500nfe",
            "fid",
        ),
    ],
)
def test_the_table_at_a_mark_is_that_of_runs_with_that_budget(
    task, options, mark, budget, metric, tmp_path
):
    """`report --at` against real runs of the smaller budget, cell by cell."""
    methods = [
        "run",
        "--method",
        "bilevel,default,grid,random,bayesian",
        "--task",
        task,
        "--seeds",
        "0-1",
        "--quiet",
        "--in-process",
        *options,
    ]
    assert (
        bench(
            *methods, "--budget", budget, "--marks", mark, "--out", "long", cwd=tmp_path
        ).returncode
        == 0
    )
    assert (
        bench(*methods, "--budget", mark, "--marks=", "--out", "short", cwd=tmp_path).returncode
        == 0
    )
    done = bench("report", "long", "--at", mark, "--out", "at", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    at, real = (pd.read_csv(tmp_path / p / "table1.csv") for p in ("at", "short/report"))
    same = ["method", metric, f"{metric}_ci_low", f"{metric}_ci_high", "runs", "failed", "bold"]
    pd.testing.assert_frame_equal(at[same], real[same])


def test_a_gpu_that_is_in_use_is_said(monkeypatch):
    import torch

    assert in_use("cpu") == ""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10 * 2**30, 80 * 2**30))
    assert "70.0 GiB were in use" in in_use("cuda:0")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (80 * 2**30 - 2**28, 80 * 2**30))
    assert in_use("cuda:0") == ""


def test_the_accounts_of_a_real_run_sum_to_its_wall_time(tmp_path):
    """By a clock of the test's own, around the run."""
    store = Store(tmp_path)
    (spec,) = plan("random", "quadratic", budget="5s", settings=["random.trials=1000000"])
    began = time.monotonic()
    run_one(spec, store, quiet=True)
    wall = time.monotonic() - began
    found = store.find(spec).run
    assert sum(found["ledger"].values()) == pytest.approx(found["wall_seconds"], rel=1e-9)
    assert 0 <= wall - sum(found["ledger"].values()) < 0.5
    assert 4.9 < found["search_seconds"] < 10


def test_a_worker_without_a_supervisor_ends():
    done = subprocess.run(
        [sys.executable, "-m", "benchmark.runs.worker"], input=b"", capture_output=True, timeout=60
    )
    assert done.returncode != 0


def test_results_of_version_one_runs_without_jobs_are_read(tmp_path):
    assert bench(*RUN, "--quiet", cwd=tmp_path).returncode == 0
    for path in (tmp_path / "runs").glob("*/*/*/run.json"):
        record = json.loads(path.read_text())
        for name in ("jobs", "wall_seconds", "resumed", "hashes"):
            record.pop(name, None)
        path.write_text(json.dumps(record))
    assert bench("report", "runs", cwd=tmp_path).returncode == 0
    assert bench("verify", "runs", cwd=tmp_path).returncode == 0
