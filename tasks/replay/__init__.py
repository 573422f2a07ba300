"""replay: recorded trials of another task behind the same interface, on a simulated clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from benchmark.errors import UsageError, refuse_prompt
from benchmark.options import option
from benchmark.protocol import Prices, Task
from benchmark.space import Space

if TYPE_CHECKING:
    from tasks.replay.table import Recorded

# steps of a full fit: each request takes a fraction of a millisecond, whatever it stands for
_FEW = 8
SHIPPED = Path(__file__).parent / "assets" / "noise_schedule.parquet"


@dataclass(frozen=True)
class ReplayMaker:
    """What another task answered, between its recorded points: for developing and for statistics.

    Its numbers are no measurement: F is a Gaussian process, and a slope is that process's.
    """

    version: ClassVar[int] = 1
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {"recorded": {}}
    lowers: ClassVar[tuple[str, ...]] = ("",)
    imports: ClassVar[tuple[str, ...]] = ("tasks.replay.task", "sklearn.gaussian_process")
    smallest: ClassVar[Mapping[str, object]] = {}

    table: str = option(
        "", "a table of `bench record`; empty: the shipped one of noise_schedule", place=True
    )
    stride: int = option(
        0,
        "recorded steps that one step here stands for; 0: as many as leave a full fit of 8 or a "
        "little more",
        low=0,
        high=10**6,
    )
    noise: bool = option(True, "F has a recorded training's noise; false: the mean alone")

    @property
    def path(self) -> Path:
        """Raises UsageError for a table that is not there."""
        from tasks.files.weights import place

        found = place(self.table) if self.table else SHIPPED
        if not found.is_file():
            raise UsageError(
                f"option replay.table: expected a table of `bench record`, {found} is not there"
            )
        return found

    def recorded(self) -> Recorded:
        """Raises UsageError."""
        from tasks.files.weights import digest
        from tasks.replay.table import read_table

        return read_table(self.path, digest(self.path))

    @property
    def space(self) -> Space:
        return self.recorded().space

    def prompts(self) -> tuple[str, ...]:
        return ("",)

    def check_prompt(self, prompt: str) -> None:
        refuse_prompt("replay", prompt)

    def fingerprint(self) -> Mapping[str, str]:
        from tasks.files.weights import digest

        self.recorded()
        return {"table": digest(self.path)}

    @property
    def counted(self) -> str:
        return (
            "nothing was sampled or trained: evaluations and seconds are those that "
            f"{self.recorded().task} would have taken"
        )

    @property
    def step_of(self) -> int:
        """Recorded steps of one step here."""
        return self.stride or max(1, self.recorded().prices.horizon // _FEW)

    def prices(self, lower: str) -> Prices:
        """Of the recorded task, with as many of its steps in one."""
        known, stride = self.recorded().prices, self.step_of
        return replace(
            known,
            step=known.step * stride,
            tilted_step=known.tilted_step * stride,
            horizon=-(-known.horizon // stride),
        )

    def tolerance(self, lower: str) -> float | None:
        """None: F has the noise of a training, a slope has none."""
        return None

    def open(self, seed: int, prompt: str, lower: str, device: str) -> Task[Any]:
        from tasks.files.weights import digest
        from tasks.replay.task import ReplayTask, surrogate

        path = self.path
        known = surrogate(path, digest(path))
        table = replace(self.recorded(), prices=self.prices(lower))
        return ReplayTask(table, known, seed, self.step_of, self.noise)
