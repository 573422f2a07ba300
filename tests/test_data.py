"""The images: splits that never overlap, and one clear line for whatever is wrong with a folder of
MNIST.
"""

import gzip
import io
import json
import os
from pathlib import Path

import pytest
import torch

from benchmark import UsageError
from benchmark.api import run as api
from benchmark.command.cli import main
from benchmark.command.data import data_dir
from tasks.files import data, idx
from tasks.quadratic import Quadratic
from tasks.reward_ft import drawing
from tests.fake_mnist import SHAPES, content, lay_out, packed, table

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
REAL = os.environ.get(idx.VARIABLE, "")
RUN = ["run", "--method", "random", "--task", "quadratic", "--budget", "20nfe", "--quiet"]


@pytest.fixture(autouse=True)
def _tiny(monkeypatch, tmp_path, request):
    """The table of a small MNIST, a task that needs it, and no folder named."""
    monkeypatch.chdir(tmp_path)
    if "real" not in request.node.name:
        monkeypatch.delenv(idx.VARIABLE, raising=False)
        monkeypatch.setattr(idx, "MNIST", table())
    monkeypatch.setattr(Quadratic, "fingerprint", lambda self: idx.fingerprint())


def test_the_digits_of_both_names_are_the_same_and_the_splits_do_not_overlap():
    assert drawing.scans is data.digits
    found = [data.digits(split)[0].flatten(1) for split in ("train", "validation", "test")]
    assert [x.shape for x in found] == [(1197, 64), (300, 64), (300, 64)]
    assert len(torch.unique(torch.cat(found), dim=0)) == 1797


def test_thirds_are_equal_parts_with_the_same_digits_and_do_not_overlap():
    parts = [data.thirds(split) for split in ("train", "validation", "test")]
    assert [x.shape for x, _ in parts] == [(599, 1, 8, 8)] * 3
    counts = torch.stack([torch.bincount(labels) for _, labels in parts])
    assert int((counts.max(0).values - counts.min(0).values).max()) <= 1
    assert len(torch.unique(torch.cat([x.flatten(1) for x, _ in parts]), dim=0)) == 1797


@pytest.mark.parametrize(
    "labels", [data.thirds("train")[1], torch.tensor([0] * 500 + [1] * 30 + [2] * 7)]
)
def test_every_prefix_of_the_spread_order_holds_each_class_in_proportion(labels):
    order = data.spread(labels)
    assert torch.equal(order.sort().values, torch.arange(len(labels)))
    ones = torch.nn.functional.one_hot(labels[order])
    n = torch.arange(1, len(labels) + 1)[:, None]
    away = ones.cumsum(0) - n * ones.sum(0) / len(labels)
    assert away.abs().max() <= 1


def test_a_prefix_of_mnist_holds_each_class_in_proportion(tmp_path, monkeypatch):
    """Its permutation is drawn at random, so to within the error of sampling; the files are as if
    sorted by label.
    """
    labels = torch.arange(10).repeat_interleave(600).numpy()
    found = {"labels-idx1": labels, "images-idx3": labels[:, None, None]}
    monkeypatch.setattr(
        idx, "read", lambda base, name: found[name.split("-", 1)[1].removesuffix("-ubyte")]
    )
    monkeypatch.setenv(idx.VARIABLE, str(tmp_path))
    images, numbers = data.mnist("train")
    assert torch.equal((images.flatten() * 255).round().long(), numbers)
    for n in (64, 500, 2500):
        assert (torch.bincount(numbers[:n], minlength=10) - n / 10).abs().max() < 4 * (
            n * 0.09
        ) ** 0.5


