"""Small records beside the runs, each with its own hash, so that one that was altered is seen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from benchmark.errors import UsageError
from benchmark.store.bounded import read_bounded
from benchmark.store.files import storing, write_atomic
from benchmark.store.schema import check

_LIMIT = 2**20


def _seal(record: Mapping[str, Any]) -> str:
    text = json.dumps({k: v for k, v in record.items() if k != "hash"}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def write_signed(path: Path, record: Mapping[str, Any]) -> None:
    """As JSON, its folder too where there is none. Raises StorageError."""
    with storing(path):
        path.parent.mkdir(exist_ok=True)
        write_atomic(path, json.dumps({**record, "hash": _seal(record)}, indent=1) + "\n")


def read_signed(path: Path, kind: TypeAdapter[Any], what: str, cure: str) -> dict[str, Any] | None:
    """A record of this kind; None where there is no such file.

    what: that it is the record of.  cure: the command that makes it again. Raises UsageError for
    one that cannot be read or was altered.
    """
    try:
        found = json.loads(read_bounded(path, _LIMIT))
        if not isinstance(found, dict) or found.get("hash") != _seal(found):
            raise ValueError("it is not as it was written")
        record: dict[str, Any] = check(kind, found)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            f"{path}: expected the record of {what}; {error}; remove it, and {cure} makes it again"
        ) from error
    return record
