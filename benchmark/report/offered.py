"""What plug-ins give a report; a broken one costs a line on stderr, once a process, not a table."""

from __future__ import annotations

import sys
from typing import Any, TypeVar

from benchmark.errors import UsageError
from benchmark.escape import visible
from benchmark.registry import Registry

T = TypeVar("T")
_SAID: set[str] = set()


def offered(registry: Registry[Any], name: str, kind: type[T]) -> T | None:
    """What is registered, of the kind; None, and a warning, where it is broken."""
    try:
        return registered(registry, name, kind)
    # a package that no run uses may be installed beside the suite
    except UsageError as error:
        warn(str(error))
        return None


def registered(registry: Registry[Any], name: str, kind: type[T]) -> T:
    """What is registered. Raises UsageError for what cannot be loaded, or is of another kind."""
    found = registry.get(name)
    if not isinstance(found, kind):
        raise UsageError(
            f"{registry.kind} {name!r} ({registry.entries[name].origin}): expected a "
            f"benchmark.{kind.__name__}, got {type(found).__name__}"
        )
    return found


def warn(text: str) -> None:
    """Say it on stderr, once a process."""
    if text not in _SAID:
        _SAID.add(text)
        print(f"bench: warning: {visible(text)}", file=sys.stderr)
