"""What some samplers need besides Optuna itself."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from benchmark.errors import UsageError

_LATE = {
    "CmaEsSampler": ("cmaes",),
    "GPSampler": ("torch", "scipy.optimize", "scipy.stats.qmc"),
    "QMCSampler": ("scipy.stats.qmc",),
}
"""Modules that Optuna imports as a sampler asks for a point, by the sampler's class."""


def need(package: str, owner: str) -> None:
    """Raises UsageError, with the command that installs it, where a package is missing."""
    if find_spec(package) is None:
        raise UsageError(f"{owner}: it needs the package {package}; pip install {package}")


def load(kind: type) -> None:
    """Import what a class of samplers would import during a search, whose seconds count."""
    for base in kind.__mro__:
        for name in _LATE.get(base.__name__, ()):
            import_module(name)
