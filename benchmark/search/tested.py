"""What a task's `test` returned, checked before it is stored: a file keeps numbers and texts."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from benchmark.errors import shown
from benchmark.names import check_metric
from benchmark.protocol import Test


def checked(test: object) -> Test:
    """The measurement with its numbers as floats.

    Raises ValueError, in one line, for what no table or no file can have.
    """
    if not isinstance(test, Test):
        raise ValueError(f"test: expected a Test, got {shown(test)}")
    metrics, loss = _metrics(test.metrics), test.loss
    if loss is not None:
        loss = _numbers("loss", "", {"F": loss})["F"]
    references = {
        name: _numbers("reference", f"{name}: ", values)
        for name, values in _texts("references", test.references)
    }
    bad = [name for name, value in metrics.items() if not math.isfinite(value)]
    bad += ["loss"] if loss is not None and not math.isfinite(loss) else []
    bad += [
        f"{of}: {name}"
        for of, values in references.items()
        for name, value in values.items()
        if not math.isfinite(value)
    ]
    if bad:
        raise ValueError(f"the measurement gave a value that is not finite: {', '.join(bad)}")
    _check_passport(test.passport)
    _check_images(test.images)
    _texts("curves", test.curves)
    return replace(test, metrics=metrics, references=references, loss=loss)


def _texts(what: str, found: object) -> list[tuple[str, object]]:
    """The items of a mapping whose keys are texts. Raises ValueError."""
    if not isinstance(found, Mapping):
        raise ValueError(f"{what}: expected values by name, got {shown(found)}")
    for name in found:
        if not isinstance(name, str):
            raise ValueError(f"{what}: expected a name that is a text, got {shown(name)}")
    return list(found.items())


def _metrics(found: object) -> dict[str, float]:
    for name in found if isinstance(found, Mapping) else ():
        check_metric(name)
    if not (metrics := _numbers("metric", "", found)):
        raise ValueError("metrics: expected at least one number by name, got none")
    return metrics


def _numbers(what: str, of: str, found: object) -> dict[str, float]:
    """Floats by name. Raises ValueError for what is no number."""
    floats: dict[str, float] = {}
    for name, value in _texts(f"{what}s", found):
        # NumPy's scalars are among them; float() alone would take a text such as "1.5" too
        if not isinstance(value, numbers.Real):
            raise ValueError(f"{what} {of + name!r}: expected a number, got {shown(value)}")
        try:
            floats[name] = float(value)
        except OverflowError:
            floats[name] = math.inf
    return floats


def _check_passport(found: object) -> None:
    for name, value in _texts("passport", found):
        if not isinstance(value, str):
            raise ValueError(f"passport {name!r}: expected a text, got {shown(value)}")


def _check_images(found: object) -> None:
    if (
        isinstance(found, np.ndarray)
        and found.dtype == np.uint8
        and found.ndim == 4
        and found.shape[3] == 3
    ):
        return
    what = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else shown(found)
    raise ValueError(f"images: expected (N, H, W, 3) uint8, got {what}")
