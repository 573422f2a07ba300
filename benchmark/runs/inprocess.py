"""Runs in the caller's process, one after the other: for Python callers and for debugging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.errors import Refused, StorageError, one_line
from benchmark.registry import METHODS, TASKS
from benchmark.runs.drivers import driving
from benchmark.runs.executor import ExecutorSettings, Outcome
from benchmark.runs.runner import run_one
from benchmark.search.guard import Guard
from benchmark.spec import RunSpec
from benchmark.store.store import Store


@dataclass(frozen=True)
class InProcessExecutor:
    """Runs in the caller's process, which alone knows methods of a notebook.

    No watchdog stops a run that hangs. `jobs`, `grace` and `plugins` have no effect.
    """

    settings: ExecutorSettings

    def __call__(self, specs: Sequence[RunSpec], store: Store) -> Outcome:
        try:
            with driving("", specs, store):
                for spec in specs:
                    self._run(spec, store)
        except StorageError as error:
            return Outcome(broken=one_line(str(error)))
        except Refused as error:
            return Outcome(refused=str(error))
        except KeyboardInterrupt:
            return Outcome(stopped=True)
        return Outcome()

    def _run(self, spec: RunSpec, store: Store) -> None:
        _same_code(spec)
        settings = self.settings
        device, guard = next(iter(settings.devices), ""), Guard(idle=settings.idle)
        with store.lock(spec) as lock:
            # looked up under the lock: another process may just have finished it
            found = store.find(spec)
            if lock is None or not (found is None or found.open):
                return
            try:
                run_one(spec, store, quiet=settings.quiet, device=device, guard=guard)
            except Refused:
                store.withdraw(spec)
                raise


def _same_code(spec: RunSpec) -> None:
    """Raises Refused where this process has loaded other code than the run was planned with."""
    for registry, name in ((METHODS, spec.method), (TASKS, spec.task)):
        if registry.stale(name, spec.fingerprint.get(f"{registry.kind} code", "")):
            raise Refused(
                f"{registry.kind} {name!r}: its code was changed after this process had loaded it; "
                "start Python again, or use `bench run`"
            )
