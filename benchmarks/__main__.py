"""Run the speed checks named on the command line, or all of them."""

import importlib
import sys

NAMES = (
    "frechet", "startup", "overhead", "reports", "guided_step", "training_step", "variants", "outer_step", "overrun", "flops",
    "calibration",
)  # fmt: skip

for name in sys.argv[1:] or NAMES:
    print(f"== {name}", flush=True)
    importlib.import_module(f"benchmarks.{name}").main()
