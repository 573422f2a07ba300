"""`python -m benchmark` is `bench`."""

import sys
from pathlib import Path

# `-m` puts the working directory first, where a user's own tasks.py would hide the suite's package;
# Python's -P, under which it does not, leaves something else there
root = Path(__file__).resolve().parent.parent
if not sys.flags.safe_path and Path(sys.path[0]).resolve() != root:
    del sys.path[0]

try:
    from benchmark.command.cli import main

    status = main()
# a Ctrl-C while the command is still being imported
except KeyboardInterrupt:
    print("bench: interrupted", file=sys.stderr)
    status = 130
sys.exit(status)
