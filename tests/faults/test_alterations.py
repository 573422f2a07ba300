"""What `bench verify` sees of the ways to alter runs and their report: as they lie, after a new
report, and with new hashes.
"""

import json
import shutil

import numpy as np
import pytest

import benchmark.report.drawing
from benchmark.command.parse import plan_from_text as plan
from benchmark.errors import UsageError
from benchmark.report.report import report_folder
from benchmark.report.verify import verify
from benchmark.runs.runner import run_one
from benchmark.store.seal import sealed
from benchmark.store.store import Store
from benchmark.store.writer import Writer
from tests.faults.alterations import FINAL, FOLDER, PROPOSALS, RECORD, REPORT, TRIALS, edit

FORMATS = ("md", "csv", "latex", "html")
RESEALED = {
    "a trial loss": "what the task answered, which no other number repeats",
    "a trial steps": "the same of the steps of a state",
    "error": "what a finished run says of itself",
    "nfe less by one": "within the budget, and nothing counts twice",
    "seconds from setup to warmup": "no account of the budget",
    "calls": "a number that no other depends on",
    "memory": "a number that no other depends on",
    "memory of": "what a run says of its machine",
    "notes": "what a run says of itself",
    "jobs": "what a run says of its machine",
    "resumed": "what a run says of itself",
    "processors": "what a run says of its machine",
    "versions": "what a run says of its machine",
    "ended by": "what a run says of itself",
    "counted": "what a run says of itself",
    "hashes taken out": "the hashes are new",
    "a hash taken out": "the hashes are new",
    "another hash": "the hashes are new",
    "status ok": "it changes no number",
    "last objective": "within its range",
    "objective of a mark": "within its range",
    "objective -1e9": "F may be negative",
    "fid added": "within its range",
    "loss": "measured anew at the end",
    "loss of a mark": "measured anew at the end",
    "passport": "what a measurement says of itself",
    "curves": "what a measurement says of itself",
    "references": "what a measurement says of itself",
    "a measurement taken out": "a mark that nobody asks for",
    "first line out": "an answer before the last",
    "middle line out": "an answer before the last",
    "line twice": "the same answer again",
    "a blank line": "no line",
    "line loss": "measured anew at the end",
    "samples gone": "a picture",
    "samples changed": "a picture",
    "run gone": "nobody knows of it",
}
"""Alterations that may pass where the run's hashes and the report are made again: without a
signature nothing tells, but for what contradicts itself.
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Two methods, three seeds, with samples; and their report, with pictures."""
    root = tmp_path_factory.mktemp("alterations") / "runs"
    store = Store(root)
    for spec in plan("default,random", "quadratic", budget="200nfe", seeds="0-2", marks=["100nfe"]):
        assert run_one(spec, store, quiet=True) != "failed"
        folder = store.folder(spec)
        tests = json.loads((folder / "final.json").read_text())["tests"]
        writer = Writer.__new__(Writer)
        writer.folder, writer._hold = folder, lambda: None
        writer.final(tests, [np.zeros((2, 4, 4, 3), np.uint8) for _ in tests])
        edit(
            folder / "run.json", lambda record, folder=folder: record.update(sealed(record, folder))
        )
    report_folder(root, formats=FORMATS)
    assert [problem for _, problem in verify(root) if problem] == []
    return root


@pytest.fixture
def altered(base, tmp_path, monkeypatch):
    """What verify says of a copy that was altered: (problems, whether something is unsealed)."""
    monkeypatch.setattr(benchmark.report.drawing, "draw", lambda table, folder: ([], []))

    def look(alter, again, reseal=False):
        root = tmp_path / "runs"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(base, root)
        folder = sorted(root.glob("*/random/*/run.json"))[0].parent
        alter(root, folder)
        try:
            if reseal and folder.exists():
                edit(folder / "run.json", lambda record: record.update(sealed(record, folder)))
            if again:
                report_folder(root, formats=FORMATS)
        except (UsageError, ValueError) as error:
            return [str(error)], False
        found = list(verify(root))
        return [p for _, p in found if p], any("unsealed" in what for what, _ in found)

    return look


def of_runs():
    for name, change in RECORD.items():
        yield name, lambda root, folder, change=change: edit(folder / "run.json", change)
    for name, change in FINAL.items():
        yield name, lambda root, folder, change=change: edit(folder / "final.json", change)
    for name, change in PROPOSALS.items():
        yield name, lambda root, folder, change=change: change(folder / "proposals.jsonl")
    for name, change in TRIALS.items():
        yield name, lambda root, folder, change=change: change(folder / "trials.jsonl")
    for name, change in FOLDER.items():
        yield name, lambda root, folder, change=change: change(folder)


def of_reports():
    for name, (file, change) in REPORT.items():
        yield name, lambda root, folder, file=file, change=change: change(root / "report" / file)


def passed(altered, every, again, reseal=False):
    """Names of those that nothing was said of, and how many there were."""
    found, count = set(), 0
    for name, alter in every:
        count += 1
        problems, unsealed = altered(alter, again, reseal)
        if not problems and not unsealed:
            found.add(name)
    return found, count


def test_whatever_is_altered_in_place_is_seen(altered):
    found, count = passed(altered, [*of_runs(), *of_reports()], again=False)
    print(
        f"\naltered in place: {count - len(found)} of {count} are seen; not: "
        f"{', '.join(sorted(found)) or '-'}"
    )
    assert count >= 100
    assert found == set()


def test_a_run_that_was_altered_is_seen_after_a_new_report_too(altered):
    """A run that is gone for good cannot be: nobody knows of it."""
    found, count = passed(altered, of_runs(), again=True)
    print(
        f"\naltered, then reported: {count - len(found)} of {count} are seen; not: "
        f"{', '.join(sorted(found)) or '-'}"
    )
    assert found == {"run gone"}


def test_with_new_hashes_only_what_contradicts_itself_is_seen(altered):
    found, count = passed(altered, of_runs(), again=True, reseal=True)
    print(
        f"\naltered, sealed and reported: {count - len(found)} of {count} are seen; not: "
        f"{', '.join(sorted(found))}"
    )
    assert found <= set(RESEALED), "seen before"
    assert count - len(found) >= 50


@pytest.mark.parametrize("formats", [FORMATS, ("csv", "latex")])
def test_a_seed_that_was_moved_out_while_the_report_was_made_is_seen(
    base, tmp_path, monkeypatch, formats
):
    """In a report without a footnote too."""
    monkeypatch.setattr(benchmark.report.drawing, "draw", lambda table, folder: ([], []))
    root = tmp_path / "runs"
    shutil.copytree(base, root, ignore=shutil.ignore_patterns("report"))
    bad = sorted(root.glob("*/*/*/run.json"))[0].parent
    shutil.move(bad, tmp_path / "bad")
    report_folder(root, formats=formats)
    assert dict(verify(root))["table report"] == ""
    shutil.move(tmp_path / "bad", bad)
    assert (
        "1 stored runs of the same set are left out without a word"
        in dict(verify(root))["table report"]
    )
