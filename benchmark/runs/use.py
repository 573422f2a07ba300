"""What a stored run found, for use without the suite."""

from __future__ import annotations

from benchmark.errors import UsageError
from benchmark.maker import Usable
from benchmark.protocol import Use
from benchmark.spec import read_spec
from benchmark.store.stored import Stored


def use_of(run: Stored) -> Use:
    """Of its last answer.

    Raises UsageError for a run without one, and where its task is another now or has no use.
    """
    spec = read_spec(run.run["spec"])
    if not run.tests:
        raise UsageError(
            f"{run.folder}: expected a run that ended with an answer, got one with status "
            f"{run.run['status']}"
        )
    maker = spec.maker()
    if not isinstance(maker, Usable):
        raise UsageError(f"{run.folder}: task {spec.task!r} does not say how its lam is used")
    if (now := type(maker).version) != spec.task_version:
        raise UsageError(
            f"{run.folder}: expected version {now} of task {spec.task!r}, it was made with "
            f"{spec.task_version}; run it again"
        )
    return maker.use(run.tests[-1]["lam"])
