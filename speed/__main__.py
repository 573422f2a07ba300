"""Run the speed checks named on the command line, or all of them; `--table` writes its README.md.

`anytime`, `gpu`, `hypergradients`, `knots`, `main_job`, `modes`, `replay`, `rewards`, `sampling`,
`scale`, `throughput`, `where` and `workers` run by name alone: the first takes minutes for each of
many seeds, `gpu` needs a card, `main_job` another clone, the last four take minutes or kill
processes, the others write stored results.
"""

import importlib
import sys

NAMES = (
    "frechet",
    "startup",
    "overhead",
    "proposals",
    "reports",
    "guided_step",
    "training_step",
    "batches",
    "variants",
    "outer_step",
    "plain_loop",
    "forms",
    "optuna_loop",
    "overrun",
    "flops",
    "calibration",
)

# imported one by one: a check pays for its own imports alone, and `startup` for none
asked = ["anchors"] if sys.argv[1:] == ["--table"] else sys.argv[1:]
for name in asked or NAMES:
    print(f"== {name}", flush=True)
    importlib.import_module(f"speed.{name}").main()
