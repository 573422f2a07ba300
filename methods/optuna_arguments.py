"""The keyword arguments of a sampler, from JSON, checked against the signature of its class."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any

from benchmark.errors import UsageError, one_line, suggest
from methods.optuna_study import quiet

_OPTION = "option optuna.args"
_GIVEN = {"seed": "the run's seed", "search_space": "the task's own grid"}
"""What this suite passes itself."""
_TYPES: Mapping[str, tuple[type, ...]] = {
    "None": (type(None),),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "dict": (dict,),
    "Mapping": (dict,),
    "list": (list,),
    "Sequence": (list,),
    "Any": (type(None), bool, int, float, str, dict, list),
}
"""The types of JSON values that an annotation's first word allows."""


def _finite(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON's")


def read(text: str) -> dict[str, Any]:
    """The object that a text is in JSON. Raises UsageError."""
    try:
        found = json.loads(text, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{_OPTION}: expected JSON, got {text!r}: {one_line(str(error))}"
        ) from None
    if not isinstance(found, dict):
        raise UsageError(
            f'{_OPTION}: expected a JSON object such as {{"n_startup_trials": 5}}, got {text!r}'
        )
    return found


def _check_value(kind: type[Any], parameter: inspect.Parameter, value: object) -> None:
    """Raises UsageError where the annotation allows no such value, or none that JSON has."""
    if parameter.annotation is inspect.Parameter.empty:
        return
    wanted = parameter.annotation
    text = wanted if isinstance(wanted, str) else inspect.formatannotation(wanted)
    words = [part.partition("[")[0].strip() for part in text.split("|")]
    allowed = {t for word in words for t in _TYPES.get(word, ())}
    if type(value) not in allowed:
        raise UsageError(
            f"{_OPTION}: {parameter.name} of {kind.__name__} is {text}, got {json.dumps(value)}"
        )


def check(kind: type[Any], arguments: Mapping[str, Any]) -> None:
    """Raises UsageError where a class of samplers does not take these arguments."""
    taken = inspect.signature(kind).parameters
    if "seed" not in taken:
        raise UsageError(
            f"option optuna.sampler: {kind.__name__} takes no seed: no run could be repeated"
        )
    own = [name for name in taken if name not in _GIVEN]
    for name, value in arguments.items():
        if name in _GIVEN:
            raise UsageError(f"{_OPTION}: {name} is {_GIVEN[name]}; leave it out")
        if name not in own:
            raise UsageError(
                f"{_OPTION}: {kind.__name__} takes no {name!r}{suggest(name, own)}; it takes: "
                f"{', '.join(own) or 'none'}"
            )
        _check_value(kind, taken[name], value)
    _construct(kind, {**arguments, **{k: {} for k in taken if k == "search_space"}})


def _construct(kind: type[Any], arguments: Mapping[str, Any]) -> None:
    try:
        with quiet():
            kind(seed=0, **arguments)
    except Exception as error:
        raise UsageError(
            f"{_OPTION}: {kind.__name__} refuses {json.dumps(arguments)}: {one_line(str(error))}"
        ) from error
