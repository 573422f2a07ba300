"""The command `bench`. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise

from benchmark.command.arguments import parser
from benchmark.errors import StorageError, UsageError, format_error, one_line
from benchmark.plugins.shadowed import check_packages
from benchmark.runs.surroundings import settle


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done; 1 a run or a check failed; 2 wrong usage; 130 interrupted."""
    settle()
    try:
        check_packages()
        _see_values(sys.argv[1:] if argv is None else argv)
        return _command(parser().parse_args(argv))
    except UsageError as error:
        return _wrong(one_line(str(error)), 2)
    except StorageError as error:
        return _wrong(one_line(str(error)), 1)
    # `bench list | head`: Python would fail once more when it flushes at its end
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if os.environ.get("BENCH_TRACEBACK"):
            raise
        return _wrong(f"unexpected {format_error(error)}; BENCH_TRACEBACK=1 shows where", 1)
    except KeyboardInterrupt:
        return _wrong("interrupted", 130)


def _see_values(words: Sequence[str]) -> None:
    """Raises UsageError for an empty value, as of a variable that is not set."""
    # no prompt, and no marks, are values
    for name, after in pairwise([*words, "-"]):
        option, equals, value = name.partition("=")
        empty = (value if equals else after) == ""
        if empty and option.startswith("--") and option not in ("--prompt", "--marks"):
            raise UsageError(f"{option}: expected a value, got an empty text; leave it out")


def _wrong(text: str, status: int) -> int:
    print(f"bench: {text}", file=sys.stderr)
    return status


def _command(args: argparse.Namespace) -> int:
    for path in getattr(args, "plugin", ()):
        from benchmark.plugins.load import load_plugin

        load_plugin(path)
    # before the hub's library is imported, which reads it once
    if args.command != "fetch":
        os.environ["HF_HUB_OFFLINE"] = "1"
    # imported only now, so that `bench list` does not wait for torch
    command = import_module(f"benchmark.command.{args.command}").command
    if args.command not in ("run", "worker", "check", "refit", "measure"):
        return int(command(args))
    from benchmark.command.data import data_dir

    with data_dir(args.data_dir):
        return int(command(args))


if __name__ == "__main__":
    sys.exit(main())
