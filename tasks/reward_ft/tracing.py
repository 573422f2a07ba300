"""Bytes of the tensors that some code holds, without their content.

Private names of torch are used in this file alone.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmark.errors import format_error

PRIVATE = (
    "torch._subclasses.fake_tensor: FakeTensorMode",
    "torch.utils._python_dispatch: TorchDispatchMode",
    "torch.UntypedStorage: _cdata",
)
# numbers of a tensor
_PROBE = 1024


@dataclass
class Held:
    """Bytes of all tensors that were made and are still alive: now, and at the peak."""

    now: int = 0
    peak: int = 0
    _known: dict[int, weakref.ref[Any]] = field(default_factory=dict, repr=False)

    def add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        # by storage, since views share one; _cdata is its address
        key, size = storage._cdata, storage.nbytes()
        if key not in self._known:
            self._known[key] = weakref.ref(storage, partial(self._gone, key, size))
            self.now += size
            self.peak = max(self.peak, self.now)

    def _gone(self, key: int, size: int, _: object) -> None:
        self._known.pop(key, None)
        self.now -= size


@contextmanager
def traced() -> Iterator[Held]:
    """Tensors that are made here have no content, and are counted."""
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.utils._python_dispatch import TorchDispatchMode

    held = Held()

    class Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(
            self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            out = func(*args, **(kwargs or {}))
            for value in out if isinstance(out, tuple | list) else (out,):
                if isinstance(value, Tensor):
                    held.add(value)
            return out

    with FakeTensorMode(), Counting():  # type: ignore[no-untyped-call]
        yield held


def fault() -> str:
    """Why this torch cannot be traced, or "": a sum is traced whose bytes are known."""
    try:
        with traced() as held:
            one = torch.empty(_PROBE)
            two = one + 1
            del one, two
    except Exception as error:  # whatever a torch without these names leads to
        return format_error(error)[:200]
    found, expected = (held.peak, held.now), (2 * 4 * _PROBE, 0)
    return "" if found == expected else f"a sum holds {found} bytes, expected {expected}"
