"""Workers that share a plan: a run is one worker's at a time, and no run is lost or done twice."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest

from benchmark import UsageError, load_results
from benchmark.command.cli import main
from benchmark.command.parse import plan_from_text as plan
from benchmark.errors import StorageError
from benchmark.runs.sharing import Sharing
from benchmark.runs.slurm import script
from benchmark.store.hints import HINTS, hint_held, hint_stored, read_hints, unhint
from benchmark.store.lease import LEASE, Leases
from benchmark.store.planned import PLAN, read_plan, write_plan
from benchmark.store.store import Store

WHAT = ["--method", "random,grid", "--task", "quadratic", "--budget", "300nfe"]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


def leases(folder, patience=0.2):
    folder.mkdir(exist_ok=True)
    return Leases(patience=patience)


def test_a_lease_is_one_workers(folder):
    first, second = leases(folder), leases(folder)
    assert first.take(folder)
    assert not second.take(folder)
    first.release(folder)
    assert second.take(folder)
    # whoever does not hold it cannot give it away
    first.release(folder)
    assert not first.take(folder)
    assert [p.name for p in folder.iterdir()] == [LEASE]


def test_an_untouched_lease_is_taken_over_and_a_touched_one_is_not(folder):
    first, second = leases(folder), leases(folder)
    first.take(folder)
    until = time.monotonic() + 0.6
    while time.monotonic() < until:
        assert first.renew() == []
        assert not second.take(folder)
        time.sleep(0.02)
    time.sleep(0.3)
    assert second.take(folder)
    time.sleep(0.05)
    assert first.renew() == [folder]
    assert first.renew() == []
    first.release(folder)
    assert second.renew() == []
    assert (folder / LEASE).read_text() == second.owner


def test_patience_counts_from_the_first_look(folder):
    first = leases(folder)
    first.take(folder)
    time.sleep(0.3)
    # it was never seen before, so nobody knows how long it has been untouched
    late = leases(folder)
    assert not late.take(folder)
    time.sleep(0.3)
    assert late.take(folder)


def test_who_holds_a_lease_is_open_until_it_is_touched_or_stale(folder):
    first, second = leases(folder), leases(folder)
    first.take(folder)
    assert not second.undecided([folder]), "nobody has looked yet"
    assert not second.take(folder)
    assert second.undecided([folder])
    assert not second.undecided([folder.with_name("another")])
    # it is touched, so its holder is alive
    time.sleep(0.05)
    first.renew()
    assert not second.take(folder)
    assert not second.undecided([folder])
    # to a worker that comes later it is open again, until it is stale and taken
    late = leases(folder)
    assert not late.take(folder)
    assert late.undecided([folder])
    time.sleep(0.3)
    assert late.take(folder)
    assert not late.undecided([folder])


def test_an_open_lease_is_not_waited_for_without_end(folder):
    first, second = leases(folder), leases(folder)
    first.take(folder)
    second.take(folder)
    time.sleep(0.3)
    assert not second.undecided([folder]), "nobody could take it"


def test_a_link_that_was_made_though_its_answer_was_lost_counts(folder, monkeypatch):
    """As on NFS, whose client asks again and is told that the name is there."""
    real = os.link

    def asked_twice(source, target):
        real(source, target)
        real(source, target)

    monkeypatch.setattr(os, "link", asked_twice)
    first, second = leases(folder), leases(folder)
    assert first.take(folder)
    assert not second.take(folder)
    assert [p.name for p in folder.iterdir()] == [LEASE]


def test_a_lease_that_was_renewed_just_then_is_put_back(folder):
    first, second = leases(folder), leases(folder)
    first.take(folder)
    stale = (first.owner, 12345)
    assert not second._remove(folder / LEASE, stale)
    assert (folder / LEASE).read_text() == first.owner
    time.sleep(0.05)
    assert first.renew() == []
    assert [p.name for p in folder.iterdir()] == [LEASE]


def test_a_lease_that_is_away_for_a_moment_is_not_lost_at_once(folder):
    first = leases(folder, patience=0.06)
    first.take(folder)
    (folder / LEASE).rename(folder / "aside")
    time.sleep(0.02)
    assert first.renew() == []
    (folder / "aside").rename(folder / LEASE)
    time.sleep(0.02)
    assert first.renew() == []
    (folder / LEASE).unlink()
    found = []
    for _ in range(8):
        time.sleep(0.015)
        found += first.renew()
    assert found == [folder]


def test_a_file_system_without_hard_links_is_refused(folder, monkeypatch):
    def none(*_):
        raise OSError(95, "Operation not supported")

    first = leases(folder)
    first.check(folder)
    assert list(folder.iterdir()) == []
    monkeypatch.setattr(os, "link", none)
    with pytest.raises(UsageError, match="expected a file system with hard links, .*not supp"):
        first.check(folder)


@pytest.fixture
def planned(tmp_path, capsys):
    """A function that plans runs; returns the script."""

    def plan(*words):
        capsys.readouterr()
        out = str(tmp_path / "runs")
        assert main(["run", *WHAT, "--out", out, "--emit", "slurm", *words]) == 0
        return capsys.readouterr().out

    return plan


def worker(root, *words, **more):
    command = [sys.executable, "-m", "benchmark", "worker", str(root), "--quiet", *words]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **more)


def tables_alike(one, other):
    """Equal but for what a clock or a machine decides."""
    columns = ["method", "seed", "status", "objective", "nfe", "lam.a", "run_id"]
    found = [
        load_results(x).frame.sort_values("run_id").reset_index(drop=True) for x in (one, other)
    ]
    pd.testing.assert_frame_equal(*(f[[c for c in columns if c in f]] for f in found))


def test_the_script_carries_out_the_plan(planned, tmp_path):
    text = planned("--seeds", "0,1", "--jobs", "3")
    assert "#SBATCH --array=1-3\n" in text
    assert "gres" not in text
    (tmp_path / "array.sh").write_text(text)
    done = subprocess.run(["bash", str(tmp_path / "array.sh")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "4 of 4 runs are stored, 0 failed" in done.stderr
    assert main(["run", *WHAT, "--seeds", "0,1", "--out", str(tmp_path / "own"), "--quiet"]) == 0
    tables_alike(tmp_path / "runs", tmp_path / "own")
    assert main(["verify", str(tmp_path / "runs")]) == 0
    assert not list((tmp_path / "runs").rglob(f"{LEASE}*"))
    # planned again, it has the new runs too
    planned("--seeds", "0-2")
    assert len(read_plan(tmp_path / "runs")) == 6


def test_a_folder_with_a_blank_is_quoted_and_what_sbatch_cannot_read_is_refused(tmp_path):
    text = script(tmp_path / "my runs", [], 2, "cpu")
    assert f'#SBATCH --output="{tmp_path}/my runs/slurm-%A_%a.log"\n' in text
    assert f"worker '{tmp_path}/my runs'\n" in text
    for name in ("100%", 'a"b', "a'b", "a\\b", "a\nb"):
        with pytest.raises(UsageError, match="expected a name without %, quotes, backslashes"):
            script(tmp_path / name, [], 2, "cpu")


def has_a_run(root, pid):
    """Whether a worker holds a lease right now."""
    for lease in root.glob(f"*/*/*/{LEASE}"):
        with suppress(FileNotFoundError):
            if lease.read_text().split(".")[1:2] == [str(pid)]:
                return True
    return False


def test_two_workers_share_the_runs_and_a_killed_one_loses_none(planned, tmp_path):
    planned("--seeds", "0-14")
    root, killed = tmp_path / "runs", 0
    one = worker(root, "--patience", "2s", "--wait")
    for _ in range(2):
        other = worker(root, "--patience", "2s", "--wait", start_new_session=True)
        while other.poll() is None:
            if has_a_run(root, other.pid):
                other.kill()
                killed += 1
                break
        other.communicate()
    said = one.communicate()[1]
    assert one.returncode == 0, said
    assert killed
    assert "30 of 30 runs are stored, 0 failed" in said
    assert main(["run", *WHAT, "--seeds", "0-14", "--out", str(tmp_path / "own"), "--quiet"]) == 0
    tables_alike(root, tmp_path / "own")


def test_a_later_worker_takes_the_runs_of_one_that_was_killed(planned, tmp_path):
    """Without --wait: it stays until it knows whether who holds a run is alive."""
    planned("--seeds", "0")
    root = tmp_path / "runs"
    first = worker(root, "--patience", "2s", start_new_session=True)
    while not has_a_run(root, first.pid):
        assert first.poll() is None
    first.kill()
    first.communicate()
    said = worker(root, "--patience", "2s").communicate()[1]
    assert "2 of 2 runs are stored, 0 failed" in said


def test_all_runs_of_a_worker_that_is_gone_are_taken_one_after_the_other(planned, tmp_path):
    """Without --wait: while it is at work on the first, the other leases grow old."""
    root, gone = tmp_path / "runs", Leases(owner="gone.1.abc")
    planned("--seeds", "0-3")
    for spec in read_plan(root):
        folder = Store(root).folder(spec)
        folder.mkdir(parents=True)
        gone.take(folder)
        hint_held(folder, True)
    done = worker(root, "--patience", "3s")
    said = done.communicate()[1]
    assert "8 of 8 runs are stored, 0 failed" in said
    assert done.returncode == 0
    assert not list(root.rglob(f"{LEASE}*"))


def test_what_others_have_is_offered_at_times_and_once_a_run_has_ended(tmp_path):
    specs = plan("random", "quadratic", budget="60nfe", seeds="0-29", marks=[])
    store = Store(tmp_path, Leases())
    sharing = Sharing(store)
    for spec in specs:
        hint_held(store.folder(spec), True)
    tried, rest = sharing.choose(specs)
    assert (len(tried), len(rest)) == (20, 10)
    assert sharing.choose(specs)[0] == []
    sharing.look()
    assert sharing.choose(specs) == (tried, rest)
    assert sharing.choose(specs)[0] == []


@pytest.mark.parametrize("text", ["1s", "0.02s", "1.99s"])
def test_a_patience_that_takes_runs_of_workers_that_are_alive_is_refused(
    text, planned, tmp_path, capsys
):
    planned()
    capsys.readouterr()
    assert main(["worker", str(tmp_path / "runs"), "--patience", text]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"bench: --patience: expected at least 2s, got {text}; ")
    assert said.count("\n") == 1


SLOW = """
import time
from benchmark import Proposal, register_method

