"""What to set where a run does not fit into memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.reward_ft import RewardFt


def advice(o: RewardFt) -> str:
    """Settings that take less memory, in the order in which to try them."""
    ways = {
        "micro_batch=1": o.micro_batch > 1,
        "checkpointing=true": not o.checkpointing,
        "dtype=bf16": o.dtype == "fp32",
        "decode_dtype=bf16": o.decode_dtype == "fp32",
        "taesd=madebyollin/taesd": not o.taesd,
        "a smaller size": True,
    }
    return "set reward_ft." + ", ".join(way for way, left in ways.items() if left)
