"""What a request needs of this machine: devices, open files, a folder that can be written."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from benchmark.errors import UsageError

# about as long as the names of tasks, methods and runs below an output folder
_LONG = "x" * 40
# open at once: of a command, and of each run
_FILES, _FILES_EACH = 24, 5


def seconds_of(name: str, text: str, example: str) -> float:
    """Raises UsageError for what is no time."""
    from benchmark.budget import Budget

    with suppress(UsageError):
        time = Budget.parse(text)
        if time.unit == "s":
            return time.amount
    raise UsageError(f"{name} {text}: expected a time, such as {example}")


def devices_of(names: str, here: bool = True) -> tuple[str, ...]:
    """Raises UsageError for what is no device, and for what this machine does not have.

    here: whether the runs are this machine's.
    """
    given = [n.strip() for n in names.split(",")]
    # "cuda" is cuda:0, so that "cuda,cuda:0" are not two slots on one card
    found = tuple(dict.fromkeys("cuda:0" if n == "cuda" and len(given) > 1 else n for n in given))
    for name in found:
        kind, colon, index = name.partition(":")
        if (
            kind not in ("cpu", "cuda")
            or (colon and not index.isdecimal())
            or (kind == "cpu" and (colon or len(found) > 1))
        ):
            raise UsageError(
                f"--device {names!r}: expected cpu, cuda or cuda:N, or several of the last such "
                "as cuda:0,cuda:1"
            )
        if here and kind == "cuda":
            import torch

            if not torch.cuda.is_available() or int(index or 0) >= torch.cuda.device_count():
                raise UsageError(
                    f"--device {name!r}: this machine has {torch.cuda.device_count()} CUDA "
                    "devices; use --device cpu"
                )
    return found


def files_for(jobs: int) -> None:
    """Allow as many open files as so many runs need. Raises UsageError where that is too many."""
    import resource

    most, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = _FILES + _FILES_EACH * jobs
    if most != resource.RLIM_INFINITY and most < need:
        if limit != resource.RLIM_INFINITY and limit < need:
            fit = max(0, (limit - _FILES) // _FILES_EACH)
            cure = f"use --jobs {fit} or raise it" if fit else "raise it"
            raise UsageError(
                f"--jobs: {jobs} at a time need {need} open files, this process may have {limit} "
                f"(ulimit -n); {cure}"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, limit))


def folder_of(name: str) -> Path:
    """The folder for --out. Raises UsageError for a name that no file below it could have."""
    if not name.strip():
        raise UsageError("--out: expected a folder that can be written, got an empty name")
    if not name.isprintable():
        raise UsageError(
            f"--out {name!r}: expected a name of characters that can be shown, for reports and "
            "scripts repeat it"
        )
    path = Path(name)
    try:
        os.lstat(path.absolute().joinpath(*[_LONG] * 3, "proposals.jsonl"))
    # these are reported when the folder is made
    except (FileNotFoundError, NotADirectoryError, PermissionError, ValueError):
        return path
    except OSError as error:
        short = name if len(name) <= 80 else f"{name[:77]}..."
        raise UsageError(
            f"--out {short!r}: expected a folder that can be written; {error.strerror or error}"
        ) from error
    return path
