"""Each estimate of the hypergradient against closed forms, and at the rate that theory states."""

import numpy as np
import pytest

from benchmark import UsageError
from benchmark.space import sides
from methods import TABLE
from methods.bilevel import Bilevel
from methods.hypergradients.cg import ConjugateGradients, coefficients
from methods.hypergradients.es import EvolutionStrategy
from methods.hypergradients.f2sa import F2SA
from methods.hypergradients.neumann import Neumann
from methods.hypergradients.over_tilt import STEP, direct
from methods.hypergradients.t1t2 import T1T2
from methods.hypergradients.unrolled import Unrolled
from speed.bowl import Bowl
from tasks.noise_schedule import NoiseSchedule
from tasks.quadratic import Quadratic
from tasks.tilted import Tilted
from tests.mixed import MixedTask

LAM = np.array([0.3, 0.6, 0.45])
RIVALS = [T1T2, Neumann, ConjugateGradients, Unrolled, F2SA, EvolutionStrategy]


def solved(task, lam=LAM):
    if isinstance(task, Bowl):
        return task.solution(lam)
    y = task.init(0)
    for _ in range(task.horizon):
        y = task.step(y, lam)
    return y


def estimate(method, task, lam=LAM, calls=1, seed=0):
    estimator = method.estimator(task, np.random.default_rng(seed))
    y = solved(task, lam)
    for _ in range(calls):
        y, hyper = estimator(y, lam)
    return hyper


def error(found, truth):
    return np.linalg.norm(found - truth) / np.linalg.norm(truth)


@pytest.mark.parametrize("terms", [1, 2, 5, 20])
def test_neumann_and_unrolled_are_the_series_cut_there(terms):
    task, bent = Bowl(0), (terms * STEP) ** 2  # by the tilt, the lower problem itself is another
    for method, off in ((Neumann(terms=terms), bent), (Unrolled(unroll=terms), 1e-6)):
        assert error(estimate(method, task), task.series(LAM, terms)) < max(off, 1e-6)


def test_the_series_converges_at_the_rate_of_its_smallest_curvature():
    task = Bowl(0)
    truth = task.series(LAM, 2000)
    errors = [error(estimate(Neumann(terms=k, steps_y=k), task), truth) for k in (60, 80)]
    assert errors[1] / errors[0] == pytest.approx(0.95**20, rel=0.03)


def test_t1t2_is_the_series_of_one_term_and_bilevel_without_its_bias():
    task = Bowl(0)
    found = estimate(T1T2(), task)
    assert found == pytest.approx(task.series(LAM, 1), rel=1e-6)
    assert np.array_equal(found, estimate(Bilevel(gamma=np.inf, steps_z=1), task))


def test_conjugate_gradients_are_exact_after_as_many_steps_as_there_are_curvatures():
    task = Bowl(0)
    truth = task.series(LAM, 2000)
    errors = [error(estimate(ConjugateGradients(order=r), task), truth) for r in (1, 2, 3, 4)]
    assert min(errors[:3]) > 1e-3
    assert errors[3] < 1e-5


def krylov(task, g, order):
    """x after `order` steps of conjugate gradients on H x = g, by the textbook recurrence."""
    x, r = np.zeros_like(g), g.copy()
    p = r.copy()
    for _ in range(order):
        a = (r @ r) / (p @ task.hessian @ p)
        x, after = x + a * p, r - a * task.hessian @ p
        p, r = after + (after @ after) / (r @ r) * p, after
    return x


@pytest.mark.parametrize("order", [1, 2, 3])
def test_moments_give_the_iterates_of_the_recurrence(order):
    task = Bowl(0)
    y = solved(task)
    g = y - task._target
    x = krylov(task, g, order)
    truth = direct(task, y, LAM) + task._pullback(LAM, task.matrix.T @ task.hessian @ x)
    assert estimate(ConjugateGradients(order=order), task) == pytest.approx(truth, rel=1e-5)


def test_conjugate_gradients_stop_where_moments_hold_no_more():
    assert coefficients(-np.array([1.0, 0.0, 0.0, 0.0]), 2) == pytest.approx([1.0])  # M = 0
    assert coefficients(-np.array([1.0, 0.5, 0.25, 0.125]), 2) == pytest.approx([2.0])  # M = 1/2
    assert coefficients(-np.array([1.0, 2.0]), 1) == pytest.approx([1.0])  # negative curvature
    assert coefficients(np.zeros(6), 3) == pytest.approx([1.0])


@pytest.mark.parametrize("kind", [Quadratic, Tilted])
def test_what_is_exact_on_the_toys(kind):
    """One step of `tilted` solves it; on `quadratic` all curvatures are equal."""
    task = kind().open(0, "", "", "cpu")
    lam = np.full(task.space.dim, 0.4)

    def value(at):
        return task.loss(solved(task, at), at)

    truth = Unrolled(unroll=20, nu=1e-4, steps_y=20).hypergradient(task, solved(task, lam), lam)[1]
    h = 1e-4 * np.eye(task.space.dim)
    assert truth == pytest.approx([(value(lam + e) - value(lam - e)) / 2e-4 for e in h], rel=1e-4)
    exact = [ConjugateGradients(), ConjugateGradients(order=1)]
    exact += [T1T2(), Neumann(terms=1)] if kind is Tilted else []
    for method in exact:
        assert estimate(method, task, lam) == pytest.approx(truth, rel=1e-3), method


