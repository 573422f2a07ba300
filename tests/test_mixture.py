"""reward_ft with several rewards: the closed form, its derivative, the guard, both solvers."""

import inspect
import itertools
import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark import UsageError
from benchmark.check import check_task
from benchmark.command.parse import plan_from_text as plan
from benchmark.registry import REWARDS, TASKS, Entry
from methods.bilevel import Bilevel
from tasks import REWARDS as REWARD_TABLE
from tasks.reward_ft import RewardFt, conflicts, shipped
from tasks.reward_ft.importance import ess
from tasks.reward_ft.mixture import MixedBank, mixed, trusted
from tasks.reward_ft.presets import EMBEDDED
from tasks.reward_ft.pull import Direct
from tasks.reward_ft.staged_task import StagedTask

PROMPT = shipped.PROMPTS[0]
SMALL = RewardFt(
    rewards="quality,other_ink,bright",
    mode="direct",
    steps=4,
    bank=64,
    images=6,
    test_images=8,
)


def normal(n):
    """Equal-weight nodes of N(0, 1)."""
    return torch.special.ndtri((torch.arange(n, dtype=torch.float64) + 0.5) / n).numpy()


# a Gaussian, and a mixture with a long tail to one side
DATA = {
    "Gaussian": normal(4001),
    "skewed": np.concatenate([normal(3001) * 0.5 - 1, normal(1000) * 1.5 + 2]),
}
S = np.array([0.4, 0.2, 0.1])


def bank(x):
    return MixedBank(-((x - 1) ** 2), np.stack([x, -np.abs(x), np.sin(3 * x)], 1))


@pytest.mark.parametrize("data", DATA)
def test_the_difference_over_the_tilt_goes_to_the_covariance_as_1_over_gamma(data):
    made = bank(DATA[data])
    y = mixed(made, S, 10.0)
    centred = made.r - y.w @ made.r
    exact = -(y.w * (made.r1 - y.w @ made.r1)) @ centred
    errors = []
    for gamma in (1e1, 1e2, 1e3, 1e4):
        z = mixed(made, S, 10.0, 1 / gamma)
        found = gamma * (y.w @ made.r - z.w @ made.r)
        errors.append(np.linalg.norm(found - exact) / np.linalg.norm(exact))
    assert errors[0] < 0.6
    ratios = [a / b for a, b in itertools.pairwise(errors)]
    assert ratios == pytest.approx([10, 10, 10], rel=0.35)
    # which is the slope of F itself
    h = 1e-5
    slopes = [
        (mixed(made, S + h * e, 10.0).w - mixed(made, S - h * e, 10.0).w) @ -made.r1 / (2 * h)
        for e in np.eye(3)
    ]
    np.testing.assert_allclose(slopes, exact, rtol=1e-6)


def test_with_one_reward_it_is_the_closed_form_of_one():
    from tasks.reward_ft.importance import Bank, solve

    made = bank(DATA["skewed"])
    one = solve(Bank(made.r1, made.r[:, 0]), 2.0)
    several = mixed(MixedBank(made.r1, made.r[:, :1]), np.array([0.5]), 10.0)
    np.testing.assert_allclose(several.w, one.w, rtol=1e-10)


def test_strengths_are_scaled_down_to_where_the_bank_can_be_trusted(caplog):
    rng = np.random.default_rng(0)
    made = MixedBank(rng.normal(size=400), rng.normal(size=(400, 6)))
    assert made.least_ess(8.0) == 48
    assert made.least_ess(1.0) == 20
    strong = np.full(6, 3.0)
    with caplog.at_level(logging.WARNING):
        found = mixed(made, strong, 48.0)
    assert "under 48 of 400 samples; used" in caplog.text
    assert ess(found.w) == pytest.approx(48, rel=1e-6)
    np.testing.assert_allclose(found.s, found.share * strong)
    assert trusted(made, strong * 0.01, 48.0) == 1.0
    # z has the share of y, so that their difference is the tilt's alone
    assert mixed(made, strong, 48.0, 0.5).share == found.share
    with pytest.raises(ValueError, match="cannot reach an effective size of 401; set a larger"):
        trusted(made, strong, 401.0)


def test_more_rewards_promise_more_than_they_hold_and_the_bound_holds_it_in():
    """Rewards of noise alone: whatever the best strengths promise is over-fitting."""
    rng = np.random.default_rng(1)

    def promised(dim, per_reward):
        gains = []
        for _ in range(20):
            made = MixedBank(rng.normal(size=512), rng.normal(size=(512, dim)))
            # the direction of steepest ascent of E[r1], as far as the bank goes
            ascent = (made.r - made.r.mean(0)).T @ made.r1 / 512
            s = 50 * ascent / np.linalg.norm(ascent)
            found = mixed(made, s, made.least_ess(per_reward))
            gains.append(found.w @ made.r1 - made.r1.mean())
        return np.mean(gains)

    assert promised(16, 0.0) > 2.5 * promised(1, 0.0)
    assert promised(16, 8.0) < 0.75 * promised(16, 0.0)


