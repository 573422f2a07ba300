"""The command takes its caller's environment as it is: notebooks, other encodings, closed streams,
folders that are not there.
"""

import os
import re
import subprocess
import sys

import pytest

from tests.faults.size import FULL
from tests.test_cli import environment

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
AROUND = {
    "notebook": {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
    "no such backend": {"MPLBACKEND": "module://nowhere.at_all"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "ascii everywhere": ASCII,
    "posix": {"LC_ALL": "POSIX"},
    "LANG=C": {"LANG": "C"},
    "one column": {"COLUMNS": "1"},
    "columns are no number": {"COLUMNS": "wide"},
    "dumb terminal": {"TERM": "dumb", "NO_COLOR": "1"},
    "warnings are errors": {"PYTHONWARNINGS": "error"},
    "optimised": {"PYTHONOPTIMIZE": "2"},
    "no cache for fonts": {"MPLCONFIGDIR": "/proc/nowhere"},
    "no scratch folder": {"TMPDIR": "/nowhere"},
    "no home": {"HOME": None},
    "home is not there": {"HOME": "/nowhere"},
}
SOME = AROUND if FULL else ("notebook", "ascii everywhere", "warnings are errors", "no home")
CLOSED = {"stdin": "<&-", "stdout": ">&-", "stderr": "2>&-", "all": "<&- >&- 2>&-"}


def command(words, cwd, around, redirect=""):
    """Through a shell, which alone can close a stream."""
    given = environment() | {k: v for k, v in around.items() if v is not None}
    for name in ("PYTHONUTF8", "PYTHONIOENCODING", *(k for k, v in around.items() if v is None)):
        if around.get(name) is None:
            given.pop(name, None)
    return subprocess.run(
        ["sh", "-c", f'exec "$0" "$@" {redirect}', sys.executable, "-m", "benchmark", *words],
        cwd=cwd,
        env=given,
        capture_output=True,
        timeout=120,
        check=False,
    )


def both(cwd, around, redirect=""):
    """`bench run` and `bench report` of it: each ends with status 0, and its table is on the
    disk.
    """
    run = [
        "run",
        "--method",
        "random",
        "--task",
        "quadratic",
        "--budget",
        "100nfe",
        "--out",
        "runs",
    ]
    for words in (run, ["report", "runs"]):
        (cwd / "runs" / "report" / "table1.md").unlink(missing_ok=True)
        done = command(words, cwd, around, redirect)
        assert done.returncode == 0, done.stderr
        assert b"Traceback" not in done.stderr
        assert (cwd / "runs" / "report" / "table1.md").is_file()
        yield done


@pytest.mark.parametrize("name", SOME)
def test_the_table_comes_whatever_the_environment_says(name, tmp_path):
    for done in both(tmp_path, AROUND[name]):
        assert re.search(rb"^random +", done.stdout, re.M), done.stdout
        assert b"objective" in done.stdout


@pytest.mark.parametrize("name", CLOSED if FULL else ["all"])
def test_a_closed_stream_is_no_failure_and_no_file_takes_its_place(name, tmp_path):
    for done in both(tmp_path, {}, CLOSED[name]):
        assert (b"random" in done.stdout) == (name in ("stdin", "stderr"))
        assert b"bench:" not in done.stdout, "what belongs to a closed stderr goes nowhere"
    for path in (tmp_path / "runs").glob("*/*/*/*.json*"):
        assert path.read_bytes()[:1] == b"{", path


def test_arrows_have_stand_ins_of_one_character(tmp_path):
    first, _ = both(tmp_path, {"PYTHONIOENCODING": "ascii"})
    second = command(["report", "runs"], tmp_path, {"PYTHONIOENCODING": "utf-8"})
    table = second.stdout.decode()
    assert "↓" in table, "else this tests nothing"
    (whole,) = [line for line in table.splitlines() if "↓" in line]
    plain = whole.replace("↓", "v").replace("↑", "^")
    assert plain in first.stdout.decode("ascii").splitlines()


def test_who_imports_the_suite_keeps_backend_and_warnings():
    code = (
        "import warnings, matplotlib; matplotlib.rcParams['backend'] = 'svg'; "
        "warnings.simplefilter('error', UserWarning)\n"
        "import benchmark.report.drawing, benchmark.api.run\n"
        "assert matplotlib.rcParams._get_backend_or_none() == 'svg'\n"
        "assert ('error', None, UserWarning, None, 0) in warnings.filters\n"
    )
    environ = environment() | {"MPLBACKEND": "pdf"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert os.environ["MPLBACKEND"] == "Agg", "the tests' own"
