"""What is registered as a task: a class of options that opens it, and optional protocols."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Protocol, runtime_checkable

from benchmark.protocol import Prices, Refit, Task, Use
from benchmark.space import Native, Space


class TaskMaker(Protocol):
    """A dataclass of options that opens the task itself.

    version: part of every run's identity; raise it when the meaning of the numbers changes.
    presets: option values by preset name, and `method.option` values where the preset settles
        those too; the first is the default.
    lowers: the lower-level solvers; the first is for methods that use the gradient oracle, the
        last for the others.
    smallest: option values with which the conformance suite takes seconds.
    A class may also have `imports`, the names of modules that a run imports late: a suite imports
    them once for all its runs. So may the class of a method's options.
    """

    version: ClassVar[int]
    presets: ClassVar[Mapping[str, Mapping[str, object]]]
    lowers: ClassVar[tuple[str, ...]]
    smallest: ClassVar[Mapping[str, object]]

    def prompts(self) -> tuple[str, ...]:
        """The default prompts, one run each; ("",) where the task has none."""

    def check_prompt(self, prompt: str) -> None:
        """Raise UsageError for a prompt that the task cannot take."""

    def fingerprint(self) -> Mapping[str, str]:
        """SHA-256 by name of the files that decide the numbers; part of every run's identity.

        Raises UsageError for files that are missing or altered.
        """

    def open(self, seed: int, prompt: str, lower: str, device: str) -> Task[Any]:
        """Load everything. Its seconds are charged to the account `setup`."""


@runtime_checkable
class Spaced(Protocol):
    """Optional: the search space is known before the task is opened."""

    @property
    def space(self) -> Space:
        """What `bench list` shows. Raises UsageError for options that give none."""


@runtime_checkable
class Yielding(Protocol):
    """Optional: some of a preset's options give way to others that are asked for."""

    @classmethod
    def yields(cls, given: Mapping[str, object]) -> Collection[str]:
        """Their names. given: the options asked for, as the user wrote them."""


@runtime_checkable
class Refitted(Protocol):
    """Optional: what a search trained is not what its lam is worth, so that is measured apart."""

    @property
    def refit(self) -> Refit:
        """From the options alone."""


@runtime_checkable
class Fetcher(Protocol):
    """Optional: the task needs networks that are published elsewhere."""

    def fetch(self, dry_run: bool, base: str) -> None:
        """Show sizes and licences of what its options need and this machine lacks.

        Unless it is a dry run, download it too. base: an address that the files lie below instead
        of their own, or "". Raises UsageError.
        """


@runtime_checkable
class Weighed(Protocol):
    """Optional: a run may not fit into a machine's memory."""

    @property
    def advice(self) -> str:
        """What to set where it does not fit."""

    def memory(self, device: str) -> int:
        """Bytes at the peak of a run on the device, estimated without loading weights.

        0 where it is not worth asking. Raises UsageError.
        """


@runtime_checkable
class Priced(Protocol):
    """Optional: the task knows what a request costs before it is made."""

    @property
    def counted(self) -> str:
        """What one evaluation is and what is not counted, in a sentence for a table's footnote."""

    def prices(self, lower: str) -> Prices: ...


@runtime_checkable
class Tolerant(Protocol):
    """Optional: `bench check` cannot expect the hypergradient to be exact to 5 %."""

    def tolerance(self, lower: str) -> float | None:
        """Relative error of gamma (grad(z) - grad(y)) against a difference of F over full fits.

        None: not to be compared.
        """


@runtime_checkable
class Usable(Protocol):
    """Optional: a lam can be used outside of the suite, such as in a library's call."""

    def use(self, lam: Mapping[str, Native]) -> Use:
        """Of native values by name. Raises UsageError for files that are missing."""
