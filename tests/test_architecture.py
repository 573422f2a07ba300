"""Import directions, and the size of things."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import benchmark
from benchmark.plugins.sources import HARNESS

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "protocol",
    "space",
    "fitting",
    "options",
    "errors",
    "hashed",
    "names",
    "recorded",
    "registry",
    "seeds",
}  # what methods and tasks may use of the harness


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names)


def test_methods_and_tasks_use_only_the_waist():
    for folder in ("methods", "tasks"):
        for path in (ROOT / folder).rglob("*.py"):
            used = {m.split(".")[1] for m in imports(path) if m.startswith("benchmark.")}
            assert used <= ALLOWED, f"{path.name} imports {used - ALLOWED}"


def test_methods_know_no_task_and_tasks_no_method():
    for folder, other in (("methods", "tasks"), ("tasks", "methods")):
        for path in (ROOT / folder).rglob("*.py"):
            assert not [m for m in imports(path) if m.split(".")[0] == other], path.name


def test_the_harness_names_no_method_and_no_task():
    toys = {"quadratic", "tilted", "kinds"}
    names = {"bilevel", "bayesian", "reward_ft", "grid_search", "random_search"} | toys
    for path in (ROOT / "benchmark").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        words = {
            n.value
            for n in ast.walk(tree)
            if isinstance(n, ast.Constant) and isinstance(n.value, str)
        }
        found = words & names - (toys if path.parent.name == "check" else set())
        assert not found, f"{path.name} names {found}"
        assert not [m for m in imports(path) if m.split(".")[0] in ("methods", "tasks")], path.name


ROOMS = {
    "plugins": set(),
    "store": set(),
    "search": {"store"},
    "runs": {"plugins", "search", "store"},
    "report": {"plugins", "store"},
    "check": {"report", "search", "store"},
    "metrics": {"report", "runs", "store"},
    "export": {"report", "store"},
    "command": {"check", "export", "metrics", "plugins", "report", "runs", "store"},
    "api": {"command", "export", "metrics", "plugins", "report", "runs", "store"},
}  # by room of benchmark/, the others that it may use besides the waist at the top


def test_each_room_uses_only_the_rooms_below_it():
    """So that the store computes nothing, a report runs nothing, and a search knows no report."""
    folder = ROOT / "benchmark"
    assert {p.parent.name for p in folder.glob("*/__init__.py")} == set(ROOMS)
    for room, below in ROOMS.items():
        for path in (folder / room).rglob("*.py"):
            used = {m.split(".")[1] for m in imports(path) if m.startswith("benchmark.")}
            assert used & set(ROOMS) <= {room, *below}, path


def test_help_and_list_import_nothing_heavy():
    code = (
        "import sys; from benchmark.command.cli import main\n"
        "main(['list'])\n"
        "slow = {'torch', 'pandas', 'scipy', 'matplotlib', 'skopt', 'diffusers'}\n"
        "heavy = slow & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)


def test_files_stay_small():
    for folder in ("benchmark", "methods", "tasks"):
        for path in (ROOT / folder).rglob("*.py"):
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path.name


def test_no_class_name_twice():
    """A reader who searches for a name finds one thing."""
    places = defaultdict(list)
    for folder in ("benchmark", "methods", "tasks"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(path.relative_to(ROOT).as_posix())
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_the_modules_of_a_runs_identity_are_there():
    """One that is missing would be hashed as an empty file."""
    for name in HARNESS:
        assert (ROOT / "benchmark" / f"{name}.py").is_file(), name


def test_no_pickle_anywhere():
    for folder in ("benchmark", "methods", "tasks"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not {"pickle", "joblib", "shelve", "marshal"} & {
                m.split(".")[0] for m in imports(path)
            }
            for call in re.findall(r"torch\.load\([^)]*\)", path.read_text(encoding="utf-8")):
                assert "weights_only=True" in call


def test_no_module_hides_a_public_name():
    """An imported submodule is an attribute of its package, and comes before `__getattr__`."""
    modules = {p.stem for p in (ROOT / "benchmark").iterdir() if p.is_dir() or p.suffix == ".py"}
    assert not modules & set(benchmark.__all__)
