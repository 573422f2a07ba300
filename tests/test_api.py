"""The Python API: what its arguments may be, what is wrong with them in one line, and what is
returned.
"""

import ast
import importlib
import inspect
import linecache
import threading
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

import benchmark
from benchmark import Budget, UsageError, fit, load_results, option, register_method, run
from benchmark.api.explained import in_python
from benchmark.registry import ALL, METHODS
from benchmark.store.store import Store
from methods.random_search import RandomSearch
from tasks.quadratic import Quadratic

CELLS = count(1)
PLUGIN = """
from benchmark import fit, register_method
@register_method("from_file")
def from_file(problem, rng):
    yield fit(problem, problem.space.default(), 0)
"""


@pytest.fixture(autouse=True)
def _forget(monkeypatch, tmp_path):
    for registry in ALL:
        registry.complete()
        monkeypatch.setattr(registry, "entries", dict(registry.entries))
    monkeypatch.setattr("benchmark.api.given._LOADED", set())
    monkeypatch.chdir(tmp_path)


def at_default(problem, rng):
    yield fit(problem, problem.space.default(), 0)


def raises(problem, rng):
    raise ValueError("<b>no & never</b>")
    yield


def _private(problem, rng):
    yield fit(problem, problem.space.default(), 0)


class Walk:
    """Without options."""

    def __call__(self, problem, rng):
        yield fit(problem, problem.space.default(), 0)


@dataclass(frozen=True)
class RandomWalk:
    steps: int = option(2, "steps", low=1)

    def __call__(self, problem, rng):
        for _ in range(self.steps):
            yield fit(problem, rng.random(problem.space.dim), 0)


@dataclass
class NoOption:
    steps: list = field(default_factory=list)

    def __call__(self, problem, rng):
        yield


class Needs:
    def __init__(self, steps):
        self.steps = steps

    def __call__(self, problem, rng):
        yield


def around(k):
    def inside(problem, rng):
        yield fit(problem, problem.space.default() * k, 0)

    return inside


def asked(methods="random", tasks="quadratic", **options):
    """The names of the runs that a call means."""
    return list(run(methods, tasks, **{"budget": "40nfe", **options}).frame["run_id"])


def cell(text, names):
    """What a notebook does with a cell; its lines are known, and there is no file."""
    place = f"<cell {next(CELLS)}>"
    linecache.cache[place] = (len(text), None, text.splitlines(True), place)
    exec(compile(text, place, "exec"), names)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"budget": 60}, {"budget": "1m"}),
        ({"budget": np.float32(0.5)}, {"budget": "0.5s"}),
        ({"budget": Budget(40, "nfe")}, {"budget": "40nfe"}),
        ({"seeds": range(3)}, {"seeds": "0-2"}),
        ({"seeds": np.arange(2)}, {"seeds": [0, 1, 1]}),
        ({"seeds": 3}, {"seeds": "3"}),
        ({"options": {"random.trials": 3}}, {"options": {"random": {"trials": np.int64(3)}}}),
        ({"options": {"random.trials": 3}}, {"methods": RandomSearch(trials=3)}),
        ({"options": {"random.trials": "3"}}, {"methods": [RandomSearch(trials=3)]}),
        ({"methods": RandomSearch}, {"methods": "random"}),
        ({"methods": "random,grid"}, {"methods": ["random", "grid", "random"]}),
        ({"tasks": Quadratic(rate=0.4)}, {"options": {"quadratic": {"rate": 0.4}}}),
        ({"tasks": [Quadratic]}, {"tasks": "quadratic"}),
        ({"marks": [10, "20s"], "budget": 30}, {"marks": "10s,20s", "budget": "30s"}),
        ({"marks": Budget(10, "nfe")}, {"marks": "10nfe"}),
        ({"tasks": "quadratic, tilted"}, {"tasks": ["quadratic", "tilted"]}),
        ({"methods": "all"}, {"methods": METHODS.known()}),
    ],
)
def test_two_ways_to_ask_for_the_same_runs(one, other):
    assert asked(**one) == asked(**other)