@pytest.fixture(scope="module")
def importance():
    return SMALL.open(0, PROMPT, "importance", "cpu")


@pytest.fixture(scope="module")
def guided():
    return SMALL.open(0, PROMPT, "guided", "cpu")


@dataclass(frozen=True)
class Several(RewardFt):
    smallest = {**RewardFt.smallest, "rewards": "quality,other_ink,bright", "mode": "direct"}


def test_both_solvers_conform(monkeypatch):
    TASKS.complete()
    monkeypatch.setitem(TASKS.entries, "several", Entry("several", "test", lambda: Several))
    results = list(check_task("several"))
    assert len(results) >= 14
    assert [r for r in results if r[1]] == []


def test_a_bank_holds_every_reward_and_the_test_what_it_promised(importance):
    state = importance.init(0)
    assert state.bank.r.shape == (64, 3)
    lam = importance.space.default()
    y = importance.step(state, lam)
    np.testing.assert_allclose(y.s, 0.1)
    test = importance.test(y, lam)
    assert test.metrics["promised"] == pytest.approx(-100 * importance.loss(y, lam))
    assert test.metrics["ess"] == pytest.approx(ess(y.w))
    assert test.metrics["path_kl"] > 0


@pytest.mark.parametrize("gamma", [10.0, 1000.0, np.inf])
def test_the_hypergradient_on_guided_images_against_a_difference(gamma, guided):
    """One pass is a full fit, on the same seeds at every lam."""
    lam = guided.space.default() - 0.1
    state = guided.init(0)

    def loss(at):
        return guided.loss(guided.step(state, at), at)

    h = 0.03
    exact = np.array([(loss(lam + h * e) - loss(lam - h * e)) / (2 * h) for e in np.eye(3)])
    _, found = Bilevel(gamma=gamma, steps_y=1).hypergradient(guided, state, lam)
    assert found @ exact / np.linalg.norm(found) / np.linalg.norm(exact) > 0.8
    assert 0.75 < np.linalg.norm(found) / np.linalg.norm(exact) < 1.3


def test_eta_0_has_a_gradient():
    task = RewardFt(**{**vars(SMALL), "eta": 0.0, "most_kl": 0.0}).open(0, PROMPT, "guided", "cpu")
    state = task.step(task.init(0), task.space.default())
    assert np.isfinite(task.grad(state, task.space.default())).all()
    assert "path_kl" not in task.test(state, task.space.default()).metrics


def test_direct_guidance_takes_one_pass_whose_images_do_not_depend_on_the_batch(guided):
    assert guided.horizon == 1
    assert SMALL.prices("guided").fit == 2 * 6 * 4 + 3 * 2 * 6 * 4
    before, state = guided.nfe, guided.init(0)
    after = guided.step(state, guided.space.default())
    assert guided.nfe - before == SMALL.prices("guided").fit
    seeds = guided.seeds("x", 5)
    pull = Direct(guided.mixture(np.array([1.0, 0.1, 0.1])))
    whole, alone = guided.sampler(seeds, pull), guided.sampler(seeds[3:4], pull)
    torch.testing.assert_close(whole.images[3:4], alone.images, rtol=0, atol=1e-4)
    assert not torch.equal(after.last.images, state.last.images)


def test_every_reward_of_the_embedded_preset_is_scaled_and_differentiable():
    known = [*EMBEDDED, "bright", "dark", "warm", "cool", "vivid", "contrast", "sharp", "smooth"]
    assert set(known) <= set(REWARDS.complete())
    options = RewardFt(rewards=",".join(known[:16]), bank=128, steps=6)
    task = options.open(0, PROMPT, "importance", "cpu")
    images = task.sampler(task.seeds("scales", 24)).images
    values = task.all_rewards(images)
    assert np.isfinite(values).all()
    assert np.all((values.std(0) > 0.1) & (values.std(0) < 3))
    opposite = dict(zip(known, values.T, strict=True))
    for one, other in (("bright", "dark"), ("warm", "cool"), ("sharp", "smooth")):
        np.testing.assert_allclose(opposite[one], -opposite[other], atol=1e-4)
    x = images[:2].clone().requires_grad_()
    for reward in task._networks.rewards:
        (slope,) = torch.autograd.grad(reward(x).sum(), x)
        assert slope.abs().max() > 0


