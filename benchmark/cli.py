"""The command `bench`. Arguments are read here and nowhere else; nothing heavy is imported before it is needed."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from benchmark.errors import UsageError

if TYPE_CHECKING:
    from benchmark.plan import RunSpec
    from benchmark.store import Store, Stored


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{self.prog} --help`")


def parser() -> argparse.ArgumentParser:
    top = _Parser(prog="bench", description="Hyper-parameter optimisers for diffusion models, under one clock.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    run = commands.add_parser("run", help="run methods on a task, store the results, print the table")
    run.add_argument("--method", required=True, metavar="NAMES", help="comma-separated names, or all")
    run.add_argument("--task", required=True, metavar="NAME")
    run.add_argument("--preset", help="the task's configuration (default: its first, which downloads nothing)")
    run.add_argument("--lower", metavar="SOLVER", help="the lower-level solver (default: the paper's for each method)")
    run.add_argument("--budget", default="60s", help="90s, 5m, 2h or 20000nfe, for each run (default: %(default)s)")
    run.add_argument("--seeds", default="0", help="such as 0-4 or 0,2,5 (default: %(default)s)")
    run.add_argument("--prompt", action="append", default=[], metavar="TEXT", help="repeatable (default: the preset's)")
    run.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="OWNER.OPTION=VALUE",
        dest="settings",
        help="repeatable; see `bench list NAME`",
    )
    run.add_argument(
        "--marks",
        metavar="AMOUNTS",
        help="also measure what stood then, such as 15s,30s (default: a quarter and a half of the budget)",
    )
    run.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N (default: %(default)s)")
    run.add_argument("--out", default="results/runs", metavar="DIR", help="(default: %(default)s)")
    run.add_argument("--dry-run", action="store_true", help="print what would run, and run nothing")
    run.add_argument("--quiet", action="store_true", help="no progress, only the table")

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
    report.add_argument("--out", metavar="DIR", help="(default: DIR/report)")

    lists = commands.add_parser("list", help="methods and tasks, or the options of one")
    lists.add_argument("name", nargs="?", metavar="NAME")

    check = commands.add_parser("check", help="the conformance suite, for a method or a task")
    check.add_argument("name", metavar="NAME")

    fetch = commands.add_parser("fetch", help="download a data set; no other command downloads one")
    fetch.add_argument("name", metavar="NAME")
    fetch.add_argument("--url", action="append", default=[], metavar="BASE", help="mirror to use instead; repeatable")

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


def _run(args: argparse.Namespace) -> int:
    from benchmark.plan import plan
    from benchmark.store import Store

    marks = [m for m in args.marks.split(",") if m] if args.marks is not None else None
    specs = plan(
        args.method, args.task, preset=args.preset, lower=args.lower, budget=args.budget, seeds=args.seeds,
        prompts=args.prompt, settings=args.settings, marks=marks, device=_device(args.device),
    )  # fmt: skip
    args.out = _folder(args.out)
    store = Store(args.out)
    if args.dry_run:
        for spec in specs:
            print("would run" if not _done(store, spec) else "is stored", spec.run_id, _label(spec))
        print(f"{len(specs)} runs of at most {args.budget} of search each, then their measurement")
        return 0
    store.prepare()
    return _run_all(args, specs, store)


def _folder(name: str) -> Path:
    if not name.strip():
        raise UsageError("--out: expected a folder that can be written, got an empty name")
    return Path(name)


def _label(spec: RunSpec) -> str:
    fields = ("task", "preset", "method", "lower", "seed", "prompt", "budget")
    return " ".join(f"{name}={getattr(spec, name)!r}" for name in fields if getattr(spec, name) != "")


def _done(store: Store, spec: RunSpec) -> bool:
    found = store.find(spec)
    return found is not None and found.done


def _device(name: str) -> str:
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdigit()) or (kind == "cpu" and index):
        raise UsageError(f"--device {name!r}: expected cpu, cuda or cuda:N")
    if kind == "cuda":
        import torch

        if not torch.cuda.is_available() or int(index or 0) >= torch.cuda.device_count():
            raise UsageError(
                f"--device {name!r}: this machine has {torch.cuda.device_count()} CUDA devices; use --device cpu"
            )
    return name


def _run_all(args: argparse.Namespace, specs: list[RunSpec], store: Store) -> int:
    from benchmark.runner import run_one

    todo = [s for s in specs if not _done(store, s)]
    if len(todo) < len(specs):
        print(
            f"{len(specs) - len(todo)} of {len(specs)} runs are stored already and are not run again", file=sys.stderr
        )
    failed = 0
    try:
        for k, spec in enumerate(todo, 1):
            if not args.quiet:
                print(f"run {k} of {len(todo)}", file=sys.stderr)
            failed += run_one(spec, store, quiet=args.quiet) == "failed"
    except KeyboardInterrupt:
        done = sum(_done(store, s) for s in specs)
        print(
            f"\ninterrupted: {done} of {len(specs)} runs are stored; the same command goes on with the others",
            file=sys.stderr,
        )
        return 130
    found = [r for s in specs if (r := store.find(s)) is not None]
    _print(found, args.out / "report", args.out)
    for r in found:
        if r.run["status"] == "failed":
            print(f"failed: {r.run['spec']['method']}: {r.run['error']}", file=sys.stderr)
    return 1 if failed else 0


def _print(runs: list[Stored], out: Path, stored: Path) -> None:
    from benchmark.report import footnote, report, text

    for table, folder in report(runs, out):
        print(f"\n{text(table)}\n{footnote(table)}")
        print(f"\nresults  {stored}\ntables   {folder}/table1.md, .csv, .tex\nplots    {folder}/*.png")
        if (folder / "samples.png").exists():
            print(f"samples  {folder}/samples.png")


def _report(args: argparse.Namespace) -> int:
    from benchmark.budget import Budget
    from benchmark.report import footnote, report_folder, text

    at = Budget.parse(args.at) if args.at else None
    out = None if args.out is None else _folder(args.out)
    formats = [f.strip() for f in args.format.split(",") if f.strip()]
    for table, folder in report_folder(args.dir, out, formats=formats, at=at, metric=args.metric, across=args.across):
        print(f"{text(table)}\n{footnote(table)}\n\nwritten to {folder}\n")
    return 0


def _list(args: argparse.Namespace) -> int:
    from benchmark.datasets import data_sets
    from benchmark.options import describe
    from benchmark.registry import METHODS, TASKS

    registries = (METHODS, TASKS)
    if args.name is None:
        for registry in registries:
            print(f"{registry.kind}s")
            for name, entry in sorted(registry.complete().items()):
                print(f"  {name:<15} {entry.origin}")
            for warning in registry.warnings:
                print(f"warning: {warning}", file=sys.stderr)
        print("data sets")
        for name in sorted(data_sets()):
            print(f"  {name:<15} bench fetch {name} --data-dir DIR")
        print("\n`bench list NAME` shows the options, `bench run --method METHODS --task TASK` runs.")
        return 0
    registry = next((r for r in registries if args.name in r.complete()), METHODS)
    if args.name not in registry.entries:
        from benchmark.errors import suggest

        every = {**METHODS.complete(), **TASKS.complete()}
        raise UsageError(
            f"unknown method or task {args.name!r}{suggest(args.name, every)}; known: {', '.join(sorted(every))}"
        )
    thing = registry.get(args.name)
    print(f"{args.name}: {(thing.__doc__ or '').strip()}\n")
    if registry is TASKS:
        print(f"  presets: {', '.join(thing.presets)}")
        print(f"  lower-level solvers: {', '.join(filter(None, thing.lowers)) or 'one'}")
    for name, default, allowed, meaning in describe(thing) if isinstance(thing, type) else ():
        print(f"  --set {args.name}.{name}={default or '...'}  ({allowed}) {meaning}")
    return 0


def _check(args: argparse.Namespace) -> int:
    from benchmark.check import check_method, check_task
    from benchmark.registry import METHODS, TASKS

    check = check_task if args.name in TASKS.complete() else check_method
    if check is check_method:
        METHODS.get(args.name)
    failed = 0
    for name, problem in check(args.name):
        print(f"{'FAIL' if problem else 'ok  '} {name}{': ' + problem if problem else ''}", flush=True)
        failed += bool(problem)
    print(f"{args.name}: {'conforms' if not failed else f'{failed} checks failed'}")
    return 1 if failed else 0


def _fetch(args: argparse.Namespace) -> int:
    from benchmark.datasets import fetch

    fetch(args.name, args.data_dir, args.url)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done; 1 a run or a check failed; 2 wrong usage, said in one line; 130 interrupted."""
    try:
        args = parser().parse_args(argv)
        for path in getattr(args, "plugin", ()):
            from benchmark.registry import load_plugin

            load_plugin(path)
        command = {"run": _run, "report": _report, "list": _list, "check": _check, "fetch": _fetch}[args.command]
        if args.command not in ("run", "check"):
            return command(args)
        from benchmark.datasets import data_dir

        with data_dir(args.data_dir):
            return command(args)
    except UsageError as error:
        print(f"bench: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
