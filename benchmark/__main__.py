"""`python -m benchmark` is `bench`."""

import sys

try:
    from benchmark.cli import main

    status = main()
except KeyboardInterrupt:  # before the command could take it
    print("bench: interrupted", file=sys.stderr)
    status = 130
sys.exit(status)
