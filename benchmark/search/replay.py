"""Durable replay: a run that was cut short goes on where it was.

A method is a generator, and a generator cannot be saved. So its answers are. A resumed run starts
the method again on the same random stream and answers it from the lines of its journal; where they
end, the task is asked again.

    first run   method --request--> gate --> oracle of the task --answer--> method
                                               |
                                               +--> a line: request, answer, nfe, seconds
                                               +--> now and then: checkpoints of states in use

    journal     init  step  step  loss  proposal  step  grad | the process was killed here

    resumed     init  step  step  loss  proposal  step  grad | step  loss  proposal  ...  end
                |------ replay: answered by the lines ------| |-- live: answered by the task --|
                no oracle works; nfe and seconds are those    the first oracle that needs a
                of the lines, this process's are `paused`     state restores it

`benchmark/search/states.py` restores states. Proposals and the end of the search are lines too, so
that a proposal has its first stamp again and a search that was over ends at the same request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmark.store.journal import Journal, Line

PROPOSAL, END = "proposal", "end"
"""What is written down without being asked: it counts as no request."""
REMAINING = "remaining"
"""The request that no oracle answers; it costs nothing, and counts as a request that is free."""


@dataclass(frozen=True)
class Replay:
    """Where a search stands between the lines of its journal and live requests."""

    journal: Journal

    @property
    def on(self) -> bool:
        """Whether the next request has a line."""
        return self.journal.ahead is not None

    @property
    def over(self) -> bool:
        """Whether this replay has come to where the search was over."""
        ahead = self.journal.ahead
        return ahead is not None and ahead.ask == [END]

    @property
    def live(self) -> bool:
        """Whether the next request is a new one, or comes after what was the end."""
        return self.over or not self.on

    def line(self, ask: list[Any]) -> Line | None:
        """The line of this request, or None where it is new. Raises ReplayError."""
        return self.journal.replay(ask)
