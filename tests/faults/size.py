"""How much of a fault test to do: a little in the normal suite, all of it with
BENCH_FAULTS=full.
"""

import os

FULL = os.environ.get("BENCH_FAULTS") == "full"
KILLS = 200 if FULL else 5
FUZZED = 2000 if FULL else 120
