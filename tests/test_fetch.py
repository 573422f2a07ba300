"""`bench fetch`, from a server on this machine: what is kept, what is refused, and that nothing
half is left.
"""

import gzip
import os
import socket
import time
from contextlib import contextmanager

import pytest
from torchvision.datasets import MNIST

from benchmark.command.cli import main
from tasks.files import idx
from tasks.files import mnist as fetch
from tests.fake_mnist import SHAPES, content, lay_out, packed, resources, table
from tests.serving import Silent, serving

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
GENUINE = dict(MNIST.resources)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(idx.VARIABLE, raising=False)
    monkeypatch.setattr(idx, "MNIST", table())
    monkeypatch.setattr(MNIST, "resources", resources())


@contextmanager
def mirror(answer):
    """A server; answer: from a file's name to (status, declared length, pieces). Yields its address
    and what was asked.
    """
    asked = []

    class Handler(Silent):
        def do_GET(self):
            name = self.path.rpartition("/")[2].removesuffix(".gz")
            asked.append(name)
            status, length, pieces = answer(name)
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            try:
                for piece in pieces:
                    self.wfile.write(piece)
                    self.wfile.flush()
            except OSError:
                pass  # the other side hung up, which is what some tests are about

    with serving(Handler) as address:
        yield f"{address}/mnist", asked


def whole(data):
    return 200, len(data), [data]


def good(name):
    return whole(packed(name))


def altered(name):
    data = bytearray(packed(name))
    data[-9] ^= 1
    return whole(bytes(data))


def short(name):
    return 200, len(packed(name)), [packed(name)[:-7]]


def cut(name):
    return whole(packed(name)[:-7])


def longer(name):
    return 200, 10**12, [packed(name) + bytes(1 << 20)]


def absent(_):
    return 404, 0, []


def silent(name):
    def pieces():
        yield packed(name)[:5]
        time.sleep(3)

    return 200, len(packed(name)), pieces()


def dripping(name):
    def pieces():
        for k in range(len(packed(name))):
            time.sleep(0.1)
            yield packed(name)[k : k + 1]

    return 200, len(packed(name)), pieces()


SIZE = len(packed(LABELS))
BAD = {
    "truncated": (short, f"sent {SIZE - 7} of {SIZE} bytes"),
    "cut": (cut, f"sent {SIZE - 7} of {SIZE} bytes"),
    "longer": (longer, f"sent more than the expected {SIZE} bytes"),
    "altered": (altered, "sent another file: expected MD5"),
    "absent": (absent, "answered 404 Not Found"),
    "silent": (silent, "broke off (TimeoutError"),
    "dripping": (dripping, "broke off (TimeoutError"),
}


def files(root):
    return sorted(str(p.relative_to(root)) for p in root.rglob("*"))


