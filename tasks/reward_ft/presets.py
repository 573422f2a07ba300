"""The presets of reward_ft."""

from __future__ import annotations

from collections.abc import Mapping

SD15 = "stable-diffusion-v1-5/stable-diffusion-v1-5"
# the default of the released code; the paper's own were not at hand
PAPER_PROMPTS = ("A beautiful landscape",)
# rewards on the embedded preset's own networks
EMBEDDED: tuple[str, ...] = ("quality", "random_head", "head_2", "head_3", "head_4")
EMBEDDED += ("other_digit", "other_ink", "other_ground")

# what a run imports late, by its longest names
IMPORTS = (
    "tasks.reward_ft.opening",
    "tasks.reward_ft.pipeline",
    "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion",
    "open_clip",
    "sklearn.datasets",
)

PRESETS: Mapping[str, Mapping[str, object]] = {
    "embedded": {},
    # batch 3, 7 passes, target 10, guidance 1, 20 Bayesian calls; the others: docs/paper.md
    "paper": {
        "model": SD15,
        "clip": "ViT-B-16-quickgelu/openai",
        "reward": "resnet_head",
        "features": "inception",
        "reference": "unguided",
        "mode": "lookahead",
        "target": 10.0,
        "guidance": 1.0,
        "size": 512,
        "steps": 50,
        "cfg": 7.5,
        "passes": 7,
        "images": 3,
        "bank": 256,
        "test_images": 12,
        "reference_images": 64,
        "micro_batch": 1,
        "bayesian.trials": 20,
    },
}
