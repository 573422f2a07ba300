"""What several commands print."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark.escape import visible


def print_checks(results: Iterable[tuple[str, str]], name: object, good: str) -> int:
    """Print (what was checked, what is wrong with it or ""); returns the exit status."""
    failed = 0
    for what, problem in results:
        line = f"FAIL {what}: {problem}" if problem else f"ok   {what}"
        print(visible(line), flush=True)
        failed += bool(problem)
    bad = f"{failed} check{'s' if failed > 1 else ''} failed"
    print(f"{name}: {bad if failed else good}")
    return 1 if failed else 0
