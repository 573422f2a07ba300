"""The command as a user has it: a subprocess, no network, exit status, and one clear line for
whatever is wrong.
"""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from benchmark.runs.surroundings import print_code

FIVE = ("bilevel", "default", "grid", "random", "bayesian")


ROOT = Path(__file__).parent.parent
RUN = ["run", "--method", "random", "--task", "quadratic", "--budget", "200nfe"]


def environment():
    """No network, and nothing that tells the libraries so: a user has no HF_HUB_OFFLINE; no data of
    this machine either.
    """
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("HF_", "TRANSFORMERS_", "BENCH_DATA_DIR"))
    }
    return kept | {
        "PYTHONPATH": f"{ROOT / 'tests' / 'blocked'}{os.pathsep}{ROOT}",
        "PYTHONWARNINGS": "ignore",
    }


def bench(*words, cwd):
    return subprocess.run(
        [sys.executable, "-m", "benchmark", *map(str, words)],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_run_and_report_end_to_end(tmp_path):
    done = bench(
        "run",
        "--method",
        "bilevel,default,grid,random,bayesian",
        "--task",
        "quadratic",
        "--budget",
        "200nfe",
        "--seeds",
        "0-2",
        "--out",
        "runs",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "bilevel" in done.stdout
    assert "table1.md" in done.stdout
    assert "set-up" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["runs"]
    again = bench(
        "run",
        "--method",
        "bilevel,default,grid,random,bayesian",
        "--task",
        "quadratic",
        "--budget",
        "200nfe",
        "--seeds",
        "0-2",
        "--out",
        "runs",
        cwd=tmp_path,
    )
    runs = 3 * len(FIVE)
    assert f"{runs} of {runs} runs are stored already" in again.stderr
    report = bench(
        "report",
        "runs",
        "--format",
        "md,csv,latex,html",
        "--at",
        "100nfe",
        "--metric",
        "objective",
        "--out",
        "here",
        cwd=tmp_path,
    )
    assert report.returncode == 0, report.stderr
    names = {p.name for p in (tmp_path / "here").iterdir()}
    assert {
        "table1.md",
        "table1.csv",
        "table1.tex",
        "report.html",
        "quality_over_time.png",
        "lam_over_time.png",
        "where_time_went.png",
    } <= names
    table = pd.read_csv(tmp_path / "here" / "table1.csv")
    assert list(table.columns[:10]) == [
        "method",
        "fid",
        "fid_ci_low",
        "fid_ci_high",
        "clip",
        "clip_ci_low",
        "clip_ci_high",
        "time",
        "runs",
        "failed",
    ]
    assert list(table["runs"]) == [3] * len(FIVE)
    assert r"\toprule" in (tmp_path / "here" / "table1.tex").read_text()


def test_dry_run_writes_nothing(tmp_path):
    done = bench(*RUN, "--seeds", "0-3", "--dry-run", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.count("would run") == 4
    assert list(tmp_path.iterdir()) == []


BAD = {
    "unknown method": (
        ["run", "--method", "bilvel", "--task", "quadratic"],
        "did you mean 'bilevel'",
    ),
    "unknown task": (
        ["run", "--method", "random", "--task", "quadratik"],
        "did you mean 'quadratic'",
    ),
    "unknown preset": ([*RUN, "--preset", "toyy"], "did you mean 'toy'"),
    "unknown option": ([*RUN, "--set", "random.trails=3"], "did you mean 'trials'"),
    "unknown owner": ([*RUN, "--set", "randm.trials=3"], "did you mean 'random'"),
    "unknown lower": ([*RUN, "--lower", "guided"], "unknown lower-level solver"),
    "malformed set": ([*RUN, "--set", "trials=3"], "OWNER.OPTION=VALUE"),
    "malformed budget": ([*RUN, "--budget", "soon"], "such as 90s"),
    "malformed seeds": ([*RUN, "--seeds", "0-"], "such as 0-4"),
    "seeds backwards": ([*RUN, "--seeds", "4-0"], "such as 0-4"),
    "huge seeds": ([*RUN, "--seeds", "0-99999999"], "at most 10000"),
    "wrong type": ([*RUN, "--set", "random.trials=few"], "expected a whole number, got 'few'"),
    "out of range": ([*RUN, "--set", "random.trials=0"], "expected a value in [1, 1e+06], got '0'"),
    "not a number": ([*RUN, "--set", "quadratic.rate=nan"], "expected a value in"),
    "mark past the budget": ([*RUN, "--marks", "300nfe"], "at most the budget"),
    "mark in another unit": ([*RUN, "--marks", "3s"], "in its unit"),
    "prompt for a task without": ([*RUN, "--prompt", "a seven"], "takes no --prompt"),
    "no method": (["run", "--method", ",", "--task", "quadratic"], "expected one name or more"),
    "missing argument": (["run", "--task", "quadratic"], "--method"),
    "unknown command": (["rnu"], "invalid choice"),
    "no command": ([], "COMMAND"),
    "no such device": ([*RUN, "--device", "tpu"], "expected cpu, cuda"),
    "no cuda here": ([*RUN, "--device", "cuda:99"], "CUDA devices"),
    "out is a file": ([*RUN, "--out", "file"], "expected a folder"),
    "out is empty": ([*RUN, "--out", ""], "--out: expected a value, got an empty text"),
    "out is no text": ([*RUN, "--out", "w\udcff"], "expected a name of characters that can be"),
    "seeds are empty": ([*RUN, "--seeds", ""], "--seeds: expected a value, got an empty text"),
    "a budget is empty": ([*RUN, "--budget="], "--budget: expected a value"),
    "out has a null": ([*RUN, "--out", "/proc/nowhere"], "expected a folder"),
    "missing plug-in": ([*RUN, "--plugin", "gone.py"], "no such file"),
    "broken plug-in": ([*RUN, "--plugin", "broken.py"], "SyntaxError"),
    "colliding plug-in": ([*RUN, "--plugin", "clash.py"], "registered twice"),
    "report of nothing": (["report", "empty"], "found none"),
    "report of a broken run": (["report", "bad"], "expected a run's JSON"),
    "report of another schema": (["report", "old"], "expected schema 1 or 2, got 7"),
    "run onto a broken run": ([*RUN, "--out", "onto"], "expected a run's JSON"),
    "unknown format": (["report", "good", "--format", "mdd"], "unknown format"),
    "unknown metric": (["report", "good", "--metric", "objectiv"], "did you mean 'objective'"),
    "at without a mark": (["report", "good", "--at", "40nfe"], "--marks 40nfe"),
    "report into a file": (["report", "good", "--out", "file"], "expected a folder"),
    "report into nothing": (["report", "good", "--out", " "], "got an empty name"),
    "report of unfinished runs": (["report", "cut"], "unfinished"),
    "odd digits": ([*RUN, "--seeds", "²"], "such as 0-4"),
    "half an evaluation": ([*RUN, "--budget", "0.5nfe"], "such as 90s"),
    "unknown name to list": (["list", "bilvel"], "did you mean 'bilevel'"),
    "unknown name to check": (["check", "bilvel"], "did you mean 'bilevel'"),
    "prompt with an unknown word": (
        [
            "run",
            "--method",
            "random",
            "--task",
            "reward_ft",
            "--prompt",
            "a bold red zebra on a white background",
        ],
        "the embedded model knows: a on",
    ),
    "prompt without a colour": (
        [
            "run",
            "--method",
            "random",
            "--task",
            "reward_ft",
            "--prompt",
            "a bold seven on a white background",
        ],
        "exactly one ink",
    ),
}

NOISE = ["run", "--method", "random", "--task", "noise_schedule"]
BAD |= {
    f"noise_schedule {option}={value}": (
        [*NOISE, "--set", f"noise_schedule.{option}={value}"],
        message,
    )
    for option, value, message in (
        ("start", "0,0.9", "make the ranges disjoint"),
        ("tau", "0,2", "expected LOW above 0"),
        ("tau", "1e-310,1", "expected a range within [0.01, 100.0]"),
        ("eps", "1e17,1e18", "expected a range within [0.0, 1.0]"),
        ("tau", "50,100", "flat to the last digit"),
        ("tau", "quick", "expected two numbers LOW,HIGH"),
        ("samples", "1", "expected a value in"),
        ("samples", "32", "more than the 32 features"),
        ("steps", "2000", "at most time_steps = 1000"),
        ("features", "inception", "too few for the 2048 features"),
        ("channels", "7", "multiples of 8"),
        ("schedule", "cosin", "did you mean 'cosine'"),
    )
}
BAD |= {
    "MNIST without a folder": ([*NOISE, "--preset", "paper"], "BENCH_DATA_DIR is not set"),
    "MNIST that is not there": (
        [*NOISE, "--preset", "paper", "--data-dir", "empty"],
        "bench fetch mnist",
    ),
    "a data folder that is none": (
        [*NOISE, "--data-dir", "gone"],
        "expected a folder that holds data sets",
    ),
    "a prompt for noise_schedule": (
        [*NOISE, "--prompt", "a seven"],
        "task 'noise_schedule' takes no --prompt",
    ),
    "inception without its weights": (
        [*NOISE, "--preset", "paper", "--set", "noise_schedule.features=inception"]
        + [x for n in ("samples", "grad_samples") for x in ("--set", f"noise_schedule.{n}=2100")],
        "get it with `bench fetch --preset paper`",
    ),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with one good result and everything that is wrong around it."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "file").write_text("")
    (folder / "empty").mkdir()
    (folder / "broken.py").write_text("def (")
    (folder / "clash.py").write_text(
        "from benchmark import register_method\n@register_method('random')\ndef f(problem, "
        "rng):\n    yield\n"
    )
    assert bench(*RUN, "--out", "good", cwd=folder).returncode == 0
    (made,) = (folder / "good" / "quadratic" / "random").iterdir()
    cut = json.dumps(json.loads((made / "run.json").read_text()) | {"status": "running"})
    for name, text in (("cut", cut), ("bad", "{"), ("old", '{"schema": 7}'), ("onto", "{")):
        target = folder / name / "quadratic" / "random" / made.name
        target.mkdir(parents=True)
        (target / "run.json").write_text(text)
    return folder


@pytest.mark.parametrize("case", sorted(BAD))
def test_wrong_usage_is_one_clear_line_and_status_2(case, place):
    words, message = BAD[case]
    before = sorted(str(p) for p in place.rglob("*"))
    done = bench(*words, cwd=place)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert done.stderr.startswith("bench: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert sorted(str(p) for p in place.rglob("*")) == before


def test_a_failing_method_does_not_stop_the_others(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from benchmark import fit, register_method\n"
        "@register_method('crash')\ndef crash(problem, rng):\n"
        "    yield fit(problem, problem.space.default(), 0)\n    raise RuntimeError('boom')\n"
        "@register_method('coin_flip')\ndef coin_flip(problem, rng):\n    while True:\n"
        "        yield fit(problem, rng.integers(0, 2, problem.space.dim).astype(float), seed=0)\n"
    )
    done = bench(
        "run",
        "--plugin",
        "mine.py",
        "--method",
        "crash,coin_flip,grid",
        "--task",
        "quadratic",
        "--budget",
        "200nfe",
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "failed: crash, seed 0: RuntimeError: boom" in done.stderr
    table = pd.read_csv(tmp_path / "results" / "runs" / "report" / "table1.csv").set_index("method")
    assert table["failed"].to_dict() == {"coin_flip": 0, "crash": 1, "grid": 0}
    assert "Traceback" not in done.stderr
    failing = bench("check", "crash", "--plugin", "mine.py", cwd=tmp_path)
    assert failing.returncode == 1
    assert "FAIL" in failing.stdout
    assert "RuntimeError: boom (mine.py, line 5)" in failing.stdout


def test_a_method_that_conforms_has_status_0(tmp_path):
    done = bench("check", "grid", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("grid: conforms\n")


def test_ctrl_c_stores_what_is_finished_and_says_how_to_go_on(tmp_path):
    (tmp_path / "slow.py").write_text(
        "import time\nfrom benchmark import fit, register_method\n"
        "@register_method('slow')\ndef slow(problem, rng):\n"
        "    yield fit(problem, problem.space.default(), 0)\n    time.sleep(60)\n"
    )
    command = [
        sys.executable,
        "-m",
        "benchmark",
        "run",
        "--plugin",
        "slow.py",
        "--method",
        "default,slow",
        "--task",
        "quadratic",
        "--out",
        "runs",
    ]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while (
        not list((tmp_path / "runs").glob("quadratic/slow/*/run.json")) and time.monotonic() < until
    ):
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "1 of 2 runs are stored; the same command goes on" in errors
    assert "Traceback" not in errors
    (slow,) = (tmp_path / "runs").glob("quadratic/slow/*/run.json")
    assert json.loads(slow.read_text())["status"] == "interrupted"


@pytest.mark.parametrize("name", ["bilevel", "reward_ft", "random"])
def test_list_shows_options_with_their_sources(name, tmp_path):
    done = bench("list", name, cwd=tmp_path)
    assert done.returncode == 0
    assert f"--set {name}." in done.stdout


def test_a_script_is_what_it_is_on_a_terminal_without_its_letters(monkeypatch):
    """A stand-in for a letter would name another folder."""
    written = io.BytesIO()
    terminal = io.TextIOWrapper(written, encoding="ascii", errors="replace")
    monkeypatch.setattr(sys, "stdout", terminal)
    print_code("cd wörk\n")
    assert written.getvalue() == "cd wörk\n".encode()
    plain = io.StringIO()
    monkeypatch.setattr(sys, "stdout", plain)
    print_code("cd wörk\n")
    assert plain.getvalue() == "cd wörk\n"
