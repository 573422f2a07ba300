"""What a closed run left, by hash, so that a file that was changed since is seen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark.hashed import sha256
from benchmark.store.journal import CALLS

SAMPLES = "samples.png"
EARLIER = "earlier.png"
"""The images of the marks before the end, a line each."""
TRIALS = "trials.jsonl"
ANSWER = "answer.safetensors"
"""What a later measurement needs of the answer at the end."""


def hashes(record: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """SHA-256 of what a closed run left, by name, and of its record but for these."""
    # a finished run's journal is removed; a failed one's shows what it had done
    calls = [CALLS] if record["status"] == "failed" else []
    names = ("final.json", "proposals.jsonl", TRIALS, SAMPLES, EARLIER, ANSWER, *calls)
    # keys in order: the hash must not depend on how a reader put them
    own = json.dumps({k: v for k, v in record.items() if k != "hashes"}, sort_keys=True)
    found = {name: sha256(folder / name) for name in names if (folder / name).is_file()}
    return {"run.json": hashlib.sha256(own.encode()).hexdigest(), **found}


def sealed(record: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The record of a closed run with the hashes of what is there now."""
    return {**record, "hashes": hashes(record, folder)}
