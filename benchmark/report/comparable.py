"""Which runs may share a table: those of one task, preset, budget, device and passport."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from benchmark.budget import Budget
from benchmark.report.each import Each
from benchmark.report.frame import frame
from benchmark.report.variants import variants
from benchmark.store.schema import CLOSED
from benchmark.store.store import Stored

SETTINGS = ", settings "
"""Before the passport in a title, where only that tells two sets apart."""


@dataclass(frozen=True)
class Chosen:
    """One run for each cell.

    each: how they were chosen.  frame: a row each.  base: what the rows of an ablation share.
    """

    each: Each
    frame: pd.DataFrame
    stored: list[Stored]
    base: str

    @classmethod
    def of(
        cls, runs: Iterable[Stored], at: Budget | None, measured: Budget | None, across: bool
    ) -> Chosen:
        """at: chooses among the runs of a cell.  measured: the moment of their rows, or the end."""
        each = Each(at)
        # copies leave first: they would weigh in what most runs have
        stored = each.by_specification(r for r in runs if r.run["status"] in CLOSED)
        named, base = variants(stored, across)
        rows = frame(stored, measured, across).assign(variant=named)
        # cells have a variant and a passport, so they are known only now
        chosen = each.by_row(rows, stored)
        rows = rows.iloc[chosen].reset_index(drop=True)
        return cls(each, rows, [stored[k] for k in chosen], base)


def titled(found: pd.DataFrame, at: Budget | None) -> Iterator[tuple[str, pd.DataFrame]]:
    """Title and rows of each set."""
    if not len(found):
        return
    for (task, preset, budget), part in found.groupby(["task", "preset", "budget"], sort=True):
        sets = _sets(part)
        for name, rows in sets.items():
            title = f"{task}, {preset}, budget {budget}" + (f", at {at}" if at else "")
            # a hash tells a reader little, so it is left out where there is nothing to tell apart
            yield title + (f"{SETTINGS}{name}" if len(sets) > 1 else ""), rows


def _sets(part: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """By passport, its runs.

    A run without a score has no passport. It joins each set from which it differs in nothing that
    is known before a measurement. Such runs that are like none of the others are sets of their own.
    """
    # left out, a failed run would make its method's mean that of the easy seeds
    lost = part["passport"] == ""
    # "" is not known: under schema 1 a run without a score may belong to any set
    known = part["known"].fillna("") if "known" in part else pd.Series("", part.index)
    sets: dict[str, pd.DataFrame] = {}
    for passport in sorted(set(part["passport"]) - {""}):
        own = part["passport"] == passport
        sets[passport] = part[own | (lost & known.isin([*known[own], ""]))]
    # a set of failures alone is a table too: that everything failed is a result
    left = lost & ~known.isin([*known[~lost], ""])
    sets |= {name: part[left & (known == name)] for name in sorted(set(known[left]))}
    return sets or {"": part}


@dataclass(frozen=True)
class Beside:
    """All stored runs, of which a table may show a part.

    sizes: how many runs each comparable set has, by its `set_of`.  each: how they were chosen.
    """

    sizes: dict[tuple[str, ...], int]
    each: Each

    @classmethod
    def of(cls, runs: Iterable[Stored], at: Budget | None = None, across: bool = False) -> Beside:
        chosen = Chosen.of(runs, at, None, across)
        sizes = {set_of(part): len(part) for _, part in titled(chosen.frame, None)}
        return cls(sizes, chosen.each)


def set_of(part: pd.DataFrame) -> tuple[str, ...]:
    """The key of a comparable set, from its rows."""
    first = part.iloc[0]
    passports = sorted(set(part["passport"]) - {""})
    known = [] if passports or "known" not in part else sorted(set(part["known"].fillna("")))
    return (first["task"], first["preset"], first["budget"], *passports, *known)
