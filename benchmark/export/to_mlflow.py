"""Runs in MLflow: an experiment for each group, by MLflow's own client."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from benchmark.export.answering import WAIT, ask
from benchmark.export.tracking import Tracked

_TAG, _DIGEST = "bench.run_id", "bench.digest"
# of one call, and characters of a parameter, as MLflow limits them
_METRICS, _PARAMETERS, _LONG = 1000, 100, 500
_PAGE = 1000
# seconds in which MLflow makes the tables of a new file
_TABLES = 120.0
_UNLESS_SET = {
    # it would report its use to its makers
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # it would ask a server that is away for minutes
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "6",
}


def reach(place: str) -> None:
    """Raises UsageError where no tracking store answers."""
    client = _client(place)
    cure = "start its server, or give its address in MLFLOW_TRACKING_URI"
    # a file of this machine is there, but making its tables takes a while
    wait = _TABLES if client.tracking_uri.startswith(("sqlite:", "file:")) else WAIT
    ask(
        f"mlflow {client.tracking_uri}",
        lambda: client.search_experiments(max_results=1),
        cure,
        wait,
    )


def write(runs: Sequence[Tracked], place: str) -> int:
    """place: a tracking URI, such as sqlite:///mlflow.db; "": what MLflow's environment says."""
    client, count = _client(place), 0
    for group in dict.fromkeys(run.group for run in runs):
        found = client.get_experiment_by_name(group)
        experiment = found.experiment_id if found else client.create_experiment(group)
        known = _known(client, experiment)
        for run in runs:
            if run.group == group:
                before = known.get(run.run_id, {})
                made = next((m for m, d in before.items() if d == run.digest), "")
                if not made:
                    made = _write(client, experiment, run)
                    count += 1
                # last: a call that is cut short leaves the old one
                for old in before.keys() - {made}:
                    client.delete_run(old)
    return count


def _client(place: str) -> Any:
    for name, value in _UNLESS_SET.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=place or None)


def _known(client: Any, experiment: str) -> dict[str, dict[str, str]]:
    """The runs of the suite that are there: of each, MLflow's own runs with their digests."""
    found: dict[str, dict[str, str]] = {}
    token = None
    while True:
        page = client.search_runs([experiment], max_results=_PAGE, page_token=token)
        for run in page:
            tags = run.data.tags
            found.setdefault(tags.get(_TAG, ""), {})[run.info.run_id] = tags.get(_DIGEST, "")
        if not (token := page.token):
            # the others are not the suite's
            found.pop("", None)
            return found


def _write(client: Any, experiment: str, run: Tracked) -> str:
    """Returns MLflow's own name of it."""
    from mlflow.entities import Metric, Param

    tags = {"mlflow.runName": run.name, "bench.status": run.status, _TAG: run.run_id}
    made: str = client.create_run(experiment, tags=tags, run_name=run.name).info.run_id
    now = int(time.time() * 1000)
    metrics = [
        Metric(_name(k), v, now, p.evaluations) for p in run.points for k, v in p.values.items()
    ]
    last = run.points[-1].evaluations if run.points else 0
    metrics += [Metric(f"final.{_name(k)}", v, now, last) for k, v in run.final.items()]
    parameters = [Param(_name(k), v[:_LONG]) for k, v in run.parameters.items()]
    for k in range(0, len(metrics), _METRICS):
        client.log_batch(made, metrics=metrics[k : k + _METRICS])
    for k in range(0, len(parameters), _PARAMETERS):
        client.log_batch(made, params=parameters[k : k + _PARAMETERS])
    for path in run.pictures:
        client.log_artifact(made, str(path))
    client.set_terminated(made, "FAILED" if run.status == "failed" else "FINISHED")
    # last: a run that was cut short here is written once more
    client.set_tag(made, _DIGEST, run.digest)
    return made


def _name(text: str) -> str:
    """MLflow takes letters, digits, underscores, dashes, periods, spaces and slashes."""
    return "".join(c if c.isalnum() or c in "_-. /" else "_" for c in text)
