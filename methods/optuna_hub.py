"""Samplers of OptunaHub (Ozaki et al. 2025), from a folder: a run downloads nothing.

The folder is laid out as `package/` of the registry at github.com/optuna/optunahub-registry is.
"""

from __future__ import annotations

import hashlib
import os
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmark.errors import UsageError, located, suggest
from methods.optuna_needs import need

PREFIX = "hub:"
VARIABLE = "BENCH_HUB_DIR"
_OPTION = "option optuna.sampler"


def _place(name: str) -> tuple[Path, str, str]:
    """The registry's folder, the package and the class that `hub:PACKAGE/CLASS` names."""
    package, _, kind = name.removeprefix(PREFIX).rpartition("/")
    if not package or not kind.isidentifier() or ".." in Path(package).parts:
        raise UsageError(
            f"{_OPTION}: expected hub:PACKAGE/CLASS, such as "
            f"hub:samplers/auto_sampler/AutoSampler, got {name!r}"
        )
    need("optunahub", _OPTION)
    if not (root := os.environ.get(VARIABLE)):
        raise UsageError(
            f"{_OPTION}: {VARIABLE} is not set; set it to the folder `package` of a copy of "
            "github.com/optuna/optunahub-registry"
        )
    if not (Path(root) / package / "__init__.py").is_file():
        known = sorted(
            p.parent.relative_to(root).as_posix() for p in Path(root).glob("*/*/__init__.py")
        )
        raise UsageError(
            f"{_OPTION}: no package {package!r} in {VARIABLE}={root}{suggest(package, known)}"
        )
    return Path(root), package, kind


def hub_class(name: str) -> type[Any]:
    """What `hub:PACKAGE/CLASS` names. Raises UsageError, as where its code cannot be loaded."""
    from optuna.samplers import BaseSampler

    root, package, kind = _place(name)
    hub = import_module("optunahub")
    try:
        module = hub.load_local_module(package, registry_root=str(root))
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{_OPTION}: {package} needs the module {error.name}; install its package with pip"
        ) from error
    except Exception as error:
        raise UsageError(f"{_OPTION}: {package} cannot be loaded: {located(error)}") from error
    if not hasattr(module, kind):
        raise UsageError(f"{_OPTION}: {package} has no {kind!r}{suggest(kind, vars(module))}")
    found = getattr(module, kind)
    if not (isinstance(found, type) and issubclass(found, BaseSampler)):
        raise UsageError(f"{_OPTION}: {kind} of {package} is no class of samplers")
    return found


def hub_code(name: str) -> str:
    """16 digits of the SHA-256 of the package's Python files, so that an edited one is another
    run.
    """
    root, package, _ = _place(name)
    parts = [
        f"{p.relative_to(root).as_posix()} {hashlib.sha256(p.read_bytes()).hexdigest()}"
        for p in sorted((root / package).rglob("*.py"))
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
