"""What a check found wrong."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Finding:
    problems: list[str] = field(default_factory=list)

    def expect(self, right: bool, problem: str) -> None:
        if not right and problem not in self.problems:
            self.problems.append(problem)

    def __str__(self) -> str:
        return "; ".join(self.problems)