@register_method("slow")
def slow(problem, rng):
    lam = problem.space.default()
    state = problem.init(0)
    for _ in range(200):
        time.sleep(0.05)
        state = problem.step(state, lam)
    yield Proposal(lam, state, problem.loss(state, lam))
"""


def test_a_worker_that_stood_still_loses_its_run_to_another(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    root, plugin = tmp_path / "runs", ["--plugin", str(tmp_path / "slow.py")]
    words = ["--method", "slow", "--task", "quadratic", "--budget", "1000nfe", *plugin]
    assert main(["run", *words, "--out", str(root), "--emit", "slurm"]) == 0
    first = worker(root, "--patience", "2s", *plugin)
    (spec,) = read_plan(root)
    lease = Store(root).folder(spec) / LEASE
    while not (lease.parent / "run.json").exists():
        time.sleep(0.05)
    # as a node that hangs: its run's process goes on until it is found to be another's, and its
    # lock on this one machine is let go by hand
    first.send_signal(signal.SIGSTOP)
    (Store(root).folder(spec) / ".lock").unlink()
    second = worker(root, "--patience", "2s", "--wait", *plugin)
    while lease.exists() and lease.read_text().split(".")[1:2] == [str(first.pid)]:
        time.sleep(0.05)
    first.send_signal(signal.SIGCONT)
    said = first.communicate()[1]
    assert first.returncode == 1, said
    assert "its lease was lost: another worker has it" in said
    said = second.communicate()[1]
    assert second.returncode == 0, said
    assert "1 of 1 runs are stored, 0 failed" in said
    assert main(["verify", str(root)]) == 0


def test_a_worker_with_other_code_gets_no_runs(planned, tmp_path, capsys):
    planned()
    path = tmp_path / "runs" / PLAN
    path.write_text(re.sub(r'("suite": "[^"]*)"', r'\1x"', path.read_text()))
    assert main(["worker", str(tmp_path / "runs")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("bench: this machine's suite is not what the runs were planned with")
    assert load_is_empty(tmp_path / "runs")


def load_is_empty(root: Path) -> bool:
    return not list(root.glob("*/*/*/run.json"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "expected a plan of runs; "),
        ("{", "expected a plan of runs; "),
        ('{"specs": 1}', "it holds no specifications"),
        ('{"specs": [{}]}', "Field required"),
    ],
)
def test_what_is_no_plan_is_one_line(content, message, tmp_path, capsys):
    if content is not None:
        (tmp_path / PLAN).write_text(content)
    assert main(["worker", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--emit", "pbs"], "--emit: expected slurm, got 'pbs'"),
        (["--emit", "slurm", "--dry-run"], "--emit: expected no --dry-run beside it"),
        (["--emit", "slurm", "--track", "mlflow"], "--emit: expected no --track beside it"),
        (["--emit", "slurm", "--jobs", "0"], "--jobs: expected a number from 1 to 1024, got 0"),
        (["--emit", "slurm", "--address", "tcp://x:1"], "--emit: expected no --address beside it"),
        (["--emit", "slurm", "--no-preflight"], "--emit: expected no --no-preflight beside it"),
        (
            ["--emit", "slurm", "--device", "cuda:0,cuda:1"],
            "--device 'cuda:0,cuda:1': expected cpu or cuda beside --emit",
        ),
        (["--emit", "slurm", "--grace", "abc"], "--grace abc: expected a time, such as 30s"),
        (["--emit", "slurm", "--idle", "5nfe"], "--idle 5nfe: expected a time, such as 10m"),
    ],
)
def test_what_cannot_be_emitted_is_one_line(words, message, tmp_path, capsys):
    assert main(["run", *WHAT, "--out", str(tmp_path / "runs"), *words]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert not (tmp_path / "runs" / PLAN).exists()


def test_without_a_plan_there_is_no_script(tmp_path, capsys):
    (tmp_path / PLAN).write_text("{")
    assert main(["run", *WHAT, "--out", str(tmp_path), "--emit", "slurm"]) == 2
    said = capsys.readouterr()
    assert "expected a plan of runs" in said.err
    assert said.out == ""


ADDS = """
import sys
from pathlib import Path
from benchmark.command.parse import plan_from_text
from benchmark.store.planned import write_plan

