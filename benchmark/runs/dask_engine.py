"""The executor `dask`: runs on the workers of a Dask cluster, or of one that it starts here.

Scheduling and the recovery of lost workers are Dask's. A worker gets a specification and sends the
packed run back; weights and data are never sent, their hashes are compared before a run starts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from benchmark.errors import StorageError, UsageError, format_error, one_line
from benchmark.runs.display import CountedLines, Silent
from benchmark.runs.executor import ExecutorSettings, Outcome
from benchmark.runs.remote import Answered, ask, carry_out_alone, one_of_each
from benchmark.spec import RunSpec
from benchmark.store.files import storing
from benchmark.store.locks import take
from benchmark.store.packed import unpack
from benchmark.store.store import Store

_INSTALL = "pip install 'diffusion-hpo-bench[cluster]'"
# seconds that an address has to answer
_PATIENCE = 15.0
# so often is a run given to another worker when its own dies
_RETRIES = 10


def _dask() -> Any:
    """The package, which has no types. Raises UsageError where it is not installed."""
    try:
        import distributed
    except ImportError as error:
        raise UsageError(
            f"--engine dask: expected the package distributed, there is none; {_INSTALL}"
        ) from error
    return distributed


@dataclass(frozen=True)
class DaskExecutor:
    """On the scheduler of --address, such as tcp://host:8786, or on --jobs workers started here."""

    settings: ExecutorSettings

    def __post_init__(self) -> None:
        _dask()

    def __call__(self, specs: Sequence[RunSpec], store: Store) -> Outcome:
        """Raises UsageError where no worker can take the runs."""
        kind = Silent if self.settings.quiet else CountedLines
        with _alone(store), _client(self.settings) as client:
            waiting = [s for s in specs if (found := store.find(s)) is None or found.open]
            if not waiting:
                return Outcome()
            able = _able(client, waiting, self.settings)
            with kind(len(specs)) as shown:
                return self._gather(client, waiting, able, store, shown)

    def _gather(
        self,
        client: Any,
        specs: Sequence[RunSpec],
        able: list[str] | None,
        store: Store,
        shown: CountedLines,
    ) -> Outcome:
        """Send the runs, and store each as it comes."""
        # the device is the worker's to choose, which has one card for each run
        settings = replace(self.settings, devices=(specs[0].device,))
        gpu = {"GPU": 1} if specs[0].device == "cuda" else None
        sent = {}
        for spec in specs:
            future = client.submit(
                carry_out_alone,
                spec.as_json(),
                settings,
                key=f"bench-{spec.run_id}",
                pure=False,
                workers=able,
                resources=gpu,
                retries=_RETRIES,
            )
            sent[future] = spec
        try:
            for future in _dask().as_completed(list(sent)):
                spec, answer = sent.pop(future), _answer(future)
                if answer.packed is None:
                    who = f"{spec.task} {spec.method} seed {spec.seed}"
                    return Outcome(refused=f"{who}, on a worker: {answer.why}")
                with store.lock(spec) as lock:
                    # another process may have it, or have just stored it
                    found = store.find(spec)
                    if lock is not None and (found is None or found.open):
                        unpack(answer.packed, spec, store)
                shown.ended(spec, store.find(spec))
        except StorageError as error:
            return Outcome(broken=one_line(str(error)))
        except KeyboardInterrupt:
            return Outcome(stopped=True)
        finally:
            client.cancel(list(sent))
        return Outcome()


def _answer(future: Any) -> Answered:
    try:
        found: Answered = future.result()
        return found
    # Dask hands on whatever ended the run there
    except Exception as error:
        return Answered(None, format_error(error))


@contextmanager
def _alone(store: Store) -> Iterator[None]:
    """One driver a folder: two would have each run done twice. Raises UsageError."""
    path = store.root / ".dask.lock"
    with storing(path):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if not take(fd):
            raise UsageError(
                f"--engine dask: another one is at work on {store.root}; wait for it, or choose "
                "another --out"
            )
        yield
    finally:
        os.close(fd)


@contextmanager
def _client(settings: ExecutorSettings) -> Iterator[Any]:
    """Of the given scheduler, or of workers of this machine. Raises UsageError."""
    dask = _dask()
    if settings.address:
        try:
            client = dask.Client(settings.address, timeout=_PATIENCE)
        except (OSError, ValueError, TypeError) as error:
            why = format_error(error)[:200]
            raise UsageError(
                f"--address {settings.address}: expected a Dask scheduler that answers within "
                f"{_PATIENCE:g} s; {why}"
            ) from error
        with client:
            yield client
        return
    cards = [d for d in settings.devices if d.startswith("cuda")]
    with (
        dask.LocalCluster(
            n_workers=len(settings.slots),
            threads_per_worker=1,
            # any free port
            dashboard_address="127.0.0.1:0",
            resources={"GPU": 1} if cards else None,
        ) as cluster,
        dask.Client(cluster) as client,
    ):
        yield client


def _able(client: Any, specs: Sequence[RunSpec], settings: ExecutorSettings) -> list[str] | None:
    """The workers that have all that the runs need; a line for each other. Raises UsageError.

    None where all have, so that those which join later get runs too; each looks once more itself.
    """
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if not workers:
        raise UsageError(f"--address {settings.address}: its scheduler has no workers; start some")
    chosen = list(workers)
    if specs[0].device == "cuda":
        chosen = [w for w in chosen if workers[w].get("resources", {}).get("GPU")]
        if not chosen:
            raise UsageError(
                f"--device cuda: expected a worker with a card, none of {len(workers)} has one; "
                "start them with `dask worker --resources GPU=1`"
            )
    plugins = [str(path.absolute()) for path in settings.plugins]
    kinds = [spec.as_json() for spec in one_of_each(specs)]
    said = client.run(ask, kinds, plugins, workers=chosen, on_error="return")
    lacking = {
        w: one_line(format_error(s) if isinstance(s, BaseException) else str(s))
        for w, s in said.items()
        if s != ""
    }
    for worker, what in lacking.items():
        print(f"bench: worker {worker} gets no runs: {what}", file=sys.stderr)
    able = [w for w in chosen if w not in lacking]
    if not able:
        first = next(iter(lacking.values()))
        raise UsageError(f"--engine dask: no worker can take the runs; the first: {first}")
    return able if len(able) < len(workers) else None
