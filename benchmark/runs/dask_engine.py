"""The executor `dask`: runs on the workers of a Dask cluster, or of one that it starts here.

Scheduling and the recovery of lost workers are Dask's. A worker gets a specification and sends the
packed run back; weights and data are never sent, their hashes are compared before a run starts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmark.errors import UsageError, format_error
from benchmark.runs.executor import ExecutorSettings, Outcome
from benchmark.runs.gather import SchedulerLost, able, alone, gather, left
from benchmark.runs.remote import Answered, Suite, ask, carry_out_alone, let_go, one_of_each
from benchmark.spec import RunSpec
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
        with alone(store, "dask"), _client(self.settings) as client:
            if not (waiting := left(specs, store)):
                return Outcome()
            suite = Suite.of(waiting, self.settings)
            sent = self._sent(client, waiting, suite)
            try:
                return gather(_answers(sent), store, len(specs), self.settings.quiet)
            finally:
                client.cancel(list(sent))
                # where the scheduler is gone, the workers' next suite does it
                if client.status == "running":
                    client.run(let_go, suite.name, on_error="ignore")

    def _sent(self, client: Any, specs: Sequence[RunSpec], suite: Suite) -> dict[Any, RunSpec]:
        """The runs by their futures."""
        workers = _able(client, specs, self.settings)
        gpu = {"GPU": 1} if specs[0].device == "cuda" else None
        return {
            client.submit(
                carry_out_alone,
                spec.as_json(),
                suite,
                key=f"bench-{spec.run_id}",
                pure=False,
                workers=workers,
                resources=gpu,
                retries=_RETRIES,
            ): spec
            for spec in specs
        }


def _answers(sent: dict[Any, RunSpec]) -> Iterator[tuple[RunSpec, Answered]]:
    """As they come; each is forgotten then."""
    for future in _dask().as_completed(list(sent)):
        yield sent.pop(future), _answer(future)


def _answer(future: Any) -> Answered:
    try:
        found: Answered = future.result()
        return found
    except CancelledError as error:
        raise SchedulerLost(f"--engine dask: the scheduler is gone ({error})") from error
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
    found = able(
        {w: format_error(s) if isinstance(s, BaseException) else str(s) for w, s in said.items()},
        "dask",
    )
    return found if len(found) < len(workers) else None
