"""The texts of a command and of a suite file, read into values; nothing behind here reads texts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchmark.budget import Budget
from benchmark.errors import UsageError
from benchmark.registry import METHODS
from benchmark.runs.plan import plan
from benchmark.spec import LAST_SEED, RunSpec

MOST_SEEDS = 10_000
Options = dict[str, dict[str, object]]
"""Values of options by owner, which is a task or a method, and by name."""


def parse_seeds(text: str) -> list[int]:
    """Read `3`, `0-4` or `0,2,5-7`. Raises UsageError."""
    seeds: list[int] = []
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        # `int` would take other digits than ASCII's, and refuses thousands of them with ValueError
        numbers = re.fullmatch(r"[0-9]{1,99}(-[0-9]{1,99})?", part.strip())
        if not numbers or (dash and int(high) < int(low)):
            raise UsageError(
                f"seeds {text!r}: expected whole numbers and ranges such as 0-4 or 0,2,5"
            )
        if (last := int(high or low)) > LAST_SEED:
            raise UsageError(
                f"seeds {text!r}: expected seeds of at most {LAST_SEED} (10**15), got {last}"
            )
        if dash and int(high) - int(low) >= MOST_SEEDS:
            raise UsageError(f"seeds {text!r}: expected at most {MOST_SEEDS} seeds in a range")
        seeds += range(int(low), int(high or low) + 1)
    return list(dict.fromkeys(seeds))


def parse_settings(settings: Sequence[str]) -> Options:
    """Read `owner.option=value` texts; the last one of an option counts. Raises UsageError."""
    table: Options = {}
    for text in settings:
        target, equals, value = text.partition("=")
        # from the right, for an owner may have dots in its name
        owner, dot, name = target.rpartition(".")
        if not (equals and dot and owner and name):
            raise UsageError(
                f"--set {text!r}: expected OWNER.OPTION=VALUE, such as bilevel.gamma=100"
            )
        table.setdefault(owner, {})[name] = value
    return table


def parse_names(text: str) -> list[str]:
    """Read a comma-separated list of names, each once."""
    return list(dict.fromkeys(n.strip() for n in text.split(",") if n.strip()))


def parse_methods(text: str) -> list[str]:
    """Read `grid,random` or `all`. Raises UsageError where there is no name."""
    known = METHODS.known()
    if found := known if text == "all" else parse_names(text):
        return found
    raise UsageError(f"methods {text!r}: expected one name or more; known: {', '.join(known)}")


def parse_amounts(text: str) -> list[Budget]:
    """Read `15s,30s`; an empty text has none. Raises UsageError."""
    return [Budget.parse(part) for part in parse_names(text)]


def plan_from_text(
    methods: str,
    task: str,
    *,
    preset: str | None = None,
    lower: str | None = None,
    budget: str = "60s",
    seeds: str = "0",
    prompts: Sequence[str] = (),
    settings: Sequence[str] = (),
    options: Options | None = None,
    marks: Sequence[str] | None = None,
    device: str = "cpu",
) -> list[RunSpec]:
    """The plan of texts as `bench run` and suite files have them. Raises UsageError.

    options: values by owner, instead of the texts of `settings`.
    """
    return plan(
        parse_methods(methods),
        task,
        preset=preset,
        lower=lower,
        budget=Budget.parse(budget),
        seeds=parse_seeds(seeds),
        prompts=prompts,
        options=parse_settings(settings) if options is None else options,
        marks=None if marks is None else [Budget.parse(mark) for mark in marks],
        device=device,
    )
