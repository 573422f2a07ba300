"""What can be wrong with the files and options of the paper's preset: one line each, that says what
to do.
"""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from benchmark import UsageError
from benchmark.command.parse import plan_from_text as plan
from benchmark.errors import Refused
from benchmark.runs import worker
from tasks.reward_ft.folder import files
from tasks.reward_ft.pipeline import load
from tasks.reward_ft.pull import Linear
from tests.test_cli import bench
from tests.tiny import PROMPT, RUN, pictures, words


def error_of(work):
    with pytest.raises(UsageError) as e:
        work()
    assert "\n" not in str(e.value)
    return str(e.value)


def altered(tiny, tmp_path, change):
    folder = tmp_path / "sd"
    shutil.copytree(tiny.model, folder)
    change(folder)
    return folder


def emptied(name):
    def change(folder):
        table = load_file(folder / name)
        save_file(dict(list(table.items())[3:]), folder / name, {"format": "pt"})

    return change


def edited(name, **changes):
    def change(folder):
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


MODELS = {
    "no model_index.json": (
        lambda f: (f / "model_index.json").unlink(),
        "no model_index.json, so it is no folder that",
    ),
    "SDXL": (
        edited("model_index.json", _class_name="StableDiffusionXLPipeline"),
        "holds a StableDiffusionXLPipeline; supp",
    ),
    "SD 3": (
        edited("model_index.json", _class_name="StableDiffusion3Pipeline"),
        "supported: Stable Diffusion 1.x and 2.x",
    ),
    "inpainting": (
        edited("unet/config.json", in_channels=9),
        "takes 9 channels and its autoencoder gives 4: a model for inp",
    ),
    "a part is missing": (
        lambda f: shutil.rmtree(f / "vae"),
        "missing vae/config.json, vae/diffusion_pytorch_model.safetensors",
    ),
    "a shard is missing": (
        lambda f: next((f / "unet").glob("*model-00001*")).unlink(),
        "missing unet/diffusion_pytorch_model-00001-of-",
    ),
    "a shard elsewhere": (
        edited(
            "unet/diffusion_pytorch_model.safetensors.index.json",
            weight_map={"a": "../../x.safetensors"},
        ),
        "expected names of files beside it, got ['../../x.safetensors']",
    ),
    "a text encoder that lacks tensors": (
        emptied("text_encoder/model.safetensors"),
        "text_encoder has no tensor ",
    ),
    "another text encoder": (
        edited("model_index.json", text_encoder=["transformers", "T5EncoderModel"]),
        "its text_encoder is",
    ),
    "a scheduler that predicts images": (
        edited("scheduler/scheduler_config.json", prediction_type="sample"),
        "predicts",
    ),
    "a scheduler that clips": (
        edited("scheduler/scheduler_config.json", clip_sample=True),
        "clips the predicted image",
    ),
    "a configuration without end": (
        lambda f: (f / "vae" / "config.json").write_text("[" * 200_000),
        "cannot be read",
    ),
    "no tokenizer": (
        lambda f: shutil.rmtree(f / "tokenizer"),
        "missing tokenizer/vocab.json and merges.txt",
    ),
    "a broken configuration": (
        lambda f: (f / "unet" / "config.json").write_text("{"),
        "config.json cannot be read",
    ),
    "a truncated shard": (
        lambda f: next((f / "unet").glob("*model-00001*")).write_bytes(b"\\0" * 20),
        "it cannot be loaded",
    ),
}


@pytest.mark.parametrize("case", sorted(MODELS))
def test_a_folder_that_is_no_model_is_one_line(case, tiny, tmp_path):
    change, message = MODELS[case]
    folder = altered(tiny, tmp_path, change)
    said = error_of(lambda: files(folder) and load(folder, "cpu"))
    assert message in said


