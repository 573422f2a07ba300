"""What a reader must know to read a table: what follows from its numbers alone, and what only its runs tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from benchmark.clock import ACCOUNTS
from benchmark.errors import UsageError
from benchmark.options import values
from benchmark.plan import by_owner, make_task
from benchmark.registry import TASKS
from benchmark.stats import LEAST_SEEDS
from benchmark.store import Stored
from benchmark.table import Table, machines

INCOMPLETE, APART = "‡", "§"


def _cells(table: Table) -> Iterator[str]:
    cells = table.cells
    if table.failures == "worst":
        yield "A run without a score counts as the worst of its seed and prompt (--failures worst)."
    if len(cells.shared) < cells.total:
        yield (
            f"Rows are compared over {len(cells.shared)} of {cells.total} seeds x prompts, those that all of them "
            f"have{'' if table.failures == 'worst' else ' (--failures common)'}."
        )
    if any(r.incomplete for r in table.rows):
        yield f"{INCOMPLETE}: lacks a score that another row has (failed, without an answer, or not run); never marked."
    if any(r.apart for r in table.rows):
        yield f"{APART}: shares no seed and prompt with the other rows, so it is not comparable with them."


def reading(table: Table) -> str:
    """How to read its intervals and marks; follows from the table alone."""
    lines = [
        "Mean and 95 % interval (Student's t); prompts are fixed and weigh the same, seeds are resampled.",
    ]
    if len([r for r in table.rows if r.metrics]) > 1:
        if any(r.bold for r in table.rows):
            lines.append(
                "Bold (or *): the best mean. Italic (or =): may be the best too, since no row is better than it by a paired t "
                "test, with Holm's correction at 5 % for the column."
            )
        else:
            lines.append(
                f"Nothing is marked: it takes {LEAST_SEEDS} paired seeds of each prompt in at least two complete rows; "
                "run more with --seeds."
            )
    lines += _cells(table)
    if lost := sum(r.unanswered for r in table.rows):
        lines.append(f"{lost} runs gave no answer and have no score.")
    kinds = machines(table.frame)
    if len(kinds) > 1:
        each = "; ".join(f"{name} ({n} runs)" for name, n in kinds.items())
        lines.append(
            f"Seconds are from {len(kinds)} kinds of machine: {each}; do not compare them (†: not all of a row's runs are on "
            "the first)."
        )
    if table.references:
        lines.append("Lines without runs: images that no method made.")
    return " ".join(lines)


def _settings(table: Table) -> str:
    """The task's options that are not its preset's, where all runs have the same and the task is at hand."""
    if table.base:
        return f"Where a row does not say otherwise: {table.base}."
    specs = [r.run["spec"] for r in table.runs]
    with suppress(UsageError, KeyError, TypeError):
        own, _ = by_owner(TASKS.get(specs[0]["task"]).presets[specs[0]["preset"]])
        usual = values(make_task(specs[0]["task"], own))
        options = specs[0]["task_options"]
        other = [f"{k}={v}" for k, v in sorted(options.items()) if k in usual and usual[k] != v]
        if other:
            return f"The task's options beside its preset: {', '.join(other)}."
    return ""


def _went_otherwise(table: Table, runs: list[Stored]) -> Iterator[str]:
    shared = [jobs for r in runs if (jobs := r.run.get("jobs", 1)) > 1]
    if shared:
        yield f"†: {len(shared)} of {len(runs)} runs shared the machine with others (up to {max(shared)} at a time)."
    resumed = sum(r.run.get("resumed", 0) > 0 for r in runs)
    if resumed:
        yield f"{resumed} runs were cut short and resumed."
    dirty = sum(r.run.get("peak_memory_of") != "search" for r in runs)
    if dirty:
        yield f"Memory: in {dirty} of {len(runs)} runs the peak of their whole process until then."
    late = [o for r in runs if (o := r.run.get("overrun_seconds", 0)) > 0]
    if late:
        yield f"{len(late)} of {len(runs)} searches ended past the budget, at most by {max(late):.2f} s."
    over = [o for r in runs if (o := r.run.get("overrun_nfe", 0)) > 0]
    if over:
        yield f"{len(over)} of {len(runs)} searches ended past the budget, at most by {max(over):,} evaluations."
    causes = Counter(why for r in runs if r.run.get("no_incumbent") and (why := r.run.get("why_none")))
    for why, n in causes.most_common():
        yield f"No answer, {n} of {len(runs)} runs: {why}."
    ended = [text for r in runs if (text := r.run.get("ended_by"))]
    if ended:
        yield f"{len(ended)} of {len(runs)} searches were ended by a guard, the first: {ended[0]}."
    torn = sum(r.torn for r in table.runs)
    if torn:
        yield f"{torn} torn proposal lines were dropped."
    said = [r.run["notes"][0] for r in runs if r.run.get("notes")]
    if said:
        yield f"{len(said)} of {len(runs)} runs left a note, the first: {said[0]}."
    if table.left_out:
        yield f"{table.left_out} stored runs of the same set are left out."
    # last: they are about runs that are not in the table, and whoever makes the footnote from the table's alone has none
    if table.conflicts:
        kept, other = table.conflicts[0]
        spec = kept.run["spec"]
        where = ", ".join(filter(None, (spec["method"], f"seed {spec['seed']}", spec["prompt"])))
        yield (
            f"{len(table.conflicts)} finished runs do not count, since one of the same row, seed and prompt, with another "
            f"result, was started first; the first: {where} ({kept.run['run_id']} counts, {other.run['run_id']} does not)."
        )
    passed = sorted({name for r in table.runs for name in r.passed_over})
    if passed:
        yield f"{len(passed)} folders were passed over, which have another name than their run; the first: {passed[0]}."


_SAID = ("cpu", "cpus", "threads", "system")  # elsewhere, or beside the point


def _differing(environments: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Versions and cards where they are not the same in all runs that tell them."""
    names = dict.fromkeys(name for e in environments for name in e if name not in _SAID)
    counts = {name: Counter(e[name] or "none" for e in environments if name in e) for name in names}
    found = [
        f"{name} {', '.join(f'{value} ({n} runs)' for value, n in sorted(c.items()))}"
        for name, c in counts.items()
        if len(c) > 1
    ]
    if found:
        yield f"Not the same in all runs: {'; '.join(found)}."


def footnote(table: Table) -> str:
    """Passport, machines, and whatever went otherwise than planned; from the runs, and empty where they are not at hand."""
    runs = [r for r in table.runs if r.done]
    if not runs:
        return ""
    lines = []
    passport: dict[str, str] = next((r.tests[-1]["passport"] for r in runs if r.tests), {})
    if "fid_features" in passport:
        lines.append(f"FID: {passport['fid_n']} images, features of {passport['fid_features']}.")
    lines += filter(None, [_settings(table)])
    lines += [f"Evaluations: {text}." for text in sorted({r.run.get("counted") or "" for r in runs} - {""})]
    environments = [r.run.get("environment", {}) for r in runs]
    sizes = sorted({f"{e.get('cpus', '?')} CPUs, {e.get('threads') or 1} threads a run" for e in environments})
    lines.append(f"Time: method + objective, on {' and '.join(sizes)}.")
    lines += _differing(environments)
    means = {name: sum(r.run["ledger"].get(name, 0.0) for r in runs) / len(runs) for name in ACCOUNTS}
    lines.append(f"A run took on average: {', '.join(f'{name} {v:.1f} s' for name, v in means.items())}.")
    lost = [f"Not drawn: {'; '.join(table.undrawn)}."] if table.undrawn else []
    return " ".join([*lines, *_went_otherwise(table, runs), *lost])
