"""Folders whose files cannot be locked, as on some network file systems."""

import errno
import fcntl
import os

import pytest

from benchmark.command.cli import main
from benchmark.command.parse import plan_from_text as plan
from benchmark.errors import StorageError
from benchmark.runs.drivers import driving
from benchmark.store.files import scratch_of
from benchmark.store.lease import Leases
from benchmark.store.store import Store

RUN = ["run", "--method", "random", "--task", "quadratic", "--budget", "100nfe", "--quiet", "--out"]


@pytest.fixture(params=[errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def no_locks(request, monkeypatch):
    def refuse(fd, operation):
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", refuse)
    return os.strerror(request.param)


@pytest.mark.parametrize("more", [[], ["--in-process"]])
def test_no_locks_are_one_line_with_the_folder_and_a_cure(more, no_locks, tmp_path, capsys):
    out = tmp_path / "runs"
    assert main([*RUN, str(out), *more]) == 2
    said = capsys.readouterr().err
    assert len(said.strip().splitlines()) == 1
    assert str(out) in said
    assert no_locks in said
    assert "choose another --out" in said
    assert list(out.iterdir()) == [], "nothing is stored, and no probe is left"


def test_locks_that_go_away_later_stop_the_suite(no_locks, tmp_path):
    (spec,) = plan("random", "quadratic", budget="100nfe")
    with pytest.raises(StorageError, match=no_locks), Store(tmp_path).lock(spec):
        pytest.fail("nobody may work without a lock")


def test_with_leases_a_folder_without_locks_has_no_engine(no_locks, tmp_path):
    (spec,) = plan("random", "quadratic", budget="100nfe")
    with driving("", [spec], Store(tmp_path, Leases(60.0))):
        pass
    with (
        pytest.raises(StorageError, match=no_locks),
        driving("", [spec], Store(tmp_path)),
    ):
        pytest.fail("nobody may work without a lock")


def test_a_lock_that_another_holds_is_no_error(tmp_path):
    (spec,) = plan("random", "quadratic", budget="100nfe")
    with Store(tmp_path).lock(spec) as first, Store(tmp_path).lock(spec) as second:
        assert first is not None
        assert second is None
    with Store(tmp_path).lock(spec) as third:
        assert third is not None


def test_two_processes_of_one_number_never_share_a_scratch_file(tmp_path, monkeypatch):
    """As in two containers on one folder."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert scratch_of(tmp_path / "run.json") != scratch_of(tmp_path / "run.json")
