"""Every file that the paper's preset needs, in its real layout, with random weights and tiny
networks where a size is free.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from speed import paper_files
from tasks.reward_ft import shipped
from tasks.reward_ft.form import Form
from tasks.reward_ft.guidance import Sampler
from tasks.reward_ft.pipeline import load
from tasks.reward_ft.steps import Schedule

PROMPT = "A beautiful landscape"
RUN = ["run", "--method", "bilevel", "--task", "reward_ft", "--preset", "paper"]


def stable_diffusion(prediction="epsilon", channels=4):
    """A Stable Diffusion of 32 pixels a side with 77 tokens and the scheduler class of 1.5;
    channels: of the U-Net.
    """
    from diffusers import (
        AutoencoderKL,
        PNDMScheduler,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(0)
    tokenizer = CLIPTokenizer.from_pretrained(
        shipped.ASSETS / "model" / "tokenizer", model_max_length=77
    )
    words = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=77,
    )
    return StableDiffusionPipeline(
        vae=AutoencoderKL(
            latent_channels=4,
            block_out_channels=(8, 16),
            norm_num_groups=4,
            sample_size=32,
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
        ),
        text_encoder=CLIPTextModel(words),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(
            in_channels=channels,
            sample_size=16,
            block_out_channels=(8, 16),
            layers_per_block=1,
            cross_attention_dim=32,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=4,
            norm_num_groups=4,
        ),
        scheduler=PNDMScheduler.from_config(
            {**paper_files.SCHEDULER, "prediction_type": prediction}
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def clip(folder, width=32):
    """An open_clip model with QuickGELU in open_clip's folder layout."""
    import open_clip

    shape = {
        "embed_dim": width,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 8},
        "text_cfg": {
            "context_length": 77,
            "vocab_size": 49408,
            "width": 32,
            "heads": 2,
            "layers": 1,
        },
    }
    about = {
        "mean": [0.48, 0.46, 0.41],
        "std": [0.27, 0.26, 0.28],
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    }
    folder.mkdir(parents=True)
    config = {"model_cfg": shape, "preprocess_cfg": about}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    torch.manual_seed(1)
    model = open_clip.model.CLIP(**shape)
    save_file(
        {k: v.contiguous() for k, v in model.state_dict().items()},
        folder / "open_clip_model.safetensors",
    )


_NAMES = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}


def published_names(folder):
    """Rename tensors to what they are called in the published files, which are older than today's
    libraries.
    """
    before = "text_model." if folder.name == "text_encoder" else ""

    def published(name):
        for new, old in _NAMES.items():
            name = name.replace(new, old)
        return before + name.removeprefix(before)

    for path in folder.glob("*.safetensors"):
        save_file(
            {published(name): tensor for name, tensor in load_file(path).items()},
            path,
            {"format": "pt"},
        )
    for path in folder.glob("*.index*.json"):
        index = json.loads(path.read_text())
        index["weight_map"] = {
            published(name): shard for name, shard in index["weight_map"].items()
        }
        path.write_text(json.dumps(index))


@dataclass(frozen=True)
class Tiny:
    """Each part is made when a test first asks for it."""

    root: Path

    @cached_property
    def model(self):
        pipe = stable_diffusion()
        pipe.save_pretrained(self.root / "sd")
        (self.root / "sd" / "unet" / "diffusion_pytorch_model.safetensors").unlink()
        pipe.unet.save_pretrained(self.root / "sd" / "unet", max_shard_size="60KB")
        assert (
            self.root / "sd" / "unet" / "diffusion_pytorch_model.safetensors.index.json"
        ).is_file()
        stable_diffusion().to(torch.float16).save_pretrained(self.root / "sd", variant="fp16")
        index = self.root / "sd" / "model_index.json"
        about = json.loads(
            index.read_text()
        )  # as in the published folder, whose two parts more no run needs
        about["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
        about["feature_extractor"] = ["transformers", "CLIPImageProcessor"]
        index.write_text(json.dumps(about))
        for part in ("text_encoder", "vae"):
            published_names(self.root / "sd" / part)
        return self.root / "sd"

    @cached_property
    def clip(self):
        clip(self.root / "clip")
        return self.root / "clip"

    @cached_property
    def aesthetic(self):
        clip(self.root / "aesthetic")
        head = {"weight": torch.full((1, 32), 0.5), "bias": torch.tensor([5.0])}
        save_file(head, self.root / "aesthetic" / "head.safetensors")
        return self.root / "aesthetic"

    @cached_property
    def resnet(self):
        return paper_files.resnet(self.root)

    @cached_property
    def inception(self):
        return paper_files.inception(self.root)

    @cached_property
    def taesd(self):
        from diffusers import AutoencoderTiny

        torch.manual_seed(4)
        one = {"encoder_block_out_channels": (8, 8), "decoder_block_out_channels": (8, 8)}
        AutoencoderTiny(
            **one, num_encoder_blocks=(1, 1), num_decoder_blocks=(1, 1)
        ).save_pretrained(self.root / "taesd")
        return self.root / "taesd"

    @property
    def settings(self):
        """`--set` of all files, and sizes at which a run takes seconds."""
        return [
            f"model={self.model}",
            f"clip={self.clip}",
            f"reward_weights={self.resnet}",
            f"inception={self.inception}",
            "size=0",
            "steps=2",
            "passes=2",
            "bank=16",
            "images=2",
            "test_images=3",
            "reference_images=3",
        ]


def words(settings):
    return [w for s in settings for w in ("--set", f"reward_ft.{s}")]


def sampler_of(folder, batch=5, mode="lookahead", **form):
    model = load(folder, "cpu", Form(**form))
    return Sampler(model, Schedule.of(model.scheduler, 3, 1.0), PROMPT, 7.5, mode, 10.0, 1.0, batch)


def pictures(count, side, seed=0):
    """Smooth random pictures, uint8 (N, side, side, 3)."""
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 6, 6, generator=rng)
    large = torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 1)
    return (large.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()
