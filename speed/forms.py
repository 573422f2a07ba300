"""A: the embedded model in bf16, channels_last, or both; B: as it is, fp32. Passes on a CPU.

Above 1 the form is faster. What it changes: the root mean square of a pixel, of 1, and F.
"""

from __future__ import annotations

import time
from functools import partial

from speed.plain_loop import Loops
from speed.timing import compare
from tasks.reward_ft import RewardFt

HALF = {"dtype": "bf16", "decode_dtype": "bf16"}
FORMS = {"channels_last": {"channels_last": True}, "bf16": HALF}
FORMS["bf16, channels_last"] = {**HALF, "channels_last": True}
ROUNDS = 7


def main() -> None:
    plain = Loops(RewardFt(mode="direct"))
    for name, options in FORMS.items():
        other = Loops(RewardFt(mode="direct", **options))
        for guided in (False, True):
            a, b = partial(other.ours, guided), partial(plain.ours, guided)
            found = compare(a, b, ROUNDS, time.process_time)
            images, before = a(), b()
            gap = float((images - before).square().mean().sqrt())
            score = [float(plain.task.r1(x).mean()) for x in (images, before)]
            print(
                f"{name}, {'guided' if guided else 'unguided'}: B/A {found.interval[0]:.3f} "
                f"[{found.interval[1]:.3f}, {found.interval[2]:.3f}]; pixels differ by {gap:.1e}, "
                f"F by {score[1] - score[0]:+.5f}",
                flush=True,
            )
