"""Plug-in files with modules beside them: found, part of a run's identity, and named where
something is wrong.
"""

import json
import shutil
import sys
from importlib.metadata import EntryPoint, version

import pytest

from benchmark import UsageError, record_version
from benchmark.command.parse import plan_from_text as plan
from benchmark.device import environment
from benchmark.plugins.load import load_plugin
from benchmark.registry import METHODS, TASKS, Registry
from tests.test_cli import bench

METHOD = """
from benchmark import Proposal, fit, register_method
{imports}

@register_method("mine")
def mine(problem, rng):
    {inside}
    yield fit(problem, problem.space.default() * {factor}, 0)
"""


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    """What a plug-in leaves behind in this process."""
    for registry in (METHODS, TASKS):
        registry.complete()
        monkeypatch.setattr(registry, "entries", dict(registry.entries))
    monkeypatch.setattr("benchmark.plugins.load._HELPERS", {})
    monkeypatch.setattr("benchmark.device._PACKAGES", ["numpy"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if "/pytest-of-" in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def write(folder, imports="", inside="pass", factor="0.9", **helpers):
    folder.mkdir(exist_ok=True)
    path = folder / "my_method.py"
    path.write_text(METHOD.format(imports=imports, inside=inside, factor=factor))
    for name, text in helpers.items():
        target = folder / (name.replace("__in__", "/") + ".py")
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)
    return path


def files(path):
    load_plugin(path)
    return sorted(METHODS.files("mine"))


def run_id(path):
    """In a process of its own a plug-in is loaded anew; here it is forgotten first."""
    METHODS.entries.pop("mine", None)
    for name in [
        n
        for n, m in sys.modules.items()
        if str(getattr(m, "__file__", "")).startswith(str(path.parent))
    ]:
        del sys.modules[name]
    shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)
    load_plugin(path)
    (spec,) = plan("mine", "quadratic", budget="50nfe")
    return spec.run_id


def test_a_plug_in_without_helpers_keeps_its_identity(tmp_path):
    path = write(tmp_path / "a", "import json", json="1 / 0", unused="x = 1")
    first = run_id(path)
    (path.parent / "unused.py").write_text("x = 2")
    assert run_id(path) == first
    assert list(METHODS.files("mine")) == ["method mine"]
    elsewhere = write(tmp_path / "b", "import json")
    assert run_id(elsewhere) == first, "wherever it lies"


