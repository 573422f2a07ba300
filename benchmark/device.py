"""The device: when its queue is empty, and how much memory a run took. Imports torch only if somebody else has."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def synchronize() -> None:
    """Wait for work that was queued on a GPU; nothing to wait for on a CPU."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def reset_peak_memory() -> None:
    """Forget the peak of earlier runs, where the system can: on a GPU, and on Linux."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_bytes() -> int:
    """Peak memory on the GPU in use, else the peak resident size of this process since the last reset."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        return int(torch.cuda.max_memory_allocated())
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def environment() -> dict[str, str]:
    """What a reader needs to judge a run's seconds: machine, threads and versions; no host name, no path."""
    torch = sys.modules.get("torch")
    found = {
        "python": platform.python_version(),
        "system": platform.system(),
        "processor": platform.machine(),
        "cpus": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "threads": str(torch.get_num_threads()) if torch is not None else "",
    }
    for package in ("torch", "diffusers", "open_clip_torch", "scikit-optimize", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = ""
    return found
