"""Command lines, suite files and run files at random: exit status 0, 1 or 2, one line of
explanation, nothing left about.
"""

import contextlib
import io
import json
import os
import random
import shutil

import pytest

from benchmark.command.cli import main
from tests.faults.size import FUZZED

JUNK = (
    "",
    " ",
    "-",
    "--",
    "-1",
    "0",
    "1e999",
    "nan",
    "inf",
    "2**70",
    "9" * 400,
    "é",
    "\u202e",
    "a\nb",
    "\x00",
    "../x",
    "/",
    "~",
    "{}",
    "[",
    "%s%n",
    "quadratic",
    "tilted",
    "reward",
    "grid",
    "random,grid",
    "all,",
    ",",
    "bilevel",
    "5nfe",
    "5s",
    "1h",
    "0-",
    "3-1",
    "0-99999999999",
    "1,,2",
    "random.trials=3",
    "random.trials=x",
    "grid.per_axis=1",
    "x.y=z",
    "=",
    "a=b",
    "md,pdf",
    "objective",
    "--quiet",
    "--help-me",
    "runs",
    "suite.toml",
    "cuda:99",
    "cpu",
    "\ud800",
    "'; rm",
    "x" * 5000,
)
GOOD = (
    [
        "run",
        "--method",
        "random",
        "--task",
        "quadratic",
        "--budget",
        "60nfe",
        "--seeds",
        "0",
        "--marks",
        "30nfe",
        "--out",
        "runs",
        "--set",
        "random.trials=2",
        "--in-process",
        "--quiet",
    ],
    ["run", "suite.toml", "--out", "runs", "--in-process", "--quiet"],
    [
        "run",
        "--method",
        "grid",
        "--task",
        "tilted",
        "--budget",
        "4nfe",
        "--preset",
        "toy",
        "--dry-run",
    ],
    [
        "report",
        "runs",
        "--format",
        "md,csv",
        "--at",
        "30nfe",
        "--metric",
        "objective",
        "--out",
        "runs/report",
    ],
    ["list", "grid"],
    ["verify", "runs"],
    ["check", "nobody"],
    ["fetch", "nothing", "--data-dir", "runs"],
)
SUITE = (
    '[defaults]\ntask = "quadratic"\nbudget = "5nfe"\n'
    '[[runs]]\nmethod = "random"\nseeds = "0"\nset.random.trials = 2\n'
)
OUTPUT = ("runs", "report")


def call(words):
    """(exit status, standard error) of a command; SystemExit is argparse's --help."""
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        try:
            status = main(words)
        except SystemExit as end:
            status = int(end.code or 0)
    return status, said.getvalue()


def well_behaved(words):
    status, said = call(words)
    assert status in (0, 1, 2), (words, status, said)
    assert "Traceback" not in said, (words, said)
    if status == 2:
        assert said.startswith("bench: "), (words, said)
        assert len(said.splitlines()) == 1, (words, said)
        assert len(said) > 20, (words, said)
    return status


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with some runs and a suite file, and no way out by relative names."""
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    (folder / "suite.toml").write_text(SUITE)
    assert call(GOOD[0])[0] == 0
    yield folder
    for root, names in ((tmp_path, {"a"}), (tmp_path / "a", {"b", "x"})):
        assert {p.name for p in root.iterdir()} <= names, "a file lies outside the output folder"


def mutated(rng, words):
    words = list(words)
    for _ in range(rng.randint(1, 3)):
        kind, at = rng.randrange(4), rng.randrange(1, len(words) + 1)
        if kind == 0 and len(words) > 1:
            words.pop(min(at, len(words) - 1))
        elif kind == 1:
            words.insert(at, rng.choice(JUNK))
        else:
            words[min(at, len(words) - 1)] = rng.choice(JUNK)
    return words


def harmless(words):
    """No search of an hour and no download, which are no faults."""
    return not ({"mnist", "1h"} & set(words)) and "--out" not in words[-1:]


def test_command_lines(here):
    rng, statuses = random.Random(1), {0: 0, 1: 0, 2: 0}
    before = {p.name for p in here.iterdir()}
    for _ in range(FUZZED):
        words = mutated(rng, rng.choice(GOOD))
        if harmless(words):
            statuses[well_behaved(words)] += 1
        out = [words[k + 1] for k, w in enumerate(words[:-1]) if w == "--out"]
        for name in {p.name for p in here.iterdir()} - before:
            asked = (
                any(os.path.normpath(o).split(os.sep)[0] in (name, "..") for o in out if o)
                or name == "results"
            )
            assert asked, (words, name)
            path = here / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert min(statuses[0], statuses[2]) > FUZZED / 50
    print(f"\ncommand lines by exit status: {statuses}")


def damaged(rng, text):
    data = bytearray(text.encode())
    for _ in range(rng.randint(1, 2)):
        kind, at = rng.randrange(5), rng.randrange(len(data) + 1)
        if kind == 0:
            del data[at : at + rng.randint(1, 40)]
        elif kind == 1:
            data[at:at] = rng.choice(JUNK).encode("utf-8", "surrogatepass")
        elif kind == 2:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 3:
            data[at:at] = data[at : at + rng.randint(1, 200)]
        else:
            del data[at:]
        data = data or bytearray(b" ")
    return bytes(data)


def test_suite_files(here):
    rng, statuses = random.Random(2), {0: 0, 1: 0, 2: 0}
    for _ in range(FUZZED):
        (here / "suite.toml").write_bytes(damaged(rng, SUITE))
        statuses[well_behaved(["run", "suite.toml", "--out", "runs", "--dry-run"])] += 1
    assert min(statuses[0], statuses[2]) > FUZZED / 50
    print(f"\nsuite files by exit status: {statuses}")


def shuffled(rng, value):
    """The same JSON with a value somewhere replaced by another kind of thing."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = rng.choice(sorted(value))
        return {**value, key: shuffled(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.7:
        k = rng.randrange(len(value))
        return [*value[:k], shuffled(rng, value[k]), *value[k + 1 :]]
    return rng.choice(
        [None, -1, 1e300, "text", [], {}, [1, 2], {"a": 1}, True, "NaN", "../../x", 10**400]
    )


def test_run_files(here):
    rng, statuses = random.Random(3), {0: 0, 1: 0, 2: 0}
    (run,) = here.glob("runs/*/*/*/run.json")
    whole = {
        name: (run.parent / name).read_text()
        for name in ("run.json", "final.json", "proposals.jsonl", "trials.jsonl")
    }
    for _ in range(FUZZED):
        name = rng.choice(sorted(whole))
        if rng.random() < 0.5:
            (run.parent / name).write_bytes(damaged(rng, whole[name]))
        else:
            lines = [
                json.dumps(
                    shuffled(
                        rng,
                        json.loads(whole[name].splitlines()[0] if "jsonl" in name else whole[name]),
                    )
                )
            ]
            (run.parent / name).write_text("\n".join(lines))
        export = [
            "export",
            "runs",
            "--replace",
            "--to",
            *rng.choice([["csv"], ["optuna", "j.log"]]),
        ]
        for words in (["report", "runs", "--format", "md,csv"], ["verify", "runs"], export):
            if words[0] == "verify" or rng.random() < 0.25:  # a report that works draws pictures
                statuses[well_behaved(words)] += 1
        for n, text in whole.items():
            (run.parent / n).write_text(text)
    assert min(statuses[0], statuses[1] + statuses[2]) > FUZZED / 50
    print(f"\nrun files by exit status: {statuses}")
