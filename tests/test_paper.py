"""The paper's preset on files in their real layout, with the network blocked: the same code, no
mocks.
"""

import json
import re
import shutil
import sys
from importlib import import_module

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark import UsageError
from benchmark.command.parse import plan_from_text as plan
from benchmark.command.suite import read_suite
from benchmark.runs import preflight
from benchmark.spec import settled
from tasks.reward_ft import RewardFt, tracing
from tasks.reward_ft.pull import Linear
from tests.test_cli import ROOT, bench
from tests.tiny import RUN, sampler_of, words


def options(tiny, **changes):
    given = dict(s.split("=", 1) for s in tiny.settings)
    own, _ = settled(RewardFt, "paper", {})
    numbers = {k: int(v) if v.isdecimal() else v for k, v in given.items()}
    return RewardFt(**{**own, **numbers, **changes})


def reward_ft(tiny):
    return [f"reward_ft.{s}" for s in tiny.settings]


def test_the_whole_preset_end_to_end(tiny, tmp_path):
    """By guided images; the bank is in the test of a plug-in's reward."""
    done = bench(
        *RUN,
        "--lower",
        "guided",
        "--budget",
        "200nfe",
        "--out",
        "runs",
        *words(tiny.settings),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs" / "reward_ft" / "bilevel").iterdir()
    stored = json.loads((folder / "run.json").read_text())
    assert stored["status"] in ("ok", "budget_exhausted")
    (*_, test) = json.loads((folder / "final.json").read_text())["tests"]
    assert {"fid", "clip", "reward"} <= set(test["metrics"])
    assert test["metrics"]["fid"] > 0
    assert -1 <= test["metrics"]["clip"] / 100 <= 1
    assert test["passport"]["fid_reference"] == "N = 3, unguided samples of the prompt"
    assert stored["spec"]["task_options"]["reward"] == "resnet_head"
    assert any("-of-" in name for name in stored["spec"]["fingerprint"])
    assert np.asarray(Image.open(folder / "samples.png")).std() > 1
    again = bench(
        *RUN,
        "--lower",
        "guided",
        "--budget",
        "200nfe",
        "--out",
        "runs",
        *words(tiny.settings),
        cwd=tmp_path,
    )
    assert "1 of 1 runs are stored already" in again.stderr


PLUGIN = '''
from tasks.reward_ft.rewards import register_reward

@register_reward("redness")
class Redness:
    """How much more red than green and blue."""
    @classmethod
    def sources(cls): return ()
    @classmethod
    def files(cls, given): return {}
    def __init__(self, files, prompt, device): pass
    def __call__(self, images): return 10 * (images[:, 0] - images[:, 1:].mean(1)).mean((1, 2))
'''


def test_a_reward_of_a_plug_in_and_half_precision(tiny, tmp_path):
    (tmp_path / "redness.py").write_text(PLUGIN)
    own = [s for s in tiny.settings if not s.startswith("reward_weights")]
    done = bench(
        *RUN,
        "--plugin",
        "redness.py",
        "--budget",
        "100nfe",
        "--out",
        "runs",
        "--dtype",
        "bf16",
        *words(
            [*own, "reward=redness", "variant=fp16", "checkpointing=true", "channels_last=true"]
        ),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs" / "reward_ft" / "bilevel").iterdir()
    stored = json.loads((folder / "run.json").read_text())
    assert stored["spec"]["task_options"]["dtype"] == "bf16"
    assert "reward redness" in stored["spec"]["fingerprint"]


@pytest.fixture
def both(tiny, tmp_path):
    """Settings of two rewards, whose networks lie in a folder by their names."""
    (tmp_path / "weights").mkdir()
    shutil.copy(tiny.resnet, tmp_path / "weights" / f"resnet_head{tiny.resnet.suffix}")
    shutil.copytree(tiny.aesthetic, tmp_path / "weights" / "aesthetic")
    own = [s for s in tiny.settings if not s.startswith("reward_weights")]
    several = ["rewards=resnet_head,aesthetic", f"reward_weights={tmp_path / 'weights'}"]
    return [*own, *several, "ess_per_reward=1"]


@pytest.mark.parametrize("lower", ["importance", "guided"])
def test_several_rewards_of_the_paper(lower, both, tmp_path):
    place = ["--lower", lower, "--budget", "200nfe", "--out", "runs"]
    done = bench(*RUN, *place, *words(both), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs" / "reward_ft" / "bilevel").iterdir()
    stored = json.loads((folder / "run.json").read_text())
    assert stored["status"] in ("ok", "budget_exhausted")
    assert stored["spec"]["task_options"]["mode"] == "direct"
    assert {"resnet_head/resnet18", "aesthetic/head"} <= set(stored["spec"]["fingerprint"])
    last = json.loads((folder / "proposals.jsonl").read_text().splitlines()[-1])
    assert set(last["lam"]) == {"lam_resnet_head", "lam_aesthetic"}
    said = (tmp_path / "runs" / "report" / "table1.md").read_text()
    (beside,) = re.findall(r"options beside its preset: (.*)\.", said)
    assert {"mode=direct", "ess_per_reward=1.0"} <= set(beside.split(", "))
    assert not re.search(r"\breward=", beside), "the default, which nothing uses"


def test_only_what_the_user_set_is_refused_beside_several_rewards(both, tmp_path):
    def planned(*more):
        settings = [f"reward_ft.{s}" for s in (*both, *more)]
        return plan("default", "reward_ft", preset="paper", settings=settings)

    (spec,) = planned()
    assert spec.task_options["reward"] == "quality"
    for name, value in (("reward", "resnet_head"), ("mode", "lookahead")):
        with pytest.raises(UsageError, match=rf"reward_ft.{name}: .* got '{value}'.* leave it out"):
            planned(f"{name}={value}")
    (tmp_path / "weights" / "aesthetic.pth").write_text("")
    with pytest.raises(UsageError, match=r"one file or folder for aesthetic, got aesthetic, aes"):
        planned()
    with pytest.raises(UsageError, match="expected a folder beside reward_ft.rewards, .* got '/no"):
        planned("reward_weights=/nowhere")


def test_what_does_not_fit_into_memory_is_refused_with_advice(tiny, monkeypatch):
    options = [f"reward_ft.{s}" for s in tiny.settings]
    specs = plan("default", "reward_ft", preset="paper", settings=options)
    (need,) = preflight.needs(specs)
    assert 2**30 < need.needed < 2**31
    monkeypatch.setattr(preflight, "free_memory_bytes", lambda device: need.needed + 1)
    preflight.preflight(specs, ["cpu"], 1)
    for free, jobs in ((need.needed - 1, 1), (need.needed + 1, 2)):
        monkeypatch.setattr(preflight, "free_memory_bytes", lambda device, free=free: free)
        with pytest.raises(
            UsageError,
            match=r"GiB are needed.* GiB free; set reward_ft\.checkpointing=true, dtype=bf16",
        ):
            preflight.preflight(specs, ["cpu"], jobs)


def test_the_estimate_follows_what_saves_memory(tiny):
    from tasks.reward_ft.memory import estimate

    large = {"size": 256, "micro_batch": 8, "test_images": 12}
    plain = estimate(options(tiny, **large), "cpu")
    assert estimate(options(tiny, **large, checkpointing=True), "cpu") < plain
    assert estimate(options(tiny, **large, dtype="bf16", decode_dtype="bf16"), "cpu") < plain
    assert estimate(options(tiny, **{**large, "micro_batch": 2}), "cpu") < plain


def test_what_torch_keeps_private_and_the_estimate_uses_is_there():
    """Where this fails, torch has moved a name of tracing.PRIVATE: estimates are 0 until it is
    found again.
    """
    assert tracing.fault() == "", f"torch {torch.__version__}, see {tracing.PRIVATE}"
    for target in tracing.PRIVATE:
        place, _, name = target.partition(": ")
        holder = torch.UntypedStorage if place == "torch.UntypedStorage" else import_module(place)
        assert hasattr(holder, name), target


@pytest.mark.parametrize("gone", ["a module", "a name", "its meaning"])
def test_without_it_the_estimate_is_a_note_and_no_fault(gone, tiny, monkeypatch, caplog):
    from tasks.reward_ft.memory import estimate

    if gone == "a module":
        monkeypatch.setitem(sys.modules, "torch._subclasses.fake_tensor", None)
    elif gone == "a name":
        monkeypatch.delattr("torch.utils._python_dispatch.TorchDispatchMode")
    else:
        monkeypatch.setattr(tracing.Held, "add", lambda self, tensor: None)
    specs = plan("default", "reward_ft", preset="paper", settings=reward_ft(tiny))
    assert estimate(options(tiny), "cpu") == 0
    (said,) = [r.getMessage() for r in caplog.records if "memory of a run" in r.getMessage()]
    assert "nothing checks that it fits: torch" in said
    assert "\n" not in said
    preflight.preflight(specs, ["cpu"], 1)


def test_memory_that_runs_out_says_what_to_set(tiny, monkeypatch):
    sampler = sampler_of(tiny.model)

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    monkeypatch.setattr(sampler.model, "eps", full)
    with pytest.raises(
        MemoryError,
        match=r"CUDA out of memory.*set reward_ft\.micro_batch=1, reward_ft\.checkpointing",
    ):
        sampler((0,))


def test_the_suite_of_table_1_is_the_preset(tiny, tmp_path):
    """What the file spells out is what the preset means, so a reader of either knows the
    protocol.
    """
    text = (ROOT / "suites" / "table1-paper.toml").read_text(encoding="utf-8")
    table = "[defaults.set.reward_ft]"
    for old, new in (
        ('device = "cuda"', 'device = "cpu"'),
        (table, f'{table}\nreward_weights = "{tiny.resnet}"\ninception = "{tiny.inception}"'),
        ('clip = "ViT-B-16-quickgelu/openai"', f'clip = "{tiny.clip}"'),
    ):
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "table1.toml"
    path.write_text(text, encoding="utf-8")
    specs = read_suite(path, short={"model": str(tiny.model)})
    files = [
        f"reward_ft.{s}"
        for s in tiny.settings
        if s.split("=")[0] in ("model", "clip", "reward_weights", "inception")
    ]
    assert [s.method for s in specs[::4]] == ["grid", "random", "bayesian", "bilevel"]
    assert [s.seed for s in specs] == [0, 1, 2, 3] * 4
    for spec in specs:
        (same,) = plan(
            spec.method,
            "reward_ft",
            preset="paper",
            settings=files,
            budget="120000nfe",
            seeds=str(spec.seed),
            marks=[],
        )
        assert spec.run_id == same.run_id


def test_a_tiny_autoencoder_is_another_run_with_other_images(tiny):
    settings = [f"reward_ft.{s}" for s in tiny.settings]
    (plain,) = plan("default", "reward_ft", preset="paper", settings=settings)
    (other,) = plan(
        "default",
        "reward_ft",
        preset="paper",
        settings=[*settings, f"reward_ft.taesd={tiny.taesd}"],
    )
    assert plain.run_id != other.run_id
    before = sampler_of(tiny.model)((1, 2))
    reward = Linear.at(lambda x: 50 * x.mean((1, 2, 3)), before.images)
    images = [
        sampler_of(tiny.model, **form)((1, 2), reward, 0.05).images
        for form in ({}, {"taesd": tiny.taesd})
    ]
    assert (images[0] - images[1]).abs().max() > 1e-3
    torch.testing.assert_close(
        sampler_of(tiny.model, taesd=tiny.taesd)((1, 2)).images, before.images, rtol=0, atol=1e-6
    )


def test_where_files_lie_is_no_part_of_a_run_and_what_they_hold_is(tiny, tmp_path):
    settings = [f"reward_ft.{s}" for s in tiny.settings]
    (plain,) = plan("default", "reward_ft", preset="paper", settings=settings)
    shutil.copytree(tiny.model, tmp_path / "moved")
    (moved,) = plan(
        "default",
        "reward_ft",
        preset="paper",
        settings=[*settings, f"reward_ft.model={tmp_path / 'moved'}"],
    )
    assert moved.places != plain.places
    assert moved.run_id == plain.run_id
    config = tmp_path / "moved" / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text().replace("0.012", "0.013"))
    (changed,) = plan(
        "default",
        "reward_ft",
        preset="paper",
        settings=[*settings, f"reward_ft.model={tmp_path / 'moved'}"],
    )
    assert changed.run_id != plain.run_id
