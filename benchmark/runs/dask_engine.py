"""The executor `dask`: runs on the workers of a Dask cluster, or of one that it starts here.

Scheduling and the recovery of lost workers are Dask's. A worker gets a specification and sends the
packed run back; weights and data are never sent, their hashes are compared before a run starts.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmark.errors import UsageError, format_error
from benchmark.runs.drivers import driving
from benchmark.runs.executor import ExecutorSettings, Outcome
from benchmark.runs.gather import SchedulerLost, able, gather, tell
from benchmark.runs.remote import (
    Answered,
    Sent,
    Suite,
    ask,
    carry_out_alone,
    let_go,
    one_of_each,
)
from benchmark.runs.spawn import THREADS, share
from benchmark.runs.stopping import terminable, undisturbed
from benchmark.spec import RunSpec
from benchmark.store.store import Store

_INSTALL = "pip install 'diffusion-hpo-bench[cluster]'"
# seconds that an address has to answer
_PATIENCE = 15.0
# so often is a run sent again after Dask gave it up, which it does when four of its workers died
_TRIES = 10
_POLL = 0.1
_NONE_LEFT = "--engine dask: no worker that can take the runs is left"


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
        """Raises UsageError for several cards of this machine, which its workers would share."""
        _dask()
        if len(self.settings.devices) > 1:
            raise UsageError(
                "--engine dask: expected one card; start `CUDA_VISIBLE_DEVICES=K dask worker "
                "--resources GPU=1` for each, and name the scheduler with --address"
            )

    def __call__(self, specs: Sequence[RunSpec], store: Store) -> Outcome:
        """Raises UsageError where no worker can take the runs."""
        with driving("dask", specs, store) as waiting, terminable():
            if not waiting:
                return Outcome()
            with _client(self.settings) as client:
                sent = _Sent(client, Suite.of(waiting, self.settings))
                sent.able(waiting)
                try:
                    return gather(sent.answers(waiting), store, len(specs), self.settings.quiet)
                finally:
                    sent.end()


@dataclass
class _Sent:
    """The runs of a suite on a cluster.

    workers: those that can take them; None: all.  runs: of each future, and how often it was sent.
    seen: when one of the workers was last there.  missed: whether it was said that none is.
    """

    client: Any
    suite: Suite
    workers: list[str] | None = None
    runs: dict[Any, tuple[RunSpec, int]] = field(default_factory=dict)
    seen: float = 0.0
    missed: bool = False

    def able(self, specs: Sequence[RunSpec]) -> None:
        """Ask the workers what they lack; a line for each that lacks something.

        Raises UsageError where none is left.
        """
        there = self.client.scheduler_info(n_workers=-1)["workers"]
        address = self.suite.settings.address
        if not there:
            raise UsageError(f"--address {address}: its scheduler has no workers; start some")
        chosen = list(there)
        if self._gpu:
            chosen = [w for w in chosen if there[w].get("resources", {}).get("GPU")]
            if not chosen:
                raise UsageError(
                    f"--device cuda: expected a worker with a card, none of {len(there)} has one; "
                    "start them with `dask worker --resources GPU=1`"
                )
        kinds = [spec.as_json() for spec in one_of_each(specs)]
        said = self.client.run(ask, kinds, self.suite.plugins, workers=chosen, on_error="return")
        found = able(
            {w: format_error(s) if isinstance(s, Exception) else s for w, s in said.items()}, "dask"
        )
        # where all can, those that join later get runs too, and look for themselves
        self.workers = found if len(found) < len(there) else None

    @property
    def _gpu(self) -> bool:
        return self.suite.settings.devices == ("cuda",)

    def _send(self, spec: RunSpec, tries: int) -> Any:
        future = self.client.submit(
            _carry_out,
            spec.as_json(),
            self.suite,
            key=f"bench-{spec.run_id}-{tries}",
            pure=False,
            workers=self.workers,
            resources={"GPU": 1} if self._gpu else None,
        )
        self.runs[future] = spec, tries
        return future

    def answers(self, specs: Sequence[RunSpec]) -> Iterator[tuple[RunSpec, Answered]]:
        """As they come; each is forgotten then. Raises SchedulerLost, also without a worker."""
        ready = _dask().as_completed([self._send(spec, 0) for spec in specs])
        self.seen = time.monotonic()
        while self.runs:
            if not (batch := ready.next_batch(block=False)):
                time.sleep(_POLL)
                self._look()
            for future in batch:
                spec, tries = self.runs.pop(future)
                answer = _answer(future, tries)
                if isinstance(answer, _Unable):
                    self._leave_out(answer)
                if isinstance(answer, Answered):
                    yield spec, answer
                else:
                    ready.add(self._send(spec, tries + 1))

    def _leave_out(self, found: _Unable) -> None:
        """From now on runs go to the other workers that are there."""
        there = self.client.scheduler_info(n_workers=-1)["workers"]
        known = list(there) if self.workers is None else self.workers
        if found.worker in known:
            tell(found.worker, found.what)
        self.workers = [worker for worker in known if worker != found.worker]
        # Dask takes an empty list for all of them
        if not self.workers:
            raise SchedulerLost(_NONE_LEFT)

    def _look(self) -> None:
        """Raises SchedulerLost where all workers that can take the runs are gone for long."""
        if time.monotonic() < self.seen + _PATIENCE / 5:
            return
        there = self.client.scheduler_info(n_workers=-1)["workers"]
        if there if self.workers is None else any(w in there for w in self.workers):
            self.seen, self.missed = time.monotonic(), False
        elif time.monotonic() > self.seen + _PATIENCE:
            if self.workers is not None:
                raise SchedulerLost(_NONE_LEFT)
            # any may join, as a batch system starts it
            if not self.missed:
                print("bench: no worker is there; waiting for one", file=sys.stderr, flush=True)
            self.missed = True

    def end(self) -> None:
        self.client.cancel(list(self.runs))
        # where the scheduler is gone, the workers' next suite does it
        if self.client.status == "running":
            self.client.run(_let_go, self.suite.name, on_error="ignore", wait=False)


@dataclass(frozen=True)
class _Unable:
    """The answer of a worker that joined late and lacks something."""

    worker: str
    what: str


def _carry_out(sent: Sent, suite: Suite) -> Answered | _Unable:
    answer = carry_out_alone(sent, suite)
    if answer.packed is None and (what := ask([sent], suite.plugins)):
        return _Unable(_dask().get_worker().address, what)
    return answer


async def _let_go(suite: str) -> None:
    """As `let_go`; Dask waits for none but a coroutine."""
    let_go(suite)


def _answer(future: Any, tries: int) -> Answered | _Unable | None:
    """None: its workers died, and it is to be sent again."""
    try:
        found: Answered | _Unable = future.result()
        return found
    except CancelledError as error:
        raise SchedulerLost(f"--engine dask: the scheduler is gone ({error})") from error
    except _dask().KilledWorker as error:
        return Answered(None, format_error(error)) if tries >= _TRIES else None
    # Dask hands on whatever ended the run there
    except Exception as error:
        return Answered(None, format_error(error))


@contextmanager
def _client(settings: ExecutorSettings) -> Iterator[Any]:
    """Of the given scheduler, or of workers of this machine. Raises UsageError."""
    dask = _dask()
    # a lost scheduler is one line of this suite, not Dask's tracebacks
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
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
    with ExitStack() as stack:
        with undisturbed():
            cluster = stack.enter_context(_here(settings))
        yield stack.enter_context(dask.Client(cluster))


def _here(settings: ExecutorSettings) -> Any:
    """Workers of this machine, each with its share of threads, as the local executor's runs."""
    slots = len(settings.slots)
    return _dask().LocalCluster(
        n_workers=slots,
        threads_per_worker=1,
        # any free port
        dashboard_address="127.0.0.1:0",
        resources={"GPU": 1} if any(d.startswith("cuda") for d in settings.devices) else None,
        # Dask itself would set them to 1
        env={name: os.environ.get(name, str(share(slots))) for name in THREADS},
        silence_logs=logging.CRITICAL,
    )
