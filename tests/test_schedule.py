"""abar(u; q), DDIM and zeroth-order derivatives against what can be computed by other means."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark import Proposal
from benchmark.errors import UsageError
from benchmark.fitting import fit
from benchmark.space import Float, Space
from methods.bilevel import Bilevel
from tasks.noise_schedule import NoiseSchedule
from tasks.noise_schedule.choices import Choices
from tasks.noise_schedule.curves import curve
from tasks.noise_schedule.diffusion import mix, sample
from tasks.noise_schedule.families import FAMILIES, NORMALISED, axes, ends, linear
from tasks.noise_schedule.schedule import abar, log_snr
from tasks.samplers.ddim import DDIM
from tasks.zeroth_order import coordinates, directions


def space(kind, ranges, **more):
    return Choices(kind, ranges, **more).space()


def names(cube):
    return [axis.name for axis in cube.axes]


U = torch.linspace(0, 1, 101, dtype=torch.float64)


def slow_cosine(u, start, end, tau, eps):
    def f(v):
        return max(math.cos(math.pi / 2 * (start + v * (end - start) + eps) / (1 + eps)), 0.0) ** (
            2 * tau
        )

    return (f(u) - f(1)) / (f(0) - f(1))


def slow_sigmoid(u, start, end, tau):
    def f(v):
        return 1 / (1 + math.exp((start + v * (end - start)) / tau))

    return (f(u) - f(1)) / (f(0) - f(1))


@pytest.mark.parametrize(
    ("kind", "slow", "q"),
    [
        ("cosine", slow_cosine, (0.0, 1.0, 1.0, 0.008)),
        ("cosine", slow_cosine, (0.3, 0.85, 2.5, 0.03)),
        ("cosine", slow_cosine, (0.1, 1.0, 0.3, 0.005)),
        ("sigmoid", slow_sigmoid, (-3.0, 3.0, 1.0)),
        ("sigmoid", slow_sigmoid, (-1.0, 5.0, 0.4)),
    ],
)
def test_the_normalised_schedule_against_plain_arithmetic(kind, slow, q):
    found = abar(kind, torch.tensor(q, dtype=torch.float64), U, 1e-6)
    expected = [min(max(slow(float(u), *q), 1e-6), 1 - 1e-6) for u in U]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", NORMALISED)
def test_the_ends_of_a_plan_are_those_of_the_curve(kind):
    rng = np.random.default_rng(0)
    cube = space(kind, {})
    points = [list(cube.native(lam).values()) for lam in rng.random((50, cube.dim))]
    # beyond the suite's ranges: flat, and to the last digit
    points += [[-100.0, 100.0, 0.01, 0.01][: cube.dim], [0.0, 1.0, 100.0, 1.0][: cube.dim]]
    q = torch.tensor(points, dtype=torch.float64)
    exact = curve(kind, q, torch.tensor([0.0, 1.0], dtype=torch.float64))
    np.testing.assert_allclose(ends(kind, np.array(points)), exact.numpy(), rtol=1e-9, atol=1e-12)


def test_a_value_known_from_the_definition():
    """cos(pi/4)^2 = 1/2 in the middle of the plain cosine; the sigmoid is even about 0."""
    middle = torch.tensor([0.5], dtype=torch.float64)
    assert float(
        abar("cosine", torch.tensor([0, 1, 1, 0.0], dtype=torch.float64), middle, 1e-6)
    ) == pytest.approx(0.5)
    assert float(
        abar("sigmoid", torch.tensor([-3, 3, 1.0], dtype=torch.float64), middle, 1e-6)
    ) == pytest.approx(0.5)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(FAMILIES),
    point=st.lists(st.floats(0, 1), min_size=8, max_size=8),
)
def test_everywhere_in_the_range_abar_falls_and_has_a_finite_derivative(kind, point):
    cube = space(kind, {})
    native = cube.native(np.array(point[: cube.dim]))
    q = torch.tensor([native[n] for n in names(cube)], dtype=torch.float64, requires_grad=True)
    found = abar(kind, q, U, 1e-4)
    assert bool((found[1:] <= found[:-1] + 1e-15).all())
    assert bool(((found >= 1e-4) & (found <= 1 - 1e-4)).all())
    if kind in NORMALISED:
        assert float(found.detach()[0]) == pytest.approx(1 - 1e-4)
        assert float(found.detach()[-1]) == pytest.approx(1e-4)
    for value in found[::10]:
        (slope,) = torch.autograd.grad(value, q, retain_graph=True)
        assert bool(torch.isfinite(slope).all())


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_derivative_by_q_against_finite_differences(kind):
    cube = space(kind, {})
    native = cube.native(np.full(cube.dim, 0.4))
    q = torch.tensor([native[n] for n in names(cube)], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda q: abar(kind, q, U[5:95:10], 1e-6), (q,))


# linear betas, DDPM's: what a user has who does not tune
LINEAR = np.concatenate([[1.0], np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))])


@pytest.mark.parametrize(
    ("kind", "knots", "within"),
    [
        ("cosine", 8, 0.010),
        ("sigmoid", 8, 0.018),
        ("laplace", 8, 0.039),
        ("logit_normal", 8, 0.012),
        ("knots", 4, 0.09),
        ("knots", 8, 0.0183),
        ("knots", 16, 0.0086),
        ("knots", 32, 0.0022),
    ],
)
def test_the_defaults_are_the_nearest_to_linear_betas(kind, knots, within):
    cube = space(kind, {}, knots=knots)
    native = cube.native(cube.default())
    q = torch.tensor([native[n] for n in names(cube)], dtype=torch.float64)
    u = torch.linspace(0, 1, 1001, dtype=torch.float64)
    found = abar(kind, q, u, 1e-4).numpy()
    assert np.abs(found - LINEAR.clip(1e-4, 1 - 1e-4)).max() < within


@pytest.mark.parametrize(
    ("kind", "quantile"),
    [
        # of a Laplace and of a normal distribution with mean -1 and scale 2, at 1/4
        ("laplace", -1 + 2 * math.log(2)),
        ("logit_normal", -1 + 2 * 0.6744897501960817),
    ],
)
def test_the_log_snr_has_the_distribution_of_its_name(kind, quantile):
    q = torch.tensor([-1.0, 2.0], dtype=torch.float64)
    u = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
    found = log_snr(abar(kind, q, u, 1e-6)).tolist()
    assert found == pytest.approx([quantile, -1.0, -2 - quantile], rel=1e-9)


def test_knots_against_plain_arithmetic():
    """Three pieces from 4 to -8, whose drops are as the linear betas' times 1, 2 and 0.5."""
    first, *others = np.diff(linear(4))
    drops = np.array([first, others[0] * 2, others[1] * 0.5])
    values = 4 - 12 * np.concatenate([[0], np.cumsum(drops) / drops.sum()])
    q = torch.tensor([4.0, -8.0, 2.0, 0.5], dtype=torch.float64)
    found = log_snr(abar("knots", q, U, 1e-6)).numpy()
    np.testing.assert_allclose(found, np.interp(U.numpy(), [0, 1 / 3, 2 / 3, 1], values), atol=1e-9)


