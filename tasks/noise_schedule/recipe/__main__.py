"""Rebuild the classifiers offline.

    python -m tasks.noise_schedule.recipe OUT [--dataset digits|mnist] [--threads 1]

MNIST is read from the folder BENCH_DATA_DIR. A manifest that exists is added to.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save

from tasks.files.shipped import MANIFEST
from tasks.noise_schedule.features import classifier
from tasks.noise_schedule.recipe.evaluate import right
from tasks.noise_schedule.recipe.train import SETTINGS, say, train
from tasks.noise_schedule.shipped import SHAPES


def write(dataset: str, out: Path) -> None:
    """Train, save in half precision, list the hash, and add the accuracy of what was saved."""
    path, listed = out / f"{dataset}.safetensors", out / MANIFEST
    out.mkdir(parents=True, exist_ok=True)
    state = train(dataset, SETTINGS[dataset]).state_dict()
    content = save({k: v.half().contiguous() for k, v in state.items() if v.is_floating_point()})
    path.write_bytes(content)
    found = json.loads(listed.read_text(encoding="utf-8")) if listed.is_file() else {}
    entry: dict[str, object] = {"sha256": hashlib.sha256(content).hexdigest()}

    def listing() -> None:
        listed.write_text(
            json.dumps({**found, path.name: entry}, indent=1, sort_keys=True) + "\n",
            encoding="utf-8",
        )

    # first with the hash alone: `classifier` refuses a file that is not listed
    listing()
    correct = right(classifier(dataset, "cpu", out), dataset, "test")
    entry |= {
        "test_accuracy": float(correct.double().mean()),
        "test_n": len(correct),
        "recipe": asdict(SETTINGS[dataset]),
    }
    listing()
    say(dataset, test_accuracy=float(correct.double().mean()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--dataset", choices=tuple(SHAPES), action="append", help="only this one (default: both)"
    )
    parser.add_argument("--threads", type=int, default=1, help="the shipped bytes were made with 1")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for dataset in args.dataset or SHAPES:
        write(dataset, args.out)


if __name__ == "__main__":
    main()
