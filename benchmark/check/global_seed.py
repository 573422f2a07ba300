"""The global random generators, which nothing in the suite may read."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def global_seed(seed: int) -> Iterator[None]:
    """Seed them within, and restore them; torch's CPU generator too if torch is imported."""
    torch = sys.modules.get("torch")
    mine, numpy_s = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global one
    torch_s = torch.get_rng_state() if torch is not None else None
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if torch is not None:
        torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(mine)
        np.random.set_state(numpy_s)  # noqa: NPY002
        if torch is not None:
            torch.set_rng_state(torch_s)
