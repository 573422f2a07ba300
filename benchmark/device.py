"""The device: when its queue is empty, and how much memory a run took.

torch is imported for a GPU alone, since that takes seconds and many tasks do without it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import platform
import resource
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from benchmark.errors import UsageError, one_line

# bytes; a context of CUDA takes some hundred MiB of a GPU, and asking for this opens one
_OWN = 3 * 2**29
# packages whose versions are recorded
_PACKAGES = [
    "torch",
    "diffusers",
    "open_clip_torch",
    "scikit-optimize",
    "optuna",
    "cmaes",
    "numpy",
]
# bytes; the kernel counts resident pages in batches, a thread each
_SLACK = 2**24


def synchronize() -> None:
    """Wait for work that was queued on a GPU; nothing to wait for on a CPU."""
    torch = sys.modules.get("torch")
    # asked at every request of a method: whether a GPU is there at all would take a third of it
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def _memory() -> dict[str, int]:
    """Bytes by field of Linux's /proc/self/status (VmRSS now, VmHWM its peak); {} elsewhere."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return {
            line.split(":")[0]: int(line.split()[1]) * 1024
            for line in lines
            if line.startswith("Vm")
        }
    return {}


def _gpu(device: str) -> Any:
    """torch, where it is at work on the GPU of that name; else None."""
    torch = sys.modules.get("torch")
    at_work = torch is not None and device.startswith("cuda") and torch.cuda.is_initialized()
    return torch if at_work else None


def reset_peak_memory(device: str) -> bool:
    """Forget the peak of this process's earlier runs; False where the system cannot."""
    gc.collect()
    # what earlier runs freed the allocator keeps (glibc), and the next peak would count it
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    # not on other systems, nor where /proc is closed
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    if (torch := _gpu(device)) is not None:
        torch.cuda.reset_peak_memory_stats(device)
        return True
    # whether it worked can be seen: a peak that was reset is the size of now
    memory = _memory()
    return "VmHWM" in memory and memory["VmHWM"] <= memory["VmRSS"] + _SLACK


def peak_memory_bytes(device: str) -> int:
    """Peak memory since the last reset that worked: on the GPU in use, else of this process."""
    if (torch := _gpu(device)) is not None:
        return int(torch.cuda.max_memory_allocated(device))
    # macOS counts in bytes, others in KiB
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return _memory().get("VmHWM", peak)


def free_memory_bytes(device: str) -> int:
    """What a process could still take: of the GPU's memory, else of this machine's."""
    if device.startswith("cuda"):
        # in a process of its own, which gives back what asking takes of the GPU's memory
        code = "import sys, torch; print(torch.cuda.mem_get_info(sys.argv[1])[0])"
        done = subprocess.run(
            [sys.executable, "-c", code, device], capture_output=True, text=True, check=True
        )
        return int(done.stdout)
    free = int(psutil.virtual_memory().available)
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return free if limit == resource.RLIM_INFINITY else min(free, limit)


def use(device: str) -> None:
    """Make a GPU the one that this process works on and waits for."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.set_device(torch.device(device if ":" in device else "cuda:0"))


def in_use(device: str) -> str:
    """A note on a GPU that holds much memory before a run has begun on it; "" for any other."""
    if not device.startswith("cuda"):
        return ""
    import torch

    free, total = torch.cuda.mem_get_info(device)
    if total - free < _OWN:
        return ""
    return (
        f"{device}: {(total - free) / 2**30:.1f} GiB were in use before this run began; "
        "another process is at work there"
    )


def record_version(package: str) -> None:
    """Store a package's version with each run of this process.

    Raises UsageError for a package that is not installed.
    """
    try:
        version(package)
    except (PackageNotFoundError, ValueError) as error:
        raise UsageError(
            f"record_version({package!r}): expected the name of an installed package, as pip "
            "shows it"
        ) from error
    if package not in _PACKAGES:
        _PACKAGES.append(package)


def _cpu() -> str:
    """The CPU's model as Linux names it; "" where it does not."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(
            (one_line(line.partition(":")[2]) for line in lines if line.startswith("model name")),
            "",
        )
    return ""


def environment() -> dict[str, str]:
    """What a reader needs to judge a run's seconds: machine, threads and versions."""
    torch = sys.modules.get("torch")
    # no host name and no path: results are published
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = {
        "python": platform.python_version(),
        "system": platform.system(),
        "processor": platform.machine(),
        "cpu": _cpu(),
        "cpus": str(cpus),
        "threads": str(torch.get_num_threads()) if torch is not None else "",
    }
    # asked at every request of a method: whether a GPU is there at all would take a third of it
    if torch is not None and torch.cuda.is_initialized():
        found |= {"gpu": torch.cuda.get_device_name(), "cuda": str(torch.version.cuda)}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = ""
    return found
