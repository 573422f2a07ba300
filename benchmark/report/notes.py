"""The footnote, which only the runs of a table can give: settings, machines and what went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from benchmark.budget import ACCOUNTS
from benchmark.errors import UsageError
from benchmark.registry import TASKS
from benchmark.report.causes import causes
from benchmark.report.cells import SHARED
from benchmark.report.metrics import in_order, metric_of
from benchmark.report.table import Table
from benchmark.spec import make_task, settled
from benchmark.store.measured import MEASURED
from benchmark.store.refits import REFITS
from benchmark.store.store import Stored

# fields of the environment that the table or another sentence gives, or that do not matter
# of failures, so that a footnote stays one
_CAUSES = 3
_ELSEWHERE = ("cpu", "cpus", "threads", "system")


def footnote(table: Table) -> str:
    """Settings, machines and what did not go as planned; "" where no runs are at hand."""
    runs = [r for r in table.runs if r.done]
    failed = list(_failed(table))
    if not runs:
        return " ".join(failed)
    lines = [
        *_features(runs),
        *_refits(runs),
        *_measured(runs),
        *filter(None, [_settings(table)]),
        *_counted(runs),
        *_machines(runs),
        *_spent(runs),
        *_searches(runs),
        *_remarks(table, runs),
        *_left_out(table),
        *failed,
    ]
    if table.undrawn:
        lines.append(f"Not drawn: {'; '.join(table.undrawn)}.")
    return " ".join(lines)


def _failed(table: Table) -> Iterator[str]:
    """Why runs failed, the first causes."""
    lost = [run for row in table.rows for run in row.lost]
    lost.sort(key=lambda run: (run.run["spec"]["method"], run.run["spec"]["seed"]))
    found = list(causes("Failed", ((run, run.run.get("error", "")) for run in lost)))
    yield from (f"{text}." for text in found[:_CAUSES])
    if more := found[_CAUSES:]:
        yield f"{len(more)} more causes are on the runs' own pages."


def _refits(runs: Sequence[Stored]) -> Iterator[str]:
    """How answers were measured by themselves."""
    for text in sorted({r.tests[-1]["passport"].get(REFITS, "") for r in runs if r.tests} - {""}):
        yield f"Refit: the mean of {text}; as found: what the search itself trained."


def _measured(runs: Sequence[Stored]) -> Iterator[str]:
    """How answers were measured after the runs."""
    found = {r.tests[-1]["passport"].get(MEASURED, "") for r in runs if r.tests} - {""}
    if found:
        more = f" ({len(found)} settings; the first)" if len(found) > 1 else ""
        yield f"Measured after the runs{more}: {min(found)}."


def _counted(runs: Sequence[Stored]) -> Iterator[str]:
    """What an evaluation does not count, as tasks state it."""
    for text in sorted({r.run.get("counted") or "" for r in runs} - {""}):
        yield f"Evaluations: {text}."


def _features(runs: Sequence[Stored]) -> Iterator[str]:
    """Of metrics that compare samples: how many there were, and in which features."""
    measured = [r.tests[-1] for r in runs if r.tests]
    passport: Mapping[str, str] = measured[0]["passport"] if measured else {}
    for metric in in_order(measured[0]["metrics"]) if measured else ():
        if (features := passport.get(f"{metric}_features")) is not None:
            size = passport.get(f"{metric}_n")
            images = f"{size} images, " if size is not None else ""
            yield f"{metric_of(metric).head}: {images}features of {features}."


def _settings(table: Table) -> str:
    """The task's options that are not its preset's, where all runs agree and there is the task."""
    if table.base:
        return f"Where a row does not say otherwise: {table.base}."
    specs = [r.run["spec"] for r in table.runs]
    # the task of a stored run may be a plug-in that is not at hand, or have changed since
    with suppress(UsageError, KeyError, TypeError):
        options, kind = specs[0]["task_options"], TASKS.get(specs[0]["task"])
        own, _ = settled(kind, specs[0]["preset"], options)
        usual = make_task(specs[0]["task"], own)
        # an option of an earlier version may be gone
        other = [f"{k}={v}" for k, v in sorted(options.items()) if getattr(usual, k, v) != v]
        if other:
            return f"The task's options beside its preset: {', '.join(other)}."
    return ""


def _machines(runs: Sequence[Stored]) -> Iterator[str]:
    """How large they were; versions and cards where they are not the same in all runs."""
    each: list[Mapping[str, str]] = [r.run.get("environment", {}) for r in runs]
    sizes = {f"{e.get('cpus', '?')} CPUs, {e.get('threads') or 1} threads a run" for e in each}
    yield f"Time: method + objective, on {' and '.join(sorted(sizes))}."
    names = dict.fromkeys(name for e in each for name in e if name not in _ELSEWHERE)
    counts = {name: Counter(e[name] or "none" for e in each if name in e) for name in names}
    other = [
        f"{name} {', '.join(f'{value} ({n} runs)' for value, n in sorted(c.items()))}"
        for name, c in counts.items()
        if len(c) > 1
    ]
    if other:
        yield f"Not the same in all runs: {'; '.join(other)}."


def _spent(runs: Sequence[Stored]) -> Iterator[str]:
    means = {a: sum(r.run["ledger"].get(a, 0.0) for r in runs) / len(runs) for a in ACCOUNTS}
    each = ", ".join(f"{account} {seconds:.1f} s" for account, seconds in means.items())
    yield f"A run took on average: {each}."


def _searches(runs: Sequence[Stored]) -> Iterator[str]:
    """What went otherwise than planned in some of the runs, by their records."""
    n = len(runs)
    beside = [jobs for r in runs if (jobs := r.run.get("jobs", 1)) > 1]
    if beside:
        most = f"up to {max(beside)} at a time"
        yield f"{SHARED}: {len(beside)} of {n} runs shared the machine with others ({most})."
    if resumed := sum(r.run.get("resumed", 0) > 0 for r in runs):
        yield f"{resumed} runs were cut short and resumed."
    if whole := sum(r.run.get("peak_memory_of") != "search" for r in runs):
        yield f"Memory: in {whole} of {n} runs the peak of their whole process until then."
    for key, digits, unit in (("seconds", ".2f", "s"), ("nfe", ",", "evaluations")):
        late = [over for r in runs if (over := r.run.get(f"overrun_{key}", 0)) > 0]
        if late:
            most = f"{max(late):{digits}} {unit}"
            yield f"{len(late)} of {n} searches ended past the budget, at most by {most}."
    why = [r.run.get("why_none") for r in runs if r.run.get("no_incumbent")]
    for cause, count in Counter(filter(None, why)).most_common():
        yield f"No answer, {count} of {n} runs: {cause}."
    ended = [text for r in runs if (text := r.run.get("ended_by"))]
    if ended:
        yield f"{len(ended)} of {n} searches were ended by a guard, the first: {ended[0]}."


def _remarks(table: Table, runs: Sequence[Stored]) -> Iterator[str]:
    if torn := sum(r.torn for r in table.runs):
        yield f"{torn} torn proposal lines were dropped."
    noted = [r.run["notes"][0] for r in runs if r.run.get("notes")]
    if noted:
        yield f"{len(noted)} of {len(runs)} runs left a note, the first: {noted[0]}."


def _left_out(table: Table) -> Iterator[str]:
    """About stored runs that are not in the table."""
    if table.left_out:
        yield f"{table.left_out} stored runs of the same set are left out."
    if table.conflicts:
        counts, other = table.conflicts[0]
        spec = counts.run["spec"]
        where = ", ".join(filter(None, (spec["method"], f"seed {spec['seed']}", spec["prompt"])))
        yield (
            f"{len(table.conflicts)} finished runs do not count, since one of the same row, seed "
            f"and prompt, with another result, was started first; the first: {where} "
            f"({counts.run['run_id']} counts, {other.run['run_id']} does not)."
        )
    passed = sorted({name for r in table.runs for name in r.passed_over})
    if passed:
        yield (
            f"{len(passed)} folders were passed over, which have another name than their run; "
            f"the first: {passed[0]}."
        )
