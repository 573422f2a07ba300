"""A plan waits for no library that only a run needs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TASKS = ("reward_ft", "noise_schedule", "sampling", "replay")
HEAVY = {"torch", "torchvision", "diffusers", "transformers", "open_clip"}
HEAVY |= {"scipy", "sklearn", "pandas", "optuna", "skopt", "matplotlib"}
MAIN = "from benchmark.command.cli import main\nassert main(sys.argv[1:]) == 0\n"


def loaded(code, *words):
    """Those of HEAVY that a fresh process has after this code."""
    end = f"\nprint(json.dumps(sorted(set(sys.modules) & {HEAVY!r})))\n"
    done = subprocess.run(
        [sys.executable, "-c", f"import json, sys\n{code}{end}", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


PLAN = """
from benchmark.command.parse import plan_from_text
from benchmark.maker import Priced, Spaced, Weighed
from benchmark.runs.afford import warnings

for prompts in ((), sys.argv[2:]):
    for budget in ("20s", "100nfe"):
        specs = plan_from_text("random,bilevel", sys.argv[1], budget=budget, prompts=prompts)
        print(*warnings(specs))
        for maker in {str(spec.lower): spec.maker() for spec in specs}.values():
            assert isinstance(maker, Spaced) and maker.space.dim
            assert isinstance(maker, Priced) and maker.counted
            assert all(maker.prices(lower).fit > 0 for lower in maker.lowers)
            assert not isinstance(maker, Weighed) or maker.memory("cpu") == 0 != len(maker.advice)
"""
TWO = ["a bold red seven on a white background", "a thin blue two on a cyan background"]


@pytest.mark.parametrize("task", TASKS)
def test_a_plan_of(task):
    assert loaded(PLAN, task, *(TWO if task == "reward_ft" else [])) == []


def test_a_plan_with_a_method():
    code = """
from benchmark.command.parse import plan_from_text
from benchmark.registry import METHODS
# the options of `optuna` are those of a class of Optuna's
names = [name for name in METHODS.known() if name != "optuna"]
assert len(plan_from_text(",".join(names), "quadratic", budget="100nfe")) == len(names) > 20
"""
    assert loaded(code) == []


@pytest.mark.parametrize("task", TASKS)
def test_a_forecast_until_it_opens_a_task(task, tmp_path):
    code = f"""
from benchmark.runs.forecast import Probe
Probe.of = lambda spec, device, measure: sys.exit("opened")
try:
    {MAIN.replace(chr(10), "; ")}
except SystemExit as end:
    assert end.code == "opened", end.code
else:
    raise AssertionError("no task was to be opened")
"""
    words = ["--method", "random", "--task", task, "--budget", "20s", "--out", str(tmp_path)]
    assert loaded(code, "run", *words, "--dry-run") == []


@pytest.mark.parametrize("words", [["list"], *(["list", task] for task in TASKS)])
def test_a_list(words):
    assert loaded(MAIN, *words) == []


def test_a_script_for_a_cluster(tmp_path):
    words = ["run", "--method", "random,bilevel", "--task", "reward_ft", "--emit", "slurm"]
    assert loaded(MAIN, *words, "--out", str(tmp_path)) == []
