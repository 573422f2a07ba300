"""Leases: one worker at work on a run, whichever machine it is on.

A lease is a file in the run's folder, made by a hard link, which either is made or is there already
on network file systems too. Its holder touches it. Who has seen it untouched for the patience, by
its own clock, takes it over: no two machines' clocks are compared.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from benchmark.errors import UsageError
from benchmark.store.stored import is_closed

LEASE = ".lease"
PATIENCE = 60.0
"""Seconds."""
LEAST = 2.0
"""Seconds that a worker's patience has at least: about ten looks of its own at its leases."""
_TOUCHES = 6  # in the patience
# seconds, at most the patience: another worker that took a lease aside puts it back much sooner
_AWAY = 1.0
_POLL = 0.05

_Seen = tuple[str, int]
"""Whose lease it is, and when it was touched, by the file system."""


class _Watched(NamedTuple):
    """Another's lease: as it was last seen, since when, and whether it was ever seen touched.

    looked: when it was last looked at.
    """

    seen: _Seen
    since: float
    alive: bool
    looked: float


@dataclass
class Leases:
    """Those of one worker. patience: seconds after which an untouched lease is nobody's."""

    patience: float = PATIENCE
    owner: str = field(
        default_factory=lambda: f"{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(4)}"
    )
    # and since when each is nowhere to be seen
    _held: dict[Path, float | None] = field(default_factory=dict)
    _watched: dict[Path, _Watched] = field(default_factory=dict)
    _due: float = 0.0

    def check(self, folder: Path) -> None:
        """Raises UsageError where a folder's file system cannot do it."""
        probe = folder / f"{LEASE}.{self.owner}.probe"
        try:
            if not (self._link(probe) and not self._link(probe)):
                raise OSError("a second hard link of one name was made")
            probe.unlink()
        except OSError as error:
            raise UsageError(
                f"output {str(folder)!r}: expected a file system with hard links, so that no two "
                f"workers do the same run; {error.strerror or error}; choose another"
            ) from error

    def take(self, folder: Path) -> bool:
        """Whether the run is this worker's now. Raises OSError."""
        path = folder / LEASE
        seen = _look(path)
        if seen is not None and not self._is_stale(path, seen):
            return False
        self._watched.pop(path, None)
        if seen is not None and not self._remove(path, seen):
            return False
        if not self._link(path):
            return False
        self._held[folder] = None
        return True

    def holds(self, folder: Path) -> bool:
        """Whether it is still this worker's; one that is nowhere is awaited. Raises OSError."""
        until = time.monotonic() + self._away
        while (seen := _look(folder / LEASE)) is None and time.monotonic() < until:
            time.sleep(_POLL)
        return seen is not None and seen[0] == self.owner

    def release(self, folder: Path) -> bool:
        """Whether it was this worker's until now."""
        if folder not in self._held:
            return False
        del self._held[folder]
        with suppress(OSError):
            seen = _look(folder / LEASE)
            if seen is not None and seen[0] == self.owner:
                (folder / LEASE).unlink()
                return True
        return False

    @property
    def rest(self) -> float:
        """Seconds between two looks at what others have."""
        return self.patience / _TOUCHES

    @property
    def _away(self) -> float:
        return min(_AWAY, self.patience)

    def renew(self) -> list[Path]:
        """Touch those that are held, now and then; the folders of those that are another's now."""
        now = time.monotonic()
        if now < self._due:
            return []
        self._due = now + self.rest
        lost = []
        for folder, gone in list(self._held.items()):
            most = self._away
            try:
                seen = _look(folder / LEASE)
                if seen is not None and seen[0] == self.owner:
                    os.utime(folder / LEASE)
                    self._held[folder] = None
                    continue
                # who took it over may have done the run to its end, and let it go
                over = seen is not None or is_closed(folder)
            # the file system may be away for a while
            except OSError:
                over, most = False, self.patience
            since = now if gone is None else gone
            if over or now - since >= most:
                del self._held[folder]
                lost.append(folder)
            else:
                self._held[folder] = since
                # for a moment it is nowhere while another worker puts it back, see `_remove`
                self._due = now + min(self.rest, self._away)
        return lost

    def _is_stale(self, path: Path, seen: _Seen) -> bool:
        now = time.monotonic()
        before = self._watched.get(path)
        if before is None or before.seen != seen:
            self._watched[path] = _Watched(seen, now, before is not None, now)
            return False
        self._watched[path] = before._replace(looked=now)
        return now - before.since > self.patience

    def undecided(self, folders: Iterable[Path]) -> bool:
        """Whether of one of these no holder was seen alive yet, and it was not stale either."""
        now = time.monotonic()
        found = [self._watched.get(folder / LEASE) for folder in folders]
        # a stale one is taken over at the next look, however late; but one of this machine, whose
        # lock somebody has, is looked at no more
        return any(w is not None and not w.alive and now - w.looked < self.patience for w in found)

    def _remove(self, path: Path, seen: _Seen) -> bool:
        """Take an untouched lease away; False where it was another's by then."""
        aside = path.with_name(f"{LEASE}.{self.owner}.old")
        try:
            os.rename(path, aside)
        except FileNotFoundError:
            return False
        # what was renamed may be newer than what was looked at
        same = _look(aside) == seen
        if not same:
            with suppress(FileExistsError):
                os.link(aside, path)
        aside.unlink()
        return same

    def _link(self, path: Path) -> bool:
        """Make a lease of this name; False where there is one."""
        scratch = path.with_name(f"{LEASE}.{self.owner}.new")
        scratch.write_text(self.owner, encoding="utf-8")
        try:
            os.link(scratch, path)
            return True
        except FileExistsError:
            # NFS says so too where its answer was lost and it asked again: two names tell
            return scratch.stat().st_nlink == 2
        finally:
            scratch.unlink()


def _look(path: Path) -> _Seen | None:
    """None where there is no lease. Raises OSError."""
    try:
        # opened, for a network file system asks its server then
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(500), os.fstat(file.fileno()).st_mtime_ns
    except FileNotFoundError:
        return None