def test_f2sa_nears_the_truth_as_its_penalty_grows():
    task = Bowl(0)
    truth = task.series(LAM, 2000)
    errors = [
        error(estimate(F2SA(gamma=300.0, growth=1.0), task, calls=k), truth) for k in (5, 10, 20)
    ]
    assert errors[1] / errors[0] == pytest.approx(1 / 2, rel=0.1)
    assert errors[2] / errors[1] == pytest.approx(1 / 2, rel=0.1)


def test_the_evolution_strategy_averages_to_the_unrolled_slope():
    task = Bowl(0)
    truth = task.series(LAM, 5)
    method = EvolutionStrategy(directions=16)
    found = np.array([estimate(method, task, seed=k) for k in range(200)])
    deviation = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    assert np.all(np.abs(found.mean(axis=0) - truth) < 4 * deviation)
    assert np.all(deviation < 0.1 * np.linalg.norm(truth))


def test_the_direct_part_is_that_of_f_alone():
    task = Bowl(0)
    y = solved(task)
    h = 1e-3 * np.eye(3)
    slopes = [(task.loss(y, LAM + e) - task.loss(y, LAM - e)) / 2e-3 for e in h]
    assert direct(task, y, LAM) == pytest.approx(slopes, rel=1e-6)


def test_points_to_either_side_stay_in_the_cube_and_as_far_apart():
    for lam in (0.0, 0.005, 0.5, 1.0):
        up, down = sides(np.array([lam]), np.array([-0.01]))
        assert up - down == pytest.approx(-0.02)
        assert 0 <= min(up, down) <= max(up, down) <= 1


def test_texts_are_left_alone():
    assert MixedTask.space.ordered.tolist() == [1.0, 1.0, 0.0]
    for kind in (Unrolled, EvolutionStrategy):
        found = list(kind()(MixedTask(), np.random.default_rng(0)))
        assert {MixedTask.space.texts(p.lam)["shape"] for p in found} == {"middle"}


@pytest.mark.parametrize("kind", RIVALS)
def test_every_rival_finds_the_optimum_of_the_quadratic(kind):
    task = Quadratic().open(0, "", "", "cpu")
    last = list(kind()(task, np.random.default_rng(0)))[-1]
    assert task.space.native(last.lam) == pytest.approx({"a": 1.0, "b": 3.0}, rel=0.1)


def test_one_that_sees_no_number_keeps_lam():
    for kind in RIVALS:
        task = Quadratic().open(0, "", "", "cpu")
        task.loss = lambda state, lam: np.inf
        task.grad = lambda state, lam, tilt=0.0: np.full(2, np.nan)
        found = list(kind(iterations=3)(task, np.random.default_rng(0)))
        assert len(found) == 1


def test_f2sa_forks_z_anew_after_one_that_diverged():
    task = Quadratic().open(0, "", "", "cpu")
    whole, tilts = task.step, []

    def step(state, lam, tilt=0.0):
        tilts.extend([tilt] if tilt else [])
        return state * np.nan if tilt and len(tilts) == 1 else whole(state, lam, tilt)

    task.step = step
    assert len(list(F2SA(iterations=3)(task, np.random.default_rng(0)))) == 3


@pytest.mark.parametrize(
    ("kind", "kw", "name"),
    [
        (Neumann, {"terms": 5}, "neumann.terms"),
        (ConjugateGradients, {"order": 2}, "cg.order"),
        (Unrolled, {"unroll": 5}, "unrolled.unroll"),
        (EvolutionStrategy, {"unroll": 5}, "es.unroll"),
    ],
)
def test_a_window_longer_than_the_steps_of_y_is_refused(kind, kw, name):
    with pytest.raises(UsageError, match=f"option steps_y: .* {name}"):
        kind(steps_y=3, **kw)


def test_only_a_difference_over_lam_sees_training_where_a_step_leaves_out_f():
    """`theta=none`: the tilt reaches no weight, so that the tilted estimates are F_lam alone."""
    small = {**NoiseSchedule.smallest, "theta": "none", "directions": 0}
    task = NoiseSchedule(**small).open(0, "", "", "cpu")
    lam = np.clip(task.space.default(), 0.1, 0.9)
    own = direct(task, solved(task, lam), lam)
    for blind in (T1T2(steps_y=3), Neumann(terms=3, steps_y=3)):
        start = task.init(0)
        assert blind.hypergradient(task, start, lam)[1] == pytest.approx(own, rel=1e-3)
    seeing = Unrolled(unroll=3, steps_y=3).hypergradient(task, task.init(0), lam)[1]
    assert error(seeing, own) > 0.1


def test_every_rival_is_registered():
    assert {f"{k.__module__}:{k.__name__}" for k in RIVALS} <= set(TABLE.values())