WRONG = {
    "options of the command": (
        {"set": ["a.b=1"]},
        "unknown argument 'set'; did you mean 'options'?",
    ),
    "an earlier name": ({"settings": []}, "unknown argument 'settings'; did you mean 'options'?"),
    "a misspelling": ({"buget": 3}, "unknown argument 'buget'; did you mean 'budget'?"),
    "unknown method": ({"methods": "rando"}, "unknown method 'rando'; did you mean 'random'?"),
    "unknown task": ({"tasks": "quadratik"}, "did you mean 'quadratic'?"),
    "no method": ({"methods": []}, "methods []: expected one or more"),
    "no names": ({"methods": ","}, "methods ',': expected one name or more"),
    "no task": ({"tasks": []}, "tasks []: expected one or more"),
    "a number as a method": ({"methods": 3}, "methods 3: expected a name, a generator function"),
    "a partial": ({"methods": partial(at_default)}, "expected a function, got a partial; make it"),
    "a lambda": ({"methods": lambda problem, rng: iter(())}, "got a lambda; define it with def"),
    "a name with _": ({"methods": _private}, 'or give it one with @register_method("NAME")'),
    "an array without axes as methods": ({"methods": np.array(3)}, "methods array(3): expected"),
    "bytes as methods": ({"methods": b"random"}, "methods b'random': expected a name"),
    "no task's name": ({"tasks": ","}, "tasks ',': expected one name or more"),
    "a value around it": ({"methods": around(2)}, "got k; make it a dataclass with such an option"),
    "a field that is no option": ({"methods": NoOption()}, "field 'steps' is no option"),
    "a class with arguments": ({"methods": Needs}, "missing a required argument: 'steps'"),
    "an instance without options": ({"methods": Needs(3)}, "an instance of a dataclass"),
    "a bad option of an instance": ({"methods": RandomWalk(0)}, "expected a value in [1, inf]"),
    "a function as a task": ({"tasks": at_default}, "expected a name, a TaskMaker class"),
    "another class as a task": ({"tasks": Walk()}, "it lacks version"),
    "NaN": ({"budget": float("nan")}, "budget nan: expected a positive amount"),
    "infinity": ({"budget": float("inf")}, "budget inf: expected a positive amount"),
    "no budget": ({"budget": None}, "budget None: expected a positive amount"),
    "a negative budget": ({"budget": -1}, "budget -1: expected"),
    "true as a budget": ({"budget": True}, "budget True: expected"),
    "words": ({"budget": "five"}, "budget 'five': expected a positive amount such as 90s"),
    "an array without axes as seeds": ({"seeds": np.array(3)}, "seeds array(3): expected whole"),
    "bytes as seeds": ({"seeds": b"0"}, "seeds b'0': expected whole numbers"),
    "an array without axes as marks": ({"marks": np.array(3)}, "marks array(3): expected a pos"),
    "an array without axes as prompts": ({"prompts": np.array(3)}, "prompts array(3): expected"),
    "an array without axes as plugins": ({"plugins": np.array(3)}, "plugins array(3): expected"),
    "bytes as plugins": ({"plugins": b"a.py"}, "plugins b'a.py': expected a path"),
    "the executor": ({"executor": "local"}, "unknown argument 'executor'; did you mean 'engine'?"),
    "in this process": ({"in_process": True}, "did you mean engine='in_process'?"),
    "no seed": ({"seeds": []}, "seeds []: expected one seed or more"),
    "a negative seed": ({"seeds": [0, -1]}, "expected seeds from 0 to 1000000000000000"),
    "a seed of 2**60": ({"seeds": 2**60}, "expected seeds from 0 to"),
    "half a seed": ({"seeds": 0.5}, "seeds 0.5: expected whole numbers"),
    "seeds as texts": ({"seeds": ["0-4"]}, "seeds '0-4': expected whole numbers"),
    "many seeds": ({"seeds": range(10**9)}, "expected at most 10000 seeds"),
    "a prompt for a task without": ({"prompts": "a"}, "takes no prompts, got 'a'"),
    "no prompt": ({"prompts": []}, "prompts []: expected a text, or a list"),
    "numbers as prompts": ({"prompts": [3]}, "prompts [3]: expected a text"),
    "a list of options": ({"options": ["random.trials=3"]}, "expected a dict such as"),
    "no owner": ({"options": {"trials": 3}}, "options 'trials': expected OWNER.OPTION"),
    "an owner that is no text": ({"options": {3: 3}}, "options 3: expected OWNER.OPTION"),
    "unknown owner": ({"options": {"rando.trials": 3}}, "'rando' is not part of this run"),
    "unknown option": ({"options": {"random.trails": 3}}, "did you mean 'trials'?"),
    "twice": ({"options": {"random.trials": 3, "random": {"trials": 4}}}, "one value, got two"),
    "wrong type": ({"options": {"random.trials": 3.5}}, "expected a whole number, got 3.5"),
    "nothing": ({"options": {"random.trials": None}}, "expected a whole number, got None"),
    "a list": ({"options": {"quadratic.rate": [1]}}, "expected a number, got [1]"),
    "out of range": ({"options": {"random.trials": 0}}, "expected a value in [1, 1e+06], got 0"),
    "a late mark": ({"marks": "50nfe"}, "marks 50nfe: expected amounts of at most the budget"),
    "a word for methods as marks": ({"marks": "all"}, "budget 'all': expected a positive amount"),
    "no mark": ({"marks": [None]}, "marks None: expected a positive amount"),
    "unknown preset": ({"preset": "x"}, "unknown preset 'x' of quadratic"),
    "a preset that is no text": ({"preset": 3}, "preset 3: expected a text"),
    "unknown solver": ({"lower": "x"}, "unknown lower-level solver 'x'"),
    "unknown device": ({"device": "tpu"}, "device 'tpu': expected cpu"),
    "a device that is no text": ({"device": 0}, "device 0: expected a text"),
    "a number as a folder": ({"out": 3}, "out 3: expected a path"),
    "no folder": ({"out": ""}, "out: expected a folder that can be written"),
    "a null in a path": ({"out": "a\0b"}, "expected a path"),
    "no data": ({"data_dir": "gone"}, "data_dir 'gone': expected a folder that holds data sets"),
    "no jobs": ({"jobs": 0}, "jobs: expected a number from 1 to 1024, got 0"),
    "jobs as text": ({"jobs": "2"}, "jobs: expected a number from 1 to 1024, got '2'"),
    "unknown engine": ({"engine": "slurm"}, "unknown executor 'slurm'"),
    "jobs in this process": ({"jobs": 2, "engine": "in_process"}, "expected one job"),
    "a function for workers": ({"methods": at_default, "jobs": 2}, "known to this process alone"),
    "no plug-in": ({"plugins": "gone.py"}, "plug-in gone.py: no such file"),
    "a plug-in that is no path": ({"plugins": [3]}, "plugins 3: expected a path"),
    "quiet as text": ({"quiet": "no"}, "quiet 'no': expected True or False"),
    "grace in evaluations": ({"grace": "5nfe"}, "grace '5nfe': expected a time"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_argument_is_one_line_and_writes_nothing(case, tmp_path):
    wrong, message = WRONG[case]
    with pytest.raises(UsageError) as caught:
        run(**{"methods": "random", "tasks": "quadratic", "budget": "40nfe", **wrong})
    text = str(caught.value)
    assert message in text
    assert "\n" not in text
    assert "--" not in text, "an option of the command"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (run, "run(): expected an argument 'methods', got none"),
        (lambda: run("random"), "run(): expected an argument 'tasks', got none"),
        (lambda: run("random", "quadratic", 60), "at most 2 arguments without a name, got 3"),
        (lambda: run("random", "quadratic", tasks="x"), "expected 'tasks' once, got it twice"),
        (lambda: run("random", task="x"), "unknown argument 'task'; did you mean 'tasks'?"),
        (lambda: load_results("gone"), "gone: expected a folder of stored runs, there is none"),
        (lambda: load_results("."), ".: expected stored runs (TASK/METHOD/RUN/run.json), found"),
        (lambda: Budget(0.5, "nfe"), "Budget(0.5, 'nfe'): expected a positive amount and its unit"),
        (lambda: Budget(-3, "s"), "Budget(-3, 's'): expected a positive amount"),
        (lambda: Budget(float("nan"), "s"), "Budget(nan, 's'): expected a positive amount"),
        (lambda: Budget(3, "h"), "Budget(3, 'h'): expected a positive amount"),
        (lambda: benchmark.Results(3), "Results 3: expected stored runs"),
        (lambda: benchmark.Results(["a"]), "Results ['a']: expected stored runs"),
        (
            lambda: register_method(at_default),
            "@register_method: expected a name as text, got at_d",
        ),
        (lambda: load_results(3), "folder 3: expected a path"),
        (lambda: load_results(dir="x"), "load_results(): unknown argument 'dir'"),
    ],
)
def test_a_call_that_does_not_fit_is_one_line(call, message):
    with pytest.raises(UsageError) as caught:
        call()
    assert message in str(caught.value)


