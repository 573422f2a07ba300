"""What stored files may hold. Everything that is read from them passes here first."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, TypeAdapter, ValidationError, model_validator

from benchmark.budget import Budget
from benchmark.clock import ACCOUNTS
from benchmark.errors import UsageError
from benchmark.names import is_name

DONE = ("ok", "budget_exhausted")
Seconds = Annotated[FiniteFloat, Field(ge=0, le=1e12)]
Count = Annotated[int, Field(ge=0, le=10**15, strict=True)]
Name = Annotated[str, Field(pattern=r"^[^/\\\x00]+$", max_length=200)]  # since schema 2 stricter: Run._named
Text = Annotated[str, Field(max_length=10**5)]
Option = bool | int | FiniteFloat | Text


class _Model(BaseModel):
    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=False)


class Spec(_Model):
    """A `RunSpec`; no name leads out of its folder."""

    task: Name
    preset: Name
    method: Name
    lower: Text
    seed: Count
    prompt: Text
    budget: Text
    marks: list[Text]
    device: Text
    task_options: dict[str, Option]
    method_options: dict[str, Option]
    task_version: Count
    fingerprint: dict[str, Text]
    places: dict[str, Text] = {}

    @model_validator(mode="after")
    def _budgets(self) -> Spec:
        try:
            unit = Budget.parse(self.budget).unit
            if any(Budget.parse(m).unit != unit for m in self.marks):
                raise ValueError("a mark is not in the budget's unit")
        except UsageError as error:
            raise ValueError(str(error)) from error
        return self


class Run(_Model):
    """run.json. What only a finished run has is asked for there alone."""

    run_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    spec: Spec
    status: Literal["running", "interrupted", "failed", "ok", "budget_exhausted"]
    error: Text = ""
    started: Text = ""
    ledger: dict[str, Seconds] = {}
    nfe: Count = 0
    oracle_calls: Count = 0
    search_seconds: Seconds = 0.0
    overrun_seconds: Seconds = 0.0
    overrun_nfe: Count = 0
    ended_by: Text = ""
    counted: Text = ""
    longest_call_seconds: Seconds = 0.0
    wall_seconds: Seconds | None = None
    no_incumbent: bool = False
    peak_memory_bytes: Count = 0
    peak_memory_of: Text = ""
    environment: dict[str, Text] = {}
    notes: list[Text] = []
    jobs: Count = 1
    resumed: Count = 0

    @model_validator(mode="after")
    def _finished(self) -> Run:
        if self.status in DONE:
            if set(self.ledger) != set(ACCOUNTS):
                raise ValueError(f"the ledger of a finished run has {', '.join(ACCOUNTS)}")
            if not {"nfe", "search_seconds"} <= self.model_fields_set:
                raise ValueError("a finished run has nfe and search_seconds")
        return self

    @model_validator(mode="after")
    def _named(self) -> Run:
        """Names as they are checked since schema 2; what was stored before stays readable."""
        if (self.model_extra or {}).get("schema", 1) != 1:
            spec = self.spec
            for part, name in {"task": spec.task, "preset": spec.preset, "method": spec.method}.items():
                if not is_name(name):
                    raise ValueError(f"spec.{part}: {name[:120]!r} is no name")
            if spec.lower and not is_name(spec.lower):
                raise ValueError(f"spec.lower: {spec.lower[:120]!r} is no name")
        return self


class Proposal(_Model):
    """A line of proposals.jsonl."""

    seconds: Seconds
    nfe: Count
    lam: dict[Text, FiniteFloat]
    loss: float


class Test(Proposal):
    """A measurement of final.json; no curves and no references in runs from before there were any."""

    metrics: Annotated[dict[Text, FiniteFloat], Field(min_length=1)]
    passport: dict[Text, Text]
    curves: dict[Text, Annotated[list[list[FiniteFloat]], Field(min_length=3, max_length=3)]] = {}
    references: dict[Text, dict[Text, FiniteFloat]] = {}

    @model_validator(mode="after")
    def _rectangular(self) -> Test:
        if any(len({len(row) for row in curve}) != 1 or not curve[0] for curve in self.curves.values()):
            raise ValueError("a curve is (3, M)")
        return self


RUN, PROPOSAL = TypeAdapter(Run), TypeAdapter(Proposal)
TESTS = TypeAdapter(list[Test])


def check(kind: TypeAdapter[Any], found: object) -> Any:
    """The value as plain dicts and lists, with the types that it should have. Raises ValueError that says where it has not."""
    try:
        return kind.dump_python(kind.validate_python(found))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise ValueError(f"{where}: {first['msg']}") from error
