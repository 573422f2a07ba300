"""The states behind a method's handles: in memory, in a checkpoint, or computed again.

A replay makes handles without states, because no oracle works. A state is restored when an oracle
or the measurement first needs it: from its checkpoint, or from the nearest state that is at hand by
the steps since. So checkpoints need not be complete, and a damaged one costs time alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np

from benchmark.protocol import Batched, Task
from benchmark.search.facade import Handle
from benchmark.search.meter import Meter
from benchmark.space import Lam
from benchmark.store.journal import Journal, Line


@dataclass(frozen=True)
class Lineage:
    """What a state came from. seed: of its start.  steps: since then, whatever their lam."""

    seed: int
    steps: int = 0

    def longer(self) -> Lineage:
        return Lineage(self.seed, self.steps + 1)


class States:
    """All tables are weak: a state that the method let go is neither kept nor saved.

    meter: is told that evaluations here are the harness's own.  most: bytes of checkpoints.
    heartbeat: called between two steps of a state that is computed again.
    """

    def __init__(
        self,
        task: Task[Any],
        journal: Journal,
        meter: Meter,
        most: int,
        heartbeat: Callable[[], None],
    ) -> None:
        self._task, self._journal, self._meter = task, journal, meter
        self._most, self._heartbeat = most, heartbeat
        self._handles: WeakValueDictionary[int, Handle] = WeakValueDictionary()
        self._inside: WeakKeyDictionary[Handle, Any] = WeakKeyDictionary()
        self._lineages: WeakKeyDictionary[Handle, Lineage] = WeakKeyDictionary()
        self._made = 0

    @property
    def in_use(self) -> int:
        return len(self._handles)

    def make(self, lineage: Lineage, answer: Callable[[Callable[[Any], int]], Any]) -> Handle:
        """The handle of a new state.

        answer: answers the request that makes the state, given a function that stores it and gives
            the number of its handle. On a replay no state comes, and that function is not called.
        """
        (handle,) = self.make_many([lineage], lambda put: answer(lambda state: put([state])[0]))
        return handle

    def make_many(
        self,
        lineages: Sequence[Lineage],
        answer: Callable[[Callable[[Sequence[Any]], list[int]]], Any],
    ) -> list[Handle]:
        """As `make`, of a request that makes several states at once."""
        handles = [Handle(self._made + k) for k in range(len(lineages))]

        def put(states: Sequence[Any]) -> list[int]:
            self._inside.update(zip(handles, states, strict=True))
            return [handle.number for handle in handles]

        # numbers are used up only where the request succeeds, as `Line.made` counts
        answer(put)
        self._made += len(handles)
        self._handles.update((handle.number, handle) for handle in handles)
        self._lineages.update(zip(handles, lineages, strict=True))
        return handles

    def lineage(self, handle: Handle) -> Lineage:
        return self._lineages[handle]

    def inside(self, handle: Handle) -> Any:
        """The task's own state, restored where it is not in memory."""
        if handle not in self._inside:
            with self._meter.ledger.account("paused"), self._meter.audit.own():
                self._inside[handle] = self._restore(handle.number)
        return self._inside[handle]

    def save(self) -> None:
        """Make checkpoints of the states in use."""
        checkpoints = self._journal.checkpoints
        # a replay does not know yet which states will be in use, and has saved them already
        if checkpoints is None or self._journal.ahead is not None:
            return
        # a checkpoint of a state whose line is lost would be of no use
        self._journal.flush()
        # a copy: weak tables change size when the garbage collector runs
        handles = dict(self._handles)
        new = [
            (n, h) for n, h in handles.items() if h in self._inside and n not in checkpoints.saved
        ]
        with self._meter.audit.own():
            packed = ((n, self._task.pack(self._inside[h])) for n, h in new)
            checkpoints.save(packed, set(handles), self._most)

    def request(self, name: str, handle: object, lam: Lam, number: float) -> list[Any]:
        """A request as it is written down. number: the tilt, or a proposal's loss."""
        return [name, self._number(handle), _numbers(lam), float(number)]

    def request_many(
        self, name: str, handles: Sequence[object], lams: Sequence[Lam], number: float
    ) -> list[Any]:
        """A request for several states at once. Raises ValueError for another number of lams."""
        if len(handles) != len(lams):
            raise ValueError(f"{name}: expected a lam for each of {len(handles)}, got {len(lams)}")
        numbers = [self._number(handle) for handle in handles]
        return [name, numbers, [_numbers(lam) for lam in lams], float(number)]

    def _number(self, handle: object) -> int:
        if not isinstance(handle, Handle):
            got = type(handle).__name__
            raise TypeError(f"a method passes on states that it got from init or step, got {got}")
        if self._handles.get(handle.number) is not handle:
            raise TypeError(
                "a method passes on states that it got from init or step, got one that it made"
            )
        return handle.number

    def _restore(self, number: int) -> Any:
        # back through the requests to states that are at hand, then forward by their steps
        found: dict[int, Any] = {}
        lines: dict[int, Line] = {}
        waiting = [number]
        while waiting:
            wanted = waiting.pop()
            if wanted in found or wanted in lines:
                continue
            if (state := self._at_hand(wanted)) is not None:
                found[wanted] = state
                continue
            line = self._journal.maker_of(wanted)
            lines.update(dict.fromkeys(line.made, line))
            waiting += _before(line)
        last = {n: line.made[0] for _, line in sorted(lines.items()) for n in _before(line)}
        for first, line in sorted(lines.items()):
            if first != line.made[0]:
                continue
            self._heartbeat()
            self._keep(found, line)
            # else every state of a long training would be held at once
            for n in {*_before(line), *line.made} - {number}:
                if last.get(n, first) <= first:
                    found.pop(n, None)
        return found[number]

    def _keep(self, found: dict[int, Any], line: Line) -> None:
        """Answer a request again, and give its states to the handles that are in use."""
        before = [found[n] for n in _before(line)]
        for n, state in zip(line.made, self._again(line.ask, before), strict=True):
            found[n] = state
            # those of one batch are restored together: for each alone it would run again
            if (handle := self._handles.get(n)) is not None:
                self._inside.setdefault(handle, state)

    def _again(self, ask: list[Any], before: list[Any]) -> Sequence[Any]:
        """The states that a request made."""
        if ask[0] == "init":
            return [self._task.init(ask[1])]
        _, _, lam, tilt = ask
        if ask[0] == "step":
            return [self._task.step(before[0], np.array(lam), float(tilt))]
        # the whole batch, for its size may decide the last bits
        assert isinstance(self._task, Batched)
        return self._task.step_many(before, [np.array(one) for one in lam], float(tilt))

    def _at_hand(self, number: int) -> Any:
        handle = self._handles.get(number)
        if handle is not None and handle in self._inside:
            return self._inside[handle]
        checkpoints = self._journal.checkpoints
        arrays = checkpoints.get(number) if checkpoints is not None else None
        return None if arrays is None else self._task.unpack(arrays)


def _numbers(lam: Lam) -> list[float]:
    return [float(v) for v in np.asarray(lam).ravel()]


def _before(line: Line) -> list[int]:
    """The numbers of the states that a request which makes states was given."""
    if line.ask[0] == "init":
        return []
    return line.ask[1] if isinstance(line.ask[1], list) else [line.ask[1]]