def test_a_command_in_a_message_stays_a_command():
    assert in_python("--set a.b=1: see `bench fetch --preset paper`") == (
        "options a.b=1: see `bench fetch --preset paper`"
    )


@pytest.mark.parametrize(
    ("method", "name", "options"),
    [
        (at_default, "at_default", {}),
        (Walk, "walk", {}),
        (Walk(), "walk", {}),
        (RandomWalk, "random_walk", {"steps": 2}),
        (RandomWalk(3), "random_walk", {"steps": 3}),
    ],
)
def test_what_is_no_name_has_its_own(method, name, options):
    (found,) = run(method, "quadratic", budget="60nfe").runs
    assert found.done
    assert found.run["spec"]["method"] == name
    assert found.run["spec"]["method_options"] == options


def test_instances_of_one_class_are_rows_of_one_table():
    results = run([RandomSearch(2), RandomSearch(3)], "quadratic", budget="90nfe", seeds=[0, 1])
    (table,) = results.tables()
    assert [(r.label, r.runs) for r in table.rows] == [
        ("random (trials=2)", 2),
        ("random (trials=3)", 2),
    ]
    assert list(results.frame["variant"]) == ["trials=2", "trials=3"] * 2


def test_a_registered_function_keeps_the_name_that_it_was_given():
    register_method("mine")(at_default)
    (found,) = run(at_default, "quadratic", budget="40nfe").runs
    assert found.run["spec"]["method"] == "mine"


