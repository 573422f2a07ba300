"""A hyper-parameter-optimisation benchmark suite for diffusion models.

Run and look at results: `run`, `load_results`, `Results`, `Budget`, `UsageError`.
Write a method: `Method`, `Problem`, `Proposal`, `fit`, `fit_many`, `advance`, `by_callback`,
`option`, `register_method`.
Write a task: `Task`, `Batched`, `Test`, `Refit`, `Remeasured`, `FeaturePairs`, `ImagePairs`,
`Prices`, `Space`, `Float`, `Integer`, `Choice`, `Lam`, `register_task`.
Describe what is shown: `Metric`, `register_metric`, `Cost`, `register_cost`, `register_plot`.
Add other parts: `register_reward`, `register_sampler`, `register_executor`, `register_data_set`,
`record_version`.

    from benchmark import run
    results = run(["random", "bayesian"], "quadratic", budget="20000nfe", seeds=range(5))
    results.frame
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# type checkers do not follow __getattr__
if TYPE_CHECKING:
    from benchmark.api.results import Results, load_results
    from benchmark.api.run import run
    from benchmark.budget import Budget
    from benchmark.callback import by_callback
    from benchmark.device import record_version
    from benchmark.errors import UsageError
    from benchmark.fitting import advance, fit, fit_many
    from benchmark.options import option
    from benchmark.protocol import (
        Batched,
        FeaturePairs,
        ImagePairs,
        Method,
        Prices,
        Problem,
        Proposal,
        Refit,
        Remeasured,
        Task,
        Test,
    )
    from benchmark.registry import (
        register_data_set,
        register_executor,
        register_method,
        register_plot,
        register_reward,
        register_sampler,
        register_task,
    )
    from benchmark.report.costs import Cost, register_cost
    from benchmark.report.metrics import Metric, register_metric
    from benchmark.space import Choice, Float, Integer, Lam, Space

_WHERE = {
    "Batched": "benchmark.protocol",
    "Budget": "benchmark.budget",
    "Choice": "benchmark.space",
    "Cost": "benchmark.report.costs",
    "Float": "benchmark.space",
    "Integer": "benchmark.space",
    "Lam": "benchmark.space",
    "Method": "benchmark.protocol",
    "Metric": "benchmark.report.metrics",
    "Prices": "benchmark.protocol",
    "Problem": "benchmark.protocol",
    "Proposal": "benchmark.protocol",
    "Refit": "benchmark.protocol",
    "Remeasured": "benchmark.protocol",
    "FeaturePairs": "benchmark.protocol",
    "ImagePairs": "benchmark.protocol",
    "Results": "benchmark.api.results",
    "Space": "benchmark.space",
    "Task": "benchmark.protocol",
    "Test": "benchmark.protocol",
    "UsageError": "benchmark.errors",
    "advance": "benchmark.fitting",
    "by_callback": "benchmark.callback",
    "fit": "benchmark.fitting",
    "fit_many": "benchmark.fitting",
    "load_results": "benchmark.api.results",
    "option": "benchmark.options",
    "record_version": "benchmark.device",
    "register_cost": "benchmark.report.costs",
    "register_data_set": "benchmark.registry",
    "register_executor": "benchmark.registry",
    "register_method": "benchmark.registry",
    "register_metric": "benchmark.report.metrics",
    "register_plot": "benchmark.registry",
    "register_reward": "benchmark.registry",
    "register_sampler": "benchmark.registry",
    "register_task": "benchmark.registry",
    "run": "benchmark.api.run",
}
__all__ = [
    "Batched",
    "Budget",
    "Choice",
    "Cost",
    "FeaturePairs",
    "Float",
    "ImagePairs",
    "Integer",
    "Lam",
    "Method",
    "Metric",
    "Prices",
    "Problem",
    "Proposal",
    "Refit",
    "Remeasured",
    "Results",
    "Space",
    "Task",
    "Test",
    "UsageError",
    "__version__",
    "advance",
    "by_callback",
    "fit",
    "fit_many",
    "load_results",
    "option",
    "record_version",
    "register_cost",
    "register_data_set",
    "register_executor",
    "register_method",
    "register_metric",
    "register_plot",
    "register_reward",
    "register_sampler",
    "register_task",
    "run",
]


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    """Import on first use, so that `bench --help` does not wait for pandas or torch."""
    if name not in _WHERE:
        raise AttributeError(f"module 'benchmark' has no attribute {name!r}")
    from benchmark.plugins.shadowed import check_packages

    # UsageError must be there even then, or a caller could not catch what this raises
    if name != "UsageError":
        check_packages()
    return getattr(importlib.import_module(_WHERE[name]), name)
