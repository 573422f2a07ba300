"""A column of numbers in a table: its heading, how a value is printed, and where values lie."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import TYPE_CHECKING, TypeGuard

from benchmark.errors import UsageError, shown

if TYPE_CHECKING:
    from benchmark.report.stats import Estimate, Values

# from here on all digits before the point, and those after it, are no help to a reader
_LONG = 1e13
# digits after the point; more than a float has are noise
_MOST = 15


def is_real(value: object) -> TypeGuard[float]:
    return isinstance(value, Real) and not isinstance(value, bool)


@dataclass(frozen=True)
class Column:
    """head: the heading.  digits: after the point; None: four significant ones.

    low, high: no true value lies outside.  scale: a value is divided by it before it is printed.
    about: one sentence for `bench list`.  Raises UsageError for a field that is none of these.
    """

    head: str
    digits: int | None = 1
    _: KW_ONLY
    low: float = -math.inf
    high: float = math.inf
    scale: float = 1.0
    about: str = ""

    def __post_init__(self) -> None:
        """Check it where it is written: later it would break a table whose runs are paid for."""
        self.check("head", "a text", isinstance(self.head, str) and bool(self.head.strip()))
        digits = type(self.digits) is int and 0 <= self.digits <= _MOST
        self.check("digits", f"0 to {_MOST}, or None", self.digits is None or digits)
        for name in ("low", "high"):
            value = getattr(self, name)
            self.check(name, "a number", is_real(value) and not math.isnan(value))
        self.check("low", f"a number below high, {self.high:g}", self.low < self.high)
        scale = is_real(self.scale) and 0 < self.scale < math.inf
        self.check("scale", "a finite number above 0", scale)
        self.check("about", "a text", isinstance(self.about, str))

    def check(self, field: str, expected: str, good: bool) -> None:
        """Raise UsageError where a field's value is not good."""
        if not good:
            got = shown(getattr(self, field))
            raise UsageError(f"{type(self).__name__}: {field}: expected {expected}, got {got}")

    def described(self) -> Iterator[str]:
        """Heading, range and how it is printed, for `bench list NAME`."""
        yield f"heading: {self.head}"
        yield f"range: [{self.low:g}, {self.high:g}]"
        yield f"digits: {'four' if self.digits is None else f'{self.digits} after the point'}"
        if self.scale != 1:
            yield f"printed in units of {self.scale:.10g}"

    def estimate(self, values: Values) -> Estimate:
        """Mean and interval, the interval cut to [low, high]. Raises ValueError without values."""
        # `bench list` needs no scipy
        from benchmark.report.stats import estimate

        return estimate(values, self.low, self.high)

    def number(self, value: float) -> str:
        """A value as it is printed."""
        scaled = value / self.scale
        if self.digits is None or not abs(scaled) < _LONG:
            return f"{scaled:.4g}"
        # no minus before what is printed as 0
        return f"{scaled:z.{self.digits}f}"

    def text(self, e: Estimate | None) -> str:
        """`mean [low, high]`; the mean alone where the interval is unknown; - without a value."""
        if e is None:
            return "-"
        mean, low, high = map(self.number, (e.mean, e.low, e.high))
        return mean if math.isnan(e.low) else f"{mean} [{low}, {high}]"