@pytest.mark.parametrize("form", ["gz", "plain"])
def test_mnist_is_split_without_overlap(form, tmp_path, monkeypatch):
    folder = lay_out(tmp_path)
    if form == "plain":
        for path in folder.iterdir():
            path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
            path.unlink()
    monkeypatch.setenv(idx.VARIABLE, str(tmp_path))
    seen = []
    for split, count in (("train", 10), ("validation", 2), ("test", 4)):
        images, labels = data.mnist(split)
        assert (images.shape, images.dtype) == ((count, 1, 28, 28), torch.float32)
        assert (labels.shape, labels.dtype) == ((count,), torch.int64)
        assert (images.min(), images.max()) == (0, 1)
        number = (images[:, 0, 0, 0] * 255).round().long()
        assert torch.equal(labels, number % 10)
        seen.append(number.tolist())
    assert sorted(seen[0] + seen[1]) == list(range(12))
    assert seen[2] == list(range(4))
    assert data.mnist("train")[0] is data.mnist("train")[0]


def test_the_fingerprint_is_part_of_a_run_and_the_folder_is_not(tmp_path):
    for name in ("here", "there"):
        lay_out(tmp_path / name)
    first = api.run("random", "quadratic", budget="20nfe", out="runs", data_dir=tmp_path / "here")
    again = api.run("random", "quadratic", budget="20nfe", out="runs", data_dir="there")
    assert idx.VARIABLE not in os.environ
    assert len(first) == len(again) == 1
    (run,) = Path("runs").glob("*/*/*/run.json")
    files = {
        k: v for k, v in json.loads(run.read_text())["spec"]["fingerprint"].items() if k in SHAPES
    }
    assert files == {name: idx.md5(content(name)) for name in SHAPES}


def test_the_folder_is_named_for_as_long_as_it_is_needed(tmp_path, monkeypatch):
    monkeypatch.setenv(idx.VARIABLE, "before")
    with data_dir(tmp_path):
        assert idx.root() == tmp_path
    assert os.environ[idx.VARIABLE] == "before"
    with data_dir(None):
        assert os.environ[idx.VARIABLE] == "before"


def test_no_more_is_unpacked_than_a_genuine_file_holds():
    assert len(idx.inflate(io.BytesIO(gzip.compress(bytes(10_000_000))), 100)) == 101


def replace(name, new, suffix=".gz"):
    def broken(folder):
        (folder / f"{name}.gz").unlink()
        (folder / f"{name}{suffix}").write_bytes(new)

    return broken


def put_folder(folder):
    (folder / f"{LABELS}.gz").unlink()
    (folder / f"{LABELS}.gz").mkdir()


def put_pipe(folder):
    os.mkfifo(folder / LABELS)


def other_shape(shape):
    return gzip.compress(content(IMAGES, shape))


def changed(name):
    whole = bytearray(content(name))
    whole[-1] ^= 1
    return bytes(whole)


BROKEN = {
    "missing": (
        lambda folder: (folder / f"{LABELS}.gz").unlink(),
        f"neither {LABELS} nor {LABELS}.gz is in",
    ),
    "truncated": (
        replace(IMAGES, packed(IMAGES)[:-20]),
        f"{IMAGES}.gz: the gzip file is truncated",
    ),
    "without its end": (replace(IMAGES, packed(IMAGES)[:-4]), "the gzip file is truncated"),
    "damaged": (
        replace(IMAGES, packed(IMAGES)[:-8] + bytes(8)),
        "the gzip file is damaged (CRC check failed",
    ),
    "damaged within": (
        replace(IMAGES, packed(IMAGES)[:30] + b"\xff" * 50),
        "the gzip file is damaged (Error",
    ),
    "no gzip": (replace(IMAGES, content(IMAGES)), "the gzip file is damaged (Not a gzipped file"),
    "empty gz": (replace(LABELS, b""), "expected the IDX magic number 2049, got only 0 bytes"),
    "empty plain": (replace(LABELS, b"", ""), "got only 0 bytes"),
    "labels as images": (
        replace(IMAGES, packed(LABELS)),
        "expected the IDX magic number 2051, got 2049",
    ),
    "images as labels": (
        replace(LABELS, packed(IMAGES)),
        "expected the IDX magic number 2049, got 2051",
    ),
    "floats": (
        replace(IMAGES, content(IMAGES, magic=0xD03), ""),
        "expected the IDX magic number 2051, got 3331",
    ),
    "larger pictures": (
        replace(IMAGES, other_shape((12, 32, 32))),
        "shape (12, 28, 28), got (12, 32, 32)",
    ),
    "fewer pictures": (
        replace(IMAGES, other_shape((11, 28, 28))),
        "shape (12, 28, 28), got (11, 28, 28)",
    ),
    "cut content": (
        replace(IMAGES, content(IMAGES)[:-1], ""),
        "expected 9424 bytes of content, got 9423",
    ),
    "longer content": (
        replace(IMAGES, content(IMAGES) + b"\0", ""),
        "expected 9424 bytes of content, got more",
    ),
    "altered": (replace(IMAGES, changed(IMAGES), ""), "expected content with MD5"),
    "altered gz": (
        replace(LABELS, gzip.compress(changed(LABELS))),
        "altered, or another data set of the same shape",
    ),
    "a folder": (put_folder, f"{LABELS}.gz: expected a file, got a folder"),
    "a pipe": (put_pipe, f"{LABELS}: expected a file, got a device"),
}


