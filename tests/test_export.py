"""`bench export`: what other tools then read."""

import math
import os
from functools import partial

import optuna
import pandas as pd
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from benchmark.api.results import Results
from benchmark.command.parse import plan_from_text as plan
from benchmark.errors import UsageError
from benchmark.export.trainings import trainings
from benchmark.registry import TASKS, Entry
from benchmark.runs.runner import run_one
from benchmark.store.store import Store
from tests.mixed import Mixed
from tests.test_cli import bench

RUNS = ("random", "hyperband", "bilevel")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Runs of a search by full fits, of one with fidelities, and of one that evaluates no F."""
    folder = tmp_path_factory.mktemp("export")
    for method in RUNS:
        (spec,) = plan(method, "quadratic", budget="600nfe")
        assert run_one(spec, Store(folder / "runs"), quiet=True) != "failed"
    return folder


def studies(storage):
    names = [s.study_name for s in optuna.get_all_study_summaries(storage)]
    return {name.split()[1]: optuna.load_study(study_name=name, storage=storage) for name in names}


def row(steps, loss, lam=1.0, seed=0):
    return {"lam": {"a": lam}, "seed": seed, "steps": steps, "loss": loss}


def test_evaluations_of_one_training_belong_together():
    found = trainings(
        [
            row(2, 9.0),
            row(2, 8.0, lam=2.0),
            row(4, 7.0),
            row(4, 6.0, seed=1),
            # as long as before: the same lam once more
            row(4, 5.0),
            row(8, 4.0),
        ]
    )
    assert [[r["loss"] for r in t.rows] for t in found] == [[9.0, 7.0], [8.0], [6.0], [5.0, 4.0]]
    assert [t.steps for t in found] == [4, 2, 4, 8]


@pytest.mark.parametrize("target", ["sqlite:///study.db", "journal.log"])
def test_optuna_opens_them(target, root, tmp_path):
    done = bench("export", root / "runs", "--to", "optuna", target, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "of 2 runs" in done.stdout
    assert done.stderr == "bench: without trials: 1 of quadratic/bilevel\n"
    file = tmp_path / target.removeprefix("sqlite:///")
    assert [p.name for p in tmp_path.iterdir()] == [file.name]
    storage = (
        f"sqlite:///{file}" if "sqlite" in target else JournalStorage(JournalFileBackend(str(file)))
    )
    found = studies(storage)
    runs = {r.run["spec"]["method"]: r for r in Store(root / "runs")}
    assert set(found) == {"random", "hyperband"}
    random = found["random"]
    assert [t.value for t in random.trials] == [t["loss"] for t in runs["random"].trials]
    assert [t.params for t in random.trials] == [t["lam"] for t in runs["random"].trials]
    assert random.best_value == min(t["loss"] for t in runs["random"].trials)
    assert random.user_attrs["run_id"] == runs["random"].run["run_id"]
    metric = runs["random"].tests[-1]["metrics"]["objective"]
    assert random.user_attrs["metric.objective"] == metric
    space = {a["name"]: a for a in runs["random"].run["space"]}
    for name, axis in random.trials[0].distributions.items():
        assert (axis.low, axis.high, axis.log) == tuple(
            space[name][k] for k in ("low", "high", "log")
        )
    hyperband = found["hyperband"].trials
    steps = [max(t.intermediate_values) for t in hyperband]
    # only what was trained as long as any may be called the best
    assert {t.state for t, n in zip(hyperband, steps, strict=True) if n == max(steps)} == {
        TrialState.COMPLETE
    }
    assert {t.state for t, n in zip(hyperband, steps, strict=True) if n < max(steps)} == {
        TrialState.PRUNED
    }
    assert any(len(t.intermediate_values) > 1 for t in hyperband)
    rows = sum(len(t.intermediate_values) for t in hyperband)
    assert rows == len(runs["hyperband"].trials)


def test_whole_numbers_and_texts_keep_their_kind(tmp_path, monkeypatch):
    monkeypatch.setitem(TASKS.entries, "mixed", Entry("mixed", "test", lambda: Mixed))
    (spec,) = plan("random", "mixed", budget="600nfe")
    run_one(spec, Store(tmp_path / "runs"), quiet=True)
    (run,) = Store(tmp_path / "runs")
    file = Results([run]).export("optuna", tmp_path / "j.log")
    (study,) = studies(JournalStorage(JournalFileBackend(str(file)))).values()
    for trial, kept in zip(study.trials, run.trials, strict=True):
        assert trial.params == kept["lam"]
        assert [type(trial.params[n]) for n in ("a", "n", "shape")] == [float, int, str]


def test_what_has_no_finite_f_failed(tmp_path, monkeypatch):
    from tasks.quadratic import QuadraticTask

    values = iter([math.inf, 3.0, math.nan, 2.0])
    monkeypatch.setattr(QuadraticTask, "loss", lambda self, state, lam: next(values))
    (spec,) = plan("random", "quadratic", budget="600nfe", settings=["random.trials=4"])
    run_one(spec, Store(tmp_path / "runs"), quiet=True)
    file = Results(Store(tmp_path / "runs")).export("optuna", tmp_path / "j.log")
    (study,) = studies(JournalStorage(JournalFileBackend(str(file)))).values()
    done, failed = TrialState.COMPLETE, TrialState.FAIL
    assert [t.state for t in study.trials] == [failed, done, failed, done]
    assert study.best_value == 2.0


@pytest.mark.parametrize("lam", [{}, {"zeta": 1.0}, {"a": "text"}, {"a": -1e9}])
def test_trials_outside_the_space_are_one_line(lam, root, tmp_path):
    run = next(r for r in Store(root / "runs") if r.trials)
    first = run.trials[0]
    known = first["lam"]
    vars(run)["trials"] = [first | {"lam": known | lam if lam else {}}]
    with pytest.raises(UsageError, match="expected trials inside its space; "):
        Results([run]).export("optuna", tmp_path / "j.log")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_of_rows(kind, root, tmp_path):
    done = bench("export", root / "runs", "--to", kind, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    file = tmp_path / f"trials.{kind}"
    # pandas 2 rounds the last digit unless it is told not to
    read = partial(pd.read_csv, float_precision="round_trip")
    read = read if kind == "csv" else pd.read_parquet
    found, rows = read(file), Results(Store(root / "runs")).trials()
    assert list(found) == list(rows)
    assert found.loss.tolist() == rows.loss.tolist()
    assert found["lam.b"].tolist() == rows["lam.b"].tolist()
    assert found.run_id.tolist() == rows.run_id.tolist()
    before = file.read_bytes()
    done = bench("export", root / "runs", "--to", kind, cwd=tmp_path)
    assert done.returncode == 2
    assert "--replace" in done.stderr
    assert file.read_bytes() == before
    assert bench("export", root / "runs", "--to", kind, "--replace", cwd=tmp_path).returncode == 0


def test_a_column_of_numbers_and_texts_becomes_texts(root, tmp_path):
    from benchmark.export.rows import write_rows

    found = pd.DataFrame({"lam.x": [1.5, "low", None]})
    write_rows(found, "parquet", tmp_path / "x.parquet", replace=False)
    assert pd.read_parquet(tmp_path / "x.parquet")["lam.x"].fillna("-").tolist() == [
        "1.5",
        "low",
        "-",
    ]


def test_other_studies_of_a_storage_stay(root, tmp_path):
    storage = f"sqlite:///{tmp_path / 's.db'}"
    theirs = optuna.create_study(storage=storage, study_name="theirs")
    theirs.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    words = ("export", root / "runs", "--to", "optuna", "sqlite:///s.db")
    assert bench(*words, cwd=tmp_path).returncode == 0
    again = bench(*words, cwd=tmp_path)
    assert again.returncode == 2
    assert "--replace" in again.stderr
    assert len(again.stderr.splitlines()) == 1
    assert bench(*words, "--replace", cwd=tmp_path).returncode == 0
    names = [s.study_name for s in optuna.get_all_study_summaries(storage)]
    assert len(names) == len(set(names)) == 3
    kept = optuna.load_study(study_name="theirs", storage=storage)
    assert [t.value for t in kept.trials] == [t.value for t in theirs.trials]


def test_a_database_that_is_written_to_is_left_alone(root, tmp_path):
    for name in ("s.db", "s.db-wal"):
        (tmp_path / name).write_bytes(b"")
    done = bench("export", root / "runs", "--to", "optuna", "sqlite:///s.db", cwd=tmp_path)
    assert done.returncode == 2
    assert "s.db-wal" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.db", "s.db-wal"]


WRONG = {
    "an unknown tool": (["--to", "optunna", "x.log"], "did you mean 'optuna'?"),
    "no file": (["--to", "optuna"], "sqlite:///FILE.db or FILE.log"),
    "two files": (["--to", "csv", "a.csv", "b.csv"], "expected one file, got 2"),
    "no storage": (["--to", "optuna", "study.db"], "sqlite:///FILE.db or FILE.log"),
    "another database": (["--to", "optuna", "postgresql://x/y"], "sqlite:///FILE.db"),
    "an empty name": (["--to", "optuna", "sqlite:///"], "sqlite:///FILE.db"),
    "a file that is no database": (["--to", "optuna", "sqlite:///text.db"], "it cannot open"),
    "a file that is no journal": (["--to", "optuna", "text.log"], "it cannot open"),
    "a folder": (["--to", "optuna", "sqlite:///folder"], "got a folder"),
    "a folder for rows": (["--to", "csv", "folder"], "give another name"),
    "a file for rows": (["--to", "csv", "text.db"], "--replace or another name"),
    "a pipe for rows": (["--to", "csv", "pipe", "--replace"], "give another name"),
    "a pipe for studies": (["--to", "optuna", "sqlite:///pipe", "--replace"], "no regular file"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_targets(name, root, tmp_path):
    words, said = WRONG[name]
    for file in ("text.db", "text.log"):
        (tmp_path / file).write_text("this is a diary\n")
    (tmp_path / "folder").mkdir()
    # as a device it would be replaced by a file
    os.mkfifo(tmp_path / "pipe")
    done = bench("export", root / "runs", *words, cwd=tmp_path)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "pipe", "text.db", "text.log"]
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "text.db").read_text() == (tmp_path / "text.log").read_text()


def test_no_runs_and_no_trials(root, tmp_path):
    for folder in ("missing", "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        done = bench("export", folder, "--to", "csv", cwd=tmp_path)
        assert done.returncode == 2
        assert "expected finished runs" in done.stderr
    (none,) = (r for r in Store(root / "runs") if r.run["spec"]["method"] == "bilevel")
    with pytest.raises(UsageError, match="evaluated no F"):
        Results([none]).export("csv", tmp_path / "x.csv")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_one_line(root, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    for words in (["csv", "closed/x.csv"], ["optuna", "closed/x.log"]):
        done = bench("export", root / "runs", "--to", *words, cwd=tmp_path)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1


def test_a_folder_that_is_not_there_is_one_line(root, tmp_path):
    for words in (["csv", "no/x.csv"], ["optuna", "no/x.log"], ["optuna", "sqlite:///no/x.db"]):
        done = bench("export", root / "runs", "--to", *words, cwd=tmp_path)
        assert done.returncode == 1, done.stderr
        assert "cannot write no/x" in done.stderr
        assert list(tmp_path.iterdir()) == []


def test_a_tool_whose_package_is_missing(root, tmp_path, monkeypatch):
    import builtins

    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.split(".")[0] in ("pyarrow", "fastparquet"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(pd.DataFrame, "to_parquet", lambda *a, **k: without("pyarrow"))
    with pytest.raises(UsageError, match="pip install pyarrow"):
        Results(Store(root / "runs")).export("parquet", tmp_path / "x.parquet")
    assert list(tmp_path.iterdir()) == []
