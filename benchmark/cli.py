"""The command `bench`: what each of its commands does. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.arguments import SHORT, devices_of, files_for, folder_of, parser, seconds_of
from benchmark.errors import StorageError, UsageError, one_line, said
from benchmark.escape import visible
from benchmark.surroundings import settle

if TYPE_CHECKING:
    from benchmark.plan import RunSpec
    from benchmark.store import Store, Stored
    from benchmark.supervisor import Settings


_IN_SUITE = ("method", "task", "preset", "lower", "budget", "seeds", "prompt", "settings", "marks")


def _specs(args: argparse.Namespace) -> list[RunSpec]:
    from benchmark.plan import plan
    from benchmark.suite import read_suite

    short = {name: value for name in SHORT if (value := getattr(args, name)) is not None}
    given = [name.replace("settings", "set") for name in _IN_SUITE if getattr(args, name) not in (None, [])]
    if args.suite is not None:
        if given:
            raise UsageError(f"suite {str(args.suite)!r}: expected no --{given[0]} beside it; it goes in the file")
        return read_suite(args.suite, args.device, short)
    for name in ("method", "task"):
        if getattr(args, name) is None:
            raise UsageError(
                f"the following arguments are required: --{name} (or a suite file); see `bench run --help`"
            )
    settings = [*(f"{args.task}.{name}={value}" for name, value in short.items()), *args.settings]
    marks = [m for m in args.marks.split(",") if m] if args.marks is not None else None
    return plan(
        args.method, args.task, preset=args.preset, lower=args.lower, budget=args.budget or "60s", seeds=args.seeds or "0",
        prompts=args.prompt, settings=settings, marks=marks, device=(args.device or "cpu").partition(":")[0],
    )  # fmt: skip


def _run(args: argparse.Namespace) -> int:
    from benchmark.afford import warnings
    from benchmark.store import Store
    from benchmark.supervisor import Settings

    specs = _specs(args)
    devices = devices_of(args.device or specs[0].device)
    if args.jobs < 1 or args.jobs > 1024:
        raise UsageError(f"--jobs: expected a number from 1 to 1024, got {args.jobs}")
    if args.jobs > 1 and devices != ("cpu",):
        raise UsageError("--jobs: expected one run at a time on a GPU; name several with --device cuda:0,cuda:1")
    files_for(min(args.jobs, len(specs)))
    grace, idle = (seconds_of(f"--{name}", getattr(args, name), eg) for name, eg in (("grace", "30s"), ("idle", "10m")))
    args.out = folder_of(args.out)
    store = Store(args.out)
    if args.dry_run:
        from benchmark.forecast import forecast

        for line in forecast(specs, store, devices[0], max(args.jobs, len(devices)), args.retry_failed):
            print(line)
        return 0
    todo = [s for s in specs if (r := store.find(s)) is None or r.open or (args.retry_failed and not r.done)]
    if not args.no_preflight:
        from benchmark.preflight import preflight

        preflight(todo, devices, args.jobs)
    store.prepare()
    for line in warnings(todo):
        print(line, file=sys.stderr)
    settings = Settings(devices, args.jobs, grace, args.quiet, tuple(args.plugin), idle)
    return _run_all(args, specs, store, settings)


def _run_all(args: argparse.Namespace, specs: list[RunSpec], store: Store, settings: Settings) -> int:
    from benchmark.supervisor import Supervisor

    if args.retry_failed:
        for s in specs:
            with store.lock(s) as lock:
                if lock is not None and (old := store.find(s)) is not None and old.run["status"] == "failed":
                    store.forget(s)
    stored = sum(r is not None and not r.open for r in map(store.find, specs))
    if stored:
        print(f"{stored} of {len(specs)} runs are stored already and are not run again", file=sys.stderr)
    broken = ""
    stopped = False
    if args.in_process:
        from benchmark.api import carry_out
        from benchmark.guard import Guard

        try:
            carry_out(specs, store, args.quiet, settings.devices[0], Guard(idle=settings.idle))
        except KeyboardInterrupt:
            stopped = True
    else:
        supervisor = Supervisor(store, settings)
        supervisor(specs)
        broken, stopped = supervisor.broken, supervisor.stopping > 0
        if supervisor.refused:
            raise UsageError(supervisor.refused)
    found = [r for s in specs if (r := store.find(s)) is not None]
    ended = sum(not r.open for r in found)
    if stopped or broken:
        say = f"bench: {broken}" if broken else "\ninterrupted"
        print(
            f"{say}: {ended} of {len(specs)} runs are stored; the same command goes on with the others", file=sys.stderr
        )
        return 1 if broken else 130
    _print(found, args.out / "report", args.out)
    failed = [r for r in found if r.run["status"] == "failed"]
    for r in failed:
        again = "; --retry-failed runs it again" if stored else ""
        what = f"{r.run['spec']['method']}, seed {r.run['spec']['seed']}"
        print(visible(f"failed: {what}: {r.run['error']}{again}"), file=sys.stderr)
    for line in _unanswered(found):
        print(visible(line), file=sys.stderr)
    if ended < len(specs):
        left = len(specs) - ended
        print(f"{left} of {len(specs)} runs were cut short; the same command goes on with them", file=sys.stderr)
    return 1 if failed or ended < len(specs) else 0


def _unanswered(found: list[Stored]) -> list[str]:
    """A line for each cause of a run without an answer."""
    causes: dict[str, list[str]] = {}
    for r in found:
        if r.run.get("no_incumbent") and (why := r.run.get("why_none")):
            causes.setdefault(one_line(str(why)), []).append(f"{r.run['spec']['method']}, seed {r.run['spec']['seed']}")
    return [
        f"no answer: {who[0]}{f' and {len(who) - 1} more' if who[1:] else ''}: {why}" for why, who in causes.items()
    ]


def _print(runs: list[Stored], out: Path, stored: Path) -> None:
    from benchmark.formats import text
    from benchmark.notes import footnote, reading
    from benchmark.report import report, stored_beside

    for table, folder in report(runs, out, beside=stored_beside(stored, runs)):
        print(f"\n{text(table)}\n{visible(f'{reading(table)} {footnote(table)}')}")
        print(f"\nresults  {stored}\ntables   {folder}/table1.md, .csv, .tex\nplots    {folder}/*.png")
        if (folder / "samples.png").exists():
            print(f"samples  {folder}/samples.png")


def _report(args: argparse.Namespace) -> int:
    from benchmark.budget import Budget
    from benchmark.formats import text
    from benchmark.notes import footnote, reading
    from benchmark.report import report_folder

    at = Budget.parse(args.at) if args.at else None
    out = None if args.out is None else folder_of(args.out)
    formats = [f.strip() for f in args.format.split(",") if f.strip()]
    options = {"formats": formats, "at": at, "metric": args.metric, "across": args.across, "failures": args.failures}
    for table, folder in report_folder(args.dir, out, **options):
        print(f"{text(table)}\n{visible(f'{reading(table)} {footnote(table)}')}\n\nwritten to {folder}\n")
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
    from benchmark.check import Still, check_method, check_task
    from benchmark.registry import METHODS, TASKS

    check = check_task if args.name in TASKS.complete() else check_method
    if check is check_method:
        METHODS.get(args.name)
    with Still() as begun:
        return _told(check(args.name, begun), args.name, "conforms")


def _told(results: Iterable[tuple[str, str]], name: object, good: str) -> int:
    """Print what was checked and what is wrong with it; returns the exit status."""
    failed = 0
    for what, problem in results:
        print(visible(f"{'FAIL' if problem else 'ok  '} {what}{': ' + problem if problem else ''}"), flush=True)
        failed += bool(problem)
    bad = f"{failed} check{'s' if failed > 1 else ''} failed"
    print(f"{name}: {bad if failed else good}")
    return 1 if failed else 0


def _verify(args: argparse.Namespace) -> int:
    from benchmark.verify import verify

    return _told(verify(args.dir), args.dir, "verified")


def _fetch(args: argparse.Namespace) -> int:
    from benchmark.datasets import fetch, fetch_preset

    if args.preset is None:
        if args.name is None:
            raise UsageError("fetch: expected a data set's name (`bench list`) or --preset; see `bench fetch --help`")
        if args.task or args.settings or args.model or args.dry_run:
            raise UsageError("fetch: --task, --model, --set and --dry-run belong to --preset, not to a data set")
        fetch(args.name, args.data_dir, args.url)
        return 0
    if args.name is not None or args.data_dir is not None or len(args.url) > 1:
        raise UsageError(
            f"fetch --preset {args.preset}: expected no data set, no --data-dir and at most one --url beside it"
        )
    short = {"model": args.model} if args.model else {}
    fetch_preset(args.preset, args.task, short, args.settings, dry_run=args.dry_run, base="".join(args.url))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done; 1 a run or a check failed; 2 wrong usage, said in one line; 130 interrupted."""
    settle()
    try:
        args = parser().parse_args(argv)
        for path in getattr(args, "plugin", ()):
            from benchmark.registry import load_plugin

            load_plugin(path)
        commands = {"run": _run, "report": _report, "list": _list, "check": _check, "verify": _verify, "fetch": _fetch}
        command = commands[args.command]
        if args.command != "fetch":
            os.environ["HF_HUB_OFFLINE"] = "1"  # for what is imported later
        if args.command not in ("run", "check"):
            return command(args)
        from benchmark.datasets import data_dir

        with data_dir(args.data_dir):
            return command(args)
    except UsageError as error:
        print(f"bench: {one_line(str(error))}", file=sys.stderr)
        return 2
    except StorageError as error:
        print(f"bench: {one_line(str(error))}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if os.environ.get("BENCH_TRACEBACK"):
            raise
        print(f"bench: unexpected {said(error)}; BENCH_TRACEBACK=1 shows where", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
