"""Suite files: the arguments of `bench run` in TOML, a table [[runs]] for each command, and [defaults] for all of them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark.bounded import read_bounded
from benchmark.errors import UsageError, suggest
from benchmark.plan import RunSpec, plan

_LIMIT = 2**20  # bytes
_KEYS: Mapping[str, type] = {
    "method": str, "task": str, "preset": str, "lower": str, "budget": str, "seeds": str, "prompts": list, "marks": list,
    "device": str, "set": dict,
}  # fmt: skip
_KINDS: Mapping[type, str] = {str: "text in quotes", list: "a list of texts", dict: "a table of OWNER.OPTION = VALUE"}
_HEAD = re.compile(r"\s*\[")


class _Source:
    """The text of a suite file, to say where something stands in it."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._lines = path, text.splitlines()

    def _table(self, header: str, number: int) -> int:
        """The line of the number-th header of that name, from 1; 0 where it is not written so."""
        wanted = re.compile(rf"\s*\[+\s*[\"']?{re.escape(header)}[\"']?\s*\]+")
        found = [k for k, line in enumerate(self._lines, 1) if wanted.match(line)]
        return found[number] if number < len(found) else 0

    def error(self, text: str, header: str = "", number: int = 0, key: str = "") -> UsageError:
        """The error, with the line of the key in that table, or of the table where the key is not found."""
        at = self._table(header, number) if header else 0
        for k, line in enumerate(self._lines[at:], at + 1):
            if _HEAD.match(line) and header:
                break
            if key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[.=]", line):
                at = k
                break
        return UsageError(f"{self._path}, line {max(1, at)}: {text}")


def _read(path: Path) -> tuple[dict[str, Any], str]:
    try:
        found = read_bounded(path, _LIMIT, pipe=True)
        if b"\0" in found:
            raise ValueError("it is in UTF-16 or no text at all; save it as UTF-8")
        text = found.decode("utf-8-sig")
        return tomllib.loads(text), text
    except OSError as error:
        raise UsageError(f"{path}: expected a suite file (TOML); {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # of which TOMLDecodeError and UnicodeDecodeError are two
        raise UsageError(f"{path}: expected a suite file (TOML); {error}") from error


def _check(table: Mapping[str, Any], source: _Source, header: str, number: int) -> None:
    for key, value in table.items():
        if key not in _KEYS:
            known = ", ".join(_KEYS)
            raise source.error(f"unknown key {key!r}{suggest(key, _KEYS)}; known: {known}", header, number, key)
        if not isinstance(value, _KEYS[key]):
            kind = _KINDS[_KEYS[key]]
            raise source.error(f"{key}: expected {kind}, got {value!r}", header, number, key)
        if isinstance(value, list) and not all(isinstance(v, str) for v in value):
            raise source.error(f"{key}: expected a list of texts, got {value!r}", header, number, key)


def _settings(table: Mapping[str, Any]) -> list[str]:
    """`owner.option=value` of a table whose keys are quoted or, as TOML has it, nested."""
    found = []
    for owner, value in table.items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for name, v in inner:
            text = str(v).lower() if isinstance(v, bool) else str(v)
            found.append(f"{owner}{'.' if name else ''}{name}={text}")
    return found


def read_suite(path: Path, device: str | None = None, short: Mapping[str, str] | None = None) -> list[RunSpec]:
    """The runs that a suite file asks for. device: instead of the file's.  short: options of every task, instead of the file's.

    Raises UsageError with the line of what is wrong.
    """
    found, text = _read(path)
    source = _Source(path, text)
    for key in found:
        if key not in ("defaults", "runs"):
            raise source.error(f"unknown table {key!r}; a suite has [defaults] and [[runs]]", key, key=key)
    defaults, runs = found.get("defaults", {}), found.get("runs", [])
    if not isinstance(defaults, dict):
        raise source.error("defaults: expected a table, [defaults]", key="defaults")
    if not isinstance(runs, list) or not runs or not all(isinstance(r, dict) for r in runs):
        raise source.error("expected one table [[runs]] or more", key="runs")
    _check(defaults, source, "defaults", 0)
    specs: dict[str, RunSpec] = {}
    for number, own in enumerate(runs):
        _check(own, source, "runs", number)
        asked = {**defaults, **own}
        settings = [*_settings(defaults.get("set", {})), *_settings(own.get("set", {}))]
        for key in ("method", "task"):
            if key not in asked:
                raise source.error(f"expected a {key}, here or under [defaults]", "runs", number)
        settings += [f"{asked['task']}.{name}={value}" for name, value in (short or {}).items()]  # the last one counts
        on = (device or asked.get("device", "cpu")).partition(":")[0].strip()
        if on not in ("cpu", "cuda"):
            raise source.error(f"device: expected cpu or cuda, got {on!r}", "runs", number, "device")
        try:
            made = plan(
                asked["method"], asked["task"], preset=asked.get("preset"), lower=asked.get("lower"),
                budget=asked.get("budget", "60s"), seeds=asked.get("seeds", "0"), prompts=asked.get("prompts", ()),
                settings=settings, marks=asked.get("marks"), device=on,
            )  # fmt: skip
        except UsageError as error:
            head = str(error).partition(":")[0].replace("option", "set")
            key = next((k for k in own if re.search(rf"\b{k}s?\b", head)), "")
            raise source.error(str(error), "runs", number, key) from error
        specs |= {spec.run_id: spec for spec in made}
    devices = sorted({spec.device for spec in specs.values()})
    if len(devices) > 1:
        raise source.error(f"expected one kind of device in a suite, got {' and '.join(devices)}")
    return list(specs.values())
