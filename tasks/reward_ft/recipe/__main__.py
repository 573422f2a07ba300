"""Rebuild the embedded preset offline: `python -m tasks.reward_ft.recipe OUT [--stage NAME]...`."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from tasks.reward_ft.recipe.train import stages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--stage", action="append", help="only these stages (default: all that are not done yet)")
    parser.add_argument(
        "--quick", action="store_true", help="three steps a stage: shows that the recipe runs, not that it learns"
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for name, made, work in stages(args.out, args.quick):
        if (args.stage is None or name in args.stage) and not made.exists():
            torch.manual_seed(1797)
            work()


if __name__ == "__main__":
    main()
