"""A user's own tasks.py or methods/ in the working directory: harmless where it can be, and one
line that names both where Python finds it first.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RUN = ["--method", "random", "--task", "quadratic", "--budget", "60nfe", "--out", "runs"]


def started(words, folder, path=ROOT):
    """A process in the folder; the suite is found by `path`, as if it were installed there."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(path), "PATH": "", "OMP_NUM_THREADS": "1"},
        check=False,
    )


def lay_out(folder, name):
    """A user's file or package of that name, which is none of the suite's business."""
    path = folder / name
    if name.endswith(".py"):
        path.write_text("raise SystemExit('the file of the user was run')\n")
    else:
        path.mkdir()
        (path / "__init__.py").write_text("raise SystemExit('the package of the user was run')\n")
    return path


@pytest.fixture(params=["tasks.py", "methods.py", "tasks", "methods"])
def hidden(request, tmp_path):
    return lay_out(tmp_path, request.param)


@pytest.mark.parametrize(
    "door",
    [
        ["-m", "benchmark"],
        ["-P", "-m", "benchmark"],
        ["-P", "-c", "import sys; from benchmark.command.cli import main; sys.exit(main())"],
    ],
    ids=["python -m", "python -P -m", "bench"],
)
def test_the_command_lists_and_runs_beside_it(door, hidden):
    """A script such as `bench` has its own folder first on its path, not the working directory."""
    listed = started([*door, "list"], hidden.parent)
    assert listed.returncode == 0, listed.stderr
    assert "quadratic" in listed.stdout
    done = started([*door, "run", *RUN], hidden.parent)
    assert done.returncode == 0, done.stderr
    assert len(list(hidden.parent.glob("runs/quadratic/random/*/final.json"))) == 1


def said(hidden):
    top = hidden.name.removesuffix(".py")
    return (
        f"module {top!r}: expected the suite's package {ROOT / top}, Python finds {hidden}; rename "
        "that one, or start in another folder"
    )


def test_from_python_it_is_one_error_that_names_both(hidden):
    done = started(["-c", "from benchmark import run"], hidden.parent)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == f"benchmark.errors.UsageError: {said(hidden)}"
    caught = (
        "from benchmark import UsageError\n"
        "try:\n    from benchmark import run\nexcept UsageError as error:\n    print(error)\n"
    )
    assert started(["-c", caught], hidden.parent).stdout.strip() == said(hidden)


def test_a_script_beside_it_is_to_be_moved_wherever_it_is_started(hidden, tmp_path_factory):
    (hidden.parent / "script.py").write_text("from benchmark import run\n")
    done = started([str(hidden.parent / "script.py")], tmp_path_factory.mktemp("elsewhere"))
    right = said(hidden).replace("or start in another folder", "or move the script")
    assert done.stderr.strip().splitlines()[-1] == f"benchmark.errors.UsageError: {right}"


@pytest.mark.parametrize("name", ["benchmark.py", "benchmark"])
def test_the_installed_command_runs_beside_a_users_benchmark(name, tmp_path):
    """Only `python -m benchmark` is theirs there: nothing of the suite is imported."""
    lay_out(tmp_path, name)
    door = ["-P", "-c", "import sys; from benchmark.command.cli import main; sys.exit(main())"]
    done = started([*door, "run", *RUN], tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("runs/quadratic/random/*/final.json"))) == 1


def test_a_command_that_finds_it_first_says_one_line(hidden):
    main = "import sys; from benchmark.command.cli import main; sys.exit(main(['list']))"
    done = started(["-c", main], hidden.parent)
    assert (done.returncode, done.stderr) == (2, f"bench: {said(hidden)}\n")


def test_a_worker_process_runs_none_of_it(tmp_path):
    """It appeared after the suite was imported, and the working directory is first on the path."""
    path = tmp_path / "tasks.py"
    script = (
        "import pathlib\nfrom benchmark import run\nimport tasks, methods\n"
        "pathlib.Path('tasks.py').write_text(\"raise SystemExit('the file of the user was "
        "run')\")\n"
        "run('random', 'quadratic', budget='60nfe', engine='local')\n"
    )
    done = started(["-c", script], tmp_path)
    assert "the file of the user was run" not in done.stdout
    assert done.stderr.strip().splitlines()[-1].endswith(said(path))
    assert not list(tmp_path.glob("results/runs/*/*/*/run.json")), "nobody's failed run"


def test_a_folder_without_code_hides_nothing(tmp_path):
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "notes.txt").write_text("to do")
    done = started(["-c", "from benchmark import run; print('fine')"], tmp_path)
    assert done.stdout.strip() == "fine"
