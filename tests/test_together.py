"""One lam for several prompts: a lower level each, the upper objective their mean."""

from dataclasses import dataclass
from statistics import fmean

import numpy as np
import pytest

from benchmark import UsageError
from benchmark.check import check_task
from benchmark.registry import TASKS, Entry
from benchmark.runs.plan import plan
from benchmark.store.store import Store
from tasks.reward_ft import RewardFt, shipped
from tests.test_cli import bench

SMALL = {"steps": 4, "bank": 32, "images": 3, "test_images": 8}
BOTH = " | ".join(shipped.PROMPTS[:2])


@dataclass(frozen=True)
class Two(RewardFt):
    smallest = {**SMALL, "together": 2}
    lowers = ("importance",)

    def prompts(self):
        return (BOTH,)


def test_it_conforms(monkeypatch):
    TASKS.complete()
    monkeypatch.setitem(TASKS.entries, "two", Entry("two", "test", lambda: Two))
    results = list(check_task("two"))
    assert len(results) >= 7
    assert [r for r in results if r[1]] == []


@pytest.mark.parametrize("lower", ["importance", "guided"])
def test_it_is_the_mean_of_its_prompts(lower):
    together = RewardFt(**SMALL, together=2).open(0, BOTH, lower, "cpu")
    alone = [RewardFt(**SMALL).open(0, p, lower, "cpu") for p in shipped.PROMPTS[:2]]
    lam = together.space.point({"lam": 2.0})
    y = together.step(together.init(0), lam)
    each = [task.step(task.init(0), lam) for task in alone]
    pairs = list(zip(alone, each, strict=True))
    assert together.loss(y, lam) == pytest.approx(fmean(t.loss(s, lam) for t, s in pairs))
    expected = np.mean([t.grad(s, lam) for t, s in pairs], 0)
    np.testing.assert_allclose(together.grad(y, lam), expected, rtol=1e-6)
    measured = [t.test(s, lam).metrics for t, s in pairs]
    found = together.test(y, lam)
    assert found.metrics["clip"] == pytest.approx(fmean(m["clip"] for m in measured), rel=1e-5)
    assert len(found.images) == 8
    again = together.unpack(together.pack(y))
    assert together.loss(again, lam) == together.loss(y, lam)


def test_evaluations_are_those_of_all_prompts():
    options = RewardFt(**SMALL, together=2)
    task = options.open(0, BOTH, "guided", "cpu")
    before, state = task.nfe, task.init(0)
    assert task.nfe - before == options.prices("guided").init == 2 * 2 * 3 * 4
    before = task.nfe
    task.step(state, task.space.default())
    assert task.nfe - before == options.prices("guided").step


def test_from_the_command_line(tmp_path):
    words = [
        "run",
        "--method",
        "default",
        "--task",
        "reward_ft",
        "--budget",
        "2000nfe",
        "--quiet",
        "--in-process",
    ]
    for name, value in SMALL.items():
        words += ["--set", f"reward_ft.{name}={value}"]
    for prompt in shipped.PROMPTS[:2]:
        words += ["--prompt", prompt]
    done = bench(*words, "--prompts-together", "--out", "runs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (run,) = Store(tmp_path / "runs")
    assert run.run["spec"]["prompt"] == BOTH
    assert run.run["spec"]["task_options"]["together"] == 2
    # each by itself is another run
    assert len(plan(["default"], "reward_ft", prompts=shipped.PROMPTS[:2])) == 2


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        (shipped.PROMPTS[0], "expected 2 different prompts"),
        (" | ".join([shipped.PROMPTS[0]] * 2), "expected 2 different prompts"),
        (f"{shipped.PROMPTS[0]} | a red cat", "unknown word 'cat'"),
    ],
)
def test_what_cannot_be_is_told(prompt, says):
    with pytest.raises(UsageError, match=says):
        RewardFt(together=2).check_prompt(prompt)


def test_one_prompt_is_not_several(tmp_path):
    done = bench(
        *["run", "--task", "reward_ft", "--method", "default", "--prompts-together"], cwd=tmp_path
    )
    assert done.returncode == 2
    assert "expected two --prompt or more beside it, got 0" in done.stderr


def test_a_task_without_prompts_is_named(tmp_path):
    words = ["run", "--task", "noise_schedule", "--method", "default", "--prompts-together"]
    done = bench(*words, "--prompt", "a", "--prompt", "b", cwd=tmp_path)
    assert done.returncode == 2
    assert "--prompts-together: expected a task with one lam for several prompts" in done.stderr
    assert "got noise_schedule" in done.stderr
