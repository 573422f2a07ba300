"""Arguments of the Python API, read into the values that a plan takes.

Each reader raises UsageError for a value that it cannot read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from numbers import Integral
from pathlib import Path
from typing import TypeGuard

from benchmark.budget import Budget
from benchmark.command.parse import MOST_SEEDS, Options, parse_amounts, parse_names, parse_seeds
from benchmark.errors import UsageError, shown
from benchmark.report.columns import is_real
from benchmark.spec import LAST_SEED

Amount = float | str | Budget
"""Seconds as a number; a text such as "5m" or "20000nfe"; or a Budget."""


def is_whole(value: object) -> TypeGuard[int]:
    """Whether it is a whole number, of Python's or of NumPy's."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def items(value: object) -> Iterator[object] | None:
    """The items of a list and the like; None of what has none, such as a text or one number."""
    if isinstance(value, str | bytes | bytearray):
        return None
    # an array without axes says that it is iterable, and is not
    try:
        return iter(value)  # type: ignore[call-overload, no-any-return]
    except TypeError:
        return None


def read_amount(name: str, value: object) -> Budget:
    if isinstance(value, str):
        return Budget.parse(value)
    if isinstance(value, Budget):
        return Budget(float(value.amount), value.unit)
    if is_real(value):
        try:
            return Budget(float(value), "s")
        except (UsageError, OverflowError):
            pass
    raise UsageError(
        f"{name} {shown(value)}: expected a positive amount such as 60 (seconds), '5m', "
        "'20000nfe' or Budget(20000, 'nfe')"
    )


def read_seconds(name: str, value: object) -> float:
    time = read_amount(name, value)
    if time.unit != "s":
        raise UsageError(f"{name} {shown(value)}: expected a time, such as 30 or '10m'")
    return time.amount


def read_marks(value: object) -> list[Budget] | None:
    """None is a quarter and a half of the budget; an empty list no mark at all."""
    if value is None:
        return None
    if isinstance(value, str):
        return parse_amounts(value)
    found = items(value)
    return [read_amount("marks", mark) for mark in ([value] if found is None else found)]


def read_seeds(value: object) -> list[int]:
    if isinstance(value, str):
        return parse_seeds(value)
    given = iter([value]) if is_whole(value) else items(value)
    if given is None:
        raise _no_seeds(value)
    # itertools.count() never ends
    seeds = list(islice(given, MOST_SEEDS + 1))
    if not seeds:
        raise UsageError(f"seeds {shown(value)}: expected one seed or more")
    if len(seeds) > MOST_SEEDS:
        raise UsageError(f"seeds {shown(value)}: expected at most {MOST_SEEDS} seeds")
    whole = [seed for seed in seeds if is_whole(seed)]
    if len(whole) < len(seeds):
        raise _no_seeds(next(seed for seed in seeds if not is_whole(seed)))
    for seed in whole:
        if not 0 <= seed <= LAST_SEED:
            raise UsageError(
                f"seeds {shown(value)}: expected seeds from 0 to {LAST_SEED} (10**15), got {seed}"
            )
    return list(dict.fromkeys(map(int, whole)))


def _no_seeds(value: object) -> UsageError:
    return UsageError(
        f"seeds {shown(value)}: expected whole numbers such as 3, [0, 1], range(5) or '0-4'"
    )


def read_prompts(value: object) -> Sequence[str]:
    """None, for the task's own prompts, is no prompt here."""
    if value is None:
        return ()
    return read_texts("prompts", value)


def read_options(value: object) -> Options:
    """By owner, from {"bilevel.gamma": 100} or {"bilevel": {"gamma": 100}}."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UsageError(
            f"options {shown(value)}: expected a dict such as {{'bilevel.gamma': 100}} or "
            "{'bilevel': {'gamma': 100}}"
        )
    table: Options = {}
    for key, found in value.items():
        pairs = found.items() if isinstance(found, Mapping) else [(None, found)]
        for inner, option in pairs:
            target = key if inner is None else f"{key}.{inner}"
            owner, _, name = target.rpartition(".") if isinstance(target, str) else ("", "", "")
            if not owner or not name:
                raise UsageError(
                    f"options {shown(target)}: expected OWNER.OPTION, such as 'bilevel.gamma'"
                )
            if name in table.setdefault(owner, {}):
                raise UsageError(f"option {target}: expected one value, got two")
            table[owner][name] = option
    return table


def read_text(name: str, value: object) -> str | None:
    return None if value is None else require_text(name, value)


def require_text(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    raise UsageError(f"{name} {shown(value)}: expected a text")


def read_texts(name: str, value: object) -> list[str]:
    """A text, or some texts; one at least."""
    found = [value] if isinstance(value, str) else list(items(value) or ())
    texts = [text for text in found if isinstance(text, str)]
    if not texts or len(texts) < len(found):
        raise UsageError(f"{name} {shown(value)}: expected a text, or a list of one text or more")
    return texts


def read_names(name: str, value: object) -> list[str]:
    """Names, each a text of its own or several in one text with commas between them."""
    names = [n for text in read_texts(name, value) for n in parse_names(text)]
    if not names:
        raise UsageError(f"{name} {shown(value)}: expected one name or more")
    return names


def read_flag(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise UsageError(f"{name} {shown(value)}: expected True or False")


def read_jobs(value: object) -> int:
    if is_whole(value):
        return int(value)
    raise UsageError(f"jobs: expected a number from 1 to 1024, got {shown(value)}")


def read_path(name: str, value: object) -> str:
    """A path as text. Its user refuses an empty one."""
    if isinstance(value, str | os.PathLike):
        path = os.fspath(value)
        if isinstance(path, str) and "\0" not in path:
            return path
    raise UsageError(f"{name} {shown(value)}: expected a path, as a text or a pathlib.Path")


def read_paths(name: str, value: object) -> list[Path]:
    found = None if isinstance(value, os.PathLike) else items(value)
    return [Path(read_path(name, path)) for path in ([value] if found is None else found)]
