"""The options and the space of reward_ft with several lower rewards."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from benchmark.errors import UsageError
from benchmark.space import Float, Space

if TYPE_CHECKING:
    from tasks.reward_ft import RewardFt

MOST = 16
JOINT = " | "
"""Between the prompts of one text."""
# of each lam; the default has all of them weak
_LOW, _HIGH, _DEFAULT = 0.1, 100.0, 10.0
# options that one reward does not have
_OF_SEVERAL = ("ess_per_reward", "most_kl")
# a grid over more axes would have no end; the others are as good as off
_GRIDDED = 3
_GRIDS = [(1.0, 10.0, 100.0)] * _GRIDDED + [(_HIGH,)] * (MOST - _GRIDDED)


def space(names: tuple[str, ...]) -> Space:
    """An axis lam_<name> for each."""
    axes = zip(names, _GRIDS, strict=False)
    return Space(
        tuple(Float(f"lam_{n}", _LOW, _HIGH, _DEFAULT, log=True, grid=grid) for n, grid in axes)
    )


def split(o: RewardFt, prompt: str) -> tuple[str, ...]:
    """The prompts of a run."""
    return tuple(prompt.split(JOINT)) if o.together else (prompt,)


def weights_of(o: RewardFt, name: str) -> str:
    """Where a reward's network lies; "": where fetch puts it.

    Of several, a file or folder of its name, with or without an ending. Raises UsageError.
    """
    folder = o.reward_weights
    if not (folder and o.rewards):
        return folder
    # with it comes torch, which no plan needs
    from tasks.files.weights import place

    if not os.path.isdir(place(folder)):
        raise UsageError(
            f"option reward_ft.reward_weights: expected a folder beside reward_ft.rewards, with a "
            f"file or folder of each reward's name, such as aesthetic, got {folder!r}"
        )
    found = sorted(p for p in place(folder).iterdir() if name in (p.name, p.stem))
    if len(found) > 1:
        raise UsageError(
            f"option reward_ft.reward_weights: expected one file or folder for {name}, got "
            f"{', '.join(p.name for p in found)}; remove the others"
        )
    return str(found[0]) if found else ""


def check_prompts(o: RewardFt, text: str) -> None:
    """Raises UsageError for another number of prompts than asked for, or one that cannot be."""
    prompts = split(o, text)
    if len(prompts) != o.together or len(set(prompts)) < len(prompts):
        raise UsageError(
            f"--prompt: expected {o.together} different prompts with {JOINT!r} between them "
            f"(reward_ft.together), got {text!r}"
        )
    alone = replace(o, together=0)
    for prompt in prompts:
        alone.check_prompt(prompt)


def yields(given: Mapping[str, object]) -> Collection[str]:
    """A preset's options of one reward, where several are asked for."""
    return ("reward", "mode") if given.get("rewards") else ()


def check(o: RewardFt) -> None:
    """Raises UsageError for names that cannot be, and for options of one reward beside them."""
    if not o.rewards:
        usual = {f.name: f.default for f in fields(o)}
        for name in _OF_SEVERAL:
            if (given := getattr(o, name)) != usual[name]:
                raise UsageError(
                    f"option reward_ft.{name}: expected reward_ft.rewards beside it, got "
                    f"{given:g}, which is for several rewards; leave it out"
                )
        return
    if o.most_kl and not o.eta:
        raise UsageError(
            "option reward_ft.most_kl: expected 0 beside reward_ft.eta=0, whose path KL is "
            f"infinite, got {o.most_kl:g}; set reward_ft.most_kl=0, or reward_ft.eta=1"
        )
    names = o.names
    twice = sorted({n for n in names if n and names.count(n) > 1})
    wrong = (
        f"got {len(names)} of them" * (len(names) > MOST)
        or f"got {', '.join(twice)} more than once" * bool(twice)
        or f"got an empty one in {o.rewards!r}" * (not all(names))
    )
    if wrong:
        raise UsageError(
            f"option reward_ft.rewards: expected 1 to {MOST} names, each once, with commas between "
            f"them, {wrong}"
        )
    of_one = {
        "reward": o.reward != "quality",
        "lam_batch": o.lam_batch > 1,
        "mode": o.mode == "lookahead",
    }
    for name, given in of_one.items():
        if given:
            raise UsageError(
                f"option reward_ft.{name}: expected another beside reward_ft.rewards, got "
                f"{getattr(o, name)!r}, which is for one reward; leave it out"
            )
    if o.bank < (least := o.ess_per_reward * len(names)):
        raise UsageError(
            f"option reward_ft.bank: expected at least {least:g} for {len(names)} rewards "
            f"(reward_ft.ess_per_reward = {o.ess_per_reward:g} each), got {o.bank}"
        )
