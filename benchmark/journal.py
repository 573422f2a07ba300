"""What a search asked, was told and proposed, so that a run which was cut short goes on from there (durable replay).

A method is a generator, whose own state cannot be saved. So it starts again with the same random stream, and gets the
answers that were written down, until there are no more of them. A number or a vector is written down as it is, a state
by its number: its arrays are kept now and then, and what lies between is computed again.
"""

from __future__ import annotations

import builtins
import json
import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.clock import ACCOUNTS, SPENT
from benchmark.plain import plain

Arrays = Mapping[str, NDArray[Any]]
CALLS, STATES = "calls.jsonl", "states"
_LIMIT = 2**30  # bytes of a file that is read back
_FLUSH = 0.2  # seconds that may be lost with the process
_EVERY = 20.0  # seconds between two savings of states, or more where saving is slow
_SHARE = 0.05  # of the time, at most, for saving states


class ReplayError(BaseException):
    """A method did not do again what it had done: it takes its decisions from more than its random stream.

    No Exception, for the same reason as `StorageError`.
    """


@dataclass(frozen=True)
class Line:
    """One request and its answer. nfe, accounts: the network evaluations and the ledger right after it."""

    ask: list[Any]
    gave: Any
    nfe: int
    accounts: dict[str, float]

    @property
    def spent(self) -> float:
        """Seconds of the budget: method + objective."""
        return sum(self.accounts[name] for name in SPENT)

    def text(self) -> str:
        seconds = [round(self.accounts[name], 6) for name in ACCOUNTS]
        return json.dumps(plain({"ask": self.ask, "gave": self.gave, "nfe": self.nfe, "seconds": seconds}))

    @classmethod
    def read(cls, text: bytes) -> Line:
        """Raises ValueError, KeyError or TypeError for what is no line."""
        found = json.loads(text)
        seconds = [float(s) for s in found["seconds"]]
        nfe = found["nfe"]
        if not isinstance(found["ask"], list) or not found["ask"] or not isinstance(found["ask"][0], str):
            raise ValueError("a line has a request")
        if type(nfe) is not int or nfe < 0 or not all(0 <= s < math.inf for s in seconds):
            raise ValueError("a line has evaluations and seconds")
        return cls(found["ask"], found["gave"], nfe, dict(zip(ACCOUNTS, seconds, strict=True)))

    def follows(self, lines: Sequence[Line], states: int) -> bool:
        """Whether it may stand after these lines, which made so many states."""
        if lines and (self.nfe < lines[-1].nfe or self.spent < lines[-1].spent):
            return False
        return not self.makes_state or self.gave == states

    @property
    def makes_state(self) -> bool:
        return self.ask[0] in ("init", "step") and not self.raised

    @property
    def raised(self) -> bool:
        """Whether the oracle raised: then the answer is [`raised`, the error's type, its text]."""
        return isinstance(self.gave, list) and self.gave[:1] == ["raised"]

    def answer(self) -> Any:
        """What was given, or raises what was raised."""
        if not self.raised:
            return self.gave
        _, name, text = self.gave
        kind = getattr(builtins, str(name), RuntimeError)
        raise (kind if isinstance(kind, type) and issubclass(kind, Exception) else RuntimeError)(text)


@dataclass
class Journal:
    """lines: those of an earlier process, to be replayed. sink, shelf: where new ones and states go; None: nowhere.

    size: bytes of the sink.
    """

    lines: Sequence[Line] = ()
    sink: Any = None
    shelf: Shelf | None = None
    size: int = 0
    _next: int = 0
    _flushed: float = field(default_factory=time.monotonic)

    @property
    def ahead(self) -> Line | None:
        """The line that is to be replayed next."""
        return self.lines[self._next] if self._next < len(self.lines) else None

    def replay(self, ask: list[Any]) -> Line | None:
        """The answer that this request had, or None where the lines are used up. Raises ReplayError."""
        line = self.ahead
        if line is None:
            return None
        if line.ask != plain(ask):
            raise ReplayError(
                f"request {self._next + 1} was {_short(line.ask)} the first time and is {_short(ask)} now: the method draws on "
                "more than its random stream, and cannot be resumed; `--retry-failed` starts the run anew"
            )
        self._next += 1
        return line

    def recipe(self, number: int) -> list[Any]:
        """The request that made a state."""
        if not hasattr(self, "_recipes"):
            self._recipes = {line.gave: line.ask for line in self.lines if line.makes_state}
        return self._recipes[number]

    def write(self, line: Line) -> None:
        if self.sink is not None:
            text = line.text() + "\n"  # ASCII
            self.size += len(text)
            self.sink.write(text)
            if time.monotonic() - self._flushed > _FLUSH:
                self.flush()

    def flush(self) -> None:
        if self.sink is not None:
            self.sink.flush()
            self._flushed = time.monotonic()


def _short(ask: Sequence[Any]) -> str:
    text = f"{ask[0]}({', '.join(map(str, ask[1:]))})"
    return text if len(text) <= 160 else text[:157] + "..."


class Shelf:
    """The arrays of states by number, one safetensors file each, in a folder. held: bytes by number.  size: of all."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._due = folder, time.monotonic() + _EVERY
        self.held = {int(p.stem): p.stat().st_size for p in folder.glob("*.safetensors") if p.stem.isdigit()}
        self.size = sum(self.held.values())

    @property
    def due(self) -> bool:
        return time.monotonic() >= self._due

    def _path(self, number: int) -> Path:
        return self.folder / f"{number}.safetensors"

    def get(self, number: int) -> Arrays | None:
        """None where the state is not held, or its file is damaged: then it is computed again."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            found: Arrays = load_file(self._path(number))
        except (OSError, SafetensorError, ValueError):
            return None
        return found

    def hold(self, states: Iterable[tuple[int, Arrays]], keep: set[int], most: float = math.inf) -> None:
        """Save states, up to the first with which they are so many bytes; forget all that were held but those to keep."""
        from safetensors.numpy import save

        began = time.monotonic()
        self.folder.mkdir(exist_ok=True)
        for number in set(self.held) - keep:
            self._path(number).unlink(missing_ok=True)
            self.size -= self.held.pop(number)
        for number, arrays in states:
            if self.size >= most:
                break
            scratch = self._path(number).with_suffix(".part")
            size = scratch.write_bytes(save({k: np.ascontiguousarray(v) for k, v in arrays.items()}))
            os.replace(scratch, self._path(number))
            self.held[number] = size
            self.size += size
        now = time.monotonic()
        self._due = now + max(_EVERY, (now - began) / _SHARE)


def read_lines(path: Path) -> list[Line]:
    """The lines of a file up to the first that is torn; the file is cut there. Nothing, where there is no file, or `too_long`."""
    if path.is_symlink() or not path.is_file() or too_long(path):
        return []
    lines: list[Line] = []
    good = states = 0
    with open(path, "rb+") as file:
        for text in file:
            try:
                line = Line.read(text)
                if not text.endswith(b"\n") or not line.follows(lines, states):
                    break
            except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
                break
            lines.append(line)
            states += line.makes_state
            good += len(text)
        # not without need: it renews the time of the last change, which tells how long the run lay still
        if good < path.stat().st_size:
            file.truncate(good)
    return lines


def too_long(path: Path) -> str:
    """What to say of a journal that is larger than what is read back; "" for any other."""
    if path.is_symlink() or not path.is_file() or (size := path.stat().st_size) <= _LIMIT:
        return ""
    return f"its journal of {size} bytes is larger than the {_LIMIT} that are read back, so the run was begun anew"
