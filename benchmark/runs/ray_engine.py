"""The executor `ray`: runs as tasks of a Ray cluster, or of one that it starts here.

As with Dask, a node gets a specification and sends the packed run back; lost workers are Ray's.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from benchmark.errors import UsageError, format_error
from benchmark.runs.drivers import driving
from benchmark.runs.executor import ExecutorSettings, Outcome
from benchmark.runs.gather import SchedulerLost, able, gather
from benchmark.runs.remote import Answered, Suite, ask, carry_out_alone, one_of_each
from benchmark.runs.stopping import terminable
from benchmark.spec import RunSpec
from benchmark.store.store import Store

_INSTALL = "pip install 'diffusion-hpo-bench[ray]'"
# so often is a run given to another worker when its own dies
_RETRIES = 10
# seconds that a head may take to answer or be away, and between two looks; Ray itself ends this
# process after 60 without one
_PATIENCE, _POLL = 15.0, 5.0
_NODE = "ray.io/node-id"


def _ray() -> Any:
    """The package. Raises UsageError where it is not installed."""
    # else it sends reports of its use to its makers
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            f"--engine ray: expected the package ray, there is none; {_INSTALL}"
        ) from error
    return ray


@dataclass(frozen=True)
class RayExecutor:
    """On the cluster of --address, such as host:6379, or on --jobs workers started here."""

    settings: ExecutorSettings

    def __post_init__(self) -> None:
        _ray()

    def __call__(self, specs: Sequence[RunSpec], store: Store) -> Outcome:
        """Raises UsageError where no node can take the runs."""
        with driving("ray", specs, store) as waiting, terminable():
            if not waiting:
                return Outcome()
            with _session(self.settings):
                sent = _sent(waiting, Suite.of(waiting, self.settings))
                try:
                    return gather(_answers(sent), store, len(specs), self.settings.quiet)
                finally:
                    for reference in sent:
                        _ray().cancel(reference, force=True)


def _sent(specs: Sequence[RunSpec], suite: Suite) -> dict[Any, RunSpec]:
    """The runs by their references. Raises UsageError."""
    needs = {"num_cpus": 1, "num_gpus": float(specs[0].device == "cuda")}
    where = {_NODE: f"in({','.join(_able(specs, suite, needs))})"}
    run = _ray().remote(carry_out_alone)
    run = run.options(max_retries=_RETRIES, label_selector=where, **needs)
    return {run.remote(spec.as_json(), suite): spec for spec in specs}


def _answers(sent: dict[Any, RunSpec]) -> Iterator[tuple[RunSpec, Answered]]:
    """As they come; each is forgotten then. Raises SchedulerLost."""
    head, seen = _ray().get_runtime_context().gcs_address, time.monotonic()
    while sent:
        found, _ = _ray().wait(list(sent), timeout=_POLL)
        if found or _reached(head):
            seen = time.monotonic()
        elif time.monotonic() > seen + _PATIENCE:
            raise SchedulerLost(f"--engine ray: the head of the cluster, {head}, is gone")
        for reference in found:
            spec = sent.pop(reference)
            try:
                yield spec, _ray().get(reference)
            # Ray hands on whatever ended the run there
            except _ray().exceptions.RayError as error:
                yield spec, Answered(None, format_error(getattr(error, "cause", None) or error))


def _reached(address: str) -> bool:
    try:
        _connect(address)
    except OSError:
        return False
    return True


def _connect(address: str) -> None:
    """Raises OSError, and ValueError for what is no address."""
    if (parts := urlsplit(f"//{address.rpartition('//')[2]}")).port:
        socket.create_connection((parts.hostname, parts.port), _PATIENCE).close()


@contextmanager
def _session(settings: ExecutorSettings) -> Iterator[None]:
    """Raises UsageError for an address that does not answer."""
    address, own = settings.address, {"num_cpus": len(settings.slots)}
    where = {"address": address} if address else own | {"_node_ip_address": "127.0.0.1"}
    try:
        # Ray itself would try for minutes
        _connect(address)
        _ray().init(**where, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    except (OSError, ValueError, RuntimeError, _ray().exceptions.RayError) as error:
        place = f"--address {address}" if address else "--engine ray"
        raise UsageError(
            f"{place}: expected a Ray cluster that answers; {format_error(error)[:200]}; one that "
            "asks for a token needs RAY_AUTH_MODE=token, and the token as Ray documents it"
        ) from error
    try:
        yield
    finally:
        _ray().shutdown()


def _able(specs: Sequence[RunSpec], suite: Suite, needs: Mapping[str, Any]) -> list[str]:
    """The nodes that have all that the runs need; a line for each other. Raises UsageError."""
    ray, gpu = _ray(), needs["num_gpus"]
    nodes = [n for n in ray.nodes() if n["Alive"] and n["Resources"].get("GPU", 0) >= gpu]
    if not nodes:
        raise UsageError("--device cuda: expected a node with a card, the Ray cluster has none")
    kinds = [spec.as_json() for spec in one_of_each(specs)]
    asked = {
        n["NodeID"]: ray.remote(ask).options(num_cpus=0, label_selector={_NODE: n["NodeID"]})
        for n in nodes
    }
    said = {name: ray.get(task.remote(kinds, suite.plugins)) for name, task in asked.items()}
    return able(said, "ray")