@pytest.mark.usefixtures("loopback")
def test_fetched_files_are_genuine_and_kept(tmp_path, monkeypatch, capsys):
    with mirror(good) as (url, asked):
        assert main(["fetch", "mnist", "--data-dir", "new/data", "--url", url]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        assert "4 of 4 files to fetch" in out
        assert f"from {url}/" in out
        assert asked == list(SHAPES)
        folder = tmp_path / "new" / "data" / "MNIST" / "raw"
        assert files(folder) == sorted(f"{name}.gz" for name in SHAPES)
        for name in SHAPES:
            assert (folder / f"{name}.gz").read_bytes() == packed(name)
        monkeypatch.setenv(idx.VARIABLE, "new/data")
        assert main(["fetch", "mnist", "--url", url]) == 0
        assert f"all 4 files are in {folder} and verified" in capsys.readouterr().out
        assert len(asked) == 4


@pytest.mark.usefixtures("loopback")
def test_only_what_is_missing_or_damaged_is_fetched(tmp_path):
    folder = lay_out(tmp_path)
    (folder / f"{LABELS}.gz").write_bytes(packed(LABELS)[:-3])
    (folder / f"{IMAGES}.gz").unlink()
    (folder / IMAGES).write_bytes(content(IMAGES))
    repacked = gzip.compress(content("t10k-images-idx3-ubyte"), 1)
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(repacked)
    with mirror(good) as (url, asked):
        assert main(["fetch", "mnist", "--data-dir", str(tmp_path), "--url", url]) == 0
        assert asked == [LABELS]
    assert (folder / f"{LABELS}.gz").read_bytes() == packed(LABELS)
    assert (folder / "t10k-images-idx3-ubyte.gz").read_bytes() == repacked
    assert not (folder / f"{IMAGES}.gz").exists()


@pytest.mark.usefixtures("loopback")
@pytest.mark.parametrize("case", sorted(BAD))
def test_a_bad_download_leaves_nothing_and_a_second_mirror_helps(
    case, tmp_path, monkeypatch, capsys
):
    if case in ("silent", "dripping"):
        monkeypatch.setattr(fetch, "SILENCE" if case == "silent" else "PATIENCE", 1.0)
    monkeypatch.setattr(idx, "MNIST", {LABELS: idx.MNIST[LABELS]})
    answer, message = BAD[case]
    with mirror(answer) as (bad_url, _), mirror(good) as (url, asked):
        assert main(["fetch", "mnist", "--data-dir", "data", "--url", bad_url]) == 2
        err = capsys.readouterr().err
        assert err.startswith(
            f"bench: MNIST: {LABELS}.gz could not be fetched: {bad_url}/ {message}"
        )
        assert "--url BASE" in err
        assert len(err.strip().splitlines()) == 1
        assert files(tmp_path) == []
        assert main(["fetch", "mnist", "--data-dir", "data", "--url", bad_url, "--url", url]) == 0
        assert asked == [LABELS]
        assert f"from {url}/" in capsys.readouterr().out
    assert files(tmp_path / "data" / "MNIST" / "raw") == [f"{LABELS}.gz"]


@pytest.mark.usefixtures("loopback")
def test_a_server_that_is_not_there_and_all_mirrors_are_named(tmp_path, capsys):
    with mirror(absent) as (gone, _):
        pass
    with mirror(absent) as (url, _):
        assert main(["fetch", "mnist", "--data-dir", "data", "--url", gone, "--url", url]) == 2
    err = capsys.readouterr().err
    assert f"{gone}/ cannot be reached (" in err
    assert f"; {url}/ answered 404 Not Found" in err
    assert files(tmp_path) == []


@pytest.mark.usefixtures("loopback")
def test_what_is_beyond_this_machine_is_still_blocked():
    with socket.socket() as outward, pytest.raises(AssertionError, match="tried to connect"):
        outward.connect(("192.0.2.1", 80))


def test_the_mirrors_are_asked_in_order(tmp_path, monkeypatch):
    asked = []

    def refuse(url, timeout):
        asked.append(url)
        raise ConnectionResetError(104, "reset")

    monkeypatch.setattr(fetch, "urlopen", refuse)
    assert main(["fetch", "mnist", "--data-dir", "data"]) == 2
    assert asked == [f"{base}{IMAGES}.gz" for base in fetch.mirrors()]
    assert len(asked) == 2
    assert all(url.startswith("https://") for url in asked)


WRONG = {
    "unknown": (
        ["mnits", "--data-dir", "d"],
        "unknown data set 'mnits'; did you mean 'mnist'?; known: mnist",
    ),
    "no folder": (["mnist"], "name it with --data-dir DIR or BENCH_DATA_DIR"),
    "empty folder": (["mnist", "--data-dir", " "], "expected a folder to fetch into"),
    "no name": ([], "expected a data set's name"),
    "a file": (["mnist", "--data-dir", "file"], "expected a folder that can be written, got"),
    "below a file": (
        ["mnist", "--data-dir", "file/x"],
        "expected a folder that can be written, got",
    ),
    "raw is a file": (["mnist", "--data-dir", "odd"], "expected a folder that can be written, got"),
    "plain and altered": (
        ["mnist", "--data-dir", "altered"],
        "altered, or another data set of the same shape",
    ),
    "a folder as gz": (
        ["mnist", "--data-dir", "folder"],
        "expected a file or nothing, got a folder; remove it",
    ),
    **{
        f"url {url}": (
            ["mnist", "--data-dir", "d", "--url", url],
            f"--url {url!r}: expected an address",
        )
        for url in (
            "host/mnist",
            "file:///etc/",
            "ftp://host/",
            "http://",
            "http://[::1",
            "http://host:port/",
        )
    },
}


@pytest.mark.parametrize("case", sorted(WRONG))
def test_wrong_usage_is_one_clear_line_and_status_2(case, tmp_path, capsys):
    words, message = WRONG[case]
    (tmp_path / "file").write_text("")
    (tmp_path / "odd" / "MNIST").mkdir(parents=True)
    (tmp_path / "odd" / "MNIST" / "raw").write_text("")
    altered_folder = lay_out(tmp_path / "altered")
    (altered_folder / LABELS).write_bytes(content(LABELS)[:-1] + b"\x07")
    (tmp_path / "folder" / "MNIST" / "raw" / f"{LABELS}.gz").mkdir(parents=True)
    before = files(tmp_path)
    assert main(["fetch", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert files(tmp_path) == before


@pytest.mark.usefixtures("loopback")
def test_a_full_disk_leaves_nothing_half(tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    with mirror(good) as (url, _):
        monkeypatch.setattr(os, "replace", full)
        assert main(["fetch", "mnist", "--data-dir", "data", "--url", url]) == 2
    assert "cannot be written: No space left on device" in capsys.readouterr().err
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_list_names_the_data_sets(capsys):
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert "data sets\n  mnist  Put MNIST's four .gz files" in out
    assert "bench fetch DATA_SET --data-dir DIR" in out


def test_torchvision_states_a_checksum_of_every_file():
    assert set(GENUINE) == {f"{name}.gz" for name in SHAPES}
    assert GENUINE[f"{LABELS}.gz"] == "d53e105ee54ea40749a09fcbcd1e9432"
