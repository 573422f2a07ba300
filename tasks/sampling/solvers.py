"""The solvers that `sampling` chooses among: diffusers' schedulers, by a short name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasks.sampling.plan import Plan


@dataclass(frozen=True)
class DiffusersSolver:
    """A scheduler class of diffusers, with what its configuration has beside the model's own.

    calls: of the network, for each step.  spaced: whether it takes any time steps; the others
        have trailing ones.  eta: whether it takes the noise of a step.
    """

    scheduler: str
    config: Mapping[str, object] = field(default_factory=dict)
    calls: int = 1
    spaced: bool = True
    eta: bool = False

    def steps(self, evaluations: int) -> int:
        """As many as the evaluations of the network are enough for; the last step takes one."""
        return (evaluations + self.calls - 1) // self.calls


def _multistep(order: int, kind: str) -> DiffusersSolver:
    config = {"solver_order": order, "algorithm_type": kind, "solver_type": "midpoint"}
    return DiffusersSolver("DPMSolverMultistepScheduler", config)


SOLVERS: Mapping[str, DiffusersSolver] = {
    "dpmpp_2m": _multistep(2, "dpmsolver++"),
    "dpmpp_3m": _multistep(3, "dpmsolver++"),
    "dpmpp_2m_sde": _multistep(2, "sde-dpmsolver++"),
    "euler": DiffusersSolver("EulerDiscreteScheduler"),
    "heun": DiffusersSolver("HeunDiscreteScheduler", calls=2),
    "ddim": DiffusersSolver("DDIMScheduler", {"clip_sample": False}, spaced=False, eta=True),
    "unipc": DiffusersSolver(
        "UniPCMultistepScheduler", {"solver_order": 2, "solver_type": "bh2"}, spaced=False
    ),
    "deis": DiffusersSolver(
        "DEISMultistepScheduler",
        {"solver_order": 2, "algorithm_type": "deis", "solver_type": "logrho"},
        spaced=False,
    ),
}
# whatever a model's file says of these, a plan has its own time steps and steps
_OWN: Mapping[str, object] = {
    "use_karras_sigmas": False,
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
    "use_lu_lambdas": False,
    "timestep_spacing": "trailing",
    "steps_offset": 1,
    "final_sigmas_type": "zero",
    "lower_order_final": True,
    "euler_at_final": False,
    "thresholding": False,
}


def scheduler_class(plan: Plan) -> Any:
    """Of diffusers."""
    import diffusers

    known = SOLVERS.get(plan.solver)
    return getattr(diffusers, known.scheduler if known else plan.solver)


def settings(plan: Plan) -> dict[str, object]:
    """What the scheduler's `from_config` is given beside the model's own configuration."""
    if plan.solver not in SOLVERS:
        return dict(plan.config)
    wanted = {**_OWN, **SOLVERS[plan.solver].config}
    known = inspect.signature(scheduler_class(plan).__init__).parameters
    return {key: value for key, value in wanted.items() if key in known}


def scheduler(plan: Plan, config: Any) -> Any:
    """A scheduler of diffusers with the plan's time steps. config: of the model's own."""
    found = scheduler_class(plan).from_config(config, **settings(plan))
    if plan.timesteps is None:
        found.set_timesteps(plan.steps)
    else:
        found.set_timesteps(timesteps=list(plan.timesteps))
    return found
