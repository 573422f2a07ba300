"""What stored files may hold. Everything that is read from them passes here first."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from benchmark.budget import ACCOUNTS, Budget
from benchmark.errors import UsageError
from benchmark.names import is_name
from benchmark.space import from_json

DONE = ("ok", "budget_exhausted")
# no more is added to a run with one of these
CLOSED = (*DONE, "failed")
Seconds = Annotated[FiniteFloat, Field(ge=0, le=1e12)]
Count = Annotated[int, Field(ge=0, le=10**15, strict=True)]
Name = Annotated[str, Field(pattern=r"^[^/\\\x00]+$", max_length=200)]
"""As in schema 1; schema 2 is stricter, see `RunRecord._named`."""
Text = Annotated[str, Field(max_length=10**5)]
Whole = Annotated[int, Field(ge=-(10**15), le=10**15, strict=True)]
Option = bool | int | FiniteFloat | Text


class _Model(BaseModel):
    # extra fields pass: records have gained some without a new schema
    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=False)


class SpecRecord(_Model):
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
    def _budgets(self) -> SpecRecord:
        try:
            unit = Budget.parse(self.budget).unit
            if any(Budget.parse(m).unit != unit for m in self.marks):
                raise ValueError("a mark is not in the budget's unit")
        except UsageError as error:
            raise ValueError(str(error)) from error
        return self


class AxisRecord(_Model):
    """An axis of the space that was searched, see `as_json` in `benchmark/space.py`."""

    kind: Literal["float", "integer", "choice"]
    name: Text
    low: FiniteFloat = 0.0
    high: FiniteFloat = 0.0
    log: bool = False
    values: list[Text] = []
    default: FiniteFloat | Text
    grid: list[FiniteFloat | Text] = []

    @model_validator(mode="after")
    def _made(self) -> AxisRecord:
        from_json([self.model_dump()])
        return self


class RunRecord(_Model):
    """run.json. What only a finished run has is asked for there alone."""

    run_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    spec: SpecRecord
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
    space: list[AxisRecord] = []
    trials: Count | None = None
    peak_memory_bytes: Count = 0
    peak_memory_of: Text = ""
    environment: dict[str, Text] = {}
    plugins: list[Text] = []
    notes: list[Text] = []
    jobs: Count = 1
    resumed: Count = 0

    @model_validator(mode="after")
    def _finished(self) -> RunRecord:
        # a run that was cut short has no sums yet, and a failed one may have died before any
        if self.status in DONE:
            if set(self.ledger) != set(ACCOUNTS):
                raise ValueError(f"the ledger of a finished run has {', '.join(ACCOUNTS)}")
            if not {"nfe", "search_seconds"} <= self.model_fields_set:
                raise ValueError("a finished run has nfe and search_seconds")
        return self

    @model_validator(mode="after")
    def _named(self) -> RunRecord:
        """Names as they are checked since schema 2; what was stored before stays readable."""
        if (self.model_extra or {}).get("schema", 1) != 1:
            spec = self.spec
            names = {"task": spec.task, "preset": spec.preset, "method": spec.method}
            for part, name in names.items():
                if not is_name(name):
                    raise ValueError(f"spec.{part}: {name[:120]!r} is no name")
            if spec.lower and not is_name(spec.lower):
                raise ValueError(f"spec.lower: {spec.lower[:120]!r} is no name")
        return self


class _Stamp(_Model):
    """lam: native values; a text is one of a Choice."""

    seconds: Seconds
    nfe: Count
    lam: dict[Text, Whole | FiniteFloat | Text]
    loss: float


class ProposalRecord(_Stamp):
    """A line of proposals.jsonl. all_steps: of the search by then; early runs do not say."""

    all_steps: Count | None = None


class TrialRecord(_Stamp):
    """A line of trials.jsonl: an evaluation of F. steps: of its state, which began at seed."""

    steps: Count
    seed: int


class TestRecord(ProposalRecord):
    """A measurement of final.json; early runs have no curves, references and held-out F."""

    metrics: Annotated[dict[Text, FiniteFloat], Field(min_length=1)]
    passport: dict[Text, Text]
    curves: dict[Text, Annotated[list[list[FiniteFloat]], Field(min_length=3, max_length=3)]] = {}
    references: dict[Text, dict[Text, FiniteFloat]] = {}
    held_out: FiniteFloat | None = None

    @model_validator(mode="after")
    def _rectangular(self) -> TestRecord:
        for curve in self.curves.values():
            if len({len(row) for row in curve}) != 1 or not curve[0]:
                raise ValueError("a curve is (3, M)")
        return self


class Unreadable(ValueError):
    """What is to be stored would not be read back."""


SPEC = TypeAdapter(SpecRecord)
RUN, PROPOSAL = TypeAdapter(RunRecord), TypeAdapter(ProposalRecord)
TRIAL = TypeAdapter(TrialRecord)
ALL_PROPOSALS, ALL_TRIALS = TypeAdapter(list[ProposalRecord]), TypeAdapter(list[TrialRecord])
TESTS = TypeAdapter(list[TestRecord])


def check(kind: TypeAdapter[Any], found: object) -> Any:
    """The value as plain dicts and lists of the right types. Raises ValueError with the place."""
    return kind.dump_python(_validated(kind, found))


def _validated(kind: TypeAdapter[Any], found: object) -> Any:
    # the first error alone: one line for a user
    try:
        return kind.validate_python(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise ValueError(f"{where}: {first['msg']}") from error


def readable(kind: TypeAdapter[Any], content: Any) -> Any:
    """The same content, which is plain JSON. Raises Unreadable with the place."""
    try:
        _validated(kind, content)
    except ValueError as error:
        raise Unreadable(f"it could not be read back: {error}") from error
    return content
