"""What a practitioner would take without tuning: named plans beside those of the search space."""

from __future__ import annotations

from typing import Any

from tasks.sampling.plan import Plan
from tasks.sampling.solvers import scheduler

_AYS_STEPS = 10


def controls(config: Any, evaluations: int, cfg: float) -> dict[str, Plan]:
    """By name, at this many calls of the network or one less; with guidance cfg throughout.

    config: of the model's own scheduler.
    """
    from diffusers.schedulers import AysSchedules

    own = Plan(config["_class_name"], evaluations, None, (cfg,) * evaluations)
    karras = Plan(
        "DPMSolverMultistepScheduler",
        evaluations,
        None,
        (cfg,) * evaluations,
        config={"use_karras_sigmas": True},
    )
    found = {"the model's own scheduler": _within(own, config), "DPM++ 2M Karras": karras}
    if evaluations == _AYS_STEPS:
        # Sabour et al. 2024, as diffusers lists them for Stable Diffusion 1.5
        times = tuple(AysSchedules["StableDiffusionTimesteps"])
        found["DPM++ 2M AYS"] = Plan("dpmpp_2m", evaluations, times, (cfg,) * evaluations)
    return found


def _within(plan: Plan, config: Any) -> Plan:
    """With as many steps as its weights have calls, or as there are calls for."""
    # PNDM calls the network once more than it has steps, Heun almost twice as often
    for steps in range(plan.steps, 0, -1):
        fewer = Plan(plan.solver, steps, None, plan.weights)
        calls = len(scheduler(fewer, config).timesteps)
        if calls <= len(plan.weights):
            break
    return Plan(plan.solver, steps, None, plan.weights[:calls])