def test_a_name_that_is_taken_names_both():
    def grid(problem, rng):
        yield

    with pytest.raises(UsageError, match=r"registered twice: by built-in .*grid_search.* and by"):
        run(grid, "quadratic")
    two = [type("Walk", (Walk,), {}), Walk]
    with pytest.raises(UsageError, match="two of them are called 'Walk'; rename one"):
        run(two, "quadratic")


CELL = """
def typed(problem, rng):
    yield fit(problem, moved(problem.space.default()), 0)
"""
HELPER = "def moved(lam):\n    return lam * FACTOR\n"


def test_a_cell_that_is_run_again_is_another_run_where_its_code_is():
    """Its own text counts, and the functions and plain values of other cells that it uses."""
    names = {"fit": fit, "FACTOR": 0.5, "__name__": "__main__", "UNUSED": 1}
    cell(HELPER, names)
    cell(CELL, names)
    found = [asked(names["typed"])]
    cell(CELL, names)
    names["UNUSED"] = 2
    found.append(asked(names["typed"]))
    assert found[0] == found[1]
    for change in ("FACTOR = 0.25", HELPER.replace("lam *", "lam +"), CELL.replace(", 0)", ", 1)")):
        cell(change, names)
        found.append(asked(names["typed"]))
        assert found.count(found[-1]) == 1, change
    assert len(Store(Path("results/runs")).records()) == 4


