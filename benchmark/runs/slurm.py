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
    if any(c in str(root) for c in "\n\r%\"'\\"):
        what = "expected a name without %, quotes, backslashes and line ends for sbatch"
        raise UsageError(f"--out {str(out)!r}: {what}")
    command = [sys.executable, "-P", "-m", "benchmark", "worker", str(root), *words]
    lines = [
        "#!/bin/bash",
        "#SBATCH --job-name=bench",
        f"#SBATCH --array=1-{workers}",
        # sbatch splits its lines at blanks, but for what is quoted
        f'#SBATCH --output="{root}/slurm-%A_%a.log"',
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
    known = [Path(sys.prefix), Path(sys.base_prefix)]
    paths = [Path(p).absolute() for p in sys.path if p]
    more = [p for p in paths if p.exists() and not any(map(p.is_relative_to, known))]
    if more:
        found["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(map(str, more)))
    return [f"export {name}={shlex.quote(value)}" for name, value in found.items()]
