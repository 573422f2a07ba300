"""reward_ft: the images of several lam in one batch are those of each alone."""

import numpy as np
import pytest
import torch

from benchmark.command.parse import plan_from_text as plan
from benchmark.protocol import Batched
from tasks.reward_ft import RewardFt, shipped
from tests.test_resume import SMALL, both_ways

PROMPT = shipped.PROMPTS[0]
CLOSE = 1e-4


def opened(**options):
    return RewardFt(steps=3, images=3, **options).open(0, PROMPT, "guided", "cpu")


@pytest.mark.parametrize("tilt", [0.0, 0.5])
@pytest.mark.parametrize(
    "options",
    [{}, {"micro_batch": 4}, {"mode": "lookahead"}, {"eta": 0.0, "sampler": "dpmpp_2m"}],
    ids=["one batch", "cut inside a point", "lookahead", "without noise"],
)
def test_each_image_is_the_one_of_its_lam_alone(options, tilt):
    task = opened(**options)
    start = task.init(0)
    later = task.step(start, np.array([0.9]))
    states, lams = [start, later, start], [np.array([u]) for u in (0.3, 0.5, 0.9)]
    before = task.nfe
    alone = [task.step(state, lam, tilt) for state, lam in zip(states, lams, strict=True)]
    took = task.nfe - before
    together = task.step_many(states, lams, tilt)
    assert task.nfe - before == 2 * took > 0
    for one, other in zip(alone, together, strict=True):
        assert one.seeds == other.seeds
        assert torch.allclose(one.last.images, other.last.images, rtol=0, atol=CLOSE)
        assert torch.allclose(one.last.kl, other.last.kl, rtol=CLOSE, atol=0)
    assert not torch.allclose(together[0].last.images, together[2].last.images, atol=0.01)
    single = [task.loss(state, lam) for state, lam in zip(together, lams, strict=True)]
    assert task.loss_many(together, lams) == pytest.approx(single, abs=CLOSE)


def test_the_option_says_how_many_points_and_importance_has_none():
    assert isinstance(opened(), Batched)
    assert (opened().batch, opened(lam_batch=5).batch) == (1, 5)
    assert not isinstance(RewardFt(bank=16).open(0, PROMPT, "importance", "cpu"), Batched)


def test_a_message_names_the_lams_of_a_batch(caplog):
    task = opened()
    start = task.init(0)
    task.sampler._inspect(1, start.last.images, torch.tensor([10.0, 0.01, 1.0]))
    task.sampler._inspect(1, start.last.images, torch.tensor([10.0, 10.0]))
    task.sampler._inspect(1, start.last.images, 2.0)
    found = [record.getMessage().partition(":")[0] for record in caplog.records]
    assert found == [
        "sampling guided at lam = 0.01 to 10",
        "sampling guided at lam = 10",
        "sampling guided at lam = 2",
    ]


@pytest.mark.parametrize("kept", [0.0, 1e9], ids=["kept", "computed again"])
def test_a_resumed_search_is_the_uninterrupted_one(kept, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmark.store.checkpoints._EVERY", kept)
    monkeypatch.setattr("benchmark.store.checkpoints._SHARE", 1e9)
    settings = [*SMALL["reward_ft"], "reward_ft.lam_batch=3", "random.trials=7"]
    (spec,) = plan(
        "random", "reward_ft", budget="1500nfe", settings=settings, prompts=[PROMPT], marks=[]
    )
    found = both_ways(spec, tmp_path, monkeypatch, 0.6)
    assert found.run["oracle_calls"] < 7 * 3
