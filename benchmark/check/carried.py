"""How one check is carried out: what it raises is a finding that names a file and a line."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import located

Result = tuple[str, str]
"""What was checked, and what is wrong with it or ""."""
Begun = Callable[[str], None]
"""Called with what is checked next."""


@dataclass(frozen=True)
class Note:
    """Nothing is wrong, and the line says more."""

    text: str


def carried(
    what: str, check: Callable[[], str | Note], begun: Begun, own: Collection[Path] = ()
) -> Result:
    """own: the plug-in's files, in which an error is located."""
    begun(what)
    try:
        found = check()
    except (KeyboardInterrupt, GeneratorExit):
        raise
    # a plug-in may raise anything: it is a finding
    except BaseException as error:
        return what, located(error, own)
    return (f"{what}: {found.text}", "") if isinstance(found, Note) else (what, found)