@pytest.mark.parametrize("knots", [4, 8, 16])
def test_there_are_as_many_axes_as_knots_and_a_grid_has_an_end(knots):
    cube = space("knots", {}, knots=knots)
    assert cube.dim == len(axes("knots", knots)) == knots
    assert len(list(cube.grid())) == 9
    narrow = space("knots", {"drop": "2,4"}, knots=knots)
    assert len(list(narrow.grid())) == 9
    assert narrow.native(narrow.default())["drop2"] == pytest.approx(2.0)


def test_a_sampling_schedule_of_its_own_has_axes_of_its_own():
    cube = space("cosine", {"tau": "1,2"}, tie=False)
    assert names(cube)[4:] == [f"sample_{n}" for n in names(cube)[:4]]
    assert [(a.low, a.high) for a in cube.axes if a.name.endswith("tau")] == [(1, 2), (1, 2)]


def test_log_snr():
    values = torch.tensor([0.5, 0.9], dtype=torch.float64)
    np.testing.assert_allclose(log_snr(values).numpy(), [0.0, math.log(9)], atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "ranges", "says"),
    [
        ("cosine", {"start": "0,0.9"}, "start"),
        ("cosine", {"end": "0.3,1"}, "start"),
        ("cosine", {"tau": "0,2"}, "above 0"),
        ("cosine", {"tau": "-1,2"}, "above 0"),
        ("cosine", {"end": "0.8,1.2"}, r"\[0, 1\]"),
        ("cosine", {"tau": "2,1"}, "LOW < HIGH"),
        ("cosine", {"tau": "nan,1"}, "LOW < HIGH"),
        ("cosine", {"tau": "fast"}, "two numbers"),
        ("cosine", {"eps": "-1,0.1"}, "at least 0"),
        ("sigmoid", {"start": "-3,3", "end": "2,4"}, "disjoint"),
        ("knots", {"start": "-3,3", "end": "-6,-2"}, "above noise_schedule.end, .* disjoint"),
        ("knots", {"drop": "0,2"}, "above 0"),
        ("knots", {"tau": "1,2"}, "knots schedule has no tau; leave it out"),
        ("knots", {"start": "900,1000"}, r"start: expected a range within \[-30.0, 30.0\], got"),
        ("knots", {"end": "-2000,-1500"}, r"end: expected a range within \[-30.0, 30.0\], got"),
        ("laplace", {"end": "0,1"}, "laplace schedule has no end"),
        ("laplace", {"scale": "1e-3,1"}, "within"),
    ],
)
def test_a_wrong_range_is_told(kind, ranges, says):
    with pytest.raises(UsageError, match=says):
        space(kind, ranges)


