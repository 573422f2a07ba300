"""Import directions, and the size of things."""

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "protocol",
    "space",
    "fitting",
    "options",
    "errors",
    "names",
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
    toys = {"quadratic", "tilted"}
    names = {"bilevel", "bayesian", "reward_ft", "grid_search", "random_search"} | toys
    for path in (ROOT / "benchmark").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        words = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
        found = words & names - (toys if path.parent.name == "check" else set())
        assert not found, f"{path.name} names {found}"
        assert not [m for m in imports(path) if m.split(".")[0] in ("methods", "tasks")], path.name


def test_report_runs_nothing_and_store_computes_nothing():
    assert "benchmark.runner" not in set(imports(ROOT / "benchmark" / "report.py")) | set(
        imports(ROOT / "benchmark" / "table.py")
    )
    assert not {"benchmark.stats", "benchmark.runner"} & set(imports(ROOT / "benchmark" / "store.py"))
    assert not {"benchmark.report", "benchmark.table"} & set(imports(ROOT / "benchmark" / "runner.py"))


def test_help_and_list_import_nothing_heavy():
    code = (
        "import sys; from benchmark.cli import main\n"
        "main(['list'])\n"
        "heavy = {'torch', 'pandas', 'scipy', 'matplotlib', 'skopt', 'diffusers'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)


def test_files_stay_small():
    for folder in ("benchmark", "methods", "tasks"):
        for path in (ROOT / folder).rglob("*.py"):
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 330, path.name


def test_no_pickle_anywhere():
    for folder in ("benchmark", "methods", "tasks"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not {"pickle", "joblib", "shelve", "marshal"} & {m.split(".")[0] for m in imports(path)}
            for call in re.findall(r"torch\.load\([^)]*\)", path.read_text(encoding="utf-8")):
                assert "weights_only=True" in call
