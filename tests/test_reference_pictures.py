"""Reference pictures: the files that pytorch-fid takes, every one of them decoded while planning,
and the right 8 bits.
"""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark import UsageError
from tasks.measure.frechet import frechet_passport
from tasks.reward_ft import pictures as module
from tasks.reward_ft import references
from tasks.reward_ft.inception_features import InceptionFeatures, moments
from tasks.reward_ft.pictures import passed_over, pixels
from tests.test_networks import begin
from tests.tiny import pictures


def folder_of(tmp_path, endings):
    (tmp_path / "ref").mkdir()
    for k, (p, ending) in enumerate(zip(pictures(len(endings), 40), endings, strict=True)):
        picture = Image.fromarray(p)
        (picture.convert("L") if ending == "pgm" else picture).save(
            tmp_path / "ref" / f"{k}.{ending}"
        )
    return tmp_path / "ref"


def test_the_files_are_those_of_pytorch_fid(tmp_path):
    from pytorch_fid.fid_score import IMAGE_EXTENSIONS

    endings = sorted(IMAGE_EXTENSIONS)
    folder = folder_of(tmp_path, endings)
    theirs = sorted(p for e in IMAGE_EXTENSIONS for p in folder.glob(f"*.{e}"))
    assert list(module.pictures(folder)) == theirs
    assert len(theirs) == 9
    for path in theirs:
        np.testing.assert_array_equal(pixels(path), np.array(Image.open(path).convert("RGB")))


def test_gray_and_coloured_pictures_give_pytorch_fids_statistics(tiny, tmp_path, monkeypatch):
    from pytorch_fid import fid_score
    from pytorch_fid import inception as theirs

    folder = folder_of(tmp_path, ["pgm"] * 4 + ["png"] * 2)
    state = torch.load(tiny.inception, weights_only=True)
    monkeypatch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: state)
    network = theirs.InceptionV3([theirs.InceptionV3.BLOCK_INDEX_BY_DIM[2048]]).eval()
    mean, covariance = fid_score.compute_statistics_of_path(
        str(folder), network, 2, 2048, "cpu", num_workers=0
    )
    mine = moments(str(folder), InceptionFeatures(tiny.inception, "cpu"))
    assert mine.n == 6
    np.testing.assert_allclose(mine.mean, mean, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(mine.covariance, covariance, rtol=1e-4, atol=1e-5)


def test_what_is_passed_over_is_a_note(tiny, tmp_path, caplog):
    folder = folder_of(tmp_path, ["png"] * 3)
    assert passed_over(folder) == ""
    (folder / "more").mkdir()
    (folder / "gone.png").symlink_to("nowhere")
    for name in ("a.gif", "b.gif", "LICENSE"):
        (folder / name).write_bytes(b"")
    begin(tiny, [f"reference={folder}"])
    (note,) = [r.getMessage() for r in caplog.records if r.name == "benchmark"]
    assert note.endswith(
        "5 entries were passed over (dangling links: 1, other endings: 3, subfolders: 1) (.gif, "
        "none)"
    )


RAMP = np.arange(256, dtype=np.uint16).reshape(16, 16)
NEAR = np.where(RAMP < 255, RAMP * 257 + 128, RAMP * 257).astype(np.uint16)
DEEP = {
    "16.png": (RAMP * 257, RAMP),
    "16.tif": (NEAR, RAMP),
    "unit.tif": ((RAMP / 255).astype(np.float32), RAMP),
    "bytes.tif": (RAMP.astype(np.float32) + 0.3 * (RAMP < 255), RAMP),
    "gray.png": (RAMP.astype(np.uint8), RAMP),
}


@pytest.mark.parametrize("name", sorted(DEEP))
def test_deep_pictures_become_the_nearest_of_8_bits(name, tmp_path):
    values, expected = DEEP[name]
    Image.fromarray(values).save(tmp_path / name)
    np.testing.assert_array_equal(pixels(tmp_path / name), np.repeat(expected[:, :, None], 3, 2))


def test_a_gray_map_of_16_bits(tmp_path):
    (tmp_path / "16.pgm").write_bytes(b"P5 16 16 65535\n" + (RAMP * 257).astype(">u2").tobytes())
    np.testing.assert_array_equal(pixels(tmp_path / "16.pgm")[:, :, 1], RAMP)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            (RAMP * 10).astype(np.float32),
            "floats from 0 to 2550, expected within [0, 1] or [0, 255]; save it in 8 bits",
        ),
        ((RAMP - 1.0).astype(np.float32), "floats from -1 to 254"),
        (np.full((4, 4), np.nan, np.float32), "floats from nan"),
    ],
)
def test_floats_without_a_meaning_are_refused(values, message, tmp_path):
    folder = folder_of(tmp_path, ["png"] * 3)
    Image.fromarray(values).save(folder / "f.tif")
    with pytest.raises(UsageError) as e:
        module.pictures(folder)
    assert f"unreadable pictures: f.tif; f.tif: {message}" in str(e.value)


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp", "bmp", "ppm"])
def test_one_truncated_picture_among_hundreds_is_found(ending, tmp_path):
    folder = folder_of(tmp_path, ["jpg"])
    for k in range(1, 300):
        shutil.copy(folder / "0.jpg", folder / f"{k}.jpg")
    Image.fromarray(pictures(1, 256)[0]).save(folder / f"zz.{ending}")
    content = (folder / f"zz.{ending}").read_bytes()
    (folder / f"zz.{ending}").write_bytes(content[: len(content) // 2])
    with pytest.raises(UsageError, match=rf"unreadable pictures: zz\.{ending}; "):
        references.reference_digest(str(folder))


def test_statistics_do_not_say_of_how_many(tmp_path):
    np.savez(tmp_path / "s.npz", mu=np.zeros(2048), sigma=np.eye(2048))
    found = references.statistics(tmp_path / "s.npz")
    said = frechet_passport(np.zeros((3, 2048)), found, "x", "y")["fid_reference"]
    assert said == f"N unknown, {found.digest}"
