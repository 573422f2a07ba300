"""Suite files: arguments of `bench run` in TOML, a table [[runs]] a command, and [defaults]."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmark.command.parse import Options, plan_from_text
from benchmark.command.suite_file import Command, Source, read_suite_file
from benchmark.errors import UsageError
from benchmark.maker import TaskMaker
from benchmark.spec import RunSpec

_LONGEST = 250  # characters of OWNER.OPTION; a name has at most 100


def read_suite(
    path: Path, device: str | None = None, short: Mapping[str, str] | None = None
) -> list[RunSpec]:
    """The runs that a suite file asks for, each once.

    device: instead of the file's.  short: options of every task, instead of the file's.
    Raises UsageError with the line of what is wrong.
    """
    file, source = read_suite_file(path)
    planned = []
    for number, own in enumerate(file.runs):
        command = _merged(file.defaults, own)
        for key in ("method", "task"):
            if not getattr(command, key):
                raise source.error(f"expected a {key}, here or under [defaults]", "runs", number)
        on = (device or command.device).partition(":")[0].strip()
        shorter = {f"{command.task}.{name}": value for name, value in (short or {}).items()}
        try:
            options = _options(file.defaults.set, own.set, shorter)
            planned.append(_plan(command, options, on))
        except UsageError as error:
            key = _key(str(error), own)
            raise source.error(str(error), "runs", number, key) from error
    _check_prompts(planned, source)
    specs = {spec.run_id: spec for made in planned for spec in made}
    devices = sorted({spec.device for spec in specs.values()})
    if len(devices) > 1:
        raise source.error(f"expected one kind of device in a suite, got {' and '.join(devices)}")
    return list(specs.values())


def _merged(defaults: Command, own: Command) -> Command:
    """A command with the defaults below it; `set` stays its own."""
    given = {name: getattr(defaults, name) for name in defaults.model_fields_set}
    return Command(**given | {name: getattr(own, name) for name in own.model_fields_set})


def _options(*tables: Mapping[str, Any]) -> Options:
    """Values by owner and name; those of later tables count. Raises UsageError."""
    options: Options = {}
    for table in tables:
        for target, value in _settings(table):
            # from the right, for an owner may have dots in its name
            owner, _, name = target.rpartition(".")
            if not owner or not name or len(target) > _LONGEST:
                raise UsageError(
                    f"set {target[:_LONGEST]!r}: expected OWNER.OPTION = VALUE, such as "
                    "bilevel.gamma = 100"
                )
            options.setdefault(owner, {})[name] = value
    return options


def _settings(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, object]]:
    """(owner.option, value) of a table whose keys are quoted or, as TOML has it, nested."""
    for key, value in table.items():
        if isinstance(value, dict) and len(above) <= _LONGEST:
            yield from _settings(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _plan(command: Command, options: Options, device: str) -> list[RunSpec]:
    if device not in ("cpu", "cuda"):
        raise UsageError(f"device: expected cpu or cuda, got {device!r}")
    asked = command.model_dump(exclude={"method", "task", "set", "device"})
    return plan_from_text(command.method, command.task, options=options, device=device, **asked)


def _key(text: str, own: Command) -> str:
    """The key of a command that an error is about, as far as its first words name it."""
    # `plan` takes values and knows nothing of keys or lines
    head = text.partition(":")[0].replace("option", "set")
    found = (k for k in own.model_fields_set if re.search(rf"\b{k}s?\b", head))
    return next(found, "")


def _check_prompts(planned: list[list[RunSpec]], source: Source) -> None:
    """Refuse prompts of different commands that are one to a model that cuts them.

    `plan` sees those of one command. Only a maker that is shown all of them can compare them.
    """
    asked: dict[str, dict[str, int]] = {}
    makers: dict[str, TaskMaker] = {}
    for number, specs in enumerate(planned):
        for spec in specs:
            key = json.dumps([spec.task, spec.task_options, spec.places], sort_keys=True)
            asked.setdefault(key, {}).setdefault(spec.prompt, number)
            if key not in makers:
                makers[key] = spec.maker()
    for key, prompts in asked.items():
        for prompt, number in prompts.items():
            try:
                makers[key].check_prompt(prompt)
            except UsageError as error:
                raise source.error(str(error), "runs", number, "prompts") from error
