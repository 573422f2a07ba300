"""Runs in experiment trackers: what is written is what is stored, and nothing is written twice."""

import json
import math
import sys
from contextlib import contextmanager
from dataclasses import replace

import pytest
from PIL import Image

from benchmark import UsageError, load_results, run
from benchmark.command.cli import main
from benchmark.export import to_mlflow, to_tensorboard
from benchmark.export.tracking import TRACKERS, track, tracked


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


def test_mlflow_has_each_run_once(folder, tmp_path, capsys, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="mlflow-skinny is not installed")
    monkeypatch.chdir(tmp_path)
    place = f"sqlite:///{tmp_path}/runs.db"
    assert main(["export", str(folder / "runs"), "--to", "mlflow", place]) == 0
    assert main(["export", str(folder / "runs"), "--to", "mlflow", place]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "4 of 4 runs written to mlflow"
    assert second == "0 of 4 runs written to mlflow; the others were there"
    client = mlflow.MlflowClient(tracking_uri=place)
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


def test_a_runs_picture_is_tracked(folder, tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    mlflow = pytest.importorskip("mlflow", reason="mlflow-skinny is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    Image.new("RGB", (8, 4), (255, 0, 0)).save(tmp_path / "samples.png")
    one = tracked(load_results(folder / "runs").runs[0])
    one = replace(one, pictures=(tmp_path / "samples.png",))
    assert to_tensorboard.write([one], str(tmp_path / "tb")) == 1
    (events,) = (tmp_path / "tb").rglob("events*")
    (found,) = EventAccumulator(str(events), {"images": 0}).Reload().Images("samples")
    assert (found.width, found.height) == (8, 4)
    place = f"sqlite:///{tmp_path}/runs.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert to_mlflow.write([one], place) == 1
        client = mlflow.MlflowClient(tracking_uri=place)
        (experiment,) = [e for e in client.search_experiments() if e.name == one.group]
        (run,) = client.search_runs([experiment.experiment_id])
        assert [a.path for a in client.list_artifacts(run.info.run_id)] == ["samples.png"]


class Wandb:
    """What the writer uses of the package: runs by their id, resumed with what they had."""

    def __init__(self):
        self.kept, self.Settings, self.Image = {}, dict, str

    @contextmanager
    def init(self, *, id, **more):
        yield self.kept.setdefault(id, Made())


class Made:
    def __init__(self):
        self.summary, self.lines = {}, []
        self.log = self.lines.append


def test_wandb_has_each_run_once(folder, monkeypatch):
    wandb = Wandb()
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    wandb.__spec__ = True
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


def test_a_tracker_that_is_not_installed_is_said_before_the_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "wandb", None)
    words = ["--method", "random", "--task", "quadratic", "--track", "wandb", "--out"]
    assert main(["run", *words, str(tmp_path / "runs")]) == 2
    assert "wandb: expected the package, which is not installed" in capsys.readouterr().err
    assert not list(tmp_path.rglob("run.json"))


def test_run_tracks_what_it_ran(tmp_path, monkeypatch, capsys):
    written = []
    monkeypatch.setitem(TRACKERS, "mlflow", "tests.test_tracking:keep")
    monkeypatch.setattr("benchmark.export.tracking.find_spec", lambda name: True)
    monkeypatch.setattr("tests.test_tracking.KEPT", written)
    words = ["--method", "random", "--task", "quadratic", "--budget", "60nfe", "--quiet"]
    assert main(["run", *words, "--out", str(tmp_path), "--track", "mlflow"]) == 0
    assert [(r.parameters["method"], place) for r, place in written] == [("random", "")]
    assert "1 runs written to mlflow" in capsys.readouterr().err
    assert json.dumps(written[0][0].final)


KEPT: list = []


def keep(runs, place):
    KEPT.extend((r, place) for r in runs)
    return len(runs)
