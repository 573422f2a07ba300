"""How runs are spoken of."""

from __future__ import annotations

_ENDS = {"ok": "ended by itself", "budget_exhausted": "budget spent"}


def ended_how(status: str) -> str:
    """A run's status in words."""
    return _ENDS.get(status, status)


def seconds(value: float) -> str:
    """Such as 42 s, 12 min or 1.5 h."""
    if value < 120:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"
