"""A file is hashed once a suite, and again where it changed."""

import hashlib
import json
import os
import time

import pytest

from benchmark import hashed
from benchmark.hashed import digest, known, take
from tests.faults.test_methods import bench

LARGE, SMALL = b"a" * 2**20, b"a" * 1000


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(hashed, "_KNOWN", {})


@pytest.fixture
def read(monkeypatch):
    """How many files were read."""
    calls = []
    real = hashlib.file_digest
    monkeypatch.setattr(
        hashlib, "file_digest", lambda file, how: calls.append(file.name) or real(file, how)
    )
    return calls


def test_a_file_is_read_once_while_it_stays(tmp_path, read):
    path = tmp_path / "weights"
    path.write_bytes(SMALL)
    assert digest(path) == digest(path) == hashlib.sha256(SMALL).hexdigest()
    assert len(read) == 1


def test_a_process_knows_what_another_one_hands_on(tmp_path, read, monkeypatch):
    large, small = tmp_path / "large", tmp_path / "small"
    large.write_bytes(LARGE)
    small.write_bytes(SMALL)
    found = digest(large), digest(small)
    handed = json.loads(json.dumps(known()))
    assert [path for path, *_ in handed] == [str(large)]
    monkeypatch.setattr(hashed, "_KNOWN", {})
    take(handed)
    assert (digest(large), digest(small)) == found
    assert len(read) == 3


def change_in_place(path):
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    path.write_bytes(b"b" * 2**20)
    # whoever sets the time back is still seen
    os.utime(path, ns=times)


def replace(path):
    other = path.with_name("other")
    other.write_bytes(b"b" * 2**20)
    os.replace(other, path)


@pytest.mark.parametrize("change", [change_in_place, replace])
def test_a_file_that_changed_is_hashed_anew(change, tmp_path, monkeypatch):
    path = tmp_path / "weights"
    path.write_bytes(LARGE)
    digest(path)
    handed = known()
    # the clock of a file system ticks every few milliseconds
    time.sleep(0.02)
    change(path)
    monkeypatch.setattr(hashed, "_KNOWN", {})
    take(handed)
    assert digest(path) == hashlib.sha256(b"b" * 2**20).hexdigest()


LISTENS = """
import hashlib, os
from pathlib import Path
from benchmark import Proposal, register_method

real = hashlib.file_digest

def told(file, how):
    with Path(os.environ["HASHED"]).open("a") as log:
        log.write(f"{os.getpid()} {os.path.getsize(file.name)} {file.name}\\n")
    return real(file, how)

hashlib.file_digest = told

@register_method("listens")
def listens(problem, rng):
    lam, state = problem.space.default(), problem.init(0)
    yield Proposal(lam, state, problem.loss(state, lam))
"""


def test_the_runs_of_a_suite_hash_no_large_file_again(tmp_path):
    (tmp_path / "listens.py").write_text(LISTENS)
    words = ["run", "--plugin", tmp_path / "listens.py", "--method", "listens", "--marks="]
    words += ["--task", "reward_ft", "--lower", "guided", "--budget", "5s", "--seeds", "0-1"]
    words += ["--prompt", "a bold red seven on a white background"]
    for few in ("images=2", "steps=2", "test_images=66"):
        words += ["--set", f"reward_ft.{few}"]
    done = bench(*words, cwd=tmp_path, HASHED=str(tmp_path / "log"))
    assert done.returncode == 0, done.stderr
    log = [line.split(maxsplit=2) for line in (tmp_path / "log").read_text().splitlines()]
    large = [(pid, name) for pid, size, name in log if int(size) >= 2**20]
    assert large
    # by one process, and each once
    assert len({pid for pid, _ in large}) == 1
    assert len({name for _, name in large}) == len(large)
