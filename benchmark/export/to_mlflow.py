"""Runs in MLflow: an experiment for each group, by MLflow's own client."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from benchmark.export.tracking import Tracked

_TAG = "bench.run_id"
# of one call, and characters of a parameter, as MLflow limits them
_METRICS, _PARAMETERS, _LONG = 1000, 100, 500
_PAGE = 1000


def write(runs: Sequence[Tracked], place: str) -> int:
    """place: a tracking URI, such as sqlite:///mlflow.db; "": what MLflow's environment says."""
    # it would report its use to its makers
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    client, count = MlflowClient(tracking_uri=place or None), 0
    for group in dict.fromkeys(run.group for run in runs):
        found = client.get_experiment_by_name(group)
        experiment = found.experiment_id if found else client.create_experiment(group)
        known = _known(client, experiment)
        for run in runs:
            if run.group == group and run.run_id not in known:
                _write(client, experiment, run)
                count += 1
    return count


def _known(client: Any, experiment: str) -> set[str]:
    """The runs of the suite that are there."""
    found, token = set(), None
    while True:
        page = client.search_runs([experiment], max_results=_PAGE, page_token=token)
        found |= {run.data.tags.get(_TAG, "") for run in page}
        if not (token := page.token):
            return found


def _write(client: Any, experiment: str, run: Tracked) -> None:
    from mlflow.entities import Metric, Param

    tags = {"mlflow.runName": run.name, "bench.status": run.status}
    made = client.create_run(experiment, tags=tags, run_name=run.name).info.run_id
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
    # last: a run that was cut short here is written once more
    client.set_tag(made, _TAG, run.run_id)
    client.set_terminated(made, "FAILED" if run.status == "failed" else "FINISHED")


def _name(text: str) -> str:
    """MLflow takes letters, digits, underscores, dashes, periods, spaces and slashes."""
    return "".join(c if c.isalnum() or c in "_-. /" else "_" for c in text)
