"""What the package needs is declared, and its wheel holds what a run needs and no recipe."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OWN = ("benchmark", "methods", "tasks")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_addresses_are_those_of_the_citation():
    cited = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert PROJECT["project"]["urls"]
    for address in PROJECT["project"]["urls"].values():
        assert address in cited


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def bounds():
    """The lower bound of each declared package, by its normal name."""
    found = {}
    for line in PROJECT["project"]["dependencies"]:
        name, _, bound = line.partition(">=")
        found[normal(name)] = bound
    return found


def imported():
    """Names of third-party packages that some file imports, each with one such file."""
    found = {}
    for folder in OWN:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names = [node.module]
                for top in {name.partition(".")[0] for name in names}:
                    found.setdefault(top, path.relative_to(ROOT))
    return {k: v for k, v in found.items() if k not in (*sys.stdlib_module_names, *OWN)}


def test_every_import_is_declared():
    extras = {n for lines in PROJECT["project"]["optional-dependencies"].values() for n in lines}
    declared = {*bounds(), *(normal(line.partition(">=")[0]) for line in extras)}
    distributions = packages_distributions()
    assert {"torch", "huggingface_hub", "PIL", "skopt"} <= set(imported())
    for name, path in imported().items():
        # of an extra that is not installed, the name alone is known
        known = {normal(d) for d in distributions.get(name, [name])}
        assert known & declared, f"{path} imports {name}; declare one of {known}"


def test_every_lower_bound_is_installed_or_lower():
    def parts(text):
        return [int(n) for n in re.findall(r"\d+", text.partition("+")[0])[:3]]

    for name, bound in bounds().items():
        assert bound, f"{name} has no lower bound"
        assert parts(bound) <= parts(version(name)), name


@pytest.fixture
def wheel(monkeypatch):
    """Files of a wheel by setuptools' own rules, without building one."""
    from setuptools.config.pyprojecttoml import apply_configuration
    from setuptools.dist import Distribution

    monkeypatch.chdir(ROOT)
    plain = Distribution({"script_name": "setup.py"})
    distribution = apply_configuration(plain, ROOT / "pyproject.toml")
    distribution.include_package_data = False  # else it writes a manifest here
    build = distribution.get_command_obj("build_py")
    build.ensure_finalized()
    modules = {Path(path) for _, _, path in build.find_all_modules()}
    data = {Path(folder) / name for _, folder, _, names in build.data_files for name in names}
    return {p.relative_to(ROOT) if p.is_absolute() else p for p in modules | data}


def test_the_wheel_has_no_recipe_no_test_and_no_speed_measurement(wheel):
    for path in wheel:
        assert path.parts[0] in OWN, path
        assert "recipe" not in path.parts, path
    assert list((ROOT / "tasks").rglob("recipe/*.py"))


def test_the_wheel_has_every_module_and_every_asset(wheel):
    for folder in OWN:
        for path in (ROOT / folder).rglob("*"):
            wanted = path.suffix == ".py" or "assets" in path.parts or path.name == "py.typed"
            if path.is_file() and wanted and "recipe" not in path.parts:
                assert path.relative_to(ROOT) in wheel, path
    for needed in ("benchmark/py.typed", "tasks/py.typed", "methods/py.typed"):
        assert Path(needed) in wheel


def test_no_class_name_stands_for_two_classes_of_methods_and_tasks():
    places = {}
    for folder in ("methods", "tasks"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    places.setdefault(node.name, []).append(path.relative_to(ROOT).as_posix())
    assert not {name: found for name, found in places.items() if len(found) > 1}
