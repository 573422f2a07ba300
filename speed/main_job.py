"""The README's shortest command, here and by another clone of the suite, in turn.

    OTHER=CLONE python -m speed main_job

`ROUNDS=3`: the default. Three runs each time, from the shell's prompt to the page. Give both cores
a rest from other work first.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROUNDS = int(os.environ.get("ROUNDS", "3"))
WORDS = ("run", "--method", "bilevel", "--task", "reward_ft", "--quiet")


def seconds(root: Path) -> float:
    """Of the command by the code below a folder."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "benchmark", *WORDS],
            env=os.environ | {"PYTHONPATH": str(root)},
            cwd=folder,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return time.perf_counter() - began


def main() -> None:
    own, other = Path(__file__).parents[1], Path(os.environ.get("OTHER", "none"))
    if not (other / "benchmark").is_dir():
        sys.exit(f"OTHER: expected the folder of another clone, got {str(other)!r}")
    pairs = [(seconds(own), seconds(other.absolute())) for _ in range(ROUNDS)]
    for name, found in (("here", [a for a, _ in pairs]), ("there", [b for _, b in pairs])):
        print(f"{name:5s} {median(found):6.1f} s ({min(found):.1f} to {max(found):.1f})")
    ratios = [b / a for a, b in pairs]
    print(f"there / here {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