VALUES = {
    "a set": "{K}",
    "a frame's column": "__import__('pandas').Series([K])",
    "a partial": "__import__('functools').partial(max, K)",
    "an instance": "Share(K)",
    "an object that holds itself": "loop(K)",
    "a list of functions": "[lambda: K, lambda k=K: k]",
    "a function of NumPy and a tensor": "__import__('numpy').sin, __import__('torch').tensor(K)",
    "a generator of numbers": "__import__('numpy').random.default_rng(int(10 * K))",
}
USES = """
class Share:
    def __init__(self, share):
        self.share = share
def loop(k):
    share = Share(k)
    share.me = share
    return share
def typed(problem, rng):
    value = VALUE
    yield fit(problem, problem.space.default(), 0)
"""


@pytest.mark.parametrize("text", VALUES.values(), ids=VALUES)
def test_any_value_that_typed_code_uses_is_part_of_it(text):
    found = []
    for k in (0.2, 0.2, 0.8):
        names = {"fit": fit, "__name__": "__main__", "K": k}
        cell(USES, names)
        cell(f"VALUE = {text}", names)
        found.append(asked(names["typed"]))
    assert found[0] == found[1] != found[2]


def test_a_default_argument_of_typed_code_is_part_of_it():
    found = []
    for k in (0.2, 0.2, 0.8):
        names = {"fit": fit, "__name__": "__main__", "K0": k}
        cell(CELL.replace("rng)", "rng, k=K0)").replace("moved", "list"), names)
        found.append(asked(names["typed"]))
    assert found[0] == found[1] != found[2]


def test_a_value_that_cannot_be_hashed_is_refused():
    names = {"fit": fit, "__name__": "__main__", "VALUE": threading.Lock()}
    cell(USES, names)
    with pytest.raises(UsageError) as caught:
        asked(names["typed"])
    assert str(caught.value) == (
        "typed uses VALUE: expected a value that can be hashed, got a lock; make it inside the "
        "function, or put the function into a plug-in file"
    )


