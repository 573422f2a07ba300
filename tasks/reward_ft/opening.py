"""From the options of reward_ft to a task that is loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from benchmark.protocol import Task
from tasks.precision import exact
from tasks.reward_ft import loading, prompts, several
from tasks.reward_ft.guidance import advised
from tasks.reward_ft.guided_task import GuidedTask
from tasks.reward_ft.importance_task import Importance
from tasks.reward_ft.mixed_task import MixedGuided, MixedImportance
from tasks.reward_ft.staged_task import StagedTask
from tasks.reward_ft.together import Together

if TYPE_CHECKING:
    from tasks.reward_ft import RewardFt

# by lower-level solver: of one reward, and of several
_KINDS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "importance": (Importance, MixedImportance),
    "guided": (GuidedTask, MixedGuided),
}


def opened(o: RewardFt, seed: int, prompt: str, lower: str, device: str) -> Task[Any]:
    """Raises UsageError for files that are missing or damaged."""
    exact(device)
    for own in several.split(o, prompt):
        prompts.note_cuts(o, own)
    tasks: list[Any] = []
    for own in several.split(o, prompt):
        with advised():
            networks = loading.networks(o, own, device)
        tasks.append(_task(o, networks, seed, own, lower))
    return Together(tasks) if o.together else tasks[0]


def _task(o: RewardFt, networks: loading.Networks, seed: int, prompt: str, lower: str) -> Any:
    """Of one prompt."""
    if lower != "staged":
        return _KINDS[lower][bool(o.rewards)](o, networks, seed, prompt)
    bank, guided = (_task(o, networks, seed, prompt, own) for own in _KINDS)
    return StagedTask(bank, guided, o.bank_steps)
