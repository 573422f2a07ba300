"""The networks behind the Frechet distance of noise_schedule: what is shipped, and pytorch-fid's
from a local file.
"""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from benchmark.errors import UsageError
from tasks.files import data
from tasks.files.shipped import listed
from tasks.measure.inception import SOURCE
from tasks.measure.inception_network import architecture
from tasks.noise_schedule import features
from tasks.noise_schedule.features import classifier, inception
from tasks.noise_schedule.shipped import ASSETS, SHAPES, fingerprint


@pytest.mark.parametrize(("dataset", "dim"), [("digits", 32), ("mnist", 64)])
def test_shapes_and_finite_features_of_anything(dataset, dim):
    extractor, side = classifier(dataset, "cpu"), SHAPES[dataset].side
    noise = torch.randn(4, 1, side, side, generator=torch.Generator().manual_seed(0))
    constants = torch.tensor([-1.0, 0.0, 1.0, 1e4])[:, None, None, None].expand(4, 1, side, side)
    for images in (noise, 100 * noise, constants):
        seen = extractor(images)
        assert seen.features.shape == (4, dim)
        assert seen.logits.shape == (4, 10)
        assert all(part.isfinite().all() for part in seen)
    assert (extractor.dim, extractor.resize) == (dim, f"none, {side}x{side}")


@pytest.mark.parametrize("dataset", ["digits", "mnist"])
def test_loading_draws_nothing_and_the_gradient_reaches_the_image_alone(dataset):
    before = torch.get_rng_state()
    features._classifier.cache_clear()
    extractor, side = classifier(dataset, "cpu"), SHAPES[dataset].side
    assert torch.equal(before, torch.get_rng_state())
    images = torch.zeros(2, 1, side, side, requires_grad=True)
    extractor(images).features.square().sum().backward()
    assert images.grad.abs().sum() > 0
    assert images.grad.isfinite().all()
    assert not any(p.requires_grad for p in extractor.network.parameters())


def test_an_image_does_not_depend_on_its_batch():
    images = data.digits("test")[0][:8] * 2 - 1
    extractor = classifier("digits", "cpu")
    torch.testing.assert_close(
        extractor(images[3:4]).features, extractor(images).features[3:4], rtol=0, atol=1e-5
    )


def test_the_digits_are_read_as_well_as_the_manifest_says():
    images, labels = data.digits("test")
    said = listed(ASSETS)["digits.safetensors"]
    right = classifier("digits", "cpu")(images * 2 - 1).logits.argmax(1) == labels
    assert right.double().mean() == pytest.approx(said["test_accuracy"], abs=1.01 / len(labels))
    assert said["test_accuracy"] >= 0.98


def test_no_feature_is_idle_and_none_repeats_another():
    seen = classifier("digits", "cpu")(data.digits("train")[0] * 2 - 1).features.double()
    values = torch.linalg.eigvalsh(torch.cov(seen.T))
    share = values / values.sum()
    assert values[0] > 1e-3
    assert torch.exp(-(share * share.log()).sum()) > 12


def test_a_shipped_file_that_was_altered_or_is_gone_is_an_error(tmp_path):
    for name in ("digits.safetensors", "manifest.json"):
        shutil.copy(ASSETS / name, tmp_path)
    path = tmp_path / "digits.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        UsageError, match=r"digits\.safetensors was altered: expected SHA-256 \w+, got \w+; rein"
    ) as e:
        classifier("digits", "cpu", tmp_path)
    assert "\n" not in str(e.value)
    for said in ("{}", '{"digits.safetensors": {}}', '{"digits.safetensors": 1}'):
        (tmp_path / "manifest.json").write_text(said)
        with pytest.raises(UsageError, match="expected SHA-256 none listed, got"):
            classifier("digits", "cpu", tmp_path)
    path.unlink()
    with pytest.raises(UsageError, match="missing"):
        classifier("digits", "cpu", tmp_path)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(UsageError, match="list of hashes"):
        classifier("digits", "cpu", tmp_path)


def test_the_fingerprint_is_the_manifests_hash():
    said = json.loads((ASSETS / "manifest.json").read_text(encoding="utf-8"))
    for dataset in ("digits", "mnist"):
        name = f"{dataset}.safetensors"
        assert fingerprint(dataset, "classifier") == {name: said[name]["sha256"]}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    return tmp_path


def test_missing_inception_weights_are_one_line_with_a_cure(folder):
    with pytest.raises(
        UsageError, match=r"checkpoints\S+6726825d\.pth is missing.* get it with `bench fetch"
    ) as e:
        inception("cpu")
    assert "\n" not in str(e.value)
    with pytest.raises(UsageError, match="is missing"):
        fingerprint("mnist", "inception")


def test_another_network_and_what_is_no_tensors_are_refused(folder):
    path = folder / SOURCE.name
    torch.save({"a": torch.arange(6.0).reshape(2, 3).T}, path)
    with pytest.raises(
        UsageError, match=r"has no tensor Conv2d_1a_3x3\.conv\.weight; expected \(32, 3, 3, 3\)"
    ):
        inception("cpu")
    torch.save({"a": Exception}, path)
    # by torch 2.15, or by the suite after 2.14
    refused = "UnpicklingError: Weights only load failed|'a' is a type"
    with pytest.raises(UsageError, match=rf"cannot be read as tensors: ({refused})$") as e:
        inception("cpu")
    assert "\n" not in str(e.value)


def test_inception_is_pytorch_fids_network(folder, monkeypatch):
    """The same random weights in both; theirs would download in its constructor, so its loader is
    replaced.
    """
    from pytorch_fid import inception as theirs

    rng = torch.Generator().manual_seed(1)
    state = {}
    for name, v in architecture().state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        value = (
            torch.randn(v.shape, generator=rng) * (2.0 / max(1, v[0].numel())) ** 0.5
            if v.ndim > 1
            else v + 0.1
        )
        state[name] = value
    save_file(state, folder / f"{Path(SOURCE.name).stem}.safetensors")
    monkeypatch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: state)
    reference = theirs.InceptionV3().eval()
    images = torch.rand(2, 1, 28, 28, generator=rng) * 2 - 1
    images.requires_grad_(True)
    extractor = inception("cpu")
    mine = extractor(images)
    expected = reference((images.detach().expand(-1, 3, -1, -1) + 1) / 2)[0].flatten(1)
    assert expected.std() > 1e-3
    torch.testing.assert_close(mine.features.detach(), expected, rtol=1e-5, atol=1e-5)
    assert mine.features.shape == (2, extractor.dim)
    mine.features.sum().backward()
    assert images.grad.abs().sum() > 0
    listed = fingerprint("mnist", "inception")
    assert listed == {
        "mnist.safetensors": classifier("mnist", "cpu").sha256,
        f"{Path(SOURCE.name).stem}.safetensors": extractor.sha256,
    }
