"""Whether the runs fit into memory, before the first one starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from benchmark.device import free_memory_bytes
from benchmark.errors import UsageError
from benchmark.maker import Weighed
from benchmark.spec import RunSpec

_GIB = 2**30


@dataclass(frozen=True)
class Need:
    """needed: bytes of one run at its peak, estimated.  advice: what takes less."""

    task: str
    needed: int
    advice: str


def needs(specs: Iterable[RunSpec]) -> Iterator[Need]:
    """Once for each configuration of a task that can tell. Raises UsageError."""
    seen = set()
    for spec in specs:
        key = (spec.task, str(spec.task_options), str(spec.places))
        maker = spec.maker()
        if key not in seen and isinstance(maker, Weighed) and (needed := maker.memory(spec.device)):
            yield Need(spec.task, needed, maker.advice)
        seen.add(key)


def preflight(specs: Iterable[RunSpec], devices: Iterable[str], jobs: int) -> None:
    """Raises UsageError, with advice, where memory would not do. jobs: at a time on one device."""
    estimates = list(needs(specs))
    for device in devices if estimates else ():
        # what is free, not what the machine has: a run may not be alone there
        free = free_memory_bytes(device)
        for need in estimates:
            if need.needed * jobs > free:
                times = f" for each of {jobs} runs at a time" if jobs > 1 else ""
                raise UsageError(
                    f"task {need.task}: about {need.needed / _GIB:.1f} GiB are needed{times}, and "
                    f"{device} has {free / _GIB:.1f} GiB free; {need.advice}; or start it "
                    "nevertheless with --no-preflight"
                )
