"""`bench run`: plan, carry out what is not stored, print the table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark.command.arguments import SHORT
from benchmark.command.parse import parse_names, plan_from_text
from benchmark.command.refit import refit_shown
from benchmark.command.suite import read_suite
from benchmark.errors import StorageError, UsageError, one_line
from benchmark.escape import visible
from benchmark.export.tracking import TRACKERS, reach, track
from benchmark.options import describe
from benchmark.plugins.load import helpers_of
from benchmark.registry import EXECUTORS, TASKS
from benchmark.report.causes import causes, who
from benchmark.report.current import Shown, recall, remember, stamp
from benchmark.report.explorer import EXPLORE
from benchmark.runs.afford import warnings
from benchmark.runs.executor import (
    IN_PROCESS,
    LOCAL,
    ExecutorSettings,
    Outcome,
    carry_out,
    make_executor,
)
from benchmark.runs.forecast import forecast
from benchmark.runs.machine import devices_of, files_for, folder_of, seconds_of
from benchmark.runs.prepare import prepare
from benchmark.runs.refit import jobs, refittable
from benchmark.runs.sharing import Sharing
from benchmark.runs.slurm import FORMATS as SCRIPTS
from benchmark.runs.slurm import script
from benchmark.runs.surroundings import print_code
from benchmark.spec import RunSpec
from benchmark.store.lease import Leases
from benchmark.store.planned import PLAN, read_plan, write_plan
from benchmark.store.store import Store, Stored

_IN_SUITE = ("method", "task", "preset", "lower", "budget", "seeds", "prompt", "settings", "marks")


def command(args: argparse.Namespace) -> int:
    """Exit status: 0; 1 a run failed or was cut short; 130 interrupted. Raises UsageError."""
    specs = _specs(args)
    if args.refit:
        refittable(specs)
    if args.track and args.track not in TRACKERS:
        raise UsageError(f"--track: expected {', '.join(TRACKERS)}, got {args.track!r}")
    out = folder_of(args.out)
    if args.emit:
        return _emit(args, specs, out)
    settings = settings_of(args, specs)
    store, engine = Store(out), _engine(args)
    if args.dry_run:
        slots = len(settings.slots)
        for line in forecast(specs, store, settings.devices[0], slots, args.retry_failed):
            print(line)
        return 0
    executor = make_executor(engine, settings)
    place = str(out / "tensorboard") if args.track == "tensorboard" else ""
    # before the runs, which may take hours
    if args.track:
        reach(args.track, place)
    careful = not args.no_preflight
    prepare(specs, store, settings, retry=args.retry_failed, preflight=careful, engine=engine)
    # counted after `prepare`, which forgets failed runs that are to run again
    stored = len(specs) - len(store.missing(specs))
    if stored:
        _note(f"{stored} of {len(specs)} runs are stored already and are not run again")
    outcome = carry_out(engine, executor, specs, store)
    if outcome.refused:
        raise UsageError(outcome.refused)
    found = [r for s in specs if (r := store.find(s)) is not None]
    if outcome != Outcome():
        return _cut_short(outcome, found, len(specs))
    broken = args.refit and _refit(found, out, args)
    if args.refit:
        found = [r for s in specs if (r := store.find(s)) is not None]
    _print(found, store, args.plugin)
    if args.track:
        _note(f"{track(found, args.track, place)} runs written to {args.track}")
    return 1 if broken else _ended(found, len(specs), anew=not stored)


def _emit(args: argparse.Namespace, specs: Sequence[RunSpec], out: Path) -> int:
    """Write the plan, and print a script whose workers carry it out. Raises UsageError."""
    if args.emit not in SCRIPTS:
        raise UsageError(f"--emit: expected {' or '.join(SCRIPTS)}, got {args.emit!r}")
    _emitted_whole(args)
    grace, idle = _times(args)
    ExecutorSettings(jobs=args.jobs, grace=grace, idle=idle)
    store = Store(out, Leases())
    store.prepare()
    for line in warnings(specs):
        print(line, file=sys.stderr)
    kind = specs[0].device
    words = ["--device", kind, "--grace", args.grace, "--idle", args.idle, "--quiet"]
    words += [w for path in args.plugin for w in ("--plugin", str(path.absolute()))]
    text = script(out, words, min(args.jobs, len(specs)), kind)
    every = write_plan(out, specs)
    sharing = Sharing(store)
    for spec in read_plan(out):
        sharing.hint(spec)
    # last: who gets a script has its plan
    print_code(text)
    _note(f"{every} runs are planned in {out / PLAN}; give the script to sbatch")
    return 0


def _emitted_whole(args: argparse.Namespace) -> None:
    """Raises UsageError for what a script would leave out without a word."""
    others = ("dry_run", "refit", "retry_failed", "track", "engine", "in_process", "address")
    if given := next((n for n in (*others, "no_preflight") if getattr(args, n)), ""):
        raise UsageError(f"--emit: expected no --{given.replace('_', '-')} beside it")
    if args.device not in (None, "cpu", "cuda"):
        raise UsageError(
            f"--device {args.device!r}: expected cpu or cuda beside --emit; a worker takes the "
            "card that SLURM gives it"
        )


def _refit(runs: Sequence[Stored], out: Path, args: argparse.Namespace) -> bool:
    """What the answers are worth by themselves; whether it was not measured for all of them."""
    done = [run for run in runs if run.done and run.tests]
    try:
        todo, changed = jobs(done, out, marks=False)
        return refit_shown(todo, changed, out, args.jobs, args.plugin)
    # the runs are there and paid for, so their table is too
    except (UsageError, StorageError) as error:
        _note(f"bench: {one_line(str(error))}")
        return True


def _specs(args: argparse.Namespace) -> list[RunSpec]:
    """What the arguments ask for, or the suite file. Raises UsageError."""
    short = {name: value for name in SHORT if (value := getattr(args, name)) is not None}
    given = [name for name in _IN_SUITE if getattr(args, name) not in (None, [])]
    if args.suite is not None:
        given += ["prompts-together"] if args.prompts_together else []
        if given:
            first = given[0].replace("settings", "set")
            raise UsageError(
                f"suite {str(args.suite)!r}: expected no --{first} beside it; it goes in the file"
            )
        return read_suite(args.suite, args.device, short)
    for name in ("method", "task"):
        if getattr(args, name) is None:
            raise UsageError(
                f"the following arguments are required: --{name} (or a suite file); see `bench "
                "run --help`"
            )
    settings = [*(f"{args.task}.{name}={value}" for name, value in short.items()), *args.settings]
    prompts = args.prompt
    if args.prompts_together:
        if len(prompts) < 2:
            raise UsageError(
                f"--prompts-together: expected two --prompt or more beside it, got {len(prompts)}"
            )
        if "together" not in {name for name, *_ in describe(TASKS.get(args.task))}:
            raise UsageError(
                "--prompts-together: expected a task with one lam for several prompts, got "
                f"{args.task}; leave it out"
            )
        settings.append(f"{args.task}.together={len(prompts)}")
        prompts = [" | ".join(prompts)]
    return plan_from_text(
        args.method,
        args.task,
        preset=args.preset,
        lower=args.lower,
        budget=args.budget or "60s",
        seeds=args.seeds or "0",
        prompts=prompts,
        settings=settings,
        marks=None if args.marks is None else parse_names(args.marks),
        # which of several cards runs it is no part of a run's identity
        device=(args.device or "cpu").partition(":")[0],
    )


def _engine(args: argparse.Namespace) -> str:
    """The executor's name. Raises UsageError for an unknown one, and for two."""
    if args.in_process and args.engine not in (None, IN_PROCESS):
        raise UsageError(
            f"--in-process: expected no other --engine beside it, got {args.engine!r}; leave one "
            "of them out"
        )
    name: str = IN_PROCESS if args.in_process else args.engine or LOCAL
    EXECUTORS.get(name)
    return name


