"""Runs in experiment trackers: what is written is what is stored, and nothing is written twice."""

import json
import math
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from benchmark import UsageError, load_results, run
from benchmark.command.cli import main
from benchmark.export import to_mlflow, to_tensorboard, to_wandb
from benchmark.export.answering import WAIT, ask
from benchmark.export.tracking import TRACKERS, Point, track, tracked


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("tracked")
    run(
        ["random", "bilevel"],
        "kinds",
        budget="300nfe",
        seeds=range(2),
        out=root / "runs",
        options={"random.trials": 6},
        engine="in_process",
        quiet=True,
    )
    return root


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A file with MLflow's tables, which take it seconds."""
    mlflow = pytest.importorskip("mlflow", reason="mlflow-skinny is not installed")
    path = tmp_path_factory.mktemp("mlflow") / "runs.db"
    mlflow.MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def place(empty, tmp_path, monkeypatch):
    """A tracking URI; pictures lie below the working folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty, tmp_path / "runs.db")
    return f"sqlite:///{tmp_path}/runs.db"


def client_of(place):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=place)


def test_a_run_for_trackers_has_what_is_stored(folder):
    stored = load_results(folder / "runs").runs
    for one in stored:
        found = tracked(one)
        assert found.run_id == one.run["run_id"]
        assert found.parameters["method"] == one.run["spec"]["method"]
        assert found.final["objective"] == one.tests[-1]["metrics"]["objective"]
        assert found.final["evaluations"] == one.run["nfe"]
        values = [p.values["F"] for p in found.points if "F" in p.values]
        losses = [p["loss"] for p in one.proposals if math.isfinite(p["loss"])]
        assert values == losses
        assert sum("objective" in p.values for p in found.points) == len(one.tests)
        times = [p.seconds for p in found.points]
        assert times == sorted(times)
        # a text of a Choice is no number
        assert all(isinstance(v, float) for p in found.points for v in p.values.values())


def test_mlflow_has_each_run_once(folder, place, capsys):
    assert main(["export", str(folder / "runs"), "--to", "mlflow", place]) == 0
    assert main(["export", str(folder / "runs"), "--to", "mlflow", place]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "4 of 4 runs written to mlflow"
    assert second == "0 of 4 runs written to mlflow; the others were there"
    client = client_of(place)
    (experiment,) = [e for e in client.search_experiments() if e.name != "Default"]
    assert experiment.name == "kinds toy 300nfe"
    by_id = {r.data.tags["bench.run_id"]: r for r in client.search_runs([experiment.experiment_id])}
    for one in map(tracked, load_results(folder / "runs").runs):
        there = by_id.pop(one.run_id)
        assert there.info.status == "FINISHED"
        assert there.data.params["seed"] == one.parameters["seed"]
        assert there.data.metrics["final.objective"] == pytest.approx(one.final["objective"])
        curve = client.get_metric_history(there.info.run_id, "F")
        expected = [(p.evaluations, p.values["F"]) for p in one.points if "F" in p.values]
        assert sorted((m.step, m.value) for m in curve) == sorted(expected)
    assert not by_id


def test_tensorboard_has_each_run_once(folder, tmp_path, capsys):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for _ in range(2):
        words = ["--to", "tensorboard", str(tmp_path / "tb")]
        assert main(["export", str(folder / "runs"), *words]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("0 of 4 runs")
    folders = sorted((tmp_path / "tb" / "kinds toy 300nfe").iterdir())
    assert len(folders) == 4
    runs = {r.run["run_id"][:8]: tracked(r) for r in load_results(folder / "runs").runs}
    for each in folders:
        events = EventAccumulator(str(each))
        events.Reload()
        one = runs[each.name.split()[-1]]
        (final,) = events.Scalars("final/objective")
        assert final.value == pytest.approx(one.final["objective"], rel=1e-6)


def test_what_goes_wrong_is_one_line(folder, tmp_path, monkeypatch, capsys):
    stored = load_results(folder / "runs").runs
    with pytest.raises(
        UsageError, match="tracker 'mlfow': expected one of .*did you mean 'mlflow'"
    ):
        track(stored, "mlfow", "")
    with pytest.raises(UsageError, match="tensorboard: expected a folder to write to, got none"):
        track(stored, "tensorboard", "")
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert main(["export", str(folder / "runs"), "--to", "wandb"]) == 2
    assert "wandb: expected the package, which is not installed" in capsys.readouterr().err
    words = ["--method", "random", "--task", "quadratic", "--track", "paper", "--out"]
    assert main(["run", *words, str(tmp_path / "runs")]) == 2
    assert "--track: expected mlflow, tensorboard, wandb, got 'paper'" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_runs_picture_is_tracked(folder, tmp_path, place):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    Image.new("RGB", (8, 4), (255, 0, 0)).save(tmp_path / "samples.png")
    one = tracked(load_results(folder / "runs").runs[0])
    one = replace(one, pictures=(tmp_path / "samples.png",))
    assert to_tensorboard.write([one], str(tmp_path / "tb")) == 1
    (events,) = (tmp_path / "tb").rglob("events*")
    (found,) = EventAccumulator(str(events), {"images": 0}).Reload().Images("samples")
    assert (found.width, found.height) == (8, 4)
    assert to_mlflow.write([one], place) == 1
    client = client_of(place)
    (experiment,) = [e for e in client.search_experiments() if e.name == one.group]
    (run,) = client.search_runs([experiment.experiment_id])
    assert [a.path for a in client.list_artifacts(run.info.run_id)] == ["samples.png"]


class Wandb:
    """What the writer uses of the package: runs by their id, which `resume` goes on with."""

    def __init__(self, folder, mode="online", key=True):
        self.kept, self.Settings, self.Image = {}, dict, str
        self.settings = SimpleNamespace(mode=mode, wandb_dir=str(folder / "wandb"))
        self.key, self.torn_down, self.__spec__ = key, 0, True

    def setup(self):
        return SimpleNamespace(settings=self.settings)

    def login(self, *, prompt, verify):
        assert verify
        assert not prompt
        return self.key

    def teardown(self):
        self.torn_down += 1

    @contextmanager
    def init(self, *, id, resume=None, **more):
        if self.settings.mode == "offline":
            folder = Path(self.settings.wandb_dir) / f"offline-run-{len(self.kept)}-{id}"
            (folder / "files").mkdir(parents=True)
            yield self.kept.setdefault(folder.name, Made(folder))
            return
        resumed = id in self.kept and resume == "allow"
        if not resumed:
            self.kept[id] = Made(Path())
        self.kept[id].resumed = resumed
        yield self.kept[id]


class Made:
    def __init__(self, folder):
        self.summary, self.lines, self.dir, self.resumed = {}, [], str(folder / "files"), False
        self.log = self.lines.append


def test_wandb_has_each_run_once(folder, tmp_path, monkeypatch):
    wandb = Wandb(tmp_path)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    stored = load_results(folder / "runs").runs
    assert track(stored, "wandb", "") == 4
    before = {name: list(made.lines) for name, made in wandb.kept.items()}
    assert set(before) == {run.run["run_id"] for run in stored}
    for one in map(tracked, stored):
        assert [line["evaluations"] for line in before[one.run_id]] == [
            p.evaluations for p in one.points
        ]
    assert track(stored, "wandb", "") == 0
    assert {name: made.lines for name, made in wandb.kept.items()} == before


def again(one):
    """A run of one point, and its record after it was carried out again, of another point."""
    first, second = (Point(k, float(k), {"F": float(k)}) for k in (1, 2))
    failed = replace(one, digest="a", status="failed", points=(first,), final={})
    return failed, replace(one, digest="b", points=(second,), final={"objective": 0.5})


def test_wandb_has_the_last_record_of_a_run(folder, tmp_path, monkeypatch):
    wandb = Wandb(tmp_path)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    failed, done = again(tracked(load_results(folder / "runs").runs[0]))
    assert [to_wandb.write([one], "") for one in (failed, failed, done, done)] == [1, 0, 1, 0]
    (made,) = wandb.kept.values()
    assert [line["F"] for line in made.lines] == [2.0]
    assert made.summary["final.objective"] == 0.5


def test_wandb_offline_has_the_last_record_of_a_run_once(folder, tmp_path, monkeypatch):
    wandb = Wandb(tmp_path, mode="offline", key=False)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    failed, done = again(tracked(load_results(folder / "runs").runs[0]))
    to_wandb.reach("")
    assert [to_wandb.write([one], "") for one in (failed, failed, done, done)] == [1, 0, 1, 0]
    (left,) = (tmp_path / "wandb").glob("offline-run-*")
    assert wandb.kept[left.name].summary["final.objective"] == 0.5
    # another project is another place
    assert to_wandb.write([done], "a/b") == 1
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 2

    def cut_short(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(to_wandb, "_fill", cut_short)
        with pytest.raises(KeyboardInterrupt):
            to_wandb.write([replace(done, digest="c")], "")
    assert to_wandb.write([done], "") == 1
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 2


def test_wandbs_own_client_offline_writes_each_run_once(folder, tmp_path):
    if find_spec("wandb") is None:
        pytest.skip("wandb is not installed")
    given = os.environ | {"WANDB_MODE": "offline", "WANDB_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "benchmark", "export", str(folder / "runs"), "--to", "wandb"]
    said = [
        subprocess.run(command, env=given, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert said[0] == "4 of 4 runs written to wandb\n"
    assert said[1] == "0 of 4 runs written to wandb; the others were there\n"
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 4


def test_a_tracker_that_is_not_installed_is_said_before_the_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "wandb", None)
    words = ["--method", "random", "--task", "quadratic", "--track", "wandb", "--out"]
    assert main(["run", *words, str(tmp_path / "runs")]) == 2
    assert "wandb: expected the package, which is not installed" in capsys.readouterr().err
    assert not list(tmp_path.rglob("run.json"))


RUN = ["run", "--method", "random", "--task", "quadratic", "--budget", "60nfe", "--quiet"]


def test_run_tracks_what_it_ran(tmp_path, monkeypatch, capsys):
    written = []
    keeper = SimpleNamespace(
        reach=written.append,
        write=lambda runs, place: written.extend(runs) or len(runs),
    )
    monkeypatch.setitem(sys.modules, "keeper", keeper)
    monkeypatch.setitem(TRACKERS, "mlflow", "keeper")
    monkeypatch.setattr("benchmark.export.tracking.find_spec", lambda name: True)
    assert main([*RUN, "--out", str(tmp_path), "--track", "mlflow"]) == 0
    # asked before the runs, and once more before they are written
    (first, second, run) = written
    assert (first, second) == ("", "")
    assert run.parameters["method"] == "random"
    assert "1 runs written to mlflow" in capsys.readouterr().err
    assert json.dumps(run.final)


def refused_before_the_runs(tmp_path, tool, capsys):
    """What `bench run --track` says, which it does within 15 s."""
    began = time.monotonic()
    assert main([*RUN, "--out", str(tmp_path / "runs"), "--track", tool]) == 2
    assert time.monotonic() - began < 15
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert not list(tmp_path.rglob("run.json"))
    return said


@pytest.mark.usefixtures("loopback")
def test_a_server_that_refuses_is_said_before_the_runs(tmp_path, monkeypatch, capsys):
    pytest.importorskip("mlflow", reason="mlflow-skinny is not installed")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    said = refused_before_the_runs(tmp_path, "mlflow", capsys)
    assert said.startswith("bench: mlflow http://127.0.0.1:9: expected an answer, got Mlflow")
    assert said.endswith("; start its server, or give its address in MLFLOW_TRACKING_URI\n")
    assert "secret" not in said


@pytest.mark.usefixtures("loopback")
def test_a_server_that_is_silent_is_said_before_the_runs(tmp_path, monkeypatch, capsys):
    """It takes connections and says nothing; what the user has set holds."""
    pytest.importorskip("mlflow", reason="mlflow-skinny is not installed")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.getsockname()[1]}")
        said = refused_before_the_runs(tmp_path, "mlflow", capsys)
    assert "expected an answer, got Mlflow" in said
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "1"


def test_mlflow_is_not_asked_for_minutes(monkeypatch):
    pytest.importorskip("mlflow", reason="mlflow-skinny is not installed")
    names = ("MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    to_mlflow._client("http://127.0.0.1:9")
    timeout, retries = (int(os.environ[name]) for name in names)
    assert timeout * (1 + retries) < WAIT


def test_a_client_that_hangs_is_not_awaited():
    hanging = threading.Event()
    with pytest.raises(UsageError, match=r"^x: expected an answer, got none within 0\.1 s; do y$"):
        ask("x", hanging.wait, "do y", wait=0.1)
    hanging.set()


def test_a_missing_key_is_said_before_the_runs(tmp_path, monkeypatch, capsys):
    wandb = Wandb(tmp_path, key=False)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    said = refused_before_the_runs(tmp_path, "wandb", capsys)
    assert said.startswith("bench: wandb: expected an API key, got none; run wandb login or set")
    assert wandb.torn_down == 1


FAILS_ONCE = """
from pathlib import Path
from benchmark import fit, register_method