def test_a_number_of_knots_is_for_knots_alone():
    assert NoiseSchedule().knots == 8, "the default of the choices too"
    assert NoiseSchedule(schedule="knots", knots=4).choices.space().dim == 4
    with pytest.raises(UsageError, match="knots: the cosine schedule has none, got 4; leave it"):
        NoiseSchedule(knots=4)


def test_a_range_keeps_the_default_and_the_grid_inside():
    (start, end, tau, eps) = space("cosine", {"tau": "1.5,3"}).axes
    assert (tau.low, tau.high, tau.default, tau.grid) == (1.5, 3.0, 3.0, ())
    assert (start.default, end.default, eps.default) == (0.0, 1.0, 0.008)


class Gaussian:
    """The exact predictor for data N(mean, deviation^2), one pixel."""

    def __init__(self, mean, deviation):
        self.mean, self.deviation = mean, deviation

    def __call__(self, x, a, u):
        a = a.view(-1, 1, 1, 1)
        eps = (x - a.sqrt() * self.mean) * (1 - a).sqrt() / (a * self.deviation**2 + 1 - a)
        return eps, (x - (1 - a).sqrt() * eps) / a.sqrt()


def run(predict, q, steps, n=20_000, kind="cosine", floor=1e-5):
    noise = torch.randn(n, 1, 1, 1, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    u = torch.linspace(1, 0, steps + 1, dtype=torch.float64)
    table = abar(kind, torch.as_tensor(q, dtype=torch.float64), u, floor).expand(n, -1)
    return sample(predict, noise, table, u, solver=DDIM(), clip=None).flatten()


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 0.5), (0.3, 0.2), (-1.0, 1.5)])
def test_ddim_on_an_exact_gaussian_score(mean, deviation):
    noise_mean, noise_deviation = 0.0, 1.0
    found = run(Gaussian(mean, deviation), (0.0, 1.0, 1.0, 0.008), 1000)
    error = 4 / math.sqrt(20_000)
    assert float(found.mean()) == pytest.approx(
        mean + deviation * noise_mean, abs=error * deviation + 2e-3
    )
    assert float(found.std()) == pytest.approx(deviation * noise_deviation, rel=error + 0.01)


