"""The journal: each request of a search and its answer, a line of calls.jsonl each.

A number or a vector is written down as it is, a state by its number: its arrays are saved now and
then (`benchmark/store/checkpoints.py`). `benchmark/search/replay.py` says what the lines are for.
"""

from __future__ import annotations

import builtins
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.budget import ACCOUNTS, SPENT
from benchmark.store.checkpoints import Checkpoints
from benchmark.store.plain import plain

CALLS = "calls.jsonl"
# bytes of a journal that is read back; a guard ends a search at half of them
_LIMIT = 2**30
# seconds of a search that may be lost with its process
_FLUSH = 0.2


class ReplayError(BaseException):
    """A method did not do again what it had done: it decides by more than its random stream.

    No Exception, for the same reason as `StorageError`.
    """


@dataclass(frozen=True)
class Line:
    """One request and its answer. nfe, accounts: evaluations and ledger right after it."""

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
        return json.dumps(
            plain({"ask": self.ask, "gave": self.gave, "nfe": self.nfe, "seconds": seconds})
        )

    @classmethod
    def read(cls, text: bytes) -> Line:
        """Raises ValueError, KeyError or TypeError for what is no line."""
        values = json.loads(text)
        seconds = [float(s) for s in values["seconds"]]
        nfe = values["nfe"]
        ask = values["ask"]
        if not isinstance(ask, list) or not ask or not isinstance(ask[0], str):
            raise ValueError("a line has a request")
        # `type`, not `isinstance`: true would count as 1
        if type(nfe) is not int or nfe < 0 or not all(0 <= s < math.inf for s in seconds):
            raise ValueError("a line has evaluations and seconds")
        return cls(ask, values["gave"], nfe, dict(zip(ACCOUNTS, seconds, strict=True)))

    def follows(self, lines: Sequence[Line], states: int) -> bool:
        """Whether it may stand after these lines, which made so many states."""
        if lines and (self.nfe < lines[-1].nfe or self.spent < lines[-1].spent):
            return False
        # the states of a batch are as many as those that it was given
        if self.ask[0] == "step_many" and not self.raised and len(self.gave) != len(self.ask[1]):
            return False
        return self.made == list(range(states, states + len(self.made)))

    @property
    def made(self) -> list[Any]:
        """The numbers of the states that it made."""
        if self.raised or self.ask[0] not in ("init", "step", "step_many"):
            return []
        return list(self.gave) if self.ask[0] == "step_many" else [self.gave]

    @property
    def raised(self) -> bool:
        """Whether the oracle raised: then the answer is [`raised`, the error's type, its text]."""
        return isinstance(self.gave, list) and self.gave[:1] == ["raised"]

    def check(self) -> None:
        """Raise what the oracle raised, if it did."""
        if not self.raised:
            return
        _, name, text = self.gave
        # the same type, for a method may catch it; a task's own class cannot be made from a name
        kind = getattr(builtins, str(name), RuntimeError)
        fits = isinstance(kind, type) and issubclass(kind, Exception)
        raise (kind if fits else RuntimeError)(text)


@dataclass
class Journal:
    """What an earlier process asked, and where this one's requests are written.

    lines: those of the earlier process, to be replayed.  sink, checkpoints: where new lines and
        states go; None: nowhere.  size: bytes of the sink.
    """

    lines: Sequence[Line] = ()
    sink: Any = None
    checkpoints: Checkpoints | None = None
    size: int = 0
    _next: int = 0
    _flushed: float = field(default_factory=time.monotonic)

    @property
    def ahead(self) -> Line | None:
        """The line that is to be replayed next."""
        return self.lines[self._next] if self._next < len(self.lines) else None

    def replay(self, ask: list[Any]) -> Line | None:
        """The line of this request, or None where lines are used up. Raises ReplayError."""
        line = self.ahead
        if line is None:
            return None
        # compared as JSON holds them: a NaN is no equal of itself, and tuples come back as lists
        if line.ask != plain(ask):
            raise ReplayError(
                f"request {self._next + 1} was {_short(line.ask)} the first time and is "
                f"{_short(ask)} now: the method draws on more than its random stream, and cannot "
                "be resumed; `--retry-failed` starts the run anew"
            )
        self._next += 1
        return line

    def maker_of(self, number: int) -> Line:
        """The line of the request that made a state."""
        # made when a state is first restored: most runs are never resumed
        if not hasattr(self, "_makers"):
            self._makers = {made: line for line in self.lines for made in line.made}
        return self._makers[number]

    def write(self, line: Line) -> None:
        if self.sink is not None:
            text = line.text() + "\n"
            # json writes ASCII, so characters are bytes
            self.size += len(text)
            self.sink.write(text)
            # a system call for each line would cost more than a cheap oracle
            if time.monotonic() - self._flushed > _FLUSH:
                self.flush()

    def flush(self) -> None:
        if self.sink is not None:
            self.sink.flush()
            self._flushed = time.monotonic()


def _short(ask: Sequence[Any]) -> str:
    text = f"{ask[0]}({', '.join(map(str, ask[1:]))})"
    return text if len(text) <= 160 else text[:157] + "..."


def read_lines(path: Path) -> list[Line]:
    """The lines of a file up to the first torn one, where the file is cut; [] where it is none."""
    if path.is_symlink() or not path.is_file() or too_long(path):
        return []
    lines: list[Line] = []
    good = states = 0
    with open(path, "rb+") as file:
        for text in file:
            try:
                line = Line.read(text)
                # without its newline the next line would be appended to it
                if not text.endswith(b"\n") or not line.follows(lines, states):
                    break
            except (ValueError, LookupError, TypeError, RecursionError, OverflowError):
                break
            lines.append(line)
            states += len(line.made)
            good += len(text)
        # not without need: the time of the last change tells how long the run lay still
        if good < path.stat().st_size:
            file.truncate(good)
    return lines


def too_long(path: Path) -> str:
    """A note on a journal that is larger than what is read back; "" for any other."""
    if path.is_symlink() or not path.is_file() or (size := path.stat().st_size) <= _LIMIT:
        return ""
    return (
        f"its journal of {size} bytes is larger than the {_LIMIT} that are read back, so the "
        "run was begun anew"
    )