def _times(args: argparse.Namespace) -> tuple[float, float]:
    """Seconds of --grace and --idle. Raises UsageError."""
    return seconds_of("--grace", args.grace, "30s"), seconds_of("--idle", args.idle, "10m")


def settings_of(
    args: argparse.Namespace, specs: Sequence[RunSpec], wait: bool = True
) -> ExecutorSettings:
    """Raises UsageError for what this machine does not have. wait: see `ExecutorSettings`."""
    address = getattr(args, "address", "")
    if address and args.engine in (None, LOCAL, IN_PROCESS):
        raise UsageError("--address: expected --engine dask or ray beside it")
    devices = devices_of(args.device or specs[0].device, here=not address)
    grace, idle = _times(args)
    found = ExecutorSettings(
        devices, args.jobs, grace, args.quiet, tuple(args.plugin), idle, wait, address
    )
    files_for(min(len(found.slots), len(specs)))
    return found


def _note(text: str) -> None:
    print(visible(text), file=sys.stderr)


def _shown(runs: list[Stored], store: Store, plugins: Sequence[Path]) -> Shown:
    """The report of these runs, written again where it does not stand."""
    out, folder = store.root, store.root / "report"
    helpers = (helper for plugin in plugins for helper in helpers_of(plugin.resolve()))
    also = [*plugins, *helpers]
    now = stamp(out, (r.folder for r in runs), store.records(), also)
    if (stands := recall(folder, now)) is not None:
        return stands
    # only now: what it draws with takes longer to import than a finished suite to answer
    from benchmark.report.formats import text_table
    from benchmark.report.report import report, stored_beside

    made = report(runs, folder, beside=stored_beside(out, runs))
    shown = [(text_table(table), place) for table, place in made]
    # a picture that could not be drawn may be the next time; without a run there is no report
    if made and not any(table.undrawn for table, _ in made):
        remember(folder, now, shown)
    return shown


