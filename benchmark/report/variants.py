"""What tells rows of one method apart: options, and versions of its code."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress

from benchmark.errors import UsageError
from benchmark.registry import METHODS, TASKS
from benchmark.store.store import Stored

# a name that no option can have
_CODE = " code"
# digits of a hash that are shown, or more where they are the same
_SHORT = 4
_Owner = tuple[str, str]
"""Method and lower-level solver."""


def variants(runs: list[Stored], across: bool) -> tuple[list[str], str]:
    """The text that tells each run's row from others, and that of what most runs have.

    The text has the options that are not the same in all runs of one method and solver, and the
    method's code, by as much of its hash as tells the versions apart.
    across: task options too, and only those that most runs do not have. The second text is then
        what rows without options have; else it is "".
    """
    options = _options(runs, across)
    owners = [(r.run["spec"]["method"], r.run["spec"]["lower"]) for r in runs]
    usual = _usual(runs, owners, options)
    names = []
    for owner, mine in zip(owners, options, strict=True):
        # in an ablation the usual values stand once, below the table
        named = {
            k: v
            for k, v in mine.items()
            if (owner, k) in usual and not (across and str(v) == usual[owner, k])
        }
        if across:
            # else a row that lacks what most have would be taken for one of those
            lacking = {k for who, k in usual if who == owner and usual[who, k] and k not in mine}
            named |= dict.fromkeys(lacking, "default")
        names.append(", ".join(_named(k, v) for k, v in sorted(named.items())))
    told = {key: value for key, value in usual.items() if value is not None}
    base = [_named(name, value) for (_, name), value in sorted(told.items())] if across else []
    return names, ", ".join(dict.fromkeys(base))


def _options(runs: list[Stored], across: bool) -> list[dict[str, object]]:
    codes = _shortened([_code(r.run["spec"]["fingerprint"]) for r in runs])
    specs = [r.run["spec"] for r in runs]
    return [
        s["method_options"] | (s["task_options"] if across else {}) | ({_CODE: c} if c else {})
        for s, c in zip(specs, codes, strict=True)
    ]


def _usual(
    runs: list[Stored], owners: list[_Owner], options: list[dict[str, object]]
) -> dict[tuple[_Owner, str], str | None]:
    """What most runs have, of each option in which those of one method and solver differ.

    None: most do not have the option.
    """
    seen: dict[tuple[_Owner, str], Counter[str | None]] = {}
    names: dict[_Owner, set[str]] = {}
    for owner, mine in zip(owners, options, strict=True):
        names.setdefault(owner, set()).update(mine)
    # an option that came later is not stored at its default: to lack it is a value too
    lack = [r for r, o, mine in zip(runs, owners, options, strict=True) if names[o] - mine.keys()]
    # asked where it matters alone, for it imports what it asks
    later = _later({(r.run["spec"]["method"], r.run["spec"]["task"]) for r in lack})
    # in the order of their start, since of equal counts the first counts
    for k in sorted(range(len(runs)), key=lambda k: str(runs[k].run.get("started"))):
        for name in names[owners[k]]:
            if name in options[k]:
                seen.setdefault((owners[k], name), Counter())[str(options[k][name])] += 1
            elif name in later:
                seen.setdefault((owners[k], name), Counter())[None] += 1
    return {key: values.most_common(1)[0][0] for key, values in seen.items() if len(values) > 1}


def _later(pairs: set[tuple[str, str]]) -> set[str]:
    """Names of options that came later, of methods and tasks that are registered.

    What nobody declares makes no row: a copy of a run could be given any.
    """
    found: set[str] = set()
    for registry, name in {
        (r, n) for pair in pairs for r, n in zip((METHODS, TASKS), pair, strict=True)
    }:
        # a plug-in that is not loaded declares nothing here
        with suppress(UsageError):
            kind = registry.get(name)
            fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
            found |= {f.name for f in fields if f.metadata.get("later")}
    return found


def _named(name: str, value: object) -> str:
    return f"code {value}" if name == _CODE else f"{name}={value}"


def _code(fingerprint: Mapping[str, str]) -> str:
    """The method's; under schema 1 that of a plug-in's files, and of a built-in none."""
    if (found := fingerprint.get("method code")) is not None:
        return found
    files = sorted((k, v) for k, v in fingerprint.items() if k.startswith("method "))
    return hashlib.sha256(json.dumps(files).encode()).hexdigest() if files else ""


def _shortened(codes: Sequence[str]) -> list[str]:
    every = set(codes)
    longest = max(map(len, every), default=0)
    size = next(
        (n for n in range(_SHORT, longest) if len({c[:n] for c in every}) == len(every)), longest
    )
    return [c[:size] for c in codes]
