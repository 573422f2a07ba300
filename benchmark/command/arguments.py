"""The arguments of the command `bench`, which are read here and nowhere else."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from benchmark import __version__
from benchmark.command.stored_arguments import add_stored
from benchmark.errors import UsageError

SHORT = {
    "model": "the pre-trained model, a folder or a hub id",
    "dtype": "its precision, fp32, bf16 or fp16",
}
"""Options of tasks with a pre-trained model that have an argument of their own, also for suites."""


class _Parser(argparse.ArgumentParser):
    # argparse would print its usage and exit by itself
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{self.prog} --help`")


def _add_what(run: argparse.ArgumentParser) -> None:
    """What is run: these options and those of `_add_values` decide the numbers."""
    run.add_argument(
        "suite",
        nargs="?",
        type=Path,
        metavar="SUITE",
        help="a TOML file of runs, instead of the options",
    )
    run.add_argument("--method", metavar="NAMES", help="comma-separated names, or all")
    run.add_argument("--task", metavar="NAME")
    run.add_argument(
        "--preset", help="the task's configuration (default: its first, which downloads nothing)"
    )
    run.add_argument(
        "--lower",
        metavar="SOLVER",
        help="the lower-level solver (default: the paper's for each method)",
    )


def _add_values(run: argparse.ArgumentParser) -> None:
    """How much of it is run, and with which values."""
    run.add_argument("--budget", help="90s, 5m, 2h or 20000nfe, for each run (default: 60s)")
    run.add_argument("--seeds", help="such as 0-4 or 0,2,5 (default: 0)")
    run.add_argument(
        "--prompt",
        action="append",
        default=[],
        metavar="TEXT",
        help="repeatable (default: the preset's)",
    )
    text = "one lam for all --prompt, by the mean of their F; short for --set TASK.together=NUMBER"
    run.add_argument("--prompts-together", action="store_true", help=text)
    run.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="OWNER.OPTION=VALUE",
        dest="settings",
        help="repeatable; see `bench list NAME`",
    )
    for name, text in SHORT.items():
        run.add_argument(
            f"--{name}",
            metavar=name.upper(),
            help=f"{text}; short for --set TASK.{name}={name.upper()}",
        )
    run.add_argument(
        "--marks",
        metavar="AMOUNTS",
        help="also evaluate the incumbent at these points, such as 15s,30s (default: a quarter and "
        "a half of the budget)",
    )


def _add_how(run: argparse.ArgumentParser) -> None:
    """Options for how runs are carried out."""
    run.add_argument(
        "--device",
        "--devices",
        metavar="DEVICES",
        help="cpu, cuda, cuda:N, or several such as cuda:0,cuda:1, a run on each (default: cpu)",
    )
    run.add_argument(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="so many runs at a time on a CPU (default: 1)",
    )
    run.add_argument(
        "--grace",
        default="30s",
        metavar="TIME",
        help="how long past a budget of seconds a run may go on before it is stopped from outside "
        "(default: %(default)s)",
    )
    run.add_argument(
        "--idle",
        default="10m",
        metavar="TIME",
        help="how long a method may compute without a request where the budget is in evaluations "
        "(default: %(default)s)",
    )


def _add_flags(run: argparse.ArgumentParser) -> None:
    run.add_argument("--out", default="results/runs", metavar="DIR", help="(default: %(default)s)")
    run.add_argument(
        "--retry-failed", action="store_true", help="run failed runs again, from their start"
    )
    run.add_argument(
        "--engine",
        metavar="NAME",
        help="the executor that carries out runs, see `bench list` (default: local)",
    )
    run.add_argument(
        "--address",
        default="",
        metavar="URL",
        help="of the cluster of --engine dask or ray, such as tcp://host:8786 or host:6379 "
        "(default: --jobs workers of this machine)",
    )
    run.add_argument(
        "--in-process",
        action="store_true",
        help="one after the other in this process, for debugging; short for --engine in_process",
    )
    run.add_argument(
        "--dry-run",
        action="store_true",
        help="print what would run and what it would cost; run nothing",
    )
    run.add_argument(
        "--no-preflight", action="store_true", help="start even where memory is estimated not to do"
    )
    run.add_argument(
        "--emit",
        default="",
        metavar="slurm",
        help="plan the runs into --out and print the script of an array of --jobs workers that "
        "carry them out; run nothing",
    )
    run.add_argument(
        "--track",
        default="",
        metavar="TOOL",
        help="then write the runs to mlflow, tensorboard (below --out) or wandb, as bench export "
        "does",
    )
    text = "then train anew at each answer's lam, as bench refit does"
    run.add_argument("--refit", action="store_true", help=text)
    run.add_argument("--quiet", action="store_true", help="no progress, only the table")


def _add_fetch(fetch: argparse.ArgumentParser) -> None:
    fetch.add_argument("name", nargs="?", metavar="NAME", help="of a data set")
    fetch.add_argument(
        "--preset",
        help="fetch the networks of this preset instead, into the folders of hub and torch",
    )
    fetch.add_argument(
        "--metrics",
        default="",
        metavar="A,B",
        help="fetch the networks of these metrics instead (`bench measure`)",
    )
    fetch.add_argument(
        "--task",
        metavar="NAME",
        help="of this task (default: of those that --set names, else of all with such a preset)",
    )
    fetch.add_argument("--model", help=SHORT["model"])
    fetch.add_argument(
        "--set", action="append", default=[], metavar="OWNER.OPTION=VALUE", dest="settings"
    )
    fetch.add_argument(
        "--dry-run", action="store_true", help="show sizes and licences, fetch nothing"
    )
    fetch.add_argument(
        "--url",
        action="append",
        default=[],
        metavar="BASE",
        help="where the files lie instead; repeatable for a data set",
    )


def _add_worker(worker: argparse.ArgumentParser) -> None:
    worker.add_argument("dir", type=Path, metavar="DIR", help="that bench run --emit planned into")
    _add_how(worker)
    worker.add_argument(
        "--patience",
        default="60s",
        metavar="TIME",
        help="take over a run whose worker has not been heard of for so long, at least 2s "
        "(default: %(default)s)",
    )
    worker.add_argument(
        "--wait", action="store_true", help="stay until the runs of other workers are stored too"
    )
    worker.add_argument("--quiet", action="store_true", help="no progress")


def _add_shared(commands: Mapping[str, argparse.ArgumentParser]) -> None:
    for name in ("run", "worker", "check", "fetch", "refit", "measure"):
        commands[name].add_argument(
            "--data-dir", metavar="DIR", help="folder of data sets (default: $BENCH_DATA_DIR)"
        )
    plugged = ("run", "worker", "report", "list", "check", "verify", "refit", "measure", "apply")
    for name in (*plugged, "record"):
        commands[name].add_argument(
            "--plugin",
            action="append",
            type=Path,
            default=[],
            metavar="FILE",
            help="a Python file that registers more; repeatable",
        )


def parser() -> argparse.ArgumentParser:
    top = _Parser(
        prog="bench",
        description="Hyper-parameter optimisers for diffusion models, under one clock.",
    )
    top.add_argument("--version", action="version", version=f"bench {__version__}")
    commands = top.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=_Parser
    )

    run = commands.add_parser(
        "run", help="run methods on a task, store the results, print the table"
    )
    for add in (_add_what, _add_values, _add_how, _add_flags):
        add(run)
    _add_worker(commands.add_parser("worker", help="carry out the plan of a folder with others"))
    lists = commands.add_parser("list", help="every registered name, or everything about one")
    lists.add_argument("name", nargs="?", metavar="NAME")

    check = commands.add_parser("check", help="the conformance suite, for a method or a task")
    check.add_argument("name", metavar="NAME")

    add_stored(commands)

    fetch = commands.add_parser(
        "fetch", help="download a data set, or what a preset needs; no other command downloads"
    )
    _add_fetch(fetch)

    _add_shared(commands.choices)
    return top
