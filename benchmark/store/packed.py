"""A stored run as bytes, from one machine to another: checked by hash, moved into place at once."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import StorageError
from benchmark.spec import RunSpec
from benchmark.store.checkpoints import STATES
from benchmark.store.files import storing
from benchmark.store.incoming import incoming
from benchmark.store.journal import CALLS
from benchmark.store.lease import LEASE
from benchmark.store.store import Store

_LOCK = ".lock"


@dataclass(frozen=True)
class Packed:
    """content: a tar archive of a run's folder.  sha256: of it."""

    content: bytes
    sha256: str


def pack(folder: Path) -> Packed:
    """Without locks, leases and states. Raises OSError."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as archive:
        for path in sorted(folder.iterdir()):
            if not (path.name.startswith((LEASE, _LOCK)) or path.name == STATES):
                archive.add(path, path.name)
    content = buffer.getvalue()
    return Packed(content, hashlib.sha256(content).hexdigest())


def unpack(packed: Packed, spec: RunSpec, store: Store) -> None:
    """Put a run where it belongs, whole or not at all, in place of what was cut short there.

    The caller holds the run's lock. Raises StorageError.
    """
    folder = store.folder(spec)
    if hashlib.sha256(packed.content).hexdigest() != packed.sha256:
        raise StorageError(f"{folder}: what came from the worker is not what it sent; try again")
    with storing(folder), incoming(store.root, folder.name) as scratch:
        try:
            with tarfile.open(fileobj=io.BytesIO(packed.content)) as archive:
                archive.extractall(scratch, filter="data")
            # run.json last: without it a folder is no run
            names = sorted((p.name for p in scratch.iterdir()), key=lambda n: n == "run.json")
            folder.mkdir(parents=True, exist_ok=True)
            # an attempt that was cut short left what only its resumption needs
            shutil.rmtree(folder / STATES, ignore_errors=True)
            if CALLS not in names:
                (folder / CALLS).unlink(missing_ok=True)
            for name in names:
                os.replace(scratch / name, folder / name)
        except tarfile.TarError as error:
            raise StorageError(f"{folder}: what came from the worker is no run: {error}") from error
