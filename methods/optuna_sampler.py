"""Any sampler of Optuna's, by the name of its class."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from benchmark.errors import UsageError, suggest
from benchmark.options import option
from benchmark.protocol import Problem, Proposal, S
from methods.optuna_hub import PREFIX, hub_class, hub_code
from methods.optuna_needs import need

_OPTION = "option optuna.sampler"
_REFUSED = {
    "BaseSampler": "it is a base class",
    "BaseGASampler": "it is a base class",
    "BruteForceSampler": "it cannot try every value of a real axis; take GridSampler",
    "PartialFixedSampler": "it is made of another sampler, which JSON cannot hold",
}
"""Classes that search no space of this suite, and why."""


def sampler_class(name: str) -> type[Any]:
    """The class that a name means. Raises UsageError."""
    if name in _REFUSED:
        raise UsageError(f"{_OPTION}: {name} is of no use here: {_REFUSED[name]}")
    found: type[Any] = hub_class(name) if name.startswith(PREFIX) else _of_optuna(name)
    return found


def _of_optuna(name: str) -> Any:
    from optuna import samplers

    offered = (n for n in samplers.__all__ if isinstance(getattr(samplers, n), type))
    known = [
        n
        for n in offered
        if n not in _REFUSED and issubclass(getattr(samplers, n), samplers.BaseSampler)
    ]
    if name not in known:
        raise UsageError(
            f"{_OPTION}: unknown sampler {name!r}{suggest(name, known)}; known: "
            f"{', '.join(known)}, and {PREFIX}PACKAGE/CLASS of OptunaHub"
        )
    if name == "CmaEsSampler":
        need("cmaes", _OPTION)
    return getattr(samplers, name)


@dataclass(frozen=True)
class OptunaSampler:
    """A sampler by its name, with keyword arguments of its own. It has one objective."""

    imports: ClassVar[tuple[str, ...]] = ("methods.optuna_study",)

    trials: int = option(20, "evaluations, as many as other searches get", low=1, high=10**6)
    sampler: str = option(
        "TPESampler",
        "a class of optuna.samplers (Optuna's default), or hub:PACKAGE/CLASS of OptunaHub in the "
        "folder BENCH_HUB_DIR",
    )
    args: str = option("{}", "the sampler's keyword arguments, a JSON object; {}: its defaults")
    code: str = option(
        "", "hash of the code of a sampler of OptunaHub, filled in; one that is given must agree"
    )

    batch: int = option(
        1,
        "points that a model chooses at once; whether it sees those that run is the sampler's "
        "affair (TPESampler, GPSampler: yes); CmaEsSampler is asked for generations whatever this",
        low=1,
        high=1000,
        later=True,
    )

    def __post_init__(self) -> None:
        from methods.optuna_arguments import check, read

        arguments = read(self.args)
        check(sampler_class(self.sampler), arguments)
        found = hub_code(self.sampler) if self.sampler.startswith(PREFIX) else ""
        if self.code not in ("", found):
            raise UsageError(
                f"option optuna.code: the code of {self.sampler} is {found or 'not hashed'}, got "
                f"{self.code}; leave it out"
            )
        # one text for the same arguments: the options are a run's identity
        object.__setattr__(self, "args", json.dumps(arguments, sort_keys=True))
        object.__setattr__(self, "code", found)

    def __call__(self, problem: Problem[S], rng: np.random.Generator) -> Iterator[Proposal[S]]:
        from methods.optuna_study import search

        kind = sampler_class(self.sampler)
        arguments = json.loads(self.args)
        return search(problem, rng, self.trials, kind, batch=self.batch, **arguments)
