"""What a run's name covers: the code that decides its numbers, wherever it lies; and what earlier
runs are called.
"""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.command.parse import plan_from_text as plan
from benchmark.plugins import sources
from benchmark.registry import METHODS, TASKS
from benchmark.report.table import tables
from benchmark.report.verify import verify
from benchmark.runs.worker import changed_files
from benchmark.spec import earlier_identity, identity
from benchmark.store.store import Store
from tests.made import made

ROOT = Path(__file__).parent.parent
STORED = "2cb6faa3bd785039"


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The suite's code without its tests, to be edited."""
    root = tmp_path_factory.mktemp("copy") / "suite"
    for name in ("benchmark", "methods", "tasks"):
        shutil.copytree(
            ROOT / name,
            root / name,
            ignore=shutil.ignore_patterns("assets", "__pycache__", "*.safetensors"),
        )
    return root


def bench(copy, *words):
    code = "import sys; from benchmark.command.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=copy,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(copy), "PATH": ""},
        check=False,
    )


def test_two_versions_of_a_built_in_method_are_two_rows(copy):
    words = [
        "run",
        "--method",
        "random",
        "--task",
        "quadratic",
        "--budget",
        "200nfe",
        "--out",
        "runs",
    ]
    assert bench(copy, *words, "--seeds", "0").returncode == 0
    method = copy / "methods" / "random_search.py"
    before = method.read_text()
    method.write_text(before.replace("rng.random(", "0.5 * rng.random("))
    assert method.read_text() != before
    done = bench(copy, *words, "--seeds", "0-1")
    assert done.returncode == 0, done.stderr
    assert "stored already" not in done.stderr
    assert "2 of 2 runs are stored already" in bench(copy, *words, "--seeds", "0-1").stderr
    (table,) = tables(Store(copy / "runs"))
    hashes = {r.run["spec"]["fingerprint"]["method code"][:4] for r in table.runs}
    assert {(r.label, r.runs) for r in table.rows} == {
        (
            f"random (code {h})",
            sum(r.run["spec"]["fingerprint"]["method code"].startswith(h) for r in table.runs),
        )
        for h in hashes
    }
    assert sorted(r.runs for r in table.rows) == [1, 2]
    method.write_text(before)
    assert "1 of 1 runs are stored already" in bench(copy, *words, "--seeds", "0").stderr


@pytest.mark.parametrize(
    ("file", "task", "changed"),
    [
        ("tasks/quadratic.py", "quadratic", ["task code"]),
        (
            "tasks/zeroth_order.py",
            "noise_schedule",
            ["task code"],
        ),  # imported by what it imports, within a function
        ("tasks/reward_ft/paper_rewards.py", "reward_ft", ["task code"]),  # by its name in a text
        ("tasks/zeroth_order.py", "quadratic", []),
        ("benchmark/fitting.py", "quadratic", ["suite"]),
        ("benchmark/report/plots/samples.py", "quadratic", []),
        ("tasks/__init__.py", "quadratic", []),
        ("methods/random_search.py", "quadratic", ["method code"]),
        ("methods/grid_search.py", "quadratic", []),
    ],
)
def test_what_an_edit_changes(copy, file, task, changed):
    ask = (
        f"import json; from benchmark.spec import code; print(json.dumps(code('random', {task!r})))"
    )

    def now():
        return json.loads(
            subprocess.run(
                [sys.executable, "-c", ask], cwd=copy, capture_output=True, check=True
            ).stdout
        )

    path = copy / file
    before, text = now(), path.read_text()
    path.write_text(text + "\nEDITED = True\n")
    after = now()
    path.write_text(text)
    assert [name for name in before if before[name] != after[name]] == changed
    assert now() == before


LOADED = """
import importlib, json, sys
from benchmark.command.parse import plan_from_text as plan
from benchmark.plugins.entry import defined_in
from benchmark.plugins.sources import ROOT, _PACKAGES, _with_imports
from benchmark.registry import TASKS
from benchmark.runs.forked import modules

task = sys.argv[1]
for name in modules(plan("default", task)):
    importlib.import_module(name)
found = {getattr(m, "__file__", "") for n, m in sys.modules.items() if n.startswith("tasks.")}
hashed = _with_imports({defined_in(TASKS.get(task))}, _PACKAGES)
print(json.dumps(sorted(found - {str(path) for path in hashed})))
"""


