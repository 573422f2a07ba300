"""The script of a SLURM array, each task of which takes runs from a plan."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.errors import UsageError

FORMATS = ("slurm",)
# a file of the user's that sbatch reads: of these variables a worker needs what was set here
_PASSED_ON = ("BENCH_DATA_DIR", "BENCH_WEIGHTS_DIR", "BENCH_HUB_DIR", "HF_HOME", "TORCH_HOME")


def script(out: Path, words: Sequence[str], workers: int, device: str) -> str:
    """sbatch's script. words: of `bench worker`, besides the folder.  workers: at a time.

    device: the kind that the runs need. Raises UsageError for what a script cannot hold.
    """
    root = out.absolute()
    if any(c in str(root) for c in "\n\r%"):
        raise UsageError(f"--out {str(out)!r}: expected a name without % and line ends for sbatch")
    command = [sys.executable, "-P", "-m", "benchmark", "worker", str(root), *words]
    lines = [
        "#!/bin/bash",
        "#SBATCH --job-name=bench",
        f"#SBATCH --array=1-{workers}",
        f"#SBATCH --output={root}/slurm-%A_%a.log",
        "#SBATCH --cpus-per-task=2",
        *(["#SBATCH --gres=gpu:1"] if device == "cuda" else []),
        "# time, memory and partition are yours to add",
        f"cd {shlex.quote(os.getcwd())}",
        *_exports(os.environ),
        f"exec {shlex.join(command)}",
    ]
    return "\n".join([*lines, ""])


def _exports(environment: Mapping[str, str]) -> list[str]:
    found = {name: environment[name] for name in _PASSED_ON if name in environment}
    # what this process can import, a worker can too; its Python has the rest
    known = (sys.prefix, sys.base_prefix)
    more = [os.path.abspath(p) for p in sys.path if p and not os.path.abspath(p).startswith(known)]
    if more := [p for p in more if os.path.exists(p)]:
        found["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(more))
    return [f"export {name}={shlex.quote(value)}" for name, value in found.items()]
