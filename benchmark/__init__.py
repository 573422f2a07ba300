"""A hyper-parameter-optimisation benchmark suite for diffusion models."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "Float": "benchmark.space",
    "Integer": "benchmark.space",
    "Lam": "benchmark.space",
    "Space": "benchmark.space",
    "Method": "benchmark.protocol",
    "Prices": "benchmark.protocol",
    "Problem": "benchmark.protocol",
    "Proposal": "benchmark.protocol",
    "Task": "benchmark.protocol",
    "Test": "benchmark.protocol",
    "UsageError": "benchmark.errors",
    "advance": "benchmark.fitting",
    "fit": "benchmark.fitting",
    "load_results": "benchmark.frame",
    "option": "benchmark.options",
    "record_version": "benchmark.device",
    "register_method": "benchmark.registry",
    "register_task": "benchmark.registry",
    "run": "benchmark.api",
}
__all__ = ["__version__", *_WHERE]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    """Import on first use, so that `bench --help` does not wait for pandas or torch."""
    if name not in _WHERE:
        raise AttributeError(f"module 'benchmark' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
