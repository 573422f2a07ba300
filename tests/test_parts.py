"""What the parts of reward_ft say of their options is what the code before them said: hashed names,
sources, prices and refusals, by option set.
"""

import hashlib
import json
import re

import numpy as np
from PIL import Image

from benchmark import UsageError
from benchmark.spec import settled
from tasks.files.download import HubFolder
from tasks.files.weights import digest
from tasks.reward_ft import RewardFt, assemble, shipped
from tests.test_paper import options
from tests.tiny import pictures

PAPER = settled(RewardFt, "paper", {})[0]
NAMES = (  # of a made-up repository, of which `choose` takes some
    "README.md",
    "config.json",
    "diffusion_pytorch_model.safetensors",
    "model_index.json",
    "scheduler/scheduler_config.json",
    "tokenizer/vocab.json",
    *(
        f"{part}/{name}"
        for part, stem in (
            ("unet", "diffusion_pytorch_model"),
            ("vae", "diffusion_pytorch_model"),
            ("text_encoder", "model"),
        )
        for name in ("config.json", f"{stem}.safetensors", f"{stem}.fp16.safetensors")
    ),
)


# SHA-256 of what the code before `tasks/reward_ft/parts` said, shortened
RECORDED = {
    "embedded": "66f6edeafe01cb2f",
    "embedded, random head": "418df52fbd20eac6",
    "embedded, steps of no noise": "0690c88e17d23b87",
    "paper": "a75b9d7dab588155",
    "paper, fp16": "ceac2dd0e47a7de8",
    "paper, tiny autoencoder": "5f6aeb0388cadd12",
    "paper, shipped clip": "821e1be695bd5b78",
    "paper, shipped reward": "f66133ee7b1d493a",
    "paper, aesthetic": "63d7a9d6a8fa6f03",
    "paper, hpsv2": "a371d525939366cd",
    "paper, pictures": "a5b5e547901e4d2f",
    "paper, no reference": "a75b9d7dab588155",
    "paper, one step": "1eb8b501bb4a4e3e",
    "clip alone": "a3e7aff64da9c1b8",
    "taesd alone": "d2ab83ea004c18db",
    "features alone": "490b92a3c90eb95e",
    "resnet alone": "6a5856e7a14c15fe",
    "published": "0e37bb6dfe2c57ca",
    "published, another": "ffe907e76a9a54f6",
    "published, aesthetic": "c583eb4c7d05f068",
    "published, hpsv2": "8b6c36079efbdfaa",
    "published, plain clip": "1ce60eb482022a61",
    "unknown reward": "38ca5a59bf600a0a",
    "unknown clip": "c1c3c6c219fc986d",
    "missing weights": "13340dc3a44e9174",
    "missing inception": "513a4ba53ef9823f",
    "missing reference": "14acb2ccccbc65be",
    "missing taesd": "8fb56b4c9452d333",
    "judge of a model": "43803a7e60682f18",
    "judge of a reference": "b0a7d8e1a7287555",
}


