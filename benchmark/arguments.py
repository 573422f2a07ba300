"""The arguments of the command `bench`, which are read here and nowhere else."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import NoReturn

from benchmark.errors import UsageError

SHORT = {"model": "the pre-trained model, a folder or a hub id", "dtype": "its precision, fp32, bf16 or fp16"}
"""Options that tasks of a pre-trained model have, with an argument of their own, also beside a suite."""

_LONG = "x" * 40  # about as long as the names of tasks, methods and runs below an output folder
_FILES, _FILES_EACH = 24, 4  # open at once: of a command, and of each run


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{self.prog} --help`")


def _add_run(run: argparse.ArgumentParser) -> None:
    run.add_argument("suite", nargs="?", type=Path, metavar="SUITE", help="a TOML file of runs, instead of the options")
    run.add_argument("--method", metavar="NAMES", help="comma-separated names, or all")
    run.add_argument("--task", metavar="NAME")
    run.add_argument("--preset", help="the task's configuration (default: its first, which downloads nothing)")
    run.add_argument("--lower", metavar="SOLVER", help="the lower-level solver (default: the paper's for each method)")
    run.add_argument("--budget", help="90s, 5m, 2h or 20000nfe, for each run (default: 60s)")
    run.add_argument("--seeds", help="such as 0-4 or 0,2,5 (default: 0)")
    run.add_argument("--prompt", action="append", default=[], metavar="TEXT", help="repeatable (default: the preset's)")
    run.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="OWNER.OPTION=VALUE",
        dest="settings",
        help="repeatable; see `bench list NAME`",
    )
    for name, text in SHORT.items():
        run.add_argument(f"--{name}", metavar=name.upper(), help=f"{text}; short for --set TASK.{name}={name.upper()}")
    run.add_argument(
        "--marks",
        metavar="AMOUNTS",
        help="also measure what stood then, such as 15s,30s (default: a quarter and a half of the budget)",
    )
    run.add_argument(
        "--device",
        "--devices",
        metavar="DEVICES",
        help="cpu, cuda, cuda:N, or several such as cuda:0,cuda:1, a run on each (default: cpu)",
    )
    run.add_argument("--out", default="results/runs", metavar="DIR", help="(default: %(default)s)")
    run.add_argument("--jobs", type=int, default=1, metavar="N", help="so many runs at a time on a CPU (default: 1)")
    run.add_argument(
        "--grace", default="30s", metavar="TIME",
        help="how long past a budget of seconds a run may go on before it is stopped from outside (default: %(default)s)",
    )  # fmt: skip
    run.add_argument(
        "--idle", default="10m", metavar="TIME",
        help="how long a method may compute without a request where the budget is in evaluations (default: %(default)s)",
    )  # fmt: skip
    run.add_argument("--retry-failed", action="store_true", help="run failed runs again, from their start")
    run.add_argument("--in-process", action="store_true", help="one after the other in this process, for debugging")
    run.add_argument("--dry-run", action="store_true", help="print what would run and what it would cost; run nothing")
    run.add_argument("--no-preflight", action="store_true", help="start even where memory is estimated not to do")
    run.add_argument("--quiet", action="store_true", help="no progress, only the table")


def _add_fetch(fetch: argparse.ArgumentParser) -> None:
    fetch.add_argument("name", nargs="?", metavar="NAME", help="of a data set")
    fetch.add_argument("--preset", help="fetch the networks of this preset instead, into the folders of hub and torch")
    fetch.add_argument("--task", metavar="NAME", help="of this task (default: of all that have such a preset)")
    fetch.add_argument("--model", help=SHORT["model"])
    fetch.add_argument("--set", action="append", default=[], metavar="OWNER.OPTION=VALUE", dest="settings")
    fetch.add_argument("--dry-run", action="store_true", help="show sizes and licences, fetch nothing")
    fetch.add_argument(
        "--url",
        action="append",
        default=[],
        metavar="BASE",
        help="where the files lie instead; repeatable for a data set",
    )


def parser() -> argparse.ArgumentParser:
    top = _Parser(prog="bench", description="Hyper-parameter optimisers for diffusion models, under one clock.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    run = commands.add_parser("run", help="run methods on a task, store the results, print the table")
    _add_run(run)
    report = commands.add_parser("report", help="tables and plots from what is stored; runs nothing")
    report.add_argument("dir", type=Path, nargs="?", default=Path("results/runs"), metavar="DIR")
    report.add_argument(
        "--format", default="md,csv,latex", metavar="NAMES", help="of md, csv, latex, html (default: %(default)s)"
    )
    report.add_argument("--at", metavar="AMOUNT", help="as if the budget had been this, such as 30s; it must be a mark")
    report.add_argument(
        "--metric", metavar="NAME", help="what the picture over time shows (default: clip, else the table's first)"
    )
    report.add_argument("--across", action="store_true", help="an ablation: one table over the settings of the task")
    report.add_argument(
        "--failures", default="common", metavar="HOW",
        help="rows are compared over the seeds and prompts in `common`, or a failure counts as the `worst` of its cell "
        "(default: %(default)s)",
    )  # fmt: skip
    report.add_argument("--out", metavar="DIR", help="(default: DIR/report)")

    lists = commands.add_parser("list", help="methods and tasks, or the options of one")
    lists.add_argument("name", nargs="?", metavar="NAME")

    check = commands.add_parser("check", help="the conformance suite, for a method or a task")
    check.add_argument("name", metavar="NAME")

    verify = commands.add_parser(
        "verify", help="check stored runs and the tables made of them, without running anything"
    )
    verify.add_argument("dir", type=Path, nargs="?", default=Path("results/runs"), metavar="DIR")

    fetch = commands.add_parser("fetch", help="download a data set, or what a preset needs; no other command downloads")
    _add_fetch(fetch)

    for command in (run, check, fetch):
        command.add_argument("--data-dir", metavar="DIR", help="folder of data sets (default: $BENCH_DATA_DIR)")
    for command in (run, lists, check):
        command.add_argument(
            "--plugin",
            action="append",
            type=Path,
            default=[],
            metavar="FILE",
            help="a Python file that registers more; repeatable",
        )
    return top


def seconds_of(name: str, text: str, example: str) -> float:
    """Raises UsageError for what is no time."""
    from benchmark.budget import Budget

    found = Budget.parse(text)
    if found.unit != "s":
        raise UsageError(f"{name} {text}: expected a time, such as {example}")
    return found.amount


def devices_of(names: str) -> tuple[str, ...]:
    """Raises UsageError for what this machine does not have."""
    given = [n.strip() for n in names.split(",")]
    found = tuple(dict.fromkeys("cuda:0" if n == "cuda" and len(given) > 1 else n for n in given))
    for name in found:
        kind, colon, index = name.partition(":")
        if (
            kind not in ("cpu", "cuda")
            or (colon and not index.isdecimal())
            or (kind == "cpu" and (colon or len(found) > 1))
        ):
            raise UsageError(
                f"--device {names!r}: expected cpu, cuda or cuda:N, or several of the last such as cuda:0,cuda:1"
            )
        if kind == "cuda":
            import torch

            if not torch.cuda.is_available() or int(index or 0) >= torch.cuda.device_count():
                raise UsageError(
                    f"--device {name!r}: this machine has {torch.cuda.device_count()} CUDA devices; use --device cpu"
                )
    return found


def files_for(jobs: int) -> None:
    """Raises UsageError where so many runs at once need more open files than this process may have."""
    import resource

    most, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = _FILES + _FILES_EACH * jobs
    if most != resource.RLIM_INFINITY and most < need:
        if limit != resource.RLIM_INFINITY and limit < need:
            fit = max(0, (limit - _FILES) // _FILES_EACH)
            cure = f"use --jobs {fit} or raise it" if fit else "raise it"
            raise UsageError(
                f"--jobs: {jobs} at a time need {need} open files, this process may have {limit} (ulimit -n); {cure}"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, limit))


def folder_of(name: str) -> Path:
    if not name.strip():
        raise UsageError("--out: expected a folder that can be written, got an empty name")
    path = Path(name)
    try:
        os.lstat(path.absolute().joinpath(*[_LONG] * 3, "proposals.jsonl"))
    except (FileNotFoundError, NotADirectoryError, PermissionError, ValueError):  # said when it is made
        return path
    except OSError as error:
        short = name if len(name) <= 80 else f"{name[:77]}..."
        raise UsageError(
            f"--out {short!r}: expected a folder that can be written; {error.strerror or error}"
        ) from error
    return path