root, first = Path(sys.argv[1]), int(sys.argv[2])
specs = [
    plan_from_text("random", "quadratic", budget="60nfe", seeds=str(first + k), marks=[])
    for k in range(25)
]
print("ready", flush=True)
sys.stdin.readline()
for spec in specs:
    write_plan(root, spec)
"""


def test_two_that_plan_at_once_lose_no_run(tmp_path):
    both = [
        subprocess.Popen(
            [sys.executable, "-c", ADDS, str(tmp_path), first],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in ("0", "100")
    ]
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in both:
        process.communicate()
        assert process.returncode == 0
    assert {s.seed for s in read_plan(tmp_path)} == {*range(25), *range(100, 125)}
    assert [path.name for path in tmp_path.iterdir()] == [PLAN]


def test_a_planner_that_was_killed_holds_nobody_up_for_ever(tmp_path, monkeypatch):
    assert leases(tmp_path).take(tmp_path)
    monkeypatch.setattr("benchmark.store.planned.PATIENCE", 0.3)
    specs = plan("random", "quadratic", budget="60nfe", marks=[])
    began = time.monotonic()
    assert write_plan(tmp_path, specs) == 1
    assert time.monotonic() - began > 0.3
    assert read_plan(tmp_path) == specs


def test_a_planner_that_stood_still_writes_over_nothing(tmp_path, monkeypatch):
    first, second = (
        plan("random", "quadratic", budget="60nfe", seeds=seed, marks=[]) for seed in "01"
    )
    write_plan(tmp_path, first)

    def stand_still(root):
        (root / LEASE).unlink()
        assert leases(tmp_path).take(tmp_path)
        return read_plan(root)

    monkeypatch.setattr("benchmark.store.planned.read_plan", stand_still)
    with pytest.raises(StorageError, match="another has planned; plan again"):
        write_plan(tmp_path, second)
    assert read_plan(tmp_path) == first


def test_a_gpu_run_is_no_run_of_a_cpu_worker(planned, tmp_path, capsys):
    planned()
    path = tmp_path / "runs" / PLAN
    found = json.loads(path.read_text())
    found["specs"] = [{**spec, "device": "cuda"} for spec in found["specs"]]
    path.write_text(json.dumps(found))
    assert main(["worker", str(tmp_path / "runs")]) == 2
    assert "--device cpu: expected a device of" in capsys.readouterr().err


def run_of(root, method, seed):
    (spec,) = plan(method, "quadratic", budget="60nfe", seeds=str(seed), marks=[])
    return spec, Store(root).folder(spec)


def test_hints_say_what_others_have_and_decide_nothing(tmp_path):
    specs, folders = zip(*(run_of(tmp_path, "random", seed) for seed in range(6)), strict=True)
    hint_held(folders[0], True)
    hint_stored(folders[1], failed=False)
    hint_stored(folders[2], failed=True)
    hints = read_hints(tmp_path)
    free, others = hints.choose(specs, random.Random(0))
    assert {s.seed for s in free} == {3, 4, 5}
    assert [s.seed for s in others] == [0]
    assert (hints.done, hints.failed) == ({specs[1].run_id}, {specs[2].run_id})
    hint_held(folders[0], False)
    unhint(folders[1])
    unhint(folders[2])
    assert not list((tmp_path / HINTS).iterdir())
    # where there is no folder of them, nobody has anything
    assert read_hints(tmp_path / "other").choose(specs, random.Random(0))[1] == []


def test_workers_that_start_at_once_try_different_runs_first(tmp_path):
    specs = plan("random", "quadratic", budget="60nfe", seeds="0-99", marks=[])
    for spec in specs[:20]:
        hint_held(Store(tmp_path).folder(spec), True)
    hints = read_hints(tmp_path)
    first = {hints.choose(specs, random.Random(k))[0][0].seed for k in range(20)}
    assert len(first) > 10
    # and near the head of the plan, so that a suite cut short is balanced
    assert max(first) < 20 + 2 * 21


def test_a_stale_hint_costs_no_run(planned, tmp_path):
    """Of a worker that was killed, and of runs that somebody has removed."""
    root = tmp_path / "runs"
    planned("--seeds", "0")
    first, second = (Store(root).folder(spec) for spec in read_plan(root))
    hint_held(first, True)
    hint_stored(second, failed=False)
    done = worker(root, "--patience", "2s")
    said = done.communicate()[1]
    assert "2 of 2 runs are stored" in said
    assert (first / "run.json").exists()
    assert not (second / "run.json").exists(), "it was told that this is stored"
    planned("--seeds", "0")
    said = worker(root, "--patience", "2s").communicate()[1]
    assert "2 of 2 runs are stored, 0 failed" in said
    assert (second / "run.json").exists()