def test_a_run_finds_the_helper_in_its_own_process(tmp_path):
    """Nor does what lies beside it shadow the suite's tasks or the standard library."""
    folder = tmp_path / "plugins"
    write(
        folder,
        "from scale_of_mine import SCALE\nimport tasks, json\nassert tasks.TABLE",
        factor="SCALE",
        scale_of_mine="SCALE = 0.5",
        tasks="1 / 0",
        json="1 / 0",
    )
    words = [
        "run",
        "--plugin",
        "plugins/my_method.py",
        "--method",
        "mine",
        "--task",
        "quadratic",
        "--budget",
        "50nfe",
    ]
    done = bench(*words, "--out", "runs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (stored,) = tmp_path.glob("runs/quadratic/mine/*/run.json")
    spec = json.loads(stored.read_text())["spec"]
    assert set(spec["fingerprint"]) == {"suite", "task code", "method code"}
    assert "1 of 1 runs are stored already" in bench(*words, "--out", "runs", cwd=tmp_path).stderr
    (folder / "scale_of_mine.py").write_text("SCALE = 0.25")
    again = bench(*words, "--out", "runs", cwd=tmp_path)
    assert "stored already" not in again.stderr
    assert len(list(tmp_path.glob("runs/quadratic/mine/*/run.json"))) == 2


def test_an_edited_helper_gives_another_run(tmp_path):
    path = write(
        tmp_path, "import helper_a", helper_a="import helper_b", helper_b="X = 1", other="Y = 1"
    )
    first = run_id(path)
    (tmp_path / "other.py").write_text("Y = 2")
    assert run_id(path) == first
    (tmp_path / "helper_b.py").write_text("X = 2")
    assert run_id(path) != first
    (tmp_path / "helper_b.py").write_text("X = 1")
    assert run_id(path) == first


def test_a_helper_that_changed_before_the_run_began_is_refused(tmp_path):
    """The worker compares what it loads with what was planned."""
    from benchmark.runs.worker import changed_files

    path = write(tmp_path, "import helper_c", helper_c="X = 1")
    load_plugin(path)
    (spec,) = plan("mine", "quadratic", budget="50nfe")
    assert changed_files(spec) == []
    (tmp_path / "helper_c.py").write_text("X = 2")
    assert changed_files(spec) == ["method code"]


@pytest.mark.parametrize(
    ("write_", "expected"),
    [
        (
            {
                "inside": "import later_one",
                "later_one": "def f():\n    import later_two",
                "later_two": "",
            },
            ["later_one.py", "later_two.py"],
        ),
        (
            {
                "imports": "from pack_one import part",
                "pack_one__in____init__": "",
                "pack_one__in__part": "from . import deep",
                "pack_one__in__deep": "",
                "pack_one__in__not_used": "",
            },
            ["pack_one/__init__.py", "pack_one/deep.py", "pack_one/part.py"],
        ),
        (
            {
                "imports": "import importlib; importlib.import_module('by_name_one')",
                "by_name_one": "",
            },
            ["by_name_one.py"],
        ),
        (
            {
                "imports": "import sys, pathlib\n"
                "sys.path.append(str(pathlib.Path(__file__).parent / 'lib'))\nimport far_one",
                "lib__in__far_one": "",
            },
            ["lib/far_one.py"],
        ),
    ],
    ids=["inside a function", "a package", "by name", "a path of its own"],
)
def test_what_counts_as_a_helper(write_, expected, tmp_path):
    assert files(write(tmp_path, **write_)) == [
        "method mine",
        *(f"method mine: {name}" for name in expected),
    ]


def test_a_method_that_a_helper_defines_has_both_files(tmp_path):
    write(tmp_path).rename(tmp_path / "defines_it.py")
    path = tmp_path / "registers_it.py"
    path.write_text("import defines_it")
    assert files(path) == ["method mine", "method mine: registers_it.py"]


def test_what_has_no_file_of_its_own_has_that_of_its_plug_in(tmp_path):
    path = tmp_path / "partly.py"
    path.write_text(
        "from functools import partial\nfrom benchmark import register_method\n"
        "def f(k, problem, rng):\n    yield\nregister_method('mine')(partial(f, 1))\n"
    )
    assert files(path) == ["method mine"]


def test_helpers_of_one_name_in_two_plug_ins_are_an_error(tmp_path):
    first = write(tmp_path / "a", "import same_name", same_name="X = 1")
    second = write(tmp_path / "b", "import same_name", same_name="X = 2")
    second.write_text(second.read_text().replace('"mine"', '"yours"'))
    load_plugin(first)
    with pytest.raises(
        UsageError, match=r"'same_name' beside it is hidden by .*/a/same_name.py of another plug-in"
    ):
        load_plugin(second)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import os\ndef f(:\n", "SyntaxError: invalid syntax (bad.py, line 2)"),
        (
            "import os\n\nimport no_such_thing\n",
            "ModuleNotFoundError: No module named 'no_such_thing' (bad.py, line 3)",
        ),
        ("import json\njson.loads('{')\n", "(bad.py, line 2)"),
        (
            "import broken_helper\n",
            "ZeroDivisionError: division by zero (broken_helper.py, line 2)",
        ),
        ("import garbled_helper\n", "(garbled_helper.py, line 1)"),
    ],
)
def test_what_is_wrong_with_a_plug_in_has_a_file_and_a_line(text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.py").write_text(text)
    (tmp_path / "broken_helper.py").write_text("\n1 / 0")
    (tmp_path / "garbled_helper.py").write_text("def (")
    with pytest.raises(UsageError) as error:
        load_plugin(tmp_path / "bad.py")
    assert str(error.value).endswith(message)


def test_the_check_says_where_an_import_failed(tmp_path):
    path = write(tmp_path, inside="import no_such_thing")
    done = bench("check", "mine", "--plugin", path.name, cwd=tmp_path)
    assert done.returncode == 1
    assert (
        "FAIL quadratic: it runs: ModuleNotFoundError: No module named 'no_such_thing' "
        "(my_method.py, line 7)" in done.stdout
    )


def test_a_plug_in_can_record_a_package(tmp_path):
    path = write(tmp_path, 'from benchmark import record_version; record_version("pytest")')
    assert "pytest" not in environment()
    load_plugin(path)
    assert environment()["pytest"] == version("pytest")
    with pytest.raises(
        UsageError, match=r"record_version\('no-such'\): expected the name of an installed package"
    ):
        record_version("no-such")


def test_the_record_of_a_run_has_it(tmp_path):
    write(tmp_path, 'from benchmark import record_version; record_version("pytest")')
    words = [
        "--plugin",
        "my_method.py",
        "--method",
        "mine",
        "--task",
        "quadratic",
        "--budget",
        "50nfe",
        "--out",
        "runs",
    ]
    assert bench("run", *words, cwd=tmp_path).returncode == 0
    (stored,) = tmp_path.glob("runs/quadratic/mine/*/run.json")
    assert json.loads(stored.read_text())["environment"]["pytest"] == version("pytest")


def test_an_installed_plug_in_is_recorded_by_itself(monkeypatch):
    class Dist:
        name = "pytest"

    point = EntryPoint("theirs", "json:dumps", "bench.methods")
    vars(point)["dist"] = Dist()
    monkeypatch.setattr("benchmark.registry.entry_points", lambda group: [point])
    registry = Registry(METHODS.about)
    registry.complete()
    assert "pytest" not in environment()
    registry.get("theirs")
    assert environment()["pytest"] == version("pytest")