def reference_of(tmp_path, count, bad=(), half=False):
    folder = tmp_path / "reference"
    folder.mkdir()
    for k, p in enumerate(pictures(count, 32)):
        Image.fromarray(p).save(folder / f"{k}.png")
    for name in bad:
        (folder / name).write_bytes(b"no picture")
    if half:
        Image.fromarray(pictures(1, 256)[0]).save(folder / "half.jpg")
        content = (folder / "half.jpg").read_bytes()
        (folder / "half.jpg").write_bytes(content[: len(content) // 2])
    return folder


def without_weights(tiny, tmp_path):
    (tmp_path / "taesd").mkdir()
    shutil.copy(tiny.taesd / "config.json", tmp_path / "taesd")
    (tmp_path / "taesd" / "diffusion_pytorch_model.bin").write_bytes(b"not read")
    return tmp_path / "taesd"


def statistics(tmp_path, mean, variance):
    np.savez(tmp_path / "s.npz", mu=np.full(2048, mean), sigma=variance * np.eye(2048))
    return tmp_path / "s.npz"


def deep_pictures(tmp_path):
    folder = reference_of(tmp_path, 3)
    Image.fromarray(np.arange(1024, dtype=np.int32).reshape(32, 32) * 64).save(folder / "deep.tif")
    return folder


def odd_model(tiny, tmp_path):
    return altered(tiny, tmp_path, edited("unet/config.json", act_fn="none of them"))


def larger_resnet(tiny, tmp_path):
    more = {"layer1.2.conv1.weight": torch.zeros(64, 64, 3, 3)}
    save_file({**torch.load(tiny.resnet, weights_only=True), **more}, tmp_path / "r34.safetensors")
    return tmp_path / "r34.safetensors"


def wrong_resnet(tiny, tmp_path):
    save_file(
        {**torch.load(tiny.resnet, weights_only=True), "conv1.weight": torch.zeros(8, 3, 7, 7)},
        tmp_path / "r.safetensors",
    )
    return tmp_path / "r.safetensors"


WRONG = {
    "a hub id without network": (
        lambda *_: ["model=some/model"],
        "neither a folder nor in the hub's cache",
    ),
    "no hub id either": (lambda *_: ["model=gone"], "or a hub id such as OWNER/NAME"),
    "a CLIP name with the nearest": (
        lambda *_: ["clip=ViT-B-16-quickglu/openai"],
        "did you mean 'ViT-B-16-quickgelu/openai'?",
    ),
    "CLIP weights with the nearest": (
        lambda *_: ["clip=ViT-B-16-quickgelu/opnai"],
        "no weights 'opnai'; did you mean 'openai'?",
    ),
    "QuickGELU": (lambda *_: ["clip=ViT-B-16/openai"], "QuickGELU mismatch"),
    "CLIP weights that are not there": (
        lambda *_: ["clip=ViT-B-16-quickgelu/openai"],
        "a run never uses the network",
    ),
    "a CLIP folder that is none": (
        lambda t, p: [f"clip={t.model}"],
        "missing open_clip_config.json",
    ),
    "a ResNet of other shapes": (
        lambda t, p: [f"reward_weights={wrong_resnet(t, p)}"],
        "conv1.weight has shape (8, 3, 7, 7), expected (64, 3, 7, 7)",
    ),
    "weights of a larger network": (
        lambda t, p: [f"reward_weights={larger_resnet(t, p)}"],
        "besides, which this network has",
    ),
    "a name that is too long": (
        lambda *_: [f"clip={'x' * 400}"],
        "expected NAME/WEIGHTS as open_clip has them",
    ),
    "nobody's home": (lambda *_: ["inception=~nosuchuser/x"], "expected a file of weights"),
    "statistics of nothing": (
        lambda t, p: [f"reference={statistics(p, np.nan, 1.0)}"],
        "numbers that are not finite",
    ),
    "a covariance that is none": (
        lambda t, p: [f"reference={statistics(p, 0.0, -1.0)}"],
        "a sigma that is no covariance",
    ),
    "pictures of 32 bits": (
        lambda t, p: [f"reference={deep_pictures(p)}"],
        "deep.tif: 32 bits a channel, expected 8 or 16",
    ),
    "a configuration of nothing": (
        lambda t, p: [f"model={odd_model(t, p)}"],
        "its configuration does not make a network",
    ),
    "a reward that is none": (
        lambda *_: ["reward=resnet_hed"],
        "unknown reward 'resnet_hed'; did you mean 'resnet_head'?",
    ),
    "few reference pictures": (
        lambda t, p: [f"reference={reference_of(p, 1)}"],
        "at least 2 pictures",
    ),
    "unreadable pictures": (
        lambda t, p: [f"reference={reference_of(p, 3, ('a.png', 'b.jpg'))}"],
        "pictures: a.png, b.jpg; a.png: cannot identify",
    ),
    "statistics that are none": (
        lambda t, p: [f"reference={t.resnet}"],
        "expected statistics (mu and sigma in an .npz file)",
    ),
    "no reference at all": (
        lambda *_: ["reference=gone"],
        "expected unguided, a folder of pictures, or a file of statistics",
    ),
    "a size that does not fit": (lambda *_: ["size=33"], "a multiple of"),
    "the judge for another model": (lambda *_: ["features=judge"], "knows coloured digits alone"),
    "a CLIP whose tokenizer lies elsewhere": (
        lambda *_: ["clip=ViT-B-16-SigLIP/webli"],
        "its tokenizer is not part of",
    ),
    "too many steps": (lambda *_: ["steps=1000"], "option reward_ft.steps: 1000 are too many"),
    "a picture cut in half": (
        lambda t, p: [f"reference={reference_of(p, 3, half=True)}"],
        "half.jpg: image file is truncated",
    ),
    "a tiny autoencoder without weights": (
        lambda t, p: [f"taesd={without_weights(t, p)}"],
        "missing diffusion_pytorch_model.safetensors",
    ),
    "another reward's weights": (
        lambda *_: ["reward=hpsv2", "reward_weights="],
        "get it with `bench fetch --preset paper --set reward_ft.reward=hpsv2`",
    ),
    "a tiny autoencoder of a hub": (
        lambda *_: ["taesd=some/tiny"],
        "get it with `bench fetch --preset paper --set reward_ft.taesd=some/tiny`",
    ),
    "no variant of that name": (
        lambda *_: ["variant=fp8"],
        "variants go by --set reward_ft.variant=",
    ),
}


@pytest.mark.parametrize("case", sorted(WRONG))
def test_a_wrong_option_is_one_line(case, tiny, tmp_path, monkeypatch):
    """Before any run, or as the run's own first error: networks are loaded as the run begins."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf"))
    change, message = WRONG[case]
    own = change(tiny, tmp_path)
    settings = [f"reward_ft.{s}" for s in [*tiny.settings, *own]]

    def begin():
        (spec,) = plan("default", "reward_ft", preset="paper", settings=settings)
        spec.maker().memory("cpu")
        spec.maker().open(0, PROMPT, "guided", "cpu")

    said = error_of(begin)
    assert message in said


def test_the_command_says_so_with_status_2(tiny, tmp_path):
    done = bench(*RUN, *words([*tiny.settings, f"model={tiny.clip}"]), cwd=tmp_path)
    assert done.returncode == 2
    assert "no model_index.json" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    odd = words([*tiny.settings, f"reward_weights={wrong_resnet(tiny, tmp_path)}"])
    done = bench(*RUN, *odd, "--quiet", "--out", "runs", cwd=tmp_path)
    assert done.returncode == 2
    assert (
        "conv1.weight has shape (8, 3, 7, 7), expected (64, 3, 7, 7)"
        in done.stderr.strip().splitlines()[-1]
    )
    assert not list((tmp_path / "runs").rglob("run.json")), (
        "a file that does not fit is no failed run"
    )


def test_a_file_that_was_changed_after_planning_is_refused(tiny, tmp_path):
    weights = tmp_path / "r.pth"
    shutil.copy(tiny.resnet, weights)
    settings = [f"reward_ft.{s}" for s in [*tiny.settings, f"reward_weights={weights}"]]
    (spec,) = plan("default", "reward_ft", preset="paper", settings=settings)
    worker.same_files(spec)
    torch.save({k: v + 1 for k, v in torch.load(tiny.resnet, weights_only=True).items()}, weights)
    with pytest.raises(
        Refused, match="resnet_head/resnet18 was changed after the run had been planned"
    ):
        worker.same_files(spec)


def test_a_reward_gives_one_number_an_image():
    images = torch.rand(3, 3, 8, 8)
    with pytest.raises(ValueError, match=r"expected shape \(3,\), got \(3, 1\)"):
        Linear.at(lambda x: x.mean((1, 2, 3))[:, None], images)