def test_the_modules_beside_a_users_module_are_part_of_its_code(tmp_path, monkeypatch):
    (tmp_path / "my_search.py").write_text(
        "from my_scale import SCALE\nfrom benchmark import fit\n"
        "def scaled(problem, rng):\n    yield fit(problem, problem.space.default() * SCALE, 0)\n"
    )
    (tmp_path / "my_scale.py").write_text("SCALE = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import my_search

    first = asked(my_search.scaled)
    (tmp_path / "my_scale.py").write_text("SCALE = 1  # edited\n")
    with pytest.raises(UsageError, match=r"my_scale.py: its code was changed after this process"):
        asked(my_search.scaled)
    importlib.reload(importlib.import_module("my_scale"))
    assert asked(importlib.reload(my_search).scaled) != first
    (tmp_path / "my_scale.py").write_text("SCALE = 1\n")
    importlib.reload(importlib.import_module("my_scale"))
    assert asked(importlib.reload(my_search).scaled) == first


def test_a_plug_in_is_loaded_once_and_one_that_fails_leaves_nothing(tmp_path):
    path = tmp_path / "plug.py"
    path.write_text(PLUGIN + "1 / 0\n")
    for _ in range(2):
        with pytest.raises(UsageError, match="ZeroDivisionError"):
            run("from_file", "quadratic", budget="40nfe", plugins=path)
    assert "from_file" not in METHODS
    path.write_text(PLUGIN)
    assert asked("from_file", plugins=path) == asked("from_file", plugins=["plug.py"])


def test_worker_processes_make_the_same_runs(tmp_path):
    path = tmp_path / "plug.py"
    path.write_text(PLUGIN)
    methods = ["from_file", RandomSearch(2)]
    common = {"budget": "60nfe", "seeds": [0, 1], "plugins": path}
    here = run(methods, "quadratic", out="here", **common)
    there = run(methods, "quadratic", out="there", jobs=2, **common)
    assert [r.done for r in there.runs] == [True] * 4
    columns = ["run_id", "seed", "method", "lam.a", "lam.b", "objective"]
    assert here.frame[columns].equals(there.frame[columns])
    assert all(r.run["jobs"] >= 2 for r in there.runs), "others of this machine count too"
    (one,) = run("random", "quadratic", budget="60nfe", out="one", engine="local").runs
    assert one.done


def test_worker_processes_are_for_the_main_thread():
    caught = []

    def call():
        try:
            run("random", "quadratic", budget="60nfe", jobs=2)
        except UsageError as error:
            caught.append(str(error))

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert caught == ["jobs: expected a call from the main thread; leave out jobs and engine"]


def test_progress_is_shown_where_it_is_asked_for(capsys, monkeypatch):
    run("default", "quadratic", budget="40nfe", out="a", quiet=False)
    assert "default seed 0: search" in capsys.readouterr().err
    run("default", "quadratic", budget="40nfe", out="b")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.ps1", ">>> ", raising=False)  # an interactive session
    run("default", "quadratic", budget="40nfe", out="c")
    assert "default seed 0: search" in capsys.readouterr().err


def test_a_failed_run_is_a_row_until_it_is_run_again():
    first = run([raises, "default"], "quadratic", budget="40nfe")
    assert list(first.frame["status"]) == ["failed", "ok"]
    assert [r.run["spec"]["method"] for r in first.failed] == ["raises"]
    record = first.failed[0].folder / "run.json"
    stamp = record.stat().st_mtime_ns
    assert run(raises, "quadratic", budget="40nfe").failed
    assert record.stat().st_mtime_ns == stamp
    assert run(raises, "quadratic", budget="40nfe", retry_failed=True).failed
    assert record.stat().st_mtime_ns != stamp


def test_results_are_frames_tables_plots_and_a_page():
    results = run("random,grid", ["quadratic", "tilted"], budget="300nfe", seeds=range(2))
    assert len(results) == len(results.frame) == 8
    assert not results.failed
    assert [t.title for t in results.tables()] == [
        "quadratic, toy, budget 300nfe",
        "tilted, toy, budget 300nfe",
    ]
    history = results.history()
    assert len(history) == sum(len(r.proposals) for r in results.runs)
    last = history.groupby("run_id", sort=False).last()
    expected = results.frame.set_index("run_id")["lam.a"]
    np.testing.assert_array_equal(last["lam.a"], expected)  # nan where a task has no such axis
    figure = results.plot("where_time_went", table=1)
    assert isinstance(figure, Figure)
    # what Jupyter asks for where no backend of pyplot draws
    assert figure._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match="unknown plot 'where_time_wen'; did you mean"):
        results.plot("where_time_wen")
    with pytest.raises(UsageError, match="table 2: expected the number of a table, of 0: quadrat"):
        results.plot("where_time_went", 2)
    folders = results.report("report")
    assert all((folder / "report.html").is_file() for folder in folders)
    assert len(folders) == 2
    assert repr(results).count("Method") == 2
    loaded = load_results()
    assert sorted(loaded.frame["run_id"]) == sorted(results.frame["run_id"])


