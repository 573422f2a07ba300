"""The fork server of a supervisor's runs, or of one supervisor after the other."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmark.runs.executor import ExecutorSettings
from benchmark.runs.forked import WarmParent
from benchmark.runs.spawn import environment

_POLL = 0.2  # seconds between two looks whether the user wants the end
_PATIENCE = 300.0  # seconds for the imports, which take some seconds


@dataclass
class WarmStart:
    """Started before the first run, and again where it is gone.

    imports: the modules that runs need.  parent: None: each run gets a fresh process.
    asked: whether it was tried to start one.
    """

    imports: Sequence[str]
    parent: WarmParent | None = None
    asked: bool = False

    def __enter__(self) -> WarmStart:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End it; its runs have ended."""
        if self.parent is not None:
            self.parent.close()
            self.parent = None

    def up(self, settings: ExecutorSettings, stopping: Callable[[], bool]) -> None:
        """Start it where there is none; a line says why a run starts in a fresh process.

        stopping: whether the user has asked for the end; called often. Raises OSError where no
        process can be started.
        """
        if self.parent is not None and self.parent.gone:
            self.close()
            self.asked = False
        # on other systems a fork of what has used a library may not work, and on a GPU never
        if not self.asked and settings.devices == ("cpu",) and sys.platform == "linux":
            self.asked = True
            self.parent = self._started(len(settings.slots), stopping)

    def _started(self, slots: int, stopping: Callable[[], bool]) -> WarmParent | None:
        parent = WarmParent(self.imports, environment(slots))
        until = time.monotonic() + _PATIENCE
        while parent.why is None and not stopping():
            parent.wait(_POLL)
            if time.monotonic() > until:
                parent.why = f"the imports take more than {_PATIENCE:g} s"
        if not parent.why:
            return parent
        parent.close()
        what = f"each run starts in a fresh process, for {parent.why}"
        print(f"bench: {what}", file=sys.stderr, flush=True)
        return None