# `replay` asks the task that was recorded for its version
@pytest.mark.parametrize("task", ["reward_ft", "noise_schedule", "sampling"])
def test_what_a_run_of_a_task_imports_is_hashed(task):
    done = subprocess.run(
        [sys.executable, "-c", LOADED, task], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_the_version_of_the_suite_is_part_of_it(monkeypatch):
    before = sources.suite()
    monkeypatch.setattr(sources, "__version__", "9.9.9")
    assert sources.suite() == before.replace(before.split()[0], "9.9.9")


def test_a_method_typed_into_a_notebook_has_an_identity(monkeypatch):
    METHODS.complete()
    monkeypatch.setattr(METHODS, "entries", dict(METHODS.entries))
    found = []
    for factor in (1, 2, 1):
        names = {}
        text = (
            "from benchmark import register_method, fit\n"
            "@register_method('typed')\ndef typed(problem, rng):\n"
            f"    yield fit(problem, problem.space.default() * {factor}, 0)\n"
        )
        METHODS.entries.pop("typed", None)
        exec(compile(text, "<stdin>", "exec"), names)
        found.append(METHODS.code("typed"))
    assert found[0] == found[2] != found[1]


SCRIPT = """
import functools
import numpy as np
from benchmark import fit, run

K = 0.2

class Share:
    def __init__(self, share):
        self.share = share
    def __call__(self, dim):
        return np.full(dim, self.share)

def best_of(f):
    def inner(problem, rng):
        yield fit(problem, f(problem.space.dim), seed=0)
    return inner

def low(dim):
    return np.full(dim, 0.3)

def high(dim):
    return np.full(dim, 0.9)

def answer(method):
    frame = run(method, "quadratic", budget="40nfe", out="runs").frame
    print(frame["run_id"][0], frame["lam.a"][0])

for f in (lambda d: np.full(d, 0.3), lambda d: np.full(d, 0.9)):
    answer(best_of(f))
for k in (0.3, 0.9):
    answer(best_of(Share(k)))
for k in (0.3, 0.9):
    answer(best_of(functools.partial(np.full, fill_value=k)))
for f in (low, high):
    answer(best_of(f))
def twice(problem, rng):
    yield fit(problem, low(problem.space.dim), seed=0)
answer(twice)
def twice(problem, rng):
    yield fit(problem, high(problem.space.dim), seed=0)
answer(twice)
EDITED = '''
class Made:
    def __call__(self, problem, rng):
        yield fit(problem, np.full(problem.space.dim, SHARE), seed=0)
'''
for k in ("0.3", "0.9"):
    exec(EDITED.replace("SHARE", k))
    answer(Made)
for k in (0.3, 0.9):
    def with_default(problem, rng, k=k):
        yield fit(problem, np.full(problem.space.dim, k), seed=0)
    answer(with_default)
def reads(problem, rng):
    yield fit(problem, np.full(problem.space.dim, K), seed=0)
for K in (0.3, 0.9):
    answer(reads)
for k in (0.3, 0.9):
    answer(type("Attribute", (), {"k": k, "__call__": lambda self, problem, rng: iter(
        [fit(problem, np.full(problem.space.dim, self.k), seed=0)])}))
"""


def test_two_methods_of_a_script_are_never_one_run(tmp_path):
    """Each pair differs in its answer, so one name for both would hand out the wrong one."""
    (tmp_path / "script.py").write_text(SCRIPT)
    printed = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "script.py"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={"PYTHONPATH": str(ROOT), "PATH": ""},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        printed.append([line.split() for line in done.stdout.splitlines()])
    assert printed[0] == printed[1], "another process takes the same runs"
    pairs = list(zip(printed[0][::2], printed[0][1::2], strict=True))
    assert len(pairs) == 9
    for k, ((name, answer), (other_name, other_answer)) in enumerate(pairs):
        assert name != other_name, k
        assert answer != other_answer, k


def test_a_plan_of_many_runs_hashes_code_once(monkeypatch):
    asked = []
    for registry in (METHODS, TASKS):
        monkeypatch.setattr(registry, "code", lambda name: asked.append(name) or "x")
    assert len(plan("random,grid", "quadratic", seeds="0-99")) == 200
    assert sorted(asked) == ["grid", "quadratic", "quadratic", "random"]


def test_code_that_changed_before_the_run_began_is_noticed():
    (spec,) = plan("random", "quadratic", budget="100nfe")
    assert changed_files(spec) == []
    other = replace(spec, fingerprint={**spec.fingerprint, "method code": "other"})
    assert changed_files(other) == ["method code"]


EDITED = """
import sys
from dataclasses import replace
from pathlib import Path
from benchmark.errors import UsageError
from benchmark.command.parse import plan_from_text as plan
from benchmark.store.store import Store
from benchmark.runs.executor import ExecutorSettings
from benchmark.runs.supervisor import LocalExecutor
import benchmark

store, method = Store(Path("edited")), Path("methods/grid_search.py")
if sys.argv[1] == "process":
    specs = plan("grid", "quadratic", budget="100nfe", seeds="0-1")
    method.write_text(method.read_text() + "EDITED = True")
    print(LocalExecutor(ExecutorSettings(quiet=True))(specs, store).refused)
else:
    benchmark.run("grid", "quadratic", budget="100nfe", out="edited")
    method.write_text(method.read_text() + "EDITED = True")
    benchmark.run("grid", "quadratic", budget="100nfe", out="edited")
"""


@pytest.mark.parametrize(
    ("where", "said", "stored"),
    [
        (
            "process",
            "method code was changed after the run had been planned; start `bench run` again",
            0,
        ),
        (
            "python",
            "method 'grid': its code was changed after this process had loaded it; start Python "
            "again",
            1,
        ),
    ],
)
def test_code_that_is_edited_meanwhile_is_refused_and_stored_nowhere(copy, where, said, stored):
    method = copy / "methods" / "grid_search.py"
    text = method.read_text()
    done = subprocess.run(
        [sys.executable, "-c", EDITED, where], cwd=copy, capture_output=True, text=True, check=False
    )
    method.write_text(text)
    assert said in done.stdout + done.stderr
    assert len(list(Store(copy / "edited"))) == stored
    shutil.rmtree(copy / "edited")


def test_a_run_of_schema_1_is_called_as_it_was():
    """The name is what the version before code was hashed gave it."""
    (spec,) = plan("random", "quadratic", budget="300nfe", settings=["random.trials=9"])
    assert earlier_identity(spec.as_json()) == STORED
    assert spec.run_id != STORED
    assert (
        spec.run_id
        == identity(spec.as_json())
        == identity({**spec.as_json(), "places": {"model": "/elsewhere"}})
    )


def earlier(root):
    """Rewrites the runs below as the version before stored them."""
    for path in root.glob("*/*/*/run.json"):
        record = json.loads(path.read_text())
        record.pop("hashes")
        spec = record["spec"]
        name = earlier_identity(spec)
        for code in ("suite", "task code", "method code"):
            spec["fingerprint"].pop(code, None)
        path.write_text(json.dumps(record | {"schema": 1, "run_id": name, "spec": spec}))
        final = path.parent / "final.json"
        final.write_text(json.dumps(json.loads(final.read_text()) | {"schema": 1}))
        path.parent.rename(path.parent.parent / name)


def test_runs_of_schema_1_are_read_verified_and_never_taken_for_new_ones(tmp_path):
    from benchmark import run

    run("random", "quadratic", out=tmp_path, budget="300nfe", seeds="0-1")
    earlier(tmp_path)
    (table,) = tables(Store(tmp_path))
    assert [(r.label, r.runs) for r in table.rows] == [("random", 2)]
    assert [problem for _, problem in verify(tmp_path)] == ["", ""]
    run("random", "quadratic", out=tmp_path, budget="300nfe", seeds="0-1")
    old, new = sorted(tables(Store(tmp_path)), key=lambda t: t.runs[0].run["schema"])
    assert (
        [(r.label, r.runs) for r in old.rows]
        == [(r.label, r.runs) for r in new.rows]
        == [("random", 2)]
    )
    assert old.rows[0].metrics == table.rows[0].metrics
    assert [problem for _, problem in verify(tmp_path)] == [""] * 4


def test_a_name_under_the_wrong_schema_is_seen(tmp_path):
    made(tmp_path, methods=("alpha",), seeds=1)
    (path,) = tmp_path.glob("*/*/*/run.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 1}))
    ((_, problem),) = verify(tmp_path)
    assert "its name is not its specification's hash" in problem