def test_ddim_clips_and_keeps_the_noise_consistent():
    class Wild:
        def __call__(self, x, a, u):
            return torch.zeros_like(x), torch.full_like(x, 50.0)

    found = run_clipped(Wild())
    assert float(found.abs().max()) == 1.0


def run_clipped(predict):
    noise = torch.randn(8, 1, 1, 1, generator=torch.Generator().manual_seed(0))
    u = torch.linspace(1, 0, 5)
    table = torch.linspace(0.01, 0.99, 5).expand(8, -1)
    return sample(predict, noise, table, u, solver=DDIM())


def test_mix_is_the_forward_process():
    x0, eps = torch.tensor([[[[2.0]]]]), torch.tensor([[[[3.0]]]])
    assert float(mix(x0, eps, torch.tensor([0.25]))) == pytest.approx(0.5 * 2 + math.sqrt(0.75) * 3)


class OneDimensional:
    """min over tau of the Frechet distance of few-step DDIM samples to N(0.3, 0.2^2); the score is
    exact, so G is flat.
    """

    space = Space((Float("tau", 0.25, 4.0, default=1.0, log=True),))
    horizon = 1
    nfe = 0

    def distances(self, lams):
        found = []
        for lam in lams:
            x = run(
                Gaussian(0.3, 0.2), (-3.0, 3.0, self.space.native(lam)["tau"]), 5, 2000, "sigmoid"
            )
            found.append(float((x.mean() - 0.3) ** 2 + (x.std() - 0.2) ** 2) * 1e3)
        return np.array(found)

    def init(self, seed):
        return 0

    def step(self, state, lam, tilt=0.0):
        return state + 1

    def loss(self, state, lam):
        return float(self.distances(lam[None])[0])

    def grad(self, state, lam, tilt=0.0):
        return tilt * coordinates(self.distances, lam, 0.01)


def test_a_schedule_learned_on_a_gaussian_agrees_with_brute_force():
    problem = OneDimensional()
    grid = np.linspace(0, 1, 201)[:, None]
    values = problem.distances(grid)
    best = grid[int(values.argmin())]
    assert 0.02 < best[0] < 0.98, "the optimum lies inside, or the test shows nothing"
    *_, last = Bilevel(iterations=60, steps_y=1)(problem, np.random.default_rng(0))
    assert isinstance(last, Proposal)
    start = fit(problem, problem.space.default(), 0).loss
    assert problem.loss(0, last.lam) - values.min() < 0.02 * (start - values.min())
    assert last.lam[0] == pytest.approx(best[0], abs=0.03)


def quadratic(points):
    return ((points - 0.3) ** 2 * np.array([1.0, 4.0, 0.5])).sum(1)


def test_coordinates_are_exact_on_a_parabola_and_stay_in_the_cube_at_its_faces():
    lam = np.array([0.5, 0.6, 0.7])
    np.testing.assert_allclose(
        coordinates(quadratic, lam, 0.01), 2 * (lam - 0.3) * [1, 4, 0.5], rtol=1e-9
    )
    edge = np.array([0.0, 1.0, 0.5])
    found = coordinates(quadratic, edge, 0.01)
    np.testing.assert_allclose(
        found, [2 * (0.01 - 0.3), 8 * (0.99 - 0.3), 2 * 0.2 * 0.5], rtol=1e-9
    )


def test_random_directions_keep_their_length_at_a_face():
    asked = []

    def slope(points):
        asked.append(points)
        return points.sum(1)

    among = np.random.default_rng(1).standard_normal((20_000, 2))
    np.testing.assert_allclose(
        directions(slope, np.array([0.0, 1.0]), 0.01, among), [1, 1], rtol=0.05
    )
    assert ((asked[0] >= 0) & (asked[0] <= 1)).all()


def test_random_directions_are_right_on_average():
    lam = np.array([0.5, 0.6, 0.7])
    among = np.random.default_rng(0).standard_normal((20_000, 3))
    np.testing.assert_allclose(
        directions(quadratic, lam, 0.001, among), 2 * (lam - 0.3) * [1, 4, 0.5], rtol=0.08
    )
