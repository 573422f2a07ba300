"""What tells rows of one method apart: options, and versions of its code."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence

from benchmark.store import Stored


def variants(runs: list[Stored], across: bool) -> tuple[list[str], str]:
    """For each run, what is not the same in all runs of its method and solver; and what to compare it with: options, and
    the method's code, by as much of its hash as tells the versions apart.

    across: task options too, and only those that differ from what most of the runs have (a tie: from the earliest run's).
    """
    codes = _shortened([_code(r.run["spec"]["fingerprint"]) for r in runs])
    options = [
        s["method_options"] | (s["task_options"] if across else {}) | ({_CODE: c} if c else {})
        for s, c in zip((r.run["spec"] for r in runs), codes, strict=True)
    ]
    owners = [(r.run["spec"]["method"], r.run["spec"]["lower"]) for r in runs]
    seen: dict[tuple[tuple[str, str], str], Counter[str]] = {}
    for k in sorted(range(len(runs)), key=lambda k: str(runs[k].run.get("started"))):
        for name, value in options[k].items():
            seen.setdefault((owners[k], name), Counter())[str(value)] += 1
    usual = {key: values.most_common(1)[0][0] for key, values in seen.items() if len(values) > 1}
    named = [
        {k: v for k, v in mine.items() if (owner, k) in usual and not (across and str(v) == usual[owner, k])}
        for owner, mine in zip(owners, options, strict=True)
    ]
    base = dict.fromkeys(_named(name, value) for (_, name), value in sorted(usual.items())) if across else ()
    return [", ".join(_named(k, v) for k, v in sorted(n.items())) for n in named], ", ".join(base)


_CODE = " code"  # no option's name
_SHORT = 4  # digits of a hash that are shown, or more where they are the same


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
    size = next((n for n in range(_SHORT, longest) if len({c[:n] for c in every}) == len(every)), longest)
    return [c[:size] for c in codes]