def one_line(capsys):
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("bench: ")
    assert len(err.strip().splitlines()) == 1
    return err


@pytest.mark.parametrize("case", sorted(BROKEN))
def test_a_broken_file_is_one_clear_line_and_status_2(case, tmp_path, capsys):
    broken, message = BROKEN[case]
    broken(lay_out(tmp_path))
    before = sorted(tmp_path.rglob("*"))
    assert main([*RUN, "--data-dir", str(tmp_path)]) == 2
    said = one_line(capsys)
    assert message in said
    assert str(tmp_path) in said
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_that_may_not_be_read_is_one_clear_line(tmp_path, monkeypatch, capsys):
    lay_out(tmp_path)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert main([*RUN, "--data-dir", str(tmp_path)]) == 2
    assert f"{IMAGES}.gz cannot be read: Permission denied" in one_line(capsys)
    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(UsageError, match="cannot be read: Permission denied"):
        idx.find(tmp_path, LABELS)


@pytest.mark.parametrize("command", [RUN, ["check", "quadratic"]])
@pytest.mark.parametrize("name", ["gone", "file", " ", "x" * 5000])
def test_a_data_dir_that_is_no_folder_is_one_clear_line(command, name, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main([*command, "--data-dir", name]) == 2
    assert (
        f"--data-dir {name!r}: expected a folder that holds data sets, there is none"
        in one_line(capsys)
    )
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_without_a_folder_the_line_says_how_to_name_one(tmp_path, monkeypatch, capsys):
    assert main(RUN) == 2
    said = one_line(capsys)
    assert "BENCH_DATA_DIR is not set" in said
    assert "--data-dir DIR" in said
    assert "`bench fetch mnist --data-dir DIR`" in said
    monkeypatch.setenv(idx.VARIABLE, "gone")
    assert main(RUN) == 2
    assert "BENCH_DATA_DIR 'gone': expected a folder that can be read" in one_line(capsys)
    monkeypatch.setenv(idx.VARIABLE, str(tmp_path))
    assert main(RUN) == 2
    assert f"is in {tmp_path / 'MNIST' / 'raw'}" in one_line(capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not REAL, reason=f"{idx.VARIABLE} names no folder")
def test_real_mnist():
    (train, first), (validation, second), (test, third) = map(
        data.mnist, ("train", "validation", "test")
    )
    assert (train.shape, validation.shape, test.shape) == (
        (50000, 1, 28, 28),
        (10000, 1, 28, 28),
        (10000, 1, 28, 28),
    )
    assert (train.min(), train.max(), validation.min(), validation.max()) == (0, 1, 0, 1)
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert torch.bincount(torch.cat([first, second])).tolist() == counts
    assert torch.bincount(third).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert idx.read(idx.root(), LABELS)[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert third[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert first[:10].tolist() == [
        3,
        6,
        3,
        3,
        7,
        8,
        8,
        4,
        2,
        2,
    ]  # the permutation of 60000, which never changes
    assert idx.fingerprint() == {name: file.md5 for name, file in idx.MNIST.items()}
