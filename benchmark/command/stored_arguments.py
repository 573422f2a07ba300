"""The arguments of the commands that read stored runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def _add_dir(command: argparse.ArgumentParser, more: str = "") -> None:
    command.add_argument(
        "dir",
        type=Path,
        nargs="?",
        default=Path("results/runs"),
        metavar="DIR",
        help=f"of stored runs{more} (default: %(default)s)",
    )


def _add_report(report: argparse.ArgumentParser) -> None:
    _add_dir(report)
    report.add_argument(
        "--format",
        default="md,csv,latex,page",
        metavar="NAMES",
        help="of md, csv, latex, html, and page, which is explore.html (default: %(default)s)",
    )
    report.add_argument(
        "--at",
        metavar="AMOUNT",
        help="as if the budget had been this, such as 30s; it must be a mark",
    )
    report.add_argument(
        "--metric",
        metavar="NAME",
        help="what the picture over time shows (default: the main one, else the table's first)",
    )
    report.add_argument(
        "--target",
        type=float,
        metavar="VALUE",
        help="of that metric, for the time to it (default: what random search had at its end)",
    )
    report.add_argument(
        "--across", action="store_true", help="an ablation: one table over the settings of the task"
    )
    report.add_argument(
        "--failures",
        default="common",
        metavar="HOW",
        help="rows are compared over the seeds and prompts in `common`, or a failure counts as the "
        "`worst` of its cell (default: %(default)s)",
    )
    report.add_argument(
        "--columns",
        default="",
        metavar="NAMES",
        help="of paper.tex, by their names (default: as many of three metrics as fit, and seconds)",
    )
    report.add_argument(
        "--sort",
        default="",
        metavar="NAME",
        help="the column that the rows of paper.tex are ordered by, the best first",
    )
    report.add_argument("--out", metavar="DIR", help="(default: DIR/report)")
    report.add_argument(
        "--open", action="store_true", help="show the page of the first table in the web browser"
    )


def _add_export(export: argparse.ArgumentParser) -> None:
    _add_dir(export, "; it stands before --to")
    export.add_argument(
        "--to",
        nargs="+",
        required=True,
        metavar=("TOOL", "FILE"),
        help="optuna sqlite:///FILE.db, optuna FILE.log, csv FILE or parquet FILE (default of the "
        "last two: trials.csv, trials.parquet); whole runs: mlflow [URI], tensorboard FOLDER, "
        "wandb [PROJECT]",
    )
    export.add_argument(
        "--replace", action="store_true", help="studies or a file of the same name may go"
    )


def _add_refit(refit: argparse.ArgumentParser) -> None:
    _add_dir(refit)
    refit.add_argument(
        "--marks", action="store_true", help="also of what was the answer at the marks"
    )
    refit.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="so many trainings at a time (default: 1)"
    )
    refit.add_argument(
        "--dry-run", action="store_true", help="print how many trainings are missing; train nothing"
    )


def _add_measure(command: argparse.ArgumentParser) -> None:
    _add_dir(command)
    command.add_argument(
        "--metrics",
        default="",
        metavar="NAMES",
        help="by their names, see `bench list` (default: all that need no network to be fetched)",
    )
    command.add_argument(
        "--dry-run", action="store_true", help="print how many answers lack them; measure nothing"
    )


def _add_apply(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "dir", type=Path, metavar="RUN", help="the folder of one run, TASK/METHOD/RUN"
    )
    command.add_argument("--json", action="store_true", help="the values alone, as one JSON object")


def _add_record(command: argparse.ArgumentParser) -> None:
    _add_dir(command)
    command.add_argument("--to", type=Path, required=True, metavar="FILE", help="a .parquet file")
    command.add_argument("--replace", action="store_true", help="a file of the same name may go")


def add_stored(commands: argparse._SubParsersAction[Any]) -> None:
    """report, export, record, refit, measure, verify and apply."""
    _add_report(
        commands.add_parser("report", help="tables and plots from what is stored; runs nothing")
    )
    _add_export(
        commands.add_parser("export", help="every evaluation of F, for Optuna, as CSV or Parquet")
    )
    _add_record(
        commands.add_parser(
            "record", help="every evaluation of F, as a table that the task replay answers from"
        )
    )
    _add_refit(
        commands.add_parser(
            "refit", help="what each answer is worth by itself: fresh trainings at its lam"
        )
    )
    _add_measure(
        commands.add_parser(
            "measure", help="other metrics of stored answers, such as KID, without a search"
        )
    )
    _add_dir(
        commands.add_parser(
            "verify", help="check stored runs and the tables made of them, without running anything"
        )
    )
    _add_apply(
        commands.add_parser(
            "apply", help="what a run found, as code for the library that it is used with"
        )
    )