@register_method("fails_once")
def fails_once(problem, rng):
    mark = Path(__file__).with_suffix(".mark")
    if not mark.exists():
        mark.touch()
        raise ValueError("the first time")
    yield fit(problem, problem.space.default(), seed=0)
"""


def test_a_failed_run_that_is_done_again_is_tracked_again(tmp_path, place):
    (tmp_path / "fails_once.py").write_text(FAILS_ONCE)
    words = ["--plugin", "fails_once.py", "--method", "fails_once", "--task", "quadratic"]
    words += ["--budget", "60nfe", "--quiet", "--track", "mlflow", "--out", "runs"]
    given = os.environ | {"MLFLOW_TRACKING_URI": place}
    for more, code, status in (([], 1, "FAILED"), (["--retry-failed"], 0, "FINISHED")):
        command = [sys.executable, "-m", "benchmark", "run", *words, *more]
        done = subprocess.run(command, env=given, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        assert "1 runs written to mlflow" in done.stderr
        client = client_of(place)
        experiment = client.get_experiment_by_name("quadratic toy 60nfe")
        (there,) = client.search_runs([experiment.experiment_id])
        assert there.info.status == status
        assert ("final.objective" in there.data.metrics) == (status == "FINISHED")


def test_mlflow_has_one_whole_record_of_a_run(folder, place, monkeypatch):
    """Whatever a call that was cut short has left."""
    from mlflow import MlflowClient

    failed, done = again(tracked(load_results(folder / "runs").runs[0]))
    assert to_mlflow.write([failed], place) == 1

    def cut_short(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_terminated", cut_short)
        with pytest.raises(KeyboardInterrupt):
            to_mlflow.write([done], place)
    client = client_of(place)
    experiment = client.get_experiment_by_name(done.group)
    assert len(client.search_runs([experiment.experiment_id])) == 2
    assert [to_mlflow.write([done], place) for _ in range(2)] == [1, 0]
    (there,) = client.search_runs([experiment.experiment_id])
    assert there.data.tags["bench.digest"] == "b"
    assert there.info.status == "FINISHED"
    assert there.data.metrics["final.objective"] == 0.5


def test_tensorboard_has_the_last_record_of_a_run(folder, tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    failed, done = again(tracked(load_results(folder / "runs").runs[0]))
    place = str(tmp_path)
    assert [to_tensorboard.write([r], place) for r in (failed, failed, done, done)] == [1, 0, 1, 0]
    (events,) = tmp_path.rglob("events*")
    found = EventAccumulator(str(events.parent)).Reload()
    assert [(e.step, e.value) for e in found.Scalars("F")] == [(2, 2.0)]
    # one that was cut short is no second half of the next
    (events.parent / "bench.done").unlink()
    assert to_tensorboard.write([done], place) == 1
    assert len(list(tmp_path.rglob("events*"))) == 1


def test_a_digest_is_of_what_is_stored_and_of_what_was_measured_later(folder):
    first, second = load_results(folder / "runs").runs[:2]
    assert tracked(first).digest == tracked(first).digest != tracked(second).digest
    assert tracked(replace(first, digest="x")).digest != tracked(first).digest
    last = first.tests[-1]
    later = {**last, "metrics": {**last["metrics"], "kid": 0.5}}
    more = replace(first, tests=[*first.tests[:-1], later])
    assert tracked(more).digest != tracked(first).digest
