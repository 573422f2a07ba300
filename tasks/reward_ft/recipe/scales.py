"""Mean and deviation of the rewards of `attributes` and `conflicts` over unguided images.

    python -m tasks.reward_ft.recipe.scales

Prints a line each: the mean over the embedded preset's prompts, and the root mean square of the
deviations within them.
"""

from __future__ import annotations

import numpy as np
import torch

from tasks.reward_ft import RewardFt, conflicts, shipped
from tasks.reward_ft.attributes import Bright, Contrast, Sharp, Vivid, Warm
from tasks.reward_ft.mixed_task import MixedImportance
from tasks.reward_ft.pull import Reward

IMAGES = 1024


def main() -> None:
    found: dict[str, list[np.ndarray[tuple[int], np.dtype[np.float64]]]] = {}
    options = RewardFt(rewards="quality")
    for prompt in shipped.PROMPTS:
        task = options.open(0, prompt, "importance", "cpu")
        assert isinstance(task, MixedImportance)
        images = task.sampler(task.seeds("scales", IMAGES)).images
        kinds = (Bright, Warm, Vivid, Contrast, Sharp)
        scores: dict[str, Reward] = {kind.__name__.lower(): kind.score for kind in kinds}
        for name in conflicts.NAMES:
            scores[name] = conflicts.score(name, shipped.ASSETS, "cpu", prompt)
        for name, score in scores.items():
            with torch.no_grad():
                found.setdefault(name, []).append(score(images).double().numpy())
    for name, each in found.items():
        mean = np.mean([v.mean() for v in each])
        print(f"{name}: {mean:.4g}, {np.sqrt(np.mean([v.var() for v in each])):.4g}")


if __name__ == "__main__":
    main()
