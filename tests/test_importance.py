"""G.1: the Gaussian whose optimum is lam = 1, the rate in gamma, invariance, and the guard."""

import logging

import numpy as np
import pytest

from methods.bilevel import Bilevel
from tasks.reward_ft.importance import Bank, Weights, ess, guard, kl, softmax, solve
from tasks.tilted import Gaussian, Tilted
from tests import reference

R1, R2 = reference.gaussian_bank()
BANK = Bank(R1, R2)


def hypergradient(bank, lam, gamma):
    return gamma * (kl(solve(bank, lam, 1 / gamma).w) - kl(solve(bank, lam).w))


@pytest.mark.parametrize("lam", [0.8, 1.0, 2.0, 5.0])
def test_bank_agrees_with_quadrature(lam):
    r1, r2 = reference.gaussian_bank(1_000_001)
    exact = -2 * (1 / lam - 1) / lam**2  # Cov_{N(1/lam, 1)}(-(x - 1)^2, x)/lam^2
    assert reference.covariance_hypergradient(r1, r2, lam) == pytest.approx(exact, abs=6e-3)
    assert hypergradient(Bank(r1, r2), lam, 1e5) == pytest.approx(exact, abs=6e-3)


def test_optimum_is_one():
    lams = np.geomspace(0.5, 2, 401)
    f = [-(solve(BANK, lam).w @ R1) for lam in lams]
    assert lams[int(np.argmin(f))] == pytest.approx(1.0, abs=0.01)
    assert hypergradient(BANK, 0.8, 1e6) < 0 < hypergradient(BANK, 1.25, 1e6)


@pytest.mark.parametrize("gamma", [3.0, 30.0, 300.0])
@pytest.mark.parametrize("lam", [0.6, 1.0, 3.0])
def test_finite_difference_of_the_lagrangian(lam, gamma):
    h = 1e-5
    up, down = (reference.lagrangian(R1, R2, lam + s, gamma) for s in (h, -h))
    assert hypergradient(BANK, lam, gamma) == pytest.approx(
        (up - down) / (2 * h), rel=1e-6, abs=1e-7
    )


def test_error_falls_as_one_over_gamma():
    lam, gammas = 0.7, np.array([1e2, 1e3, 1e4, 1e5])
    truth = reference.covariance_hypergradient(R1, R2, lam)
    errors = np.array([abs(hypergradient(BANK, lam, g) - truth) for g in gammas])
    slope = np.polyfit(np.log(gammas), np.log(errors), 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.02)
    w = softmax(R2 / lam)
    d1, d2 = R1 - w @ R1, R2 - w @ R2
    bias = (w @ d1**2 / lam**2 + w @ (d1**2 * d2) / lam**3) / (2 * gammas[-1])  # section B
    assert errors[-1] == pytest.approx(abs(bias), rel=0.01)


def test_rate_through_the_method_and_the_exact_gaussian():
    task = Tilted().open(0, "", "", "cpu")
    lam = task.space.point({"lam": 0.7})
    exact = task.space.pullback(lam, {"lam": -2 * (1 / 0.7 - 1) / 0.7**2})[0]
    gammas = [1e2, 1e3, 1e4, 1e5]
    errors = [
        abs(Bilevel(gamma=g).hypergradient(task, task.init(0), lam)[1][0] - exact) for g in gammas
    ]
    assert np.polyfit(np.log(gammas), np.log(errors), 1)[0] == pytest.approx(-1.0, abs=0.03)
    no_bias = Bilevel(gamma=np.inf).hypergradient(task, task.init(0), lam)[1][0]
    assert no_bias == pytest.approx(exact, rel=1e-4)


def test_shift_invariance_and_range():
    moved = Bank(R1 + 1e3, R2 - 1e4)
    assert hypergradient(moved, 0.8, 1e4) == pytest.approx(hypergradient(BANK, 0.8, 1e4), rel=1e-5)
    assert np.isfinite(solve(Bank(R1, 1e6 * R2), 0.01).w).all()


def test_rewards_in_float32_lose_nothing():
    """Entropies in float32 gave 0.238 instead of 0.301 here."""
    r1, r2 = (r.astype(np.float32) for r in reference.gaussian_bank(512))
    same = Bank(r1.astype(np.float64), r2.astype(np.float64))
    found = hypergradient(Bank(r1, r2), 1.25, 1e5)
    assert found == pytest.approx(hypergradient(same, 1.25, 1e5), rel=1e-9)
    assert found == pytest.approx(
        reference.covariance_hypergradient(same.r1, same.r2, 1.25), rel=1e-3
    )


def test_kl_is_between_zero_and_log_n():
    assert kl(softmax(np.zeros(100))) == pytest.approx(0.0, abs=1e-12)
    assert kl(np.eye(100)[0]) == pytest.approx(np.log(100))


def test_guard_backs_off_and_says_so(caplog):
    bank = Bank(R1[::40], R2[::40])
    with caplog.at_level(logging.WARNING, logger="benchmark"):
        found = solve(bank, 1e-3)
    assert found.lam > 1e-3
    assert ess(found.w) == pytest.approx(bank.least_ess, rel=1e-6)
    assert "collapse" in caplog.text
    assert guard(bank, 5.0) == 5.0
    assert hypergradient(bank, 1e-3, 1e4) != 0  # a run that starts there moves
    with pytest.raises(ValueError, match="cannot reach"):
        guard(Bank(R1[:5], R2[:5]), 1.0)


def test_released_code_swaps_the_arguments_of_kl():
    """F.1: its zero is where E_p*[r1] has fallen back to E_data[r1]: here lam = 0.5, while the
    optimum is 1.
    """
    gamma = 1e6

    def swapped(lam):
        def reverse(w):
            return -np.mean(np.log(w * len(w)))

        return gamma * (reverse(softmax((R2 + R1 / gamma) / lam)) - reverse(softmax(R2 / lam)))

    for lam in (0.5, 0.7, 1.0, 2.0):
        identity = (softmax(R2 / lam) @ R1 - np.mean(R1)) / lam
        assert swapped(lam) == pytest.approx(identity, abs=1e-3)
    assert swapped(0.5) == pytest.approx(0.0, abs=0.2)
    assert abs(swapped(1.0)) > 0.5


def test_toy_is_the_closed_form():
    task = Tilted().open(0, "", "", "cpu")
    lam = task.space.point({"lam": 2.0})
    assert task.step(task.init(0), lam) == Gaussian(pytest.approx(0.5), 1.0)
    bank = solve(BANK, 2.0)
    assert isinstance(bank, Weights)
    assert -(bank.w @ R1) == pytest.approx(task.loss(task.step(task.init(0), lam), lam), abs=1e-3)
    assert task.space.pullback(lam, {"lam": kl(bank.w)}) == pytest.approx(
        task.grad(task.step(task.init(0), lam), lam), abs=5e-3
    )
