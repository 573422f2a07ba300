"""Features of real images, which many runs are measured against: the last ones are kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from tasks.measure.frechet import Matrix

_MOST = 4
_kept: OrderedDict[Hashable, tuple[Matrix, Matrix]] = OrderedDict()


def remembered(key: Hashable, make: Callable[[], tuple[Matrix, Matrix]]) -> tuple[Matrix, Matrix]:
    """What `make` gives, made once for each key: all that decides it."""
    if key not in _kept:
        _kept[key] = make()
    _kept.move_to_end(key)
    while len(_kept) > _MOST:
        _kept.popitem(last=False)
    return _kept[key]
