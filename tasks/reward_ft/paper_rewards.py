"""Rewards on fetched networks: a random head on ResNet-18, LAION's aesthetic score, HPSv2."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.errors import UsageError
from tasks.files.download import Source
from tasks.files.tensors import fill
from tasks.files.weights import OnHub, OnWeb, given, locate, place
from tasks.reward_ft import clips
from tasks.reward_ft.scorers import ClipCosine, RandomHead

OPTION = "reward_ft.reward_weights"
RESNET = OnWeb(
    "https://download.pytorch.org/models/resnet18-f37072fd.pth",
    "BSD-3-Clause (torchvision); trained on ImageNet, whose own terms allow research alone",
)
AESTHETIC = OnWeb(
    "https://github.com/LAION-AI/aesthetic-predictor/raw/main/sa_0_4_vit_l_14_linear.pth",
    "MIT (LAION)",
)
AESTHETIC_CLIP = "ViT-L-14-quickgelu/openai"
HPS = OnHub("xswu/HPSv2", "HPS_v2_compressed.pt")
HPS_CLIP = "ViT-H-14"
HEAD_SEED, WIDTH = 18, 512


class ResNetHead:
    """The paper's lower reward: a random scalar head on the 512 features of an ImageNet ResNet-18.

    The head is seeded and in float32. Preprocessing as torchvision's weights ask for it: resize to
    256 (bilinear, antialiased), the middle 224, ImageNet's mean and deviation.
    """

    @classmethod
    def sources(cls) -> tuple[Source, ...]:
        return (RESNET,)

    @classmethod
    def files(cls, given_file: str) -> Mapping[str, Path]:
        what = "ResNet-18"
        return {"resnet18": given(what, given_file) if given_file else locate(what, RESNET, OPTION)}

    @classmethod
    def digests(cls) -> Mapping[str, str]:
        """SHA-256 of the head."""
        # it lies in no file, and another torch might draw another
        head = RandomHead(nn.Identity(), WIDTH, HEAD_SEED).head.numpy()
        return {"resnet_head/head": hashlib.sha256(head.astype("<f4").tobytes()).hexdigest()}

    def __init__(self, files: Mapping[str, Path], prompt: str, device: torch.device) -> None:
        from torchvision.models import resnet18

        network = resnet18(weights=None)
        fill("ResNet-18", network, files["resnet18"])
        network.fc = nn.Identity()
        network.to(device).eval().requires_grad_(False)
        self._score = RandomHead(network, WIDTH, HEAD_SEED).to(device)
        self._mean = torch.tensor([0.485, 0.456, 0.406], device=device)[:, None, None]
        self._std = torch.tensor([0.229, 0.224, 0.225], device=device)[:, None, None]

    def prepare(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        scale = 256 / min(height, width)
        size = (round(height * scale), round(width * scale))
        x = functional.interpolate(images, size, mode="bilinear", antialias=True)
        top, left = (size[0] - 224) // 2, (size[1] - 224) // 2
        return (x[..., top : top + 224, left : left + 224] - self._mean) / self._std

    def __call__(self, images: Tensor) -> Tensor:
        score: Tensor = self._score(self.prepare(images))
        return score


class Aesthetic:
    """LAION's linear aesthetic score, about 1 to 10, on normalised CLIP ViT-L/14 embeddings."""

    @classmethod
    def sources(cls) -> tuple[Source, ...]:
        return (AESTHETIC, clips.source(AESTHETIC_CLIP))

    @classmethod
    def files(cls, given_folder: str) -> Mapping[str, Path]:
        if not given_folder:
            choice = "reward_ft.reward=aesthetic"
            head = locate("aesthetic head", AESTHETIC, OPTION, choice)
            return {"head": head, **clips.files(AESTHETIC_CLIP, OPTION, choice)}
        folder = place(given_folder)
        if not os.path.isdir(folder):
            raise UsageError(
                f"option {OPTION}: aesthetic takes a folder with head.safetensors and open_clip's "
                f"files, got {given_folder!r}"
            )
        return {
            "head": given("aesthetic head", str(folder / "head.safetensors")),
            **clips.files(given_folder, OPTION),
        }

    def __init__(self, files: Mapping[str, Path], prompt: str, device: torch.device) -> None:
        folder = str(files[clips.CONFIG].parent) if clips.CONFIG in files else AESTHETIC_CLIP
        model, tokenize = clips.load(folder, OPTION)
        self._clip = ClipCosine(model, tokenize, device)
        self._head = nn.Linear(self._clip.width, 1)
        fill("aesthetic head", self._head, files["head"])
        self._head.to(device).requires_grad_(False)

    def __call__(self, images: Tensor) -> Tensor:
        score: Tensor = self._head(self._clip.embed(images))[:, 0]
        return score


class HPSv2:
    """Human Preference Score v2: 100 times the cosine of image and prompt in a tuned ViT-H/14."""

    @classmethod
    def sources(cls) -> tuple[Source, ...]:
        return (HPS,)

    @classmethod
    def files(cls, given_folder: str) -> Mapping[str, Path]:
        if given_folder:
            return clips.files(given_folder, OPTION)
        return {"hpsv2": locate("HPSv2", HPS, OPTION, "reward_ft.reward=hpsv2")}

    def __init__(self, files: Mapping[str, Path], prompt: str, device: torch.device) -> None:
        import open_clip

        if clips.CONFIG in files:
            model, tokenize = clips.load(str(files[clips.CONFIG].parent), OPTION)
        else:
            model, tokenize = open_clip.create_model(HPS_CLIP), open_clip.get_tokenizer(HPS_CLIP)
            # exact=False: the checkpoint may hold more than the network
            fill("HPSv2", model, files["hpsv2"], exact=False)
        self._reward = ClipCosine(model, tokenize, device).of(prompt)

    def __call__(self, images: Tensor) -> Tensor:
        return 100 * self._reward(images)