def option_sets(tiny, folder):
    """Each as the arguments of RewardFt, by name."""
    paper = dict(vars(options(tiny)))
    inception = {"features": "inception", "inception": str(tiny.inception)}
    return {
        "embedded": {},
        "embedded, random head": {"reward": "random_head", "steps": 4, "images": 3},
        "embedded, steps of no noise": {"eta": 0.0, "passes": 4},
        "paper": paper,
        "paper, fp16": {**paper, "variant": "fp16"},
        "paper, tiny autoencoder": {**paper, "taesd": str(tiny.taesd)},
        "paper, shipped clip": {**paper, "clip": ""},
        "paper, shipped reward": {**paper, "reward": "quality", "reward_weights": ""},
        "paper, aesthetic": {
            **paper,
            "reward": "aesthetic",
            "reward_weights": str(tiny.aesthetic),
        },
        "paper, hpsv2": {**paper, "reward": "hpsv2", "reward_weights": str(tiny.clip)},
        "paper, pictures": {**paper, "reference": str(folder)},
        "paper, no reference": {**paper, "reference": ""},
        "paper, one step": {**paper, "steps": 1},
        "clip alone": {"clip": str(tiny.clip)},
        "taesd alone": {"taesd": str(tiny.taesd)},
        "features alone": inception,
        "resnet alone": {"reward": "resnet_head", "reward_weights": str(tiny.resnet)},
        "published": PAPER,
        "published, another": {
            **PAPER,
            "model": "owner/name",
            "revision": "main",
            "variant": "fp16",
            "taesd": "madebyollin/taesd",
        },
        "published, aesthetic": {**PAPER, "reward": "aesthetic", "clip": str(tiny.clip)},
        "published, hpsv2": {**PAPER, "reward": "hpsv2", "inception": str(tiny.inception)},
        "published, plain clip": {**PAPER, "clip": "ViT-L-14/openai"},
        "unknown reward": {**paper, "reward": "resnet_heat"},
        "unknown clip": {**paper, "clip": "ViT-B-17/openai"},
        "missing weights": {**paper, "reward_weights": "gone.pth"},
        "missing inception": {**paper, "inception": "gone.pth"},
        "missing reference": {**paper, "reference": "gone"},
        "missing taesd": {**paper, "taesd": "gone"},
        "judge of a model": {**paper, "features": "judge"},
        "judge of a reference": {"reference": str(folder)},
    }


def label(tiny):
    """From a SHA-256 to the first file that has it: the files differ between versions of libraries,
    which of them is meant does not.
    """
    every = (tiny.model, tiny.clip, tiny.aesthetic, tiny.resnet, tiny.inception, tiny.taesd)
    assert all(path.exists() for path in every)
    known = {}
    for root in (tiny.root, shipped.ASSETS):
        for path in sorted(p for p in root.rglob("*") if p.is_file()):
            known.setdefault(digest(path), str(path.relative_to(root)))
    return lambda sha256: known.get(sha256, "no file")


def shown(source):
    if isinstance(source, HubFolder):
        return [source.repo, source.revision, *source.choose(NAMES)]
    return repr(source)


def said(ask, root):
    """What a question gives, or how it is refused, without the list of what there is instead."""
    try:
        return ask()
    except UsageError as error:
        text = str(error).partition(";")[0].replace(str(root), "ROOT")
        return re.sub(r" in the hub's cache \S+?,|\S+/hub/checkpoints", " CACHE", text)


def prices(maker, lower):
    found = vars(assemble.prices(maker, lower))
    return {name: int(value) for name, value in found.items() if name != "bound"}


def everything(maker, tiny):
    which = label(tiny)
    return {
        "fingerprint": said(
            lambda: [[k, which(v)] for k, v in assemble.fingerprint(maker).items()], tiny.root
        ),
        "sources": said(lambda: [shown(s) for s in assemble.sources(maker)], tiny.root),
        "prices": [
            said(lambda lower=lower: prices(maker, lower), tiny.root)
            for lower in ("importance", "guided")
        ],
        "prompts": said(lambda: list(maker.prompts()), tiny.root),
    }


def test_every_option_set_says_what_it_said_before(tiny, monkeypatch):
    folder = tiny.root / "reference"
    folder.mkdir()
    for k, picture in enumerate(pictures(3, 40)):
        Image.fromarray(np.asarray(picture)).save(folder / f"{k}.png")
    monkeypatch.chdir(tiny.root)
    monkeypatch.setenv("TORCH_HOME", str(tiny.root / "none"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tiny.root / "none"))
    found = {
        name: everything(RewardFt(**given), tiny)
        for name, given in option_sets(tiny, folder).items()
    }
    hashes = {
        name: hashlib.sha256(json.dumps(table).encode()).hexdigest()[:16]
        for name, table in found.items()
    }
    wrong = {name: found[name] for name in found if hashes[name] != RECORDED[name]}
    assert not wrong, json.dumps({k: [hashes[k], v] for k, v in wrong.items()}, indent=1)
