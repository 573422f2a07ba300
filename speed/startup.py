"""Whole processes after a first call. Target: `bench --help` and `bench list` under 0.3 s."""

import statistics
import subprocess
import sys

from speed.timing import seconds


def main() -> None:
    for words in (["--help"], ["list"]):
        command = [sys.executable, "-m", "benchmark", *words]
        times = [
            seconds(
                lambda command=command: subprocess.run(command, check=True, capture_output=True)
            )
            for _ in range(11)
        ][1:]  # the first compiles and fills the disk's cache
        print(
            f"bench {' '.join(words)}: median {statistics.median(times):.3f} s [{min(times):.3f}, "
            f"{max(times):.3f}] of 10"
        )