def test_another_folder_than_that_of_the_runs_is_told_which_is_meant(tmp_path):
    results = run("default", "quadratic", budget="40nfe")
    one = next(iter(results.runs)).folder
    runs = tmp_path / "results" / "runs"
    for folder in (one, one.parent, one.parent.parent):
        with pytest.raises(UsageError, match=f"give the folder above: {runs}$"):
            load_results(folder)
    with pytest.raises(UsageError, match=f"give the folder in it: {runs}$"):
        load_results(tmp_path / "results")
    results.report("report", formats="md,csv")
    assert not Path("report/report.html").exists()
    with pytest.raises(UsageError, match="it holds a report, so give the folder of the runs"):
        load_results("report")


def test_what_a_notebook_shows_is_the_reports_table_and_escapes_what_others_wrote():
    results = run(["default", raises], "quadratic", budget="40nfe")
    shown = results._repr_html_()
    (folder,) = results.report("report")
    table = shown[shown.index("<table>") : shown.index("</table>")]
    assert table in (folder / "report.html").read_text()
    assert "&lt;b&gt;no &amp; never&lt;/b&gt;" in shown
    assert "<b>no" not in shown
    assert "failed: raises, seed 0: ValueError: <b>no & never</b>" in repr(results)


def test_results_of_nothing():
    empty = benchmark.Results([])
    assert len(empty) == len(empty.frame) == len(empty.history()) == 0
    assert repr(empty) == "no runs"
    assert empty._repr_html_() == "<p>no runs</p>"


def test_every_public_name_has_a_docstring_of_its_own():
    assert set(benchmark.__all__) == set(dir(benchmark)) == {*benchmark._WHERE, "__version__"}
    for name, module in benchmark._WHERE.items():
        thing = getattr(benchmark, name)
        if inspect.isclass(thing) or inspect.isroutine(thing):
            text = vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__
            assert text, name
            assert not text.startswith(f"{name}("), f"{name}: made by dataclass"
        else:
            source = Path(importlib.import_module(module).__file__).read_text()
            body = ast.parse(source).body
            (k,) = (
                k
                for k, node in enumerate(body)
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
            )
            assert isinstance(body[k + 1].value, ast.Constant), name


def test_help_says_what_every_argument_is():
    text = inspect.getdoc(run)
    for name in inspect.signature(run).parameters:
        assert f"\n{name}: " in text, name


USER = """
from benchmark import Budget, Results, UsageError, load_results, run
from methods.random_search import RandomSearch
from tasks.quadratic import Quadratic

try:
    found: Results = run(
        ["grid", RandomSearch(trials=3)], Quadratic(rate=0.4), budget=Budget(300, "nfe"),
        seeds=range(3), options={"grid.per_axis": 3}, marks=["60nfe"], out="runs",
    )
    run("random", ["quadratic", Quadratic], budget=60, seeds=[0, 1], jobs=2, quiet=True)
    print(found.frame.shape, len(found.history()), [t.title for t in found.tables()])
    found.plot("where_time_went").savefig("time.png")
    load_results("runs").report("report")
except UsageError as error:
    print(error)
"""


def test_a_users_script_is_type_checked(tmp_path, monkeypatch):
    # mypy does not follow the hooks of an editable installation
    monkeypatch.setenv("MYPYPATH", str(Path(__file__).parent.parent))
    mypy = pytest.importorskip("mypy.api", reason="mypy is installed with the extra [dev]")
    (tmp_path / "good.py").write_text(USER)
    (tmp_path / "bad.py").write_text("from benchmark import run\nrun('a', 'b', budget=[3])\n")
    words = ["--strict", "--no-incremental", "--follow-imports=silent", "--python-version=3.11"]
    config = ["--config-file", str(Path(__file__).parent.parent / "pyproject.toml")]
    out, _, _ = mypy.run([*words, *config, "good.py", "bad.py"])
    assert 'bad.py:2: error: Argument "budget" to "run" has incompatible type' in out
    assert not [line for line in out.splitlines() if line.startswith("good.py")], out