def test_the_code_of_every_reward_is_in_the_hash_of_the_task(monkeypatch):
    from benchmark.plugins import sources

    seen = set()
    digest = sources._digest
    monkeypatch.setattr(
        sources, "_digest", lambda files, base: seen.update(files) or digest(files, base)
    )
    sources.digest({Path(inspect.getfile(RewardFt))}, RewardFt, sources.ROOT)
    for target in REWARD_TABLE.values():
        module = target.partition(":")[0].replace(".", "/")
        assert sources.ROOT / f"{module}.py" in seen, target


def test_another_prompt_is_preferred_by_the_reward_that_pulls_there():
    from tasks.reward_ft import digits, drawing

    own = digits.parse(PROMPT)
    reward = conflicts.other_ink(shipped.ASSETS, "cpu", PROMPT)
    other = digits.parse(PROMPT.replace("red", list(digits.INKS)[own.ink + 1]))
    with torch.no_grad():
        at_own, at_other = (reward(drawing.real(c, 16, seed=0)).mean() for c in (own, other))
    assert at_other > at_own + 1


def test_a_staged_search_leaves_the_bank_for_guided_images():
    options = replace(SMALL, bank_steps=3)
    task = options.open(0, PROMPT, "staged", "cpu")
    bank, guided = (options.open(0, PROMPT, lower, "cpu") for lower in ("importance", "guided"))
    lam, states, spent = task.space.default(), [task.init(0)], []
    for _ in range(5):
        before = task.nfe
        states.append(task.step(states[-1], lam))
        spent.append(task.nfe - before)
    prices = options.prices("guided")
    assert spent == [0, 0, 0, prices.init + prices.step, prices.step]
    # whoever asks pays, so that a resumed search pays the same
    before = task.nfe
    task.step(states[3], lam)
    assert task.nfe - before == prices.init + prices.step
    assert max(spent) <= options.prices("staged").step
    on_bank = bank.step(bank.init(0), lam)
    on_images = guided.step(guided.init(0), lam)
    assert task.loss(states[3], lam) == bank.loss(on_bank, lam)
    assert task.loss(states[4], lam) == guided.loss(on_images, lam)
    np.testing.assert_array_equal(task.grad(states[4], lam), guided.grad(on_images, lam))
    for state in states[3:5]:
        again = task.unpack(task.pack(state))
        assert task.loss(task.step(again, lam), lam) == task.loss(task.step(state, lam), lam)
    asked = []
    task.step = lambda state, *more: asked.append(state) or StagedTask.step(task, state, *more)
    method = Bilevel(gamma=np.inf, iterations=8, control="loss")
    *_, last = method(task, np.random.default_rng(0))
    assert np.isfinite(last.loss)
    # a step that is taken back does not take the stage back
    assert max(state.taken for state in asked) >= 8


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rewards": "quality,nothing"}, "or reward_ft.rewards: unknown reward 'nothing'"),
        ({"rewards": "quality,bright,quality"}, "each once, .* got quality more than once"),
        ({"rewards": "quality,,bright"}, "each once, .* got an empty one in 'quality,,bright'"),
        ({"rewards": ",".join(f"r{k}" for k in range(17))}, "1 to 16 names, .* got 17 of them"),
        ({"most_kl": 5.0}, "most_kl: expected reward_ft.rewards beside it, got 5, .* leave it out"),
        ({"ess_per_reward": 3.0}, "ess_per_reward: expected reward_ft.rewards beside it, got 3,"),
        ({"rewards": "quality,bright", "reward": "random_head"}, "reward_ft.reward: .* one reward"),
        ({"rewards": "quality,bright", "mode": "lookahead"}, "reward_ft.mode: .* one reward"),
        ({"rewards": "quality,bright", "lam_batch": 2}, "reward_ft.lam_batch"),
        ({"rewards": "quality,bright,warm", "bank": 16}, "at least 24 for 3 rewards"),
        (
            {"rewards": "quality,bright", "eta": 0.0},
            "most_kl: expected 0 .*most_kl=0",
        ),
    ],
)
def test_what_cannot_be_is_told(options, says):
    with pytest.raises(UsageError, match=says):
        RewardFt(**options).fingerprint()


def test_several_rewards_guide_by_themselves_and_one_by_its_linear_model():
    assert RewardFt().mode == "tilt"
    assert RewardFt(rewards="quality,bright").mode == "direct"
    assert RewardFt(rewards="quality,bright", mode="tilt").mode == "tilt"
    # as stored before there was `auto`
    same = plan("random", "reward_ft", settings=["reward_ft.mode=tilt"])
    assert plan("random", "reward_ft") == same