def _print(runs: list[Stored], store: Store, plugins: Sequence[Path]) -> None:
    """The tables of these runs, which are also written below the store's folder."""
    out = store.root
    for shown, folder in _shown(runs, store, plugins):
        print()
        shown.print()
        print(f"\nresults  {out}\ntables   {folder}/table1.md, .csv, .tex")
        if any(folder.glob("*.png")):
            print(f"plots    {folder}/*.png")
        if (folder / EXPLORE).exists():
            print(f"page     {folder}/{EXPLORE}")
        if (folder / "samples.png").exists():
            print(f"samples  {folder}/samples.png")


def _cut_short(outcome: Outcome, found: list[Stored], asked: int) -> int:
    ended = sum(not r.open for r in found)
    why = outcome.broken or outcome.failed
    what = f"bench: {visible(why)}" if why else "\ninterrupted"
    going = f"{ended} of {asked} runs are stored; the same command goes on with the others"
    print(f"{what}: {going}", file=sys.stderr)
    return 1 if why else 130


def _ended(found: list[Stored], asked: int, anew: bool) -> int:
    """Print notes on failed runs; returns the exit status. anew: none was stored before."""
    failed = [r for r in found if r.run["status"] == "failed"]
    for r in failed:
        again = "" if anew else "; --retry-failed runs it again"
        _note(f"failed: {who(r)}: {r.run['error']}{again}")
    answerless = [r for r in found if r.run.get("no_incumbent") and r.run.get("why_none")]
    for line in causes("no answer", ((r, r.run["why_none"]) for r in answerless)):
        _note(line)
    left = asked - sum(not r.open for r in found)
    if left:
        _note(f"{left} of {asked} runs were cut short; the same command goes on with them")
    return 1 if failed or left else 0
